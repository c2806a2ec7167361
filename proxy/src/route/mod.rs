//! Routes: the integrations of a project, the order in which they are tried, and the body that each of them is sent. Nobody is
//! called from here.

pub(crate) mod alone;
pub(crate) mod choice;
pub(crate) mod cooling;
pub(crate) mod endpoint;
pub(crate) mod fallback;
pub(crate) mod outage;
pub(crate) mod owners;
pub(crate) mod payload;
pub(crate) mod plan;
pub(crate) mod project;
pub(crate) mod sources;
pub(crate) mod stand_ins;
pub(crate) mod upstream;
pub(crate) mod usage_option;
