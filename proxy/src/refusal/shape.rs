//! Shapes: whose error bodies a caller reads, told by the path that it calls.

/// Error shape that a caller reads.
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
    /// Returns the shape for callers of `path`, at Keyway or at the provider.
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

    /// Returns the header in which the shape's SDK looks for the id of a request.
    pub(crate) const fn request_id_header(self) -> &'static str {
        if matches!(self, Self::Anthropic) { "request-id" } else { "x-request-id" }
    }
}

/// Returns `true` if the word behind a colon is one of Google's verbs: names of OpenAI's models have colons, too.
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
