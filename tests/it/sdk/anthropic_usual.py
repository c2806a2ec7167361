"""What applications usually do beside plain messages: tools, pictures, files, batches, many calls at once."""

import asyncio
import base64
import json
import os
import sys

import anthropic

base_url, api_key, model = sys.argv[1:]
client = anthropic.Anthropic(base_url=base_url, api_key=api_key, max_retries=0)
# The calls of all kinds, and those that say which model they are of.
counted = {"calls": 0, "requests": 0, "input": 0, "output": 0}


def count(usage):
    counted["calls"] += 1
    counted["requests"] += 1
    counted["input"] += usage.input_tokens
    counted["output"] += usage.output_tokens


weather = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
asked = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "how is it in Bern"}], "tools": [weather]}
called = client.messages.create(**asked)
assert called.stop_reason == "tool_use" and called.content[0].name == "weather", called
count(called.usage)
result = {"type": "tool_result", "tool_use_id": called.content[0].id, "content": "it rains"}
turns = [*asked["messages"], {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
answered = client.messages.create(**{**asked, "messages": turns})
assert answered.stop_reason == "end_turn" and answered.content[0].text, answered
count(answered.usage)
with client.messages.stream(**{**asked, "messages": turns}) as stream:
    assert "".join(stream.text_stream) == answered.content[0].text
    count(stream.get_final_message().usage)

data = base64.standard_b64encode(os.urandom(40_000)).decode()
picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
looked = [{"role": "user", "content": [picture, {"type": "text", "text": "what is this"}]}]
seen = client.messages.create(model=model, max_tokens=64, messages=looked)
assert seen.usage.input_tokens == 40 + 3, seen
count(seen.usage)
assert client.messages.count_tokens(model=model, messages=looked).input_tokens == 40 + 3
# Counting is free, and yet a call.
counted["calls"] += 1
counted["requests"] += 1

content = os.urandom(3_000_000)
betas = ["files-api-2025-04-14"]
file = client.beta.files.upload(file=("data.pdf", content, "application/pdf"), betas=betas)
assert (file.size_bytes, file.filename, file.mime_type) == (len(content), "data.pdf", "application/pdf"), file
assert client.beta.files.retrieve_metadata(file.id, betas=betas).id == file.id
assert client.beta.files.download(file.id, betas=betas).read() == content, "the bytes of a file are its own"
assert file.id in [listed.id for listed in client.beta.files.list(betas=betas)]
assert client.beta.files.delete(file.id, betas=betas).id == file.id
try:
    client.beta.files.retrieve_metadata(file.id, betas=betas)
    sys.exit("a deleted file was found")
except anthropic.NotFoundError:
    counted["calls"] += 6

question = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "one two"}]}
requests = [{"custom_id": "good", "params": question}, {"custom_id": "bad", "params": {**question, "model": "claude-does-not-exist"}}]
batch = client.messages.batches.create(requests=requests)
assert (batch.processing_status, batch.request_counts.processing, batch.results_url) == ("in_progress", 2, None), batch
ended = client.messages.batches.retrieve(batch.id)
assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.errored) == ("ended", 1, 1), ended
# The SDK asks for the batch once more, and then goes where it says that the results are.
results = {result.custom_id: result.result for result in client.messages.batches.results(batch.id)}
assert (results["good"].type, results["bad"].type) == ("succeeded", "errored"), results
assert results["good"].message.content[0].text and results["good"].message.usage.input_tokens == 2, results
counted["calls"] += 4


async def many():
    together = anthropic.AsyncAnthropic(base_url=base_url, api_key=api_key, max_retries=0)
    for answer in await asyncio.gather(*(together.messages.create(**question) for _ in range(20))):
        count(answer.usage)


asyncio.run(many())
json.dump(counted, sys.stdout)
