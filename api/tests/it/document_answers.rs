//! Good answers of the routes of content, flows and scenes, which [`crate::answers`] compares with their snapshots.

use anyhow::Result;
use serde_json::{Value, json};

use crate::{answers::Answers, content};

/// Calls every route of content types and entries.
pub(crate) async fn content(answers: &mut Answers) -> Result<()> {
    answers.get("GET /api/v1/modules", "", "").await?;
    let all = json!({ "modules": ["content", "flows", "scenes"] });
    answers.send("PUT /api/v1/modules", "", all).await?;
    let article =
        json!({ "name": "article", "schema": { "type": "object" }, "access": "public", "slug_field": "slug" });
    answers.send("POST /api/v1/content-types", "", article).await?;
    answers.get("GET /api/v1/content-types", "", "").await?;
    answers.get("GET /api/v1/content-types/{id}", "article", "").await?;
    answers.send("PATCH /api/v1/content-types/{id}", "article", json!({ "title": "Article" })).await?;
    let schema = json!({ "schema": { "type": "object", "required": ["slug"] } });
    answers.send("PUT /api/v1/content-types/{id}/schema", "article", schema).await?;
    let unused = json!({ "name": "unused", "schema": {} });
    answers.api.post("/api/v1/content-types", unused).await?.expect(201)?;
    answers.act("DELETE /api/v1/content-types/{id}", "unused").await?;
    let new = json!({ "data": { "slug": "a" } });
    lifecycle(answers, &ENTRY_ROUTES, (new, json!({ "data": { "slug": "a", "topic": "b" } }))).await
}

/// Calls every route of flows and scenes.
pub(crate) async fn flows_and_scenes(answers: &mut Answers) -> Result<()> {
    let step = json!({ "config_schema": { "type": "object" }, "acyclic": true });
    answers.send("PUT /api/v1/node-types/{id}", "step", step).await?;
    answers.get("GET /api/v1/node-types", "", "").await?;
    answers.act("DELETE /api/v1/node-types/{id}", "step").await?;
    let new = json!({ "name": "f", "document": content::flow(0.0) });
    lifecycle(answers, &FLOW_ROUTES, (new, json!({ "document": content::flow(1.0) }))).await?;
    let made = json!({ "name": "g", "document": content::flow(0.0) });
    let made = answers.api.post("/api/v1/flows", made).await?.expect(201)?;
    let id = made.text_at("/id");
    let remove = json!([{ "type": "remove", "collection": "edges", "key": "e" }]);
    answers.send("POST /api/v1/flows/{id}/mutations", id, json!({ "base_version": 1, "operations": remove })).await?;
    let insert =
        json!([{ "type": "insert", "collection": "edges", "key": "e", "value": { "source": "a", "target": "b" } }]);
    let named = json!({ "flow_id": id, "base_version": 2, "operations": insert });
    answers.send("POST /api/v1/flows/mutations", "", named).await?;
    let scene = |url| content::scene(url);
    let new = json!({ "name": "s", "format": "three", "document": scene("data:image/png;base64,AA==") });
    let change = json!({ "document": scene("data:image/png;base64,AAA=") });
    lifecycle(answers, &SCENE_ROUTES, (new, change)).await
}

/// Routes of one kind of documents, in the order in which they are called.
type Routes = [&'static str; 12];
const ENTRY_ROUTES: Routes = [
    "POST /api/v1/content/{type}",
    "GET /api/v1/content/{type}",
    "GET /api/v1/content/{type}/{id}",
    "PUT /api/v1/content/{type}/{id}",
    "GET /api/v1/content/{type}/{id}/versions",
    "GET /api/v1/content/{type}/{id}/versions/{version}",
    "GET /api/v1/content/{type}/{id}/diff",
    "POST /api/v1/content/{type}/{id}/restore",
    "POST /api/v1/content/{type}/{id}/schedule",
    "POST /api/v1/content/{type}/{id}/publish",
    "POST /api/v1/content/{type}/{id}/unpublish",
    "DELETE /api/v1/content/{type}/{id}",
];
const FLOW_ROUTES: Routes = [
    "POST /api/v1/flows",
    "GET /api/v1/flows",
    "GET /api/v1/flows/{id}",
    "PUT /api/v1/flows/{id}",
    "GET /api/v1/flows/{id}/versions",
    "GET /api/v1/flows/{id}/versions/{version}",
    "GET /api/v1/flows/{id}/diff",
    "POST /api/v1/flows/{id}/restore",
    "POST /api/v1/flows/{id}/schedule",
    "POST /api/v1/flows/{id}/publish",
    "POST /api/v1/flows/{id}/unpublish",
    "DELETE /api/v1/flows/{id}",
];
const SCENE_ROUTES: Routes = [
    "POST /api/v1/scenes",
    "GET /api/v1/scenes",
    "GET /api/v1/scenes/{id}",
    "PUT /api/v1/scenes/{id}",
    "GET /api/v1/scenes/{id}/versions",
    "GET /api/v1/scenes/{id}/versions/{version}",
    "GET /api/v1/scenes/{id}/diff",
    "POST /api/v1/scenes/{id}/restore",
    "POST /api/v1/scenes/{id}/schedule",
    "POST /api/v1/scenes/{id}/publish",
    "POST /api/v1/scenes/{id}/unpublish",
    "DELETE /api/v1/scenes/{id}",
];

/// Takes a document of a kind through all that can be done with it.
async fn lifecycle(answers: &mut Answers, routes: &Routes, (new, change): (Value, Value)) -> Result<()> {
    let [create, list, detail, update, versions, version, diff, restore, schedule, publish, unpublish, delete] =
        *routes;
    let made = answers.send(create, "", new).await?;
    let id = made.text_at("/id");
    answers.get(list, "", "?limit=1").await?;
    answers.get(detail, id, "").await?;
    answers.send(update, id, change).await?;
    answers.get(versions, id, "?limit=1").await?;
    answers.get(version, id, "").await?;
    answers.get(diff, id, "?from=1").await?;
    answers.send(restore, id, json!({ "version": 1 })).await?;
    answers.send(schedule, id, json!({ "publish_at": "2999-01-01T00:00:00Z" })).await?;
    answers.send(publish, id, json!({})).await?;
    answers.send(unpublish, id, json!({})).await?;
    answers.act(delete, id).await
}
