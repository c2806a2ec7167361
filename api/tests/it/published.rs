//! Publications are read from memory: without a database once they are warm, and anew as soon as a change is told.

use anyhow::{Result, ensure};
use keyway_domain::Invalidation;
use reqwest::Method;
use serde_json::json;

use crate::{
    content::{articles, entry, flow, switch_on},
    fixture::{Api, send},
};

#[tokio::test]
async fn a_warm_publication_asks_no_database_and_a_told_change_drops_it() -> Result<()> {
    // There the test is the owner of the tables.
    let api = Api::sqlite().await?;
    switch_on(&api).await?;
    articles(&api, "public").await?;
    let path = entry(&api, json!({ "slug": "a", "topic": "x" })).await?;
    api.post(&format!("{path}/publish"), json!({})).await?.expect(200)?;
    let read = async |path: &str| send(api.anonymous(Method::GET, path)).await;
    let (one, list) = ("/content/default/article/a", "/content/default/article?filter[data.topic][eq]=x");
    let warm = [read(one).await?.expect(200)?, read(list).await?.expect(200)?];
    // Another replica's change: this one has not heard of it.
    let withdraw = "UPDATE documents SET published_version = NULL";
    ensure!(api.execute(withdraw).await? == 1);
    for _ in 0..3 {
        ensure!(read(one).await?.text == warm[0].text && read(list).await?.text == warm[1].text);
    }
    api.execute("ALTER TABLE documents RENAME TO documents_away").await?;
    ensure!(read(one).await?.text == warm[0].text && read(list).await?.text == warm[1].text);
    read("/content/default/article?filter[data.topic][eq]=y").await?.expect(200)?;
    api.execute("ALTER TABLE documents_away RENAME TO documents").await?;
    api.app.note(api.tenant, Invalidation::Published);
    read(one).await?.expect_error(404, "not_found")?;
    ensure!(read(list).await?.expect(200)?.at("/items") == &json!([]));

    api.post(&format!("{path}/publish"), json!({})).await?.expect(200)?;
    read(one).await?.expect(200)?;
    api.execute(withdraw).await?;
    api.app.forget_principals();
    read(one).await?.expect_error(404, "not_found")?;
    Ok(())
}

#[tokio::test]
async fn nothing_of_another_tenant_or_of_none_is_read() -> Result<()> {
    let mut api = Api::sqlite().await?;
    let other =
        api.post("/api/v1/tenants", json!({ "name": "The other" })).await?.expect(201)?.text_at("/id").to_owned();
    api.acting_in = Some(other.clone());
    switch_on(&api).await?;
    articles(&api, "public").await?;
    let path = entry(&api, json!({ "slug": "a" })).await?;
    api.post(&format!("{path}/publish"), json!({})).await?.expect(200)?;
    let flow = api.post("/api/v1/flows", json!({ "name": "f", "document": flow(0.0) })).await?.expect(201)?;
    let flow = format!("/api/v1/flows/{}", flow.text_at("/id"));
    api.acting_in = None;
    switch_on(&api).await?;
    for theirs in [&path, &flow] {
        api.get(theirs).await?.expect_error(404, "not_found")?;
        api.delete(theirs).await?.expect_error(404, "not_found")?;
    }
    let read = async |path: &str| send(api.anonymous(Method::GET, path)).await;
    read("/content/The%20other/article/a").await?.expect(200)?;
    for path in
        ["/content/default/article/a", "/content/nobody/article/a", "/content/The%20other/page/a", "/content/x/y"]
    {
        read(path).await?.expect_error(404, "not_found")?;
    }
    api.patch(&format!("/api/v1/tenants/{other}"), json!({ "name": "renamed" })).await?.expect(200)?;
    read("/content/The%20other/article/a").await?.expect_error(404, "not_found")?;
    read("/content/renamed/article/a").await?.expect(200)?;
    Ok(())
}
