//! Every metric of Keyway, in one list. Dashboards and alerts are checked against it.
//!
//! A counter ends in `_total`, a unit is in the name. Label values come from closed sets of the code.

use std::sync::LazyLock;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

/// Histogram bounds from 100 microseconds to 2 minutes.
const SECONDS: &[f64] =
    &[0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
/// Histogram bounds from 5 microseconds to 100 milliseconds, for the time that Keyway adds to a proxied request.
const OVERHEAD_SECONDS: &[f64] =
    &[0.000_005, 0.000_01, 0.000_02, 0.000_04, 0.000_08, 0.000_16, 0.000_32, 0.000_64, 0.001_28, 0.005, 0.02, 0.1];

/// Returns the metrics of this process.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $field:ident: $kind:ident($name:literal, $help:literal $(, $extra:expr)*);)*) => {
        /// All metrics; each field's comment names the counted unit.
        pub struct Metrics {
            registry: Registry,
            $($(#[$doc])* pub $field: metrics!(@type $kind),)*
        }

        impl Metrics {
            fn new() -> Self {
                let registry = Registry::new();
                Self {
                    $($field: register(&registry, metrics!(@make $kind, $name, $help $(, $extra)*)),)*
                    registry: with_process(registry),
                }
            }

            /// Names of all metrics, for the check of dashboards and alerts.
            pub const NAMES: &'static [&'static str] = &[$($name),*];
        }
    };
    (@type Counter) => { IntCounter };
    (@type Counters) => { IntCounterVec };
    (@type Gauge) => { IntGauge };
    (@type Gauges) => { IntGaugeVec };
    (@type Time) => { Histogram };
    (@type Times) => { HistogramVec };
    (@make Counter, $name:literal, $help:literal) => { IntCounter::with_opts(Opts::new($name, $help)) };
    (@make Counters, $name:literal, $help:literal, $labels:expr) => { IntCounterVec::new(Opts::new($name, $help), &$labels) };
    (@make Gauge, $name:literal, $help:literal) => { IntGauge::with_opts(Opts::new($name, $help)) };
    (@make Gauges, $name:literal, $help:literal, $labels:expr) => { IntGaugeVec::new(Opts::new($name, $help), &$labels) };
    (@make Time, $name:literal, $help:literal, $buckets:expr) => {
        Histogram::with_opts(HistogramOpts::new($name, $help).buckets($buckets.to_vec()))
    };
    (@make Times, $name:literal, $help:literal, $labels:expr, $buckets:expr) => {
        HistogramVec::new(HistogramOpts::new($name, $help).buckets($buckets.to_vec()), &$labels)
    };
}

