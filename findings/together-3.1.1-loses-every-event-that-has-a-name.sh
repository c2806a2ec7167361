#!/usr/bin/env bash
# An SDK skips each event of a chat stream that has an event line: text is lost, and an error becomes a quiet end.
#
# Versions: together 3.1.1 and, for comparison, openai 3.57.0 (Python 3.10 or newer; seen with 3.11.7); together-ai
#   0.52.0 and openai 7.59.0 (npm), run by Node 24.21.0. All four come from the same generator. A chat stream of three
#   pieces of text, the second of which is sent as "event: message", the name that an event without one has by the
#   standard; and a stream that breaks off with an error, with and without "event: error" before its data.
# Expected: "One two three" from all. Both errors raise APIError, as together's own client does for one of them.
# Seen: together gives "One three" and, for the error with a name, "One " and a quiet end, in both languages: an event
#   with any event line is skipped without a word. The same two lines without the first raise APIError. openai gives
#   "One two three" and raises for both.
# Needs: bash, python3 with venv, node 20 or newer with npm.
set -euo pipefail
for tool in python3 node npm; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openai==3.57.0 together==3.1.1
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0 openai@7.59.0 together-ai@0.52.0
PATH="$dir/node_modules/.bin:$PATH"

cat >serve.py <<'PY'
import http.server, json, os, subprocess, sys, threading


def event(text):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return "data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}) + "\n\n"


ERROR = "data: " + json.dumps({"error": {"message": "upstream broke", "type": "t", "code": "c"}}) + "\n\n"
STREAMS = {
    "named": event("One ") + "event: message\n" + event("two ") + event("three") + "data: [DONE]\n\n",
    "named-error": event("One ") + "event: error\n" + ERROR,
    "bare-error": event("One ") + ERROR,
}


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
url = f"http://127.0.0.1:{server.server_port}"
for command in (["venv/bin/python", "run.py"], ["node", "run.mjs"]):
    subprocess.run([*command, url, *STREAMS], check=True)
PY
cat >run.py <<'PY'
import sys
from openai import OpenAI
from together import Together

for name in sys.argv[2:]:
    for client in (OpenAI, Together):
        text, end = "", "ends"
        chat = client(base_url=f"{sys.argv[1]}/{name}", api_key="k").chat.completions
        try:
            for chunk in chat.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True):
                text += chunk.choices[0].delta.content
        except Exception as error:
            end = f"raises {type(error).__name__}: {error}"
        print(f"Python {client.__name__}, {name}: {text!r} {end}")
PY
cat >run.mjs <<'JS'
import OpenAI from 'openai'
import Together from 'together-ai'
const [url, ...names] = process.argv.slice(2)
for (const name of names)
  for (const Client of [OpenAI, Together]) {
    let text = '', end = 'ends'
    const chat = new Client({ baseURL: `${url}/${name}`, apiKey: 'k' }).chat.completions
    try {
      for await (const chunk of await chat.create({ model: 'm', messages: [{ role: 'user', content: 'x' }], stream: true }))
        text += chunk.choices[0].delta.content
    } catch (error) { end = `raises ${error.constructor.name}: ${error.message}` }
    console.log(`JavaScript ${Client.name}, ${name}: '${text}' ${end}`)
  }
JS
python3 serve.py >seen

cat >expected <<'TXT'
Python OpenAI, named: 'One two three' ends
Python Together, named: 'One three' ends
Python OpenAI, named-error: 'One ' raises APIError: upstream broke
Python Together, named-error: 'One ' ends
Python OpenAI, bare-error: 'One ' raises APIError: upstream broke
Python Together, bare-error: 'One ' raises APIError: upstream broke
JavaScript OpenAI, named: 'One two three' ends
JavaScript Together, named: 'One three' ends
JavaScript OpenAI, named-error: 'One ' raises APIError: upstream broke
JavaScript Together, named-error: 'One ' ends
JavaScript OpenAI, bare-error: 'One ' raises APIError: upstream broke
JavaScript Together, bare-error: 'One ' raises APIError: upstream broke
TXT
cat seen
diff expected seen && echo "as described"
