//! Documents that the real libraries make (React Flow's own package and three.js) are stored, served and read back equal.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use tokio::process::Command;

use crate::{content::switch_on, fixture::Api, npm};

const PACKAGES: &str = "@xyflow/react@12.12.1 react@19.3.1 react-dom@19.3.1 three@0.187.0";

#[tokio::test]
async fn what_react_flow_and_three_make_is_read_back_equal() -> Result<()> {
    let api = Api::sqlite().await?;
    switch_on(&api).await?;
    let script = npm::beside(&npm::installed(PACKAGES).await?, "real_documents/documents.mjs")?;
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/node.sh");
    let mut command = Command::new(node);
    let done = command.arg("node").arg(&script).arg(&api.base).env("KEYWAY_KEY", &api.admin_key).output().await?;
    fs::remove_file(script)?;
    let (said, failed) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success(), "{said}\n{failed}");
    Ok(())
}
