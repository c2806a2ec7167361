"""The clients, a row of the document each: where it is pointed, what it has to be told, and what it is asked to do.

A client is one way of calling: an SDK with two APIs has two rows. `base` is what stands behind Keyway's own address.
"""

from dataclasses import dataclass

from scenarios import ALL, BROKEN, REFUSED

NO_EMBEDDINGS = tuple(name for name in ALL if name != "embed")

GPT, SMALL_EMBEDDING = "gpt-5.4-mini", "text-embedding-3-small"
CLAUDE, GEMINI, GEMINI_EMBEDDING = "claude-haiku-4-5", "gemini-2.5-flash", "gemini-embedding-001"
MISTRAL, MISTRAL_EMBEDDING = "mistral-small-latest", "mistral-embed"
COMMAND, COHERE_EMBEDDING = "command-a-03-2025", "embed-v4.0"
GROQ, GROK, DEEPSEEK, OPENROUTER, ACME = "openai/gpt-oss-20b", "grok-4.5", "deepseek-v4-flash", "openai/gpt-5.4-mini", "acme-1"


@dataclass(frozen=True)
class Row:
    """One client."""

    name: str
    # The package whose version is shown, and where its version is pinned: a requirements file, or package.json.
    package: str
    pinned: str
    program: str
    client: str
    base: str
    model: str
    embedding_model: str = "-"
    does: tuple = NO_EMBEDDINGS
    told: str = ""


def python(name, package, pinned, client, base, model, embedding_model=None, told="", does=None):
    program = PROGRAMS.get(pinned, f"{pinned}_sdk")
    does = does or (ALL if embedding_model else NO_EMBEDDINGS)
    return Row(name, package, pinned, f"python/{program}.py", client, base, model, embedding_model or "-", does, told)


def javascript(name, package, program, client, base, model, embedding_model=None, told=""):
    does = ALL if embedding_model else NO_EMBEDDINGS
    return Row(name, package, "js", f"js/{program}.mjs", client, base, model, embedding_model or "-", does, told)


def command_line(name, package, program, base, model, told, does):
    return Row(name, package, "js", f"python/{program}.py", program, base, model, "-", does, told)


# The programs that are not called like their requirements.
PROGRAMS = {"groq": "openai_like_sdk", "together": "openai_like_sdk", "google_genai": "google_sdk", "mistralai": "mistral_sdk"}
NO_TOOLS = tuple(name for name in NO_EMBEDDINGS if name != "tools")
V1, OPENAI, GOOGLE = "/v1", "/proxy/openai/v1", "/proxy/gemini"
ASKS_USAGE = "usage of streams: `include_usage`"
INCLUDE = "usage of streams only with `includeUsage`"
FEWER = "`maxRetries: 2` (default 6)"

