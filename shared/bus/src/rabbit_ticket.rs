//! Settling a RabbitMQ delivery: on its own channel, or not at all.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    Acker,
    options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions},
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{BusError, settle::Settle, task};

/// State shared by the deliveries of a session. Each delivery holds a reference, so the reference count tells how many
/// are open.
#[derive(Debug)]
pub(crate) struct Session {
    /// Cancelled when the connection is lost: a settlement under way may then never be answered.
    pub(crate) lost: CancellationToken,
    pub(crate) stop: CancellationToken,
    pub(crate) rest: Duration,
}

/// Settles with the delivery's own acker.
#[derive(Debug)]
pub(crate) struct RabbitTicket {
    pub(crate) acker: Acker,
    pub(crate) session: Arc<Session>,
}

#[async_trait]
impl Settle for RabbitTicket {
    async fn ack(&self) -> Result<(), BusError> {
        tokio::select! {
            biased;
            sent = self.acker.ack(BasicAckOptions::default()) => if sent? { Ok(()) } else { Err(BusError::Lost) },
            () = self.session.lost.cancelled() => Err(BusError::Lost),
        }
    }

    /// Nacks the delivery: its handler never started, so the broker need not count it.
    async fn give_back(&self) {
        let options = BasicNackOptions { requeue: true, multiple: false };
        returned(self.session.lost.run_until_cancelled(self.acker.nack(options)).await);
    }
}

/// Rejects a delivery whose handler failed or did not end: newer brokers count only rejections.
impl Drop for RabbitTicket {
    fn drop(&mut self) {
        if !self.acker.usable() || Handle::try_current().is_err() {
            return;
        }
        let (acker, session) = (self.acker.clone(), Arc::clone(&self.session));
        task::spawn(async move {
            tokio::select! {
                () = session.lost.cancelled() => return,
                () = session.stop.cancelled() => {}
                () = tokio::time::sleep(session.rest) => {}
            }
            let options = BasicRejectOptions { requeue: true };
            returned(session.lost.run_until_cancelled(acker.reject(options)).await);
        });
    }
}

fn returned(sent: Option<lapin::Result<bool>>) {
    if let Some(Err(error)) = sent {
        tracing::debug!(%error, "a delivery could not be given back, its connection is gone");
    }
}
