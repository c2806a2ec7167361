//! What the proxy keeps in memory of keys, projects and answers, and what of it a change touches. Nothing
//! here is read from the database or written to it.

use std::sync::Arc;

use keyway_domain::{Invalidation, ProjectId, TenantId};

use crate::{
    answer::cache::AnswerCache,
    request::caller::{KeyHash, KeyHolder},
    route::project::Project,
    warm::WarmCache,
};

/// All caches of the proxy.
#[derive(Clone)]
pub(super) struct Caches {
    pub(super) callers: Arc<WarmCache<KeyHash, KeyHolder>>,
    pub(super) projects: Arc<WarmCache<ProjectId, Project>>,
    pub(super) answers: Arc<AnswerCache>,
}

impl Caches {
    /// Drops the entries that a change affects.
    pub(super) fn forget(&self, tenant_id: TenantId, what: Invalidation) {
        let scope = match what {
            Invalidation::VirtualKey { id } => {
                self.callers.forget(id.uuid());
                id.uuid()
            }
            // A service calls as long as it is one, and its maker may.
            Invalidation::User { id } => return self.callers.forget(id.uuid()),
            Invalidation::Service { id } => return self.callers.forget(id.uuid()),
            Invalidation::Integrations | Invalidation::Providers => {
                self.projects.forget(tenant_id.uuid());
                tenant_id.uuid()
            }
            // Nothing that is published is called.
            Invalidation::Published => return,
        };
        self.answers.forget(scope);
    }
}
