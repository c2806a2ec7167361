//! npm's `oidc-provider`, a certified OpenID provider that nobody here has written, installed once under `target/`; and a
//! browser in miniature that signs in there.

use std::{collections::BTreeMap, fs, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use keyway_testkit::ports::free_port;
use reqwest::{Url, redirect::Policy};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::npm;

const PACKAGE: &str = "oidc-provider@9.13.3";
/// Address that the provider sends browsers back to; nobody listens there, the tests do it themselves.
pub(crate) const ORIGIN: &str = "http://localhost:8091";
pub(crate) const SECRET: &str = "a secret+/%";
const MOST_STEPS: usize = 12;

/// A running provider.
pub(crate) struct OidcProvider {
    /// `http://localhost:<port>`.
    pub(crate) issuer: String,
    /// `localhost:<port>`.
    pub(crate) host: String,
    _server: Child,
}

impl OidcProvider {
    pub(crate) async fn start() -> Result<Self> {
        let script = npm::beside(&npm::installed(PACKAGE).await?, "oidc_provider/provider.mjs")?;
        let host = format!("localhost:{}", free_port()?);
        let port = host.trim_start_matches("localhost:");
        let server = Command::new("node")
            .arg(&script)
            .args([port, &format!("{ORIGIN}/api/v1/oidc/callback")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&host).await.is_err() {
            ensure!(Instant::now() < deadline, "oidc-provider does not listen");
            sleep(Duration::from_millis(50)).await;
        }
        fs::remove_file(script)?;
        Ok(Self { issuer: format!("http://{host}"), host, _server: server })
    }

    /// Builds the provider anew, with other keys and these settings.
    pub(crate) async fn again(&self, settings: &Value) -> Result<()> {
        let answer = browser()?.post(format!("{}/again", self.issuer)).body(settings.to_string()).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    }
}

/// Signs in at the provider as `login`; returns the address that it sends the browser back to.
pub(crate) async fn browse(start: &str, login: &str) -> Result<Url> {
    let (http, mut cookies) = (browser()?, BTreeMap::<String, String>::new());
    let (mut url, mut form) = (Url::parse(start)?, None::<String>);
    for _ in 0..MOST_STEPS {
        if url.as_str().starts_with(ORIGIN) {
            return Ok(url);
        }
        let kept: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = match form.take() {
            Some(form) => http.post(url.clone()).header("content-type", "application/x-www-form-urlencoded").body(form),
            None => http.get(url.clone()),
        };
        let answer = request.header("cookie", kept.join("; ")).send().await?;
        for set in answer.headers().get_all("set-cookie") {
            let (pair, rest) = set.to_str()?.split_once(';').context("a cookie")?;
            let (name, value) = pair.split_once('=').context("a cookie")?;
            if value.is_empty() || rest.contains("1970") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(to) = answer.headers().get("location") {
            url = url.join(to.to_str()?)?;
            continue;
        }
        let page = answer.text().await?;
        let between = |before: &str| page.split_once(before).and_then(|(_, rest)| rest.split('"').next());
        let action = between("action=\"").with_context(|| format!("no form at {url}: {page}"))?;
        let prompt = between("name=\"prompt\" value=\"").unwrap_or_default();
        let login: String = url::form_urlencoded::byte_serialize(login.as_bytes()).collect();
        form = Some(format!("prompt={prompt}&login={login}&password=x"));
        url = url.join(action)?;
    }
    bail!("too many steps, the last one to {url}")
}

#[expect(clippy::disallowed_methods, reason = "a browser at a provider on this machine")]
pub(crate) fn browser() -> Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().redirect(Policy::none()).build()?)
}
