//! Content types, entries, flows and scenes: drafted, versioned, published and withdrawn, under the rules of each.

use anyhow::{Context, Result, ensure};
use keyway_domain::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fixture::{Api, Reply, on_both, send},
    members::{member, service, session, with},
};

on_both! {
    a_module_that_is_off_does_not_exist
    a_draft_becomes_a_publication_and_keeps_its_versions
    lists_filter_sort_and_page
    a_change_names_the_version_it_was_made_for
    a_flow_changes_as_a_whole_or_not_at_all
    a_scene_refers_to_allowed_hosts_only
}

/// Switches every module on.
pub(crate) async fn switch_on(api: &Api) -> Result<()> {
    let all = json!({ "modules": ["content", "flows", "scenes"], "scene_hosts": ["cdn.example.com"] });
    api.put("/api/v1/modules", all).await?.expect(200).map(drop)
}

/// Adds the content type `article`.
pub(crate) async fn articles(api: &Api, access: &str) -> Result<()> {
    let schema = json!({ "type": "object", "required": ["slug"], "properties": {
        "slug": { "type": "string" }, "topic": { "type": "string", "maxLength": 20 }, "rank": { "type": "number" } } });
    let article =
        json!({ "name": "article", "title": "Article", "schema": schema, "access": access, "slug_field": "slug" });
    api.post("/api/v1/content-types", article).await?.expect(201).map(drop)
}

/// Adds an entry and returns its path.
pub(crate) async fn entry(api: &Api, data: Value) -> Result<String> {
    let made = api.post("/api/v1/content/article", json!({ "data": data })).await?.expect(201)?;
    Ok(format!("/api/v1/content/article/{}", made.text_at("/id")))
}

pub(crate) fn flow(x: f64) -> Value {
    json!({ "nodes": [{ "id": "a", "type": "step", "position": { "x": x, "y": 0 }, "data": { "n": 1 } },
        { "id": "b", "position": { "x": 1, "y": 1 }, "data": {} }],
        "edges": [{ "id": "e", "source": "a", "target": "b" }], "viewport": { "x": 0, "y": 0, "zoom": 1 } })
}

pub(crate) fn scene(url: &str) -> Value {
    json!({ "metadata": { "version": 4.7, "type": "Object" },
        "images": [{ "uuid": "i", "url": url }], "object": { "uuid": "s", "type": "Scene", "children": [] } })
}

async fn if_match(api: &Api, method: Method, path: &str, etag: &str, body: Value) -> Result<Reply> {
    send(api.request(method, path).header("If-Match", etag).json(&body)).await
}

async fn a_module_that_is_off_does_not_exist(api: Api) -> Result<()> {
    for path in ["/api/v1/content-types", "/api/v1/content/x", "/api/v1/flows", "/api/v1/node-types", "/api/v1/scenes"]
    {
        api.get(path).await?.expect_error(404, "not_found").context(path)?;
    }
    let set = api.put("/api/v1/modules", json!({ "modules": ["flows"] })).await?.expect(200)?;
    ensure!(set.header("etag") == "\"1\"" && set.at("/modules") == &json!(["flows"]), "{}", set.text);
    api.get("/api/v1/flows").await?.expect(200)?;
    api.get("/api/v1/scenes").await?.expect_error(404, "not_found")?;
    let off = || json!({ "modules": [] });
    if_match(&api, Method::PUT, "/api/v1/modules", "\"7\"", off()).await?.expect_error(412, "precondition_failed")?;
    for bad in [json!({ "modules": ["x"] }), json!({ "modules": [], "scene_hosts": ["https://x.example.com"] })] {
        api.put("/api/v1/modules", bad).await?.expect_error(422, "invalid_field")?;
    }
    let made = api.post("/api/v1/flows", json!({ "name": "f", "document": flow(0.0) })).await?.expect(201)?;
    api.post(&format!("/api/v1/flows/{}/publish", made.text_at("/id")), json!({})).await?.expect(200)?;
    send(api.anonymous(Method::GET, "/content/default/flows/f")).await?.expect(200)?;
    api.put("/api/v1/modules", off()).await?.expect(200)?;
    api.get("/api/v1/flows").await?.expect_error(404, "not_found")?;
    send(api.anonymous(Method::GET, "/content/default/flows/f")).await?.expect_error(404, "not_found")?;
    Ok(())
}

