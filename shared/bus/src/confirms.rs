//! One session of the publishing task: sends, and matches the broker's confirms and returns to messages.
//!
//! Two properties of the client library shape it. It numbers a message before it queues its frames, so only this one
//! task may publish on the channel. And it attaches a returned (unroutable) message to the next confirm of any message,
//! so a confirm is believed only after every confirm before it was looked at.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    FutureExt as _, Stream, StreamExt as _,
    future::BoxFuture,
    stream::FuturesUnordered,
    task::{ArcWake, waker},
};
use keyway_domain::Lane;
use lapin::{
    Channel, Confirmation, Connection, Event,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    BusError,
    lane_map::LaneMap,
    publisher::{Packet, Request},
    rabbit_session::{Link, Reconnect, close},
    topology,
};

/// Number of messages sent before confirms are read again.
const BURST: usize = 64;
const LOOK: Duration = Duration::from_millis(500);
const DECLARE_AGAIN: Duration = Duration::from_secs(2);

type Confirmed = (u64, lapin::Result<Confirmation>);

/// Publishes until the connection is lost (an error) or `stop` is cancelled.
pub(crate) async fn session(
    link: &Link,
    queue: &flume::Receiver<Request>,
    broken: &LaneMap<AtomicBool>,
    reconnect: &mut Reconnect,
    stop: &CancellationToken,
) -> Result<(), BusError> {
    let connection = link.connect("publisher").await?;
    let events = connection.events_listener();
    let mut session = Session::open(link, broken, connection).await?;
    reconnect.established(link);
    link.connected.store(true, Ordering::Relaxed);
    let ended = session.serve(queue, events, stop).await;
    let error = ended.clone().err().unwrap_or(BusError::Closed);
    for (_, request) in session.unconfirmed.drain() {
        answer(request, Err(error.clone()));
    }
    close(session.connection).await;
    ended
}

struct Session<'a> {
    link: &'a Link,
    broken: &'a LaneMap<AtomicBool>,
    connection: Connection,
    channel: Channel,
    sent: u64,
    unconfirmed: HashMap<u64, Request>,
    confirms: FuturesUnordered<BoxFuture<'static, Confirmed>>,
    /// Ids of returned messages whose own confirm has not come yet.
    returned: Vec<ShortString>,
    declare_at: Option<Instant>,
}

impl<'a> Session<'a> {
    async fn open(link: &'a Link, broken: &'a LaneMap<AtomicBool>, connection: Connection) -> Result<Self, BusError> {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut session = Self {
            link,
            broken,
            connection,
            channel,
            sent: 0,
            unconfirmed: HashMap::new(),
            confirms: FuturesUnordered::new(),
            returned: Vec::new(),
            declare_at: None,
        };
        session.declare().await?;
        Ok(session)
    }

