//! One proxied request, from its first line to the head of its answer. On the warm path everything
//! comes from memory: neither database nor bus is asked.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header, request::Parts};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use keyway_providers::Figures;
use keyway_telemetry::metrics;

use super::{
    Proxy,
    attempts::{Attempts, Begun},
    broken::Reader,
    caller,
    choice::Choice,
    client::ProviderClient,
    decoding::Decoder,
    headers,
    intake::Source,
    links::Links,
    models,
    passage::Passage,
    path::{self, Route},
    plan::{Plan, Planner},
    reading::Reading,
    record::{Arrival, Record},
    redact::Redactor,
    refusal::{Code, Refusal, Shape},
    relay::{Caller, Meter, ProxyBody},
    websocket::{self, Session, SessionKey},
};
use crate::traffic::Traffic;

impl Proxy {
    /// Answers a request whose path is one that callers mean for a provider.
    pub async fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        client: &ProviderClient,
        traffic: &Arc<Traffic>,
    ) -> Response<ProxyBody> {
        if let Some(told) = self.cors.preflight(request.method(), request.headers()) {
            return told;
        }
        let arrival = Arrival::now();
        let page = self.cors.allowed(request.headers());
        let (parts, body) = request.into_parts();
        let uri = parts.uri.clone();
        let id = HeaderValue::try_from(arrival.id.to_string()).ok();
        let served = self.serve((parts, body), &uri, arrival, (client, traffic)).await;
        let mut response = served.unwrap_or_else(|refusal| {
            let code = refusal.code().text();
            metrics().proxy_refused.with_label_values(&[code]).inc();
            tracing::debug!(request_id = %arrival.id, %peer, code, "a proxied request was refused");
            let shape = Shape::of(uri.path());
            let mut response = refusal.into_response(shape);
            if let Some(id) = &id {
                response.headers_mut().insert(HeaderName::from_static(shape.request_id_header()), id.clone());
            }
            response
        });
        if let Some(id) = id {
            response.headers_mut().insert(headers::REQUEST_ID, id);
        }
        if let Some(page) = page {
            self.cors.mark(&page, response.headers_mut());
        }
        response
    }

    async fn serve(
        &self,
        (mut parts, body): (Parts, Incoming),
        uri: &Uri,
        arrival: Arrival,
        (client, traffic): (&ProviderClient, &Arc<Traffic>),
    ) -> Result<Response<ProxyBody>, Refusal> {
        let route = Route::of(&parts.method, uri.path())?;
        let hash = caller::key_hash(&parts.headers, key_in_query(&route, uri).as_deref())?;
        let caller = self.caller(&hash, arrival.clock).await?;
        let principal = caller.usable(arrival.at)?;
        let wish = self.caches.answers.wish(principal, &parts.headers)?;
        let project = self.project(principal.tenant_id, principal.project_id, arrival.clock).await?;
        match &route {
            Route::Models => return models::list(&project, arrival.at),
            Route::Model(id) => return models::one(&project, id, arrival.at),
            _ => {}
        }
        // Before the body is read: a call that cannot be recorded should take no memory.
        let Some(slot) = self.spool.admit() else {
            return Err(Refusal::spool_full());
        };
        let planner = Planner {
            project_id: principal.project_id,
            project: &project,
            catalog: &self.sources.catalog,
            choice: self.choice(&parts.headers, arrival)?,
            owners: &self.owners,
            room: &self.room,
            reads_bodies: self.limiter.counts_use(principal, &project) || wish.is_some(),
        };
        let plan = planner.plan(&route, &mut parts, Source::new(body)).await?;
        let Some(first) = plan.first() else { return Err(Refusal::nobody()) };
        let mut record = Record::new(slot, principal, Arc::clone(first), arrival, plan.model.clone());
        let place = wish.and_then(|wish| wish.place(&parts, uri, &plan));
        if let Some(answer) = place.as_ref().and_then(|place| self.caches.answers.find(place, arrival.clock)) {
            return Ok(answer.again(record, plan.path.at(first)));
        }
        let call = (&parts.method, &parts.headers);
        record.hold = self.limiter.reserve(principal, &project, &plan, call).await?;
        let reads = Reads::of(&parts.method, &route, first);
        let kept_id = path_id(&route).map(str::to_owned);
        let socket = for_provider(&mut parts, reads != Reads::Nothing);
        let caller_side = Caller {
            reader: Reader { shape: Shape::of(&plan.path.at(first)), numbers: reads_numbers(&route, &plan) },
            traffic: Arc::clone(traffic),
            owners: (plan.upstreams.len() > 1).then(|| Arc::clone(&self.owners)),
        };
        let query = path::forwarded_query(parts.uri.query());
        let begun = self.attempts(client, (parts.method, parts.headers), query, plan, record).await?;
        if let Some(id) = kept_id.filter(|_| begun.answer.status().is_success()) {
            self.owners.keep(principal.project_id, &id, begun.record.upstream().integration_id);
        }
        match socket {
            Some(socket) if begun.answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let (callers, sources) = (Arc::clone(&self.caches.callers), Arc::clone(&self.sources));
                let key = SessionKey { callers, sources, hash, holder: caller.clone() };
                let session = Session { stop: self.end_sessions.clone(), open: self.sessions.token(), key };
                traffic.upgrade();
                Ok(websocket::begin(socket, begun, session))
            }
            _ => {
                let response = answered(begun, reads, caller_side)?;
                Ok(self.caches.answers.keep(place, response))
            }
        }
    }

    async fn attempts(
        &self,
        client: &ProviderClient,
        (method, headers): (Method, HeaderMap),
        query: Option<std::borrow::Cow<'_, str>>,
        plan: Plan,
        record: Record,
    ) -> Result<Begun, Refusal> {
        let Plan { upstreams, path, payload, refers, own_refusal, .. } = plan;
        let attempts = Attempts {
            client,
            cooling: &self.cooling,
            usage_option: &self.usage_option,
            method,
            headers,
            query,
            path,
            payload,
            refers,
            own_refusal,
            record,
            timer: Box::pin(tokio::time::sleep(self.first_byte_timeout)),
        };
        attempts.run(upstreams).await
    }

    /// What is chosen by for a call with these headers.
    fn choice(&self, headers: &HeaderMap, arrival: Arrival) -> Result<Choice<'_>, Refusal> {
        let (pinned, allows_fallback) = (headers::pinned(headers)?, headers::allows_fallback(headers)?);
        let (now, clock) = (arrival.at, arrival.clock);
        Ok(Choice { cooling: &self.cooling, pinned, allows_fallback, session: None, keeper: None, now, clock })
    }
}

