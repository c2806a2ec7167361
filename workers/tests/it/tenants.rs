//! A message is about its own tenant, whatever ids it names.

use anyhow::{Result, ensure};
use keyway_domain::{Code, Command, Event, Evidence, OperationState, Timestamp, Verdict, VerdictKind};

use crate::{
    fan_out::two_days,
    seed::{Tenant, verify},
    world::{World, in_both},
};

in_both! {
    invariant_4_another_tenants_integration_is_gone
}

async fn invariant_4_another_tenants_integration_is_gone(world: &mut World) -> Result<()> {
    let other = Tenant::add(&world.store, "second").await?;
    world.start()?;
    let theirs = world.place(other, "sk-admin-sim-theirs").await?;
    world.send(&theirs.message).await?;
    world.ended(&theirs.message).await?;
    let (before, calls) = (world.integration(&theirs).await?, world.simulator.all_calls());
    for command in
        [verify(theirs.id, 1), Command::FetchUsage { integration_id: theirs.id, window: two_days(), resume: None }]
    {
        let message = world.command(world.tenant, command).await?;
        let operation = world.ended(&message).await?;
        ensure!(operation.state == OperationState::Failed && operation.error == Some(Code::Gone), "{operation:?}");
    }
    let forged = world.open(world.tenant, verify(theirs.id, 1), None).await?;
    let evidence = Evidence { reason: "forged".to_owned(), ..Evidence::default() };
    let verdict = Verdict { kind: VerdictKind::Invalid, evidence, checked_at: Timestamp::now() };
    let event = Event::KeyVerified { integration_id: theirs.id, secret_version: 1, verdict, provider_key_id: None };
    world.publish(&[forged.event(event)]).await?;
    world.ended(&forged).await?;
    world.settle().await?;
    ensure!(world.integration(&theirs).await? == before, "another tenant's message changed it");
    ensure!(world.simulator.all_calls() == calls, "another tenant's message used the key");
    ensure!(world.history(&theirs).await?.len() == 1);
    ensure!(world.number("SELECT count(*) AS n FROM reported_usage").await? == 0);
    Ok(())
}
