//! What is said about a service: what is written down of it, and how it is now.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::disk::Disk;
use super::procfs::{Stat, ticks_to_ms};
use super::record::Exit;
use crate::clock::{Duration, Instant};
use crate::config::{Autonomy, CloudTarget};

/// The load is that of the last seconds.
const LOAD_OVER: Duration = Duration::from_secs(3);
/// Below this a load would be noise.
const LOAD_OVER_MIN: Duration = Duration::from_millis(100);
/// Letters that are told: a service with thousands of workers is told by its first ones.
const STATES_MAX: usize = 64;

/// What a service is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    Running,
    /// Ended, and not to be started again by itself.
    #[default]
    Stopped,
    BackingOff,
    External,
}

/// What is written down about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub name: String,
    pub is_supervised: bool,
    pub depends_on: Vec<String>,
    pub log_files: Vec<PathBuf>,
    pub config_files: Vec<PathBuf>,
    pub ports: Vec<u16>,
    pub probe: String,
    pub memory_bytes_max: Option<u64>,
    pub autonomy: Autonomy,
    pub cloud: Option<CloudTarget>,
}

/// How a service is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub name: String,
    pub state: State,
    pub pid: Option<u32>,
    pub uptime_ms: Option<u64>,
    pub starts: u32,
    pub exits: Vec<Exit>,
    pub memory_bytes: Option<u64>,
    pub memory_bytes_max: Option<u64>,
    pub process_states: String,
    pub cpu_load: Option<f64>,
    pub disks: Vec<Disk>,
}

/// Processor time as it was seen, for the load.
#[derive(Debug, Default)]
pub(crate) struct Samples(VecDeque<(Instant, u64)>);

impl Samples {
    pub(crate) fn push(&mut self, now: Instant, processes: &[Stat]) {
        self.0.push_back((now, cpu_ticks(processes)));
        while self.0.len() > 2 && self.0.front().is_some_and(|(then, _)| now.duration_since(*then) > LOAD_OVER) {
            self.0.pop_front();
        }
    }

    /// The share of one core since the oldest sample. None until there is one.
    pub(crate) fn load(&self, now: Instant, processes: &[Stat]) -> Option<f64> {
        let (then, ticks) = self.0.front()?;
        let passed = now.duration_since(*then);
        if passed < LOAD_OVER_MIN {
            return None;
        }
        // A worker that ended took its time with it: never below none.
        let worked = ticks_to_ms(cpu_ticks(processes).saturating_sub(*ticks));
        // Milliseconds of some seconds are far below 2^53.
        #[allow(clippy::cast_precision_loss)]
        Some(worked as f64 / passed.as_millis() as f64)
    }
}

/// One letter for each process.
pub(crate) fn letters(processes: &[Stat]) -> String {
    processes.iter().map(|stat| stat.state).take(STATES_MAX).collect()
}

fn cpu_ticks(processes: &[Stat]) -> u64 {
    processes.iter().map(|stat| stat.cpu_ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn process(cpu_ticks: u64) -> [Stat; 1] {
        [Stat { pid: 1, state: 'R', parent: 0, is_kernel_thread: false, cpu_ticks, start_time: 0, resident_bytes: 0 }]
    }

    #[test]
    fn the_load_is_processor_time_over_time() {
        let begin = clock::monotonic();
        let mut samples = Samples::default();
        samples.push(begin, &process(0));
        assert_eq!(samples.load(begin, &process(5)), None);
        let ticks = rustix::param::clock_ticks_per_second();
        let load = samples.load(begin + Duration::from_secs(2), &process(ticks)).unwrap();
        assert!((load - 0.5).abs() < 0.01, "{load}");
    }
}
