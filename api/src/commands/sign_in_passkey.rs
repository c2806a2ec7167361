//! Signs a person in by a passkey alone: the authenticator has it, and has verified the person. It says itself whose it is.

use std::sync::Arc;

use keyway_store::{StoreError, sessions::Proof, sign_in_attempts, users};

use crate::{
    answer::Answer,
    call::Call,
    error::ApiError,
    passkeys::Credential,
    people::{self, attempts, bound, passkeys},
    system_work::SystemWork,
};

/// Signs in. The attempt is counted before it is judged.
pub(crate) async fn run(call: &Call, credential: &Credential) -> Result<Answer, ApiError> {
    let app = Arc::clone(&call.app);
    let subjects = attempts::subjects(None, call.by.address);
    attempts::begin(&app, &subjects).await?;
    let proof = passkeys::judge(call, credential, None).await?;
    let work = SystemWork::begin(&app, &call.by).await?;
    let user = users::find(&work.tx, proof.user_id()).await?.filter(|user| user.disabled_at.is_none());
    let user = user.ok_or_else(|| passkeys::wrong(Some(proof.user_id())))?;
    if !proof.use_up(&work.tx, work.now).await? {
        return Err(passkeys::wrong(Some(user.id)));
    }
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    if bound::is_bound(&app, &work.tx, user.id).await? {
        work.commit().await?;
        return Err(bound::refusal());
    }
    match people::begin(call, work, &user, Proof::Passkey).await? {
        Ok(answer) => Ok(answer),
        Err(StoreError::Stale) => Err(ApiError::conflict("the account has just been changed: sign in again")),
        Err(error) => Err(error.into()),
    }
}
