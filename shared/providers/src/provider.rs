//! The interface of every provider, and the findings of a probe. Implementations must never keep a secret beyond the
//! call and never put a provider's text into their results.

use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use keyway_domain::KeyFamily;
use keyway_vault::ProviderSecret;
use url::Url;

use crate::{FetchError, Finding, FormatError, GuardedClient, KeyFacts, Signal, UsagePage, UsageQuery};

/// Base URL and secret of a call.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Base URL that the secret is bound to: `https://api.openai.com/v1`.
    pub base_url: &'a Url,
    /// Secret.
    pub secret: &'a ProviderSecret,
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

/// Error for a secret that cannot be sent as a header: it holds a control character or a line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret holds characters that no header can carry; enter it again")]
pub struct BadSecret;

/// The interface of one provider.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Checks a credential without calling any host. Refuses only texts that cannot be a key at all.
    ///
    /// # Errors
    /// [`FormatError`], which says what is wrong and what to enter instead.
    fn check_format(&self, credentials: &ProviderSecret) -> Result<KeyFacts, FormatError>;

    /// Asks the provider, free of charge, whether it accepts the secret.
    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding;

    /// Returns the answers with a known meaning, of a probe and of any other call, as far as the body shows it.
    fn signals(&self) -> &[Signal] {
        &[]
    }

    /// Returns the reports that a key of this family can read, in the order they are fetched.
    ///
    /// # Errors
    /// [`FetchError::NotReportable`] with the reason, if there is none.
    fn usage_sources(&self, family: KeyFamily) -> Result<&'static [&'static str], FetchError>;

    /// Returns the time for which a fetched report stays fresh: some are renewed rarely, and some cost money.
    fn renewed_every(&self, _source: &str) -> Duration {
        Duration::ZERO
    }

    /// Fetches one page of one report.
    ///
    /// # Errors
    /// [`FetchError`]; nothing of the page was usable.
    async fn usage_page(&self, call: UsageCall<'_>) -> Result<UsagePage, FetchError>;

    /// Returns the reports by key, to be asked with [`UsageQuery::provider_key_ids`]: a row's `line_item` is the id of
    /// its key. Most providers have none.
    fn key_sources(&self, _family: KeyFamily) -> &'static [&'static str] {
        &[]
    }

    /// Adds the provider's auth header for a call of `path`, marked sensitive, replacing an earlier one. A provider
    /// without callable endpoints adds none.
    ///
    /// # Errors
    /// The secret cannot be sent; answer as for a broken integration.
    fn authorize(&self, _path: &str, _headers: &mut HeaderMap, _secret: &ProviderSecret) -> Result<(), BadSecret> {
        Err(BadSecret)
    }

    /// Returns `true` if answers to a call of `path` name the model that served; otherwise the request is read for it.
    fn names_model(&self, _path: &str) -> bool {
        true
    }

    /// Returns the field in answers to a call of `path` that holds a URL of the provider which SDKs follow with their
    /// key, if there is one.
    fn link_field(&self, _path: &str) -> Option<&'static str> {
        None
    }
}
