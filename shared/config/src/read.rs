//! Reads settings from the environment and `.env`, by name.

use std::{collections::BTreeMap, path::Path};

use keyway_vault::SecretString;

use crate::{
    Config, ConfigError, UnreadLine,
    dotenv::{self, EnvFile},
    settings::settings,
    values::Values,
};

/// The file of settings in the working directory.
const ENV_FILE: &str = ".env";
/// Largest edit distance at which a name counts as a misspelt setting.
const MAX_SLIPS: usize = 3;
/// The same for a name without the prefix of settings, which may belong to another program.
const MAX_SLIPS_OF_OTHERS: usize = 2;

/// Variables with a value.
#[derive(Debug, Default)]
pub struct Variables {
    /// Values by name.
    pub set: BTreeMap<String, SecretString>,
    /// Lines of the file that could not be read and were skipped.
    pub unread: Vec<UnreadLine>,
}

impl Config {
    /// Reads `.env` and the environment.
    ///
    /// # Errors
    /// [`ConfigError`] for the first setting with a fault.
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_variables(Path::new(ENV_FILE), environment())
    }

    /// Returns the variables of the process, or of a file of lines NAME=value, in which a team's provider keys may be.
    /// Empty ones are left out.
    ///
    /// # Errors
    /// [`ConfigError::EnvFile`].
    pub fn variables(file: Option<&Path>) -> Result<Variables, ConfigError> {
        let EnvFile { variables, unread } = match file {
            Some(file) => read(file)?,
            None => EnvFile { variables: environment().map(secret).collect(), unread: Vec::new() },
        };
        let set = variables.into_iter().filter(|(_, value)| !value.plain().is_empty());
        Ok(Variables { set: set.collect(), unread })
    }

    /// Works like [`Config::load`], with a given `.env` file and given variables.
    ///
    /// # Errors
    /// [`ConfigError`] for the first setting with a fault.
    pub fn from_variables(
        env_file: &Path,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let EnvFile { variables: own, unread } = if env_file.exists() { read(env_file)? } else { EnvFile::default() };
        let is_setting = |name: &str| name.starts_with("KEYWAY_");
        if let Some(UnreadLine { number, name: Some(name) }) =
            unread.iter().find(|line| line.name.as_deref().is_some_and(is_setting))
        {
            let problem = format!("the value of {name} in line {number} is not well formed; are its quotes closed?");
            return Err(ConfigError::EnvFile { file: env_file.to_owned(), problem });
        }
        let mut values: BTreeMap<_, _> = own.into_iter().collect();
        values.extend(variables.map(secret));
        let others = values.keys().filter(|name| !is_setting(name));
        let misspelt = others.filter_map(|name| Some((name.clone(), nearest(name, MAX_SLIPS_OF_OTHERS)?))).collect();
        values.retain(|name, _| is_setting(name));
        if let Some(unknown) = values.keys().find(|name| settings().all(|setting| setting.name != name.as_str())) {
            return Err(ConfigError::Unknown { meant: nearest(unknown, MAX_SLIPS), name: unknown.clone() });
        }
        Self::read(Values::new(values), unread, misspelt)
    }
}

#[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn secret((name, value): (String, String)) -> (String, SecretString) {
    (name, value.into())
}

fn read(file: &Path) -> Result<EnvFile, ConfigError> {
    dotenv::read(file).map_err(|problem| ConfigError::EnvFile { file: file.to_owned(), problem })
}

