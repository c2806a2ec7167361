//! Why a catalog cannot be used.

use std::path::PathBuf;

/// Why a catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file cannot be read: check `KEYWAY_MODELS_FILE`.
    #[error("cannot read the models file {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not YAML, or a field that does not belong there: correct the place it names.
    #[error("the models file is not in its form: {0}")]
    Syntax(String),
    /// A provider's stanza says something impossible: correct it.
    #[error("provider `{provider}` in the models file: {problem}")]
    Provider {
        /// Which stanza.
        provider: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}
