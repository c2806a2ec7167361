//! A key that is to replace one that works: kept beside it until it is verified, and the API's views meanwhile.

use anyhow::{Result, ensure};
use keyway_store::raw;
use serde_json::json;

use crate::fixture::{Api, KEY, on_both};

on_both! {
    a_key_that_works_goes_on_serving_until_the_new_one_is_verified
    a_key_that_does_not_work_is_replaced_at_once
    a_test_shows_and_ends_with_its_operation
}

async fn set(api: &Api, assignment: &str) -> Result<()> {
    let tx = api.store.system().await?;
    ensure!(raw::execute(&tx, &format!("UPDATE integrations SET {assignment}")).await? == 1);
    Ok(tx.commit().await?)
}

const WORKS: &str = "status = 'connected', verdict_kind = 'valid', verdict_reason = '', checked_at_ms = 1";

async fn a_key_that_works_goes_on_serving_until_the_new_one_is_verified(api: Api) -> Result<()> {
    let id = api.submit("prod", KEY).await?;
    set(&api, WORKS).await?;
    let path = format!("/api/v1/integrations/{id}");
    let put = format!("{path}/credentials");
    let new = |end: &str| json!({ "credentials": KEY.replace("wxyz", end) });
    let first = api.put(&put, new("0001")).await?.expect(202)?;
    ensure!(first.text_at("/integration/status") == "connected", "{}", first.text);
    ensure!(first.text_at("/integration/hint").ends_with("wxyz"), "{}", first.text);
    ensure!(first.text_at("/replacement/state") == "verifying" && first.json["replacement"]["secret_version"] == 2);
    ensure!(first.text_at("/replacement/operation_id") == first.text_at("/operation/id"), "{}", first.text);
    let second = api.put(&put, new("0002")).await?.expect(202)?;
    ensure!(second.json["replacement"]["secret_version"] == 3, "{}", second.text);
    let shown = api.get(&path).await?.expect(200)?;
    ensure!(shown.text_at("/replacement/hint").ends_with("0002"), "{}", shown.text);
    ensure!(shown.text_at("/status") == "connected" && shown.text_at("/hint").ends_with("wxyz"), "{}", shown.text);
    ensure!(api.number("SELECT count(*) AS n FROM replacements WHERE length(envelope) > 40").await? == 1);
    // The key of a provider is replaced in the same way, and says so.
    let by_provider = json!({ "api_key": KEY.replace("wxyz", "0005") });
    let third = api.put("/api/v1/providers/openai", by_provider).await?.expect(202)?;
    ensure!(third.text_at("/replacement/hint").ends_with("0005"), "{}", third.text);
    ensure!(third.text_at("/integration/hint").ends_with("wxyz"), "{}", third.text);
    // Called off, it is taken back.
    let cancel = format!("/api/v1/operations/{}/cancel", third.text_at("/operation/id"));
    api.post(&cancel, json!({})).await?.expect(200)?;
    ensure!(api.get(&path).await?.expect(200)?.json["replacement"].is_null());
    // Unchecked and at once, if that is what its owner wants; under a version that nobody had.
    let waiting = api.put(&put, new("0003")).await?.expect(202)?;
    let forced = api.put(&format!("{put}?force=true"), new("0004")).await?.expect(202)?;
    ensure!(forced.text_at("/integration/status") == "verifying", "{}", forced.text);
    ensure!(forced.text_at("/integration/hint").ends_with("0004") && forced.json["replacement"].is_null());
    ensure!(api.get(&path).await?.expect(200)?.json["replacement"].is_null());
    let version = waiting.json["replacement"]["secret_version"].as_i64().unwrap_or_default() + 1;
    ensure!(api.number("SELECT CAST(version AS BIGINT) AS n FROM secrets").await? == version, "{}", waiting.text);
    Ok(())
}

async fn a_key_that_does_not_work_is_replaced_at_once(api: Api) -> Result<()> {
    let id = api.submit("prod", KEY).await?;
    let put = format!("/api/v1/integrations/{id}/credentials");
    for (number, standing) in ["status = 'verifying'", "status = 'error', verdict_kind = 'invalid', checked_at_ms = 1"]
        .into_iter()
        .enumerate()
    {
        set(&api, standing).await?;
        let new = json!({ "credentials": KEY.replace("wxyz", &format!("000{number}")) });
        let replaced = api.put(&put, new).await?.expect(202)?;
        ensure!(replaced.text_at("/integration/hint").ends_with(&format!("000{number}")), "{}", replaced.text);
        ensure!(replaced.text_at("/integration/status") == "verifying", "{}", replaced.text);
    }
    Ok(())
}

async fn a_test_shows_and_ends_with_its_operation(api: Api) -> Result<()> {
    let id = api.submit("prod", KEY).await?;
    let path = format!("/api/v1/integrations/{id}");
    // Of the verification that its submission started, only a test is left.
    let tx = api.store.system().await?;
    raw::execute(&tx, "UPDATE operations SET state = 'succeeded'").await?;
    tx.commit().await?;
    for (standing, status) in [(WORKS, "connected"), ("status = 'error', verdict_kind = 'invalid'", "error")] {
        set(&api, standing).await?;
        let started = api.post(&format!("{path}/test"), json!({})).await?.expect(202)?;
        ensure!(api.get(&path).await?.expect(200)?.text_at("/status") == "verifying");
        let cancel = format!("/api/v1/operations/{}/cancel", started.text_at("/operation/id"));
        api.post(&cancel, json!({})).await?.expect(200)?;
        let after = api.get(&path).await?.expect(200)?;
        ensure!(after.text_at("/status") == status, "{}", after.text);
    }
    Ok(())
}
