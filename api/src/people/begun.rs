//! Sessions that begin, or go on under a new token. The token is in the answer and in the cookie, this once.

use std::sync::Arc;

use http::header;
use keyway_domain::{SessionId, Timestamp};
use keyway_store::{
    StoreError,
    sessions::{self, NewSession, Proof, SessionRow},
    users::UserRow,
};
use keyway_vault::{AccessToken, AccessTokenKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    auth::Caller,
    call::Call,
    cookie,
    error::ApiError,
    openapi::words,
    people::places,
    principal::{Principal, SignedIn},
    system_work::SystemWork,
    view::UserView,
};

const MAX_DEVICE_CHARS: usize = 200;

/// A session that has begun, and its person.
#[derive(Serialize, ToSchema)]
pub(crate) struct Begun {
    session: NewToken,
    user: UserView,
}

/// A session that goes on under a new token.
#[derive(Serialize, ToSchema)]
pub(crate) struct Renewed {
    session: NewToken,
}

/// A session's token.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    #[schema(value_type = words::SessionId)]
    id: SessionId,
    /// The token, also set as a cookie. It is shown this once.
    #[schema(example = "kw_ses_...")]
    token: String,
    /// Time at which it ends in any case; without use it ends sooner.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Begins a session of a person that has just proved itself, in the transaction of `work`, and audits it.
///
/// # Errors
/// [`StoreError::Stale`] within the inner result: something of the person has changed, it is to be read again.
pub(crate) async fn begin(
    call: &Call,
    mut work: SystemWork<'_>,
    user: &UserRow,
    proved_by: Proof,
) -> Result<Result<Answer, StoreError>, ApiError> {
    let token = AccessToken::generate(AccessTokenKind::Session)?;
    let agent = call.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let new = NewSession {
        token_sha256: token.sha256(),
        idle: call.app.sessions.idle,
        absolute: call.app.sessions.absolute,
        address: call.by.address.map(|address| address.to_string()),
        device: agent.map(|agent| agent.chars().take(MAX_DEVICE_CHARS).collect()),
        proved_by,
    };
    let session = match sessions::insert(&work.tx, user, new, work.now).await {
        Ok(session) => session,
        Err(error @ StoreError::Stale) => return Ok(Err(error)),
        Err(error) => return Err(error.into()),
    };
    work.act_as(by(call, user, &session));
    places::note(&mut work, user, call.by.address, session.device.as_deref()).await?;
    work.audit("session.created", session.id, serde_json::json!({ "proved_by": proved_by.name() }));
    work.commit().await?;
    let body = Begun { session: new_token(&token, &session), user: user.clone().into() };
    Ok(Ok(with_cookie(call, Answer::created(&body, "/api/v1/sessions/current"), &token)))
}

/// Builds the answer of a session that goes on under a new token.
pub(crate) fn renewed(call: &Call, session: &SessionRow, token: &AccessToken) -> Answer {
    with_cookie(call, Answer::ok(&Renewed { session: new_token(token, session) }), token)
}

/// Builds the view of a session's new token.
pub(crate) fn new_token(token: &AccessToken, session: &SessionRow) -> NewToken {
    NewToken { id: session.id, token: token.plain().to_owned(), expires_at: session.ends_at }
}

/// Adds the cookie of a session's new token to an answer that shows it.
pub(crate) fn with_cookie(call: &Call, answer: Answer, token: &AccessToken) -> Answer {
    answer.secret().with_header(cookie::set(&call.headers, token.plain()))
}

fn by(call: &Call, user: &UserRow, session: &SessionRow) -> Caller {
    let signed_in = SignedIn { user: user.clone(), session: session.clone(), memberships: Vec::new() };
    Caller { principal: Arc::new(Principal::User(signed_in)), ..call.by.clone() }
}
