//! `Revoke` (lane `usage.plan`): tell every replica again what was revoked, when that is tried again. The first time
//! the command that revokes it tells them. The operation ends with their acknowledgements, not with this.

use keyway_domain::{Event, Invalidation, Outcome};

/// Tells every replica.
pub(super) fn run(what: Invalidation) -> Outcome {
    Outcome::Done(vec![Event::Invalidated(what)])
}
