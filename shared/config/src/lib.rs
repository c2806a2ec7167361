//! Settings: one struct for each role, one `load`, the only reader of the environment.
//!
//! Every setting is a `KEYWAY_*` variable, from the process or from a `.env` file in the working directory (the process
//! wins). An unknown `KEYWAY_*` name is an error, so a typing mistake never silently means the default; a misspelt
//! prefix is reported. Printing a [`Config`] never shows a secret.

mod api;
mod config;
mod dotenv;
mod error;
mod mail;
mod oidc;
mod process;
mod proxy;
mod read;
mod setting;
mod settings;
mod store;
mod values;
mod workers;

pub use api::ApiConfig;
pub use config::Config;
pub use dotenv::UnreadLine;
pub use error::ConfigError;
pub use mail::MailConfig;
pub use oidc::OidcConfig;
pub use process::ProcessConfig;
pub use proxy::ProxyConfig;
pub use read::Variables;
pub use setting::Setting;
pub use settings::{SECRETS, settings};
pub use store::StoreConfig;
pub use workers::WorkersConfig;
