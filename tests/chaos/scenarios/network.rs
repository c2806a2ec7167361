//! Links that are cut, one-way, silent, or flapping; one after the other, and all at once.

use std::time::Duration;

use anyhow::Result;
use keyway_testkit::fault_proxy::Weather;

use crate::cluster::{Cluster, weather};

const CUT: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_secs(12);
/// For how long nobody hears anything of anybody, when faults are repeated.
const LONG_SILENCE: Duration = Duration::from_secs(60);
const FLAPS: usize = 8;
const FLAP: Duration = Duration::from_millis(250);

pub(crate) async fn broken(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    let mut faults = 0;
    for at in 0..4 {
        let link = cluster.links()?.all()[at];
        for (now, how_long) in bad_weather() {
            link.set(now);
            tokio::time::sleep(how_long).await;
            link.heal();
            faults += 1;
        }
        for _ in 0..FLAPS {
            link.reset();
            tokio::time::sleep(FLAP).await;
            faults += 1;
        }
        load.more(10).await?;
    }
    load.stop().await?;
    Ok(faults)
}

/// A black hole between everything and everything, under load.
pub(crate) async fn silent(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    load.more(10).await?;
    for link in cluster.links()?.all() {
        link.set(weather(|now| (now.holds_requests, now.holds_answers) = (true, true)));
    }
    tokio::time::sleep(if cluster.rounds > 1 { LONG_SILENCE } else { SILENCE }).await;
    for link in cluster.links()?.all() {
        link.heal();
    }
    load.more(10).await?;
    load.stop().await?;
    Ok(4)
}

fn bad_weather() -> [(Weather, Duration); 4] {
    [
        (weather(|now| now.down = true), CUT),
        (weather(|now| now.holds_requests = true), CUT),
        (weather(|now| now.holds_answers = true), CUT),
        (weather(|now| (now.holds_requests, now.holds_answers) = (true, true)), SILENCE),
    ]
}
