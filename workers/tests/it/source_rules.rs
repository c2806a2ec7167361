//! Promises kept by the shape of the source: the code that may publish, the code that may write a status, and the calls
//! that a handler may not make.

use std::{fs, path::Path};

use anyhow::{Result, ensure};

const WORKERS: &str = "workers/src";

/// The files of a folder of the repository, and their code without its tests.
fn sources(folder: &str) -> Result<Vec<(String, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root)?.to_string_lossy().into_owned();
            let text = fs::read_to_string(&path)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            found.push((name, code));
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the files of a folder whose code contains `what`.
fn using(folder: &str, what: &str) -> Result<Vec<String>> {
    Ok(sources(folder)?.into_iter().filter(|(_, code)| code.contains(what)).map(|(name, _)| name).collect())
}

#[test]
fn invariant_5_one_publisher_one_status_writer_one_audit_writer() -> Result<()> {
    for (what, homes) in [
        ("bus.publish(", &["attempt.rs"][..]),
        ("bus.relay(", &["relay.rs"]),
        ("verdicts::record(", &["writers/status.rs"]),
        ("transitions::start(", &["writers/status.rs"]),
        ("transitions::succeed(", &["writers/status.rs"]),
        ("transitions::fail(", &["writers/status.rs"]),
        ("transitions::defer(", &["writers/status.rs"]),
        ("transitions::complete_parents(", &["writers/status.rs"]),
        ("integrations::settle(", &["writers/status.rs"]),
        ("replacements::apply(", &["writers/status.rs"]),
        ("audit::append(", &["writers/audit.rs"]),
    ] {
        let found = using(WORKERS, what)?;
        ensure!(found == homes, "{what} belongs in {homes:?} and is in {found:?}");
    }
    Ok(())
}

/// The exceptions that the architecture names are the owner's own acts, each in one command.
#[test]
fn invariant_5_the_api_changes_a_status_only_where_its_owner_acts() -> Result<()> {
    for (what, homes) in [
        ("operations::cancel(", &["commands/cancel_operation.rs"][..]),
        ("operations::retry(", &["commands/retry_operation.rs"]),
        ("integrations::set_enabled(", &["commands/update_integration.rs"]),
        ("integrations::replace_secret(", &["commands/replace_credentials.rs"]),
        ("integrations::begin_test(", &["commands/retry_operation.rs", "commands/test_integration.rs"]),
        ("integrations::settle(", &["commands/cancel_operation.rs"]),
        ("replacements::apply", &[]),
        ("transitions::", &[]),
        ("verdicts::record", &[]),
        ("audit::append", &[]),
    ] {
        let found = using("api/src", what)?;
        ensure!(found == homes, "{what} belongs in {homes:?} and is in {found:?}");
    }
    Ok(())
}

/// The proxy has the bus, to hear what is out of date.
#[test]
fn invariant_5_the_proxy_publishes_nothing_and_changes_no_status() -> Result<()> {
    for what in [
        ".publish(",
        ".relay(",
        "operations::",
        "transitions::",
        "verdicts::",
        "integrations::settle(",
        "integrations::set_enabled(",
        "integrations::replace_secret(",
        "integrations::begin_test(",
        "replacements::",
        "audit::append",
    ] {
        let found = using("proxy/src", what)?;
        ensure!(found.is_empty(), "{what} is no business of the proxy and is in {found:?}");
    }
    ensure!(!using("proxy/src", "outbox::insert")?.is_empty(), "the search finds what the proxy writes");
    Ok(())
}

#[test]
fn invariant_5_the_store_writes_a_status_in_six_files() -> Result<()> {
    let mut found = Vec::new();
    for assignment in ["SET state =", "SET status =", "= \"state = '", "(\"status\","] {
        found.extend(using("shared/store/src", assignment)?);
    }
    found.sort();
    found.dedup();
    // The state of a mail is its own: of the operation that sends it the status writer tells.
    found.retain(|file| !file.starts_with("mails/"));
    // The status writer's, and the owner's own acts.
    let homes = [
        "integrations/change.rs",
        "integrations/waiting.rs",
        "operations/mod.rs",
        "replacements/apply.rs",
        "transitions.rs",
        "verdicts.rs",
    ];
    ensure!(found == homes, "statuses are written in {found:?}");
    Ok(())
}

#[test]
fn invariant_8_a_handler_never_sleeps_spawns_or_publishes() -> Result<()> {
    let handlers: Vec<_> = sources(WORKERS)?.into_iter().filter(|(name, _)| name.starts_with("jobs/")).collect();
    ensure!(handlers.len() >= 5, "the handlers are not where this looks for them");
    for (name, code) in handlers {
        for forbidden in ["sleep(", "spawn(", "ctx.bus", "until_well", "interval("] {
            ensure!(!code.contains(forbidden), "{name} uses {forbidden}");
        }
    }
    Ok(())
}
