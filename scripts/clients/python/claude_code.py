"""Claude Code, the real command line, asked one thing with `-p`."""

import json
import os
import shutil
import subprocess
import tempfile

from program import Client, main

CLAUDE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "js", "node_modules", ".bin", "claude")


class Error(Exception):
    """It said that it failed."""


class ClaudeCode(Client):
    def ask(self, prompt, *more):
        home = tempfile.mkdtemp(prefix="keyway-claude-")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "ANTHROPIC_BASE_URL": self.base,
            "ANTHROPIC_API_KEY": self.key,
            # No updates, telemetry or titles; and fewer tries than the ten it has by default.
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "2",
        }
        line = [CLAUDE, "-p", prompt, "--output-format", "json", "--model", self.model, *more]
        try:
            ran = subprocess.run(line, env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        finally:
            shutil.rmtree(home, ignore_errors=True)
        if not ran.stdout.startswith("{"):
            raise Error((ran.stdout + ran.stderr)[-500:])
        said = json.loads(ran.stdout)
        if said["is_error"]:
            error = Error(said["result"])
            error.status_code = said.get("api_error_status")
            raise error
        used = said["modelUsage"].values()
        spent = sum(one["inputTokens"] + one["cacheReadInputTokens"] + one["cacheCreationInputTokens"] for one in used)
        return said["result"], (spent, sum(one["outputTokens"] for one in used))

    def chat(self, prompt):
        return self.ask(prompt)

    stream = chat

    def tools(self, prompt):
        text, tokens = self.ask(prompt, "--allowedTools", "Bash(echo:*)")
        # The tool's answer was sent, or the mock would have asked for it again.
        return ("weather Bern" if text.startswith("One two") else text), tokens


main({"claude_code": ClaudeCode})
