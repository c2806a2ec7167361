//! The workers in both deployments: SQLite with the embedded bus, PostgreSQL with RabbitMQ. Every
//! scenario runs in each, against the provider simulator; a test named `invariant_<n>_...` proves one
//! of the promises the design numbers.

mod content;
mod crowded;
mod dead_letters;
mod deliveries;
mod drift;
mod fan_out;
mod faults;
mod mails;
mod metering;
mod observe;
mod parked;
mod replacements;
mod revocations;
mod schedules;
mod seed;
mod source_rules;
mod stale;
mod tenants;
mod unclear;
mod usage;
mod verdicts;
mod waiting;
mod world;
