//! Whose secret a call was served with, as ledgers keep it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::IntegrationId;

/// Whose secret a call was served with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "IntegrationId", into = "IntegrationId")]
pub enum ServedBy {
    /// That of an integration.
    Integration(IntegrationId),
    /// That of no integration: the operator's, or none at all where Keyway itself refused the call.
    NoIntegration,
}

impl ServedBy {
    /// The integration, if it was one.
    #[must_use]
    pub const fn integration(self) -> Option<IntegrationId> {
        match self {
            Self::Integration(id) => Some(id),
            Self::NoIntegration => None,
        }
    }

    /// The value of the column, which is never null.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Integration(id) => id.uuid(),
            Self::NoIntegration => Uuid::nil(),
        }
    }

    /// Reads [`Self::uuid`].
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        if uuid.is_nil() { Self::NoIntegration } else { Self::Integration(IntegrationId::from_uuid(uuid)) }
    }
}

impl From<IntegrationId> for ServedBy {
    fn from(id: IntegrationId) -> Self {
        Self::from_uuid(id.uuid())
    }
}

impl From<ServedBy> for IntegrationId {
    fn from(served_by: ServedBy) -> Self {
        Self::from_uuid(served_by.uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_and_the_column_of_no_integration_are_those_of_an_id_that_nobody_has() {
        let id = IntegrationId::new();
        let nil = IntegrationId::from_uuid(Uuid::nil());
        for (served_by, as_id, integration) in
            [(ServedBy::Integration(id), id, Some(id)), (ServedBy::NoIntegration, nil, None)]
        {
            let text = serde_json::to_string(&as_id).expect("an id");
            assert_eq!(serde_json::to_string(&served_by).expect("the same"), text);
            assert_eq!(serde_json::from_str::<ServedBy>(&text).expect("the same again"), served_by);
            assert_eq!((served_by.uuid(), ServedBy::from_uuid(as_id.uuid())), (as_id.uuid(), served_by));
            assert_eq!(served_by.integration(), integration);
        }
    }
}
