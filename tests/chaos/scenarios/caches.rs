//! A virtual key that is revoked while applications use it on every listener, with and without a broker to
//! tell the caches.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::{
    cluster::{Cluster, weather},
    harness::{Api, text, until},
    ledger::KINDS,
};

const TOLD: Duration = Duration::from_secs(5);
/// An entry's time to live, and a little.
const NOT_TOLD: Duration = Duration::from_secs(65);

pub(crate) async fn revoked_in_use(cluster: &mut Cluster) -> Result<u64> {
    let apis: Vec<Api> = cluster.keyway.apis().cloned().collect();
    let (first, last) = (apis.first().context("a listener")?, apis.last().context("a listener")?);
    let name = format!("project {:016x}", fastrand::u64(..));
    let project = text(&first.post("/projects", json!({ "name": name }), 201).await?, "/id")?;
    let (name, credentials) = cluster.ledger.fresh(KINDS[0]);
    let config = json!({ "base_url": cluster.base_url() });
    let body = json!({ "provider": "openai", "name": name, "credentials": credentials, "config": config,
        "project_id": project });
    let integration = cluster.ledger.submitted(KINDS[0], &first.post("/integrations", body, 202).await?)?;
    until("the key is verified", async || {
        Ok(first.get(&format!("/integrations/{integration}")).await?["status"] == "connected")
    })
    .await?;
    let mut took = Vec::new();
    for told in [true, false] {
        let created = first.post("/virtual-keys", json!({ "project_id": project, "name": "app" }), 201).await?;
        let (id, key) = (text(&created, "/id")?, text(&created, "/key")?);
        for api in &apis {
            ensure!(call(&api.with_key(&key)).await? == 200, "the key does not work at {}", api.root());
        }
        if !told {
            cluster.links()?.api_broker.set(weather(|now| now.down = true));
        }
        first.post(&format!("/virtual-keys/{id}/revoke"), json!({}), 200).await?;
        let (begun, app) = (Instant::now(), last.with_key(&key));
        until("the other listener refuses it", async || Ok(call(&app).await? == 401)).await?;
        let limit = if told { TOLD } else { NOT_TOLD };
        ensure!(begun.elapsed() <= limit, "it was refused after {:?}, told: {told}", begun.elapsed());
        took.push(format!("{:.1} s", begun.elapsed().as_secs_f64()));
        cluster.links()?.api_broker.heal();
    }
    cluster.note = format!("refused elsewhere after {}, without a broker after {}", took[0], took[1]);
    Ok(2)
}

async fn call(app: &Api) -> Result<u16> {
    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hello" }] });
    Ok(app.send(Method::POST, "/v1/chat/completions", Some(chat), &[]).await?.status)
}
