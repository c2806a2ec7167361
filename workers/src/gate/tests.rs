//! The gate from the point of view of handlers.

use futures::FutureExt as _;

use super::*;

fn openai() -> LineKey {
    LineKey::Catalog("openai".to_owned())
}

async fn fail(gate: &Gate, key: &LineKey, host: &str) {
    for _ in 0..5 {
        gate.enter(key.clone(), host).await.unwrap_or_else(|away| panic!("{away:?}")).answered(false);
    }
}

#[tokio::test]
async fn a_full_line_puts_off_and_keeps_the_attempt() {
    let gate = Gate::new(2);
    let (one, two) = (gate.enter(openai(), "a").await.ok(), gate.enter(openai(), "a").await.ok());
    assert!(one.is_some() && two.is_some());
    let away = gate.enter(openai(), "a").await.err();
    assert!(matches!(away, Some(TurnedAway::Busy { .. })), "{away:?}");
    assert!(matches!(away.map(|away| away.outcome(0)), Some(Outcome::Postponed { .. })));
    // Another provider's line is free, and so is this one when a place is.
    assert!(gate.enter(LineKey::Catalog("xai".to_owned()), "b").await.is_ok());
    one.unwrap().answered(true);
    assert!(gate.enter(openai(), "a").await.is_ok());
}

#[tokio::test]
async fn the_next_in_line_gets_the_place_that_becomes_free() {
    let gate = Gate::new(1);
    let one = gate.enter(openai(), "a").await.unwrap_or_else(|away| panic!("{away:?}"));
    let mut next = Box::pin(gate.enter(openai(), "a"));
    assert!(next.as_mut().now_or_never().is_none(), "the line is short: it waits");
    one.answered(true);
    assert!(next.await.is_ok());
}

#[tokio::test]
async fn a_host_that_keeps_failing_is_left_alone_and_nobody_else_is() {
    let (gate, custom) = (Gate::new(2), LineKey::Custom(TenantId::new()));
    fail(&gate, &custom, "a").await;
    let away = gate.enter(custom.clone(), "a").await.err();
    assert!(matches!(away, Some(TurnedAway::Failing { after }) if after > Duration::from_secs(3)), "{away:?}");
    let outcome = away.map(|away| (away.outcome(0), away.outcome(MOST_TURNS)));
    let Some((put_off, counted)) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(put_off, Outcome::Postponed { code: Code::Unreachable, .. }), "{put_off:?}");
    assert!(matches!(counted, Outcome::Retry { code: Code::Unreachable, after: Some(_), .. }), "{counted:?}");
    assert!(gate.enter(custom, "b").await.is_ok(), "another host of the same tenant");
    assert!(gate.enter(LineKey::Custom(TenantId::new()), "a").await.is_ok(), "another tenant's line");
}

#[tokio::test]
async fn an_answer_between_failures_forgets_them_and_a_dropped_pass_is_one() {
    let gate = Gate::new(2);
    for round in 0..12 {
        let pass = gate.enter(openai(), "a").await.unwrap_or_else(|away| panic!("{away:?}"));
        if round % 4 == 3 { pass.answered(true) } else { drop(pass) }
    }
    for _ in 0..5 {
        drop(gate.enter(openai(), "a").await);
    }
    assert!(matches!(gate.enter(openai(), "a").await, Err(TurnedAway::Failing { .. })));
}

#[tokio::test]
async fn lines_nobody_needs_are_forgotten_those_with_an_open_breaker_are_not() {
    let (gate, failing) = (Gate::new(1), LineKey::Custom(TenantId::new()));
    fail(&gate, &failing, "a").await;
    for _ in 0..MOST_LINES + 10 {
        assert!(gate.enter(LineKey::Custom(TenantId::new()), "a").await.is_ok());
    }
    assert!(lock(&gate.lines).len() <= MOST_LINES);
    assert!(gate.enter(failing, "a").await.is_err());
}
