//! Grades an answer into a finding. The HTTP status alone never decides: only a signal in the body can say that a key
//! is wrong, and an answer that is not understood is inconclusive. No text of the answer gets into a finding.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keyway_domain::{Evidence, Timestamp, VerdictKind};
use keyway_vault::Confidential;
use serde_json::Value;

use crate::{Finding, GuardError, Matcher, Signal, SignalVerdict, guard::Answer, retry_after};

/// An answer, parsed once.
pub(crate) struct Reading<'a> {
    answer: &'a Answer,
    json: Option<Value>,
    request_id: Option<String>,
    secret: Option<&'a dyn Confidential>,
}

/// JSON pointers to an error's code; Google's is in one of several details.
const CODES: [&str; 3] = ["/error/code", "/error/type", "/error/details/*/reason"];
/// JSON pointer to the wait that Google asks for.
const RETRY_DELAY: &str = "/error/details/*/retryDelay";

/// Codes that evidence repeats; any other text stays out of it.
const KNOWN_CODES: &[&str] = &[
    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    "API_KEY_HTTP_REFERRER_BLOCKED",
    "API_KEY_INVALID",
    "API_KEY_IP_ADDRESS_BLOCKED",
    "API_KEY_SERVICE_BLOCKED",
    "SERVICE_DISABLED",
    "account_deactivated",
    "api_error",
    "authentication_error",
    "billing_error",
    "billing_not_active",
    "blocked_api_access",
    "credit_balance_exhausted",
    "expired_api_key",
    "insufficient_quota",
    "invalid_api_key",
    "invalid_request_error",
    "ip_not_authorized",
    "model_not_found",
    "not_found_error",
    "organization_restricted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "overloaded_error",
    "permission_error",
    "project_spend_limit_exceeded",
    "rate_limit_error",
    "rate_limit_exceeded",
    "request_too_large",
    "server_error",
    "slow_down",
    "timeout_error",
    "unsupported_country_region_territory",
];

/// Error codes and types that mean: live, but no money or quota is left.
const NO_CREDIT_CODES: &[&str] = &[
    "billing_error",
    "billing_not_active",
    "credit_balance_exhausted",
    "insufficient_quota",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
];

impl<'a> Reading<'a> {
    /// Parses an answer to a call that was made with `secret`.
    pub(crate) fn new(answer: &'a Answer, secret: &'a dyn Confidential) -> Self {
        Self::of(answer, Some(secret))
    }

    fn of(answer: &'a Answer, secret: Option<&'a dyn Confidential>) -> Self {
        let json = serde_json::from_slice(&answer.body).ok().map(without_list);
        Self { answer, json, request_id: request_id(&answer.headers, secret), secret }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.answer.status
    }

    pub(crate) fn json_at(&self, pointer: &str) -> Option<&Value> {
        self.json.as_ref()?.pointer(pointer)
    }

    /// Returns the id at a pointer, unless it is no plain id or repeats a part of the secret.
    pub(crate) fn id_at(&self, pointer: &str) -> Option<String> {
        plain_id(self.text_at(pointer)?, self.secret)
    }

    /// Returns `true` for a list of models in one of the forms that hosts use: bare, or in a field.
    pub(crate) fn lists_models(&self) -> bool {
        let is_list = |pointer| self.json_at(pointer).is_some_and(Value::is_array);
        self.status().is_success() && ["", "/data", "/models"].into_iter().any(is_list)
    }

    /// Returns `true` if the body begins like an HTML page.
    fn is_page(&self) -> bool {
        self.answer.body.trim_ascii_start().starts_with(b"<")
    }

    fn text_at(&self, pointer: &str) -> Option<&str> {
        self.json_at(pointer)?.as_str()
    }

    /// Returns `true` if the body has one of the codes that mean "no money".
    pub(crate) fn says_no_credit(&self) -> bool {
        let named = |pointer| self.text_at(pointer).is_some_and(|code| NO_CREDIT_CODES.contains(&code));
        matches!(self.status().as_u16(), 402 | 403 | 429) && (named("/error/code") || named("/error/type"))
    }

    /// Returns the time that the provider asks to wait.
    pub(crate) fn retry_after(&self) -> Option<std::time::Duration> {
        retry_after::parse(&self.answer.headers, Timestamp::now())
            .or_else(|| self.any_at(RETRY_DELAY, |delay| retry_after::protobuf(delay.as_str()?)))
    }

    /// Returns the first result of `read` among the values at a pointer, in which `*` matches each element of a list.
    fn any_at<'b, T>(&'b self, pointer: &str, read: impl Fn(&'b Value) -> Option<T>) -> Option<T> {
        find(self.json.as_ref()?, pointer, &read)
    }

    pub(crate) fn matches(&self, signal: &Signal) -> bool {
        let contains = |text: &str, part: &str| text.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
        self.status().as_u16() == signal.status
            && match &signal.matcher {
                Matcher::Equals(pointer, value) => {
                    self.any_at(pointer, |found| (found == value).then_some(())).is_some()
                }
                Matcher::Contains(pointer, part) => {
                    self.any_at(pointer, |found| contains(found.as_str()?, part).then_some(())).is_some()
                }
                Matcher::BodyContains(part) => contains(&String::from_utf8_lossy(&self.answer.body), part),
            }
    }

    /// Builds a finding with this answer's evidence.
    pub(crate) fn finding(&self, kind: VerdictKind, reason: &str) -> Finding {
        let code = CODES.iter().find_map(|pointer| self.any_at(pointer, known_code));
        let waits = matches!(kind, VerdictKind::RateLimited | VerdictKind::Unreachable);
        Finding {
            kind,
            evidence: Evidence {
                http_status: Some(self.status().as_u16()),
                provider_request_id: self.request_id.clone(),
                provider_code: code.map(str::to_owned),
                reason: reason.to_owned(),
            },
            retry_after: waits.then(|| self.retry_after()).flatten(),
            provider_key_id: None,
        }
    }

