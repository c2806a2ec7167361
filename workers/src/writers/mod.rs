//! The two writers. Only [`status`] changes the status of operations and integrations; only [`audit`]
//! appends audit rows.

pub(crate) mod audit;
mod exhausted;
pub(crate) mod status;