PYTHON = [
    python("openai", "openai", "openai", "chat", V1, GPT, SMALL_EMBEDDING, ASKS_USAGE),
    python("openai, usage not asked for", "openai", "openai", "plain", V1, GPT, does=("chat", "stream", *BROKEN)),
    python("openai, Responses", "openai", "openai", "responses", V1, GPT),
    python("openai, one provider", "openai", "openai", "chat", OPENAI, GPT, SMALL_EMBEDDING, ASKS_USAGE),
    python("openai, Responses, one provider", "openai", "openai", "responses", OPENAI, GPT),
    python("openai, a host of one's own", "openai", "openai", "chat", V1, ACME, ACME),
    python("anthropic", "anthropic", "anthropic", "messages", "", CLAUDE),
    python("anthropic, one provider", "anthropic", "anthropic", "messages", "/proxy/anthropic", CLAUDE),
    python("google-genai", "google-genai", "google_genai", "generate", GOOGLE, GEMINI, GEMINI_EMBEDDING, "`http_options.base_url`"),
    python("mistralai", "mistralai", "mistralai", "chat", "/proxy/mistral", MISTRAL, MISTRAL_EMBEDDING, "`server_url`"),
    python("cohere v2", "cohere", "cohere", "v2", "/proxy/cohere", COMMAND, COHERE_EMBEDDING),
    python("cohere v1", "cohere", "cohere", "v1", "/proxy/cohere", COMMAND, does=("chat", "stream", *REFUSED, *BROKEN)),
    python("groq", "groq", "groq", "groq", "/proxy/groq", GROQ),
    python("together", "together", "together", "together", "", ACME, ACME, "a custom provider"),
    python("litellm openai", "litellm", "litellm", "completion", V1, f"openai/{GPT}", f"openai/{SMALL_EMBEDDING}"),
    python("litellm anthropic", "litellm", "litellm", "completion", "", f"anthropic/{CLAUDE}"),
    python("litellm gemini", "litellm", "litellm", "completion", "/proxy/gemini/v1beta", f"gemini/{GEMINI}", told="`v1beta` in the base URL"),
    python("litellm mistral", "litellm", "litellm", "completion", "/proxy/mistral/v1", f"mistral/{MISTRAL}", f"mistral/{MISTRAL_EMBEDDING}"),
    python("litellm groq", "litellm", "litellm", "completion", "/proxy/groq/openai/v1", f"groq/{GROQ}"),
    python("litellm openrouter", "litellm", "litellm", "completion", "/proxy/openrouter/api/v1", f"openrouter/{OPENROUTER}"),
    python("litellm cohere_chat", "litellm", "litellm", "completion", "/proxy/cohere/v2/chat", f"cohere_chat/{COMMAND}", told="the whole path"),
    python("litellm deepseek", "litellm", "litellm", "completion", "/proxy/deepseek", f"deepseek/{DEEPSEEK}"),
    python("litellm xai", "litellm", "litellm", "completion", "/proxy/xai/v1", f"xai/{GROK}"),
    python("langchain-openai", "langchain-openai", "langchain", "openai", V1, GPT, SMALL_EMBEDDING, "embeddings: `check_embedding_ctx_length=False`"),
    python("langchain-openai, Responses", "langchain-openai", "langchain", "responses", V1, GPT, told="`use_responses_api`"),
    python("langchain-anthropic", "langchain-anthropic", "langchain", "anthropic", "", CLAUDE),
    python(
        "langchain-google-genai", "langchain-google-genai", "langchain", "google", GOOGLE, GEMINI, GEMINI_EMBEDDING, "`max_retries=2` (default 6)"
    ),
    python("llama-index-llms-openai", "llama-index-llms-openai", "llama_index", "chat", V1, GPT, told="model names without a provider"),
    python("pydantic-ai, chat", "pydantic-ai-slim", "pydantic_ai", "chat", V1, GPT, told="`OpenAIChatModel`"),
    python("pydantic-ai, Responses", "pydantic-ai-slim", "pydantic_ai", "responses", V1, GPT),
    python("pydantic-ai, anthropic", "pydantic-ai-slim", "pydantic_ai", "anthropic", "", CLAUDE),
    python("pydantic-ai, google", "pydantic-ai-slim", "pydantic_ai", "google", GOOGLE, GEMINI),
    python("openai-agents", "openai-agents", "openai_agents", "responses", V1, GPT),
    python("openai-agents, chat", "openai-agents", "openai_agents", "chat", V1, GPT, told="`OpenAIChatCompletionsModel`"),
    python("instructor", "instructor", "instructor", "typed", V1, GPT, does=("tools", "refused", "failing")),
]

