//! ETags: for an answer to a change, the version of the row; for a read, also a digest of the answer, which may change
//! without the owner. `If-Match` on PATCH, PUT and DELETE compares the version alone; `If-None-Match` on GET the whole
//! ETag.

use http::{HeaderMap, HeaderValue, header};
use keyway_vault::to_hex;
use sha2::{Digest as _, Sha256};

use crate::{code::Code, error::ApiError};

/// Returns the ETag of a row's version.
pub(crate) fn of(version: i32) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// Length of the digest in bytes; enough that no two answers share one.
const DIGEST_BYTES: usize = 12;

/// Returns the ETag of an answer to a read, with the version of its row if it shows one row.
pub(crate) fn of_answer(version: Option<i32>, body: &[u8]) -> HeaderValue {
    let digest = to_hex(&Sha256::digest(body)[..DIGEST_BYTES]);
    let text = version.map_or_else(|| format!("\"{digest}\""), |version| format!("\"{version}-{digest}\""));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// Returns `true` if the caller's `If-None-Match` has this ETag.
pub(crate) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|list| list.split(',')).map(str::trim).any(|one| {
        // A proxy that compressed the answer has made its ETag a weak one.
        one == "*" || one.strip_prefix("W/").unwrap_or(one).as_bytes() == etag.as_bytes()
    })
}

/// Returns the version in the caller's `If-Match`; `None` if there is none or it is `*`.
///
/// # Errors
/// 412 if it is not one of our ETags, which no version can match.
pub(crate) fn expected(headers: &HeaderMap) -> Result<Option<i32>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let version = inner.and_then(|inner| inner.split('-').next()?.parse().ok());
    version.map(Some).ok_or_else(|| {
        ApiError::new(Code::PreconditionFailed, "If-Match must be one ETag exactly as the resource was answered with")
    })
}

/// Compares the expected version with the present one.
///
/// # Errors
/// 412 when they differ.
pub(crate) fn check(expected: Option<i32>, version: i32) -> Result<(), ApiError> {
    match expected {
        Some(expected) if expected != version => Err(keyway_store::StoreError::Stale.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_has_is_told_by_the_whole_answer() {
        let etag = of_answer(Some(3), b"{}");
        assert!(etag.to_str().unwrap().starts_with("\"3-") && etag != of_answer(Some(3), b"{ }"));
        assert!(!of_answer(None, b"{}").to_str().unwrap().contains('-'));
        let text = etag.to_str().unwrap();
        for (known, expected) in [
            (text.to_owned(), true),
            (format!("\"x\", W/{text}"), true),
            ("*".to_owned(), true),
            ("\"3\"".to_owned(), false),
            (String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::try_from(&known).unwrap());
            assert_eq!(is_known(&headers, &etag), expected, "{known}");
        }
        assert!(!is_known(&HeaderMap::new(), &etag));
    }

    #[test]
    fn a_version_goes_out_and_comes_back() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, HeaderValue::from_static(value));
            expected(&headers)
        };
        assert_eq!(of(3), "\"3\"");
        assert_eq!(with("\"3\"").unwrap(), Some(3));
        assert_eq!(with("\"3-0a1b2c\"").unwrap(), Some(3));
        assert_eq!(with("*").unwrap(), None);
        assert_eq!(expected(&HeaderMap::new()).unwrap(), None);
        for bad in ["3", "W/\"3\"", "\"3", "\"x\"", "", "\"1\", \"2\""] {
            assert!(with(bad).is_err(), "{bad}");
        }
        assert!(check(Some(3), 3).is_ok() && check(None, 9).is_ok() && check(Some(2), 3).is_err());
    }
}
