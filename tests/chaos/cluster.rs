//! The installation under test: real processes, with a fault proxy between every pair.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use keyway_testkit::fault_proxy::{FaultProxy, Weather};

use crate::{
    disk::Disk,
    harness::{Api, Keyway, Services, metrics, until},
    ledger::Ledger,
    load::Load,
    search::Canary,
};

/// Lanes with a consumer in every process of workers.
const LANES: f64 = 6.0;

/// The links between processes and services.
pub(crate) struct Links {
    pub(crate) api_database: FaultProxy,
    pub(crate) workers_database: FaultProxy,
    pub(crate) api_broker: FaultProxy,
    pub(crate) workers_broker: FaultProxy,
}

impl Links {
    /// All four.
    pub(crate) const fn all(&self) -> [&FaultProxy; 4] {
        [&self.api_database, &self.workers_database, &self.api_broker, &self.workers_broker]
    }
}

/// An installation, its links and what its clients remember.
pub(crate) struct Cluster {
    pub(crate) keyway: Keyway,
    /// Links between processes; `None` if everything is in one process.
    pub(crate) links: Option<Links>,
    /// Between the processes and their provider.
    pub(crate) provider: FaultProxy,
    /// A second host of the provider's, for the scenarios that need one; no load uses it.
    pub(crate) elsewhere: FaultProxy,
    /// The disk that was made small, if any.
    pub(crate) disk: Option<Disk>,
    pub(crate) ledger: Arc<Ledger>,
    /// Text that every key carries and nothing may show.
    pub(crate) canary: Canary,
    /// Number of times that a scenario repeats its fault.
    pub(crate) rounds: usize,
    /// Note of a scenario beside its row.
    pub(crate) note: String,
}

impl Cluster {
    /// Two listeners and two processes of workers on PostgreSQL and RabbitMQ of their own.
    pub(crate) async fn distributed(rounds: usize) -> Result<Self> {
        let mut cluster = Self::on(Services::private().await?, rounds).await?;
        cluster.keyway.run(&["migrate"])?;
        let (database, broker) = cluster.keyway.services.own()?;
        let (database, broker) = (database.url.clone(), broker.amqp_url.clone());
        let links = Links {
            api_database: FaultProxy::start(address_in(&database)?).await?,
            workers_database: FaultProxy::start(address_in(&database)?).await?,
            api_broker: FaultProxy::start(address_in(&broker)?).await?,
            workers_broker: FaultProxy::start(address_in(&broker)?).await?,
        };
        for role in ["api", "api", "workers", "workers"] {
            let (to_database, to_broker) = match role {
                "api" => (&links.api_database, &links.api_broker),
                _ => (&links.workers_database, &links.workers_broker),
            };
            let own = [
                ("KEYWAY_DATABASE_URL", through(&database, to_database)?),
                ("KEYWAY_AMQP_URL", through(&broker, to_broker)?),
            ];
            for (name, value) in &own {
                cluster.keyway.set(name, value);
            }
            let at = cluster.keyway.spawn(role)?;
            for (name, value) in &own {
                cluster.set(at, name, Some(value));
            }
        }
        cluster.links = Some(links);
        cluster.ready().await?;
        cluster.keyway.services.own()?.1.settle().await?;
        Ok(cluster)
    }

    /// Everything in one process, on SQLite.
    pub(crate) async fn embedded(rounds: usize) -> Result<Self> {
        let mut cluster = Self::on(Services::Embedded, rounds).await?;
        cluster.keyway.start("serve").await?;
        Ok(cluster)
    }

    async fn on(services: Services, rounds: usize) -> Result<Self> {
        let mut keyway = Keyway::on(services).await?;
        let provider = FaultProxy::start(keyway.simulator.address).await?;
        let elsewhere = FaultProxy::start(keyway.simulator.address).await?;
        let trusted = [provider.address, elsewhere.address, keyway.simulator.address].map(|host| host.to_string());
        keyway.set("KEYWAY_TRUSTED_UPSTREAMS", &trusted.join(","));
        let canary = Canary::plant("a provider's key", "");
        let ledger = Arc::new(Ledger::new(canary.secret.clone()));
        let note = String::new();
        Ok(Self { keyway, links: None, provider, elsewhere, disk: None, ledger, canary, rounds, note })
    }

    /// The links; only distributed installations have them.
    pub(crate) fn links(&self) -> Result<&Links> {
        self.links.as_ref().context("one process has no links")
    }

    /// The small disk.
    pub(crate) fn disk(&self) -> Result<&Disk> {
        self.disk.as_ref().context("no disk was made small")
    }

