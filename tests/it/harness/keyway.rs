//! An installation: services, settings and the processes that use them.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use keyway_testkit::{ports::free_port, simulator::Simulator};
use serde_json::{Value, json};

use super::{Answer, Api, Database, Services, metrics, process, process::Process, queues, until};

/// An installation of Keyway for one test.
pub(crate) struct Keyway {
    /// Its provider.
    pub(crate) simulator: Simulator,
    /// Directory of its files: one data directory per process, the keyring, the logs.
    pub(crate) dir: PathBuf,
    /// Services it runs on.
    pub(crate) services: Services,
    /// The admin key.
    pub(crate) admin_key: String,
    settings: Vec<(String, String)>,
    members: Vec<Member>,
    finished: bool,
}

/// A process and its addresses.
pub(crate) struct Member {
    /// The process.
    pub(crate) process: Process,
    /// API and proxy; workers have none.
    pub(crate) api: Option<Api>,
    /// Health and metrics.
    pub(crate) ops: SocketAddr,
    /// The subcommand.
    pub(crate) role: &'static str,
    /// Settings of this process alone, for its next start.
    pub(crate) settings: Vec<(String, String)>,
    /// Binary for its next start, if it is not the one under test.
    pub(crate) program: Option<PathBuf>,
}

impl Keyway {
    /// One process, SQLite, no service.
    pub(crate) async fn embedded() -> Result<Self> {
        let mut keyway = Self::on(Services::Embedded).await?;
        keyway.start("serve").await?;
        Ok(keyway)
    }

    /// Starts so many processes of each role, on the shared servers.
    pub(crate) async fn cluster(apis: usize, workers: usize) -> Result<Self> {
        let mut keyway = Self::on(Services::shared().await?).await?;
        keyway.run(&["migrate"])?;
        for role in std::iter::repeat_n("api", apis).chain(std::iter::repeat_n("workers", workers)) {
            keyway.start(role).await?;
        }
        Ok(keyway)
    }

