//! Keys as scripts: the text of a key says how it is answered.

use super::Fault;

/// Behaviour of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyScript {
    /// Fault of its answers.
    pub fault: Fault,
    /// Number of faulty calls; `None`: all.
    pub times: Option<u32>,
    /// `true` for an admin key.
    pub admin: bool,
}

/// Number of failing calls of a flaky key, unless its text says otherwise.
const FLAKY_CALLS: u32 = 2;

/// Prefixes of keys that the providers know, with `true` for admin keys.
const KNOWN: &[(&str, bool)] = &[
    ("sk-sim-", false),
    ("sk-admin-sim-", true),
    ("sk-ant-sim-", false),
    ("sk-ant-admin01-sim-", true),
    ("AIzaSim-", false),
];
const ADMIN: &[&str] = &["sk-admin-", "sk-ant-admin"];

/// Reads `sk-sim-<word>-...` and the others of [`KNOWN`]; any other key is unknown to the provider. A flaky key names
/// the number of failures: `sk-sim-flaky3-...`.
pub(super) fn read(key: &str) -> KeyScript {
    let known = KNOWN.iter().find_map(|(prefix, admin)| Some((key.strip_prefix(prefix)?, *admin)));
    let Some((rest, admin)) = known else {
        let admin = ADMIN.iter().any(|prefix| key.starts_with(prefix));
        return KeyScript { fault: Fault::Revoked, times: None, admin };
    };
    let word = rest.split('-').next().unwrap_or_default();
    let always = |fault| KeyScript { fault, times: None, admin };
    match word {
        "revoked" => always(Fault::Revoked),
        "restricted" => always(Fault::Restricted),
        "nocredit" => always(Fault::NoCredit),
        "429" => always(Fault::RateLimited),
        "absurd" => always(Fault::AbsurdRetryAfter),
        "500" => always(Fault::ServerError),
        "html" => always(Fault::Html),
        "truncated" => always(Fault::Truncated),
        "cut" => always(Fault::Cut),
        "redirect" => always(Fault::Redirect),
        "gzip" => always(Fault::GzipBomb),
        "header" => always(Fault::HugeHeader),
        "endless" => always(Fault::Endless),
        "hang" => always(Fault::Hang),
        "echo" => always(Fault::Echo),
        "circle" => always(Fault::Circle),
        flaky if flaky.starts_with("flaky") => {
            let times = flaky.trim_start_matches("flaky").parse().unwrap_or(FLAKY_CALLS);
            KeyScript { fault: Fault::ServerError, times: Some(times), admin }
        }
        _ => always(Fault::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_key_scripts_it() {
        for (key, fault, times, admin) in [
            ("sk-sim-good-1", Fault::None, None, false),
            ("sk-sim-revoked-77", Fault::Revoked, None, false),
            ("sk-sim-flaky-1", Fault::ServerError, Some(2), false),
            ("sk-sim-flaky5-1", Fault::ServerError, Some(5), false),
            ("AIzaSim-429-1", Fault::RateLimited, None, false),
            ("AIzaSyAnything", Fault::Revoked, None, false),
            ("sk-admin-sim-1", Fault::None, None, true),
            ("sk-admin-sim-circle-1", Fault::Circle, None, true),
            ("sk-ant-sim-429-1", Fault::RateLimited, None, false),
            ("sk-ant-admin01-sim-1", Fault::None, None, true),
            ("sk-ant-admin01-anything", Fault::Revoked, None, true),
            ("sk-proj-anything", Fault::Revoked, None, false),
            ("sk-admin-anything", Fault::Revoked, None, true),
            ("", Fault::Revoked, None, false),
        ] {
            assert_eq!(read(key), KeyScript { fault, times, admin }, "{key}");
        }
    }
}
