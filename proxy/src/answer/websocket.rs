//! WebSockets of realtime endpoints: after the provider has accepted, bytes pass in both directions unchanged, and the
//! provider's token counts are read on the way.
//!
//! It must never answer for the provider: both handshakes are one, and the caller's is the provider's.

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use keyway_domain::Timestamp;
use keyway_providers::{Figures, Metered, session_model};
use keyway_telemetry::spawn;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

use super::{attempts::Begun, frames::Frames, redact::Redactor, relay::ProxyBody};
use crate::{
    ledger::record::Record,
    request::caller::{KeyHash, KeyHolder},
    route::sources::Sources,
    warm::{Held, Stamp, TTL, WarmCache},
};

/// Longest silence of both sides.
const SILENCE: Duration = Duration::from_secs(10 * 60);
const BUFFER_BYTES: usize = 16 << 10;
const EXTENSIONS: HeaderName = HeaderName::from_static("sec-websocket-extensions");

/// Interval at which the caller's key is checked.
const LOOK: Duration = Duration::from_secs(1);

/// State of the proxy that a session needs.
pub(crate) struct Session {
    /// Cancelled when the process stops, which ends the session.
    pub(crate) stop: CancellationToken,
    /// Token that counts the session as running until it is dropped.
    pub(crate) open: TaskTrackerToken,
    pub(crate) key: SessionKey,
}

/// The virtual key that opened a session, which ends once the key may not be used any more.
pub(crate) struct SessionKey {
    pub(crate) callers: Arc<WarmCache<KeyHash, KeyHolder>>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) hash: KeyHash,
    pub(crate) holder: Held<KeyHolder>,
}

/// Returns the caller's side of the connection, if a request asks for a WebSocket.
pub(crate) fn asked(parts: &mut Parts) -> Option<OnUpgrade> {
    let wants = parts.headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !wants || parts.method != Method::GET {
        return None;
    }
    parts.extensions.remove::<OnUpgrade>()
}

/// Adds the handshake of a WebSocket to a cleaned request.
pub(crate) fn ask(request: &mut HeaderMap) {
    request.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    request.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    // What is compressed cannot be metered.
    request.remove(EXTENSIONS);
}

/// Passes on the provider's acceptance, and everything after it.
pub(crate) fn begin(caller: OnUpgrade, mut begun: Begun, session: Session) -> Response<ProxyBody> {
    begun.record.answered(StatusCode::SWITCHING_PROTOCOLS, true);
    begun.dress();
    let Begun { mut answer, record, secret, .. } = begun;
    let redactor = record.upstream().redacts_answers.then(|| Redactor::new(secret));
    let provider = hyper::upgrade::on(&mut answer);
    let (mut parts, _) = answer.into_parts();
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    parts.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    drop(spawn("websocket", async move {
        let _open = session.open;
        match tokio::try_join!(caller, provider) {
            Ok((caller, provider)) => relay((caller, provider), (record, redactor), session.key, &session.stop).await,
            Err(error) => tracing::debug!(%error, "a WebSocket did not come about"),
        }
    }));
    Response::from_parts(parts, ProxyBody::whole(Bytes::new()))
}

