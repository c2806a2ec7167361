//! The consent to the operator's key: given, shown with what it cost, withdrawn, audited; and the calls it served.

use anyhow::{Result, ensure};
use keyway_domain::{CredentialSource, MeteredCall, RequestId, ServedBy, Timestamp};
use keyway_store::usage::{self, MeteredRow};
use serde_json::{Value, json};

use crate::{
    fixture::{Api, on_both},
    requests::call,
};

on_both! {
    consent_is_given_shown_and_withdrawn
    a_consent_that_cannot_be_one_is_refused_by_its_name
    calls_with_the_operators_key_belong_to_no_integration
}

const PROJECTS: &str = "/api/v1/projects";
const CEILING: &str = "/fallback/monthly_budget_nano_usd";

async fn consent_is_given_shown_and_withdrawn(api: Api) -> Result<()> {
    let plain = api.post(PROJECTS, json!({ "name": "plain" })).await?.expect(201)?;
    ensure!(plain.at("/fallback").is_null(), "nobody consents by saying nothing: {}", plain.text);
    let given = json!({ "name": "shop", "fallback": { "monthly_budget_nano_usd": 5 } });
    let made = api.post(PROJECTS, given).await?.expect(201)?;
    ensure!(made.at(CEILING) == &json!(5), "{}", made.text);
    let own = format!("{PROJECTS}/{}", made.text_at("/id"));
    let raised = api.patch(&own, json!({ "fallback": { "monthly_budget_nano_usd": 7 } })).await?.expect(200)?;
    ensure!((raised.at(CEILING), raised.at("/version")) == (&json!(7), &json!(2)), "{}", raised.text);
    let renamed = api.patch(&own, json!({ "name": "store", "limits": {} })).await?.expect(200)?;
    ensure!(renamed.at(CEILING) == &json!(7), "what is left out stays: {}", renamed.text);
    let shown = api.get(&own).await?.expect(200)?;
    let unused = json!({ "requests": 0, "unpriced_requests": 0, "cost_nano_usd": 0 });
    ensure!(shown.at("/fallback/this_month") == &unused, "{}", shown.text);
    let caches = "SELECT count(*) AS n FROM outbox WHERE route = 'invalidate'";
    let before = api.number(caches).await?;
    let withdrawn = api.patch(&own, json!({ "fallback": null })).await?.expect(200)?;
    ensure!(withdrawn.at("/fallback").is_null() && api.number(caches).await? == before + 1, "{}", withdrawn.text);
    ensure!(api.get(&own).await?.at("/fallback").is_null());
    let audited = "SELECT count(*) AS n FROM outbox WHERE route = 'audit'";
    ensure!(api.number(audited).await? == 5, "each change is audited once");
    Ok(())
}

async fn a_consent_that_cannot_be_one_is_refused_by_its_name(api: Api) -> Result<()> {
    let before = api.rows().await?;
    for (fallback, code, name) in [
        (json!({ "monthly_budget_nano_usd": -1 }), "invalid_field", "fallback.monthly_budget_nano_usd"),
        (json!({ "monthly_budget_nano_usd": 1_u64 << 53 }), "invalid_field", "fallback.monthly_budget_nano_usd"),
        (json!({}), "invalid_field", "monthly_budget_nano_usd"),
        (json!({ "monthly_budget_nano_usd": 1, "key": "sk" }), "unknown_field", "key"),
    ] {
        let refused =
            api.post(PROJECTS, json!({ "name": "x", "fallback": fallback })).await?.expect_error(422, code)?;
        ensure!(refused.text_at("/error/message").contains(name), "{}", refused.text);
    }
    ensure!(api.rows().await? == before, "something was written");
    Ok(())
}

async fn calls_with_the_operators_key_belong_to_no_integration(api: Api) -> Result<()> {
    let given = json!({ "name": "shop", "fallback": { "monthly_budget_nano_usd": 5 } });
    let made = api.post(PROJECTS, given).await?.expect(201)?;
    let project_id = made.text_at("/id").parse()?;
    let own = MeteredCall { project_id, started_at: Timestamp::now(), ..call(0) };
    let (credential, served_by) = (CredentialSource::Fallback, ServedBy::NoIntegration);
    let helped = || MeteredCall { request_id: RequestId::new(), credential, served_by, ..own.clone() };
    let rows = [(own.clone(), Some(100)), (helped(), Some(30)), (helped(), None)];
    let rows = rows.map(|(call, cost_nano_usd)| MeteredRow { call, cost_nano_usd, price_version: None });
    let tx = api.store.system().await?;
    usage::append_metered(&tx, api.tenant, rows.to_vec()).await?;
    tx.commit().await?;

    let listed = api.get("/api/v1/requests?credential=fallback").await?.expect(200)?;
    let items = listed.at("/items").as_array().cloned().unwrap_or_default();
    ensure!(items.len() == 2, "{}", listed.text);
    for item in items {
        ensure!(item["credential"] == "fallback" && item["integration_id"] == Value::Null, "{item}");
    }
    let listed = api.get("/api/v1/requests?credential=own").await?.expect(200)?;
    ensure!(listed.text_at("/items/0/id") == own.request_id.to_string(), "{}", listed.text);
    api.get("/api/v1/requests?credential=stolen").await?.expect_error(400, "invalid_parameter")?;

    let shown = api.get(&format!("{PROJECTS}/{project_id}")).await?.expect(200)?;
    let used = json!({ "requests": 2, "unpriced_requests": 1, "cost_nano_usd": 30 });
    ensure!(shown.at("/fallback/this_month") == &used, "{}", shown.text);
    let usage = api.get("/api/v1/usage?ledger=metered&group_by=integration").await?.expect(200)?;
    let groups = usage.at("/items").as_array().cloned().unwrap_or_default();
    let nobodys: Vec<_> = groups.iter().filter(|group| group["integration_id"].is_null()).collect();
    ensure!(nobodys.len() == 1 && groups.len() == 2, "{}", usage.text);
    ensure!(nobodys[0]["requests"] == 2 && nobodys[0]["cost_nano_usd"] == 30, "{}", usage.text);
    Ok(())
}
