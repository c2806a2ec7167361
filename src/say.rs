//! The one place that prints. Everything a running process has to tell goes to the log instead.

/// A line for the person at the terminal.
#[expect(clippy::print_stdout, reason = "the one home of printing")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// An error for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the one home of printing")]
pub(crate) fn error(text: &str) {
    eprintln!("{text}");
}
