"""Writes docs/clients.md from what a run has shown."""

import os

import scenarios
from install import HERE, HOME, version

PATH = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "clients.md")
# What a run saw that failed, or that was not of all clients.
DRAFT = os.path.join(HOME, "clients.md")
HEAD = """# Clients

What real clients do when they are pointed at Keyway: each at the version shown, unmodified, with the settings it has by default, in front
of a scripted mock of its provider. `make clients` makes this page; nothing in it is written by hand. Last run: {date}, {keyway},
Python {python}, Node {node}.

How to read it:

- **Base URL**: what stands behind Keyway's own address. *Also told*: what else the client needs beside it and a virtual key.
- **429**: the provider refuses once, with `Retry-After: 1`. *again after n s*: the client asked again by itself; otherwise the exception
  it raises. **401**, **500**: the provider goes on refusing or failing, and the client raises this.
- **Cut**: the provider's connection breaks in the middle of a stream. **Split**: in the middle of an event. **Early end**: the stream ends
  properly, but without what ends an answer in its shape. The exception that the client raises; *says why*: with Keyway's own sentence in
  it; *asks again*: it sends the request once more and has a whole answer then. No client may take the torso for an answer.
- **Tokens**: whether input and output as the client shows them are those of Keyway's ledger, for each of chat, stream, tools and embed;
  *none: stream*: the client shows no figures for a stream (the ledger has them); *unknown*: the ledger has none.
- A number in brackets is a fault of the client itself, or a limit of its API, that is known; they are listed at the end.
"""
ABOUT = ["client", "version", "base URL", "also told"]
# By scenario, its column.
SCENARIOS = {name: name for name in scenarios.ALL} | {"limited": "429", "refused": "401", "failing": "500", "torso": "early end"}
COLUMNS = [*ABOUT, *SCENARIOS.values(), "tokens"]
OTHERWISE = ("differ", "none", "unknown")
NOT_HERE = """
## Not here

- `xai-sdk` speaks gRPC only, which Keyway does not; xAI's models are reached by the clients of OpenAI's shape.
"""


def write(path, groups, known, about):
    """`groups`: by title, the rows with their verdicts by scenario."""
    shown = {row.name for group in groups.values() for row, _ in group}
    reasons = list(dict.fromkeys(reason for (name, _), reason in known.items() if name in shown))
    text = [HEAD.format(**about)]
    for title, group in groups.items():
        if not group:
            continue
        text += [f"## {title}", "", line(COLUMNS), line(["---"] * len(COLUMNS))]
        text += [line(cells(row, verdicts, known, reasons)) for row, verdicts in group] + [""]
    if reasons:
        text += ["## Known faults and limits", "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("\n".join(text) + "\n" + NOT_HERE)


def line(cells_):
    return "| " + " | ".join(cells_) + " |"


def cells(row, verdicts, known, reasons):
    def noted(text, checks):
        numbers = sorted({reasons.index(known[row.name, check]) + 1 for check in checks if (row.name, check) in known})
        return text + "".join(f" [{number}]" for number in numbers)

    def cell(scenario):
        if scenario not in verdicts:
            return "-"
        return noted(verdicts[scenario].shown, [scenario, f"{scenario} outcome"])

    tokens = noted(agreement(verdicts), [f"{scenario} tokens" for scenario in verdicts])
    base = f"`{row.base}`" if row.base else "(nothing)"
    return [row.name, version(row), base, row.told or "-", *(cell(scenario) for scenario in SCENARIOS), tokens]


def agreement(verdicts):
    """How the tokens of the scenarios compare, in few words."""
    by_word = {}
    for scenario, verdict in verdicts.items():
        if verdict.tokens:
            by_word.setdefault(verdict.tokens, []).append(scenario)
    words = ["equal"] if "equal" in by_word else []
    words += [f"{word}: {', '.join(by_word[word])}" for word in OTHERWISE if word in by_word]
    return "; ".join(words) or "-"
