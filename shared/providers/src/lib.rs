//! The providers: the catalog (`models.yaml`), the guarded HTTP client, and one file per provider.
//!
//! Nothing here stores, schedules or retries: a call makes at most a few requests and says what it
//! found. No text of a provider ever leaves this crate, because it may echo the key; statuses,
//! request ids, known codes and our own sentences do.

mod anthropic;
mod anthropic_metering;
mod anthropic_usage;
mod auth;
mod aws;
mod aws_usage;
mod azure;
mod azure_usage;
mod catalog;
mod cloud;
mod cohere;
mod credential_fields;
mod decimal;
mod format;
mod gemini;
mod gemini_metering;
mod google_cloud;
mod google_cloud_key;
mod google_cloud_usage;
mod grade;
pub mod guard;
mod lenient;
mod metering;
mod openai;
mod openai_compatible;
mod openai_usage;
mod openrouter;
mod provider;
mod registry;
mod retry_after;
mod sigv4;
mod usage_page;

pub use catalog::{
    AuthStyle, Capability, Catalog, CatalogError, EnvCredential, EnvNames, EnvPlace, Matcher, Model, ModelMode,
    OutputTokens, Price, ProbeMethod, ProbeSpec, ProviderSpec, Rates, Signal, SignalVerdict, Tier,
};
pub use format::{FormatError, KeyFacts, KeyFamily};
pub use guard::{GuardError, GuardSettings, GuardedClient};
pub use metering::Metered;
pub use provider::{BadSecret, Finding, Provider, Target};
pub use registry::for_spec;
pub use usage_page::{FetchError, MAX_USAGE_PAGES, PageTrail, UsagePage, UsageQuery};
