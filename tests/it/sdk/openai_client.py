"""Uses Keyway as an application would: the official SDK, told only where and with which key."""

import json
import sys

import openai

base_url, api_key, model, embedding_model = sys.argv[1:]
client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
messages = [{"role": "user", "content": "one two three four five"}]
counted = []


def count(usage):
    counted.append({"input": usage.prompt_tokens, "output": getattr(usage, "completion_tokens", 0) or 0})


whole = client.chat.completions.create(model=model, messages=messages)
assert whole.choices[0].message.content and whole.choices[0].finish_reason == "stop", whole
count(whole.usage)

with_usage = list(client.chat.completions.create(model=model, messages=messages, stream=True, stream_options={"include_usage": True}))
assert [chunk for chunk in with_usage if chunk.usage] == with_usage[-1:], "exactly the last chunk has the usage"
assert with_usage[-1].choices == [], with_usage[-1]
count(with_usage[-1].usage)

without = list(client.chat.completions.create(model=model, messages=messages, stream=True))
assert all(chunk.usage is None for chunk in without), "nobody asked for usage"
assert all(chunk.choices for chunk in without), "a chunk without choices would break who does not expect it"
text = "".join(chunk.choices[0].delta.content or "" for chunk in without)
assert text == whole.choices[0].message.content, text
# The same words as before, so the same figures: this call is metered although it shows none.
count(whole.usage)

embeddings = client.embeddings.create(model=embedding_model, input=["six seven", "eight"])
assert len(embeddings.data) == 2 and len(embeddings.data[0].embedding) > 0, embeddings
embedded = embeddings.usage.prompt_tokens

models = [found.id for found in client.models.list()]
assert model in models, models
retrieved = None
try:
    retrieved = client.models.retrieve(model).id
except openai.NotFoundError:
    # The simulated provider itself has no such route.
    assert "/proxy/" in base_url, "Keyway's own list has each of its models"

try:
    client.chat.completions.create(model="this-model-does-not-exist", messages=messages)
    sys.exit("a model that does not exist was served")
except openai.NotFoundError as error:
    assert error.code == "model_not_found", error.body

try:
    openai.OpenAI(base_url=base_url, api_key="kw_live_wrong", max_retries=0).models.list()
    sys.exit("a wrong key was served")
except openai.AuthenticationError:
    pass

json.dump({"chat": counted, "embedded": embedded, "retrieved": retrieved}, sys.stdout)
