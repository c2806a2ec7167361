//! What every provider can do, and what a probe found. Implementations must never keep a secret
//! beyond the call and never put a provider's text into what they return.

use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use keyway_domain::KeyFamily;
use keyway_vault::SecretString;
use url::Url;

use crate::{FetchError, Finding, FormatError, GuardedClient, KeyFacts, Signal, UsagePage, UsageQuery};

/// Whom to ask, with which secret.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The base URL the secret is bound to (`https://api.openai.com/v1`).
    pub base_url: &'a Url,
    /// The secret.
    pub secret: &'a SecretString,
}

/// Whom to ask for which page, and how.
#[derive(Clone, Copy)]
pub struct UsageCall<'a> {
    /// Whom, with which secret.
    pub target: Target<'a>,
    /// For which page.
    pub query: UsageQuery<'a>,
    /// The way there.
    pub http: &'a GuardedClient,
}

/// The secret cannot be sent as a header: it holds a control character or a line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret holds characters that no header can carry; enter it again")]
pub struct BadSecret;

/// One provider's ways.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Looks at a credential without calling anybody. Refuses only what cannot be a key at all.
    ///
    /// # Errors
    /// Says what is wrong with it and what to enter instead.
    fn check_format(&self, credentials: &str) -> Result<KeyFacts, FormatError>;

    /// Asks the provider, free of charge, whether it accepts the secret.
    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding;

    /// Answers with a meaning of their own, as far as the body shows it: of a probe, and of anybody's call.
    fn signals(&self) -> &[Signal] {
        &[]
    }

    /// The reports a key of this family can read, in the order they are to be fetched.
    ///
    /// # Errors
    /// [`FetchError::NotReportable`], with the reason, when there is none.
    fn usage_sources(&self, family: KeyFamily) -> Result<&'static [&'static str], FetchError>;

    /// How long what was read of a report stays good enough: some are renewed rarely, and some cost money.
    fn renewed_every(&self, _source: &str) -> Duration {
        Duration::ZERO
    }

    /// Fetches one page of one report.
    ///
    /// # Errors
    /// See [`FetchError`]; nothing of the page was usable.
    async fn usage_page(&self, call: UsageCall<'_>) -> Result<UsagePage, FetchError>;

    /// The reports of single keys, which are asked for by [`UsageQuery::provider_key_ids`]: a row's `line_item` is
    /// the id of its key. Most providers have none.
    fn key_sources(&self, _family: KeyFamily) -> &'static [&'static str] {
        &[]
    }

    /// Adds the provider's auth header for a call of `path`, marked sensitive, replacing what was there. A
    /// provider that is not called has none.
    ///
    /// # Errors
    /// The secret cannot be sent; answer as for a broken integration.
    fn authorize(&self, _path: &str, _headers: &mut HeaderMap, _secret: &[u8]) -> Result<(), BadSecret> {
        Err(BadSecret)
    }

    /// Whether answers to a call of `path` say which model served; otherwise the request is read for it.
    fn names_model(&self, _path: &str) -> bool {
        true
    }

    /// The field in which answers to a call of `path` give an address of the provider that its SDKs follow with
    /// their key, where one does.
    fn link_field(&self, _path: &str) -> Option<&'static str> {
        None
    }
}
