"""Runs real, pinned clients against a real Keyway in front of a scripted mock of the providers, and writes docs/clients.md.

    make clients [KEYWAY_BIN=path] [CLIENTS="litellm groq"]

It fails when a client takes a broken answer for a whole one, when the tokens that a client shows are not those of the ledger, when a call
does not do what is expected of it, and when a known fault (known.py) no longer shows. A run of all clients in which nothing is wrong writes
the document; any other leaves its table in target/clients/clients.md. CLIENTS chooses rows by a part of their names. Standard library only,
as are mock.py and keyway.py.
"""

import concurrent.futures
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

import document
import install
import rows
from judge import judge
from keyway import Keyway
from known import KNOWN
from mock import KEYS, Mock

HERE = os.path.dirname(os.path.abspath(__file__))
AT_ONCE = 2
SECONDS_FOR_THE_LEDGER = 30
SECONDS_FOR_A_CLIENT = 600


def main():
    parts = sys.argv[1:]
    chosen = {title: [row for row in group if wanted(row, parts)] for title, group in rows.GROUPS.items()}
    everything = [row for group in chosen.values() for row in group]
    if not everything:
        raise SystemExit(f"no client is called like {' or '.join(parts)}")
    install.install(everything)
    mock = Mock()
    keyway = Keyway(mock)
    try:
        keyway.ready(KEYS)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            verdicts = dict(zip(everything, pool.map(lambda row: ran(row, keyway, mock), everything), strict=True))
        about = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "keyway": keyway.version(), "python": platform.python_version(), "node": node()}
    finally:
        keyway.stop()
        mock.stop()
    faults = [fault for row in everything for fault in faults_of(row, verdicts[row])]
    print("\n".join(faults) or "nothing is wrong")
    print(f"{len(everything)} clients, {sum(len(one) for one in verdicts.values())} scenarios, {len(faults)} faults")
    path = document.DRAFT if parts or faults else document.PATH
    document.write(path, {title: [(row, verdicts[row]) for row in group] for title, group in chosen.items()}, KNOWN, about)
    print(f"the table is in {os.path.relpath(path)}")
    sys.exit(1 if faults else 0)


def wanted(row, parts):
    return not parts or any(part in row.name for part in parts)


def ran(row, keyway, mock):
    """Runs all scenarios of a client, one after the other in one process, and judges each."""
    started = time.monotonic()
    keys = {}
    for number, scenario in enumerate(row.does):
        keys[scenario] = (f"{os.urandom(4).hex()}{number}", *keyway.virtual_key(f"{row.name} {scenario}"))
    told = called(row, keyway.url + row.base, [f"{scenario}:{run}:{key}" for scenario, (run, _, key) in keys.items()])
    verdicts = {}
    for scenario, (run, key_id, _) in keys.items():
        arrived = mock.calls[run]
        verdicts[scenario] = judge(scenario, told.get(scenario), arrived, ledger(keyway, key_id, len(arrived)))
    wrong = [check for verdict in verdicts.values() for check in verdict.wrong]
    print(f"{row.name}: {', '.join(wrong) or 'as expected'} ({time.monotonic() - started:.0f} s)", flush=True)
    return verdicts


def called(row, base, asked):
    """What the client's program said, by scenario."""
    with tempfile.TemporaryDirectory(prefix="keyway-client-") as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"}
        line = [install.interpreter(row), os.path.join(HERE, row.program), row.client, base, row.model, row.embedding_model, *asked]
        try:
            done = subprocess.run(
                line, env=environment, cwd=home, capture_output=True, text=True, timeout=SECONDS_FOR_A_CLIENT, stdin=subprocess.DEVNULL, check=False
            )
            out, err = done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            out, err = ((part or b"").decode(errors="replace") for part in (late.stdout, late.stderr))
    lines = [json.loads(text) for text in out.splitlines() if text.startswith('{"scenario"')]
    if len(lines) < len(asked):
        print(f"{row.name}: {err[-1500:]}", file=sys.stderr)
    return {one["scenario"]: one for one in lines}


def ledger(keyway, key_id, count):
    """What the ledger has of a key, once it has all that the mock was asked."""
    deadline = time.monotonic() + SECONDS_FOR_THE_LEDGER
    while len(found := keyway.calls(key_id)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def faults_of(row, verdicts):
    """What is wrong and not known, and what is known and no longer wrong."""
    wrong = {check: text for verdict in verdicts.values() for check, text in verdict.wrong.items()}
    faults = [f"{row.name}: {text}" for check, text in wrong.items() if (row.name, check) not in KNOWN]
    past = [check for name, check in KNOWN if name == row.name and check not in wrong]
    return faults + [f"{row.name}: {check}: a known fault that no longer shows; take it out of known.py" for check in past]


def node():
    path = os.path.join(install.JAVASCRIPT, "node_modules", ".bin", "node")
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.strip().removeprefix("v")


if __name__ == "__main__":
    main()
