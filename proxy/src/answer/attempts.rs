//! Asks the upstreams of a plan one after the other, until one begins an answer that no other could better. Nothing is
//! tried again once a byte of an answer has passed, or if the provider may have acted on the request.

use std::{borrow::Cow, fmt::Write, mem, pin::Pin, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use hyper::ext::ReasonPhrase;
use keyway_domain::Timestamp;
use keyway_telemetry::metrics;
use keyway_vault::ProviderSecret;
use tokio::time::Sleep;

use super::{
    arriving::Arriving,
    judge::{self, Judgement, Turn},
};
use crate::{
    client::{ProviderClient, pool::Carrying},
    ledger::{record::Record, refused_calls::RefusedCalls},
    refusal::{Code, Refusal},
    request::headers,
    route::{
        cooling::Cooling,
        fallback::{self, Asked},
        payload::Payload,
        plan::PathThere,
        upstream::Upstream,
        usage_option::UsageOption,
    },
};

/// One call with all its attempts.
pub(crate) struct Attempts<'a> {
    pub(crate) client: &'a ProviderClient,
    pub(crate) cooling: &'a Cooling,
    pub(crate) usage_option: &'a UsageOption,
    pub(crate) refused_calls: &'a RefusedCalls,
    pub(crate) method: Method,
    /// Headers without those that are not for a provider.
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<Cow<'a, str>>,
    pub(crate) path: PathThere,
    pub(crate) payload: Payload,
    /// `true` if the call refers to an object that one key keeps.
    pub(crate) refers: bool,
    /// Refusal for the caller if only the operator's key is asked and does not serve.
    pub(crate) own_refusal: Option<Refusal>,
    pub(crate) record: Record,
    /// Time limit for the beginning of an answer, for all attempts together.
    pub(crate) timer: Pin<Box<Sleep>>,
}

/// Head of an answer, with the findings about it.
struct Answered {
    answer: Response<Arriving>,
    connection: Carrying,
    secret: ProviderSecret,
    /// `true` if Keyway added `include_usage` to the request.
    asked_usage: bool,
    /// Status that an error should have had, if it came with another one.
    meant: Option<StatusCode>,
    /// `true` if the provider refuses `include_usage`.
    refuses_usage: bool,
}

/// Beginning of an answer.
pub(crate) struct Begun {
    pub(crate) answer: Response<Arriving>,
    /// Connection that the answer comes on.
    pub(crate) connection: Carrying,
    /// Opened secret, to redact it from the answer.
    pub(crate) secret: ProviderSecret,
    pub(crate) record: Record,
    /// Attempts, if there was more than one: `int_a;429, int_b;200`.
    pub(crate) attempts: Option<HeaderValue>,
    /// Whether figures were asked for that the caller did not ask for.
    pub(crate) hides_usage: bool,
    /// Timer that is free for reuse.
    pub(crate) timer: Pin<Box<Sleep>>,
}

