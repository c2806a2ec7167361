//! Ends a sign-in by a second factor. Wrong codes are counted by person, whatever right passwords come in between, and
//! each of them delays the next one.

use std::sync::Arc;

use keyway_store::sign_in_attempts::{self, Subject};

use crate::{
    answer::Answer,
    call::Call,
    error::ApiError,
    people::{self, attempts, challenge, factors},
    system_work::SystemWork,
};

/// Ends the sign-in. The attempt is counted before it is judged.
pub(crate) async fn run(call: &Call, challenge: challenge::Sent, sent: factors::Sent) -> Result<Answer, ApiError> {
    let app = Arc::clone(&call.app);
    let user_id = challenge.owner(&app.store.system_read().await?).await?;
    let subjects = attempts::subjects(Some(Subject::SecondFactor(user_id)), call.by.address);
    attempts::begin(&app, &subjects).await?;
    let right = factors::judge(call, user_id, &sent)
        .await?
        .ok_or_else(|| attempts::wrong_factor(Some(user_id), factors::WRONG))?;
    let work = SystemWork::begin(&app, &call.by).await?;
    if !factors::use_up(&work.tx, user_id, &right, work.now).await? {
        return Err(attempts::wrong_factor(Some(user_id), factors::WRONG));
    }
    let user = challenge.use_up(&work.tx, user_id, work.now).await?;
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    people::begin(call, work, &user, sent.proof()).await?.map_err(Into::into)
}
