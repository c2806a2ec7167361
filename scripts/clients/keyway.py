"""A Keyway of our own in front of the mock: starts a binary, brings the keys in, mints virtual keys, reads the ledger.

KEYWAY_BIN names the binary, else target/release/keyway; KEYWAY_MODELS its catalog, else models.yaml. Everything it keeps is in a folder of
its own, which is removed. Standard library only.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CUSTOM, CUSTOM_MODELS = "acme", ["acme-1"]


class Refused(Exception):
    """The management API said no."""


class Keyway:
    """One process in embedded mode, and its management API."""

    def __init__(self, mock):
        self.binary = os.path.abspath(os.environ.get("KEYWAY_BIN") or os.path.join(ROOT, "target", "release", "keyway"))
        if not os.path.exists(self.binary):
            raise SystemExit(f"no binary at {self.binary}: build one (cargo build --release) or set KEYWAY_BIN")
        self.home = tempfile.mkdtemp(prefix="keyway-clients-")
        self.admin, self.mock = secrets.token_hex(24), mock
        self.url, self.ops = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.log = open(os.path.join(self.home, "log"), "wb")
        self.process = subprocess.Popen([self.binary, "serve"], env=self.environment(), cwd=self.home, stdout=self.log, stderr=self.log)

    def environment(self):
        # The catalog beside the binary's sources, with the mock in the place of every host.
        models = os.environ.get("KEYWAY_MODELS") or os.path.join(ROOT, "models.yaml")
        with open(models) as source, open(os.path.join(self.home, "models.yaml"), "w") as catalog:
            catalog.write(re.sub(r"(?m)^(\s+base_url: )https://[^/\s]+", rf"\g<1>{self.mock.url}", source.read()))
        return {
            "PATH": os.environ["PATH"],
            "HOME": self.home,
            "KEYWAY_LISTEN": self.url.removeprefix("http://"),
            "KEYWAY_OPS_LISTEN": self.ops.removeprefix("http://"),
            "KEYWAY_DATA_DIR": os.path.join(self.home, "data"),
            "KEYWAY_ADMIN_KEY": self.admin,
            "KEYWAY_MODELS_FILE": os.path.join(self.home, "models.yaml"),
            "KEYWAY_TRUSTED_UPSTREAMS": f"127.0.0.1:{self.mock.port}",
        }

    def ready(self, keys, seconds=60):
        """Waits for the process and brings the providers' keys in, each proven by the mock."""
        self.until("Keyway is ready", seconds, lambda: self.answers(f"{self.ops}/readyz") and self.answers(f"{self.url}/v1/models"))
        self.api("POST", "/projects", {"name": "clients"})
        self.project = self.api("GET", "/projects")["items"][0]["id"]
        self.api("POST", "/providers", {"name": CUSTOM, "base_url": f"{self.mock.url}/v1", "models": CUSTOM_MODELS})
        for provider, key in keys.items():
            integration = {"project_id": self.project, "provider": provider, "name": provider, "credentials": key}
            self.api("POST", "/integrations", integration)

        def settled():
            states = {row["provider"]: row["status"] for row in self.api("GET", "/integrations?limit=200")["items"]}
            if "error" in states.values():
                raise SystemExit(f"a key was not proven: {states}")
            return set(states.values()) == {"connected"} and len(states) == len(keys)

        self.until("the keys are proven", seconds, settled)

    def virtual_key(self, name):
        """A new key of the project: its id and what a client presents."""
        made = self.api("POST", "/virtual-keys", {"project_id": self.project, "name": name})
        return made["id"], made["key"]

    def calls(self, virtual_key_id):
        """What the ledger has of a key, oldest first."""
        rows = self.api("GET", f"/requests?limit=200&virtual_key_id={virtual_key_id}")["items"]
        return sorted(rows, key=lambda row: row["started_at"])

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def api(self, method, path, body=None):
        raw = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.admin}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", method=method, data=raw, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read()[:300]}") from error

    def answers(self, url):
        """Whether the process answers there without an error of its own; a refusal is an answer."""
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status < 500
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False

    def until(self, what, seconds, condition):
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise SystemExit(f"Keyway ended while waiting: {what}: {self.said()}")
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {seconds} s: {what}: {self.said()}")
            time.sleep(0.1)

    def said(self):
        with open(os.path.join(self.home, "log"), errors="replace") as log:
            return log.read()[-1000:]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
