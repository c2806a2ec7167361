//! One proxied request, from its first line to the head of its answer. On the warm path everything comes from memory:
//! neither database nor bus is asked.

use std::{borrow::Cow, mem, net::SocketAddr, sync::Arc};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header, request::Parts,
};
use hyper::{
    body::{Body as _, Incoming},
    upgrade::OnUpgrade,
};
use keyway_telemetry::metrics;

use crate::{
    answer::{
        attempts::{Attempts, Begun},
        broken::Reader,
        cache,
        caller_side::Caller,
        meter::{Meter, Reads, is_kind},
        models,
        redact::Redactor,
        relay::ProxyBody,
        websocket::{self, Session, SessionKey},
    },
    client::ProviderClient,
    ledger::{arrival::Arrival, record::Record},
    proxy::Proxy,
    refusal::{Code, Refusal, shape::Shape},
    request::{
        caller::{self, KeyHash, KeyHolder, Principal},
        headers,
        intake::Source,
        path::{self, Route},
        room::Payer,
    },
    route::{
        choice::Choice,
        plan::{Plan, Planner},
        project::Project,
    },
    warm::Held,
};
use keyway_http::Traffic;

impl Proxy {
    /// Answers a request to one of the proxy's paths.
    pub async fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        client: &ProviderClient,
        traffic: &Arc<Traffic>,
    ) -> Response<ProxyBody> {
        if let Some(told) = self.cors.preflight(request.method(), request.headers()) {
            return told.map(ProxyBody::whole);
        }
        let arrival = Arrival::now();
        let page = self.cors.allowed(request.headers());
        let (parts, body) = request.into_parts();
        let uri = parts.uri.clone();
        let id = HeaderValue::try_from(arrival.id.to_string()).ok();
        let served = self.serve((parts, body), &uri, arrival, (client, traffic, peer)).await;
        let mut response = served.unwrap_or_else(|refusal| {
            let code = refusal.code().text();
            metrics().proxy_refused.with_label_values(&[code]).inc();
            if !refusal.is_told() {
                self.refused_calls.tell(arrival.id, peer, refusal.code());
            }
            let shape = Shape::of(uri.path());
            let mut response = refusal.into_response(shape).map(ProxyBody::whole);
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

    /// Answers a request for which no connection is left but those that are kept for management.
    pub(crate) fn turn_away<B>(&self, request: &Request<B>) -> Response<ProxyBody> {
        let refusal = Refusal::new(Code::ConnectionsFull, "every connection is in use; try again");
        metrics().proxy_refused.with_label_values(&[refusal.code().text()]).inc();
        let mut response = refusal.into_response(Shape::of(request.uri().path())).map(ProxyBody::whole);
        if request.version() != Version::HTTP_2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn serve(
        &self,
        (mut parts, body): (Parts, Incoming),
        uri: &Uri,
        arrival: Arrival,
        (client, traffic, peer): (&ProviderClient, &Arc<Traffic>, SocketAddr),
    ) -> Result<Response<ProxyBody>, Refusal> {
        let route = Route::of(&parts.method, uri.path())?;
        let found = caller::key_hash(&parts.headers, key_in_query(&route, uri).as_deref());
        let (hash, caller) = self.holder(found, arrival, peer).await?;
        traffic.note_key();
        let principal = caller.usable(arrival.at)?;
        let project = self.project(principal.tenant_id, principal.project_id, arrival.clock).await?;
        if !project.fallback.exists() {
            self.sources.check_open()?;
        }
        if let Some(answer) = models::answered(&route, &project, arrival.at) {
            return answer;
        }
        let ready = self.ready(&route, (&mut parts, body), uri, arrival, (principal, &project)).await;
        let ready = ready.map_err(|refusal| {
            self.refused_calls.keep(&self.spool, principal, arrival, uri.path(), &refusal);
            refusal.told()
        })?;
        let Ready { mut plan, mut record, place } = ready;
        if let Some(answer) = place.as_ref().and_then(|place| self.caches.answers.find(place, arrival.clock)) {
            let path = plan.path.at(record.first());
            return Ok(answer.again(record, path));
        }
        match self.limiter.reserve(principal, &project, &plan, (&parts.method, &parts.headers)).await {
            Ok(hold) => record.hold = hold,
            Err(refusal) => return Err(record.refuse(refusal, &plan.path, &self.refused_calls)),
        }
        let reads = Reads::of(&parts.method, &route, record.first());
        let socket = for_provider(&mut parts, reads != Reads::Nothing);
        let caller_side = Caller {
            reader: Reader {
                shape: Shape::of(&plan.path.at(record.first())),
                numbers: reads_numbers(&route, &plan),
                request_id: arrival.id,
            },
            traffic: Arc::clone(traffic),
            owners: Arc::clone(&self.owners),
            has_choice: plan.upstreams.len() > 1,
        };
        let query = path::forwarded_query(parts.uri.query());
        let upstreams = mem::take(&mut plan.upstreams);
        let attempts = self.attempts(client, (parts.method, parts.headers), query, plan, record);
        let begun = attempts.run(upstreams).await?;
        if let Some(id) = path_id(&route).filter(|_| begun.answer.status().is_success()) {
            self.owners.keep(principal.project_id, id, begun.record.upstream().integration_id);
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

    /// Returns the holder of the key found in a request, if the key may be used.
    async fn holder(
        &self,
        found: Result<KeyHash, Refusal>,
        arrival: Arrival,
        peer: SocketAddr,
    ) -> Result<(KeyHash, Held<KeyHolder>), Refusal> {
        let hash = self.or_wait(found, None, peer).await?;
        let caller = self.caller(&hash, arrival.clock).await?;
        self.or_wait(caller.usable(arrival.at).map(drop), Some(&caller), peer).await?;
        Ok((hash, caller))
    }

    /// Passes a result about a key on; delays the refusal of a wrong key.
    async fn or_wait<T>(
        &self,
        found: Result<T, Refusal>,
        holder: Option<&KeyHolder>,
        peer: SocketAddr,
    ) -> Result<T, Refusal> {
        if let Err(refusal) = &found
            && let Some(failure) = caller::failure(refusal, holder)
        {
            self.auth_failures.refuse(peer, failure).await;
        }
        found
    }

    /// Prepares a call of this project: plans its upstreams, and begins its record.
    async fn ready(
        &self,
        route: &Route<'_>,
        (parts, body): (&mut Parts, Incoming),
        uri: &Uri,
        arrival: Arrival,
        (principal, project): (&Principal, &Project),
    ) -> Result<Ready, Refusal> {
        let wish = self.caches.answers.wish(principal, &parts.headers)?;
        // Before the body is read: a call that cannot be recorded should take no memory.
        let Some(slot) = self.spool.admit() else {
            return Err(Refusal::spool_full());
        };
        let planner = Planner {
            project_id: principal.project_id,
            project,
            catalog: &self.sources.catalog,
            choice: self.choice(&parts.headers, arrival)?,
            owners: &self.owners,
            room: &self.room,
            reads_bodies: self.limiter.counts_use(principal, project) || wish.is_some(),
        };
        let plan = planner.plan(route, parts, Source::new(body, Payer::of(principal))).await?;
        let Some(first) = plan.first() else { return Err(Refusal::nobody()) };
        let record = Record::new(slot, principal, Arc::clone(first), arrival, plan.model.clone());
        let place = wish.and_then(|wish| wish.place(parts, uri, &plan));
        Ok(Ready { plan, record, place })
    }

    fn attempts<'a>(
        &'a self,
        client: &'a ProviderClient,
        (method, headers): (Method, HeaderMap),
        query: Option<Cow<'a, str>>,
        plan: Plan,
        record: Record,
    ) -> Attempts<'a> {
        Attempts {
            client,
            cooling: &self.cooling,
            usage_option: &self.usage_option,
            refused_calls: &self.refused_calls,
            method,
            headers,
            query,
            path: plan.path,
            payload: plan.payload,
            refers: plan.refers,
            own_refusal: plan.own_refusal,
            record,
            timer: Box::pin(tokio::time::sleep(self.first_byte_timeout)),
        }
    }

    /// Returns the criteria for choosing integrations, from these headers.
    fn choice(&self, headers: &HeaderMap, arrival: Arrival) -> Result<Choice<'_>, Refusal> {
        let (pinned, allows_fallback) = (headers::pinned(headers)?, headers::allows_fallback(headers)?);
        let (now, clock) = (arrival.at, arrival.clock);
        Ok(Choice { cooling: &self.cooling, pinned, allows_fallback, session: None, keeper: None, now, clock })
    }
}

/// A call that is ready to be made.
struct Ready {
    plan: Plan,
    record: Record,
    /// Place of its answer in the cache, if it may be cached.
    place: Option<cache::Place>,
}

/// Replaces the headers by those for a provider. Returns the caller's side of a requested WebSocket.
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

/// Returns the answer for the caller, without the provider's key where that can be found.
fn answered(mut begun: Begun, reads: Reads, caller: Caller) -> Result<Response<ProxyBody>, Refusal> {
    let status = begun.answer.status();
    begun.record.answered(status, is_kind(begun.answer.headers(), "text/event-stream"));
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED || status.is_informational() {
        let said = "the provider answered with a redirect, which is never followed; check the base URL and the path";
        return Err(begun.record.ends_as(Refusal::new(Code::UpstreamRedirect, said)));
    }
    begun.dress();
    let Begun { answer, connection, secret, mut record, timer, hides_usage, .. } = begun;
    let (mut parts, body) = answer.into_parts();
    let mut encodings = parts.headers.get_all(header::CONTENT_ENCODING).iter();
    let is_compressed = encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let redacts = record.upstream().redacts_answers;
    if redacts && is_compressed && !body.is_end_stream() {
        let said = "the provider compressed an answer that is to be searched for its key, and was asked not to";
        return Err(record.ends_as(Refusal::new(Code::UpstreamCompressed, said)));
    }
    let mut redactor = None;
    let meter = if parts.status.is_success() {
        redactor = redacts.then(|| Redactor::new(secret));
        reads.meter(&parts.headers, &record, hides_usage)
    } else if is_compressed {
        Meter::Silent
    } else {
        Meter::Error(Redactor::new(secret))
    };
    if meter.rewrites() {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    Ok(Response::from_parts(
        parts,
        ProxyBody::relayed((body, connection), meter, record, timer, caller).redacted(redactor),
    ))
}

/// Returns the key in the query, where callers of Google's shape have theirs.
fn key_in_query(route: &Route<'_>, uri: &Uri) -> Option<String> {
    let Route::Provider { provider, path } = route else { return None };
    let is_googles = *provider == "gemini" || Shape::of(path) == Shape::Google;
    if is_googles { path::parameter(uri.query(), "key") } else { None }
}

/// Returns the id in the path of the object that a call is about.
fn path_id<'a>(route: &Route<'a>) -> Option<&'a str> {
    match route {
        Route::Family(path) | Route::Provider { path, .. } => path::id_in(path),
        _ => None,
    }
}

/// Returns `true` if the caller reads the codes of errors as numbers: it uses the SDK of such a provider, at its own
/// path.
fn reads_numbers(route: &Route<'_>, plan: &Plan) -> bool {
    let is_own = matches!(route, Route::Provider { .. } | Route::Wrapped { .. });
    is_own && plan.upstreams.iter().any(|upstream| upstream.spec.numeric_error_codes)
}
