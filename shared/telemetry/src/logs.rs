//! Log output: one line per event on standard error, text or JSON.

use std::{io::IsTerminal as _, str::FromStr};

use tracing_subscriber::EnvFilter;

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// For collectors: one JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected text or json".to_owned()),
        }
    }
}

/// Format and filter of the log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Format of the lines.
    pub format: LogFormat,
    /// Filter in the directive syntax of tracing-subscriber: `info,keyway_bus=debug`.
    pub filter: String,
}

/// Reason why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is malformed: correct `KEYWAY_LOG`.
    #[error("KEYWAY_LOG cannot be used: it must be a level, or directives like info,keyway_bus=debug")]
    Filter,
    /// A subscriber was installed before: call [`init`] once.
    #[error("logging was already set up in this process")]
    Twice,
}

/// Sends the process's events to standard error.
///
/// # Errors
/// [`TelemetryError`], before anything was logged.
pub fn init(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = filter(&settings.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that cannot be written, as on a full disk, would be reported by a panic wherever it was logged.
    let builder = builder.log_internal_errors(false);
    match settings.format {
        LogFormat::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|_| TelemetryError::Twice)?;
    #[cfg(feature = "failpoints")]
    crate::failpoint::activate();
    Ok(())
}

/// Parses directives. The AMQP client is silenced unless they name it: it logs as errors what it also returns, and the
/// bus handles and logs those itself.
fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(format!("lapin=off,{directives}")).map_err(|_| TelemetryError::Filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_amqp_client_is_silent_unless_it_is_named() {
        for (directives, expected) in [("info", "lapin=off,info"), ("warn,lapin=debug", "lapin=debug,warn")] {
            assert_eq!(filter(directives).unwrap().to_string(), expected);
        }
        assert!(matches!(filter("a=b=c"), Err(TelemetryError::Filter)));
    }
}
