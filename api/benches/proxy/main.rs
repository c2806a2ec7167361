//! Proxied requests and streams beside their limits: the provider asked directly, a bare hyper proxy and
//! a bare warp+reqwest proxy that only swap the key, and Keyway with everything on. Every server is a
//! process of its own (this program with a role), so that the CPU time of each can be told; rounds
//! alternate, and all of them use the product's allocator.
//!
//! `cargo bench -p keyway-api --bench proxy [-- SECONDS [ROUNDS]]`
//!
//! `-- SECONDS ROUNDS URL PID KEY` measures a Keyway that runs already instead of one of its own; its
//! project needs an `openai` integration whose provider is the mock at 127.0.0.1:9100 (`sk-upstream`).

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and is its own server and client"
)]

mod floors;
mod load;
mod mock;
mod own;
mod report;
mod role;

use anyhow::Result;

use load::Load;
use report::Report;
use role::Role;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SECONDS: u64 = 4;
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().and_then(|name| Role::named(name)) {
        Some(role) => role.run(arguments.get(1).map(String::as_str)),
        None => compare(&arguments),
    }
}

fn compare(arguments: &[String]) -> Result<()> {
    let seconds = arguments.first().map_or(Ok(SECONDS), |text| text.parse())?;
    let rounds = arguments.get(1).map_or(Ok(ROUNDS), |text| text.parse())?;
    let running = arguments.get(2..5);
    let mock = Role::Mock.start(running.map(|_| "127.0.0.1:9100"))?;
    let hyper = Role::Hyper.start(Some(&mock.address))?;
    let warp = Role::WarpReqwest.start(Some(&mock.address))?;
    let own = match running {
        Some([url, pid, key]) => role::Server::running(url, pid.parse()?, key),
        _ => Role::Keyway.start(Some(&mock.address))?,
    };
    let servers = [("direct", &mock), ("bare hyper", &hyper), ("bare warp+reqwest", &warp), ("keyway", &own)];
    let mut report = Report::new();
    for (mode, connections) in [("json", 1), ("json", 32), ("json", 128), ("stream", 32)] {
        for round in 1..=rounds {
            for (name, server) in servers {
                let load =
                    Load { address: &server.address, key: &server.key, connections, seconds, stream: mode == "stream" };
                let outcome = load.run(server.pid)?;
                println!("{mode} {connections:>3} round {round} {name:<18} {outcome}");
                report.add((mode, connections, name), outcome);
            }
        }
    }
    report.print(&servers.map(|(name, _)| name));
    report.figures().iter().for_each(|figure| println!("{figure}"));
    Ok(())
}
