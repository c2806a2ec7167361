"""Uses Keyway as an application would: the official SDK, told only where and with which key."""

import json
import sys

import anthropic

base_url, api_key, model, dated_model, serves_models = sys.argv[1:]
client = anthropic.Anthropic(base_url=base_url, api_key=api_key, max_retries=0)
ask = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "one two three four five"}]}
counted = []


def count(message):
    usage = message.usage
    kept = usage.cache_creation
    counted.append({
        "model": message.model,
        "uncached": usage.input_tokens,
        "cached": usage.cache_read_input_tokens or 0,
        "written_5m": kept.ephemeral_5m_input_tokens,
        "written_1h": kept.ephemeral_1h_input_tokens,
        "output": usage.output_tokens,
    })


def refused(error, call):
    try:
        call()
    except error as found:
        return found
    sys.exit("what should be refused was served")


whole = client.messages.create(**ask)
assert whole.content[0].text and whole.stop_reason == "end_turn", whole
count(whole)

with client.messages.stream(**ask) as stream:
    assert "".join(stream.text_stream) == whole.content[0].text
    count(stream.get_final_message())

events = list(client.messages.create(**ask, stream=True))
assert [event.type for event in events][:1] == ["message_start"] and events[-1].type == "message_stop", events
# The same words as before, so the same figures; their two halves are in the first event and in the last but one.
start, delta = events[0].message.usage, events[-2].usage
assert (start.input_tokens, delta.output_tokens) == (whole.usage.input_tokens, whole.usage.output_tokens), events
count(whole)

kept = [
    {"type": "text", "text": "kept for five minutes", "cache_control": {"type": "ephemeral"}},
    {"type": "text", "text": "and for an hour", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
]
for cached in (client.messages.create(**ask, system=kept), client.messages.stream(**ask, system=kept)):
    if isinstance(cached, anthropic.types.Message):
        count(cached)
    else:
        with cached as stream:
            count(stream.get_final_message())
    assert (counted[-1]["written_5m"], counted[-1]["written_1h"]) == (4, 4), counted[-1]

tool = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
dated = {**ask, "model": dated_model, "tools": [tool]}
called = client.messages.create(**dated)
assert called.stop_reason == "tool_use" and called.content[0].input == {"city": "simulated"}, called
count(called)
with client.messages.stream(**dated) as stream:
    streamed = stream.get_final_message()
assert streamed.content[0].input == called.content[0].input, streamed
count(streamed)
result = {"type": "tool_result", "tool_use_id": called.content[0].id, "content": "six seven"}
turns = [*ask["messages"], {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
answered = client.messages.create(**{**dated, "messages": turns})
assert answered.stop_reason == "end_turn", answered
count(answered)

# Some applications send their key as a token.
count(anthropic.Anthropic(base_url=base_url, auth_token=api_key, max_retries=0).messages.create(**ask))

assert client.messages.count_tokens(model=model, messages=ask["messages"]).input_tokens == 5

if serves_models == "yes":
    # More models than a page has, so that the SDK follows the pages through Keyway.
    models = [found.id for found in client.models.list(limit=1)]
    assert model in models and len(models) > 1, models
    assert client.models.retrieve(model).id == model

missing = refused(anthropic.NotFoundError, lambda: client.messages.create(**{**ask, "model": "claude-does-not-exist"}))
assert missing.body["error"]["type"] == "not_found_error", missing.body
stranger = anthropic.Anthropic(base_url=base_url, api_key="kw_live_wrong", max_retries=0)
unknown = refused(anthropic.AuthenticationError, lambda: stranger.messages.create(**ask))
assert unknown.body["error"]["type"] == "authentication_error", unknown.body

json.dump(counted, sys.stdout)
