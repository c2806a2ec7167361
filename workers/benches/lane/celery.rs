//! Celery with a task that does nothing, too: acks_late, a quorum queue, its default pool, the same prefetch.
//!
//! Tasks are published from here in Celery's own format; only consuming them is measured.

use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use keyway_testkit::figures::{Effort, count, cpu_seconds, descendants};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use uuid::Uuid;

const QUEUE: &str = "celery-bench";
/// Celery's application: two processes for two cores, 64 tasks prefetched each, together as many as a lane's worker.
const APP: &str = r#"
import sys
from celery import Celery
from kombu import Exchange, Queue

app = Celery("bench", broker=sys.argv[1], backend=None)
queue = Queue("celery-bench", Exchange("celery-bench", type="direct"), "celery-bench",
              queue_arguments={"x-queue-type": "quorum"})
app.conf.update(task_queues=[queue], task_default_queue="celery-bench", task_acks_late=True, task_ignore_result=True,
                worker_prefetch_multiplier=64, worker_concurrency=2, worker_send_task_events=False,
                worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)

@app.task(name="no_op", acks_late=True, ignore_result=True)
def no_op():
    return None

app.worker_main(["worker", "--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"])
"#;
const LOOK: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(120);

/// Returns tasks per second, and CPU time of all of Celery's processes per task.
pub(crate) async fn measure(amqp_url: &str, python: &str, tasks: usize) -> Result<Effort> {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(QUEUE.into(), options, arguments).await?;
    publish(&channel, tasks).await?;
    let celery = Celery::start(amqp_url, python)?;
    let began = Instant::now();
    let (left, start, cpu) = loop {
        ensure!(began.elapsed() < LONGEST, "Celery does not start");
        let left = waiting(&channel).await?;
        // Its start is not measured: only once it has begun to work.
        if left + 256 < tasks {
            break (left, Instant::now(), celery.cpu_seconds()?);
        }
        tokio::time::sleep(LOOK).await;
    };
    while waiting(&channel).await? > 0 {
        ensure!(began.elapsed() < LONGEST, "Celery does not end");
        tokio::time::sleep(LOOK).await;
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), celery.cpu_seconds()? - cpu);
    drop(celery);
    connection.close(200, "measured".into()).await?;
    Ok(Effort { per_second: count(left) / seconds, cpu_us: cpu * 1e6 / count(left) })
}

async fn waiting(channel: &Channel) -> Result<usize> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    Ok(channel.queue_declare(QUEUE.into(), options, FieldTable::default()).await?.message_count() as usize)
}

async fn publish(channel: &Channel, tasks: usize) -> Result<()> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    for batch in (0..tasks).collect::<Vec<_>>().chunks(256) {
        let mut confirms = Vec::with_capacity(batch.len());
        for _ in batch {
            let id = Uuid::new_v4().to_string();
            let text = |text: &str| AMQPValue::LongString(text.into());
            let mut headers = FieldTable::default();
            for (name, value) in [("lang", "py"), ("task", "no_op"), ("id", &id), ("root_id", &id), ("argsrepr", "()")]
            {
                headers.insert(name.into(), text(value));
            }
            headers.insert("retries".into(), AMQPValue::LongInt(0));
            let properties = BasicProperties::default()
                .with_correlation_id(id.as_str().into())
                .with_content_type("application/json".into())
                .with_content_encoding("utf-8".into())
                .with_delivery_mode(2)
                .with_headers(headers);
            let body = br#"[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#;
            let sent = channel.basic_publish("".into(), QUEUE.into(), BasicPublishOptions::default(), body, properties);
            confirms.push(sent.await?);
        }
        for confirm in confirms {
            confirm.await?;
        }
    }
    Ok(())
}

/// A running worker; terminated on drop.
struct Celery(Child);

impl Celery {
    fn start(amqp_url: &str, python: &str) -> Result<Self> {
        let mut command = Command::new(python);
        command.args(["-", amqp_url]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot run {python}"))?;
        child.stdin.take().context("no standard input")?.write_all(APP.as_bytes())?;
        Ok(Self(child))
    }

    fn cpu_seconds(&self) -> Result<f64> {
        let pid = self.0.id();
        descendants(pid)?.into_iter().chain([pid]).map(cpu_seconds).sum()
    }
}

impl Drop for Celery {
    fn drop(&mut self) {
        // It ends its processes itself when it is asked to.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}
