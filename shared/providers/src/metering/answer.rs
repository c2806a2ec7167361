//! The fields of an answer that hold its figures, for every provider: one struct for all shapes. No content of an
//! answer is read.

use serde::Deserialize;

use super::{
    gemini::{Candidate, GeminiUsage},
    pick::Pick,
    usage::Usage,
};
use crate::lenient::{Count, List, Maybe, Object, Present, Text};

/// Fields picked from an answer, or from one event of it, before they are parsed as an [`Answer`].
pub(super) const PICKED: &[(&str, Pick)] = &[
    ("type", Pick::Whole),
    ("event_type", Pick::Whole),
    ("id", Pick::Whole),
    ("status", Pick::Whole),
    ("background", Pick::Whole),
    ("model", Pick::Whole),
    ("modelVersion", Pick::Whole),
    ("service_tier", Pick::Whole),
    ("usage", Pick::Whole),
    ("usageMetadata", Pick::Whole),
    ("x_groq", Pick::Fields(&[("usage", Pick::Whole)])),
    ("meta", Pick::Fields(&[("billed_units", Pick::Whole)])),
    ("delta", Pick::Fields(&[("usage", Pick::Whole), ("stop_reason", Pick::Whole), ("finish_reason", Pick::Whole)])),
    ("message", Pick::Fields(INNER)),
    ("response", Pick::Fields(INNER)),
    ("choices", Pick::Fields(CHOICE)),
    ("output", Pick::Fields(ITEM)),
    ("outputs", Pick::Fields(ITEM)),
    ("candidates", Pick::Fields(CANDIDATE)),
    ("promptFeedback", Pick::Fields(&[("blockReason", Pick::Whole)])),
    ("predictions", Pick::Fields(PREDICTION)),
    ("input_tokens", Pick::Whole),
    ("totalTokens", Pick::Whole),
    ("prompt_eval_count", Pick::Whole),
    ("eval_count", Pick::Whole),
    ("done", Pick::Whole),
    ("is_finished", Pick::Whole),
    ("finish_reason", Pick::Whole),
    ("error", Pick::Presence),
];

/// Fields picked from an answer inside an event: OpenAI's and Cohere's `response`, Anthropic's `message`.
const INNER: &[(&str, Pick)] = &[
    ("id", Pick::Whole),
    ("status", Pick::Whole),
    ("background", Pick::Whole),
    ("model", Pick::Whole),
    ("service_tier", Pick::Whole),
    ("usage", Pick::Whole),
    ("meta", Pick::Fields(&[("billed_units", Pick::Whole)])),
    ("output", Pick::Fields(ITEM)),
];
const CHOICE: &[(&str, Pick)] = &[
    ("usage", Pick::Whole),
    ("finish_reason", Pick::Whole),
    ("message", Pick::Fields(&[("executed_tools", Pick::Fields(&[("type", Pick::Whole)]))])),
];
const ITEM: &[(&str, Pick)] =
    &[("type", Pick::Whole), ("model", Pick::Whole), ("action", Pick::Fields(&[("type", Pick::Whole)]))];
const CANDIDATE: &[(&str, Pick)] = &[
    ("finishReason", Pick::Whole),
    (
        "groundingMetadata",
        Pick::Fields(&[
            ("webSearchQueries", Pick::Whole),
            ("groundingChunks", Pick::Fields(&[("maps", Pick::Presence)])),
        ]),
    ),
];
const PREDICTION: &[(&str, Pick)] = &[(
    "embeddings",
    Pick::Fields(&[("statistics", Pick::Fields(&[("token_count", Pick::Whole), ("tokenCount", Pick::Whole)]))]),
)];

