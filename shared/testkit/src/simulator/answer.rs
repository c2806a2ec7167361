//! Answers: OpenAI's headers, its error bodies, and the broken ones of every shape.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Response, StatusCode, header, response::Builder};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::{Fault, bomb, shape::Shape};

const HUGE_BYTES: usize = 1 << 20;

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(super) type Answer = Response<Body>;

/// Content of a good answer.
pub(super) enum Content {
    /// One JSON body.
    Json(Value),
    /// Data of server-sent events; `[DONE]` is added.
    Events(Vec<Value>),
    /// Server-sent events, each complete with its blank line; nothing is added.
    Frames(Vec<String>),
    /// Bytes with a content type.
    Bytes(String, Bytes),
    /// An error of the provider.
    Error(StatusCode, Value),
}

/// Builds OpenAI's error body.
pub(super) fn error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}

pub(super) fn invalid_request(status: StatusCode, message: &str, code: Option<&str>) -> Content {
    Content::Error(status, error(message, "invalid_request_error", None, code))
}

pub(super) fn missing_scopes(scope: &str) -> Content {
    let message = format!(
        "You have insufficient permissions for this operation. Missing scopes: {scope}. Check that you have the correct \
         role in your organization (Reader, Writer, Owner), and if you're using a restricted API key, that it has the \
         necessary scopes."
    );
    invalid_request(StatusCode::FORBIDDEN, &message, None)
}

/// Returns OpenAI's status and error body for a fault.
pub(super) fn refusal(fault: Fault, key: &str) -> Option<(u16, Value)> {
    let (status, message, kind, code) = match fault {
        Fault::Revoked => {
            let tail: String = key.chars().skip(key.chars().count().saturating_sub(4)).collect();
            let message = format!(
                "Incorrect API key provided: sk-********{tail}. You can find your API key at \
                 https://platform.openai.com/account/api-keys."
            );
            return Some((401, error(&message, "invalid_request_error", None, Some("invalid_api_key"))));
        }
        Fault::Restricted => match missing_scopes("api.model.read") {
            Content::Error(_, body) => return Some((403, body)),
            _ => return None,
        },
        Fault::NoCredit => {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            (429, message, "insufficient_quota", Some("insufficient_quota"))
        }
        Fault::RateLimited | Fault::AbsurdRetryAfter => {
            let message = "Rate limit reached for requests. Please try again later.";
            (429, message, "requests", Some("rate_limit_exceeded"))
        }
        Fault::ServerError => {
            let message = "The server had an error while processing your request. Sorry about that!";
            (500, message, "server_error", None)
        }
        _ => return None,
    };
    Some((status, error(message, kind, None, code)))
}

/// Returns the answer of a fault that replaces the good one; `None` for faults that alter it.
pub(super) fn of_fault(shape: Shape, fault: Fault, key: &str, number: u64) -> Option<Answer> {
    if let Some((status, body)) = shape.refusal(fault, key) {
        let builder = shape.headers(with_status(status), number);
        let builder = match fault {
            Fault::RateLimited => builder.header(header::RETRY_AFTER, "20"),
            Fault::AbsurdRetryAfter => builder.header(header::RETRY_AFTER, "999999999"),
            _ => builder,
        };
        return Some(finish(builder, &body));
    }
    match fault {
        Fault::Html => {
            let page = "<html><head><title>Welcome</title></head><body>Log in to continue</body></html>";
            Some(whole(with_status(200).header(header::CONTENT_TYPE, "text/html"), Bytes::from_static(page.as_bytes())))
        }
        Fault::GzipBomb => {
            let builder = with_status(200).header(header::CONTENT_TYPE, "application/json");
            Some(whole(builder.header(header::CONTENT_ENCODING, "gzip"), bomb::gzip()))
        }
        Fault::HugeHeader => {
            let builder = with_status(200).header("x-huge", "x".repeat(HUGE_BYTES));
            Some(finish(builder, &json!({ "object": "list", "data": [] })))
        }
        Fault::Endless => {
            let spaces = Bytes::from_static(&[b' '; 16 * 1024]);
            let frames = stream::repeat_with(move || Ok(Frame::data(spaces.clone())));
            Some(build(with_status(200), BodyExt::boxed_unsync(StreamBody::new(frames))))
        }
        _ => None,
    }
}

