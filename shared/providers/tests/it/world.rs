//! Tools of every test here: a client that trusts one host, and a secret.

use std::{collections::HashSet, sync::Arc, time::Duration};

use keyway_domain::{ReportedUsage, Timestamp, UsageWindow};
use keyway_providers::{
    AuthStyle, Catalog, GuardSettings, GuardedClient, PageTrail, Provider, ProviderSpec, Target, UsageCall, UsageQuery,
    for_spec,
};
use keyway_vault::ProviderSecret;
use url::Url;

/// A secret that would be recognised by any part of it.
pub(crate) const CANARY: &str = "sk-canary-7h1s-mu5t-n3v3r-l34k-0123456789";

/// A client that trusts `host` and waits briefly.
pub(crate) fn client(host: &str) -> anyhow::Result<GuardedClient> {
    client_that_names(host, HashSet::new())
}

/// Works like [`client`]; hosts of this machine are a stranger's, and those of a provider that the catalog names.
pub(crate) fn clients(host: &str) -> anyhow::Result<[GuardedClient; 2]> {
    Ok([client(host)?, client_that_names(host, HashSet::from(["127.0.0.1".to_owned()]))?])
}

fn client_that_names(host: &str, named: HashSet<String>) -> anyhow::Result<GuardedClient> {
    Ok(GuardedClient::new(&GuardSettings {
        trusted: vec![host.to_owned()],
        named,
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(2),
        total_timeout: Duration::from_secs(10),
        max_body_bytes: 1 << 20,
    })?)
}

/// Returns the implementation of a predefined provider.
pub(crate) fn predefined(name: &str) -> anyhow::Result<(Arc<dyn Provider>, ProviderSpec)> {
    let spec = Catalog::load(None)?.get(name).cloned();
    let spec = spec.ok_or_else(|| anyhow::anyhow!("no provider {name}"))?;
    Ok((for_spec(&spec), spec))
}

/// Returns the implementation of a custom host.
pub(crate) fn custom(base_url: &Url) -> Arc<dyn Provider> {
    custom_with(base_url, AuthStyle::Bearer)
}

/// Returns the implementation of a custom host that takes keys in some style.
pub(crate) fn custom_with(base_url: &Url, auth: AuthStyle) -> Arc<dyn Provider> {
    for_spec(&ProviderSpec::custom("acme", "Acme", base_url.clone(), auth, vec!["acme-1".to_owned()]))
}

/// A secret.
pub(crate) fn secret(text: &str) -> ProviderSecret {
    ProviderSecret::new(text.to_owned())
}

/// Reads a report to its end; returns the number of its pages.
pub(crate) async fn whole_report(
    ways: &dyn Provider,
    target: Target<'_>,
    (source, window): (&str, UsageWindow),
    http: &GuardedClient,
) -> anyhow::Result<(Vec<ReportedUsage>, usize)> {
    let mut trail = PageTrail::default();
    let (mut rows, mut page, mut pages) = (Vec::new(), None, 0);
    loop {
        let query = UsageQuery { source, window, page: page.as_deref(), provider_key_ids: &[] };
        let got = ways.usage_page(UsageCall { target, query, http }).await?;
        rows.extend(got.rows);
        pages += 1;
        page = trail.follow(got.next)?;
        if page.is_none() {
            return Ok((rows, pages));
        }
    }
}

/// A target.
pub(crate) const fn target<'a>(base_url: &'a Url, secret: &'a ProviderSecret) -> Target<'a> {
    Target { base_url, secret }
}

/// Returns the hours from one to the other, counted from 2026-11-01T00:00:00Z.
pub(crate) fn november(from: i64, to: i64) -> UsageWindow {
    let time = |hours| Timestamp::from_seconds(1_793_491_200 + hours * 3600);
    UsageWindow { from: time(from), to: time(to) }
}
