#!/usr/bin/env bash
# Retries of a graph's node multiply with those of the SDK below, repeat what cannot succeed, and a middleware for
# the same purpose turns a spent budget into the model's answer.
#
# Versions: langgraph 1.2.24, langchain 1.5.2, langchain-core 1.8.3, langchain-openai 1.7.4, openai 3.57.0 (Python 3.10
#   or newer; seen with 3.11.7); RetryPolicy() and ModelRetryMiddleware() with their defaults around ChatOpenAI with its
#   defaults. A server answers everything with one status. Waits are recorded, not waited for.
# Expected: RetryPolicy leaves 400, 401, 402 and 404 alone, as its rule for httpx's status errors does (5xx only), and
#   as the SDK beneath does; 429 and 500 are three requests, or five where both layers count. What fails raises.
# Seen: openai's exceptions are not httpx's, so RetryPolicy takes each for worth a repetition: 400, 401, 402 and 404
#   are 3 requests each, 429 and 500 are 9. ModelRetryMiddleware raises 400, 401 and 404 at once, but repeats 402 (3
#   requests; 429 and 500: 9), and then invoke() SUCCEEDS: the last message is an ordinary AIMessage, "Model call failed
#   after 3 attempts with APIStatusError: Error code: 402 - ...". It is kept in the conversation and shown to the user;
#   nothing but its text tells it from an answer.
# Needs: bash, python3 with venv.
set -euo pipefail
command -v python3 >/dev/null || { echo "$0: needs python3" >&2; exit 2; }
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 LANGSMITH_TRACING=false
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check langgraph==1.2.24 langchain==1.5.2 langchain-core==1.8.3 \
  langchain-openai==1.7.4 openai==3.57.0

cat >run.py <<'PY'
import http.server, json, threading, time
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import RetryPolicy

status, requests = 0, 0
BODY = json.dumps({"error": {"message": "no", "type": "t", "code": "c"}}).encode()


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global requests
        requests += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
time.sleep = lambda seconds: None
model = ChatOpenAI(model="gpt-4o", base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="k")
graph = StateGraph(MessagesState)
graph.add_node("ask", lambda state: {"messages": [model.invoke(state["messages"])]}, retry_policy=RetryPolicy())
graph.add_edge(START, "ask")
graph.add_edge("ask", END)
for name, runnable in (("RetryPolicy", graph.compile()), ("ModelRetryMiddleware", create_agent(model, [], middleware=[ModelRetryMiddleware()]))):
    for status in (400, 401, 402, 404, 429, 500):
        requests = 0
        try:
            last = runnable.invoke({"messages": [("user", "x")]})["messages"][-1]
            end = f"answers {type(last).__name__} {last.content!r}"
        except Exception as error:
            end = f"raises {type(error).__name__}"
        print(f"{name} {status}: {requests} requests, {end}")
PY
venv/bin/python run.py >seen 2>log || { cat log >&2; exit 1; }

cat >expected <<'TXT'
RetryPolicy 400: 3 requests, raises OpenAIInvalidRequestError
RetryPolicy 401: 3 requests, raises OpenAIAuthenticationError
RetryPolicy 402: 3 requests, raises APIStatusError
RetryPolicy 404: 3 requests, raises OpenAIModelNotFoundError
RetryPolicy 429: 9 requests, raises OpenAIRateLimitError
RetryPolicy 500: 9 requests, raises OpenAIAPIError
ModelRetryMiddleware 400: 1 requests, raises OpenAIInvalidRequestError
ModelRetryMiddleware 401: 1 requests, raises OpenAIAuthenticationError
ModelRetryMiddleware 402: 3 requests, answers AIMessage 'Model call failed after 3 attempts with APIStatusError: Error code: 402 - no'
ModelRetryMiddleware 404: 1 requests, raises OpenAIModelNotFoundError
ModelRetryMiddleware 429: 9 requests, answers AIMessage 'Model call failed after 3 attempts with OpenAIRateLimitError: Error code: 429 - no'
ModelRetryMiddleware 500: 9 requests, answers AIMessage 'Model call failed after 3 attempts with OpenAIAPIError: Error code: 500 - no'
TXT
cat seen
diff expected seen && echo "as described"
