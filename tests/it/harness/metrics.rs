//! Reading the ops listener's figures.

use anyhow::{Context, Result};

/// The sum of all samples of a metric in an exposition; 0 when it has none.
pub(crate) fn sum(exposition: &str, metric: &str) -> Result<f64> {
    let samples = exposition
        .lines()
        .filter(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' ')));
    let values = samples.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()));
    values.sum::<Option<f64>>().with_context(|| format!("{metric} has a sample that is not a number"))
}
