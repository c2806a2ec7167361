//! Answers cached in memory on request: a repeated call of the same project is answered without asking a provider. Only
//! complete answers of inference are cached, byte for byte as the caller got them.
//!
//! Must never answer across projects, cache a broken or failed answer, or outlive a change of the project's
//! integrations or of the virtual key that made the call.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header, request::Parts};
use keyway_domain::CredentialSource;
use keyway_telemetry::metrics;
use prometheus::IntCounter;
use quick_cache::{Weighter, sync::Cache};
use sha2::{Digest, Sha256};

use super::{
    relay::ProxyBody,
    replay::{self, Recorder},
};
use crate::{
    ledger::record::Record,
    refusal::{Code, Refusal},
    request::{caller::Principal, headers, path},
    route::plan::{PathThere, Plan},
    warm::{Scopes, Stamp},
};

/// Memory limit in bytes of all answers; `MAX_ANSWER_BYTES` is that of one.
const MAX_BYTES: u64 = 64 << 20;
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Expected number of answers; more are accepted.
const EXPECTED: usize = 10_000;
/// Time to live for a call whose virtual key sets none.
const DEFAULT_TTL: Duration = Duration::from_secs(300);
const NAME: &str = "answers";

/// In a request: `on`, `off` or `refresh`. In an answer: `hit` or `miss`.
pub(crate) const CACHE: HeaderName = HeaderName::from_static("x-keyway-cache");

/// The cached answers.
pub(crate) struct AnswerCache {
    answers: Cache<Key, Arc<Answer>, ByBytes>,
    scopes: Scopes,
    hits: IntCounter,
    misses: IntCounter,
}

type Key = [u8; 32];

/// A cached answer, as the caller got it.
pub(crate) struct Answer {
    content_type: HeaderValue,
    integration: HeaderValue,
    streamed: bool,
    body: Bytes,
    made: Instant,
    expires: Instant,
    /// Stamps of the tenant's integrations and of the virtual key.
    stamps: [Stamp; 2],
}

/// Use of the cache that a caller asks for.
pub(crate) struct Wish {
    ttl: Duration,
    /// `true` if a cached answer may be used.
    looks: bool,
    project: [u8; 32],
    stamps: [Stamp; 2],
}

/// Place of the answer to a request.
pub(crate) struct Place {
    key: Key,
    wish: Wish,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Answer>> for ByBytes {
    fn weight(&self, _: &Key, answer: &Arc<Answer>) -> u64 {
        // Its key and its headers take a little too.
        answer.body.len() as u64 + 512
    }
}

impl AnswerCache {
    /// Builds an empty cache.
    pub(crate) fn new() -> Arc<Self> {
        let [hits, misses] = ["hit", "miss"].map(|result| metrics().cache_lookups.with_label_values(&[NAME, result]));
        let answers = Cache::with_weighter(EXPECTED, MAX_BYTES, ByBytes);
        Arc::new(Self { answers, scopes: Scopes::default(), hits, misses })
    }

    /// Returns the use of the cache that the header asks for, or else the virtual key; `None`: none. Must be called
    /// before anything of the project is read, so that a change meanwhile is noticed.
    ///
    /// # Errors
    /// The header is none of the words that it takes.
    pub(crate) fn wish(&self, principal: &Principal, headers: &HeaderMap) -> Result<Option<Wish>, Refusal> {
        let word = headers.get(CACHE).map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase());
        let (ttl, looks) = match word.as_deref() {
            Some(b"off") => return Ok(None),
            Some(b"on") => (principal.cache_ttl.unwrap_or(DEFAULT_TTL), true),
            Some(b"refresh") => (principal.cache_ttl.unwrap_or(DEFAULT_TTL), false),
            Some(_) => return Err(Refusal::new(Code::BadHeader, "x-keyway-cache must be on, off or refresh")),
            None => match principal.cache_ttl {
                Some(ttl) => (ttl, true),
                None => return Ok(None),
            },
        };
        let mut project = [0; 32];
        project[..16].copy_from_slice(principal.tenant_id.uuid().as_bytes());
        project[16..].copy_from_slice(principal.project_id.uuid().as_bytes());
        let stamps = [principal.tenant_id.uuid(), principal.virtual_key_id.uuid()].map(|it| self.scopes.stamp(it));
        Ok(Some(Wish { ttl, looks, project, stamps }))
    }

