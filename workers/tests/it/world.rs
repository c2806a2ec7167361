//! The two deployments under test: started and stopped like the binary, and found empty at the end.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use keyway_bus::{Bus, EmbeddedBus, RabbitBus, RabbitSettings};
use keyway_domain::{Lane, Message, Timestamp};
use keyway_providers::{GuardSettings, GuardedClient, LiveCatalog};
use keyway_store::{DatabaseLimits, Store, StoreError, TenantKeyCache, raw, schedules};
use keyway_telemetry::{LogFormat, LogSettings};
use keyway_testkit::{
    postgres::TestDatabase, private_postgres::PrivatePostgres, rabbitmq::TestBroker, simulator::Simulator,
};
use keyway_vault::{Keyring, SmtpUrl, Vault};
use keyway_workers::{MailSettings, Mailer, OutboxJournal, WorkerParts, WorkerSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{observe::until, seed::Tenant};

/// Longer than any test runs, so that a round of the usage schedule is fired only where a test wants it.
pub(crate) const USAGE_INTERVAL: Duration = Duration::from_secs(365 * 86_400);
const STOP: Duration = Duration::from_secs(30);

/// Runs a scenario in both deployments and finds outbox, lanes and dead letters empty after it.
macro_rules! in_both {
    ($($name:ident)*) => {$(
        mod $name {
            use crate::world::World;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() -> anyhow::Result<()> {
                let mut world = World::embedded().await?;
                super::$name(&mut world).await?;
                world.finish().await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn distributed() -> anyhow::Result<()> {
                let mut world = World::distributed().await?;
                super::$name(&mut world).await?;
                world.finish().await
            }
        }
    )*};
}
pub(crate) use in_both;

/// One deployment with one tenant, a simulator, and no workers yet.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) keys: TenantKeyCache,
    pub(crate) catalog: LiveCatalog,
    pub(crate) simulator: Simulator,
    pub(crate) tenant: Tenant,
    pub(crate) settings: WorkerSettings,
    pub(crate) guard: GuardSettings,
    /// Port of the mail server on this machine; `None`: none is set.
    pub(crate) smtp_port: Option<u16>,
    sets: Vec<WorkerSet>,
    /// A bus of the test's own, beside those of the workers.
    bus: Option<Arc<dyn Bus>>,
    pub(crate) broker: Option<TestBroker>,
    pub(crate) database: Database,
}

/// Place of the rows; dropped with the world.
pub(crate) enum Database {
    /// A fresh database for the test.
    Shared(TestDatabase),
    /// A server for the test alone, which may kill it.
    Private(PrivatePostgres),
}

impl Database {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Shared(database) => &database.url,
            Self::Private(server) => &server.url,
        }
    }
}

/// The parts of `keyway workers`.
struct WorkerSet {
    bus: Arc<dyn Bus>,
    stop: CancellationToken,
    ended: JoinHandle<Result<(), StoreError>>,
}

impl World {
    pub(crate) async fn embedded() -> Result<Self> {
        Self::on(Database::Shared(TestDatabase::sqlite()?), None).await
    }

    pub(crate) async fn distributed() -> Result<Self> {
        Self::on(Database::Shared(TestDatabase::postgres().await?), Some(TestBroker::shared().await?)).await
    }

    pub(crate) async fn on(database: Database, broker: Option<TestBroker>) -> Result<Self> {
        // Tests of one process share the log.
        let filter = "warn".to_owned();
        let _ = keyway_telemetry::init(&LogSettings { format: LogFormat::Text, filter });
        keyway_migrations::migrate(database.url()).await?;
        let limits =
            DatabaseLimits { connections: 6, acquire_timeout: Duration::from_secs(2), ..DatabaseLimits::default() };
        let store = Store::connect(database.url(), limits).await?;
        let keys = TenantKeyCache::new(Arc::new(Vault::open(Keyring::generate()?)));
        let simulator = Simulator::start().await?;
        let tx = store.system().await?;
        let now = Timestamp::now();
        schedules::fire(&tx, "usage", now.floor(USAGE_INTERVAL), now).await?;
        tx.commit().await?;
        let tenant = Tenant::add(&store, "first").await?;
        let second = Duration::from_secs(1);
        let guard =
            GuardSettings { trusted: vec![simulator.host()], total_timeout: 4 * second, ..GuardSettings::default() };
        let settings = WorkerSettings {
            usage_interval: USAGE_INTERVAL,
            verify_interval: 86_400 * second,
            // Longer than any test, but for those that are about it.
            recheck_after: 86_400 * second,
            confirm_after: Duration::from_millis(50),
            retention: 30 * 86_400 * second,
            ledger_retention: 400 * 86_400 * second,
            drift_percent: 5,
            concurrency: 16,
            provider_concurrency: 8,
            drain: 10 * second,
            embedded: broker.is_none(),
        };
        let catalog = LiveCatalog::load(None)?;
        let (sets, bus) = (Vec::new(), None);
        Ok(Self {
            store,
            keys,
            catalog,
            simulator,
            tenant,
            settings,
            guard,
            smtp_port: None,
            sets,
            bus,
            broker,
            database,
        })
    }

