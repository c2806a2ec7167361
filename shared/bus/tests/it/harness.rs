//! A bus under test with its outbox, worker pools that record what they did, and waiting with a deadline.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use apalis::{
    layers::WorkerBuilderExt as _,
    prelude::{BoxDynError, WorkerBuilder},
};
use async_trait::async_trait;
use futures::{TryStreamExt as _, future::BoxFuture};
use keyway_bus::{
    Bus, BusError, ConsumeOptions, DeadLetter, Delivery, EmbeddedBus, Handover, Journal, Outgoing, RabbitBus,
    RabbitSettings,
};
use keyway_domain::{Command, Event, IntegrationId, Lane, Message, MessageId, OperationId, Route, TenantId, Timestamp};
use keyway_testkit::rabbitmq::TestBroker;
use lapin::{Connection, ConnectionProperties, options::BasicGetOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// An outbox table in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryJournal {
    rows: Mutex<BTreeMap<MessageId, (Outgoing, bool)>>,
    /// Number of next removals that fail.
    pub(crate) failing_removals: AtomicUsize,
}

impl MemoryJournal {
    pub(crate) fn insert(&self, row: Outgoing) {
        self.rows().entry(row.id).or_insert((row, false));
    }

    pub(crate) fn claim(&self) -> Vec<Outgoing> {
        let mut rows = self.rows();
        let free = rows.values_mut().filter(|(_, claimed)| !claimed);
        free.map(|(row, claimed)| (*claimed = true, row.clone()).1).collect()
    }

    pub(crate) fn release_all(&self) {
        self.rows().values_mut().for_each(|(_, claimed)| *claimed = false);
    }

    pub(crate) fn len(&self) -> usize {
        self.rows().len()
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, BTreeMap<MessageId, (Outgoing, bool)>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, messages: &[Message]) -> Result<(), BusError> {
        for message in messages {
            self.insert(outgoing(message));
        }
        Ok(())
    }

    async fn remove(&self, ids: &[MessageId]) -> Result<(), BusError> {
        let failing = self.failing_removals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if failing.is_ok() {
            return Err(BusError::Journal("out of order".into()));
        }
        let mut rows = self.rows();
        ids.iter().for_each(|id| drop(rows.remove(id)));
        Ok(())
    }
}

/// A bus under test.
pub(crate) struct World {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) journal: Option<Arc<MemoryJournal>>,
    pub(crate) broker: Option<TestBroker>,
}

impl World {
    pub(crate) fn embedded() -> Self {
        let journal = Arc::new(MemoryJournal::default());
        let bus = Arc::new(EmbeddedBus::new(Arc::clone(&journal) as Arc<dyn Journal>, 10_000));
        Self { bus, journal: Some(journal), broker: None }
    }

    pub(crate) async fn rabbit() -> Result<Self> {
        Self::on(TestBroker::shared().await?).await
    }

    pub(crate) async fn on(broker: TestBroker) -> Result<Self> {
        let settings = RabbitSettings { amqp_url: broker.amqp_url.clone(), name: "test".into() };
        let bus = Arc::new(RabbitBus::start(settings)?);
        until("the bus is connected", || bus.health().connected).await?;
        Ok(Self { bus, journal: None, broker: Some(broker) })
    }

    /// Hands rows over as the relay does, and checks the results.
    pub(crate) async fn relay(&self, rows: Vec<Outgoing>) -> Result<()> {
        let expected = Handover::InFlight;
        if let Some(journal) = &self.journal {
            rows.iter().for_each(|row| journal.insert(row.clone()));
        }
        for (row, answer) in rows.iter().zip(self.bus.relay(rows.clone()).await) {
            ensure!(answer == Ok(expected), "{row:?} became {answer:?}");
        }
        Ok(())
    }

    pub(crate) async fn submit(&self, messages: &[Message]) -> Result<()> {
        self.relay(messages.iter().map(outgoing).collect()).await
    }

    /// Publishes as a worker does; the embedded bus needs its relay to run.
    pub(crate) async fn publish(&self, messages: &[Message]) -> Result<()> {
        self.bus.publish(messages).await?;
        if let Some(journal) = &self.journal {
            self.bus.relay(journal.claim()).await;
        }
        Ok(())
    }

