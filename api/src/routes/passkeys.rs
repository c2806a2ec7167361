//! `/me/passkeys`: the passkeys of a person. Adding and removing one wants a recent proof, ends the person's other
//! sessions and gives this one a new token.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyway_domain::{Factor, Invalidation, PasskeyId, Timestamp};
use keyway_store::{StoreError, factors as stored, link_tokens, passkeys, passkeys::PasskeyRow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::factors::{FactorRemoval, check_left, check_password_alone, renew, tell};
use crate::{
    answer::Answer,
    call::Call,
    cursor::List,
    error::ApiError,
    input,
    openapi::words,
    passkeys::{ALGORITHMS, Credential, HOLDS, Use, issue, judge, registration},
    people::{self, NewToken, Renewed, factors, passkeys as proofs},
    system_work::SystemWork,
};

/// Largest number of passkeys of a person.
const MOST: usize = 20;
const TAKEN: &str = "this passkey is there already";

/// Passkey of a person.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyView {
    #[schema(value_type = words::PasskeyId)]
    id: PasskeyId,
    name: String,
    /// `true` if it is on other devices too, as its authenticator last said.
    is_backed_up: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of its last proof; null: none yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

/// Options for the browser's `navigator.credentials`.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyOptions {
    /// JSON form, for `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    #[schema(value_type = Object)]
    pub(crate) public_key: Value,
}

/// New passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyInput {
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "laptop")]
    name: String,
    /// Answer of the browser, as its `toJSON()` writes it.
    #[schema(value_type = Object)]
    credential: Credential,
}

/// New name of a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyChange {
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "laptop")]
    name: String,
}

/// Passkey that was added, and the session that goes on under a new token.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyAdded {
    passkey: PasskeyView,
    session: NewToken,
    /// Recovery codes, where there were none before. They are shown this once.
    #[schema(example = json!(["2f4k-9q0z-8m1n-7c3d"]))]
    recovery_codes: Option<Vec<String>>,
}

/// List one's own passkeys, oldest first.
#[utoipa::path(get, path = "/api/v1/me/passkeys", operation_id = "list_passkeys", tag = "people", responses((status = 200, body = List<PasskeyView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let user_id = call.by.person()?.user.id;
    let rows = passkeys::of_user(&call.app.store.system_read().await?, user_id).await?;
    Ok(Answer::ok(&List::whole(rows.into_iter().map(PasskeyView::from).collect())))
}

/// Begin to add a passkey: options for the browser.
#[utoipa::path(post, path = "/api/v1/me/passkeys/begin", operation_id = "begin_passkey", tag = "people",
    responses((status = 200, body = PasskeyOptions), (status = 409, description = "this address cannot have passkeys, or there are too many")))]
pub(crate) async fn begin(call: Call) -> Result<Answer, ApiError> {
    let (app, place) = (&call.app, proofs::place(&call)?);
    let user = &call.by.person()?.user;
    let rows = passkeys::of_user(&app.store.system_read().await?, user.id).await?;
    if rows.len() >= MOST {
        return Err(ApiError::conflict("you have as many passkeys as there may be: remove one first"));
    }
    let challenge = issue(app.keys.vault(), app.default_tenant, Use::Register(user.id), Timestamp::now())?;
    let handle = handle(&call, &rows)?;
    let kind = "public-key";
    let ids: Vec<_> = rows.iter().map(|row| json!({ "type": kind, "id": encoded(&row.credential_id) })).collect();
    let algorithms = ALGORITHMS.map(|alg| json!({ "type": kind, "alg": alg }));
    let public_key = json!({
        "rp": { "id": place.rp_id, "name": "Keyway" },
        "user": { "id": encoded(&handle), "name": user.email.as_given(), "displayName": user.name },
        "challenge": challenge,
        "pubKeyCredParams": algorithms,
        "timeout": u64::try_from(HOLDS.as_millis()).unwrap_or(u64::MAX),
        "excludeCredentials": ids,
        "authenticatorSelection": {
            "residentKey": "required", "requireResidentKey": true, "userVerification": "required"
        },
        "attestation": "none"
    });
    Ok(Answer::ok(&PasskeyOptions { public_key }))
}

