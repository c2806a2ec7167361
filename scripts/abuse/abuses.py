"""The abuses: each is a function that tries its shapes and returns how many it tried and which got through.

A new one stands here and in LIST. It has `it.port`, a key of its own tenant `it.key`, and the installation itself, `it.keyway`.
"""

import asyncio
import gzip
import itertools
import json

import http1
import provider

BUDGET_NANO_USD = 3_000_000
# 1,000 tokens of gpt-4o-mini at 0.60 dollars for a million; the input of 10 tokens is less than a hundredth of it.
CALL_NANO_USD = 600_000
FOREIGN = [{"max_output_tokens": 1}, {"generationConfig": {"maxOutputTokens": 1}}, {"max_tokens_to_sample": 1}, {"inferenceConfig": {"maxTokens": 1}}]
TARGETS = ["*", "//", "/%", "/%00", "http://", "http://[::1", "a:b", "/\x7f", "/" + "a/" * 200, "/?" + "&" * 2000, "http://a:b@c/", "/v1/../api/v1/me", "/v1/%2e%2e/api/v1/me"]
METHODS = ["GET", "CONNECT", "TRACE", "OPTIONS", "PRI", "get", "M-SEARCH", "PROPFIND"]
HIDDEN = ["a\u202eb", "a\u200bb", "\ufeffa", "a\u2066b", "a\u00adb"]


async def interim_heads(it):
    """A provider that sends heads and heads before its answer."""
    through = []
    for _ in range(60):
        status, _, body = await http1.call(it.port, http1.chat(it.key, "interims", "/proxy/acme/chat/completions"))
        if status == 200:
            through.append(f"{provider.INTERIM_HEADS} heads were read: {body[:80]}")
    return 60, through


async def reservations(it):
    """A field of another API's shape that makes a reservation small."""
    through = []
    for foreign in FOREIGN:
        _, key = it.make_key({"daily_budget_nano_usd": BUDGET_NANO_USD})
        raw = http1.chat(key, max_tokens=provider.OUTPUT_TOKENS, **foreign)
        answers = await asyncio.gather(*(http1.call(it.port, raw) for _ in range(24)))
        passed = sum(status == 200 for status, _, _ in answers)
        if passed * CALL_NANO_USD > BUDGET_NANO_USD or not passed:
            through.append(f"{foreign}: {passed} calls of {BUDGET_NANO_USD // CALL_NANO_USD}")
    return len(FOREIGN) * 24, through


async def targets(it):
    """Methods and targets that no route serves, without any key."""
    through, shapes = [], list(itertools.product(METHODS, TARGETS))
    for method, target in shapes:
        raw = f"{method} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode("latin-1")
        status, _, _ = await http1.call(it.port, raw, 5)
        if not 400 <= status < 500 and not (status == 200 and method in ("GET", "OPTIONS")):
            through.append(f"{method} {target[:30]!r}: {status}")
    for hosts in ("", "host: a\r\nhost: b\r\n", "host: a b\r\n"):
        status, _, _ = await http1.call(it.port, f"GET /v1/models HTTP/1.1\r\n{hosts}connection: close\r\n\r\n".encode(), 5)
        if status != 400:
            through.append(f"host {hosts!r}: {status}")
    return len(shapes) + 3, through


async def echoes(it):
    """A provider that repeats the key it was sent, to an integration that asks for answers without it."""
    through, secret = [], provider.KEYS["acme"].encode()
    for item in it.keyway.api("GET", "/integrations")["items"]:
        config = {"config": {**item["config"], "redact_answers": True}}
        it.keyway.api("PATCH", f"/integrations/{item['id']}", config)
    for model in ("phrase", "packed"):
        status, head, body = await http1.call(it.port, http1.chat(it.key, model, "/proxy/acme/chat/completions"))
        unpacked = gzip.decompress(body) if b"gzip" in head.lower() else body
        if status == 0 or secret in head or secret in unpacked:
            through.append(f"{model}: {status} {head[:60]}")
    return 2, through


async def repeated_secrets(it):
    """A key that was pasted where a name belongs."""
    secret, through = "sk-proj-" + "Ab1" * 12, []
    for path, document in (("/integrations", {secret: 1}), (f"/integrations?{secret}=1", None), ("/virtual-keys", {"name": "a", secret: 1})):
        raw = management(it, "POST" if document else "GET", path, document)
        status, head, body = await http1.call(it.port, raw)
        if status != 422 and status != 400 or secret.encode() in head + body:
            through.append(f"{path[:20]}: {status} {body[:120]}")
    return 3, through


async def hidden_names(it):
    """Names with characters that nobody sees."""
    through = []
    for name in HIDDEN:
        status, _, body = await http1.call(it.port, management(it, "POST", "/projects", {"name": name}))
        if status not in (400, 422):
            through.append(f"{name!r}: {status} {body[:80]}")
    return len(HIDDEN), through


async def half_bodies(it):
    """One key that begins 32 long bodies and never goes on."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {it.key}\r\ncontent-type: application/json\r\ncontent-length: {32 << 20}\r\n\r\n"
    held = []
    for _ in range(32):
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(head.encode() + b'{"model":"' + b"a" * 65536)
        held.append((reader, writer))
    await asyncio.sleep(1)
    filler = "a" * (4 << 20)
    status, _, body = await http1.call(it.port, http1.chat(it.neighbour, user=filler))
    for _, writer in held:
        writer.close()
    return 32, [] if status == 200 else [f"a neighbour's body of 4 MiB: {status} {body[:120]}"]


async def idle_connections(it):
    """One address that opens as many connections as it gets."""
    held, before = [], it.memory_kib()
    for _ in range(4000):
        try:
            held.append((await asyncio.open_connection("127.0.0.1", it.port, local_addr=("127.0.0.9", 0)))[1])
        except OSError:
            break
    await asyncio.sleep(1)
    it.note = f"{(it.memory_kib() - before) / max(len(held), 1):.1f} KiB a connection"
    status, _, body = await http1.call(it.port, http1.chat(it.neighbour))
    for writer in held:
        writer.close()
    return len(held), [] if status == 200 else [f"a neighbour from another address: {status} {body[:80]}"]


async def wrong_passwords(it):
    """Somebody who guesses passwords as fast as they are taken."""
    gate, tried, through = asyncio.Semaphore(32), 1000, []

    async def guess(number):
        document = json.dumps({"email": f"p{number % 50}@example.com", "password": f"wrong wrong wrong {number}"}).encode()
        head = f"POST /api/v1/sessions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(document)}\r\n\r\n"
        async with gate:
            status, _, _ = await http1.call(it.port, head.encode() + document)
        if status not in (401, 429, 503):
            through.append(f"guess {number}: {status}")

    await asyncio.gather(*(guess(number) for number in range(tried)))
    return tried, through


async def slow_readers(it):
    """Callers that ask and never read."""
    held = []
    for _ in range(200):
        _, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(http1.chat(it.key) * 20)
        held.append(writer)
    await asyncio.sleep(5)
    for writer in held:
        writer.close()
    return 200, []


def management(it, method, path, document):
    body = json.dumps(document).encode() if document is not None else b""
    head = f"{method} /api/v1{path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {it.keyway.admin}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


LIST = [interim_heads, reservations, targets, echoes, repeated_secrets, hidden_names, half_bodies, idle_connections, wrong_passwords, slow_readers]
