//! `/invitations`: offers of a membership, each bound to an address and taken up once. The link goes there by mail;
//! without a mail server it is in the answer, to be handed over.

use std::time::Duration;

use keyway_domain::{Email, InvitationId, InvitationMail, MailContent, MailId, ProjectId, Role};
use keyway_store::{
    invitations::{self, InvitationRow, NewInvitation},
    mails::{self, Letter, MailOwner},
    tenants,
};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    members::{check_giver, unfit},
    tenants::PageQuery,
};
use crate::{
    answer::Answer,
    call::Call,
    commands::accept_invitation::{self, Guest},
    cursor::{self, List},
    error::ApiError,
    input,
    openapi::words,
    passkeys::Credential,
    people::{Begun, factors, letters},
    principal::Principal,
    provider_names,
    view::{InvitationView, NewInvitationView},
    work::{Command, Work},
};

const HOLDS: Duration = Duration::from_secs(72 * 3600);

/// An invitation to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationInput {
    #[schema(value_type = String, max_length = 254, example = "ben@example.org")]
    email: Email,
    /// Role. Inviting an owner is for owners.
    #[schema(value_type = words::Role)]
    role: Role,
    /// Project that the role holds in alone; the whole tenant if left out.
    #[schema(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
}

/// An invitation that is taken up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptInput {
    /// Token at the end of the link.
    #[schema(value_type = String)]
    token: SecretString,
    /// Name, 1 to 100 characters; who has an account keeps its own.
    #[schema(min_length = 1, max_length = 100, example = "Ben")]
    name: String,
    /// Password, 15 to 256 characters; who has an account proves itself by its own.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// Code of the authenticator app, where the account has one.
    #[schema(value_type = Option<String>, example = "123456")]
    totp: Option<SecretString>,
    /// Recovery code in its place.
    #[schema(value_type = Option<String>, example = "2f4k-9q0z-8m1n-7c3d")]
    recovery: Option<SecretString>,
    /// Answer of the browser for a passkey in its place, as its `toJSON()` writes it.
    #[schema(value_type = Option<Object>)]
    passkey: Option<Credential>,
}

/// Invite somebody by mail; without a mail server the answer has the link, this once. It works for 72 hours. Earlier ones
/// to the same place end.
#[utoipa::path(post, path = "/api/v1/invitations", operation_id = "create_invitation", tag = "people", request_body = InvitationInput,
    responses((status = 201, body = NewInvitationView), (status = 404, description = "no such project")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let InvitationInput { email, role, project_id } = call.json()?;
    check_giver(&call.by, role)?;
    let page = letters::page(&call, "/invite");
    call.commit(Invite { email, role, project_id, page }).await
}

/// List invitations, settled ones too.
#[utoipa::path(get, path = "/api/v1/invitations", operation_id = "list_invitations", tag = "people", params(PageQuery),
    responses((status = 200, body = List<InvitationView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: PageQuery = call.query()?;
    let page = cursor::page(query.limit, query.cursor.as_deref())?;
    let rows = invitations::list(&call.read().await?, page).await?;
    Ok(Answer::ok(&List::of(rows, |row| row.id, InvitationView::from)))
}

/// Take an invitation back. One that is settled stays as it is.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", operation_id = "delete_invitation", tag = "people", params(("id" = inline(words::InvitationId), Path)),
    responses((status = 204)))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    call.commit(TakeBack(call.id("invitation")?)).await
}

/// Take an invitation up, and sign in. Who has no account with its address is given one.
#[utoipa::path(post, path = "/api/v1/invitations/accept", operation_id = "accept_invitation", tag = "people", request_body = AcceptInput,
    responses((status = 201, body = Begun), (status = 429, description = "there were wrong attempts; wait for `Retry-After`")))]
pub(crate) async fn accept(call: Call) -> Result<Answer, ApiError> {
    let AcceptInput { token, name, password, totp, recovery, passkey } = call.json()?;
    let (name, factor) = (input::name("name", &name)?, factors::Sent::read(totp, recovery, passkey)?);
    let token = AccessToken::sha256_of_sent(AccessTokenKind::Link, token.plain());
    let token = token.ok_or_else(accept_invitation::wrong)?;
    accept_invitation::run(&call, token, Guest { name, password, factor }).await
}

struct Invite {
    email: Email,
    role: Role,
    project_id: Option<ProjectId>,
    page: String,
}

impl Command for Invite {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        if self.project_id.is_some() {
            provider_names::project(&work.tx, self.project_id).await?;
        }
        let token = AccessToken::generate(AccessTokenKind::Link)?;
        let new = NewInvitation {
            email: self.email,
            role: self.role,
            project_id: self.project_id,
            token_sha256: token.sha256(),
            invited_by: match &*work.by.principal {
                Principal::User(person) => Some(person.user.id),
                _ => None,
            },
            expires_at: work.now.after(HOLDS),
        };
        let row = invitations::insert(&work.tx, new, work.now).await.map_err(|error| unfit(error, self.role))?;
        let changes = json!({ "role": row.role, "project_id": row.project_id });
        work.audit("invitation.created", row.id, changes);
        // Behind the mark, so that no server on the way has it in its log.
        let link = format!("{}#{}", self.page, token.plain());
        let location = format!("/api/v1/invitations/{}", row.id);
        write_mail(work, &row, &link).await?;
        if work.app.outgoing.is_set {
            let view = NewInvitationView { invitation: row.into(), link: None, token: None };
            return Ok(Answer::created(&view, &location));
        }
        let token = Some(token.plain().to_owned());
        let view = NewInvitationView { invitation: row.into(), link: Some(link), token };
        Ok(Answer::created(&view, &location).secret())
    }
}

/// Writes the mail with the link; without a mail server it is kept as unsent, if its link can be sealed.
async fn write_mail(work: &mut Work<'_>, row: &InvitationRow, link: &str) -> Result<(), ApiError> {
    if !work.app.outgoing.is_set && work.app.keys.vault().sealed_reason().is_some() {
        return Ok(());
    }
    let id = MailId::new();
    let inviter = match &*work.by.principal {
        Principal::User(person) => Some(&person.user),
        _ => None,
    };
    let tenant = tenants::find(&work.tx, row.tenant_id).await?.map_or_else(String::new, |tenant| tenant.name);
    let content = InvitationMail {
        tenant,
        role: row.role,
        invited_by: inviter.map(|user| user.name.clone()),
        expires_at: row.expires_at,
    };
    let letter = Letter {
        id,
        user_id: None,
        recipient: row.email.as_given().to_owned(),
        locale: inviter.map_or_else(|| "en".to_owned(), |user| user.locale.clone()),
        content: MailContent::Invitation(content),
        link: Some(letters::seal(work.app, &work.tx, id, link).await?),
        ends_at: Some(row.expires_at),
    };
    let owner = MailOwner::Tenant(row.tenant_id);
    if let Some(message) = mails::write(&work.tx, owner, letter, &work.app.outgoing, work.now).await? {
        work.send(message);
    }
    Ok(())
}

struct TakeBack(InvitationId);

impl Command for TakeBack {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let row = invitations::find(&work.tx, self.0).await?.ok_or_else(|| ApiError::not_found("invitation"))?;
        check_giver(work.by, row.role)?;
        let row = invitations::revoke(&work.tx, self.0, work.now).await?;
        work.audit("invitation.revoked", row.id, json!({ "role": row.role }));
        Ok(Answer::no_content())
    }
}
