"""Reads a stream whose provider breaks off in its middle: the official SDK must say so, not return half a message."""

import json
import sys

import anthropic

base_url, api_key, model = sys.argv[1:]
client = anthropic.Anthropic(base_url=base_url, api_key=api_key, max_retries=0)
ask = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "one two three four five"}]}
usage = None
try:
    for event in client.messages.create(**ask, stream=True):
        if event.type == "message_start":
            usage = event.message.usage
    sys.exit("half an answer passed for a whole one")
except anthropic.APIStatusError as error:
    assert error.body["error"]["type"] == "api_error", error.body

json.dump({"model": model, "uncached": usage.input_tokens, "output": usage.output_tokens}, sys.stdout)
