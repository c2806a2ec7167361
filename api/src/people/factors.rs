//! Second factors: judged by what is stored, and used up in the transaction that the proof is for. An answer never says
//! why a code was wrong, and a code that was right is right once.

use keyway_domain::{Timestamp, UserId};
use keyway_store::{SystemTx, factors::Factors, recovery_codes, sessions::Proof, totp_factors, users::UserRow};
use keyway_vault::{RECOVERY_CODES, RecoveryCode, SecretBytes, SecretString, Totp};

use super::passkeys;
use crate::{App, call::Call, error::ApiError, passkeys::Credential};

/// Answer to a code that proves nothing.
pub(crate) const WRONG: &str = "the code is wrong, or was used already";

/// Second factor that somebody sent.
pub(crate) enum Sent {
    Totp(SecretString),
    Recovery(SecretString),
    Passkey(Box<Credential>),
}

/// Second factor that is right, until somebody uses it up.
pub(crate) enum Right {
    TotpStep(i64),
    RecoveryCode([u8; 32]),
    Passkey(Box<passkeys::Proof>),
}

impl Sent {
    /// Reads the fields of a body, of which one at most is there.
    ///
    /// # Errors
    /// 422 where there are more.
    pub(crate) fn read(
        totp: Option<SecretString>,
        recovery: Option<SecretString>,
        passkey: Option<Credential>,
    ) -> Result<Option<Self>, ApiError> {
        match (totp, recovery, passkey) {
            (None, None, None) => Ok(None),
            (Some(code), None, None) => Ok(Some(Self::Totp(code))),
            (None, Some(code), None) => Ok(Some(Self::Recovery(code))),
            (None, None, Some(credential)) => Ok(Some(Self::Passkey(Box::new(credential)))),
            _ => Err(ApiError::field("send one of `totp`, `recovery` and `passkey`")),
        }
    }

    /// Returns what a session is noted to be proved by.
    pub(crate) const fn proof(&self) -> Proof {
        match self {
            Self::Totp(_) => Proof::Totp,
            Self::Recovery(_) => Proof::RecoveryCode,
            Self::Passkey(_) => Proof::Passkey,
        }
    }
}

/// Returns the names of the factors that a sign-in asks for one of; empty: for none.
pub(crate) fn names(factors: Factors) -> Vec<&'static str> {
    if !factors.are_asked_for() {
        return Vec::new();
    }
    let recovery = factors.recovery_codes_left > 0;
    let all = [("totp", factors.totp), ("passkey", factors.passkeys > 0), ("recovery", recovery)];
    all.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

/// Judges a factor without using it up; `None`: it is wrong.
///
/// # Errors
/// 503 while the vault is sealed, for the codes of an app.
pub(crate) async fn judge(call: &Call, user_id: UserId, sent: &Sent) -> Result<Option<Right>, ApiError> {
    let app = &call.app;
    match sent {
        Sent::Totp(code) => {
            let factor = totp_factors::find(&app.store.system_read().await?, user_id).await?;
            let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else { return Ok(None) };
            Ok(step_of(app, &factor, code).await?.map(Right::TotpStep))
        }
        Sent::Recovery(code) => Ok(RecoveryCode::sha256_of_typed(user_id, code.plain()).map(Right::RecoveryCode)),
        Sent::Passkey(credential) => {
            let proof = passkeys::judge(call, credential, Some(user_id)).await?;
            Ok(Some(Right::Passkey(Box::new(proof))))
        }
    }
}

/// Uses a factor up. Of all who show it at the same moment one succeeds.
///
/// # Errors
/// See [`keyway_store::StoreError`].
pub(crate) async fn use_up(tx: &SystemTx, user_id: UserId, right: &Right, now: Timestamp) -> Result<bool, ApiError> {
    Ok(match right {
        Right::TotpStep(step) => totp_factors::accept_step(tx, user_id, *step).await?,
        Right::RecoveryCode(sha256) => recovery_codes::burn(tx, user_id, sha256, now).await?,
        Right::Passkey(proof) => proof.use_up(tx, now).await?,
    })
}

/// Returns the step that a code of a person's app is of; `None`: it is wrong, or not later than the last one.
///
/// # Errors
/// 503 while the vault is sealed.
pub(crate) async fn step_of(
    app: &App,
    factor: &totp_factors::TotpFactorRow,
    code: &SecretString,
) -> Result<Option<i64>, ApiError> {
    let tx = app.store.tenant_read(app.default_tenant).await?;
    let keys = app.keys.by_id(&tx, factor.data_key_id).await?;
    drop(tx);
    let secret = keys.open(factor.user_id.totp_secret(), factor.version, &factor.envelope)?;
    // The account is shown by apps only: no code depends on it.
    Ok(Totp::new(&secret, "-")?.step_of(code.plain(), Timestamp::now(), factor.last_step))
}

/// Seals the secret of a person's app; returns the envelope and what it is sealed with. People are no tenant's: the keys
/// are those of the tenant that always stays.
///
/// # Errors
/// 503 while the vault is sealed.
pub(crate) async fn seal(
    app: &App,
    user: &UserRow,
    version: i32,
    secret: &SecretBytes,
) -> Result<(Vec<u8>, keyway_domain::DataKeyId), ApiError> {
    let tx = app.store.tenant(app.default_tenant).await?;
    let keys = app.keys.current(&tx).await?;
    let envelope = keys.seal(user.id.totp_secret(), version, secret.plain())?;
    tx.commit().await?;
    Ok((envelope, keys.id()))
}

/// Makes recovery codes for a person; returns them with their hashes.
///
/// # Errors
/// 500 when the system gives no random bytes.
pub(crate) fn new_recovery_codes(user_id: UserId) -> Result<(Vec<String>, Vec<[u8; 32]>), ApiError> {
    let (mut shown, mut hashes) = (Vec::new(), Vec::new());
    while shown.len() < RECOVERY_CODES {
        let code = RecoveryCode::generate()?;
        hashes.extend(code.sha256(user_id));
        shown.push(code.plain().to_owned());
    }
    Ok((shown, hashes))
}
