//! Process-wide protection of secrets in memory.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Forbids core dumps, which would hold every opened secret.
pub(crate) fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off; they would hold secrets");
    }
}
