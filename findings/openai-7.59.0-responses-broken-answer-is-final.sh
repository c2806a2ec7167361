#!/usr/bin/env bash
# The Responses clients of one vendor take a broken stream in opposite ways, and one gives half an answer out as final.
#
# Versions: openai 3.57.0 (Python 3.10 or newer; seen with 3.11.7) and openai 7.59.0 (npm), run by Node 24.21.0. A
#   Responses stream sends response.created and one piece of text, then (1) ends in good order, or (2) sends the
#   documented event {"type": "error", "code": "server_error", "message": ...} with its "event: error" line, or (3)
#   response.failed; and ends. Read as events (create with stream) and by the helper (stream, final response).
# Expected: as events, the error is delivered in both languages or raised in both. The helper raises when no response
#   ever became final, as the chat helper of the JavaScript package does ("missing finish_reason for choice 0").
# Seen:                   Python                                     JavaScript
#   1 helper              RuntimeError, no response.completed        resolves: status "in_progress", half the text
#   2 events              an event like any other, quiet end         throws APIError with code and message
#   2 helper              RuntimeError, error code and text lost     throws APIError with code and message
#   3 helper              RuntimeError, error code and text lost     resolves: status "failed", the error in it
#   So JavaScript's finalResponse() gives half an answer out as final, which Python's never does; and Python's loop over
#   events ends quietly after an error that JavaScript raises. (3) is quiet as events in both.
# Needs: bash, python3 with venv, node 20 or newer with npm.
set -euo pipefail
for tool in python3 node npm; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openai==3.57.0
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0 openai@7.59.0
PATH="$dir/node_modules/.bin:$PATH"

cat >serve.py <<'PY'
import http.server, json, subprocess, threading


def event(kind, number, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **fields})}\n\n"


RESPONSE = {"id": "r", "object": "response", "created_at": 1, "status": "in_progress", "model": "m", "output": [],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
ITEM = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
AT = {"item_id": "i", "output_index": 0, "content_index": 0}
HEAD = (event("response.created", 0, response=RESPONSE) + event("response.output_item.added", 1, output_index=0, item=ITEM)
        + event("response.content_part.added", 2, **AT, part={"type": "output_text", "text": "", "annotations": []})
        + event("response.output_text.delta", 3, **AT, delta="Hello", logprobs=[]))
FAILED = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "broke"}}
STREAMS = {"early-end": HEAD, "error": HEAD + event("error", 4, code="server_error", message="broke", param=None),
           "failed": HEAD + event("response.failed", 4, response=FAILED)}


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = STREAMS[self.path.split("/")[1]].encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
for command in (["venv/bin/python", "run.py"], ["node", "run.mjs"]):
    subprocess.run([*command, f"http://127.0.0.1:{server.server_port}", *STREAMS], check=True)
PY
cat >run.py <<'PY'
import sys
from openai import OpenAI

for name in sys.argv[2:]:
    client = OpenAI(base_url=f"{sys.argv[1]}/{name}", api_key="k")

    def events():
        *_, last = client.responses.create(model="m", input="x", stream=True)
        return f"last event {last.type}"

    def helper():
        with client.responses.stream(model="m", input="x") as stream:
            final = stream.get_final_response()
        return f"final {final.status} {final.output_text!r}"

    for call in (events, helper):
        try:
            print(f"Python, {name}, {call.__name__}:", call())
        except Exception as error:
            print(f"Python, {name}, {call.__name__}: raises {type(error).__name__} {getattr(error, 'code', None)} {error}")
PY
cat >run.mjs <<'JS'
import OpenAI from 'openai'
const [url, ...names] = process.argv.slice(2)
for (const name of names) {
  const client = new OpenAI({ baseURL: `${url}/${name}`, apiKey: 'k' })
  const calls = {
    events: async () => {
      let last
      for await (const event of await client.responses.create({ model: 'm', input: 'x', stream: true })) last = event.type
      return `last event ${last}`
    },
    helper: async () => {
      const final = await client.responses.stream({ model: 'm', input: 'x' }).finalResponse()
      return `final ${final.status} '${final.output_text}' ${final.error?.code ?? ''}`.trim()
    },
  }
  for (const [how, call] of Object.entries(calls))
    console.log(`JavaScript, ${name}, ${how}:`, await call().catch((e) => `throws ${e.constructor.name} ${e.code} ${e.message}`))
}
JS
python3 serve.py >seen

cat >expected <<'TXT'
Python, early-end, events: last event response.output_text.delta
Python, early-end, helper: raises RuntimeError None Didn't receive a `response.completed` event.
Python, error, events: last event error
Python, error, helper: raises RuntimeError None Didn't receive a `response.completed` event.
Python, failed, events: last event response.failed
Python, failed, helper: raises RuntimeError None Didn't receive a `response.completed` event.
JavaScript, early-end, events: last event response.output_text.delta
JavaScript, early-end, helper: final in_progress 'Hello'
JavaScript, error, events: throws APIError server_error broke
JavaScript, error, helper: throws APIError server_error broke
JavaScript, failed, events: last event response.failed
JavaScript, failed, helper: final failed '' server_error
TXT
cat seen
diff expected seen && echo "as described"
