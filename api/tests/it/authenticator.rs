//! pyotp, an authenticator app that nobody here has written, installed once under `target/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use keyway_domain::MessageId;
use tokio::process::Command;

const PACKAGE: &str = "pyotp==2.12.1";
const SHOW: &str = "import pyotp, sys, time
print(pyotp.parse_uri(sys.argv[1]).at(int(time.time()) + 30 * int(sys.argv[2])))";

/// An installed app.
pub(crate) struct Authenticator(PathBuf);

impl Authenticator {
    pub(crate) async fn installed() -> Result<Self> {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE.replace('=', "-"));
        if !home.exists() {
            // Tests run at the same time: each installs into a directory of its own, and the first one to be ready stays.
            let own = home.with_extension(MessageId::new().to_string());
            run(Command::new("python3").args(["-m", "venv"]).arg(&own)).await?;
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
            run(Command::new(own.join("bin/python")).args(pip)).await?;
            if fs::rename(&own, &home).is_err() {
                fs::remove_dir_all(&own)?;
            }
        }
        Ok(Self(home.join("bin/python")))
    }

    /// Returns the code that an app which read this address shows, so many steps from now.
    pub(crate) async fn code(&self, url: &str, steps: i64) -> Result<String> {
        let shown = run(Command::new(&self.0).args(["-c", SHOW, url, &steps.to_string()])).await?;
        Ok(String::from_utf8(shown)?.trim().to_owned())
    }
}

async fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().await.with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
