//! Limits of a connection: time and size of headers, its permit, its end.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use keyway_http::ServerLimits;
use keyway_testkit::postgres::TestDatabase;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::fixture::{Api, Options};

const DEADLINE: Duration = Duration::from_secs(20);

async fn api(limits: ServerLimits) -> Result<Api> {
    Api::start(TestDatabase::sqlite()?, Options { limits, ..Options::usual()? }).await
}

async fn connect(api: &Api) -> Result<TcpStream> {
    Ok(TcpStream::connect(api.base.trim_start_matches("http://")).await?)
}

/// Returns everything that the server sends until it closes the connection.
async fn until_closed(stream: &mut TcpStream) -> Result<String> {
    let mut bytes = Vec::new();
    match timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.context("the connection stays open")? {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => return Err(error.into()),
        _ => {}
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

const NEW_PROJECT: &str = r#"{"name":"shop"}"#;

#[tokio::test]
async fn headers_that_trickle_in_are_cut_off() -> Result<()> {
    let api = api(ServerLimits { header_timeout: Duration::from_millis(200), ..ServerLimits::default() }).await?;
    let mut slow = connect(&api).await?;
    slow.write_all(b"GET /api/v1/projects HTTP/1.1\r\nHost: x\r\nX-Slow: ").await?;
    let text = until_closed(&mut slow).await?;
    ensure!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    let mut silent = connect(&api).await?;
    until_closed(&mut silent).await?;
    api.get("/api/v1/projects").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn too_large_headers_are_an_error_of_the_one_shape() -> Result<()> {
    let api = api(ServerLimits { max_header_bytes: 4096, ..ServerLimits::default() }).await?;
    let request = api.request(reqwest::Method::GET, "/api/v1/projects").header("x-large", "x".repeat(5000));
    crate::fixture::send(request).await?.expect_error(431, "headers_too_large")?;
    let mut huge = connect(&api).await?;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Huge: {}\r\n\r\n", "x".repeat(200 * 1024));
    // The server may close before it has read everything.
    let _ = huge.write_all(head.as_bytes()).await;
    let text = until_closed(&mut huge).await?;
    ensure!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
    Ok(())
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away_while_those_before_have_requests() -> Result<()> {
    let api = api(ServerLimits { max_connections: 2, ..ServerLimits::default() }).await?;
    let _held = [begun(&api).await?, begun(&api).await?];
    let mut third = connect(&api).await?;
    let text = until_closed(&mut third).await?;
    ensure!(text.is_empty() || text.starts_with("HTTP/1.1 503"), "{text}");
    Ok(())
}

#[tokio::test]
async fn who_shows_no_key_gives_way() -> Result<()> {
    let api = api(ServerLimits { max_connections: 2, ..ServerLimits::default() }).await?;
    let _busy = begun(&api).await?;
    for _ in 0..3 {
        // Silent, half a head, and one that was answered.
        let mut silent = connect(&api).await?;
        let mut half = connect(&api).await?;
        half.write_all(b"GET /api/v1/me HTTP/1.1\r\nHos").await?;
        ensure!(until_closed(&mut silent).await?.is_empty());
        drop(exchange(&api).await?);
        ensure!(until_closed(&mut half).await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn an_address_has_no_more_connections_than_it_may() -> Result<()> {
    let limits = ServerLimits { max_connections_of_address: Some(2), ..ServerLimits::default() };
    let api = api(limits).await?;
    let held = [exchange(&api).await?, exchange(&api).await?];
    let text = until_closed(&mut connect(&api).await?).await?;
    ensure!(text.is_empty() || text.starts_with("HTTP/1.1 503"), "{text}");
    drop(held);
    timeout(DEADLINE, async { while exchange(&api).await.is_err() {} }).await.context("no place became free")?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_let_go() -> Result<()> {
    let api = api(ServerLimits { write_timeout: Duration::from_millis(200), ..ServerLimits::default() }).await?;
    let mut deaf = connect(&api).await?;
    let request = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    // More answers than the sockets between can hold. When the server lets go, it reads no further request.
    let asked = timeout(DEADLINE, async { while deaf.write_all(request).await.is_ok() {} });
    asked.await.context("the server keeps a client that does not read")?;
    Ok(())
}

/// Opens a connection and waits for the answer to one request, so that the server has accepted it.
async fn exchange(api: &Api) -> Result<TcpStream> {
    let mut stream = connect(api).await?;
    stream.write_all(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await?;
    let mut bytes = [0; 12];
    timeout(DEADLINE, stream.read_exact(&mut bytes)).await.context("no answer")??;
    ensure!(&bytes == b"HTTP/1.1 404", "{}", String::from_utf8_lossy(&bytes));
    Ok(stream)
}

/// Opens a connection with a request under way, whose body the server waits for.
async fn begun(api: &Api) -> Result<TcpStream> {
    let mut stream = connect(api).await?;
    let head = format!(
        "POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        api.admin_key,
        NEW_PROJECT.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut go_on = [0; 25];
    timeout(DEADLINE, stream.read_exact(&mut go_on)).await.context("the server does not read the body")??;
    ensure!(go_on.starts_with(b"HTTP/1.1 100"));
    Ok(stream)
}

#[tokio::test]
async fn a_stop_lets_a_running_request_end_and_takes_no_new_one() -> Result<()> {
    let mut api = api(ServerLimits::default()).await?;
    let mut running = begun(&api).await?;
    api.stop.cancel();
    running.write_all(NEW_PROJECT.as_bytes()).await?;
    let text = until_closed(&mut running).await?;
    ensure!(text.starts_with("HTTP/1.1 201"), "{text}");
    let served = api.served.take().context("the server's task")?;
    timeout(DEADLINE, served).await.context("the server does not stop")???;
    ensure!(connect(&api).await.is_err(), "the port is still open");
    Ok(())
}