    /// Counts the messages left on the lane by taking them; call it when no pool runs.
    pub(crate) async fn left(&self, lane: Lane) -> Result<usize> {
        if let Some(journal) = &self.journal {
            return Ok(journal.len());
        }
        let broker = self.broker.as_ref().context("a broker")?;
        let connection = Connection::connect(&broker.amqp_url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let mut left = 0;
        for queue in [format!("keyway.{lane}"), format!("keyway.dead.{lane}")] {
            while channel.basic_get(queue.as_str().into(), BasicGetOptions { no_ack: true }).await?.is_some() {
                left += 1;
            }
        }
        connection.close(200, "counted".into()).await?;
        Ok(left)
    }

    pub(crate) fn pool(&self, lane: Lane, options: ConsumeOptions, handler: Handler) -> Pool {
        Pool::start(&self.bus, lane, options, handler)
    }
}

/// Handler of a pool.
pub(crate) type Handler = Arc<dyn Fn(Delivery) -> BoxFuture<'static, Result<()>> + Send + Sync>;

pub(crate) fn handler<F>(handle: impl Fn(Delivery) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    Arc::new(move |delivery| Box::pin(handle(delivery)))
}

/// An apalis worker on a lane.
pub(crate) struct Pool {
    pub(crate) stop: CancellationToken,
    pub(crate) done: JoinHandle<Result<(), String>>,
    seen: Arc<Mutex<Vec<Delivery>>>,
}

impl Pool {
    fn start(bus: &Arc<dyn Bus>, lane: Lane, options: ConsumeOptions, handler: Handler) -> Self {
        let (stop, seen) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let record = Arc::clone(&seen);
        let source = bus.consume(lane, options.clone(), &stop);
        let handle = move |delivery: Delivery| {
            let (handler, record) = (Arc::clone(&handler), Arc::clone(&record));
            let handled: BoxFuture<'static, Result<(), BoxDynError>> = Box::pin(async move {
                handler(delivery.clone()).await?;
                record.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
                Ok(())
            });
            handled
        };
        let worker =
            WorkerBuilder::new(lane.name()).backend(source).concurrency(usize::from(options.prefetch)).build(handle);
        #[expect(clippy::disallowed_methods, reason = "a test's own task")]
        let done = tokio::spawn(worker.stream().map_err(|error| error.to_string()).try_for_each(|_| async { Ok(()) }));
        Self { stop, done, seen }
    }

    /// Returns the deliveries whose handler has ended.
    pub(crate) fn seen(&self) -> Vec<Delivery> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn seen_ids(&self) -> Vec<MessageId> {
        let mut ids: Vec<_> = self.seen().iter().map(|delivery| delivery.message.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    pub(crate) async fn handled(&self, messages: &[Message]) -> Result<()> {
        let mut expected: Vec<_> = messages.iter().map(|message| message.id).collect();
        expected.sort_unstable();
        let reached = until("the pool has handled everything", || self.seen_ids().len() >= expected.len()).await;
        reached.with_context(|| format!("{} of {}", self.seen_ids().len(), expected.len()))?;
        ensure!(self.seen_ids() == expected, "other messages than expected were handled");
        Ok(())
    }

    /// Stops, waits for the worker's own end, and returns its deliveries.
    pub(crate) async fn stop(self) -> Result<Vec<Delivery>> {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.done)
            .await
            .context("the worker does not end")??
            .map_err(anyhow::Error::msg)?;
        Ok(self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

pub(crate) fn options(prefetch: u16) -> ConsumeOptions {
    ConsumeOptions { prefetch, crash_limit: 3, put_back_delay: Duration::from_millis(20) }
}

pub(crate) fn outgoing(message: &Message) -> Outgoing {
    Outgoing { id: message.id, route: message.route(), body: message.encode().unwrap_or_default() }
}

pub(crate) fn raw(lane: Lane, body: &[u8]) -> Outgoing {
    Outgoing { id: MessageId::new(), route: Route::Lane(lane), body: body.into() }
}

pub(crate) fn command() -> Message {
    let command = Command::VerifyKey { integration_id: IntegrationId::new(), secret_version: 1, confirming: false };
    Message::command(TenantId::new(), OperationId::new(), command)
}

pub(crate) fn commands(count: usize) -> Vec<Message> {
    (0..count).map(|_| command()).collect()
}

pub(crate) fn started() -> Message {
    command().event(Event::OperationStarted { observed_at: Timestamp::now() })
}

pub(crate) async fn next_dead(letters: &mut keyway_bus::DeadLetterStream) -> Result<DeadLetter> {
    tokio::time::timeout(DEADLINE, letters.next()).await.context("no dead letter")?.context("dead letters ended")
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        if Instant::now() > deadline {
            bail!("it did not happen that {what}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
