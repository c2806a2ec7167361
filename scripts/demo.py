"""Walks through Keyway's main job against a simulated provider. Standard library only; see demo.sh."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HOME = os.path.join("target", "demo")
PIDS = os.path.join(HOME, "pids")
ADMIN_KEY = secrets.token_hex(24)
BOLD, GREEN, RED, DIM, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[2m", "\033[0m") if sys.stdout.isatty() else [""] * 5


def main():
    stop()
    if sys.argv[1:] == ["stop"]:
        return
    shutil.rmtree(HOME, ignore_errors=True)
    os.makedirs(HOME)
    simulator, keyway, ops = start()
    api = Api(f"http://127.0.0.1:{keyway}")

    title("1. People: an owner, a developer and an auditor")
    passwords = people(api)

    title("2. A project, a custom provider, and three integrations")
    project = api.post("/projects", {"name": "shop"})
    api.post("/providers", {"name": "acme", "display_name": "Acme", "base_url": f"http://127.0.0.1:{simulator}/v1", "models": ["acme-1"]})
    openai = {"base_url": f"http://127.0.0.1:{simulator}/v1"}
    submitted = [
        api.integration(project, "openai", "production", f"sk-sim-good-{secrets.token_hex(8)}", openai),
        api.integration(project, "openai", "left-the-company", f"sk-sim-revoked-{secrets.token_hex(8)}", openai),
        api.integration(project, "acme", "acme", f"sk-sim-good-{secrets.token_hex(8)}", None),
    ]
    watch(api, submitted)

    title("3. Usage: a fan-out with one fetch per integration")
    print("   (an organisation's admin key is added, which is the only kind OpenAI reports usage to)")
    watch(api, [api.integration(project, "openai", "reporting", f"sk-admin-sim-{secrets.token_hex(8)}", openai)])
    fan_out(api)
    for row in api.get("/integrations")["items"]:
        why = row.get("usage_not_reportable")
        print(f"   {row['name']:<18}{DIM}{why or 'reported'}{PLAIN}" if row["status"] == "connected" else f"   {row['name']:<18}{RED}not asked: {row['status']}{PLAIN}")

    title("4. An application calls the provider with a virtual key, streaming")
    key = api.post("/virtual-keys", {"project_id": project["id"], "name": "app"})["key"]
    print(f"   virtual key {key[:12]}...{key[-4:]} at http://127.0.0.1:{keyway}/v1")
    chat(f"http://127.0.0.1:{keyway}/v1/chat/completions", key)

    title("5. Usage and cost")
    table(metered(api), "seen by Keyway's proxy")
    table(api.get("/usage?ledger=reported&group_by=model")["items"], "reported by the provider")
    farewell(keyway, ops, key, passwords)


def start():
    simulator, keyway, ops = free_port(9100), free_port(8080), free_port(9464)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEYWAY_")}
    environment |= {
        "KEYWAY_LISTEN": f"127.0.0.1:{keyway}",
        "KEYWAY_OPS_LISTEN": f"127.0.0.1:{ops}",
        "KEYWAY_DATA_DIR": os.path.join(HOME, "data"),
        "KEYWAY_ADMIN_KEY": ADMIN_KEY,
        "KEYWAY_TRUSTED_UPSTREAMS": f"127.0.0.1:{simulator}",
    }
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    with open(PIDS, "w", encoding="ascii") as pids:
        for name, arguments in (("simulator", ["--port", str(simulator)]), ("keyway", ["serve"])):
            log = open(os.path.join(HOME, f"{name}.log"), "wb")
            process = subprocess.Popen(
                [os.path.join(target, "debug", name), *arguments],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
            pids.write(f"{process.pid}\n")
    until(lambda: answers(f"http://127.0.0.1:{ops}/readyz"), "Keyway did not start; see target/demo/keyway.log")
    print(f"{BOLD}Keyway runs on http://127.0.0.1:{keyway}{PLAIN}: one process, SQLite, no service installed")
    return simulator, keyway, ops


def stop():
    if not os.path.exists(PIDS):
        return
    with open(PIDS, encoding="ascii") as pids:
        for pid in map(int, pids):
            try:
                os.kill(pid, signal.SIGTERM)
                until(lambda: not alive(pid), f"process {pid} does not stop")
            except ProcessLookupError:
                pass
    os.remove(PIDS)


class Api:
    def __init__(self, base):
        self.base = base + "/api/v1"

    def get(self, path, token=ADMIN_KEY):
        return self.call("GET", path, None, token)

    def post(self, path, body, token=ADMIN_KEY):
        return self.call("POST", path, body, token)

    def integration(self, project, provider, name, credentials, config):
        body = {"project_id": project["id"], "provider": provider, "name": name, "credentials": credentials}
        answer = self.post("/integrations", body | ({"config": config} if config else {}))
        row = answer["integration"]
        print(f"   202 accepted   {row['name']:<18}{row['provider']:<8}{row['hint']:<20}{row['status']}")
        return row

    def status(self, method, path, token):
        """Returns the status of an answer without a body of its own, a refusal's too."""
        request = urllib.request.Request(self.base + path, method=method, headers={"authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def call(self, method, path, body, token):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.base + path, method=method, headers=headers)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path} answered {error.code}: {error.read().decode()}")


def people(api):
    """Makes them as people do: the setup token makes the owner, who invites the others. Returns their passwords."""
    passwords = {f"{name}@example.org": secrets.token_urlsafe(16) for name in ("olga", "dara", "aude")}
    owner, developer, auditor = passwords
    setup = {"token": setup_token(), "email": owner, "name": "Olga", "password": passwords[owner]}
    session = api.post("/setup", setup, token=None)["session"]["token"]
    for email, role in ((developer, "developer"), (auditor, "auditor")):
        invitation = api.post("/invitations", {"email": email, "role": role}, token=session)
        accept = {"token": invitation["token"], "name": email.partition("@")[0].title(), "password": passwords[email]}
        api.post("/invitations/accept", accept, token=None)
    for email in passwords:
        began = api.post("/sessions", {"email": email, "password": passwords[email]}, token=None)
        token = began["session"]["token"]
        me = api.get("/me", token)
        reads = api.status("GET", "/audit", token)
        may = f"{GREEN}reads the audit log{PLAIN}" if reads == 200 else f"{RED}may not read the audit log: {reads}{PLAIN}"
        print(f"   {me['user']['name']:<6}{me['tenants'][0]['role']:<11}signed in, {len(me['permissions'])} permissions, {may}")
    return passwords


def setup_token():
    with open(os.path.join(HOME, "keyway.log"), encoding="utf-8") as log:
        return next(word for word in log.read().split() if word.startswith("kw_setup_"))


def watch(api, integrations):
    """Prints each change of status as it happens."""
    seen = {row["id"]: row["status"] for row in integrations}

    def settled():
        for before in integrations:
            row = api.get(f"/integrations/{before['id']}")
            if row["status"] != seen[row["id"]]:
                verdict = row["verdict"]
                colour = GREEN if row["status"] == "connected" else RED
                print(f"   {seen[row['id']]} -> {colour}{row['status']:<10}{PLAIN}{row['name']:<18}{DIM}{verdict['kind']}, HTTP {verdict['http_status']}, provider request {verdict['request_id']}{PLAIN}")
                seen[row["id"]] = row["status"]
        return "verifying" not in seen.values()

    until(settled, "an integration stayed in verification")


def fan_out(api):
    operation = api.post("/usage/fetch", {})["operation"]

    def ended():
        now = api.get(f"/operations/{operation['id']}")
        total, done, failed = (now[name] or 0 for name in ("total", "done", "failed"))
        filled = 30 * (done + failed) // max(total, 1)
        print(f"\r   [{'#' * filled}{'.' * (30 - filled)}] {done + failed}/{total} ", end="", flush=True)
        return now["state"] in ("succeeded", "failed")

    until(ended, "the fan-out did not end")
    print("done")


def chat(url, key):
    body = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "What does Keyway do?"}]}
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"authorization": f"Bearer {key}", "content-type": "application/json"})
    print(f"   {GREEN}", end="")
    with urllib.request.urlopen(request, timeout=30) as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    print(choice["delta"].get("content") or "", end="", flush=True)
                    time.sleep(0.02)
    print(PLAIN)


