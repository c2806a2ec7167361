//! Proofs by a passkey: judged against the stored key, and used up in the transaction that the proof is for.

use keyway_domain::{Timestamp, UserId};
use keyway_store::{
    SystemTx, link_tokens,
    passkeys::{self as stored, PasskeyRow},
};

use super::attempts;
use crate::{
    call::Call,
    error::ApiError,
    passkeys::{Assertion, Credential, PasskeyError, Place, Use, assertion, judge as judge_challenge},
};

/// Answer to a passkey that proves nothing.
const WRONG: &str = "the passkey's answer does not hold: try again";

/// Proof that is right, until somebody uses it up.
pub(crate) struct Proof {
    row: PasskeyRow,
    assertion: Assertion,
    challenge: ([u8; 32], Timestamp),
}

/// Returns the place that passkeys are for.
///
/// # Errors
/// 409 where the address is a number.
pub(crate) fn place(call: &Call) -> Result<Place, ApiError> {
    let message = "passkeys need an address with a name: open Keyway at http://localhost instead of http://127.0.0.1";
    Place::of(&call.origin()).ok_or_else(|| ApiError::conflict(message))
}

/// Judges a proof without using it up: of `account`, or of whom the authenticator names where it is `None`.
///
/// # Errors
/// 401 where it proves nothing, 422 where it was made at another address; 503 while the vault is sealed.
pub(crate) async fn judge(call: &Call, credential: &Credential, account: Option<UserId>) -> Result<Proof, ApiError> {
    let (app, wrong) = (&call.app, || wrong(account));
    let assertion = assertion(credential, &place(call)?).map_err(|error| refusal(error, account))?;
    let sent = (assertion.challenge.as_str(), Timestamp::now());
    let challenge = judge_challenge(app.keys.vault(), app.default_tenant, Use::Prove, sent)?.ok_or_else(wrong)?;
    let row = stored::find_by_credential(&app.store.system_read().await?, &assertion.credential_id).await?;
    let row = row.filter(|row| assertion.is_of(&row.public_key)).ok_or_else(wrong)?;
    let is_its_person = match &assertion.user_handle {
        Some(handle) => *handle == row.user_handle,
        // Who is not known yet has to be named by the authenticator.
        None => account.is_some(),
    };
    let is_meant = account.is_none_or(|account| account == row.user_id);
    if !is_its_person || !is_meant || assertion.may_be_backed_up != row.may_be_backed_up {
        return Err(wrong());
    }
    Ok(Proof { row, assertion, challenge })
}

/// Builds the answer to a proof of nothing.
pub(crate) fn wrong(account: Option<UserId>) -> ApiError {
    attempts::wrong_factor(account, WRONG)
}

/// Builds the answer to what cannot be judged.
pub(crate) fn refusal(error: PasskeyError, account: Option<UserId>) -> ApiError {
    match error {
        PasskeyError::Wrong => wrong(account),
        PasskeyError::Place | PasskeyError::Algorithm => ApiError::field(error.to_string()),
    }
}

impl Proof {
    /// Returns whom it proves.
    pub(crate) const fn user_id(&self) -> UserId {
        self.row.user_id
    }

    /// Uses it up. Of all who show it at the same moment one succeeds; `false` also where the count is that of a copy.
    ///
    /// # Errors
    /// See [`keyway_store::StoreError`].
    pub(crate) async fn use_up(&self, tx: &SystemTx, now: Timestamp) -> Result<bool, ApiError> {
        let (sha256, ends_at) = &self.challenge;
        if !link_tokens::spend(tx, self.row.user_id, sha256, (now, *ends_at)).await? {
            return Ok(false);
        }
        let told = (self.assertion.sign_count, self.assertion.is_backed_up);
        Ok(stored::accept(tx, self.row.id, told, now).await?)
    }
}
