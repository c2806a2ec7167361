//! Alertmanager as `docker-compose.yml` starts it, from Debian's package: an alert reaches the operators' webhook.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use keyway_testkit::ports::free_port;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};

use crate::harness::{PATIENCE, http_client, until};

/// A running Alertmanager; dropping it stops it and removes its data.
struct Alertmanager {
    child: Child,
    dir: PathBuf,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.dir));
    }
}

#[tokio::test]
async fn an_alert_reaches_the_webhook_that_is_set() -> Result<()> {
    let webhook = TcpListener::bind("127.0.0.1:0").await?;
    // A quote is what the configuration could trip over.
    let url = format!("http://{}/it's-keyway?room=1&mode=%20", webhook.local_addr()?);
    let port = free_port()?;
    let alertmanager = start(port, &url)?;
    let http = http_client()?;
    let alert = json!([{ "labels": { "alertname": "KeywaySealed", "severity": "page", "instance": "a" } }]).to_string();
    until("Alertmanager takes an alert", async || {
        let request = http.post(format!("http://127.0.0.1:{port}/api/v2/alerts"));
        let answer = request.header("content-type", "application/json").body(alert.clone()).send().await?;
        Ok(answer.status().is_success())
    })
    .await?;
    let (head, told) = timeout(PATIENCE, request(&webhook)).await.context("nobody was told")??;
    ensure!(head.starts_with("POST /it's-keyway?room=1&mode=%20 HTTP/1.1\r\n"), "{head}");
    ensure!(told["status"] == "firing" && told["receiver"] == "operators", "{told}");
    ensure!(told["alerts"][0]["labels"]["alertname"] == "KeywaySealed", "{told}");
    drop(alertmanager);
    Ok(())
}

#[test]
fn what_is_no_web_address_is_refused_with_what_it_has_to_be() -> Result<()> {
    let output = script("mailto:operators@example.com").arg("--version").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("has to begin with http:// or https://"), "{said}");
    Ok(())
}

fn start(port: u16, url: &str) -> Result<Alertmanager> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("alertmanager-{port}"));
    fs::create_dir_all(&dir)?;
    let child = script(url)
        .arg(format!("--storage.path={}", dir.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        // No cluster: it would look for an address of this machine that others can reach.
        .args(["--cluster.listen-address=", "--log.level=error"])
        .env("TMPDIR", &dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("alertmanager.sh cannot be started")?;
    Ok(Alertmanager { child, dir })
}

/// The compose file's command, with the name that Debian gives the program.
fn script(url: &str) -> Command {
    let grafana = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana");
    let mut command = Command::new(grafana.join("alertmanager.sh"));
    command.arg(grafana.join("alertmanager.yml"));
    command.env("ALERTMANAGER", "prometheus-alertmanager").env("ALERT_WEBHOOK_URL", url);
    command
}

/// The head and the JSON body of the next request, which is answered 200.
async fn request(listener: &TcpListener) -> Result<(String, Value)> {
    let (mut stream, _) = listener.accept().await?;
    let mut read = Vec::new();
    loop {
        ensure!(stream.read_buf(&mut read).await? > 0, "the request broke off");
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        // Whole once it is JSON.
        let Ok(body) = serde_json::from_slice(&read[end + 4..]) else { continue };
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
        return Ok((String::from_utf8_lossy(&read[..end + 4]).into_owned(), body));
    }
}
