//! Keyway's memory: of many streams open at once, and of many calls one after the other.

use std::time::Duration;

use anyhow::{Result, ensure};
use http_body_util::BodyExt;
use keyway_testkit::figures::{Figure, memory_mib};
use tokio::time::Instant;

use crate::{
    load::{self, Load, run_local},
    mode::{Mode, PLAIN_BYTES},
    report::at_most,
    role::{Role, Server},
};

const STREAMS: usize = 1000;
const MOST_KIB_PER_STREAM: f64 = 64.0;
/// Longest wait until pooled resources are allocated.
const SETTLE: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_secs(10);
const CALLERS: usize = 32;
/// Pause between two calls of a caller: about 500 a second altogether, which fill no disk.
const PAUSE: Duration = Duration::from_millis(60);

/// Returns the memory of a thousand streams that give an event a second.
pub(crate) fn streams(mock: &Server) -> Result<Figure> {
    let own = Role::Keyway.start(Some(&mock.address))?;
    let mode = Mode::new("plain", 4, false, PLAIN_BYTES);
    Load { address: &own.address, key: &own.key, mode, seconds: 1 }.run(own.pid)?;
    let before = memory_mib(own.pid)?;
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
        memory_mib(own.pid)
    })?;
    let each = (after - before) * 1024.0 / STREAMS as f64;
    Ok(at_most("an open stream of 1,000: memory", (each, MOST_KIB_PER_STREAM), "KiB", 1.0))
}

/// Measures whether memory grows while calls and streams come and go for so many seconds.
pub(crate) fn soak(seconds: u64) -> Result<Figure> {
    let mock = Role::Mock.start(None)?;
    let own = Role::Keyway.start(Some(&mock.address))?;
    let (first, last, calls) = run_local(async {
        let end = Instant::now() + SETTLE + Duration::from_secs(seconds);
        let callers: Vec<_> = (0..CALLERS).map(|at| tokio::task::spawn_local(calls(&own, at, end))).collect();
        tokio::time::sleep(SETTLE).await;
        let first = memory_mib(own.pid)?;
        while Instant::now() + SAMPLE < end {
            tokio::time::sleep(SAMPLE).await;
            println!("soak {:.1} MiB", memory_mib(own.pid)?);
        }
        let last = memory_mib(own.pid)?;
        let mut made = 0;
        for caller in callers {
            made += caller.await??;
        }
        Ok((first, last, made))
    })?;
    println!("soak: {calls} calls");
    let name = "calls and streams for a while: memory, against a minute after the start";
    Ok(at_most(name, (last, first), "MiB", 1.1))
}

/// Calls again and again; every fourth caller asks for streams.
fn calls(own: &Server, at: usize, end: Instant) -> impl Future<Output = Result<u64>> + use<> {
    let mode = Mode::new("soak", 1, at.is_multiple_of(4), PLAIN_BYTES);
    let request = Load { address: &own.address, key: &own.key, mode, seconds: 0 }.request();
    let address = own.address.clone();
    async move {
        let mut connection = load::connect(&address).await?;
        let mut made = 0;
        while Instant::now() < end {
            load::call(&mut connection, request.clone(), mode.stream).await?;
            made += 1;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(made)
    }
}
