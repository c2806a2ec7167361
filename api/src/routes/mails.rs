//! `/mails`: what was sent, what waits, and what was given up. Neither their words nor their links are shown.

use keyway_domain::{MailId, MailState};
use keyway_store::mails;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer,
    call::Call,
    commands::send_mail,
    cursor::{self, List},
    error::ApiError,
    listing::ListScope,
    openapi::words,
    view::MailView,
};

/// Filter of mails.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MailQuery {
    /// Scope; `tenant` if left out.
    #[serde(default)]
    #[param(value_type = Option<words::DeadLetterScope>)]
    scope: ListScope,
    /// State.
    #[param(value_type = Option<words::MailState>)]
    state: Option<MailState>,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List mails, newest first. Those about people's own accounts belong to no tenant: the operator sees them with
/// `scope=installation`.
#[utoipa::path(get, path = "/api/v1/mails", operation_id = "list_mails", tag = "people", params(MailQuery),
    responses((status = 200, body = List<MailView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let MailQuery { scope, state, limit, cursor } = call.query()?;
    let page = cursor::page(limit, cursor.as_deref())?;
    let rows = match scope {
        ListScope::Tenant => mails::list(&call.read().await?, state, page).await?,
        ListScope::Installation => {
            call.beyond_tenant()?;
            mails::list_all(&call.app.store.system_read().await?, state, page).await?
        }
    };
    Ok(Answer::ok(&List::of(rows, |row| row.id, MailView::from)))
}

/// Have a mail sent again that bounced or was given up. `Location` is the operation that sends it.
#[utoipa::path(post, path = "/api/v1/mails/{id}/send", operation_id = "send_mail", tag = "people", params(("id" = inline(words::MailId), Path)),
    responses((status = 202, body = MailView), (status = 409, description = "it waits or was sent, its link has ended, or no mail server is set")))]
pub(crate) async fn send(call: Call) -> Result<Answer, ApiError> {
    let id: MailId = call.id("mail")?;
    send_mail::run(&call, id).await
}
