//! What one provider is, as data: where it is, how its keys are sent and checked, its models.

use keyway_domain::VerdictKind;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{EnvNames, Kind, Price};

/// One provider, predefined or a tenant's own.
#[derive(Clone, Debug)]
pub struct ProviderSpec {
    /// The name in paths and JSON: `openai`.
    pub name: String,
    /// The name people read.
    pub display_name: String,
    /// Which code serves it.
    pub kind: Kind,
    /// What endpoint paths are appended to; without a slash at its end.
    pub base_url: Url,
    /// Whether it has no host of its own: every integration has to name one.
    pub needs_base_url: bool,
    /// What stands between the base URL and an OpenAI-shaped endpoint; empty where they are its own.
    pub openai_path: String,
    /// How a key is sent.
    pub auth: AuthStyle,
    /// Fixed public beginnings of its keys, longest first.
    pub key_prefixes: Vec<String>,
    /// Whether a tenant made it: then its host is not trusted to check keys at all.
    pub custom: bool,
    /// How a key is checked; `None`: the kind's own way.
    pub probe: Option<ProbeSpec>,
    /// How its output tokens are counted.
    pub output_tokens: OutputTokens,
    /// As whose OpenRouter has its models; `None`: it has none of them, or nobody said by which names.
    pub openrouter: Option<String>,
    /// Whether its answers state what it charges: `usage.cost` in US dollars, or xAI's ticks.
    pub states_charge: bool,
    /// Whether it takes `stream_options.include_usage` for the stream of a completion.
    pub include_usage: bool,
    /// First `api-version` in the query that takes it, where versions are named so.
    pub include_usage_from: Option<String>,
    /// Whether its SDKs read the code of an error as a number.
    pub numeric_error_codes: bool,
    /// Under which names its credentials stand in environments.
    pub env: EnvNames,
    /// What can be done with it.
    pub capabilities: Vec<Capability>,
    /// Its models; for a custom provider those its owner named.
    pub models: Vec<Model>,
}

/// How a key is sent.
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
    /// The text in the table and in JSON.
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

/// What can be done with a provider.
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
    /// The text in JSON.
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

/// What `completion_tokens` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputTokens {
    /// All output, reasoning included.
    #[default]
    Completion,
    /// Output without reasoning: all output is `total_tokens` less `prompt_tokens`.
    TotalMinusPrompt,
}

/// One model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name in requests.
    pub name: String,
    /// What it does.
    pub mode: ModelMode,
    /// The longest input.
    pub max_input_tokens: Option<i64>,
    /// The longest output.
    pub max_output_tokens: Option<i64>,
    /// What it costs; `None`: unknown.
    pub price: Option<Price>,
    /// Its name at OpenRouter, where that is another one.
    pub openrouter: Option<String>,
}

/// What a model does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelMode {
    /// Chat and completions.
    #[default]
    Chat,
    /// Embeddings.
    Embedding,
    /// Rerankings.
    Rerank,
}

impl ModelMode {
    /// The text in JSON.
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
    /// Its method.
    pub method: ProbeMethod,
    /// Its path, appended to the base URL.
    pub path: String,
    /// A JSON pointer that only an accepted key's answer has.
    pub proof: String,
    /// A JSON pointer to the provider's own id of the key, where the answer has it.
    pub key_id: Option<String>,
    /// Answers with a meaning of their own; the first that matches counts.
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

/// An answer with a meaning.
#[derive(Clone, Debug)]
pub struct Signal {
    /// The HTTP status it comes with.
    pub status: u16,
    /// What its body shows. A status alone is never a signal.
    pub matcher: Matcher,
    /// What it means.
    pub verdict: SignalVerdict,
    /// Our sentence for it, where the verdict's own does not say enough.
    pub reason: Option<String>,
}

impl Signal {
    /// The value at a pointer is this one.
    pub(crate) fn equals(status: u16, pointer: &str, value: impl Into<Value>, verdict: SignalVerdict) -> Self {
        let matcher = Matcher::Equals(pointer.to_owned(), value.into());
        Self { status, matcher, verdict, reason: None }
    }

    /// The text at a pointer contains this one.
    pub(crate) fn contains(status: u16, pointer: &str, part: &str, verdict: SignalVerdict) -> Self {
        let matcher = Matcher::Contains(pointer.to_owned(), part.to_owned());
        Self { status, matcher, verdict, reason: None }
    }

    /// With a sentence of our own.
    pub(crate) fn because(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }
}

/// What a body shows.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// The value at the JSON pointer equals this one. In a pointer `*` stands for any element of a list.
    Equals(String, Value),
    /// The text at the JSON pointer contains this one, whatever the case.
    Contains(String, String),
    /// The whole body, of any type, contains this text, whatever the case.
    BodyContains(String),
}

/// What a signal can mean.
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
    /// A tenant's own OpenAI-compatible provider. The URL has passed
    /// [`crate::guard::Guard::check_base_url`].
    #[must_use]
    pub fn custom(name: &str, display_name: &str, base_url: Url, auth: AuthStyle, models: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            kind: Kind::OpenAiCompatible,
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

    /// The model of that name, or the one `name` is a dated snapshot of.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        let named = |wanted: &str| self.models.iter().find(|model| model.name == wanted);
        named(name).or_else(|| named(without_date(name)?))
    }

    /// What OpenRouter calls the listed model of that name: `openai/gpt-4o-mini`.
    #[must_use]
    pub fn model_at_openrouter(&self, name: &str) -> Option<String> {
        let (author, model) = (self.openrouter.as_deref()?, self.model(name)?);
        Some(format!("{author}/{}", model.openrouter.as_deref().unwrap_or(name)))
    }

    /// Whether something can be done with it.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Whether it can be called through the proxy; the credentials of a cloud only report its usage.
    #[must_use]
    pub fn is_callable(&self) -> bool {
        self.capabilities.iter().any(|capability| *capability != Capability::Usage)
    }

    /// Whether all that OpenAI's SDK has may be there under OpenAI's own paths.
    #[must_use]
    pub fn speaks_openai(&self) -> bool {
        let is_native = matches!(self.kind, Kind::Anthropic | Kind::Cohere | Kind::Gemini);
        !is_native && self.openai_path.is_empty() && self.is_callable()
    }

    /// What is appended to the base URL for an endpoint that callers know by its usual name: those of
    /// OpenAI's shape (`/chat/completions`) and Anthropic's (`/messages`).
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        let is_messages = path.starts_with(MESSAGES);
        if is_messages { path.to_owned() } else { [&self.openai_path, path].concat() }
    }

    /// What is appended to the base URL for a chat in the provider's own shape.
    #[must_use]
    pub fn chat_endpoint(&self) -> String {
        self.endpoint(if self.can(Capability::Messages) { MESSAGES } else { "/chat/completions" })
    }

    /// Scheme, host and port, without a slash at the end: where `/proxy/{provider}/{path}` is
    /// appended to.
    #[must_use]
    pub fn host_root(&self) -> String {
        self.base_url.origin().ascii_serialization()
    }
}

impl Model {
    /// A model about which nothing but its name is known.
    #[must_use]
    pub const fn unpriced(name: String) -> Self {
        let (max_input_tokens, max_output_tokens) = (None, None);
        Self { name, mode: ModelMode::Chat, max_input_tokens, max_output_tokens, price: None, openrouter: None }
    }
}

/// `base` with `path` appended to its own path.
pub(crate) fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// The URL without the slashes its path ends with.
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
