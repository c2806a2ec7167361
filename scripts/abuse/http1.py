"""One call over a connection of its own, byte by byte: abuse needs what no HTTP library sends."""

import asyncio
import json


def chat(key, model="gpt-4o-mini", path="/v1/chat/completions", **fields):
    """The bytes of a chat completion."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Yes?"}], **fields}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def call(port, raw, seconds=20, local=None):
    """Status, head and body of the answer to these bytes; status 0 where the connection ended without one."""
    try:
        return await asyncio.wait_for(exchange(port, raw, local), seconds)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, OSError) as error:
        return 0, type(error).__name__.encode(), b""


async def exchange(port, raw, local):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
    try:
        writer.write(raw)
        await writer.drain()
        return await answer(reader)
    finally:
        writer.close()


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    body = b""
    if b"transfer-encoding: chunked" in lines:
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        body = await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), head, body
