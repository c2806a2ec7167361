//! Asks the upstreams of a plan one after the other, until one begins an answer that no other would better.
//! Nothing is tried again once a byte of an answer has passed, or when nobody knows whether the provider
//! has acted on the request.

use std::{borrow::Cow, fmt::Write, mem, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, uri::PathAndQuery};
use hyper::body::Incoming;
use keyway_domain::Timestamp;
use keyway_telemetry::metrics;
use keyway_vault::SecretBytes;
use tokio::time::Sleep;

use super::{
    client::ProviderClient,
    cooling::{CoolDown, Cooling},
    fallback::{self, Asked},
    headers,
    plan::{PathThere, Payload},
    pool::Carrying,
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
    /// What the caller is told where only the operator's key is asked and does not serve.
    pub(super) own_refusal: Option<Refusal>,
    pub(super) record: Record,
}

/// The head of an answer, and the secret that it may quote.
struct Answered {
    answer: Response<Incoming>,
    connection: Carrying,
    secret: SecretBytes,
}

/// The beginning of an answer.
pub(super) struct Begun {
    pub(super) answer: Response<Incoming>,
    /// What it comes on.
    pub(super) connection: Carrying,
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
        let upstream = self.record.upstream();
        headers.insert(headers::CREDENTIAL, HeaderValue::from_static(upstream.credential.name()));
        if let Some(integration) = &upstream.header {
            headers.insert(headers::INTEGRATION, integration.clone());
        }
        self.record.hold.show(headers);
        if let Some(attempts) = self.attempts.take() {
            headers.insert(headers::ATTEMPTS, attempts);
        }
    }
}

impl Attempts<'_> {
    /// The first good answer, or the last one's, whatever it is; the operator's key serves or was not there.
    pub(super) async fn run(mut self, upstreams: Vec<Arc<Upstream>>) -> Result<Begun, Refusal> {
        let most = if self.payload.can_repeat() { upstreams.len() } else { 1 };
        let (mut timer, mut tried) = (Box::pin(tokio::time::sleep(HEAD_TIMEOUT)), String::new());
        let mut own = None;
        for (at, upstream) in upstreams.iter().take(most).enumerate() {
            let is_last = at + 1 == most;
            let outcome = self.ask(upstream, is_last, &mut timer).await;
            let down = match &outcome {
                Ok(Answered { answer, .. }) => CoolDown::after(answer.status(), answer.headers(), Timestamp::now()),
                Err(refusal) => CoolDown::without_answer(refusal.code()),
            };
            if let Some(down) = down {
                self.cooling.cool(upstream.integration_id, self.record.asked_model(), down);
            }
            if outcome.is_err() && down.is_some() {
                self.record.hold.unsent();
            }
            if upstream.is_fallback() {
                count(&outcome);
            }
            if leads_nowhere(upstream, &outcome, down) && (!is_last || upstream.is_fallback()) {
                self.passed_on(upstream, &outcome, &mut tried);
                if upstreams.get(at + 1).is_some_and(|next| next.is_fallback()) {
                    own = Some((upstream, outcome));
                }
                continue;
            }
            let answered = outcome?;
            if !tried.is_empty() {
                note(&mut tried, upstream, answered.answer.status().as_str());
            }
            return Ok(self.begun(answered, tried, timer));
        }
        match own {
            Some((upstream, said)) => {
                let said = said?;
                self.record.answered_before(upstream, self.path.at(upstream));
                Ok(self.begun(said, tried, timer))
            }
            None => Err(self.own_refusal.unwrap_or_else(Refusal::nobody)),
        }
    }

    fn begun(self, answered: Answered, tried: String, timer: Pin<Box<Sleep>>) -> Begun {
        let attempts =
            Some(tried).filter(|tried| !tried.is_empty()).and_then(|tried| HeaderValue::try_from(tried).ok());
        let Answered { answer, connection, secret } = answered;
        Begun { answer, connection, secret, record: self.record, attempts, timer }
    }

    async fn ask(
        &mut self,
        upstream: &Arc<Upstream>,
        is_last: bool,
        timer: &mut Pin<Box<Sleep>>,
    ) -> Result<Answered, Refusal> {
        if let (true, Payload::Whole(body, _)) = (upstream.is_fallback(), &self.payload) {
            fallback::check_body(body)?;
        }
        self.record.hold.enter(upstream).await?;
        let path = self.path.at(upstream);
        let mut headers = if is_last { mem::take(&mut self.headers) } else { self.headers.clone() };
        let mut query = self.query.as_deref();
        if upstream.is_fallback() {
            // Both were meant for the provider that the caller knows.
            headers::forget_account(&mut headers);
            query = None;
        }
        let secret = upstream.authorize(&path, &mut headers)?;
        let mut request = Request::new(self.payload.body(upstream, self.record.asked_model(), is_last));
        *request.uri_mut() = target(&path, query)?;
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = headers;
        let to = upstream.origin()?;
        self.record.asks(upstream, path)?;
        let (answer, connection) = tokio::select! {
            biased;
            answer = self.client.request(to, request) => answer?,
            () = timer => {
                return Err(Refusal::new(Code::UpstreamTimeout, "the provider did not begin to answer in time"));
            }
        };
        Ok(Answered { answer, connection, secret })
    }

    /// Notes why another one is asked now.
    fn passed_on(&mut self, upstream: &Upstream, outcome: &Result<Answered, Refusal>, tried: &mut String) {
        let status = outcome.as_ref().ok().map(|answered| answered.answer.status());
        let why = match outcome {
            Ok(Answered { answer, .. }) => answer.status().as_str().to_owned(),
            Err(refusal) => refusal.code().text().to_owned(),
        };
        metrics().proxy_failovers.with_label_values(&[upstream.meters.label.as_str(), &why]).inc();
        note(tried, upstream, &why);
        match status {
            Some(status) if upstream.is_fallback() => self.record.answered(status, false),
            Some(status) => self.record.refused(upstream.integration_id, status),
            None => {}
        }
    }
}

