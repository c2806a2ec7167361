//! The management API as one warp filter: match, authorise, read, handle, answer, log one line.
//!
//! The routes and their required access are one table, [`crate::routes`]; authorisation is decided on the row that
//! matched. Nothing of a request's body is read before that.

use std::{convert::Infallible, sync::Arc, time::Instant};

use bytes::Buf;
use futures::Stream;
use http::{HeaderMap, HeaderValue, Method, header};
use keyway_domain::RequestId;
use keyway_http::Connection;
use keyway_telemetry::metrics;
use keyway_vault::SecretBytes;
use tracing::{
    Instrument, Span,
    field::{Empty, display},
};
use uuid::Uuid;
use warp::{Filter, Rejection, Reply, filters::path::FullPath, reject::MethodNotAllowed, reply::Response};

use crate::{
    App,
    answer::Answer,
    auth::{self, Asked},
    body,
    call::Call,
    code::Code,
    error::ApiError,
    modules, openapi,
    principal::Principal,
    routes::{self, Endpoint, Found},
    trace,
};

/// Returns the filter that answers everything under `/api`, and every path that is no route.
pub(crate) fn routes(app: Arc<App>) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync {
    let document = Arc::clone(&app);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let management = warp::path::full()
        .and(warp::method())
        .and_then(|path: FullPath, method: Method| async move { matched(&path, &method) })
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional())
        .and(warp::body::stream())
        .then(move |found, path, query, headers, came: Option<CameOn>, stream| {
            let request = Request { found, path, query, headers, came: came.map(|CameOn(connection)| connection) };
            handle(Arc::clone(&app), request, stream)
        });
    openapi::routes(document).or(management).unify().recover(refuse).unify()
}

struct Request {
    found: Matched,
    path: FullPath,
    query: String,
    headers: HeaderMap,
    came: Option<Connection>,
}

/// Connection that a request came on.
#[derive(Clone)]
pub(crate) struct CameOn(pub(crate) Connection);

struct Matched {
    endpoint: &'static Endpoint,
    params: Vec<String>,
}

/// A rejection that carries an [`ApiError`].
#[derive(Debug)]
struct Refused(std::sync::Mutex<Option<ApiError>>);

impl warp::reject::Reject for Refused {}

fn matched(path: &FullPath, method: &Method) -> Result<Matched, Rejection> {
    let refused = |error| warp::reject::custom(Refused(std::sync::Mutex::new(Some(error))));
    match routes::find(method, path.as_str()) {
        Found::Endpoint(endpoint, params) => Ok(Matched { endpoint, params }),
        Found::OtherMethods(allowed) => {
            let error = ApiError::new(Code::MethodNotAllowed, format!("this path takes {allowed} only"));
            Err(refused(match HeaderValue::try_from(allowed) {
                Ok(allowed) => error.with_header(header::ALLOW, allowed),
                Err(_) => error,
            }))
        }
        Found::Nothing => Err(warp::reject::not_found()),
    }
}

