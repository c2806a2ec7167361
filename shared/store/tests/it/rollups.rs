//! Reports from rollups are equal to a scan of the calls: however they were delivered, whichever build appended them, and
//! after an upgrade.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use keyway_domain::{
    IntegrationId, Ledger, MeteredCall, ProjectId, RequestId, ServedBy, Timestamp, TokenCounts, VirtualKeyId, durations,
};
use keyway_store::{
    Only, Page, raw,
    request_log::{self, Filter},
    retention, usage,
    usage::MeteredRow,
    usage_report::{self, GroupBy, MAX_GROUPS, ReportQuery, UsageGroup},
};
use sea_orm::{ConnectionTrait as _, Database};

use crate::{
    before_reads::TAKE_BACK,
    fixture::{Fixture, on_both},
    usage::append,
};

on_both! {
    reports_equal_a_scan_however_calls_were_delivered
    what_an_earlier_build_appended_is_rolled_up_once
    an_upgrade_rolls_up_what_is_there
    days_stay_when_calls_and_hours_are_deleted
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const DAYS: i64 = 4;
const BY: [GroupBy; 8] = [
    GroupBy::Provider,
    GroupBy::Model,
    GroupBy::Integration,
    GroupBy::Project,
    GroupBy::Day,
    GroupBy::Hour,
    GroupBy::VirtualKey,
    GroupBy::Credential,
];

/// Those whose calls are made.
struct Calls {
    rng: Rng,
    from: Timestamp,
    projects: [ProjectId; 2],
    keys: [VirtualKeyId; 3],
    integrations: [IntegrationId; 3],
}

impl Calls {
    fn new(fixture: &Fixture, seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            from: Timestamp::from_ms((Timestamp::now().ms() / DAY_MS - DAYS + 1) * DAY_MS),
            projects: [fixture.project, ProjectId::new()],
            keys: std::array::from_fn(|_| VirtualKeyId::new()),
            integrations: std::array::from_fn(|_| IntegrationId::new()),
        }
    }

    fn many(&mut self, count: usize) -> Vec<MeteredRow> {
        (0..count).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> MeteredRow {
        let rng = &mut self.rng;
        let by = (self.projects[rng.usize(..2)], self.keys[rng.usize(..3)]);
        let served_by = self.integrations.get(rng.usize(..4)).map_or(ServedBy::NoIntegration, |id| (*id).into());
        let provider = ["openai", "mistral"][rng.usize(..2)];
        let at = Timestamp::from_ms(self.from.ms() + rng.i64(0..DAYS * DAY_MS));
        let call = MeteredCall::begun(RequestId::new(), by, served_by, provider, "/v1/chat/completions", at);
        let model = [Some("large"), Some("small"), None][rng.usize(..3)].map(str::to_owned);
        let mut figure = || rng.bool().then(|| rng.i64(0..1000));
        let tokens = TokenCounts {
            input: figure(),
            cached_input: figure(),
            cache_write: figure(),
            cache_write_1h: figure(),
            output: figure(),
            reasoning: figure(),
            ..TokenCounts::default()
        };
        let cost_nano_usd = figure();
        let http_status = [Some(200), Some(200), Some(429), None][rng.usize(..4)];
        let call =
            MeteredCall { model, tokens, http_status, duration_ms: rng.i64(0..9000), complete: rng.bool(), ..call };
        match rng.usize(..6) {
            0 => MeteredRow { call: call.refused_with("budget_exceeded"), cost_nano_usd: None, price_version: None },
            1 => settled(&MeteredRow { call, cost_nano_usd, price_version: None }),
            _ => MeteredRow { call, cost_nano_usd, price_version: Some("1".to_owned()) },
        }
    }
}

fn settled(row: &MeteredRow) -> MeteredRow {
    let (tokens, http_status) = (TokenCounts::default(), None);
    let call = MeteredCall { tokens, http_status, complete: false, settled: true, ..row.call.clone() };
    MeteredRow { call, cost_nano_usd: None, price_version: None }
}

/// Returns the completions of those calls that were settled.
fn completed(rows: &[MeteredRow]) -> Vec<MeteredRow> {
    let mut ended: Vec<_> = rows.iter().filter(|row| row.call.settled).cloned().collect();
    for row in &mut ended {
        (row.call.settled, row.call.complete, row.call.http_status) = (false, true, Some(200));
        (row.call.tokens.input, row.call.model, row.cost_nano_usd) = (Some(9), Some("late".to_owned()), Some(90));
    }
    ended
}

/// Values of the columns asked for, counts, figures and durations.
type Line = (Vec<Option<String>>, [Option<i64>; 5], [Option<i64>; 7], [Option<i64>; 2]);

fn line(group: &UsageGroup, by: &[GroupBy]) -> Line {
    let text = |by: &GroupBy| match by {
        GroupBy::Provider => group.provider.clone(),
        GroupBy::Model => group.model.clone(),
        GroupBy::Integration => group.integration_id.map(|id| id.to_string()),
        GroupBy::Project => group.project_id.map(|id| id.to_string()),
        GroupBy::Day => group.day.clone(),
        GroupBy::Hour => group.hour.map(|hour| hour.to_string()),
        GroupBy::VirtualKey => group.virtual_key_id.map(|id| id.to_string()),
        GroupBy::Credential => group.credential.map(|it| it.name().to_owned()),
    };
    let counts = [
        group.requests,
        group.failed_requests,
        group.unknown_token_requests,
        group.unpriced_requests,
        group.refused_requests,
    ];
    let durations = [group.duration_p50_ms, group.duration_p99_ms];
    (by.iter().map(text).collect(), counts, figures(&group.tokens, group.cost_nano_usd), durations)
}

fn figures(tokens: &TokenCounts, cost_nano_usd: Option<i64>) -> [Option<i64>; 7] {
    let TokenCounts { input, cached_input, cache_write, cache_write_1h, output, reasoning, .. } = *tokens;
    [input, cached_input, cache_write, cache_write_1h, output, reasoning, cost_nano_usd]
}

/// A line under construction, and how many calls took how long.
type Scanned = (Line, BTreeMap<i64, i64>);

/// Sums calls one by one.
fn scan(rows: &[MeteredRow], query: &ReportQuery) -> Vec<Line> {
    let mut lines: BTreeMap<Vec<Option<String>>, Scanned> = BTreeMap::new();
    for MeteredRow { call, cost_nano_usd, .. } in rows.iter().filter(|row| is_asked_for(&row.call, query)) {
        let is_refused = call.refused_code.is_some();
        let text = |by: &GroupBy| match by {
            GroupBy::Provider => Some(call.provider.clone()),
            GroupBy::Model => call.model.clone().filter(|_| !is_refused),
            GroupBy::Integration => call.served_by.integration().map(|id| id.to_string()),
            GroupBy::Project => Some(call.project_id.to_string()),
            GroupBy::Day => Some(call.started_at.day()),
            GroupBy::Hour => Some(Timestamp::from_ms(call.started_at.ms() / HOUR_MS * HOUR_MS).to_string()),
            GroupBy::VirtualKey => Some(call.virtual_key_id.to_string()),
            GroupBy::Credential if call.served_by.integration().is_some() => Some("own".to_owned()),
            GroupBy::Credential => (!is_refused).then(|| "fallback".to_owned()),
        };
        let key: Vec<_> = query.group_by.iter().map(text).collect();
        let empty = || ((key.clone(), [Some(0); 5], [None; 7], [None; 2]), BTreeMap::new());
        let ((_, counts, sums, _), buckets) = lines.entry(key.clone()).or_insert_with(empty);
        let has_failed = call.http_status.is_none_or(|status| status >= 400);
        let is_unknown = call.tokens.input.is_none() || call.tokens.output.is_none();
        let is_of = [!is_refused, has_failed, is_unknown, cost_nano_usd.is_none(), is_refused];
        for (at, (count, is_of)) in counts.iter_mut().zip(is_of).enumerate() {
            *count = count.map(|count| count + i64::from(is_of && (!is_refused || at == 4)));
        }
        if !is_refused {
            for (sum, figure) in sums.iter_mut().zip(figures(&call.tokens, *cost_nano_usd)) {
                *sum = figure.map_or(*sum, |figure| Some(sum.unwrap_or(0) + figure));
            }
            if !call.settled {
                *buckets.entry(durations::bucket(call.duration_ms)).or_default() += 1;
            }
        }
    }
    let tells_durations = |by: &GroupBy| matches!(by, GroupBy::Day | GroupBy::Project | GroupBy::Provider);
    let tells_durations = query.group_by.iter().all(tells_durations)
        && query.only.integration_id.is_none()
        && query.only.virtual_key_id.is_none();
    let whole = |(mut line, buckets): Scanned| {
        if tells_durations {
            let buckets: Vec<_> = buckets.into_iter().collect();
            line.3 = [500, 990].map(|per_mille| durations::quantile(&buckets, per_mille));
        }
        line
    };
    lines.into_values().map(whole).collect()
}

fn is_asked_for(call: &MeteredCall, query: &ReportQuery) -> bool {
    let Only { provider, project_id, within, integration_id, virtual_key_id } = &query.only;
    provider.as_ref().is_none_or(|it| *it == call.provider)
        && project_id.is_none_or(|it| it == call.project_id)
        && within.as_ref().is_none_or(|them| them.contains(&call.project_id))
        && integration_id.is_none_or(|it| call.served_by.integration() == Some(it))
        && virtual_key_id.is_none_or(|it| it == call.virtual_key_id)
        && (query.from..query.to).contains(&call.started_at)
}

/// Reads every call that is kept.
async fn kept(fixture: &Fixture) -> Result<Vec<MeteredRow>> {
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let (mut rows, mut page) = (Vec::new(), Page::first(Page::<()>::MAX));
    loop {
        let found = request_log::list(&tx, &Filter::default(), page).await?;
        rows.extend(found.items);
        match found.next {
            Some(next) => page.after = Some(next),
            None => return Ok(rows),
        }
    }
}

/// Compares reports of every grouping with a scan, each over another time and of something else.
async fn compare(fixture: &Fixture, calls: &mut Calls) -> Result<()> {
    let rows = kept(fixture).await?;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    for subset in 0..1_u32 << BY.len() {
        let group_by: Vec<_> =
            BY.into_iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1).map(|it| it.1).collect();
        let step = if group_by.contains(&GroupBy::Hour) { HOUR_MS } else { DAY_MS };
        let rng = &mut calls.rng;
        let from = Timestamp::from_ms(calls.from.ms() + rng.i64(0..DAY_MS) / step * step);
        let to = Timestamp::from_ms(calls.from.ms() + DAYS * DAY_MS - rng.i64(0..2 * DAY_MS) / step * step);
        let mut only = Only::default();
        match rng.usize(..8) {
            0 => only.provider = Some("mistral".to_owned()),
            1 => only.project_id = Some(calls.projects[1]),
            2 => only.within = Some(calls.projects[..rng.usize(..=2)].to_vec()),
            3 => only.integration_id = Some(calls.integrations[0]),
            4 => only.virtual_key_id = Some(calls.keys[0]),
            _ => {}
        }
        let mut query =
            ReportQuery { from, to, group_by, ledger: Ledger::Metered, only, after: None, groups: MAX_GROUPS };
        let whole = usage_report::report(&tx, &query).await?.items;
        let mut lines: Vec<_> = whole.iter().map(|group| line(group, &query.group_by)).collect();
        lines.sort_unstable();
        assert_eq!(lines, scan(&rows, &query), "{query:?}");

        query.groups = 1 + whole.len() as u64 / 3;
        let mut paged = Vec::new();
        loop {
            let found = usage_report::report(&tx, &query).await?;
            query.after = found.items.last().map(|group| query.key_of(group));
            paged.extend(found.items);
            if !found.more {
                break;
            }
        }
        assert_eq!(paged, whole, "pages of {query:?}");
    }
    Ok(())
}

