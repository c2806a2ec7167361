//! Settling a RabbitMQ delivery: on the channel it came by, or not at all.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    Acker,
    options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions},
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{BusError, settle::Settle, task};

/// What all deliveries of a session share. Each holds it: who else does is how many are held.
#[derive(Debug)]
pub(crate) struct Session {
    /// Cancelled when the connection is lost: what is on its way then may never be answered.
    pub(crate) lost: CancellationToken,
    pub(crate) stop: CancellationToken,
    pub(crate) rest: Duration,
}

/// Settles by the delivery's own acker.
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

    /// Negative: nobody began with it, so the broker need not count it.
    async fn give_back(&self) {
        let options = BasicNackOptions { requeue: true, multiple: false };
        returned(self.session.lost.run_until_cancelled(self.acker.nack(options)).await);
    }
}

/// A handler that failed, or did not end, puts it back: rejected, because newer brokers count only that.
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
