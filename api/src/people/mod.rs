//! What the routes on people share: counted attempts, new passwords, second factors, passkeys, and sessions that begin or go on
//! under a new token.

pub(crate) mod attempts;
mod begun;
pub(crate) mod bound;
pub(crate) mod challenge;
pub(crate) mod factors;
pub(crate) mod letters;
pub(crate) mod passkeys;
pub(crate) mod passwords;
mod places;

pub(crate) use begun::{Begun, NewToken, Renewed, begin, new_token, renewed, with_cookie};
pub(crate) use challenge::{Challenge, enter};
