"""What applications usually do beside plain chat: tools, files, sound, many calls at once, realtime."""

import asyncio
import json
import os
import sys

import openai

base_url, routed_url, api_key, model = sys.argv[1:]
client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
counted = {"input": 0, "output": 0, "requests": 0}


def count(prompt, completion):
    counted["requests"] += 1
    counted["input"] += prompt
    counted["output"] += completion


weather = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
asked = {"model": model, "messages": [{"role": "user", "content": "how is it in Bern"}], "tools": [weather], "tool_choice": "required"}
called = client.chat.completions.create(**asked)
call = called.choices[0].message.tool_calls[0]
assert called.choices[0].finish_reason == "tool_calls" and json.loads(call.function.arguments) == {"city": "Bern"}, called
count(called.usage.prompt_tokens, called.usage.completion_tokens)
with client.chat.completions.stream(**asked) as stream:
    for _ in stream:
        pass
    final = stream.get_final_completion()
assert final.choices[0].message.tool_calls[0].function.name == "weather", final
# The same question as before: the same figures, though this stream shows none.
count(called.usage.prompt_tokens, called.usage.completion_tokens)

function = {"type": "function", "name": "weather", "parameters": weather["function"]["parameters"], "strict": False}
question = {"role": "user", "content": "how is it in Bern"}
wanted = client.responses.create(model=model, input=[question], tools=[function])
call = wanted.output[0]
assert call.type == "function_call" and json.loads(call.arguments) == {"city": "Bern"}, wanted
count(wanted.usage.input_tokens, wanted.usage.output_tokens)
output = {"type": "function_call_output", "call_id": call.call_id, "output": "it rains"}
answered = client.responses.create(model=model, input=[question, *wanted.output, output], tools=[function])
assert answered.output_text == "This is a simulated answer to 5 words.", answered
count(answered.usage.input_tokens, answered.usage.output_tokens)
for streamed, expected in (({"input": [question], "tools": [function]}, wanted), ({"input": [question]}, answered)):
    with client.responses.stream(model=model, **streamed) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    assert (final.output[0].type, final.output_text) == (expected.output[0].type, expected.output_text), final
    count(final.usage.input_tokens, final.usage.output_tokens)

content = os.urandom(3_000_000)
file = client.files.create(file=("data.jsonl", content), purpose="batch")
assert file.bytes == len(content) and file.filename == "data.jsonl", file
assert client.files.retrieve(file.id).id == file.id
assert client.files.content(file.id).read() == content, "the bytes of a file are its own"
assert file.id in [listed.id for listed in client.files.list()]
assert client.files.delete(file.id).deleted
try:
    client.files.retrieve(file.id)
    sys.exit("a deleted file was found")
except openai.NotFoundError:
    pass

heard = client.audio.transcriptions.create(file=("speech.mp3", os.urandom(50_000)), model="gpt-4o-mini-transcribe")
assert heard.text == "one two three" and heard.usage.output_tokens == 3, heard
spoken = client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="hello ")
assert spoken.read() == b"hello " * 1000
with client.audio.speech.with_streaming_response.create(model="gpt-4o-mini-tts", voice="alloy", input="hello ") as streamed:
    assert b"".join(streamed.iter_bytes()) == b"hello " * 1000


async def many():
    together = openai.AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0)
    question = {"model": model, "messages": [{"role": "user", "content": "one two"}]}
    for answer in await asyncio.gather(*(together.chat.completions.create(**question) for _ in range(20))):
        count(answer.usage.prompt_tokens, answer.usage.completion_tokens)


async def realtime(url, model):
    session = openai.AsyncOpenAI(base_url=url, api_key=api_key, max_retries=0)
    async with session.realtime.connect(model=model) as connection:
        words = [{"type": "input_text", "text": "one two three four"}]
        for turn in (4, 8):
            await connection.conversation.item.create(item={"type": "message", "role": "user", "content": words})
            await connection.response.create()
            heard = 0
            async for event in connection:
                heard += event.type == "response.output_text.delta"
                if event.type == "response.done":
                    assert event.response.usage.input_tokens == turn == heard, event
                    break
    # One session is one call, with the tokens of both its answers.
    count(4 + 8, 4 + 8)


asyncio.run(many())
asyncio.run(realtime(base_url, model))
# By the model alone, and with its provider's name in front.
asyncio.run(realtime(routed_url, model))
asyncio.run(realtime(routed_url, f"openai/{model}"))
json.dump(counted, sys.stdout)
