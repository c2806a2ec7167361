"""Runs Keyway on newer brokers and databases, breaks them, counts what is lost or doubled, and prints a table: make infra.

    make infra [KEYWAY_BIN=path] [SIMULATOR_BIN=path] [SUITES=sid] [SCENARIOS="main tls"] [KEEP=1]

Services come from the roots that roots.sh has made, listen on ports of their own, and end with the run. SCENARIOS chooses by a part of
the name. It ends with 1 when a scenario is not clean. What is left of one that is not (logs, data) stays in target/infra/run until the next.
Standard library only.
"""

import os
import shutil
import sys
import time
import traceback

from choice import SCENARIOS
from keyway import BINARIES, program
from place import Ground, Place
from roots import INFRA

SUITES = ("trixie", "sid")


def main():
    suites = os.environ.get("SUITES", "").split() or SUITES
    parts = os.environ.get("SCENARIOS", "").split()
    chosen = [scenario for scenario in SCENARIOS if not parts or any(part in scenario.name for part in parts)]
    if not chosen:
        raise SystemExit(f"no scenario is called like {' or '.join(parts)}; they are: {', '.join(scenario.name for scenario in SCENARIOS)}")
    if unknown := set(suites) - set(SUITES):
        raise SystemExit(f"there is no root called {' or '.join(sorted(unknown))}; they are: {', '.join(SUITES)}")
    for variable, built in BINARIES:
        program(variable, built)
    home = own_home()
    table = []
    for suite in suites:
        ground = Ground(suite, home)
        try:
            table += [one(ground, scenario) for scenario in chosen if suite in scenario.suites]
        finally:
            ground.stop()
    print_table(table)
    sys.exit(1 if any(row["faults"] for row in table) else 0)


def own_home():
    """The folder of this run; those of runs that have ended are removed."""
    runs = os.path.join(INFRA, "run")
    os.makedirs(runs, exist_ok=True)
    for name in os.listdir(runs):
        if not os.path.exists(f"/proc/{name}"):
            shutil.rmtree(os.path.join(runs, name), ignore_errors=True)
    return os.path.join(runs, str(os.getpid()))


def one(ground, scenario):
    """Runs a scenario in a place of its own."""
    begun, faults, place = time.monotonic(), [], None
    try:
        place = Place(ground, scenario.name)
        faults = scenario.run(place)
    except (SystemExit, TimeoutError, RuntimeError, OSError, KeyError, ValueError) as error:
        faults = [f"wrong: {error}"]
        if not isinstance(error, (TimeoutError, SystemExit)):
            traceback.print_exc()
    finally:
        if place:
            place.close(keep=bool(faults or os.environ.get("KEEP")))
    seconds = time.monotonic() - begun
    notes = place.notes if place else []
    row = {"suite": ground, "scenario": scenario, "faults": faults, "notes": notes, "seconds": seconds}
    say(f"{versions(row)}  {scenario.name}: {'clean' if not faults else f'{len(faults)} faults'} ({seconds:.0f} s)")
    for line in [*faults, *(f"({note})" for note in notes)]:
        say(f"    {line}")
    return row


def versions(row):
    return f"RabbitMQ {row['suite'].rabbitmq} PostgreSQL {row['suite'].postgresql}"


def print_table(table):
    say(f"\n{'services':<36}{'scenario':<26}{'result':<12}{'seconds':>8}  what was seen")
    for row in table:
        result = "clean" if not row["faults"] else f"{len(row['faults'])} faults"
        seen = "; ".join([*row["notes"], *row["faults"]])
        say(f"{versions(row):<36}{row['scenario'].name:<26}{result:<12}{row['seconds']:>8.0f}  {seen[:300]}")
    clean = sum(not row["faults"] for row in table)
    say(f"{clean} of {len(table)} are clean")


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    main()
