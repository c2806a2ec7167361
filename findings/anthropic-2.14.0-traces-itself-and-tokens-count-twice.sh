#!/usr/bin/env bash
# The anthropic SDK writes spans of its own: beside any instrumentation each token is counted twice, and the
# application's trace context and baggage go to the API.
#
# Versions: anthropic 2.14.0 with opentelemetry-sdk 1.45.2 and, one at a time,
#   opentelemetry-instrumentation-anthropic 0.62.4 and openinference-instrumentation-anthropic 3.1.0 (Python 3.10 or
#   newer; seen with 3.11.7). A Messages answer with 10 fresh input tokens, 800 read from the cache, 100 written to
#   it and 300 out, plain and streamed (message_start says output 1, message_delta 300).
# Expected: the SDK makes requests and nothing else; spans come from the instrumentation that was added for that. Over
#   all spans: 910 tokens in, 300 out. Headers of the request are those of the SDK.
# Seen: opentelemetry-api is a dependency of the SDK, and as soon as the process has a tracer provider, for whatever
#   purpose, each call is a span "anthropic.messages.create" with gen_ai.usage.*, without being asked. With an
#   instrumentation there are two spans for one call, and whoever adds up gen_ai.usage over spans has
#       opentelemetry-instrumentation-anthropic   1820 in, 600 out; streamed 1820 in, 601 out
#       openinference-instrumentation-anthropic   910 and 910 under two names of attributes
#   (The 601 is that instrumentation's own 301: it adds message_start's 1 to the cumulative 300 of message_delta.)
#   The SDK also sends traceparent, and the process's OpenTelemetry baggage as it is: "baggage: user=u1" reaches the
#   provider. open_telemetry=False ends both, {"propagation": False} the headers alone.
# Needs: bash, python3 with venv.
set -euo pipefail
command -v python3 >/dev/null || { echo "$0: needs python3" >&2; exit 2; }
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check anthropic==2.14.0 opentelemetry-sdk==1.45.2 \
  opentelemetry-instrumentation-anthropic==0.62.4 openinference-instrumentation-anthropic==3.1.0

cat >run.py <<'PY'
import http.server, importlib, json, sys, threading
from anthropic import Anthropic
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

USAGE = {"input_tokens": 10, "cache_read_input_tokens": 800, "cache_creation_input_tokens": 100, "output_tokens": 300}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "stop_sequence": None}
headers = {}


def events():
    start = {**MESSAGE, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": 300}}
    yield {"type": "message_stop"}


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        headers.clear()
        headers.update({k.lower(): v for k, v in self.headers.items()})
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if body.get("stream"):
            kind = "text/event-stream"
            out = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events())
        else:
            kind, content = "application/json", [{"type": "text", "text": "hi"}]
            out = json.dumps({**MESSAGE, "content": content, "stop_reason": "end_turn", "usage": USAGE})
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
if len(sys.argv) > 1:
    importlib.import_module(sys.argv[1]).AnthropicInstrumentor().instrument(tracer_provider=provider)


def call(client, stream):
    exporter.clear()
    args = dict(model="claude-sonnet-4-6", max_tokens=500, messages=[{"role": "user", "content": "x"}])
    answer = client.messages.create(stream=stream, **args)
    if stream:
        for _ in answer:
            pass
    tokens = []
    for span in exporter.get_finished_spans():
        a = span.attributes
        fields = [a.get("gen_ai.usage.input_tokens"), a.get("gen_ai.usage.output_tokens")]
        if "llm.token_count.prompt" in a:
            fields = [a["llm.token_count.prompt"], a["llm.token_count.completion"]]
        tokens.append(f"{span.name} {fields[0]}/{fields[1]}")
    return "; ".join(tokens) or "no span"


client = Anthropic(base_url=url, api_key="k")
if len(sys.argv) > 1:
    print(f"{sys.argv[1]}\n  plain    {call(client, False)}\n  streamed {call(client, True)}")
else:
    context.attach(baggage.set_baggage("user", "u1"))
    sent = lambda: " ".join(sorted(f"baggage={v}" if k == "baggage" else k for k, v in headers.items()
                                   if k in ("traceparent", "baggage"))) or "neither header"
    for name, option in (("as it comes", {}), ("open_telemetry=False", {"open_telemetry": False}),
                         ("propagation off", {"open_telemetry": {"propagation": False}})):
        spans = call(Anthropic(base_url=url, api_key="k", **option), False)
        print(f"{name}: {spans}; {sent()}")
PY
{
  venv/bin/python run.py
  venv/bin/python run.py opentelemetry.instrumentation.anthropic
  venv/bin/python run.py openinference.instrumentation.anthropic
} >seen

cat >expected <<'TXT'
as it comes: anthropic.messages.create 910/300; baggage=user=u1 traceparent
open_telemetry=False: no span; neither header
propagation off: anthropic.messages.create 910/300; neither header
opentelemetry.instrumentation.anthropic
  plain    anthropic.messages.create 910/300; anthropic.chat 910/300
  streamed anthropic.messages.create 910/300; anthropic.chat 910/301
openinference.instrumentation.anthropic
  plain    anthropic.messages.create 910/300; messages.create 910/300
  streamed anthropic.messages.create 910/300; messages.create 910/300
TXT
cat seen
diff expected seen && echo "as described"
