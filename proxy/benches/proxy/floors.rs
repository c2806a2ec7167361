//! The limits: proxies that swap the key and pass bytes, and do nothing else that a gateway must.

use std::convert::Infallible;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{Either, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpListener;
use warp::Filter;

use crate::role::{self, PROVIDER_KEY};

const HOP_BY_HOP: [&str; 5] = ["connection", "keep-alive", "transfer-encoding", "te", "upgrade"];

/// Serves with hyper's server and hyper-util's client; bodies stream both ways.
pub(crate) async fn hyper(listener: TcpListener, provider: &str) -> Result<()> {
    struct Floor {
        client: Client<HttpConnector, Incoming>,
        provider: http::uri::Authority,
        key: HeaderValue,
    }
    async fn pass(floor: &Floor, request: Request<Incoming>) -> Result<Response<Either<Incoming, Full<Bytes>>>> {
        let (mut parts, body) = request.into_parts();
        let mut uri = std::mem::take(&mut parts.uri).into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(floor.provider.clone());
        parts.uri = Uri::from_parts(uri)?;
        clean(&mut parts.headers);
        parts.headers.insert(header::AUTHORIZATION, floor.key.clone());
        let (mut parts, body) = floor.client.request(Request::from_parts(parts, body)).await?.into_parts();
        clean(&mut parts.headers);
        Ok(Response::from_parts(parts, Either::Left(body)))
    }
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    let floor: &'static Floor = Box::leak(Box::new(Floor {
        client: Client::builder(TokioExecutor::new()).build(http),
        provider: provider.parse()?,
        key: HeaderValue::try_from(format!("Bearer {PROVIDER_KEY}"))?,
    }));
    role::ready(&listener, "unused")?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| async move {
                Ok::<_, Infallible>(pass(floor, request).await.unwrap_or_else(|error| {
                    let mut failed = Response::new(Either::Right(Full::from(error.to_string())));
                    *failed.status_mut() = StatusCode::BAD_GATEWAY;
                    failed
                }))
            }),
        ));
    }
}

/// Serves with warp's own server and reqwest; the request is read whole, events stream, other answers are read whole.
pub(crate) async fn warp_reqwest(listener: TcpListener, provider: &str) -> Result<()> {
    // A second provider is refused; the one that is there is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().context("reqwest")?;
    let base = format!("http://{provider}");
    let key = HeaderValue::try_from(format!("Bearer {PROVIDER_KEY}"))?;
    let pass = move |method: Method, path: warp::path::FullPath, mut headers: HeaderMap, body: Bytes| {
        let (client, url, key) = (client.clone(), format!("{base}{}", path.as_str()), key.clone());
        async move {
            clean(&mut headers);
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(header::AUTHORIZATION, key);
            match client.request(method, url).headers(headers).body(body).send().await {
                Ok(answer) => passed(answer).await,
                Err(_) => warp::reply::Response::default(),
            }
        }
    };
    let filter =
        warp::method().and(warp::path::full()).and(warp::header::headers_cloned()).and(warp::body::bytes()).then(pass);
    role::ready(&listener, "unused")?;
    // warp's server never sets it; without it every streamed event but the first waits for an acknowledgement.
    warp::serve(filter).incoming(listener).run().await;
    Ok(())
}

async fn passed(answer: reqwest::Response) -> warp::reply::Response {
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    clean(&mut headers);
    let is_events =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let mut response = if is_events {
        warp::Reply::into_response(warp::reply::stream(answer.bytes_stream()))
    } else {
        warp::reply::Response::new(answer.bytes().await.unwrap_or_default().into())
    };
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn clean(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove(header::HOST);
}
