//! Reads `models.yaml` and refuses, with a sentence that helps, everything it does not understand.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use url::Url;

use super::{
    AuthStyle, Capability, CatalogError, EnvNames, Matcher, Model, ModelMode, OutputTokens, Price, ProbeMethod,
    ProbeSpec, ProviderSpec, Rates, Signal, SignalVerdict, Tier, spec::without_slash,
};
use crate::{decimal, kinds};

/// Every provider of the file.
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
    openrouter: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceStanza {
    input: Option<Dollars>,
    cached_input: Option<Dollars>,
    cache_write: Option<Dollars>,
    cache_write_1h: Option<Dollars>,
    output: Option<Dollars>,
    audio_input: Option<Dollars>,
    audio_output: Option<Dollars>,
    web_search: Option<Dollars>,
    per_request: Option<Dollars>,
    #[serde(default)]
    long_context: Vec<TierStanza>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierStanza {
    above_input_tokens: i64,
    input: Option<Dollars>,
    cached_input: Option<Dollars>,
    cache_write: Option<Dollars>,
    cache_write_1h: Option<Dollars>,
    output: Option<Dollars>,
    audio_input: Option<Dollars>,
    audio_output: Option<Dollars>,
}

/// A thousand dollars: nothing costs more, neither a million tokens nor a thousand searches.
const MOST_NANO_USD: i64 = 1_000_000_000_000;

/// Dollars as decimal text, held as nano-USD. YAML hands an unquoted number over as it is written.
#[derive(Clone, Copy)]
struct Dollars(i64);

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORM: &str = "a price is US dollars in quotes, like \"0.15\", with at most 9 decimals";
        let text = String::deserialize(deserializer).map_err(|error| D::Error::custom(format!("{FORM} ({error})")))?;
        let nano_usd =
            decimal::exact_nano_usd(&text).ok_or_else(|| D::Error::custom(format!("{FORM}, not \"{text}\"")))?;
        if nano_usd > MOST_NANO_USD {
            return Err(D::Error::custom(format!("a price of ${text} is a slip; most are for a million tokens")));
        }
        Ok(Self(nano_usd))
    }
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
        let mut models = Vec::with_capacity(self.models.len());
        let mut names = HashSet::new();
        for model in self.models {
            if !names.insert(model.name.clone()) {
                return Err(format!("model `{}` is there twice", model.name));
            }
            models.push(model.check()?);
        }
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
    fn check(self) -> Result<Model, String> {
        if self.name.is_empty() {
            return Err("a model has no name".to_owned());
        }
        let mode = self.mode;
        let price = self.price.map(|price| price.check(mode)).transpose();
        Ok(Model {
            price: price.map_err(|problem| format!("model `{}`: {problem}", self.name))?,
            name: self.name,
            mode,
            max_input_tokens: self.max_input_tokens,
            max_output_tokens: self.max_output_tokens,
            openrouter: self.openrouter,
        })
    }
}

impl PriceStanza {
    fn check(self, mode: ModelMode) -> Result<Price, String> {
        let ascending = self.long_context.windows(2).all(|pair| match pair {
            [first, second] => first.above_input_tokens < second.above_input_tokens,
            _ => true,
        });
        if !ascending {
            return Err("`long_context` is not in ascending order of `above_input_tokens`".to_owned());
        }
        if self.cached_input.zip(self.input).is_some_and(|(cached, input)| cached.0 > input.0) {
            return Err("`cached_input` costs more than `input`".to_owned());
        }
        // Embeddings have no output tokens, so their price is known: nothing.
        let output = nano_usd(self.output).or((mode == ModelMode::Embedding).then_some(0));
        Ok(Price {
            rates: Rates {
                input: nano_usd(self.input),
                cached_input: nano_usd(self.cached_input),
                cache_write: nano_usd(self.cache_write),
                cache_write_1h: nano_usd(self.cache_write_1h),
                output,
                audio_input: nano_usd(self.audio_input),
                audio_output: nano_usd(self.audio_output),
            },
            long_context: self.long_context.into_iter().map(TierStanza::tier).collect(),
            web_search: nano_usd(self.web_search),
            per_request: nano_usd(self.per_request),
        })
    }
}

impl TierStanza {
    fn tier(self) -> Tier {
        Tier {
            above_input_tokens: self.above_input_tokens,
            rates: Rates {
                input: nano_usd(self.input),
                cached_input: nano_usd(self.cached_input),
                cache_write: nano_usd(self.cache_write),
                cache_write_1h: nano_usd(self.cache_write_1h),
                output: nano_usd(self.output),
                audio_input: nano_usd(self.audio_input),
                audio_output: nano_usd(self.audio_output),
            },
        }
    }
}

fn nano_usd(dollars: Option<Dollars>) -> Option<i64> {
    dollars.map(|dollars| dollars.0)
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
