"""Keyway's own tests on the services of a root: the bus's conformance suite, and chaos scenarios. They build Keyway for testing first."""

import os
import re
import subprocess

from roots import ROOT

# Broker and PostgreSQL killed with -9 under load.
CHAOS, ROUNDS = "5,9", 3
SECONDS = 3600
SHOWN = 4


def bus_conformance(place):
    """Every test of the bus."""
    return cargo(place, "test", "--package", "keyway-bus", "--test", "it", "--", "--test-threads", "4")


def chaos(place):
    """Broker and PostgreSQL are killed under load, as `make chaos` does."""
    chosen = ["--scenario", CHAOS, "--rounds", str(ROUNDS)]
    return cargo(place, "test", "--workspace", "--features", "failpoints", "--test", "chaos", "--", *chosen)


def cargo(place, verb, *arguments):
    log = os.path.join(place.home, "cargo.log")
    environment = {**os.environ, "TESTKIT_ROOT": place.root.path, "CARGO_TERM_COLOR": "never"}
    with open(log, "wb") as output:
        done = subprocess.run(
            ["cargo", verb, "--locked", *arguments], cwd=ROOT, env=environment, stdout=output, stderr=output, timeout=SECONDS, check=False
        )
    with open(log, encoding="utf-8", errors="replace") as file:
        said = file.read()
    for found in re.findall(r"(?m)^(?:test result: .*|\| +\d+ \|.*)$", said)[-SHOWN:]:
        place.note(" ".join(found.split()))
    if done.returncode == 0:
        return []
    failed = re.findall(r"(?m)^(?:test \S+ \.\.\. FAILED|  (?:lost|doubled|wrong): .*|error.*)$", said)
    return [f"wrong: cargo {verb} {' '.join(arguments)} ended with {done.returncode}; see {log}", *failed[:SHOWN]]
