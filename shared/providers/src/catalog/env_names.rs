//! The names of environment variables under which a provider's credentials usually stand. Plain data.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Names of a provider's variables.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvNames {
    /// Variables that hold a key.
    pub key: Vec<String>,
    /// Variables that hold the fields of a JSON credential, by field.
    pub fields: BTreeMap<String, String>,
    /// Fields that may be missing; each other field is required.
    pub optional: Vec<String>,
    /// Variables that name a file with the credential.
    pub file: Vec<String>,
    /// Variable that holds the credential's host.
    pub base_url: Option<String>,
}
