"""Answers in OpenAI's shapes: chat completions with the differences of those who took them over, Responses, embeddings."""

import json

from scenarios import CACHED, CITY, DELTAS, EMBEDDED, INPUT, OUTPUT, REASONING, WHOLE, WRITTEN

CREATED = 1795000000


class Answer:
    """A JSON document (`body`), or the pieces of a stream and the number of those that come before its middle."""

    def __init__(self, body=None, status=200, pieces=None, middle=0, kind="text/event-stream"):
        self.body, self.status, self.pieces, self.middle, self.kind = body, status, pieces, middle, kind


def event(data, name=None):
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "") + f"data: {text}\n\n"


def answer(call):
    """The answer to a call in one of these shapes; None if it is in another one."""
    if call.path.endswith("/chat/completions"):
        return chat(call)
    if call.path.endswith("/responses") and call.method == "POST":
        return responses(call)
    if call.path.endswith("/embeddings"):
        return embeddings(call)
    return None


def embeddings(call):
    asked = call.json()
    count = len(asked["input"]) if isinstance(asked.get("input"), list) else 1
    rows = [{"object": "embedding", "index": index, "embedding": [0.25, -0.5]} for index in range(count)]
    usage = {"prompt_tokens": EMBEDDED, "total_tokens": EMBEDDED}
    return Answer({"id": "emb-1", "object": "list", "data": rows, "model": asked.get("model"), "usage": usage})


# -- chat completions --------------------------------------------------------------------------------------------------


def chat(call):
    asked = call.json()
    if call.provider == "mistral" and "stream_options" in asked:
        fault = {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted", "input": None}
        return Answer({"object": "error", "message": {"detail": [fault]}, "type": "invalid_request_error", "code": "3000"}, status=422)
    calls_tool = call.scenario == "tools" and not any(message.get("role") == "tool" for message in asked["messages"])
    if asked.get("stream"):
        return chat_stream(call.provider, asked, calls_tool)
    message = {"role": "assistant", "content": None if calls_tool else WHOLE}
    if calls_tool:
        message["tool_calls"] = [{"id": "call00001", "type": "function", "function": arguments()}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls_tool else "stop", "logprobs": None}
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": asked["model"], "choices": [choice]}
    return Answer({**whole, **extras(call.provider), "usage": chat_usage(call.provider)})


def arguments():
    return {"name": "weather", "arguments": json.dumps({"city": CITY})}


def extras(provider):
    if provider == "openrouter":
        return {"provider": "OpenAI"}
    return {"service_tier": "default"} if provider in ("openai", "groq") else {}


def chat_usage(provider):
    apart = REASONING if provider == "xai" else 0
    usage = {
        "prompt_tokens": INPUT,
        "completion_tokens": OUTPUT - apart,
        "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED},
        "completion_tokens_details": {"reasoning_tokens": REASONING},
    }
    if provider == "deepseek":
        usage.update(prompt_cache_hit_tokens=CACHED, prompt_cache_miss_tokens=INPUT - CACHED)
    if provider == "openrouter":
        usage.update(cost=0.00095, is_byok=False, cost_details={"upstream_inference_cost": None})
    if provider == "xai":
        usage.update(cost_in_usd_ticks=1234500, num_sources_used=0)
    return usage


def chat_stream(provider, asked, calls_tool):
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": asked["model"], **extras(provider)}

    def chunk(delta, finish=None, **more):
        return event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})

    pieces = [": OPENROUTER PROCESSING\n\n"] if provider == "openrouter" else []
    if calls_tool:
        called = [{"index": 0, "id": "call00001", "type": "function", "function": {**arguments(), "arguments": ""}}]
        pieces.append(chunk({"role": "assistant", "content": None, "tool_calls": called}))
        pieces.append(chunk({"tool_calls": [{"index": 0, "function": {"arguments": arguments()["arguments"]}}]}))
        if provider == "mistral":
            # It sends a call in one piece.
            pieces = [chunk({"role": "assistant", "content": "", "tool_calls": [{**called[0], "function": arguments()}]})]
    else:
        pieces += [chunk({"role": "assistant", "content": text} if text == DELTAS[0] else {"content": text}) for text in DELTAS]
    middle = len(pieces) - 1
    wanted = (asked.get("stream_options") or {}).get("include_usage")
    pieces += chat_end(provider, chunk, "tool_calls" if calls_tool else "stop", wanted)
    if provider == "openai" and wanted:
        pieces.append(event({**head, "choices": [], "usage": chat_usage(provider)}))
    return Answer(pieces=[*pieces, event("[DONE]")], middle=middle)


