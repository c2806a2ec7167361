//! The histogram of how long calls took: fixed buckets, each named by its upper bound in milliseconds.
//!
//! A share of the calls that is read from it lies within its bucket: it is an estimate, never a figure of one call.

/// Upper bounds of the buckets in milliseconds, inclusive; the last one also takes what is longer. A stored histogram has
/// them as its key: a bound may be added, never moved.
pub const BOUNDS_MS: [i64; 28] = [
    5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000,
    20_000, 30_000, 45_000, 60_000, 120_000, 300_000, 600_000, 3_600_000,
];

/// Returns the bucket of a duration.
#[must_use]
pub fn bucket(duration_ms: i64) -> i64 {
    let at = BOUNDS_MS.partition_point(|bound| *bound < duration_ms);
    BOUNDS_MS[at.min(BOUNDS_MS.len() - 1)]
}

/// Returns the duration in milliseconds within which so many per mille of the calls ended, spread evenly over its bucket;
/// `None` without calls. `buckets` holds counts by their bounds, in ascending order.
#[must_use]
pub fn quantile(buckets: &[(i64, i64)], per_mille: i64) -> Option<i64> {
    let all: i128 = buckets.iter().map(|(_, calls)| i128::from(*calls)).sum();
    let wanted = (all * i128::from(per_mille) + 999) / 1000;
    let mut before: i128 = 0;
    for (bound, calls) in buckets.iter().filter(|(_, calls)| *calls > 0) {
        let calls = i128::from(*calls);
        if before + calls >= wanted {
            let at = BOUNDS_MS.partition_point(|known| known < bound);
            let lower = if at == 0 { 0 } else { BOUNDS_MS[at - 1] };
            let inside = i128::from(bound - lower) * (wanted - before).max(1) / calls;
            return Some(lower.saturating_add(i64::try_from(inside).unwrap_or(i64::MAX)));
        }
        before += calls;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_bucket_that_ends_at_or_after_it() {
        for (duration_ms, expected) in [
            (-1, 5),
            (0, 5),
            (5, 5),
            (6, 10),
            (999, 1_000),
            (1_001, 1_500),
            (3_600_001, 3_600_000),
            (i64::MAX, 3_600_000),
        ] {
            assert_eq!(bucket(duration_ms), expected, "{duration_ms}");
        }
        assert!(BOUNDS_MS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_call() {
        for (buckets, p50, p99) in [
            (vec![], None, None),
            (vec![(100, 1)], Some(100), Some(100)),
            (vec![(5, 0), (100, 2)], Some(87), Some(100)),
            (vec![(100, 98), (5_000, 2)], Some(87), Some(4_000)),
            (vec![(5, 50), (3_600_000, 50)], Some(5), Some(3_540_000)),
        ] {
            assert_eq!((quantile(&buckets, 500), quantile(&buckets, 990)), (p50, p99), "{buckets:?}");
        }
    }
}
