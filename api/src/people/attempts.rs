//! Attempts to prove something: counted before they are judged, so that nobody gains by guessing in parallel.

use std::net::IpAddr;

use keyway_domain::{AuthFailure, AuthFailureKind, Timestamp, UserId};
use keyway_store::sign_in_attempts::{self, Subject};

use crate::{App, code::Code, error::ApiError};

/// Returns what an attempt is counted by.
pub(crate) fn subjects(of: Option<Subject>, address: Option<IpAddr>) -> Vec<Subject> {
    of.into_iter().chain(address.map(Subject::Network)).collect()
}

/// Counts an attempt as a wrong one, until it is taken back.
///
/// # Errors
/// 429 with the time to wait.
pub(crate) async fn begin(app: &App, subjects: &[Subject]) -> Result<(), ApiError> {
    let tx = app.store.system().await?;
    if let Some(wait) = sign_in_attempts::begin(&tx, subjects, Timestamp::now()).await? {
        let message = "there were wrong attempts before this one: wait for the seconds in `Retry-After`";
        let failure = AuthFailure::of(AuthFailureKind::TooManyAttempts);
        return Err(ApiError::new(Code::TooManyAttempts, message).retry_after_wait(wait).failing(failure));
    }
    tx.commit().await?;
    Ok(())
}

/// Builds the answer to a password of an account that proves nothing.
pub(crate) fn wrong_of(account: Option<UserId>, message: &'static str) -> ApiError {
    let about = account.map(|id| id.to_string());
    wrong_as(AuthFailure { about, ..AuthFailure::of(AuthFailureKind::WrongPassword) }, message)
}

/// Builds the answer to a code of a second factor that proves nothing.
pub(crate) fn wrong_factor(account: Option<UserId>, message: &'static str) -> ApiError {
    let about = account.map(|id| id.to_string());
    wrong_as(AuthFailure { about, ..AuthFailure::of(AuthFailureKind::WrongFactor) }, message)
}

/// Builds the answer to anything else that proves nothing.
pub(crate) fn wrong_as(failure: AuthFailure, message: &'static str) -> ApiError {
    ApiError::new(Code::InvalidCredentials, message).failing(failure)
}
