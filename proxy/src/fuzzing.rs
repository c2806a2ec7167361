//! Properties of what reads a caller's and a provider's bytes, for tests and for `make fuzz`: it never panics, what is
//! refused stays refused, and cutting an input anywhere changes nothing.

use http::{Method, Uri};
use url::Url;

use crate::{
    answer::frames::Frames,
    refusal::{Code, Refusal},
    request::path::{Route, decoded},
};

/// Checks a path that a caller sends: one that is forwarded means the same however often a provider normalises it, and
/// one that is ambiguous cannot be saved by its method or by what follows.
///
/// # Panics
/// The path breaks a property.
pub fn path(input: &[u8]) {
    let Ok(uri) = Uri::try_from(input) else { return };
    let path = uri.path();
    let _ = Route::of(&Method::CONNECT, path);
    let found = Route::of(&Method::POST, path);
    if is_ambiguous(&found) {
        assert!(is_ambiguous(&Route::of(&Method::GET, path)), "another method saves it: {path}");
        for more in ["/x", "/../x", "%2f", "/"] {
            let longer = format!("{path}{more}");
            assert!(is_ambiguous(&Route::of(&Method::POST, &longer)), "what follows saves it: {longer}");
        }
    }
    if let Ok(Route::Provider { path, .. } | Route::Family(path)) = found {
        assert_forwarded_as_is(path);
    }
}

fn is_ambiguous(route: &Result<Route<'_>, Refusal>) -> bool {
    route.as_ref().is_err_and(|refusal| refusal.code() == Code::BadPath)
}

fn assert_forwarded_as_is(path: &str) {
    let plain = decoded(path);
    for text in [path, &plain] {
        let is_dots = |name: &str| matches!(name.split(';').next(), Some("." | ".."));
        assert!(text.starts_with('/') && !text.contains("//") && !text.contains('\\'), "{path}");
        assert!(!text.split('/').any(is_dots) && !text.chars().any(|it| it.is_ascii_control()), "{path}");
    }
    assert!(!plain.contains('%'), "it can be decoded twice: {path}");
    let Ok(normal) = Url::parse(&format!("http://host{path}")) else { return };
    assert_eq!(decoded(normal.path()), plain, "it is another one in a normal form");
}

/// Checks that the messages of a WebSocket are the same, however its bytes are cut. An input is the length of a
/// piece, then the bytes.
///
/// # Panics
/// They are not.
pub fn frames(input: &[u8]) {
    let Some((length, sent)) = input.split_first() else { return };
    let whole = messages([sent].into_iter());
    let cut = messages(sent.chunks(usize::from(*length).max(1)));
    assert_eq!(whole, cut);
}

/// Returns the messages, and whether one side has closed.
fn messages<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let (mut frames, mut seen) = (Frames::default(), Vec::new());
    for piece in pieces {
        frames.pass(piece, |message| seen.push(message.to_vec()));
    }
    (seen, frames.is_closed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    const PATHS: &str = "(/proxy/openai|/proxy/|/v1/files|/v1/responses|/v1)\
        (/|\\.|\\.\\.|;|%2f|%2F|%2e|%25|%5c|%3b|%3B|%00|%|%2|\\\\|a|v1|:|é|%c3%a9|%ff|\\{|\\}|\\^|\\||\"|<|~|@|&|=|\\+){0,12}";

    proptest! {
        #[test]
        fn no_path_means_something_else_to_a_provider(path in PATHS) {
            super::path(path.as_bytes());
        }

        #[test]
        fn no_bytes_panic_as_a_path(path in proptest::collection::vec(any::<u8>(), 0..60)) {
            super::path(&[b"/proxy/openai/", &path[..]].concat());
        }

        #[test]
        fn cuts_change_no_message(
            length in 1u8..20,
            frames in proptest::collection::vec(frame(), 0..8),
            end in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            super::frames(&[vec![length], frames.concat(), end].concat());
        }
    }

    /// A frame of any kind, masked or not, with a length in the short or the long form.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let payload = proptest::collection::vec(any::<u8>(), 0..200);
        (any::<u8>(), any::<Option<[u8; 4]>>(), payload).prop_map(|(first, mask, payload)| {
            let masked = if mask.is_some() { 0x80 } else { 0 };
            let mut frame = vec![first];
            match u8::try_from(payload.len()) {
                Ok(short @ 0..126) => frame.push(masked | short),
                Ok(long) => frame.extend([masked | 126, 0, long]),
                Err(_) => unreachable!("a payload is short"),
            }
            frame.extend(mask.into_iter().flatten());
            frame.extend(payload);
            frame
        })
    }
}
