//! The fault proxy does to a connection what it says, and nothing else.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use keyway_testkit::fault_proxy::{FaultProxy, Weather};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const LONG: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(300);

/// Starts a server that echoes every chunk, and reports the chunks it got.
async fn echo() -> Result<(SocketAddr, mpsc::UnboundedReceiver<Vec<u8>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (got, told) = mpsc::unbounded_channel();
    #[expect(clippy::disallowed_methods, reason = "a test's own server")]
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let got = got.clone();
            tokio::spawn(async move {
                let mut chunk = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = socket.read(&mut chunk).await {
                    let _ = got.send(chunk[..read].to_vec());
                    if socket.write_all(&chunk[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok((address, told))
}

async fn asks(client: &mut TcpStream, question: &[u8]) -> Result<Vec<u8>> {
    client.write_all(question).await?;
    let mut answer = vec![0; question.len()];
    timeout(LONG, client.read_exact(&mut answer)).await??;
    Ok(answer)
}

#[tokio::test]
async fn good_weather_changes_no_byte() -> Result<()> {
    let (server, _got) = echo().await?;
    let proxy = FaultProxy::start(server).await?;
    let mut client = TcpStream::connect(proxy.address).await?;
    for length in [1, 1000, 100_000] {
        let question: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        ensure!(asks(&mut client, &question).await? == question, "{length} bytes came back changed");
    }
    client.shutdown().await?;
    ensure!(timeout(LONG, client.read(&mut [0; 1])).await?? == 0, "the end did not arrive");
    ensure!((proxy.connections(), proxy.cut()) == (1, 0));
    Ok(())
}

#[tokio::test]
async fn pieces_latency_and_bandwidth_only_delay() -> Result<()> {
    let (server, _got) = echo().await?;
    let proxy = FaultProxy::start(server).await?;
    let question = vec![7; 2000];
    for (weather, at_least_ms) in [
        (Weather { latency_ms: 200, ..Weather::default() }, 390),
        (Weather { bytes_per_second: Some(10_000), slice_bytes: Some(500), ..Weather::default() }, 190),
    ] {
        proxy.set(weather.clone());
        let mut client = TcpStream::connect(proxy.address).await?;
        let begun = Instant::now();
        ensure!(asks(&mut client, &question).await? == question, "{weather:?}");
        ensure!(begun.elapsed() >= Duration::from_millis(at_least_ms), "{weather:?} took {:?}", begun.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn a_cut_ends_connections_and_refuses_new_ones_until_it_is_healed() -> Result<()> {
    let (server, _got) = echo().await?;
    let proxy = FaultProxy::start(server).await?;
    let mut client = TcpStream::connect(proxy.address).await?;
    asks(&mut client, b"before").await?;
    proxy.set(Weather { down: true, ..Weather::default() });
    let ended = timeout(LONG, client.read(&mut [0; 1])).await?;
    ensure!(ended.is_err(), "an orderly end is no cut: {ended:?}");
    let mut refused = TcpStream::connect(proxy.address).await?;
    ensure!(asks(&mut refused, b"during").await.is_err(), "a connection was taken");
    ensure!(proxy.cut() == 2, "{} were cut", proxy.cut());
    proxy.heal();
    ensure!(asks(&mut TcpStream::connect(proxy.address).await?, b"after").await? == b"after");
    Ok(())
}

#[tokio::test]
async fn what_is_held_arrives_when_the_hole_closes() -> Result<()> {
    let (server, mut got) = echo().await?;
    let proxy = FaultProxy::start(server).await?;
    let mut client = TcpStream::connect(proxy.address).await?;
    asks(&mut client, b"before").await?;
    got.recv().await.context("the server ended")?;
    proxy.set(Weather { holds_requests: true, ..Weather::default() });
    client.write_all(b"question").await?;
    ensure!(timeout(MOMENT, got.recv()).await.is_err(), "it reached the server");
    proxy.set(Weather { holds_answers: true, ..Weather::default() });
    ensure!(timeout(LONG, got.recv()).await?.as_deref() == Some(b"question"), "the question was lost");
    let mut answer = [0; 8];
    ensure!(timeout(MOMENT, client.read_exact(&mut answer)).await.is_err(), "the answer came through");
    proxy.heal();
    timeout(LONG, client.read_exact(&mut answer)).await??;
    ensure!(&answer == b"question", "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn the_server_gets_what_the_client_is_cut_off_after() -> Result<()> {
    let (server, mut got) = echo().await?;
    let proxy = FaultProxy::start(server).await?;
    proxy.set(Weather { cut_after: Some(b"COMMIT"), ..Weather::default() });
    let mut client = TcpStream::connect(proxy.address).await?;
    asks(&mut client, b"BEGIN").await?;
    got.recv().await.context("the server ended")?;
    ensure!(asks(&mut client, b"..COMMIT..").await.is_err(), "the answer came through");
    ensure!(timeout(LONG, got.recv()).await?.as_deref() == Some(b"..COMMIT.."), "the server was not told");
    Ok(())
}

#[tokio::test]
async fn an_end_is_passed_on_slowly() -> Result<()> {
    let (server, _got) = echo().await?;
    let proxy = FaultProxy::start(server).await?;
    proxy.set(Weather { slow_close_ms: 400, ..Weather::default() });
    let mut client = TcpStream::connect(proxy.address).await?;
    asks(&mut client, b"before").await?;
    let begun = Instant::now();
    client.shutdown().await?;
    ensure!(timeout(LONG, client.read(&mut [0; 1])).await?? == 0);
    ensure!(begun.elapsed() >= Duration::from_millis(390), "{:?}", begun.elapsed());
    Ok(())
}
