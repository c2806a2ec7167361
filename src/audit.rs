//! `keyway audit`: export the audit log and verify that nobody rewrote it, on the database or on an export alone.
//!
//! The last line says what was proved, or names the first bad entry.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use keyway_audit::{AuditFault, Line, Proven, PublicKey, Verifier, bytes_of, read_line};
use keyway_config::Config;
use keyway_domain::{TenantId, Timestamp};
use keyway_store::{
    Page, Store,
    audit_chain::{self, Chained},
    tenants,
};
use keyway_vault::{Keyring, Vault};

use crate::{parts, say};

/// Entries that are read at once.
const SLICE: u64 = 2000;

/// Commands on the audit log.
#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Write a tenant's log with its checkpoints to a file of JSON lines
    Export {
        /// The file; it must not exist
        #[arg(long)]
        out: PathBuf,
        /// The tenant: tnt_...; the default one if left out
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Prove that a tenant's log is as it was written; exit with 1 and the first bad entry if it is not
    Verify(Verify),
    /// Print the public keys of the checkpoints, that of new ones first
    Key,
}

/// What to verify, and by what.
#[derive(Args)]
pub(crate) struct Verify {
    /// The tenant: tnt_...; the default one if left out, or that of the export
    #[arg(long)]
    tenant: Option<TenantId>,
    /// An export to verify, without a database
    #[arg(long, requires = "key")]
    offline: Option<PathBuf>,
    /// A public key that may have signed: name+id+key; that of this installation's keyring if left out
    #[arg(long)]
    key: Vec<String>,
    /// A file of checkpoints that were kept elsewhere (their notes, one after the other); they must hold, too
    #[arg(long)]
    anchor: Option<PathBuf>,
}

/// Runs one of these commands.
///
/// # Errors
/// A failure, with the remedy; of a log that is not as it was written, with the first bad entry.
pub(crate) async fn run(config: &Config, command: Audit) -> anyhow::Result<()> {
    match command {
        Audit::Export { out, tenant } => export(&parts::connect(config).await?, &out, tenant).await,
        Audit::Verify(Verify { tenant, offline: Some(file), key, anchor }) => {
            let tenant = tenant.map_or_else(|| tenant_of(&file), Ok)?;
            let verifier = verifier(tenant, read_keys(&key)?, anchor.as_deref())?;
            tell(offline(verifier, &file)?, anchor.is_some());
            Ok(())
        }
        Audit::Verify(Verify { tenant, offline: None, key, anchor }) => {
            let keys = if key.is_empty() { own_keys(config)? } else { read_keys(&key)? };
            let store = parts::connect(config).await?;
            let tenant = or_default(&store, tenant).await?;
            tell(online(verifier(tenant, keys, anchor.as_deref())?, &store, tenant).await?, anchor.is_some());
            Ok(())
        }
        Audit::Key => {
            own_keys(config)?.iter().for_each(|key| say::line(&key.text()));
            Ok(())
        }
    }
}

async fn export(store: &Store, out: &Path, tenant: Option<TenantId>) -> anyhow::Result<()> {
    let tenant = or_default(store, tenant).await?;
    let file = File::create_new(out).with_context(|| format!("{} is not written", out.display()))?;
    let mut file = BufWriter::new(file);
    let (mut checkpoints, mut size) = (Vec::new().into_iter().peekable(), 0);
    loop {
        let tx = store.tenant_read(tenant).await?;
        let entries = audit_chain::entries(&tx, size, SLICE).await?;
        if entries.is_empty() {
            break;
        }
        for Chained { entry, .. } in entries {
            size = entry.sequence;
            writeln!(file, "{}", Line::Entry(entry).text())?;
            if checkpoints.peek().is_none() {
                checkpoints = audit_chain::checkpoints_after(&tx, size - 1, SLICE).await?.into_iter().peekable();
            }
            if let Some(checkpoint) = checkpoints.next_if(|checkpoint| checkpoint.size == size) {
                writeln!(file, "{}", Line::Checkpoint(checkpoint.note).text())?;
            }
        }
    }
    writeln!(file, "{}", Line::End(size).text())?;
    file.into_inner()?.sync_all()?;
    say::line(&format!("{}: {size} entries of {tenant}", out.display()));
    Ok(())
}

fn offline(mut verifier: Verifier, path: &Path) -> anyhow::Result<Proven> {
    let mut announced = None;
    for (number, line) in (1..).zip(open(path)?.lines()) {
        let line = read_line(&line?).with_context(|| format!("{}, line {number}", path.display()))?;
        if announced.is_some() {
            bail!("{}, line {number}: follows the last line of an export; export the log again", path.display());
        }
        match line {
            Line::Entry(entry) => verifier.entry(&entry)?,
            Line::Checkpoint(note) => verifier.checkpoint(&note)?,
            Line::End(entries) => announced = Some(entries),
        }
    }
    if announced.is_none() {
        bail!("{}: its last line is missing, entries may be; export the log again", path.display());
    }
    Ok(verifier.end(announced)?)
}

