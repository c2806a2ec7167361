//! Settling a RabbitMQ delivery: on the channel it came by, or not at all.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    Acker,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{BusError, settle::Settle, task};

/// Settles by the delivery's own acker.
#[derive(Debug)]
pub(crate) struct RabbitTicket {
    pub(crate) acker: Acker,
    /// Cancelled when the connection is lost: what is on its way then may never be answered.
    pub(crate) session: CancellationToken,
    pub(crate) stop: CancellationToken,
    pub(crate) rest: Duration,
    /// Counts what is held of the session.
    pub(crate) _held: Arc<()>,
}

#[async_trait]
impl Settle for RabbitTicket {
    async fn ack(&self) -> Result<(), BusError> {
        tokio::select! {
            biased;
            sent = self.acker.ack(BasicAckOptions::default()) => if sent? { Ok(()) } else { Err(BusError::Lost) },
            () = self.session.cancelled() => Err(BusError::Lost),
        }
    }

    async fn give_back(&self) {
        give_back(&self.acker, &self.session).await;
    }
}

impl Drop for RabbitTicket {
    fn drop(&mut self) {
        if !self.acker.usable() || Handle::try_current().is_err() {
            return;
        }
        let (acker, session, stop, rest) = (self.acker.clone(), self.session.clone(), self.stop.clone(), self.rest);
        task::spawn(async move {
            tokio::select! {
                () = session.cancelled() => return,
                () = stop.cancelled() => {}
                () = tokio::time::sleep(rest) => {}
            }
            give_back(&acker, &session).await;
        });
    }
}

async fn give_back(acker: &Acker, session: &CancellationToken) {
    let options = BasicNackOptions { requeue: true, multiple: false };
    if let Some(Err(error)) = session.run_until_cancelled(acker.nack(options)).await {
        tracing::debug!(%error, "a delivery could not be given back, its connection is gone");
    }
}
