//! The request log: each proxied call as a line, found by what a team asks for, page by page.

use anyhow::{Result, ensure};
use keyway_domain::{IntegrationId, MeteredCall, ProjectId, RequestId, ServedBy, Timestamp, TokenCounts, VirtualKeyId};
use keyway_store::usage::{self, MeteredRow};
use serde_json::{Value, json};

use crate::fixture::{Api, on_both};

on_both! {
    calls_are_listed_filtered_and_shown
    a_refused_call_is_shown_and_counted_apart
}

const LIST: &str = "/api/v1/requests";

pub(crate) fn call(ago_ms: i64) -> MeteredCall {
    let by = (ProjectId::new(), VirtualKeyId::new());
    let (path, begun) = ("/v1/chat/completions", Timestamp::from_ms(1_793_491_200_000 - ago_ms));
    MeteredCall {
        model: Some("gpt-4o-mini".to_owned()),
        http_status: Some(200),
        tokens: TokenCounts { input: Some(12), output: Some(3), ..TokenCounts::default() },
        duration_ms: 250,
        first_byte_ms: Some(80),
        streamed: true,
        complete: true,
        overhead_us: Some(21),
        attempts: 2,
        ..MeteredCall::begun(RequestId::new(), by, ServedBy::Integration(IntegrationId::new()), "openai", path, begun)
    }
}

/// A call that was refused before a provider was chosen.
fn refusal() -> MeteredCall {
    let call = MeteredCall { provider: String::new(), model: None, served_by: ServedBy::NoIntegration, ..call(4000) };
    MeteredCall { tokens: TokenCounts::default(), http_status: None, ..call }.refused_with("sealed")
}

pub(crate) async fn append(api: &Api, calls: &[&MeteredCall]) -> Result<()> {
    append_at(api, calls, Some(9_000)).await
}

/// Appends calls that cost so much each.
pub(crate) async fn append_at(api: &Api, calls: &[&MeteredCall], cost_nano_usd: Option<i64>) -> Result<()> {
    let price_version = cost_nano_usd.map(|_| "2026-11".to_owned());
    let row = |call: &&MeteredCall| {
        let (call, price_version) = ((*call).clone(), price_version.clone());
        MeteredRow { call, cost_nano_usd, price_version }
    };
    let tx = api.store.system().await?;
    usage::append_metered(&tx, api.tenant, calls.iter().map(row).collect()).await?;
    Ok(tx.commit().await?)
}

async fn calls_are_listed_filtered_and_shown(api: Api) -> Result<()> {
    let served = call(0);
    let limited = MeteredCall { http_status: Some(429), ..call(1000) };
    let left = MeteredCall { complete: false, ..call(2000) };
    let lost = MeteredCall { complete: false, settled: true, http_status: None, first_byte_ms: None, ..call(3000) };
    let refused = refusal();
    let calls = [&served, &limited, &left, &lost, &refused];
    append(&api, &calls).await?;
    for (query, expected) in [
        (String::new(), &calls[..]),
        (format!("?project_id={}", limited.project_id), &[&limited]),
        (format!("?virtual_key_id={}", left.virtual_key_id), &[&left]),
        (
            format!("?integration_id={}&provider=openai&model=gpt-4o-mini", IntegrationId::from(lost.served_by)),
            &[&lost],
        ),
        ("?http_status=429".to_owned(), &[&limited]),
        ("?http_status=2xx".to_owned(), &[&served, &left]),
        ("?outcome=completed".to_owned(), &[&served, &limited]),
        ("?outcome=broken_off".to_owned(), &[&left]),
        ("?outcome=settled".to_owned(), &[&lost]),
        ("?outcome=refused".to_owned(), &[&refused]),
        ("?refused_code=sealed".to_owned(), &[&refused]),
        ("?refused_code=rate_limited".to_owned(), &[]),
        (format!("?from={}&to={}", left.started_at, served.started_at), &[&limited, &left]),
        ("?model=another".to_owned(), &[]),
    ] {
        let reply = api.get(&format!("{LIST}{query}")).await?.expect(200)?;
        let found: Vec<_> = reply.at("/items").as_array().into_iter().flatten().map(|it| it["id"].clone()).collect();
        ensure!(found == expected.iter().map(|call| json!(call.request_id)).collect::<Vec<_>>(), "{query}: {found:?}");
    }
    let first = api.get(&format!("{LIST}?limit=3")).await?.expect(200)?;
    let rest = api.get(&format!("{LIST}?limit=3&cursor={}", first.text_at("/next_cursor"))).await?.expect(200)?;
    ensure!(rest.at("/items/0/id") == &json!(lost.request_id) && rest.at("/next_cursor").is_null(), "{}", rest.text);
    for bad in ["http_status=6xx", "outcome=lost", "cursor=c1x", "limit=0", "body=1"] {
        api.get(&format!("{LIST}?{bad}")).await?.expect_error(400, "invalid_parameter")?;
    }

    let shown = api.get(&format!("{LIST}/{}", served.request_id)).await?.expect(200)?;
    for (field, expected) in [
        ("virtual_key_id", json!(served.virtual_key_id)),
        ("http_status", json!(200)),
        ("input_tokens", json!(12)),
        ("cached_input_tokens", Value::Null),
        ("cost_nano_usd", json!(9_000)),
        ("price_version", json!("2026-11")),
        ("first_byte_ms", json!(80)),
        ("duration_ms", json!(250)),
        ("overhead_us", json!(21)),
        ("attempts", json!(2)),
        ("outcome", json!("completed")),
        ("started_at", json!(served.started_at)),
    ] {
        ensure!(shown.at(&format!("/{field}")) == &expected, "{field}: {}", shown.text);
    }
    let unknown = api.get(&format!("{LIST}/{}", lost.request_id)).await?.expect(200)?;
    ensure!(unknown.at("/duration_ms").is_null() && unknown.at("/http_status").is_null(), "{}", unknown.text);
    api.get(&format!("{LIST}/{}", RequestId::new())).await?.expect_error(404, "not_found")?;
    Ok(())
}

async fn a_refused_call_is_shown_and_counted_apart(api: Api) -> Result<()> {
    let (served, refused) = (call(0), refusal());
    append(&api, &[&served, &refused]).await?;
    let refused = api.get(&format!("{LIST}/{}", refused.request_id)).await?.expect(200)?;
    for (field, expected) in [
        ("provider", Value::Null),
        ("model", Value::Null),
        ("integration_id", Value::Null),
        ("outcome", json!("refused")),
        ("refused_code", json!("sealed")),
        ("cost_nano_usd", json!(0)),
        ("price_version", json!("refused")),
        ("attempts", json!(0)),
    ] {
        ensure!(refused.at(&format!("/{field}")) == &expected, "{field}: {}", refused.text);
    }
    let usage = "/api/v1/usage?from=2026-10-30&to=2026-11-02&group_by=credential";
    let usage = api.get(usage).await?.expect(200)?;
    let figures =
        |at: usize| ["credential", "requests", "refused_requests"].map(|it| usage.at(&format!("/items/{at}/{it}")));
    let mut groups = [figures(0), figures(1)];
    groups.sort_by_key(|it| it[0].is_null());
    ensure!(groups == [[&json!("own"), &json!(1), &json!(0)], [&Value::Null, &json!(0), &json!(1)]], "{}", usage.text);
    Ok(())
}
