"""Scenarios of the main job: everything well, and one handler that always fails."""

import concurrent.futures

from oracle import judge
from roots import until

INTEGRATIONS, CALLS = 300, 100
ADMINS = ("openai", "anthropic")
# More than two workers take at a time.
REFUSED_EVENTS = 600
AT_ONCE = 8
DEAD_SECONDS = 120


def main_job(place):
    """300 integrations of six providers, a usage fan-out, 100 proxied calls, on two APIs and two workers."""
    keyway = place.keyway().prepare().start()
    clients = place.clients(keyway)
    clients.submit_many(INTEGRATIONS)
    for provider in ADMINS:
        clients.submit(provider, admin=True)
    connected = "SELECT count(*) FROM integrations WHERE status = 'connected'"
    total = INTEGRATIONS + len(ADMINS)
    took = until("all are connected", lambda: int(place.postgres.sql(connected)) == total, 120, 0.5)
    place.note(f"{total} connected within {took:.0f} s of the last")
    faults = usage(place, keyway, total)
    statuses = clients.call_many(CALLS)
    if statuses != [200]:
        faults.append(f"wrong: calls were answered {statuses}")
    until("all calls are metered", lambda: int(place.postgres.sql("SELECT count(*) FROM metered_calls")) >= len(place.ledger.calls), 60, 0.5)
    return faults + judge(place, keyway, place.ledger)


def usage(place, keyway, total):
    """A fan-out over all keys: each is done, and those of the organisations have reported."""
    operation = keyway.api("POST", "/usage/fetch", {})["operation"]["id"]
    until("the fan-out ends", lambda: keyway.api("GET", f"/operations/{operation}")["state"] in ("succeeded", "failed"), 120, 0.5)
    ended = keyway.api("GET", f"/operations/{operation}")
    faults = []
    if (ended["state"], ended["total"], ended["done"], ended["failed"] or 0) != ("succeeded", total, total, 0):
        faults.append(f"lost: the fan-out over {total} keys ended {ended['state']}: {ended['total']}, {ended['done']} done, {ended['failed']} failed")
    reporting = int(place.postgres.sql("SELECT count(DISTINCT integration_id) FROM reported_usage"))
    if reporting != len(ADMINS):
        faults.append(f"lost: {reporting} of {len(ADMINS)} keys that report have rows of usage")
    place.note(f"{place.postgres.sql('SELECT count(*) FROM reported_usage')} rows reported")
    return faults


def failing_handler(place):
    """The audit writer cannot write events of one kind: they become dead letters, and everybody else's are written."""
    keyway = place.keyway().prepare().start()
    clients = place.clients(keyway)
    clients.submit()
    place.postgres.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'refused by the scenario' USING ERRCODE = 'raise_exception'; END $$; "
        "CREATE TRIGGER refuse BEFORE INSERT ON audit_events FOR EACH ROW "
        "WHEN (NEW.action = 'virtual_key.created') EXECUTE FUNCTION refuse()"
    )
    # If these went round and round, nobody else's event would be reached.
    count = REFUSED_EVENTS
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: keyway.api("POST", "/virtual-keys", {"project_id": clients.project, "name": f"refused-{number}"}), range(count)))
    clients.submit_many(12)
    begun = until("the other events are written", lambda: others_written(place), DEAD_SECONDS, 0.5)
    place.note(f"the others' events were written after {begun:.0f} s")
    letters = "SELECT count(*) FROM dead_letters WHERE lane = 'audit'"
    took = until(f"{count} are dead letters", lambda: int(place.postgres.sql(letters)) >= count, DEAD_SECONDS, 0.5)
    place.note(f"all buried after {took:.0f} s more")
    return judge(place, keyway, place.ledger, dead_letters=count)


def others_written(place):
    audited = "SELECT count(*) FROM audit_events WHERE action = 'integration.created'"
    return int(place.postgres.sql(audited)) == len(place.ledger.integrations)
