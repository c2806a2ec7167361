//! The meaning of an answer, or of its absence, for the call and for later ones: by the provider's own signal if it
//! gives one, else by the status.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keyway_domain::Timestamp;
use keyway_providers::{Provider, SignalVerdict, retry_after, sign};
use memchr::memmem;

use crate::{
    refusal::{Code, Refusal},
    route::cooling::{AFTER_FAILURE, AFTER_FORBIDDEN, AFTER_REFUSAL, CoolDown, Scope},
};

/// Error codes, beside status 404, that say that the object a call refers to is not there. Another key may have it: one
/// organisation never sees another's objects.
const NOT_HERE: [&[u8]; 1] = [b"previous_response_not_found"];
/// Names by which a provider refuses `include_usage`.
const USAGE_OPTION: [&[u8]; 2] = [b"stream_options", b"include_usage"];

/// Consequences of asking one integration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Cool-down of the integration, if any.
    pub(crate) down: Option<CoolDown>,
    /// `true` if its key is in doubt.
    pub(crate) doubts: bool,
    /// `true` if another integration may do better.
    pub(crate) moves_on: bool,
}

impl Judgement {
    /// Judges an error; `status` is the one it should have had. `refers`: the call refers to an object that one key
    /// keeps.
    pub(crate) fn of(
        (status, headers, text): (StatusCode, &HeaderMap, &Bytes),
        provider: &dyn Provider,
        refers: bool,
        now: Timestamp,
    ) -> Self {
        let rest = |scope, wait| Some(CoolDown { scope, wait });
        let asked = || retry_after(headers, now).unwrap_or(AFTER_FAILURE);
        let status_code = status.as_u16();
        let found = sign(provider.signals(), status, text.clone());
        let down = match (found.map(|sign| (sign.verdict, sign.is_of_one_model)), status_code) {
            (Some((SignalVerdict::NoCredit, true)), _) => rest(Scope::Model, AFTER_REFUSAL),
            (Some((SignalVerdict::Invalid | SignalVerdict::NoCredit, _)), _) | (_, 401 | 402) => {
                rest(Scope::Integration, AFTER_REFUSAL)
            }
            (Some((SignalVerdict::Restricted, _)), 400) => rest(Scope::Integration, AFTER_REFUSAL),
            (_, 403) => rest(Scope::Model, AFTER_FORBIDDEN),
            (_, 429) => rest(Scope::Model, asked()),
            (_, 500..=599) => rest(Scope::Integration, asked()),
            _ => None,
        };
        let is_elsewhere = refers && (status_code == 404 || contains(text, &NOT_HERE));
        let doubts = found.is_some() || matches!(status_code, 401..=403);
        Self { down, doubts, moves_on: down.is_some() || is_elsewhere }
    }

    /// Judges an attempt without an answer. No other integration is asked if the provider may have acted on the
    /// request.
    pub(crate) fn without_answer(code: Code) -> Self {
        let (wait, moves_on) = match code {
            Code::UpstreamUnreachable => (AFTER_FAILURE, true),
            Code::UpstreamForbidden | Code::Unreadable => (AFTER_REFUSAL, true),
            Code::UpstreamFlooded => (AFTER_REFUSAL, false),
            _ => return Self::default(),
        };
        Self { down: Some(CoolDown { scope: Scope::Integration, wait }), doubts: false, moves_on }
    }
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The caller gets the outcome.
    Ends,
    /// The next upstream is asked.
    Next,
}

impl Turn {
    /// Decides by an attempt's status or refusal. Of the operator's key an outcome that serves nobody never ends the
    /// call: its caller knows nothing of OpenRouter, and can mend nothing that it says.
    pub(crate) fn after(
        outcome: Result<StatusCode, &Refusal>,
        judgement: Judgement,
        is_fallback: bool,
        is_last: bool,
    ) -> Self {
        let leads_nowhere = match outcome {
            Ok(status) if is_fallback => !status.is_success(),
            Ok(_) => judgement.moves_on,
            Err(refusal) if is_fallback => !matches!(
                refusal.code(),
                Code::UpstreamBroken | Code::UpstreamFlooded | Code::UpstreamTimeout | Code::SpoolFull
            ),
            Err(refusal) => judgement.moves_on || refusal.is_limit(),
        };
        if leads_nowhere && (is_fallback || !is_last) { Self::Next } else { Self::Ends }
    }
}

/// Returns `true` if an error is about the `include_usage` that Keyway added, and not about the caller's request.
pub(crate) fn refuses_usage(status: StatusCode, text: &[u8]) -> bool {
    matches!(status.as_u16(), 400 | 422) && contains(text, &USAGE_OPTION)
}

