//! A provider that answers every report after a fixed time with one bucket, and does nothing else: it must cost less
//! than the workers under test.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use anyhow::Result;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// Reports that an admin key is asked for: completions, embeddings, costs; one page each for a window of a day.
pub(crate) const REQUESTS_A_KEY: usize = 3;

/// Starts a provider; it ends with the process.
pub(crate) async fn start(latency: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    keyway_telemetry::spawn("provider", async move {
        while let Ok((socket, _)) = listener.accept().await {
            // Without it an answer may wait for an acknowledgement.
            let _ = socket.set_nodelay(true);
            let service = service_fn(move |request| answer(request, latency));
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service);
            keyway_telemetry::spawn("connection", async {
                // A caller that goes away ends its connection, which is no failure.
                let _ = connection.await;
            });
        }
    });
    Ok(address)
}

async fn answer(request: Request<Incoming>, latency: Duration) -> Result<Response<Full<Bytes>>, Infallible> {
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let query = request.uri().query().unwrap_or_default();
    let start = query.split('&').find_map(|pair| pair.strip_prefix("start_time=")?.parse().ok()).unwrap_or(0_i64);
    let (length, figures) = match request.uri().path().ends_with("/costs") {
        true => (86_400, r#""line_item":"gpt-4o-mini, input","amount":{"value":0.06,"currency":"usd"}"#),
        false => (3_600, r#""model":"gpt-4o-mini","num_model_requests":7,"input_tokens":700,"output_tokens":140"#),
    };
    let body = format!(
        r#"{{"object":"page","data":[{{"start_time":{start},"end_time":{},"results":[{{{figures}}}]}}],"has_more":false,"next_page":null}}"#,
        start + length
    );
    let mut answer = Response::new(Full::from(body));
    answer.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(answer)
}
