//! SIGTERM and SIGINT ask for a graceful stop; a second one ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns a token that is cancelled by the first signal.
///
/// # Errors
/// The system refuses signal handlers.
pub(crate) fn stop_token() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    keyway_telemetry::spawn("signals", async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping; a second signal ends the process at once");
        token.cancel();
        either(&mut terminate, &mut interrupt).await;
        std::process::exit(130);
    });
    Ok(stop)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
