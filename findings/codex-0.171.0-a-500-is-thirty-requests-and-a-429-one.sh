#!/usr/bin/env bash
# A coding agent makes thirty requests of one 500 and one of a 429, unless that one says when to come again.
#
# Versions: @openai/codex 0.171.0 (npm; about 420 MB), `codex exec --json`, a model_providers entry with wire_api
#   "responses" and no other setting, as for a gateway. An endpoint of our own answers each request with one status and
#   {"error": {"message": "no route to upstream", ...}}, with and without Retry-After: 1.
# Expected: request_max_retries (4) bounds the requests of one call: 5 for a 500. 401 and 402 are final, 1. A 429 is
#   tried again with a growing wait, or after Retry-After. The user is told the status and the words of the answer.
# Seen:      500: 30 requests in about 25 s    401: 6    402: 6    429: 1    429 with Retry-After: 6
#   request_max_retries and stream_max_retries (5) multiply, (4 + 1) x (5 + 1), since a refused request counts as a
#   broken stream, too; with both set to 1 a 500 is 4 requests. 401, 402 and 429 are repeated by the second alone, and 429
#   only if it has a Retry-After (which is obeyed, as for a 503); without one it is final at once: "exceeded retry
#   limit". For a 500 the message is "We're currently experiencing high demand", without status, words or url, so that
#   the gateway's own fault looks like the vendor's load; 401 and 402 are reported as they are.
# Needs: bash, node 20 or newer with npm, python3; Linux (the package is a binary). Takes about a minute.
set -euo pipefail
for tool in node npm python3; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @openai/codex@0.171.0

cat >run.py <<'PY'
import http.server, json, os, subprocess, sys, threading

status, requests, retry_after = 0, 0, None
BODY = json.dumps({"error": {"message": "no route to upstream", "type": "t", "code": "c"}}).encode()


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global requests
        requests += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
home, command = os.path.join(os.getcwd(), "home"), os.path.abspath("node_modules/.bin/codex")
os.makedirs(home)
env = {"PATH": os.environ["PATH"], "HOME": home, "CODEX_HOME": home, "NO_PROXY": "127.0.0.1", "KEY": "k"}


def run(answer, **settings):
    global status, requests
    status, requests = answer, 0
    provider = {"name": "gw", "base_url": f"http://127.0.0.1:{server.server_port}/v1", "env_key": "KEY", "wire_api": "responses", **settings}
    with open(os.path.join(home, "config.toml"), "w") as config:
        lines = [f"{key} = {json.dumps(value)}" for key, value in provider.items()]
        config.write("\n".join(['model = "m"', 'model_provider = "gw"', "[model_providers.gw]", *lines]))
    done = subprocess.run([command, "exec", "--json", "--skip-git-repo-check", "hi"], env=env, cwd=home,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failed = [event["error"]["message"] for event in events if event["type"] == "turn.failed"]
    if not failed:
        sys.exit(f"no turn.failed: {done.stdout} {done.stderr}")
    said = "its status" if str(answer) in failed[0] else "no status"
    words = "the answer's words" if "no route to upstream" in failed[0] else "other words"
    with_ = f" with Retry-After {retry_after}" if retry_after else ""
    print(f"{answer} {settings or ''}".rstrip() + f"{with_}: {requests} requests, reported with {said} and {words}", flush=True)


for answer in (500, 401, 402, 429):
    run(answer)
run(500, request_max_retries=1, stream_max_retries=1)
retry_after = "1"
run(429)
PY
python3 run.py >seen

cat >expected <<'TXT'
500: 30 requests, reported with no status and other words
401: 6 requests, reported with its status and the answer's words
402: 6 requests, reported with its status and the answer's words
429: 1 requests, reported with its status and other words
500 {'request_max_retries': 1, 'stream_max_retries': 1}: 4 requests, reported with no status and other words
429 with Retry-After 1: 6 requests, reported with its status and other words
TXT
cat seen
diff expected seen && echo "as described"
