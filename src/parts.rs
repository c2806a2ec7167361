//! The parts that the roles share: settings, database, vault, catalog, bus and listeners.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use keyway_bus::{Bus, EmbeddedBus, RabbitBus, RabbitSettings};
use keyway_config::Config;
use keyway_providers::{GuardSettings, GuardedClient, LiveCatalog};
use keyway_store::{DatabaseLimits, Store, TenantKeyCache, mails::Outgoing};
use keyway_telemetry::metrics;
use keyway_vault::PostgresUrl;
use keyway_workers::{OutboxJournal, hand_over_again};
use tokio_util::sync::CancellationToken;

use crate::{
    keyring::{self, Opened},
    lost,
    models_file::ModelsFile,
    places,
    readiness::{Needs, Ready},
    say,
};

/// Messages per lane that the embedded bus holds in memory; further ones wait in the outbox.
const EMBEDDED_LANE_CAPACITY: usize = 256;
const WAIT_FOR_DATABASE: Duration = Duration::from_secs(2);

/// Parts of every role.
pub(crate) struct Parts {
    /// The settings.
    pub(crate) config: Config,
    /// The database.
    pub(crate) store: Store,
    /// Tenant keys over the vault.
    pub(crate) keys: TenantKeyCache,
    /// Providers and prices.
    pub(crate) catalog: LiveCatalog,
    /// The only outbound HTTP client of workers, and the rule for base URLs.
    pub(crate) http: GuardedClient,
    /// Lanes and invalidations.
    pub(crate) bus: Arc<dyn Bus>,
    /// Token that SIGTERM cancels.
    pub(crate) stop: CancellationToken,
    /// Dependencies that `/readyz` checks, once the role has told them.
    ready: Ready,
}

impl Parts {
    /// Marks the process as ready once its database and its disks are: the API accepts work with them alone.
    pub(crate) fn say_ready(&self) {
        let spool = self.config.process.data_dir.join(keyway_proxy::SPOOL);
        let database = places::database_file(&self.config);
        let database = database.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
        let directories = database.map(Path::to_owned).into_iter().chain([spool]).collect();
        self.ready.needs(Needs { store: self.store.clone(), keys: self.keys.clone(), bus: None, directories });
    }

    /// Marks the process as ready once database and bus are: workers get their work from the bus.
    pub(crate) fn say_working(&self) {
        let (store, keys, bus) = (self.store.clone(), self.keys.clone(), Some(Arc::clone(&self.bus)));
        self.ready.needs(Needs { store, keys, bus, directories: Vec::new() });
    }
}

/// Opens everything. The ops listener runs from the first moment, so that a process that waits for its database is seen
/// to be alive and not ready.
///
/// # Errors
/// A failure, with the remedy.
pub(crate) async fn open(config: Config, role: &'static str) -> anyhow::Result<Parts> {
    let stop = crate::signals::stop_token()?;
    metrics().build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), role]).set(1);
    let ready = Ready::default();
    let ops = places::listen(places::OPS_LISTEN, config.process.ops_listen).await?;
    keyway_telemetry::spawn("ops", keyway_telemetry::serve(ops, ready.check(), stop.clone()));
    let catalog = catalog(&config, &stop)?;
    let http = GuardedClient::new(&GuardSettings {
        trusted: config.process.trusted_upstreams.clone(),
        named: catalog.now().hosts(),
        ..GuardSettings::default()
    })?;
    warn_of_plain_text(&config);
    let store = tokio::select! {
        store = connect_when_ready(&config) => store?,
        () = stop.cancelled() => bail!("stopped before the database was there"),
    };
    let vault = match keyring::open(&config, &store).await? {
        Opened::Vault(vault) => Arc::new(vault),
        Opened::Lost(why) => {
            lost::stay(&config, (&ready, why), role != "workers", stop).await?;
            bail!("stopped without the database that belongs to its keyring");
        }
    };
    metrics().sealed.set(i64::from(vault.sealed_reason().is_some()));
    let keys = TenantKeyCache::new(vault);
    let bus: Arc<dyn Bus> = if config.process.amqp_urls.is_empty() {
        Arc::new(EmbeddedBus::new(Arc::new(OutboxJournal::new(store.clone())), EMBEDDED_LANE_CAPACITY))
    } else {
        let amqp_urls = config.process.amqp_urls.iter().map(|url| url.plain().clone()).collect();
        Arc::new(RabbitBus::start(RabbitSettings { amqp_urls, name: format!("keyway {role}") })?)
    };
    drop(keyway_telemetry::spawn("lost queues", hand_over_again(store.clone(), Arc::clone(&bus), stop.clone())));
    Ok(Parts { config, store, keys, catalog, http, bus, stop, ready })
}

