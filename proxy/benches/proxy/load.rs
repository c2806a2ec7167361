//! The load: connections that each send their next request when the answer before is complete, on one
//! thread. CPU time is that of the server's process over the measured window.

use std::{
    cell::RefCell,
    fmt,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use keyway_testkit::figures::{cpu_seconds, memory_mib};
use tokio::{net::TcpStream, task::LocalSet};

use crate::mode::Mode;

const WARM_UP: Duration = Duration::from_millis(700);
const PROMPT: &str = "Tell me in a few sentences what a gateway for large language models does, and why one would put \
                      one between an application and its providers. ";

/// One run.
pub(crate) struct Load<'a> {
    pub(crate) address: &'a str,
    pub(crate) key: &'a str,
    pub(crate) mode: Mode,
    pub(crate) seconds: u64,
}

/// Result of one run; times in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) per_second: f64,
    pub(crate) cpu: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) first_byte_p50: f64,
    pub(crate) memory_mib: f64,
}

#[derive(Default)]
struct Seen {
    whole: Vec<f64>,
    first: Vec<f64>,
}

impl Load<'_> {
    pub(crate) fn run(&self, pid: u32) -> Result<Outcome> {
        run_local(self.go(pid))
    }

    async fn go(&self, pid: u32) -> Result<Outcome> {
        let begin = Instant::now() + WARM_UP;
        let end = begin + Duration::from_secs(self.seconds);
        let seen = Rc::new(RefCell::new(Seen::default()));
        let mut callers = Vec::new();
        for _ in 0..self.mode.connections {
            let mut connection = connect(self.address).await?;
            let (request, stream, seen) = (self.request(), self.mode.stream, Rc::clone(&seen));
            callers.push(tokio::task::spawn_local(async move {
                while Instant::now() < end {
                    let sent = Instant::now();
                    let first = call(&mut connection, request.clone(), stream).await?;
                    let done = Instant::now();
                    if sent >= begin && done < end {
                        let mut seen = seen.borrow_mut();
                        seen.whole.push((done - sent).as_secs_f64() * 1e6);
                        seen.first.push((first - sent).as_secs_f64() * 1e6);
                    }
                }
                anyhow::Ok(())
            }));
        }
        tokio::time::sleep_until(begin.into()).await;
        let (clock, before) = (Instant::now(), cpu_seconds(pid)?);
        tokio::time::sleep_until(end.into()).await;
        let (cpu, window) = (cpu_seconds(pid)? - before, clock.elapsed().as_secs_f64());
        for caller in callers {
            caller.await??;
        }
        let mut seen = seen.borrow_mut();
        ensure!(!seen.whole.is_empty(), "no call was answered");
        let calls = seen.whole.len() as f64;
        Ok(Outcome {
            per_second: calls / window,
            cpu: cpu * 1e6 / calls,
            p50: quantile(&mut seen.whole, 0.5),
            p99: quantile(&mut seen.whole, 0.99),
            first_byte_p50: quantile(&mut seen.first, 0.5),
            memory_mib: memory_mib(pid)?,
        })
    }

    /// Returns the call that is repeated.
    pub(crate) fn request(&self) -> Request<Full<Bytes>> {
        let prompt = PROMPT.repeat(self.mode.body_bytes.div_ceil(PROMPT.len()));
        let mut body = asked(&prompt);
        if self.mode.stream {
            body["stream"] = true.into();
        }
        request(self.address, self.key, &body)
    }
}

/// Runs callers on this thread.
pub(crate) fn run_local<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(work))
}

/// Builds a call whose stream goes on until the caller leaves.
pub(crate) fn slow_stream(address: &str, key: &str) -> Request<Full<Bytes>> {
    let mut body = asked(PROMPT);
    (body["stream"], body["user"]) = (true.into(), "slow".into());
    request(address, key, &body)
}

fn asked(prompt: &str) -> serde_json::Value {
    let messages = serde_json::json!([
        { "role": "system", "content": "You are a helpful assistant. Answer briefly and precisely." },
        { "role": "user", "content": prompt },
    ]);
    serde_json::json!({ "model": "gpt-4o-mini", "messages": messages, "max_tokens": 256 })
}

fn request(address: &str, key: &str, body: &serde_json::Value) -> Request<Full<Bytes>> {
    Request::post("/v1/chat/completions")
        .header(header::HOST, address)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "*/*")
        .header(header::USER_AGENT, "keyway-bench")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .body(Full::from(body.to_string()))
        .unwrap_or_default()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_second, cpu, p50, p99, first_byte_p50, memory_mib } = self;
        write!(
            f,
            "{per_second:>7.0}/s  CPU {cpu:>6.1} us  p50 {p50:>7.0} us  p99 {p99:>7.0} us  first byte {first_byte_p50:>6.0} us  {memory_mib:.0} MiB"
        )
    }
}

pub(crate) async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("nobody answers at {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    drop(tokio::task::spawn_local(connection));
    Ok(sender)
}

/// Makes one call and returns the time of its body's first byte.
pub(crate) async fn call(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    stream: bool,
) -> Result<Instant> {
    connection.ready().await?;
    let answer = connection.send_request(request).await?;
    ensure!(answer.status() == 200, "status {}", answer.status());
    let mut body = answer.into_body();
    let (mut first, mut last) = (None, Bytes::new());
    while let Some(frame) = body.frame().await {
        first.get_or_insert_with(Instant::now);
        if let Ok(data) = frame?.into_data() {
            last = data;
        }
    }
    ensure!(!stream || last.ends_with(b"data: [DONE]\n\n"), "the stream has no end");
    first.context("the answer is empty")
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}