async fn handle<B: Buf>(
    app: Arc<App>,
    request: Request,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Response {
    let started = Instant::now();
    let request_id = RequestId::new();
    let endpoint = request.found.endpoint;
    let traceparent = trace::parent(&request.headers);
    let subject = request.found.params.iter().find(|param| is_id(param)).map(String::as_str);
    // An error's span is on every line that is logged within it, however little is logged.
    let span = tracing::error_span!(
        "request", %request_id, method = %endpoint.method, route = endpoint.template, subject, traceparent, tenant_id = Empty
    );
    let (peer, proxy) = (request.came.as_ref().map(|came| came.peer), app.proxy.clone());
    let mut result = run(app, request, stream, (request_id, traceparent)).instrument(span.clone()).await;
    let failure = result.as_mut().err().and_then(ApiError::take_failure);
    if let (Some(failure), Some(peer), Some(proxy)) = (failure, peer, proxy) {
        proxy.refuse(peer, failure).instrument(span.clone()).await;
    }
    let response = span.in_scope(|| {
        let (code, response) = match result {
            Ok(answer) => (None, answer.into_response(request_id)),
            Err(error) => (Some(error.code().text()), error.into_response(request_id).into_response()),
        };
        let took_ms = took_ms(started);
        tracing::info!(status = response.status().as_u16(), code, took_ms, "a request was answered");
        response
    });
    metrics().api_seconds.with_label_values(&[endpoint.template]).observe(started.elapsed().as_secs_f64());
    count(endpoint.template, endpoint.method.as_str(), &response);
    response
}

async fn run<B: Buf>(
    app: Arc<App>,
    request: Request,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
    (request_id, traceparent): (RequestId, String),
) -> Result<Answer, ApiError> {
    let Request { found: Matched { endpoint, params }, path, query, headers, came } = request;
    let peer = came.as_ref().map(|came| came.peer);
    let (method, access) = (&endpoint.method, endpoint.access);
    let asked = Asked { method, access, params: &params, headers: &headers, peer };
    let by = auth::caller(&app, asked, (request_id, traceparent)).await?;
    Span::current().record("tenant_id", display(by.tenant_id));
    if let Some(came) = came.filter(|_| !matches!(*by.principal, Principal::Nobody)) {
        came.traffic.note_key();
    }
    let module = modules::of(endpoint.template);
    if let Some(module) = module {
        modules::check(&app, by.tenant_id, module).await?;
    }
    let body = if matches!(endpoint.method, Method::GET | Method::DELETE) {
        SecretBytes::new(Vec::new())
    } else {
        body::read(stream, &headers, modules::body_bytes(&app, module), app.body_timeout).await?
    };
    let path = path.as_str().to_owned();
    let known = if endpoint.method == Method::GET { Some(headers.clone()) } else { None };
    let call = Call { app, by, route: endpoint.name, access: endpoint.access, path, params, query, headers, body };
    let answer = (endpoint.handler)(call).await?;
    Ok(match known {
        Some(headers) => answer.for_reader(&headers),
        None => answer,
    })
}

/// Converts a rejection to a response; the only place that does.
async fn refuse(rejection: Rejection) -> Result<Response, Infallible> {
    let carried = rejection.find::<Refused>().and_then(|refused| refused.0.lock().ok()?.take());
    let error = match carried {
        Some(error) => error,
        None if rejection.find::<MethodNotAllowed>().is_some() => {
            ApiError::new(Code::MethodNotAllowed, "this path takes GET only")
                .with_header(header::ALLOW, HeaderValue::from_static("GET"))
        }
        None if rejection.is_not_found() => {
            ApiError::new(Code::NotFound, "there is nothing at this path; see /api/docs")
        }
        None => {
            tracing::error!(?rejection, "a rejection that no rule covers");
            ApiError::new(Code::Internal, "something went wrong in Keyway")
        }
    };
    let (request_id, code) = (RequestId::new(), error.code().text());
    let response = error.into_response(request_id);
    tracing::info!(%request_id, status = response.status().as_u16(), code, "a request that no route takes was answered");
    count("unmatched", "any", &response);
    Ok(response.into_response())
}

/// Returns `true` if a text in a path is one of our ids: any other may be a secret in the wrong place, and is not
/// logged.
fn is_id(text: &str) -> bool {
    text.split_once('_').is_some_and(|(prefix, rest)| {
        prefix.len() <= 3 && prefix.bytes().all(|byte| byte.is_ascii_lowercase()) && Uuid::parse_str(rest).is_ok()
    })
}

fn took_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn count<B>(route: &str, method: &str, response: &http::Response<B>) {
    metrics().api_requests.with_label_values(&[route, method, response.status().as_str()]).inc();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_ours_are_logged() {
        let id = RequestId::new().to_string();
        for (text, expected) in [
            (id.as_str(), true),
            ("int_0198c0de0198c0de0198c0de0198c0de", true),
            ("sk_0198c0de0198c0de0198c0de0198c0de0198", false),
            ("sk-proj-0198c0de0198c0de0198c0de0198c0de", false),
            ("kw_live_0198c0de0198c0de0198c0de0198c0de", false),
            ("gpt-4o", false),
            ("", false),
        ] {
            assert_eq!(is_id(text), expected, "{text}");
        }
    }
}
