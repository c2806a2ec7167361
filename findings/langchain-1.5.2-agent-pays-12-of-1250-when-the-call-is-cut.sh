#!/usr/bin/env bash
# A tool call that is cut inside a number is executed with the smaller number, but only when the model is streamed.
#
# Versions: langchain 1.5.2 (langchain-core 1.8.3, langgraph 1.2.24, langchain-openai 1.7.4), openai-agents 0.24.0 and
#   pydantic-ai-slim 2.68.0 on openai 3.57.0; instructor 1.17.0 on openai 3.3.0, which it asks for (Python 3.10 or
#   newer; seen with 3.11.7). The model calls pay(to="acme", amount=1250); the answer ends after {"to": "acme",
#   "amount": 12 with finish_reason "length", or the stream just ends in good order, as when a proxy closes the body of
#   an upstream that broke.
# Expected: half a JSON text is no call. langchain reports it under invalid_tool_calls and runs nothing, as it does
#   for an answer in one piece; instructor raises IncompleteOutputException, as it does there.
# Seen: streamed, langchain repairs the text, reads a whole call with amount 12, invalid_tool_calls is empty, and
#   create_agent runs the tool: 12 are paid. The caller need not ask for it: an agent whose messages are streamed to a
#   page (stream_mode="messages") streams its model too. instructor's create_partial yields an object of the full type
#   with 12 as its last one and raises nothing. Both do so for "length" and for the quiet end. openai-agents and
#   pydantic-ai run nothing: they give the model its error back.
# Needs: bash, python3 with venv.
set -euo pipefail
command -v python3 >/dev/null || { echo "$0: needs python3" >&2; exit 2; }
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 LANGSMITH_TRACING=false
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv-agents
venv-agents/bin/pip install --quiet --disable-pip-version-check langchain==1.5.2 langchain-core==1.8.3 langgraph==1.2.24 \
  langchain-openai==1.7.4 openai==3.57.0 openai-agents==0.24.0 'pydantic-ai-slim[openai]==2.68.0'
python3 -m venv venv-instructor
venv-instructor/bin/pip install --quiet --disable-pip-version-check instructor==1.17.0 openai==3.3.0

cat >cut.py <<'PY'
"""A chat server whose tool call is cut inside a number: plain, and streamed with finish_reason `finish` or none."""
import http.server, json, threading

ARGUMENTS = '{"to": "acme", "amount": 12'
finish, requests = None, 0


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global requests
        requests += 1
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        base, after = {"id": "c", "created": 1, "model": "gpt-4o"}, any(m["role"] == "tool" for m in body["messages"])
        name = body["tools"][0]["function"]["name"] if body.get("tools") else "pay"
        call = {"index": 0, "id": "t", "type": "function", "function": {"name": name, "arguments": ARGUMENTS}}
        message = {"role": "assistant", "content": "done"} if after else {"role": "assistant", "tool_calls": [call]}
        reason = "stop" if after else finish
        if body.get("stream"):
            kind, ends = "text/event-stream", [({}, reason)] if reason else []
            out = "".join("data: " + json.dumps({**base, "object": "chat.completion.chunk", "choices": [
                {"index": 0, "delta": d, "finish_reason": f}]}) + "\n\n" for d, f in [(message, None), *ends])
            out += "data: [DONE]\n\n" if reason else ""
        else:
            kind = "application/json"
            out = json.dumps({**base, "object": "chat.completion", "choices": [
                {"index": 0, "message": {"content": None, **message}, "finish_reason": reason or "length"}]})
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out.encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
PY
cat >run_agents.py <<'PY'
import asyncio, cut
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

set_tracing_disabled(True)
paid = []


def pay(to: str, amount: int) -> str:
    """Pay an amount to somebody."""
    paid.append(amount)
    return "ok"


def show(name):
    print(f"{name}: paid {paid}")
    paid.clear()


async def others():
    client = AsyncOpenAI(base_url=cut.url, api_key="k")
    agent = Agent(name="a", tools=[function_tool(pay)], model=OpenAIChatCompletionsModel("gpt-4o", client))
    async for _ in Runner.run_streamed(agent, "pay").stream_events():
        pass
    show("  openai-agents, streamed")
    agent = PydanticAgent(OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client)), tools=[pay])
    async with agent.run_stream("pay") as run:
        await run.get_output()
    show("  pydantic-ai, streamed")


for cut.finish in ("length", None):
    print(f"finish_reason {cut.finish}")
    agent = create_agent(ChatOpenAI(model="gpt-4o", base_url=cut.url, api_key="k"), [pay])
    task = {"messages": [("user", "pay acme 1250")]}
    answer = agent.invoke(task)["messages"][1]
    show(f"  langchain, invoke: {len(answer.tool_calls)} calls, {len(answer.invalid_tool_calls)} invalid")
    for _ in agent.stream(task, stream_mode="messages"):
        pass
    show("  langchain, stream_mode messages")
    asyncio.run(others())
PY
cat >run_instructor.py <<'PY'
import cut, instructor
from openai import OpenAI
from pydantic import BaseModel


class Pay(BaseModel):
    to: str
    amount: int


client = instructor.from_openai(OpenAI(base_url=cut.url, api_key="k"))
for cut.finish in ("length", None):
    args = dict(model="gpt-4o", response_model=Pay, messages=[{"role": "user", "content": "x"}])
    print(f"  instructor, create_partial, finish_reason {cut.finish}:", list(client.create_partial(**args))[-1].model_dump())
try:
    print("  instructor, create:", client.create(**args))
except Exception as error:
    print("  instructor, create:", type(error).__name__)
PY
{ venv-agents/bin/python run_agents.py; venv-instructor/bin/python run_instructor.py; } >seen 2>log || { cat log >&2; exit 1; }

cat >expected <<'TXT'
finish_reason length
  langchain, invoke: 0 calls, 1 invalid: paid []
  langchain, stream_mode messages: paid [12]
  openai-agents, streamed: paid []
  pydantic-ai, streamed: paid []
finish_reason None
  langchain, invoke: 0 calls, 1 invalid: paid []
  langchain, stream_mode messages: paid [12]
  openai-agents, streamed: paid []
  pydantic-ai, streamed: paid []
  instructor, create_partial, finish_reason length: {'to': 'acme', 'amount': 12}
  instructor, create_partial, finish_reason None: {'to': 'acme', 'amount': 12}
  instructor, create: IncompleteOutputException
TXT
cat seen
diff expected seen && echo "as described"