/// Add a passkey. All other sessions end, and this one goes on under a new token.
#[utoipa::path(post, path = "/api/v1/me/passkeys", operation_id = "add_passkey", tag = "people", request_body = PasskeyInput,
    responses((status = 201, body = PasskeyAdded), (status = 409, description = "this passkey is there already, or this address cannot have any")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let PasskeyInput { name, credential } = call.json()?;
    let (name, person, app) = (input::name("name", &name)?, call.by.person()?, Arc::clone(&call.app));
    let user_id = person.user.id;
    let made =
        registration(&credential, &proofs::place(&call)?).map_err(|error| proofs::refusal(error, Some(user_id)))?;
    let sent = (made.challenge.as_str(), Timestamp::now());
    let challenge = judge(app.keys.vault(), app.default_tenant, Use::Register(user_id), sent)?;
    let (sha256, ends_at) = challenge.ok_or_else(|| proofs::wrong(Some(user_id)))?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    if !link_tokens::spend(&work.tx, user_id, &sha256, (work.now, ends_at)).await? {
        return Err(proofs::wrong(Some(user_id)));
    }
    let rows = passkeys::of_user(&work.tx, user_id).await?;
    let user_handle = handle(&call, &rows)?;
    let row = PasskeyRow {
        id: PasskeyId::new(),
        user_id,
        credential_id: made.credential_id,
        public_key: made.public_key,
        user_handle,
        sign_count: made.sign_count,
        may_be_backed_up: made.may_be_backed_up,
        is_backed_up: made.is_backed_up,
        name,
        created_at: work.now,
        last_used_at: None,
    };
    let keep = Some(person.session.id);
    let added = passkeys::insert(&work.tx, &row, keep).await;
    added.map_err(|error| ApiError::or_conflict(error, TAKEN))?;
    work.audit("factor.added", user_id, json!({ "factor": "passkey", "passkey_id": row.id }));
    tell(&mut work, &person.user, (Factor::Passkey, true)).await?;
    let mut recovery_codes = None;
    if stored::of(&work.tx, user_id).await?.recovery_codes_left == 0 {
        let (shown, hashes) = factors::new_recovery_codes(user_id)?;
        stored::replace_recovery_codes(&work.tx, user_id, &hashes, keep).await?;
        recovery_codes = Some(shown);
    }
    let token = renew(person, &work).await?;
    work.invalidate(Invalidation::User { id: user_id });
    work.commit().await?;
    let session = people::new_token(&token, &person.session);
    let body = PasskeyAdded { passkey: row.into(), session, recovery_codes };
    Ok(people::with_cookie(&call, Answer::created(&body, "/api/v1/me/passkeys"), &token))
}

/// Give a passkey another name.
#[utoipa::path(patch, path = "/api/v1/me/passkeys/{id}", operation_id = "rename_passkey", tag = "people", params(("id" = inline(words::PasskeyId), Path)),
    request_body = PasskeyChange, responses((status = 204)))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let PasskeyChange { name } = call.json()?;
    let (name, id) = (input::name("name", &name)?, call.id("passkey")?);
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    passkeys::rename(&work.tx, call.by.person()?.user.id, id, &name).await.map_err(missing)?;
    work.audit("passkey.renamed", id, json!({ "name": name }));
    work.commit().await?;
    Ok(Answer::no_content())
}

/// Remove a passkey. With the last factor the recovery codes go, too, and the password has to be one that may stand
/// alone. All other sessions end, and this one goes on under a new token.
#[utoipa::path(post, path = "/api/v1/me/passkeys/{id}/remove", operation_id = "remove_passkey", tag = "people", params(("id" = inline(words::PasskeyId), Path)),
    request_body = FactorRemoval, responses((status = 200, body = Renewed), (status = 409, description = "the password is too short to stand alone"),
    (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn remove(call: Call) -> Result<Answer, ApiError> {
    let FactorRemoval { password } = call.json()?;
    let (person, id) = (call.by.person()?, call.id("passkey")?);
    let user_id = person.user.id;
    let own = passkeys::of_user(&call.app.store.system_read().await?, user_id).await?;
    if own.iter().all(|row| row.id != id) {
        return Err(ApiError::not_found("passkey"));
    }
    let is_last = own.len() == 1 && !stored::of(&call.app.store.system_read().await?, user_id).await?.totp;
    if is_last {
        check_password_alone(&call, person, password).await?;
    }
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    let left = passkeys::delete(&work.tx, user_id, id, Some(person.session.id)).await.map_err(missing)?;
    check_left(left, is_last)?;
    work.audit("factor.removed", user_id, json!({ "factor": "passkey", "passkey_id": id }));
    tell(&mut work, &person.user, (Factor::Passkey, false)).await?;
    let token = renew(person, &work).await?;
    work.invalidate(Invalidation::User { id: user_id });
    work.commit().await?;
    Ok(people::renewed(&call, &person.session, &token))
}

/// Returns the name of the person at authenticators: that of its other passkeys, or a keyed digest, which tells nobody who
/// it is.
fn handle(call: &Call, rows: &[PasskeyRow]) -> Result<Vec<u8>, ApiError> {
    if let Some(row) = rows.first() {
        return Ok(row.user_handle.clone());
    }
    let id = call.by.person()?.user.id.uuid();
    let parts: [&[u8]; 2] = [b"passkey user", id.as_bytes()];
    Ok(call.app.keys.vault().request_digest(call.app.default_tenant, &parts)?.to_vec())
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn missing(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound => ApiError::not_found("passkey"),
        error => error.into(),
    }
}

impl From<PasskeyRow> for PasskeyView {
    fn from(row: PasskeyRow) -> Self {
        let PasskeyRow { id, name, is_backed_up, created_at, last_used_at, .. } = row;
        Self { id, name, is_backed_up, created_at, last_used_at }
    }
}
