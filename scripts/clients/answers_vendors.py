"""Answers in the shapes of Anthropic, Google and Cohere."""

import json

from answers_openai import Answer, event
from scenarios import CACHED, CITY, DELTAS, EMBEDDED, INPUT, OUTPUT, REASONING, WHOLE, WRITTEN


def answer(call):
    """The answer to a call in one of these shapes; None if it is in another one."""
    if call.path.endswith("/messages"):
        return messages(call)
    if call.path.endswith("/messages/count_tokens"):
        return Answer({"input_tokens": INPUT})
    if call.provider == "gemini":
        return gemini(call)
    if call.provider == "cohere":
        return cohere(call)
    return None


def has_part(asked, *path_and_type):
    """Whether one of the messages holds a part that says so; for the results of tools."""
    messages_at, parts_at, wanted = path_and_type
    for message in asked.get(messages_at) or []:
        parts = message.get(parts_at)
        if any(wanted(part) for part in (parts if isinstance(parts, list) else [])):
            return True
    return False


# -- Anthropic ---------------------------------------------------------------------------------------------------------


def messages(call):
    asked = call.json()
    answered = has_part(asked, "messages", "content", lambda part: part.get("type") == "tool_result")
    calls_tool = call.scenario == "tools" and not answered
    tool = (asked.get("tools") or [{}])[0].get("name", "weather")
    if calls_tool and any(one.get("name") == "Bash" for one in asked.get("tools") or []):
        # An agent on a command line brings tools of its own.
        tool = "Bash"
    given = {"command": "echo weather", "description": "Say the weather"} if tool == "Bash" else {"city": CITY}
    block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": given} if calls_tool else {"type": "text", "text": WHOLE}
    reason = "tool_use" if calls_tool else "end_turn"
    usage = {"input_tokens": INPUT - CACHED - WRITTEN, "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": WRITTEN}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked.get("model")}
    if not asked.get("stream"):
        end = {"stop_reason": reason, "stop_sequence": None, "usage": {**usage, "output_tokens": OUTPUT}}
        return Answer({**message, "content": [block], **end})
    started = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}
    parts = [{"type": "text_delta", "text": text} for text in DELTAS]
    if calls_tool:
        parts = [{"type": "input_json_delta", "partial_json": text} for text in ("", json.dumps(given))]
    empty = {**block, "input": {}} if calls_tool else {"type": "text", "text": ""}
    events = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": part} for part in parts),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {**usage, "output_tokens": OUTPUT}},
        {"type": "message_stop"},
    ]
    return Answer(pieces=[event(data, data["type"]) for data in events], middle=5)


# -- Google ------------------------------------------------------------------------------------------------------------


def gemini(call):
    asked, verb = call.json(), call.path.rpartition(":")[2]
    if verb == "embedContent":
        return Answer({"embedding": {"values": [0.25, -0.5]}})
    if verb == "batchEmbedContents":
        return Answer({"embeddings": [{"values": [0.25, -0.5]} for _ in asked.get("requests") or [None]]})
    if verb not in ("generateContent", "streamGenerateContent"):
        return None
    answered = has_part(asked, "contents", "parts", lambda part: "functionResponse" in part)
    calls_tool = call.scenario == "tools" and not answered
    model = call.path.split("/models/")[1].split(":")[0]
    usage = {
        "promptTokenCount": INPUT,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": OUTPUT - REASONING,
        "thoughtsTokenCount": REASONING,
        "totalTokenCount": INPUT + OUTPUT,
    }

    def piece(part, **end):
        candidate = {"content": {"role": "model", "parts": [part]}, "index": 0, **end}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "resp-1"}

    called = {"functionCall": {"name": "weather", "args": {"city": CITY}}}
    if verb == "generateContent":
        return Answer(piece(called if calls_tool else {"text": WHOLE}, finishReason="STOP"))
    parts = [called] if calls_tool else [{"text": text} for text in DELTAS]
    pieces = [event(piece(part)) for part in parts[:-1]] + [event(piece(parts[-1], finishReason="STOP"))]
    return Answer(pieces=pieces, middle=len(pieces) - 1)


# -- Cohere ------------------------------------------------------------------------------------------------------------


def cohere(call):
    asked = call.json()
    if call.path.endswith("/embed"):
        vectors = [[0.25, -0.5] for _ in asked.get("texts") or asked.get("inputs") or [None]]
        meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": EMBEDDED}}
        # Litellm asks v2 without naming a type and reads what v1 gives.
        shape = {"float": vectors} if asked.get("embedding_types") else vectors
        kind = "embeddings_by_type" if asked.get("embedding_types") else "embeddings_floats"
        return Answer({"id": "emb-1", "response_type": kind, "embeddings": shape, "texts": asked.get("texts") or [], "meta": meta})
    if call.path.endswith("/v2/chat"):
        return cohere_chat(call, asked)
    return cohere_v1(asked) if call.path.endswith("/v1/chat") else None


def cohere_usage():
    # What is billed is less than what the model saw; the first counts.
    return {"billed_units": {"input_tokens": INPUT, "output_tokens": OUTPUT}, "tokens": {"input_tokens": INPUT + 70, "output_tokens": OUTPUT}}


def cohere_chat(call, asked):
    calls_tool = call.scenario == "tools" and not any(message.get("role") == "tool" for message in asked["messages"])
    function = {"name": "weather", "arguments": json.dumps({"city": CITY})}
    tool = {"id": "weather_1", "type": "function", "function": function}
    end = {"finish_reason": "TOOL_CALL" if calls_tool else "COMPLETE", "usage": cohere_usage()}
    if not asked.get("stream"):
        message = {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [tool]} if calls_tool else None
        message = message or {"role": "assistant", "content": [{"type": "text", "text": WHOLE}]}
        return Answer({"id": "c-1", "message": message, **end})
    opening = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    events = [{"type": "message-start", "id": "c-1", "delta": {"message": opening}}]
    if calls_tool:
        empty = {**tool, "function": {**function, "arguments": ""}}
        events += [
            {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": empty}}},
            {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": {"arguments": function["arguments"]}}}}},
            {"type": "tool-call-end", "index": 0},
        ]
    else:
        events.append({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}})
        events += [{"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}} for text in DELTAS]
        events.append({"type": "content-end", "index": 0})
    events.append({"type": "message-end", "delta": end})
    return Answer(pieces=[event(data, data["type"]) for data in events], middle=4)


def cohere_v1(asked):
    whole = {"text": WHOLE, "generation_id": "g-1", "response_id": "r-1", "finish_reason": "COMPLETE", "meta": cohere_usage()}
    if not asked.get("stream"):
        return Answer(whole)
    lines = [{"event_type": "stream-start", "is_finished": False, "generation_id": "g-1"}]
    lines += [{"event_type": "text-generation", "is_finished": False, "text": text} for text in DELTAS]
    lines.append({"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE", "response": whole})
    return Answer(pieces=[json.dumps(line) + "\n" for line in lines], middle=3, kind="application/stream+json")
