//! This process as a replica, which caches entries: it sends heartbeats, and acknowledges revoked entries that it has
//! dropped.
//!
//! An acknowledgement is an event in the outbox, like any other; nothing here changes an operation's status. A replica
//! is a data directory: the process that takes one over begins with empty caches, so its acknowledgement stands for the
//! one that died.

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use keyway_bus::Revocation;
use keyway_domain::{Body, Event, Message, MessageId, ReplicaId, TenantId, Timestamp};
use keyway_store::{Store, StoreError, outbox, replicas};
use keyway_telemetry::spawn;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::caches::Caches;

/// Largest number of acknowledgements in one transaction.
const BATCH: usize = 256;
const RETRY: Duration = Duration::from_secs(1);
/// File in the data directory that keeps the id.
const IDENTITY: &str = "replica";

/// The replica of this process.
#[derive(Clone)]
pub(super) struct Replica {
    id: ReplicaId,
    /// File locked as long as the caches may have entries.
    _identity: Option<Arc<File>>,
    store: Store,
    /// `true` once this replica has left. Locked during each heartbeat, so none is written after `leave`.
    has_left: Arc<Mutex<bool>>,
}

/// Entries dropped, to be acknowledged.
pub(super) enum Dropped {
    /// The entries that this operation revoked.
    One(TenantId, Revocation),
    /// All entries, because signals were missed: every pending operation may wait for this process.
    Everything,
}

impl Replica {
    /// Starts the replica of this data directory: sends heartbeats, and acknowledges dropped entries, until `stop`.
    ///
    /// # Errors
    /// The data directory is not usable.
    pub(super) fn start(
        directory: &Path,
        store: Store,
        caches: Caches,
        stop: &CancellationToken,
    ) -> io::Result<(Self, mpsc::UnboundedSender<Dropped>)> {
        let (id, identity) = identity(directory)?;
        let replica = Self { id, _identity: identity.map(Arc::new), store, has_left: Arc::default() };
        let (told, dropped) = mpsc::unbounded_channel();
        drop(spawn("replica", replica.clone().beat(stop.clone())));
        drop(spawn("revocations", replica.clone().acknowledge(dropped, caches, stop.clone())));
        // What was revoked before it was there waits for no signal of it.
        let _ = told.send(Dropped::Everything);
        Ok((replica, told))
    }

    /// Removes the replica: this process serves no calls any more, so no operation has to wait for it.
    ///
    /// # Errors
    /// The database is away; operations wait until the heartbeats are missing for long enough.
    pub(super) async fn leave(&self) -> Result<(), StoreError> {
        *self.has_left.lock().await = true;
        let tx = self.store.system().await?;
        replicas::leave(&tx, self.id).await?;
        tx.commit().await
    }

    async fn beat(self, stop: CancellationToken) {
        loop {
            let has_left = self.has_left.lock().await;
            if *has_left {
                return;
            }
            let beat = async {
                let tx = self.store.system().await?;
                replicas::beat(&tx, self.id).await?;
                tx.commit().await
            };
            let pause = match beat.await {
                Ok(()) => replicas::BEAT,
                Err(error) => {
                    tracing::debug!(%error, "this replica cannot say that it is there");
                    RETRY
                }
            };
            drop(has_left);
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn acknowledge(self, mut dropped: mpsc::UnboundedReceiver<Dropped>, caches: Caches, stop: CancellationToken) {
        let mut batch = Vec::new();
        while let Some(1..) = stop.run_until_cancelled(dropped.recv_many(&mut batch, BATCH)).await {
            while let Err(error) = self.write(&batch, &caches).await {
                tracing::warn!(%error, "what was revoked is dropped, but that cannot be acknowledged yet");
                if stop.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                    return;
                }
            }
            batch.clear();
        }
    }

    async fn write(&self, batch: &[Dropped], caches: &Caches) -> Result<(), StoreError> {
        let tx = self.store.system().await?;
        let mut acks = Vec::new();
        for dropped in batch {
            match dropped {
                Dropped::One(tenant_id, revocation) => acks.push(self.ack(*tenant_id, *revocation)),
                Dropped::Everything => {
                    for pending in replicas::pending(&tx, BATCH as u64).await? {
                        // What was loaded since may be from before the revocation's commit; this look is from after.
                        caches.forget(pending.tenant_id, pending.what);
                        let revocation = Revocation { operation_id: pending.id, attempt: pending.attempt };
                        acks.push(self.ack(pending.tenant_id, revocation));
                    }
                }
            }
        }
        if acks.is_empty() {
            return Ok(());
        }
        outbox::insert(&tx, &acks, Timestamp::now()).await?;
        tx.commit().await
    }

    fn ack(&self, tenant_id: TenantId, Revocation { operation_id, attempt }: Revocation) -> Message {
        let id = MessageId::of_attempt(operation_id, attempt).derived(&format!("forgotten/{}", self.id));
        let event = Event::CacheForgotten { replica_id: self.id, observed_at: Timestamp::now() };
        let message = Message::new(id, tenant_id, Body::Event(event));
        Message { operation_id: Some(operation_id), attempt, ..message }
    }
}

/// Returns the id that a data directory keeps, with its locked file. While another process uses the directory, this
/// process is a replica of its own.
fn identity(directory: &Path) -> io::Result<(ReplicaId, Option<File>)> {
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(directory.join(IDENTITY))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok((ReplicaId::new(), None)),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if let Ok(id) = text.parse() {
        return Ok((id, Some(file)));
    }
    let id = ReplicaId::new();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(id.to_string().as_bytes())?;
    Ok((id, Some(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_is_one_replica_at_a_time_and_the_same_one_later() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp");
        let directory = directory.join(format!("replica-{}", ReplicaId::new()));
        std::fs::create_dir_all(&directory).unwrap();
        let (first, held) = identity(&directory).unwrap();
        let (beside, none) = identity(&directory).unwrap();
        assert!(beside != first && held.is_some() && none.is_none());
        drop(held);
        let (later, held) = identity(&directory).unwrap();
        assert_eq!(later, first);
        drop(held);
        std::fs::write(directory.join(IDENTITY), "rep_torn").unwrap();
        let (fresh, held) = identity(&directory).unwrap();
        drop(held);
        assert!(fresh != first && identity(&directory).unwrap().0 == fresh);
    }
}
