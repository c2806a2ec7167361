//! The binary's messages about wrong settings: the setting, and its valid values; nothing twice, no secret value, and
//! nothing created before the message.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::harness::process;

/// An empty directory, in which the binary is run.
struct Desk(PathBuf);

impl Desk {
    fn new() -> Result<Self> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("desk-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }

    /// Runs a subcommand that must fail, and returns its message.
    fn refused(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Result<String> {
        let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let output = process::command(process::program(), &self.0, &settings, arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success(), "{arguments:?} succeeded: {said}");
        Ok(said)
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        Ok(fs::read_dir(&self.0)?.filter_map(|entry| Some(entry.ok()?.path())).collect())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Left behind at worst, in the build's own directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_wrong_setting_is_named_with_what_it_has_to_be() -> Result<()> {
    let desk = Desk::new()?;
    for (name, value, said) in [
        ("KEYWAY_LISTNE", "127.0.0.1:1", "did you mean KEYWAY_LISTEN?"),
        ("KEYWAY_LISTEN", "example.com:8080", "KEYWAY_LISTEN cannot be used: it must be an address and a port"),
        ("KEYWAY_LOG_FORMAT", "yaml", "KEYWAY_LOG_FORMAT cannot be used: it must be text or json"),
        ("KEYWAY_LOG", "keyway_bus=loud", "KEYWAY_LOG cannot be used"),
        ("KEYWAY_USAGE_INTERVAL_SECONDS", "15m", "a whole number of seconds from 1 to 86400, like 900"),
        ("KEYWAY_TRUSTED_UPSTREAMS", "http://localhost:11434", "without http://"),
        ("KEYWAY_MODELS_FILE", "/nope.yaml", "KEYWAY_MODELS_FILE: /nope.yaml cannot be read"),
        ("KEYWAY_DATA_DIR", "/etc/hostname", "KEYWAY_DATA_DIR: /etc/hostname is a file; name a directory"),
        ("KEYWAY_DATA_DIR", "/proc/keyway", "KEYWAY_DATA_DIR: /proc/keyway cannot be written to"),
    ] {
        let ports = [("KEYWAY_LISTEN", "127.0.0.1:0"), ("KEYWAY_OPS_LISTEN", "127.0.0.1:0")];
        let own: Vec<_> = ports.into_iter().filter(|(own, _)| *own != name).chain([(name, value)]).collect();
        let text = desk.refused(&["serve"], &own)?;
        ensure!(text.contains(said), "{name}={value}: {text}");
        ensure!(text.matches("os error").count() <= 1, "said twice: {text}");
    }
    Ok(())
}

#[test]
fn a_port_in_use_is_said_before_anything_is_made() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    for (name, other) in [("KEYWAY_LISTEN", "KEYWAY_OPS_LISTEN"), ("KEYWAY_OPS_LISTEN", "KEYWAY_LISTEN")] {
        let desk = Desk::new()?;
        let text = desk.refused(&["serve"], &[(name, &address), (other, "127.0.0.1:0")])?;
        ensure!(text.contains(&format!("{name}: {address} is in use")), "{text}");
        ensure!(text.contains(&format!("set {name} to another address")), "{text}");
        ensure!(desk.files()?.is_empty(), "it made {:?}", desk.files()?);
    }
    Ok(())
}

#[test]
fn a_database_that_is_not_there_or_none_is_named_once_and_not_made() -> Result<()> {
    let desk = Desk::new()?;
    for arguments in [&["dead-letters", "list"][..], &["import-env"], &["fetch-usage"]] {
        let text = desk.refused(arguments, &[("OPENAI_API_KEY", "sk-proj-AAAAAAAAAAAAAAAAAAAAwxyz")])?;
        ensure!(text.matches("./data/keyway.db").count() == 1 && text.contains("start Keyway first"), "{text}");
        ensure!(desk.files()?.is_empty(), "{arguments:?} made {:?}", desk.files()?);
    }
    let file = desk.0.join("notes.db");
    fs::write(&file, "this is no database, but a text of some length, so that nobody takes it for an empty one")?;
    let url = format!("sqlite://{}", file.display());
    for arguments in [&["migrate"][..], &["dead-letters", "list"], &["keys", "verify"]] {
        if arguments[0] == "keys" {
            let made = process::command(process::program(), &desk.0, &[], &["keys", "init"]).output()?;
            ensure!(made.status.success());
        }
        let text = desk.refused(arguments, &[("KEYWAY_DATABASE_URL", &url)])?;
        ensure!(text.matches(&file.display().to_string()).count() == 1, "{arguments:?}: {text}");
        ensure!(text.matches("not a database").count() == 1, "{arguments:?}: {text}");
    }
    Ok(())
}

#[test]
fn a_database_on_a_server_is_named_and_its_password_never() -> Result<()> {
    let desk = Desk::new()?;
    for arguments in [&["migrate"][..], &["dead-letters", "list"]] {
        let url = "postgres://canary:canary%2F@127.0.0.1:1/keyway";
        let text = desk.refused(arguments, &[("KEYWAY_DATABASE_URL", url)])?;
        ensure!(text.matches("the database keyway at 127.0.0.1:1").count() == 1, "{arguments:?}: {text}");
        ensure!(text.matches("os error").count() == 1 || text.contains("timed out"), "{arguments:?}: {text}");
        ensure!(!text.contains("canary"), "{arguments:?}: {text}");
    }
    for url in [
        "postgres://keyway:canary/pw@127.0.0.1:1/keyway",
        "postgres://keyway:canary?pw@127.0.0.1:1/keyway",
        "postgres://keyway:canary#pw@127.0.0.1:1/keyway",
        "postgres://keyway:canary@canary@127.0.0.1:1/keyway",
        "postgres://keyway:canary@127.0.0.1:1/keyway?canary=canary",
        "canary://keyway:canary@127.0.0.1:1/keyway",
    ] {
        for arguments in [&["migrate"][..], &["api"], &["dead-letters", "list"], &["healthcheck"]] {
            let text =
                desk.refused(arguments, &[("KEYWAY_DATABASE_URL", url), ("KEYWAY_AMQP_URL", "amqp://127.0.0.1:1")])?;
            ensure!(text.contains("KEYWAY_DATABASE_URL cannot be used") && !text.contains("canary"), "{url}: {text}");
        }
        let amqp = url.replacen("postgres", "amqp", 1);
        if !amqp.contains("?canary=") {
            let text = desk.refused(&["api"], &[("KEYWAY_AMQP_URL", &amqp)])?;
            ensure!(text.contains("KEYWAY_AMQP_URL cannot be used") && !text.contains("canary"), "{amqp}: {text}");
        }
    }
    Ok(())
}

#[test]
fn a_directory_for_a_keyring_is_not_to_be_made_private() -> Result<()> {
    let desk = Desk::new()?;
    let directory = desk.0.display().to_string();
    for arguments in [&["keys", "init"][..], &["keys", "verify"]] {
        let text = desk.refused(arguments, &[("KEYWAY_KEYRING", &directory)])?;
        ensure!(
            text.contains("KEYWAY_KEYRING") && text.contains("is a directory") && !text.contains("chmod"),
            "{text}"
        );
        ensure!(text.contains(&format!("{directory}/keyring.json")), "{text}");
    }
    Ok(())
}

#[test]
fn a_line_of_the_env_file_that_cannot_be_read_is_named_and_never_quoted() -> Result<()> {
    let desk = Desk::new()?;
    fs::write(desk.0.join(".env"), "APP_NAME=My App\nKEYWAY_ADMIN_KEY=\"canary-canary\n")?;
    let text = desk.refused(&["serve"], &[])?;
    ensure!(text.contains("KEYWAY_ADMIN_KEY in line 2") && !text.contains("canary"), "{text}");
    fs::write(desk.0.join(".env"), "canary canary\nexport KEYWAY_LOG = info # all\nKEYWAY_DATA_DIR='it''s'\n")?;
    let text = desk.refused(&["dead-letters", "list"], &[])?;
    ensure!(text.contains("its/keyway.db") && text.contains("line 1"), "{text}");
    let warning = text.lines().find(|line| line.contains("line 1")).context("no warning")?;
    ensure!(!warning.contains("canary"), "{warning}");
    Ok(())
}
