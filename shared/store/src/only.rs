//! Of what calls and usage are asked for, where not of everything: the same for single calls and for sums.

use keyway_domain::{IntegrationId, ProjectId, VirtualKeyId};

use crate::sql::Sql;

/// Of what alone; each narrows it down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Provider's name.
    pub provider: Option<String>,
    /// Project.
    pub project_id: Option<ProjectId>,
    /// Integration.
    pub integration_id: Option<IntegrationId>,
    /// With this virtual key; of the metered ledger alone.
    pub virtual_key_id: Option<VirtualKeyId>,
}

impl Only {
    /// Goes on with a condition: those rows that are of it.
    pub(crate) fn narrow(&self, sql: &mut Sql) {
        if let Some(provider) = &self.provider {
            sql.push(" AND provider = ").bind(provider.as_str());
        }
        for (condition, id) in [
            (" AND project_id = ", self.project_id.map(ProjectId::uuid)),
            (" AND integration_id = ", self.integration_id.map(IntegrationId::uuid)),
            (" AND virtual_key_id = ", self.virtual_key_id.map(VirtualKeyId::uuid)),
        ] {
            if let Some(id) = id {
                sql.push(condition).bind(id);
            }
        }
    }
}