metrics! {
    /// 1 while the process runs; labels name build and role.
    build_info: Gauges("keyway_build_info", "1; the labels say which build and role this is", ["version", "role"]);
    /// 1 while the vault is sealed.
    sealed: Gauge("keyway_sealed", "1 while the vault is sealed and nothing can be decrypted");
    /// 1 while the models file is not usable.
    catalog_stale: Gauge("keyway_catalog_stale", "1 while the models file is not usable and what it said before is in use");
    /// Tasks that panicked.
    task_panics: Counter("keyway_task_panics_total", "Tasks that panicked; each is a defect");

    /// Management requests answered.
    api_requests: Counters("keyway_api_requests_total", "Management requests answered", ["route", "method", "status"]);
    /// Time to answer a management request.
    api_seconds: Times("keyway_api_request_seconds", "Time to answer a management request", ["route"], SECONDS);
    /// Open client connections.
    connections: Gauge("keyway_connections", "Open client connections");
    /// Connections refused because the limit was reached, or closed at a deadline.
    connections_refused: Counters("keyway_connections_refused_total", "Connections refused or closed early", ["reason"]);

    /// Failures to prove who one is, and permissions that were denied.
    auth_failures: Counters("keyway_auth_failures_total", "Wrong passwords, sessions, tokens and keys, and permissions that were denied", ["kind"]);
    /// Grouped audit events that are not written yet; frequent repetitions of one event are written as one.
    audit_grouped: Gauge("keyway_audit_grouped", "Things whose grouped audit event is not written yet");
    /// Secrets revealed.
    secret_reveals: Counters("keyway_secret_reveals_total", "Secrets of integrations that were revealed, by the kind of who asked", ["principal"]);

    /// Commands accepted (committed).
    commands: Counters("keyway_commands_total", "Commands accepted, by kind", ["kind"]);
    /// Commands refused because the outbox is too full or too old.
    commands_refused: Counters("keyway_commands_refused_total", "Commands refused with 503 because too much waits in the outbox", ["reason"]);
    /// Rows waiting in the outbox.
    outbox_rows: Gauges("keyway_outbox_rows", "Rows in the outbox that are due", ["route"]);
    /// Rows handed to the bus whose effect has not committed yet.
    outbox_rows_in_flight: Gauges("keyway_outbox_rows_in_flight", "Rows in the outbox that were handed over and have had no effect yet", ["route"]);
    /// Age of the oldest due row in the outbox.
    outbox_oldest_seconds: Gauges("keyway_outbox_oldest_seconds", "Age of the oldest due row in the outbox", ["route"]);
    /// Rows the relay handed to the bus.
    relayed: Counters("keyway_relayed_total", "Outbox rows handed to the bus", ["route"]);
    /// Rows that the bus did not accept; they stay in the outbox.
    relay_failures: Counters("keyway_relay_failures_total", "Outbox rows the bus did not take; they are tried again", ["route"]);
    /// Seconds from a row becoming due to its hand-over to the bus.
    relay_lag_seconds: Times("keyway_relay_lag_seconds", "Time from a row being due to the bus having it", ["route"], SECONDS);
    /// 1 while the bus is connected.
    bus_connected: Gauge("keyway_bus_connected", "1 while the bus takes messages");
    /// Messages waiting in a lane.
    lane_depth: Gauges("keyway_lane_depth", "Messages waiting in a lane", ["lane"]);
    /// Age of the message that a lane took up last. Lanes are first in, first out, so waiting messages are younger.
    lane_oldest_seconds: Gauges("keyway_lane_oldest_seconds", "Age of the oldest message of a lane, as of when one was taken up last", ["lane"]);
    /// Dead letters of a lane that wait in the broker to be filed.
    lane_dead: Gauges("keyway_lane_dead", "Dead letters of a lane that wait in the broker to be filed", ["lane"]);
    /// Consumers of a lane.
    lane_consumers: Gauges("keyway_lane_consumers", "Consumers of a lane", ["lane"]);
    /// Handlers running now.
    lane_running: Gauges("keyway_lane_running", "Handlers running now", ["lane"]);
    /// Attempts that ended.
    attempts: Counters("keyway_attempts_total", "Attempts that ended, by lane, kind and outcome", ["lane", "kind", "outcome"]);
    /// Run time of a handler.
    handler_seconds: Times("keyway_handler_seconds", "Time a handler took", ["lane"], SECONDS);
    /// Time from the writing of a message to the start of its handler.
    wait_seconds: Times("keyway_wait_seconds", "Time from a message being written to its handler starting", ["lane"], SECONDS);
    /// Times that a worker waited because database or bus were away.
    infrastructure_waits: Counters("keyway_infrastructure_waits_total", "Times a worker kept its message and waited for database or bus", ["lane"]);
    /// Messages filed as dead letters.
    dead_lettered: Counters("keyway_dead_lettered_total", "Messages filed as dead letters", ["lane", "reason"]);
    /// Messages that another build parked as dead letters and this one handed back to their lane.
    dead_letters_replayed: Counters("keyway_dead_letters_replayed_total", "Messages another build could not read, handed back to their lane", ["lane"]);
    /// Dead letters not yet replayed or discarded.
    dead_letters: Gauge("keyway_dead_letters", "Dead letters that wait for a decision");
    /// Rows per grouped write.
    group_rows: Times("keyway_group_rows", "Rows per grouped write of a writer", ["writer"], [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]);
    /// Scheduled rounds that were started.
    schedule_fires: Counters("keyway_schedule_fires_total", "Scheduled rounds started by this process", ["schedule"]);

    /// Attempts to send a mail that ended.
    mails: Counters("keyway_mails_total", "Attempts to send a mail that ended, by its kind and the outcome", ["kind", "outcome"]);
    /// Mails that are kept, by state.
    mails_kept: Gauges("keyway_mails", "Mails that are kept, by state", ["state"]);
    /// Age of the oldest mail that waits to be sent.
    mail_oldest_seconds: Gauge("keyway_mail_oldest_seconds", "Age of the oldest mail that waits to be sent; 0: none waits");

    /// Integrations by status.
    integrations: Gauges("keyway_integrations", "Integrations by status", ["status"]);
    /// Integrations whose secret expires within that many days; 0: it has expired.
    integrations_expiring: Gauges("keyway_integrations_expiring", "Integrations whose secret expires within so many days; 0: it has expired", ["days"]);
    /// Integrations found in the last day to be used outside Keyway.
    integrations_used_outside: Gauge("keyway_integrations_used_outside", "Integrations found in the last day to be used outside Keyway");
    /// Verdicts of verifications.
    verdicts: Counters("keyway_verdicts_total", "Verdicts of verifications", ["provider", "verdict"]);
    /// Usage fetches that ended.
    usage_fetches: Counters("keyway_usage_fetches_total", "Usage fetches that ended", ["provider", "outcome"]);
    /// Rows of the reported ledger written.
    usage_rows: Counters("keyway_usage_rows_total", "Rows of the reported ledger written", ["provider"]);
    /// Time from a worker's call to the provider's answer.
    provider_seconds: Times("keyway_provider_seconds", "Time a provider took to answer a worker", ["provider", "call"], SECONDS);
    /// Jobs that are calling a provider now.
    provider_running: Gauges("keyway_provider_running", "Jobs that are calling a provider now", ["provider"]);
    /// Hosts of a provider that this process does not call because they kept failing.
    breaker_open: Gauges("keyway_breaker_open", "Hosts of a provider that this process leaves alone because they keep failing", ["provider"]);
    /// Times that a host was found to keep failing.
    breaker_opened: Counters("keyway_breaker_opened_total", "Times a host of a provider was found to keep failing and left alone", ["provider"]);

    /// Proxied requests that ended.
    proxy_requests: Counters("keyway_proxy_requests_total", "Proxied requests that ended", ["provider", "status"]);
    /// Proxied requests Keyway itself refused.
    proxy_refused: Counters("keyway_proxy_refused_total", "Proxied requests refused by Keyway", ["code"]);
    /// Attempts of proxied requests that failed before another integration was asked.
    proxy_failovers: Counters("keyway_proxy_failovers_total", "Attempts after which another integration was asked", ["provider", "reason"]);
    /// Proxied requests that asked the operator's key.
    proxy_fallbacks: Counters("keyway_proxy_fallbacks_total", "Proxied requests for which the operator's key was asked", ["outcome"]);
    /// Times that an integration's secret did not open, by reason: the vault is sealed, or only this secret fails.
    secrets_unopened: Counters("keyway_secrets_unopened_total", "Times an integration was read for calls whose secret does not open", ["reason"]);
    /// Bodies that gave way because they arrived slowly while others waited for their memory.
    bodies_dropped: Counter("keyway_proxy_bodies_dropped_total", "Bodies that arrived slowly and gave way to others that waited for their memory");
    /// Proxied requests open now.
    proxy_in_flight: Gauge("keyway_proxy_in_flight", "Proxied requests open now");
    /// Time from a proxied request's arrival to the last byte of its answer.
    proxy_seconds: Times("keyway_proxy_request_seconds", "Time a proxied request took, to its last byte", ["provider"], SECONDS);
    /// Time to the first byte of the provider's answer.
    proxy_first_byte_seconds: Times("keyway_proxy_first_byte_seconds", "Time to the provider's first byte", ["provider"], SECONDS);
    /// Time that Keyway added before the provider was called.
    proxy_overhead_seconds: Time("keyway_proxy_overhead_seconds", "Time Keyway added before calling the provider", OVERHEAD_SECONDS);
    /// Tokens metered.
    proxy_tokens: Counters("keyway_proxy_tokens_total", "Tokens metered", ["provider", "direction"]);
    /// Cost metered.
    proxy_cost_nano_usd: Counters("keyway_proxy_cost_nano_usd_total", "Cost metered, in billionths of a US dollar", ["provider"]);
    /// Proxied calls whose cost is unknown.
    proxy_unpriced: Counters("keyway_proxy_unpriced_total", "Metered calls whose cost is unknown", ["provider", "reason"]);
    /// Proxied requests refused by a limit.
    limit_refused: Counters("keyway_limit_refused_total", "Proxied requests that a limit or a budget refused", ["code", "scope"]);
    /// Use of limits by calls: requests, tokens, or nano-USD.
    limit_used: Counters("keyway_limit_used_total", "What calls used of limits, in requests, tokens or billionths of a US dollar", ["scope", "measure"]);
    /// Amounts that this process has leased of limits and not used yet.
    limit_leased: Gauges("keyway_limit_leased", "What this process has leased of limits and not used yet", ["scope", "measure"]);
    /// Cache look-ups.
    cache_lookups: Counters("keyway_cache_lookups_total", "Look-ups in the warm caches", ["cache", "result"]);
    /// Cache entries dropped because something changed.
    cache_invalidations: Counters("keyway_cache_invalidations_total", "Cache entries dropped because something changed", ["cache"]);
    /// Metered calls on the spool that are not in the outbox yet.
    spool_records: Gauge("keyway_spool_records", "Metered calls on the spool that are not yet in the outbox");
    /// Metered calls written to the spool.
    spooled: Counter("keyway_spooled_total", "Metered calls written to the spool");
    /// Calls settled as unknown because their process died before they were recorded.
    settled_calls: Counter("keyway_settled_calls_total", "Calls of processes that died, settled as unknown");

    /// Connections of a database pool.
    database_connections: Gauges("keyway_database_connections", "Connections of a database pool", ["pool", "state"]);
    /// Duration of a database transaction.
    database_seconds: Times("keyway_database_seconds", "Time a database transaction took", ["what"], SECONDS);
}

impl Metrics {
    /// Returns all metrics in the Prometheus text format.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(16 * 1024);
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }
}

#[expect(clippy::expect_used, reason = "names are literals above: a test makes every metric once")]
fn register<M: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("a metric's name, help and labels are well formed");
    registry.register(Box::new(metric.clone())).expect("a metric's name is used once");
    metric
}

fn with_process(registry: Registry) -> Registry {
    let process = prometheus::process_collector::ProcessCollector::for_self();
    if let Err(error) = registry.register(Box::new(process)) {
        tracing::error!(%error, "process metrics are not available");
    }
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_well_formed_and_named_by_the_rules() {
        metrics().commands.with_label_values(&["verify_key"]).inc();
        let text = String::from_utf8(metrics().encode()).unwrap();
        assert!(text.contains(r#"keyway_commands_total{kind="verify_key"} "#));
        assert!(text.contains("process_cpu_seconds_total"));
        for name in Metrics::NAMES {
            assert!(name.starts_with("keyway_"), "{name}");
        }
    }
}
