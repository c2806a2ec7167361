//! The same reads without rollups, and without a bound: statements over the calls.

use keyway_domain::{TenantId, Timestamp};
use keyway_store::{
    request_log::Filter,
    usage_report::{GroupBy, ReportQuery},
};

use crate::{
    read::{Of, Read},
    seed::{self, DAY_MS},
};

const SUMS: &str = "count(*), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens), sum(cost_nano_usd), \
                    sum(CASE WHEN http_status >= 400 THEN 1 ELSE 0 END), \
                    sum(CASE WHEN cost_nano_usd IS NULL THEN 1 ELSE 0 END)";

/// Returns the statement that scans for a read.
pub(crate) fn statement(read: &Read, tenant_id: TenantId) -> String {
    let tenant = tenant_id.uuid();
    match &read.of {
        Of::Usage(query) => usage(query, &tenant.to_string()),
        Of::Requests(filter) => requests(filter, &tenant.to_string()),
        Of::Drift(days) => {
            let to = seed::end();
            let from = Timestamp::from_ms(to.ms() - days * DAY_MS);
            format!(
                "SELECT said.day, said.integration_id, said.tokens, had.tokens FROM (SELECT day, integration_id, \
                 sum(input_tokens + output_tokens) AS tokens FROM key_usage WHERE tenant_id = '{tenant}' AND day >= '{}' \
                 GROUP BY day, integration_id) AS said LEFT JOIN (SELECT started_at_ms / {DAY_MS} AS day, integration_id, \
                 sum(input_tokens + output_tokens) AS tokens FROM metered_calls WHERE tenant_id = '{tenant}' AND \
                 started_at_ms >= {} GROUP BY 1, 2) AS had ON had.integration_id = said.integration_id AND had.day = \
                 EXTRACT(EPOCH FROM CAST(said.day AS TIMESTAMP)) / 86400 ORDER BY 1, 2 LIMIT 1001",
                from.day(),
                from.ms()
            )
        }
    }
}

fn usage(query: &ReportQuery, tenant: &str) -> String {
    let column = |by: &GroupBy| match by {
        GroupBy::Provider => "provider".to_owned(),
        GroupBy::Model => "model".to_owned(),
        GroupBy::Integration => "integration_id".to_owned(),
        GroupBy::Project => "project_id".to_owned(),
        GroupBy::Day => format!("started_at_ms / {DAY_MS}"),
        GroupBy::Hour => "started_at_ms / 3600000".to_owned(),
        GroupBy::VirtualKey => "virtual_key_id".to_owned(),
        GroupBy::Credential => "credential".to_owned(),
    };
    let columns = query.group_by.iter().map(column).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "SELECT {columns}, {SUMS} FROM metered_calls WHERE tenant_id = '{tenant}' AND started_at_ms >= {} AND \
         started_at_ms < {}",
        query.from.ms(),
        query.to.ms()
    );
    // As text, which no index has: before, there was none.
    if let Some(id) = query.only.integration_id {
        text.push_str(&format!(" AND CAST(integration_id AS TEXT) = '{}'", id.uuid()));
    }
    if let Some(id) = query.only.virtual_key_id {
        text.push_str(&format!(" AND CAST(virtual_key_id AS TEXT) = '{}'", id.uuid()));
    }
    text.push_str(&format!(" GROUP BY {columns} ORDER BY {columns} LIMIT {}", query.groups + 1));
    text
}

fn requests(filter: &Filter, tenant: &str) -> String {
    let mut text = format!("SELECT * FROM metered_calls WHERE tenant_id = '{tenant}'");
    if let Some(id) = filter.only.integration_id {
        text.push_str(&format!(" AND CAST(integration_id AS TEXT) = '{}'", id.uuid()));
    }
    if let Some(id) = filter.only.virtual_key_id {
        text.push_str(&format!(" AND CAST(virtual_key_id AS TEXT) = '{}'", id.uuid()));
    }
    if let Some(model) = &filter.model {
        text.push_str(&format!(" AND model = '{model}'"));
    }
    text.push_str(" ORDER BY started_at_ms DESC, request_id DESC LIMIT 101");
    text
}
