"""Other callers: a steady, modest load of another tenant, in a process of its own. Prints the latencies in milliseconds as JSON.

    neighbours.py PORT KEY SECONDS
"""

import asyncio
import json
import sys
import time

import http1

CALLERS, PAUSE_SECONDS = 8, 0.02


async def caller(port, raw, until, seen, failed):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        begun = time.monotonic()
        writer.write(raw)
        status, _, body = await http1.answer(reader)
        seen.append((time.monotonic() - begun) * 1000)
        if status != 200:
            failed.append(f"{status} {body[:200].decode(errors='replace')}")
        await asyncio.sleep(PAUSE_SECONDS)
    writer.close()


async def main(port, key, seconds):
    seen, failed, until = [], [], time.monotonic() + seconds
    ended = await asyncio.gather(*(caller(port, http1.chat(key), until, seen, failed) for _ in range(CALLERS)), return_exceptions=True)
    failed += [repr(error) for error in ended if error]
    print(json.dumps({"latencies_ms": seen, "failed": failed}))


asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