    async fn serve(
        &mut self,
        queue: &flume::Receiver<Request>,
        events: impl Stream<Item = Event>,
        stop: &CancellationToken,
    ) -> Result<(), BusError> {
        let mut events = Box::pin(events);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(event) = events.next() => self.heed(event)?,
                Some(first) = self.confirms.next(), if !self.confirms.is_empty() => self.settle(first).await?,
                _ = look.tick() => self.look().await?,
                Ok(request) = queue.recv_async() => {
                    self.send(request);
                    for request in queue.try_iter().take(BURST) {
                        self.send(request);
                    }
                }
            }
        }
    }

    fn heed(&self, event: Event) -> Result<(), BusError> {
        match event {
            // A channel on which a declaration was refused says so here too, and the connection goes on.
            Event::Error(error) if !self.connection.status().connected() => return Err(error.into()),
            Event::ConnectionBlocked(reason) => {
                tracing::warn!(reason, "the broker blocks publishers");
                self.link.blocked.store(true, Ordering::Relaxed);
            }
            Event::ConnectionUnblocked => {
                tracing::info!("the broker takes messages again");
                self.link.blocked.store(false, Ordering::Relaxed);
            }
            _ => {}
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), BusError> {
        if !self.connection.status().connected() || !self.channel.status().connected() {
            return Err(BusError::Disconnected("the connection was closed".into()));
        }
        if self.declare_at.is_some_and(|at| at <= Instant::now()) {
            self.declare().await?;
        }
        Ok(())
    }

    /// Queues the frames of one message. Nothing else may publish on this channel, or numbers and frames would
    /// disagree.
    fn send(&mut self, request: Request) {
        if request.answer.is_closed() {
            return;
        }
        self.sent += 1;
        let number = self.sent;
        let mut confirm = publish(self.channel.clone(), Arc::clone(&request.packet), number).boxed();
        self.unconfirmed.insert(number, request);
        // The first poll sends; the set polls again with a waker of its own.
        match (&mut confirm).now_or_never() {
            Some(done) => self.confirms.push(std::future::ready(done).boxed()),
            None => self.confirms.push(confirm),
        }
    }

    /// Answers `first` and everything that was confirmed before it.
    async fn settle(&mut self, first: Confirmed) -> Result<(), BusError> {
        let confirmed = self.confirmed_with(first);
        let foreign = confirmed.iter().filter_map(|(_, result)| returned(result.as_ref().ok()?));
        self.returned.extend(foreign.filter_map(|message| message.delivery.properties.message_id().clone()));
        let (mut unroutable, mut lost) = (Vec::new(), None);
        for (number, result) in confirmed {
            let Some(request) = self.unconfirmed.remove(&number) else { continue };
            let id = request.packet.message_id();
            let own = self.returned.iter().position(|returned| *returned == id);
            if let Some(at) = own {
                self.returned.swap_remove(at);
            }
            match result {
                Err(error) => {
                    lost = Some(BusError::from(error.clone()));
                    answer(request, Err(error.into()));
                }
                Ok(_) if own.is_some() => unroutable.push(request),
                Ok(Confirmation::Ack(None)) => answer(request, Ok(())),
                // It carries another message's return, and where its own would have gone nobody knows.
                Ok(Confirmation::Ack(Some(_))) => self.send(request),
                Ok(_) => answer(request, Err(BusError::Refused)),
            }
        }
        if let Some(error) = lost {
            unroutable.into_iter().for_each(|request| answer(request, Err(error.clone())));
            return Err(error);
        }
        self.route_again(unroutable).await
    }

    /// Returns `first` and all other confirms available now, regardless of the set's fairness budget.
    fn confirmed_with(&mut self, first: Confirmed) -> Vec<Confirmed> {
        let mut confirmed = vec![first];
        let again = Arc::new(Again::default());
        let waker = waker(Arc::clone(&again));
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.confirms.poll_next_unpin(&mut cx) {
                Poll::Ready(Some(done)) => confirmed.push(done),
                Poll::Pending if again.0.swap(false, Ordering::AcqRel) => {}
                Poll::Pending | Poll::Ready(None) => return confirmed,
            }
        }
    }

    /// Declares the missing queue and sends the messages once more.
    async fn route_again(&mut self, unroutable: Vec<Request>) -> Result<(), BusError> {
        let (given_up, again): (Vec<_>, Vec<_>) = unroutable.into_iter().partition(|request| request.declared_for);
        for request in given_up {
            let key = request.packet.key;
            answer(request, Err(BusError::Unroutable(key)));
        }
        if again.is_empty() {
            return Ok(());
        }
        tracing::warn!(messages = again.len(), "a queue is gone, declaring the topology again");
        self.declare().await?;
        for mut request in again {
            request.declared_for = true;
            self.send(request);
        }
        Ok(())
    }

    async fn declare(&mut self) -> Result<(), BusError> {
        let problems = topology::declare(self.link, &self.connection).await?;
        for lane in Lane::ALL {
            let error = problems.iter().find(|(broken, _)| *broken == lane).map(|(_, error)| error.clone());
            if let Some(error) = &error {
                tracing::error!(%lane, %error, "the broker's topology is not Keyway's");
            }
            self.broken[lane].store(error.is_some(), Ordering::Relaxed);
            self.link.report(&format!("queue of {lane}"), error);
        }
        self.declare_at = (!problems.is_empty()).then(|| Instant::now() + DECLARE_AGAIN);
        Ok(())
    }
}

async fn publish(channel: Channel, packet: Arc<Packet>, number: u64) -> Confirmed {
    let options = BasicPublishOptions { mandatory: packet.mandatory, immediate: false };
    let (exchange, key) = (packet.exchange.into(), packet.key.into());
    let sent = channel.basic_publish(exchange, key, options, &packet.body, packet.properties()).await;
    let result = match sent {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    (number, result)
}

fn returned(confirmation: &Confirmation) -> Option<&BasicReturnMessage> {
    match confirmation {
        Confirmation::Ack(message) | Confirmation::Nack(message) => message.as_ref(),
        Confirmation::NotRequested => None,
    }
}

fn answer(request: Request, result: Result<(), BusError>) {
    // A caller that gave up waiting publishes again later; it does not want to know.
    let _ = request.answer.send(result);
}

/// Flag that the set of confirms yielded although more were ready.
#[derive(Default)]
struct Again(AtomicBool);

impl ArcWake for Again {
    fn wake_by_ref(again: &Arc<Self>) {
        again.0.store(true, Ordering::Release);
    }
}
