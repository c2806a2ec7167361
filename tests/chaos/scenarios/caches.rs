//! A virtual key that is revoked while applications use it on every listener, with and without a broker to
//! tell the caches.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{
    application::{Application, call},
    cluster::{Cluster, weather},
    harness::{Api, until},
};

const TOLD: Duration = Duration::from_secs(5);
/// An entry's time to live, and a little.
const NOT_TOLD: Duration = Duration::from_secs(65);

pub(crate) async fn revoked_in_use(cluster: &mut Cluster) -> Result<u64> {
    let apis: Vec<Api> = cluster.keyway.apis().cloned().collect();
    let (first, last) = (apis.first().context("a listener")?, apis.last().context("a listener")?);
    let application = Application::start(cluster).await?;
    let mut took = Vec::new();
    for told in [true, false] {
        let (id, key) = application.virtual_key(first).await?;
        for api in &apis {
            ensure!(call(&api.with_key(&key)).await?.status == 200, "the key does not work at {}", api.root());
        }
        if !told {
            cluster.links()?.api_broker.set(weather(|now| now.down = true));
        }
        first.post(&format!("/virtual-keys/{id}/revoke"), json!({}), 200).await?;
        let (begun, app) = (Instant::now(), last.with_key(&key));
        until("the other listener refuses it", async || Ok(call(&app).await?.status == 401)).await?;
        let limit = if told { TOLD } else { NOT_TOLD };
        ensure!(begun.elapsed() <= limit, "it was refused after {:?}, told: {told}", begun.elapsed());
        took.push(format!("{:.1} s", begun.elapsed().as_secs_f64()));
        cluster.links()?.api_broker.heal();
    }
    cluster.note = format!("refused elsewhere after {}, without a broker after {}", took[0], took[1]);
    Ok(2)
}
