//! Reading of publications: which one a request asks for, and the answer to who may have it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use keyway_content::{Query, preferred};
use keyway_domain::RequestId;
use keyway_telemetry::metrics;
use warp::{Reply, reply};

use super::{
    cache::PublishedCache,
    shelf::{Leaf, Shelf, Wanted},
};
use crate::{answer::Answer, cursor, error, error::ApiError, etag};

const LIST: &str = "/content/{tenant}/{type}";
const ONE: &str = "/content/{tenant}/{type}/{slug}";
const MAX_LOCALES: usize = 10;

/// A request for publications.
pub(crate) struct Reader<'r> {
    /// Tenant and collection, as they are in the path.
    pub(crate) place: &'r str,
    slug: Option<&'r str>,
    query: &'r str,
    headers: &'r HeaderMap,
}

impl<'r> Reader<'r> {
    /// Reads a path; `None`: it is of no publication.
    pub(crate) fn of(path: &'r str, query: &'r str, headers: &'r HeaderMap) -> Option<Self> {
        let rest = path.strip_prefix("/content/")?;
        let tenant = rest.find('/')?;
        let (place, slug) = match rest[tenant + 1..].find('/') {
            Some(at) => (&rest[..tenant + 1 + at], Some(&rest[tenant + at + 2..])),
            None => (rest, None),
        };
        let is_whole = tenant > 0 && place.len() > tenant + 1 && slug.is_none_or(|slug| !slug.contains('/'));
        is_whole.then_some(Self { place, slug, query, headers })
    }

    /// Returns the locales that the reader wants, the most wanted first.
    fn locales(&self) -> Vec<String> {
        let asked = url::form_urlencoded::parse(self.query.as_bytes()).find(|(name, _)| name == "locale");
        let header = || self.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut locales = match asked {
            Some((_, locale)) => preferred(&locale),
            None => header().map(preferred).unwrap_or_default(),
        };
        locales.truncate(MAX_LOCALES);
        locales
    }

    /// Returns the answer from a collection.
    ///
    /// # Errors
    /// 404 if it has no such publication for this reader, 400 for a query that cannot be used.
    pub(crate) fn read(&self, shelf: &Shelf, is_member: bool) -> Result<Leaf, ApiError> {
        let locales = self.locales();
        let Some(slug) = self.slug else { return self.list(shelf, &locales, is_member) };
        let found = shelf.find(slug, &locales).filter(|leaf| leaf.is_open || is_member);
        found.cloned().ok_or_else(|| ApiError::not_found("publication"))
    }

    fn list(&self, shelf: &Shelf, locales: &[String], is_member: bool) -> Result<Leaf, ApiError> {
        let key = format!("{}\n{}", locales.join(","), self.query);
        if let Some(leaf) = shelf.ready(&key).filter(|_| !is_member) {
            return Ok(leaf);
        }
        let pairs: Vec<_> = url::form_urlencoded::parse(self.query.as_bytes()).collect();
        let query = Query::read(pairs.iter().map(|(name, value)| (&**name, &**value)))?;
        let (mut limit, mut after, mut parent) = (None, None, None);
        for (name, value) in &query.others {
            match name.as_str() {
                "limit" => limit = Some(value.parse().map_err(|_| ApiError::parameter("`limit` must be a number"))?),
                "cursor" => after = Some(value.as_str()),
                "parent" => parent = Some(value.as_str()),
                "locale" => {}
                _ => {
                    let known = "filter[field][comparison], sort, fields, parent, locale, limit and cursor";
                    return Err(ApiError::parameter(format!("the parameters are {known}")));
                }
            }
        }
        let page = cursor::page(limit, after)?;
        Ok(shelf.list(Some(key), &Wanted { query: &query, locales, parent, page, is_member }))
    }
}

/// Answers a request from memory alone; `None`: it takes more than that.
pub(crate) fn warm<B>(published: &PublishedCache, request: &Request<B>) -> Option<reply::Response> {
    if *request.method() != Method::GET {
        return None;
    }
    let uri = request.uri();
    let reader = Reader::of(uri.path(), uri.query().unwrap_or_default(), request.headers())?;
    let shelf = published.warm(reader.place)?;
    let leaf = match reader.slug {
        Some(slug) => shelf.find(slug, &reader.locales()).filter(|leaf| leaf.is_open).cloned(),
        None if shelf.has_closed() => None,
        None => shelf.ready(&format!("{}\n{}", reader.locales().join(","), reader.query)),
    };
    let (leaf, route) = (leaf?, if reader.slug.is_some() { ONE } else { LIST });
    let is_known = etag::is_known(request.headers(), &leaf.etag);
    let mut response = Response::new(if is_known { bytes::Bytes::new() } else { leaf.body.clone() });
    *response.status_mut() = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let headers = response.headers_mut();
    for (name, value) in headers_of(&leaf) {
        headers.insert(name, value);
    }
    headers.insert(header::ETAG, leaf.etag);
    if is_known {
        headers.remove(header::CONTENT_TYPE);
    }
    error::stamp(&mut response, RequestId::new());
    metrics().cache_lookups.with_label_values(&["published", "hit"]).inc();
    metrics().api_requests.with_label_values(&[route, "GET", response.status().as_str()]).inc();
    Some(response.into_response())
}

/// Returns the headers of a publication but its ETag. It may be kept, and is asked for anew each time (304).
fn headers_of(leaf: &Leaf) -> Vec<(HeaderName, HeaderValue)> {
    let kept = if leaf.is_open { "public, no-cache" } else { "private, no-cache" };
    let vary = if leaf.is_open { "accept-language" } else { "accept-language, authorization, cookie, x-api-key" };
    let mut headers = vec![
        (header::CONTENT_TYPE, HeaderValue::from_static(leaf.content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(kept)),
        (header::VARY, HeaderValue::from_static(vary)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    if leaf.is_open {
        headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")));
    }
    headers
}

impl Answer {
    /// Builds a 200 with a publication.
    pub(crate) fn published(leaf: &Leaf) -> Self {
        Self::of_bytes(leaf.body.clone(), headers_of(leaf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_collection_or_one_of_it() {
        let headers = HeaderMap::new();
        let read = |path| Reader::of(path, "", &headers).map(|reader| (reader.place, reader.slug));
        assert_eq!(read("/content/default/article"), Some(("default/article", None)));
        assert_eq!(read("/content/default/article/a-b"), Some(("default/article", Some("a-b"))));
        for bad in ["/content", "/content/", "/content/x", "/content//x", "/content/x/", "/content/a/b/c/d", "/api/v1"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
