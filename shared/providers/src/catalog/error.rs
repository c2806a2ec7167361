//! Reason why a catalog is not usable.

use std::path::PathBuf;

/// Reason why a catalog is not usable.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file cannot be read: check `KEYWAY_MODELS_FILE`.
    #[error("cannot read the models file {path}: {source}")]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// Not YAML, or an unknown field: correct the place that the text names.
    #[error("the models file is not in its form: {0}")]
    Syntax(String),
    /// A provider's stanza is invalid: correct it.
    #[error("provider `{provider}` in the models file: {problem}")]
    Provider {
        /// Name of the stanza's provider.
        provider: String,
        /// Fault and fix.
        problem: String,
    },
}
