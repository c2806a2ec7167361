#!/usr/bin/env python3
"""Abuses a release binary and measures what its other callers feel of it. Ends with a table; fails if something got through.

    scripts/abuse/run.py [NAME...]      only those whose name holds one of these

KEYWAY_BIN names the binary, else target/release/keyway. Standard library only. Nothing is timed to pass or fail: the neighbours' p99 stands
beside that of the same load alone, and a ratio above 2 is marked.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "clients")]

import abuses  # noqa: E402
import keyway  # noqa: E402
import provider  # noqa: E402

SECONDS, MOST_RATIO = 8, 2.0


class Installation:
    """Keyway with two projects' worth of callers: who abuses it, and a neighbour."""

    def __init__(self):
        self.provider = provider.Provider()
        self.keyway = keyway.Keyway(self.provider)
        self.keyway.ready(provider.KEYS)
        self.port = int(self.keyway.url.rpartition(":")[2])
        self.key, self.neighbour = self.make_key()[1], self.make_key()[1]
        self.note = ""

    def make_key(self, limits=None):
        """A new virtual key: its id and what a caller presents."""
        made = self.keyway.api("POST", "/virtual-keys", {"project_id": self.keyway.project, "name": os.urandom(4).hex(), "limits": limits or {}})
        return made["id"], made["key"]

    def memory_kib(self):
        with open(f"/proc/{self.keyway.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def listen(self, seconds):
        arguments = [sys.executable, os.path.join(HERE, "neighbours.py"), str(self.port), self.neighbour, str(seconds)]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def heard(process):
    """p50 and p99 in milliseconds, and what failed."""
    told = json.loads(process.communicate()[0])
    cuts = statistics.quantiles(told["latencies_ms"] or [0, 0], n=100)
    return cuts[49], cuts[98], told["failed"]


async def abuse_until(process, abuse, it):
    """Repeats an abuse as long as the neighbours call."""
    tried, through = await abuse(it)
    while process.poll() is None and not through:
        more, through = await abuse(it)
        tried += more
    return tried, through


def row(it, abuse):
    alone = heard(it.listen(SECONDS / 2))
    it.note = ""
    process = it.listen(SECONDS)
    tried, through = asyncio.run(abuse_until(process, abuse, it))
    beside = heard(process)
    alive = it.keyway.process.poll() is None
    through = through + [f"a neighbour: {text}" for text in beside[2][:3]] + ([] if alive else ["the process ended"])
    ratio = beside[1] / alone[1]
    mark = " **above 2**" if ratio > MOST_RATIO else ""
    figures = f"{alone[1]:.1f} | {beside[1]:.1f} | {ratio:.1f}{mark} | {it.memory_kib() // 1024} MiB {it.note}"
    print(f"| {abuse.__name__.replace('_', ' ')} | {tried} | {'all' if not through else len(through)} | {figures} |", flush=True)
    for text in through[:10]:
        print(f"    {text}", flush=True)
    return through


def main(wanted):
    it = Installation()
    print(f"{it.keyway.version()}\n\n| abuse | tried | kept out | p99 alone, ms | p99 beside, ms | ratio | memory |\n|---|--:|---|--:|--:|--:|---|", flush=True)
    try:
        chosen = [abuse for abuse in abuses.LIST if not wanted or any(part in abuse.__name__ for part in wanted)]
        failed = [abuse.__name__ for abuse in chosen if row(it, abuse)]
    finally:
        it.keyway.stop()
        it.provider.stop()
    if failed:
        raise SystemExit(f"something got through: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