    /// An installation whose processes the test starts itself.
    pub(crate) async fn on(services: Services) -> Result<Self> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keyway-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&dir)?;
        let simulator = Simulator::start().await?;
        let admin_key = format!("kw_admin_{:032x}", fastrand::u128(..));
        let mut settings = services.settings();
        for (name, value) in [
            ("KEYWAY_ADMIN_KEY", admin_key.clone()),
            ("KEYWAY_KEYRING", dir.join("keyring.json").display().to_string()),
            ("KEYWAY_TRUSTED_UPSTREAMS", simulator.host()),
            ("KEYWAY_CONFIRM_AFTER_MS", "200".to_owned()),
            ("KEYWAY_USAGE_INTERVAL_SECONDS", "86400".to_owned()),
        ] {
            settings.push((name.to_owned(), value));
        }
        Ok(Self { simulator, dir, services, admin_key, settings, members: Vec::new(), finished: false })
    }

    /// Changes a setting for every process that is started from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Starts a process without waiting for it; returns its index.
    pub(crate) fn spawn(&mut self, role: &'static str) -> Result<usize> {
        let at = self.members.len();
        let name = format!("{role}-{at}");
        let (listen, ops) = (free_port()?, free_port()?);
        let ops = SocketAddr::from(([127, 0, 0, 1], ops));
        let own = [
            ("KEYWAY_DATA_DIR", self.dir.join(&name).display().to_string()),
            ("KEYWAY_LISTEN", format!("127.0.0.1:{listen}")),
            ("KEYWAY_OPS_LISTEN", ops.to_string()),
        ];
        let settings: Vec<_> = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let api = match role {
            "workers" => None,
            _ => Some(Api::new(format!("http://127.0.0.1:{listen}"), &self.admin_key)?),
        };
        let command = process::command(process::program(), &self.dir, &self.with(&settings), &[role]);
        let process = Process::start(&name, &self.dir, command)?;
        self.members.push(Member { process, api, ops, role, settings, program: None });
        Ok(at)
    }

    /// Starts a process and waits until it is ready.
    pub(crate) async fn start(&mut self, role: &'static str) -> Result<usize> {
        let at = self.spawn(role)?;
        self.ready(at).await?;
        Ok(at)
    }

    /// Starts an ended process again: same data, same addresses.
    pub(crate) fn respawn(&mut self, at: usize) -> Result<()> {
        let member = &self.members[at];
        let (settings, program) = (self.with(&member.settings), member.program.as_deref());
        let command = process::command(program.unwrap_or(process::program()), &self.dir, &settings, &[member.role]);
        let process = Process::start(&member.process.name, &self.dir, command)?;
        self.members[at].process = process;
        Ok(())
    }

    /// Waits until a process is ready to work.
    pub(crate) async fn ready(&self, at: usize) -> Result<()> {
        until(&format!("{} is ready", self.members[at].process.name), async || {
            let ready = self.ops(at, "/readyz").await?;
            ensure!(ready.status == 200, "{}", ready.text);
            // The ops listener is there before the API's.
            match &self.members[at].api {
                Some(api) => Ok(api.send(reqwest::Method::GET, "/api/openapi.json", None, &[]).await?.status == 200),
                None => Ok(true),
            }
        })
        .await
    }

    /// Runs a subcommand to its end, with the installation's settings and the first member's data.
    pub(crate) fn run_any(&self, arguments: &[&str]) -> Result<Output> {
        let own = self.members.first().map_or(Vec::new(), |member| member.settings.clone());
        Ok(process::command(process::program(), &self.dir, &self.with(&own), arguments).output()?)
    }

    /// Works like [`Self::run_any`]; the subcommand must succeed. Returns its output.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run_any(arguments)?;
        let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        ensure!(output.status.success(), "keyway {arguments:?}: {printed}");
        Ok(printed)
    }

    /// Works like [`Self::run`], with a text on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let own = self.members.first().map_or(Vec::new(), |member| member.settings.clone());
        let mut command = process::command(process::program(), &self.dir, &self.with(&own), arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn()?;
        // Closed at the end of the statement: the command reads to the end of it.
        child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        ensure!(output.status.success(), "keyway {arguments:?}: {printed}");
        Ok(printed)
    }

    /// Asks an ops listener.
    pub(crate) async fn ops(&self, at: usize, path: &str) -> Result<Answer> {
        let api = Api::new(format!("http://{}", self.members[at].ops), "none")?;
        api.send(reqwest::Method::GET, path, None, &[]).await
    }

    /// One of the processes.
    pub(crate) fn member(&mut self, at: usize) -> &mut Member {
        &mut self.members[at]
    }

    /// All of them.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The first listener's client.
    pub(crate) fn api(&self) -> Result<&Api> {
        self.apis().next().context("no process has an API")
    }

    /// Every listener's client.
    pub(crate) fn apis(&self) -> impl Iterator<Item = &Api> {
        self.members.iter().filter(|member| member.process.is_started()).filter_map(|member| member.api.as_ref())
    }

    /// The test's own view of the database.
    pub(crate) async fn database(&self) -> Result<Database> {
        let data_dir = self.dir.join(self.members.first().map_or("", |member| member.process.name.as_str()));
        Database::open(&self.services.database_url(&data_dir)).await
    }

    /// The body that submits a key of the simulator for OpenAI.
    pub(crate) fn openai(&self, name: &str, credentials: &str) -> Value {
        let config = json!({ "base_url": self.simulator.base_url });
        json!({ "provider": "openai", "name": name, "credentials": credentials, "config": config })
    }

    /// Waits until nothing is under way: no message waits anywhere and no handler runs.
    pub(crate) async fn settle(&self) -> Result<()> {
        let database = self.database().await?;
        let mut still = 0;
        until("everything is delivered and handled", async || {
            let under_way = self.under_way(&database).await;
            still = if matches!(under_way, Ok(0)) { still + 1 } else { 0 };
            // Seen twice: between two looks a message could be on its way from one place to the next.
            ensure!(still >= 2, "under way: {under_way:?}");
            Ok(true)
        })
        .await
    }

    async fn under_way(&self, database: &Database) -> Result<i64> {
        let mut count = database.outbox_rows().await?;
        if let Some(broker) = self.services.broker() {
            count += i64::from(queues::waiting(&broker.amqp_url).await?);
        }
        for (at, _) in self.members.iter().enumerate().filter(|(_, member)| member.process.is_started()) {
            let figures = self.ops(at, "/metrics").await?.text;
            for unfinished in ["keyway_lane_running", "keyway_audit_grouped"] {
                if metrics::sum(&figures, unfinished)? > 0.0 {
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    /// Stops every process gracefully and checks that nothing is left anywhere.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.settle().await?;
        let database = self.database().await?;
        self.stop().await?;
        ensure!(database.outbox_rows().await? == 0, "the outbox is not empty");
        let letters = database.dead_letters().await?;
        ensure!(letters.is_empty(), "dead letters were filed: {letters:?}");
        if let Some(broker) = self.services.broker() {
            queues::ensure_empty(&broker.amqp_url).await?;
        }
        self.finished = true;
        Ok(())
    }

    /// Stops every process as an orchestrator does; each must end well.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let running: Vec<_> = self.members.iter_mut().filter(|member| member.process.is_started()).collect();
        for member in &running {
            member.process.terminate()?;
        }
        for member in running {
            let status = member.process.wait().await?;
            ensure!(status.success(), "{} ended with {status}", member.process.name);
        }
        Ok(())
    }

    /// Its settings, and those that one process has alone.
    pub(crate) fn with(&self, own: &[(String, String)]) -> Vec<(String, String)> {
        self.settings.iter().chain(own).cloned().collect()
    }
}

impl Drop for Keyway {
    #[expect(clippy::print_stdout, reason = "a test that fails shows its processes' logs")]
    fn drop(&mut self) {
        if !self.finished {
            for member in &self.members {
                println!("--- {} ({}) ---\n{}", member.process.name, self.dir.display(), member.process.tail());
            }
        }
        // They must be gone before the services are.
        self.members.clear();
        if self.finished {
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}
