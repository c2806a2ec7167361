"""Scenarios in which the database is there and does not do its work: silent, read-only, failed over."""

import concurrent.futures
import os
import time

from oracle import judge
from roots import until

KEYS, SILENT_SECONDS = 200, 60
# More than are under way when each takes ten seconds, so that the calls come as paced.
AT_ONCE = 64
# While what is in memory is fresh.
WARM_AFTER_SECONDS = 10
ANSWER_SECONDS = 2.0
READ_ONLY_SECONDS, STANDBY_SECONDS = 30, 20
# How long writes may be refused after another server has taken over.
TAKEN_OVER_SECONDS = 45


def silent_link(place):
    """The link to the database goes silent for a minute, and 200 calls come with keys that are not in memory: each is answered soon."""
    link = place.relay(place.postgres.port)
    keyway = place.keyway().prepare()
    through = {"KEYWAY_DATABASE_URL": place.postgres.url(link.port)}
    members = [keyway.add("api", **through), keyway.add("api"), keyway.add("workers"), keyway.add("workers")]
    for member in members:
        keyway.launch(member)
    for member in members:
        keyway.await_ready(member)
    clients = place.clients(keyway)
    clients.submit()
    until("the key is connected", lambda: place.postgres.sql("SELECT 1 FROM integrations WHERE status = 'connected'"), 60, 0.5)
    # Made at the other listener: the first one has never seen them.
    keys = [keyway.api("POST", "/virtual-keys", {"project_id": clients.project, "name": f"unseen-{n}"}, at=1)["key"] for n in range(KEYS)]
    until("a call passes", lambda: call(keyway, place, clients.key)[0] == 200, 30)
    link.silence()
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(after, begun, number * (SILENT_SECONDS - 5) / KEYS, keyway, place, key) for number, key in enumerate(keys)]
        after(begun, WARM_AFTER_SECONDS, keyway, place, None)
        warm = call(keyway, place, clients.key)
        answers = [one.result() for one in asked]
    time.sleep(max(0, SILENT_SECONDS - (time.monotonic() - begun)))
    link.heal()
    faults = judge_answers(place, answers)
    if warm[0] not in (200, 503) or warm[1] > ANSWER_SECONDS:
        faults.append(f"wrong: a call whose key is in memory was answered {warm[0]} after {warm[1]:.1f} s")
    until("calls pass again", lambda: call(keyway, place, keys[0])[0] == 200, 60, 0.5)
    place.note(f"{time.monotonic() - begun - SILENT_SECONDS:.0f} s after the minute calls passed again")
    return faults + judge(place, keyway, place.ledger)


def after(begun, seconds, keyway, place, key):
    """A call at a time of its own: they are spread over most of the silence."""
    time.sleep(max(0, begun + seconds - time.monotonic()))
    return key and call(keyway, place, key)


def call(keyway, place, key):
    """A call at the first listener: status, seconds, whether it says when to come back."""
    begun = time.monotonic()
    try:
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
        status, headers, _ = keyway.send("POST", "/v1/chat/completions", body, key, at=0, seconds=70)
    except OSError:
        place.ledger.cut_off()
        return 0, time.monotonic() - begun, False
    if status == 200:
        place.ledger.called(headers["x-keyway-request-id"])
    return status, time.monotonic() - begun, "retry-after" in headers


def judge_answers(place, answers):
    seconds = sorted(answer[1] for answer in answers)
    late = [one for one in seconds if one > ANSWER_SECONDS]
    other = sorted({status for status, *_ in answers} - {503})
    silent = sum(status == 503 and not comes_back for status, _, comes_back in answers)
    place.note(f"{len(answers)} answers, half within {seconds[len(seconds) // 2]:.2f} s, all within {seconds[-1]:.2f} s")
    faults = []
    if late:
        faults.append(f"wrong: {len(late)} of {len(answers)} were answered after more than {ANSWER_SECONDS:.0f} s")
    if other:
        faults.append(f"wrong: some were answered {other} instead of 503")
    if silent:
        faults.append(f"wrong: {silent} times 503 without retry-after")
    return faults


