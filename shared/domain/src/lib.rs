//! The words of Keyway: ids, messages, lanes, outcomes and state machines.
//!
//! Everything here is plain data and pure functions. This crate must never do IO, read a clock
//! other than through [`Timestamp::now`], or hold a secret.

mod audit;
mod auth_failure;
mod code;
mod command;
mod dead_reason;
mod document;
pub mod durations;
mod email;
mod event;
mod explanation;
mod id;
mod integration;
mod invalidation;
mod invisible;
mod key_family;
mod lane;
mod limit;
mod mail;
mod mail_content;
mod message;
mod module;
mod notice;
mod operation;
mod outcome;
mod permission;
mod resource;
mod retry;
mod role;
mod routing;
mod served_by;
mod timestamp;
mod usage;
mod verb;

pub use audit::{Actor, AuditEvent, AuditOutcome};
pub use auth_failure::{AuthFailure, AuthFailureKind};
pub use code::Code;
pub use command::Command;
pub use dead_reason::DeadReason;
pub use document::{DocumentAccess, DocumentId, DocumentKind};
pub use email::{Email, EmailError};
pub use event::Event;
pub use explanation::{Candidate, Explanation, Wanted};
pub use id::{
    ContentTypeId, DataKeyId, EntryId, FlowId, IdError, IntegrationId, InvitationId, MailId, MembershipId, MessageId,
    OperationId, PasskeyId, ProjectId, ProviderId, ReplicaId, RequestId, SceneId, SecretId, ServiceId, SessionId,
    TemplateId, TenantId, UserId, VirtualKeyId,
};
pub use integration::{Evidence, IntegrationStatus, Verdict, VerdictKind};
pub use invalidation::Invalidation;
pub use invisible::is_invisible;
pub use key_family::KeyFamily;
pub use lane::{Lane, Route};
pub use limit::{LimitScope, LimitWindow, Limits, Measure};
pub use mail::{MailKind, MailState};
pub use mail_content::{
    BudgetMail, Factor, FactorChangedMail, InvitationMail, KeyExpiringMail, KeyRefusedMail, MailContent, NewSignInMail,
    PasswordResetMail, UsedOutsideMail,
};
pub use message::{Body, DecodeError, Label, MESSAGE_VERSION, Message};
pub use module::Module;
pub use notice::{Notice, Noticed};
pub use operation::{OperationKind, OperationState};
pub use outcome::Outcome;
pub use permission::{Permission, Permissions, UnknownPermission};
pub use resource::{Level, Resource};
pub use retry::RetryPolicy;
pub use role::{Grant, Reach, Rights, Role, UnknownRole};
pub use routing::Routing;
pub use served_by::ServedBy;
pub use timestamp::Timestamp;
pub use usage::{
    CallOutcome, CredentialSource, Ledger, MeteredCall, NanoUsd, PriceTerms, RefusedAttempt, ReportedUsage,
    TokenCounts, UsageProgress, UsageWindow,
};
pub use verb::Verb;
