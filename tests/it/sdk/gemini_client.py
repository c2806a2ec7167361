"""Uses Keyway as an application would: Google's official SDK, told only where and with which key."""

import json
import sys

from google import genai
from google.genai import errors

base_url, api_key, model, embedding_model, counted_embedding_model = sys.argv[1:]
prompt = "one two three four five"
counted = []
embedded = []


def count(usage):
    counted.append({
        "input": usage.prompt_token_count,
        "cached": usage.cached_content_token_count or 0,
        "output": usage.candidates_token_count + usage.thoughts_token_count,
    })


def refused(call):
    try:
        call()
    except errors.ClientError as error:
        return error
    sys.exit("what should be refused was served")


# The SDK's own version of the API, and the one before it that most applications pin.
for version in ({}, {"api_version": "v1beta"}):
    client = genai.Client(api_key=api_key, http_options={"base_url": base_url, **version})

    whole = client.models.generate_content(model=model, contents=prompt)
    assert whole.text and whole.candidates[0].finish_reason == "STOP", whole
    count(whole.usage_metadata)

    chunks = list(client.models.generate_content_stream(model=model, contents=prompt))
    assert len(chunks) > 2 and "".join(chunk.text for chunk in chunks) == whole.text, chunks
    count(chunks[-1].usage_metadata)

    assert client.models.count_tokens(model=model, contents=prompt).total_tokens == 5

    vectors = client.models.embed_content(model=embedding_model, contents=["six seven", "eight"])
    assert len(vectors.embeddings) == 2 and vectors.embeddings[0].values, vectors
    assert vectors.usage_metadata is None, "nobody counted"
    vectors = client.models.embed_content(model=counted_embedding_model, contents="nine ten eleven")
    embedded.append(vectors.usage_metadata.prompt_token_count)

    # More models than a page has, so that the SDK follows the pages through Keyway.
    names = [found.name for found in client.models.list(config={"page_size": 1})]
    assert f"models/{model}" in names and len(names) > 1, names
    assert client.models.get(model=model).name == f"models/{model}"

    missing = refused(lambda: client.models.generate_content(model="this-model-does-not-exist", contents=prompt))
    assert (missing.code, missing.status) == (404, "NOT_FOUND"), missing

    stranger = genai.Client(api_key="kw_live_wrong", http_options={"base_url": base_url, **version})
    unknown = refused(lambda: stranger.models.generate_content(model=model, contents=prompt))
    assert (unknown.code, unknown.status) == (401, "UNAUTHENTICATED"), unknown

json.dump({"chat": counted, "embedded": embedded}, sys.stdout)
