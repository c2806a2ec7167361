//! Verbs: what permissions allow to be done to a resource.

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Look at it.
    Read,
    /// Make one.
    Create,
    /// Change it.
    Update,
    /// Remove it, or end it for good.
    Delete,
    /// Have Keyway act with it, without seeing it.
    Use,
    /// See the secret in it.
    Reveal,
    /// Put a new secret in the place of its old one.
    Rotate,
    /// Let through what another one asked for.
    Approve,
    /// Take it out as a file.
    Export,
    /// Everything else that can be done to it, [`Verb::Reveal`] excepted.
    Manage,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Use,
        Self::Reveal,
        Self::Rotate,
        Self::Approve,
        Self::Export,
        Self::Manage,
    ];

    /// Its name behind the dot.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Use => "use",
            Self::Reveal => "reveal",
            Self::Rotate => "rotate",
            Self::Approve => "approve",
            Self::Export => "export",
            Self::Manage => "manage",
        }
    }

    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }
}
