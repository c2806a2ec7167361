//! A private PostgreSQL server, shared by all tests of a run, and a fresh database for each test.
//!
//! The first process that needs the server starts it under `target/`; it stops by itself when no
//! process has used it for a while. It listens on the loopback only and syncs nothing to disk:
//! never keep anything in it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    ports::free_port,
    programs::{as_postgres, command, installed, is_root, testkit_dir},
};

const VERSIONS: &str = "/usr/lib/postgresql";

/// Open lock file that marks this process as a user of the server, until the process ends.
static IN_USE: Mutex<Option<File>> = Mutex::new(None);

/// A database for one test; removed on drop.
pub struct TestDatabase {
    /// URL: `sqlite:`, or `postgres:` with a login that owns the database but is no superuser, so that row-level
    /// security binds it too.
    pub url: String,
    home: Home,
}

enum Home {
    Postgres { port: u16, name: String },
    Sqlite { directory: PathBuf },
}

impl TestDatabase {
    /// Returns a fresh database on the shared server; starts the server if need be.
    ///
    /// # Errors
    /// PostgreSQL is not installed (Debian: `postgresql`) or does not start; the message names its log.
    pub async fn postgres() -> Result<Self> {
        tokio::task::spawn_blocking(|| {
            let port = running_server()?;
            let name = format!("keyway_test_{}_{:08x}", std::process::id(), fastrand::u32(..));
            psql(port, &format!("CREATE DATABASE {name} OWNER keyway TEMPLATE template0"))?;
            Ok(Self { url: format!("postgres://keyway@127.0.0.1:{port}/{name}"), home: Home::Postgres { port, name } })
        })
        .await?
    }

    /// Returns the same database's URL with a superuser, for dumps and for faults; on SQLite the same as [`Self::url`].
    #[must_use]
    pub fn superuser_url(&self) -> String {
        self.url.replacen("//keyway@", "//postgres@", 1)
    }

    /// Makes every session that begins from now on read-only, as on a standby, and ends the open ones; with `false`,
    /// makes new sessions writable and leaves open ones read-only, as when an address moves to another server.
    ///
    /// The database is on SQLite, or the server is away.
    pub async fn only_reads(&self, on: bool) -> Result<()> {
        let Home::Postgres { port, name } = &self.home else { bail!("SQLite has no such sessions") };
        let (port, name) = (*port, name.clone());
        tokio::task::spawn_blocking(move || {
            psql(port, &format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}"))?;
            let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            if on { psql(port, &end) } else { Ok(()) }
        })
        .await?
    }

    /// Returns a fresh file in a directory of its own.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn sqlite() -> Result<Self> {
        let name = format!("sqlite/{}-{:016x}", std::process::id(), fastrand::u64(..));
        let directory = testkit_dir().join(name);
        fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        let url = format!("sqlite://{}", directory.join("keyway.db").display());
        Ok(Self { url, home: Home::Sqlite { directory } })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // What cannot be cleaned up goes with the server's next start, or with `target/`.
        let _ = match &self.home {
            Home::Postgres { port, name } => psql(*port, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")),
            Home::Sqlite { directory } => fs::remove_dir_all(directory).map_err(Into::into),
        };
    }
}

fn running_server() -> Result<u16> {
    let home = testkit_dir().join("postgres");
    fs::create_dir_all(&home).with_context(|| format!("make {}", home.display()))?;
    let home = home.canonicalize()?;
    let mut in_use = IN_USE.lock().map_err(|_| anyhow::anyhow!("another test panicked while starting PostgreSQL"))?;
    if in_use.is_none() {
        let users = open_lock(&home.join("users.lock"))?;
        users.lock_shared()?;
        *in_use = Some(users);
    }
    let starting = open_lock(&home.join("start.lock"))?;
    starting.lock()?;
    if let Some(port) = answering_port(&home) {
        return Ok(port);
    }
    start(&home)
}

fn open_lock(path: &Path) -> Result<File> {
    Ok(File::options().create(true).truncate(false).write(true).open(path)?)
}

fn answering_port(home: &Path) -> Option<u16> {
    let port = fs::read_to_string(home.join("port")).ok()?.trim().parse().ok()?;
    psql(port, "SELECT 1").ok().map(|()| port)
}

fn start(home: &Path) -> Result<u16> {
    let data = home.join("data");
    let _ = server_command(home, "pg_ctl")?.args(["stop", "-m", "immediate", "-D"]).arg(&data).output();
    let _ = fs::remove_dir_all(&data);
    initialise(home)?;
    let port = free_port()?;
    launch(home, port, "-c synchronous_commit=off -c full_page_writes=off")?;
    psql(port, "CREATE ROLE keyway LOGIN CREATEROLE")?;
    fs::write(home.join("port"), port.to_string())?;
    stop_when_unused(home, &data)?;
    Ok(port)
}

/// Makes an empty cluster in `home/data`.
pub(crate) fn initialise(home: &Path) -> Result<()> {
    let (data, log) = (home.join("data"), home.join("server.log"));
    fs::create_dir_all(&data)?;
    fs::write(&log, "")?;
    if is_root() {
        run(command(Path::new("/bin/chown")).arg("postgres:").arg(&data).arg(&log))?;
    }
    let mut initdb = server_command(home, "initdb")?;
    run(initdb
        .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"])
        .arg(&data))
}

/// Starts the cluster in `home/data` and waits until it serves.
pub(crate) fn launch(home: &Path, port: u16, more_settings: &str) -> Result<()> {
    let log = home.join("server.log");
    let settings = format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=300 \
         -c shared_buffers=64MB {more_settings}"
    );
    let mut pg_ctl = server_command(home, "pg_ctl")?;
    pg_ctl.args(["start", "-w", "-t", "60", "-o", &settings, "-l"]).arg(&log).arg("-D").arg(home.join("data"));
    let started = pg_ctl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(started.success(), "PostgreSQL did not start; see {}", log.display());
    Ok(())
}

/// Leaves a process behind that stops the server once no process holds the lock of its users.
fn stop_when_unused(home: &Path, data: &Path) -> Result<()> {
    let script = "while sleep 20 && [ -e \"$3/postmaster.pid\" ]; do flock -n -x \"$1\" \"$2\" stop -m immediate -D \"$3\"; done";
    let mut watch = as_postgres(Path::new("/bin/sh"));
    watch.args(["-c", script, "sh"]).arg(home.join("users.lock")).arg(binary("pg_ctl")?).arg(data);
    run(Command::new("chmod").arg("a+rw").arg(home.join("users.lock")))?;
    let mut detached = Command::new("setsid");
    detached.arg("--fork").arg(watch.get_program()).args(watch.get_args());
    let status = detached.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "the watch over the idle PostgreSQL did not start");
    Ok(())
}

pub(crate) fn psql(port: u16, statement: &str) -> Result<()> {
    let mut psql = command(&binary("psql")?);
    psql.args(["-X", "-q", "-w", "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-v", "ON_ERROR_STOP=1"]);
    run(psql.args(["-p", &port.to_string(), "-c", statement]))
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

pub(crate) fn server_command(home: &Path, name: &str) -> Result<Command> {
    let mut command = as_postgres(&binary(name)?);
    command.current_dir(home);
    Ok(command)
}

/// Returns the path of the newest installed version's program.
pub(crate) fn binary(name: &str) -> Result<PathBuf> {
    let versions = fs::read_dir(installed(VERSIONS)).context("PostgreSQL is not installed; apt install postgresql")?;
    let versions = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max().context("PostgreSQL is not installed; apt install postgresql")?;
    Ok(Path::new(VERSIONS).join(newest.to_string()).join("bin").join(name))
}
