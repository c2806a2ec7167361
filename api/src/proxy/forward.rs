//! One proxied request, from its first line to the head of its answer. On the warm path everything
//! comes from memory: neither database nor bus is asked.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, request::Parts,
    response::Parts as ResponseParts,
};
use hyper::body::Incoming;
use keyway_telemetry::metrics;
use keyway_vault::SecretBytes;
use tokio::time::Sleep;

use super::{
    Proxy, caller, client,
    client::RequestBody,
    events::Events,
    headers,
    intake::Source,
    models,
    path::{self, Route},
    plan::Planner,
    record::{Arrival, Record},
    redact::Redactor,
    refusal::{Code, Refusal, Shape},
    relay::{Meter, ProxyBody},
    tee::Tee,
    upstream::Upstream,
};

/// How long a provider may take to begin its answer; reasoning models take minutes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10 * 60);

impl Proxy {
    /// Answers a request whose path begins with `/proxy/` or `/v1/`.
    pub async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<ProxyBody> {
        let arrival = Arrival::now();
        let (parts, body) = request.into_parts();
        let uri = parts.uri.clone();
        let mut response = self.serve(parts, body, &uri, arrival).await.unwrap_or_else(|refusal| {
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
        mut parts: Parts,
        body: Incoming,
        uri: &Uri,
        arrival: Arrival,
    ) -> Result<Response<ProxyBody>, Refusal> {
        let route = Route::of(&parts.method, uri.path())?;
        let hash = caller::key_hash(&parts.headers)?;
        let caller = self.caller(&hash, arrival.clock).await?;
        let principal = caller.usable(arrival.at)?;
        let project = self.project(principal, arrival.clock).await?;
        match &route {
            Route::Models => return models::list(&project, arrival.at),
            Route::Model(id) => return models::one(&project, id, arrival.at),
            _ => {}
        }
        // Before the body is read: a call that cannot be recorded should take no memory.
        let Some(slot) = self.spool.admit() else {
            return Err(Refusal::new(Code::SpoolFull, "records of calls cannot be kept at the moment; try again"));
        };
        let planner = Planner { project: &project, catalog: &self.sources.catalog.now(), now: arrival.at, room: &self.room };
        let plan = planner.plan(&route, &mut parts, Source::new(body)).await?;
        let query = path::forwarded_query(uri.query());
        let (request, secret) = outgoing(parts, &plan.upstream, &plan.path, query.as_deref(), plan.body)?;
        let call = (plan.path, plan.model);
        let record = Record::begin(slot, principal, Arc::clone(&plan.upstream), arrival, call);
        metrics().proxy_overhead_seconds.observe(arrival.clock.elapsed().as_secs_f64());
        self.exchange(request, record, secret, plan.hides_usage).await
    }

    async fn exchange(
        &self,
        request: Request<RequestBody>,
        mut record: Record,
        secret: SecretBytes,
        hides_usage: bool,
    ) -> Result<Response<ProxyBody>, Refusal> {
        // A GET may show the figures of an earlier call, which count once.
        let is_metered = request.method() == Method::POST;
        let mut timer = Box::pin(tokio::time::sleep(HEAD_TIMEOUT));
        let answer = tokio::select! {
            biased;
            answer = self.client.request(request) => answer,
            () = &mut timer => {
                return Err(Refusal::new(Code::UpstreamTimeout, "the provider did not begin to answer in time"));
            }
        };
        let (mut parts, body) = answer.map_err(|error| client::judge(&error))?.into_parts();
        let is_events = is_kind(&parts.headers, "text/event-stream");
        record.answered(parts.status, is_events);
        if parts.status.is_redirection() && parts.status != StatusCode::NOT_MODIFIED || parts.status.is_informational()
        {
            return Err(Refusal::new(
                Code::UpstreamRedirect,
                "the provider answered with a redirect, which is never followed; check the base URL and the path",
            ));
        }
        headers::clean_response(&mut parts.headers, secret.expose());
        parts.headers.insert(headers::INTEGRATION, record.upstream().header.clone());
        let meter = if parts.headers.contains_key(header::CONTENT_ENCODING) {
            Meter::Silent
        } else if !parts.status.is_success() {
            Meter::Error(Redactor::new(secret))
        } else if is_metered {
            figures(&parts.headers, hides_usage)
        } else {
            Meter::Silent
        };
        Ok(answered(parts, body, record, meter, timer))
    }
}

/// The request as the provider gets it, and the opened secret, to look for its echo in the answer.
fn outgoing(
    mut parts: Parts,
    upstream: &Upstream,
    path: &str,
    query: Option<&str>,
    body: RequestBody,
) -> Result<(Request<RequestBody>, SecretBytes), Refusal> {
    headers::clean_request(&mut parts.headers);
    if parts.method == Method::POST {
        // Figures can only be read from an answer that is not compressed.
        parts.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let secret = upstream.authorize(path, &mut parts.headers)?;
    let mut request = Request::new(body);
    *request.uri_mut() = upstream.uri(path, query)?;
    *request.method_mut() = parts.method;
    *request.headers_mut() = parts.headers;
    Ok((request, secret))
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

fn answered(
    mut parts: ResponseParts,
    body: Incoming,
    record: Record,
    meter: Meter,
    timer: Pin<Box<Sleep>>,
) -> Response<ProxyBody> {
    if meter.rewrites() {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    let mut response = Response::new(ProxyBody::relayed(body, meter, record, timer));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    response
}

fn is_kind(headers: &HeaderMap, kind: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().get(..kind.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes()))
}
