//! One provider as data: its base URL, its auth style, its probe, its models.

use keyway_domain::VerdictKind;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{EnvNames, Price};
use crate::kinds::OPENAI_COMPATIBLE;

/// One provider, predefined or a tenant's own.
#[derive(Clone, Debug)]
pub struct ProviderSpec {
    /// The name in paths and JSON: `openai`.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// Kind, which selects the code: `openai`, `openai_compatible`.
    pub kind: &'static str,
    /// Base URL that endpoint paths are appended to, without a trailing slash.
    pub base_url: Url,
    /// `true` if it has no host of its own, so that every integration must name one.
    pub needs_base_url: bool,
    /// Path between the base URL and an OpenAI-shaped endpoint; empty if OpenAI's shape is its own.
    pub openai_path: String,
    /// Way its keys are sent.
    pub auth: AuthStyle,
    /// Public prefixes of its keys, longest first.
    pub key_prefixes: Vec<String>,
    /// `true` for a tenant's custom provider, whose host is not trusted to check keys at all.
    pub custom: bool,
    /// Request that checks a key; `None`: the kind's own.
    pub probe: Option<ProbeSpec>,
    /// Meaning of its output token count.
    pub output_tokens: OutputTokens,
    /// OpenRouter's prefix for this provider's models (`openai` in `openai/gpt-4o`); `None`: OpenRouter has none of
    /// them, or the prefix is unknown.
    pub openrouter: Option<String>,
    /// `true` if its answers state the charge: `usage.cost` in US dollars, or xAI's ticks.
    pub states_charge: bool,
    /// `true` if it accepts `stream_options.include_usage` for a streamed completion.
    pub include_usage: bool,
    /// First `api-version` in the query that accepts it, for providers with such versions.
    pub include_usage_from: Option<String>,
    /// `true` if its SDKs read an error's code as a number.
    pub numeric_error_codes: bool,
    /// Names of the environment variables that usually hold its credentials.
    pub env: EnvNames,
    /// Kinds of calls it serves.
    pub capabilities: Vec<Capability>,
    /// Models; for a custom provider those its owner named.
    pub models: Vec<Model>,
}

/// Way a key is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthStyle {
    /// `Authorization: Bearer <key>`.
    #[default]
    Bearer,
    /// `api-key: <key>`.
    ApiKey,
    /// `x-api-key: <key>`.
    XApiKey,
}

impl AuthStyle {
    /// Returns the text in the table and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::ApiKey => "api_key",
            Self::XApiKey => "x_api_key",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Bearer, Self::ApiKey, Self::XApiKey].into_iter().find(|style| style.name() == name)
    }
}

/// A kind of call that a provider serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// `/chat/completions`.
    Chat,
    /// `/completions`.
    Completions,
    /// `/embeddings`.
    Embeddings,
    /// `/messages`, in Anthropic's shape.
    Messages,
    /// Reported usage, given the right kind of key.
    Usage,
}

impl Capability {
    /// Returns the text in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::Usage => "usage",
        }
    }
}

/// Meaning of `completion_tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputTokens {
    /// All output, reasoning included.
    #[default]
    Completion,
    /// Output without reasoning: all output is `total_tokens` minus `prompt_tokens`.
    TotalMinusPrompt,
}

/// One model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Name in requests.
    pub name: String,
    /// Kind of model.
    pub mode: ModelMode,
    /// Largest input in tokens.
    pub max_input_tokens: Option<i64>,
    /// Largest output in tokens.
    pub max_output_tokens: Option<i64>,
    /// Price; `None`: unknown.
    pub price: Option<Price>,
    /// Name at OpenRouter, if it differs.
    pub openrouter: Option<String>,
}

/// Kind of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelMode {
    /// Chat and completions.
    #[default]
    Chat,
    /// Embeddings.
    Embedding,
    /// Reranking.
    Rerank,
}

impl ModelMode {
    /// Returns the text in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embedding => "embedding",
            Self::Rerank => "rerank",
        }
    }
}

/// A free request that tells a good key from a wrong one.
#[derive(Clone, Debug)]
pub struct ProbeSpec {
    /// HTTP method.
    pub method: ProbeMethod,
    /// Path, appended to the base URL.
    pub path: String,
    /// JSON pointer that only the answer to an accepted key has.
    pub proof: String,
    /// JSON pointer to the provider's own id of the key, if the answer has it.
    pub key_id: Option<String>,
    /// Answers with a known meaning; the first match counts.
    pub signals: Vec<Signal>,
}

/// The method of a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ProbeMethod {
    /// GET.
    #[default]
    #[serde(rename = "GET")]
    Get,
    /// POST with an empty body.
    #[serde(rename = "POST")]
    Post,
}

/// An answer with a known meaning.
#[derive(Clone, Debug)]
pub struct Signal {
    /// HTTP status of the answer.
    pub status: u16,
    /// Condition on the body. A status alone is never a signal.
    pub matcher: Matcher,
    /// Meaning.
    pub verdict: SignalVerdict,
    /// Sentence of ours, if the verdict's own does not say enough.
    pub reason: Option<String>,
}

impl Signal {
    /// Builds a signal: the value at a JSON pointer equals this one.
    pub(crate) fn equals(status: u16, pointer: &str, value: impl Into<Value>, verdict: SignalVerdict) -> Self {
        let matcher = Matcher::Equals(pointer.to_owned(), value.into());
        Self { status, matcher, verdict, reason: None }
    }