/// Connects to an existing database.
///
/// # Errors
/// The database does not exist, is away, or its URL is not usable.
pub(crate) async fn connect(config: &Config) -> anyhow::Result<Store> {
    if let Some(why) = keyring::lost_database(config) {
        bail!(why);
    }
    if places::is_database_missing(config) {
        bail!(
            "{} is not there yet: start Keyway first, or name another one with KEYWAY_DATA_DIR or KEYWAY_DATABASE_URL",
            places::database_name(config)
        );
    }
    let limits = DatabaseLimits { connections: config.store.database_connections, ..DatabaseLimits::default() };
    let connected = Store::connect(config.store.database_url.plain(), limits).await;
    connected.with_context(|| places::database_name(config))
}

/// Returns the current catalog, without following its file.
///
/// # Errors
/// The file does not exist or is malformed.
pub(crate) fn catalog_now(config: &Config) -> anyhow::Result<LiveCatalog> {
    match &config.process.models_file {
        Some(path) => Ok(ModelsFile::open(path.clone())?.catalog()),
        None => Ok(LiveCatalog::load(None)?),
    }
}

/// Checks that the services a role needs are configured.
///
/// # Errors
/// The missing settings.
pub(crate) fn require_services(config: &Config, role: &str) -> anyhow::Result<()> {
    if is_sqlite(config) || config.process.amqp_urls.is_empty() {
        bail!(
            "keyway {role} works with others through PostgreSQL and RabbitMQ: set KEYWAY_DATABASE_URL=postgres://... and \
             KEYWAY_AMQP_URL=amqp://..., or run everything in one process with: keyway serve"
        );
    }
    Ok(())
}

/// Returns how mails leave this installation.
pub(crate) fn outgoing(config: &Config) -> Outgoing {
    let Some(mail) = &config.mail else { return Outgoing::unset() };
    let domain = mail.from_address.rsplit_once('@').map_or(mail.from_address.as_str(), |(_, domain)| domain);
    Outgoing { domain: domain.to_owned(), is_set: true }
}

/// Returns `true` if the database is a file of this machine.
pub(crate) fn is_sqlite(config: &Config) -> bool {
    config.store.database_url.plain().starts_with("sqlite:")
}

/// Prints that the role is ready, with the addresses of the API and of the ops listener.
pub(crate) fn announce(config: &Config, role: &str) {
    say::line(&format!(
        "Keyway {role} is ready: API, proxy and docs on http://{}/api/docs, metrics on http://{}/metrics",
        config.api.listen, config.process.ops_listen
    ));
}

/// Returns the built-in catalog, or that of the models file, which is followed from now on.
fn catalog(config: &Config, stop: &CancellationToken) -> anyhow::Result<LiveCatalog> {
    let Some(path) = &config.process.models_file else { return catalog_now(config) };
    let file = ModelsFile::open(path.clone())?;
    let catalog = file.catalog();
    drop(keyway_telemetry::spawn("models file", file.watch(stop.clone())));
    Ok(catalog)
}

async fn connect_when_ready(config: &Config) -> anyhow::Result<Store> {
    if is_sqlite(config) {
        return connect(config).await;
    }
    loop {
        let waiting_for = match keyway_migrations::is_current(config.store.database_url.plain()).await {
            Ok(true) => match connect(config).await {
                Ok(store) => return Ok(store),
                // The database is named beside it.
                Err(error) => error.root_cause().to_string(),
            },
            Ok(false) => "the schema is not up to date; run: keyway migrate".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(database = places::database_name(config), why = waiting_for, "waiting for the database");
        tokio::time::sleep(WAIT_FOR_DATABASE).await;
    }
}

fn warn_of_plain_text(config: &Config) {
    if PostgresUrl::parse(config.store.database_url.plain()).is_ok_and(|url| url.may_be_plain()) {
        tracing::warn!(
            database = places::database_name(config),
            "the connection to the database may go over the network as plain text; add ?sslmode=verify-full to its URL"
        );
    }
}