/// Returns the setting with the nearest name, at an edit distance of at most `most`.
fn nearest(name: &str, most: usize) -> Option<&'static str> {
    // What is much longer or shorter needs no look at its letters, of which there may be many.
    let alike = settings().map(|setting| setting.name).filter(|known| known.len().abs_diff(name.len()) <= most);
    let slips = alike.map(|known| (strsim::damerau_levenshtein(known, name), known));
    slips.min().filter(|(slips, _)| *slips <= most).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(Path::new("/nonexistent/.env"), variables)
    }

    fn with_file(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let path = std::env::temp_dir().join(format!("keyway-env-{}-{}", std::process::id(), text.len()));
        std::fs::write(&path, text).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let loaded = Config::from_variables(&path, variables);
        std::fs::remove_file(&path).unwrap();
        loaded
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let config = load(&[("HOME", "/root"), ("KEYWAY_KEYRING", "")]).unwrap();
        assert_eq!(config.store.database_url.plain(), "sqlite://./data/keyway.db");
        assert_eq!(config.process.keyring, Path::new("./data/keyring.json"));
        assert!(config.process.amqp_urls.is_empty() && config.api.admin_key.is_none());
        assert_eq!(config.workers.usage_interval, Duration::from_secs(900));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_it_has_to_be_and_never_quoted() {
        for (name, value, said) in [
            ("KEYWAY_LISTNE", "127.0.0.1:1", "did you mean KEYWAY_LISTEN? "),
            ("KEYWAY_CANARIES", "canary", "the settings are listed in .env.example"),
            ("KEYWAY_LISTEN", "canary", "like 127.0.0.1:8080"),
            ("KEYWAY_LISTEN", "canary:8080", "like 127.0.0.1:8080"),
            ("KEYWAY_OPS_LISTEN", "localhost:x", "like 127.0.0.1:8080"),
            ("KEYWAY_DATABASE_URL", "mysql://canary@db", "postgres:// or postgresql:// or sqlite://"),
            ("KEYWAY_DATABASE_URL", "postgres://u:canary/1@h/db", "write / as %2F"),
            ("KEYWAY_DATABASE_URL", "postgres://u:canary?1@h/db", "write / as %2F"),
            ("KEYWAY_DATABASE_URL", "postgres://u:can@canary@h/db", "@ as %40"),
            ("KEYWAY_DATABASE_URL", "postgres://u:canary@h/db?canary=1", "is not one of sslmode"),
            ("KEYWAY_AMQP_URL", "http://canary", "amqp:// or amqps://"),
            ("KEYWAY_AMQP_URL", "amqp://u:canary#1@h", "# as %23"),
            ("KEYWAY_AMQP_URL", "amqp://u:canary@h1,canary@h2", "commas between them"),
            ("KEYWAY_AMQP_URL", "amqp://u:canary@a,b", "commas between them"),
            ("KEYWAY_AMQP_URL", "amqp://u:can,ary@a", "commas between them"),
            ("KEYWAY_AMQP_URL", "amqp://u:p@h1,amqp://u:canary/@h2", "write / as %2F"),
            ("KEYWAY_ADMIN_KEY", "canary", "openssl rand -hex 32"),
            ("KEYWAY_OIDC_CLIENT_SECRET", "canary", "KEYWAY_OIDC_ISSUER"),
            ("KEYWAY_FALLBACK_OPENROUTER_KEY", "sk-or-v1- canary", "no spaces"),
            ("KEYWAY_PUBLIC_URL", "http://canary.example.com", "like https://keyway.example.com"),
            ("KEYWAY_PUBLIC_URL", "https://canary/path", "without a path"),
            ("KEYWAY_SMTP_URL", "http://u:canary@h", "smtp:// or smtps://"),
            ("KEYWAY_SMTP_URL", "smtp://u:canary@h?x=1", "tls=required"),
            ("KEYWAY_SMTP_URL", "smtp://u:canary@h", "KEYWAY_MAIL_FROM and KEYWAY_PUBLIC_URL"),
            ("KEYWAY_MAIL_FROM", "canary", "Keyway <keyway@example.com>"),
            ("KEYWAY_CONCURRENCY", "0", "a whole number from 1 to 10000, like 64"),
            ("KEYWAY_PROVIDER_CONCURRENCY", "canary", "a whole number from 1 to 10000"),
            ("KEYWAY_USAGE_INTERVAL_SECONDS", "15m canary", "a whole number of seconds from 1 to 86400, like 900"),
            ("KEYWAY_RETENTION_DAYS", "-1", "a whole number of days from 1 to 3650, like 30"),
            ("KEYWAY_API_BODY_BYTES", "1MB", "a whole number of bytes"),
            ("KEYWAY_LOG_FORMAT", "yaml canary", "text or json"),
            ("KEYWAY_TRUSTED_UPSTREAMS", "http://canary", "like 127.0.0.1:9100, without http://"),
            ("KEYWAY_CORS_ORIGINS", "canary.example.com", "like https://app.example.com"),
            ("KEYWAY_CORS_ORIGINS", "https://a.dev,https://*.canary.dev", "like https://app.example.com"),
        ] {
            let text = load(&[(name, value)]).unwrap_err().to_string();
            assert!(text.starts_with(name) && text.contains(said), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
        for name in ["KEYWAY_ADMIN_KEY", "KEYWAY_FALLBACK_OPENROUTER_KEY"] {
            let shown = format!("{:?}", load(&[(name, &"canary".repeat(8))]).unwrap());
            assert!(!shown.contains("canary"), "{name}");
        }
    }

    #[test]
    fn a_misspelt_prefix_is_told_and_other_programs_are_left_alone() {
        let config = load(&[("KEWYAY_LISTEN", "canary"), ("keyway_listen", "1"), ("LISTEN_FDS", "1")]).unwrap();
        assert_eq!(config.misspelt, [("KEWYAY_LISTEN".to_owned(), "KEYWAY_LISTEN")]);
        let config = with_file("KEYWAY-DATA_DIR=x\nKEWAY_LOG_FORMAT=json\nHTTP_PROXY=y\n", &[]).unwrap();
        assert_eq!(config.misspelt.len(), 2, "{:?}", config.misspelt);
        assert_eq!(config.api.listen.port(), 8080);
    }

    #[test]
    fn urls_may_name_several_hosts() {
        for (name, url) in [
            ("KEYWAY_DATABASE_URL", "postgres://u:p@h1:5432,h2:5432/db?target_session_attrs=read-write"),
            ("KEYWAY_AMQP_URL", "amqps://u:p%2F@h1/team%2Fa, amqps://u:p%2F@h2/team%2Fa"),
            ("KEYWAY_AMQP_URL", "amqp://h"),
        ] {
            load(&[(name, url)]).unwrap();
        }
    }

    #[test]
    fn mail_has_a_server_a_sender_and_an_address() {
        let variables = [
            ("KEYWAY_SMTP_URL", "smtps://u:p%2F@mail.example.com"),
            ("KEYWAY_MAIL_FROM", "Keyway <keyway@example.com>"),
            ("KEYWAY_PUBLIC_URL", "https://keyway.example.com/"),
        ];
        let mail = load(&variables).unwrap().mail.unwrap();
        assert_eq!((mail.smtp.port, mail.public_url.as_str()), (465, "https://keyway.example.com"));
        assert!(load(&variables[1..]).unwrap().mail.is_none());
        assert!(load(&[("KEYWAY_PUBLIC_URL", "http://localhost:8080")]).is_ok());
    }

    #[test]
    fn an_address_may_say_localhost() {
        let config = load(&[("KEYWAY_LISTEN", "localhost:8081"), ("KEYWAY_OPS_LISTEN", "[::1]:9")]).unwrap();
        assert_eq!((config.api.listen.to_string().as_str(), config.process.ops_listen.port()), ("127.0.0.1:8081", 9));
    }

    #[test]
    fn the_process_wins_over_the_env_file() {
        let text = "KEYWAY_LISTEN = 127.0.0.1:1111 # ours\nKEYWAY_CONCURRENCY=5\nOTHER=x y\nno line of its own\n";
        let config = with_file(text, &[("KEYWAY_CONCURRENCY", "7")]).unwrap();
        assert_eq!((config.api.listen.port(), config.workers.concurrency), (1111, 7));
        assert_eq!(config.unread_lines, [UnreadLine { number: 4, name: None }]);
    }

    #[test]
    fn a_setting_that_cannot_be_read_is_not_passed_over() {
        let error = with_file("A=1\nKEYWAY_ADMIN_KEY=\"canary\n", &[]).unwrap_err().to_string();
        assert!(error.contains("KEYWAY_ADMIN_KEY in line 2") && !error.contains("canary"), "{error}");
    }
}
