//! `keyway import-env`: bring a team's provider keys in from environment variables or a `.env` file.
//!
//! Works on the database beside a running Keyway, which verifies them. A key is never printed.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use keyway_api::{Console, ConsoleError, Submission};
use keyway_config::Config;
use keyway_domain::{ProjectId, TenantId};
use keyway_providers::{EnvCredential, EnvPlace, LiveCatalog, for_spec};
use keyway_vault::SecretString;

use crate::{console, keyring, parts, say};

/// Where from, and where to.
#[derive(Args)]
pub(crate) struct ImportEnv {
    /// Read the lines NAME=value of this file instead of the environment
    #[arg(long)]
    file: Option<PathBuf>,
    /// The project they go into: prj_...; the default one if left out
    #[arg(long)]
    project: Option<ProjectId>,
    /// The tenant they belong to: tnt_...; the default one if left out
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Only these providers, comma separated
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Say what would be imported, and import nothing
    #[arg(long)]
    dry_run: bool,
}

/// Imports what is found; one that is refused does not hold up the others.
///
/// # Errors
/// Some were refused, or nothing was found; the text says which and why.
pub(crate) async fn run(config: &Config, from: ImportEnv) -> anyhow::Result<()> {
    let live = LiveCatalog::load(config.models_file.as_deref())?;
    let catalog = live.now();
    if let Some(unknown) = from.only.iter().find(|name| catalog.get(name).is_none()) {
        bail!("no provider is called {unknown}");
    }
    let variables = Config::variables(from.file.as_deref())?;
    let mut found = catalog.credentials_in(|name| variables.get(name).map(copy));
    found.retain(|one| from.only.is_empty() || from.only.contains(&one.provider.name));
    if found.is_empty() {
        bail!("no variable that usually holds a provider's key is set; see `env` in models.yaml for their names");
    }
    let console = if from.dry_run { None } else { Some(open(config, live).await?) };
    let mut refused = 0;
    for one in found {
        let (provider, variable) = (one.provider.name.clone(), one.variable);
        let said = match import(console.as_ref(), &from, one).await {
            Ok(said) => said,
            Err(error) => {
                refused += 1;
                format!("refused: {error:#}")
            }
        };
        say::line(&format!("{provider:16}{variable:32}{said}"));
    }
    if refused > 0 {
        bail!("{refused} of them were not imported");
    }
    Ok(())
}

async fn import(console: Option<&Console>, from: &ImportEnv, one: EnvCredential<'_>) -> anyhow::Result<String> {
    let credentials = match one.place {
        EnvPlace::Here(text) => text,
        EnvPlace::File(path) => {
            SecretString::new(fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?)
        }
    };
    let Some(console) = console else {
        let facts = for_spec(one.provider).check_format(credentials.expose())?;
        return Ok(format!("would be imported: {}", facts.hint));
    };
    let submitted = console.submit(Submission {
        tenant_id: from.tenant,
        project_id: from.project,
        provider: one.provider.name.clone(),
        name: one.variable.to_owned(),
        credentials,
        base_url: one.base_url,
    });
    match submitted.await {
        Ok(answer) => {
            let text = |pointer| answer.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
            Ok(format!("imported as {}, {}", text("/integration/id"), text("/integration/hint")))
        }
        // Importing again changes nothing.
        Err(ConsoleError::Duplicate(why)) => Ok(format!("is there already: {why}")),
        Err(error) => Err(error.into()),
    }
}

async fn open(config: &Config, catalog: LiveCatalog) -> anyhow::Result<Console> {
    let store = parts::connect(config).await.context("there is no database yet: start Keyway first")?;
    let vault = keyring::open(config, &store).await?;
    console::open(config, store, vault, catalog).await
}

fn copy(secret: &SecretString) -> SecretString {
    SecretString::new(secret.expose().clone())
}
