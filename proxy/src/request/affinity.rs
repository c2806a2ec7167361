//! Sessions: the calls of one conversation go to one key of several, because a provider's prompt cache belongs to the
//! organisation of the key. A session is read from headers and fields that SDKs and agents send anyway; nothing is
//! stored.

use http::HeaderMap;
use keyway_domain::IntegrationId;
use keyway_providers::scan;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Request header that names the session, or `off`.
pub(crate) const AFFINITY: &str = "x-keyway-affinity";
/// Headers in which agents name their session, the more specific first.
const HEADERS: [&str; 6] =
    [AFFINITY, "x-claude-code-session-id", "session_id", "session-id", "x-session-id", "conversation_id"];
/// Fields of [`Named`].
const FIELDS: [&str; 9] = [
    "prompt_cache_key",
    "conversation",
    "session_id",
    "metadata",
    "previous_response_id",
    "safety_identifier",
    "user",
    "cachedContent",
    "input_file_id",
];

/// A session, as a hash of its name that is the same in every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session(u64);

/// Session of a call, and the stored object it refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ties {
    pub(crate) session: Option<Session>,
    /// Id of an object that one key keeps: a response, a conversation, a file.
    pub(crate) refers_to: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    prompt_cache_key: Option<String>,
    conversation: Option<Conversation>,
    session_id: Option<String>,
    metadata: Option<Metadata>,
    previous_response_id: Option<String>,
    safety_identifier: Option<String>,
    user: Option<String>,
    #[serde(rename = "cachedContent")]
    cached_content: Option<String>,
    input_file_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Conversation {
    Id(String),
    Object { id: String },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    user_id: Option<String>,
    session_id: Option<String>,
}

impl Session {
    /// Builds the session of that name.
    fn named(name: &[u8]) -> Self {
        let digest = Sha256::digest(name);
        Self(u64::from_be_bytes(digest[..8].try_into().unwrap_or_default()))
    }

    /// Returns a number from 0 to 1 that is the same for an integration in every call of the session.
    pub(crate) fn draw(self, integration_id: IntegrationId) -> f64 {
        let (high, low) = integration_id.uuid().as_u64_pair();
        let mixed = mix(mix(self.0 ^ high) ^ low);
        // The 53 bits that a float holds.
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let (drawn, most) = ((mixed >> 11) as f64, (1_u64 << 53) as f64);
        drawn / most
    }
}

impl Ties {
    /// Reads the ties of a call from its headers and, if it was read, its body.
    pub(crate) fn of(headers: &HeaderMap, body: &[u8]) -> Self {
        let named: Named = serde_json::from_slice(&scan::only(body, &FIELDS)).unwrap_or_default();
        let conversation = named.conversation.map(|conversation| match conversation {
            Conversation::Id(id) | Conversation::Object { id } => id,
        });
        let metadata = named.metadata.unwrap_or_default();
        let refers_to = named
            .previous_response_id
            .or_else(|| conversation.clone())
            .or(named.cached_content)
            .or(named.input_file_id);
        let said = HEADERS.iter().find_map(|name| headers.get(*name)).map(|value| value.as_bytes().trim_ascii());
        if said.is_some_and(|said| said.eq_ignore_ascii_case(b"off")) {
            return Self { session: None, refers_to };
        }
        let in_body = [
            named.prompt_cache_key,
            conversation,
            metadata.session_id,
            named.session_id,
            metadata.user_id,
            named.safety_identifier,
            named.user,
        ];
        let in_body = || in_body.into_iter().flatten().find(|name| !name.is_empty()).map(String::into_bytes);
        let name = said.map(<[u8]>::to_vec).or_else(in_body);
        Self { session: name.map(|name| Session::named(&name)), refers_to }
    }
}

/// Spreads the bits of a number (the finalizer of SplitMix64).
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn ties(headers: &[(&'static str, &'static str)], body: &str) -> Ties {
        let lines =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Ties::of(&lines.collect(), body.as_bytes())
    }

    #[test]
    fn a_session_is_known_by_what_sdks_and_agents_send() {
        let named = |name: &str| Some(Session::named(name.as_bytes()));
        for (headers, body, session) in [
            (&[("x-claude-code-session-id", "42")][..], r#"{"user":"u"}"#, named("42")),
            (&[("session_id", "s1")], "{}", named("s1")),
            (&[("x-keyway-affinity", "mine"), ("session_id", "s1")], "{}", named("mine")),
            (&[("x-keyway-affinity", "off"), ("session_id", "s1")], r#"{"user":"u"}"#, None),
            (&[], r#"{"prompt_cache_key":"k","user":"u"}"#, named("k")),
            (&[], r#"{"metadata":{"user_id":"user_1_session_42"}}"#, named("user_1_session_42")),
            (&[], r#"{"conversation":{"id":"conv_1"}}"#, named("conv_1")),
            (&[], r#"{"conversation":"conv_1"}"#, named("conv_1")),
            (&[], r#"{"user":"u"}"#, named("u")),
            (&[], r#"{"metadata":[],"messages":[{"user":"x"}]}"#, None),
            (&[], "no json", None),
        ] {
            assert_eq!(ties(headers, body).session, session, "{headers:?} {body}");
        }
        let refers = |body: &str| ties(&[], body).refers_to;
        assert_eq!(refers(r#"{"previous_response_id":"resp_1","conversation":null}"#).as_deref(), Some("resp_1"));
        assert_eq!(refers(r#"{"conversation":{"id":"conv_1"}}"#).as_deref(), Some("conv_1"));
        assert_eq!(refers(r#"{"input_file_id":"file_1"}"#).as_deref(), Some("file_1"));
        assert_eq!(refers("{}"), None);
    }

    #[test]
    fn sessions_are_spread_evenly_and_each_stays() {
        let (one, two) = (IntegrationId::new(), IntegrationId::new());
        let first = (0..20_000).filter(|it: &u32| {
            let session = Session::named(&it.to_be_bytes());
            session.draw(one) < session.draw(two)
        });
        let count = first.count();
        assert!((9_700..10_300).contains(&count), "{count} of 20000");
        assert!((Session::named(b"x").draw(one) - Session::named(b"x").draw(one)).abs() < f64::EPSILON);
    }
}
