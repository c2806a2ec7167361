//! Pages, filters and ETags.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, on_both, send};

on_both! {
    pages_follow_each_other_without_gap_or_repeat
    filters_choose
    a_change_can_ask_for_a_version
    lists_are_sorted_and_searched_page_by_page
    projects_and_keys_are_sorted_and_searched
    a_filter_that_names_nothing_says_so
    what_a_reader_has_is_not_sent_again
}

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
        ("integrations?provider=groq".to_owned(), vec![]),
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

/// Returns the names of a list's items, page by page.
async fn paged(api: &Api, path: &str) -> Result<Vec<String>> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/api/v1/{path}{cursor}")).await?.expect(200)?;
        let items = page.at("/items").as_array().cloned().unwrap_or_default();
        names.extend(items.iter().filter_map(|item| Some(item["name"].as_str()?.to_owned())));
        match page.at("/next_cursor") {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return Ok(names),
        }
    }
}

async fn lists_are_sorted_and_searched_page_by_page(api: Api) -> Result<()> {
    // Names that differ by case, that are equal but for it, and that hold what a pattern might take for its own.
    let names = ["beta", "Alpha", "100%_b\\c", "alpha 2", "BETA", "zeta é"];
    for (at, name) in names.iter().enumerate() {
        let (provider, key) = if at % 2 == 0 { ("openai", "sk-proj") } else { ("mistral", "mistral") };
        let body =
            json!({ "provider": provider, "name": name, "credentials": format!("{key}-AAAAAAAAAAAAAAAA{at:04}") });
        api.post("/api/v1/integrations", body).await?.expect(202)?;
    }
    api.execute("UPDATE integrations SET status = 'connected' WHERE name IN ('beta', 'zeta é')").await?;
    api.execute("UPDATE integrations SET last_used_at_ms = 5 WHERE name = 'alpha 2'").await?;
    for (sort, expected) in [
        ("name", ["100%_b\\c", "Alpha", "alpha 2", "beta", "BETA", "zeta é"]),
        ("-name", ["zeta é", "BETA", "beta", "alpha 2", "Alpha", "100%_b\\c"]),
        ("created_at", names),
        ("-status", ["BETA", "alpha 2", "100%_b\\c", "Alpha", "zeta é", "beta"]),
        ("provider", ["Alpha", "alpha 2", "zeta é", "beta", "100%_b\\c", "BETA"]),
        ("-last_used_at", ["alpha 2", "zeta é", "BETA", "100%_b\\c", "Alpha", "beta"]),
        ("updated_at", names),
    ] {
        for limit in [1, 2, 50] {
            let found = paged(&api, &format!("integrations?sort={sort}&limit={limit}")).await?;
            ensure!(found == expected, "{sort} by {limit}: {found:?}");
        }
    }
    for (search, expected) in [
        ("ALPHA", vec!["alpha 2", "Alpha"]),
        ("%25_b%5Cc", vec!["100%_b\\c"]),
        ("_", vec!["100%_b\\c"]),
        ("nobody", vec![]),
    ] {
        let found = paged(&api, &format!("integrations?search={search}&limit=1")).await?;
        ensure!(found == expected, "{search}: {found:?}");
    }
    let cursor = api.get("/api/v1/integrations?sort=name&limit=1").await?.text_at("/next_cursor").to_owned();
    for bad in ["sort=shape", "sort=", "search=", &format!("cursor={cursor}"), &format!("sort=-status&cursor={cursor}")]
    {
        api.get(&format!("/api/v1/integrations?{bad}")).await?.expect_error(400, "invalid_parameter")?;
    }
    counted(&api).await
}

async fn counted(api: &Api) -> Result<()> {
    let counts = |reply: &crate::fixture::Reply| reply.at("/counts").clone();
    let all = api.get("/api/v1/integrations?counts=true&limit=1&status=error").await?.expect(200)?;
    let expected = json!({ "verifying": 4, "connected": 2, "error": 0, "disabled": 0 });
    ensure!(counts(&all) == expected && all.at("/items") == &json!([]), "{}", all.text);
    let found = api.get("/api/v1/integrations?counts=true&search=beta&provider=openai").await?.expect(200)?;
    let expected = json!({ "verifying": 1, "connected": 1, "error": 0, "disabled": 0 });
    ensure!(counts(&found) == expected, "{}", found.text);
    ensure!(api.get("/api/v1/integrations").await?.at("/counts").is_null());
    Ok(())
}

