//! A private RabbitMQ for tests: free ports, data under `target/`, no service of the machine is touched.
//!
//! One node is shared by the test processes of a run, each test in a virtual host of its own; a test that kills its
//! broker gets a node of its own. Nodes end by themselves when no test needs them any more.
//!
//! Virtual hosts are never deleted: RabbitMQ 3.10 starts a dead-letter worker for each quorum queue, a queue
//! that is deleted meanwhile crashes it, and a handful of crashes ends all such workers of the node.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    os::unix::process::{CommandExt as _, parent_id},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{ports::free_port, programs};

const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
/// Subdirectory of a node's persistent state.
const DATA: &str = "mnesia";
const READY: Duration = Duration::from_secs(90);
/// `guest:guest`, the broker's own account for loopback connections.
const GUEST: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// A broker, or a virtual host on one, for one test.
#[derive(Debug)]
pub struct TestBroker {
    /// URL to connect to.
    pub amqp_url: String,
    vhost: String,
    node: Node,
    private: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Node {
    dir: PathBuf,
    name: String,
    amqp_port: u16,
    http_port: u16,
    dist_port: u16,
    /// Process group of the node.
    group: u32,
}

impl TestBroker {
    /// Returns a virtual host on the node that all tests of this run share.
    ///
    /// # Errors
    /// RabbitMQ is not installed or does not start.
    pub async fn shared() -> Result<Self> {
        let node = tokio::task::spawn_blocking(Node::shared).await??;
        let vhost = format!("t{:016x}", fastrand::u64(..));
        Self::on(node, vhost, false).await
    }

    /// Returns a node of its own, which may be killed and started again.
    ///
    /// # Errors
    /// RabbitMQ is not installed or does not start.
    pub async fn private() -> Result<Self> {
        let node = tokio::task::spawn_blocking(Node::private).await??;
        Self::on(node, "private".into(), true).await
    }

    /// Syncs the node's tables to disk, so that its queues survive a kill. Call it when all queues are declared and
    /// before any [`Self::kill`]: RabbitMQ 3.10 writes up to half a second late to disk which log belongs to which
    /// queue, and a younger queue has no leader ever after the node was killed.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn settle(&self) -> Result<()> {
        self.ctl(&["eval", "[dets:sync(Table) || Table <- dets:all()], ok."]).await.map(drop)
    }

    /// Kills the node with -9. Only for private nodes.
    ///
    /// # Errors
    /// The node is shared.
    pub async fn kill(&mut self) -> Result<()> {
        ensure!(self.private, "the shared broker must not be killed");
        let node = self.node.clone();
        tokio::task::spawn_blocking(move || node.kill()).await?
    }

    /// Starts the killed node again, on the same ports and data, and waits until it serves.
    ///
    /// # Errors
    /// The node does not start.
    pub async fn start(&mut self) -> Result<()> {
        let mut node = self.node.clone();
        self.node = tokio::task::spawn_blocking(move || {
            node.group = node.launch()?;
            node.watch(&format!("kill -0 {}", std::process::id()))?;
            node.await_ready().map(|()| node)
        })
        .await??;
        Ok(())
    }

    /// Starts another, empty node in place of the killed one, at its address.
    ///
    /// # Errors
    /// The node does not start.
    pub async fn start_empty(&mut self) -> Result<()> {
        let data = self.node.dir.join(DATA);
        tokio::fs::remove_dir_all(&data).await.with_context(|| data.display().to_string())?;
        self.start().await?;
        self.make_vhost().await
    }

    /// Runs `rabbitmqctl` against the node and returns its output.
    ///
    /// # Errors
    /// The command failed.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let node = self.node.clone();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        tokio::task::spawn_blocking(move || {
            let output = node.command("rabbitmqctl").args(["-q", "-n", &node.name]).args(arguments).output()?;
            ensure!(output.status.success(), "rabbitmqctl: {}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8(output.stdout)?)
        })
        .await?
    }

    /// Returns the virtual host, for `rabbitmqctl`.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.vhost
    }

    /// Returns the directory of the node's files: messages, logs, settings.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.node.dir
    }

    async fn on(node: Node, vhost: String, private: bool) -> Result<Self> {
        let amqp_url = format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", node.amqp_port);
        let broker = Self { amqp_url, vhost, node, private };
        broker.make_vhost().await?;
        Ok(broker)
    }

    async fn make_vhost(&self) -> Result<()> {
        let (node, vhost) = (self.node.clone(), self.vhost.clone());
        tokio::task::spawn_blocking(move || {
            node.http("PUT", &format!("/api/vhosts/{vhost}"), "{}")?;
            let all = r#"{"configure":".*","write":".*","read":".*"}"#;
            node.http("PUT", &format!("/api/permissions/{vhost}/guest"), all)
        })
        .await?
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        if self.private {
            // What cannot be cleaned up now ends with this process.
            let _ = self.node.kill();
            let _ = fs::remove_dir_all(&self.node.dir);
        }
    }
}

