//! `/sessions`: signing in and out, and the sessions of one's own.

use std::sync::Arc;

use keyway_domain::{Email, Invalidation, SessionId, Timestamp};
use keyway_store::{
    StoreError,
    sessions::{self, Proof},
    sign_in_attempts::{self, Subject},
    users,
};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    auth,
    call::Call,
    commands::sign_in,
    cookie,
    cursor::List,
    error::ApiError,
    openapi::words,
    people::{self, Begun, Renewed, attempts},
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

/// New proof of the person whose session it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepUpInput {
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Sign in. The session's token is in the answer and in a cookie.
#[utoipa::path(post, path = "/api/v1/sessions", operation_id = "sign_in", tag = "people", request_body = SignInInput,
    responses((status = 201, body = Begun), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let SignInInput { email, password } = call.json()?;
    sign_in::run(&call, email, password).await
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
    let StepUpInput { password } = call.json()?;
    let (person, app) = (call.by.person()?, Arc::clone(&call.app));
    let subjects = attempts::subjects(Some(Subject::Account(person.user.email.clone())), call.by.address);
    attempts::begin(&app, &subjects).await?;
    let found = users::find_for_proof(&app.store.system_read().await?, person.user.id).await?;
    let judged = app.hashing.judge(password, found.and_then(|found| found.password_hash)).await?;
    if !judged.is_right {
        return Err(attempts::wrong_of(Some(person.user.id), "the password is wrong"));
    }
    let token = AccessToken::generate(AccessTokenKind::Session)?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    if !sessions::prove(&work.tx, person.session.id, Proof::Password, &token.sha256(), work.now).await? {
        return Err(auth::unauthenticated("the session has ended: sign in again"));
    }
    work.audit("session.proved", person.session.id, json!({ "proved_by": Proof::Password.name() }));
    work.invalidate(Invalidation::User { id: person.user.id });
    work.commit().await?;
    Ok(people::renewed(&call, &person.session, &token))
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