async fn reports_equal_a_scan_however_calls_were_delivered(fixture: Fixture) -> Result<()> {
    let mut calls = Calls::new(&fixture, 7);
    let rows = calls.many(240);
    for (at, batch) in rows.chunks(40).enumerate() {
        // A writer that is killed before its commit, and two that have the same calls.
        let tx = fixture.store.system().await?;
        usage::append_metered(&tx, fixture.tenant, batch.to_vec()).await?;
        drop(tx);
        let both = [&rows[..at * 40 + 10], batch].concat();
        let (one, other) = tokio::join!(append(&fixture, batch), append(&fixture, &both));
        ensure!(one? + other? == 40, "each counts once");
    }
    assert!(append(&fixture, &completed(&rows)).await? > 0);
    assert_eq!(append(&fixture, &completed(&rows)).await? + append(&fixture, &rows).await?, 0);
    compare(&fixture, &mut calls).await
}

/// Leaves the tables as a build without rollups would have.
async fn forget(fixture: &Fixture) -> Result<()> {
    let tx = fixture.store.system().await?;
    for statement in
        ["DELETE FROM usage_rollups", "DELETE FROM call_durations", "UPDATE metered_calls SET rolled_up = false"]
    {
        raw::execute(&tx, statement).await?;
    }
    Ok(tx.commit().await?)
}

