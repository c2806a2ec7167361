//! `VerifyKey` (lane `verify`): open the secret, probe the provider, report a verdict with evidence.
//!
//! One refusal is never believed: the first "this key is wrong" schedules a second, independent probe,
//! and only that one's verdict can be `invalid`.

use keyway_domain::{Code, Command, Event, Evidence, IntegrationId, Message, Outcome, Timestamp, Verdict, VerdictKind};
use keyway_telemetry::metrics;

use super::target::{Missing, open};
use crate::{Ctx, HandlerError};

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
    let opened = match open(ctx, message.tenant_id, integration_id).await? {
        Ok(opened) if opened.integration.secret_version == secret_version => opened,
        Ok(_) => return Ok(Outcome::Failed { code: Code::Gone, events: Vec::new() }),
        Err(Missing::Undecryptable) => return Ok(Outcome::Done(vec![verified(undecryptable(), None)])),
        Err(missing) => return Ok(missing.outcome()),
    };
    let pass = match opened.enter(ctx).await {
        Ok(pass) => pass,
        Err(away) => return Ok(away.into()),
    };
    let provider = opened.integration.provider.as_str();
    let timer = metrics().provider_seconds.with_label_values(&[label(ctx, provider), "probe"]).start_timer();
    let finding = opened.provider.probe(opened.target(), &ctx.http).await;
    timer.observe_duration();
    let failed = finding.evidence.http_status.is_none_or(|status| status >= 500);
    pass.answered(finding.kind != VerdictKind::Unreachable || !failed);
    if finding.kind == VerdictKind::Invalid && !confirming {
        let next = Command::VerifyKey { integration_id, secret_version, confirming: true };
        return Ok(Outcome::Retry {
            code: Code::ConfirmationDue,
            after: Some(ctx.settings.confirm_after),
            next: Some(next),
            events: Vec::new(),
        });
    }
    metrics().verdicts.with_label_values(&[label(ctx, provider), finding.kind.name()]).inc();
    let verdict = Verdict { kind: finding.kind, evidence: finding.evidence, checked_at: Timestamp::now() };
    let events = vec![verified(verdict, finding.provider_key_id)];
    let code = match finding.kind {
        VerdictKind::RateLimited => Code::RateLimited,
        VerdictKind::Unreachable => Code::Unreachable,
        _ => return Ok(Outcome::Done(events)),
    };
    Ok(Outcome::Retry { code, after: finding.retry_after, next: None, events })
}

/// The provider's name as a metric label: custom names are tenants' own text and not a closed set.
pub(super) fn label<'a>(ctx: &Ctx, provider: &'a str) -> &'a str {
    if ctx.catalog.now().get(provider).is_some() { provider } else { "custom" }
}

fn undecryptable() -> Verdict {
    let reason = Code::Undecryptable.message().to_owned();
    Verdict {
        kind: VerdictKind::Undecryptable,
        evidence: Evidence { reason, ..Evidence::default() },
        checked_at: Timestamp::now(),
    }
}
