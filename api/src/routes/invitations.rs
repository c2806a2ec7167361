//! `/invitations`: offers of a membership, each bound to an address and taken up once. The link is in the answer, to be
//! handed over.

use std::{sync::Arc, time::Duration};

use http::header;
use keyway_domain::{AuthFailure, AuthFailureKind, Email, Invalidation, InvitationId, ProjectId, Role, Timestamp};
use keyway_store::{
    invitations::{self, NewInvitation},
    sessions::Proof,
    sign_in_attempts::{self, Subject},
    totp_factors,
    users::{self, NewUser, SignIn},
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
    cookie,
    cursor::{self, List},
    error::ApiError,
    input,
    openapi::words,
    people::{self, Begun, attempts, passwords},
    principal::Principal,
    provider_names,
    system_work::SystemWork,
    view::{InvitationView, NewInvitationView},
    work::{Command, Work},
};

const HOLDS: Duration = Duration::from_secs(72 * 3600);
const WRONG: &str = "the invitation is wrong, was used, or has ended: ask for another one";

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
}

/// Invite somebody. The answer has the link, this once; it works for 72 hours. Earlier ones to the same place end.
#[utoipa::path(post, path = "/api/v1/invitations", operation_id = "create_invitation", tag = "people", request_body = InvitationInput,
    responses((status = 201, body = NewInvitationView), (status = 404, description = "no such project")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let InvitationInput { email, role, project_id } = call.json()?;
    check_giver(&call.by, role)?;
    let host = call.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let page = format!("{}://{host}/invite", cookie::scheme(host));
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
    let AcceptInput { token, name, password } = call.json()?;
    let name = input::name("name", &name)?;
    let token = AccessToken::sha256_of_sent(AccessTokenKind::Link, token.expose());
    let wrong = || attempts::wrong_as(AuthFailure::of(AuthFailureKind::WrongInvitation), WRONG);
    let token = token.ok_or_else(wrong)?;
    let app = Arc::clone(&call.app);
    let network = attempts::subjects(None, call.by.address);
    attempts::begin(&app, &network).await?;
    let tx = app.store.system_read().await?;
    let offered = invitations::find_open_by_token_hash(&tx, &token, Timestamp::now()).await?;
    let email = offered.ok_or_else(wrong)?.email;
    let known = users::find_for_sign_in(&tx, &email).await?;
    drop(tx);
    let mut subjects = network;
    let new = match known {
        Some(SignIn { user, password_hash }) => {
            let account = [Subject::Account(email.clone())];
            attempts::begin(&app, &account).await?;
            let judged = app.hashing.judge(password, password_hash).await?;
            if !judged.is_right || user.disabled_at.is_some() {
                let message = "there is an account with this address: its password is wrong";
                return Err(attempts::wrong_of(Some(user.id), message));
            }
            subjects.extend(account);
            Err(user)
        }
        None => {
            let has_second_factor = false;
            let owner = passwords::Owner { email: email.as_given().to_owned(), name: name.clone(), has_second_factor };
            let hash = passwords::hash(&app, password, owner).await?;
            Ok(NewUser { email, name, locale: "en".to_owned(), password_hash: Some(hash) })
        }
    };
    let mut work = SystemWork::begin(&app, &call.by).await?;
    let user = match new {
        Ok(new) => {
            let user = users::insert(&work.tx, new, work.now).await?;
            work.audit("user.created", user.id, json!({ "by": "invitation" }));
            user
        }
        Err(user) => user,
    };
    let factor = totp_factors::find(&work.tx, user.id).await?;
    if factor.is_some_and(|factor| factor.confirmed_at.is_some()) {
        return Err(ApiError::conflict("the account has a second factor, which this step does not ask for"));
    }
    let accepted = invitations::accept(&work.tx, &token, &user, work.now).await?;
    let accepted = accepted.ok_or_else(wrong)?;
    sign_in_attempts::succeeded(&work.tx, &subjects, work.now).await?;
    let changes = json!({ "tenant_id": accepted.tenant_id, "role": accepted.role, "project_id": accepted.project_id });
    work.audit_in(accepted.tenant_id, "invitation.accepted", accepted.id, changes);
    work.invalidate(Invalidation::User { id: user.id });
    people::begin(&call, work, &user, Proof::Password).await?.map_err(Into::into)
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
        let link = format!("{}#{}", self.page, token.expose());
        let location = format!("/api/v1/invitations/{}", row.id);
        let view = NewInvitationView { invitation: row.into(), link, token: token.expose().to_owned() };
        Ok(Answer::created(&view, &location).secret())
    }
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
