//! Process-wide protection of secrets in memory: nobody dumps it, and the environment does not show what was read from it.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
};

use keyway_config::SECRETS;
use keyway_vault::SecretBytes;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Field of `/proc/self/stat` with the address of the environment, counted from the one behind the program's name.
const ENVIRONMENT_START: usize = 47;

/// Protects the process; to be called before it has a second thread. Returns what could not be done.
pub(crate) fn protect() -> Vec<String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    // First: afterwards the memory is closed to this user, and so to this process.
    let cleared = clear_environment(&SECRETS);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    [
        cleared.map_err(|error| failed("secrets stay in the environment", &error)),
        // A core dump would hold every opened secret. A program that takes dumps through a pipe heeds no limit, but this.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| failed("others may read it", &error)),
        setrlimit(Resource::Core, none).map_err(|error| failed("core dumps are on", &error)),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect()
}

/// Overwrites the values of variables where the system keeps what a process was started with, and shows it. They are
/// empty from then on.
fn clear_environment(names: &[&str]) -> io::Result<()> {
    let shown = SecretBytes::new(fs::read("/proc/self/environ")?);
    let values = values_of(shown.plain(), names);
    if values.is_empty() {
        return Ok(());
    }
    let unknown = || io::Error::other("the system does not say where it is");
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The program's name is in brackets, and may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or_else(unknown)?;
    let start: u64 =
        fields.split_whitespace().nth(ENVIRONMENT_START).and_then(|it| it.parse().ok()).ok_or_else(unknown)?;
    if start == 0 {
        return Err(unknown());
    }
    let memory = File::options().write(true).open("/proc/self/mem")?;
    for (at, length) in values {
        memory.write_all_at(&vec![0; length], start + at)?;
    }
    Ok(())
}

/// Returns the places and lengths of these variables' values in an environment.
fn values_of(environment: &[u8], names: &[&str]) -> Vec<(u64, usize)> {
    let (mut values, mut at) = (Vec::new(), 0);
    for entry in environment.split(|byte| *byte == 0) {
        let name = entry.split(|byte| *byte == b'=').next().unwrap_or_default();
        if names.iter().any(|known| known.as_bytes() == name) && entry.len() > name.len() + 1 {
            values.push((at + name.len() as u64 + 1, entry.len() - name.len() - 1));
        }
        at += entry.len() as u64 + 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn a_process_is_not_dumped() {
        assert_eq!(protect(), Vec::<String>::new());
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }

    #[test]
    fn the_values_of_secrets_are_found_and_no_others() {
        let environment = b"A=1\0KEY=secret=2\0KEY_2=x\0NO KEY=y\0KEY=\0KEY\0".as_slice();
        assert_eq!(values_of(environment, &["KEY", "NONE"]), [(8, 8)]);
        assert_eq!(&environment[8..16], b"secret=2");
    }
}
