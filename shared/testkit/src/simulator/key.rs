//! What the text of a key says about how it is to be answered.

use super::Fault;

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyScript {
    /// What is wrong with its answers.
    pub fault: Fault,
    /// For how many calls; `None`: for ever.
    pub times: Option<u32>,
    /// Whether it is an admin key.
    pub admin: bool,
}

/// How many calls of a flaky key fail before it works, unless its text says otherwise.
const FLAKY_CALLS: u32 = 2;

/// Reads `sk-sim-<word>-...` and `sk-admin-sim-<word>-...`; any other key is unknown to the
/// provider. A flaky key says how often it fails: `sk-sim-flaky3-...`.
pub(super) fn read(key: &str) -> KeyScript {
    let (rest, admin) = match (key.strip_prefix("sk-sim-"), key.strip_prefix("sk-admin-sim-")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        _ => return KeyScript { fault: Fault::Revoked, times: None, admin: key.starts_with("sk-admin-") },
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
            ("sk-admin-sim-1", Fault::None, None, true),
            ("sk-admin-sim-circle-1", Fault::Circle, None, true),
            ("sk-proj-anything", Fault::Revoked, None, false),
            ("sk-admin-anything", Fault::Revoked, None, true),
            ("", Fault::Revoked, None, false),
        ] {
            assert_eq!(read(key), KeyScript { fault, times, admin }, "{key}");
        }
    }
}
