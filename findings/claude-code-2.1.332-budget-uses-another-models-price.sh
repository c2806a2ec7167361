#!/usr/bin/env bash
# A coding agent's cost limit stops a run on a model that it has no price for, at the price of another model.
#
# Versions: @anthropic-ai/claude-code 2.1.332 (npm; about 240 MB), print mode, ANTHROPIC_BASE_URL at an endpoint of our
#   own, as with a gateway that offers other models in the shape of the Messages API. One call each, 1,000,000 tokens
#   in and 100,000 out.
# Expected: without a known price the cost is unknown (null, or left out), and a limit in USD is refused or ignored;
#   or, if an unknown price is taken for something, for nothing.
# Seen: total_cost_usd and modelUsage.costUSD are 6 USD for any name that it does not know, which is what it says of
#   claude-opus-5-5, too; for claude-sonnet-4-6 it is 4.5 and for claude-haiku-4-5 1.5. With --max-budget-usd 1 the run
#   ends with is_error and error_max_budget_usd, although the call may have cost a few cents. The only hint is
#   costBasis "unknown" inside modelUsage; it is "unknown" in the run that was stopped, as well. A name with the
#   provider in front is known (anthropic/claude-sonnet-4.6: 4.5), so a gateway's own names decide what is "spent".
# Needs: bash, node 20 or newer with npm, python3; Linux with glibc (the package is a binary).
set -euo pipefail
for tool in node npm python3; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @anthropic-ai/claude-code@2.1.332

cat >run.py <<'PY'
import http.server, json, os, subprocess, sys, threading

USAGE = {"input_tokens": 1_000_000, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 100_000}


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = {"id": "m", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None}
        start = {**message, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
        events = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE},
            {"type": "message_stop"}]
        whole = {**message, "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "usage": USAGE}
        out = json.dumps(whole)
        if body.get("stream"):
            out = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if body.get("stream") else "application/json")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
home = os.path.join(os.getcwd(), "home")
os.makedirs(home)
env = {"PATH": os.environ["PATH"], "HOME": home, "NO_PROXY": "127.0.0.1", "ANTHROPIC_API_KEY": "k",
       "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_port}",
       "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1", "DISABLE_AUTOUPDATER": "1"}


def run(model, *options):
    command = ["node_modules/.bin/claude", "-p", "hi", "--model", model, "--output-format", "json", *options]
    command[0] = os.path.abspath(command[0])
    done = subprocess.run(command, env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        sys.exit(f"no JSON from the command: {done.stdout} {done.stderr}")
    usage = answer["modelUsage"][model]
    print(" ".join([model, *options]), "|", answer["total_cost_usd"], "USD, basis", usage["costBasis"],
          "| error", answer["is_error"], answer["subtype"])


for model in ("claude-opus-5-5", "claude-sonnet-4-6", "anthropic/claude-sonnet-4.6", "claude-haiku-4-5", "deepseek-v4-flash", "our-own-small"):
    run(model)
run("deepseek-v4-flash", "--max-budget-usd", "1")
PY
python3 run.py >seen

cat >expected <<'TXT'
claude-opus-5-5 | 6 USD, basis list | error False success
claude-sonnet-4-6 | 4.5 USD, basis list | error False success
anthropic/claude-sonnet-4.6 | 4.5 USD, basis list | error False success
claude-haiku-4-5 | 1.5 USD, basis list | error False success
deepseek-v4-flash | 6 USD, basis unknown | error False success
our-own-small | 6 USD, basis unknown | error False success
deepseek-v4-flash --max-budget-usd 1 | 6 USD, basis unknown | error True error_max_budget_usd
TXT
cat seen
diff expected seen && echo "as described"
