//! Tells the relay that outbox rows were committed. Only a hint: the relay polls as well.

use std::time::Instant;

use sea_orm::{DatabaseConnection, DbErr, sqlx::postgres::PgListener};
use tokio::sync::watch;

use crate::{StoreError, postgres};

/// Notification channel of PostgreSQL; its payload is the route.
pub(crate) const CHANNEL: &str = "keyway_outbox";

/// Wake-ups of one relay. Keep one per process: on PostgreSQL it holds a connection.
pub struct Wakeups(Source);

enum Source {
    Postgres(Box<PgListener>, watch::Receiver<Option<Instant>>),
    Local(watch::Receiver<u64>),
}

impl Wakeups {
    pub(crate) async fn postgres(pool: &DatabaseConnection) -> Result<Self, StoreError> {
        let mut listener = PgListener::connect_with(pool.get_postgres_connection_pool()).await?;
        let distrusted = postgres::distrusted();
        listener.listen(CHANNEL).await?;
        Ok(Self(Source::Postgres(Box::new(listener), distrusted)))
    }

    pub(crate) const fn local(receiver: watch::Receiver<u64>) -> Self {
        Self(Source::Local(receiver))
    }

    /// Waits until rows were committed since the last call, or until a notification may have been missed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the connection is lost, or may be to a read-only server, which sends no
    /// notifications: open new wake-ups.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        match &mut self.0 {
            Source::Postgres(listener, distrusted) => tokio::select! {
                received = listener.try_recv() => Ok(received.map(drop)?),
                _ = distrusted.changed() => {
                    Err(StoreError::Unavailable(DbErr::Custom("the server may only read".to_owned())))
                }
            },
            Source::Local(receiver) => {
                if receiver.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        }
    }
}