    /// Starts a set of workers beside those that run.
    pub(crate) fn start(&mut self) -> Result<()> {
        let (bus, stop) = (self.new_bus("workers"), CancellationToken::new());
        let parts = WorkerParts {
            store: self.store.clone(),
            keys: self.keys.clone(),
            bus: Arc::clone(&bus),
            catalog: self.catalog.clone(),
            http: GuardedClient::new(&self.guard)?,
            mailer: self.mailer()?,
            settings: self.settings,
        };
        let again = keyway_workers::hand_over_again(self.store.clone(), Arc::clone(&bus), stop.clone());
        drop(keyway_telemetry::spawn("lost queues", again));
        let ended = keyway_telemetry::spawn("workers", keyway_workers::run(parts, stop.clone()));
        self.sets.push(WorkerSet { bus, stop, ended });
        Ok(())
    }

    fn mailer(&self) -> Result<Option<Mailer>> {
        let Some(port) = self.smtp_port else { return Ok(None) };
        let settings = MailSettings {
            server: SmtpUrl::parse(&format!("smtp://127.0.0.1:{port}"))?,
            from_name: "Keyway".to_owned(),
            from_address: "keyway@keyway.example.com".to_owned(),
            public_url: "https://keyway.example.com".to_owned(),
        };
        Ok(Some(Mailer::new(settings)?))
    }

    /// Stops every set of workers as a signal does, and waits until they have ended.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.sets.iter().for_each(|set| set.stop.cancel());
        for set in self.sets.drain(..) {
            tokio::time::timeout(STOP, set.ended).await.context("the workers do not stop")???;
        }
        Ok(())
    }

    /// Publishes as a worker does: again, until the bus has it.
    pub(crate) async fn publish(&mut self, messages: &[Message]) -> Result<()> {
        let bus = self.bus();
        until("the bus takes the messages", async || Ok(bus.publish(messages).await.is_ok())).await
    }

    /// Waits until nothing is left to do, and stops the workers. Messages that a started job wrote while they stopped
    /// are handled by another set.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        for _ in 0..20 {
            if self.sets.is_empty() {
                self.start()?;
            }
            until("outbox and lanes are empty", async || self.is_empty().await).await?;
            self.stop().await?;
            if self.is_empty().await? {
                return Ok(());
            }
        }
        bail!("there is always something left to do");
    }

    /// Checks the common end of every scenario.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.settle().await?;
        let letters = self.dead_letters().await?;
        ensure!(letters.is_empty(), "dead letters were left: {letters:?}");
        if let Some(broker) = &self.broker {
            assert_nothing_queued(&broker.amqp_url).await?;
        }
        Ok(())
    }

    async fn is_empty(&mut self) -> Result<bool> {
        let tx = self.store.system_read().await?;
        let rows = raw::number(&tx, "SELECT count(*) AS n FROM outbox").await?;
        drop(tx);
        let depths = self.bus().depths().await.unwrap_or_default();
        Ok(rows == 0 && !depths.is_empty() && depths.iter().all(|depth| depth.waiting + depth.dead == 0))
    }

    /// Distributed: the test's own. Embedded there is but one bus, that of the process.
    pub(crate) fn bus(&mut self) -> Arc<dyn Bus> {
        if self.broker.is_none()
            && let Some(set) = self.sets.last()
        {
            return Arc::clone(&set.bus);
        }
        let bus = self.bus.take().unwrap_or_else(|| self.new_bus("test"));
        self.bus = Some(Arc::clone(&bus));
        bus
    }

    #[expect(clippy::expect_used, reason = "the test broker's own address")]
    fn new_bus(&self, name: &str) -> Arc<dyn Bus> {
        match &self.broker {
            Some(broker) => {
                let settings = RabbitSettings { amqp_urls: vec![broker.amqp_url.clone()], name: name.to_owned() };
                Arc::new(RabbitBus::start(settings).expect("a broker's address"))
            }
            None => Arc::new(EmbeddedBus::new(Arc::new(OutboxJournal::new(self.store.clone())), 10_000)),
        }
    }
}

/// By consuming: a broker's counters prove nothing.
async fn assert_nothing_queued(amqp_url: &str) -> Result<()> {
    let connection = lapin::Connection::connect(amqp_url, lapin::ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    for lane in Lane::ALL {
        for queue in [format!("keyway.{lane}"), format!("keyway.dead.{lane}")] {
            let options = lapin::options::BasicGetOptions { no_ack: true };
            let left = channel.basic_get(queue.as_str().into(), options).await?;
            ensure!(left.is_none(), "{queue} was not empty");
        }
    }
    Ok(connection.close(200, "looked".into()).await?)
}
