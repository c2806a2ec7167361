#!/usr/bin/env bash
# Answers from a client's own cache are counted as used tokens by one framework and as money by another.
#
# Versions: langchain-core 1.8.3 with langchain-openai 1.7.4 and openai 3.57.0; dspy 3.4.1 with litellm 1.110.2 and its
#   bundled price map (Python 3.10 or newer; seen with 3.11.7). The same question five times with the framework's
#   cache (InMemoryCache; dspy's default): one request reaches the server, 1,000 tokens in and 300 out, 0.0055 USD for
#   gpt-4o.
# Expected: 1,000 and 300 tokens, 0.0055 USD, as the provider bills.
# Seen: langchain's get_usage_metadata_callback says 5,000 and 1,500, since a hit has the tokens of the first answer; and
#   total_cost 0, since a hit brings a cost of 0 and the real call none. dspy is the other way round: get_lm_usage() of
#   a hit is empty, but each of the five entries of lm.history has the cost of the first, and their sum, which is how
#   the cost of a program is taken from it, is 0.0275 USD.
#   So tokens are five times the truth in the one, money in the other, and the other figure beside it is right or 0.
# Needs: bash, python3 with venv.
set -euo pipefail
command -v python3 >/dev/null || { echo "$0: needs python3" >&2; exit 2; }
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 LANGSMITH_TRACING=false LITELLM_LOCAL_MODEL_COST_MAP=True
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export DSPY_CACHEDIR=$dir/cache
python3 -m venv venv-langchain
venv-langchain/bin/pip install --quiet --disable-pip-version-check langchain-core==1.8.3 langchain-openai==1.7.4 openai==3.57.0
python3 -m venv venv-dspy
venv-dspy/bin/pip install --quiet --disable-pip-version-check dspy==3.4.1 litellm==1.110.2 openai==3.3.0

cat >chat.py <<'PY'
"""A chat server that counts its requests and always gives the same answer."""
import http.server, json, threading

requests = 0
ANSWER = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "[[ ## answer ## ]]\nyes\n\n[[ ## completed ## ]]"},
     "finish_reason": "stop"}], "usage": {"prompt_tokens": 1000, "completion_tokens": 300, "total_tokens": 1300}}).encode()


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global requests
        requests += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
PY
cat >run_langchain.py <<'PY'
import chat
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.globals import set_llm_cache
from langchain_openai import ChatOpenAI

set_llm_cache(InMemoryCache())
model = ChatOpenAI(model="gpt-4o", base_url=chat.url, api_key="k")
with get_usage_metadata_callback() as used:
    for _ in range(5):
        model.invoke("x")
(usage,) = used.usage_metadata.values()
print("langchain:", chat.requests, "request,", usage["input_tokens"], "in,", usage["output_tokens"], "out, cost", usage["total_cost"])
PY
cat >run_dspy.py <<'PY'
import chat, dspy

lm = dspy.LM("openai/gpt-4o", api_base=chat.url, api_key="k")
dspy.configure(lm=lm, track_usage=True)
usages = [dspy.Predict("question -> answer")(question="x").get_lm_usage() for _ in range(5)]
tokens = [usage["openai/gpt-4o"]["total_tokens"] if usage else None for usage in usages]
print("dspy:", chat.requests, "request, tokens", tokens, "cost", round(sum(entry["cost"] for entry in lm.history), 6))
PY
{ venv-langchain/bin/python run_langchain.py; venv-dspy/bin/python run_dspy.py; } >seen 2>log || { cat log >&2; exit 1; }

cat >expected <<'TXT'
langchain: 1 request, 5000 in, 1500 out, cost 0
dspy: 1 request, tokens [1300, None, None, None, None] cost 0.0275
TXT
cat seen
diff expected seen && echo "as described"
