//! The table: medians over the rounds, and each server's CPU time beside the two limits.

use std::collections::BTreeMap;

use keyway_testkit::figures::{Figure, Wanted, median_of};

use crate::load::Outcome;

type Key = (&'static str, usize, &'static str);

pub(crate) struct Report(BTreeMap<Key, Vec<Outcome>>);

impl Report {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn add(&mut self, key: Key, outcome: Outcome) {
        self.0.entry(key).or_default().push(outcome);
    }

    pub(crate) fn print(&self, servers: &[&'static str]) {
        println!(
            "\n| proxied | connections | server | a second | CPU us | x bare hyper | x bare warp+reqwest | p50 us | p99 us | first byte p50 us | MiB |"
        );
        println!("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        let modes: Vec<(&str, usize)> = [("json", 1), ("json", 32), ("json", 128), ("stream", 32)].into();
        for (mode, connections) in modes {
            let of = |name, field: fn(&Outcome) -> f64| self.median((mode, connections, name), field);
            let cpu = |outcome: &Outcome| outcome.cpu;
            for name in servers {
                println!(
                    "| {mode} | {connections} | {name} | {:.0} | {:.1} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} |",
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

    /// What the design asks for, at 32 connections.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let cpu: fn(&Outcome) -> f64 = |outcome| outcome.cpu;
        let first: fn(&Outcome) -> f64 = |outcome| outcome.first_byte_p50;
        let wanted = [
            ("proxied request: CPU, against bare warp+reqwest", "json", "bare warp+reqwest", cpu, 1.0),
            ("proxied request: CPU, against bare hyper", "json", "bare hyper", cpu, 1.5),
            ("stream of 24 events: CPU, against bare hyper", "stream", "bare hyper", cpu, 1.3),
            ("stream of 24 events: first byte, against bare hyper", "stream", "bare hyper", first, 1.3),
        ];
        let figure = |(name, mode, limit, field, most)| {
            let (found, limit) = (self.median((mode, 32, "keyway"), field), self.median((mode, 32, limit), field));
            let shown = |us: f64| format!("{us:.1} us");
            let (ratio, wanted) = (found / limit, Wanted::AtMost(most));
            Figure { name, found: shown(found), limit: shown(limit), ratio, wanted }
        };
        wanted.map(figure).into()
    }

    fn median(&self, key: (&str, usize, &str), field: fn(&Outcome) -> f64) -> f64 {
        let found = self.0.iter().find(|((mode, connections, name), _)| (*mode, *connections, *name) == key);
        median_of(found.into_iter().flat_map(|(_, outcomes)| outcomes.iter().map(field)))
    }
}
