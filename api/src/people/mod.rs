//! What the routes on people share: counted attempts, new passwords, and sessions that begin or go on under a new token.

pub(crate) mod attempts;
mod begun;
pub(crate) mod letters;
pub(crate) mod passwords;
mod places;

pub(crate) use begun::{Begun, Renewed, begin, renewed};
