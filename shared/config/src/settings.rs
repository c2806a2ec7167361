//! The list of settings, from the files of their roles. `.env.example` is checked against it.

use crate::{Setting, api, mail, oidc, process, proxy, store, workers};

/// Names of the settings that are secrets, or hold a password.
pub const SECRETS: [&str; 6] = [
    api::ADMIN_KEY.name,
    proxy::FALLBACK_KEY.name,
    store::DATABASE_URL.name,
    process::AMQP_URL.name,
    mail::SMTP_URL.name,
    oidc::CLIENT_SECRET.name,
];

/// Every setting, role after role.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    [
        process::SETTINGS,
        store::SETTINGS,
        api::SETTINGS,
        mail::SETTINGS,
        oidc::SETTINGS,
        proxy::SETTINGS,
        workers::SETTINGS,
    ]
    .into_iter()
    .flatten()
}
