//! The dashboard: the files that `make dashboard` built, held in the binary and served on every path below `/` that belongs to
//! neither API nor proxy. It answers from memory alone, and must never serve a file of the disk.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use rust_embed::{EmbeddedFile, RustEmbed};

/// Files of the build; empty if there was none when this binary was compiled.
#[derive(RustEmbed)]
#[folder = "dashboard/dist/"]
#[allow_missing = true]
struct Dist;

const INDEX: &str = "index.html";
/// Folder of the files whose names change with their content.
const HASHED: &str = "assets/";
/// Only files of this origin: no inline script or style, no frame around it, no form to elsewhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
     worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
const ENDLESS: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// To be kept, and asked for anew each time: the answer is 304 while it holds.
const ASKED: HeaderValue = HeaderValue::from_static("no-cache");
const NEVER_KEPT: HeaderValue = HeaderValue::from_static("no-store");
const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Keyway</title>\n<h1>Keyway</h1>\n\
    <p>This binary was compiled without the dashboard. <code>make dashboard</code> builds it; then compile Keyway again \
    (<code>make run</code> does both).</p>\n<p>The API works: its document is at <a href=\"/api/docs\">/api/docs</a>.</p>\n</html>\n";

/// Answers a request for a file or a page; `None`: it is for the API or the proxy.
pub(crate) fn answer<B>(request: &Request<B>) -> Option<Response<Full<Bytes>>> {
    if !is_page(request.method(), request.uri().path()) {
        return None;
    }
    let path = request.uri().path().trim_start_matches('/');
    let mut response = match (Dist::get(INDEX), Dist::get(path)) {
        (None, _) if is_view(path) => page(Bytes::from_static(NOT_BUILT.as_bytes())),
        (Some(_), Some(file)) if path != INDEX && !is_encoded(path) => sent(path, file, request.headers()),
        // Pages have no files: the script reads the address and shows the page of it.
        (Some(index), _) if is_view(path) || path == INDEX => encoded(INDEX, index, request.headers(), NEVER_KEPT),
        _ => missing(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    if request.method() == Method::HEAD {
        *response.body_mut() = Full::default();
    }
    Some(response)
}

/// Returns `true` if a request that the proxy does not take is for the dashboard. Everything below `/api`, `/content`, `/proxy`
/// and `/v1` is not, nor is anything that would change something.
fn is_page(method: &Method, path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    matches!(*method, Method::GET | Method::HEAD) && !matches!(first, "api" | "content" | "proxy" | "v1")
}

/// Returns `true` for an address in the application: its last part is no file's name.
fn is_view(path: &str) -> bool {
    !path.starts_with(HASHED) && !path.rsplit('/').next().is_some_and(|name| name.contains('.'))
}

/// Returns `true` for the encoded form of another file, or one that is there for the build alone.
fn is_encoded(path: &str) -> bool {
    path.ends_with(".br") || path.starts_with('.')
}

/// Sends a file, or says that the caller's copy is still the same.
fn sent(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let kept = if path.starts_with(HASHED) { ENDLESS } else { ASKED };
    let tag = tag_of(&file);
    let mut response = if is_known(headers, &tag) {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(header::CACHE_CONTROL, kept);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response
    } else {
        encoded(path, file, headers, kept)
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Sends a file in the form that was made at build, if there is one and the caller reads it.
fn encoded(path: &str, file: EmbeddedFile, headers: &HeaderMap, kept: HeaderValue) -> Response<Full<Bytes>> {
    let brotli = if reads_brotli(headers) { Dist::get(&format!("{path}.br")) } else { None };
    let is_encoded = brotli.is_some();
    let mut response = with(bytes_of(brotli.unwrap_or(file)), type_of(path), kept);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_encoded {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

fn page(content: Bytes) -> Response<Full<Bytes>> {
    with(content, type_of(INDEX), NEVER_KEPT)
}

fn missing() -> Response<Full<Bytes>> {
    let mut response = with(Bytes::from_static(b"no file has this name\n"), "text/plain; charset=utf-8", NEVER_KEPT);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn with(content: Bytes, kind: &'static str, kept: HeaderValue) -> Response<Full<Bytes>> {
    let length = HeaderValue::from(content.len());
    let mut response = Response::new(Full::new(content));
    let headers = response.headers_mut();
    // A HEAD has no body to count.
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, kept);
    response
}

fn bytes_of(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(content) => Bytes::from_static(content),
        Cow::Owned(content) => content.into(),
    }
}

/// Returns a weak tag: both forms of a file are the same file.
fn tag_of(file: &EmbeddedFile) -> String {
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{hash}\"")
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let strong = tag.trim_start_matches("W/");
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|known| known.trim()).any(|known| {
        let known = known.strip_prefix("W/").unwrap_or(known);
        known == "*" || known == strong
    })
}

/// Returns `true` if the caller reads brotli: named, and not with the weight 0.
fn reads_brotli(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|choice| {
        let mut parts = choice.split(';').map(str::trim);
        let is_brotli = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("br"));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_brotli && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

fn type_of(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn api_and_proxy_keep_their_paths() {
        for (method, path, expected) in [
            (Method::GET, "/", true),
            (Method::HEAD, "/integrations", true),
            (Method::GET, "/apis", true),
            (Method::GET, "/v10", true),
            (Method::GET, "/api", false),
            (Method::GET, "//api/v1/integrations", false),
            (Method::GET, "/api/docs/index.css", false),
            (Method::GET, "/proxy", false),
            (Method::GET, "/v1", false),
            (Method::POST, "/", false),
            (Method::DELETE, "/integrations", false),
        ] {
            assert_eq!(is_page(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_page_has_no_file_name() {
        for (path, expected) in [
            ("", true),
            ("integrations/int_0198", true),
            ("favicon.svg", false),
            ("assets/gone-abc.js", false),
            ("assets/gone", false),
            ("a.b/c", true),
            (".gitkeep", false),
        ] {
            assert_eq!(is_view(path), expected, "{path}");
        }
    }

    #[test]
    fn brotli_is_sent_to_who_reads_it() {
        for (value, expected) in [
            ("gzip, deflate, br, zstd", true),
            ("BR", true),
            ("gzip, br;q=0.5", true),
            ("br;q=0", false),
            ("br; q=0.000", false),
            ("br;q=x", false),
            ("gzip", false),
            ("brotli", false),
            ("*", false),
        ] {
            assert_eq!(reads_brotli(&headers(header::ACCEPT_ENCODING, value)), expected, "{value}");
        }
        assert!(!reads_brotli(&HeaderMap::new()));
    }

    #[test]
    fn a_tag_is_known_in_either_strength() {
        for (value, expected) in
            [("W/\"a\"", true), ("\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false), ("a", false)]
        {
            assert_eq!(is_known(&headers(header::IF_NONE_MATCH, value), "W/\"a\""), expected, "{value}");
        }
    }
}
