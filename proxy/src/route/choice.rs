//! The order in which integrations that could serve a call are tried, with the operator's key as a fallback, and the
//! reasons against the others. One judgement for calls and explanations; it never calls a provider.

use std::{sync::Arc, time::Instant};

use keyway_domain::{IntegrationId, IntegrationStatus, Timestamp};

use super::{cooling::Cooling, upstream::Upstream};
use crate::{
    refusal::{Code, Refusal},
    request::affinity::Session,
};

/// Criteria of the choice.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) cooling: &'a Cooling,
    /// The integration the caller insists on.
    pub(crate) pinned: Option<IntegrationId>,
    /// `true` if the caller permits the operator's key.
    pub(crate) allows_fallback: bool,
    /// Session of the call; its calls go to one integration of several.
    pub(crate) session: Option<Session>,
    /// Integration that keeps the object the call refers to.
    pub(crate) keeper: Option<IntegrationId>,
    pub(crate) now: Timestamp,
    pub(crate) clock: Instant,
}

/// State of an integration for a call.
pub(crate) enum Standing {
    /// The integration can serve.
    Ready,
    /// The integration cools down until then: tried only if no other is left.
    Cooling(Instant),
    /// The integration cannot serve, for this reason.
    Out(Refusal),
}

impl Choice<'_> {
    /// Returns the state of an integration for a call of `model`.
    pub(crate) fn standing(&self, upstream: &Upstream, model: Option<&str>) -> Standing {
        if let Err(refusal) = self.can_serve(upstream) {
            return Standing::Out(refusal);
        }
        match self.cooling.until(upstream.integration_id, model, self.clock) {
            Some(until) => Standing::Cooling(until),
            None => Standing::Ready,
        }
    }

    /// Checks that one of `offered` can serve; fails with the reason of the first one.
    pub(crate) fn check<'u>(&self, offered: impl IntoIterator<Item = &'u Arc<Upstream>>) -> Result<(), Refusal> {
        let mut first = Err(none_pinned());
        for (at, upstream) in offered.into_iter().enumerate() {
            match self.can_serve(upstream) {
                Ok(()) => return Ok(()),
                Err(refusal) if at == 0 => first = Err(refusal),
                Err(refusal) if self.pinned == Some(upstream.integration_id) => return Err(refusal),
                Err(_) => {}
            }
        }
        first
    }

    /// Returns those of `offered` that can serve, in the order in which they are tried. First the one that keeps the
    /// object the call refers to; then by priority; among equals by weight for calls of a model, constant within a
    /// session and random otherwise, and by age for calls without a model, whose files and batches belong to one key.
    /// Integrations whose key no verification could judge come after those whose key works. Those that cool down come
    /// last, the first to end first: the provider knows better than Keyway whether it serves. The operator's key, if
    /// there is one, comes before those that cool down.
    pub(crate) fn order<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>>,
        fallback: Option<&Arc<Upstream>>,
        model: Option<&str>,
    ) -> Vec<Arc<Upstream>> {
        let drawn = |upstream: &Upstream| self.session.map_or_else(rand::random, |it| it.draw(upstream.integration_id));
        let draw = |upstream: &Upstream| model.map_or(0, |_| turn(upstream.routing.weight, drawn(upstream)));
        self.ordered(offered, fallback, model, draw)
    }

    /// Returns the order without chance, the heavier of equals first, for display.
    pub(crate) fn steady_order<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>>,
        fallback: Option<&Arc<Upstream>>,
        model: Option<&str>,
    ) -> Vec<Arc<Upstream>> {
        self.ordered(offered, fallback, model, |upstream| {
            u64::from(upstream.routing.weight.unsigned_abs()).wrapping_neg()
        })
    }

    fn ordered<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>>,
        fallback: Option<&Arc<Upstream>>,
        model: Option<&str>,
        turn: impl Fn(&Upstream) -> u64,
    ) -> Vec<Arc<Upstream>> {
        let able = offered.into_iter().filter(|upstream| self.can_serve(upstream).is_ok());
        let mut able: Vec<_> = able.map(Arc::clone).chain(fallback.cloned()).collect();
        if able.len() > 1 {
            able.sort_by_cached_key(|upstream| {
                let until = self.cooling.until(upstream.integration_id, model, self.clock);
                let keeps = self.keeper == Some(upstream.integration_id);
                (
                    !keeps,
                    until,
                    upstream.is_fallback(),
                    is_unproven(upstream),
                    upstream.routing.priority,
                    turn(upstream),
                )
            });
        }
        able
    }

    fn can_serve(&self, upstream: &Upstream) -> Result<(), Refusal> {
        if self.pinned.is_some_and(|pinned| pinned != upstream.integration_id) {
            return Err(none_pinned());
        }
        upstream.serves(self.now)?;
        if !upstream.is_callable() {
            return Err(Refusal::new(Code::NotCallable, "these credentials only report usage; they cannot be called"));
        }
        Ok(())
    }
}

/// Returns `true` if no verification could tell that its key works.
fn is_unproven(upstream: &Upstream) -> bool {
    upstream.status == IntegrationStatus::Error
}

fn none_pinned() -> Refusal {
    Refusal::new(Code::NoIntegration, "the integration named in x-keyway-integration does not serve this call")
}

/// Returns the sort key of a draw, the lowest first: of two with weights 1 and 3, the second comes first in three of
/// four draws. `drawn` is a number from 0 to 1.
fn turn(weight: i32, drawn: f64) -> u64 {
    // The times until the first of several clocks rings are spread like this; a float has no order of its own.
    (-(1.0 - drawn).ln() / f64::from(weight.max(1))).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_drawn_by_weight() {
        let first = (0..20_000).filter(|_| turn(3, rand::random()) < turn(1, rand::random())).count();
        // Four standard deviations beside three quarters.
        assert!((14_750..15_250).contains(&first), "{first} of 20000");
    }
}
