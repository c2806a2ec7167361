//! Signs a person in by the word of its identity provider. Who is known by its identity there is that person whatever its
//! address; else the verified address decides, and who has no account is given one.

use std::sync::Arc;

use keyway_domain::{Invalidation, Timestamp};
use keyway_store::{
    StoreError, identities, memberships,
    sessions::Proof,
    sign_in_attempts,
    users::{self, NewUser, SignIn, UserRow},
};
use serde_json::json;

use crate::{
    answer::Answer,
    call::Call,
    code::Code,
    error::ApiError,
    oidc::{Callback, Handshake, OidcError, Person, Redirect},
    people::{self, attempts},
    system_work::SystemWork,
};

/// Signs in the person whom the provider sent back.
pub(crate) async fn run(call: &Call, query: Callback, redirect_uri: &str) -> Result<Answer, ApiError> {
    let app = Arc::clone(&call.app);
    let Some(oidc) = &app.oidc else { return Err(OidcError::Provider.into()) };
    let handshake = Handshake::of_browser(&call.headers, Timestamp::now()).ok_or(OidcError::State)?;
    if query.state.as_deref() != Some(handshake.state().as_str()) {
        return Err(OidcError::State.into());
    }
    let Some(code) = query.code.as_deref().filter(|_| query.error.is_none()) else {
        return Err(OidcError::Denied.into());
    };
    // Each code costs a question to the provider: whoever sends wrong ones waits.
    let subjects = attempts::subjects(None, call.by.address);
    attempts::begin(&app, &subjects).await?;
    let redirect = Redirect { code, issuer: query.iss.as_deref(), uri: redirect_uri };
    let person = Box::pin(oidc.person(&handshake, redirect)).await?;
    let mut work = SystemWork::begin(&app, &call.by).await?;
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    let user = user(call, &mut work, &oidc.settings.issuer_text, person).await?;
    match people::enter(call, work, &user, Proof::Oidc).await? {
        Ok(entered) => Ok(entered.into_redirect(&handshake.return_to)),
        Err(StoreError::Stale) => Err(ApiError::conflict("the account has just been changed: sign in again")),
        Err(error) => Err(error.into()),
    }
}

/// Returns the account of a person, and makes it a member where it is none of any tenant.
async fn user(call: &Call, work: &mut SystemWork<'_>, issuer: &str, person: Person) -> Result<UserRow, ApiError> {
    let identity = (issuer, person.subject.as_str());
    let (user, is_new) = match identities::find(&work.tx, issuer, &person.subject).await? {
        Some(id) => (users::find(&work.tx, id).await?.ok_or(StoreError::NotFound)?, false),
        None => {
            let known = users::find_for_sign_in(&work.tx, &person.email).await?;
            let role = person.role.ok_or(OidcError::Role);
            let (user, is_new) = match known {
                Some(SignIn { user, .. }) => (user, false),
                None => {
                    role?;
                    let (email, name, locale) = (person.email.clone(), person.name.clone(), "en".to_owned());
                    let new = NewUser { email, name, locale, password_hash: None };
                    (users::insert(&work.tx, new, work.now).await?, true)
                }
            };
            let tied = identities::insert(&work.tx, user.id, identity, work.now).await;
            tied.map_err(|error| ApiError::or_conflict(error, "this address belongs to another identity there"))?;
            work.audit("user.identity_added", user.id, json!({ "issuer": issuer }));
            (user, is_new)
        }
    };
    if user.disabled_at.is_some() {
        return Err(ApiError::new(Code::NotAllowed, "this account is disabled"));
    }
    if is_new {
        let (tenant_id, role) = (call.app.default_tenant, person.role.ok_or(OidcError::Role)?);
        memberships::insert(&work.tx, tenant_id, user.id, (role, None), work.now).await?;
        work.audit("user.created", user.id, json!({ "by": "oidc", "role": role }));
        work.invalidate(Invalidation::User { id: user.id });
    }
    Ok(user)
}