    /// Builds a signal: the text at a JSON pointer contains this one.
    pub(crate) fn contains(status: u16, pointer: &str, part: &str, verdict: SignalVerdict) -> Self {
        let matcher = Matcher::Contains(pointer.to_owned(), part.to_owned());
        Self { status, matcher, verdict, reason: None }
    }

    /// Adds a sentence of our own.
    pub(crate) fn because(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }
}

/// Condition on a body.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// The value at the JSON pointer equals this one. In a pointer `*` matches any element of a list.
    Equals(String, Value),
    /// The text at the JSON pointer contains this one, ignoring case.
    Contains(String, String),
    /// The whole body, of any type, contains this text, ignoring case.
    BodyContains(String),
}

/// Meaning of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalVerdict {
    /// The provider says the key is wrong.
    Invalid,
    /// The key is live, but there is no money left.
    NoCredit,
    /// The key is live, but not allowed to do everything.
    Restricted,
}

const MESSAGES: &str = "/messages";

impl From<SignalVerdict> for VerdictKind {
    fn from(verdict: SignalVerdict) -> Self {
        match verdict {
            SignalVerdict::Invalid => Self::Invalid,
            SignalVerdict::NoCredit => Self::NoCredit,
            SignalVerdict::Restricted => Self::Restricted,
        }
    }
}

impl ProviderSpec {
    /// Builds a tenant's own OpenAI-compatible provider. The URL has passed [`crate::guard::Guard::check_base_url`].
    #[must_use]
    pub fn custom(name: &str, display_name: &str, base_url: Url, auth: AuthStyle, models: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            kind: OPENAI_COMPATIBLE,
            base_url: without_slash(base_url),
            needs_base_url: false,
            openai_path: String::new(),
            auth,
            key_prefixes: Vec::new(),
            custom: true,
            probe: None,
            openrouter: None,
            states_charge: false,
            include_usage: true,
            include_usage_from: None,
            numeric_error_codes: false,
            env: EnvNames::default(),
            output_tokens: OutputTokens::Completion,
            capabilities: vec![Capability::Chat, Capability::Completions, Capability::Embeddings],
            models: models.into_iter().map(Model::unpriced).collect(),
        }
    }

    /// Returns the model of that name, or the one that `name` is a dated snapshot of.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        let named = |wanted: &str| self.models.iter().find(|model| model.name == wanted);
        named(name).or_else(|| named(without_date(name)?))
    }

    /// Returns OpenRouter's name of a listed model: `openai/gpt-4o-mini`.
    #[must_use]
    pub fn model_at_openrouter(&self, name: &str) -> Option<String> {
        let (author, model) = (self.openrouter.as_deref()?, self.model(name)?);
        Some(format!("{author}/{}", model.openrouter.as_deref().unwrap_or(name)))
    }

    /// Returns `true` if it serves this kind of call.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Returns `true` if the proxy can call it; credentials of a cloud only report its usage.
    #[must_use]
    pub fn is_callable(&self) -> bool {
        self.capabilities.iter().any(|capability| *capability != Capability::Usage)
    }

    /// Returns `true` if all endpoints of OpenAI's SDK may exist, at OpenAI's own paths.
    #[must_use]
    pub fn speaks_openai(&self) -> bool {
        let is_native = matches!(self.kind, "anthropic" | "cohere" | "gemini");
        !is_native && self.openai_path.is_empty() && self.is_callable()
    }

    /// Returns the path to append to the base URL for an endpoint by its usual name: OpenAI's (`/chat/completions`) or
    /// Anthropic's (`/messages`).
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        let is_messages = path.starts_with(MESSAGES);
        if is_messages { path.to_owned() } else { [&self.openai_path, path].concat() }
    }

    /// Returns the path to append to the base URL for a chat in the provider's own shape.
    #[must_use]
    pub fn chat_endpoint(&self) -> String {
        self.endpoint(if self.can(Capability::Messages) { MESSAGES } else { "/chat/completions" })
    }

    /// Returns scheme, host and port without a trailing slash, to which the path of `/proxy/{provider}/{path}` is
    /// appended.
    #[must_use]
    pub fn host_root(&self) -> String {
        self.base_url.origin().ascii_serialization()
    }
}

impl Model {
    /// Builds a model with nothing known but its name.
    #[must_use]
    pub const fn unpriced(name: String) -> Self {
        let (max_input_tokens, max_output_tokens) = (None, None);
        Self { name, mode: ModelMode::Chat, max_input_tokens, max_output_tokens, price: None, openrouter: None }
    }
}

/// Appends `path` to the path of `base`.
pub(crate) fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// Returns the URL without trailing slashes in its path.
pub(super) fn without_slash(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}

fn without_date(model: &str) -> Option<&str> {
    // OpenAI dates its snapshots `-2024-07-18`, Anthropic `-20240718`.
    let dated = |form: &str| {
        let (name, date) = model.split_at_checked(model.len().checked_sub(form.len())?)?;
        let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
        date.bytes().zip(form.bytes()).all(fits).then_some(name)
    };
    dated("-0000-00-00").or_else(|| dated("-00000000"))
}
