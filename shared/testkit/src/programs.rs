//! Starts the programs of PostgreSQL and RabbitMQ: those of this machine, or those of another system.
//!
//! The variable `TESTKIT_ROOT` names, as an absolute path, a directory with a whole system in which both are installed,
//! as made by `scripts/infra/roots.sh`: every test then runs on the versions in it. That needs root, and each program
//! gets mounts of its own. Tests on two roots may run at once: each has a directory under `target/`.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const ROOT: &str = "TESTKIT_ROOT";

/// Shell script that enters a root. Arguments: the root, the directory to mount at the same path in it, a user; then
/// the program.
const ENTER: &str = r#"
    mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mkdir -p "$1$2" && mount --rbind "$2" "$1$2" || exit 97
    root=$1 user=$3
    shift 3
    exec chroot --userspec="$user" "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
"#;

/// Returns the testkit's directory for servers and database files.
pub(crate) fn testkit_dir() -> PathBuf {
    let name = match root().as_deref().and_then(Path::file_name) {
        Some(root) => format!("testkit-{}", root.display()),
        None => "testkit".to_owned(),
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Without `..`: in a root there is nothing but the directory itself.
    here.ancestors().nth(2).unwrap_or(here).join("target").join(name)
}

/// Returns the location of a system path in the system that provides the programs.
pub(crate) fn installed(path: &str) -> PathBuf {
    root().map_or_else(|| path.into(), |root| root.join(path.trim_start_matches('/')))
}

/// Returns a command that runs a program as the current user.
pub(crate) fn command(program: &Path) -> Command {
    match root() {
        Some(root) => entered(&root, "root", program),
        None => Command::new(program),
    }
}

/// Returns a command that runs a program of PostgreSQL. It refuses to run as root: then it runs as the user that its
/// package made for it.
pub(crate) fn as_postgres(program: &Path) -> Command {
    if let Some(root) = root() {
        return entered(&root, "postgres", program);
    }
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[expect(clippy::disallowed_methods, reason = "which services tests run on is no setting of Keyway's")]
fn root() -> Option<PathBuf> {
    env::var_os(ROOT).filter(|root| !root.is_empty()).map(PathBuf::from)
}

fn entered(root: &Path, user: &str, program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--", "sh", "-c", ENTER, "sh"]);
    command.arg(root).arg(testkit_dir()).arg(user).arg(program);
    command
}
