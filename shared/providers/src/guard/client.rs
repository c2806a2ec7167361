//! The guarded HTTP client: one request, one answer, within deadlines and a size. No redirects, no
//! proxy, no cookies, no referer, no retry; its errors carry neither URL nor header. Only crates that ask for the feature
//! `client` can make one.
//!
//! A host that the catalog names is called by `named`, over reqwest. Any other may be whoever a tenant wrote into a base URL:
//! it is called by `stranger`, which bounds what comes beside answers; reqwest has no place to do so.

#[cfg(feature = "client")]
mod named;
#[cfg(feature = "client")]
mod stranger;

use std::{collections::HashSet, fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::{Guard, GuardError};

/// Limits of the client.
#[derive(Clone, Debug)]
pub struct GuardSettings {
    /// Hosts (`host` or `host:port`) that may be private and speak plain http.
    pub trusted: Vec<String>,
    /// Hosts that the catalog names; any other is a stranger.
    pub named: HashSet<String>,
    /// Time limit of connecting, TLS included.
    pub connect_timeout: Duration,
    /// Time limit between two pieces of the answer.
    pub read_timeout: Duration,
    /// Time limit of the whole call.
    pub total_timeout: Duration,
    /// Longest accepted body in bytes.
    pub max_body_bytes: usize,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            named: HashSet::new(),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_secs(30),
            max_body_bytes: 4 << 20,
        }
    }
}

/// A request.
#[derive(Debug)]
pub struct Question {
    /// Method.
    pub method: Method,
    /// URL; checked before anything is sent.
    pub url: Url,
    /// Headers; mark secrets sensitive.
    pub headers: HeaderMap,
    /// Body, empty for most.
    pub body: Bytes,
}

impl Question {
    /// Builds a GET.
    #[must_use]
    pub const fn get(url: Url, headers: HeaderMap) -> Self {
        Self { method: Method::GET, url, headers, body: Bytes::new() }
    }
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// Status, even 3xx: redirects are not followed.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body. Provider text: never log or store it.
    pub body: Bytes,
}

/// The client. Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct GuardedClient {
    guard: Guard,
    named: Arc<HashSet<String>>,
    to_named: Arc<dyn Way>,
    to_strangers: Arc<dyn Way>,
}

#[cfg(feature = "client")]
const NO_TLS: GuardError = GuardError::Setup("TLS is not usable; check the machine's certificates");
#[cfg(feature = "client")]
const USER_AGENT: &str = concat!("keyway/", env!("CARGO_PKG_VERSION"));

/// The way out behind the rule.
#[async_trait]
trait Way: Debug + Send + Sync {
    /// Sends a request and reads the whole answer.
    async fn send(&self, question: Question) -> Result<Answer, GuardError>;
}

#[cfg(feature = "client")]
impl GuardedClient {
    /// Builds a client with these limits. Installs the process's TLS provider (ring) if there is none yet.
    ///
    /// # Errors
    /// [`GuardError::Setup`].
    pub fn new(settings: &GuardSettings) -> Result<Self, GuardError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Losing the race means that somebody else has installed one.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let guard = Guard::new(&settings.trusted)?;
        Ok(Self {
            named: Arc::new(settings.named.clone()),
            to_named: Arc::new(named::Named::new(settings, &guard)?),
            to_strangers: Arc::new(stranger::Stranger::new(settings, &guard)?),
            guard,
        })
    }
}

impl GuardedClient {
    /// Returns the rule that this client obeys, for checks at write time and for other clients.
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Checks a base URL from a user, before it is stored.
    ///
    /// # Errors
    /// [`GuardError::Refused`] with a sentence for the user.
    pub fn check_base_url(&self, text: &str) -> Result<Url, GuardError> {
        self.guard.check_base_url(text)
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// See [`GuardError`]; any HTTP status is an answer, not an error.
    pub async fn ask(&self, question: Question) -> Result<Answer, GuardError> {
        self.guard.check_url(&question.url)?;
        let is_named = question.url.host_str().is_some_and(|host| self.named.contains(host));
        if is_named { self.to_named.send(question).await } else { self.to_strangers.send(question).await }
    }
}