async fn relay(
    (caller, provider): (Upgraded, Upgraded),
    (mut record, mut redactor): (Record, Option<Redactor>),
    key: SessionKey,
    stop: &CancellationToken,
) {
    let (mut from_caller, mut to_caller) = tokio::io::split(TokioIo::new(caller));
    let (mut from_provider, mut to_provider) = tokio::io::split(TokioIo::new(provider));
    let heard = Heard::default();
    let (mut frames, mut sent, mut sum) = (Frames::default(), Frames::default(), Metered::default());
    let mut figures = Figures::new(&record.upstream().spec, record.path());
    // Where neither path nor query has named the model, the caller's first message may.
    let (mut named, mut left) = (None, false);
    if record.asked_model().is_some() {
        sent.ignore_messages();
    }
    {
        let down = pump(&mut from_provider, &mut to_caller, &heard, |bytes| {
            record.first_byte(Instant::now());
            frames.pass(bytes, |message| {
                figures.event(message);
                figures.add_to(&mut sum);
            });
            let redactor = redactor.as_mut()?;
            let passed = redactor.pass(Bytes::copy_from_slice(bytes));
            // At the end of a frame nothing is held back: the next one may be long in coming.
            Some(if frames.is_between() { [passed, redactor.finish()].concat().into() } else { passed })
        });
        let up = pump(&mut from_caller, &mut to_provider, &heard, |bytes| {
            sent.pass(bytes, |message| named = named.take().or_else(|| session_model(message)));
            if named.is_some() {
                sent.ignore_messages();
            }
            None
        });
        let (down, up) = (pin!(down), pin!(up));
        // Whichever side ends first ends the session: a WebSocket has no half that goes on.
        tokio::select! {
            _ = down => {}
            _ = up => left = true,
            () = heard.silence() => tracing::debug!("a WebSocket was silent for too long"),
            () = key.refused() => tracing::debug!("the virtual key of a WebSocket may not be used any more"),
            () = stop.cancelled() => {}
        }
    }
    if figures.is_under_way() {
        // What the answer used that was being given, nobody says.
        (sum.tokens.output, sum.tokens.audio_output, sum.cost_nano_usd) = (None, None, None);
    }
    record.metered(Metered { model: sum.model.or(named), ..sum });
    // Either may be gone already.
    let _ = tokio::join!(to_caller.shutdown(), to_provider.shutdown());
    // Many callers leave without a word when they have what they wanted.
    let has_all = left && figures.has_answered() && !figures.is_under_way();
    if frames.is_closed() || sent.is_closed() || has_all {
        record.complete();
    }
}

/// Passes bytes on as they come; `see` may return others in their place.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    heard: &Heard,
    mut see: impl FnMut(&[u8]) -> Option<Bytes>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        heard.now();
        let instead = see(&buffer[..read]);
        to.write_all(instead.as_deref().unwrap_or(&buffer[..read])).await?;
        to.flush().await?;
    }
}

impl SessionKey {
    /// Waits until the key may not be used any more, or could not be checked for too long.
    async fn refused(self) {
        let Self { callers, sources, hash, holder } = self;
        // Without stamps it is looked at once more: what was forgotten since the first look left no trace.
        let (mut stamps, mut expires_at, mut sure) = (None::<Vec<Stamp>>, holder.expires_at(), Instant::now());
        loop {
            tokio::time::sleep(LOOK).await;
            let now = Timestamp::now();
            if expires_at.is_some_and(|at| at <= now) {
                return;
            }
            if stamps.as_deref().is_some_and(|stamps| callers.hold(stamps)) {
                sure = Instant::now();
                continue;
            }
            let fresh = callers.stamps(holder.scopes());
            match sources.holder(hash).await {
                Ok(found) if found.value().usable(now).is_ok() => {
                    (stamps, expires_at, sure) = (Some(fresh), found.value().expires_at(), Instant::now());
                }
                Ok(_) => return,
                Err(_) if sure.elapsed() >= TTL => return,
                Err(refusal) => tracing::debug!(
                    code = refusal.code().text(),
                    "whether a session's key may still be used is not known"
                ),
            }
        }
    }
}

/// Time of the latest byte from either side.
struct Heard {
    start: Instant,
    last_ms: AtomicU64,
}

impl Default for Heard {
    fn default() -> Self {
        Self { start: Instant::now(), last_ms: AtomicU64::new(0) }
    }
}

impl Heard {
    fn now(&self) {
        self.last_ms.store(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Waits until both sides have been silent for too long.
    async fn silence(&self) {
        loop {
            let until = self.start + Duration::from_millis(self.last_ms.load(Relaxed)) + SILENCE;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until.into()).await;
        }
    }
}
