//! The model in a form (RFC 7578): audio and images are sent as forms, and their model routes them. Reads and changes
//! only that field.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, header};
use memchr::memmem;

/// Longest accepted name of a model, in bytes.
const MAX_MODEL_BYTES: usize = 200;

/// Returns the line that separates the parts of a form; `None` for other bodies.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (form, parameters) = kind.split_once(';')?;
    if !form.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (!boundary.is_empty()).then(|| format!("--{boundary}"))
}

/// Returns `true` if forms of this path name a model.
pub(crate) fn names_model(path: &str) -> bool {
    path.starts_with("/audio/") || path.starts_with("/images/")
}

/// Returns the range of the field `model`; `None` if there is none, or several.
pub(crate) fn model(form: &[u8], boundary: &str) -> Option<Range<usize>> {
    let mut found = None;
    let starts: Vec<usize> = memmem::find_iter(form, boundary.as_bytes()).collect();
    for pair in starts.windows(2) {
        let start = pair[0] + boundary.len();
        let part = &form[start..pair[1]];
        let Some(head) = memmem::find(part, b"\r\n\r\n") else { continue };
        if !names(&part[..head]) {
            continue;
        }
        let value = part[head + 4..].strip_suffix(b"\r\n").unwrap_or(&part[head + 4..]);
        let at = start + head + 4;
        let is_name = !value.is_empty() && value.len() <= MAX_MODEL_BYTES && std::str::from_utf8(value).is_ok();
        if found.is_some() || !is_name {
            return None;
        }
        found = Some(at..at + value.len());
    }
    found
}

/// Returns the form with another model.
pub(crate) fn with_model(form: &[u8], at: Range<usize>, name: &str) -> Bytes {
    [&form[..at.start], name.as_bytes(), &form[at.end..]].concat().into()
}

/// Returns `true` if the head of a part names the field `model`.
fn names(head: &[u8]) -> bool {
    let Ok(head) = std::str::from_utf8(head) else { return false };
    head.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
        let mut parameters = value.split(';').map(str::trim);
        name.trim().eq_ignore_ascii_case("content-disposition")
            && parameters.any(|it| it.strip_prefix("name=").is_some_and(|name| name.trim_matches('"') == "model"))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn form(parts: &[(&str, &str)]) -> String {
        let parts = parts
            .iter()
            .map(|(head, value)| format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n"));
        parts.collect::<String>() + "--x--\r\n"
    }

    #[test]
    fn the_model_of_a_form_is_found_and_replaced() {
        let file = (r#"name="file"; filename="model""#, "name=\"model\"\r\n\r\nnot-it");
        for (parts, expected) in [
            (vec![file, (r#"name="model""#, "whisper-1")], Some("whisper-1")),
            (vec![("name=model", "openai/whisper-1"), file], Some("openai/whisper-1")),
            (vec![file], None),
            (vec![(r#"name="model""#, "")], None),
            (vec![(r#"name="model""#, "a"), (r#"name="model""#, "b")], None),
            (vec![(r#"name="models""#, "a")], None),
        ] {
            let text = form(&parts);
            let found = model(text.as_bytes(), "--x");
            assert_eq!(found.clone().map(|at| &text[at]), expected, "{text}");
            if let Some(at) = found {
                let replaced = with_model(text.as_bytes(), at, "other");
                assert_eq!(replaced, text.replacen(expected.unwrap(), "other", 1).as_bytes());
            }
        }
    }

    #[test]
    fn only_a_form_has_a_boundary() {
        for (kind, expected) in [
            ("multipart/form-data; boundary=abc", Some("--abc")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", Some("--a b")),
            ("multipart/mixed; boundary=abc", None),
            ("multipart/form-data; boundary=", None),
            ("application/json", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(boundary(&headers).as_deref(), expected, "{kind}");
        }
    }
}
