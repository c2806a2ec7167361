//! Accepted forms of a key, and the verdicts that recorded answers to a probe prove.

use anyhow::{Context, Result, ensure};
use keyway_domain::KeyFamily;
use keyway_domain::VerdictKind::{self, Invalid, Misconfigured, NoCredit, RateLimited, Restricted, Unreachable, Valid};
use keyway_providers::Finding;
use keyway_testkit::replay::Fixture;

use crate::world::secret;

use super::{
    NONE,
    subject::{Key, Subject},
};

/// The columns, in their order.
const VERDICTS: [VerdictKind; 6] = [Valid, Invalid, RateLimited, Unreachable, Restricted, NoCredit];

/// A plausible key passes and shows nothing secret; what cannot be one is refused without repeating it.
pub(super) fn format(subject: &Subject) -> Result<String> {
    for (key, family) in [(&subject.ordinary, KeyFamily::Ordinary), (&subject.admin, KeyFamily::Admin)] {
        let Some(key) = key else { continue };
        let facts = subject.ways.check_format(&secret(&key.text))?;
        // Where both kinds look alike, only an answer tells which one it is.
        let look_alike = subject.ordinary.as_ref().is_some_and(|ordinary| ordinary.text == key.text);
        ensure!(facts.family == family || look_alike, "a key of the wrong family: {facts:?}");
        ensure!(!facts.hint.is_empty() && !key.shows_in(&facts.hint), "its hint shows the key");
        for (what, text) in [
            ("nothing", String::new()),
            ("a masked key", key.text.replace(&key.secret, "************9876")),
            ("a malformed key", format!("Bearer {}", key.text)),
        ] {
            ensure!(text != key.text, "{what} is the key itself");
            let error = subject.ways.check_format(&secret(&text)).err().with_context(|| format!("{what} is taken"))?;
            ensure!(!key.shows_in(&format!("{error} {error:?}")), "the refusal of {what} shows the key");
        }
    }
    Ok("passes".to_owned())
}

/// Returns a cell for each verdict: whether a recorded answer proves it.
pub(super) async fn verdicts(subject: &Subject, faults: &mut Vec<String>) -> Vec<String> {
    let mut proven = [false; VERDICTS.len()];
    for case in subject.cases.iter().filter(|case| is_about_a_key(case)) {
        match found(subject, case).await {
            Ok(finding) => {
                for (verdict, proven) in VERDICTS.iter().zip(&mut proven) {
                    *proven |= finding.kind == *verdict && is_proof(case, &finding);
                }
            }
            Err(error) => faults.push(format!("{}: {error:#}", case.name)),
        }
    }
    proven.iter().map(|proven| if *proven { "proven" } else { NONE }.to_owned()).collect()
}

/// Returns `true` for an answer to a key that is not about a report, except for missing permissions, which look the
/// same everywhere.
fn is_about_a_key(case: &Fixture) -> bool {
    let is_no_report = ["verify", "token", "balance", "chat"].contains(&case.kind.as_str());
    case.status != 0 && (is_no_report || case.expect["state"] == "valid_limited")
}

/// Returns the finding for an answer, which must be one that the answer allows, if it is a verdict.
async fn found(subject: &Subject, case: &Fixture) -> Result<Finding> {
    let of_admin = case.name.contains("/admin_");
    let (first, other) =
        if of_admin { (&subject.admin, &subject.ordinary) } else { (&subject.ordinary, &subject.admin) };
    let key: &Key = first.as_ref().or(other.as_ref()).context("no key")?;
    let finding = subject.probed(key, case).await?;
    let no_verdict = matches!(finding.kind, Unreachable | RateLimited | Misconfigured);
    ensure!(no_verdict || allowed(case).contains(&finding.kind), "{:?} is not what it says", finding.kind);
    Ok(finding)
}

/// Returns the verdicts that an answer allows.
fn allowed(case: &Fixture) -> &'static [VerdictKind] {
    match case.expect["state"].as_str().unwrap_or_default() {
        "valid" | "valid_limited" => &[Valid, Restricted],
        "invalid" | "expired" => &[Invalid],
        "blocked" => &[Invalid, Restricted],
        "forbidden" => &[Restricted],
        "quota_exhausted" => &[NoCredit],
        _ => &[],
    }
}

/// Returns `true` if the answer is one of those the finding is made for.
fn is_proof(case: &Fixture, finding: &Finding) -> bool {
    match finding.kind {
        RateLimited => case.expect["state"] == "rate_limited",
        Unreachable => case.expect["state"] == "provider_error" && (500..=599).contains(&case.status),
        _ => true,
    }
}
