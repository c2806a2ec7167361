"""How each provider words a refusal. The status and the headers are what a client acts on; the words are what it shows."""

WORDS = {
    401: ("authentication_error", "the key is not valid (scripted)"),
    404: ("not_found_error", "the mock has no such endpoint"),
    422: ("invalid_request_error", "extra field (scripted)"),
    429: ("rate_limit_error", "too many requests (scripted)"),
    500: ("server_error", "the provider failed (scripted)"),
}
GOOGLE = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 422: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}


def refusal(provider, status):
    """Headers and body of a refusal in the provider's shape."""
    kind, message = WORDS[status]
    headers = {"retry-after": "1"} if status == 429 else {}
    if provider == "anthropic":
        kind = "api_error" if status == 500 else kind
        return headers, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"}
    if provider == "gemini":
        return headers, {"error": {"code": status, "message": message, "status": GOOGLE[status]}}
    if provider == "cohere":
        return headers, {"message": message}
    if provider == "mistral":
        return headers, {"object": "error", "message": message, "type": kind, "param": None, "code": str(status)}
    if provider == "openrouter":
        return headers, {"error": {"code": status, "message": message}}
    return headers, {"error": {"message": message, "type": kind, "param": None, "code": kind}}
