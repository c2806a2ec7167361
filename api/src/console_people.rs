//! The operator's commands on people, for when nobody can sign in: the same changes as over HTTP, audited as the
//! operator's. A password is never an argument of a process, and never shown but where it was made.

use keyway_domain::{Email, Invalidation, Role, TenantId, UserId};
use keyway_store::{
    Page, StoreError, factors,
    memberships::{self, MembershipRow},
    setup_token,
    sign_in_attempts::{self, Subject},
    tenants,
    users::{self, NewUser, UserRow},
};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};
use serde_json::{Value, json};

use crate::{
    console::{Console, ConsoleError, operator, refused},
    error::ApiError,
    input,
    people::passwords,
    system_work::SystemWork,
    view::UserView,
};

/// A person to make.
pub struct NewPerson {
    /// Address.
    pub email: Email,
    /// Name.
    pub name: String,
    /// Password.
    pub password: SecretString,
    /// Role in the tenant; `None`: a member of nothing yet.
    pub role: Option<Role>,
    /// Tenant of the role; `None`: the default one.
    pub tenant_id: Option<TenantId>,
}

impl Console {
    /// Makes a person, and a member of a tenant if it is given a role; returns it, in the API's JSON.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn create_user(&self, new: NewPerson) -> Result<Value, ConsoleError> {
        let NewPerson { email, name, password, role, tenant_id } = new;
        let name = input::name("name", &name).map_err(refused)?;
        let tenant_id = self.existing(tenant_id).await?;
        let owner = owner_of(email.clone(), &name, false);
        let hash = passwords::hash(&self.app, password, owner).await.map_err(refused)?;
        let mut work = SystemWork::begin(&self.app, &operator(tenant_id)).await?;
        let new = NewUser { email, name, locale: "en".to_owned(), password_hash: Some(hash) };
        let user = users::insert(&work.tx, new, work.now).await.map_err(|error| match error {
            StoreError::NameTaken => ConsoleError::Refused("somebody has this address already".to_owned()),
            error => error.into(),
        })?;
        work.audit("user.created", user.id, json!({ "by": "console", "role": role }));
        if let Some(role) = role {
            memberships::insert(&work.tx, tenant_id, user.id, (role, None), work.now).await?;
        }
        work.commit().await?;
        Ok(json!(UserView::from(user)))
    }

    /// Returns people, newest first, each with what it is in which tenant, in the API's JSON.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn users(&self, limit: u64) -> Result<Vec<Value>, ConsoleError> {
        let tx = self.app.store.system_read().await?;
        let mut shown = Vec::new();
        for user in users::list(&tx, Page::first(limit)).await?.items {
            let of_tenant = |row: &MembershipRow| {
                let grant = &row.grant;
                json!({ "tenant_id": row.tenant_id, "role": grant.role, "project_id": grant.project_id })
            };
            let memberships: Vec<_> = memberships::of_user(&tx, user.id).await?.iter().map(of_tenant).collect();
            let disabled_at = user.disabled_at;
            let mut view = json!(UserView::from(user));
            (view["disabled_at"], view["memberships"]) = (json!(disabled_at), json!(memberships));
            shown.push(view);
        }
        Ok(shown)
    }

    /// Shuts a person out, or lets it in again. Who is shut out has no session that works, on any replica.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn let_in(&self, email: &Email, is_in: bool) -> Result<(), ConsoleError> {
        let mut work = SystemWork::begin(&self.app, &operator(self.app.default_tenant)).await?;
        let user = found(&work, email).await?;
        if is_in {
            users::enable(&work.tx, user.id).await?;
        } else {
            users::disable(&work.tx, user.id, work.now).await?;
        }
        work.audit(if is_in { "user.enabled" } else { "user.disabled" }, user.id, json!({ "by": "console" }));
        work.invalidate(Invalidation::User { id: user.id });
        Ok(work.commit().await?)
    }

    /// Gives a person another password. All its sessions end, and it need not wait for wrong attempts.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn reset_password(&self, email: &Email, password: SecretString) -> Result<(), ConsoleError> {
        let tx = self.app.store.system_read().await?;
        let user = users::find_for_sign_in(&tx, email).await?.ok_or_else(nobody)?.user;
        let has_second_factor = factors::of(&tx, user.id).await?.are_asked_for();
        drop(tx);
        let owner = owner_of(user.email.clone(), &user.name, has_second_factor);
        let hash = passwords::hash(&self.app, password, owner).await.map_err(refused)?;
        let mut work = SystemWork::begin(&self.app, &operator(self.app.default_tenant)).await?;
        users::set_password(&work.tx, user.id, &hash, None, work.now).await?;
        sign_in_attempts::reset(&work.tx, &Subject::Account(user.email)).await?;
        work.audit("user.password_reset", user.id, json!({ "by": "console" }));
        work.invalidate(Invalidation::User { id: user.id });
        Ok(work.commit().await?)
    }

    /// Takes the second factors of a person away, whatever they are; returns them in the API's words. All its sessions
    /// end, and it need not wait for wrong codes.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn remove_factors(&self, email: &Email) -> Result<Value, ConsoleError> {
        let mut work = SystemWork::begin(&self.app, &operator(self.app.default_tenant)).await?;
        let user = found(&work, email).await?;
        let had = factors::remove_all(&work.tx, user.id).await?;
        sign_in_attempts::reset(&work.tx, &Subject::SecondFactor(user.id)).await?;
        let removed = json!({ "totp": had.totp, "passkeys": had.passkeys });
        work.audit("user.factors_removed", user.id, json!({ "by": "console", "removed": removed }));
        work.invalidate(Invalidation::User { id: user.id });
        work.commit().await?;
        Ok(removed)
    }

    /// Makes a person an owner of a tenant, whatever it is there. Its sessions end.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn make_owner(&self, email: &Email, tenant_id: Option<TenantId>) -> Result<TenantId, ConsoleError> {
        let tenant_id = self.existing(tenant_id).await?;
        let mut work = SystemWork::begin(&self.app, &operator(tenant_id)).await?;
        let user = found(&work, email).await?;
        let before = whole_tenant(&work, tenant_id, user.id).await?;
        let id = match &before {
            Some(row) => memberships::set_role(&work.tx, tenant_id, row.id, Role::Owner, None, None).await?.id,
            None => {
                let made = memberships::insert(&work.tx, tenant_id, user.id, (Role::Owner, None), work.now).await?;
                made.ok_or(StoreError::Conflict)?.id
            }
        };
        let from = before.map(|row| row.grant.role);
        let changes = json!({ "user_id": user.id, "from": from, "to": Role::Owner, "by": "console" });
        work.audit("member.role_changed", id, changes);
        work.invalidate(Invalidation::User { id: user.id });
        work.commit().await?;
        Ok(tenant_id)
    }

    /// Makes another setup token, while there is nobody; the one before no longer works.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn setup_token(&self) -> Result<AccessToken, ConsoleError> {
        let token = AccessToken::generate(AccessTokenKind::Setup).map_err(|error| refused(error.into()))?;
        let mut work = SystemWork::begin(&self.app, &operator(self.app.default_tenant)).await?;
        if !setup_token::offer_anew(&work.tx, &token.sha256()).await? {
            let message = "there is somebody already: make others with keyway users create, and owners with make-owner";
            return Err(ConsoleError::Refused(message.to_owned()));
        }
        work.audit("setup_token.made", self.app.default_tenant, json!({ "by": "console" }));
        work.commit().await?;
        Ok(token)
    }

    /// Returns the tenant that is meant, if there is one.
    async fn existing(&self, tenant_id: Option<TenantId>) -> Result<TenantId, ConsoleError> {
        let id = tenant_id.unwrap_or(self.app.default_tenant);
        let found = tenants::find(&self.app.store.system_read().await?, id).await?;
        found.map(|tenant| tenant.id).ok_or_else(|| ConsoleError::Refused("there is no such tenant".to_owned()))
    }
}

async fn found(work: &SystemWork<'_>, email: &Email) -> Result<UserRow, ConsoleError> {
    Ok(users::find_for_sign_in(&work.tx, email).await?.ok_or_else(nobody)?.user)
}

async fn whole_tenant(
    work: &SystemWork<'_>,
    tenant_id: TenantId,
    user_id: UserId,
) -> Result<Option<MembershipRow>, ConsoleError> {
    let mut rows = memberships::of_user(&work.tx, user_id).await?.into_iter();
    Ok(rows.find(|row| row.tenant_id == tenant_id && row.grant.project_id.is_none()))
}

fn owner_of(email: Email, name: &str, has_second_factor: bool) -> passwords::Owner {
    passwords::Owner { email: email.as_given().to_owned(), name: name.to_owned(), has_second_factor }
}

fn nobody() -> ConsoleError {
    refused(ApiError::not_found("person"))
}
