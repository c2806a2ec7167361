"""How a client program is run: python <program> <client> <base URL> <model> <embedding model> <scenario>:<run>:<key> ...

Each program has a class for each of its clients; a method makes the call that its name says and returns a text and the tokens that the client
shows, (input, output), or None where it shows none. One JSON line is printed for each scenario: {scenario, ok, text, tokens, error}. Everything
is left as the SDK has it by default, retries too, but for what a row of the table says in "told".
"""

import json
import logging
import os
import signal
import sys
import warnings

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import scenarios

SECONDS = 90


class Client:
    """Where to ask and with what."""

    def __init__(self, base, key, model, embedding_model):
        self.base, self.key, self.model, self.embedding_model = base, key, model, embedding_model


def main(clients):
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, expired)
    name, base, model, embedding_model, *asked = sys.argv[1:]
    for one in asked:
        scenario, run, key = one.split(":")
        # Each scenario has a key of its own, by which its calls are found in the ledger.
        client = clients[name](base, key, model, embedding_model)
        print(json.dumps({"scenario": scenario, **outcome(client, scenario, scenarios.prompt(scenario, run))}), flush=True)


def outcome(client, scenario, prompt):
    method = {"limited": "chat", "refused": "chat", "failing": "chat", "cut": "stream", "split": "stream", "torso": "stream"}
    signal.alarm(SECONDS)
    try:
        text, tokens = getattr(client, method.get(scenario, scenario))(prompt)
        return {"ok": True, "text": text, "tokens": tokens, "error": None}
    # The agent frameworks have exceptions that are no Exception.
    except BaseException as error:
        return {"ok": False, "text": None, "tokens": None, "error": described(error)}
    finally:
        signal.alarm(0)


def expired(*_):
    raise TimeoutError(f"no end within {SECONDS} s")


def described(error):
    """Class, words and status of an exception; the status may be one of its cause."""
    status = next((getattr(one, "status_code", None) or getattr(one, "code", None) for one in (error, error.__cause__) if one), None)
    package = type(error).__module__.split(".")[0]
    name = type(error).__name__
    shown = name if package == "builtins" else f"{package}.{name}"
    return {"class": shown, "message": f"{error} {getattr(error, 'body', '') or ''}"[:2000], "status": status if isinstance(status, int) else None}


def called(name, arguments):
    """How a tool call is reported."""
    given = json.loads(arguments) if isinstance(arguments, str) else arguments
    return f"{name} {given['city']}"


WEATHER = {
    "name": "weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: its name
    """
    weather.asked = city
    return "rain"
