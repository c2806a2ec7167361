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
    pool::{Carrying, Pool, Unanswered},
};
use crate::refusal::{Code, Refusal};

/// Largest number of connections that are opened for one request.
const MOST_OPENED: u32 = 2;

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

    /// Sends a request; returns the head of the answer, and its connection, to be held until the answer's end. What one
    /// connection did not carry goes over another one, and over a new one at last, or a second.
    pub(crate) async fn request(
        &self,
        to: &Arc<Origin>,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Carrying), Refusal> {
        let upgrades = request.headers().contains_key(header::UPGRADE);
        let mut opened = 0;
        loop {
            let connection = match self.pool.take(to, upgrades) {
                Some(kept) => kept,
                None => {
                    opened += 1;
                    // Rare and large: in place, its state would be copied with every request, through each function above.
                    let connected = Box::pin(self.connector.connect(to, upgrades)).await;
                    self.pool.add(to, connected.map_err(|error| unreachable(&*error))?)
                }
            };
            match connection.send(request).await {
                Ok(answered) => return Ok(answered),
                Err(Unanswered::Unprocessed(unsent)) if opened < MOST_OPENED => request = *unsent,
                Err(unanswered) => return Err(unanswered.into()),
            }
        }
    }
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Unprocessed(_) => {
                Self::new(Code::UpstreamUnreachable, "the provider took the request on no connection")
            }
            Unanswered::Flooded => {
                Self::new(Code::UpstreamFlooded, "the provider sent too much before an answer, and is not listened to")
            }
            Unanswered::Broken => {
                Self::new(Code::UpstreamBroken, "the connection to the provider broke off before it answered")
            }
        }
    }
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
