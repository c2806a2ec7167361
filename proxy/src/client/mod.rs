//! The client that calls providers, over pooled connections.
//!
//! It must never follow a redirect, nor send a request twice that a provider may have seen.

pub(crate) mod body;
pub(crate) mod connect;
pub(crate) mod origin;
pub(crate) mod pool;

use std::{error::Error, sync::Arc};

use http::{Request, Response, header};
use hyper::body::Incoming;
use keyway_providers::GuardError;

use self::{
    body::RequestBody,
    connect::Connector,
    origin::Origin,
    pool::{Carrying, Pool},
};
use crate::refusal::{Code, Refusal};

/// Calls providers over its own connections; one per event loop.
pub struct ProviderClient {
    connector: Connector,
    pool: Pool,
}

impl ProviderClient {
    /// Builds a client without connections.
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, pool: Pool::default() }
    }

    /// Sends a request; returns the head of the answer, and its connection, to be held until the answer's end.
    pub(crate) async fn request(
        &self,
        to: &Arc<Origin>,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Carrying), Refusal> {
        let upgrades = request.headers().contains_key(header::UPGRADE);
        while let Some(kept) = self.pool.take(to, upgrades) {
            match kept.send(request).await {
                Ok(answered) => return Ok(answered),
                // The provider had closed the connection already, and saw nothing of the request.
                Err(mut error) => request = error.take_message().ok_or_else(broken)?,
            }
        }
        // Rare and large: in place, its state would be copied with every request, through each function above.
        let connected = Box::pin(self.connector.connect(to, upgrades)).await.map_err(|error| unreachable(&*error))?;
        self.pool.add(to, connected).send(request).await.map_err(|_| broken())
    }
}

fn broken() -> Refusal {
    Refusal::new(Code::UpstreamBroken, "the connection to the provider broke off before it answered")
}

/// Returns the refusal for a failed connection, without the error's text, which may name hosts and addresses.
fn unreachable(error: &(dyn Error + 'static)) -> Refusal {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(GuardError::Refused(_)) = error.downcast_ref() {
            return Refusal::new(Code::UpstreamForbidden, "the provider's host may not be called from here");
        }
        cause = error.source();
    }
    Refusal::new(Code::UpstreamUnreachable, "no connection could be made to the provider")
}
