#!/usr/bin/env bash
# One library tells a broken answer as an error for most providers, and as a whole one ("stop") for two.
#
# Versions: litellm 1.110.2 (its bundled price map), openai 3.3.0 (Python 3.10 or newer; seen with 3.11.7).
#   (1) streamed completion() of openai/, mistral/ and gemini/; each gets two pieces of text in its provider's own shape,
#   then either the end of the body, in good order, or an error event with the line "event: error", or the same error
#   without that line. (2) a whole answer of Cohere's v2 API whose finish_reason is "ERROR", after half a text.
# Expected: MidStreamFallbackError for each stream, since none has a finish reason; and for (2) an exception, or a
#   finish_reason that is not the one of a whole answer.
# Seen: openai/ and mistral/ raise in all three cases. gemini/ raises for the bare error only. For the early end, and
#   for the error with its "event: error" line, it delivers "Half an " and then finish_reason "stop", which no byte of
#   the stream says. cohere_chat/ maps "ERROR" to "stop". Callers that continue at "length" and retry on exceptions
#   keep these as complete answers; a cache keeps them, too.
# Needs: bash, python3 with venv.
set -euo pipefail
command -v python3 >/dev/null || { echo "$0: needs python3" >&2; exit 2; }
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 LITELLM_LOCAL_MODEL_COST_MAP=True
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 openai==3.3.0

cat >run.py <<'PY'
import http.server, json, threading
import litellm

litellm.suppress_debug_info = True
end = ""
ERROR = {"error": {"code": 502, "message": "upstream broke", "status": "UNAVAILABLE"}}
ENDS = {"early end": "", "event: error": f"event: error\ndata: {json.dumps(ERROR)}\n\n", "bare error": f"data: {json.dumps(ERROR)}\n\n"}


def openai(text):
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def gemini(text):
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}], "modelVersion": "m",
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2, "totalTokenCount": 12}}


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        kind, shape = "text/event-stream", gemini if "GenerateContent" in self.path else openai
        out = "".join(f"data: {json.dumps(shape(text))}\n\n" for text in ("Half ", "an ")) + end
        if self.path.startswith("/v2/chat"):
            message = {"role": "assistant", "content": [{"type": "text", "text": "Half an "}]}
            usage = {unit: {"input_tokens": 9, "output_tokens": 2} for unit in ("billed_units", "tokens")}
            kind, out = "application/json", json.dumps({"id": "c", "finish_reason": "ERROR", "message": message, "usage": usage})
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
ask = dict(messages=[{"role": "user", "content": "x"}], api_key="k", num_retries=0)
for name, end in ENDS.items():
    for model, base in (("openai/m", "/v1"), ("mistral/m", "/v1"), ("gemini/m", "/v1beta")):
        text, reason = "", None
        try:
            for chunk in litellm.completion(model=model, api_base=url + base, stream=True, **ask):
                text += chunk.choices[0].delta.content or ""
                reason = chunk.choices[0].finish_reason or reason
            print(f"{name}, {model}: {text!r} {reason}")
        except Exception as error:
            print(f"{name}, {model}: {text!r} raises {type(error).__name__}")
(choice,) = litellm.completion(model="cohere_chat/m", api_base=url + "/v2/chat", **ask).choices
print(f"ERROR, cohere_chat/m: {choice.message.content!r} {choice.finish_reason}")
PY
venv/bin/python run.py >seen 2>log || { cat log >&2; exit 1; }

cat >expected <<'TXT'
early end, openai/m: 'Half an ' raises MidStreamFallbackError
early end, mistral/m: 'Half an ' raises MidStreamFallbackError
early end, gemini/m: 'Half an ' stop
event: error, openai/m: 'Half an ' raises MidStreamFallbackError
event: error, mistral/m: 'Half an ' raises MidStreamFallbackError
event: error, gemini/m: 'Half an ' stop
bare error, openai/m: 'Half an ' raises MidStreamFallbackError
bare error, mistral/m: 'Half an ' raises MidStreamFallbackError
bare error, gemini/m: 'Half an ' raises MidStreamFallbackError
ERROR, cohere_chat/m: 'Half an ' stop
TXT
cat seen
diff expected seen && echo "as described"
