//! The output of a run: a row per scenario, and the search for secrets at the end.

use std::fmt;

use anyhow::Result;

use crate::{cluster::Cluster, oracle::Findings, say, search};

/// One scenario's outcome.
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) deployment: &'static str,
    pub(crate) faults: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    pub(crate) note: String,
    pub(crate) findings: Findings,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    secrets: Vec<String>,
}

impl Table {
    /// Adds a row and says so; whether it is clean.
    pub(crate) fn add(&mut self, row: Row) -> bool {
        let clean = row.findings.is_clean();
        say(&format!("{row}\n{}", row.findings.summary()));
        self.rows.push(row);
        clean
    }

    /// Ends an installation: no secret may be anywhere in what it leaves.
    pub(crate) async fn end(&mut self, mut cluster: Cluster) -> Result<()> {
        let places = cluster.places();
        if let Err(error) = search::nothing_is_found(std::slice::from_ref(&cluster.canary), &places) {
            self.secrets.push(format!("{error:#}"));
        }
        if self.is_clean() && cluster.ledger.poison.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            cluster.keyway.finish().await?;
        }
        Ok(())
    }

    pub(crate) fn is_clean(&self) -> bool {
        !self.rows.is_empty() && self.secrets.is_empty() && self.rows.iter().all(|row| row.findings.is_clean())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, name, deployment, faults, accepted, refused, seconds, note, findings } = self;
        let (lost, doubled, wrong) = (findings.lost.len(), findings.doubled.len(), findings.wrong.len());
        write!(
            f,
            "| {number:>2} | {name:<46} | {deployment:<11} | {faults:>6} | {accepted:>8} | {refused:>7} | {lost:>4} \
             | {doubled:>7} | {wrong:>5} | {seconds:>7.1} | {note}"
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| #  | {:<46} | {:<11} | faults | accepted | refused | lost | doubled | wrong | seconds | note",
            "scenario", "deployment"
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        for secret in &self.secrets {
            writeln!(f, "{secret}")?;
        }
        writeln!(f, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })
    }
}
