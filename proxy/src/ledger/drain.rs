//! The drainer: moves the records of sealed segments into the outbox, as commands of the meter lane, settles the calls
//! of processes that died, and stores when keys and integrations were last used.
//!
//! The id of a message follows from the file's name and the offset in it, and a call is recorded once by its request
//! id: a crash between commit and deletion doubles nothing. A process that died may have left both a call's record and
//! its settlement: the ledger lets the record count, whichever comes first.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use keyway_domain::{Body, Command, IntegrationId, Message, MessageId, MeteredCall, TenantId, Timestamp, VirtualKeyId};
use keyway_store::{Store, StoreError, integrations, outbox, virtual_keys};
use keyway_telemetry::{OnceAMinute, metrics};
use uuid::Uuid;

use super::{found::Found, line::Line, spool, under_way};

/// Largest number of calls in one message.
const CALLS_PER_MESSAGE: usize = 200;
/// Interval at which uses are written.
const USES_INTERVAL: Duration = Duration::from_secs(30);

/// Reason why a round did not move everything. The rest stays on the disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrainError {
    /// An error of the disk: check the data directory.
    #[error("the spool cannot be read: {0}")]
    Io(#[from] io::Error),
    /// An error of the database: the next round tries again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a whole file of the spool.
type Decode = fn(&[u8]) -> Found;

/// Moves records. One per process; others on the same directory do no harm.
pub(crate) struct Drainer {
    directory: PathBuf,
    store: Store,
    bytes: Arc<AtomicU64>,
    keys_used: HashMap<VirtualKeyId, Timestamp>,
    integrations_used: HashMap<IntegrationId, Timestamp>,
    uses_written: Instant,
}

impl Drainer {
    /// Builds a drainer of `directory`, which keeps the size in `bytes` up to date.
    pub(crate) fn new(directory: PathBuf, store: Store, bytes: Arc<AtomicU64>) -> Self {
        Self {
            directory,
            store,
            bytes,
            keys_used: HashMap::new(),
            integrations_used: HashMap::new(),
            uses_written: Instant::now(),
        }
    }

    /// Moves every sealed segment, then the calls of every process that died. A file that cannot be moved does not hold
    /// up the others; the first error is returned at the end.
    pub(crate) async fn round(&mut self) -> Result<(), DrainError> {
        let mut first = Ok(());
        for (extension, decode) in [(spool::EXTENSION, decode as Decode), (under_way::EXTENSION, under_way::settle)] {
            for path in self.files(extension)? {
                match self.file(&path, decode).await {
                    Ok(()) => {}
                    // The others would have to wait for the database too.
                    Err(DrainError::Store(error)) if error.is_retryable() => return Err(error.into()),
                    Err(error) => {
                        static TOLD: OnceAMinute = OnceAMinute::new();
                        if let Some(held_back) = TOLD.passes() {
                            let file = path.display();
                            tracing::error!(%error, %file, held_back, "a file of the spool cannot be moved");
                        }
                        first = first.and(Err(error));
                    }
                }
            }
        }
        let segments = self.files(spool::EXTENSION)?;
        let left: u64 = segments.iter().filter_map(|path| fs::metadata(path).ok()).map(|it| it.len()).sum();
        self.bytes.store(left, Relaxed);
        if self.uses_written.elapsed() >= USES_INTERVAL {
            self.write_uses().await?;
        }
        first
    }

    /// Stores when keys and integrations were last used, if not stored yet.
    pub(crate) async fn write_uses(&mut self) -> Result<(), DrainError> {
        self.uses_written = Instant::now();
        if self.keys_used.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = self.keys_used.iter().map(|(id, at)| (*id, *at)).collect();
        let integrations: Vec<_> = self.integrations_used.iter().map(|(id, at)| (*id, *at)).collect();
        let tx = self.store.system().await?;
        virtual_keys::touch_last_used(&tx, &keys).await?;
        integrations::touch_last_used(&tx, &integrations).await?;
        tx.commit().await?;
        self.keys_used.clear();
        self.integrations_used.clear();
        Ok(())
    }

    /// Returns files in the order in which they were begun, including those being written.
    fn files(&self, wanted: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == wanted) {
                found.push(path);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    async fn file(&mut self, path: &Path, decode: Decode) -> Result<(), DrainError> {
        let place = path.to_owned();
        // A long file takes milliseconds to read, for which requests should not wait.
        let reading = tokio::task::spawn_blocking(move || {
            let Some((lock, text)) = read_sealed(&place)? else { return Ok(None) };
            let found = decode(&text);
            found.keep_unreadable(&place)?;
            io::Result::Ok(Some((lock, found.calls)))
        });
        // The lock is held until the file is gone, so that nobody else moves it meanwhile.
        let Some((_lock, calls)) = reading.await.map_err(io::Error::other)?? else { return Ok(()) };
        let settled = calls.values().flatten().filter(|call| call.settled).count();
        let moved = calls.values().map(Vec::len).sum::<usize>() - settled;
        for call in calls.values().flatten() {
            latest(&mut self.keys_used, call.virtual_key_id, call.started_at);
            if let Some(id) = call.served_by.integration() {
                latest(&mut self.integrations_used, id, call.started_at);
            }
        }
        let messages = messages(path, calls);
        if !messages.is_empty() {
            let tx = self.store.system().await?;
            outbox::insert(&tx, &messages, Timestamp::now()).await?;
            tx.commit().await?;
        }
        fs::remove_file(path)?;
        if settled > 0 {
            tracing::warn!(calls = settled, "calls of a process that died were settled as unknown");
            metrics().settled_calls.inc_by(settled as u64);
        }
        let waiting = &metrics().spool_records;
        // Records that an earlier process left were never counted here.
        waiting.set((waiting.get() - i64::try_from(moved).unwrap_or(0)).max(0));
        Ok(())
    }
}

fn read_sealed(path: &Path) -> io::Result<Option<(File, Vec<u8>)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(Some((file, text)))
}

/// Returns the contents of a segment. An incomplete last line is a write that was cut off and is ignored.
fn decode(text: &[u8]) -> Found {
    let mut found = Found::default();
    let whole = memchr::memrchr(b'\n', text).map_or(0, |end| end + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n').enumerate();
    for (at, line) in lines.filter(|(_, line)| !line.is_empty()) {
        match Line::read(line) {
            Ok(Line { tenant_id, call }) => found.add(tenant_id, call),
            Err(why) => found.set_aside(at + 1, line, why),
        }
    }
    found
}

fn messages(path: &Path, calls: BTreeMap<TenantId, Vec<MeteredCall>>) -> Vec<Message> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let file = MessageId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
    let mut messages = Vec::new();
    for (tenant_id, calls) in calls {
        let mut calls = calls.into_iter();
        for place in 0..calls.len().div_ceil(CALLS_PER_MESSAGE) {
            let id = file.derived(&format!("{tenant_id}/{place}"));
            let command = Command::MeterCalls { calls: calls.by_ref().take(CALLS_PER_MESSAGE).collect() };
            messages.push(Message::new(id, tenant_id, Body::Command(command)));
        }
    }
    messages
}

fn latest<K: Eq + std::hash::Hash>(uses: &mut HashMap<K, Timestamp>, id: K, at: Timestamp) {
    let last = uses.entry(id).or_insert(at);
    *last = at.max(*last);
}

#[cfg(test)]
mod tests {
    use keyway_domain::{ProjectId, RequestId, ServedBy};

    use super::*;

    fn call() -> MeteredCall {
        let by = (ProjectId::new(), VirtualKeyId::new());
        let begun = Timestamp::from_ms(1);
        let call = MeteredCall::begun(
            RequestId::new(),
            by,
            ServedBy::Integration(IntegrationId::new()),
            "openai",
            "/v1/models",
            begun,
        );
        MeteredCall { http_status: Some(200), duration_ms: 2, complete: true, ..call }
    }

    #[test]
    fn a_torn_last_line_is_ignored_and_nothing_else_is() {
        let lines: Vec<Line> = (0..3).map(|_| Line { tenant_id: TenantId::new(), call: call() }).collect();
        let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        let first = text.find('\n').unwrap() + 1;
        for cut in [text.len(), text.len() - 1, text.len() - 20, first, first + 1] {
            let whole = text[..cut].matches('\n').count();
            let calls = decode(&text.as_bytes()[..cut]).calls;
            assert_eq!(calls.values().map(Vec::len).sum::<usize>(), whole, "cut {cut}");
        }
        let damaged = text.replacen("\"call\"", "\"coll\"", 1);
        assert_eq!(decode(damaged.as_bytes()).calls.len(), 2);
    }

    #[test]
    fn a_segment_makes_the_same_messages_every_time() {
        let tenants = [TenantId::new(), TenantId::new()];
        let calls: BTreeMap<_, _> = tenants.iter().map(|id| (*id, (0..450).map(|_| call()).collect())).collect();
        let ids = |path: &str| -> Vec<MessageId> {
            messages(Path::new(path), calls.clone()).into_iter().map(|message| message.id).collect()
        };
        let first = ids("/a/0198.spool");
        assert_eq!(first.len(), 6, "450 calls of each of two tenants, 200 a message");
        assert_eq!(first, ids("/b/0198.spool"));
        assert_ne!(first, ids("/a/0199.spool"));
    }
}
