"""Private RabbitMQ nodes from a root, alone or as a cluster, and what can be asked of them."""

import base64
import json
import os
import secrets
import shutil
import urllib.error
import urllib.parse
import urllib.request

from roots import free_port, until

PROGRAMS = "/usr/lib/rabbitmq/bin"
LANES = ("verify", "usage.plan", "usage.fetch", "status", "audit", "meter", "mail")
READY_SECONDS = 120


class Names:
    """The register of Erlang's nodes, of this run alone: without it nodes would find those of the machine."""

    def __init__(self, root):
        self.port = free_port()
        self.cookie = secrets.token_hex(16)
        self.program = root.start("epmd.log", ["epmd", "-port", str(self.port), "-address", "127.0.0.1"], "rabbitmq")

    def stop(self):
        self.program.kill()


class Rabbit:
    """One node. Nodes of a cluster know each other by `peers`, a list of their names."""

    def __init__(self, root, names, name, folder=None, lines=(), peers=()):
        self.root, self.names, self.name, self.folder = root, names, name, folder or name
        self.port, self.http_port, self.distribution_port = free_port(), free_port(), free_port()
        self.outside, self.inside = root.folder(self.folder, "rabbitmq")
        settings = [
            f"listeners.tcp.local = 127.0.0.1:{self.port}",
            "management.tcp.ip = 127.0.0.1",
            f"management.tcp.port = {self.http_port}",
            "disk_free_limit.absolute = 50MB",
            "log.file.level = warning",
            "num_acceptors.tcp = 2",
            "cluster_formation.peer_discovery_backend = classic_config",
            *(f"cluster_formation.classic_config.nodes.{number} = {peer}@localhost" for number, peer in enumerate(peers, 1)),
            *lines,
        ]
        self.write("rabbitmq.conf", "\n".join(settings) + "\n")
        self.write("enabled_plugins", "[rabbitmq_management].\n")
        self.write(".erlang.cookie", names.cookie)
        os.chmod(os.path.join(self.outside, ".erlang.cookie"), 0o400)
        root.folder(self.folder, "rabbitmq")
        self.program = None

    def write(self, name, text):
        with open(os.path.join(self.outside, name), "w", encoding="ascii") as file:
            file.write(text)

    def environment(self):
        return {
            "HOME": self.inside,
            "ERL_EPMD_PORT": str(self.names.port),
            "RABBITMQ_NODENAME": f"{self.name}@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{self.inside}/data",
            "RABBITMQ_LOG_BASE": f"{self.inside}/log",
            "RABBITMQ_CONFIG_FILE": f"{self.inside}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.inside}/enabled_plugins",
            "RABBITMQ_PID_FILE": f"{self.inside}/pid",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def start(self, await_it=True):
        log = os.path.join(self.folder, "output.log")
        self.program = self.root.start(log, [f"{PROGRAMS}/rabbitmq-server"], "rabbitmq", self.environment())
        if await_it:
            self.await_ready()
        return self

    def await_ready(self):
        def serves():
            if self.program.process.poll() is not None:
                raise SystemExit(f"RabbitMQ ended: {self.program.said()}")
            return self.http("GET", "/api/overview") and all(part["running"] for part in self.http("GET", "/api/nodes"))

        until("RabbitMQ serves", serves, READY_SECONDS)

    def kill(self):
        self.program.kill()

    def stop(self):
        self.program.end(seconds=40)

    def wipe(self, vhost):
        """Ends it, and starts it again as a new one: nothing of what it kept is there, but an empty virtual host."""
        self.kill()
        shutil.rmtree(os.path.join(self.outside, "data"))
        self.start()
        self.vhost(vhost)

    def vhost(self, name=None):
        """A new virtual host: its name."""
        name = name or f"v{secrets.token_hex(6)}"
        self.http("PUT", f"/api/vhosts/{name}", {})
        self.http("PUT", f"/api/permissions/{name}/guest", {"configure": ".*", "write": ".*", "read": ".*"})
        return name

    def url(self, vhost, port=None):
        return f"amqp://guest:guest@127.0.0.1:{port or self.port}/{urllib.parse.quote(vhost, safe='')}"

    def counts(self, vhost):
        """Messages in each lane's queue and in each queue of dead letters, those being handled included."""
        queues = self.http("GET", f"/api/queues/{urllib.parse.quote(vhost, safe='')}?disable_stats=true&enable_queue_totals=true")
        return {queue["name"].removeprefix("keyway."): queue.get("messages", 0) for queue in queues if queue["name"].startswith("keyway.")}

    def delete_queue(self, vhost, lane):
        self.http("DELETE", f"/api/queues/{urllib.parse.quote(vhost, safe='')}/keyway.{lane}", missing=True)

    def http(self, method, path, body=None, missing=False):
        raw = None if body is None else json.dumps(body).encode()
        account = base64.b64encode(b"guest:guest").decode()
        headers = {"authorization": f"Basic {account}", "content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", method=method, data=raw, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            if missing and error.code == 404:
                return None
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:300]}") from error
        return json.loads(text) if text else None

    def version(self):
        return self.http("GET", "/api/overview")["rabbitmq_version"]


def cluster(root, names, folder, count=3):
    """Nodes that know each other, all serving."""
    peers = [f"member{number}" for number in range(count)]
    nodes = [Rabbit(root, names, peer, f"{folder}/{peer}", peers=peers) for peer in peers]
    for node in nodes:
        node.start(await_it=False)
    for node in nodes:
        node.await_ready()
    until("the cluster has formed", lambda: len(nodes[0].http("GET", "/api/nodes")) == count, READY_SECONDS)
    return nodes
