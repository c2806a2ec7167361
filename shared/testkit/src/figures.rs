//! Tools of every benchmark: wall clock and CPU time of a process, the median of rounds, and one line per figure beside
//! its limit. Never judges: a benchmark shows whether a figure is reached, and fails for none.

use std::{fmt, fs, process, time::Instant};

use anyhow::{Context as _, Result};

/// Clock ticks per second in /proc.
const TICKS_PER_SECOND: f64 = 100.0;

/// One figure beside its limit; its `Display` is a row of the table that `make bench` ends with.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Name of the measured thing.
    pub name: &'static str,
    /// Measured value with its unit.
    pub found: String,
    /// Limit with its unit.
    pub limit: String,
    /// Ratio of value and limit, in the sense of [`Self::wanted`].
    pub ratio: f64,
    /// Required ratio.
    pub wanted: Wanted,
}

/// Requirement on a ratio.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// At least this much.
    AtLeast(f64),
    /// At most this much.
    AtMost(f64),
}

impl Wanted {
    fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bound) => ratio >= bound,
            Self::AtMost(bound) => ratio <= bound,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, ">= {bound:.2}"),
            Self::AtMost(bound) => write!(f, "<= {bound:.2}"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, found, limit, ratio, wanted } = self;
        let met = if wanted.is_met(*ratio) { "yes" } else { "no" };
        write!(f, "FIGURE | {name} | {found} | {limit} | {ratio:.2} | {wanted} | {met} |")
    }
}

/// Effort of a piece of work.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Pieces per second.
    pub per_second: f64,
    /// CPU time of the process per piece, in microseconds.
    pub cpu_us: f64,
}

/// A running measurement of a process' work.
#[derive(Debug)]
pub struct Meter {
    pid: u32,
    began: Instant,
    cpu_seconds: f64,
}

impl Meter {
    /// Starts to measure this process.
    ///
    /// # Errors
    /// /proc has an unknown form.
    pub fn start() -> Result<Self> {
        Self::of(process::id())
    }

    /// Starts to measure another process.
    ///
    /// # Errors
    /// The process does not exist.
    pub fn of(pid: u32) -> Result<Self> {
        Ok(Self { pid, began: Instant::now(), cpu_seconds: cpu_seconds(pid)? })
    }

    /// Ends the measurement and returns the effort per piece.
    ///
    /// # Errors
    /// The process has ended.
    pub fn stop(self, pieces: usize) -> Result<Effort> {
        let (seconds, cpu) = (self.began.elapsed().as_secs_f64(), cpu_seconds(self.pid)? - self.cpu_seconds);
        let pieces = count(pieces);
        Ok(Effort { per_second: pieces / seconds, cpu_us: cpu * 1e6 / pieces })
    }
}

/// Returns the median of each figure over rounds that alternate.
#[must_use]
pub fn median(efforts: &[Effort]) -> Effort {
    let of = |field: fn(&Effort) -> f64| median_of(efforts.iter().map(field));
    Effort { per_second: of(|effort| effort.per_second), cpu_us: of(|effort| effort.cpu_us) }
}

/// Returns the median; NaN for no values.
#[must_use]
pub fn median_of(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Converts a small number for ratios.
#[must_use]
pub const fn count(number: usize) -> f64 {
    number as f64
}

/// Returns user and system time of a process in seconds; the kernel counts in hundredths.
///
/// # Errors
/// The process does not exist.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = stat.rsplit_once(')').context("/proc has another form")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).context("/proc has another form");
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Returns the memory in use by a process, in MiB.
///
/// # Errors
/// The process does not exist.
pub fn memory_mib(pid: u32) -> Result<f64> {
    status_mib(pid, "VmRSS:")
}

/// Returns the peak memory of a process, in MiB.
///
/// # Errors
/// The process does not exist.
pub fn peak_memory_mib(pid: u32) -> Result<f64> {
    status_mib(pid, "VmHWM:")
}

/// Returns the direct and indirect children of `pid`.
///
/// # Errors
/// The process does not exist.
pub fn descendants(pid: u32) -> Result<Vec<u32>> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let mut found = Vec::new();
    for child in children.split_whitespace() {
        let child = child.parse()?;
        found.push(child);
        found.extend(descendants(child)?);
    }
    Ok(found)
}

fn status_mib(pid: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.context("/proc has another form")? / 1024.0)
}