async fn a_draft_becomes_a_publication_and_keeps_its_versions(api: Api) -> Result<()> {
    switch_on(&api).await?;
    articles(&api, "public").await?;
    let bad = json!({ "data": { "slug": "x", "topic": "sk-secret-that-is-much-too-long" } });
    let refused = api.post("/api/v1/content/article", bad).await?.expect_error(422, "invalid_field")?;
    let message = refused.text_at("/error/message");
    ensure!(message.contains("/topic") && !message.contains("sk-secret"), "{message}");
    let path = entry(&api, json!({ "slug": "Hello World", "topic": "a" })).await?;
    let public = "/content/default/article/hello-world";
    let read = async || send(api.anonymous(Method::GET, public)).await;
    read().await?.expect_error(404, "not_found")?;
    api.post("/api/v1/content/article", json!({ "data": { "slug": "hello world" } }))
        .await?
        .expect_error(409, "name_taken")?;
    let published = api.post(&format!("{path}/publish"), json!({})).await?.expect(200)?;
    ensure!(published.text_at("/state") == "published" && published.at("/published_version") == &json!(1));
    let first = read().await?.expect(200)?;
    ensure!(first.text_at("/data/topic") == "a" && first.text_at("/type") == "article", "{}", first.text);
    ensure!(first.header("cache-control") == "public, no-cache" && first.header("access-control-allow-origin") == "*");
    let again = api.anonymous(Method::GET, public).header("If-None-Match", first.header("etag"));
    let again = send(again).await?.expect(304)?;
    ensure!(again.text.is_empty() && again.header("etag") == first.header("etag"));

    let changed = api.put(&path, json!({ "data": { "slug": "x", "topic": "b" } })).await?.expect(200)?;
    ensure!(changed.text_at("/state") == "changed" && changed.text_at("/slug") == "hello-world", "{}", changed.text);
    ensure!(read().await?.text == first.text, "readers have what was published");
    api.put(&path, json!({ "data": { "slug": "x" }, "slug": "other" })).await?.expect_error(409, "conflict")?;
    let diff = api.get(&format!("{path}/diff?from=1")).await?.expect(200)?;
    ensure!(diff.at("/changes/1/pointer") == &json!("/content/topic"), "{}", diff.text);
    let restored = api.post(&format!("{path}/restore"), json!({ "version": 1 })).await?.expect(200)?;
    ensure!(restored.text_at("/data/topic") == "a" && restored.at("/version") == &json!(3));
    let versions = api.get(&format!("{path}/versions?limit=2")).await?.expect(200)?;
    ensure!(versions.at("/items/0/version") == &json!(3) && !versions.text_at("/next_cursor").is_empty());
    let version = api.get(&format!("{path}/versions/2")).await?.expect(200)?;
    ensure!(version.text_at("/content/topic") == "b", "{}", version.text);
    api.get(&format!("{path}/versions/9")).await?.expect_error(404, "not_found")?;

    api.delete(&path).await?.expect_error(409, "conflict")?;
    api.post(&format!("{path}/unpublish"), json!({})).await?.expect(200)?;
    read().await?.expect_error(404, "not_found")?;
    api.delete("/api/v1/content-types/article").await?.expect_error(409, "conflict")?;
    api.delete(&path).await?.expect(204)?;
    api.delete("/api/v1/content-types/article").await?.expect(204)?;
    Ok(())
}

