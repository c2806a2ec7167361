//! A private Prometheus of Debian's package, scraping given ops listeners under this repository's alert rules.
//!
//! It must never outlive the test or use the service the package installs.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use keyway_testkit::ports::free_port;
use serde_json::Value;

use crate::harness::http_client;

const STARTUP: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);

/// A running server; dropping it stops it and removes its data.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    dir: PathBuf,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts a server that scrapes `targets` every second, and waits until each was scraped three times.
    pub(crate) async fn start(targets: &[SocketAddr]) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("prometheus-{}", address.port()));
        fs::create_dir_all(&dir)?;
        let config = dir.join("prometheus.json");
        fs::write(&config, configuration(targets).to_string())?;
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("prometheus cannot be started; `make deps` installs it")?;
        let server = Self { child, address, dir, http: http_client()? };
        server.wait_for_scrapes(targets.len()).await?;
        Ok(server)
    }

    /// The instant vector (or scalar) an expression yields now; an error if it does not parse.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let data = self.get("query", &[("query", expression)]).await?;
        Ok(match &data["result"] {
            Value::Array(series) => series.clone(),
            other => bail!("not a vector: {other}"),
        })
    }

    /// The name of every metric that was scraped or recorded.
    pub(crate) async fn metric_names(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.get("label/__name__/values", &[]).await?)?)
    }

    /// Every loaded alerting rule, as the server describes it.
    pub(crate) async fn alerts(&self) -> Result<Vec<Value>> {
        let data = self.get("rules", &[("type", "alert")]).await?;
        let groups = data["groups"].as_array().context("no rule groups")?;
        Ok(groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect())
    }

    async fn wait_for_scrapes(&self, targets: usize) -> Result<()> {
        let deadline = Instant::now() + STARTUP;
        let scraped = r#"sum_over_time(up{job="keyway"}[5m]) >= 3"#;
        loop {
            let answer = self.query(scraped).await;
            if answer.as_ref().is_ok_and(|series| series.len() == targets) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "not every target was scraped three times: {answer:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let mut url = reqwest::Url::parse(&format!("http://{}/api/v1/{path}", self.address))?;
        url.query_pairs_mut().extend_pairs(parameters);
        let body: Value = serde_json::from_slice(&self.http.get(url).send().await?.bytes().await?)?;
        ensure!(body["status"] == "success", "{}: {}", body["errorType"], body["error"]);
        Ok(body["data"].clone())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// JSON is YAML. The job's name is one that the alert rules select.
fn configuration(targets: &[SocketAddr]) -> Value {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/alerts.yml");
    let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
    serde_json::json!({
        "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
        "rule_files": [rules],
        "scrape_configs": [{ "job_name": "keyway", "static_configs": [{ "targets": targets }] }],
    })
}
