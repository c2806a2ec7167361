//! An application that calls its provider through Keyway.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;

use crate::{
    cluster::Cluster,
    harness::{Answer, Api, text, until},
    ledger::{KINDS, bare},
    oracle,
};

/// Path under which the simulator counts its calls.
const PATH: &str = "/v1/chat/completions";

/// A project with one key of a provider, which works.
pub(crate) struct Application {
    /// The project.
    pub(crate) project: String,
    /// The provider's key.
    pub(crate) credentials: String,
}

impl Application {
    /// Brings the key and waits until it is verified.
    pub(crate) async fn start(cluster: &Cluster) -> Result<Self> {
        let api = cluster.keyway.api()?;
        let name = format!("project {:016x}", fastrand::u64(..));
        let project = text(&api.post("/projects", json!({ "name": name }), 201).await?, "/id")?;
        let (name, credentials) = cluster.ledger.fresh(KINDS[0]);
        let config = json!({ "base_url": cluster.base_url() });
        let body = json!({ "provider": "openai", "name": name, "credentials": credentials, "config": config,
            "project_id": project });
        let integration = cluster.ledger.submitted(KINDS[0], &api.post("/integrations", body, 202).await?)?;
        until("the key is verified", async || {
            Ok(api.get(&format!("/integrations/{integration}")).await?["status"] == "connected")
        })
        .await?;
        Ok(Self { project, credentials })
    }

    /// A new virtual key: its id, and itself.
    pub(crate) async fn virtual_key(&self, api: &Api) -> Result<(String, String)> {
        let body = json!({ "project_id": self.project, "name": "app" });
        let created = api.post("/virtual-keys", body, 201).await?;
        Ok((text(&created, "/id")?, text(&created, "/key")?))
    }

    /// Returns the number of calls that reached the provider, and of those that are metered.
    pub(crate) async fn metered(&self, cluster: &Cluster) -> Result<(u64, u64)> {
        let project = bare(&self.project);
        let database = cluster.keyway.database().await?;
        let sql =
            format!("SELECT COUNT(*) FROM metered_calls WHERE {} = '{project}'", oracle::id(&database, "project_id"));
        let metered = u64::try_from(database.number(&sql).await?)?;
        Ok((cluster.keyway.simulator.calls(&self.credentials, PATH), metered))
    }
}

/// Calls the provider once with a virtual key.
pub(crate) async fn call(app: &Api) -> Result<Answer> {
    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hello" }] });
    app.send(Method::POST, PATH, Some(chat), &[]).await
}
