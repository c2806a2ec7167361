//! From a path to a route. Any path that a provider might normalise differently is refused: dot segments, doubled
//! slashes, backslashes, double encoding. An encoded slash inside a segment passes unchanged: it belongs to a name.

use std::borrow::Cow;

use http::{Method, Uri};
use url::form_urlencoded::byte_serialize;

use super::hint;
use crate::refusal::{Code, Refusal, shape::is_verb};

/// Route of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// Any endpoint of a provider; `path` begins with a slash and follows the host.
    Provider { provider: &'a str, path: &'a str },
    /// The provider's chat endpoint with the body wrapped in `payload`.
    Wrapped { provider: &'a str, stream: bool },
    /// An endpoint of OpenAI's or Anthropic's shape, routed by the model in the body.
    Unified(&'static str),
    /// Another endpoint of OpenAI's SDK (`/responses/resp_1`, `/files`), routed by the model in the body if there is
    /// one, else by the id in the path.
    Family(&'a str),
    /// OpenAI's realtime endpoint, a WebSocket routed by the model in the query.
    Realtime,
    /// The models of the project.
    Models,
    /// One model of the project.
    Model(Cow<'a, str>),
}

/// Path of the realtime endpoint below a provider's base URL.
pub(crate) const REALTIME: &str = "/realtime";
/// First segments of [`Route::Family`]'s paths.
const FAMILIES: [&str; 8] =
    ["audio", "batches", "conversations", "files", "images", "moderations", "responses", "uploads"];
const UNIFIED: [&str; 5] = ["/chat/completions", "/completions", "/embeddings", "/messages", "/messages/count_tokens"];

impl<'a> Route<'a> {
    /// Parses the route of a request.
    pub(crate) fn of(method: &Method, path: &'a str) -> Result<Self, Refusal> {
        if *method == Method::CONNECT || *method == Method::TRACE {
            return Err(Refusal::new(Code::BadMethod, "this method is not served"));
        }
        if let Some(rest) = path.strip_prefix("/proxy/") {
            return Self::of_provider(method, rest);
        }
        let endpoint = path.strip_prefix("/v1").unwrap_or_default();
        if let Some(unified) = UNIFIED.into_iter().find(|it| *it == endpoint) {
            return allow(method, &[Method::POST], Self::Unified(unified));
        }
        if endpoint == REALTIME {
            return allow(method, &[Method::GET], Self::Realtime);
        }
        if endpoint == "/models" {
            return allow(method, &[Method::GET, Method::HEAD], Self::Models);
        }
        if let Some(id) = endpoint.strip_prefix("/models/").filter(|id| !id.is_empty()) {
            return allow(method, &[Method::GET, Method::HEAD], Self::Model(decoded(id)));
        }
        let first = endpoint.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if !FAMILIES.contains(&first) {
            return Err(Refusal::new(Code::UnknownRoute, hint::for_path(path)));
        }
        if is_ambiguous(endpoint) { Err(ambiguous()) } else { Ok(Self::Family(endpoint)) }
    }

    fn of_provider(method: &Method, rest: &'a str) -> Result<Self, Refusal> {
        let (provider, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let named = !provider.is_empty() && provider.bytes().all(is_name);
        if !named || is_ambiguous(path) {
            return Err(ambiguous());
        }
        match path {
            "" | "/" => allow(method, &[Method::POST], Self::Wrapped { provider, stream: false }),
            "/stream" if *method == Method::POST => Ok(Self::Wrapped { provider, stream: true }),
            path => Ok(Self::Provider { provider, path }),
        }
    }
}

/// Returns the id in a path of an object that one integration keeps: the segment behind the collection's name, if there
/// is one and it is no verb.
pub(crate) fn id_in(path: &str) -> Option<&str> {
    const KEEPERS: [&str; 5] = ["batches", "conversations", "files", "responses", "uploads"];
    const VERBS: [&str; 2] = ["compact", "input_tokens"];
    let mut words = path.split('/').skip_while(|word| !KEEPERS.contains(word)).skip(1);
    words.next().filter(|id| !id.is_empty() && !VERBS.contains(id))
}

/// Returns the value of a query parameter.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pair = query?.split('&').find(|pair| is_named(pair, name))?;
    Some(decoded(pair.split_once('=')?.1).into_owned())
}

/// Returns `true` if a call of this path only asks a model and creates nothing else at the provider: it can be
/// repeated, and its answer cached.
pub(crate) fn is_inference(path: &str) -> bool {
    const INFERENCE: [&str; 12] = [
        "/completions",
        "/messages",
        "/responses",
        "/embeddings",
        "/chat",
        "/embed",
        "/rerank",
        "/moderations",
        ":generateContent",
        ":streamGenerateContent",
        ":embedContent",
        ":batchEmbedContents",
    ];
    INFERENCE.iter().any(|end| path.ends_with(end))
}

/// Returns the query to forward: without the parameter `key`, where some SDKs put their key.
pub(crate) fn forwarded_query(query: Option<&str>) -> Option<Cow<'_, str>> {
    let query = query.filter(|query| !query.is_empty())?;
    if !query.split('&').any(is_key) {
        return Some(Cow::Borrowed(query));
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_key(pair)).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join("&")))
}

