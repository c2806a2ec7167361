//! Ports for servers that tests start, kill and start again on the same port.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result};

/// Ports below the ephemeral range of outgoing connections: none of them is taken while its server is away, and a
/// client that tries to reach it meanwhile is never connected to itself.
const PORTS: std::ops::Range<u16> = 10_240..32_000;

/// Returns a port without a listener.
///
/// # Errors
/// No port is free.
pub fn free_port() -> Result<u16> {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..1000).map(|_| fastrand::u16(PORTS)).find(free).context("no port is free")
}
