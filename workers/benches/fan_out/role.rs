//! The workers as a process of their own, so that their CPU time and memory are measured apart from the rest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use keyway_bus::{RabbitBus, RabbitSettings};
use keyway_providers::{GuardSettings, GuardedClient, LiveCatalog};
use keyway_store::{DatabaseLimits, Store, TenantKeyCache};
use keyway_telemetry::{LogFormat, LogSettings};
use keyway_testkit::figures::{cpu_seconds, peak_memory_mib};
use keyway_vault::{Keyring, Vault};
use keyway_workers::{WorkerParts, WorkerSettings};
use tokio_util::sync::CancellationToken;

/// Concurrent jobs, the product's default.
pub(crate) const CONCURRENCY: u16 = 32;
/// First argument that makes this program the workers.
pub(crate) const NAME: &str = "workers";

/// Addresses and files of a run.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) database_url: String,
    pub(crate) amqp_url: String,
    pub(crate) keyring: PathBuf,
    pub(crate) provider: String,
}

/// The running workers; they end when `stop` is called, or with their parent.
pub(crate) struct Workers {
    child: Child,
    until: Option<ChildStdin>,
}

impl Workers {
    pub(crate) fn start(places: &Places) -> Result<Self> {
        let Places { database_url, amqp_url, keyring, provider } = places;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([NAME, database_url, amqp_url]).arg(keyring).arg(provider);
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let until = child.stdin.take();
        Ok(Self { child, until })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid())
    }

    pub(crate) fn peak_memory_mib(&self) -> Result<f64> {
        peak_memory_mib(self.pid())
    }

    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.until.take());
        ensure!(self.child.wait()?.success(), "the workers did not end well");
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        drop(self.until.take());
        // After a failure elsewhere; how they end does not matter any more.
        let _ = self.child.wait();
    }
}

/// Runs the workers until standard input ends.
pub(crate) async fn run(arguments: &[String]) -> Result<()> {
    let [database_url, amqp_url, keyring, provider] = arguments else { anyhow::bail!("four places are needed") };
    keyway_telemetry::init(&LogSettings { format: LogFormat::Text, filter: "error,lapin=off".to_owned() })?;
    let second = Duration::from_secs(1);
    let guard = GuardSettings { trusted: vec![provider.clone()], ..GuardSettings::default() };
    let parts = WorkerParts {
        store: Store::connect(database_url, DatabaseLimits::default()).await?,
        keys: TenantKeyCache::new(Arc::new(Vault::open(Keyring::load(Path::new(keyring))?))),
        bus: Arc::new(RabbitBus::start(RabbitSettings { amqp_urls: vec![amqp_url.clone()], name: NAME.to_owned() })?),
        catalog: LiveCatalog::load(None)?,
        http: GuardedClient::new(&guard)?,
        mailer: None,
        settings: WorkerSettings {
            // Longer than any run: nothing is done but what it asks for.
            usage_interval: 365 * 86_400 * second,
            verify_interval: 86_400 * second,
            recheck_after: 86_400 * second,
            confirm_after: second,
            retention: 30 * 86_400 * second,
            ledger_retention: 400 * 86_400 * second,
            drift_percent: 5,
            concurrency: CONCURRENCY,
            provider_concurrency: CONCURRENCY,
            drain: 10 * second,
            embedded: false,
        },
    };
    let stop = CancellationToken::new();
    let ended = keyway_telemetry::spawn("workers", keyway_workers::run(parts, stop.clone()));
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    stop.cancel();
    Ok(ended.await??)
}

/// Writes a keyring file for the workers to read; `folder` must not hold one yet.
pub(crate) fn keyring(folder: &Path) -> Result<(Keyring, PathBuf)> {
    fs::create_dir_all(folder)?;
    let path = folder.join("keyring.json");
    Keyring::generate()?.create(&path)?;
    let keyring = Keyring::load(&path).context("the keyring just made")?;
    Ok((keyring, path))
}
