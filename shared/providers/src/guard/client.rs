//! The guarded HTTP client: one request, one answer, within deadlines and a size. No redirects, no
//! proxy, no cookies, no referer, no retry; its errors carry neither URL nor header. Only crates that ask for the feature
//! `client` can make one.

#[cfg(feature = "client")]
mod https;

use std::{fmt::Debug, sync::Arc, time::Duration};

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
    way: Arc<dyn Way>,
}

/// The way out behind the rule.
#[async_trait]
trait Way: Debug + Send + Sync {
    /// Sends a request and reads the whole answer.
    async fn send(&self, question: Question) -> Result<Answer, GuardError>;
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
        self.way.send(question).await
    }
}
