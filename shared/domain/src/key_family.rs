//! What kind of key a credential is: what it can be used for.

/// Family of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFamily {
    /// Calls models.
    Ordinary,
    /// Reads an organisation's usage and costs; cannot call models.
    Admin,
}

impl KeyFamily {
    /// Every family, for documents.
    pub const ALL: [Self; 2] = [Self::Ordinary, Self::Admin];

    /// Returns the text in the table and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}
