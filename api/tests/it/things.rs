//! One thing of each kind in a tenant, for tests that name them by their ids.

use anyhow::Result;
use serde_json::json;

use crate::fixture::{Api, KEY};

/// Ids of the things.
pub(crate) struct Things {
    pub(crate) project: String,
    pub(crate) key: String,
    pub(crate) integration: String,
    pub(crate) operation: String,
    pub(crate) provider: String,
    pub(crate) model: String,
}

/// Makes them in the tenant that is acted in.
pub(crate) async fn made(api: &Api) -> Result<Things> {
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?.text_at("/id").to_owned();
    let key = api.post("/api/v1/virtual-keys", json!({ "name": "app" })).await?.expect(201)?.text_at("/id").to_owned();
    let integration = api.submit("prod", KEY).await?;
    let operations = api.get("/api/v1/operations").await?.expect(200)?;
    let operation = operations.text_at("/items/0/id").to_owned();
    let custom = json!({ "name": "acme", "base_url": "https://api.acme.dev/v1", "models": ["acme-1"] });
    let provider = api.post("/api/v1/providers", custom).await?.expect(201)?.text_at("/id").to_owned();
    let model = api.get("/api/v1/providers/acme/models").await?.expect(200)?.text_at("/items/0/id").to_owned();
    Ok(Things { project, key, integration, operation, provider, model })
}
