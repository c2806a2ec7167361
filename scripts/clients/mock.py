"""The providers, played by a script: one HTTP server that answers as the one whose key a request carries.

It knows OpenAI (chat, Responses, embeddings), Anthropic, Gemini, Mistral, Cohere (v1 and v2), Groq, DeepSeek, xAI, OpenRouter and a host of
one's own in Together's shape. Which scenario is played stands in the prompt (scenarios.py). Standard library only, and no byte of it may come
from Keyway: it is what Keyway is measured against.
"""

import http.server
import json
import threading
import time
from collections import defaultdict

import answers_openai
import answers_vendors
import refusals
from scenarios import recognised

KEYS = {
    "openai": "sk-proj-c1ient5Tab1eMockKeyOpenAi0001",
    "anthropic": "sk-ant-api03-c1ient5Tab1eMockKeyAnthropic1",
    "gemini": "AIzaSyC1ient5Tab1eMockKeyGemini0000001x",
    "mistral": "c1ient5Tab1eMockKeyMistral000001",
    "cohere": "c1ient5Tab1eMockKeyCohere00000000000001x",
    "groq": "gsk_c1ient5Tab1eMockKeyGroq00000001",
    "deepseek": "sk-c1ient5tab1em0ckkeydeepseek000001",
    "xai": "xai-c1ient5Tab1eMockKeyXai000000001",
    "openrouter": "sk-or-v1-c1ient5tab1em0ckkey0penr0uter01",
    "acme": "sk-acme-c1ient5Tab1eMockKey000000001",
}
# Free requests by which a key is proven; the body holds what Keyway looks for and some more.
PROBES = {
    "/v1/models": {"object": "list", "data": [{"id": "m", "object": "model"}]},
    "/v1beta/models": {"models": [{"name": "models/gemini-2.5-flash"}]},
    "/models": {"object": "list", "data": [{"id": "m", "object": "model"}]},
    "/openai/v1/models": {"object": "list", "data": [{"id": "m", "object": "model"}]},
    "/api/v1/key": {"data": {"label": "clients", "usage": 0}},
    "/v1/api-key": {"api_key_id": "clients", "api_key_blocked": False, "api_key_disabled": False, "team_blocked": False},
    "/v1/check-api-key": {"valid": True},
    "/user/balance": {"is_available": True, "balance_infos": []},
}
PAUSE_SECONDS = 0.01


class Mock:
    """The server and what it was asked: `calls[run]` lists when, and what came of it: a status, or `stream`."""

    def __init__(self):
        self.calls = defaultdict(list)
        handler = type("Bound", (Handler,), {"mock": self})
        self.server = Server(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A caller that hangs up is part of the play."""


class Call:
    """One request: who it is for, what it asks and which scenario it belongs to."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.path = target.split("?")[0]
        self.provider = provider_of(headers)
        self.scenario, self.run = recognised(body)

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.play()

    do_POST = do_HEAD = do_GET

    def log_message(self, *_):
        """Nothing is logged: `calls` has it."""

    def play(self):
        call = Call(self.command, self.path, self.headers, self.read_body())
        if call.provider is None:
            return self.whole(401, *refusals.refusal(None, 401))
        if call.path in PROBES and not call.run:
            return self.whole(200, {}, PROBES[call.path])
        seen = self.mock.calls[call.run]
        status = refused(call, len(seen) + 1)
        answer = None if status else answered(call)
        status = status or (answer.status if answer else 404)
        seen.append((time.monotonic(), "stream" if answer and answer.pieces else status))
        if answer is None:
            return self.whole(status, *refusals.refusal(call.provider, status))
        if answer.pieces is None:
            return self.whole(status, {}, answer.body)
        return self.stream(call.scenario, answer)

    def read_body(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def whole(self, status, headers, body):
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": len(raw), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def stream(self, scenario, answer):
        self.send_response(200)
        self.send_header("content-type", answer.kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in told(scenario, answer):
            raw = piece.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            time.sleep(PAUSE_SECONDS)
        if scenario in ("cut", "split"):
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


def provider_of(headers):
    """Whose key the request carries; None without a key that is known."""
    sent = {headers.get(name) for name in ("x-api-key", "x-goog-api-key", "api-key")}
    sent.add(headers.get("authorization", "").removeprefix("Bearer ").removeprefix("BEARER "))
    return next((provider for provider, key in KEYS.items() if key in sent), None)


def refused(call, count):
    """The status with which this call, the `count`th of its run, is refused; 0: it is not."""
    if call.scenario == "limited":
        return 429 if count == 1 else 0
    return {"refused": 401, "failing": 500}.get(call.scenario, 0)


def answered(call):
    return answers_openai.answer(call) or answers_vendors.answer(call)


def told(scenario, answer):
    """The pieces that are really sent: all, or those up to the middle of the answer, or half a piece more."""
    if scenario not in ("cut", "split", "torso"):
        return answer.pieces
    half = [answer.pieces[answer.middle][: len(answer.pieces[answer.middle]) // 2]] if scenario == "split" else []
    return answer.pieces[: answer.middle] + half
