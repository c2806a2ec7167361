//! The only module that prints. A running process writes to the log instead.

use std::path::Path;

use keyway_config::UnreadLine;

/// Prints a line for the person at the terminal.
#[expect(clippy::print_stdout, reason = "the one home of printing")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Prints an error for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the one home of printing")]
pub(crate) fn error(text: &str) {
    eprintln!("{text}");
}

/// Returns the message about a skipped line, without its content, which may be a secret.
pub(crate) fn unread(file: &Path, line: &UnreadLine) -> String {
    let name = line.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{}: line {}{name} is not NAME=value with its quotes closed, and is skipped", file.display(), line.number)
}
