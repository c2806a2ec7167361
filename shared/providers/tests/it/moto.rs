//! moto, a stand-in for AWS that nobody here has written, installed once under `target/`, with two IAM
//! users and some costs; from then on it checks signatures and policies.

use std::{fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use keyway_testkit::ports::free_port;
use serde_json::Value;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

const PACKAGE: &str = "moto[server]==5.2.5";

/// A running moto.
pub(crate) struct Moto {
    /// `http://127.0.0.1:<port>`.
    pub(crate) root: String,
    /// `127.0.0.1:<port>`.
    pub(crate) host: String,
    /// By user (`reader` may read costs, `stranger` nothing): `id` and `secret`.
    pub(crate) keys: Value,
    _server: Child,
}

impl Moto {
    pub(crate) async fn start() -> Result<Self> {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE.replace(['[', ']', '='], "-"));
        install(&home).await?;
        let port = free_port()?;
        let server = Command::new(home.join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let host = format!("127.0.0.1:{port}");
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&host).await.is_err() {
            ensure!(Instant::now() < deadline, "moto does not listen");
            sleep(Duration::from_millis(50)).await;
        }
        let root = format!("http://{host}");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/moto/seed.py");
        let keys = run(Command::new(home.join("bin/python")).arg(script).arg(&root)).await?;
        Ok(Self { root, host, keys: serde_json::from_slice(&keys)?, _server: server })
    }
}

async fn install(home: &Path) -> Result<()> {
    if home.join("installed").exists() {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home)).await?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
    run(Command::new(home.join("bin/python")).args(pip)).await?;
    Ok(fs::write(home.join("installed"), PACKAGE)?)
}

async fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().await.with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
