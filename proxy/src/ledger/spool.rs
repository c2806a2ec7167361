//! The spool: records of calls in append-only files, a line each, until they are in the outbox.
//!
//! A call is admitted only with a slot for its record, so no record is ever dropped: a full spool refuses calls. The
//! slot's place among the calls under way is written before the provider is called and stays until the record is in a
//! segment, so that a call is known whenever the process dies. The process that writes a segment holds a lock on it, so
//! a segment without a lock is complete.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use keyway_domain::{MeteredCall, TenantId};
use keyway_telemetry::{OnceAMinute, metrics};
use tokio::{
    io::AsyncWriteExt,
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

use super::{
    line::Line,
    under_way::{self, Admission, Place, UnderWay},
};

/// Extension of segments.
pub(crate) const EXTENSION: &str = "spool";
/// Largest number of records in one write.
const BATCH: usize = 1024;
/// Time that the first record of a write waits for others to share it.
const GATHER: Duration = Duration::from_millis(10);
/// Age at which a segment is handed to the drainer.
const SEGMENT_AGE: Duration = Duration::from_millis(500);
const SEGMENT_BYTES: u64 = 8 << 20;
/// Size in bytes above which calls are refused: nothing drains the spool then.
const MAX_BYTES: u64 = 1 << 30;
const RETRY: Duration = Duration::from_secs(1);

/// Handle to the spool.
pub(crate) struct Spool {
    /// Unbounded, but limited by the slots: every record has one.
    entries: mpsc::UnboundedSender<Entry>,
    calls: Arc<UnderWay>,
    /// Bytes on the disk that are not in the outbox yet.
    bytes: Arc<AtomicU64>,
}

/// Place of one call and its record.
pub(crate) struct Slot {
    entries: mpsc::UnboundedSender<Entry>,
    place: Place,
}

/// Writes the records of one process.
pub(crate) struct Writer {
    directory: PathBuf,
    entries: mpsc::UnboundedReceiver<Entry>,
    calls: Arc<UnderWay>,
    bytes: Arc<AtomicU64>,
    sealed: Arc<Notify>,
    segment: Option<Segment>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every entry is a record; a box would cost each of them an allocation"
)]
enum Entry {
    Record(Line, Place),
    /// Answered when all records before it are in a sealed segment.
    Flush(oneshot::Sender<()>),
}

struct Segment {
    file: tokio::fs::File,
    written: u64,
    sealed_at: Instant,
}

impl Spool {
    /// Builds a spool in `directory` and the writer that must run for it. `sealed` is notified of every segment that
    /// may be drained; `bytes` is the size on the disk.
    pub(crate) fn new(directory: &Path, sealed: Arc<Notify>, bytes: Arc<AtomicU64>) -> io::Result<(Self, Writer)> {
        fs::create_dir_all(directory)?;
        let (sender, entries) = mpsc::unbounded_channel();
        let calls = UnderWay::create(directory)?;
        let writer = Writer {
            directory: directory.to_owned(),
            entries,
            calls: Arc::clone(&calls),
            bytes: Arc::clone(&bytes),
            sealed,
            segment: None,
        };
        Ok((Self { entries: sender, calls, bytes }, writer))
    }

    /// Returns a slot for the record of a call; `None` while the spool is full.
    pub(crate) fn admit(&self) -> Option<Slot> {
        if self.bytes.load(Relaxed) > MAX_BYTES || self.entries.is_closed() {
            return None;
        }
        Some(Slot { place: self.calls.place()?, entries: self.entries.clone() })
    }

    /// Waits until every earlier record is in a segment that can be drained.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.entries.send(Entry::Flush(done)).is_ok() {
            // An error means that the writer ended, which seals its segment too.
            let _ = flushed.await;
        }
    }
}

impl Slot {
    /// Writes down that the call is about to be made, or made again elsewhere.
    ///
    /// # Errors
    /// The call cannot be written down, so it must not be made.
    pub(crate) fn admit(&self, admission: &Admission<'_>) -> io::Result<()> {
        self.place.write(admission)
    }

    /// Keeps the record.
    pub(crate) fn keep(self, tenant_id: TenantId, call: MeteredCall) {
        // Without a writer the call stays where it was admitted, and the next process settles it.
        let _ = self.entries.send(Entry::Record(Line { tenant_id, call }, self.place));
    }
}

impl Writer {
    /// Writes until the spool and all its slots are dropped.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        let mut text = Vec::new();
        loop {
            let sealed_at = self.segment.as_ref().map(|segment| segment.sealed_at);
            tokio::select! {
                received = self.entries.recv_many(&mut batch, BATCH) => if received == 0 { break },
                () = tokio::time::sleep_until(sealed_at.unwrap_or_else(Instant::now)), if sealed_at.is_some() => {
                    self.seal();
                    continue;
                }
            }
            if !batch.iter().any(|entry| matches!(entry, Entry::Flush(_))) {
                tokio::time::sleep(GATHER).await;
                while batch.len() < BATCH
                    && let Ok(entry) = self.entries.try_recv()
                {
                    batch.push(entry);
                }
            }
            self.write(&mut batch, &mut text).await;
        }
        self.seal();
        self.calls.remove();
    }

    async fn write(&mut self, batch: &mut Vec<Entry>, text: &mut Vec<u8>) {
        let (mut flushes, mut written) = (Vec::new(), Vec::with_capacity(batch.len()));
        text.clear();
        for entry in batch.drain(..) {
            match entry {
                Entry::Flush(done) => flushes.push(done),
                Entry::Record(line, place) => match line.write(text) {
                    Ok(()) => written.push(place),
                    Err(error) => tracing::error!(%error, "a record could not be encoded"),
                },
            }
        }
        // Nothing is given up here: slots run out meanwhile, and calls are refused.
        while let Err(error) = self.append(text).await {
            static TOLD: OnceAMinute = OnceAMinute::new();
            if let Some(held_back) = TOLD.passes() {
                let directory = self.directory.display();
                tracing::error!(%error, %directory, held_back, "the spool cannot be written; trying again");
            }
            // The broken segment is left to the drainer, which ignores a torn last line.
            self.seal();
            tokio::time::sleep(RETRY).await;
        }
        self.bytes.fetch_add(text.len() as u64, Relaxed);
        metrics().spooled.inc_by(written.len() as u64);
        metrics().spool_records.add(i64::try_from(written.len()).unwrap_or(0));
        drop(written);
        if !flushes.is_empty() || self.segment.as_ref().is_some_and(|it| it.written >= SEGMENT_BYTES) {
            self.seal();
        }
        for done in flushes {
            // Who asked may have stopped waiting.
            let _ = done.send(());
        }
    }

    async fn append(&mut self, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(Segment::create(&self.directory)?),
        };
        segment.file.write_all(text).await?;
        segment.file.flush().await?;
        segment.written += text.len() as u64;
        Ok(())
    }

    /// Closes the segment and releases its lock.
    fn seal(&mut self) {
        if self.segment.take().is_some() {
            self.calls.clear();
            self.sealed.notify_one();
        }
    }
}

impl Segment {
    fn create(directory: &Path) -> io::Result<Self> {
        let (file, _) = under_way::create_locked(directory, EXTENSION)?;
        Ok(Self { file: tokio::fs::File::from_std(file), written: 0, sealed_at: Instant::now() + SEGMENT_AGE })
    }
}
