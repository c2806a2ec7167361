//! Settings of what serves applications.
//!
//! A setting is a line here and one in `.env.example`.

use std::time::Duration;

use keyway_vault::ProviderSecret;

use crate::{
    ConfigError, Setting,
    setting::setting,
    values::{Values, invalid},
};

pub(crate) const FALLBACK_KEY: Setting = setting(
    "KEYWAY_FALLBACK_OPENROUTER_KEY",
    "",
    "OpenRouter key of the operator, for projects that consent to it and calls that no integration serves",
);
const FIRST_BYTE: Setting = setting(
    "KEYWAY_FIRST_BYTE_SECONDS",
    "1800",
    "how long providers may take to begin the answer to a proxied request, all attempts together",
);
const CORS_ORIGINS: Setting = setting(
    "KEYWAY_CORS_ORIGINS",
    "*",
    "origins of web pages that may call /proxy and /v1, comma separated: https://app.example.com; *: any; none: no page",
);
const PROXY_BODY_BYTES: Setting =
    setting("KEYWAY_PROXY_BODY_BYTES", "33554432", "largest proxied body that has to be read before it is forwarded");
const PROXY_BODIES_BYTES: Setting = setting(
    "KEYWAY_PROXY_BODIES_BYTES",
    "536870912",
    "memory of all such bodies together; a virtual key may take half of it, and a tenant three quarters",
);

/// Every one of them.
pub(crate) const SETTINGS: &[Setting] = &[FALLBACK_KEY, FIRST_BYTE, CORS_ORIGINS, PROXY_BODY_BYTES, PROXY_BODIES_BYTES];

/// Settings of what serves applications.
#[derive(Debug)]
pub struct ProxyConfig {
    /// The operator's OpenRouter key, for projects that consent to it.
    pub fallback_key: Option<ProviderSecret>,
    /// Time that a provider has to begin its answer to a proxied request.
    pub first_byte: Duration,
    /// Origins of web pages that may call the proxy; `None`: all.
    pub cors_origins: Option<Vec<String>>,
    /// Largest body of a proxied request that must be buffered before it is forwarded, in bytes.
    pub proxy_body_bytes: usize,
    /// Memory limit in bytes of all such bodies.
    pub proxy_bodies_bytes: usize,
}

impl ProxyConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the first that is wrong.
    pub(crate) fn read(values: &mut Values) -> Result<Self, ConfigError> {
        Ok(Self {
            fallback_key: fallback_key(values)?,
            first_byte: values.seconds(&FIRST_BYTE, 1..=86_400)?,
            cors_origins: cors_origins(values)?,
            proxy_body_bytes: values.size(&PROXY_BODY_BYTES, 1024..=1_073_741_824)?,
            proxy_bodies_bytes: values.size(&PROXY_BODIES_BYTES, 4096..=1_099_511_627_776)?,
        })
    }
}

/// Returns the origins of web pages that may call the proxy; `None`: all.
fn cors_origins(values: &mut Values) -> Result<Option<Vec<String>>, ConfigError> {
    let text = values.text(&CORS_ORIGINS);
    match text.trim() {
        "*" => return Ok(None),
        "none" => return Ok(Some(Vec::new())),
        _ => {}
    }
    let origins: Vec<String> = text.split(',').map(|origin| origin.trim().trim_end_matches('/').to_owned()).collect();
    let is_origin = |text: &String| {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', '@', ' ']))
    };
    if origins.iter().all(is_origin) {
        return Ok(Some(origins));
    }
    Err(invalid(&CORS_ORIGINS, "each must be an origin, like https://app.example.com; * is any, none is no page"))
}

fn fallback_key(values: &mut Values) -> Result<Option<ProviderSecret>, ConfigError> {
    match values.secret(&FALLBACK_KEY) {
        Some(key) if !key.plain().bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(invalid(&FALLBACK_KEY, "a key has no spaces and no signs beyond ASCII"))
        }
        key => Ok(key.map(ProviderSecret::from)),
    }
}