async fn projects_and_keys_are_sorted_and_searched(api: Api) -> Result<()> {
    for name in ["web shop", "Backend", "shop"] {
        api.post("/api/v1/projects", json!({ "name": name })).await?.expect(201)?;
        api.post("/api/v1/virtual-keys", json!({ "name": name })).await?.expect(201)?;
    }
    api.execute("UPDATE virtual_keys SET last_used_at_ms = 9 WHERE name = 'Backend'").await?;
    for (query, expected) in [
        ("projects?sort=name&limit=1", vec!["Backend", "default", "shop", "web shop"]),
        ("projects?sort=-name&search=SHOP&limit=1", vec!["web shop", "shop"]),
        ("virtual-keys?sort=-name&limit=2", vec!["web shop", "shop", "Backend"]),
        ("virtual-keys?sort=-last_used_at&limit=1", vec!["Backend", "shop", "web shop"]),
        ("virtual-keys?search=shop", vec!["shop", "web shop"]),
    ] {
        let found = paged(&api, query).await?;
        ensure!(found == expected, "{query}: {found:?}");
    }
    api.get("/api/v1/projects?sort=last_used_at").await?.expect_error(400, "invalid_parameter")?;
    Ok(())
}

async fn a_filter_that_names_nothing_says_so(api: Api) -> Result<()> {
    api.submit("prod", KEY).await?;
    for path in ["integrations", "requests", "routing"] {
        let reply = api.get(&format!("/api/v1/{path}?provider=opnai")).await?.expect_error(400, "invalid_parameter")?;
        let said = reply.text_at("/error/message");
        ensure!(said.contains("did you mean openai?") && said.contains("anthropic, "), "{said}");
        let project = keyway_domain::ProjectId::new();
        let model = if path == "integrations" { "" } else { "&model=x" };
        api.get(&format!("/api/v1/{path}?project_id={project}{model}")).await?.expect_error(404, "not_found")?;
    }
    for (name, id) in [
        ("integration_id", keyway_domain::IntegrationId::new().to_string()),
        ("virtual_key_id", keyway_domain::VirtualKeyId::new().to_string()),
    ] {
        api.get(&format!("/api/v1/requests?{name}={id}")).await?.expect_error(404, "not_found")?;
    }
    api.get("/api/v1/requests?provider=groq").await?.expect(200)?;
    let typed = json!({ "provider": "OpenAI", "name": "x", "credentials": KEY.replace("wxyz", "0001") });
    let reply = api.post("/api/v1/integrations", typed).await?.expect_error(422, "unknown_provider")?;
    ensure!(reply.text_at("/error/message").contains("did you mean openai?"), "{}", reply.text);
    Ok(())
}

async fn what_a_reader_has_is_not_sent_again(api: Api) -> Result<()> {
    let integration = api.submit("prod", KEY).await?;
    for path in [
        format!("integrations/{integration}"),
        "integrations".to_owned(),
        "providers".to_owned(),
        "providers/openai".to_owned(),
    ] {
        let path = format!("/api/v1/{path}");
        let read = |etag: String| send(api.request(Method::GET, &path).header("if-none-match", etag));
        let first = api.get(&path).await?.expect(200)?;
        let etag = first.header("etag").to_owned();
        let again = read(etag.clone()).await?.expect(304)?;
        ensure!(
            again.text.is_empty() && again.header("etag") == etag && again.header("content-type").is_empty(),
            "{path}"
        );
        read(format!("\"x\", W/{etag}")).await?.expect(304)?;
        read("\"x\"".to_owned()).await?.expect(200)?;
    }
    // More than its owner's changes shows: a verdict has no version.
    let path = format!("/api/v1/integrations/{integration}");
    let before = api.get(&path).await?.header("etag").to_owned();
    api.execute("UPDATE integrations SET status = 'connected'").await?;
    let request = api.request(Method::GET, &path).header("if-none-match", &before);
    let after = send(request).await?.expect(200)?;
    ensure!(after.text_at("/status") == "connected" && after.header("etag") != before);
    let change = api.request(Method::PATCH, &path).header("if-match", &before).json(&json!({ "name": "renamed" }));
    send(change).await?.expect(200)?;
    Ok(())
}
