//! `keyway healthcheck`: asks the ops listener of this machine, for images without a shell.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, bail};
use keyway_config::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(3);

/// Exits with 0 when `/healthz` answers 200.
///
/// # Errors
/// No answer, or one other than 200.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut address = config.ops_listen;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer =
        timeout(DEADLINE, ask).await.context("no answer in time")?.with_context(|| format!("asking {address}"))?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        bail!("{address} does not answer /healthz with 200");
    }
    Ok(())
}
