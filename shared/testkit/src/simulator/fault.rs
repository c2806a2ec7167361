//! Faults of an answer.

use serde::Deserialize;

/// Fault of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No fault: the key is good.
    None,
    /// 401 `invalid_api_key`.
    Revoked,
    /// 403 "Missing scopes".
    Restricted,
    /// 429 `insufficient_quota`.
    NoCredit,
    /// 429 `rate_limit_exceeded` with `retry-after: 20`.
    RateLimited,
    /// Works like [`Self::RateLimited`], with a `retry-after` of 31 years.
    AbsurdRetryAfter,
    /// 500 with OpenAI's error body.
    ServerError,
    /// 200 with a page of HTML.
    Html,
    /// 200 with JSON that stops in the middle.
    Truncated,
    /// The connection breaks off in the middle of the body.
    Cut,
    /// 307 to another host: the machine's metadata service, or the target set with [`super::Simulator::redirect_to`].
    Redirect,
    /// 200 with a megabyte of gzip that unpacks to 150.
    GzipBomb,
    /// 200 with a header of a megabyte.
    HugeHeader,
    /// 200 with a body that never ends.
    Endless,
    /// No answer for as long as the caller waits.
    Hang,
    /// A good answer that repeats the Authorization header in its headers and its body.
    Echo,
    /// Reports whose `next_page` is always the same.
    Circle,
}
