//! `/me/factors`, `/me/totp` and `/me/recovery-codes`: the second factors of a person. Every change wants a recent proof,
//! ends the person's other sessions and gives this one a new token. A secret is shown once.

use std::sync::Arc;

use keyway_domain::{Factor, FactorChangedMail, Invalidation, MailContent, Timestamp};
use keyway_store::{
    StoreError,
    factors::{self as stored, Factors},
    sessions,
    sign_in_attempts::{self, Subject},
    totp_factors,
    users::{self, UserRow},
};
use keyway_vault::{AccessToken, AccessTokenKind, Password, PasswordOwner, SecretString, Totp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    auth,
    call::Call,
    error::ApiError,
    people::{self, NewToken, Renewed, attempts, factors, letters},
    principal::SignedIn,
    system_work::SystemWork,
};

const NO_FACTOR: &str = "you have no second factor: add one first";

/// Second factors of a person.
#[derive(Serialize, ToSchema)]
pub(crate) struct FactorsView {
    /// Authenticator app; null: none is in use.
    totp: Option<TotpView>,
    /// Number of passkeys.
    passkeys: i64,
    /// Number of recovery codes that are left.
    recovery_codes_left: i64,
}

/// Authenticator app.
#[derive(Serialize, ToSchema)]
struct TotpView {
    #[schema(value_type = String, format = DateTime)]
    confirmed_at: Timestamp,
}

/// Authenticator app that waits for its first code. Nothing asks for its codes before that.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewTotp {
    /// Secret as people type it, base32. It is shown this once.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// Address for a QR code; it holds the secret.
    #[schema(
        example = "otpauth://totp/Keyway:ana%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Keyway"
    )]
    url: String,
}

/// First code of an authenticator app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TotpConfirmation {
    /// Code that the app shows.
    #[schema(value_type = String, example = "123456")]
    totp: SecretString,
}

/// Password that is to stand alone again, where the factor is the last one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactorRemoval {
    /// Password; it is left out beside another factor, and by who signs in without one.
    #[schema(value_type = Option<String>, format = Password)]
    pub(super) password: Option<SecretString>,
}

/// Session that goes on under a new token, and recovery codes.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    session: NewToken,
    /// Codes that stand in for a lost factor, each once. They are shown this once, and take the place of all earlier
    /// ones.
    #[schema(example = json!(["2f4k-9q0z-8m1n-7c3d"]))]
    recovery_codes: Vec<String>,
}

/// Show one's own second factors.
#[utoipa::path(get, path = "/api/v1/me/factors", operation_id = "get_factors", tag = "people", responses((status = 200, body = FactorsView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let user_id = call.by.person()?.user.id;
    let tx = call.app.store.system_read().await?;
    let Factors { passkeys, recovery_codes_left, .. } = stored::of(&tx, user_id).await?;
    let confirmed_at = totp_factors::find(&tx, user_id).await?.and_then(|factor| factor.confirmed_at);
    let totp = confirmed_at.map(|confirmed_at| TotpView { confirmed_at });
    Ok(Answer::ok(&FactorsView { totp, passkeys, recovery_codes_left }))
}

/// Begin to add an authenticator app. The answer has its secret, this once; the first code puts it into use.
#[utoipa::path(post, path = "/api/v1/me/totp", operation_id = "begin_totp", tag = "people",
    responses((status = 201, body = NewTotp), (status = 409, description = "there is an app already: remove it first")))]
pub(crate) async fn begin_totp(call: Call) -> Result<Answer, ApiError> {
    let (person, app) = (call.by.person()?, Arc::clone(&call.app));
    let user = &person.user;
    let before = totp_factors::find(&app.store.system_read().await?, user.id).await?;
    let version = before.map_or(1, |factor| factor.version.saturating_add(1));
    let secret = Totp::new_secret()?;
    let totp = Totp::new(&secret, user.email.as_given())?;
    let (envelope, data_key_id) = factors::seal(&app, user, version, &secret).await?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    let put = totp_factors::put(&work.tx, user.id, (&envelope, data_key_id, version), work.now).await;
    put.map_err(|error| ApiError::or_conflict(error, "you have an authenticator app already: remove it first"))?;
    work.audit("factor.begun", user.id, json!({ "factor": "totp" }));
    work.commit().await?;
    let new = NewTotp { secret: totp.typed_secret().plain().clone(), url: totp.url()?.plain().clone() };
    Ok(Answer::created(&new, "/api/v1/me/factors").secret())
}

