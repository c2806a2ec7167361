//! `stream_options.include_usage`: the hosts it is sent to. Most OpenAI-shaped providers state the figures of a stream
//! only on request; some refuse a request that has the option. A host that refused it once is not sent it again for a
//! day.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::upstream::Upstream;
use crate::request::path;

/// Time after which a host that refused the option is sent it again.
const REMEMBERED: Duration = Duration::from_secs(86_400);
/// Number of entries above which expired ones are dropped.
const CROWDED: usize = 10_000;

/// Hosts that refuse the option.
#[derive(Default)]
pub(crate) struct UsageOption {
    refused: Mutex<HashMap<String, Instant>>,
}

impl UsageOption {
    /// Returns `true` if a stream from this upstream, with this query, should ask for its figures.
    pub(crate) fn is_for(&self, upstream: &Upstream, query: Option<&str>) -> bool {
        let spec = &upstream.spec;
        let version =
            spec.include_usage_from.as_ref().and_then(|from| Some((from, path::parameter(query, "api-version")?)));
        // Versions are dates; anything else is newer than all dates.
        let is_too_old = version.is_some_and(|(from, version)| version.as_str() < from.as_str());
        spec.include_usage && !is_too_old && !self.is_refused_by(upstream)
    }

    /// Remembers that a host refused the option.
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

/// Returns the key of a host and provider: several providers may share a host, which need not be one server.
fn host(upstream: &Upstream) -> String {
    format!("{} {}", upstream.spec.name, upstream.spec.host_root())
}
