//! Proves anew who is in a session, by the password or by a second factor. The session goes on under a new token.

use std::sync::Arc;

use keyway_domain::Invalidation;
use keyway_store::{
    sessions::{self, Proof},
    sign_in_attempts::{self, Subject},
    users,
};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};
use serde_json::json;

use crate::{
    answer::Answer,
    auth,
    call::Call,
    error::ApiError,
    people::{self, attempts, factors},
    system_work::SystemWork,
};

/// Proof that somebody sent.
pub(crate) enum Sent {
    Password(SecretString),
    Factor(factors::Sent),
}

/// Proves the person. The attempt is counted before it is judged.
pub(crate) async fn run(call: &Call, sent: Sent) -> Result<Answer, ApiError> {
    let (person, app) = (call.by.person()?, Arc::clone(&call.app));
    let user = &person.user;
    let (subject, proof) = match &sent {
        Sent::Password(_) => (Subject::Account(user.email.clone()), Proof::Password),
        Sent::Factor(factor) => (Subject::SecondFactor(user.id), factor.proof()),
    };
    let subjects = attempts::subjects(Some(subject), call.by.address);
    attempts::begin(&app, &subjects).await?;
    let right = match sent {
        Sent::Password(password) => {
            let found = users::find_for_proof(&app.store.system_read().await?, user.id).await?;
            let judged = app.hashing.judge(password, found.and_then(|found| found.password_hash)).await?;
            if !judged.is_right {
                return Err(attempts::wrong_of(Some(user.id), "the password is wrong"));
            }
            None
        }
        Sent::Factor(factor) => {
            let right = factors::judge(call, user.id, &factor).await?;
            Some(right.ok_or_else(|| attempts::wrong_factor(Some(user.id), factors::WRONG))?)
        }
    };
    let token = AccessToken::generate(AccessTokenKind::Session)?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    if let Some(right) = right
        && !factors::use_up(&work.tx, user.id, &right, work.now).await?
    {
        return Err(attempts::wrong_factor(Some(user.id), factors::WRONG));
    }
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    if !sessions::prove(&work.tx, person.session.id, proof, &token.sha256(), work.now).await? {
        return Err(auth::unauthenticated("the session has ended: sign in again"));
    }
    work.audit("session.proved", person.session.id, json!({ "proved_by": proof.name() }));
    work.invalidate(Invalidation::User { id: user.id });
    work.commit().await?;
    Ok(people::renewed(call, &person.session, &token))
}
