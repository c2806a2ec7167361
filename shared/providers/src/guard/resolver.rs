//! Resolves names and returns only addresses that the rule allows, so that the checked address is the one that is
//! connected to.

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::{Guard, GuardError};

/// A resolver under the rule.
#[derive(Clone, Debug)]
pub struct Resolver {
    guard: Guard,
}

type Resolved = std::vec::IntoIter<SocketAddr>;

impl Resolver {
    /// Returns a resolver under this rule.
    #[must_use]
    pub const fn new(guard: Guard) -> Self {
        Self { guard }
    }

    /// Finds the addresses of a name, as far as the rule allows them.
    pub(super) async fn addresses(self, name: String) -> Result<Resolved, GuardError> {
        let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| GuardError::Unresolved)?;
        let sockets: Vec<SocketAddr> = found.collect();
        let addresses: Vec<IpAddr> = sockets.iter().map(SocketAddr::ip).collect();
        self.guard.check_addresses(&name, &addresses)?;
        Ok(sockets.into_iter())
    }
}

impl Service<Name> for Resolver {
    type Response = Resolved;
    type Error = GuardError;
    type Future = Pin<Box<dyn Future<Output = Result<Resolved, GuardError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), GuardError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().addresses(name.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_stands_for_this_machine_is_refused_unless_trusted() -> Result<(), GuardError> {
        let name = || "localhost".parse::<Name>().expect("a name");
        let refused = Resolver::new(Guard::default()).call(name()).await;
        assert!(matches!(refused, Err(GuardError::Refused(_))), "{refused:?}");
        let mut trusting = Resolver::new(Guard::new(&["localhost".to_owned()])?);
        assert!(trusting.call(name()).await?.next().is_some());
        Ok(())
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_unresolved() {
        let mut resolver = Resolver::new(Guard::default());
        let nowhere = resolver.call("nowhere.invalid".parse().expect("a name")).await;
        assert_eq!(nowhere.err(), Some(GuardError::Unresolved));
    }
}
