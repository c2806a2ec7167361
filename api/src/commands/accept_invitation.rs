//! Takes an invitation up. Who has no account with its address is given one; who has one proves itself by its password,
//! and by its second factor where it has one.

use std::sync::Arc;

use keyway_domain::{AuthFailure, AuthFailureKind, Email, Invalidation, Timestamp};
use keyway_store::{
    factors as stored, invitations,
    sessions::Proof,
    sign_in_attempts::{self, Subject},
    users::{self, NewUser, SignIn, UserRow},
};
use keyway_vault::SecretString;
use serde_json::json;

use crate::{
    answer::Answer,
    call::Call,
    error::ApiError,
    people::{self, attempts, bound, factors, passwords},
    system_work::SystemWork,
};

/// Answer to a token that is good for nothing.
const WRONG: &str = "the invitation is wrong, was used, or has ended: ask for another one";

/// Who takes an invitation up, as far as it says so itself.
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) password: SecretString,
    pub(crate) factor: Option<factors::Sent>,
}

/// Guest that has proved itself, or needs not.
enum Proved {
    New(NewUser),
    Known(UserRow, Option<factors::Right>),
}

/// Takes the invitation with this token's hash up, and signs in.
pub(crate) async fn run(call: &Call, token: [u8; 32], guest: Guest) -> Result<Answer, ApiError> {
    let app = Arc::clone(&call.app);
    let mut subjects = attempts::subjects(None, call.by.address);
    attempts::begin(&app, &subjects).await?;
    let tx = app.store.system_read().await?;
    let offered = invitations::find_open_by_token_hash(&tx, &token, Timestamp::now()).await?;
    let email = offered.ok_or_else(wrong)?.email;
    let known = users::find_for_sign_in(&tx, &email).await?;
    drop(tx);
    let proof = guest.factor.as_ref().map_or(Proof::Password, factors::Sent::proof);
    let (proved, proof) = match known {
        Some(known) => (known_guest(call, known, guest, &mut subjects).await?, proof),
        None => (Proved::New(new_guest(call, email, guest).await?), Proof::Password),
    };
    let mut work = SystemWork::begin(&app, &call.by).await?;
    let user = match proved {
        Proved::New(new) => {
            let user = users::insert(&work.tx, new, work.now).await?;
            work.audit("user.created", user.id, json!({ "by": "invitation" }));
            user
        }
        Proved::Known(user, right) => {
            let is_used_up = match &right {
                Some(right) => factors::use_up(&work.tx, user.id, right, work.now).await?,
                // One that was added in between is asked for the next time.
                None => !stored::of(&work.tx, user.id).await?.are_asked_for(),
            };
            if !is_used_up {
                return Err(attempts::wrong_factor(Some(user.id), factors::WRONG));
            }
            user
        }
    };
    let accepted = invitations::accept(&work.tx, &token, &user, work.now).await?;
    let accepted = accepted.ok_or_else(wrong)?;
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    let changes = json!({ "tenant_id": accepted.tenant_id, "role": accepted.role, "project_id": accepted.project_id });
    work.audit_in(accepted.tenant_id, "invitation.accepted", accepted.id, changes);
    work.invalidate(Invalidation::User { id: user.id });
    if bound::is_bound(&app, &work.tx, user.id).await? {
        // It is a member from now on, and comes in where the tenant wants it to.
        work.commit().await?;
        return Err(bound::refusal());
    }
    people::begin(call, work, &user, proof).await?.map_err(Into::into)
}

async fn new_guest(call: &Call, email: Email, guest: Guest) -> Result<NewUser, ApiError> {
    let Guest { name, password, .. } = guest;
    let has_second_factor = false;
    let owner = passwords::Owner { email: email.as_given().to_owned(), name: name.clone(), has_second_factor };
    let hash = passwords::hash(&call.app, password, owner).await?;
    Ok(NewUser { email, name, locale: "en".to_owned(), password_hash: Some(hash) })
}

async fn known_guest(
    call: &Call,
    known: SignIn,
    guest: Guest,
    subjects: &mut Vec<Subject>,
) -> Result<Proved, ApiError> {
    let (app, SignIn { user, password_hash }) = (&call.app, known);
    let account = [Subject::Account(user.email.clone())];
    attempts::begin(app, &account).await?;
    let judged = app.hashing.judge(guest.password, password_hash).await?;
    if !judged.is_right || user.disabled_at.is_some() {
        let message = "there is an account with this address: its password is wrong";
        return Err(attempts::wrong_of(Some(user.id), message));
    }
    subjects.extend(account);
    if !stored::of(&app.store.system_read().await?, user.id).await?.are_asked_for() {
        return Ok(Proved::Known(user, None));
    }
    let Some(factor) = guest.factor else {
        // What was sent so far was right.
        let tx = app.store.system().await?;
        sign_in_attempts::succeeded(&tx, subjects, Timestamp::now()).await?;
        tx.commit().await?;
        return Err(ApiError::field("`totp`, `passkey` or `recovery` is missing: the account has a second factor"));
    };
    let counted = [Subject::SecondFactor(user.id)];
    attempts::begin(app, &counted).await?;
    let right = factors::judge(call, user.id, &factor)
        .await?
        .ok_or_else(|| attempts::wrong_factor(Some(user.id), factors::WRONG))?;
    subjects.extend(counted);
    Ok(Proved::Known(user, Some(right)))
}

/// Builds the answer to a token that offers nothing.
pub(crate) fn wrong() -> ApiError {
    attempts::wrong_as(AuthFailure::of(AuthFailureKind::WrongInvitation), WRONG)
}
