//! The client that calls providers, over pooled connections.
//!
//! It must never follow a redirect, nor send a request twice that a provider may have seen.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use keyway_providers::GuardError;

use super::{
    connect::Connector,
    intake::Source,
    origin::Origin,
    pool::{Carrying, Pool},
    refusal::{Code, Refusal},
};

/// Calls providers over its own connections; one per event loop.
pub struct ProviderClient {
    connector: Connector,
    pool: Pool,
}

/// The body of a request to a provider.
pub(super) enum RequestBody {
    /// A body that was read. Its source goes along, as it holds the body's share of memory.
    Whole(Full<Bytes>, #[expect(dead_code, reason = "held for its drop")] Option<Source>),
    /// A body that is passed on as it arrives.
    Passing(Incoming),
}

impl ProviderClient {
    /// Builds a client without connections.
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, pool: Pool::default() }
    }

    /// Sends a request; returns the head of the answer, and its connection, to be held until the answer's end.
    pub(super) async fn request(
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
        let connected = self.connector.connect(to, upgrades).await.map_err(|error| unreachable(&*error))?;
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

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(body, _) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Passing(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body, _) => body.is_end_stream(),
            Self::Passing(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body, _) => body.size_hint(),
            Self::Passing(body) => body.size_hint(),
        }
    }
}
