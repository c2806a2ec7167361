//! Headers for browsers, on every answer of every door: whatever it is, and whoever wrote its bytes, opening it runs
//! nothing under this host's name, where people are signed in.

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};

/// Of an answer that is data: nothing is run, loaded, framed or sent on.
const DATA: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// Adds what an answer lacks; a page has a policy of its own.
pub(crate) fn protect(headers: &mut HeaderMap) {
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(DATA);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_its_policy_and_nothing_else_of_its_own() {
        let mut headers = HeaderMap::new();
        protect(&mut headers);
        assert_eq!((&headers[CONTENT_SECURITY_POLICY], headers.len()), (&DATA, 4));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("script-src 'self'"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("sniff"));
        protect(&mut headers);
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "script-src 'self'");
        assert_eq!(headers.get_all(X_CONTENT_TYPE_OPTIONS).iter().collect::<Vec<_>>(), ["nosniff"]);
    }
}
