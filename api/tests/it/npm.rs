//! Packages of npm that the tests run against, each installed once under `target/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use keyway_domain::MessageId;
use tokio::process::Command;

/// Returns the directory that packages, named with their versions and apart by blanks, are installed in.
pub(crate) async fn installed(packages: &str) -> Result<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(packages.replace(['@', ' ', '/'], "-"));
    if !home.exists() {
        // Tests run at the same time: each installs into a directory of its own, and the first one to be ready stays.
        let own = home.with_extension(MessageId::new().to_string());
        fs::create_dir_all(&own)?;
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        let done = Command::new("npm").args(npm).arg(&own).args(packages.split(' ')).output().await.context("npm")?;
        ensure!(done.status.success(), "npm: {}", String::from_utf8_lossy(&done.stderr));
        if fs::rename(&own, &home).is_err() {
            fs::remove_dir_all(&own)?;
        }
    }
    Ok(home)
}

/// Copies a script of the tests to where it finds the packages of `home`; whoever has started it removes it.
pub(crate) fn beside(home: &Path, script: &str) -> Result<PathBuf> {
    let own = home.join(format!("{}.mjs", MessageId::new()));
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(script), &own)?;
    Ok(own)
}
