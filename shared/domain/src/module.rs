//! Modules: parts of Keyway that a tenant switches on. Off, their routes do not exist for it.

/// A part that a tenant switches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Module {
    /// Content types and entries.
    Content,
    /// Flows.
    Flows,
    /// Scenes.
    Scenes,
}

impl Module {
    /// Every module.
    pub const ALL: [Self; 3] = [Self::Content, Self::Flows, Self::Scenes];

    /// Returns the text in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Flows => "flows",
            Self::Scenes => "scenes",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|module| module.name() == name)
    }
}
