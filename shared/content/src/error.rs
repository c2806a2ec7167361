//! Errors of this crate: one kind for each reaction of the caller, each with the pointer to what is wrong.

use std::fmt;

/// Most faults that one error names.
const MOST: usize = 20;

/// Subject of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A schema of a content type or of a type of nodes.
    Schema,
    /// The data of an entry.
    Data,
    /// A flow.
    Flow,
    /// A list of changes of a flow.
    Operations,
    /// A scene.
    Scene,
}

impl Subject {
    /// Returns the field that holds it in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Data => "data",
            Self::Flow | Self::Scene => "document",
            Self::Operations => "operations",
        }
    }
}

/// Something that is wrong, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer to what is wrong; empty for the whole.
    pub pointer: String,
    /// Rule that is broken, without the value that breaks it.
    pub message: String,
}

impl Fault {
    pub(crate) fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at \"{}\": {}", self.pointer, self.message)
    }
}

/// Reason why something is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// It is larger than it may be: split it, or refer to its large parts by their addresses.
    #[error("`{}` has {bytes} bytes and may have {most}; split it, or refer to its large parts by https", .subject.name())]
    TooLarge {
        /// Subject of the check.
        subject: Subject,
        /// Size as compact JSON.
        bytes: usize,
        /// Largest size.
        most: usize,
    },
    /// It breaks rules: correct each place that is named.
    #[error("`{}` is not accepted: {}", .subject.name(), list(.faults))]
    Invalid {
        /// Subject of the check.
        subject: Subject,
        /// Faults, at least one, in the order of the document.
        faults: Vec<Fault>,
    },
    /// A filter, an order or a list of fields cannot be used: correct the parameter that is named.
    #[error("{0}")]
    Query(String),
}

impl ContentError {
    pub(crate) fn invalid(subject: Subject, faults: Vec<Fault>) -> Self {
        Self::Invalid { subject, faults: faults.into_iter().take(MOST).collect() }
    }

    pub(crate) fn one(subject: Subject, fault: Fault) -> Self {
        Self::Invalid { subject, faults: vec![fault] }
    }

    /// Returns the faults; none if it is about something else.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Invalid { faults, .. } => faults,
            Self::TooLarge { .. } | Self::Query(_) => &[],
        }
    }
}

/// Returns an error unless there are no faults.
pub(crate) fn none_of(subject: Subject, faults: Vec<Fault>) -> Result<(), ContentError> {
    if faults.is_empty() { Ok(()) } else { Err(ContentError::invalid(subject, faults)) }
}

fn list(faults: &[Fault]) -> String {
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}
