//! Errors of a handler that has no outcome.

use keyway_bus::BusError;
use keyway_store::{KeyError, StoreError};
use keyway_vault::VaultError;

/// A failure of our own, never one of a provider or a key: those are outcomes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HandlerError {
    /// Database, bus or keyring are away: keep the message, wait, run the handler again. Burns no attempt.
    #[error("not available at the moment: {0}")]
    Unavailable(String),
    /// A defect that an immediate retry cannot fix: count a failed attempt and report it.
    #[error("a defect: {0}")]
    Defect(String),
}

impl From<StoreError> for HandlerError {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() { Self::Unavailable(error.to_string()) } else { Self::Defect(error.to_string()) }
    }
}

impl From<BusError> for HandlerError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Encode(_) => Self::Defect(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<KeyError> for HandlerError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => error.into(),
            KeyError::Vault(VaultError::Sealed(why)) => Self::Unavailable(why),
            KeyError::Vault(error) => Self::Defect(error.to_string()),
        }
    }
}
