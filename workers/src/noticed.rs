//! Notices of what was committed: by a writer, or by the handler of calls. Sent after the commit and best effort: a page
//! that misses one is out of date until it asks anew.

use std::collections::{BTreeMap, BTreeSet};

use keyway_domain::{Command, Message, MeteredCall, Notice, Noticed, TenantId, Timestamp};
use keyway_store::{audit::AuditRecord, integrations::Settled, operations::OperationRow, verdicts::Applied};

/// Builds notices of operations and of the integrations that their verdicts changed. The children of a fan-out are told
/// as progress of their parent: a round of a hundred thousand keys is no hundred thousand notices.
pub(crate) fn of_status(
    operations: &[OperationRow],
    applied: &[Applied],
    settled: &[(Settled, OperationRow)],
) -> Vec<Notice> {
    let now = Timestamp::now();
    let told: BTreeSet<_> = operations.iter().map(|row| (row.parent_id.unwrap_or(row.id), row.tenant_id)).collect();
    let operations = told.into_iter().map(|(id, tenant_id)| Notice::new(tenant_id, Noticed::Operation(id), now));
    let applied = applied.iter().map(|it| (it.tenant_id, it.integration_id));
    let settled = settled.iter().map(|(it, _)| (it.tenant_id, it.integration_id));
    let integrations: BTreeSet<_> = applied.chain(settled).collect();
    let integrations =
        integrations.into_iter().map(|(tenant_id, id)| Notice::new(tenant_id, Noticed::Status(Some(id)), now));
    operations.chain(integrations).collect()
}

/// Builds the notice of the calls that a command has brought into the request log, with the latest one's id.
pub(crate) fn of_command(message: &Message, command: &Command) -> Vec<Notice> {
    let Command::MeterCalls { calls } = command else { return Vec::new() };
    let latest = calls.iter().max_by_key(|call| call.started_at);
    let of = |call: &MeteredCall| Noticed::Request(call.request_id);
    latest.map(|call| Notice::new(message.tenant_id, of(call), Timestamp::now())).into_iter().collect()
}

/// Builds one notice for each tenant, with the latest of its entries.
pub(crate) fn of_audit(records: &[AuditRecord]) -> Vec<Notice> {
    let latest: BTreeMap<TenantId, _> = records.iter().map(|record| (record.tenant_id, record.event_id)).collect();
    let now = Timestamp::now();
    latest.into_iter().map(|(tenant_id, id)| Notice::new(tenant_id, Noticed::Audit(id), now)).collect()
}
