//! `keyway users`: make people, shut them out, give them another password or the setup token, while nobody can sign in.
//!
//! Works on the database; sessions end in running processes as soon as they hear of it. A password is never an argument,
//! which other users of the machine could read: it comes on standard input, or is made here and printed once.

use std::io::BufRead as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use keyway_api::NewPerson;
use keyway_config::Config;
use keyway_domain::{Email, Role, TenantId};
use keyway_vault::{SecretString, Vault, token::new_password};
use serde_json::{Value, json};

use crate::{console, parts, say};

/// Commands on people.
#[derive(Subcommand)]
pub(crate) enum Users {
    /// Make a person, and with a role a member of a tenant
    Create {
        /// Its address
        email: Email,
        /// Its name
        #[arg(long)]
        name: String,
        /// What it is in the tenant: owner, admin, operator, developer, auditor or billing; nothing if left out
        #[arg(long)]
        role: Option<Role>,
        /// The tenant of the role: tnt_...; the default one if left out
        #[arg(long)]
        tenant: Option<TenantId>,
        #[command(flatten)]
        password: Password,
    },
    /// List people, newest first
    List {
        /// The most to list
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
        limit: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Shut a person out: all its sessions end
    Disable {
        /// Its address
        email: Email,
    },
    /// Let a person in again
    Enable {
        /// Its address
        email: Email,
    },
    /// Give a person another password: all its sessions end
    ResetPassword {
        /// Its address
        email: Email,
        #[command(flatten)]
        password: Password,
    },
    /// Take a person's second factors away, for who has lost them all: all its sessions end
    RemoveFactors {
        /// Its address
        email: Email,
    },
    /// Make a person an owner of a tenant
    MakeOwner {
        /// Its address
        email: Email,
        /// The tenant: tnt_...; the default one if left out
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Print another setup token, while there is nobody; the one before no longer works
    SetupToken,
}

/// Source of a password.
#[derive(Args)]
pub(crate) struct Password {
    /// Read the password from the first line of standard input, instead of making one and printing it
    #[arg(long)]
    password_stdin: bool,
}

/// Runs one of these commands.
///
/// # Errors
/// A failure, with the remedy.
pub(crate) async fn run(config: &Config, command: Users) -> anyhow::Result<()> {
    let store = parts::connect(config).await?;
    let sealed = Vault::sealed("this command opens no secret".to_owned());
    let console = console::open(config, store, sealed, parts::catalog_now(config)?).await?;
    match command {
        Users::Create { email, name, role, tenant, password } => {
            let (password, shown) = password.take()?;
            let new = NewPerson { email, name, password, role, tenant_id: tenant };
            let made = console.create_user(new).await?;
            say::line(&format!("{} is made", made["id"].as_str().unwrap_or_default()));
            show(shown);
        }
        Users::List { limit, json } => {
            let people = console.users(limit).await?;
            if json { say::line(&format!("{:#}", json!({ "items": people }))) } else { table(&people) }
        }
        Users::Disable { email } => {
            console.let_in(&email, false).await?;
            say::line("shut out; its sessions end");
        }
        Users::Enable { email } => {
            console.let_in(&email, true).await?;
            say::line("let in again");
        }
        Users::ResetPassword { email, password } => {
            let (password, shown) = password.take()?;
            console.reset_password(&email, password).await?;
            say::line("the password is another one; its sessions end");
            show(shown);
        }
        Users::RemoveFactors { email } => {
            let removed = console.remove_factors(&email).await?;
            let app = if removed["totp"] == true { "an authenticator app" } else { "no authenticator app" };
            say::line(&format!(
                "removed {app} and {} passkeys; the password stands alone, and its sessions end",
                removed["passkeys"]
            ));
        }
        Users::MakeOwner { email, tenant } => {
            let tenant_id = console.make_owner(&email, tenant).await?;
            say::line(&format!("an owner of {tenant_id} from its next sign-in on"));
        }
        Users::SetupToken => {
            let token = console.setup_token().await?;
            let address = config.api.listen;
            say::line(&format!(
                "The first owner is made with POST http://{address}/api/v1/setup and this setup token (shown once, works \
                 once): {}",
                token.plain()
            ));
        }
    }
    Ok(())
}

impl Password {
    /// Returns the password, and it again if it was made here and has to be shown.
    fn take(&self) -> anyhow::Result<(SecretString, Option<SecretString>)> {
        if !self.password_stdin {
            let made = new_password().context("the system gives no random bytes")?;
            let shown = SecretString::new(made.plain().clone());
            return Ok((made, Some(shown)));
        }
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("reading the password from standard input")?;
        let password = SecretString::new(line.trim_end_matches(['\r', '\n']).to_owned());
        drop(SecretString::new(line));
        if password.plain().is_empty() {
            bail!("no password came on standard input");
        }
        Ok((password, None))
    }
}

fn show(password: Option<SecretString>) {
    if let Some(password) = password {
        say::line(&format!("Password (shown once, stored only as a hash): {}", password.plain()));
    }
}

fn table(people: &[Value]) {
    say::line(&format!("{:36}  {:10}  {:32}  {:24}  MEMBER OF", "ID", "STATE", "ADDRESS", "NAME"));
    for person in people {
        let text = |field: &str| person[field].as_str().unwrap_or("-").to_owned();
        let state = if person["disabled_at"].is_null() { "active" } else { "disabled" };
        let of: Vec<_> = person["memberships"].as_array().into_iter().flatten().map(membership).collect();
        let (id, email, name) = (text("id"), text("email"), text("name"));
        say::line(&format!("{id:36}  {state:10}  {email:32}  {name:24}  {}", of.join(", ")));
    }
}

fn membership(row: &Value) -> String {
    let part = |field: &str| row[field].as_str().unwrap_or_default();
    let place = if row["project_id"].is_null() { part("tenant_id") } else { part("project_id") };
    format!("{} in {place}", part("role"))
}
