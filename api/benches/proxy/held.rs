//! What Keyway holds: the memory of streams that are open at once, and of many calls one after the other.

use std::time::Duration;

use anyhow::{Result, ensure};
use http_body_util::BodyExt;
use keyway_testkit::figures::{Figure, Wanted};
use tokio::task::LocalSet;

use crate::{
    load::{self, Load},
    mode::Mode,
    role::{Role, Server},
};

const STREAMS: usize = 1000;
const MOST_KIB_PER_STREAM: f64 = 64.0;
/// Until what is kept for the next call is there.
const SETTLE: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_secs(10);
const CALLERS: usize = 32;
/// Between two calls of a caller: about 500 a second altogether, which no disk fills up with.
const PAUSE: Duration = Duration::from_millis(60);

/// The memory of a thousand streams that give an event a second.
pub(crate) fn streams(mock: &Server) -> Result<Figure> {
    let own = Role::Keyway.start(Some(&mock.address))?;
    let mode = Mode::new("plain", 4, false, 300);
    Load { address: &own.address, key: &own.key, mode, seconds: 1 }.run(own.pid)?;
    let before = load::memory_mib(own.pid)?;
    let after = run_local(async {
        let mut open = Vec::new();
        for _ in 0..STREAMS {
            let mut connection = load::connect(&own.address).await?;
            let answer = connection.send_request(load::slow_stream(&own.address, &own.key)).await?;
            ensure!(answer.status() == 200, "status {}", answer.status());
            let mut body = answer.into_body();
            ensure!(body.frame().await.is_some(), "a stream gave nothing");
            open.push((connection, body));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        load::memory_mib(own.pid)
    })?;
    let each = (after - before) * 1024.0 / STREAMS as f64;
    Ok(Figure {
        name: "an open stream of 1,000: memory",
        found: format!("{each:.1} KiB"),
        limit: format!("{MOST_KIB_PER_STREAM:.0} KiB"),
        ratio: each / MOST_KIB_PER_STREAM,
        wanted: Wanted::AtMost(1.0),
    })
}

/// Whether memory grows while calls and streams come and go for so many seconds.
pub(crate) fn soak(seconds: u64) -> Result<Figure> {
    let mock = Role::Mock.start(None)?;
    let own = Role::Keyway.start(Some(&mock.address))?;
    let (first, last, calls) = run_local(async {
        let end = tokio::time::Instant::now() + SETTLE + Duration::from_secs(seconds);
        let callers: Vec<_> = (0..CALLERS).map(|at| tokio::task::spawn_local(calls(&own, at, end))).collect();
        tokio::time::sleep(SETTLE).await;
        let first = load::memory_mib(own.pid)?;
        while tokio::time::Instant::now() + SAMPLE < end {
            tokio::time::sleep(SAMPLE).await;
            println!("soak {:.1} MiB", load::memory_mib(own.pid)?);
        }
        let last = load::memory_mib(own.pid)?;
        let mut made = 0;
        for caller in callers {
            made += caller.await??;
        }
        Ok((first, last, made))
    })?;
    println!("soak: {calls} calls");
    Ok(Figure {
        name: "calls and streams for a while: memory, against a minute after the start",
        found: format!("{last:.1} MiB"),
        limit: format!("{first:.1} MiB"),
        ratio: last / first,
        wanted: Wanted::AtMost(1.1),
    })
}

fn calls(own: &Server, at: usize, end: tokio::time::Instant) -> impl Future<Output = Result<u64>> + use<> {
    let (address, key) = (own.address.clone(), own.key.clone());
    async move {
        let mut connection = load::connect(&address).await?;
        let mut made = 0;
        while tokio::time::Instant::now() < end {
            let stream = at.is_multiple_of(4);
            let mode = Mode::new("soak", 1, stream, 300);
            let request = Load { address: &address, key: &key, mode, seconds: 0 }.request();
            load::call(&mut connection, request, stream).await?;
            made += 1;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(made)
    }
}

fn run_local<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(work))
}
