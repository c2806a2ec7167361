//! Answers on the wire: whole ones, streams, and the broken ones of every shape.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Response, header, response::Builder};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::{Fault, bomb, content::Content, shape::Shape};

const HUGE_BYTES: usize = 1 << 20;

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(super) type Answer = Response<Body>;

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
