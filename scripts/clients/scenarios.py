"""What is asked of every client, what the mock answers to it, and how both sides recognise it.

A scenario travels in the prompt, because that is the one thing that every client passes on unchanged. Nothing here may
depend on a client or on Keyway.
"""

import re

# The name in a prompt, and what the client is expected to make of it.
ANSWERED = ("chat", "stream", "tools", "embed")
REFUSED = ("limited", "refused", "failing")
BROKEN = ("cut", "split", "torso")
ALL = ANSWERED + REFUSED + BROKEN

DELTAS = ("One two ", "three four ", "five six.")
WHOLE = "".join(DELTAS)
CITY = "Bern"

# What each answer says it used. Input contains what was read from and written to a cache, output the reasoning.
INPUT, CACHED, WRITTEN = 120, 20, 10
OUTPUT, REASONING = 30, 10
EMBEDDED = 8

_MARK = re.compile(rb"scenario ([a-z]+) of run ([a-z0-9]+)")


def prompt(scenario, run):
    """The text that a client sends."""
    return f"This is scenario {scenario} of run {run}."


def recognised(body):
    """The scenario and the run that a request's bytes name; a plain chat where they name none."""
    found = _MARK.search(body)
    return (found[1].decode(), found[2].decode()) if found else ("chat", "")