async fn lists_filter_sort_and_page(api: Api) -> Result<()> {
    switch_on(&api).await?;
    articles(&api, "public").await?;
    for (slug, topic, rank) in [("a", "x", 3), ("b", "y", 1), ("c", "x", 2), ("d", "x", 10)] {
        let path = entry(&api, json!({ "slug": slug, "topic": topic, "rank": rank })).await?;
        api.post(&format!("{path}/publish"), json!({})).await?.expect(200)?;
    }
    let parent = api.get("/api/v1/content/article?filter[slug][eq]=a&fields=id").await?.expect(200)?;
    let parent = parent.text_at("/items/0/id").to_owned();
    let es = json!({ "data": { "slug": "a" }, "locale": "es", "parent_id": parent });
    let es = api.post("/api/v1/content/article", es).await?.expect(201)?;
    api.post(&format!("/api/v1/content/article/{}/publish", es.text_at("/id")), json!({})).await?.expect(200)?;

    let slugs = |reply: &Reply| -> Vec<String> {
        let items = reply.at("/items").as_array().cloned().unwrap_or_default();
        items.iter().filter_map(|item| item["slug"].as_str().map(str::to_owned)).collect()
    };
    for base in ["/api/v1/content/article", "/content/default/article"] {
        let of = async |query: &str| api.get(&format!("{base}?locale=en&{query}")).await?.expect(200);
        let found = of("filter[data.topic][eq]=x&filter[data.rank][gt]=2&fields=slug").await?;
        let mut both = slugs(&found);
        both.sort_unstable();
        ensure!(both == ["a", "d"] && found.at("/items/0/data").is_null(), "{}", found.text);
        let first = of("limit=3").await?;
        let next = of(&format!("limit=3&cursor={}", first.text_at("/next_cursor"))).await?;
        let mut all = [slugs(&first), slugs(&next)].concat();
        all.sort_unstable();
        ensure!(all == ["a", "b", "c", "d"] && next.at("/next_cursor").is_null(), "{all:?}");
        for bad in ["sort=nothing", "filter[x][eq]=1", "limit=0", "cursor=x", "other=1"] {
            api.get(&format!("{base}?{bad}")).await?.expect_error(400, "invalid_parameter").context(bad)?;
        }
        let below = api.get(&format!("{base}?locale=es&parent={parent}")).await?.expect(200)?;
        ensure!(slugs(&below) == ["a"] && below.text_at("/items/0/locale") == "es", "{}", below.text);
    }
    let sorted = api.get("/content/default/article?sort=-data.rank&locale=en&limit=2").await?.expect(200)?;
    ensure!(slugs(&sorted) == ["d", "a"], "{}", sorted.text);
    let cursor = sorted.text_at("/next_cursor");
    let rest = api.get(&format!("/content/default/article?sort=-data.rank&locale=en&cursor={cursor}")).await?;
    ensure!(slugs(&rest) == ["c", "b"], "{}", rest.text);
    let spanish = api.anonymous(Method::GET, "/content/default/article/a").header("Accept-Language", "es-MX, en;q=0.5");
    ensure!(send(spanish).await?.text_at("/locale") == "es");
    let drafts = api.get("/api/v1/content/article?published=false").await?.expect(200)?;
    ensure!(drafts.at("/items") == &json!([]), "{}", drafts.text);
    Ok(())
}

async fn a_change_names_the_version_it_was_made_for(api: Api) -> Result<()> {
    switch_on(&api).await?;
    articles(&api, "public").await?;
    let path = entry(&api, json!({ "slug": "a" })).await?;
    let read = api.get(&path).await?.expect(200)?;
    let etag = read.header("etag").to_owned();
    let body = || json!({ "data": { "slug": "a", "topic": "b" } });
    let second = if_match(&api, Method::PUT, &path, &etag, body()).await?.expect(200)?;
    ensure!(second.header("etag") == "\"2\"");
    if_match(&api, Method::PUT, &path, &etag, body()).await?.expect_error(412, "precondition_failed")?;
    let late = async |method: Method, action: &str, body: Value| {
        let path = format!("{path}{action}");
        if_match(&api, method, &path, &etag, body).await?.expect_error(412, "precondition_failed").context(path)
    };
    late(Method::POST, "/publish", json!({})).await?;
    late(Method::POST, "/unpublish", json!({})).await?;
    late(Method::POST, "/restore", json!({ "version": 1 })).await?;
    late(Method::POST, "/schedule", json!({ "publish_at": "2999-01-01T00:00:00Z" })).await?;
    late(Method::DELETE, "", json!({})).await?;
    let types = "/api/v1/content-types/article";
    let schema = json!({ "schema": {} });
    let accepted = api.put(&format!("{types}/schema"), schema.clone()).await?.expect(202)?;
    ensure!(accepted.text_at("/operation/kind") == "check_schema" && accepted.header("etag") == "\"2\"");
    let stale = if_match(&api, Method::PUT, &format!("{types}/schema"), "\"1\"", schema).await?;
    stale.expect_error(412, "precondition_failed")?;
    let stale = if_match(&api, Method::PATCH, types, "\"1\"", json!({ "title": "X" })).await?;
    stale.expect_error(412, "precondition_failed")?;
    api.put(&format!("{types}/schema"), json!({ "schema": { "type": "x" } }))
        .await?
        .expect_error(422, "invalid_field")?;
    let past = json!({ "publish_at": "2020-01-01T00:00:00Z" });
    api.post(&format!("{path}/schedule"), past).await?.expect_error(422, "invalid_field")?;
    Ok(())
}