async fn what_an_earlier_build_appended_is_rolled_up_once(fixture: Fixture) -> Result<()> {
    let mut calls = Calls::new(&fixture, 11);
    let earlier = calls.many(100);
    append(&fixture, &earlier).await?;
    forget(&fixture).await?;
    append(&fixture, &calls.many(60)).await?;
    let ended = completed(&earlier);
    assert_eq!(append(&fixture, &ended[..ended.len() / 2]).await?, ended.len() / 2);
    let mut left = 100 - ended.len() as u64 / 2;
    while left > 0 {
        // What was dropped is rolled back a moment later; until then its calls are somebody's, and passed over.
        let tx = fixture.store.system().await?;
        usage::roll_up_left(&tx, 30).await?;
        drop(tx);
        let tx = fixture.store.system().await?;
        let rolled_up = usage::roll_up_left(&tx, 30).await?;
        tx.commit().await?;
        left = left.checked_sub(rolled_up).context("more than were left")?;
    }
    assert_eq!(usage::roll_up_left(&fixture.store.system().await?, 30).await?, 0);
    append(&fixture, &ended).await?;
    compare(&fixture, &mut calls).await
}

async fn an_upgrade_rolls_up_what_is_there(fixture: Fixture) -> Result<()> {
    let mut calls = Calls::new(&fixture, 13);
    append(&fixture, &calls.many(200)).await?;
    let owner = Database::connect(fixture.url()).await?;
    for statement in TAKE_BACK {
        owner.execute_unprepared(statement).await?;
    }
    owner.close().await?;
    assert_eq!(keyway_migrations::migrate(fixture.url()).await?, 1);
    compare(&fixture, &mut calls).await?;
    append(&fixture, &calls.many(50)).await?;
    let tx = fixture.store.system().await?;
    assert_eq!(usage::roll_up_left(&tx, 10).await?, 0);
    drop(tx);
    compare(&fixture, &mut calls).await
}

