//! `/setup`: the first person becomes the owner of the tenant `default`, by the token that the first start prints.

use std::sync::Arc;

use keyway_domain::{AuthFailure, AuthFailureKind, Email, Role};
use keyway_store::{
    StoreError, memberships,
    sessions::Proof,
    setup_token, sign_in_attempts,
    users::{self, NewUser},
};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    call::Call,
    error::ApiError,
    input,
    people::{self, Begun, attempts, passwords},
    system_work::SystemWork,
};

/// The first person, with the token that makes it an owner.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupInput {
    /// Token that the first start printed.
    #[schema(value_type = String, example = "kw_setup_...")]
    token: SecretString,
    #[schema(value_type = String, max_length = 254, example = "ana@example.org")]
    email: Email,
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "Ana")]
    name: String,
    /// Password, 15 to 256 characters.
    #[schema(value_type = String, format = Password, min_length = 15, max_length = 256)]
    password: SecretString,
}

const WRONG: &str = "the setup token is wrong, or was used: whoever used it is an owner and can invite others";

/// Make the first person, an owner of the tenant `default`, and sign it in. The token works once.
#[utoipa::path(post, path = "/api/v1/setup", operation_id = "set_up", tag = "people", request_body = SetupInput,
    responses((status = 201, body = Begun), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let SetupInput { token, email, name, password } = call.json()?;
    let name = input::name("name", &name)?;
    let token = AccessToken::sha256_of_sent(AccessTokenKind::Setup, token.plain());
    let wrong = || attempts::wrong_as(AuthFailure::of(AuthFailureKind::WrongSetupToken), WRONG);
    let token = token.ok_or_else(wrong)?;
    let app = Arc::clone(&call.app);
    let subjects = attempts::subjects(None, call.by.address);
    attempts::begin(&app, &subjects).await?;
    let owner = passwords::Owner { email: email.as_given().to_owned(), name: name.clone(), has_second_factor: false };
    let hash = passwords::hash(&app, password, owner).await?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    if !setup_token::take(&work.tx, &token).await? {
        return Err(wrong());
    }
    let new = NewUser { email, name, locale: "en".to_owned(), password_hash: Some(hash) };
    let user = users::insert(&work.tx, new, work.now).await?;
    memberships::insert(&work.tx, app.default_tenant, user.id, (Role::Owner, None), work.now).await?;
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    work.audit("user.created", user.id, json!({ "role": Role::Owner, "by": "setup_token" }));
    people::begin(&call, work, &user, Proof::Password).await?.map_err(|error: StoreError| error.into())
}
