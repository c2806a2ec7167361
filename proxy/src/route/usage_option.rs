//! `stream_options.include_usage`: whom it is sent to. Most providers of OpenAI's shape state the figures of a stream only
//! where it asks for them; some refuse a request that does. What a host was seen to refuse it is not asked for again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::upstream::Upstream;
use crate::request::path;

/// A host that learns to take it is asked again.
const REMEMBERED: Duration = Duration::from_secs(86_400);
/// Beyond this many, those that are over are thrown away.
const CROWDED: usize = 10_000;

/// Hosts that refuse it.
#[derive(Default)]
pub(crate) struct UsageOption {
    refused: Mutex<HashMap<String, Instant>>,
}

impl UsageOption {
    /// Whether a stream that is asked for at an upstream, with this query, should ask for its figures.
    pub(crate) fn is_for(&self, upstream: &Upstream, query: Option<&str>) -> bool {
        let spec = &upstream.spec;
        let version =
            spec.include_usage_from.as_ref().and_then(|from| Some((from, path::parameter(query, "api-version")?)));
        // Versions are dates; anything else is newer than all dates.
        let is_too_old = version.is_some_and(|(from, version)| version.as_str() < from.as_str());
        spec.include_usage && !is_too_old && !self.is_refused_by(upstream)
    }

    /// Remembers that a host refused it.
    pub(crate) fn refused_by(&self, upstream: &Upstream) {
        let now = Instant::now();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= CROWDED {
            refused.retain(|_, until| *until > now);
        }
        refused.insert(host(upstream), now + REMEMBERED);
    }

    fn is_refused_by(&self, upstream: &Upstream) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        !refused.is_empty() && refused.get(&host(upstream)).is_some_and(|until| *until > Instant::now())
    }
}

/// Several providers may share a host, which need not be one server.
fn host(upstream: &Upstream) -> String {
    format!("{} {}", upstream.spec.name, upstream.spec.host_root())
}