JAVASCRIPT = [
    javascript("openai (npm)", "openai", "openai_sdk", "chat", V1, GPT, SMALL_EMBEDDING, ASKS_USAGE),
    javascript("openai (npm), Responses", "openai", "openai_sdk", "responses", V1, GPT),
    javascript("openai (npm), Responses, one provider", "openai", "openai_sdk", "responses", OPENAI, GPT),
    javascript("@anthropic-ai/sdk", "@anthropic-ai/sdk", "anthropic_sdk", "messages", "", CLAUDE),
    javascript("@google/genai", "@google/genai", "google_sdk", "generate", GOOGLE, GEMINI, GEMINI_EMBEDDING, "`httpOptions.baseUrl`"),
    javascript("@mistralai/mistralai", "@mistralai/mistralai", "mistral_sdk", "chat", "/proxy/mistral", MISTRAL, MISTRAL_EMBEDDING, "`serverURL`"),
    javascript("cohere-ai", "cohere-ai", "cohere_sdk", "v2", "/proxy/cohere", COMMAND, COHERE_EMBEDDING, "`environment`"),
    javascript("groq-sdk", "groq-sdk", "openai_like_sdk", "groq", "/proxy/groq", GROQ),
    javascript("together-ai", "together-ai", "openai_like_sdk", "together", V1, ACME, ACME, "a custom provider"),
    javascript("@ai-sdk/openai", "@ai-sdk/openai", "ai_sdk", "openai", V1, GPT, SMALL_EMBEDDING),
    javascript("@ai-sdk/openai, .chat", "@ai-sdk/openai", "ai_sdk", "openai-chat", V1, GPT, told="`openai.chat(...)`"),
    javascript("@ai-sdk/openai-compatible", "@ai-sdk/openai-compatible", "ai_sdk", "compatible", V1, GPT, SMALL_EMBEDDING, INCLUDE),
    javascript("@ai-sdk/anthropic", "@ai-sdk/anthropic", "ai_sdk", "anthropic", V1, CLAUDE, told="`/v1` in the base URL"),
    javascript("@ai-sdk/google", "@ai-sdk/google", "ai_sdk", "google", "/proxy/gemini/v1beta", GEMINI, GEMINI_EMBEDDING),
    javascript("@ai-sdk/mistral", "@ai-sdk/mistral", "ai_sdk", "mistral", "/proxy/mistral/v1", MISTRAL, MISTRAL_EMBEDDING),
    javascript("@ai-sdk/groq", "@ai-sdk/groq", "ai_sdk", "groq", "/proxy/groq/openai/v1", GROQ),
    javascript("@ai-sdk/cohere", "@ai-sdk/cohere", "ai_sdk", "cohere", "/proxy/cohere/v2", COMMAND, COHERE_EMBEDDING),
    javascript("@ai-sdk/xai", "@ai-sdk/xai", "ai_sdk", "xai", "/proxy/xai/v1", GROK, told="Responses only"),
    javascript("@ai-sdk/deepseek", "@ai-sdk/deepseek", "ai_sdk", "deepseek", "/proxy/deepseek", DEEPSEEK),
    javascript("@openrouter/ai-sdk-provider", "@openrouter/ai-sdk-provider", "ai_sdk", "openrouter", "/proxy/openrouter/api/v1", OPENROUTER),
    javascript("@langchain/openai", "@langchain/openai", "langchain_sdk", "chat", V1, GPT, SMALL_EMBEDDING, f"`configuration.baseURL`; {FEWER}"),
    javascript("@langchain/openai, Responses", "@langchain/openai", "langchain_sdk", "responses", V1, GPT, told=f"`useResponsesApi`; {FEWER}"),
    javascript("@openai/agents", "@openai/agents", "openai_agents_sdk", "responses", V1, GPT),
    javascript("@openai/agents, chat", "@openai/agents", "openai_agents_sdk", "chat", V1, GPT, told="`OpenAIChatCompletionsModel`"),
]

TOOLS = [
    command_line("Claude Code", "@anthropic-ai/claude-code", "claude_code", "", CLAUDE, "`ANTHROPIC_BASE_URL`, `ANTHROPIC_API_KEY`", NO_EMBEDDINGS),
    command_line("Codex", "@openai/codex", "codex", V1, GPT, 'a `model_providers` entry with `wire_api = "responses"`', NO_TOOLS),
]

GROUPS = {"Python": PYTHON, "JavaScript": JAVASCRIPT, "Command lines": TOOLS}
