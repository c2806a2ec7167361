//! Words that a usage report can be split by.

use keyway_store::usage_report::GroupBy;

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
