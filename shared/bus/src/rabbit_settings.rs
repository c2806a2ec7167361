//! What a process has to know to reach RabbitMQ. Never shows the broker's URL: it holds a password.

use std::fmt;

/// Address of the broker, and name of this process there. `Debug` leaves out the URL, which holds a password.
pub struct RabbitSettings {
    /// The nodes of one broker, each as `amqp://user:password@host:port/vhost`.
    pub amqp_urls: Vec<String>,
    /// Name of the process in the broker's list of connections.
    pub name: String,
}

impl fmt::Debug for RabbitSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitSettings").field("name", &self.name).finish_non_exhaustive()
    }
}
