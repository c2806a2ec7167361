//! Proxied requests and streams beside their limits: the provider asked directly, a bare hyper proxy and
//! a bare warp+reqwest proxy that only swap the key, and Keyway with everything on. Every server is a
//! process of its own (this program with a role), so that the CPU time of each can be told; rounds
//! alternate, and all of them use the product's allocator.
//!
//! `cargo bench -p keyway-proxy --bench proxy [-- SECONDS [ROUNDS]]`
//!
//! `-- soak SECONDS` instead lets calls and streams come and go and looks at the memory.
//!
//! `-- SECONDS ROUNDS URL PID KEY` measures a Keyway that runs already instead of one of its own; its
//! project needs an `openai` integration whose provider is the mock at 127.0.0.1:9100 (`sk-upstream`).

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and is its own server and client"
)]

#[path = "../../../src/front.rs"]
mod doors;
mod floors;
mod held;
mod load;
mod mock;
mod mode;
mod own;
mod report;
mod role;

use anyhow::Result;

use load::Load;
use mode::MODES;
use report::Report;
use role::Role;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SECONDS: u64 = 3;
const ROUNDS: usize = 3;
const SOAK_SECONDS: u64 = 600;

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (first, second) = (arguments.first().map(String::as_str), arguments.get(1).map(String::as_str));
    match first.and_then(Role::named) {
        Some(role) => role.run(second),
        None if first == Some("soak") => {
            println!("{}", held::soak(second.map_or(Ok(SOAK_SECONDS), str::parse)?)?);
            Ok(())
        }
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
    for mode in MODES {
        for round in 1..=rounds {
            for (name, server) in servers {
                let outcome = Load { address: &server.address, key: &server.key, mode, seconds }.run(server.pid)?;
                println!("{:<6} {:>3} round {round} {name:<18} {outcome}", mode.name, mode.connections);
                report.add(mode, name, outcome);
            }
        }
    }
    report.print(&servers.map(|(name, _)| name));
    report.figures().iter().for_each(|figure| println!("{figure}"));
    println!("{}", held::streams(&mock)?);
    Ok(())
}
