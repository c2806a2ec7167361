"""Scenarios in which the broker loses what it was trusted with."""

import time

from oracle import judge
from roots import until

OPERATIONS, EVENTS, CALLS = 100, 120, 30
LANES = ("verify", "status", "audit", "meter")
DELETIONS = 5
# Longer than the five minutes after which the relay hands over again whatever has had no effect.
SECONDS = 360


def empty_broker(place):
    """A broker full of work is replaced by an empty one while no worker runs: all of it is done nevertheless."""
    broker = place.own_broker()
    provider = place.relay(place.ground.simulator.port)
    keyway = place.keyway(settings={"KEYWAY_TRUSTED_UPSTREAMS": f"127.0.0.1:{place.ground.simulator.port},127.0.0.1:{provider.port}"})
    clients = place.clients(keyway.prepare().start())
    clients.submit()
    until("the first key is connected", lambda: place.postgres.sql("SELECT 1 FROM integrations WHERE status = 'connected'"), 60, 0.5)
    # From now on nothing can be finished: the others' provider does not answer, and nobody can write what is audited or metered.
    provider.silence()
    held = place.ends(Held(place.postgres, "audit_events", "metered_calls"))
    project = keyway.api("POST", "/projects", {"name": "waiting"})["id"]
    for _ in range(OPERATIONS):
        clients.submit(project=project, base_url=f"http://127.0.0.1:{provider.port}/v1")
    for number in range(EVENTS - OPERATIONS):
        keyway.api("POST", "/virtual-keys", {"project_id": project, "name": f"audited-{number}"})
    clients.call_many(CALLS)
    waits = until("the broker has it all", lambda: is_full(place, keyway), 90, 0.5)
    keyway.kill("workers")
    held.stop()
    place.note(f"after {waits:.0f} s the broker had {in_words(broker.counts(place.vhost))}")
    broker.wipe(place.vhost)
    provider.heal()
    for member in keyway.of("workers"):
        keyway.launch(member)
    for member in keyway.of("workers"):
        keyway.await_ready(member)
    begun = time.monotonic()
    try:
        until("all is made up for", lambda: is_made_up_for(place), SECONDS, 1)
        place.note(f"made up for within {time.monotonic() - begun:.0f} s")
    except TimeoutError as late:
        place.note(str(late))
    return judge(place, keyway, place.ledger, seconds=30)


def queues_deleted(place):
    """Queues are deleted under load, one after the other and again."""
    broker = place.own_broker()
    keyway = place.keyway().prepare().start()
    clients = place.clients(keyway)
    with clients.under_load() as load:
        for _ in range(DELETIONS):
            for lane in LANES:
                load.more(5)
                broker.delete_queue(place.vhost, lane)
        load.more(20)
    place.note(f"{DELETIONS * len(LANES)} queues deleted; {place.ledger.summary()}")
    return judge(place, keyway, place.ledger, seconds=SECONDS) + place.ledger.odd[:3]


class Held:
    """Tables that nobody can write, until it stops."""

    def __init__(self, postgres, *tables):
        self.session = postgres.hold(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")

    def stop(self):
        if self.session.poll() is None:
            self.session.kill()
            self.session.wait()


def is_full(place, keyway):
    """Whether the broker has some of each, and nothing is on its way there."""
    counts = place.broker.counts(place.vhost)
    spooled = sum(member.metric("keyway_spool_records") for member in keyway.of("api"))
    return counts["verify"] and counts["meter"] and counts["audit"] >= EVENTS / 2 and not spooled


def is_made_up_for(place):
    waiting = place.postgres.sql("SELECT count(*) FROM integrations WHERE status <> 'connected'")
    audited = place.postgres.sql("SELECT count(*) FROM audit_events WHERE action IN ('integration.created', 'virtual_key.created')")
    return waiting == "0" and int(audited) >= EVENTS and int(place.postgres.sql("SELECT count(*) FROM metered_calls")) >= CALLS


def in_words(counts):
    return ", ".join(f"{count} {lane}" for lane, count in sorted(counts.items()) if count)
