"""A provider in OpenAI's shape that misbehaves when the model's name asks for it. Standard library only.

Every number here is small: it is what a guard is measured with, not what would harm a program without one.
"""

import asyncio
import gzip
import json
import threading

KEYS = {"openai": "sk-proj-Abu5eMockKeyOpenAi0000000001", "acme": "sk-acme-Abu5eMockKey000000000001"}
INTERIM_HEADS = 200
OUTPUT_TOKENS = 1000
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 10 + OUTPUT_TOKENS},
}


class Provider:
    """The server; `served` counts the whole answers by model."""

    def __init__(self):
        self.served = {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.connection, "127.0.0.1", 0), self.loop).result()
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def connection(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.lower().split("\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
                body = await reader.readexactly(length)
                await self.answer(head, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            writer.close()

    async def answer(self, head, body, writer):
        key = next((key for key in KEYS.values() if key in head), None)
        if head.startswith("GET"):
            return await whole(writer, "200 OK" if key else "401 Unauthorized", {"object": "list", "data": [{"id": "m"}]})
        model = json.loads(body or b"{}").get("model", "")
        if model == "interims":
            writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n" * INTERIM_HEADS)
        if model == "phrase":
            return await whole(writer, f"400 refused {key}", {"error": {"message": f"no such key: {key}"}})
        if model == "packed":
            return await whole(writer, "400 Bad Request", {"error": {"message": f"no such key: {key}"}}, packed=True)
        if model == "slow":
            await asyncio.sleep(5)
        self.served[model] = self.served.get(model, 0) + 1
        await whole(writer, "200 OK", WHOLE)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)


async def whole(writer, status, document, packed=False):
    raw = json.dumps(document).encode()
    raw = gzip.compress(raw) if packed else raw
    encoding = "content-encoding: gzip\r\n" if packed else ""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{encoding}content-length: {len(raw)}\r\n\r\n"
    writer.write(head.encode() + raw)
    await writer.drain()
