//! What the routes on people share: counted attempts, new passwords, and sessions that begin or go on under a new token.

pub(crate) mod attempts;
mod begun;
pub(crate) mod passwords;

pub(crate) use begun::{Begun, Renewed, begin, renewed};
