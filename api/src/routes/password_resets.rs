//! `/password-resets`: another password for one that was forgotten. What is answered, and how soon, says nothing about
//! whether there is such an account: the account is looked up by who sends the mail.

use std::{sync::Arc, time::Duration};

use keyway_domain::{
    AuthFailure, AuthFailureKind, Email, Invalidation, MailContent, MailId, PasswordResetMail, Timestamp,
};
use keyway_store::{
    factors,
    link_tokens::{self, Purpose},
    mails::Letter,
    sign_in_attempts::{self, Subject},
    users,
};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    call::Call,
    error::ApiError,
    people::{attempts, passwords},
    system_work::SystemWork,
};

/// Minutes for which a link works.
const MINUTES: u64 = 30;
const WRONG: &str = "the link is wrong, was used, or has ended: ask for another one";
const SAID: &str = "if there is an account with this address, a mail with a link is on its way";

/// Account whose password was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetInput {
    #[schema(value_type = String, max_length = 254, example = "ana@example.org")]
    email: Email,
}

/// The same for every address.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResetAsked {
    message: &'static str,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetAcceptInput {
    /// Token at the end of the link.
    #[schema(value_type = String)]
    token: SecretString,
    /// Password, 15 to 256 characters; 8 with a second factor.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    password: SecretString,
}

/// Ask for a link to choose another password. It works for 30 minutes, once. Every address gets the same answer.
#[utoipa::path(post, path = "/api/v1/password-resets", operation_id = "request_password_reset", tag = "people", request_body = ResetInput,
    responses((status = 202, body = ResetAsked), (status = 429, description = "it was asked for before; wait for `Retry-After`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let ResetInput { email } = call.json()?;
    let app = Arc::clone(&call.app);
    app.admission.check()?;
    let subjects = attempts::subjects(Some(Subject::PasswordReset(email.clone())), call.by.address);
    attempts::begin(&app, &subjects).await?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    let ends_at = work.now.after(Duration::from_secs(MINUTES * 60));
    work.mail(Letter {
        id: MailId::new(),
        user_id: None,
        recipient: email.as_given().to_owned(),
        locale: "en".to_owned(),
        content: MailContent::PasswordReset(PasswordResetMail { minutes: MINUTES }),
        link: None,
        ends_at: Some(ends_at),
    })
    .await?;
    work.commit().await?;
    Ok(Answer::noted(&ResetAsked { message: SAID }))
}

/// Choose another password with the token of a link. All sessions end; sign in with it afterwards.
#[utoipa::path(post, path = "/api/v1/password-resets/accept", operation_id = "accept_password_reset", tag = "people", request_body = ResetAcceptInput,
    responses((status = 204), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn accept(call: Call) -> Result<Answer, ApiError> {
    let ResetAcceptInput { token, password } = call.json()?;
    let token = AccessToken::sha256_of_sent(AccessTokenKind::Link, token.plain());
    let token = token.ok_or_else(wrong)?;
    let app = Arc::clone(&call.app);
    let network = attempts::subjects(None, call.by.address);
    attempts::begin(&app, &network).await?;
    let tx = app.store.system_read().await?;
    let user_id = link_tokens::find(&tx, Purpose::PasswordReset, &token, Timestamp::now()).await?;
    let user_id = user_id.ok_or_else(wrong)?;
    let user = users::find(&tx, user_id).await?.filter(|user| user.disabled_at.is_none());
    let user = user.ok_or_else(wrong)?;
    let has_second_factor = factors::of(&tx, user_id).await?.are_asked_for();
    drop(tx);
    let owner =
        passwords::Owner { email: user.email.as_given().to_owned(), name: user.name.clone(), has_second_factor };
    let hashed = passwords::hash(&app, password, owner).await;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    sign_in_attempts::succeeded(&work.tx, &network, work.now).await?;
    let hash = match hashed {
        Ok(hash) => hash,
        Err(error) => {
            // The token was right, and stays good, whatever the password is.
            work.commit().await?;
            return Err(error);
        }
    };
    let taken = link_tokens::take(&work.tx, Purpose::PasswordReset, &token, work.now).await?;
    taken.ok_or_else(wrong)?;
    users::set_password(&work.tx, user_id, &hash, None, work.now).await?;
    for subject in [Subject::Account(user.email.clone()), Subject::PasswordReset(user.email.clone())] {
        sign_in_attempts::reset(&work.tx, &subject).await?;
    }
    work.audit("user.password_reset", user_id, json!({}));
    work.invalidate(Invalidation::User { id: user_id });
    work.commit().await?;
    Ok(Answer::no_content())
}

/// Builds the answer to a token that is for no password.
fn wrong() -> ApiError {
    attempts::wrong_as(AuthFailure::of(AuthFailureKind::WrongPasswordReset), WRONG)
}
