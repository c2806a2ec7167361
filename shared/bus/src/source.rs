//! The apalis backend of a lane, the same for both buses.
//!
//! A pump task feeds it; the worker sees neither broker errors nor undecodable bodies, so neither can end it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder},
    worker::context::WorkerContext,
};
use futures::{FutureExt as _, Stream as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{BusError, ConsumeOptions, Delivery, settle::SettleLayer, settle::Ticket};

/// A lane's messages as an apalis backend with `Args = Delivery`.
#[derive(Debug)]
pub struct Source {
    options: ConsumeOptions,
    tasks: flume::r#async::RecvStream<'static, Task<Delivery>>,
    stop: CancellationToken,
    drained: CancellationToken,
    pump: Option<JoinHandle<()>>,
}

/// The pump's end of a source.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) options: ConsumeOptions,
    sender: flume::Sender<Task<Delivery>>,
    receiver: flume::Receiver<Task<Delivery>>,
    /// Cancelled when no more messages may be started.
    pub(crate) stop: CancellationToken,
    drained: CancellationToken,
}

impl Source {
    /// Returns a source fed by the task that `pump` starts. The pump returns when `stop` is cancelled, after it gave
    /// back deliveries that were not started and waited for [`Feed::finish`].
    pub(crate) fn new(
        options: ConsumeOptions,
        stop: &CancellationToken,
        pump: impl FnOnce(Feed) -> JoinHandle<()>,
    ) -> Self {
        let (stop, drained) = (stop.child_token(), CancellationToken::new());
        let (sender, receiver) = flume::bounded(usize::from(options.prefetch.max(1)));
        let tasks = receiver.clone().into_stream();
        let feed = Feed { options: options.clone(), sender, receiver, stop: stop.clone(), drained: drained.clone() };
        Self { options, tasks, stop, drained, pump: Some(pump(feed)) }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop.cancel();
        self.drained.cancel();
    }
}

impl Feed {
    /// Hands a delivery to the worker; waits while the worker is full. A delivery that can no longer be handed over is
    /// given back.
    pub(crate) async fn deliver(&self, delivery: Delivery, ticket: Ticket) {
        let task = TaskBuilder::new(delivery).data(ticket.clone()).build();
        tokio::select! {
            biased;
            sent = self.sender.send_async(task) => if sent.is_ok() { return },
            () = self.stop.cancelled() => {}
        }
        ticket.give_back().await;
    }

    /// Forgets deliveries that were not started: their connection is gone, and the broker delivers them again.
    pub(crate) fn forget_waiting(&self) {
        self.receiver.drain().for_each(drop);
    }

    /// Gives back deliveries that were not started, ends the worker's stream and waits until started jobs have settled.
    pub(crate) async fn finish(self) {
        for task in self.receiver.drain() {
            if let Some(ticket) = task.data().get::<Ticket>() {
                ticket.give_back().await;
            }
        }
        let Self { sender, drained, .. } = self;
        drop(sender);
        drained.cancelled().await;
    }
}

impl Backend for Source {
    type Task = Task<Delivery>;
    type Error = BusError;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), BusError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Task<Delivery>, BusError>>> {
        if let Some(task) = ready!(Pin::new(&mut self.tasks).poll_next(cx)) {
            return Poll::Ready(Some(Ok(task)));
        }
        // A worker whose backend has ended waits for ever unless it is told to stop.
        if let Err(error) = worker.stop() {
            tracing::debug!(%error, "the worker had stopped already");
        }
        Poll::Ready(None)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), BusError>> {
        // The worker closes its backend only when no job is in flight.
        self.stop.cancel();
        self.drained.cancel();
        if let Some(pump) = self.pump.as_mut() {
            let ended = ready!(pump.poll_unpin(cx));
            self.pump = None;
            if let Err(error) = ended {
                tracing::error!(%error, "a lane's pump did not end well");
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Source {
    type Args = Delivery;
    type Id = u64;
    /// Codec of apalis, unused: the pump decodes deliveries.
    type Kind = Ephemeral;
    type Config = ConsumeOptions;
    type Layer = SettleLayer;

    fn config(&self) -> &ConsumeOptions {
        &self.options
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> SettleLayer {
        SettleLayer
    }
}
