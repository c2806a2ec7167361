//! Switches modules of a tenant on and off, and changes its types of nodes.

use keyway_content::{AllowedHosts, Schema};
use keyway_domain::{Invalidation, Module};
use keyway_store::{modules, node_types};
use serde_json::{json, value::RawValue};

use crate::{
    answer::Answer,
    documents::value_of,
    error::ApiError,
    view::{ModulesView, NodeTypeView},
    work::{Command, Work},
};

/// Modules that the tenant is to have.
pub(crate) struct SwitchModules {
    pub(crate) modules: Vec<Module>,
    pub(crate) scene_hosts: Option<Vec<String>>,
    pub(crate) expected: Option<i32>,
}

/// Type of nodes, new or changed.
pub(crate) struct PutNodeType {
    pub(crate) name: String,
    pub(crate) config_schema: Box<RawValue>,
    pub(crate) is_acyclic: bool,
    pub(crate) expected: Option<i32>,
}

/// Type of nodes to delete.
pub(crate) struct DeleteNodeType {
    pub(crate) name: String,
    pub(crate) expected: Option<i32>,
}

impl Command for SwitchModules {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let hosts = match self.scene_hosts {
            Some(hosts) => hosts,
            None => modules::find(&work.tx).await?.scene_hosts,
        };
        if hosts.len() > 100 || !hosts.iter().all(|host| AllowedHosts::is_host(host)) {
            return Err(ApiError::field(
                "`scene_hosts` names at most 100 hosts, like cdn.example.com or a.example:8443",
            ));
        }
        let row = modules::put(&work.tx, &self.modules, &hosts, self.expected).await?;
        let names: Vec<_> = row.modules.iter().map(|module| module.name()).collect();
        let changes = json!({ "modules": names, "scene_hosts": row.scene_hosts });
        work.audit("modules.switched", work.by.tenant_id, changes);
        work.invalidate(Invalidation::Published);
        let version = row.version;
        Ok(Answer::ok(&ModulesView::from(row)).tagged(version))
    }
}

impl Command for PutNodeType {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        Schema::compile(&value_of(&self.config_schema)?)?;
        let new = (self.config_schema.get(), self.is_acyclic);
        let row = node_types::put(&work.tx, &self.name, new, self.expected, work.now).await?;
        work.audit("node_type.put", &row.name, json!({ "acyclic": row.is_acyclic, "version": row.version }));
        let version = row.version;
        Ok(Answer::ok(&NodeTypeView::from(row)).tagged(version))
    }
}

impl Command for DeleteNodeType {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        node_types::delete(&work.tx, &self.name, self.expected).await.map_err(|error| match error {
            keyway_store::StoreError::NotFound => ApiError::not_found("type of nodes"),
            error => error.into(),
        })?;
        work.audit("node_type.deleted", &self.name, json!({}));
        Ok(Answer::no_content())
    }
}
