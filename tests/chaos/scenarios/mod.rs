//! The faults, numbered as in the list of failures Keyway must survive. Each scenario injects under load and
//! answers how many faults it injected; healing and judging are the runner's.

mod broker;
mod caches;
mod clock;
mod database;
mod disk;
mod messages;
mod mixed;
mod model;
mod neighbours;
mod network;
mod outbox;
mod processes;
mod provider;
pub(crate) mod versions;

use anyhow::Result;
use futures::future::LocalBoxFuture;

use crate::cluster::Cluster;

pub(crate) use mixed::mixed;

/// One fault and where it applies.
pub(crate) struct Scenario {
    /// Its number in the list.
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    /// `true` if it applies to one process without services too.
    pub(crate) embedded: bool,
    /// `true` if it is short enough for every run of the tests.
    pub(crate) smoke: bool,
    pub(crate) run: for<'c> fn(&'c mut Cluster) -> LocalBoxFuture<'c, Result<u64>>,
}

/// Defines the scenarios: number, name, deployment, part of the smoke test or not, function.
macro_rules! scenarios {
    ($($number:literal $name:literal $embedded:literal $smoke:literal $run:path;)*) => {
        /// Every scenario, in the order of their run.
        pub(crate) const ALL: &[Scenario] = &[
            $(Scenario { number: $number, name: $name, embedded: $embedded, smoke: $smoke, run: |c| Box::pin($run(c)) },)*
        ];
    };
}

scenarios! {
    1 "killed between commit and answer" true true processes::killed_in_commands;
    1 "killed in the relay" true false processes::killed_in_the_relay;
    2 "the answer is lost, the client asks again" true false processes::answers_lost;
    3 "killed in a handler" true false processes::killed_in_handlers;
    3 "killed in a writer" true false processes::killed_in_writers;
    3 "kill -9 at any moment" true false processes::killed_at_random;
    4 "a handler panics or is stuck" true false processes::panics_and_stalls;
    5 "broker kill -9" false true broker::killed;
    5 "broker replaced by an empty one" false false broker::replaced;
    6 "broker closes connections, stops and starts" false false broker::restarted;
    7 "queues and exchanges deleted, a wrong queue" false false broker::topology_gone;
    8 "broker alarms" false false broker::alarms;
    9 "PostgreSQL kill -9" false false database::killed;
    10 "PostgreSQL slow and locked" false false database::slow_and_locked;
    11 "cut after COMMIT was sent" false false database::cut_after_commit;
    12 "the processes' disk is full" true false disk::of_processes;
    12 "PostgreSQL's disk is full" false false disk::of_the_database;
    13 "network cut, one way, black hole, flapping" false false network::broken;
    13 "every link silent for a minute" false false network::silent;
    14 "every message delivered again, ten times" false false messages::duplicated;
    15 "messages out of order" false false messages::reordered;
    16 "messages nobody can read" false true messages::malformed;
    17 "provider limits, fails, breaks off" true false provider::answers_badly;
    19 "provider unreachable" true false provider::unreachable;
    19 "a provider hangs beside one that works" true false neighbours::one_hangs;
    20 "provider slow" true false provider::slow;
    21 "provider lies" true false provider::lies;
    23 "clocks jump by an hour and by a day" true false clock::jumps;
    24 "a worker stands still, then goes on" false false processes::stands_still;
    25 "two versions, rolled out and back" true false versions::rolled_out_and_back;
    28 "a virtual key is revoked while it is used" false false caches::revoked_in_use;
    31 "one tenant floods" true false neighbours::one_floods;
    32 "services start after the processes" false false processes::started_first;
    33 "SIGTERM under load" true false processes::terminated;
    35 "any sequence of changes, against a model" true true model::cases;
}
