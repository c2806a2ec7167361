//! The provider simulator as a program of its own, for demonstrations and by hand.

use std::{future::pending, net::SocketAddr};

use clap::Parser;
use keyway_testkit::simulator::Simulator;

/// Speaks OpenAI's API on this machine; no key of it is real. `sk-sim-good-1` works,
/// `sk-sim-revoked-1` does not, `sk-admin-sim-1` reads usage.
#[derive(Parser)]
struct Options {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 9100)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the caller reads the address from here")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let simulator = Simulator::start_at(SocketAddr::new(options.host, options.port)).await?;
    println!("{}", simulator.base_url);
    pending().await
}
