//! Recipients of mails about a tenant's things: those who may do something about them and want to hear of it.

use keyway_domain::{IntegrationId, MailKind, Permission, ProjectId, Rights, TenantId, UserId};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{StoreError, SystemTx, memberships, sql::Sql, users};

/// A person that a mail is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Person.
    pub user_id: UserId,
    /// Address.
    pub email: String,
    /// Language.
    pub locale: String,
}

/// Integration that a mail is about, by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Name of the tenant.
    pub tenant: String,
    /// Name of the integration.
    pub integration: String,
    /// Name of its provider.
    pub provider: String,
    /// Project that it is in.
    pub project_id: ProjectId,
}

#[derive(FromQueryResult)]
struct Names {
    tenant: String,
    name: String,
    provider: String,
    project_id: Uuid,
}

#[derive(FromQueryResult)]
struct Choice {
    user_id: Uuid,
    kind: String,
    is_wanted: bool,
}

/// Returns the members who have the permission in the tenant, or on things of the project, and want mails of the kind.
///
/// # Errors
/// See [`StoreError`].
pub async fn recipients(
    tx: &SystemTx,
    tenant_id: TenantId,
    (permission, project_id): (Permission, Option<ProjectId>),
    kind: MailKind,
) -> Result<Vec<Recipient>, StoreError> {
    let members = memberships::of_tenant(tx, tenant_id).await?;
    let mut ids: Vec<_> = members.iter().map(|row| row.user_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| {
        let rights: Rights = members.iter().filter(|row| row.user_id == *id).map(|row| row.grant).collect();
        rights.allow(permission, project_id)
    });
    let unwanted = unwanted(tx, kind).await?;
    ids.retain(|id| !unwanted.contains(&id.uuid()));
    let people = users::of_ids(tx, &ids).await?.into_iter().filter(|user| user.disabled_at.is_none());
    let mut found: Vec<_> = people
        .map(|user| Recipient { user_id: user.id, email: user.email.as_given().to_owned(), locale: user.locale })
        .collect();
    found.sort_unstable_by_key(|recipient| recipient.user_id);
    Ok(found)
}

/// Returns the names of an integration of any tenant.
///
/// # Errors
/// See [`StoreError`].
pub async fn subject(tx: &SystemTx, integration_id: IntegrationId) -> Result<Option<Subject>, StoreError> {
    let text = "SELECT t.name AS tenant, i.name, i.provider, i.project_id FROM integrations i \
                JOIN tenants t ON t.id = i.tenant_id WHERE i.id = $1";
    let names: Option<Names> = Sql::with(text, [integration_id.uuid().into()]).rows(tx).await?.pop();
    Ok(names.map(|names| Subject {
        tenant: names.tenant,
        integration: names.name,
        provider: names.provider,
        project_id: ProjectId::from_uuid(names.project_id),
    }))
}

/// Returns for each kind that people choose whether this person wants it.
///
/// # Errors
/// See [`StoreError`].
pub async fn choices(tx: &SystemTx, user_id: UserId) -> Result<Vec<(MailKind, bool)>, StoreError> {
    let sql = Sql::with("SELECT * FROM mail_choices WHERE user_id = $1", [user_id.uuid().into()]);
    let rows: Vec<Choice> = sql.rows(tx).await?;
    let is_wanted = |kind: MailKind| rows.iter().find(|row| row.kind == kind.name()).is_none_or(|row| row.is_wanted);
    let kinds = MailKind::ALL.into_iter().filter(|kind| kind.is_optional());
    Ok(kinds.map(|kind| (kind, is_wanted(kind))).collect())
}

/// Keeps whether a person wants mails of a kind.
///
/// # Errors
/// [`StoreError::Conflict`] when there is no such person.
pub async fn choose(tx: &SystemTx, user_id: UserId, kind: MailKind, is_wanted: bool) -> Result<(), StoreError> {
    let text = "INSERT INTO mail_choices (user_id, kind, is_wanted) VALUES ($1, $2, $3) \
                ON CONFLICT (user_id, kind) DO UPDATE SET is_wanted = excluded.is_wanted";
    Sql::with(text, [user_id.uuid().into(), kind.name().into(), is_wanted.into()]).run(tx).await.map(drop)
}

async fn unwanted(tx: &SystemTx, kind: MailKind) -> Result<Vec<Uuid>, StoreError> {
    let sql = Sql::with("SELECT * FROM mail_choices WHERE kind = $1", [kind.name().into()]);
    let rows: Vec<Choice> = sql.rows(tx).await?;
    Ok(rows.into_iter().filter(|row| !row.is_wanted).map(|row| row.user_id).collect())
}
