//! One process of the built binary, with its log in a file.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::until;

/// Lines of a log that a failing test shows.
const TAIL: usize = 60;

/// Binary to run instead of the one of the last build, if set.
pub(crate) static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// A process that was started; dropping it kills it.
pub(crate) struct Process {
    pub(crate) name: String,
    log: PathBuf,
    child: Option<Child>,
}

/// The binary that is under test.
pub(crate) fn program() -> &'static Path {
    PROGRAM.get().map_or(Path::new(env!("CARGO_BIN_EXE_keyway")), PathBuf::as_path)
}

/// A binary with these settings and no other, run in `dir`.
pub(crate) fn command(program: &Path, dir: &Path, settings: &[(String, String)], arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).env_clear().envs(settings.iter().cloned()).stdin(Stdio::null());
    command
}

impl Process {
    /// Starts a [`command`]. Its log is appended to `<name>.log`.
    pub(crate) fn start(name: &str, dir: &Path, mut command: Command) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let child = command.stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Self { name: name.to_owned(), log, child: Some(child) })
    }

    /// Returns its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.as_mut().context("it was ended before")?.try_wait()?)
    }

    /// Returns `true` if it should be running.
    pub(crate) fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// Its id.
    pub(crate) fn id(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("it was ended before")?.id())
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it was ended before")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks it to stop, as an orchestrator does.
    pub(crate) fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.id()?)?).context("a process has an id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus> {
        let (name, mut status) = (self.name.clone(), None);
        until(&format!("{name} ends"), async || {
            status = self.ended()?;
            Ok(status.is_some())
        })
        .await?;
        self.child = None;
        status.context("it has ended")
    }

    /// Everything it wrote.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// The end of what it wrote, for a failing test.
    pub(crate) fn tail(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
