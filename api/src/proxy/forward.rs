//! One proxied request, from its first line to the head of its answer. On the warm path everything
//! comes from memory: neither database nor bus is asked.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, request::Parts};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use keyway_telemetry::metrics;

use super::{
    Proxy,
    attempts::{Attempts, Begun},
    caller,
    choice::Choice,
    client::ProviderClient,
    events::Events,
    headers,
    intake::Source,
    links::Links,
    models,
    path::{self, Route},
    plan::Planner,
    record::{Arrival, Record},
    redact::Redactor,
    refusal::{Code, Refusal, Shape},
    relay::{Meter, ProxyBody},
    tee::Tee,
    websocket::{self, Session, SessionKey},
};

impl Proxy {
    /// Answers a request whose path begins with `/proxy/` or `/v1/`.
    pub async fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        client: &ProviderClient,
    ) -> Response<ProxyBody> {
        let arrival = Arrival::now();
        let (parts, body) = request.into_parts();
        let uri = parts.uri.clone();
        let mut response = self.serve((parts, body), &uri, arrival, client).await.unwrap_or_else(|refusal| {
            let code = refusal.code().text();
            metrics().proxy_refused.with_label_values(&[code]).inc();
            tracing::debug!(request_id = %arrival.id, %peer, code, "a proxied request was refused");
            refusal.into_response(Shape::of(uri.path()))
        });
        if let Ok(id) = HeaderValue::try_from(arrival.id.to_string()) {
            response.headers_mut().insert(headers::REQUEST_ID, id);
        }
        response
    }

    async fn serve(
        &self,
        (mut parts, body): (Parts, Incoming),
        uri: &Uri,
        arrival: Arrival,
        client: &ProviderClient,
    ) -> Result<Response<ProxyBody>, Refusal> {
        let route = Route::of(&parts.method, uri.path())?;
        let hash = caller::key_hash(&parts.headers)?;
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
        let choice = self.choice(&parts.headers, arrival)?;
        let reads_bodies = self.limiter.counts_use(principal, &project) || wish.is_some();
        let planner =
            Planner { project: &project, catalog: &self.sources.catalog, choice, room: &self.room, reads_bodies };
        let plan = planner.plan(&route, &mut parts, Source::new(body)).await?;
        let Some(first) = plan.first() else { return Err(Refusal::nobody()) };
        let mut record = Record::new(slot, principal, Arc::clone(first), arrival, plan.model.clone());
        let place = wish.and_then(|wish| wish.place(&parts, uri, &plan));
        if let Some(answer) = place.as_ref().and_then(|place| self.caches.answers.find(place, arrival.clock)) {
            return Ok(answer.again(record, plan.path.at(first)));
        }
        let call = (&parts.method, &parts.headers);
        record.hold = self.limiter.reserve(principal, &project, &plan, call).await?;
        let is_read = parts.method == Method::POST || first.ways.link_field(uri.path()).is_some();
        let socket = for_provider(&mut parts, is_read);
        // A GET may show the figures of an earlier call, which count once.
        let is_metered = parts.method == Method::POST;
        let attempts = Attempts {
            client,
            cooling: &self.cooling,
            method: parts.method,
            headers: parts.headers,
            query: path::forwarded_query(parts.uri.query()),
            path: plan.path,
            payload: plan.payload,
            own_refusal: plan.own_refusal,
            record,
        };
        let begun = attempts.run(plan.upstreams).await?;
        match socket {
            Some(socket) if begun.answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let (callers, sources) = (Arc::clone(&self.caches.callers), Arc::clone(&self.sources));
                let key = SessionKey { callers, sources, hash, holder: caller.clone() };
                let session = Session { stop: self.end_sessions.clone(), open: self.sessions.token(), key };
                Ok(websocket::begin(socket, begun, session))
            }
            _ => {
                let response = answered(begun, is_metered, plan.hides_usage)?;
                Ok(self.caches.answers.keep(place, response))
            }
        }
    }

    /// What is chosen by for a call with these headers.
    fn choice(&self, headers: &HeaderMap, arrival: Arrival) -> Result<Choice<'_>, Refusal> {
        let (pinned, allows_fallback) = (headers::pinned(headers)?, headers::allows_fallback(headers)?);
        Ok(Choice { cooling: &self.cooling, pinned, allows_fallback, now: arrival.at, clock: arrival.clock })
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
        // Figures and addresses can only be read from an answer that is not compressed.
        parts.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    socket
}

/// The answer as the caller gets it.
fn answered(mut begun: Begun, is_metered: bool, hides_usage: bool) -> Result<Response<ProxyBody>, Refusal> {
    let status = begun.answer.status();
    begun.record.answered(status, is_kind(begun.answer.headers(), "text/event-stream"));
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED || status.is_informational() {
        return Err(Refusal::new(
            Code::UpstreamRedirect,
            "the provider answered with a redirect, which is never followed; check the base URL and the path",
        ));
    }
    begun.dress();
    let Begun { answer, connection, secret, record, timer, .. } = begun;
    let (mut parts, body) = answer.into_parts();
    let meter = if parts.headers.contains_key(header::CONTENT_ENCODING) {
        Meter::Silent
    } else if !parts.status.is_success() {
        Meter::Error(Redactor::new(secret))
    } else if is_metered {
        figures(&parts.headers, hides_usage)
    } else {
        let ways = &*record.upstream().ways;
        ways.link_field(record.path()).map_or(Meter::Silent, |field| Meter::Links(Links::new(field)))
    };
    if meter.rewrites() {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    Ok(Response::from_parts(parts, ProxyBody::relayed((body, connection), meter, record, timer)))
}

/// How the figures of an answer are read.
fn figures(headers: &HeaderMap, hides_usage: bool) -> Meter {
    if is_kind(headers, "text/event-stream") {
        Meter::Events(Events::new(hides_usage))
    } else if is_kind(headers, "application/json") {
        Meter::Json(Tee::default())
    } else {
        Meter::Silent
    }
}

fn is_kind(headers: &HeaderMap, kind: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().get(..kind.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes()))
}
