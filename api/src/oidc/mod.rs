//! OpenID Connect, the relying party's half: code flow with PKCE, one issuer for the installation.
//!
//! Nothing that the issuer says is believed before its signature, issuer, audience, time and nonce are checked, and none
//! of its texts is logged or answered. Every request goes through the guarded client that it is given.

mod callback;
mod claims;
mod error;
mod handshake;
mod id_token;
mod keys;
mod provider;
mod settings;

pub(crate) use callback::Callback;
pub(crate) use claims::{Person, person};
pub(crate) use error::OidcError;
pub(crate) use handshake::{Handshake, local_path};
pub(crate) use provider::{Oidc, Redirect};
pub use settings::{OidcFault, OidcSettings};
