//! `keyway dead-letters`: list, show, replay or discard messages that no handler could process, for every tenant.
//!
//! Works on the database; a running relay takes a replayed message within a second.

use clap::Subcommand;
use keyway_config::Config;
use keyway_domain::MessageId;
use keyway_vault::Vault;
use serde_json::{Value, json};

use crate::{console, parts, say};

/// Columns of the table: heading, field, width.
const COLUMNS: [(&str, &str, usize); 6] = [
    ("ID", "id", 36),
    ("FILED", "created_at", 24),
    ("LANE", "lane", 11),
    ("REASON", "reason", 12),
    ("REPLAYED", "replayed_at", 24),
    ("ERROR", "error", 0),
];

/// Commands on dead letters.
#[derive(Subcommand)]
pub(crate) enum DeadLetters {
    /// List them, of every tenant and of none
    List {
        /// The most to list
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
        limit: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one with the message it holds
    Show {
        /// Its id: msg_...
        id: MessageId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Hand one to its lane again; one that was given up after its last attempt is tried again
    Replay {
        /// Its id: msg_...
        id: MessageId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete one for good
    Discard {
        /// Its id: msg_...
        id: MessageId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of these commands.
///
/// # Errors
/// A failure, with the remedy.
pub(crate) async fn run(config: &Config, command: DeadLetters) -> anyhow::Result<()> {
    let store = parts::connect(config).await?;
    let sealed = Vault::sealed("this command opens no secret".to_owned());
    let catalog = parts::catalog_now(config)?;
    let console = console::open(config, store, sealed, catalog).await?;
    match command {
        DeadLetters::List { limit, json } => {
            let letters = console.dead_letters(limit).await?;
            if json { print(&json!({ "items": letters })) } else { table(&letters) }
        }
        DeadLetters::Show { id, json } => show(&console.dead_letter(id).await?, json),
        DeadLetters::Replay { id, json } => show(&console.replay(id).await?, json),
        DeadLetters::Discard { id, json } => {
            console.discard(id).await?;
            if json { print(&json!({ "discarded": id })) } else { say::line(&format!("{id} is discarded")) }
        }
    }
    Ok(())
}

fn table(letters: &[Value]) {
    let line = |cells: [&str; 6]| {
        let padded = cells.iter().zip(COLUMNS).map(|(cell, (.., width))| format!("{cell:width$}"));
        say::line(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(COLUMNS.map(|(heading, ..)| heading));
    for letter in letters {
        line(COLUMNS.map(|(_, field, _)| letter[field].as_str().unwrap_or("-")));
    }
}

fn show(letter: &Value, json: bool) {
    if json {
        return print(letter);
    }
    for (field, value) in letter.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        say::line(&format!("{:14}{text}", format!("{field}:")));
    }
}

fn print(value: &Value) {
    say::line(&format!("{value:#}"));
}
