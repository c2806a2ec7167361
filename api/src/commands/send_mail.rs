//! Has a mail sent again. The default tenant may do so with one that belongs to no tenant.

use keyway_domain::{MailId, Timestamp};
use keyway_store::{
    Tx,
    mails::{self, MailOwner, MailRow},
};
use serde_json::json;

use crate::{
    answer::Answer,
    call::Call,
    error::ApiError,
    idempotency::Reservation,
    view::MailView,
    work::{Command, Journal, Work},
};

const SETTLED: &str = "the mail waits or was sent, or its link has ended";
const UNSET: &str = "no mail server is set: set KEYWAY_SMTP_URL first";

/// Sends the tenant's mail, or else one without a tenant.
pub(crate) async fn run(call: &Call, id: MailId) -> Result<Answer, ApiError> {
    call.commit_or_beyond(SendMail { id }, |once| send_unowned(call, once, id)).await
}

/// Mail to send.
pub(crate) struct SendMail {
    pub(crate) id: MailId,
}

impl Command for SendMail {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let owner = MailOwner::Tenant(work.tx.tenant_id());
        let found = mails::find(&work.tx, owner, self.id).await?.ok_or_else(|| ApiError::not_found("mail"))?;
        check_set(work.app.outgoing.is_set)?;
        let message = mails::send_again(&work.tx, owner, self.id, work.now).await?;
        work.send(message.ok_or_else(|| ApiError::conflict(SETTLED))?);
        work.audit("mail.sent_again", self.id, json!({ "kind": found.content.kind() }));
        accepted(&work.tx, owner, self.id).await
    }
}

/// Sends a mail without a tenant; `once` keeps the answer.
async fn send_unowned(call: &Call, once: Option<Reservation>, id: MailId) -> Result<Answer, ApiError> {
    let now = Timestamp::now();
    let owner = MailOwner::Installation { by: call.app.default_tenant };
    let tx = call.app.store.system().await?;
    let found = mails::find(&tx, owner, id).await?.ok_or_else(|| ApiError::not_found("mail"))?;
    check_set(call.app.outgoing.is_set)?;
    let message = mails::send_again(&tx, owner, id, now).await?;
    let mut journal = Journal::new(&call.by, now);
    journal.send(message.ok_or_else(|| ApiError::conflict(SETTLED))?);
    journal.audit("mail.sent_again", id, json!({ "kind": found.content.kind(), "owner": null }));
    journal.write(&tx).await?;
    let answer = accepted(&tx, owner, id).await?;
    if let Some(once) = &once {
        once.keep_open(&tx, &answer, now).await?;
    }
    tx.commit().await?;
    journal.committed(&call.app);
    Ok(answer)
}

fn check_set(is_set: bool) -> Result<(), ApiError> {
    if is_set { Ok(()) } else { Err(ApiError::conflict(UNSET)) }
}

async fn accepted(tx: &impl Tx, owner: MailOwner, id: MailId) -> Result<Answer, ApiError> {
    let row: MailRow = mails::find(tx, owner, id).await?.ok_or_else(|| ApiError::not_found("mail"))?;
    let location = row.operation_id.map(|operation_id| format!("/api/v1/operations/{operation_id}"));
    let answer = Answer::noted(&MailView::from(row));
    Ok(match location {
        Some(location) => answer.located(&location),
        None => answer,
    })
}
