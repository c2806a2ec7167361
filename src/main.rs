//! The one binary. Each subcommand has a file of its own; shared code is in `parts`.

mod api;
mod audit;
mod console;
mod dashboard;
mod dead_letters;
mod fetch_usage;
mod front;
mod harden;
mod healthcheck;
mod import_env;
mod keyring;
mod keys;
mod lost;
mod mark;
mod migrate;
mod models_file;
mod parts;
mod places;
mod readiness;
mod say;
mod serve;
mod signals;
mod users;
mod workers;

use std::path::Path;

use clap::{Parser, Subcommand};
use keyway_config::Config;

// One process serves many small requests for a long time: jemalloc holds memory steady and costs
// less per request than the system's allocator.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Keeps a team's provider keys: sealed, verified, metered, and usable without ever being seen.
///
/// Settings are KEYWAY_* environment variables, all listed in .env.example.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process: API, proxy and workers (embedded by default)
    Serve,
    /// Run the API and the proxy only
    Api,
    /// Run the relay, the worker pools and the schedules only
    Workers,
    /// Bring the database's schema up to date and exit
    Migrate,
    /// Create or check the keyring
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Bring provider keys in from environment variables or a .env file
    ImportEnv(import_env::ImportEnv),
    /// Fetch usage from the providers now, as the schedule does
    FetchUsage(fetch_usage::FetchUsage),
    /// Export the audit log, or prove that nobody rewrote it
    #[command(subcommand)]
    Audit(audit::Audit),
    /// List, show, replay or discard what nobody could handle
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// Make people, shut them out, or give them another password, while nobody can sign in
    #[command(subcommand)]
    Users(users::Users),
    /// Exit with 0 if the process on the ops address is alive
    Healthcheck,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    match start(arguments.command) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            say::error(&format!("keyway: {error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}

/// Reads the settings and protects the process while it has no other threads, and then runs the command.
fn start(command: Command) -> anyhow::Result<()> {
    let config = Config::load()?;
    let unprotected = harden::protect();
    tokio::runtime::Runtime::new()?.block_on(run(command, config, unprotected))
}

async fn run(command: Command, config: Config, unprotected: Vec<String>) -> anyhow::Result<()> {
    if matches!(command, Command::Healthcheck) {
        return healthcheck::run(&config).await;
    }
    keyway_telemetry::init(&keyway_telemetry::LogSettings {
        format: config.process.log_format.parse().map_err(anyhow::Error::msg)?,
        filter: config.process.log.clone(),
    })?;
    config.unread_lines.iter().for_each(|line| tracing::warn!("{}", say::unread(Path::new(".env"), line)));
    for (name, meant) in &config.misspelt {
        tracing::warn!("{name} is not a setting of Keyway and changes nothing; did you mean {meant}?");
    }
    for why in unprotected {
        tracing::warn!(why, "the secrets in this process's memory are not protected as they should be");
    }
    match command {
        Command::Serve => serve::run(config).await,
        Command::Api => api::run(config).await,
        Command::Workers => workers::run(config).await,
        Command::Migrate => migrate::run(&config).await,
        Command::Keys(keys) => keys::run(&config, keys).await,
        Command::ImportEnv(from) => import_env::run(&config, from).await,
        Command::FetchUsage(what) => fetch_usage::run(&config, what).await,
        Command::Audit(command) => audit::run(&config, command).await,
        Command::DeadLetters(command) => dead_letters::run(&config, command).await,
        Command::Users(command) => users::run(&config, command).await,
        Command::Healthcheck => Ok(()),
    }
}
