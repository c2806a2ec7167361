//! The server: accepts, reads a request whole, finds the turn of its key, and answers.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};

use super::{
    Fault, Script,
    answer::{self, Answer},
    anthropic, anthropic_shape,
    call::Call,
    chat,
    content::Content,
    files, gemini, gemini_files, gemini_live, models, openai, realtime,
    reports::{self, Report},
    responses,
    shape::Shape,
    state::{State, Turn},
};

/// Serves until `stopped`; ends its connections with it.
pub(super) async fn run(listener: TcpListener, state: Arc<State>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(_) => continue,
            },
        };
        // Without it each event of a stream waits for the acknowledgement of the one before.
        let _ = socket.set_nodelay(true);
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let session = Arc::new(Mutex::new(None));
            let begun = Arc::clone(&session);
            let service = service_fn(move |request| respond(Arc::clone(&state), request, Arc::clone(&begun)));
            let served = http1::Builder::new().serve_connection(TokioIo::new(socket), service).with_upgrades().await;
            let upgrade = session.lock().unwrap_or_else(PoisonError::into_inner).take();
            match upgrade {
                Some((path, upgrade)) if path == realtime::PATH => realtime::converse(upgrade).await,
                Some((_, upgrade)) => gemini_live::converse(upgrade).await,
                None => {}
            }
            served
        });
    }
}

async fn respond(
    state: Arc<State>,
    request: Request<Incoming>,
    session: Arc<Mutex<Option<(String, OnUpgrade)>>>,
) -> Result<Answer, Infallible> {
    let (mut head, body) = request.into_parts();
    let socket = realtime::agree(&mut head);
    let call = Call {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        key: key_of(&head.headers),
        headers: head.headers,
        body: body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
    };
    if let Some(path) = call.path.strip_prefix("/__sim/") {
        return Ok(administer(&state, &call, path));
    }
    let key = call.key.clone().unwrap_or_default();
    let turn = state.take_turn(&key, &call.path, &call.body);
    tokio::time::sleep(turn.latency).await;
    if turn.fault == Fault::Hang {
        std::future::pending::<()>().await;
    }
    let shape = Shape::of(&call.path, &key);
    if let Some(taken) = gemini_files::go_on(&state, &call) {
        return Ok(taken);
    }
    if call.key.is_none() {
        return Ok(answer::of_content(shape, missing_key(shape), Fault::None, "", turn.number));
    }
    if turn.fault == Fault::Redirect {
        return Ok(answer::redirect(&state.elsewhere()));
    }
    if let Some(broken) = answer::of_fault(shape, turn.fault, &key, turn.number) {
        return Ok(broken);
    }
    if let Some((agreed, upgrade)) = socket {
        *session.lock().unwrap_or_else(PoisonError::into_inner) = Some((call.path, upgrade));
        return Ok(agreed);
    }
    let begun = (shape == Shape::Gemini).then(|| gemini_files::begin(&state, &call)).flatten();
    if let Some(begun) = begun {
        return Ok(begun);
    }
    let content = match shape {
        Shape::OpenAi => content(&state, &call, &key, &turn),
        Shape::Anthropic => anthropic::content(&state, &call, &turn, &pairs(&call.query)),
        Shape::Gemini => gemini::content(&state, &call, turn.number),
    };
    Ok(answer::of_content(shape, content, turn.fault, &key, turn.number))
}

fn missing_key(shape: Shape) -> Content {
    if shape == Shape::Anthropic {
        return anthropic_shape::missing_key();
    }
    let message = "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                   Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
    openai::invalid_request(StatusCode::UNAUTHORIZED, message, None)
}

fn content(state: &State, call: &Call, key: &str, turn: &Turn) -> Content {
    let path = call.path.strip_prefix("/v1").unwrap_or(&call.path);
    let report = match path {
        "/organization/usage/completions" => Some(Report::Completions),
        "/organization/usage/embeddings" => Some(Report::Embeddings),
        "/organization/costs" => Some(Report::Costs),
        _ => None,
    };
    match (call.method.as_str(), path, report, turn.admin) {
        ("GET", _, Some(report), true) => reports::page(report, &pairs(&call.query), key, turn.fault),
        ("GET", _, Some(_), false) => openai::missing_scopes("api.usage.read"),
        (_, "/models" | "/chat/completions" | "/completions" | "/embeddings", _, true) => {
            openai::missing_scopes("model.request")
        }
        ("GET", "/models", ..) => Content::Json(models::list()),
        ("POST", "/chat/completions", ..) => chat::chat(&call.body, turn.number),
        ("POST", "/completions", ..) => chat::completions(&call.body, turn.number),
        ("POST", "/responses", ..) => responses::respond(&call.body, turn.number),
        ("POST", "/embeddings", ..) => chat::embeddings(&call.body),
        ("POST", "/audio/transcriptions", ..) => files::transcribe(&call.headers, &call.body),
        ("POST", "/audio/speech", ..) => files::speak(&call.body),
        (method, path, ..) if path.starts_with("/files") => {
            files::files(state, method, path, &call.headers, &call.body).unwrap_or_else(|| unknown(call))
        }
        _ => unknown(call),
    }
}

fn unknown(call: &Call) -> Content {
    let message = format!("Invalid URL ({} {})", call.method, call.path);
    openai::invalid_request(StatusCode::NOT_FOUND, &message, None)
}

fn administer(state: &State, call: &Call, path: &str) -> Answer {
    match (call.method.as_str(), path) {
        ("GET", "requests") => answer::finish(answer::with_status(200), &json!({ "keys": state.all_calls() })),
        ("POST", "script") => match serde_json::from_slice::<Script>(&call.body) {
            Ok(script) => {
                state.script(script);
                answer::finish(answer::with_status(200), &json!({ "scripted": true }))
            }
            Err(error) => answer::finish(answer::with_status(400), &json!({ "error": error.to_string() })),
        },
        _ => answer::finish(answer::with_status(404), &json!({ "error": "GET requests or POST script" })),
    }
}

/// Returns the key from the header in which each provider expects it.
fn key_of(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| ["x-api-key", "x-goog-api-key"].into_iter().find_map(text)).map(str::to_owned)
}

fn pairs(query: &str) -> HashMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://simulator/?{query}"));
    let mut pairs = HashMap::new();
    for (name, value) in url.iter().flat_map(|url| url.query_pairs().into_owned().collect::<Vec<_>>()) {
        pairs.entry(name).and_modify(|list: &mut String| *list = format!("{list},{value}")).or_insert(value);
    }
    pairs
}