/// Returns the model in a path of Google's shape: `/v1beta/models/{model}:generateContent`.
pub(crate) fn model_in(path: &str) -> Option<String> {
    let (before, last) = path.rsplit_once('/')?;
    let (model, verb) = last.rsplit_once(':')?;
    let is_model = before.ends_with("/models") && !model.is_empty() && is_verb(verb);
    is_model.then(|| decoded(model).into_owned())
}

/// Returns the model in a query, where realtime endpoints name it; `None` if it is missing or repeated: a provider may
/// read the other value.
pub(crate) fn model_asked(query: Option<&str>) -> Option<String> {
    let mut named = query?.split('&').filter(|pair| is_named(pair, "model"));
    let (_, model) = named.next()?.split_once('=')?;
    (named.next().is_none() && !model.is_empty()).then(|| decoded(model).into_owned())
}

/// Returns the URI with another model in its query.
pub(crate) fn with_model(uri: &Uri, model: &str) -> Result<Uri, Refusal> {
    let named = ["model=".to_owned(), byte_serialize(model.as_bytes()).collect()].concat();
    let pairs = uri.query().unwrap_or_default().split('&');
    let pairs: Vec<&str> = pairs.map(|pair| if is_named(pair, "model") { &named } else { pair }).collect();
    let unusable = |_| Refusal::new(Code::BadPath, "the query is not one that can be forwarded");
    Uri::try_from(format!("{}?{}", uri.path(), pairs.join("&"))).map_err(unusable)
}

fn ambiguous() -> Refusal {
    Refusal::new(
        Code::BadPath,
        "the path contains dot segments, empty segments, a backslash, or an encoded dot, percent sign or slash at the \
         edge of a segment",
    )
}

fn is_key(pair: &str) -> bool {
    is_named(pair, "key")
}

fn is_named(pair: &str, expected: &str) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    decoded(name).eq_ignore_ascii_case(expected)
}

fn allow<'a>(method: &Method, allowed: &[Method], route: Route<'a>) -> Result<Route<'a>, Refusal> {
    if allowed.contains(method) {
        return Ok(route);
    }
    Err(Refusal::new(Code::BadMethod, "the path exists, but not with this method"))
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.iter().any(|byte| *byte == b'\\' || !byte.is_ascii_graphic())
        || memchr::memmem::find(bytes, b"//").is_some()
        || path.split('/').any(is_ambiguous_segment)
        || bytes.windows(3).any(|window| window[0] == b'%' && is_refused_escape(window))
        || bytes.iter().rev().take(2).any(|byte| *byte == b'%')
}

