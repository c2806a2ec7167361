//! W3C trace context: the caller's `traceparent` travels with the messages that a request writes; if there is none, or
//! a malformed one, a new one does.

use http::HeaderMap;

/// Returns the trace context of a request.
pub(crate) fn parent(headers: &HeaderMap) -> String {
    headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_valid(text))
        .map_or_else(fresh, str::to_owned)
}

/// Generates a new trace context.
pub(crate) fn fresh() -> String {
    // Trace ids only have to be different, not secret.
    let (trace, span) = (fastrand::u128(1..), fastrand::u64(1..));
    format!("00-{trace:032x}-{span:016x}-01")
}

fn is_valid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths = [2, 32, 16, 2];
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    parts.len() == 4
        && parts.iter().zip(lengths).all(|(part, length)| part.len() == length && hex(part))
        && parts[0] == "00"
        && !zero(parts[1])
        && !zero(parts[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_parent_is_kept_and_anything_else_replaced() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", http::HeaderValue::from_static(value));
            parent(&headers)
        };
        assert_eq!(with(good), good);
        for bad in [
            "",
            "00-1-2-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "sk-canary",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            let made = with(bad);
            assert!(is_valid(&made) && made != bad, "{bad}");
        }
    }
}
