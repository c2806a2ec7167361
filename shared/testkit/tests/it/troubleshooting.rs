//! `docs/troubleshooting.md` against the code: every code, alert and message that asks for an act is on that page.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

/// Lists of the words of answers, operations, verdicts and dead letters: file, texts around the list, and smallest
/// count.
const WORDS: &[(&str, &str, &str, usize)] = &[
    ("api/src/code.rs", "codes! {", "\n}", 25),
    ("proxy/src/refusal/mod.rs", "codes! {", "\n}", 30),
    ("shared/domain/src/code.rs", "pub const fn name(self)", "\n    }", 10),
    ("shared/domain/src/integration.rs", "impl VerdictKind", "pub fn parse", 7),
    ("shared/domain/src/dead_reason.rs", "pub const fn name(self)", "\n    }", 5),
    ("shared/store/src/dead_letters.rs", "pub const EXHAUSTED", ";", 1),
];
/// Errors that end a command or a start, or are logged.
const ENUMS: &[&str] = &[
    "shared/config/src/read.rs",
    "shared/vault/src/lib.rs",
    "shared/telemetry/src/logs.rs",
    "shared/bus/src/error.rs",
];
/// Errors that only code sees.
const NEVER_SAID: &[&str] = &[
    "logging was already set up in this process",
    "the bus is closed",
    "the journal failed: ",
    "the lane ",
    "the message cannot be encoded: ",
    "the delivery was lost with its connection and will come again",
    "the handler failed, the message is put back: ",
    "whether the broker has the message is unknown, it is to be published again: ",
];
/// Beginnings of messages that end a command.
const ENDS: &[&str] = &["bail!(", "anyhow!(", ".context(", "with_context("];

#[test]
fn every_code_is_on_the_page() -> Result<()> {
    let page = page()?;
    for (file, begin, end, fewest) in WORDS {
        let text = read(file)?;
        let part = text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).context(*file)?.0;
        let words: Vec<_> = literals(part).into_iter().filter(|word| is_code(word)).collect();
        ensure!(words.len() >= *fewest, "{file}: only {words:?}");
        for word in words {
            ensure!(page.contains(&format!("`{word}`")), "{file}: no line says what to do about {word}");
        }
    }
    Ok(())
}

#[test]
fn every_alert_is_on_the_page() -> Result<()> {
    let (page, rules) = (page()?, read("grafana/alerts.yml")?);
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    ensure!(alerts.len() > 20, "the search finds the alerts: {alerts:?}");
    for alert in alerts {
        ensure!(page.contains(&format!("`{alert}`")), "no line says where to look for {alert}");
    }
    Ok(())
}

#[test]
fn every_message_that_ends_a_command_or_is_an_error_in_the_log_is_on_the_page() -> Result<()> {
    let mut messages = Vec::new();
    for (path, text) in sources(&[
        "src",
        "api/src",
        "proxy/src",
        "workers/src",
        "shared/bus/src",
        "shared/http/src",
        "shared/telemetry/src",
    ])? {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let ends = if path.starts_with("src/") { ENDS } else { &[] };
        for begin in ends.iter().chain(&["tracing::error!("]) {
            for call in code.split(begin).skip(1).map(arguments) {
                // Fields come first; the message is the last text.
                messages.extend(literals(call).pop().map(|message| (path.clone(), message)));
            }
        }
    }
    for path in ENUMS {
        let text = read(path)?;
        let errors = text.split("#[error(").skip(1).filter_map(|rest| literals(arguments(rest)).into_iter().next());
        messages.extend(errors.map(|message| ((*path).to_owned(), message)));
    }
    ensure!(messages.len() > 60, "the search finds the messages: {}", messages.len());
    let page = page()?.replace('`', "");
    let mut missing = Vec::new();
    for (path, message) in messages.iter().filter(|(_, message)| !NEVER_SAID.contains(&longest(message))) {
        let fixed = longest(message).replace('`', "");
        let fixed = fixed.trim_matches([' ', ':', ';', ',', '(']);
        // One that is all placeholders is what another one says.
        if fixed.len() >= 5 && !page.contains(fixed) {
            missing.push(format!("{path}: no line says what to do about `{fixed}`"));
        }
    }
    ensure!(missing.is_empty(), "{}", missing.join("\n"));
    Ok(())
}

fn is_code(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && !KINDS.contains(&word)
}

/// The families of codes, which stand in the same rows.
const KINDS: &[&str] = &[
    "rate_limit",
    "invalid_request",
    "authentication",
    "permission",
    "invalid_request_error",
    "authentication_error",
    "api_error",
    "rate_limit_error",
    "billing_error",
];

/// Returns the longest constant part of a message.
fn longest(message: &str) -> &str {
    let parts = message.split('{').enumerate();
    let fixed = parts.map(|(at, part)| if at == 0 { part } else { part.split_once('}').map_or("", |(_, rest)| rest) });
    fixed.max_by_key(|part| part.len()).unwrap_or_default()
}

/// Returns the content of a call's parentheses; the opening one is not part of `text`.
fn arguments(text: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (1_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The texts in quotes, with lines that are continued put together.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), code);
    while let Some((_, begun)) = rest.split_once('"') {
        let mut end = 0;
        while let Some(at) = begun[end..].find(['"', '\\']) {
            end += at;
            if begun.as_bytes()[end] == b'"' {
                break;
            }
            end += 2;
        }
        let lines: Vec<_> = begun[..end.min(begun.len())].split("\\\n").collect();
        let joined: Vec<_> =
            lines.iter().enumerate().map(|(at, line)| if at == 0 { line } else { line.trim_start() }).collect();
        found.push(joined.concat().replace("\\\"", "\""));
        rest = begun.get(end + 1..).unwrap_or_default();
    }
    found
}

fn page() -> Result<String> {
    read("docs/troubleshooting.md")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every source file below these folders, by its path from the root.
fn sources(folders: &[&str]) -> Result<Vec<(String, String)>> {
    let mut folders: Vec<_> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder))? {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.ends_with(".rs") {
                files.push((path.clone(), read(&path)?));
            }
        }
    }
    Ok(files)
}

#[test]
fn messages_are_read_as_they_are_said() {
    let code = "%error, file = %path.display(), \"a (file) \\\n   of {0} it\\\"s\");";
    assert_eq!(literals(arguments(code)), ["a (file) of {0} it\"s"]);
    assert_eq!(longest("{a}: is {b:?} not there yet"), " not there yet");
}
