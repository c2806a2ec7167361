"""What is known to be wrong and is the client's own doing, or a limit that PROVIDERS.md states; by row and check.

A check is a scenario, or a scenario with `tokens` (the client's figures differ from the ledger's) or `outcome` (what the ledger says of its end). An
entry that no longer applies fails the run, so that the document never excuses what works.
"""

_UNITS = "shows `usage.tokens` of Cohere's answers, the ledger `usage.billed_units`, which is what Cohere charges for."
_UNSTATED = "Google's embeddings state no tokens, so nobody knows them."

KNOWN = {
    **{(name, "embed tokens"): _UNSTATED for name in ("google-genai", "langchain-google-genai", "@google/genai", "@ai-sdk/google")},
    ("litellm cohere_chat", "chat tokens"): f"litellm `cohere_chat/` {_UNITS}",
    ("litellm cohere_chat", "tools tokens"): f"litellm `cohere_chat/` {_UNITS}",
    ("litellm cohere_chat", "stream"): "litellm `cohere_chat/` at v2 reads each line of a stream as JSON, so it fails at the first one, which is "
    "`event: message-start`; it fails at lines with `data:` alone, too, and without Keyway as well.",
    ("@ai-sdk/cohere", "chat tokens"): f"@ai-sdk/cohere {_UNITS}",
    ("@ai-sdk/cohere", "stream tokens"): f"@ai-sdk/cohere {_UNITS}",
    ("@ai-sdk/cohere", "tools tokens"): f"@ai-sdk/cohere {_UNITS}",
    ("openai-agents, chat", "stream tokens"): "openai-agents asks for the usage of a stream of chat completions at OpenAI's own host "
    "only, and elsewhere reports 0 tokens in place of unknown.",
}
