//! Canaries: secrets that are planted, and the search for every form in which one could have been written.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Characters of a canary's core, which is searched for. The end of a key may be shown as its hint.
pub(super) const CORE: usize = 24;

/// A secret and the part of it that must be nowhere.
pub(super) struct Canary {
    pub(super) what: &'static str,
    pub(super) secret: String,
    pub(super) core: String,
}

impl Canary {
    /// A fresh one.
    pub(super) fn plant(what: &'static str, prefix: &str) -> Self {
        let core: String = std::iter::repeat_with(fastrand::alphanumeric).take(CORE).collect();
        Self { what, secret: format!("{prefix}{core}-tail"), core }
    }

    /// The core as it is, in base64 at each of the three alignments, in hexadecimal, escaped in JSON and reversed.
    fn forms(&self) -> Vec<Vec<u8>> {
        let bytes = self.core.as_bytes();
        let mut forms = vec![bytes.to_vec(), bytes.iter().rev().copied().collect()];
        for skipped in 0..3 {
            // Whole groups of three only: their text does not depend on the neighbours.
            let whole = &bytes[skipped..skipped + (bytes.len() - skipped) / 3 * 3];
            let encoded = STANDARD.encode(whole);
            forms.push(encoded.replace('+', "-").replace('/', "_").into_bytes());
            forms.push(encoded.into_bytes());
        }
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        forms.push(hex.to_uppercase().into_bytes());
        forms.push(hex.into_bytes());
        forms.push(bytes.iter().flat_map(|byte| format!("\\u{byte:04x}").into_bytes()).collect());
        // How a list of bytes looks when somebody prints it.
        forms.push(bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ").into_bytes());
        forms.push(bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",").into_bytes());
        forms
    }
}

/// Searches every file below the places for every form of every canary.
pub(super) fn nothing_is_found(planted: &[Canary], places: &[PathBuf]) -> Result<()> {
    let mut found = Vec::new();
    if !files_with(planted.iter().flat_map(Canary::forms), places)?.is_empty() {
        for canary in planted {
            for form in canary.forms() {
                for file in files_with(std::iter::once(form.clone()), places)? {
                    found.push(format!("{} in {file}, as {}", canary.what, String::from_utf8_lossy(&form)));
                }
            }
        }
    }
    ensure!(found.is_empty(), "secrets were found:\n{}", found.join("\n"));
    Ok(())
}

/// The files that contain any of these texts. grep reads a broker's and a database's files in a moment.
pub(super) fn files_with(forms: impl Iterator<Item = Vec<u8>>, places: &[PathBuf]) -> Result<Vec<String>> {
    let patterns = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("patterns-{:016x}", fastrand::u64(..)));
    fs::write(&patterns, forms.collect::<Vec<_>>().join(&b'\n'))?;
    let mut grep = Command::new("grep");
    let output = grep.args(["-r", "-a", "-F", "-l", "-f"]).arg(&patterns).args(places).env("LC_ALL", "C").output()?;
    fs::remove_file(&patterns)?;
    // A file that is gone while it is searched was temporary; it makes grep answer 2.
    let said = String::from_utf8_lossy(&output.stderr);
    let gone = said.lines().all(|line| line.ends_with("No such file or directory"));
    ensure!(matches!(output.status.code(), Some(0 | 1)) || gone, "{said}");
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[test]
fn every_form_of_a_canary_is_found() -> Result<()> {
    let canary = Canary::plant("a key", "sk-");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("forms-{:016x}", fastrand::u64(..)));
    fs::create_dir_all(&place)?;
    let contained = |written: &str| -> Result<bool> {
        fs::write(place.join("file"), written)?;
        Ok(nothing_is_found(std::slice::from_ref(&canary), std::slice::from_ref(&place)).is_err())
    };
    for before in ["", "a", "ab"] {
        ensure!(contained(&STANDARD.encode(format!("{before}{}!", canary.secret)))?, "in base64 after {before:?}");
    }
    ensure!(contained(&canary.secret)?, "as it is");
    ensure!(contained(&canary.core.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())?, "in hexadecimal");
    ensure!(contained(&format!("{:?}", canary.core.as_bytes()))?, "as a printed list");
    ensure!(!contained("nothing")?, "where it is not");
    Ok(fs::remove_dir_all(&place)?)
}
