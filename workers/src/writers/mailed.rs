//! Mails that follow from a status: a key that served until its provider refused it.

use keyway_domain::{IntegrationStatus, KeyRefusedMail, MailContent, Message, VerdictKind};
use keyway_store::{
    StoreError, SystemTx,
    mails::Outgoing,
    verdicts::{Applied, VerdictRecord},
};

use crate::notices::{self, About};

/// Writes the mails about keys that their providers refuse now and did not before.
pub(super) async fn refused(
    tx: &SystemTx,
    outgoing: &Outgoing,
    applied: &[Applied],
    verdicts: &[VerdictRecord],
) -> Result<Vec<Message>, StoreError> {
    let mut messages = Vec::new();
    for change in applied {
        if (change.from, change.to) != (IntegrationStatus::Connected, IntegrationStatus::Error) {
            continue;
        }
        let of_change = verdicts.iter().filter(|record| record.integration_id == change.integration_id);
        let Some(record) = of_change.max_by_key(|record| record.verdict.checked_at) else { continue };
        let (verdict, at) = (record.verdict.kind, record.verdict.checked_at);
        if !matches!(verdict, VerdictKind::Invalid | VerdictKind::NoCredit) {
            continue;
        }
        let about = About { tenant_id: change.tenant_id, integration_id: change.integration_id };
        let content = |subject: &keyway_store::mails::Subject| {
            MailContent::KeyRefused(KeyRefusedMail {
                tenant: subject.tenant.clone(),
                integration: subject.integration.clone(),
                provider: subject.provider.clone(),
                verdict,
                at,
            })
        };
        messages.extend(notices::write(tx, outgoing, about, content, at).await?);
    }
    Ok(messages)
}
