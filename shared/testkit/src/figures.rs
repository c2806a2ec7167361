//! What every benchmark needs: the clock and CPU time of a process, the median of rounds, and one line per figure
//! beside its limit. Never judges: a benchmark shows whether a figure is reached, and fails for nothing.

use std::{fmt, fs, process, time::Instant};

use anyhow::{Context as _, Result};

/// What /proc counts in.
const TICKS_PER_SECOND: f64 = 100.0;

/// One figure beside what it is compared with; its `Display` is a row of the table that `make bench` ends with.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// What was found, with its unit.
    pub found: String,
    /// What it is compared with, with its unit.
    pub limit: String,
    /// Their ratio, as [`Self::wanted`] means it.
    pub ratio: f64,
    /// What the ratio should be.
    pub wanted: Wanted,
}

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// This much or more.
    AtLeast(f64),
    /// This much or less.
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

/// What a piece of work took.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Pieces a second.
    pub per_second: f64,
    /// CPU time of the process for each, in microseconds.
    pub cpu_us: f64,
}

/// Measures work of a process; begins when it is made.
#[derive(Debug)]
pub struct Meter {
    pid: u32,
    began: Instant,
    cpu_seconds: f64,
}

impl Meter {
    /// Measures this process from now on.
    ///
    /// # Errors
    /// /proc has another form.
    pub fn start() -> Result<Self> {
        Self::of(process::id())
    }

    /// Measures another process from now on.
    ///
    /// # Errors
    /// There is no such process.
    pub fn of(pid: u32) -> Result<Self> {
        Ok(Self { pid, began: Instant::now(), cpu_seconds: cpu_seconds(pid)? })
    }

    /// What so many pieces of work took.
    ///
    /// # Errors
    /// The process has ended.
    pub fn stop(self, pieces: usize) -> Result<Effort> {
        let (seconds, cpu) = (self.began.elapsed().as_secs_f64(), cpu_seconds(self.pid)? - self.cpu_seconds);
        let pieces = count(pieces);
        Ok(Effort { per_second: pieces / seconds, cpu_us: cpu * 1e6 / pieces })
    }
}

/// The median of each figure, as rounds that alternate give them.
#[must_use]
pub fn median(efforts: &[Effort]) -> Effort {
    let of = |field: fn(&Effort) -> f64| median_of(efforts.iter().map(field));
    Effort { per_second: of(|effort| effort.per_second), cpu_us: of(|effort| effort.cpu_us) }
}

/// The value in the middle; NaN of nothing.
#[must_use]
pub fn median_of(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A small number as what ratios are made of.
#[must_use]
pub const fn count(number: usize) -> f64 {
    number as f64
}

/// User and system time of a process; the kernel counts in hundredths of a second.
///
/// # Errors
/// There is no such process.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = stat.rsplit_once(')').context("/proc has another form")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).context("/proc has another form");
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// The memory a process has in use, in MiB.
///
/// # Errors
/// There is no such process.
pub fn memory_mib(pid: u32) -> Result<f64> {
    status_mib(pid, "VmRSS:")
}

/// The most memory a process has had in use, in MiB.
///
/// # Errors
/// There is no such process.
pub fn peak_memory_mib(pid: u32) -> Result<f64> {
    status_mib(pid, "VmHWM:")
}

/// The processes that `pid` started, and those that they did.
///
/// # Errors
/// There is no such process.
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
