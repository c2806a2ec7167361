//! What a process has to know to reach RabbitMQ. Never shows the broker's URL: it holds a password.

use std::fmt;

/// Which broker, and what this process calls itself there. Its `Debug` leaves the URL out, which holds a password.
pub struct RabbitSettings {
    /// `amqp://user:password@host:port/vhost`, or several such addresses with commas between: the nodes of one broker.
    pub amqp_url: String,
    /// The name of the process in the broker's list of connections.
    pub name: String,
}

impl fmt::Debug for RabbitSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitSettings").field("name", &self.name).finish_non_exhaustive()
    }
}
