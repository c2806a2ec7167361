//! Asks the upstreams of a plan one after the other, until one begins an answer that no other would better.
//! Nothing is tried again once a byte of an answer has passed, or when nobody knows whether the provider
//! has acted on the request.

use std::{borrow::Cow, fmt::Write, mem, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use keyway_domain::Timestamp;
use keyway_telemetry::metrics;
use keyway_vault::SecretBytes;
use tokio::time::Sleep;

use super::{
    client::{self, ProviderClient},
    cooling::{CoolDown, Cooling},
    headers,
    plan::{PathThere, Payload},
    record::Record,
    refusal::{Code, Refusal},
    upstream::Upstream,
};

/// How long providers may take to begin an answer, all together; reasoning models take minutes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// One call, however many upstreams it takes.
pub(super) struct Attempts<'a> {
    pub(super) client: &'a ProviderClient,
    pub(super) cooling: &'a Cooling,
    pub(super) method: Method,
    /// Rid of what is not for a provider.
    pub(super) headers: HeaderMap,
    pub(super) query: Option<Cow<'a, str>>,
    pub(super) path: PathThere,
    pub(super) payload: Payload,
    pub(super) record: Record,
}

/// The beginning of an answer.
pub(super) struct Begun {
    pub(super) answer: Response<Incoming>,
    /// Opened, to look for its echo in the answer.
    pub(super) secret: SecretBytes,
    pub(super) record: Record,
    /// Whom it took, when it was more than one: `int_a;429, int_b;200`.
    pub(super) attempts: Option<HeaderValue>,
    /// A timer that is not needed any more.
    pub(super) timer: Pin<Box<Sleep>>,
}

impl Begun {
    /// Makes the headers those that the caller gets.
    pub(super) fn dress(&mut self) {
        let headers = self.answer.headers_mut();
        headers::clean_response(headers, self.secret.expose());
        headers.insert(headers::INTEGRATION, self.record.upstream().header.clone());
        self.record.hold.show(headers);
        if let Some(attempts) = self.attempts.take() {
            headers.insert(headers::ATTEMPTS, attempts);
        }
    }
}

impl Attempts<'_> {
    /// The first good answer, or the last one's, whatever it is.
    pub(super) async fn run(mut self, upstreams: Vec<Arc<Upstream>>) -> Result<Begun, Refusal> {
        let most = if self.payload.can_repeat() { upstreams.len() } else { 1 };
        let (mut timer, mut tried) = (Box::pin(tokio::time::sleep(HEAD_TIMEOUT)), String::new());
        for (at, upstream) in upstreams.iter().take(most).enumerate() {
            let is_last = at + 1 == most;
            let outcome = self.ask(upstream, is_last, &mut timer).await;
            let down = match &outcome {
                Ok((answer, _)) => CoolDown::after(answer.status(), answer.headers(), Timestamp::now()),
                Err(refusal) => CoolDown::without_answer(refusal.code()),
            };
            if let Some(down) = down {
                self.cooling.cool(upstream.integration_id, self.record.asked_model(), down);
            }
            if outcome.is_err() && down.is_some() {
                self.record.hold.unsent();
            }
            let is_limited = outcome.as_ref().is_err_and(Refusal::is_limit);
            if !is_last && (down.is_some() || is_limited) {
                self.passed_on(upstream, &outcome, &mut tried);
                continue;
            }
            let (answer, secret) = outcome?;
            let attempts = if tried.is_empty() {
                None
            } else {
                note(&mut tried, upstream, answer.status().as_str());
                HeaderValue::try_from(tried).ok()
            };
            return Ok(Begun { answer, secret, record: self.record, attempts, timer });
        }
        Err(Refusal::nobody())
    }

    async fn ask(
        &mut self,
        upstream: &Arc<Upstream>,
        is_last: bool,
        timer: &mut Pin<Box<Sleep>>,
    ) -> Result<(Response<Incoming>, SecretBytes), Refusal> {
        self.record.hold.enter(upstream).await?;
        let path = self.path.at(upstream);
        let mut headers = if is_last { mem::take(&mut self.headers) } else { self.headers.clone() };
        let secret = upstream.authorize(&path, &mut headers)?;
        let mut request = Request::new(self.payload.body(is_last));
        *request.uri_mut() = upstream.uri(&path, self.query.as_deref())?;
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = headers;
        self.record.asks(upstream, path)?;
        let answer = tokio::select! {
            biased;
            answer = self.client.request(request) => answer.map_err(|error| client::judge(&error))?,
            () = timer => {
                return Err(Refusal::new(Code::UpstreamTimeout, "the provider did not begin to answer in time"));
            }
        };
        Ok((answer, secret))
    }

    /// Notes why another one is asked now.
    fn passed_on(
        &mut self,
        upstream: &Upstream,
        outcome: &Result<(Response<Incoming>, SecretBytes), Refusal>,
        tried: &mut String,
    ) {
        let status = outcome.as_ref().ok().map(|(answer, _)| answer.status());
        let why = match outcome {
            Ok((answer, _)) => answer.status().as_str().to_owned(),
            Err(refusal) => refusal.code().text().to_owned(),
        };
        metrics().proxy_failovers.with_label_values(&[upstream.meters.label.as_str(), &why]).inc();
        note(tried, upstream, &why);
        if let Some(status) = status {
            self.record.refused(upstream.integration_id, status);
        }
    }
}

/// Adds an attempt to the text that lists them.
fn note(tried: &mut String, upstream: &Upstream, outcome: &str) {
    let comma = if tried.is_empty() { "" } else { ", " };
    // Writing to a text cannot fail.
    let _ = write!(tried, "{comma}{};{outcome}", upstream.integration_id);
}
