#!/usr/bin/env bash
# A client that calls tools by itself shows the usage of its last request and loses that of the others.
#
# Versions: google-genai 3.6.1 (Python 3.10 or newer; seen with 3.11.7), automatic function calling, which is on as soon
#   as a Python function is given as a tool; generate_content, and Chat.send_message, which its own warning recommends. The
#   model asks for the tool twice and then answers: three requests with 100, 200 and 300 tokens in and 7 out each.
# Expected: 600 in and 21 out, as the provider bills; or a usage for each request somewhere in the result.
# Seen: 300 and 7. The result's automatic_function_calling_history and the chat's history have all messages of the
#   loop, without figures; nothing says how many requests there were (up to ten of them by default, each longer than
#   the one before). Streamed, each request's chunks carry its own usage, so that there the usual rule, the last
#   usage of a stream is the total, gives 300, and adding the chunks up gives 600.
# Needs: bash, python3 with venv.
set -euo pipefail
command -v python3 >/dev/null || { echo "$0: needs python3" >&2; exit 2; }
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check google-genai==3.6.1

cat >model.py <<'PY'
"""A model that asks twice for the tool `add` and then answers."""
import http.server, json, threading

requests = 0


def answer(body):
    done = sum("functionResponse" in part for content in body["contents"] for part in content["parts"])
    part = {"text": "done"} if done == 2 else {"functionCall": {"name": "add", "args": {"a": done, "b": 2}}}
    usage = {"promptTokenCount": 100 * (done + 1), "candidatesTokenCount": 7, "totalTokenCount": 100 * (done + 1) + 7}
    content = {"role": "model", "parts": [part]}
    return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage, "modelVersion": "m"}


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global requests
        requests += 1
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        out = json.dumps(answer(body))
        stream = "stream" in self.path
        out = f"data: {out}\n\n" if stream else out
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if stream else "application/json")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b
PY
cat >run.py <<'PY'
import model
from google import genai

client = genai.Client(api_key="k", http_options={"base_url": model.url})
config = {"tools": [model.add]}


def show(name, answer, history):
    usage = answer.usage_metadata
    print(f"{name}: {model.requests} requests, {usage.prompt_token_count} in, {usage.candidates_token_count} out,",
          f"{len(history)} messages of history")
    model.requests = 0


answer = client.models.generate_content(model="m", contents="x", config=config)
show("generate_content", answer, answer.automatic_function_calling_history)
chat = client.chats.create(model="m", config=config)
show("send_message", chat.send_message("x"), chat.get_history())
stream = client.models.generate_content_stream(model="m", contents="x", config=config)
chunks = [chunk.usage_metadata.prompt_token_count for chunk in stream]
print(f"generate_content_stream: {model.requests} requests, in by chunk {chunks}")
PY
venv/bin/python run.py >seen 2>log || { cat log >&2; exit 1; }

cat >expected <<'TXT'
generate_content: 3 requests, 300 in, 7 out, 5 messages of history
send_message: 3 requests, 300 in, 7 out, 6 messages of history
generate_content_stream: 3 requests, in by chunk [100, 200, 300]
TXT
cat seen
diff expected seen && echo "as described"