    /// Grades the answer to a probe: by the first matching signal, else by the rules that every provider shares.
    pub(crate) fn grade(&self, signals: &[Signal], proof: &str) -> Finding {
        if let Some(signal) = signals.iter().find(|signal| self.matches(signal)) {
            let reason = signal.reason.as_deref().unwrap_or_else(|| reason_of(signal.verdict));
            return self.finding(signal.verdict.into(), reason);
        }
        if self.says_no_credit() {
            return self.finding(VerdictKind::NoCredit, reason_of(SignalVerdict::NoCredit));
        }
        let (kind, reason) = match self.status().as_u16() {
            200..=299 if self.json_at(proof).is_some() => (VerdictKind::Valid, "the provider accepts the key"),
            200..=299 if self.is_page() => (
                VerdictKind::Misconfigured,
                "a web page answered, not an API; check the base URL, and what is before the host",
            ),
            200..=299 if self.json.is_none() => (VerdictKind::Unreachable, "the answer is not whole; no verdict"),
            200..=299 => {
                (VerdictKind::Misconfigured, "the answer is not in the provider's documented form; check the base URL")
            }
            300..=399 => (
                VerdictKind::Misconfigured,
                "the host redirects elsewhere, which is never followed; check the base URL",
            ),
            401 | 403 if self.text_at("/error/code") == Some("unsupported_country_region_territory") => {
                (VerdictKind::Misconfigured, "the provider does not serve this region; this says nothing about the key")
            }
            401 | 403 => (
                VerdictKind::Misconfigured,
                "access was refused without saying that the key is wrong; no verdict: check the base URL, and whom the \
                 host lets in",
            ),
            404 | 405 | 410 | 501 => {
                (VerdictKind::Misconfigured, "there is nothing at this address; check the base URL")
            }
            429 => (VerdictKind::RateLimited, "the provider asks to wait"),
            408 | 500..=599 => (VerdictKind::Unreachable, "the provider has an error of its own"),
            _ => (VerdictKind::Misconfigured, "the answer says nothing about the key; check the base URL"),
        };
        self.finding(kind, reason)
    }
}

/// Meaning of the answer to any call for the key it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Meaning.
    pub verdict: SignalVerdict,
    /// `true` if it may be about one model alone: a 429 of a provider whose quotas are per model.
    pub is_of_one_model: bool,
}

/// Returns the sign in an answer's body: one of `signals`, or a code with the same meaning everywhere. The key is not
/// known here, and nothing of the body is kept.
#[must_use]
pub fn sign(signals: &[Signal], status: StatusCode, body: Bytes) -> Option<Sign> {
    let answer = Answer { status, headers: HeaderMap::new(), body };
    let reading = Reading::of(&answer, None);
    if reading.says_no_credit() {
        return Some(Sign { verdict: SignalVerdict::NoCredit, is_of_one_model: false });
    }
    let found = signals.iter().find(|signal| reading.matches(signal))?;
    Some(Sign { verdict: found.verdict, is_of_one_model: status == StatusCode::TOO_MANY_REQUESTS })
}

/// Returns the error inside the list in which Google wraps errors of its OpenAI-shaped endpoints.
fn without_list(json: Value) -> Value {
    match json {
        Value::Array(mut items) if items.len() == 1 && items.iter().all(|item| item.get("error").is_some()) => {
            items.swap_remove(0)
        }
        other => other,
    }
}

fn known_code(value: &Value) -> Option<&str> {
    value.as_str().filter(|code| KNOWN_CODES.contains(code))
}

fn find<'a, T>(json: &'a Value, pointer: &str, read: &impl Fn(&'a Value) -> Option<T>) -> Option<T> {
    match pointer.split_once("/*") {
        Some((list, rest)) if rest.is_empty() || rest.starts_with('/') => {
            json.pointer(list)?.as_array()?.iter().find_map(|item| find(item, rest, read))
        }
        _ => json.pointer(pointer).and_then(read),
    }
}

/// Builds the finding for a probe without an answer.
pub(crate) fn no_answer(error: GuardError) -> Finding {
    let evidence = Evidence { reason: error.to_string(), ..Evidence::default() };
    Finding { kind: VerdictKind::Unreachable, evidence, retry_after: None, provider_key_id: None }
}

const fn reason_of(verdict: SignalVerdict) -> &'static str {
    match verdict {
        SignalVerdict::Invalid => "the provider says that this key is wrong; enter a new one",
        SignalVerdict::NoCredit => "the key works, but the account has no credit or quota left; check its billing",
        SignalVerdict::Restricted => "the key works, but lacks the permission this check needs; other calls may work",
    }
}

/// Returns the provider's id of the call.
fn request_id(headers: &HeaderMap, secret: Option<&dyn Confidential>) -> Option<String> {
    let id = ["x-request-id", "request-id", "x-amzn-requestid", "x-ms-request-id"]
        .iter()
        .find_map(|name| headers.get(*name))?
        .to_str()
        .ok()?;
    plain_id(id, secret)
}

fn plain_id(id: &str, secret: Option<&dyn Confidential>) -> Option<String> {
    const LONGEST: usize = 100;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let repeats = secret.is_some_and(|secret| secret.is_repeated_in(id));
    (!id.is_empty() && id.len() <= LONGEST && id.bytes().all(plain) && !repeats).then(|| id.to_owned())
}