/// Put an authenticator app into use by its first code. From now on signing in asks for one. The answer has recovery
/// codes, this once; all other sessions end, and this one goes on under a new token.
#[utoipa::path(post, path = "/api/v1/me/totp/confirm", operation_id = "confirm_totp", tag = "people", request_body = TotpConfirmation,
    responses((status = 200, body = RecoveryCodes), (status = 409, description = "no app waits for its first code"),
    (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn confirm_totp(call: Call) -> Result<Answer, ApiError> {
    let TotpConfirmation { totp } = call.json()?;
    let (person, app) = (call.by.person()?, Arc::clone(&call.app));
    let user_id = person.user.id;
    let nothing_waits = || ApiError::conflict("no authenticator app waits for its first code: begin to add one");
    let factor = totp_factors::find(&app.store.system_read().await?, user_id).await?;
    let factor = factor.filter(|factor| factor.confirmed_at.is_none()).ok_or_else(nothing_waits)?;
    let subjects = attempts::subjects(Some(Subject::SecondFactor(user_id)), call.by.address);
    attempts::begin(&app, &subjects).await?;
    let step = factors::step_of(&app, &factor, &totp)
        .await?
        .ok_or_else(|| attempts::wrong_factor(Some(user_id), factors::WRONG))?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    let keep = Some(person.session.id);
    match totp_factors::confirm(&work.tx, user_id, (factor.version, step), keep, work.now).await {
        Err(StoreError::Conflict) => return Err(nothing_waits()),
        confirmed => confirmed?,
    }
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    work.audit("factor.added", user_id, json!({ "factor": "totp" }));
    tell(&mut work, &person.user, (Factor::App, true)).await?;
    with_codes(&call, person, work).await
}

/// Replace one's own recovery codes. All other sessions end, and this one goes on under a new token.
#[utoipa::path(post, path = "/api/v1/me/recovery-codes", operation_id = "replace_recovery_codes", tag = "people",
    responses((status = 200, body = RecoveryCodes), (status = 409, description = "there is no second factor")))]
pub(crate) async fn replace_codes(call: Call) -> Result<Answer, ApiError> {
    let person = call.by.person()?;
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    if !stored::of(&work.tx, person.user.id).await?.are_asked_for() {
        return Err(ApiError::conflict(NO_FACTOR));
    }
    work.audit("factor.recovery_codes_replaced", person.user.id, json!({}));
    tell(&mut work, &person.user, (Factor::RecoveryCodes, true)).await?;
    with_codes(&call, person, work).await
}

