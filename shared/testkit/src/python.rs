//! Pythons with one pinned package each, made once under `target/` and shared by all tests.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// Returns a Python with this package: `openai==3.52.0`. Blocks while it is installed.
///
/// # Errors
/// The package cannot be installed.
pub fn python(package: &str) -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = here.ancestors().nth(2).unwrap_or(here).join("target/tmp").join(package.replace("==", "-"));
    let python = home.join("bin/python");
    if home.join("installed").exists() {
        return Ok(python);
    }
    fs::create_dir_all(home.parent().unwrap_or(here))?;
    // Tests are processes of their own: one installs, the others wait for it.
    let lock = File::create(home.with_extension("lock"))?;
    lock.lock()?;
    if home.join("installed").exists() {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]))?;
    fs::write(home.join("installed"), package)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
