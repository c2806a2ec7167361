//! The brokers' addresses from the setting, and a connection to the first of them that answers.
//!
//! Never logs or shows an address as written: it holds a password.

use std::{
    fmt,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use lapin::{Connection, ConnectionProperties, runtime::default_runtime, tcp::OwnedTLSConfig, uri::AMQPUri};
use url::form_urlencoded;

use crate::BusError;

/// Heartbeat interval in seconds; a broker that is silent for twice as long is gone.
const HEARTBEAT_S: u16 = 10;
const CONNECT: Duration = Duration::from_secs(10);
/// Time that one of several nodes has to answer, which leaves time for the others.
const CONNECT_TO_ONE_OF_SEVERAL: Duration = Duration::from_secs(4);

/// The nodes of one broker.
#[derive(Debug)]
pub(crate) struct Addresses {
    nodes: Vec<Node>,
    /// Index of the node that answered last, which is asked first.
    last: AtomicUsize,
}

struct Node {
    uri: AMQPUri,
    /// Path of the PEM file of the authority that signed the node's certificate, besides those the system trusts.
    authority: Option<PathBuf>,
}

impl Addresses {
    /// Reads `amqp://user:password@host:port/vhost`, or several such addresses separated by commas.
    ///
    /// # Errors
    /// [`BusError::Address`] with the fault, without the address.
    pub(crate) fn parse(setting: &str) -> Result<Self, BusError> {
        let nodes = setting.split(',').map(Node::parse).collect::<Result<_, _>>()?;
        Ok(Self { nodes, last: AtomicUsize::new(0) })
    }

    /// Connects to the node that answered last or, if it does not answer, to the next one that does.
    ///
    /// # Errors
    /// [`BusError::Disconnected`] with the error of each node.
    pub(crate) async fn connect(&self, properties: &ConnectionProperties) -> Result<Connection, BusError> {
        let (first, count) = (self.last.load(Ordering::Relaxed), self.nodes.len());
        let deadline = if count > 1 { CONNECT_TO_ONE_OF_SEVERAL } else { CONNECT };
        let mut errors = Vec::new();
        for at in (first..count).chain(0..first) {
            let Some(node) = self.nodes.get(at) else { continue };
            match node.connect(properties.clone(), deadline).await {
                Ok(connection) => {
                    self.last.store(at, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => errors.push(node.named(&error)),
            }
        }
        Err(BusError::Disconnected(errors.join("; ")))
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("host", &self.uri.authority.host).finish_non_exhaustive()
    }
}

impl Node {
    fn parse(address: &str) -> Result<Self, BusError> {
        let address = address.trim();
        if !address.starts_with("amqp://") && !address.starts_with("amqps://") {
            return Err(BusError::Address(
                "each address begins with amqp:// or amqps://, several have commas between them, and a comma of a \
                 password is written %2C",
            ));
        }
        let mut uri: AMQPUri = address.parse().map_err(|_| {
            BusError::Address(
                "it is not amqp://user:password@host:port/vhost; `/ ? # @ %` in a user, password or vhost are written \
                 %2F %3F %23 %40 %25",
            )
        })?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        let mut authority = None;
        let query = address.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "cacertfile" => authority = Some(PathBuf::from(value.into_owned())),
                "certfile" | "keyfile" => {
                    return Err(BusError::Address("client certificates (certfile, keyfile) are not supported"));
                }
                _ => {}
            }
        }
        Ok(Self { uri, authority })
    }

    async fn connect(&self, properties: ConnectionProperties, deadline: Duration) -> Result<Connection, BusError> {
        let cert_chain = match &self.authority {
            Some(file) => Some(tokio::fs::read_to_string(file).await.map_err(|error| {
                BusError::Disconnected(format!("the certificates in {} cannot be read: {error}", file.display()))
            })?),
            None => None,
        };
        let trusted = OwnedTLSConfig { identity: None, cert_chain };
        let opening = Connection::connect_uri_with_config(self.uri.clone(), properties, trusted, default_runtime()?);
        match tokio::time::timeout(deadline, opening).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(BusError::Disconnected(format!("no answer within {} s", deadline.as_secs()))),
        }
    }

    /// Returns the error as text, with the node it is from.
    fn named(&self, error: &BusError) -> String {
        let (host, port) = (&self.uri.authority.host, self.uri.authority.port);
        match error {
            BusError::Disconnected(why) => format!("{host}:{port}: {why}"),
            other => format!("{host}:{port}: {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_or_several_are_read() {
        for (setting, expected) in [
            ("amqp://a", vec!["a:5672"]),
            ("amqps://u:p%40%2F@a:1/v?heartbeat=5&cacertfile=/etc/ca%20one.pem", vec!["a:1"]),
            ("amqp://a:1,amqps://b, amqp://c:3/x", vec!["a:1", "b:5671", "c:3"]),
        ] {
            let read = Addresses::parse(setting).expect("addresses");
            let found: Vec<_> = read.nodes.iter().map(|node| node.named(&BusError::Closed)).collect();
            let found: Vec<_> = found.iter().map(|text| text.split(": ").next().unwrap_or_default()).collect();
            assert_eq!(found, expected, "{setting}");
        }
        let read = Addresses::parse("amqps://a?heartbeat=5&cacertfile=/etc/ca%20one.pem").expect("an address");
        assert_eq!(read.nodes[0].authority.as_deref(), Some(std::path::Path::new("/etc/ca one.pem")));
        assert_eq!(read.nodes[0].uri.query.heartbeat, Some(5));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for setting in [
            "amqp://u:canary@a,b",
            "amqp://u:can,ary@a",
            "u:canary@a",
            "http://u:canary@a",
            "",
            "amqp://u:canary@a:port",
            "amqps://u:canary@a?certfile=/x&keyfile=/y",
        ] {
            let error = Addresses::parse(setting).expect_err(setting);
            assert!(matches!(error, BusError::Address(_)), "{setting}: {error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
