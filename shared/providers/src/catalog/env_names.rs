//! The names of environment variables under which a provider's credentials usually stand. Plain data.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The names of a provider.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvNames {
    /// Variables that hold a key.
    pub key: Vec<String>,
    /// Variables that hold the fields of a credential that is an object, by field.
    pub fields: BTreeMap<String, String>,
    /// Those of the fields that may be missing; without any other there is no credential.
    pub optional: Vec<String>,
    /// Variables that name a file with the credential.
    pub file: Vec<String>,
    /// The variable that holds the host the credential is for.
    pub base_url: Option<String>,
}
