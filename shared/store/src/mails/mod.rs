//! Mails, each to one recipient. The words of a mail and its sealed link stay in its row; the message that has it sent
//! names the row alone.
//!
//! Commands, schedules and the status writer write them; after that only the lane `mail` changes their state, and
//! whoever may have one sent again.

mod recipients;
mod row;
mod state;

use keyway_domain::{Command, MailId, MailState, Message, TenantId, Timestamp};

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx, Tx,
    entity::mails as table,
    operations::{self, NewOperation, Origin},
    sql::{Sql, limit},
};

pub use recipients::{Recipient, Subject, choices, choose, recipients, subject};
pub use row::{Letter, MailRow, SealedLink};
pub use state::{bounced, deferred, delete, keep_link, sent, unsent};

/// Way in which mails leave this installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Domain of the sender, which each Message-ID ends with.
    pub domain: String,
    /// `true` if a mail server is set; without one a mail is kept as unsent.
    pub is_set: bool,
}

impl Outgoing {
    /// Returns the way without a mail server.
    #[must_use]
    pub fn unset() -> Self {
        Self { domain: "keyway.invalid".to_owned(), is_set: false }
    }
}

/// Owner of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailOwner {
    /// A tenant, which sees it in its list.
    Tenant(TenantId),
    /// No tenant: it is about a person's own account. The tenant is that whose operations and keys have it sent.
    Installation {
        /// The default tenant.
        by: TenantId,
    },
}

impl MailOwner {
    /// Returns the tenant whose operation sends the mail, and whose key seals its link.
    #[must_use]
    pub const fn sender(self) -> TenantId {
        match self {
            Self::Tenant(id) | Self::Installation { by: id } => id,
        }
    }

    const fn tenant_id(self) -> Option<TenantId> {
        match self {
            Self::Tenant(id) => Some(id),
            Self::Installation { .. } => None,
        }
    }
}

/// Writes a mail and, if a mail server is set, the operation that sends it. Returns the message to write with it.
///
/// # Errors
/// [`StoreError::Conflict`] if the tenant or the person is gone.
pub async fn write(
    tx: &impl Tx,
    owner: MailOwner,
    letter: Letter,
    outgoing: &Outgoing,
    now: Timestamp,
) -> Result<Option<Message>, StoreError> {
    let started = if outgoing.is_set { Some(start(tx, owner, letter.id, now).await?) } else { None };
    let operation_id = started.as_ref().and_then(|message| message.operation_id);
    row::insert(tx, owner.tenant_id(), letter, (&outgoing.domain, operation_id), now).await?;
    Ok(started)
}

/// Has a mail sent again that was given up: it waits, and the message of its operation is returned. `None` if it is in
/// another state, or its link has ended.
///
/// # Errors
/// See [`StoreError`].
pub async fn send_again(
    tx: &impl Tx,
    owner: MailOwner,
    id: MailId,
    now: Timestamp,
) -> Result<Option<Message>, StoreError> {
    let mut sql = Sql::new("UPDATE mails SET state = ");
    sql.bind(MailState::Waiting.name()).push(", error_code = NULL WHERE id = ").bind(id.uuid());
    sql.push(" AND state IN (").list([MailState::Bounced.name(), MailState::Unsent.name()]);
    sql.push(") AND (ends_at_ms IS NULL OR ends_at_ms > ").bind(now.ms()).push(")");
    of(&mut sql, owner);
    if sql.run(tx).await? == 0 {
        return Ok(None);
    }
    let message = start(tx, owner, id, now).await?;
    let mut sql = Sql::new("UPDATE mails SET operation_id = ");
    sql.bind(message.operation_id.map(keyway_domain::OperationId::uuid)).push(" WHERE id = ").bind(id.uuid());
    sql.run(tx).await?;
    Ok(Some(message))
}

/// Returns one mail of the owner.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &impl Tx, owner: MailOwner, id: MailId) -> Result<Option<MailRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM mails WHERE id = ");
    sql.bind(id.uuid());
    of(&mut sql, owner);
    sql.models::<table::Entity>(tx).await?.pop().map(row::row).transpose()
}

/// Returns one mail, whoever owns it, to send it.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_any(tx: &SystemTx, id: MailId) -> Result<Option<MailRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM mails WHERE id = $1", [id.uuid().into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(row::row).transpose()
}

/// Returns the mails of the tenant, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, state: Option<MailState>, page: Page<MailId>) -> Result<Paged<MailRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM mails WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    rows(tx, sql, state, page).await
}

/// Returns the mails of every tenant and of none, newest first, for the operator.
///
/// # Errors
/// See [`StoreError`].
pub async fn list_all(
    tx: &SystemTx,
    state: Option<MailState>,
    page: Page<MailId>,
) -> Result<Paged<MailRow>, StoreError> {
    rows(tx, Sql::new("SELECT * FROM mails WHERE true"), state, page).await
}

/// Counts the mails in each state, and returns the time at which the oldest that waits was written.
///
/// # Errors
/// See [`StoreError`].
pub async fn count_by_state(tx: &SystemTx) -> Result<([(MailState, i64); 4], Option<Timestamp>), StoreError> {
    #[derive(sea_orm::FromQueryResult)]
    struct Count {
        state: String,
        n: i64,
        oldest_ms: i64,
    }
    let text = "SELECT state, count(*) AS n, min(created_at_ms) AS oldest_ms FROM mails GROUP BY state";
    let rows: Vec<Count> = Sql::new(text).rows(tx).await?;
    let find = |state: MailState| rows.iter().find(|row| row.state == state.name());
    let counts = MailState::ALL.map(|state| (state, find(state).map_or(0, |row| row.n)));
    Ok((counts, find(MailState::Waiting).map(|row| Timestamp::from_ms(row.oldest_ms))))
}

/// Deletes mails written before `before` that do not wait.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_settled(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE created_at_ms < $1 AND state <> 'waiting' \
                ORDER BY created_at_ms LIMIT $2)";
    Sql::with(text, [before.ms().into(), limit(rows).into()]).run(tx).await
}

async fn start(tx: &impl Tx, owner: MailOwner, mail_id: MailId, now: Timestamp) -> Result<Message, StoreError> {
    let command = Command::SendMail { mail_id };
    let new = NewOperation::of(owner.sender(), Origin::Request, command.clone(), now);
    let message = Message::command(new.tenant_id, new.id, command);
    operations::insert(tx, new, now).await?;
    Ok(message)
}

fn of(sql: &mut Sql, owner: MailOwner) {
    match owner.tenant_id() {
        Some(tenant_id) => sql.push(" AND tenant_id = ").bind(tenant_id.uuid()),
        None => sql.push(" AND tenant_id IS NULL"),
    };
}

async fn rows(
    tx: &impl Tx,
    mut sql: Sql,
    state: Option<MailState>,
    page: Page<MailId>,
) -> Result<Paged<MailRow>, StoreError> {
    if let Some(state) = state {
        sql.push(" AND state = ").bind(state.name());
    }
    page.newest_first(&mut sql, ["id"], |id| [id.uuid().into()]);
    let rows = sql.models::<table::Entity>(tx).await?.into_iter().map(row::row).collect::<Result<_, _>>()?;
    Ok(Paged::of(&page, rows))
}
