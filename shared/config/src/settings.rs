//! The list of settings, from the files of their roles. `.env.example` is checked against it.

use crate::{Setting, api, mail, oidc, process, proxy, store, workers};

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
