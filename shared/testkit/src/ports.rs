//! Ports for servers that tests start, kill and start again on the same port.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result};

/// Below the ports that systems give to outgoing connections: nobody takes one while its server is away,
/// and nobody who tries to reach it meanwhile is connected to himself.
const PORTS: std::ops::Range<u16> = 10_240..32_000;

/// A port that nobody listens on.
///
/// # Errors
/// None is found.
pub fn free_port() -> Result<u16> {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..1000).map(|_| fastrand::u16(PORTS)).find(free).context("no port is free")
}