async fn a_flow_changes_as_a_whole_or_not_at_all(api: Api) -> Result<()> {
    switch_on(&api).await?;
    let schema = json!({ "config_schema": { "required": ["n"], "properties": { "n": { "type": "number" } } } });
    api.put("/api/v1/node-types/step", schema).await?.expect(200)?;
    let dangling = json!({ "name": "f", "document": { "nodes": [], "edges": [{ "id": "e", "source": "a", "target": "b" }],
        "viewport": { "x": 0, "y": 0, "zoom": 1 } } });
    let refused = api.post("/api/v1/flows", dangling).await?.expect_error(422, "invalid_field")?;
    ensure!(refused.text_at("/error/message").contains("/edges/0/source"), "{}", refused.text);
    let made = api.post("/api/v1/flows", json!({ "name": "My flow", "document": flow(0.5) })).await?.expect(201)?;
    ensure!(made.text_at("/slug") == "my-flow" && made.at("/document") == &flow(0.5), "{}", made.text);
    let path = format!("/api/v1/flows/{}", made.text_at("/id"));
    let mutate = async |base: i32, operations: Value| {
        api.post(&format!("{path}/mutations"), json!({ "base_version": base, "operations": operations })).await
    };
    let move_a =
        || json!([{ "type": "update", "collection": "nodes", "key": "a", "value": { "position": { "x": 9 } } }]);
    let moved = mutate(1, move_a()).await?.expect(200)?;
    ensure!(moved.at("/version") == &json!(2) && moved.at("/document/nodes/0/position") == &json!({ "x": 9, "y": 0 }));
    let newer = mutate(1, move_a()).await?.expect_error(409, "conflict")?;
    ensure!(newer.header("etag") == "\"2\"", "it says which version is newer");
    let half = json!([{ "type": "remove", "collection": "edges", "key": "e" },
        { "type": "update", "collection": "nodes", "key": "a", "value": { "data": { "n": "sk-text" } } }]);
    let refused = mutate(2, half).await?.expect_error(422, "invalid_field")?;
    ensure!(refused.text_at("/error/message").contains("/nodes/0/data/n") && !refused.text.contains("sk-text"));
    let gone = mutate(2, json!([{ "type": "remove", "collection": "nodes", "key": "a" }])).await?;
    gone.expect_error(422, "invalid_field")?;
    ensure!(api.get(&path).await?.at("/document") == moved.at("/document"), "nothing of it was made");
    let look = json!([{ "type": "update", "collection": "nodes", "key": "a", "value": { "selected": true,
        "measured": { "width": 10, "height": 5 } } }]);
    let looked = mutate(2, look).await?.expect(200)?;
    ensure!(looked.at("/version") == &json!(2) && looked.at("/document/nodes/0/selected") == &json!(true));
    let named = json!({ "flow_id": made.text_at("/id"), "base_version": 2, "operations": move_a() });
    api.post("/api/v1/flows/mutations", named).await?.expect(200)?;
    Ok(())
}

async fn a_scene_refers_to_allowed_hosts_only(api: Api) -> Result<()> {
    switch_on(&api).await?;
    let body = |url| json!({ "name": "s", "format": "three", "document": scene(url) });
    let refused = api.post("/api/v1/scenes", body("https://other.example.com/x.png")).await?;
    let refused = refused.expect_error(422, "invalid_field")?;
    ensure!(refused.text_at("/error/message").contains("/images/0/url"), "{}", refused.text);
    let made = api.post("/api/v1/scenes", body("https://cdn.example.com/x.png")).await?.expect(201)?;
    let path = format!("/api/v1/scenes/{}", made.text_at("/id"));
    api.post(&format!("{path}/publish"), json!({})).await?.expect(200)?;
    let read = send(api.anonymous(Method::GET, "/content/default/scenes/s")).await?.expect(200)?;
    ensure!(read.json == scene("https://cdn.example.com/x.png") && read.header("content-type") == "application/json");
    let gltf = json!({ "asset": { "version": "2.0" }, "scenes": [{ "nodes": [] }], "scene": 0 });
    let made = json!({ "name": "g", "format": "gltf", "document": gltf });
    let made = api.post("/api/v1/scenes", made).await?.expect(201)?;
    api.post(&format!("/api/v1/scenes/{}/publish", made.text_at("/id")), json!({})).await?.expect(200)?;
    let read = send(api.anonymous(Method::GET, "/content/default/scenes/g")).await?.expect(200)?;
    ensure!(read.header("content-type") == "model/gltf+json", "{:?}", read.headers);
    let wide = json!({ "name": "w", "format": "gltf", "document": { "asset": { "version": "2.0" }, "extras": "x".repeat(100_000) } });
    api.post("/api/v1/scenes", wide).await?.expect(201)?;
    Ok(())
}

