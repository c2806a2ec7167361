//! A PostgreSQL server for one test, which may kill it and search its files.
//!
//! Unlike the shared one it answers a commit only when the operating system has the log, so that a
//! killed server loses nothing that it confirmed. It never outlives the test's process for long.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{
    ports::free_port,
    postgres::{binary, initialise, launch, psql, run, server_command},
    programs::{as_postgres, command, testkit_dir},
};

/// A running or killed server with one database; dropping it removes both.
pub struct PrivatePostgres {
    /// URL of the database, with a superuser.
    pub url: String,
    home: PathBuf,
    port: u16,
}

impl PrivatePostgres {
    /// Starts a server.
    ///
    /// # Errors
    /// PostgreSQL is not installed (Debian: `postgresql`) or does not start.
    pub async fn start() -> Result<Self> {
        tokio::task::spawn_blocking(|| {
            let home = testkit_dir().join(format!("postgres-{:016x}", fastrand::u64(..)));
            fs::create_dir_all(&home).with_context(|| format!("make {}", home.display()))?;
            let home = home.canonicalize()?;
            initialise(&home)?;
            let port = free_port()?;
            let server = Self { url: format!("postgres://postgres@127.0.0.1:{port}/keyway"), home, port };
            launch(&server.home, port, "")?;
            server.stop_with_this_process()?;
            psql(port, "CREATE DATABASE keyway TEMPLATE template0")?;
            Ok(server)
        })
        .await?
    }

    /// Ends every process of the server at once, like a crash.
    ///
    /// # Errors
    /// The server does not run.
    pub async fn kill(&self) -> Result<()> {
        let home = self.home.clone();
        tokio::task::spawn_blocking(move || stop(&home)).await?
    }

    /// Starts the killed server again: same port, same data.
    ///
    /// # Errors
    /// The server does not start.
    pub async fn revive(&self) -> Result<()> {
        let (home, port) = (self.home.clone(), self.port);
        tokio::task::spawn_blocking(move || launch(&home, port, "")).await?
    }

    /// Returns the directory of the server's files: tables, write-ahead log, messages.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.home
    }

    /// Returns the output of `pg_dump` for the database.
    ///
    /// # Errors
    /// The server is away.
    pub async fn dump(&self) -> Result<Vec<u8>> {
        let mut pg_dump = command(&binary("pg_dump")?);
        pg_dump.arg("--inserts").arg(&self.url).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || {
            let output = pg_dump.output()?;
            ensure!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
            Ok(output.stdout)
        })
        .await?
    }

    fn stop_with_this_process(&self) -> Result<()> {
        let script = "while [ -d \"/proc/$1\" ] && [ -d \"$3\" ]; do sleep 2; done; \"$2\" stop -m immediate -D \"$3\"";
        let mut watch = as_postgres(Path::new("/bin/sh"));
        watch.args(["-c", script, "sh", &std::process::id().to_string()]);
        watch.arg(binary("pg_ctl")?).arg(self.home.join("data"));
        let mut detached = Command::new("setsid");
        detached.arg("--fork").arg(watch.get_program()).args(watch.get_args()).current_dir("/");
        let status = detached.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "the watch over the private PostgreSQL did not start");
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // It may have been killed by the test; what is left goes with `target/`.
        let _ = stop(&self.home);
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn stop(home: &Path) -> Result<()> {
    run(server_command(home, "pg_ctl")?.args(["stop", "-m", "immediate", "-D"]).arg(home.join("data")))
}
