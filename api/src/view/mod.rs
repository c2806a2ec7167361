//! Views of resources in the API: one type per resource, converted from a row. A field that is not here is never shown;
//! no type here but that of `reveal` can hold a stored secret.

mod audit;
mod dead_letter;
mod drift;
mod integration;
mod member;
mod model;
mod operation;
mod project;
mod provider;
mod request;
mod reveal;
mod routing;
mod tenant;
mod usage;
mod user;
mod verdict;
mod virtual_key;

pub(crate) use audit::AuditView;
pub(crate) use dead_letter::DeadLetterView;
pub(crate) use drift::DriftView;
pub(crate) use integration::{IntegrationDetail, IntegrationView, ReplacementView, Submitted};
pub(crate) use member::{InvitationView, MemberView, NewInvitationView, NewServiceView, ServiceView};
pub(crate) use model::{MODEL_PREFIX, ModelView};
pub(crate) use operation::{OperationView, Started};
pub(crate) use project::ProjectView;
pub(crate) use provider::{Marks, ProviderAccepted, ProviderView, ProviderWithModels};
pub(crate) use request::RequestView;
pub(crate) use reveal::{RevealedView, RevealsView, revealed};
pub(crate) use routing::RoutingView;
pub(crate) use tenant::TenantView;
pub(crate) use usage::UsageView;
pub(crate) use user::{OwnTenantView, SessionView, UserView};
pub(crate) use verdict::{HistoryView, VerdictView};
pub(crate) use virtual_key::{RevokedKeyView, VirtualKeyView};
