//! An operation's row in the words of the domain.

use keyway_domain::{
    Code, Command, IntegrationId, OperationId, OperationKind, OperationState, ReplicaId, TenantId, Timestamp,
};
use sea_orm::Value;

use crate::{
    StoreError,
    entity::operations as table,
    sql::{ms, time, uint},
};

/// Trigger of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A request.
    Request,
    /// A schedule.
    Schedule,
    /// The fan-out of another operation.
    Parent,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 3] = [Self::Request, Self::Schedule, Self::Parent];

    /// Returns the text in the table and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Schedule => "schedule",
            Self::Parent => "parent",
        }
    }
}

/// Progress of an operation with children; for a revocation, of its replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Children written so far. Of a revocation: replicas that must acknowledge.
    pub total: i64,
    /// Children that succeeded. Of a revocation: replicas that acknowledged.
    pub done: i64,
    /// Failed or cancelled children. Of a finished revocation: replicas that never acknowledged.
    pub failed: i64,
    /// Replicas that have not acknowledged a revocation.
    pub unanswered: Vec<ReplicaId>,
}

impl Progress {
    pub(crate) const fn add(&mut self, state: Option<OperationState>, children: i64) {
        self.total += children;
        match state {
            Some(OperationState::Succeeded) => self.done += children,
            Some(OperationState::Failed | OperationState::Cancelled) => self.failed += children,
            _ => {}
        }
    }
}

/// An operation as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationRow {
    /// Its id.
    pub id: OperationId,
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Fan-out it is a child of.
    pub parent_id: Option<OperationId>,
    /// Kind.
    pub kind: OperationKind,
    /// Trigger.
    pub origin: Origin,
    /// Integration it is about, if any.
    pub integration_id: Option<IntegrationId>,
    /// State.
    pub state: OperationState,
    /// The current attempt, from 1.
    pub attempt: u32,
    /// Progress of a fan-out or revocation; `total` is at least the announced number.
    pub progress: Option<Progress>,
    /// Reason why the last attempt did not succeed.
    pub error: Option<Code>,
    /// Due time of the next attempt, while queued.
    pub due_at: Option<Timestamp>,
    /// Time of acceptance.
    pub created_at: Timestamp,
    /// Time at which its first attempt began.
    pub started_at: Option<Timestamp>,
    /// Time at which it ended.
    pub finished_at: Option<Timestamp>,
    /// Command of the current attempt.
    pub command: Command,
}

/// Fields of a new operation; kind and integration follow from the command.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// Id; derive it so that writing the operation twice makes one row.
    pub id: OperationId,
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Fan-out it is a child of.
    pub parent_id: Option<OperationId>,
    /// Trigger.
    pub origin: Origin,
    /// Expected number of children, shown until they are written.
    pub total: Option<i64>,
    /// Due time.
    pub due_at: Timestamp,
    /// Command of the first attempt.
    pub command: Command,
}

impl NewOperation {
    /// Creates an operation without a parent, due at `due_at`, under a new id.
    #[must_use]
    pub fn of(tenant_id: TenantId, origin: Origin, command: Command, due_at: Timestamp) -> Self {
        Self { id: OperationId::new(), tenant_id, parent_id: None, origin, total: None, due_at, command }
    }

    pub(crate) fn row(self, now: Timestamp) -> OperationRow {
        let progress = has_progress(kind(&self.command))
            .then(|| Progress { total: self.total.unwrap_or(0), ..Progress::default() });
        OperationRow {
            id: self.id,
            tenant_id: self.tenant_id,
            parent_id: self.parent_id,
            kind: kind(&self.command),
            origin: self.origin,
            integration_id: integration(&self.command),
            state: OperationState::Queued,
            attempt: 1,
            progress,
            error: None,
            due_at: Some(self.due_at),
            created_at: now,
            started_at: None,
            finished_at: None,
            command: self.command,
        }
    }

    pub(crate) fn values(&self, now: Timestamp) -> [Value; 10] {
        [
            self.id.uuid().into(),
            self.tenant_id.uuid().into(),
            self.parent_id.map(OperationId::uuid).into(),
            kind(&self.command).name().into(),
            self.origin.name().into(),
            integration(&self.command).map(IntegrationId::uuid).into(),
            self.total.into(),
            ms(Some(self.due_at)).into(),
            now.ms().into(),
            command_text(&self.command).into(),
        ]
    }
}

/// Returns the stored form of a command.
pub(crate) fn command_text(command: &Command) -> String {
    serde_json::to_value(command).map_or_else(|_| String::new(), |json| json.to_string())
}

pub(crate) fn row(model: table::Model, progress: Option<Progress>) -> Result<OperationRow, StoreError> {
    let kind = OperationKind::parse(&model.kind).ok_or(StoreError::Corrupt("operation kind"))?;
    let announced = model.total.unwrap_or(0);
    let state = OperationState::parse(&model.state).ok_or(StoreError::Corrupt("operation state"))?;
    let progress = has_progress(kind).then(|| {
        let seen = progress.unwrap_or_default();
        let left = seen.unanswered.len();
        let failed = if state.is_final() { seen.failed + i64::try_from(left).unwrap_or(i64::MAX) } else { seen.failed };
        Progress { total: seen.total.max(announced), failed, ..seen }
    });
    Ok(OperationRow {
        id: OperationId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        parent_id: model.parent_id.map(OperationId::from_uuid),
        kind,
        origin: Origin::ALL
            .into_iter()
            .find(|origin| origin.name() == model.origin)
            .ok_or(StoreError::Corrupt("operation origin"))?,
        integration_id: model.integration_id.map(IntegrationId::from_uuid),
        state,
        attempt: uint(model.attempt),
        progress,
        error: model.error_code.as_deref().and_then(Code::parse),
        due_at: time(model.due_at_ms),
        created_at: Timestamp::from_ms(model.created_at_ms),
        started_at: time(model.started_at_ms),
        finished_at: time(model.finished_at_ms),
        command: serde_json::from_str(&model.command).map_err(|_| StoreError::Corrupt("command"))?,
    })
}

/// Returns `true` if operations of this kind count children or replicas.
pub(crate) const fn has_progress(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::PlanUsage | OperationKind::Revoke)
}

fn kind(command: &Command) -> OperationKind {
    // Metering has no operation of its own; nobody writes one for it.
    command.operation_kind().unwrap_or(OperationKind::FetchUsage)
}

const fn integration(command: &Command) -> Option<IntegrationId> {
    match command {
        Command::VerifyKey { integration_id, .. } | Command::FetchUsage { integration_id, .. } => Some(*integration_id),
        Command::PlanUsage { .. } | Command::Revoke { .. } | Command::MeterCalls { .. } | Command::SendMail { .. } => {
            None
        }
    }
}
