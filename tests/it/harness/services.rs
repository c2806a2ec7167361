//! Services of an installation.

use std::path::Path;

use anyhow::Result;
use keyway_testkit::{postgres::TestDatabase, private_postgres::PrivatePostgres, rabbitmq::TestBroker};

/// Place of database and bus.
pub(crate) enum Services {
    /// SQLite and the bus within the process.
    Embedded,
    /// A database and a virtual host on the servers that all tests share.
    Shared(TestDatabase, TestBroker),
    /// Servers of the test's own, which it may kill and search.
    Private(PrivatePostgres, TestBroker),
}

impl Services {
    pub(crate) async fn shared() -> Result<Self> {
        let (database, broker) = tokio::try_join!(TestDatabase::postgres(), TestBroker::shared())?;
        Ok(Self::Shared(database, broker))
    }

    pub(crate) async fn private() -> Result<Self> {
        let (database, broker) = tokio::try_join!(PrivatePostgres::start(), TestBroker::private())?;
        Ok(Self::Private(database, broker))
    }

    /// Returns the settings of the processes.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let (database, broker) = match self {
            Self::Embedded => return Vec::new(),
            Self::Shared(database, broker) => (&database.url, broker),
            Self::Private(database, broker) => (&database.url, broker),
        };
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![setting("KEYWAY_DATABASE_URL", database), setting("KEYWAY_AMQP_URL", &broker.amqp_url)]
    }

    /// Returns the URL with which the test itself reads the database.
    pub(crate) fn database_url(&self, data_dir: &Path) -> String {
        match self {
            Self::Embedded => format!("sqlite://{}?mode=ro", data_dir.join("keyway.db").display()),
            Self::Shared(database, _) => database.url.clone(),
            Self::Private(database, _) => database.url.clone(),
        }
    }

    pub(crate) fn broker(&self) -> Option<&TestBroker> {
        match self {
            Self::Embedded => None,
            Self::Shared(_, broker) | Self::Private(_, broker) => Some(broker),
        }
    }

    /// The servers that may be killed.
    pub(crate) fn own(&mut self) -> Result<(&mut PrivatePostgres, &mut TestBroker)> {
        match self {
            Self::Private(database, broker) => Ok((database, broker)),
            _ => anyhow::bail!("only private servers may be killed or searched"),
        }
    }
}
