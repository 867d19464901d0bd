//! Proof that a service works: healthy probes in a row, spaced, of one and the same process, that
//! has outlived its crashes and does not run into its memory limit.

use crate::facts::ProbeResult;
use crate::observe::{Subject, sample};
use crate::settings::Settings;
use crate::world::World;

/// Memory that would reach its limit within this time at its present growth is no health.
const MEMORY_HORIZON_MS: f64 = 30_000.0;
/// Share of the limit from which no growth is tolerated.
const MEMORY_SHARE_MAX: f64 = 0.95;

/// What has to be proved.
#[derive(Clone, Debug)]
pub struct Demand {
    /// All of these, the alerted one first.
    pub services: Vec<String>,
    /// Healthy probes in a row.
    pub required: u32,
    /// How long each must have run: longer than those of its processes that died.
    pub life_ms: u64,
    /// How long the first healthy probe may take to come.
    pub settle_ms: u32,
}

/// One probe of a verification.
#[derive(Clone, Debug, PartialEq)]
pub struct Probed {
    pub time_ms: u64,
    pub service: String,
    pub result: ProbeResult,
}

/// The evidence, whichever way it went.
#[derive(Clone, Debug)]
pub struct Proof {
    pub required: u32,
    pub probes: Vec<Probed>,
    pub is_passed: bool,
    /// Why it did not pass.
    pub reason: String,
    /// The first probe of the row that passed.
    pub since_ms: Option<u64>,
    pub time_ms: u64,
}

/// Probe until the demand is met, or cannot be met in time.
pub fn verify(world: &mut dyn World, settings: &Settings, demand: &Demand) -> Proof {
    let begin = world.now_ms();
    let settled_by = begin + u64::from(demand.settle_ms);
    let mut watch_until = None;
    let mut probes: Vec<Probed> = Vec::new();
    let mut row: Vec<Sweep> = Vec::new();
    loop {
        let sweep = Sweep::take(world, &demand.services);
        let now = sweep.time_ms;
        probes.extend(sweep.subjects.iter().flat_map(Sweep::rows));
        if row.last().is_some_and(|last| last.processes() != sweep.processes()) {
            // Another process answers: what the former one did proves nothing of this one.
            row.clear();
        }
        let failure = sweep.failure();
        if failure.is_none() {
            row.push(sweep);
        } else {
            row.clear();
        }
        let mut reason = failure;
        if row.len() >= demand.required as usize {
            reason = unproved(&row, demand.life_ms);
            let Some(_) = reason else {
                let since_ms = row.get(row.len() - demand.required as usize).map(|sweep| sweep.time_ms);
                return Proof {
                    required: demand.required,
                    probes,
                    is_passed: true,
                    reason: String::new(),
                    since_ms,
                    time_ms: now,
                };
            };
            watch_until.get_or_insert(now + u64::from(settings.watch_ms_max));
        }
        let is_late = match watch_until {
            Some(until) => now >= until,
            None => now >= settled_by && row.is_empty(),
        };
        if is_late {
            let reason = reason.unwrap_or_else(|| "it was not healthy long enough".into());
            return Proof { required: demand.required, probes, is_passed: false, reason, since_ms: None, time_ms: now };
        }
        world.sleep(settings.verify_interval_ms);
    }
}

/// All services at one moment.
struct Sweep {
    time_ms: u64,
    subjects: Vec<Subject>,
    gaps: Vec<String>,
}

impl Sweep {
    fn take(world: &mut dyn World, services: &[String]) -> Self {
        let mut subjects: Vec<Subject> =
            services.iter().map(|name| Subject { name: name.clone(), ..Subject::default() }).collect();
        let mut gaps = Vec::new();
        sample(world, &mut subjects, &mut gaps);
        Self { time_ms: world.now_ms(), subjects, gaps }
    }

    fn rows(subject: &Subject) -> impl Iterator<Item = Probed> {
        subject.probes.iter().map(|(time_ms, result)| Probed {
            time_ms: *time_ms,
            service: subject.name.clone(),
            result: result.clone(),
        })
    }

    fn processes(&self) -> Vec<Option<u32>> {
        self.subjects.iter().map(|subject| subject.condition().and_then(|condition| condition.pid)).collect()
    }

    /// Why this is no health; a gap is none either.
    fn failure(&self) -> Option<String> {
        if let Some(gap) = self.gaps.first() {
            return Some(gap.clone());
        }
        self.subjects.iter().find_map(|subject| match subject.probes.last() {
            None => Some(format!("`{}` could not be probed", subject.name)),
            Some((_, probe)) if !probe.healthy => Some(format!("`{}`: {}", subject.name, probe.detail)),
            Some(_) if subject.condition().is_some_and(|it| it.is_down()) => {
                Some(format!("`{}` is answered for, but does not run", subject.name))
            }
            Some(_) => None,
        })
    }
}

/// What a row of healthy sweeps leaves open.
fn unproved(row: &[Sweep], life_ms: u64) -> Option<String> {
    let (first, last) = (row.first()?, row.last()?);
    let row_ms = last.time_ms.saturating_sub(first.time_ms);
    last.subjects.iter().enumerate().find_map(|(index, subject)| {
        // Of what runs elsewhere nobody knows how old its process is: the row itself has to be so long.
        let has_age = subject.condition().is_some_and(|condition| condition.uptime_ms.is_some());
        if !has_age && row_ms < life_ms {
            return Some(format!("`{}` was well for {life_ms} ms before, and failed again", subject.name));
        }
        let condition = subject.condition()?;
        if condition.uptime_ms.is_some_and(|uptime| uptime < life_ms) {
            return Some(format!(
                "`{}` has not yet outlived the processes that died before it ({life_ms} ms)",
                subject.name
            ));
        }
        let limit = condition.memory_bytes_max? as f64;
        let points: Vec<(f64, f64)> = row
            .iter()
            .skip(row.len() / 2)
            .filter_map(|sweep| {
                let bytes = sweep.subjects.get(index)?.condition()?.memory_bytes?;
                Some((sweep.time_ms as f64, bytes as f64))
            })
            .collect();
        let (first, latest) = (points.first()?, points.last()?);
        if latest.1 >= limit * MEMORY_SHARE_MAX {
            return Some(format!("`{}` uses {:.0} % of its memory limit", subject.name, latest.1 * 100.0 / limit));
        }
        let growth = (latest.1 - first.1) / (latest.0 - first.0).max(1.0);
        let is_running_out = growth > 0.0 && (limit - latest.1) / growth < MEMORY_HORIZON_MS;
        is_running_out.then(|| format!("the memory of `{}` grows towards its limit", subject.name))
    })
}
