//! The way to hosts that the catalog names. It connects to addresses that the rule allows, and to no others.

use async_trait::async_trait;
use bytes::BytesMut;
use futures::StreamExt;

use super::{
    super::{Guard, GuardError, Resolver},
    Answer, GuardSettings, NO_TLS, Question, USER_AGENT, Way,
};

/// Sends requests, over connections that it keeps.
#[derive(Debug)]
pub(super) struct Named {
    http: reqwest::Client,
    max_body_bytes: usize,
}

impl Named {
    /// Builds the way with these limits; the process has a TLS provider.
    pub(super) fn new(settings: &GuardSettings, guard: &Guard) -> Result<Self, GuardError> {
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
            .user_agent(USER_AGENT)
            .build()
            .map_err(|_| NO_TLS)?;
        Ok(Self { http, max_body_bytes: settings.max_body_bytes })
    }
}

#[async_trait]
impl Way for Named {
    async fn send(&self, question: Question) -> Result<Answer, GuardError> {
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

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let resolving = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(resolving.await?) as reqwest::dns::Addrs) })
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
