//! Reads `models.yaml`; refuses everything it does not understand, with a sentence that names the place and the fix.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    AuthStyle, Capability, CatalogError, EnvNames, Matcher, Model, ModelMode, OutputTokens, ProbeMethod, ProbeSpec,
    ProviderSpec, Signal, SignalVerdict,
    price::{self, PriceStanza, RuleStanza, Source, ToolStanza},
    spec::without_slash,
};
use crate::kinds;

/// Returns every provider of the file.
pub(super) fn read(yaml: &str) -> Result<Vec<ProviderSpec>, CatalogError> {
    let file: File = serde_yaml_ng::from_str(yaml).map_err(|error| CatalogError::Syntax(error.to_string()))?;
    if file.providers.is_empty() {
        return Err(CatalogError::Syntax("it has no provider".to_owned()));
    }
    let mut names = HashSet::new();
    file.providers
        .into_iter()
        .map(|stanza| {
            let provider = stanza.name.clone();
            let fault = |problem| CatalogError::Provider { provider: provider.clone(), problem };
            if !names.insert(provider.clone()) {
                return Err(fault("is there twice; names are unique".to_owned()));
            }
            stanza.check().map_err(fault)
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    providers: Vec<Stanza>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stanza {
    name: String,
    display_name: String,
    kind: String,
    base_url: String,
    #[serde(default)]
    needs_base_url: bool,
    #[serde(default)]
    openai_path: String,
    #[serde(default)]
    auth: AuthStyle,
    #[serde(default)]
    key_prefixes: Vec<String>,
    #[serde(default)]
    output_tokens: OutputTokens,
    probe: Option<ProbeStanza>,
    openrouter: Option<String>,
    #[serde(default)]
    states_charge: bool,
    #[serde(default = "yes")]
    include_usage: bool,
    include_usage_from: Option<String>,
    #[serde(default)]
    numeric_error_codes: bool,
    #[serde(default)]
    env: EnvNames,
    capabilities: Option<Vec<Capability>>,
    price_source: Option<Source>,
    #[serde(default)]
    price_rules: Vec<RuleStanza>,
    #[serde(default)]
    tool_prices: Vec<ToolStanza>,
    #[serde(default)]
    models: Vec<ModelStanza>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbeStanza {
    #[serde(default)]
    method: ProbeMethod,
    path: String,
    proof: String,
    key_id: Option<String>,
    signals: Vec<SignalStanza>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalStanza {
    status: u16,
    pointer: Option<String>,
    equals: Option<Value>,
    contains: Option<String>,
    verdict: SignalVerdict,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelStanza {
    name: String,
    #[serde(default)]
    mode: ModelMode,
    max_input_tokens: Option<i64>,
    max_output_tokens: Option<i64>,
    price: Option<PriceStanza>,
    prices: Option<Vec<PriceStanza>>,
    openrouter: Option<String>,
}

impl Stanza {
    fn check(self) -> Result<ProviderSpec, String> {
        check_name(&self.name)?;
        let kind = kinds::kind_named(&self.kind)
            .ok_or_else(|| format!("kind `{}` does not exist; there are {}", self.kind, kinds::kind_names()))?;
        if kind == kinds::OPENAI_COMPATIBLE && self.probe.is_none() {
            return Err("an openai_compatible provider needs a `probe` that tells a good key from a wrong one".into());
        }
        if !self.openai_path.is_empty() && (!self.openai_path.starts_with('/') || self.openai_path.ends_with('/')) {
            return Err("`openai_path` starts with a slash and does not end with one".to_owned());
        }
        let source = self.price_source.map(price::check_source).transpose()?;
        let mut models = Vec::with_capacity(self.models.len());
        let mut names = HashSet::new();
        for model in self.models {
            if !names.insert(model.name.clone()) {
                return Err(format!("model `{}` is there twice", model.name));
            }
            models.push(model.check(source.as_ref())?);
        }
        let priced = models.iter_mut().map(|model: &mut Model| (model.name.as_str(), model.price.as_mut()));
        price::add_rules(priced, self.price_rules, self.tool_prices)?;
        let mut key_prefixes = self.key_prefixes;
        key_prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        Ok(ProviderSpec {
            base_url: check_url(&self.base_url)?,
            needs_base_url: self.needs_base_url,
            openai_path: self.openai_path,
            probe: self.probe.map(ProbeStanza::check).transpose()?,
            openrouter: self.openrouter,
            states_charge: self.states_charge,
            include_usage: self.include_usage,
            include_usage_from: self.include_usage_from,
            numeric_error_codes: self.numeric_error_codes,
            env: self.env,
            capabilities: self.capabilities.unwrap_or_else(|| default_capabilities(kind, &models)),
            name: self.name,
            display_name: self.display_name,
            kind,
            auth: self.auth,
            key_prefixes,
            custom: false,
            output_tokens: self.output_tokens,
            models,
        })
    }
}

fn default_capabilities(kind: &str, models: &[Model]) -> Vec<Capability> {
    let mut capabilities = vec![Capability::Chat];
    if kind == "openai" {
        capabilities.extend([Capability::Completions, Capability::Usage]);
    }
    if models.iter().any(|model| model.mode == ModelMode::Embedding) {
        capabilities.push(Capability::Embeddings);
    }
    capabilities
}

impl ProbeStanza {
    fn check(self) -> Result<ProbeSpec, String> {
        let is_path = |text: &str| text.starts_with('/');
        if !is_path(&self.path) || !is_path(&self.proof) || !self.key_id.as_deref().is_none_or(is_path) {
            return Err("`probe.path`, `probe.proof` and `probe.key_id` start with a slash".to_owned());
        }
        let signals = self.signals.into_iter().map(SignalStanza::check).collect::<Result<Vec<_>, _>>()?;
        if !signals.iter().any(|signal| signal.verdict == SignalVerdict::Invalid) {
            return Err("`probe.signals` names no answer that means `invalid`; wrong keys would never be found".into());
        }
        Ok(ProbeSpec { method: self.method, path: self.path, proof: self.proof, key_id: self.key_id, signals })
    }
}

impl SignalStanza {
    fn check(self) -> Result<Signal, String> {
        let matcher = match (self.pointer, self.equals, self.contains) {
            (Some(pointer), _, _) if !pointer.starts_with('/') => {
                return Err(format!("pointer `{pointer}` does not start with a slash"));
            }
            (Some(pointer), Some(value), None) => Matcher::Equals(pointer, value),
            (Some(pointer), None, Some(text)) if !text.is_empty() => Matcher::Contains(pointer, text),
            (None, None, Some(text)) if !text.is_empty() => Matcher::BodyContains(text),
            _ => {
                return Err("a signal needs `pointer` with `equals` or `contains`, or `contains` alone; \
                            a status alone says nothing about a key"
                    .to_owned());
            }
        };
        Ok(Signal { status: self.status, matcher, verdict: self.verdict, reason: self.reason })
    }
}

impl ModelStanza {
    fn check(self, source: Option<&Source>) -> Result<Model, String> {
        if self.name.is_empty() {
            return Err("a model has no name".to_owned());
        }
        let fault = |problem| format!("model `{}`: {problem}", self.name);
        let stanzas = match (self.price, self.prices) {
            (Some(_), Some(_)) => return Err(fault("it has either `price` or `prices`".to_owned())),
            (price, prices) => prices.or_else(|| price.map(|price| vec![price])),
        };
        let mode = self.mode;
        // Neither embeddings nor rerankings have output tokens.
        let price = stanzas.map(|stanzas| price::read(stanzas, mode != ModelMode::Chat, source)).transpose();
        Ok(Model {
            price: price.map_err(fault)?,
            name: self.name,
            mode,
            max_input_tokens: self.max_input_tokens,
            max_output_tokens: self.max_output_tokens,
            openrouter: self.openrouter,
        })
    }
}

const fn yes() -> bool {
    true
}

fn check_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err("a name has 1 to 64 characters of a-z, 0-9, `_` and `-`".to_owned());
    }
    Ok(())
}

fn check_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("base_url `{text}` is not a URL: {error}"))?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() || !bare {
        return Err(format!("base_url `{text}` is not an http(s) URL of host and path alone"));
    }
    Ok(without_slash(url))
}