async fn online(mut verifier: Verifier, store: &Store, tenant: TenantId) -> anyhow::Result<Proven> {
    // What comes in meanwhile is the next verification's.
    let state = audit_chain::state(&store.tenant_read(tenant).await?).await?;
    let (mut checkpoints, mut size) = (Vec::new().into_iter().peekable(), 0);
    while size < state.size {
        let tx = store.tenant_read(tenant).await?;
        let entries = audit_chain::entries(&tx, size, SLICE.min(state.size - size)).await?;
        if entries.is_empty() {
            break;
        }
        for chained in entries {
            size = chained.entry.sequence;
            verifier.entry(&chained.entry)?;
            compare(&chained, tenant)?;
            if checkpoints.peek().is_none() {
                checkpoints = audit_chain::checkpoints_after(&tx, size - 1, SLICE).await?.into_iter().peekable();
            }
            if let Some(checkpoint) = checkpoints.next_if(|checkpoint| checkpoint.size == size) {
                verifier.checkpoint(&checkpoint.note)?;
            }
        }
    }
    let tx = store.tenant_read(tenant).await?;
    if let Some(stray) = audit_chain::stray(&tx).await? {
        bail!("the event {stray} is in the log and in no entry: it was put there by hand");
    }
    let newest = audit_chain::checkpoints(&tx, Page::first(1)).await?.items.pop().map(|checkpoint| checkpoint.size);
    let grown = audit_chain::state(&tx).await?.size;
    Ok(verifier.end(Some(newest.filter(|signed| *signed > grown).unwrap_or(state.size)))?)
}

/// Compares an entry with the log's own row, which is what people read.
fn compare(chained: &Chained, tenant: TenantId) -> Result<(), AuditFault> {
    let difference = match &chained.record {
        None => "is missing",
        Some(record) if bytes_of(record.event_id, tenant, &record.event) != chained.entry.bytes => "was changed",
        Some(_) => return Ok(()),
    };
    let event_id = chained.event_id.to_string();
    Err(AuditFault::Unlike { sequence: chained.entry.sequence, event_id, difference })
}

fn tell(proven: Proven, anchored: bool) {
    let signed = proven.signed.map_or_else(
        || "none is signed yet".to_owned(),
        |checkpoint| format!("{} of them signed at {}", checkpoint.size, checkpoint.at),
    );
    let proof = if anchored { "second store" } else { "self" };
    say::line(&format!("{} entries are as they were written, {signed}; proof: {proof}", proven.entries));
}

fn verifier(tenant: TenantId, keys: Vec<PublicKey>, anchor: Option<&Path>) -> anyhow::Result<Verifier> {
    let mut verifier = Verifier::new(tenant, keys);
    if let Some(path) = anchor {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        verifier.hold_to(&text).with_context(|| path.display().to_string())?;
    }
    Ok(verifier)
}

fn own_keys(config: &Config) -> anyhow::Result<Vec<PublicKey>> {
    let keyring = Keyring::load(&config.process.keyring).context("KEYWAY_KEYRING")?;
    Ok(PublicKey::all(&Vault::open(keyring))?)
}

fn read_keys(texts: &[String]) -> anyhow::Result<Vec<PublicKey>> {
    let read = |text: &String| PublicKey::read(text).with_context(|| format!("{text} is no public key: name+id+key"));
    texts.iter().map(read).collect()
}

async fn or_default(store: &Store, tenant: Option<TenantId>) -> anyhow::Result<TenantId> {
    if let Some(tenant) = tenant {
        return Ok(tenant);
    }
    let tx = store.system().await?;
    let default = tenants::ensure_default(&tx, Timestamp::now()).await?.id;
    tx.commit().await?;
    Ok(default)
}

/// Reads the tenant of an export from its first entry.
fn tenant_of(path: &Path) -> anyhow::Result<TenantId> {
    let first = open(path)?.lines().next().transpose()?.unwrap_or_default();
    let tenant = match read_line(&first)? {
        Line::Entry(entry) => serde_json::from_str::<serde_json::Value>(&entry.bytes)
            .ok()
            .and_then(|event| event["tenant_id"].as_str().and_then(|tenant| tenant.parse().ok())),
        _ => None,
    };
    tenant.with_context(|| format!("{}: its first entry names no tenant; give --tenant", path.display()))
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    Ok(BufReader::new(File::open(path).with_context(|| path.display().to_string())?))
}