impl Begun {
    /// Replaces the headers by those for the caller, and drops the provider's own words for the status.
    pub(crate) fn dress(&mut self) {
        self.answer.extensions_mut().remove::<ReasonPhrase>();
        let headers = self.answer.headers_mut();
        headers::clean_response(headers, &self.secret);
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

impl Answered {
    /// Returns the status that counts: the meant one, else the sent one.
    fn status(&self) -> StatusCode {
        self.meant.unwrap_or(self.answer.status())
    }
}

impl Attempts<'_> {
    /// Returns the first good answer, or the last one's, good or not. Falls back to the operator's key where the plan
    /// has it.
    pub(crate) async fn run(mut self, upstreams: Vec<Arc<Upstream>>) -> Result<Begun, Refusal> {
        match self.first_good(upstreams).await {
            Ok((answered, tried)) => Ok(self.begun(answered, tried)),
            Err(refusal) => Err(self.record.refuse(refusal, &self.path, self.refused_calls)),
        }
    }

    async fn first_good(&mut self, upstreams: Vec<Arc<Upstream>>) -> Result<(Answered, String), Refusal> {
        let most = if self.payload.can_repeat() { upstreams.len() } else { 1 };
        let (mut tried, mut own) = (String::new(), None);
        for (at, upstream) in upstreams.iter().take(most).enumerate() {
            let is_last = at + 1 == most;
            let (outcome, judgement) = self.attempt(upstream, is_last, &mut tried).await;
            let status = outcome.as_ref().map(Answered::status);
            match Turn::after(status, judgement, upstream.is_fallback(), is_last) {
                Turn::Next => {
                    self.passed_on(upstream, &outcome, &mut tried);
                    if upstreams.get(at + 1).is_some_and(|next| next.is_fallback()) {
                        own = Some((upstream, outcome));
                    }
                }
                Turn::Ends => {
                    let answered = outcome?;
                    if !tried.is_empty() {
                        note(&mut tried, upstream, answered.status().as_str());
                    }
                    return Ok((answered, tried));
                }
            }
        }
        match own {
            Some((upstream, said)) => {
                let said = said?;
                self.record.answered_before(upstream, self.path.at(upstream));
                Ok((said, tried))
            }
            None => Err(self.own_refusal.take().unwrap_or_else(Refusal::nobody)),
        }
    }

    /// Asks one upstream and judges the outcome. If it refuses `include_usage`, asks once more without.
    async fn attempt(
        &mut self,
        upstream: &Arc<Upstream>,
        is_last: bool,
        tried: &mut String,
    ) -> (Result<Answered, Refusal>, Judgement) {
        let may_ask = self.usage_option.is_for(upstream, self.query.as_deref());
        let mut outcome = self.ask(upstream, may_ask, is_last).await;
        let mut judgement = self.judge(upstream, &mut outcome).await;
        if let Ok(answered) = &outcome
            && answered.refuses_usage
        {
            self.usage_option.refused_by(upstream);
            note(tried, upstream, answered.status().as_str());
            outcome = self.ask(upstream, false, is_last).await;
            judgement = self.judge(upstream, &mut outcome).await;
        }
        if let Some(down) = judgement.down {
            self.cooling.cool(upstream.integration_id, self.record.asked_model(), down);
        }
        if judgement.doubts && !upstream.is_fallback() {
            self.record.doubts(upstream.integration_id);
        }
        if outcome.is_err() && judgement.moves_on {
            self.record.hold.used_nothing();
        }
        if upstream.is_fallback() {
            count(&outcome);
        }
        (outcome, judgement)
    }

    fn begun(self, answered: Answered, tried: String) -> Begun {
        let attempts =
            Some(tried).filter(|tried| !tried.is_empty()).and_then(|tried| HeaderValue::try_from(tried).ok());
        let Answered { answer, connection, secret, asked_usage, .. } = answered;
        let (record, timer) = (self.record, self.timer);
        Begun { answer, connection, secret, record, attempts, hides_usage: asked_usage, timer }
    }

    async fn ask(&mut self, upstream: &Arc<Upstream>, may_ask: bool, is_last: bool) -> Result<Answered, Refusal> {
        if let (true, Some(body)) = (upstream.is_fallback(), self.payload.text()) {
            fallback::check_body(body)?;
        }
        self.record.hold.enter(upstream).await?;
        let path = self.path.at(upstream);
        let (body, asked_usage) = self.payload.body(upstream, self.record.asked_model(), may_ask, is_last);
        // One that asks for figures may be sent a second time.
        let keeps_headers = !is_last || asked_usage;
        let mut headers = if keeps_headers { self.headers.clone() } else { mem::take(&mut self.headers) };
        let mut query = self.query.as_deref();
        if upstream.is_fallback() {
            // Both were meant for the provider that the caller knows.
            headers::forget_account(&mut headers);
            query = None;
        }
        if upstream.redacts_answers {
            // The key is found in nothing that is compressed.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let secret = upstream.authorize(&path, &mut headers)?;
        let mut request = Request::new(body);
        *request.uri_mut() = target(&path, query)?;
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = headers;
        let to = upstream.origin()?;
        self.record.asks(upstream, path)?;
        let (answer, connection) = tokio::select! {
            biased;
            answer = self.client.request(to, request) => answer?,
            () = &mut self.timer => {
                return Err(Refusal::new(Code::UpstreamTimeout, "the provider did not begin to answer in time"));
            }
        };
        let answer = answer.map(Arriving::new);
        Ok(Answered { answer, connection, secret, asked_usage, meant: None, refuses_usage: false })
    }

    /// Judges an outcome; reads as much of an answer as that needs.
    async fn judge(&self, upstream: &Upstream, outcome: &mut Result<Answered, Refusal>) -> Judgement {
        let answered = match outcome {
            Ok(answered) => answered,
            Err(refusal) => return Judgement::without_answer(refusal.code()),
        };
        let status = answered.answer.status();
        let text = if status.is_success() {
            let can_be_read = !answered.answer.headers().contains_key(header::CONTENT_ENCODING);
            if self.method != Method::POST || !can_be_read {
                return Judgement::default();
            }
            let Some((meant, text)) = answered.answer.body_mut().failure().await else { return Judgement::default() };
            answered.meant = Some(meant);
            text
        } else if status.is_client_error() || status.is_server_error() {
            answered.answer.body_mut().error_text().await
        } else {
            return Judgement::default();
        };
        answered.refuses_usage = answered.asked_usage && judge::refuses_usage(status, &text);
        let answer = (answered.status(), answered.answer.headers(), &text);
        Judgement::of(answer, &*upstream.provider, self.refers, Timestamp::now())
    }

    /// Notes why another upstream is asked next.
    fn passed_on(&mut self, upstream: &Upstream, outcome: &Result<Answered, Refusal>, tried: &mut String) {
        let status = outcome.as_ref().ok().map(Answered::status);
        let why = match outcome {
            Ok(answered) => answered.status().as_str().to_owned(),
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

/// Counts the outcome of asking with the operator's key.
fn count(outcome: &Result<Answered, Refusal>) {
    let outcome = match outcome {
        Ok(answered) if answered.status().is_success() => Asked::Served,
        Ok(_) => Asked::Refused,
        Err(refusal) if refusal.is_limit() || refusal.code() == Code::Unavailable => Asked::Ceiling,
        Err(_) => Asked::Failed,
    };
    metrics().proxy_fallbacks.with_label_values(&[outcome.name()]).inc();
}

/// Joins a path with its query.
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
