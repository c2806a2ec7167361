//! Settling: the ack happens here, in the layer right around the handler, after it returned `Ok`.
//!
//! Anything else (an error, a panic, a dropped future, a dead worker) drops the ticket, and a dropped ticket
//! puts its message back. Nothing here may ack a message whose handler did not finish.

use std::{
    fmt::Debug,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::{error::BoxDynError, task::Task};
use async_trait::async_trait;
use futures::{FutureExt as _, future::BoxFuture};

use crate::{BusError, Delivery};

/// Settlement of one delivery by its bus. Dropping an unsettled one puts the message back after a pause.
#[async_trait]
pub(crate) trait Settle: Debug + Send + Sync {
    /// Confirms that the message is done.
    async fn ack(&self) -> Result<(), BusError>;

    /// Gives back a message that was never started, at once, without counting it.
    async fn give_back(&self);
}

/// Right to settle one delivery; travels in the task's data, beside the message.
#[derive(Clone, Debug)]
pub(crate) struct Ticket(Arc<dyn Settle>);

impl Ticket {
    pub(crate) fn new(settle: impl Settle + 'static) -> Self {
        Self(Arc::new(settle))
    }

    pub(crate) async fn ack(&self) -> Result<(), BusError> {
        self.0.ack().await
    }

    pub(crate) async fn give_back(&self) {
        self.0.give_back().await;
    }
}

/// Wraps a worker's handler so that its `Ok` acks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettleLayer;

/// Service of [`SettleLayer`] around a handler.
#[derive(Clone, Debug)]
pub struct SettleService<S>(S);

impl<S> tower_layer::Layer<S> for SettleLayer {
    type Service = SettleService<S>;

    fn layer(&self, inner: S) -> SettleService<S> {
        SettleService(inner)
    }
}

impl<S> tower_service::Service<Task<Delivery>> for SettleService<S>
where
    S: tower_service::Service<Task<Delivery>>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
    S::Response: Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<S::Response, BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Delivery>) -> Self::Future {
        let ticket = task.data().get::<Ticket>().cloned();
        let (lane, id) = (task.args.lane, task.args.message.id);
        let handler = AssertUnwindSafe(self.0.call(task)).catch_unwind();
        async move {
            let answer = handler
                .await
                .map_err(|_| BoxDynError::from(BusError::Handler("it panicked".into())))
                .and_then(|result| result.map_err(Into::into));
            match (&answer, ticket) {
                (Ok(_), Some(ticket)) => {
                    if let Err(error) = ticket.ack().await {
                        tracing::warn!(%lane, %id, %error, "a handled message could not be acked, it will come again");
                    }
                }
                (Err(error), _) => tracing::error!(%lane, %id, %error, "a handler failed, its message is put back"),
                (Ok(_), None) => {}
            }
            answer
        }
        .boxed()
    }
}