async fn days_stay_when_calls_and_hours_are_deleted(fixture: Fixture) -> Result<()> {
    let mut calls = Calls::new(&fixture, 17);
    append(&fixture, &calls.many(50)).await?;
    let query = |group_by| ReportQuery {
        from: calls.from,
        to: Timestamp::from_ms(calls.from.ms() + DAYS * DAY_MS),
        group_by,
        ledger: Ledger::Metered,
        only: Only::default(),
        after: None,
        groups: MAX_GROUPS,
    };
    let report = async |group_by| -> Result<Vec<UsageGroup>> {
        let tx = fixture.store.tenant_read(fixture.tenant).await?;
        Ok(usage_report::report(&tx, &query(group_by)).await?.items)
    };
    let before = report(vec![GroupBy::Day]).await?;
    let second = Timestamp::from_ms(calls.from.ms() + DAY_MS);
    let tx = fixture.store.system().await?;
    while retention::delete_usage_hours(&tx, second, 7).await? > 0 {}
    while retention::delete_metered_calls(&tx, second, 7).await? > 0 {}
    tx.commit().await?;
    assert_eq!(report(vec![GroupBy::Day]).await?, before);
    let hours = report(vec![GroupBy::Hour]).await?;
    ensure!(!hours.is_empty() && hours.iter().all(|group| group.hour >= Some(second)), "{hours:?}");
    Ok(())
}