def chat_end(provider, chunk, finish, wanted):
    """The chunks that end the choice: where a provider states usage unasked, it stands in one of them."""
    usage = chat_usage(provider)
    if provider == "openrouter":
        return [chunk({"content": ""}, finish), chunk({"role": "assistant", "content": ""}, None, usage=usage)]
    if provider == "groq":
        shown = {"usage": usage} if wanted else {}
        return [chunk({}, finish, x_groq={"id": "req_1", "usage": usage}, **shown)]
    if provider == "openai":
        return [chunk({}, finish)]
    return [chunk({"content": ""}, finish, usage=usage)]


# -- Responses ---------------------------------------------------------------------------------------------------------


def responses(call):
    asked = call.json()
    items = asked.get("input") if isinstance(asked.get("input"), list) else []
    calls_tool = call.scenario == "tools" and not any(item.get("type") == "function_call_output" for item in items)
    output = tool_item() if calls_tool else message_item(WHOLE)
    done = response(asked, "completed", [output], responses_usage(call.provider))
    if not asked.get("stream"):
        return Answer(done)
    begun = response(asked, "in_progress", [], None)
    events = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
    events += tool_events(output) if calls_tool else message_events(output)
    events.append(("response.completed", {"response": done}))
    pieces = [event({"type": name, "sequence_number": number, **data}, name) for number, (name, data) in enumerate(events)]
    return Answer(pieces=pieces, middle=6)


def response(asked, status, output, usage):
    given = {name: asked.get(name) for name in ("model", "instructions", "metadata", "temperature", "top_p")}
    shape = {"id": "resp_1", "object": "response", "created_at": CREATED, "status": status, "output": output, "usage": usage}
    return {
        **given,
        **shape,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "metadata": asked.get("metadata") or {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "text": {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": asked.get("tools") or [],
        "truncation": "disabled",
    }


def responses_usage(provider):
    return {
        "input_tokens": INPUT,
        "input_tokens_details": {"cached_tokens": CACHED, "cache_write_tokens": WRITTEN if provider == "openai" else 0},
        "output_tokens": OUTPUT,
        "output_tokens_details": {"reasoning_tokens": REASONING},
        "total_tokens": INPUT + OUTPUT,
        **({"cost_in_usd_ticks": 1234500} if provider == "xai" else {}),
    }


def text_part(text):
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(text):
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [text_part(text)]}


def tool_item():
    return {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call00001", **arguments()}


def message_events(item):
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    started = {**item, "status": "in_progress", "content": []}
    return [
        ("response.output_item.added", {"output_index": 0, "item": started}),
        ("response.content_part.added", {**at, "part": text_part("")}),
        *(("response.output_text.delta", {**at, "delta": text, "logprobs": []}) for text in DELTAS),
        ("response.output_text.done", {**at, "text": WHOLE, "logprobs": []}),
        ("response.content_part.done", {**at, "part": text_part(WHOLE)}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
    ]


def tool_events(item):
    at = {"item_id": "fc_1", "output_index": 0}
    return [
        ("response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", "arguments": ""}}),
        ("response.function_call_arguments.delta", {**at, "delta": item["arguments"]}),
        ("response.function_call_arguments.done", {**at, "arguments": item["arguments"], "name": item["name"]}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
    ]