/// Remove the authenticator app. With the last factor the recovery codes go, too, and the password has to be one that
/// may stand alone. All other sessions end, and this one goes on under a new token.
#[utoipa::path(post, path = "/api/v1/me/totp/remove", operation_id = "remove_totp", tag = "people", request_body = FactorRemoval,
    responses((status = 200, body = Renewed), (status = 409, description = "there is no app, or the password is too short to stand alone"),
    (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn remove_totp(call: Call) -> Result<Answer, ApiError> {
    let FactorRemoval { password } = call.json()?;
    let (person, app) = (call.by.person()?, Arc::clone(&call.app));
    let user_id = person.user.id;
    let no_app = || ApiError::conflict("you have no authenticator app");
    let had = stored::of(&app.store.system_read().await?, user_id).await?;
    if !had.totp {
        return Err(no_app());
    }
    let is_last = had.passkeys == 0;
    if is_last {
        check_password_alone(&call, person, password).await?;
    }
    let mut work = SystemWork::begin(&app, &call.by).await?;
    let left = totp_factors::delete(&work.tx, user_id, Some(person.session.id)).await?;
    check_left(left.ok_or_else(no_app)?, is_last)?;
    work.audit("factor.removed", user_id, json!({ "factor": "totp" }));
    tell(&mut work, &person.user, (Factor::App, false)).await?;
    let token = renew(person, &work).await?;
    work.invalidate(Invalidation::User { id: user_id });
    work.commit().await?;
    Ok(people::renewed(&call, &person.session, &token))
}

/// Checks that the last factor was removed by who was asked whether its password may stand alone.
///
/// # Errors
/// 409 where another one was removed at the same moment.
pub(super) fn check_left(left: Factors, was_asked: bool) -> Result<(), ApiError> {
    if left.are_asked_for() || was_asked {
        return Ok(());
    }
    Err(ApiError::conflict("your other factors have just been removed: try again"))
}

/// Writes the mail that tells a person of a changed factor.
pub(super) async fn tell(
    work: &mut SystemWork<'_>,
    user: &UserRow,
    (factor, is_added): (Factor, bool),
) -> Result<(), StoreError> {
    let changed = FactorChangedMail { factor, is_added, at: work.now };
    letters::tell(work, user, MailContent::FactorChanged(changed)).await
}

/// Checks that the password, where there is one, is right and long enough to stand without a second factor: beside one
/// it may be shorter.
pub(super) async fn check_password_alone(
    call: &Call,
    person: &SignedIn,
    typed: Option<SecretString>,
) -> Result<(), ApiError> {
    let (app, user) = (Arc::clone(&call.app), &person.user);
    let found = users::find_for_proof(&app.store.system_read().await?, user.id).await?;
    let Some(hash) = found.and_then(|found| found.password_hash) else { return Ok(()) };
    let typed = typed.ok_or_else(|| ApiError::field("`password` is missing: it has to stand alone again"))?;
    let subjects = attempts::subjects(Some(Subject::Account(user.email.clone())), call.by.address);
    attempts::begin(&app, &subjects).await?;
    let again = SecretString::new(typed.plain().clone());
    if !app.hashing.judge(typed, Some(hash)).await?.is_right {
        return Err(attempts::wrong_of(Some(user.id), "the password is wrong"));
    }
    let tx = app.store.system().await?;
    sign_in_attempts::succeeded(&tx, &subjects, Timestamp::now()).await?;
    tx.commit().await?;
    let (email, name) = (user.email.as_given().to_owned(), user.name.clone());
    let may_stand_alone = app.hashing.run(move |_| {
        let owner = PasswordOwner { email: &email, name: &name, has_second_factor: false };
        Password::typed(&again).is_some_and(|password| password.check(owner).is_ok())
    });
    if may_stand_alone.await? {
        return Ok(());
    }
    Err(ApiError::conflict("your password is too short to stand without a second factor: change it first"))
}

/// Gives the person new recovery codes and the session a new token, and answers with both.
async fn with_codes(call: &Call, person: &SignedIn, mut work: SystemWork<'_>) -> Result<Answer, ApiError> {
    let user_id = person.user.id;
    let (recovery_codes, hashes) = factors::new_recovery_codes(user_id)?;
    stored::replace_recovery_codes(&work.tx, user_id, &hashes, Some(person.session.id)).await?;
    let token = renew(person, &work).await?;
    work.invalidate(Invalidation::User { id: user_id });
    work.commit().await?;
    let body = RecoveryCodes { session: people::new_token(&token, &person.session), recovery_codes };
    Ok(people::with_cookie(call, Answer::ok(&body), &token))
}

/// Gives the session a new token.
pub(super) async fn renew(person: &SignedIn, work: &SystemWork<'_>) -> Result<AccessToken, ApiError> {
    let token = AccessToken::generate(AccessTokenKind::Session)?;
    if !sessions::replace_token(&work.tx, person.session.id, &token.sha256(), work.now).await? {
        return Err(auth::unauthenticated("the session has ended: sign in again"));
    }
    Ok(token)
}