/// An answer, or one event of it.
#[derive(Default, Deserialize)]
pub(super) struct Answer {
    #[serde(default, rename = "type")]
    pub(super) kind: Text,
    /// `type` in Cohere's first shape.
    #[serde(default)]
    pub(super) event_type: Text,
    #[serde(default)]
    pub(super) id: Text,
    #[serde(default)]
    pub(super) status: Text,
    /// `true` if the answer is made in the background, to be read later.
    #[serde(default)]
    pub(super) background: Maybe<bool>,
    #[serde(default)]
    pub(super) model: Text,
    #[serde(default, rename = "modelVersion")]
    pub(super) model_version: Text,
    #[serde(default)]
    pub(super) service_tier: Text,
    #[serde(default)]
    pub(super) usage: Maybe<Usage>,
    #[serde(default, rename = "usageMetadata")]
    pub(super) usage_metadata: Maybe<GeminiUsage>,
    /// Figures of a stream at Groq.
    #[serde(default)]
    pub(super) x_groq: Maybe<Extension>,
    /// Cohere's figures, except those of chats.
    #[serde(default)]
    pub(super) meta: Maybe<Usage>,
    #[serde(default)]
    pub(super) delta: Maybe<Delta>,
    /// Message that an event of Anthropic's begins.
    #[serde(default)]
    pub(super) message: Maybe<Box<Answer>>,
    /// Response in an event of the Responses API.
    #[serde(default)]
    pub(super) response: Maybe<Box<Answer>>,
    #[serde(default)]
    pub(super) choices: Maybe<List<Choice>>,
    #[serde(default)]
    pub(super) output: Maybe<List<Item>>,
    /// `output` in Mistral's conversations.
    #[serde(default)]
    pub(super) outputs: Maybe<List<Item>>,
    #[serde(default)]
    pub(super) candidates: Maybe<List<Candidate>>,
    #[serde(default, rename = "promptFeedback")]
    pub(super) prompt_feedback: Maybe<Feedback>,
    #[serde(default)]
    pub(super) predictions: Maybe<List<Prediction>>,
    /// The whole answer of Anthropic's and OpenAI's token counting.
    #[serde(default)]
    pub(super) input_tokens: Count,
    /// The whole answer of Google's token counting.
    #[serde(default, rename = "totalTokens")]
    pub(super) total_tokens: Count,
    /// Input tokens in Ollama's own shape.
    #[serde(default)]
    pub(super) prompt_eval_count: Count,
    #[serde(default)]
    pub(super) eval_count: Count,
    /// `true` on the last of several documents, at Ollama.
    #[serde(default)]
    pub(super) done: Maybe<bool>,
    /// `true` on the last event of Cohere's first shape.
    #[serde(default)]
    pub(super) is_finished: Maybe<bool>,
    /// Finish reason of a whole answer of Cohere's, and of the last event of its first shape.
    #[serde(default)]
    pub(super) finish_reason: Text,
    #[serde(default)]
    pub(super) error: Maybe<Present>,
}

#[derive(Default, Deserialize)]
pub(super) struct Extension {
    #[serde(default)]
    pub(super) usage: Maybe<Usage>,
}

/// The delta of an event, of Anthropic's or Cohere's.
#[derive(Default, Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub(super) usage: Maybe<Usage>,
    #[serde(default)]
    pub(super) stop_reason: Text,
    #[serde(default)]
    pub(super) finish_reason: Text,
}

#[derive(Default, Deserialize)]
pub(super) struct Choice {
    /// Figures of a stream at Moonshot.
    #[serde(default)]
    pub(super) usage: Maybe<Usage>,
    #[serde(default)]
    pub(super) finish_reason: Text,
    #[serde(default)]
    pub(super) message: Maybe<ChoiceMessage>,
}

#[derive(Default, Deserialize)]
pub(super) struct ChoiceMessage {
    /// Tools that Groq ran for its answer.
    #[serde(default)]
    pub(super) executed_tools: Maybe<List<Item>>,
}

/// A part of an answer: a text, or the use of a provider's tool.
#[derive(Default, Deserialize)]
pub(super) struct Item {
    #[serde(default, rename = "type")]
    pub(super) kind: Text,
    #[serde(default)]
    pub(super) model: Text,
    #[serde(default)]
    pub(super) action: Maybe<Action>,
}

#[derive(Default, Deserialize)]
pub(super) struct Action {
    #[serde(default, rename = "type")]
    pub(super) kind: Text,
}

#[derive(Default, Deserialize)]
pub(super) struct Feedback {
    #[serde(default, rename = "blockReason")]
    pub(super) block_reason: Text,
}

/// One embedding in Vertex AI's shape.
#[derive(Default, Deserialize)]
pub(super) struct Prediction {
    #[serde(default)]
    embeddings: Maybe<Embedding>,
}

#[derive(Default, Deserialize)]
struct Embedding {
    #[serde(default)]
    statistics: Maybe<Statistics>,
}

#[derive(Default, Deserialize)]
struct Statistics {
    #[serde(default)]
    token_count: Count,
    #[serde(default, rename = "tokenCount")]
    camel_token_count: Count,
}

impl Prediction {
    /// Returns the tokens of its input.
    pub(super) fn tokens(&self) -> Option<i64> {
        let statistics = self.embeddings.0.as_ref()?.statistics.0.as_ref()?;
        statistics.token_count.0.or(statistics.camel_token_count.0)
    }
}

impl Object for Answer {}
impl Object for Box<Answer> {}
impl Object for Extension {}
impl Object for Delta {}
impl Object for Choice {}
impl Object for ChoiceMessage {}
impl Object for Item {}
impl Object for Action {}
impl Object for Feedback {}
impl Object for Prediction {}
impl Object for Embedding {}
impl Object for Statistics {}