    /// Returns the answer cached there, if it is still valid.
    pub(crate) fn find(&self, place: &Place, now: Instant) -> Option<Arc<Answer>> {
        let is_good = |answer: &Arc<Answer>| now < answer.expires && self.scopes.hold(&answer.stamps);
        let found = self.answers.get(&place.key).filter(|answer| place.wish.looks && is_good(answer));
        if found.is_some() {
            self.hits.inc()
        } else {
            self.misses.inc()
        }
        found
    }

    /// Caches the answer at its place once it has passed completely, if it may be cached: only an answer of an
    /// integration of the project may.
    pub(crate) fn keep(self: &Arc<Self>, place: Option<Place>, response: Response<ProxyBody>) -> Response<ProxyBody> {
        let Some(Place { key, wish }) = place else { return response };
        let (mut parts, body) = response.into_parts();
        parts.headers.insert(CACHE, HeaderValue::from_static("miss"));
        let is_plain = parts.status == StatusCode::OK && !parts.headers.contains_key(header::CONTENT_ENCODING);
        let kind = parts.headers.get(header::CONTENT_TYPE).filter(|_| is_plain).cloned();
        let (Some(content_type), Some(integration)) = (kind, parts.headers.get(headers::INTEGRATION).cloned()) else {
            return Response::from_parts(parts, body);
        };
        let (cache, Wish { ttl, stamps, .. }) = (Arc::clone(self), wish);
        let streamed = content_type.as_bytes().starts_with(b"text/event-stream");
        let recorder = Recorder::new(MAX_ANSWER_BYTES, move |body| {
            if !replay::is_error(streamed, &body) {
                let made = Instant::now();
                let expires = made + ttl;
                let answer = Answer { content_type, integration, streamed, body, made, expires, stamps };
                cache.answers.insert(key, Arc::new(answer));
            }
        });
        Response::from_parts(parts, body.recorded(recorder))
    }

    /// Drops answers of a tenant's integrations, or of a virtual key.
    pub(crate) fn forget(&self, scope: uuid::Uuid) {
        self.scopes.forget(scope);
        metrics().cache_invalidations.with_label_values(&[NAME]).inc();
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        self.scopes.forget_all();
        self.answers.clear();
        metrics().cache_invalidations.with_label_values(&[NAME]).inc();
    }
}

impl Wish {
    /// Returns the place of the answer to a planned call; `None` if the call may not be cached.
    pub(crate) fn place(self, parts: &Parts, uri: &Uri, plan: &Plan) -> Option<Place> {
        let body = plan.payload.text()?;
        let is_repeatable = matches!(plan.path, PathThere::Chat) || path::is_inference(uri.path());
        if parts.method != Method::POST || body.is_empty() || !is_repeatable {
            return None;
        }
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(&self.project);
        part(uri.path().as_bytes());
        part(uri.query().unwrap_or_default().as_bytes());
        for (name, value) in headers::telling(&parts.headers) {
            part(name.as_bytes());
            part(&value);
        }
        part(body);
        Some(Place { key: hash.finalize().into(), wish: self })
    }
}

impl Answer {
    /// Returns the cached answer as a response.
    pub(crate) fn again(&self, mut record: Record, path: String) -> Response<ProxyBody> {
        record.answered_from_memory(path, self.streamed);
        record.complete();
        let mut response = Response::new(ProxyBody::whole(self.body.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(headers::INTEGRATION, self.integration.clone());
        headers.insert(headers::CREDENTIAL, HeaderValue::from_static(CredentialSource::Own.name()));
        headers.insert(CACHE, HeaderValue::from_static("hit"));
        headers.insert(header::AGE, HeaderValue::from(self.made.elapsed().as_secs()));
        response
    }
}
