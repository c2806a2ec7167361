//! Words that a usage report can be split by.

use keyway_store::usage_report::GroupBy;

/// The words for an application's own usage, which shows nothing of whose keys serve it.
pub(crate) const OWN_GROUPINGS: [(&str, GroupBy); 3] =
    [("provider", GroupBy::Provider), ("model", GroupBy::Model), ("day", GroupBy::Day)];

/// Each word with the grouping it stands for.
pub(crate) const GROUPINGS: [(&str, GroupBy); 7] = [
    ("provider", GroupBy::Provider),
    ("model", GroupBy::Model),
    ("integration", GroupBy::Integration),
    ("project", GroupBy::Project),
    ("day", GroupBy::Day),
    ("virtual_key", GroupBy::VirtualKey),
    ("credential", GroupBy::Credential),
];
