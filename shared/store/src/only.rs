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
    /// These projects; `None`: any, and what is of none.
    pub within: Option<Vec<ProjectId>>,
    /// Integration.
    pub integration_id: Option<IntegrationId>,
    /// With this virtual key; of the metered ledger alone.
    pub virtual_key_id: Option<VirtualKeyId>,
}

/// Goes on with a condition: those rows whose column names one of these projects; `None`: all rows.
pub(crate) fn within(sql: &mut Sql, column: &str, projects: Option<&[ProjectId]>) {
    match projects {
        None => {}
        Some([]) => drop(sql.push(" AND 1 = 0")),
        Some(projects) => {
            sql.push(" AND ").push(column).push(" IN (").list(projects.iter().map(|id| id.uuid())).push(")");
        }
    }
}

impl Only {
    /// Goes on with a condition: those rows that are of it.
    pub(crate) fn narrow(&self, sql: &mut Sql) {
        if let Some(provider) = &self.provider {
            sql.push(" AND provider = ").bind(provider.as_str());
        }
        within(sql, "project_id", self.within.as_deref());
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
