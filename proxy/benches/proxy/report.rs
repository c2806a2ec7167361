//! The table: medians over the rounds, and each server's CPU time beside the two limits.

use keyway_testkit::figures::{Figure, Wanted, median_of};

use crate::{
    load::Outcome,
    mode::{MODES, Mode},
};

const MOST_ADDED_US: f64 = 40.0;

pub(crate) struct Report(Vec<(Mode, &'static str, Outcome)>);

impl Report {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, mode: Mode, server: &'static str, outcome: Outcome) {
        self.0.push((mode, server, outcome));
    }

    pub(crate) fn print(&self, servers: &[&'static str]) {
        println!(
            "\n| calls | at once | server | a second | CPU us | x bare hyper | x bare warp+reqwest | p50 us | p99 us | first byte p50 us | MiB |"
        );
        println!("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        for mode in MODES {
            let of = |name, field: fn(&Outcome) -> f64| self.median(mode, name, field);
            let cpu = |outcome: &Outcome| outcome.cpu;
            for name in servers {
                println!(
                    "| {} | {} | {name} | {:.0} | {:.1} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} |",
                    mode.name,
                    mode.connections,
                    of(name, |outcome| outcome.per_second),
                    of(name, cpu),
                    of(name, cpu) / of("bare hyper", cpu),
                    of(name, cpu) / of("bare warp+reqwest", cpu),
                    of(name, |outcome| outcome.p50),
                    of(name, |outcome| outcome.p99),
                    of(name, |outcome| outcome.first_byte_p50),
                    of(name, |outcome| outcome.memory_mib),
                );
            }
        }
    }

    /// Returns the figures that have a target.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let cpu: fn(&Outcome) -> f64 = |outcome| outcome.cpu;
        let first: fn(&Outcome) -> f64 = |outcome| outcome.first_byte_p50;
        let [plain_1, plain, _, _, _, stream_1, stream, _] = MODES;
        let wanted = [
            ("proxied request: CPU, against bare warp+reqwest", plain, "bare warp+reqwest", cpu, 1.0),
            ("proxied request: CPU, against bare hyper", plain, "bare hyper", cpu, 1.5),
            ("stream of 24 events: CPU, against bare hyper", stream, "bare hyper", cpu, 1.3),
            ("stream, one at a time: first byte, against bare hyper", stream_1, "bare hyper", first, 1.3),
        ];
        let figure = |(name, mode, limit, field, most)| {
            at_most(name, (self.median(mode, "keyway", field), self.median(mode, limit, field)), "us", most)
        };
        let p50 = |server| self.median(plain_1, server, |outcome| outcome.p50);
        let added = (p50("keyway") - p50("direct"), MOST_ADDED_US);
        let added = at_most("proxied request, one at a time: p50 added", added, "us", 1.0);
        wanted.map(figure).into_iter().chain([added]).collect()
    }

    fn median(&self, mode: Mode, server: &str, field: fn(&Outcome) -> f64) -> f64 {
        let found = self.0.iter().filter(|(of, name, _)| *of == mode && *name == server);
        median_of(found.map(|(.., outcome)| field(outcome)))
    }
}

/// Builds a figure of which less is better, beside its limit.
pub(crate) fn at_most(name: &'static str, (found, limit): (f64, f64), unit: &str, most: f64) -> Figure {
    let shown = |value: f64| format!("{value:.1} {unit}");
    Figure { name, found: shown(found), limit: shown(limit), ratio: found / limit, wanted: Wanted::AtMost(most) }
}
