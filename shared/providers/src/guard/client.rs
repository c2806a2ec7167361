//! The guarded HTTP client: one request, one answer, within deadlines and a size. No redirects, no
//! proxy, no cookies, no referer, no retry; its errors carry neither URL nor header.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::{Guard, GuardError, Resolver};

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
    http: reqwest::Client,
    guard: Guard,
    max_body_bytes: usize,
}

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
        #[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .dns_resolver(Resolver::new(guard.clone()))
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            .timeout(settings.total_timeout)
            .user_agent(concat!("keyway/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| GuardError::Setup("TLS is not usable; check the machine's certificates"))?;
        Ok(Self { http, guard, max_body_bytes: settings.max_body_bytes })
    }

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
        let request = self.http.request(question.method, question.url).headers(question.headers).body(question.body);
        let response = request.send().await.map_err(|error| judge(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        let mut body = BytesMut::new();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| judge(&error))?;
            if body.len() + piece.len() > self.max_body_bytes {
                return Err(GuardError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status, headers, body: body.freeze() })
    }
}

/// Classifies an error without any of its text, which contains the URL.
fn judge(error: &reqwest::Error) -> GuardError {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(own) = inner.downcast_ref::<GuardError>() {
            return *own;
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        GuardError::TimedOut
    } else if error.is_connect() {
        GuardError::Connect
    } else {
        GuardError::Broken
    }
}
