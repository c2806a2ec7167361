//! Paths by which callers of openagent know what Keyway has below `/api/v1`: the same requests and answers at other addresses,
//! for who sends its service token as `x-api-key`. Nothing is decided here.

use http::{Request, Uri};

const API: &str = "/api/v1";
/// Paths that have an alias; `*` is any segment, and `ent_*` the id of an entry.
const ROWS: [&str; 9] = [
    "/content-types",
    "/content-types/*",
    "/content-types/*/schema",
    "/content/*",
    "/content/*/ent_*",
    "/flows",
    "/flows/mutations",
    "/flows/*",
    "/flows/*/mutations",
];

/// Leads a request by an alias to what it stands for; any other one stays as it is.
#[must_use]
pub fn aliased<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    if !request.headers().contains_key("x-api-key") || !ROWS.iter().any(|row| is_of(row, path)) {
        return request;
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = Uri::try_from(format!("{API}{path}{query}")) {
        *request.uri_mut() = uri;
    }
    request
}

fn is_of(row: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (row.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(known), Some(part)) => match known.strip_suffix('*') {
                Some(start) if part.starts_with(start) && !part.is_empty() => {}
                None if known == part => {}
                _ => return false,
            },
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_paths_with_a_key_are_led_elsewhere() {
        let led = |path: &str, key: bool| {
            let mut request = Request::new(());
            *request.uri_mut() = Uri::try_from(path).unwrap();
            if key {
                request.headers_mut().insert("x-api-key", http::HeaderValue::from_static("k"));
            }
            aliased(request).uri().to_string()
        };
        for path in
            ["/content-types", "/content/article?limit=1", "/content/article/ent_0198", "/flows/flw_1", "/flows"]
        {
            assert_eq!(led(path, true), format!("/api/v1{path}"));
            assert_eq!(led(path, false), path);
        }
        for path in ["/content/default/article", "/content", "/content/", "/api/v1/flows", "/flows/a/b", "/"] {
            assert_eq!(led(path, true), path);
        }
    }
}
