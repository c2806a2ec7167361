//! Answers: upstreams are asked until one begins an answer, which is passed on as it comes and metered on the way.

pub(crate) mod arriving;
pub(crate) mod attempts;
pub(crate) mod broken;
pub(crate) mod cache;
pub(crate) mod caller_side;
pub(crate) mod decoding;
pub(crate) mod frames;
pub(crate) mod judge;
pub(crate) mod links;
pub(crate) mod meter;
pub(crate) mod models;
pub(crate) mod passage;
pub(crate) mod reading;
pub(crate) mod redact;
pub(crate) mod relay;
pub(crate) mod replay;
pub(crate) mod sse;
pub(crate) mod websocket;
