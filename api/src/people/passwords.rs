//! New passwords: judged by the rules, and hashed.

use keyway_vault::{Password, PasswordFault, PasswordOwner, SecretString, VaultError};

use crate::{App, error::ApiError};

/// Whose password it is to be.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) has_second_factor: bool,
}

enum Refused {
    Fault(PasswordFault),
    Vault(VaultError),
}

/// Judges a new password and hashes it.
///
/// # Errors
/// 422 that says what is wrong with it; 503 when too many wait.
pub(crate) async fn hash(app: &App, typed: SecretString, owner: Owner) -> Result<SecretString, ApiError> {
    let hashed = app.hashing.run(move |memory| {
        let most = keyway_vault::MAX_PASSWORD_CHARS;
        let password = Password::typed(&typed).ok_or(Refused::Fault(PasswordFault::TooLong { most }))?;
        let Owner { email, name, has_second_factor } = &owner;
        let owner = PasswordOwner { email, name, has_second_factor: *has_second_factor };
        password.check(owner).map_err(Refused::Fault)?;
        password.hash(memory).map(SecretString::new).map_err(Refused::Vault)
    });
    hashed.await?.map_err(|refused| match refused {
        Refused::Fault(fault) => ApiError::field(format!("`password`: {fault}")),
        Refused::Vault(error) => error.into(),
    })
}
