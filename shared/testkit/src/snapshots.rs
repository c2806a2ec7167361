//! Texts that a test makes, each in a file beside it that a review sees. A text without its file fails, and so does a
//! file without its text: whoever adds a row to a table adds its snapshot, whoever removes one removes it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Compares each value with the file of its name in `folder`, and wants no other file there. Panics, as `insta` does,
/// where a value differs; `INSTA_UPDATE=always` writes what is new.
///
/// # Errors
/// The folder cannot be read, or holds more.
pub fn compare(folder: &Path, values: &BTreeMap<String, Value>) -> Result<()> {
    ensure!(!values.is_empty(), "nothing to compare");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, value) in values {
        settings.bind(|| insta::assert_json_snapshot!(name.as_str(), value));
    }
    for file in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let file = file?.file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(".snap")).unwrap_or_default();
        ensure!(values.contains_key(name), "{} in {} is nobody's snapshot", file.display(), folder.display());
    }
    Ok(())
}
