//! Reads a request's body and its query: counted while streaming in, within a deadline, as strict JSON.
//!
//! Messages name fields, never values: a value may be a secret in the wrong place.

use std::time::Duration;

use bytes::Buf;
use futures::{Stream, StreamExt, pin_mut};
use http::{HeaderMap, header};
use keyway_providers::begins_like_key;
use keyway_vault::SecretBytes;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::{code::Code, error::ApiError};

/// Longest name of a field that a message repeats, with its longest word and its largest number of digits.
const MAX_FIELD_NAME_CHARS: usize = 40;
const MAX_WORD_CHARS: usize = 20;
const MAX_DIGITS: usize = 4;

/// Reads a whole body, with or without a content length. Stops at the first byte beyond the limit.
///
/// # Errors
/// 413, 408, or 400 if the body breaks off.
pub(crate) async fn read<B: Buf, E>(
    body: impl Stream<Item = Result<B, E>>,
    headers: &HeaderMap,
    max_bytes: usize,
    timeout: Duration,
) -> Result<SecretBytes, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > max_bytes) {
        return Err(too_large(max_bytes));
    }
    let collect = async {
        // One allocation of the declared size: growing would leave copies behind that nobody wipes.
        let mut bytes = Vec::with_capacity(declared.unwrap_or(4096));
        pin_mut!(body);
        while let Some(piece) = body.next().await {
            let mut piece = piece.map_err(|_| ApiError::new(Code::MalformedJson, "the body broke off"))?;
            if bytes.len() + piece.remaining() > max_bytes {
                return Err(too_large(max_bytes));
            }
            while piece.has_remaining() {
                let chunk = piece.chunk();
                let length = chunk.len();
                bytes.extend_from_slice(chunk);
                piece.advance(length);
            }
        }
        Ok(SecretBytes::new(bytes))
    };
    let late = || ApiError::new(Code::RequestTimeout, "the body did not arrive in time; send it again");
    tokio::time::timeout(timeout, collect).await.map_err(|_| late())?
}

/// Reads a JSON body.
///
/// # Errors
/// 415 unless declared as JSON, 400 if it is not JSON, 422 naming the invalid field.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &SecretBytes) -> Result<T, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::new(
            Code::WrongContentType,
            "send JSON with the header `Content-Type: application/json`",
        ));
    }
    let body = body.plain();
    // serde would take an array for a struct, field by field.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(_) => ApiError::field("the body must be a JSON object"),
            Err(error) => malformed(&error),
        });
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner());
        if inner.is_data() { explain(&path, &inner.to_string(), Code::InvalidField) } else { malformed(inner) }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// Reads a query string.
///
/// # Errors
/// 400 naming the invalid parameter.
pub(crate) fn query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs = || url::form_urlencoded::parse(query.as_bytes());
    // The database could not compare them with anything: PostgreSQL takes no NUL.
    if pairs().any(|(name, value)| name.chars().chain(value.chars()).any(char::is_control)) {
        return Err(ApiError::parameter("the query may not hold control characters"));
    }
    let pairs = serde_urlencoded::Deserializer::new(pairs());
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, &error.inner().to_string(), Code::InvalidParameter)
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn too_large(max_bytes: usize) -> ApiError {
    ApiError::new(Code::BodyTooLarge, format!("the body is larger than the {max_bytes} bytes that are allowed"))
        .with_header(header::CONNECTION, http::HeaderValue::from_static("close"))
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    ApiError::new(Code::MalformedJson, format!("the body is not JSON: see line {line}, column {column}"))
}

/// Converts serde's message: keeps field names and expectations, drops values.
fn explain(path: &str, text: &str, code: Code) -> ApiError {
    let text = text.split(" at line ").next().unwrap_or_default();
    if let Some(name) = quoted(text, "unknown field `") {
        let known = text.split_once(", expected ").map_or("none here", |(_, known)| known);
        let code = if code == Code::InvalidField { Code::UnknownField } else { code };
        return ApiError::new(
            code,
            match shown(name) {
                Some(name) => format!("there is no field `{name}` here; the fields are {known}"),
                None => format!("there is no field of that name here; the fields are {known}"),
            },
        );
    }
    if let Some(name) = quoted(text, "missing field `") {
        return ApiError::new(code, format!("`{name}` is missing"));
    }
    if let Some(name) = quoted(text, "duplicate field `") {
        return ApiError::new(code, format!("`{name}` is given twice"));
    }
    let what = match text.split_once(", expected ") {
        Some((_, expected)) => format!("expected {}", in_words(expected)),
        None if NO_NUMBER.contains(&text) => "expected a whole number".to_owned(),
        None if text.starts_with("provided string was not `true`") => "expected true or false".to_owned(),
        None if text.starts_with("invalid ") => "the value is not usable".to_owned(),
        None => text.to_owned(),
    };
    let is_shown = path.split(['.', '[', ']']).all(|name| name.is_empty() || shown(name).is_some());
    ApiError::new(code, if path == "." || !is_shown { what } else { format!("`{path}`: {what}") })
}

/// Returns a name from the caller if it is the word of a person: what was pasted into the wrong place may be a secret.
fn shown(name: &str) -> Option<&str> {
    let is_word = |word: &str| word.len() <= MAX_WORD_CHARS;
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let is_key = begins_like_key(name) || digits > MAX_DIGITS;
    (is_plain && !is_key && name.len() <= MAX_FIELD_NAME_CHARS && name.split(['_', '-']).all(is_word)).then_some(name)
}

/// Messages of number parsers about a text that is no number.
const NO_NUMBER: [&str; 4] = [
    "invalid digit found in string",
    "cannot parse integer from empty string",
    "number too large to fit in target type",
    "number too small to fit in target type",
];

/// Returns an expectation of serde in plain words, without Rust's type names.
fn in_words(expected: &str) -> &str {
    match expected {
        "i64" | "u64" | "usize" | "isize" | "i128" | "u128" => "a whole number",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "u32" => "a whole number from 0 to 4294967295",
        "u16" => "a whole number from 0 to 65535",
        "u8" => "a whole number from 0 to 255",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "a character" | "str" => "text, in quotes",
        "a sequence" => "a list, like [\"a\", \"b\"]",
        "unit" => "null",
        "a map" => "an object, like {\"name\": \"value\"}",
        object if object.starts_with("struct ") || object.starts_with("tuple struct ") => {
            "an object, like {\"name\": \"value\"}"
        }
        // The variants of a word, which are said by name.
        words => words,
    }
}

fn quoted<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    text.strip_prefix(before)?.split('`').next()
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
