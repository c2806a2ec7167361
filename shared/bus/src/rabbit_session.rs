//! Connections to RabbitMQ: opening, effect on health, and pauses between attempts.
//!
//! Never logs or shows the broker's URL: it holds a password.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use keyway_domain::Lane;
use lapin::{Connection, ConnectionProperties};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    BusError, Health, LaneHealth, RabbitSettings, backoff::Backoff, lane_map::LaneMap, rabbit_address::Addresses,
};

/// State shared by every part of the bus: the addresses, and the health they report to.
#[derive(Debug)]
pub(crate) struct Link {
    name: String,
    addresses: Addresses,
    pub(crate) connected: AtomicBool,
    pub(crate) blocked: AtomicBool,
    /// Notified of each missing queue.
    pub(crate) lost: Notify,
    consumed: LaneMap<AtomicBool>,
    consuming: LaneMap<AtomicBool>,
    errors: Mutex<BTreeMap<String, BusError>>,
}

impl Link {
    pub(crate) fn new(settings: RabbitSettings) -> Result<Self, BusError> {
        Ok(Self {
            addresses: Addresses::parse(&settings.amqp_url)?,
            name: settings.name,
            connected: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            lost: Notify::new(),
            consumed: LaneMap::new(|_| AtomicBool::new(false)),
            consuming: LaneMap::new(|_| AtomicBool::new(false)),
            errors: Mutex::new(BTreeMap::new()),
        })
    }

    /// Opens a connection for `purpose`, which operators read in the broker's list of connections.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Connection, BusError> {
        let name = format!("{} {purpose}", self.name);
        self.addresses.connect(&ConnectionProperties::default().with_connection_name(name.into())).await
    }

    /// Sets the error of a `part` of the bus; `None`: all is well with it.
    pub(crate) fn report(&self, part: &str, error: Option<BusError>) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => errors.insert(part.into(), error),
            None => errors.remove(part),
        };
    }

    /// Marks the lane as consumed by this process, live or not.
    pub(crate) fn consuming(&self, lane: Lane, live: bool) {
        self.consumed[lane].store(true, Ordering::Relaxed);
        self.consuming[lane].store(live, Ordering::Relaxed);
    }

    /// Marks the lane as no longer consumed by this process.
    pub(crate) fn ended(&self, lane: Lane) {
        self.consumed[lane].store(false, Ordering::Relaxed);
    }

    pub(crate) fn health(&self) -> Health {
        let lanes = Lane::ALL.into_iter().filter(|lane| self.consumed[*lane].load(Ordering::Relaxed));
        Health {
            connected: self.connected.load(Ordering::Relaxed),
            blocked: self.blocked.load(Ordering::Relaxed),
            lanes: lanes
                .map(|lane| LaneHealth { lane, consuming: self.consuming[lane].load(Ordering::Relaxed) })
                .collect(),
            errors: self.errors.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect(),
        }
    }
}

/// The pauses of one part of the bus between two sessions with the broker.
#[derive(Debug)]
pub(crate) struct Reconnect {
    part: String,
    backoff: Backoff,
}

impl Reconnect {
    pub(crate) const fn new(part: String) -> Self {
        Self { part, backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)) }
    }

    /// Notes that the session is established.
    pub(crate) fn established(&mut self, link: &Link) {
        self.backoff.reset();
        link.report(&self.part, None);
        tracing::info!(part = self.part, "connected to the broker");
    }

    /// Notes that the session is lost, and waits.
    pub(crate) async fn pause(&mut self, link: &Link, error: BusError, stop: &CancellationToken) {
        let pause = self.backoff.next_pause();
        if matches!(error, BusError::Topology { .. }) {
            tracing::error!(part = self.part, %error, "the broker's topology is not Keyway's");
        } else {
            tracing::warn!(part = self.part, %error, pause_ms = pause.as_millis(), "no session with the broker");
        }
        link.report(&self.part, Some(error));
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

/// Closes a connection; ignores the error of a broker that is gone.
pub(crate) async fn close(connection: Connection) {
    let bye = connection.close(200, "done".into());
    let _ = tokio::time::timeout(Duration::from_secs(2), bye).await;
}
