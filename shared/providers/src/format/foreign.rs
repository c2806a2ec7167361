//! Keys that are certainly not this provider's: Keyway's own, another provider's, another service's.
//!
//! Judges by prefixes that belong to one issuer alone. A key of unknown form has no known issuer.

use super::FormatError;
use crate::ProviderSpec;

/// Prefixes of Keyway's own keys.
const KEYWAYS_ADMIN: &str = "kw_admin_";
const KEYWAYS_VIRTUAL: &str = "kw_live_";

/// Prefixes of the keys of the catalog's providers, with their names and display names.
const PROVIDERS: &[(&str, &str, &str)] = &[
    ("sk-ant-", "anthropic", "Anthropic"),
    ("sk-or-v1-", "openrouter", "OpenRouter"),
    ("sk-proj-", "openai", "OpenAI"),
    ("sk-svcacct-", "openai", "OpenAI"),
    ("sk-admin-", "openai", "OpenAI"),
    ("xai-", "xai", "xAI"),
    ("gsk_", "groq", "Groq"),
    ("AIza", "gemini", "Google Gemini"),
];

/// Prefixes of the keys of other model hosts; a custom host may accept them or be one of these hosts.
const HOSTS_OF_MODELS: &[(&str, &str)] = &[
    ("hf_", "Hugging Face"),
    ("r8_", "Replicate"),
    ("pplx-", "Perplexity"),
    ("nvapi-", "NVIDIA"),
    ("csk-", "Cerebras"),
    ("tgp_v1_", "Together AI"),
];

/// Secrets of services that host no models: prefixes, name of the service, and the domains that may ask for them all
/// the same.
const SERVICES: &[(&[&str], &str, &[&str])] = &[
    (
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        "GitHub",
        &["github.com", "github.ai", "githubcopilot.com", "ghe.com", "inference.ai.azure.com"],
    ),
    (&["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-"], "GitLab", &["gitlab.com"]),
    (&["xoxb-", "xoxp-", "xoxa-", "xoxe-", "xoxe.", "xoxr-", "xoxs-", "xapp-"], "Slack", &[]),
    (&["SG."], "SendGrid", &[]),
    (&["sk_live_51", "sk_test_51", "rk_live_51", "rk_test_51", "whsec_"], "Stripe", &[]),
    (&["npm_"], "npm", &[]),
    (&["pypi-"], "PyPI", &[]),
    (&["dckr_pat_", "dckr_oat_"], "Docker Hub", &["docker.com"]),
    (&["dop_v1_", "doo_v1_", "dor_v1_"], "DigitalOcean", &["digitalocean.com", "do-ai.run"]),
    (&["shpat_", "shpca_", "shppa_", "shpss_"], "Shopify", &[]),
    (&["figd_"], "Figma", &[]),
    (&["ntn_"], "Notion", &[]),
    (&["lin_api_"], "Linear", &[]),
    (&["sbp_"], "Supabase", &[]),
    (&["hvs.", "hvb."], "HashiCorp Vault", &[]),
    (&["GOCSPX-"], "Google (the secret of an OAuth client)", &[]),
    (&["ATATT3", "ATCTT3"], "Atlassian", &[]),
];

/// Refuses a key that is certainly not the provider's.
pub(super) fn check(spec: &ProviderSpec, key: &str) -> Result<(), FormatError> {
    // A host of somebody's own may be another Keyway: of its virtual keys only who has given one out can tell.
    if key.starts_with(KEYWAYS_ADMIN) || key.starts_with(KEYWAYS_VIRTUAL) && !spec.custom {
        return Err(FormatError::Keyways);
    }
    if is_access_key_id(key) {
        return Err(FormatError::OtherProvider("AWS"));
    }
    // What the provider itself gives out, as its stanza says, is its own.
    let begins = |prefix: &str| key.starts_with(prefix) && !spec.key_prefixes.iter().any(|own| own.starts_with(prefix));
    let services = SERVICES.iter().find(|(prefixes, ..)| prefixes.iter().any(|prefix| begins(prefix)));
    if let Some((_, name, domains)) = services
        && !domains.iter().any(|domain| is_within(spec, domain))
    {
        return Err(FormatError::OtherService(name));
    }
    // A host of somebody's own may take the keys of anybody it passes calls on to.
    if spec.custom || !knows_others(spec) {
        return Ok(());
    }
    let others = PROVIDERS.iter().find(|(prefix, name, _)| key.starts_with(prefix) && *name != spec.name);
    if let Some((_, _, display_name)) = others {
        return Err(FormatError::OtherProvider(display_name));
    }
    match HOSTS_OF_MODELS.iter().find(|(prefix, _)| begins(prefix)) {
        Some((_, name)) => Err(FormatError::OtherService(name)),
        None => Ok(()),
    }
}

/// Returns `true` for a text that begins like a key of any issuer that is known.
#[must_use]
pub fn begins_like_key(text: &str) -> bool {
    let begins = |prefix: &&str| text.starts_with(*prefix);
    let of_providers =
        PROVIDERS.iter().map(|(prefix, ..)| prefix).chain(HOSTS_OF_MODELS.iter().map(|(prefix, _)| prefix));
    is_keyways(text)
        || ["sk-", "sk_", "AKIA", "ASIA"].iter().any(begins)
        || of_providers.chain(SERVICES.iter().flat_map(|(prefixes, ..)| prefixes.iter())).any(begins)
}

/// Returns `true` for a key issued by Keyway, this installation or another.
pub(crate) fn is_keyways(text: &str) -> bool {
    text.starts_with(KEYWAYS_ADMIN) || text.starts_with(KEYWAYS_VIRTUAL)
}

/// Returns `true` for the public half of an AWS access key.
fn is_access_key_id(key: &str) -> bool {
    let rest = key.strip_prefix("AKIA").or_else(|| key.strip_prefix("ASIA"));
    rest.is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit()))
}

fn is_within(spec: &ProviderSpec, domain: &str) -> bool {
    let host = spec.base_url.host_str().unwrap_or_default();
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Returns `true` for a well-known provider, whose host refuses other issuers' keys. An operator's models file may have
/// further names, whose hosts may take them.
fn knows_others(spec: &ProviderSpec) -> bool {
    const WITHOUT_PREFIX: [&str; 4] = ["azure_openai", "cohere", "deepseek", "mistral"];
    PROVIDERS.iter().any(|(_, name, _)| *name == spec.name) || WITHOUT_PREFIX.contains(&spec.name.as_str())
}
