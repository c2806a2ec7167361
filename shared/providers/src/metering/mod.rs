//! Reads the figures in an answer, whole or streamed, in the shape of any provider at any provider's path.
//!
//! Keeps none of an answer's content, whatever its length. A figure of an unexpected kind is unknown, not 0; so is the
//! usage of a stream that broke off before it stated it.

mod answer;
mod document;
mod failure;
mod fields;
mod figures;
mod gemini;
mod kind;
mod marks;
mod pick;
mod session;
mod usage;

pub use document::{Document, JsonBody};
pub use failure::failed_with;
pub use figures::{Figures, Metered};
pub use kind::Ending;
pub use session::session_model;
pub(crate) use usage::CacheCreation;

#[cfg(test)]
mod tests;