def read_only(place):
    """The database takes no writes for half a minute: 503, nothing is filed as dead, and everything ends afterwards."""

    def begin():
        place.postgres.configure("default_transaction_read_only", "on")
        return lambda: place.postgres.configure("default_transaction_read_only", "off")

    return without_writes(place, begin, READ_ONLY_SECONDS)


def hot_standby(place):
    """The server comes back as a standby, which only reads, and is promoted later."""

    def begin():
        place.postgres.stop()
        with open(os.path.join(place.postgres.outside, "data", "standby.signal"), "w", encoding="ascii"):
            pass
        place.postgres.start()
        return place.postgres.promote

    return without_writes(place, begin, STANDBY_SECONDS)


def without_writes(place, begin, seconds):
    keyway = place.keyway().prepare().start()
    clients = place.clients(keyway)
    with clients.under_load() as load:
        load.more(20)
        ledger = place.ledger
        end = begin()
        before = ledger.answers["submit", 202]
        time.sleep(seconds)
        accepted = ledger.answers["submit", 202] - before
        end()
        healed = time.monotonic()
        load.more(20)
        place.note(f"writes were taken again after {time.monotonic() - healed:.0f} s; {ledger.summary()}")
    faults = ledger.odd[:3] + ([f"wrong: {len(ledger.odd)} such answers"] if ledger.odd else [])
    # Those that were on their way when it began.
    if accepted > 10:
        faults.append(f"wrong: {accepted} keys were accepted meanwhile, so nothing was shown")
    return faults + judge(place, keyway, ledger)


def old_sessions(place):
    """A failover behind one address: new connections reach the new server, old ones stay on the old, which only reads from now on."""
    primary = place.postgres
    follower = synchronous(place, primary)
    link = place.relay(primary.port)
    keyway = place.keyway(primary.url(link.port)).prepare().start()
    return taken_over(place, keyway, follower, lambda: link_moves(link, primary, follower))


def link_moves(link, primary, follower):
    primary.configure("default_transaction_read_only", "on")
    # What has begun to write ends before the standby stops to follow: nothing is confirmed that it does not have.
    until("nobody writes", lambda: not primary.sql("SELECT 1 FROM pg_stat_activity WHERE backend_xid IS NOT NULL LIMIT 1", "postgres"), 30)
    follower.promote()
    link.target_port = follower.port


def host_list(place):
    """Two hosts in the URL: the first is killed, the second promoted."""
    primary = place.postgres
    follower = synchronous(place, primary)
    url = primary.url(f"{primary.port},127.0.0.1:{follower.port}", options="?target_session_attrs=read-write")
    keyway = place.keyway(url).prepare().start()

    def fail_over():
        primary.kill()
        follower.promote()

    return taken_over(place, keyway, follower, fail_over)


def synchronous(place, primary):
    """A standby that has each commit before it is answered, so that a failover loses nothing."""
    follower = primary.standby(f"{place.scenario}/standby")
    place.open.append(lambda: follower.program and follower.kill())
    follower.start()
    primary.configure("synchronous_standby_names", "*")
    until("the standby follows", lambda: primary.sql("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'", "postgres") == "1", 30)
    return follower


def taken_over(place, keyway, follower, fail_over):
    clients = place.clients(keyway)
    ledger = place.ledger
    with clients.under_load() as load:
        load.more(20)
        fail_over()
        place.postgres = follower
        begun = time.monotonic()
        load.more(20, 2 * TAKEN_OVER_SECONDS)
        took = time.monotonic() - begun
    place.note(f"20 more keys were accepted within {took:.0f} s of the failover; {ledger.summary()}")
    faults = [f"wrong: writes were refused for {took:.0f} s"] if took > TAKEN_OVER_SECONDS else []
    faults += ledger.odd[:3] + ([f"wrong: {len(ledger.odd)} such answers"] if ledger.odd else [])
    return faults + judge(place, keyway, ledger)
