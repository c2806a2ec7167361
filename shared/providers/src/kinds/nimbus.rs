//! Nimbus: OpenAI's shape, with the key in a header of its own.

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use keyway_domain::VerdictKind;

use crate::{
    BadSecret, FetchError, Finding, FormatError, GuardedClient, KeyFacts, KeyFamily, Metered, Provider, ProviderSpec,
    Target, UsagePage, UsageQuery, auth,
    catalog::join,
    format,
    grade::{self, Reading},
    guard::Question,
    metering,
};

const KEY_HEADER: HeaderName = HeaderName::from_static("x-nimbus-key");
const NOT_REPORTABLE: FetchError = FetchError::NotReportable { why: "Nimbus has no usage report" };

/// Nimbus's ways.
pub(crate) struct Nimbus {
    spec: ProviderSpec,
}

impl Nimbus {
    pub(crate) fn new(spec: &ProviderSpec) -> Self {
        Self { spec: spec.clone() }
    }
}

#[async_trait]
impl Provider for Nimbus {
    fn check_format(&self, credentials: &str) -> Result<KeyFacts, FormatError> {
        format::check(&self.spec, credentials)?;
        Ok(KeyFacts { hint: format::hint(&self.spec, credentials), family: KeyFamily::Ordinary })
    }

    async fn probe(&self, target: Target<'_>, http: &GuardedClient) -> Finding {
        let key = target.secret.expose();
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if auth::plain(&mut headers, KEY_HEADER, key.as_bytes()).is_err() {
            return grade::no_answer(auth::unsendable());
        }
        match http.ask(Question::get(join(target.base_url, "/me"), headers)).await {
            Ok(answer) => {
                let reading = Reading::new(&answer, key);
                match reading.json_at("/state").and_then(|state| state.as_str()) {
                    Some("wrong_key") => reading.finding(VerdictKind::Invalid, "Nimbus says that this key is wrong"),
                    _ => reading.grade(&[], "/id"),
                }
            }
            Err(error) => grade::no_answer(error),
        }
    }

    fn usage_sources(&self, _: KeyFamily) -> Result<&'static [&'static str], FetchError> {
        Err(NOT_REPORTABLE)
    }

    async fn usage_page(&self, _: Target<'_>, _: UsageQuery<'_>, _: &GuardedClient) -> Result<UsagePage, FetchError> {
        Err(NOT_REPORTABLE)
    }

    fn authorize(&self, _: &str, headers: &mut HeaderMap, secret: &[u8]) -> Result<(), BadSecret> {
        auth::plain(headers, KEY_HEADER, secret)
    }

    fn meter_body(&self, path: &str, body: &[u8]) -> Metered {
        metering::body(self.spec.output_tokens, path, body)
    }

    fn meter_event(&self, so_far: &mut Metered, data: &[u8]) -> bool {
        metering::event(self.spec.output_tokens, data).map(|metered| *so_far = metered).is_some()
    }
}
