//! Signs a person in by its password, or asks for its second factor. An unknown address costs the same time and is
//! answered the same as a wrong password.

use std::sync::Arc;

use keyway_domain::Email;
use keyway_store::{
    StoreError,
    sessions::Proof,
    sign_in_attempts::{self, Subject},
    users::{self, SignIn},
};
use keyway_vault::SecretString;

use crate::{
    answer::Answer,
    call::Call,
    error::ApiError,
    people::{self, attempts, bound},
    system_work::SystemWork,
};

const WRONG: &str = "the address or the password is wrong";

/// Signs in. The attempt is counted before it is judged.
pub(crate) async fn run(call: &Call, email: Email, password: SecretString) -> Result<Answer, ApiError> {
    let app = Arc::clone(&call.app);
    let subjects = attempts::subjects(Some(Subject::Account(email.clone())), call.by.address);
    attempts::begin(&app, &subjects).await?;
    let found = users::find_for_sign_in(&app.store.system_read().await?, &email).await?;
    let (user, stored) = match found {
        Some(SignIn { user, password_hash }) => (Some(user), password_hash),
        None => (None, None),
    };
    let old = stored.as_ref().map(|hash| SecretString::new(hash.plain().clone()));
    let judged = app.hashing.judge(password, stored).await?;
    let account = user.as_ref().map(|user| user.id);
    let Some(user) = user.filter(|user| judged.is_right && user.disabled_at.is_none()) else {
        return Err(attempts::wrong_of(account, WRONG));
    };
    let work = SystemWork::begin(&app, &call.by).await?;
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    if bound::is_bound(&app, &work.tx, user.id).await? {
        // The password was right all the same.
        work.commit().await?;
        return Err(bound::refusal());
    }
    if let (Some(old), Some(new)) = (&old, &judged.new_hash) {
        users::replace_hash(&work.tx, user.id, old, new).await?;
    }
    match people::enter(call, work, &user, Proof::Password).await? {
        Ok(entered) => Ok(entered.into_answer()),
        // Changed since the password was compared: it may be another one now.
        Err(StoreError::Stale) => Err(ApiError::conflict("the account has just been changed: sign in again")),
        Err(error) => Err(error.into()),
    }
}
