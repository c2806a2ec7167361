//! Shapes: whose error bodies a caller reads, told by the path that it calls.

/// Whose error shape a caller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    OpenAi,
    /// OpenAI's Responses API, whose streams have events of their own.
    Responses,
    Anthropic,
    Google,
    Cohere,
}

impl Shape {
    /// The shape of whoever calls `path`, at Keyway or at the provider.
    pub(crate) fn of(path: &str) -> Self {
        let (before, last) = path.rsplit_once('/').unwrap_or_default();
        if last == "messages" || (last == "count_tokens" && before.ends_with("/messages")) {
            Self::Anthropic
        } else if last.rsplit_once(':').is_some_and(|(_, verb)| is_verb(verb)) {
            Self::Google
        } else if last == "responses" || before.ends_with("/responses") {
            Self::Responses
        } else if matches!(last, "chat" | "embed" | "rerank") && (before.ends_with("/v1") || before.ends_with("/v2")) {
            Self::Cohere
        } else {
            Self::OpenAi
        }
    }

    /// The header in which its SDK looks for the id of a request.
    pub(crate) const fn request_id_header(self) -> &'static str {
        if matches!(self, Self::Anthropic) { "request-id" } else { "x-request-id" }
    }
}

/// Whether a word behind a colon is one of Google's verbs: names of OpenAI's models have colons, too.
pub(crate) fn is_verb(word: &str) -> bool {
    const VERBS: [&str; 10] = [
        "asyncBatchEmbedContent",
        "batchEmbedContents",
        "batchGenerateContent",
        "countTokens",
        "embedContent",
        "generateAnswer",
        "generateContent",
        "predict",
        "predictLongRunning",
        "streamGenerateContent",
    ];
    VERBS.contains(&word)
}
