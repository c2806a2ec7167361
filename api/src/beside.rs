//! The proxy of the same process, as far as the management API has to do with it.

use std::net::SocketAddr;

use async_trait::async_trait;
use keyway_domain::{AuthFailure, Explanation, Invalidation, ProjectId, TenantId, Wanted};
pub use utoipa::openapi::OpenApi;

/// Stands for the proxy that is served beside the API. Other processes hear of changes through the bus.
#[async_trait]
pub trait ProxyBeside: Send + Sync {
    /// Drops from memory what a committed change touches, before its answer goes out.
    fn forget(&self, tenant_id: TenantId, what: Invalidation);

    /// Judges a call without making it.
    async fn explain(&self, tenant_id: TenantId, project_id: ProjectId, wanted: Wanted<'_>) -> Explanation;

    /// Notes that somebody failed to prove itself or was denied something, and waits as long as the sender of a wrong key
    /// has to.
    async fn refuse(&self, peer: SocketAddr, failure: AuthFailure);

    /// Adds the proxy's routes to the document.
    fn describe(&self, document: &mut OpenApi);
}
