//! One setting: its name, its default and its meaning. `.env.example` is checked against the list of all.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// Default value; empty: an unset variable has a meaning of its own.
    pub default: &'static str,
    /// Meaning, one line.
    pub meaning: &'static str,
}

pub(crate) const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}