impl Node {
    /// Returns the node of the run; a run is the parent process that started this test process and the others.
    fn shared() -> Result<Self> {
        let run = parent_id();
        fs::create_dir_all(root())?;
        let lock = File::create(root().join("shared.lock"))?;
        lock.lock().context("cannot lock the shared broker")?;
        let dir = root().join(format!("shared-{run}"));
        let note = dir.join("node.json");
        let running = fs::read(&note).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        if let Some(node) = running.filter(|node| node.http("GET", "/api/overview", "").is_ok()) {
            return Ok(node);
        }
        remove_ended()?;
        let node = Self::create(dir)?;
        node.watch(&format!("kill -0 {run}"))?;
        node.await_ready()?;
        fs::write(note, serde_json::to_vec(&node)?)?;
        Ok(node)
    }

    fn private() -> Result<Self> {
        let node = Self::create(root().join(format!("private-{:016x}", fastrand::u64(..))))?;
        node.watch(&format!("kill -0 {}", std::process::id()))?;
        node.await_ready()?;
        Ok(node)
    }

    fn create(dir: PathBuf) -> Result<Self> {
        let server = programs::installed(PROGRAMS).join("rabbitmq-server");
        ensure!(server.exists(), "{} is missing: apt-get install rabbitmq-server", server.display());
        fs::create_dir_all(&dir)?;
        let (amqp_port, http_port, dist_port) = (free_port()?, free_port()?, free_port()?);
        let name = format!("keyway{dist_port}@localhost");
        let mut node = Self { dir, name, amqp_port, http_port, dist_port, group: 0 };
        node.configure()?;
        node.group = node.launch()?;
        Ok(node)
    }

    fn configure(&self) -> Result<()> {
        let settings = format!(
            "listeners.tcp.local = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
             management_agent.disable_metrics_collector = true\ndisk_free_limit.absolute = 50MB\n\
             log.file.level = warning\nnum_acceptors.tcp = 2\n",
            self.amqp_port, self.http_port
        );
        fs::write(self.dir.join("rabbitmq.conf"), settings)?;
        fs::write(self.dir.join("enabled_plugins"), "[rabbitmq_management].\n")?;
        Ok(())
    }

    /// Starts the node in a process group of its own, so that script and virtual machine end together.
    fn launch(&self) -> Result<u32> {
        let log = File::create(self.dir.join("output.log"))?;
        let child = self
            .command("rabbitmq-server")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("cannot start rabbitmq-server")?;
        Ok(child.id())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = programs::command(&Path::new(PROGRAMS).join(program));
        let at = |name: &str| self.dir.join(name);
        command
            // Where the node writes when it ends badly, as it does when its directory is removed under it.
            .current_dir(&self.dir)
            .env("HOME", &self.dir)
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", at(DATA))
            .env("RABBITMQ_LOG_BASE", at("log"))
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", at("pid"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none");
        command
    }

    /// Ends the node when `condition`, a shell command, fails; works even if this process is killed.
    fn watch(&self, condition: &str) -> Result<()> {
        let group = self.group;
        // No `--` before the group: the shell's own kill knows none.
        let script = format!(
            "while {condition} 2>/dev/null && kill -0 -{group} 2>/dev/null; do sleep 2; done; kill -9 -{group}"
        );
        Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start the broker's watchdog")?;
        Ok(())
    }

    fn await_ready(&self) -> Result<()> {
        let deadline = Instant::now() + READY;
        while self.http("GET", "/api/overview", "").is_err()
            || TcpStream::connect((Ipv4Addr::LOCALHOST, self.amqp_port)).is_err()
        {
            if Instant::now() > deadline {
                let output = fs::read_to_string(self.dir.join("output.log")).unwrap_or_default();
                bail!("RabbitMQ did not start within {} s: {output}", READY.as_secs());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn kill(&self) -> Result<()> {
        let group = format!("-{}", self.group);
        let deadline = Instant::now() + Duration::from_secs(10);
        // Done when the ports are free: the processes themselves may linger until their parent looks.
        loop {
            let _ = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status()?;
            let busy = [self.amqp_port, self.http_port, self.dist_port]
                .into_iter()
                .any(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
            if !busy {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the broker on port {} cannot be killed", self.amqp_port);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn http(&self, method: &str, path: &str, body: &str) -> Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http_port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {GUEST}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(answer.starts_with("HTTP/1.1 2"), "{method} {path}: {}", answer.lines().next().unwrap_or_default());
        Ok(())
    }
}

/// Removes the files of nodes of earlier runs.
fn remove_ended() -> Result<()> {
    for entry in fs::read_dir(root())? {
        let entry = entry?;
        let name = entry.file_name();
        let run = name.to_str().and_then(|name| name.strip_prefix("shared-"));
        if run.is_some_and(|run| run == parent_id().to_string() || !Path::new("/proc").join(run).exists()) {
            // A node that is just ending may still write: then the next run removes it.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

fn root() -> PathBuf {
    programs::testkit_dir().join("rabbitmq")
}
