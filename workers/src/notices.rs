//! Mails about a tenant's things: written in the transaction of what they tell of, to everybody who may do
//! something about it and wants to hear of it.

use keyway_domain::{IntegrationId, MailContent, MailId, Message, Permission, ProjectId, TenantId, Timestamp};
use keyway_store::{
    StoreError, SystemTx,
    mails::{self, Letter, MailOwner, Outgoing, Subject},
};

/// Integration that a mail is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) tenant_id: TenantId,
    pub(crate) integration_id: IntegrationId,
}

/// Writes a mail about an integration to everybody who may replace its key; returns the messages that have them sent, to
/// be written with them.
///
/// # Errors
/// See [`StoreError`].
pub(crate) async fn write(
    tx: &SystemTx,
    outgoing: &Outgoing,
    About { tenant_id, integration_id }: About,
    content: impl Fn(&Subject) -> MailContent + Send,
    now: Timestamp,
) -> Result<Vec<Message>, StoreError> {
    let Some(subject) = mails::subject(tx, integration_id).await? else { return Ok(Vec::new()) };
    let place = (Permission::ROTATE, Some(subject.project_id));
    tell(tx, outgoing, tenant_id, place, content(&subject), now).await
}

/// Works like [`write`], for everybody with a permission there.
///
/// # Errors
/// See [`StoreError`].
pub(crate) async fn tell(
    tx: &SystemTx,
    outgoing: &Outgoing,
    tenant_id: TenantId,
    place: (Permission, Option<ProjectId>),
    content: MailContent,
    now: Timestamp,
) -> Result<Vec<Message>, StoreError> {
    let mut messages = Vec::new();
    for recipient in mails::recipients(tx, tenant_id, place, content.kind()).await? {
        let letter = Letter {
            id: MailId::new(),
            user_id: Some(recipient.user_id),
            recipient: recipient.email,
            locale: recipient.locale,
            content: content.clone(),
            link: None,
            ends_at: None,
        };
        messages.extend(mails::write(tx, MailOwner::Tenant(tenant_id), letter, outgoing, now).await?);
    }
    Ok(messages)
}
