//! The kinds of providers that `models.yaml` may name: which code serves one. Each is served in `kinds/`.

/// Which code serves a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anthropic's API.
    Anthropic,
    /// Access keys of AWS.
    Aws,
    /// Applications of Azure.
    Azure,
    /// Cohere's API.
    Cohere,
    /// Google's AI Studio.
    Gemini,
    /// Service accounts of Google Cloud.
    GoogleCloud,
    /// OpenAI's API.
    OpenAi,
    /// OpenRouter's API.
    OpenRouter,
    /// Management keys of xAI.
    XaiManagement,
    /// Hosts of OpenAI's shape: custom providers, and every stanza that only needs data.
    OpenAiCompatible,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Anthropic,
        Self::Aws,
        Self::Azure,
        Self::Cohere,
        Self::Gemini,
        Self::GoogleCloud,
        Self::OpenAi,
        Self::OpenRouter,
        Self::XaiManagement,
        Self::OpenAiCompatible,
    ];

    /// The text in `models.yaml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Cohere => "cohere",
            Self::Gemini => "gemini",
            Self::GoogleCloud => "google_cloud",
            Self::OpenAi => "openai",
            Self::OpenRouter => "openrouter",
            Self::XaiManagement => "xai_management",
            Self::OpenAiCompatible => "openai_compatible",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
