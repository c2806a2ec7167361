//! What a call is for, and how its answer ended.

/// End of an answer, by its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Complete by its shape, or in a shape without a known end mark.
    Whole,
    /// Without the end mark of its shape.
    Cut,
    /// With an error of the provider.
    Failed,
}

/// Endpoint of a call, from its path: decides the shape of the answer, and the kinds of tokens it cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Completion,
    Responses,
    Messages,
    Gemini,
    CohereChat,
    Conversations,
    /// A WebSocket with many answers.
    Session,
    /// Uses input tokens only.
    Embeddings,
    /// Uses no tokens.
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
