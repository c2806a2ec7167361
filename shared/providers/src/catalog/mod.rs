//! The catalog: every predefined provider with its models and prices, read from `models.yaml`. A catalog is immutable;
//! a new reading replaces it as a whole. It must never hold a tenant's data.

mod base_url;
mod book;
mod env;
mod env_names;
mod error;
mod file;
mod kind;
mod live;
mod price;
mod priced;
mod resolve;
mod spec;

pub use book::Catalog;
pub use env::{EnvCredential, EnvPlace};
pub use env_names::EnvNames;
pub use error::CatalogError;
pub use kind::Kind;
pub use live::{CatalogChanges, LiveCatalog};
pub use price::{Clock, Effect, Factor, Fees, Period, Price, Rate, Rates, Rule, Source, Term, Tier, ToolPrice, When};
pub use resolve::{Resolved, StoredProvider, UnreadableProvider};
pub(crate) use spec::join;
pub use spec::{
    AuthStyle, Capability, Matcher, Model, ModelMode, OutputTokens, ProbeMethod, ProbeSpec, ProviderSpec, Signal,
    SignalVerdict,
};

#[cfg(test)]
mod figures_tests;
#[cfg(test)]
mod tests;
