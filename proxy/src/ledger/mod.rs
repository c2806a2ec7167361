//! The ledger: the record of a call, from its beginning to the outbox, and the calls that Keyway itself refused.

pub(crate) mod arrival;
pub(crate) mod drain;
mod found;
mod line;
mod model_name;
pub(crate) mod record;
pub(crate) mod refused_calls;
pub(crate) mod spool;
pub(crate) mod under_way;
