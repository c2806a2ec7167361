"""Scenarios of how services are reached: TLS, poolers, logins with few rights, passwords with any sign, several brokers."""

import time
import urllib.parse

from oracle import judge
from postgres import LOGIN, PASSWORD, Pooler
from rabbitmq import cluster
from roots import INSIDE, free_port, until

ODD_PASSWORD = "S3CRET/pw?with#all@of:them"
DROPPED = "options,extra_float_digits,role,statement_timeout,idle_in_transaction_session_timeout"
REFUSED_SECONDS = 15
DEAD_NODE_SECONDS = 30


def works(place, keyway, count=24):
    """The main job in small: keys of every provider, calls, everything once."""
    clients = place.clients(keyway)
    clients.submit_many(count)
    until("all are connected", lambda: place.postgres.sql("SELECT count(*) FROM integrations WHERE status = 'connected'") == str(count), 60, 0.5)
    statuses = clients.call_many(count)
    faults = [] if statuses == [200] else [f"wrong: calls were answered {statuses}"]
    until("all calls are metered", lambda: int(place.postgres.sql("SELECT count(*) FROM metered_calls")) >= len(place.ledger.calls), 60, 0.5)
    return faults + judge(place, keyway, place.ledger)


def tls(place):
    """Both services take TLS alone, with certificates of a private authority that nobody else knows."""
    authority = certificates(place)
    at = f"{INSIDE}/{place.scenario}"
    files = {"ssl": "on", "ssl_cert_file": f"{at}/postgres-tls/cert.pem", "ssl_key_file": f"{at}/postgres-tls/key.pem"}
    place.postgres = place.database("tls", files)
    place.postgres.access("host all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    place.postgres.sql("SELECT pg_reload_conf()", "postgres")
    lines = [
        "ssl_options.cacertfile = {0}/rabbitmq-tls/ca.pem",
        "ssl_options.certfile = {0}/rabbitmq-tls/cert.pem",
        "ssl_options.keyfile = {0}/rabbitmq-tls/key.pem",
        "ssl_options.verify = verify_none",
    ]
    port = free_port()
    broker = place.own_broker([f"listeners.ssl.local = 127.0.0.1:{port}", *(line.format(at) for line in lines)])
    url = f"amqps://guest:guest@localhost:{port}/{broker_path(place)}"
    faults = unknown_authority_is_refused(place, url)
    keyway = place.keyway(
        place.postgres.url(host="localhost", options=f"?sslmode=verify-full&sslrootcert={authority}"), f"{url}?cacertfile={authority}"
    )
    faults += works(place, keyway.prepare().start())
    return faults


def broker_path(place):
    return urllib.parse.quote(place.vhost, safe="")


def unknown_authority_is_refused(place, amqp_url):
    """Without the authority's certificate nobody is trusted."""
    keyway = place.keyway(place.postgres.url(host="localhost", options="?sslmode=verify-full"), amqp_url, name="distrustful")
    code, printed = keyway.command("migrate")
    if code == 0:
        return ["wrong: a certificate of an unknown authority was taken"]
    return [] if PASSWORD not in printed else ["wrong: the password is printed"]


def certificates(place):
    """An authority and a certificate of localhost for each service; the path of the authority's certificate outside."""
    root = place.root
    outside, inside = root.folder(f"{place.scenario}/authority")
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    root.run([*new, "-subj", "/CN=infra authority", "-keyout", f"{inside}/key.pem", "-out", f"{inside}/ca.pem"])
    for name, user in (("postgres-tls", "postgres"), ("rabbitmq-tls", "rabbitmq")):
        _, own = root.folder(f"{place.scenario}/{name}")
        signed = ["-CA", f"{inside}/ca.pem", "-CAkey", f"{inside}/key.pem", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        root.run([*new, *signed, "-subj", "/CN=localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", f"{own}/key.pem", "-out", f"{own}/cert.pem"])
        root.run(["cp", f"{inside}/ca.pem", f"{own}/ca.pem"])
        root.run(["chmod", "600", f"{own}/key.pem"])
        root.folder(f"{place.scenario}/{name}", user)
    return f"{outside}/ca.pem"


def pooled_sessions(place):
    """PgBouncer in session mode, without any setting for Keyway."""
    pooler = place.ends(Pooler(place.root, f"{place.scenario}/pgbouncer", place.postgres, "session", {}))
    return works(place, place.keyway(place.postgres.url(pooler.port)).prepare().start())


def deaf_pooler(place):
    """PgBouncer that drops every parameter of a new session, as its error messages lead people to."""
    pooler = place.ends(Pooler(place.root, f"{place.scenario}/pgbouncer", place.postgres, "session", {"ignore_startup_parameters": DROPPED}))
    return works(place, place.keyway(place.postgres.url(pooler.port)).prepare().start())


def pooled_transactions(place):
    """PgBouncer in transaction mode, with fewer sessions than clients, and Keyway is told so."""
    pooler = transaction_pooler(place)
    return works(place, place.keyway(place.postgres.url(pooler.port, options="?pool_mode=transaction")).prepare().start())


def unsaid_transactions(place):
    """The same, and Keyway is not told: it is not ready, and says why."""
    pooler = transaction_pooler(place)
    place.keyway(name="migrating").prepare()
    keyway = place.keyway(place.postgres.url(pooler.port))
    keyway.command("keys", "init")
    for role in ("api", "workers"):
        keyway.launch(keyway.add(role))
    try:
        for member in keyway.members:
            keyway.await_ready(member, REFUSED_SECONDS)
    except (TimeoutError, SystemExit):
        return refused_with_reason(place, keyway)
    place.note("it starts")
    return works(place, keyway)


def transaction_pooler(place):
    settings = {"max_prepared_statements": "200", "default_pool_size": "4"}
    return place.ends(Pooler(place.root, f"{place.scenario}/pgbouncer", place.postgres, "transaction", settings))


def refused_with_reason(place, keyway):
    """Neither process is ready, and both say that it is the pooler."""
    faults = []
    for member in keyway.members:
        running = member.process.poll() is None
        if running and member.ready()[0] == 200:
            faults.append(f"wrong: {member.name} says that it is ready")
        if "pool" not in keyway.said(member, 100_000).lower():
            faults.append(f"wrong: {member.name} does not say that a pooler is the reason: {keyway.said(member, 300)}")
    place.note("it is refused with a reason")
    return faults


def modest_login(place):
    """A login that may create roles and is no superuser, on a server that has never seen Keyway."""
    server = place.postgres = place.database("modest")
    for statement in (
        "DROP DATABASE keyway",
        *(f"DROP ROLE {role}" for role in ("keyway_app", "keyway_system")),
        f"ALTER ROLE {LOGIN} CREATEROLE",
        f"CREATE DATABASE keyway OWNER {LOGIN}",
    ):
        server.sql(statement, "postgres")
    keyway = place.keyway().prepare().start()
    return works(place, keyway)


def odd_password(place):
    """A password with / ? # @ and : in it: it works percent-encoded, and as it is it is refused without being shown."""
    place.postgres.sql(f"ALTER ROLE {LOGIN} PASSWORD '{ODD_PASSWORD}'", "postgres")
    place.broker.http("PUT", f"/api/users/{place.scenario}", {"password": ODD_PASSWORD, "tags": ""})
    place.broker.http("PUT", f"/api/permissions/{place.vhost}/{place.scenario}", {"configure": ".*", "write": ".*", "read": ".*"})
    faults = []
    good = urllib.parse.quote(ODD_PASSWORD, safe="")
    amqp = f"amqp://{place.scenario}:{{}}@127.0.0.1:{place.broker.port}/{broker_path(place)}"
    for sign in "/?#@":
        bad = f"S3CRET{sign}pw"
        faults += refused_silently(place, sign, place.postgres.url(password=bad), amqp.format(good), bad)
        faults += refused_silently(place, sign, place.postgres.url(password=good), amqp.format(bad), bad)
    keyway = place.keyway(place.postgres.url(password=good), amqp.format(good)).prepare().start()
    faults += works(place, keyway)
    faults += [f"wrong: {name} logs the password" for name, text in keyway.logs() if ODD_PASSWORD in text or good in text]
    return faults


def refused_silently(place, sign, database_url, amqp_url, secret):
    """A process with such a URL ends, or waits and is not ready; what it prints has no part of the password."""
    which = "database" if secret in database_url else "broker"
    keyway = place.keyway(database_url, amqp_url, name=f"{which}-{ord(sign)}")
    printed = keyway.command("migrate")[1] if which == "database" else ""
    member = keyway.add("workers")
    keyway.launch(member)
    deadline = time.monotonic() + 4
    ready = False
    while member.process.poll() is None and time.monotonic() < deadline:
        try:
            ready = member.ready()[0] == 200
        except OSError:
            pass
        time.sleep(0.2)
    keyway.stop()
    faults = []
    if ready:
        faults.append(f"wrong: {sign} in the password of the {which}: the process is ready")
    if "S3CRET" in printed + keyway.said(member, 100_000):
        faults.append(f"wrong: {sign} in the password of the {which}: it is logged")
    return faults


def dead_node(place):
    """A cluster of three brokers, all in the setting: the node that Keyway is connected to dies, and work goes on."""
    nodes = cluster(place.root, place.ground.names, place.scenario)
    place.open += [node.kill for node in nodes]
    place.broker = nodes[1]
    place.vhost = nodes[0].vhost()
    keyway = place.keyway(amqp_url=",".join(node.url(place.vhost) for node in nodes)).prepare().start()
    clients = place.clients(keyway)
    with clients.under_load() as load:
        load.more(20)
        nodes[0].kill()
        begun = time.monotonic()
        ended = int(place.postgres.sql("SELECT count(*) FROM operations WHERE state = 'succeeded'"))
        try:
            until("work goes on", lambda: int(place.postgres.sql("SELECT count(*) FROM operations WHERE state = 'succeeded'")) > ended + 20, 60, 0.5)
        finally:
            place.note(f"work went on within {time.monotonic() - begun:.0f} s")
    faults = [f"wrong: nothing was done for {time.monotonic() - begun:.0f} s"] if time.monotonic() - begun > DEAD_NODE_SECONDS else []
    return faults + judge(place, keyway, place.ledger) + place.ledger.odd[:3]
