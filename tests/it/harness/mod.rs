//! Whole installations for tests: real processes of the built binary on real services, and the provider
//! simulator. A test ends with [`Keyway::finish`], which holds every test to the same end: nothing left
//! in the outbox, in a queue or among the dead letters. Without it the logs are shown.
//!
//! Nothing here sleeps to let something happen: [`until`] waits for a condition, with a deadline.

mod api;
mod database;
mod keyway;
pub(crate) mod metrics;
pub(crate) mod process;
pub(crate) mod queues;
mod services;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub(crate) use api::{Answer, Api, text};
pub(crate) use database::Database;
pub(crate) use keyway::Keyway;
pub(crate) use services::Services;

/// Long enough for anything on a slow machine; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

const POLL: Duration = Duration::from_millis(100);

/// Waits until `condition` holds. An error of it means "not yet", and is shown when time is over.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let outcome = condition().await;
        if matches!(outcome, Ok(true)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain: {what}: {outcome:?}", PATIENCE.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A client for loopback. The one place where tests make one.
#[expect(clippy::disallowed_methods, reason = "a test's own client, which talks to loopback only")]
pub(crate) fn http_client() -> Result<reqwest::Client> {
    // reqwest wants a TLS provider even for plain HTTP; another test may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    Ok(builder.timeout(Duration::from_secs(60)).build()?)
}
