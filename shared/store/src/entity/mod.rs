//! Rows as stored, one entity per table that is read row by row; private to this crate. The usage tables have none:
//! they are only summed and upserted.

pub(crate) mod audit_events;
pub(crate) mod content_types;
pub(crate) mod data_keys;
pub(crate) mod dead_letters;
pub(crate) mod document_versions;
pub(crate) mod documents;
pub(crate) mod idempotency_keys;
pub(crate) mod integrations;
pub(crate) mod invitations;
pub(crate) mod link_tokens;
pub(crate) mod mails;
pub(crate) mod memberships;
pub(crate) mod modules;
pub(crate) mod node_types;
pub(crate) mod operations;
pub(crate) mod outbox;
pub(crate) mod passkeys;
pub(crate) mod projects;
pub(crate) mod provider_limits;
pub(crate) mod provider_models;
pub(crate) mod providers;
pub(crate) mod replacements;
pub(crate) mod reveal_allowances;
pub(crate) mod secrets;
pub(crate) mod services;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod sign_in_attempts;
pub(crate) mod tenants;
pub(crate) mod totp_factors;
pub(crate) mod users;
pub(crate) mod verdicts;
pub(crate) mod virtual_keys;
