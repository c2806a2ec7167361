//! Documents: entries, flows and scenes, which are drafted, published and kept in versions alike.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{EntryId, FlowId, IdError, Module, SceneId};

/// Kind of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// Data of a content type.
    Entry,
    /// A graph as React Flow has it.
    Flow,
    /// A scene of three.js or glTF.
    Scene,
}

/// Readers of a published document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentAccess {
    /// Anybody.
    Public,
    /// Principals of the tenant that may read content.
    Members,
    /// None but those who read drafts.
    Private,
}

/// Id of a document: its prefix says the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DocumentId {
    kind: DocumentKind,
    uuid: Uuid,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Entry, Self::Flow, Self::Scene];

    /// Returns the text in tables and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Flow => "flow",
            Self::Scene => "scene",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the module that has documents of this kind.
    #[must_use]
    pub const fn module(self) -> Module {
        match self {
            Self::Entry => Module::Content,
            Self::Flow => Module::Flows,
            Self::Scene => Module::Scenes,
        }
    }
}

impl DocumentAccess {
    /// Every kind of access.
    pub const ALL: [Self; 3] = [Self::Public, Self::Members, Self::Private];

    /// Returns the text in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Members => "members",
            Self::Private => "private",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }
}

impl DocumentId {
    /// Returns a fresh id, ordered by creation time.
    #[must_use]
    pub fn new(kind: DocumentKind) -> Self {
        Self { kind, uuid: Uuid::now_v7() }
    }

    /// Wraps the UUID that the store carries.
    #[must_use]
    pub const fn from_uuid(kind: DocumentKind, uuid: Uuid) -> Self {
        Self { kind, uuid }
    }

    /// Reads the id of a document of this kind.
    ///
    /// # Errors
    /// [`IdError`] for any other text.
    pub fn parse(kind: DocumentKind, text: &str) -> Result<Self, IdError> {
        let uuid = match kind {
            DocumentKind::Entry => text.parse::<EntryId>()?.uuid(),
            DocumentKind::Flow => text.parse::<FlowId>()?.uuid(),
            DocumentKind::Scene => text.parse::<SceneId>()?.uuid(),
        };
        Ok(Self { kind, uuid })
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(self) -> DocumentKind {
        self.kind
    }

    /// Returns the bare UUID, as stored.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DocumentKind::Entry => EntryId::from_uuid(self.uuid).fmt(f),
            DocumentKind::Flow => FlowId::from_uuid(self.uuid).fmt(f),
            DocumentKind::Scene => SceneId::from_uuid(self.uuid).fmt(f),
        }
    }
}

impl Serialize for DocumentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_its_own_kind_only() {
        for kind in DocumentKind::ALL {
            let id = DocumentId::new(kind);
            for other in DocumentKind::ALL {
                assert_eq!(DocumentId::parse(other, &id.to_string()).ok(), (kind == other).then_some(id));
            }
            assert_eq!(DocumentKind::parse(kind.name()), Some(kind));
        }
        for access in DocumentAccess::ALL {
            assert_eq!(DocumentAccess::parse(access.name()), Some(access));
        }
    }
}
