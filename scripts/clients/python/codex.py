"""Codex, the real command line, asked one thing with `exec`."""

import json
import os
import re
import shutil
import subprocess
import tempfile

from program import Client, main

CODEX = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "js", "node_modules", ".bin", "codex")
SETTINGS = """
model = "{model}"
model_provider = "keyway"
[model_providers.keyway]
name = "Keyway"
base_url = "{base}"
env_key = "KEYWAY_KEY"
wire_api = "responses"
# Four and five by default.
request_max_retries = 1
stream_max_retries = 1
"""


class Error(Exception):
    """It said that it failed."""


class Codex(Client):
    def chat(self, prompt):
        home = tempfile.mkdtemp(prefix="keyway-codex-")
        with open(os.path.join(home, "config.toml"), "w") as settings:
            settings.write(SETTINGS.format(model=self.model, base=self.base))
        environment = {"PATH": os.environ["PATH"], "HOME": home, "CODEX_HOME": home, "KEYWAY_KEY": self.key}
        line = [CODEX, "exec", "--skip-git-repo-check", "--sandbox", "read-only", "--json", prompt]
        try:
            ran = subprocess.run(line, env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        finally:
            shutil.rmtree(home, ignore_errors=True)
        said = [json.loads(one) for one in ran.stdout.splitlines() if one.startswith("{")]
        for event in said:
            if event["type"] == "turn.failed":
                error = Error(event["error"]["message"])
                status = re.search(r"unexpected status (\d+)", str(error))
                error.status_code = int(status[1]) if status else None
                raise error
        done = next((event for event in said if event["type"] == "turn.completed"), None)
        if done is None:
            raise Error((ran.stdout + ran.stderr)[-500:])
        items = [event["item"] for event in said if event["type"] == "item.completed"]
        text = "".join(item["text"] for item in items if item["type"] == "agent_message")
        return text, (done["usage"]["input_tokens"], done["usage"]["output_tokens"])

    stream = chat


main({"codex": Codex})