    /// Starts clients.
    pub(crate) fn load(&self) -> Load {
        let apis: Vec<Api> = self.keyway.apis().cloned().collect();
        Load::start(&apis, &self.base_url(), &self.ledger)
    }

    /// Returns the base URL that the simulator's keys are submitted with.
    pub(crate) fn base_url(&self) -> String {
        base_url(&self.provider)
    }

    /// The members that run handlers.
    pub(crate) fn workers(&self) -> Vec<usize> {
        self.with_role(|role| role != "api")
    }

    /// The members that listen.
    pub(crate) fn listeners(&self) -> Vec<usize> {
        self.with_role(|role| role != "workers")
    }

    fn with_role(&self, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
        let members = self.keyway.members().iter().enumerate();
        members.filter(|(_, member)| wanted(member.role)).map(|(at, _)| at).collect()
    }

    /// Waits until every process is ready and every lane is consumed; returns the time that took.
    pub(crate) async fn ready(&self) -> Result<Duration> {
        let begun = Instant::now();
        for at in 0..self.keyway.members().len() {
            self.keyway.ready(at).await?;
        }
        for at in self.workers() {
            until("every lane is consumed", async || {
                let consumers = metrics::sum(&self.keyway.ops(at, "/metrics").await?.text, "keyway_lane_consumers")?;
                ensure!(consumers >= LANES, "{consumers} consumers");
                Ok(true)
            })
            .await?;
        }
        Ok(begun.elapsed())
    }

    /// Changes a setting of one member, from its next start on; `None` takes it back.
    pub(crate) fn set(&mut self, at: usize, name: &str, value: Option<&str>) {
        let settings = &mut self.keyway.member(at).settings;
        settings.retain(|(known, _)| known != name);
        settings.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// Kills a member with -9 and starts it again; does not wait.
    pub(crate) fn crash(&mut self, at: usize) -> Result<()> {
        self.keyway.member(at).process.kill()?;
        self.keyway.respawn(at)
    }

    /// Asks a member to stop, as an orchestrator does, and starts it again; does not wait for that.
    pub(crate) async fn restart(&mut self, at: usize) -> Result<()> {
        self.keyway.member(at).process.terminate()?;
        let ended = self.keyway.member(at).process.wait().await?;
        // A process that is asked to stop before it listens to signals ends by the signal.
        ensure!(ended.code().is_none_or(|code| code == 0), "ended with {ended}");
        self.keyway.respawn(at)
    }

    /// Returns the memory of the largest process.
    pub(crate) async fn resident_bytes(&self) -> Result<f64> {
        let mut largest: f64 = 0.0;
        for at in 0..self.keyway.members().len() {
            let figures = self.keyway.ops(at, "/metrics").await?.text;
            largest = largest.max(metrics::sum(&figures, "process_resident_memory_bytes")?);
        }
        Ok(largest)
    }

    /// Good weather, and every process runs. No process may have ended that nobody killed.
    pub(crate) async fn heal(&mut self) -> Result<()> {
        self.provider.heal();
        self.elsewhere.heal();
        self.disk.as_ref().map_or(Ok(()), Disk::free)?;
        for link in self.links.iter().flat_map(Links::all) {
            link.heal();
        }
        for at in 0..self.keyway.members().len() {
            let process = &mut self.keyway.member(at).process;
            if process.is_started() {
                let ended = process.ended()?;
                ensure!(ended.is_none(), "{} ended by itself: {ended:?}", process.name);
            } else {
                self.keyway.respawn(at)?;
            }
        }
        self.ready().await.map(drop)
    }

    /// Returns every place where a secret could have been written.
    pub(crate) fn places(&mut self) -> Vec<PathBuf> {
        let mut places = vec![self.keyway.dir.clone()];
        if let Ok((database, broker)) = self.keyway.services.own() {
            places.extend([database.directory().to_owned(), broker.directory().to_owned()]);
        }
        places
    }

    /// Accepted and refused so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.ledger.accepted.load(Relaxed), self.ledger.refused.load(Relaxed))
    }
}

/// Returns the base URL of keys for the provider behind a link.
pub(crate) fn base_url(provider: &FaultProxy) -> String {
    format!("http://{}/v1", provider.address)
}

/// Weather of one kind.
pub(crate) fn weather(change: impl FnOnce(&mut Weather)) -> Weather {
    let mut weather = Weather::default();
    change(&mut weather);
    weather
}

fn address_in(url: &str) -> Result<SocketAddr> {
    let rest = url.split('@').nth(1).context("a URL with an account")?;
    Ok(rest.split('/').next().unwrap_or_default().parse()?)
}

fn through(url: &str, proxy: &FaultProxy) -> Result<String> {
    Ok(url.replacen(&address_in(url)?.to_string(), &proxy.address.to_string(), 1))
}
