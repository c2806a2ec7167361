//! People and services as they stand in the database, without the password that would cost each of them a hash.

use std::time::Duration;

use anyhow::{Context, Result};
use keyway_domain::{Email, Permissions, ProjectId, Role, TenantId, Timestamp, UserId};
use keyway_store::{
    memberships,
    services::{self, NewService},
    sessions::{self, NewSession, Proof},
    users::{self, NewUser, UserRow},
};
use keyway_vault::{AccessToken, AccessTokenKind, ServiceToken};
use reqwest::{Method, RequestBuilder};

use crate::fixture::Api;

/// A member of a tenant, or of one of its projects.
pub(crate) async fn member(api: &Api, tenant: TenantId, role: Role, project: Option<ProjectId>) -> Result<UserRow> {
    let (tx, now) = (api.store.system().await?, Timestamp::now());
    let email: Email = format!("{}@example.org", UserId::new()).parse()?;
    let new = NewUser { email, name: role.name().to_owned(), locale: "en".to_owned(), password_hash: None };
    let user = users::insert(&tx, new, now).await?;
    memberships::insert(&tx, tenant, user.id, (role, project), now).await?.context("it is one already")?;
    tx.commit().await?;
    Ok(user)
}

/// A fresh session of a person that proved itself so long ago; returns its token.
pub(crate) async fn session(api: &Api, user: &UserRow, proved_ago: Duration) -> Result<String> {
    let token = AccessToken::generate(AccessTokenKind::Session)?;
    let tx = api.store.system().await?;
    let user = users::find(&tx, user.id).await?.context("nobody")?;
    let new = NewSession {
        token_sha256: token.sha256(),
        idle: Duration::from_secs(3600),
        absolute: Duration::from_secs(7200),
        address: None,
        device: None,
        proved_by: Proof::Password,
    };
    sessions::insert(&tx, &user, new, Timestamp::now().before(proved_ago)).await?;
    tx.commit().await?;
    Ok(token.plain().to_owned())
}

/// A service of a tenant; returns its token.
pub(crate) async fn service(
    api: &Api,
    tenant: TenantId,
    permissions: Permissions,
    made_by: Option<UserId>,
) -> Result<String> {
    let (token, now) = (ServiceToken::generate()?, Timestamp::now());
    let tx = api.store.tenant(tenant).await?;
    let new = NewService {
        name: token.public_id().to_owned(),
        public_id: token.public_id().to_owned(),
        token_sha256: token.sha256(),
        permissions,
        made_by,
        virtual_key_id: None,
        expires_at: now.after(Duration::from_secs(3600)),
    };
    services::insert(&tx, new, now).await?;
    tx.commit().await?;
    Ok(token.plain().to_owned())
}

/// A request with a token.
pub(crate) fn with(api: &Api, token: &str, method: Method, path: &str) -> RequestBuilder {
    api.anonymous(method, path).bearer_auth(token)
}
