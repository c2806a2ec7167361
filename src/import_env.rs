//! `keyway import-env`: bring a team's provider keys in from environment variables or a `.env` file.
//!
//! Works on the database beside a running Keyway, which verifies them. A key is never printed.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use keyway_api::{Console, ConsoleError, Submission};
use keyway_config::Config;
use keyway_domain::{IntegrationId, ProjectId, TenantId};
use keyway_providers::{EnvCredential, EnvPlace, LiveCatalog, for_spec, pasted};
use keyway_store::{Store, TenantKeyCache, data_keys, integrations, projects, tenants};
use keyway_vault::{Keyring, ProviderSecret, SecretString, TenantKeys, Vault};

use crate::{
    console,
    keyring::{self, Opened},
    parts, places, say,
};

/// Source and destination of an import.
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
    /// Say what would be imported and what is there already, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Imports the keys found; a refused key does not hold up the others.
///
/// # Errors
/// Keys were refused, or none was found; the text names them and the reason.
pub(crate) async fn run(config: &Config, from: ImportEnv) -> anyhow::Result<()> {
    let live = parts::catalog_now(config)?;
    let catalog = live.now();
    if let Some(unknown) = from.only.iter().find(|name| catalog.get(name).is_none()) {
        bail!("no provider is called {unknown}");
    }
    let variables = Config::variables(from.file.as_deref())?;
    if let Some(file) = &from.file {
        variables.unread.iter().for_each(|line| say::error(&say::unread(file, line)));
    }
    let mut found = catalog.credentials_in(|name| variables.set.get(name).map(copy));
    found.retain(|one| from.only.is_empty() || from.only.contains(&one.provider.name));
    if found.is_empty() {
        bail!("no variable that usually holds a provider's key is set; see `env` in models.yaml for their names");
    }
    let into = if from.dry_run {
        Into::Nothing(Known::open(config, from.tenant, from.project).await?.map(Box::new))
    } else {
        open(config, live).await?
    };
    let mut refused = 0;
    for one in found {
        let (provider, variable) = (one.provider.name.clone(), one.variable);
        let said = match import(&into, &from, one).await {
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

/// Destination of the keys.
enum Into {
    /// Into the database.
    Database(Console),
    /// Nowhere: a dry run that compares them with the known keys.
    Nothing(Option<Box<Known>>),
}

async fn import(into: &Into, from: &ImportEnv, one: EnvCredential<'_>) -> anyhow::Result<String> {
    let credentials = match one.place {
        EnvPlace::Here(secret) => secret,
        EnvPlace::File(path) => {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            pasted(SecretString::new(text))
        }
    };
    let console = match into {
        Into::Database(console) => console,
        Into::Nothing(known) => {
            let facts = for_spec(one.provider).check_format(&credentials)?;
            let existing = match known {
                Some(known) => known.holder(&one.provider.name, &credentials).await?,
                None => None,
            };
            return Ok(match existing {
                Some(id) => format!("is there already: {}, in the integration {id}", facts.hint),
                None => format!("would be imported: {}", facts.hint),
            });
        }
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

async fn open(config: &Config, catalog: LiveCatalog) -> anyhow::Result<Into> {
    let store = parts::connect(config).await?;
    let vault = match keyring::open(config, &store).await? {
        Opened::Vault(vault) => vault,
        Opened::Lost(why) => bail!(why),
    };
    Ok(Into::Database(console::open(config, store, vault, catalog).await?))
}

/// A tenant's existing rows, read without changing anything.
struct Known {
    store: Store,
    tenant_id: TenantId,
    /// `None`: the project `default`.
    project_id: Option<ProjectId>,
    /// Data keys that make fingerprints; a tenant without them has no secret.
    keys: Arc<TenantKeys>,
}

impl Known {
    /// Opens the tenant's rows; `None`: there is no database yet, or its schema is outdated, which is reported.
    async fn open(
        config: &Config,
        tenant: Option<TenantId>,
        project_id: Option<ProjectId>,
    ) -> anyhow::Result<Option<Self>> {
        if places::is_database_missing(config) {
            say::error("there is no database yet, so nothing is there already");
            return Ok(None);
        }
        if !keyway_migrations::is_current(config.store.database_url.plain()).await? {
            say::error(
                "the database is not up to date, so what is there already is not looked at; run: keyway migrate",
            );
            return Ok(None);
        }
        let store = parts::connect(config).await?;
        let tx = store.system_read().await?;
        let found = match tenant {
            Some(id) => tenants::find(&tx, id).await?,
            None => tenants::find_by_name(&tx, tenants::DEFAULT_NAME).await?,
        };
        let Some(tenant_id) = found.map(|tenant| tenant.id) else {
            return if tenant.is_some() { Err(anyhow!("there is no such tenant")) } else { Ok(None) };
        };
        let row = data_keys::active(&store.tenant_read(tenant_id).await?).await?;
        let Some(row) = row else { return Ok(None) };
        let opened = Keyring::load(&config.process.keyring).map_err(|error| error.to_string()).and_then(|keyring| {
            TenantKeyCache::new(Arc::new(Vault::open(keyring))).unwrapped(row).map_err(|it| it.to_string())
        });
        match opened {
            Ok(keys) => Ok(Some(Self { store, tenant_id, project_id, keys })),
            Err(why) => {
                say::error(&format!("what is there already cannot be told: {why}"));
                Ok(None)
            }
        }
    }

    /// Returns the integration of the project that has an equal key.
    async fn holder(&self, provider: &str, credentials: &ProviderSecret) -> anyhow::Result<Option<IntegrationId>> {
        // Equal keys are found by their fingerprints, which only the text gives.
        let fingerprint = self.keys.fingerprint(provider, credentials.expose().as_bytes());
        let tx = self.store.tenant_read(self.tenant_id).await?;
        let project = match self.project_id {
            Some(id) => id,
            None => match projects::find_by_name(&tx, projects::DEFAULT_NAME).await? {
                Some(project) => project.id,
                None => return Ok(None),
            },
        };
        Ok(integrations::with_fingerprint(&tx, project, self.keys.id(), &fingerprint).await?)
    }
}

fn copy(secret: &SecretString) -> SecretString {
    SecretString::new(secret.plain().clone())
}
