//! Forgets what is out of date, when the bus or the catalog says that something has changed.

use keyway_bus::{InvalidationSignal, InvalidationStream};
use keyway_providers::CatalogChanges;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{caches::Caches, replica::Dropped};

/// Drops entries that the bus reports as out of date, and passes that on for acknowledgement, until `stop`.
pub(super) async fn listen(
    mut signals: InvalidationStream,
    caches: Caches,
    dropped: mpsc::UnboundedSender<Dropped>,
    stop: CancellationToken,
) {
    loop {
        let signal = tokio::select! {
            () = stop.cancelled() => return,
            signal = signals.next() => signal,
        };
        match signal {
            Some(InvalidationSignal::Changed(tenant_id, what, revocation)) => {
                caches.forget(tenant_id, what);
                // Without a receiver the process ends.
                let _ = revocation.map(|revocation| dropped.send(Dropped::One(tenant_id, revocation)));
            }
            Some(InvalidationSignal::Lost) => {
                caches.callers.forget_all();
                caches.projects.forget_all();
                caches.answers.forget_all();
                let _ = dropped.send(Dropped::Everything);
            }
            // The bus is gone, and with it the process soon; until then entries live for their time.
            None => return,
        }
    }
}

/// Drops all projects and answers when another catalog comes into use: they stem from providers of the old one.
pub(super) async fn follow(mut catalog: CatalogChanges, caches: Caches, stop: CancellationToken) {
    while stop.run_until_cancelled(catalog.next()).await.is_some() {
        caches.projects.forget_all();
        caches.answers.forget_all();
    }
}
