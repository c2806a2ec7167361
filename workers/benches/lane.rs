//! Lane throughput beside its limit: the bus under apalis with a handler that does nothing, against
//! lapin consuming and acking the same messages from the same broker. Rounds alternate in one run.
//!
//! `cargo bench -p keyway-workers --bench lane [-- MESSAGES]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt as _};
use futures::StreamExt as _;
use keyway_bus::{Bus, ConsumeOptions, Delivery, Outgoing, RabbitBus, RabbitSettings};
use keyway_domain::{Command, IntegrationId, Lane, Message, OperationId, TenantId};
use keyway_testkit::rabbitmq::TestBroker;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use tokio_util::sync::CancellationToken;

const PREFETCH: u16 = 128;
const AT_ONCE: usize = 64;
const ROUNDS: usize = 3;
const BATCH: usize = 512;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let messages = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let broker = TestBroker::shared().await?;
    let bus = RabbitBus::start(RabbitSettings { amqp_url: broker.amqp_url.clone(), name: "bench".to_owned() });
    let (mut limit, mut own) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        fill(&bus, messages).await?;
        limit.push(measure(raw(&broker.amqp_url, messages), messages).await?);
        fill(&bus, messages).await?;
        own.push(measure(keyway(&bus, messages), messages).await?);
        println!("round {round}: lapin {:.0}/s, keyway {:.0}/s", limit[round - 1].0, own[round - 1].0);
    }
    let best = |figures: &[(f64, f64)]| figures.iter().copied().fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
    let (limit, own) = (best(&limit), best(&own));
    println!(
        "\n| lane throughput, no-op handler, prefetch {PREFETCH}, {AT_ONCE} at once | messages/s | CPU us a message | ratio |"
    );
    println!("|---|---|---|---|");
    println!("| lapin consume + ack | {:.0} | {:.1} | 1.00 |", limit.0, limit.1);
    println!("| keyway lane | {:.0} | {:.1} | {:.2} |", own.0, own.1, own.0 / limit.0);
    Ok(())
}

async fn fill(bus: &RabbitBus, messages: usize) -> Result<()> {
    let command = |_| Command::VerifyKey { integration_id: IntegrationId::new(), secret_version: 1, confirming: false };
    let mut left = messages;
    while left > 0 {
        let route = keyway_domain::Route::Lane(Lane::Verify);
        bus.ready(route).await;
        let count = left.min(BATCH).min(bus.capacity(route));
        let rows = (0..count).map(|at| {
            let message = Message::command(TenantId::new(), OperationId::new(), command(at));
            Ok(Outgoing { id: message.id, route, body: message.encode()? })
        });
        for answer in bus.relay(rows.collect::<Result<_>>()?).await {
            answer?;
        }
        left -= count;
    }
    Ok(())
}

async fn raw(amqp_url: &str, messages: usize) -> Result<()> {
    let connection = lapin::Connection::connect(amqp_url, lapin::ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("keyway.verify".into(), "bench".into(), options, Default::default()).await?;
    let acks = consumer.take(messages).map(|delivery| async move {
        let acked = delivery?.acker.ack(BasicAckOptions::default()).await?;
        ensure!(acked, "an ack was not sent");
        Ok(())
    });
    let mut acks = acks.buffer_unordered(AT_ONCE);
    while let Some(acked) = acks.next().await {
        acked?;
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}

struct Count {
    seen: AtomicUsize,
    messages: usize,
    stop: CancellationToken,
}

async fn keyway(bus: &RabbitBus, messages: usize) -> Result<()> {
    let stop = CancellationToken::new();
    let count = Arc::new(Count { seen: AtomicUsize::new(0), messages, stop: stop.clone() });
    let options = ConsumeOptions { prefetch: PREFETCH, ..ConsumeOptions::for_concurrency(64) };
    let worker = WorkerBuilder::new("bench")
        .backend(bus.consume(Lane::Verify, options, &stop))
        .data(Arc::clone(&count))
        .concurrency(AT_ONCE)
        .build(no_op);
    worker.run().await?;
    ensure!(count.seen.load(Ordering::Relaxed) >= messages, "some messages are missing");
    Ok(())
}

async fn no_op(_: Delivery, count: Data<Arc<Count>>) -> Result<(), BoxDynError> {
    if count.seen.fetch_add(1, Ordering::Relaxed) + 1 == count.messages {
        count.stop.cancel();
    }
    Ok(())
}

/// Messages a second, and CPU microseconds of this process a message.
async fn measure(work: impl Future<Output = Result<()>>, messages: usize) -> Result<(f64, f64)> {
    let (started, cpu) = (Instant::now(), cpu_seconds()?);
    work.await?;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    #[expect(clippy::cast_precision_loss, reason = "a count of messages is small")]
    let messages = messages as f64;
    Ok((messages / seconds, cpu * 1e6 / messages))
}

/// User and system time of this process; the kernel counts in hundredths of a second.
fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
