//! Promises that the shape of the source keeps: who may publish, who may write a status, what a
//! handler may not do.

use std::{fs, path::Path};

use anyhow::{Result, ensure};

fn sources() -> Result<Vec<(String, String)>> {
    let (mut found, mut folders) = (Vec::new(), vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")]);
    let root = folders[0].clone();
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

/// The files of the crate whose code contains `what`.
fn using(what: &str) -> Result<Vec<String>> {
    Ok(sources()?.into_iter().filter(|(_, code)| code.contains(what)).map(|(name, _)| name).collect())
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
        ("audit::append(", &["writers/audit.rs"]),
    ] {
        let found = using(what)?;
        ensure!(found == homes, "{what} belongs in {homes:?} and is in {found:?}");
    }
    Ok(())
}

#[test]
fn invariant_8_a_handler_never_sleeps_spawns_or_publishes() -> Result<()> {
    let handlers: Vec<_> = sources()?.into_iter().filter(|(name, _)| name.starts_with("jobs/")).collect();
    ensure!(handlers.len() >= 5, "the handlers are not where this looks for them");
    for (name, code) in handlers {
        for forbidden in ["sleep(", "spawn(", "ctx.bus", "until_well", "interval("] {
            ensure!(!code.contains(forbidden), "{name} uses {forbidden}");
        }
    }
    Ok(())
}
