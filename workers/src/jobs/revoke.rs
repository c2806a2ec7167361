//! `Revoke` (lane `usage.plan`): publishes an invalidation to every replica again when a revocation is retried. The
//! command that revokes publishes it first. The operation ends with the acknowledgements, not with this attempt.

use keyway_domain::{Event, Invalidation, Outcome};

/// Returns the invalidation as an event.
pub(super) fn run(what: Invalidation) -> Outcome {
    Outcome::Done(vec![Event::Invalidated(what)])
}
