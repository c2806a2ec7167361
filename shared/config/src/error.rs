//! What is wrong with the settings. Never shows a value.

use std::path::PathBuf;

/// What is wrong with the settings, and which one to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A name that no setting has: correct it or remove it.
    #[error("{name} is not a setting of Keyway; {}the settings are listed in .env.example", like(*meant))]
    Unknown {
        /// The name.
        name: String,
        /// The setting that was meant, as far as one can tell.
        meant: Option<&'static str>,
    },
    /// A value that cannot be used.
    #[error("{name} cannot be used: {why}")]
    Invalid {
        /// The setting.
        name: &'static str,
        /// What it has to be; never its value, which may be a secret in the wrong place.
        why: String,
    },
    /// A file of variables cannot be used.
    #[error("{} cannot be read: {problem}", file.display())]
    EnvFile {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

fn like(meant: Option<&str>) -> String {
    meant.map(|name| format!("did you mean {name}? ")).unwrap_or_default()
}
