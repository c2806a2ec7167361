//! Publications: collections of them in memory, and what a reader gets of one.

mod cache;
mod load;
mod reading;
mod shelf;

pub(crate) use cache::PublishedCache;
pub(crate) use load::RESERVED;
pub(crate) use reading::{Reader, warm};
pub(crate) use shelf::PAGE_BYTES;
