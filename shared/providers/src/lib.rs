//! The providers: the catalog (`models.yaml`), the guarded HTTP client, and the kinds of providers.
//!
//! Nothing here stores, schedules or retries: a call makes at most a few requests and returns its finding. No text of a
//! provider ever leaves this crate, because it may echo the key; statuses, request ids, known codes and our own
//! sentences do.

mod auth;
mod catalog;
mod decimal;
mod finding;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grade;
pub mod guard;
mod kinds;
mod lenient;
mod metering;
mod provider;
mod retry_after;
pub mod scan;
mod secret_header;
mod usage_page;

pub use catalog::{
    AuthStyle, Capability, Catalog, CatalogChanges, CatalogError, Clock, Effect, EnvCredential, EnvNames, EnvPlace,
    Factor, Fees, Kind, LiveCatalog, Matcher, Model, ModelMode, OutputTokens, Period, Price, ProbeMethod, ProbeSpec,
    ProviderSpec, Rate, Rates, Resolved, Rule, Signal, SignalVerdict, Source, StoredProvider, Term, Tier, ToolPrice,
    UnreadableProvider, When,
};
pub use finding::Finding;
pub use format::{FormatError, KeyFacts, begins_like_key, is_secret, pasted};
pub use grade::{Sign, sign};
pub use guard::{GuardError, GuardSettings, GuardedClient};
pub use kinds::for_spec;
pub use metering::{Document, Ending, Figures, JsonBody, Metered, failed_with, session_model};
pub use provider::{BadSecret, Provider, Target, UsageCall};
pub use retry_after::parse as retry_after;
pub use secret_header::secret_header;
pub use usage_page::{FetchError, MAX_USAGE_PAGES, PageTrail, UsagePage, UsageQuery};
