//! `VerifyKey` (lane `verify`): open the secret, probe the provider, report a verdict with evidence.
//!
//! One refusal is never believed: a first probe that would be `invalid` or `misconfigured` schedules a second,
//! independent probe, and only that one's verdict can be `invalid` or `misconfigured`.

use keyway_domain::{Code, Command, Event, Evidence, IntegrationId, Message, Outcome, Timestamp, Verdict, VerdictKind};
use keyway_telemetry::metrics;

use super::target::{Missing, open};
use crate::{
    Ctx, HandlerError,
    gate::{MOST_TURNS, TurnedAway},
};

const LEFT_ALONE: &str = "the host could not be reached; the key is verified as soon as it answers";
const SERVED: &str = "the host has no list of models to check a key with, but it has served a call with this one";

/// Probes one secret once.
pub(super) async fn run(
    ctx: &Ctx,
    message: &Message,
    integration_id: IntegrationId,
    secret_version: i32,
    confirming: bool,
) -> Result<Outcome, HandlerError> {
    let verified =
        |verdict, provider_key_id| Event::KeyVerified { integration_id, secret_version, verdict, provider_key_id };
    let opened = match open(ctx, message.tenant_id, integration_id, Some(secret_version)).await? {
        Ok(opened) => opened,
        Err(Missing::Undecryptable) => {
            let found = verdict(VerdictKind::Undecryptable, Code::Undecryptable.message());
            return Ok(Outcome::Done(vec![verified(found, None)]));
        }
        Err(missing) => return Ok(missing.outcome()),
    };
    let pass = match opened.enter(ctx).await {
        Ok(pass) => pass,
        // The verification ends here: another one follows as soon as the host answers anybody.
        Err(TurnedAway::Failing { .. }) if message.turn >= MOST_TURNS => {
            let events = vec![verified(verdict(VerdictKind::Unreachable, LEFT_ALONE), None)];
            return Ok(Outcome::Failed { code: Code::Unreachable, events });
        }
        Err(away) => return Ok(away.outcome(message.turn)),
    };
    let provider = opened.integration.provider.as_str();
    let timer = metrics().provider_seconds.with_label_values(&[label(ctx, provider), "probe"]).start_timer();
    let mut finding = opened.provider.probe(opened.target(), &ctx.http).await;
    timer.observe_duration();
    if finding.kind == VerdictKind::Misconfigured && opened.integration.served_at.is_some() {
        finding.kind = VerdictKind::Valid;
        SERVED.clone_into(&mut finding.evidence.reason);
    }
    let failed = finding.evidence.http_status.is_none_or(|status| status >= 500);
    pass.answered(finding.kind != VerdictKind::Unreachable || !failed);
    if matches!(finding.kind, VerdictKind::Invalid | VerdictKind::Misconfigured) && !confirming {
        let next = Command::VerifyKey { integration_id, secret_version, confirming: true };
        return Ok(Outcome::Retry {
            code: Code::ConfirmationDue,
            after: Some(ctx.settings.confirm_after),
            next: Some(next),
            events: Vec::new(),
        });
    }
    metrics().verdicts.with_label_values(&[label(ctx, provider), finding.kind.name()]).inc();
    let found = Verdict { kind: finding.kind, evidence: finding.evidence, checked_at: Timestamp::now() };
    let events = vec![verified(found, finding.provider_key_id)];
    let code = match finding.kind {
        VerdictKind::RateLimited => Code::RateLimited,
        VerdictKind::Unreachable => Code::Unreachable,
        _ => return Ok(Outcome::Done(events)),
    };
    Ok(Outcome::Retry { code, after: finding.retry_after, next: None, events })
}

/// Returns the provider's name as a metric label: custom names are tenants' own text and not a closed set.
pub(super) fn label<'a>(ctx: &Ctx, provider: &'a str) -> &'a str {
    if ctx.catalog.now().get(provider).is_some() { provider } else { "custom" }
}

/// Builds a verdict without an answer of the provider.
fn verdict(kind: VerdictKind, reason: &str) -> Verdict {
    let evidence = Evidence { reason: reason.to_owned(), ..Evidence::default() };
    Verdict { kind, evidence, checked_at: Timestamp::now() }
}
