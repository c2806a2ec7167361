//! Pages, filters and ETags.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, on_both, send};

on_both! { pages_follow_each_other_without_gap_or_repeat filters_choose a_change_can_ask_for_a_version }

async fn pages_follow_each_other_without_gap_or_repeat(api: Api) -> Result<()> {
    for number in 0..7 {
        api.post("/api/v1/projects", json!({ "name": format!("p{number}") })).await?.expect(201)?;
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/api/v1/projects?limit=3{cursor}")).await?.expect(200)?;
        let items = page.at("/items").as_array().cloned().unwrap_or_default();
        ensure!(items.len() <= 3);
        names.extend(items.iter().filter_map(|item| Some(item["name"].as_str()?.to_owned())));
        match page.at("/next_cursor") {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    ensure!(names == ["p6", "p5", "p4", "p3", "p2", "p1", "p0", "default"], "{names:?}");
    Ok(())
}

async fn filters_choose(api: Api) -> Result<()> {
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?.text_at("/id").to_owned();
    let first = api.submit("a", KEY).await?;
    let body =
        json!({ "project_id": project, "provider": "openai", "name": "b", "credentials": KEY.replace("wxyz", "0001") });
    let second = api.post("/api/v1/integrations", body).await?.expect(202)?.text_at("/integration/id").to_owned();
    api.patch(&format!("/api/v1/integrations/{second}"), json!({ "enabled": false })).await?.expect(200)?;
    api.post("/api/v1/usage/fetch", json!({ "integration_id": first })).await?.expect(202)?;
    for (query, expected) in [
        ("integrations?status=verifying".to_owned(), vec![&first]),
        ("integrations?status=disabled".to_owned(), vec![&second]),
        (format!("integrations?project_id={project}"), vec![&second]),
        ("integrations?provider=openai".to_owned(), vec![&second, &first]),
        ("integrations?provider=acme".to_owned(), vec![]),
    ] {
        let reply = api.get(&format!("/api/v1/{query}")).await?.expect(200)?;
        let ids: Vec<_> = reply.at("/items").as_array().into_iter().flatten().map(|item| item["id"].as_str()).collect();
        ensure!(ids == expected.iter().map(|id| Some(id.as_str())).collect::<Vec<_>>(), "{query}: {}", reply.text);
    }
    for (query, count) in [
        ("operations".to_owned(), 4),
        ("operations?kind=revoke".to_owned(), 1),
        ("operations?kind=fetch_usage".to_owned(), 1),
        (format!("operations?integration_id={first}"), 2),
        ("operations?state=running".to_owned(), 0),
        (format!("operations?parent_id={}", keyway_domain::OperationId::new()), 0),
    ] {
        let reply = api.get(&format!("/api/v1/{query}")).await?.expect(200)?;
        ensure!(reply.at("/items").as_array().map(Vec::len) == Some(count), "{query}: {}", reply.text);
    }
    Ok(())
}

async fn a_change_can_ask_for_a_version(api: Api) -> Result<()> {
    let integration = api.submit("prod", KEY).await?;
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?.text_at("/id").to_owned();
    let key = api.post("/api/v1/virtual-keys", json!({ "name": "app" })).await?.expect(201)?.text_at("/id").to_owned();
    for path in [format!("integrations/{integration}"), format!("projects/{project}"), format!("virtual-keys/{key}")] {
        let path = format!("/api/v1/{path}");
        let etag = api.get(&path).await?.expect(200)?.header("etag").to_owned();
        let with = |method: Method, etag: &str| {
            api.request(method, &path).header("if-match", etag).json(&json!({ "name": "renamed" }))
        };
        let changed = send(with(Method::PATCH, &etag)).await?.expect(200)?;
        ensure!(changed.header("etag") != etag && !changed.header("etag").is_empty(), "{path}");
        for stale in [etag.as_str(), "\"x\"", "W/\"1\""] {
            send(with(Method::PATCH, stale)).await?.expect_error(412, "precondition_failed")?;
            send(with(Method::DELETE, stale)).await?.expect_error(412, "precondition_failed")?;
        }
        send(with(Method::PATCH, "*")).await?.expect(200)?;
        let now = api.get(&path).await?.header("etag").to_owned();
        send(with(Method::DELETE, &now)).await?.expect(204)?;
    }
    Ok(())
}
