//! Requests: who calls, for which route, with which headers and which body. Everything is checked here before anything else
//! looks at it.

pub(crate) mod affinity;
pub(crate) mod caller;
pub(crate) mod cors;
pub(crate) mod document;
pub(crate) mod headers;
pub(crate) mod hint;
pub(crate) mod intake;
pub(crate) mod multipart;
pub(crate) mod path;
pub(crate) mod room;
