//! A mail's row in the words of the domain.

use keyway_domain::{Code, DataKeyId, MailContent, MailId, MailState, OperationId, TenantId, Timestamp, UserId};
use sea_orm::EntityTrait as _;

use crate::{
    StoreError, Tx,
    entity::mails as table,
    sql::{ms, time, uint},
};

/// A link, sealed under [`MailId::sealed_link`] as version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedLink {
    /// The sealed link.
    pub envelope: Vec<u8>,
    /// Data key that seals it.
    pub data_key_id: DataKeyId,
}

/// Fields of a new mail.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Id.
    pub id: MailId,
    /// Person that it is for; `None`: somebody who has no account, or is not looked up yet.
    pub user_id: Option<UserId>,
    /// Address.
    pub recipient: String,
    /// Language.
    pub locale: String,
    /// Content.
    pub content: MailContent,
    /// Link in it.
    pub link: Option<SealedLink>,
    /// Time from which on it is of no use any more.
    pub ends_at: Option<Timestamp>,
}

/// A mail as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct MailRow {
    /// Id.
    pub id: MailId,
    /// Tenant that owns it; `None`: it is about a person's own account.
    pub tenant_id: Option<TenantId>,
    /// Person that it is for.
    pub user_id: Option<UserId>,
    /// Address.
    pub recipient: String,
    /// Language.
    pub locale: String,
    /// Content.
    pub content: MailContent,
    /// Link in it, until it is sent.
    pub link: Option<SealedLink>,
    /// Message-ID, the same in each attempt, without its brackets.
    pub message_id: String,
    /// State.
    pub state: MailState,
    /// Reason why the last attempt did not succeed.
    pub error: Option<Code>,
    /// Number of attempts.
    pub attempts: u32,
    /// Operation that sends it.
    pub operation_id: Option<OperationId>,
    /// Time of writing.
    pub created_at: Timestamp,
    /// Time from which on it is of no use any more.
    pub ends_at: Option<Timestamp>,
    /// Time at which the mail server took it.
    pub sent_at: Option<Timestamp>,
}

pub(super) async fn insert(
    tx: &impl Tx,
    tenant_id: Option<TenantId>,
    letter: Letter,
    (domain, operation_id): (&str, Option<OperationId>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let (envelope, data_key_id) = letter.link.map(|link| (link.envelope, link.data_key_id.uuid())).unzip();
    let (state, error) = match operation_id {
        Some(_) => (MailState::Waiting, None),
        None => (MailState::Unsent, Some(Code::MailUnset)),
    };
    let model = table::Model {
        id: letter.id.uuid(),
        tenant_id: tenant_id.map(TenantId::uuid),
        user_id: letter.user_id.map(UserId::uuid),
        kind: letter.content.kind().name().to_owned(),
        recipient: letter.recipient,
        locale: letter.locale,
        content: serde_json::to_string(&letter.content).map_err(|_| StoreError::Corrupt("mail"))?,
        envelope,
        data_key_id,
        message_id: format!("{}@{domain}", letter.id),
        state: state.name().to_owned(),
        error_code: error.map(|code| code.name().to_owned()),
        attempts: 0,
        operation_id: operation_id.map(OperationId::uuid),
        created_at_ms: now.ms(),
        ends_at_ms: ms(letter.ends_at),
        sent_at_ms: None,
    };
    let stored: table::ActiveModel = model.into();
    table::Entity::insert(stored).exec_without_returning(tx.db()).await?;
    Ok(())
}

pub(super) fn row(model: table::Model) -> Result<MailRow, StoreError> {
    let link = model.envelope.zip(model.data_key_id);
    Ok(MailRow {
        id: MailId::from_uuid(model.id),
        tenant_id: model.tenant_id.map(TenantId::from_uuid),
        user_id: model.user_id.map(UserId::from_uuid),
        recipient: model.recipient,
        locale: model.locale,
        content: serde_json::from_str(&model.content).map_err(|_| StoreError::Corrupt("mail"))?,
        link: link.map(|(envelope, id)| SealedLink { envelope, data_key_id: DataKeyId::from_uuid(id) }),
        message_id: model.message_id,
        state: MailState::parse(&model.state).ok_or(StoreError::Corrupt("state of a mail"))?,
        error: model.error_code.as_deref().and_then(Code::parse),
        attempts: uint(model.attempts),
        operation_id: model.operation_id.map(OperationId::from_uuid),
        created_at: Timestamp::from_ms(model.created_at_ms),
        ends_at: time(model.ends_at_ms),
        sent_at: time(model.sent_at_ms),
    })
}
