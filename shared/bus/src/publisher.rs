//! Publishing to RabbitMQ: any number of callers, one connection, every message confirmed.
//!
//! A caller gets `Ok` only when the broker has stored the message; otherwise the message may be stored or not, and
//! publishing it again is right. The task behind it lives as long as the bus and reconnects by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use keyway_domain::{Lane, MessageId, Timestamp};
use lapin::{
    BasicProperties,
    types::{FieldTable, ShortString},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    BusError, confirms,
    lane_map::LaneMap,
    rabbit_session::{Link, Reconnect},
    task,
};

/// Largest number of unconfirmed messages; the client library scans them all on every grouped confirm.
const WINDOW: usize = 1024;
/// Part of the window that outbox rows leave to the events of the workers.
const RESERVED: usize = 256;
const DEADLINE: Duration = Duration::from_secs(10);

/// A message in the broker's form.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) exchange: &'static str,
    pub(crate) key: &'static str,
    /// `true` if a message that no queue takes is an error; `false` if nobody need listen.
    pub(crate) mandatory: bool,
    pub(crate) id: MessageId,
    pub(crate) kind: Option<String>,
    pub(crate) headers: FieldTable,
    pub(crate) body: Vec<u8>,
}

impl Packet {
    pub(crate) fn properties(&self) -> BasicProperties {
        const PERSISTENT: u8 = 2;
        const TRANSIENT: u8 = 1;
        let seconds = u64::try_from(Timestamp::now().seconds()).unwrap_or(0);
        let properties = BasicProperties::default()
            .with_delivery_mode(if self.mandatory { PERSISTENT } else { TRANSIENT })
            .with_message_id(self.message_id())
            .with_content_type("application/json".into())
            .with_timestamp(seconds)
            .with_headers(self.headers.clone());
        match &self.kind {
            Some(kind) => properties.with_type(kind.as_str().into()),
            None => properties,
        }
    }

    pub(crate) fn message_id(&self) -> ShortString {
        self.id.to_string().into()
    }
}

/// A packet on its way to the publishing task.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) packet: Arc<Packet>,
    /// `true` if the topology was already declared anew for it.
    pub(crate) declared_for: bool,
    pub(crate) answer: oneshot::Sender<Result<(), BusError>>,
    _slot: OwnedSemaphorePermit,
}

/// Handle of callers; cheap to share.
#[derive(Debug)]
pub(crate) struct Publisher {
    link: Arc<Link>,
    requests: flume::Sender<Request>,
    window: Arc<Semaphore>,
    broken: Arc<LaneMap<AtomicBool>>,
}

impl Publisher {
    /// Starts the publishing task, which lives until `stop` is cancelled.
    pub(crate) fn start(link: &Arc<Link>, stop: CancellationToken) -> Self {
        let (requests, queue) = flume::bounded(WINDOW);
        let broken = Arc::new(LaneMap::new(|_| AtomicBool::new(false)));
        task::spawn(run(Arc::clone(link), queue, Arc::clone(&broken), stop));
        Self { link: Arc::clone(link), requests, window: Arc::new(Semaphore::new(WINDOW)), broken }
    }

    /// Waits until the broker has stored the packet, at most 10 seconds.
    pub(crate) async fn publish(&self, packet: Packet) -> Result<(), BusError> {
        let (deadline, packet) = (Instant::now() + DEADLINE, Arc::new(packet));
        let mut lost = None;
        loop {
            let attempt = async {
                let slot = Arc::clone(&self.window).acquire_owned().await.map_err(|_| BusError::Closed)?;
                let (answer, answered) = oneshot::channel();
                let request = Request { packet: Arc::clone(&packet), declared_for: false, answer, _slot: slot };
                self.requests.send_async(request).await.map_err(|_| BusError::Closed)?;
                answered.await.map_err(|_| BusError::Closed)?
            };
            match timeout_at(deadline, attempt).await {
                Ok(Err(BusError::Disconnected(error))) => lost = Some(error),
                Ok(answer) => return answer,
                Err(_) => return Err(BusError::Unconfirmed(self.silence(lost))),
            }
        }
    }

    /// Returns the likely reason why no confirm came; `lost` is the error of a connection lost meanwhile.
    fn silence(&self, lost: Option<String>) -> String {
        let within = DEADLINE.as_secs();
        if self.link.blocked.load(Ordering::Relaxed) {
            return "the broker blocks publishers, it is short of memory or disk".to_owned();
        }
        match lost {
            Some(error) => format!("the connection was lost: {error}"),
            None if self.link.connected.load(Ordering::Relaxed) => {
                format!("the broker is connected and confirmed nothing within {within} s")
            }
            None => format!("there was no connection for {within} s"),
        }
    }

    /// Returns how many outbox rows may be published now.
    pub(crate) fn capacity(&self, lane: Option<Lane>) -> usize {
        let broken = lane.is_some_and(|lane| self.is_broken(lane));
        if broken || self.link.blocked.load(Ordering::Relaxed) || !self.link.connected.load(Ordering::Relaxed) {
            return 0;
        }
        self.window.available_permits().saturating_sub(RESERVED)
    }

    /// Returns `true` if the lane's queue differs from the one Keyway declares, so that its messages might get lost.
    pub(crate) fn is_broken(&self, lane: Lane) -> bool {
        self.broken[lane].load(Ordering::Relaxed)
    }
}

async fn run(
    link: Arc<Link>,
    queue: flume::Receiver<Request>,
    broken: Arc<LaneMap<AtomicBool>>,
    stop: CancellationToken,
) {
    let mut reconnect = Reconnect::new("publisher".into());
    while !stop.is_cancelled() {
        let ended = confirms::session(&link, &queue, &broken, &mut reconnect, &stop).await;
        link.connected.store(false, Ordering::Relaxed);
        link.blocked.store(false, Ordering::Relaxed);
        if let Err(error) = ended {
            reconnect.pause(&link, error, &stop).await;
        }
    }
}
