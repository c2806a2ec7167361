//! The parts of an answer that say what it used, wherever a provider puts them: one form for all shapes. No content of
//! an answer is read.

use serde::Deserialize;

use super::{
    gemini::{Candidate, GeminiUsage},
    pick::Pick,
    usage::Usage,
};
use crate::lenient::{Count, List, Maybe, Object, Present, Text};

/// What is picked of an answer, or of one event of it, before it is parsed as an [`Answer`].
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

/// Of an answer that an event carries: OpenAI's and Cohere's `response`, Anthropic's `message`.
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
    /// Cohere's first shape calls it so.
    #[serde(default)]
    pub(super) event_type: Text,
    #[serde(default)]
    pub(super) id: Text,
    #[serde(default)]
    pub(super) status: Text,
    /// Whether it is made after the call for it was answered, to be read later.
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
    /// Where Groq puts the figures of a stream.
    #[serde(default)]
    pub(super) x_groq: Maybe<Extension>,
    /// Where Cohere puts the figures of all but its chats.
    #[serde(default)]
    pub(super) meta: Maybe<Usage>,
    #[serde(default)]
    pub(super) delta: Maybe<Delta>,
    /// The message that an event of Anthropic's begins.
    #[serde(default)]
    pub(super) message: Maybe<Box<Answer>>,
    /// The response that an event of the Responses API tells of.
    #[serde(default)]
    pub(super) response: Maybe<Box<Answer>>,
    #[serde(default)]
    pub(super) choices: Maybe<List<Choice>>,
    #[serde(default)]
    pub(super) output: Maybe<List<Item>>,
    /// Mistral's conversations call it so.
    #[serde(default)]
    pub(super) outputs: Maybe<List<Item>>,
    #[serde(default)]
    pub(super) candidates: Maybe<List<Candidate>>,
    #[serde(default, rename = "promptFeedback")]
    pub(super) prompt_feedback: Maybe<Feedback>,
    #[serde(default)]
    pub(super) predictions: Maybe<List<Prediction>>,
    /// All that Anthropic's and OpenAI's counting of tokens answers.
    #[serde(default)]
    pub(super) input_tokens: Count,
    /// All that Google's counting of tokens answers.
    #[serde(default, rename = "totalTokens")]
    pub(super) total_tokens: Count,
    /// Ollama's figures, in its own shape.
    #[serde(default)]
    pub(super) prompt_eval_count: Count,
    #[serde(default)]
    pub(super) eval_count: Count,
    /// Whether it is the last of several documents, at Ollama.
    #[serde(default)]
    pub(super) done: Maybe<bool>,
    /// The same in Cohere's first shape.
    #[serde(default)]
    pub(super) is_finished: Maybe<bool>,
    /// Of a whole answer of Cohere's, and of the last event of its first shape.
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

/// The change that an event tells of: Anthropic's, or Cohere's.
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
    /// Where Moonshot puts the figures of a stream.
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

/// A part of an answer: a text, or what a tool of the provider did for it.
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
    /// Tokens of its input.
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