/// What of an answer is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Its figures.
    Figures,
    /// Its figures, unless an earlier call had them.
    Again,
    /// Addresses.
    Links,
    Nothing,
}

impl Reads {
    fn of(method: &Method, route: &Route<'_>, first: &super::upstream::Upstream) -> Self {
        let path = match route {
            Route::Provider { path, .. } | Route::Family(path) => path,
            _ => "",
        };
        if *method == Method::POST {
            Self::Figures
        } else if *method == Method::GET && Shape::of(path) == Shape::Responses {
            // What was made in the background shows its figures when it is read.
            Self::Again
        } else if first.ways.link_field(path).is_some() {
            Self::Links
        } else {
            Self::Nothing
        }
    }
}

/// Makes the headers those that a provider gets. Returns the caller's side, where it asks for a WebSocket.
fn for_provider(parts: &mut Parts, is_read: bool) -> Option<OnUpgrade> {
    let socket = websocket::asked(parts);
    headers::clean_request(&mut parts.headers);
    if socket.is_some() {
        websocket::ask(&mut parts.headers);
    }
    if is_read {
        // Figures and addresses are read from an answer that is not compressed.
        parts.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    socket
}

/// The answer as the caller gets it.
fn answered(mut begun: Begun, reads: Reads, caller: Caller) -> Result<Response<ProxyBody>, Refusal> {
    let status = begun.answer.status();
    begun.record.answered(status, is_kind(begun.answer.headers(), "text/event-stream"));
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED || status.is_informational() {
        return Err(Refusal::new(
            Code::UpstreamRedirect,
            "the provider answered with a redirect, which is never followed; check the base URL and the path",
        ));
    }
    begun.dress();
    let Begun { answer, connection, secret, record, timer, hides_usage, .. } = begun;
    let (mut parts, body) = answer.into_parts();
    let is_compressed = parts.headers.contains_key(header::CONTENT_ENCODING);
    let meter = if !parts.status.is_success() {
        if is_compressed { Meter::Silent } else { Meter::Error(Redactor::new(secret)) }
    } else {
        meter(&parts.headers, reads, &record, hides_usage)
    };
    if meter.rewrites() {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    Ok(Response::from_parts(parts, ProxyBody::relayed((body, connection), meter, record, timer, caller)))
}

/// How a good answer is read.
fn meter(headers: &HeaderMap, reads: Reads, record: &Record, hides_usage: bool) -> Meter {
    let spec = &record.upstream().spec;
    let figures = match reads {
        Reads::Figures => Figures::new(spec, record.path()),
        Reads::Again => Figures::of_reread(spec, record.path()),
        Reads::Links => {
            let field = record.upstream().ways.link_field(record.path());
            let is_compressed = headers.contains_key(header::CONTENT_ENCODING);
            return field.filter(|_| !is_compressed).map_or(Meter::Silent, |field| Meter::Links(Links::new(field)));
        }
        Reads::Nothing => return Meter::Silent,
    };
    let is_stream = is_kind(headers, "text/event-stream");
    if headers.contains_key(header::CONTENT_ENCODING) {
        let decoder = Decoder::of(headers, Reading::new(figures, is_stream));
        return decoder.map_or(Meter::Silent, Meter::Compressed);
    }
    if ["audio/", "image/", "video/"].iter().any(|kind| is_kind(headers, kind)) {
        return Meter::Silent;
    }
    Meter::Figures(Box::new(Passage::new(figures, is_stream, hides_usage)))
}

/// The key in the query, where callers of Google's shape have theirs.
fn key_in_query(route: &Route<'_>, uri: &Uri) -> Option<String> {
    let Route::Provider { provider, path } = route else { return None };
    let is_googles = *provider == "gemini" || Shape::of(path) == Shape::Google;
    if is_googles { path::parameter(uri.query(), "key") } else { None }
}

/// The id of what a call is about, where OpenAI's SDK calls Keyway for it.
fn path_id<'a>(route: &Route<'a>) -> Option<&'a str> {
    if let Route::Family(path) = route { path::id_in(path) } else { None }
}

/// Whether a caller reads the codes of errors as numbers: the SDK of a provider that has such, at its own path.
fn reads_numbers(route: &Route<'_>, plan: &Plan) -> bool {
    let is_own = matches!(route, Route::Provider { .. } | Route::Wrapped { .. });
    is_own && plan.upstreams.iter().any(|upstream| upstream.spec.numeric_error_codes)
}

fn is_kind(headers: &HeaderMap, kind: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().get(..kind.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes()))
}
