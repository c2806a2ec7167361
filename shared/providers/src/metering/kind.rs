//! What a call is for, and how its answer ended.

/// How an answer came to its end, as far as its own shape says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As its shape ends, or in a shape of which nobody knows how it ends.
    Whole,
    /// Without what its shape ends with.
    Cut,
    /// With an error of the provider.
    Failed,
}

/// What a call is for, by its path: what its answer looks like, and what it cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Completion,
    Responses,
    Messages,
    Gemini,
    CohereChat,
    Conversations,
    /// A WebSocket on which answers follow each other.
    Session,
    /// Input alone is used.
    Embeddings,
    /// Nothing is used.
    Counting,
    Other,
}

impl Kind {
    pub(super) fn of(path: &str) -> Self {
        let last = path.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        match last {
            "completions" => Self::Completion,
            "messages" => Self::Messages,
            "embeddings" | "embedContent" | "batchEmbedContents" | "embed" => Self::Embeddings,
            "count_tokens" | "countTokens" | "input_tokens" => Self::Counting,
            "generateContent" | "streamGenerateContent" => Self::Gemini,
            "chat" => Self::CohereChat,
            "realtime" => Self::Session,
            _ if path.contains("/responses") => Self::Responses,
            _ if path.contains("/conversations") => Self::Conversations,
            _ => Self::Other,
        }
    }
}