fn contains(text: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| memmem::find(text, word).is_some())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderValue, header};
    use keyway_domain::LimitScope;
    use keyway_providers::{Catalog, for_spec};

    use super::*;
    use crate::refusal::exceeded::{Exceeded, State};

    fn judged(provider: &str, status: u16, text: &'static str, refers: bool) -> (Option<(Scope, u64)>, bool, bool) {
        let catalog = Catalog::load(None).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("17"));
        let answer = (StatusCode::from_u16(status).unwrap(), &headers, &Bytes::from_static(text.as_bytes()));
        let provider = for_spec(catalog.get(provider).unwrap());
        let Judgement { down, doubts, moves_on } = Judgement::of(answer, &*provider, refers, Timestamp::from_ms(0));
        (down.map(|down| (down.scope, down.wait.as_secs())), doubts, moves_on)
    }

    #[test]
    fn a_providers_own_sign_decides_and_the_status_where_there_is_none() {
        let (all, one) = (Scope::Integration, Scope::Model);
        for (provider, status, text, expected) in [
            ("openai", 400, r#"{"error":{"code":"invalid_value"}}"#, (None, false, false)),
            ("openai", 404, r#"{"error":{"code":"model_not_found"}}"#, (None, false, false)),
            ("openai", 401, r#"{"error":{"code":"invalid_api_key"}}"#, (Some((all, 60)), true, true)),
            ("openai", 401, "<html>", (Some((all, 60)), true, true)),
            ("openai", 403, "{}", (Some((one, 10)), true, true)),
            ("openai", 429, r#"{"error":{"code":"rate_limit_exceeded"}}"#, (Some((one, 17)), false, true)),
            ("openai", 429, r#"{"error":{"code":"insufficient_quota"}}"#, (Some((all, 60)), true, true)),
            ("openai", 503, "", (Some((all, 17)), false, true)),
            (
                "anthropic",
                400,
                r#"{"error":{"message":"Your credit balance is too low"}}"#,
                (Some((all, 60)), true, true),
            ),
            ("anthropic", 400, r#"{"error":{"message":"max_tokens: required"}}"#, (None, false, false)),
            ("anthropic", 529, r#"{"error":{"type":"overloaded_error"}}"#, (Some((all, 17)), false, true)),
            ("gemini", 400, r#"{"error":{"details":[{"reason":"API_KEY_INVALID"}]}}"#, (Some((all, 60)), true, true)),
            (
                "gemini",
                429,
                r#"{"error":{"details":[{"violations":[{"quotaId":"RequestsPerDayPerModel"}]}]}}"#,
                (Some((one, 60)), true, true),
            ),
            ("groq", 400, r#"{"error":{"code":"organization_restricted"}}"#, (Some((all, 60)), true, true)),
            ("xai", 400, r#"{"error":"Incorrect API key provided: xa***"}"#, (Some((all, 60)), true, true)),
        ] {
            assert_eq!(judged(provider, status, text, false), expected, "{provider} {status} {text}");
        }
    }

    #[test]
    fn the_next_one_is_asked_only_where_it_may_do_better() {
        let stays = Judgement::default();
        let moves_on = Judgement { moves_on: true, ..stays };
        let status = |status| Ok(StatusCode::from_u16(status).unwrap());
        let [broken, timeout, unreachable, limited] =
            [Code::UpstreamBroken, Code::UpstreamTimeout, Code::UpstreamUnreachable, Code::RateLimited]
                .map(|code| Refusal::new(code, "x"));
        let state = State { limit: 1, remaining: 0, reset: Duration::ZERO, used_up: true };
        let limited =
            limited.with_limit(Exceeded { scope: LimitScope::Integration, measure: None, state, retry_after: None });
        let (own, fallback) = (false, true);
        for (name, outcome, judgement, is_fallback, expected) in [
            ("an answer", status(200), stays, own, [Turn::Ends, Turn::Ends]),
            ("the caller's fault", status(400), stays, own, [Turn::Ends, Turn::Ends]),
            ("a key that is refused", status(401), moves_on, own, [Turn::Next, Turn::Ends]),
            ("nobody there", Err(&unreachable), moves_on, own, [Turn::Next, Turn::Ends]),
            ("perhaps acted on", Err(&timeout), stays, own, [Turn::Ends, Turn::Ends]),
            ("a limit of the integration", Err(&limited), stays, own, [Turn::Next, Turn::Ends]),
            ("served by the operator's key", status(200), stays, fallback, [Turn::Ends, Turn::Ends]),
            ("refused to the operator's key", status(400), stays, fallback, [Turn::Next, Turn::Next]),
            ("no way to the operator's provider", Err(&unreachable), moves_on, fallback, [Turn::Next, Turn::Next]),
            ("broken by the operator's provider", Err(&broken), stays, fallback, [Turn::Ends, Turn::Ends]),
        ] {
            for (is_last, expected) in [false, true].into_iter().zip(expected) {
                let turn = Turn::after(outcome, judgement, is_fallback, is_last);
                assert_eq!(turn, expected, "{name}, last: {is_last}");
            }
        }
    }

    #[test]
    fn what_one_key_keeps_is_looked_for_with_the_others() {
        let missing = r#"{"error":{"code":"previous_response_not_found","message":"x"}}"#;
        for (status, text, refers, moves_on) in [
            (404, "{}", true, true),
            (404, "{}", false, false),
            (400, missing, true, true),
            (400, missing, false, false),
            (400, "{}", true, false),
        ] {
            assert_eq!(judged("openai", status, text, refers), (None, false, moves_on), "{status} {refers}");
        }
    }

    #[test]
    fn nobody_else_is_asked_when_the_provider_may_have_acted() {
        let wait = |code| Judgement::without_answer(code).down.map(|down| down.wait);
        assert_eq!(wait(Code::UpstreamUnreachable), Some(Duration::from_secs(5)));
        assert_eq!(wait(Code::Unreadable), Some(Duration::from_secs(60)));
        let flooded = Judgement::without_answer(Code::UpstreamFlooded);
        assert_eq!((wait(Code::UpstreamFlooded), flooded.moves_on), (Some(Duration::from_secs(60)), false));
        for code in [Code::UpstreamBroken, Code::UpstreamTimeout, Code::SpoolFull] {
            assert_eq!(Judgement::without_answer(code), Judgement::default(), "{code:?}");
        }
    }

    #[test]
    fn an_error_about_the_figures_is_told_from_the_callers_own() {
        let status = |status| StatusCode::from_u16(status).unwrap();
        let mistral = br#"{"message":{"detail":[{"loc":["body","stream_options","include_usage"]}]}}"#;
        assert!(
            refuses_usage(status(422), mistral) && refuses_usage(status(400), b"Unknown parameter: 'stream_options'")
        );
        assert!(!refuses_usage(status(422), b"{}") && !refuses_usage(status(500), mistral));
    }
}