def metered(api):
    def rows():
        return api.get("/usage?ledger=metered&group_by=model")["items"]

    until(rows, "the metered ledger stayed empty")
    return rows()


def table(rows, heading):
    print(f"   {BOLD}{heading}{PLAIN}")
    print(f"   {'model':<26}{'requests':>9}{'input':>10}{'output':>10}{'cost in USD':>16}")
    for row in rows:
        cost = "unknown" if row["cost_nano_usd"] is None else f"{row['cost_nano_usd'] / 1e9:.9f}"
        figures = ["unknown" if row[name] is None else str(row[name]) for name in ("requests", "input_tokens", "output_tokens")]
        print(f"   {row['model'] or '(not split by model)':<26}{figures[0]:>9}{figures[1]:>10}{figures[2]:>10}{cost:>16}")


def farewell(keyway, ops, key, passwords):
    title("It keeps running")
    email, password = next(iter(passwords.items()))
    print(f"""   open   http://localhost:{keyway}               the dashboard: sign in as {email} with {password}
          http://127.0.0.1:{keyway}/api/docs      the API, to try out (authorise with the admin key)
          http://127.0.0.1:{ops}/metrics        what Prometheus scrapes
   try    export OPENAI_BASE_URL=http://127.0.0.1:{keyway}/v1 OPENAI_API_KEY={key}
          curl -s $OPENAI_BASE_URL/models -H "authorization: Bearer $OPENAI_API_KEY"
          curl -s http://127.0.0.1:{keyway}/api/v1/audit -H "authorization: Bearer {ADMIN_KEY}"
   stop   scripts/demo.sh stop""")


def title(text):
    print(f"\n{BOLD}{text}{PLAIN}")


def until(condition, complaint):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(complaint)
        time.sleep(0.1)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def free_port(wanted):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
