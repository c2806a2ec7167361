"""An installation of Keyway under test: its processes, its provider, its management API.

KEYWAY_BIN names the binary, else target/release/keyway; SIMULATOR_BIN the provider simulator, else target/debug/simulator.
"""

import contextlib
import http.client
import json
import os
import re
import secrets
import signal
import subprocess

from roots import ROOT, WITH_US, free_port, until

BINARIES = (("KEYWAY_BIN", "release/keyway"), ("SIMULATOR_BIN", "debug/simulator"))
# Each has a consumer in every process of workers.
LANES = 6
# Those that speak the simulator's paths, with a key that each knows; the last is a host of the tenant's own.
PROVIDERS = ("openai", "anthropic", "gemini", "mistral", "groq", "acme")


class Simulator:
    """The provider, for all providers at once."""

    def __init__(self, home):
        binary = program(*BINARIES[1])
        self.port = free_port()
        self.process = subprocess.Popen([*WITH_US, binary, "--port", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.home = home
        until("the simulator serves", lambda: ask(self.port, "GET", "/__sim/requests")[0] == 200, 30)

    def catalog(self, port):
        """The catalog beside Keyway's sources, with this provider, or a relay before it, in the place of every host."""
        path = os.path.join(self.home, f"models-{port}.yaml")
        with open(os.path.join(ROOT, "models.yaml"), encoding="utf-8") as source, open(path, "w", encoding="utf-8") as catalog:
            text = re.sub(r"(?m)^(\s+base_url: )https://generativelanguage\S+", rf"\g<1>http://127.0.0.1:{port}/v1beta", source.read())
            catalog.write(re.sub(r"(?m)^(\s+base_url: )https://\S+", rf"\g<1>http://127.0.0.1:{port}/v1", text))
        return path

    def stop(self):
        self.process.kill()
        self.process.wait()


class Member:
    """One process of an installation."""

    def __init__(self, role, name, home, settings):
        self.role, self.name, self.settings = role, name, settings
        self.log = os.path.join(home, f"{name}.log")
        self.port, self.ops = free_port(), free_port()
        self.process = None

    def environment(self, shared):
        own = {
            "PATH": os.environ["PATH"],
            "HOME": os.path.dirname(self.log),
            "KEYWAY_LISTEN": f"127.0.0.1:{self.port}",
            "KEYWAY_OPS_LISTEN": f"127.0.0.1:{self.ops}",
            "KEYWAY_DATA_DIR": os.path.join(os.path.dirname(self.log), self.name),
        }
        return {**shared, **own, **self.settings}

    def ready(self):
        """What /readyz says: status and text."""
        return ask(self.ops, "GET", "/readyz")

    def metric(self, name):
        """The sum of a metric over its labels."""
        text = ask(self.ops, "GET", "/metrics")[2].decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if re.match(rf"{name}[{{ ]", line))


class Keyway:
    """Processes on one database and one broker."""

    def __init__(self, home, name, database_url, amqp_url, simulator, provider_port=None, settings=None):
        self.binary = program(*BINARIES[0])
        self.home = os.path.join(home, name)
        os.makedirs(self.home)
        self.provider = provider_port or simulator.port
        self.admin = secrets.token_hex(24)
        self.shared = {
            "KEYWAY_DATABASE_URL": database_url,
            "KEYWAY_AMQP_URL": amqp_url,
            "KEYWAY_KEYRING": os.path.join(self.home, "keyring.json"),
            "KEYWAY_ADMIN_KEY": self.admin,
            "KEYWAY_MODELS_FILE": simulator.catalog(self.provider),
            "KEYWAY_TRUSTED_UPSTREAMS": f"127.0.0.1:{self.provider}",
            # A round of the schedule would spread its fetches over minutes, in which something always waits.
            "KEYWAY_USAGE_INTERVAL_SECONDS": "86400",
            **(settings or {}),
        }
        self.members = []

    def command(self, *arguments, seconds=60):
        """Runs a subcommand to its end: its exit code and all it printed."""
        environment = {"PATH": os.environ["PATH"], "HOME": self.home, "KEYWAY_DATA_DIR": self.home, **self.shared}
        done = subprocess.run(
            [self.binary, *arguments], env=environment, cwd=self.home, capture_output=True, text=True, timeout=seconds, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def prepare(self):
        """The schema and the keyring."""
        for arguments in (("migrate",), ("keys", "init")):
            code, printed = self.command(*arguments)
            if code != 0:
                raise RuntimeError(f"keyway {' '.join(arguments)}: {printed[-600:]}")
        return self

    def start(self, roles=("api", "api", "workers", "workers")):
        """Starts processes and waits until they work: the workers consume every lane."""
        new = [self.add(role) for role in roles]
        for member in new:
            self.launch(member)
        for member in new:
            self.await_ready(member)
        return self

    def add(self, role, **settings):
        """One more process, not started."""
        member = Member(role, f"{role}-{len(self.members)}", self.home, settings)
        self.members.append(member)
        return member

    def launch(self, member):
        with open(member.log, "ab") as log:
            member.process = subprocess.Popen(
                [*WITH_US, self.binary, member.role], env=member.environment(self.shared), cwd=self.home, stdout=log, stderr=log
            )

    def await_ready(self, member, seconds=60):
        def works():
            if member.process.poll() is not None:
                raise SystemExit(f"{member.name} ended: {self.said(member)}")
            status, _, text = member.ready()
            if status != 200:
                raise RuntimeError(text.decode())
            if member.role == "workers":
                return member.metric("keyway_lane_consumers") >= LANES
            return ask(member.port, "GET", "/api/openapi.json")[0] == 200

        try:
            return until(f"{member.name} is ready", works, seconds)
        except TimeoutError as late:
            raise TimeoutError(f"{late}; {self.said(member, 400)}") from late

    def of(self, role):
        return [member for member in self.members if member.role == role]

    def kill(self, role):
        for member in self.of(role):
            member.process.kill()
            member.process.wait()

    def api(self, method, path, body=None, at=0):
        """Calls the management API; the answer's JSON. An answer that refuses is an error."""
        status, _, text = self.send(method, f"/api/v1{path}", body, at=at)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {text[:300].decode(errors='replace')}")
        return json.loads(text) if text else None

    def send(self, method, path, body=None, key=None, at=0, headers=None, seconds=60):
        """One request to one of the listeners: status, headers, body."""
        listeners = self.of("api")
        port = listeners[at % len(listeners)].port
        return ask(port, method, path, body, {"authorization": f"Bearer {key or self.admin}", **(headers or {})}, seconds)

    def said(self, member, size=800):
        with open(member.log, "rb") as log:
            return log.read()[-size:].decode(errors="replace")

    def logs(self):
        """All that the processes have logged."""
        for member in self.members:
            with open(member.log, "rb") as log:
                yield member.name, log.read().decode(errors="replace")

    def stop(self):
        """Asks every process to end, and ends those that do not within the time they have."""
        running = [member for member in self.members if member.process and member.process.poll() is None]
        for member in running:
            member.process.send_signal(signal.SIGTERM)
        late = []
        for member in running:
            try:
                member.process.wait(40)
            except subprocess.TimeoutExpired:
                late.append(member.name)
                member.process.kill()
                member.process.wait()
        return late


def ask(port, method, path, body=None, headers=None, seconds=60):
    """One HTTP request on a connection of its own: status, headers with small names, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    raw = None if body is None else json.dumps(body).encode()
    with contextlib.closing(connection):
        try:
            connection.request(method, path, raw, {"content-type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"{method} {path}: {error!r}") from error


def program(variable, built):
    """A binary of Keyway's, which the variable may name."""
    path = os.path.abspath(os.environ.get(variable) or os.path.join(ROOT, "target", built))
    if not os.path.exists(path):
        raise SystemExit(f"no binary at {path}: build it (see make infra) or set {variable}")
    return path