/// Builds a 307 to another host.
pub(super) fn redirect(location: &str) -> Answer {
    whole(with_status(307).header(header::LOCATION, location), Bytes::new())
}

/// Turns content into an answer, broken as the fault demands.
pub(super) fn of_content(shape: Shape, content: Content, fault: Fault, key: &str, number: u64) -> Answer {
    let builder = |status| shape.headers(with_status(status), number);
    match content {
        Content::Error(status, body) => finish(builder(status.as_u16()), &body),
        Content::Bytes(kind, bytes) => whole(builder(200).header(header::CONTENT_TYPE, kind), bytes),
        Content::Events(events) => {
            let events = events.into_iter().map(|event| format!("data: {event}\n\n"));
            let frames = events.chain(["data: [DONE]\n\n".to_owned()]).collect();
            of_content(shape, Content::Frames(frames), fault, key, number)
        }
        Content::Frames(frames) => {
            let builder = builder(200).header(header::CONTENT_TYPE, "text/event-stream; charset=utf-8");
            stream_of(builder, frames, matches!(fault, Fault::Cut | Fault::Truncated))
        }
        Content::Json(mut body) => match fault {
            Fault::Echo => {
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("echo".to_owned(), json!(format!("Bearer {key}")));
                }
                finish(echo_headers(with_status(200), key), &body)
            }
            Fault::Truncated => {
                let text = body.to_string();
                let half = text.get(..text.len() / 2).unwrap_or_default().to_owned();
                whole(builder(200).header(header::CONTENT_TYPE, "application/json"), half.into())
            }
            Fault::Cut => cut(builder(200).header(header::CONTENT_TYPE, "application/json"), &body),
            _ => finish(builder(200), &body),
        },
    }
}

/// Builds a plain JSON answer.
pub(super) fn finish(builder: Builder, body: &Value) -> Answer {
    whole(builder.header(header::CONTENT_TYPE, "application/json"), body.to_string().into())
}

pub(super) fn with_status(status: u16) -> Builder {
    Response::builder().status(status)
}

pub(super) fn provider_headers(builder: Builder, number: u64) -> Builder {
    builder
        .header("x-request-id", format!("req_sim{number:028}"))
        .header("openai-organization", "org-simulated")
        .header("openai-project", "proj_simulated")
        .header("openai-processing-ms", "3")
        .header("openai-version", "2020-10-01")
        .header("x-ratelimit-limit-requests", "10000")
        .header("x-ratelimit-remaining-requests", "9999")
        .header("x-ratelimit-reset-requests", "6ms")
}

fn echo_headers(builder: Builder, key: &str) -> Builder {
    builder
        .header("x-request-id", key)
        .header("x-echo-authorization", format!("Bearer {key}"))
        .header(header::WWW_AUTHENTICATE, format!("Bearer realm=\"{key}\""))
        .header(header::SET_COOKIE, format!("key={key}"))
}

pub(super) fn whole(builder: Builder, body: Bytes) -> Answer {
    build(builder, Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

fn cut(builder: Builder, body: &Value) -> Answer {
    let text = body.to_string();
    let half = Bytes::copy_from_slice(text.as_bytes().get(..text.len() / 2).unwrap_or_default());
    let broken = stream::iter([Ok(Frame::data(half)), Err(io::Error::other("cut"))]);
    build(builder.header(header::CONTENT_LENGTH, text.len()), BodyExt::boxed_unsync(StreamBody::new(broken)))
}

fn stream_of(builder: Builder, frames: Vec<String>, broken: bool) -> Answer {
    let count = if broken { frames.len() / 2 } else { frames.len() };
    let pieces = frames.into_iter().take(count).map(|frame| Ok(Frame::data(Bytes::from(frame))));
    let end = broken.then(|| {
        stream::once(async {
            // What came before is sent only once there is nothing more to add to it.
            tokio::task::yield_now().await;
            Err(io::Error::other("cut"))
        })
    });
    build(builder, BodyExt::boxed_unsync(StreamBody::new(stream::iter(pieces).chain(stream::iter(end).flatten()))))
}

fn build(builder: Builder, body: Body) -> Answer {
    // A key with characters that no header can carry cannot be echoed; nothing else can fail here.
    builder.body(body).unwrap_or_else(|_| Response::new(Full::default().map_err(|never| match never {}).boxed_unsync()))
}
