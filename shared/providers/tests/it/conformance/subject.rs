//! A provider under test: its implementation, its recorded answers, and keys of its form whose secret part would be
//! recognised wherever it shows up.

use std::{fs, sync::Arc};

use anyhow::{Context, Result, ensure};
use http::HeaderMap;
use keyway_providers::{Finding, GuardSettings, GuardedClient, Provider, ProviderSpec, for_spec};
use keyway_testkit::replay::{Fixture, Received, Replay};
use serde_json::json;
use url::Url;

use crate::{
    aws, azure, google_cloud,
    world::{secret, target},
};

const BODY: &str = "C4n4ryThi5MustN3v3rL34kAnywh3r3WhatsoEver9876";
/// Length of a part of a secret that nothing may show.
const TELLING_CHARS: usize = 8;

/// A provider under test.
pub(super) struct Subject {
    pub(super) spec: ProviderSpec,
    pub(super) ways: Arc<dyn Provider>,
    /// Every answer that was recorded of it.
    pub(super) cases: Vec<Fixture>,
    /// A key that calls models, if there is such a kind.
    pub(super) ordinary: Option<Key>,
    /// A key that reads reports, if there is such a kind.
    pub(super) admin: Option<Key>,
}

/// A credential as entered, and its secret part.
pub(super) struct Key {
    pub(super) text: String,
    pub(super) secret: String,
}

impl Subject {
    pub(super) fn new(spec: &ProviderSpec) -> Result<Self> {
        let (ordinary, admin) = keys(spec)?;
        let cases = Fixture::all(&spec.name)?;
        Ok(Self { spec: spec.clone(), ways: for_spec(spec), cases, ordinary, admin })
    }

    /// The recorded answer of a name.
    pub(super) fn case(&self, name: &str) -> Result<&Fixture> {
        let name = format!("{}/{name}", self.spec.name);
        self.cases.iter().find(|case| case.name == name).with_context(|| format!("{name} is not recorded"))
    }

    /// Returns the finding of a probe that gets this answer. A credential that is exchanged gets its token before.
    pub(super) async fn probed(&self, key: &Key, case: &Fixture) -> Result<Finding> {
        let (server, base, http) = self.host(case).await?;
        let finding = self.ways.probe(target(&base, &secret(&key.text)), &http).await;
        ensure!(!server.received().is_empty(), "nobody was asked");
        ensure!(!key.shows_in(&format!("{finding:?}")), "the finding shows the key");
        Ok(finding)
    }

    /// Starts a host with this answer; returns it with its base URL, and a client that trusts it.
    pub(super) async fn host(&self, case: &Fixture) -> Result<(Replay, Url, GuardedClient)> {
        let token = self.case("token_ok").ok().filter(|_| case.kind != "token").cloned();
        // What links to the provider's own host links to this one.
        let server = Replay::start_with(|root| {
            let mut case = case.clone();
            if let Ok(text) = std::str::from_utf8(&case.body) {
                case.body = text.replace(&self.spec.host_root(), root).into_bytes();
            }
            token.into_iter().chain([case]).collect()
        })
        .await?;
        let base = format!("{}{}", server.root, self.spec.base_url.path().trim_end_matches('/')).parse()?;
        let settings = GuardSettings { trusted: vec![server.host.clone()], ..GuardSettings::default() };
        Ok((server, base, GuardedClient::new(&settings)?))
    }

    /// Returns the names of the headers that carry the key of a call.
    pub(super) fn headers_with(&self, key: &Key, path: &str) -> Result<Vec<String>> {
        let mut headers = HeaderMap::new();
        self.ways.authorize(path, &mut headers, &secret(&key.text))?;
        let with_key = headers.iter().filter(|(_, value)| value.as_bytes().ends_with(key.text.as_bytes()));
        let with_key: Vec<_> = with_key.collect();
        ensure!(with_key.iter().all(|(_, value)| value.is_sensitive()), "{path}: the header is not marked sensitive");
        Ok(with_key.into_iter().map(|(name, _)| name.to_string()).collect())
    }
}

impl Key {
    fn plain(prefix: &str) -> Self {
        Self { text: format!("{prefix}{BODY}"), secret: BODY.to_owned() }
    }

    /// Returns `true` if a text shows a part of the secret.
    pub(super) fn shows_in(&self, text: &str) -> bool {
        let parts = self.secret.as_bytes().windows(TELLING_CHARS);
        parts.into_iter().any(|part| text.as_bytes().windows(TELLING_CHARS).any(|shown| shown == part))
    }
}

/// Returns the last request of a host, after any exchange of a credential.
pub(super) fn asked(server: &Replay) -> Option<Received> {
    server.received().pop()
}

/// Returns an ordinary and an admin key. A provider without a kind of its own has keys of its first prefix.
fn keys(spec: &ProviderSpec) -> Result<(Option<Key>, Option<Key>)> {
    let admin_prefix = spec.key_prefixes.iter().find(|prefix| prefix.contains("admin"));
    let prefix = spec.key_prefixes.iter().find(|prefix| !prefix.contains("admin"));
    let prefix = prefix.map(String::as_str).unwrap_or_default();
    Ok(match spec.name.as_str() {
        "aws" => (None, Some(Key { text: aws::credential().to_string(), secret: aws::SECRET.to_owned() })),
        "azure" => {
            let text = azure::with("subscription_id", json!(azure::SUBSCRIPTION));
            (None, Some(Key { text, secret: azure::SECRET.to_owned() }))
        }
        "google_cloud" => {
            let (pem, folder) = google_cloud::rsa("conformance")?;
            fs::remove_dir_all(folder)?;
            let secret = pem.lines().nth(5).context("a key of several lines")?.to_owned();
            (None, Some(Key { text: google_cloud::account(&pem).to_string(), secret }))
        }
        "xai_management" => (None, Some(Key::plain(""))),
        // Its management keys look like all others.
        "openrouter" => (Some(Key::plain(prefix)), Some(Key::plain(prefix))),
        _ => (Some(Key::plain(prefix)), admin_prefix.map(|prefix| Key::plain(prefix))),
    })
}
