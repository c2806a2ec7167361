//! Lane throughput beside its limits: the bus under apalis with a handler that does nothing, against lapin
//! consuming and acking the same messages, and against Celery, on the same broker. Rounds alternate in one run.
//!
//! `cargo bench -p keyway-workers --bench lane [-- MESSAGES [PYTHON]]`; without a Python that has Celery
//! (`scripts/bench.sh` makes one) its column stays out.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod celery;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Result, ensure};
use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt as _};
use futures::StreamExt as _;
use keyway_bus::{Bus, ConsumeOptions, Delivery, Outgoing, RabbitBus, RabbitSettings};
use keyway_domain::{Command, IntegrationId, Lane, Message, OperationId, TenantId};
use keyway_testkit::{
    figures::{Effort, Figure, Meter, Wanted, median},
    rabbitmq::TestBroker,
};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const MESSAGES: usize = 100_000;
const PREFETCH: u16 = 128;
const AT_ONCE: usize = 64;
const ROUNDS: usize = 5;
const BATCH: usize = 512;
/// Number of rounds of Celery, which is slow.
const CELERY_ROUNDS: usize = 3;
const CELERY_TASKS: usize = 15_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let messages = arguments.next().map_or(Ok(MESSAGES), |text| text.parse())?;
    let python = arguments.next();
    let broker = TestBroker::shared().await?;
    let bus = RabbitBus::start(RabbitSettings { amqp_url: broker.amqp_url.clone(), name: "bench".to_owned() })?;
    let (mut limit, mut own, mut celery) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        fill(&bus, messages).await?;
        limit.push(measured(raw(&broker.amqp_url, messages), messages).await?);
        fill(&bus, messages).await?;
        own.push(measured(keyway(&bus, messages), messages).await?);
        println!("round {round}: lapin {}, keyway {}", shown(limit[round - 1]), shown(own[round - 1]));
        if let Some(python) = python.as_ref().filter(|_| round <= CELERY_ROUNDS) {
            celery.push(celery::measure(&broker.amqp_url, python, CELERY_TASKS).await?);
            println!("round {round}: celery {}", shown(celery[round - 1]));
        }
    }
    let (limit, own) = (median(&limit), median(&own));
    let name = "lane, no-op handler, prefetch 128, 64 at once, against lapin";
    report(name, own, limit, own.per_second / limit.per_second, Wanted::AtLeast(0.90));
    if !celery.is_empty() {
        let limit = median(&celery);
        let ratio = own.per_second / limit.per_second;
        report("lane against Celery with acks_late: jobs a second", own, limit, ratio, Wanted::AtLeast(15.0));
        let ratio = limit.cpu_us / own.cpu_us;
        report("lane against Celery with acks_late: CPU a job", own, limit, ratio, Wanted::AtLeast(20.0));
    }
    Ok(())
}

fn report(name: &'static str, found: Effort, limit: Effort, ratio: f64, wanted: Wanted) {
    println!("{}", Figure { name, found: shown(found), limit: shown(limit), ratio, wanted });
}

fn shown(effort: Effort) -> String {
    format!("{:.0}/s, CPU {:.1} us", effort.per_second, effort.cpu_us)
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

async fn measured(work: impl Future<Output = Result<()>>, messages: usize) -> Result<Effort> {
    let meter = Meter::start()?;
    work.await?;
    meter.stop(messages)
}
