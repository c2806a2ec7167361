//! What the proxy keeps in memory of keys, projects and answers, and when it forgets it: when the bus or the catalog
//! says that something has changed. Nothing here is read from the database or written to it.

use std::sync::Arc;

use keyway_bus::{InvalidationSignal, InvalidationStream};
use keyway_domain::{Invalidation, ProjectId, TenantId};
use keyway_providers::CatalogChanges;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    cache::AnswerCache,
    caller::{KeyHash, KeyHolder},
    project::Project,
    replica::Dropped,
    warm::WarmCache,
};

/// What is kept in memory, until it is out of date.
#[derive(Clone)]
pub(super) struct Caches {
    pub(super) callers: Arc<WarmCache<KeyHash, KeyHolder>>,
    pub(super) projects: Arc<WarmCache<ProjectId, Project>>,
    pub(super) answers: Arc<AnswerCache>,
}

impl Caches {
    /// Drops what a change touches.
    pub(super) fn forget(&self, tenant_id: TenantId, what: Invalidation) {
        let scope = match what {
            Invalidation::VirtualKey { id } => {
                self.callers.forget(id.uuid());
                id.uuid()
            }
            Invalidation::Integrations | Invalidation::Providers => {
                self.projects.forget(tenant_id.uuid());
                tenant_id.uuid()
            }
        };
        self.answers.forget(scope);
    }
}

/// Drops what the bus says is out of date, and tells of it, until `stop`.
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

/// Drops what is kept of projects when another catalog comes into use: it holds what the last one said of their providers.
pub(super) async fn follow(mut catalog: CatalogChanges, caches: Caches, stop: CancellationToken) {
    while stop.run_until_cancelled(catalog.next()).await.is_some() {
        caches.projects.forget_all();
        caches.answers.forget_all();
    }
}
