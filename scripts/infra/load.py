"""Clients of an installation, and what they remember of what they were promised.

A client that got no answer, or a 503, asks again with the same Idempotency-Key, as clients are told to. Only an answer of 2xx is a promise.
"""

import collections
import concurrent.futures
import itertools
import json
import secrets
import threading
import time

from keyway import PROVIDERS
from roots import until

KEYS = {"anthropic": "sk-ant-sim-", "gemini": "AIzaSim-"}
ADMIN_KEYS = {"openai": "sk-admin-sim-", "anthropic": "sk-ant-admin01-sim-"}
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is a ledger?"}]}
TRIES, CALL_TRIES = 200, 5


class Ledger:
    """What was promised: integrations by id with the status they must end in, and the ids of calls that were answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.integrations, self.operations = {}, set()
        self.calls, self.unanswered_calls = [], 0
        # How often each answer was given, by what was asked: ("submit", 202).
        self.answers = collections.Counter()
        self.odd = []

    def accepted(self, answer, status):
        with self.lock:
            self.integrations[answer["integration"]["id"]] = status
            self.operations.add(answer["operation"]["id"])

    def answered(self, what, status, text=b""):
        with self.lock:
            self.answers[what, status] += 1
            if status == 0 or status >= 500 and status != 503:
                self.odd.append(f"{what}: {status} {text[:160].decode(errors='replace')}")

    def called(self, request_id):
        with self.lock:
            self.calls.append(request_id)

    def cut_off(self):
        with self.lock:
            self.unanswered_calls += 1

    def summary(self):
        return ", ".join(f"{what} {status}: {count}" for (what, status), count in sorted(self.answers.items()))


class Clients:
    """All that is asked of one installation."""

    def __init__(self, keyway, ledger):
        self.keyway, self.ledger = keyway, ledger
        self.number = itertools.count()
        self.project = keyway.api("POST", "/projects", {"name": f"infra-{secrets.token_hex(3)}"})["id"]
        provider = {"name": "acme", "base_url": f"http://127.0.0.1:{keyway.provider}/v1", "models": ["acme-1"]}
        keyway.api("POST", "/providers", provider)
        self.key = keyway.api("POST", "/virtual-keys", {"project_id": self.project, "name": "clients"})["key"]

    def submit(self, provider="openai", kind="good", name=None, admin=False, over=None, project=None, base_url=None):
        """Brings one key in, until it is accepted or `over` is set: its integration's id, or None."""
        begins = ADMIN_KEYS[provider] if admin else KEYS.get(provider, "sk-sim-")
        body = {
            "project_id": project or self.project,
            "provider": provider,
            **({"config": {"base_url": base_url}} if base_url else {}),
            "name": name or f"{provider}-{next(self.number)}",
            "credentials": f"{begins}{kind}-{secrets.token_hex(12)}",
        }
        again = {"idempotency-key": secrets.token_hex(16)}
        for turn in range(TRIES):
            try:
                status, headers, text = self.keyway.send("POST", "/api/v1/integrations", body, at=turn + next(self.number), headers=again)
            except OSError as error:
                status, headers, text = 0, {}, repr(error).encode()
            self.ledger.answered("submit", status, text)
            if status == 202:
                answer = json.loads(text)
                self.ledger.accepted(answer, "connected" if kind == "good" else "error")
                return answer["integration"]["id"]
            if status == 503 and "retry-after" not in headers:
                self.ledger.odd.append("submit: 503 without retry-after")
            if 400 <= status < 500 or over and over.is_set():
                return None
            time.sleep(0.2)
        return None

    def submit_many(self, count, providers=PROVIDERS, at_once=8):
        """Brings many keys in, of each provider as many."""
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda number: self.submit(providers[number % len(providers)]), range(count)))

    def call(self, key=None, seconds=60):
        """One call through the proxy: status and how long it took; an answered one is to be in the ledger."""
        begun = time.monotonic()
        try:
            status, headers, text = self.keyway.send(
                "POST", "/v1/chat/completions", CHAT, key or self.key, at=next(self.number), seconds=seconds
            )
        except OSError as error:
            self.ledger.answered("call", 0, repr(error).encode())
            self.ledger.cut_off()
            return 0, time.monotonic() - begun, {}
        self.ledger.answered("call", status, text)
        if status == 200:
            self.ledger.called(headers["x-keyway-request-id"])
        return status, time.monotonic() - begun, headers

    def call_many(self, count, at_once=8):
        """Many calls, each again while it is told to come back: what they were answered in the end."""

        def one(_):
            for _ in range(CALL_TRIES):
                status = self.call()[0]
                if status != 503:
                    break
                time.sleep(1)
            return status

        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            return sorted(set(pool.map(one, range(count))))

    def under_load(self):
        return Load(self)


class Load:
    """Four clients without a pause: three bring keys in, one in five a revoked one, one calls through the proxy."""

    def __init__(self, clients):
        self.clients, self.over = clients, threading.Event()
        self.threads = [threading.Thread(target=self.submit, args=(number,)) for number in range(3)]
        self.threads.append(threading.Thread(target=self.call))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def submit(self, number):
        turn = 0
        while not self.over.is_set():
            turn += 1
            self.clients.submit("openai", "revoked" if (turn + number) % 5 == 0 else "good", over=self.over)
            time.sleep(0.1)

    def call(self):
        while not self.over.is_set():
            self.clients.call()
            time.sleep(0.1)

    def more(self, count, seconds=60):
        """Waits until so many more keys were accepted."""
        goal = len(self.clients.ledger.integrations) + count
        until(f"{count} more keys are accepted", lambda: len(self.clients.ledger.integrations) >= goal, seconds)
