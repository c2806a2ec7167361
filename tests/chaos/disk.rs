//! A disk that can be full: a small file system in the place of a directory.

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// Argument that says that [`enter_own_mounts`] was called.
pub(crate) const OWN_MOUNTS: &str = "--own-mounts";
/// Size option of a roomy disk.
const ROOMY: &str = "size=4g";
/// Number of tries, because writers go on while the file system shrinks to its used size.
const TRIES: usize = 50;

/// Runs this program again with private mounts, which end with it, if the system allows that.
pub(crate) fn enter_own_mounts() -> Result<()> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        command
    };
    if unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        let arguments = std::env::args_os().skip(1);
        return Err(unshare().arg(std::env::current_exe()?).args(arguments).arg(OWN_MOUNTS).exec().into());
    }
    Ok(())
}

/// A file system of its own for a directory. Dropping it gives back the directory as it was before.
pub(crate) struct Disk {
    at: PathBuf,
    before: PathBuf,
}

impl Disk {
    /// Moves a directory's files to a file system of their own. Nobody may have any of them open.
    pub(crate) fn under(at: &Path) -> Result<Self> {
        let before = at.with_extension("before");
        fs::rename(at, &before)?;
        fs::create_dir(at)?;
        let disk = Self { at: at.to_owned(), before };
        run(
            "mount",
            [OsStr::new("-t"), "tmpfs".as_ref(), "-o".as_ref(), ROOMY.as_ref(), "chaos".as_ref(), at.as_ref()],
        )
        .context("a disk that can be full is a mounted tmpfs, which needs root")?;
        disk.copy(&disk.before, &disk.at)?;
        Ok(disk)
    }

    /// From now on not a byte more fits.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            let used = Command::new("df").args(["--output=used", "-k"]).arg(&self.at).output()?;
            let used = String::from_utf8_lossy(&used.stdout).lines().nth(1).unwrap_or_default().trim().to_owned();
            outcome = self.remount(&format!("size={used}k"));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// There is room again.
    pub(crate) fn free(&self) -> Result<()> {
        self.remount(ROOMY)
    }

    /// Moves the files back. Nobody may have any of them open.
    pub(crate) fn leave(self) -> Result<()> {
        fs::remove_dir_all(&self.before)?;
        fs::create_dir(&self.before)?;
        self.copy(&self.at, &self.before)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        run("cp", [OsStr::new("-a"), from.join(".").as_ref(), to.as_ref()])
    }

    fn remount(&self, size: &str) -> Result<()> {
        run("mount", [OsStr::new("-o"), format!("remount,{size}").as_ref(), self.at.as_ref()])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(run("umount", [OsStr::new("-l"), self.at.as_ref()]));
        drop(fs::remove_dir(&self.at));
        drop(fs::rename(&self.before, &self.at));
    }
}

fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
