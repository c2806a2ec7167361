//! Words that a usage report can be split by.

use keyway_store::usage_report::GroupBy;

/// The words for an application's own usage, which shows nothing of whose keys serve it.
pub(crate) const OWN_GROUPINGS: [(&str, GroupBy); 4] =
    [("provider", GroupBy::Provider), ("model", GroupBy::Model), ("day", GroupBy::Day), ("hour", GroupBy::Hour)];

/// Each word with the grouping it stands for.
pub(crate) const GROUPINGS: [(&str, GroupBy); 8] = [
    ("provider", GroupBy::Provider),
    ("model", GroupBy::Model),
    ("integration", GroupBy::Integration),
    ("project", GroupBy::Project),
    ("day", GroupBy::Day),
    ("hour", GroupBy::Hour),
    ("virtual_key", GroupBy::VirtualKey),
    ("credential", GroupBy::Credential),
];
