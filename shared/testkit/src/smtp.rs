//! A real SMTP server, `aiosmtpd`, that treats some recipients oddly: see `smtp_server.py` beside this file.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::{ports::free_port, python::python};

const PACKAGE: &str = "aiosmtpd==1.4.6";
const SCRIPT: &str = include_str!("smtp_server.py");

/// A mail that the server has taken, as often as it has taken it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Received {
    /// Recipient of the envelope.
    pub to: String,
    /// Header `Message-ID`, with its brackets.
    pub message_id: String,
    /// Header `Subject`, decoded.
    pub subject: String,
    /// Body in plain text.
    pub text: String,
    /// Body in HTML.
    pub html: String,
    /// `true` if the connection was under TLS.
    pub is_secure: bool,
}

/// The server; dropping it ends it.
pub struct SmtpServer {
    child: Option<Child>,
    home: PathBuf,
    port: u16,
    tls: Option<(PathBuf, PathBuf)>,
}

impl SmtpServer {
    /// Starts it; blocks until it listens. With a certificate and its key it wants STARTTLS and the login `keyway` with
    /// the password `pass word:@/`.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(tls: Option<(&Path, &Path)>) -> Result<Self> {
        let home = std::env::temp_dir().join(format!("keyway-smtp-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&home)?;
        let tls = tls.map(|(certificate, key)| (certificate.to_owned(), key.to_owned()));
        let mut server = Self { child: None, home, port: free_port()?, tls };
        server.resume()?;
        Ok(server)
    }

    /// Starts it again on its port after [`Self::stop`]; what it has received stays.
    ///
    /// # Errors
    /// It does not start.
    pub fn resume(&mut self) -> Result<()> {
        let mut command = Command::new(python(PACKAGE)?);
        command.args(["-c", SCRIPT]).arg(self.port.to_string()).arg(&self.home);
        if let Some((certificate, key)) = &self.tls {
            command.args([certificate, key]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let said = child.stdout.take().context("its output is read")?;
        self.child = Some(child);
        BufReader::new(said).read_line(&mut line)?;
        ensure!(line.trim() == "ready", "the SMTP server said {line:?}");
        Ok(())
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// It cannot be ended.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Lets it answer for mails to `slow`.
    ///
    /// # Errors
    /// Its directory is gone.
    pub fn release(&self) -> Result<()> {
        Ok(fs::write(self.home.join("go"), "")?)
    }

    /// Returns its port on loopback.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the mails it has taken, in order.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn received(&self) -> Result<Vec<Received>> {
        let Ok(text) = fs::read_to_string(self.home.join("received")) else { return Ok(Vec::new()) };
        // The last line may be half written.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        Ok(lines.map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// Returns the mails to one recipient.
    ///
    /// # Errors
    /// See [`Self::received`].
    pub fn received_by(&self, to: &str) -> Result<Vec<Received>> {
        Ok(self.received()?.into_iter().filter(|mail| mail.to == to).collect())
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        drop(self.stop());
        drop(fs::remove_dir_all(&self.home));
    }
}
