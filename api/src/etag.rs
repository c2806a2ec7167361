//! ETags: the version of a row, quoted. `If-Match` is optional on PATCH, PUT and DELETE.

use http::{HeaderMap, HeaderValue, header};

use crate::error::{ApiError, Code};

/// The ETag of a row's version.
pub(crate) fn of(version: i32) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The version the caller's `If-Match` asks for: `None` when there is none or it is `*`.
///
/// # Errors
/// When it is not an ETag of ours, no version can match it: 412.
pub(crate) fn expected(headers: &HeaderMap) -> Result<Option<i32>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|inner| inner.parse().ok());
    version.map(Some).ok_or_else(|| {
        ApiError::new(Code::PreconditionFailed, "If-Match must be one ETag exactly as the resource was answered with")
    })
}

/// Compares what the caller expects with what is there.
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
    fn a_version_goes_out_and_comes_back() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, HeaderValue::from_static(value));
            expected(&headers)
        };
        assert_eq!(of(3), "\"3\"");
        assert_eq!(with("\"3\"").unwrap(), Some(3));
        assert_eq!(with("*").unwrap(), None);
        assert_eq!(expected(&HeaderMap::new()).unwrap(), None);
        for bad in ["3", "W/\"3\"", "\"3", "\"x\"", "", "\"1\", \"2\""] {
            assert!(with(bad).is_err(), "{bad}");
        }
        assert!(check(Some(3), 3).is_ok() && check(None, 9).is_ok() && check(Some(2), 3).is_err());
    }
}
