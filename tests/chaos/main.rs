//! Breaks Keyway in every way the list of failures knows, and counts what was lost or doubled: `make chaos`.
//!
//! A program of its own, because a run is a table, not a list of passed tests. `make test` runs its short smoke:
//! it speaks as much of the test harness' protocol as that takes.

mod application;
mod cluster;
mod disk;
#[expect(dead_code, reason = "the harness serves the other tests too")]
#[path = "../it/harness/mod.rs"]
mod harness;
mod ledger;
mod load;
mod model;
mod oracle;
mod scenarios;
#[path = "../it/canary/search.rs"]
mod search;
mod table;

use std::{
    fs,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Parser;

use cluster::Cluster;
use scenarios::Scenario;
use table::{Row, Table};

const SMOKE: &str = "smoke";
/// The number of the random mix.
const RANDOM: u32 = 0;
/// Default number of repetitions of a scenario's fault.
const ROUNDS: usize = 20;

/// Breaks Keyway and counts what was lost or doubled.
#[derive(Parser)]
struct Arguments {
    /// Run only the scenarios with these numbers, comma separated; 0 is the random mix
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<u32>,
    /// How long the random mix of faults runs, in each deployment
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// From how many seeds the random mix is run, one after the other in that time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Repeats a random choice of faults; the first of the seeds
    #[arg(long)]
    seed: Option<u64>,
    /// How often a scenario repeats its fault
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// The git revision that stands for the previous version; see scripts/previous_version.sh
    #[arg(long)]
    previous: Option<String>,
    /// What a runner of tests asks for
    /// This run has mounts of its own already
    #[arg(long, hide = true)]
    own_mounts: bool,
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, hide = true)]
    exact: bool,
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    format: Option<String>,
    /// The name of the one test: a short choice of scenarios
    #[arg(hide = true)]
    test: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.list {
        if !arguments.ignored {
            say(&format!("{SMOKE}: test"));
        }
        return ExitCode::SUCCESS;
    }
    if arguments.test.is_some() {
        arguments.rounds = 1;
    }
    if let Some(revision) = &arguments.previous {
        scenarios::versions::PREVIOUS.get_or_init(|| revision.clone());
    }
    let ran = async {
        if !arguments.own_mounts && arguments.test.is_none() {
            disk::enter_own_mounts()?;
        }
        run(&arguments).await
    };
    match ran.await {
        Ok(table) if table.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("chaos could not go on: {error:?}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Table> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    say(&format!("SEED={seed}"));
    fastrand::seed(seed);
    // A build meanwhile changes the binary for no process of this run.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keyway-{}", std::process::id()));
    fs::hard_link(env!("CARGO_BIN_EXE_keyway"), &kept)?;
    let kept = harness::process::PROGRAM.get_or_init(|| kept);
    let mut table = Table::default();
    for embedded in [false, true] {
        let run = Run { arguments, embedded, seed };
        run.all(&mut table).await?;
    }
    fs::remove_file(kept)?;
    say(&table.to_string());
    Ok(table)
}

struct Run<'a> {
    arguments: &'a Arguments,
    embedded: bool,
    seed: u64,
}

impl Run<'_> {
    fn wants(&self, scenario: &Scenario) -> bool {
        let applies = scenario.embedded || !self.embedded;
        if self.arguments.test.is_some() {
            return scenario.smoke && applies;
        }
        self.chosen(scenario.number) && applies
    }

    fn chosen(&self, number: u32) -> bool {
        self.arguments.scenario.is_empty() || self.arguments.scenario.contains(&number)
    }

    async fn all(&self, table: &mut Table) -> Result<()> {
        let mut cluster = None;
        for scenario in scenarios::ALL.iter().filter(|scenario| self.wants(scenario)) {
            let mut current = self.cluster(cluster.take()).await?;
            let row = self.one(&mut current, scenario.number, scenario.name, scenario.run).await?;
            cluster = table.add(row).then_some(current);
        }
        if self.chosen(RANDOM) && self.arguments.test.is_none() {
            let how_long = Duration::from_secs(self.arguments.seconds) / self.arguments.seeds;
            for seed in (0..self.arguments.seeds).map(|more| self.seed.wrapping_add(u64::from(more))) {
                let mut current = self.cluster(cluster.take()).await?;
                fastrand::seed(seed);
                let name = format!("random mix, seed {seed}");
                let row = self
                    .one(&mut current, RANDOM, &name, |cluster| Box::pin(scenarios::mixed(cluster, how_long)))
                    .await?;
                cluster = table.add(row).then_some(current);
            }
        }
        match cluster {
            Some(cluster) => table.end(cluster).await,
            None => Ok(()),
        }
    }

    /// Returns the current cluster if it is clean, or a new one.
    async fn cluster(&self, current: Option<Cluster>) -> Result<Cluster> {
        match current {
            Some(cluster) => Ok(cluster),
            None if self.embedded => Cluster::embedded(self.arguments.rounds).await,
            None => Cluster::distributed(self.arguments.rounds).await,
        }
    }

    async fn one<F>(&self, cluster: &mut Cluster, number: u32, name: &str, inject: F) -> Result<Row>
    where
        F: for<'c> FnOnce(&'c mut Cluster) -> futures::future::LocalBoxFuture<'c, Result<u64>>,
    {
        let (begun, before) = (Instant::now(), cluster.counts());
        let injected = inject(cluster).await;
        let healed = cluster.heal().await;
        let mut findings = oracle::judge(cluster).await?;
        for failed in [injected.as_ref().err(), healed.as_ref().err()].into_iter().flatten() {
            findings.wrong.push(format!("{failed:#}"));
        }
        let after = cluster.counts();
        Ok(Row {
            number,
            name: name.to_owned(),
            deployment: if self.embedded { "embedded" } else { "distributed" },
            faults: injected.unwrap_or(0),
            accepted: after.0 - before.0,
            refused: after.1 - before.1,
            seconds: begun.elapsed().as_secs_f64(),
            note: std::mem::take(&mut cluster.note),
            findings,
        })
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn say(text: &str) {
    println!("{text}");
}
