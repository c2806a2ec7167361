//! One setting: its name, its default and its meaning. `.env.example` is checked against the list of all.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// The text used when it is not set; empty: unset has a meaning of its own.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

pub(crate) const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}