/// Whether somebody else should be asked, or heard, instead.
fn leads_nowhere(upstream: &Upstream, outcome: &Result<Answered, Refusal>, down: Option<CoolDown>) -> bool {
    match outcome {
        // Its caller knows nothing of OpenRouter, and can mend nothing that it says.
        Ok(Answered { answer, .. }) if upstream.is_fallback() => !answer.status().is_success(),
        Ok(_) => down.is_some(),
        Err(refusal) if upstream.is_fallback() => {
            !matches!(refusal.code(), Code::UpstreamBroken | Code::UpstreamTimeout | Code::SpoolFull)
        }
        Err(refusal) => down.is_some() || refusal.is_limit(),
    }
}

/// Counts what came of asking with the operator's key.
fn count(outcome: &Result<Answered, Refusal>) {
    let outcome = match outcome {
        Ok(Answered { answer, .. }) if answer.status().is_success() => Asked::Served,
        Ok(_) => Asked::Refused,
        Err(refusal) if refusal.is_limit() || refusal.code() == Code::Unavailable => Asked::Ceiling,
        Err(_) => Asked::Failed,
    };
    metrics().proxy_fallbacks.with_label_values(&[outcome.name()]).inc();
}

/// A path with its query.
fn target(path: &str, query: Option<&str>) -> Result<Uri, Refusal> {
    let whole = query.map_or(Cow::Borrowed(path), |query| [path, "?", query].concat().into());
    let unusable = |_| Refusal::new(Code::BadPath, "the path is not one that can be forwarded");
    Ok(PathAndQuery::try_from(&*whole).map_err(unusable)?.into())
}

/// Adds an attempt to the text that lists them.
fn note(tried: &mut String, upstream: &Upstream, outcome: &str) {
    let comma = if tried.is_empty() { "" } else { ", " };
    // Writing to a text cannot fail.
    let _ = if upstream.is_fallback() {
        write!(tried, "{comma}{};{outcome}", upstream.credential.name())
    } else {
        write!(tried, "{comma}{};{outcome}", upstream.integration_id)
    };
}
