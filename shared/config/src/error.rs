//! What is wrong with the settings. Never shows a value.

use std::path::PathBuf;

/// A fault of the settings, with the one to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A `KEYWAY_*` name that is no setting: correct it or remove it.
    #[error("{name} is not a setting of Keyway; {}the settings are listed in .env.example", like(*meant))]
    Unknown {
        /// The name.
        name: String,
        /// Setting that was probably meant.
        meant: Option<&'static str>,
    },
    /// A value that is not valid.
    #[error("{name} cannot be used: {why}")]
    Invalid {
        /// The setting.
        name: &'static str,
        /// The requirement; never the value, which may be a secret in the wrong place.
        why: String,
    },
    /// A file of variables that is not usable.
    #[error("{} cannot be read: {problem}", file.display())]
    EnvFile {
        /// Path of the file.
        file: PathBuf,
        /// The fault.
        problem: String,
    },
}

fn like(meant: Option<&str>) -> String {
    meant.map(|name| format!("did you mean {name}? ")).unwrap_or_default()
}
