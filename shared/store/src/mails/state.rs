//! Ends of an attempt to send a mail. A mail that was sent stays sent, whatever is heard of it later.

use keyway_domain::{Code, MailId, MailState, Timestamp};

use super::SealedLink;
use crate::{StoreError, SystemTx, sql::Sql, users::UserRow};

/// Notes that the mail server has taken a mail. Its link is gone from the row with that.
///
/// # Errors
/// See [`StoreError`].
pub async fn sent(tx: &SystemTx, id: MailId, now: Timestamp) -> Result<(), StoreError> {
    let text = "UPDATE mails SET state = $1, sent_at_ms = $2, error_code = NULL, envelope = NULL, data_key_id = NULL, \
                attempts = attempts + 1 WHERE id = $3 AND state <> $1";
    Sql::with(text, [MailState::Sent.name().into(), now.ms().into(), id.uuid().into()]).run(tx).await.map(drop)
}

/// Notes an attempt after which the mail waits for the next one.
///
/// # Errors
/// See [`StoreError`].
pub async fn deferred(tx: &SystemTx, id: MailId, code: Code) -> Result<(), StoreError> {
    ended(tx, id, MailState::Waiting, code).await
}

/// Notes that the mail server does not take the mail for its recipient.
///
/// # Errors
/// See [`StoreError`].
pub async fn bounced(tx: &SystemTx, id: MailId, code: Code) -> Result<(), StoreError> {
    ended(tx, id, MailState::Bounced, code).await
}

/// Notes that the mail is given up.
///
/// # Errors
/// See [`StoreError`].
pub async fn unsent(tx: &SystemTx, id: MailId, code: Code) -> Result<(), StoreError> {
    ended(tx, id, MailState::Unsent, code).await
}

/// Keeps the link of a mail that was written without one, and addresses it to the person it is for. `false` if it has a
/// link.
///
/// # Errors
/// See [`StoreError`].
pub async fn keep_link(
    tx: &SystemTx,
    id: MailId,
    user: &UserRow,
    link: &SealedLink,
    ends_at: Timestamp,
) -> Result<bool, StoreError> {
    let text = "UPDATE mails SET user_id = $1, recipient = $2, locale = $3, envelope = $4, data_key_id = $5, ends_at_ms = $6 \
                WHERE id = $7 AND envelope IS NULL AND state <> 'sent'";
    let values = [
        user.id.uuid().into(),
        user.email.as_given().into(),
        user.locale.as_str().into(),
        link.envelope.clone().into(),
        link.data_key_id.uuid().into(),
        ends_at.ms().into(),
        id.uuid().into(),
    ];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// Deletes a mail that is for nobody.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete(tx: &SystemTx, id: MailId) -> Result<(), StoreError> {
    Sql::with("DELETE FROM mails WHERE id = $1", [id.uuid().into()]).run(tx).await.map(drop)
}

async fn ended(tx: &SystemTx, id: MailId, state: MailState, code: Code) -> Result<(), StoreError> {
    let text = "UPDATE mails SET state = $1, error_code = $2, attempts = attempts + 1 WHERE id = $3 AND state <> $4";
    let values = [state.name().into(), code.name().into(), id.uuid().into(), MailState::Sent.name().into()];
    Sql::with(text, values).run(tx).await.map(drop)
}
