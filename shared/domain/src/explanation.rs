//! Explanations: who would serve a call, and why the others would not.

use crate::{id::IntegrationId, timestamp::Timestamp};

/// A call that is only thought of.
pub enum Wanted<'a> {
    /// A call to this provider, perhaps with a model.
    Provider(&'a str, Option<&'a str>),
    /// A call of this model at an endpoint of `/v1`.
    Model(&'a str, &'a str),
}

/// The judgement.
#[derive(Default)]
pub struct Explanation {
    /// Those that would be tried, in that order, then those that would not be.
    pub candidates: Vec<Candidate>,
    /// The answer when nobody would serve: code and sentence.
    pub refusal: Option<(&'static str, String)>,
}

/// An integration of the project or the operator's key, and its state.
pub struct Candidate {
    /// Its id; `None`: the operator's key.
    pub integration_id: Option<IntegrationId>,
    /// The provider's name.
    pub provider: String,
    /// The integration's name.
    pub name: String,
    /// Its rank, lowest first; `None`: the operator's key is asked after all that do not cool down.
    pub priority: Option<i32>,
    /// Its share among those of its rank.
    pub weight: Option<i32>,
    /// True if it would be tried.
    pub can_serve: bool,
    /// The end of the time in which it is only tried if nobody else is left.
    pub cools_until: Option<Timestamp>,
    /// The reason for which it would not be tried: code and sentence.
    pub refusal: Option<(&'static str, String)>,
}
