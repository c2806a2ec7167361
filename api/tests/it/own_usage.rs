//! An application's own usage, by its virtual key: of that key alone.

use anyhow::{Result, ensure};
use keyway_domain::MeteredCall;
use keyway_vault::token::VirtualKeyToken;
use reqwest::Method;
use serde_json::json;

use crate::{
    fixture::{Api, on_both, send},
    members::with,
    requests,
};

on_both! { a_virtual_key_reads_its_own_usage_and_no_other }

const PATH: &str = "/api/v1/me/usage";
const DAYS: &str = "from=2026-10-30&to=2026-11-02";

async fn a_virtual_key_reads_its_own_usage_and_no_other(api: Api) -> Result<()> {
    let mut keys = Vec::new();
    for name in ["one", "two", "three"] {
        let made = api.post("/api/v1/virtual-keys", json!({ "name": name })).await?.expect(201)?;
        keys.push((made.text_at("/id").to_owned(), made.text_at("/key").to_owned()));
    }
    let of =
        |at: usize| Ok::<_, anyhow::Error>(MeteredCall { virtual_key_id: keys[at].0.parse()?, ..requests::call(0) });
    let again = MeteredCall { request_id: keyway_domain::RequestId::new(), ..of(0)? };
    requests::append(&api, &[&of(0)?, &again, &of(1)?]).await?;
    let ask = |key: &str, query: &str| send(with(&api, key, Method::GET, &format!("{PATH}?{query}")));
    for (at, requests) in [(0, json!(2)), (1, json!(1))] {
        let usage = ask(&keys[at].1, &format!("{DAYS}&group_by=day,model,provider")).await?.expect(200)?;
        ensure!(usage.at("/items").as_array().map(Vec::len) == Some(1), "{}", usage.text);
        let item = usage.at("/items/0").clone();
        ensure!(item["requests"] == requests && item["ledger"] == "metered", "{item}");
        ensure!(item["model"].is_string() && item["day"].is_string() && item.get("integration_id").is_none(), "{item}");
    }
    let none = ask(&keys[2].1, DAYS).await?.expect(200)?;
    ensure!(none.at("/items") == &json!([]), "{}", none.text);
    let elsewhere = send(api.anonymous(Method::GET, &format!("{PATH}?{DAYS}")).header("x-api-key", &keys[0].1)).await?;
    ensure!(elsewhere.expect(200)?.at("/items/0/requests") == 2);
    for bad in [
        "group_by=integration",
        "group_by=virtual_key",
        "from=never",
        "from=2026-11-02&to=2026-11-01",
        "ledger=reported",
    ] {
        ask(&keys[0].1, bad).await?.expect_error(400, "invalid_parameter")?;
    }

    let refused = api.get(PATH).await?.expect_error(403, "not_allowed")?;
    ensure!(refused.text_at("/error/message").contains("virtual key"), "{}", refused.text);
    let unknown = VirtualKeyToken::generate().map(|key| key.plain().to_owned()).unwrap_or_default();
    for wrong in [unknown.as_str(), "kw_live_x", "x"] {
        ask(wrong, DAYS).await?.expect_error(401, "unauthenticated")?;
    }
    api.execute("UPDATE virtual_keys SET expires_at_ms = 1 WHERE name = 'two'").await?;
    let expired = ask(&keys[1].1, DAYS).await?.expect_error(401, "unauthenticated")?;
    ensure!(expired.text_at("/error/message").contains("expired"), "{}", expired.text);
    api.delete(&format!("/api/v1/virtual-keys/{}", keys[0].0)).await?.expect(204)?;
    let revoked = ask(&keys[0].1, DAYS).await?.expect_error(401, "unauthenticated")?;
    ensure!(revoked.text_at("/error/message").contains("revoked"), "{}", revoked.text);
    Ok(())
}
