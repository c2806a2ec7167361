//! The store on both databases: the same tests run on PostgreSQL and on SQLite.

mod audit_and_rest;
mod budgets;
mod dead_letters;
mod fixture;
mod full_disk;
mod integrations;
mod key_usage;
mod limits;
mod members;
mod migrations;
mod operations;
mod outbox;
mod outbox_shares;
mod people;
mod postgres;
mod provider_limits;
mod refused_calls;
mod replicas;
mod request_log;
mod row_level_security;
mod sign_in;
mod states;
mod tenancy;
mod transaction_pooler;
mod usage;
mod verdicts;