/// Returns `true` for a dot segment, or one that would contain a dot segment if its encoded slashes and semicolons were
/// decoded.
fn is_ambiguous_segment(segment: &str) -> bool {
    let is_dots = |name: &str| matches!(name.split(';').next(), Some("." | ".."));
    if !segment.contains('%') {
        return is_dots(segment);
    }
    let unfolded = segment.replace("%2f", "/").replace("%2F", "/");
    let is_one = unfolded == segment;
    let unfolded = unfolded.replace("%3b", ";").replace("%3B", ";");
    unfolded.split('/').any(|name| is_dots(name) || name.is_empty() && !is_one)
}

/// Returns `true` for escapes of a backslash, dot, percent sign or control character, and for malformed ones.
fn is_refused_escape(escape: &[u8]) -> bool {
    match hex(escape[1]).zip(hex(escape[2])).map(|(high, low)| high << 4 | low) {
        None => true,
        Some(byte) => matches!(byte, b'\\' | b'.' | b'%' | 0x7f) || byte < 0x20,
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Decodes percent escapes, once.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).and_then(|digits| Some(hex(digits[0])? << 4 | hex(digits[1])?));
        let (byte, width) = match (bytes[at], escape) {
            (b'%', Some(byte)) => (byte, 3),
            (byte, _) => (byte, 1),
        };
        out.push(byte);
        at += width;
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_told_apart_by_path_and_method() {
        let post = |path| Route::of(&Method::POST, path).map_err(|refusal| refusal.code());
        let provider = |provider, path| Ok(Route::Provider { provider, path });
        assert_eq!(post("/proxy/openai/v1/chat/completions"), provider("openai", "/v1/chat/completions"));
        assert_eq!(
            post("/proxy/acme-2/v1beta/models/m:generate%20x"),
            provider("acme-2", "/v1beta/models/m:generate%20x")
        );
        assert_eq!(post("/proxy/openai"), Ok(Route::Wrapped { provider: "openai", stream: false }));
        assert_eq!(post("/proxy/openai/stream"), Ok(Route::Wrapped { provider: "openai", stream: true }));
        assert_eq!(post("/v1/embeddings"), Ok(Route::Unified("/embeddings")));
        assert_eq!(post("/v1/messages"), Ok(Route::Unified("/messages")));
        assert_eq!(post("/v1/models"), Err(Code::BadMethod));
        assert_eq!(post("/v1/unknown"), Err(Code::UnknownRoute));
        assert_eq!(post("/v1/responsesx"), Err(Code::UnknownRoute));
        for family in ["/responses", "/files/file-1/content", "/audio/transcriptions", "/images/edits"] {
            let path = format!("/v1{family}");
            assert!(matches!(Route::of(&Method::POST, &path), Ok(Route::Family(found)) if found == family), "{family}");
        }
        let get = |path| Route::of(&Method::GET, path).map_err(|refusal| refusal.code());
        assert_eq!(get("/v1/models"), Ok(Route::Models));
        assert_eq!(get("/v1/models/openai%2Fgpt-x"), Ok(Route::Model("openai/gpt-x".into())));
        assert_eq!(get("/v1/chat/completions"), Err(Code::BadMethod));
        assert_eq!((get("/v1/realtime"), post("/v1/realtime")), (Ok(Route::Realtime), Err(Code::BadMethod)));
        assert_eq!(get("/proxy/openai"), Err(Code::BadMethod));
    }

    #[test]
    fn a_path_that_can_be_read_in_two_ways_is_refused() {
        for path in [
            "/proxy/openai/v1/../admin",
            "/proxy/openai/./v1",
            "/proxy/openai/v1/..",
            "/proxy/openai/..;/admin",
            "/proxy/openai/..%3b/admin",
            "/proxy/openai/v1/a%2f..%3Bx%2fb",
            "/proxy/openai/%2e%2e/admin",
            "/proxy/openai/v1/%2E/x",
            "/proxy/openai/v1/..%2fadmin",
            "/proxy/openai/v1/a%2F..%2Fb",
            "/proxy/openai/v1/a%2F.%2Fb",
            "/proxy/openai/v1/%2fchat",
            "/proxy/openai/v1/chat%2F",
            "/proxy/openai/v1/a%2f%2fb",
            "/v1/files/..%2fadmin",
            "/v1/files/../admin",
            "/proxy/openai/v1%5cchat",
            "/proxy/openai/v1\\chat",
            "/proxy/openai/%252e%252e/x",
            "/proxy/openai//v1/chat",
            "/proxy/openai/v1//chat",
            "/proxy//v1/chat",
            "/proxy/open%61i/v1",
            "/proxy/openai/v1/%0d%0ahost:x",
            "/proxy/openai/v1/%00",
            "/proxy/openai/v1/%zz",
            "/proxy/openai/v1/%2",
        ] {
            let refused = Route::of(&Method::GET, path).map_err(|refusal| refusal.code());
            assert_eq!(refused, Err(Code::BadPath), "{path}");
        }
    }

    #[test]
    fn a_slash_within_a_name_passes_as_it_came() {
        for path in ["/v1/models/meta-llama%2FLlama-3.1-8B", "/v1/a%2Fb%2fc/d"] {
            let whole = format!("/proxy/acme{path}");
            let route = Route::of(&Method::GET, &whole).map_err(|refusal| refusal.code());
            assert_eq!(route, Ok(Route::Provider { provider: "acme", path }), "{path}");
        }
    }

    #[test]
    fn the_id_of_what_an_integration_keeps_is_found() {
        for (path, expected) in [
            ("/responses/resp_1", Some("resp_1")),
            ("/responses/resp_1/input_items", Some("resp_1")),
            ("/files/file-1/content", Some("file-1")),
            ("/v1/responses/resp_1/cancel", Some("resp_1")),
            ("/v1/messages/batches/msgbatch_1/results", Some("msgbatch_1")),
            ("/openai/v1/files", None),
            ("/v1/files/", None),
            ("/responses/compact", None),
            ("/responses/input_tokens", None),
            ("/responses", None),
            ("/audio/speech", None),
            ("/images/edits", None),
        ] {
            assert_eq!(id_in(path), expected, "{path}");
        }
    }

    #[test]
    fn a_model_in_the_path_is_found() {
        for (path, expected) in [
            ("/v1beta/models/gemini-2.5-flash:generateContent", Some("gemini-2.5-flash")),
            ("/v1/projects/p/locations/l/publishers/google/models/g-1:streamGenerateContent", Some("g-1")),
            ("/v1beta/models/a%20b:embedContent", Some("a b")),
            ("/v1beta/models/gemini-2.5-flash", None),
            ("/v1/models/ft:gpt-4o-mini:acme::id", None),
            ("/v1beta/models/:generateContent", None),
            ("/v1beta/cachedContents/x:y", None),
            ("/v1/chat/completions", None),
            ("", None),
        ] {
            assert_eq!(model_in(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_model_in_the_query_is_found_once_and_replaced() {
        for (query, expected) in [
            (Some("model=gpt-realtime"), Some("gpt-realtime")),
            (Some("a=1&mod%65l=openai%2Fgpt-realtime"), Some("openai/gpt-realtime")),
            (Some("model=a&model=b"), None),
            (Some("model=a&Model=b"), None),
            (Some("model="), None),
            (Some("model"), None),
            (Some("models=a"), None),
            (None, None),
        ] {
            assert_eq!(model_asked(query).as_deref(), expected, "{query:?}");
        }
        let uri = Uri::from_static("/v1/realtime?a=%20&model=openai%2Fx&b");
        assert_eq!(with_model(&uri, "x&y").unwrap(), "/v1/realtime?a=%20&model=x%26y&b");
    }

    #[test]
    fn the_query_loses_its_key_only() {
        assert_eq!(forwarded_query(Some("key=kw_live_x&alt=sse")).as_deref(), Some("alt=sse"));
        assert_eq!(forwarded_query(Some("a=1&k%65y=x&KEY=y&monkey=2")).as_deref(), Some("a=1&monkey=2"));
        assert_eq!(forwarded_query(Some("after=x%2Fy&limit=2")).as_deref(), Some("after=x%2Fy&limit=2"));
        assert_eq!(forwarded_query(Some("key=1")), None);
        assert_eq!(forwarded_query(None), None);
    }
}
