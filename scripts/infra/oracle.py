"""One judgement for every scenario: what was promised is there, once, and nothing else is left anywhere.

It reads the database as its superuser and asks the broker what waits. Nothing here may depend on a scenario.
"""

from roots import until

SHOWN = 4


def judge(place, keyway, ledger, dead_letters=0, seconds=150, more_calls=0):
    """What is wrong, a line for each; empty when nothing is. `dead_letters` are expected, `more_calls` may be in the ledger beyond
    those that were answered: calls whose answer never arrived."""
    faults = []
    query = place.postgres.sql
    open_operations = "SELECT id FROM operations WHERE finished_at_ms IS NULL AND origin = 'request'"
    try:
        until("every operation has ended", lambda: not query(open_operations), seconds, 0.5)
    except TimeoutError:
        left = query("SELECT state, kind, count(*) FROM operations WHERE finished_at_ms IS NULL AND origin = 'request' GROUP BY 1, 2")
        faults.append(f"lost: operations that never end: {left.replace(chr(10), '; ')}")
    try:
        until("nothing waits", Settled(place), seconds, 0.5)
    except TimeoutError:
        faults.append(f"wrong: something waits for ever: {waiting(place)}")
    faults += integrations(query, ledger)
    faults += metered(query, ledger, more_calls + ledger.unanswered_calls)
    letters = query("SELECT lane, reason, count(*) FROM dead_letters GROUP BY 1, 2")
    count = sum(int(line.rpartition("|")[2]) for line in letters.splitlines())
    if count != dead_letters:
        faults.append(f"wrong: {count} dead letters instead of {dead_letters}: {letters.replace(chr(10), '; ')}")
    for member in keyway.members:
        if member.process.poll() is not None:
            faults.append(f"wrong: {member.name} ended by itself: {keyway.said(member, 300)}")
        elif member.metric("keyway_task_panics_total"):
            faults.append(f"wrong: {member.name} has panicked")
    late = keyway.stop()
    if late:
        faults.append(f"wrong: these did not end when asked to: {', '.join(late)}")
    return faults


class Settled:
    """Nothing waits, seen twice: between two looks a message could be on its way from one place to the next."""

    def __init__(self, place):
        self.place, self.times = place, 0

    def __call__(self):
        self.times = 0 if any(waiting(self.place).values()) else self.times + 1
        return self.times >= 2


def waiting(place):
    """Rows of the outbox and messages of the broker, by where they are."""
    counts = {f"queue {name}": count for name, count in place.broker.counts(place.vhost).items() if count}
    rows = place.postgres.sql("SELECT route, count(*) FROM outbox GROUP BY 1")
    return {**counts, **{f"outbox {line.split('|')[0]}": int(line.split("|")[1]) for line in rows.splitlines()}}


def integrations(query, ledger):
    """Each is there in its final state, with one verdict of each operation and one event of its creation."""
    hexed = "REPLACE(CAST({} AS TEXT), '-', '')".format
    rows = query(f"SELECT {hexed('id')}, status FROM integrations")
    found = dict(line.split("|") for line in rows.splitlines())
    audited = dict(
        line.split("|") for line in query("SELECT target, count(*) FROM audit_events WHERE action = 'integration.created' GROUP BY 1").splitlines()
    )
    lost, doubled, other = [], [], []
    for name, status in ledger.integrations.items():
        if found.get(name.removeprefix("int_")) is None:
            lost.append(name)
        elif found[name.removeprefix("int_")] != status:
            other.append(f"{name} is {found[name.removeprefix('int_')]}, not {status}")
        events = int(audited.get(name, 0))
        if events != 1:
            (doubled if events else lost).append(f"audit event of {name}")
    # A conclusive verdict counts once for each operation that ended well.
    conclusive = "kind IN ('valid', 'invalid', 'no_credit', 'restricted', 'undecryptable')"
    twice = query(f"SELECT operation_id FROM verdicts WHERE {conclusive} GROUP BY 1 HAVING count(*) > 1").splitlines()
    without = query(
        "SELECT id FROM operations o WHERE kind = 'verify_key' AND state = 'succeeded' AND origin = 'request' "
        f"AND NOT EXISTS (SELECT FROM verdicts v WHERE v.operation_id = o.id AND v.{conclusive})"
    ).splitlines()
    doubled += [f"verdict of {one}" for one in twice]
    lost += [f"verdict of {one}" for one in without]
    return shown("lost", lost) + shown("doubled", doubled) + shown("wrong", other)


def metered(query, ledger, more):
    """Each answered call is metered once, and the sums of its day have it once."""
    rows = query("SELECT REPLACE(CAST(request_id AS TEXT), '-', '') FROM metered_calls").splitlines()
    found = set(rows)
    lost = [f"call {one}" for one in ledger.calls if one.removeprefix("req_").replace("-", "") not in found]
    faults = shown("lost", lost)
    summed = int(query("SELECT COALESCE(sum(requests + refused_requests), 0) FROM usage_daily"))
    if summed != len(rows):
        word = "doubled" if summed > len(rows) else "lost"
        faults.append(f"{word}: {len(rows)} calls are metered, the sums of their days have {summed}")
    refused = sum(count for (what, status), count in ledger.answers.items() if what == "call" and status not in (0, 200))
    if not len(ledger.calls) <= len(rows) <= len(ledger.calls) + refused + more:
        faults.append(f"wrong: {len(ledger.calls)} calls were answered, {len(rows)} are metered")
    return faults


def shown(word, lines):
    """A few of them, to be read."""
    if not lines:
        return []
    return [f"{word}: {len(lines)}, such as {', '.join(lines[:SHOWN])}"]
