//! The dashboard in a real browser, against the real binary and a simulated provider. The steps are in
//! `dashboard/test/browser`, one file for each test here; screenshots are left in `target/screens`.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use tokio::task::spawn_blocking;

use crate::harness::Keyway;

#[tokio::test]
async fn first_run() -> Result<()> {
    scenario("first-run", Keyway::embedded().await?).await
}

#[tokio::test]
async fn virtual_keys() -> Result<()> {
    scenario("virtual-keys", Keyway::embedded().await?).await
}

#[tokio::test]
async fn people() -> Result<()> {
    scenario("people", Keyway::embedded().await?).await
}

#[tokio::test]
async fn live() -> Result<()> {
    scenario("live", Keyway::embedded().await?).await
}

#[tokio::test]
async fn settings() -> Result<()> {
    scenario("settings", Keyway::embedded().await?).await
}

#[tokio::test]
async fn watch() -> Result<()> {
    scenario("watch", Keyway::embedded().await?).await
}

#[tokio::test]
async fn passkeys() -> Result<()> {
    scenario("passkeys", Keyway::embedded().await?).await
}

/// Runs `dashboard/test/browser/<name>.ts` on an installation. Whatever the page complains of fails it.
async fn scenario(name: &str, keyway: Keyway) -> Result<()> {
    let log = keyway.members()[0].process.log()?;
    let token = log.split_whitespace().find(|word| word.starts_with("kw_setup_")).context("a setup token")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("scripts/node.sh"));
    command
        .args(["node", &format!("test/browser/{name}.ts")])
        .current_dir(root.join("dashboard"))
        // Passkeys work on `localhost`, not on an address.
        .env("KEYWAY_URL", keyway.api()?.root().replace("127.0.0.1", "localhost"))
        .env("KEYWAY_ADMIN_KEY", &keyway.admin_key)
        .env("KEYWAY_SETUP_TOKEN", token)
        .env("SIMULATOR_URL", &keyway.simulator.base_url)
        .env("SCREENS", root.join("target/screens"))
        .stdin(Stdio::null());
    let output = spawn_blocking(move || command.output()).await??;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "{name}:\n{said}");
    keyway.finish().await
}
