//! `keyway fetch-usage`: start a usage round now, as the schedule does, and optionally wait for its end.
//!
//! Works on the database beside a running Keyway, which does the fetching.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use keyway_api::Console;
use keyway_config::Config;
use keyway_domain::{OperationId, TenantId};
use keyway_vault::Vault;
use serde_json::Value;

use crate::{console, parts, say};

/// Interval at which a waiting command polls.
const EVERY: Duration = Duration::from_millis(250);
/// Time without a beginning after which no worker seems to run.
const NOT_BEGUN: Duration = Duration::from_secs(15);

/// Scope of a usage round, and whether to wait for its end.
#[derive(Args)]
pub(crate) struct FetchUsage {
    /// Of this provider's integrations only
    #[arg(long)]
    provider: Option<String>,
    /// The tenant whose integrations: tnt_...; the default one if left out
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Wait until it has ended; exit code 1 if something failed
    #[arg(long)]
    wait: bool,
}

/// Starts a round, and waits for its end if asked.
///
/// # Errors
/// The round could not be started; or, when waiting, a fetch failed.
pub(crate) async fn run(config: &Config, what: FetchUsage) -> anyhow::Result<()> {
    let store = parts::connect(config).await?;
    let sealed = Vault::sealed("this command opens no secret".to_owned());
    let console = console::open(config, store, sealed, parts::catalog_now(config)?).await?;
    let started = console.fetch_usage(what.tenant, what.provider).await?;
    let id: OperationId = text(&started, "id").parse().context("the operation has no id")?;
    say::line(&format!("{id} fetches the usage of {} integrations", number(&started, "total")));
    if what.wait { wait(&console, what.tenant, id).await } else { Ok(()) }
}

async fn wait(console: &Console, tenant: Option<TenantId>, id: OperationId) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut is_told = false;
    loop {
        let operation = console.operation(tenant, id).await?;
        let state = text(&operation, "state");
        if matches!(state, "succeeded" | "failed" | "cancelled") {
            let [total, done, failed] = ["total", "done", "failed"].map(|field| number(&operation, field));
            say::line(&format!("{state}: {total} in all, {done} done, {failed} failed"));
            if failed > 0 || state != "succeeded" {
                bail!("not all usage was fetched; GET /api/v1/operations?parent_id={id} says why");
            }
            return Ok(());
        }
        if !is_told && state == "queued" && began.elapsed() > NOT_BEGUN {
            is_told = true;
            say::error("nobody has begun yet: is Keyway running? It is waited for");
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn text<'v>(operation: &'v Value, field: &str) -> &'v str {
    operation[field].as_str().unwrap_or_default()
}

fn number(operation: &Value, field: &str) -> i64 {
    operation[field].as_i64().unwrap_or(0)
}