/// Roles: a developer drafts, an operator publishes, members read what is theirs, nobody else does.
#[tokio::test]
async fn each_role_writes_publishes_and_reads_as_it_may() -> Result<()> {
    let api = Api::sqlite().await?;
    switch_on(&api).await?;
    articles(&api, "members").await?;
    let as_role =
        async |role| session(&api, &member(&api, api.tenant, role, None).await?, std::time::Duration::ZERO).await;
    let (developer, operator) = (as_role(Role::Developer).await?, as_role(Role::Operator).await?);
    let post = |token: &str, path: &str, body: Value| send(with(&api, token, Method::POST, path).json(&body));
    let draft = json!({ "data": { "slug": "a" } });
    let made = post(&developer, "/api/v1/content/article", draft.clone()).await?.expect(201)?;
    ensure!(made.text_at("/author").starts_with("usr_"), "{}", made.text);
    let publish = format!("/api/v1/content/article/{}/publish", made.text_at("/id"));
    post(&developer, &publish, json!({})).await?.expect_error(403, "not_allowed")?;
    post(&operator, &publish, json!({})).await?.expect(200)?;
    let public = "/content/default/article/a";
    send(api.anonymous(Method::GET, public)).await?.expect_error(404, "not_found")?;
    let read = send(with(&api, &developer, Method::GET, public)).await?.expect(200)?;
    ensure!(read.header("cache-control") == "private, no-cache", "{:?}", read.headers);
    let billing = as_role(Role::Billing).await?;
    send(with(&api, &billing, Method::GET, public)).await?.expect_error(404, "not_found")?;
    let listed = send(api.anonymous(Method::GET, "/content/default/article")).await?.expect(200)?;
    ensure!(listed.at("/items") == &json!([]), "{}", listed.text);
    let listed = send(with(&api, &developer, Method::GET, "/content/default/article")).await?.expect(200)?;
    ensure!(listed.text_at("/items/0/slug") == "a", "{}", listed.text);
    api.patch("/api/v1/content-types/article", json!({ "access": "private" })).await?.expect(200)?;
    send(with(&api, &developer, Method::GET, public)).await?.expect_error(404, "not_found")?;
    Ok(())
}

/// The paths of openagent, with a service token as `x-api-key`.
#[tokio::test]
async fn paths_of_openagent_lead_to_the_same() -> Result<()> {
    let api = Api::sqlite().await?;
    switch_on(&api).await?;
    let permissions = ["content_types.create", "content.create", "content.read", "content.update"];
    let permissions = permissions.iter().filter_map(|it| it.parse().ok()).collect();
    let token = service(&api, api.tenant, permissions, None).await?;
    let ask = |method, path: &str| api.anonymous(method, path).header("x-api-key", &token);
    let kind = json!({ "name": "article", "schema": {}, "access": "public" });
    send(ask(Method::POST, "/content-types").json(&kind)).await?.expect(201)?;
    let entry = json!({ "data": {}, "slug": "a" });
    let entry = send(ask(Method::POST, "/content/article").json(&entry)).await?.expect(201)?;
    send(ask(Method::GET, &format!("/content/article/{}", entry.text_at("/id")))).await?.expect(200)?;
    let made = json!({ "name": "f", "document": flow(0.0) });
    let made = send(ask(Method::POST, "/flows").json(&made)).await?.expect(201)?;
    let remove = json!([{ "type": "remove", "collection": "edges", "key": "e" }]);
    let named = json!({ "flow_id": made.text_at("/id"), "base_version": 1, "operations": remove });
    let changed = send(ask(Method::POST, "/flows/mutations").json(&named)).await?.expect(200)?;
    ensure!(changed.at("/document/edges") == &json!([]), "{}", changed.text);
    ensure!(send(ask(Method::GET, "/flows")).await?.expect(200)?.text_at("/items/0/slug") == "f");
    send(api.anonymous(Method::GET, "/flows")).await?.expect_error(404, "not_found")?;
    Ok(())
}
