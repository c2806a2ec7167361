//! One value per lane, without a lock or a hash.

use std::ops::Index;

use keyway_domain::Lane;

/// One `T` per lane.
#[derive(Debug)]
pub(crate) struct LaneMap<T>([T; Lane::ALL.len()]);

impl<T> LaneMap<T> {
    pub(crate) fn new(value: impl FnMut(Lane) -> T) -> Self {
        Self(Lane::ALL.map(value))
    }
}

impl<T> Index<Lane> for LaneMap<T> {
    type Output = T;

    fn index(&self, lane: Lane) -> &T {
        &self.0[lane as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_has_its_own_place() {
        let map = LaneMap::new(|lane| lane);
        for lane in Lane::ALL {
            assert_eq!(map[lane], lane);
        }
    }
}
