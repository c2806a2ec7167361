//! `/sessions`: signing in and out, and the sessions of one's own.

use keyway_domain::{Email, Invalidation, SessionId, Timestamp};
use keyway_store::{StoreError, sessions};
use keyway_vault::SecretString;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::passkeys::PasskeyOptions;
use crate::{
    answer::Answer,
    call::Call,
    commands::{second_factor, sign_in, sign_in_passkey, step_up},
    cookie,
    cursor::List,
    error::ApiError,
    openapi::words,
    passkeys::{Credential, HOLDS, Use, issue},
    people::{Begun, Challenge, Renewed, challenge, factors, passkeys},
    system_work::SystemWork,
    view::SessionView,
};

/// Proof of a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInInput {
    #[schema(value_type = String, max_length = 254, example = "ana@example.org")]
    email: Email,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// New proof of the person whose session it is: one of these.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepUpInput {
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// Code that the authenticator app shows.
    #[schema(value_type = Option<String>, example = "123456")]
    totp: Option<SecretString>,
    /// Recovery code.
    #[schema(value_type = Option<String>, example = "2f4k-9q0z-8m1n-7c3d")]
    recovery: Option<SecretString>,
    /// Answer of the browser for a passkey, as its `toJSON()` writes it.
    #[schema(value_type = Option<Object>)]
    passkey: Option<Credential>,
}

/// Second factor of a sign-in: `totp`, `recovery` or `passkey`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondFactorInput {
    /// Text that the first step answered with.
    #[schema(value_type = String)]
    challenge: SecretString,
    /// Code that the authenticator app shows.
    #[schema(value_type = Option<String>, example = "123456")]
    totp: Option<SecretString>,
    /// Recovery code.
    #[schema(value_type = Option<String>, example = "2f4k-9q0z-8m1n-7c3d")]
    recovery: Option<SecretString>,
    /// Answer of the browser for a passkey, as its `toJSON()` writes it.
    #[schema(value_type = Option<Object>)]
    passkey: Option<Credential>,
}

/// Sign in. The session's token is in the answer and in a cookie. Who has a second factor is asked for it, and has no
/// session yet.
#[utoipa::path(post, path = "/api/v1/sessions", operation_id = "sign_in", tag = "people", request_body = SignInInput,
    responses((status = 201, body = Begun), (status = 200, description = "the second factor is wanted", body = Challenge),
    (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let SignInInput { email, password } = call.json()?;
    sign_in::run(&call, email, password).await
}

/// Finish signing in by a second factor.
#[utoipa::path(post, path = "/api/v1/sessions/second-factor", operation_id = "sign_in_second_factor", tag = "people", request_body = SecondFactorInput,
    responses((status = 201, body = Begun), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn second_factor(call: Call) -> Result<Answer, ApiError> {
    let SecondFactorInput { challenge, totp, recovery, passkey } = call.json()?;
    let sent = factors::Sent::read(totp, recovery, passkey)?;
    let sent = sent.ok_or_else(|| ApiError::field("send one of `totp`, `recovery` and `passkey`"))?;
    second_factor::run(&call, challenge::Sent::read(&challenge)?, sent).await
}

/// Proof by a passkey alone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeySignIn {
    /// Answer of the browser, as its `toJSON()` writes it.
    #[schema(value_type = Object)]
    credential: Credential,
}

/// Begin to prove oneself by a passkey: options for the browser, also where it is a second factor or a new proof.
#[utoipa::path(post, path = "/api/v1/sessions/passkey/begin", operation_id = "begin_passkey_sign_in", tag = "people",
    responses((status = 200, body = PasskeyOptions), (status = 409, description = "this address cannot have passkeys")))]
pub(crate) async fn begin_passkey(call: Call) -> Result<Answer, ApiError> {
    let (app, place) = (&call.app, passkeys::place(&call)?);
    let challenge = issue(app.keys.vault(), app.default_tenant, Use::Prove, Timestamp::now())?;
    let timeout = u64::try_from(HOLDS.as_millis()).unwrap_or(u64::MAX);
    let public_key = json!({
        "challenge": challenge, "rpId": place.rp_id, "timeout": timeout, "allowCredentials": [], "userVerification": "required"
    });
    Ok(Answer::ok(&PasskeyOptions { public_key }))
}

/// Sign in by a passkey, which says itself whose it is and asks for nothing more.
#[utoipa::path(post, path = "/api/v1/sessions/passkey", operation_id = "sign_in_passkey", tag = "people", request_body = PasskeySignIn,
    responses((status = 201, body = Begun), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn create_by_passkey(call: Call) -> Result<Answer, ApiError> {
    let PasskeySignIn { credential } = call.json()?;
    sign_in_passkey::run(&call, &credential).await
}

/// List one's own sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "list_sessions", tag = "people",
    responses((status = 200, body = List<SessionView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let person = call.by.person()?;
    let tx = call.app.store.system_read().await?;
    let rows = sessions::list_of_user(&tx, person.user.id, Timestamp::now()).await?;
    let current = person.session.id;
    Ok(Answer::ok(&List::whole(rows.into_iter().map(|row| SessionView::of(row, current)).collect())))
}

/// Sign out: end the session of this request.
#[utoipa::path(delete, path = "/api/v1/sessions/current", operation_id = "sign_out", tag = "people", responses((status = 204)))]
pub(crate) async fn delete_current(call: Call) -> Result<Answer, ApiError> {
    end(&call, call.by.person()?.session.id).await?;
    Ok(Answer::no_content().with_header(cookie::clear(&call.headers)))
}

/// End one of one's own sessions.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", operation_id = "end_session", tag = "people", params(("id" = inline(words::SessionId), Path)),
    responses((status = 204)))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    end(&call, call.id("session")?).await?;
    Ok(Answer::no_content())
}

/// End all of one's own sessions but that of this request.
#[utoipa::path(delete, path = "/api/v1/sessions", operation_id = "end_other_sessions", tag = "people", responses((status = 204)))]
pub(crate) async fn delete_others(call: Call) -> Result<Answer, ApiError> {
    let person = call.by.person()?;
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    let ended = sessions::end_all_of(&work.tx, person.user.id, Some(person.session.id)).await?;
    work.audit("session.ended", person.user.id, json!({ "others": ended }));
    work.invalidate(Invalidation::User { id: person.user.id });
    work.commit().await?;
    Ok(Answer::no_content())
}

/// Prove again who you are. The session goes on under a new token, and what needs a recent proof works for five minutes.
#[utoipa::path(post, path = "/api/v1/sessions/step-up", operation_id = "step_up", tag = "people", request_body = StepUpInput,
    responses((status = 200, body = Renewed), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn step_up(call: Call) -> Result<Answer, ApiError> {
    let StepUpInput { password, totp, recovery, passkey } = call.json()?;
    let sent = match (password, factors::Sent::read(totp, recovery, passkey)?) {
        (Some(password), None) => step_up::Sent::Password(password),
        (None, Some(factor)) => step_up::Sent::Factor(factor),
        _ => return Err(ApiError::field("send one of `password`, `totp`, `recovery` and `passkey`")),
    };
    step_up::run(&call, sent).await
}

async fn end(call: &Call, id: SessionId) -> Result<(), ApiError> {
    let person = call.by.person()?;
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    sessions::end(&work.tx, person.user.id, id).await.map_err(|error| match error {
        StoreError::NotFound => ApiError::not_found("session"),
        error => error.into(),
    })?;
    work.audit("session.ended", id, json!({}));
    work.invalidate(Invalidation::User { id: person.user.id });
    work.commit().await?;
    Ok(())
}
