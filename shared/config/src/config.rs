//! All settings, by role.

use crate::{
    ConfigError, UnreadLine, api::ApiConfig, mail::MailConfig, oidc::OidcConfig, process::ProcessConfig,
    proxy::ProxyConfig, store::StoreConfig, values::Values, workers::WorkersConfig,
};

/// All settings, validated.
#[derive(Debug)]
pub struct Config {
    /// Settings of every process.
    pub process: ProcessConfig,
    /// Settings of the database.
    pub store: StoreConfig,
    /// Settings of the management API and the listener.
    pub api: ApiConfig,
    /// Settings of mail; `None`: no mail is sent.
    pub mail: Option<MailConfig>,
    /// Settings of sign-in by an identity provider; `None`: there is none.
    pub oidc: Option<OidcConfig>,
    /// Settings of the proxy.
    pub proxy: ProxyConfig,
    /// Settings of workers.
    pub workers: WorkersConfig,
    /// Lines of the `.env` file that could not be read and were skipped; none of them is a setting.
    pub unread_lines: Vec<UnreadLine>,
    /// Variables that are no settings, each with the setting that has nearly the same name.
    pub misspelt: Vec<(String, &'static str)>,
}

impl Config {
    pub(crate) fn read(
        mut values: Values,
        unread_lines: Vec<UnreadLine>,
        misspelt: Vec<(String, &'static str)>,
    ) -> Result<Self, ConfigError> {
        let process = ProcessConfig::read(&mut values)?;
        let api = ApiConfig::read(&mut values)?;
        Ok(Self {
            store: StoreConfig::read(&mut values, &process.data_dir)?,
            mail: MailConfig::read(&mut values, api.public_url.as_ref())?,
            api,
            oidc: OidcConfig::read(&mut values)?,
            proxy: ProxyConfig::read(&mut values)?,
            workers: WorkersConfig::read(&mut values)?,
            process,
            unread_lines,
            misspelt,
        })
    }
}
