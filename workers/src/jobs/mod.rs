//! The handlers, one file per command. A queue `keyway.<lane>` carries the commands whose `Command::lane` names it; the
//! one `match` below leads to the handler's file.

mod check_schema;
mod fetch_usage;
mod meter_calls;
mod plan_usage;
mod revoke;
mod send_mail;
mod target;
mod verify_key;

use keyway_domain::{Command, Message, Outcome};

use crate::{Ctx, HandlerError};

/// Runs the handler of a command.
///
/// # Errors
/// [`HandlerError`]: a failure of our own. Results about keys and providers are outcomes.
pub(crate) async fn dispatch(command: &Command, message: &Message, ctx: &Ctx) -> Result<Outcome, HandlerError> {
    match command {
        Command::VerifyKey { integration_id, secret_version, confirming } => {
            verify_key::run(ctx, message, *integration_id, *secret_version, *confirming).await
        }
        Command::PlanUsage { window, spread_ms, recheck, provider } => {
            plan_usage::run(ctx, message, *window, *spread_ms, (*recheck, provider.as_deref())).await
        }
        Command::FetchUsage { integration_id, window, resume } => {
            fetch_usage::run(ctx, message, *integration_id, *window, resume.as_ref()).await
        }
        Command::Revoke { what } => Ok(revoke::run(*what)),
        Command::MeterCalls { calls } => meter_calls::run(ctx, message, calls).await,
        Command::SendMail { mail_id } => send_mail::run(ctx, message, *mail_id).await,
        Command::CheckSchema { content_type_id } => check_schema::run(ctx, message, *content_type_id).await,
    }
}
