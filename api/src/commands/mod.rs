//! The writing commands: one file each, one transaction each, in which the change, the audit event and the outbox rows
//! are written together.

pub(crate) mod accept_invitation;
pub(crate) mod add_models;
pub(crate) mod allow_reveals;
pub(crate) mod cancel_operation;
pub(crate) mod create_project;
pub(crate) mod create_provider;
pub(crate) mod create_tenant;
pub(crate) mod create_virtual_key;
pub(crate) mod delete_integration;
pub(crate) mod delete_model;
pub(crate) mod delete_project;
pub(crate) mod delete_provider;
pub(crate) mod delete_tenant;
pub(crate) mod discard_dead_letter;
pub(crate) mod fetch_usage;
pub(crate) mod rename_tenant;
pub(crate) mod replace_credentials;
pub(crate) mod replay_dead_letter;
pub(crate) mod retry_operation;
pub(crate) mod reveal_secret;
pub(crate) mod revoke_virtual_key;
pub(crate) mod second_factor;
pub(crate) mod send_mail;
pub(crate) mod sign_in;
pub(crate) mod sign_in_oidc;
pub(crate) mod sign_in_passkey;
pub(crate) mod step_up;
pub(crate) mod submit_integration;
pub(crate) mod test_integration;
pub(crate) mod update_integration;
pub(crate) mod update_project;
pub(crate) mod update_provider;
pub(crate) mod update_service;
pub(crate) mod update_virtual_key;
