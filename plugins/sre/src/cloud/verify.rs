//! Proof that an act on a target has helped: healthy probes in a row, the state by the cloud's own account, the metric
//! of the symptom back where it was, and nobody beside it worse than before.

use pi_sdk::json;

use super::evidence::Seen;
use super::observe::{Look, measure, observe};
use crate::cause::Cause;
use crate::settings::Settings;
use crate::verify::{Demand, Proof, verify};
use crate::world::World;

/// Between two looks at metrics that have not come yet: so many looks within the time for them, within bounds.
const METRIC_LOOKS: u32 = 20;
const METRIC_POLL_MS: (u32, u32) = (500, 15_000);
/// A row that is broken right after it is begun again so often.
const ROWS_MAX: u32 = 3;
/// So much of the way back must be gone.
const WAY_BACK: f64 = 0.5;
/// A metric that differs by less from what it was is no symptom.
const SYMPTOM_SHARE_MIN: f64 = 0.3;
/// So much of a disk must be free.
const FREE_SHARE_MIN: f64 = 0.1;
const GIB: f64 = 1_073_741_824.0;

/// What an act must change, and where that is well.
#[derive(Clone, Debug, PartialEq)]
pub struct Symptom {
    pub metric: String,
    well: Well,
}

#[derive(Clone, Debug, PartialEq)]
enum Well {
    /// By the alarm that is on.
    Alarm {
        threshold: f64,
        comparison: String,
    },
    AtLeast(f64),
    /// From what it was before the fault, and what it is now.
    Back {
        normal: f64,
        sick: f64,
    },
}

impl Symptom {
    fn is_well(&self, value: f64) -> bool {
        match &self.well {
            Well::Alarm { threshold, comparison } => !match comparison.as_str() {
                "GreaterThanThreshold" => value > *threshold,
                "GreaterThanOrEqualToThreshold" => value >= *threshold,
                "LessThanThreshold" => value < *threshold,
                "LessThanOrEqualToThreshold" => value <= *threshold,
                // A band that CloudWatch alone knows.
                _ => true,
            },
            Well::AtLeast(least) => value >= *least,
            Well::Back { normal, sick } => (value - sick) / (normal - sick) >= WAY_BACK,
        }
    }
}

/// The metrics that show the fault, by the alarms that are on and by what the cause shows itself in.
pub fn symptoms(seen: &Seen, cause: Cause, id: &str, onset_ms: u64) -> Vec<Symptom> {
    let alarms = seen.alarms.iter().filter(|alarm| alarm.is_on && !seen.series(&alarm.metric, id).is_empty());
    let mut symptoms: Vec<Symptom> = alarms
        .filter_map(|alarm| {
            let well = Well::Alarm { threshold: alarm.threshold?, comparison: alarm.comparison.clone() };
            Some(Symptom { metric: alarm.metric.clone(), well })
        })
        .collect();
    for name in metrics_of(cause) {
        if symptoms.iter().any(|it| it.metric == *name) {
            continue;
        }
        let points = seen.series(name, id);
        let mut before: Vec<f64> =
            points.iter().filter(|(time, _)| *time + 120_000 < onset_ms).map(|(_, value)| *value).collect();
        before.truncate(before.len().div_ceil(2).max(3));
        let (Some(normal), Some((_, sick))) = (median(&mut before), points.last().copied()) else { continue };
        if (sick - normal).abs() <= SYMPTOM_SHARE_MIN * normal.abs().max(sick.abs()) {
            continue;
        }
        let well = match (*name, seen.state.allocated_gib) {
            ("FreeStorageSpace", Some(gib)) => Well::AtLeast(FREE_SHARE_MIN * gib as f64 * GIB),
            _ => Well::Back { normal, sick },
        };
        symptoms.push(Symptom { metric: (*name).to_owned(), well });
    }
    symptoms
}

fn metrics_of(cause: Cause) -> &'static [&'static str] {
    match cause {
        Cause::CpuSaturation => &["CPUUtilization"],
        Cause::Throttled => &["CPUCreditBalance"],
        Cause::StorageFull => &["FreeStorageSpace", "FreeLocalStorage"],
        Cause::ConnectionExhaustion => &["DatabaseConnections"],
        Cause::ReplicationLag => &["ReplicaLag", "AuroraReplicaLagMaximum"],
        Cause::NodeNotReady => &["StatusCheckFailed"],
        Cause::MemoryLeak | Cause::OomKilled => &["FreeableMemory"],
        Cause::LockContention => &["Deadlocks"],
        Cause::DiskIoSaturation => &["DiskQueueDepth"],
        _ => &[],
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// What came of it.
pub struct Proved {
    pub proof: Proof,
    /// Something that was well before is not any more.
    pub harm: Vec<String>,
    pub gaps: Vec<String>,
    /// The last look.
    pub seen: Option<Seen>,
}

/// Prove that the target works, and that what was ill `before` is well. `since_ms`: when the last act had ended; `life_ms`: how
/// long it has to be well at least, since it was so long before it failed again.
pub fn prove(
    world: &mut dyn World,
    look: &Look,
    before: Option<&Seen>,
    symptoms: &[Symptom],
    required: u32,
    since_ms: u64,
    life_ms: u64,
) -> Proved {
    let settings = Settings { verify_interval_ms: look.settings.cloud.verify_interval_ms, ..look.settings.clone() };
    let demand = Demand {
        services: std::iter::once(&look.target.service).chain(look.also).cloned().collect(),
        required,
        life_ms,
        settle_ms: look.settings.cloud.settle_ms_max,
    };
    let mut proof = verify(world, &settings, &demand);
    let mut proved_gaps = Vec::new();
    let was_answering = before.is_some_and(Seen::is_answering);
    if !proof.is_passed {
        let harm = if was_answering { vec![format!("`{}` itself", look.target.service)] } else { Vec::new() };
        return Proved { proof, harm, gaps: proved_gaps, seen: None };
    }
    if let Some(before) = before {
        for symptom in symptoms {
            match measured(world, look, before, symptom, since_ms) {
                Some(value) if symptom.is_well(value) => {}
                Some(value) => fail(&mut proof, format!("`{}` is not back: it is at {value}", symptom.metric)),
                // The probe was well all the time: then nothing but the metric can tell.
                None if was_answering => {
                    fail(
                        &mut proof,
                        format!("`{}` has no value since the act, and the probe cannot tell", symptom.metric),
                    );
                }
                None => proved_gaps.push(format!(
                    "`{}` has no value since the act: the probes alone say that it helped",
                    symptom.metric
                )),
            }
        }
    }
    // The last look: what the cloud says of it now, and how those beside it are.
    let begin = world.now_ms();
    let mut rows = 1;
    let now = loop {
        let now = observe(world, look);
        let passed = world.now_ms().saturating_sub(begin);
        if !now.is_answering() && rows < ROWS_MAX && proof.is_passed {
            // A service that has just come up may stumble once: then it is the next row that counts.
            let again = verify(world, &settings, &demand);
            let before = std::mem::replace(&mut proof, again);
            proof.probes.splice(0..0, before.probes);
            rows += 1;
            if !proof.is_passed {
                return Proved { proof, harm: Vec::new(), gaps: proved_gaps, seen: Some(now) };
            }
            continue;
        }
        // The cloud's own checks come by the minute.
        if now.is_answering() && now.state.is_impaired() && passed < u64::from(look.settings.cloud.metric_ms_max) {
            world.sleep(metric_poll_ms(look));
            continue;
        }
        break now;
    };
    let state = &now.state;
    if !state.status.is_empty()
        && !state.is_up()
        && !matches!(state.status.as_str(), "storage-optimization" | "modifying" | "backing-up")
    {
        fail(&mut proof, format!("its state is `{}`", state.status));
    }
    if state.is_impaired() {
        fail(&mut proof, "its status checks say `impaired`".into());
    }
    if !now.is_answering() {
        fail(&mut proof, "its probe failed again right after the row".into());
    }
    let harm = before.map(|before| before.worse(&now)).unwrap_or_default();
    if !harm.is_empty() {
        fail(&mut proof, format!("worse than before: {}", harm.join(", ")));
    }
    // One reason is told; the probes of the last look belong to the evidence as well.
    let probes = now.subject.probes.iter().map(|(time_ms, result)| crate::verify::Probed {
        time_ms: *time_ms,
        service: look.target.service.clone(),
        result: result.clone(),
    });
    proof.probes.extend(probes);
    proof.time_ms = world.now_ms();
    Proved { proof, harm, gaps: proved_gaps, seen: Some(now) }
}

fn fail(proof: &mut Proof, reason: String) {
    proof.is_passed = false;
    proof.reason = if proof.reason.is_empty() { reason } else { format!("{}; {reason}", proof.reason) };
}

/// The newest value of a symptom that is wholly of the time after the act; none if none comes.
fn measured(world: &mut dyn World, look: &Look, before: &Seen, symptom: &Symptom, since_ms: u64) -> Option<f64> {
    let begin = world.now_ms();
    let queries: Vec<_> = before.queries.iter().filter(|query| query.name == symptom.metric).cloned().collect();
    let mut last = None;
    loop {
        let seen = measure(world, look, &queries);
        let new = seen.series(&symptom.metric, look.target.id()).into_iter().rfind(|(time, _)| *time >= since_ms);
        last = new.map(|(_, value)| value).or(last);
        let is_late = world.now_ms().saturating_sub(begin) >= u64::from(look.settings.cloud.metric_ms_max);
        // A value that is not well yet may be on its way.
        if is_late || last.is_some_and(|value| symptom.is_well(value)) {
            return last;
        }
        world.sleep(metric_poll_ms(look));
    }
}

fn metric_poll_ms(look: &Look) -> u32 {
    let (least, most) = METRIC_POLL_MS;
    (look.settings.cloud.metric_ms_max / METRIC_LOOKS).clamp(least, most)
}

/// The symptoms, for the record.
pub fn described(symptoms: &[Symptom]) -> pi_sdk::Value {
    let words = |symptom: &Symptom| match &symptom.well {
        Well::Alarm { threshold, comparison } => format!("not {comparison} {threshold}"),
        Well::AtLeast(least) => format!("at least {least}"),
        Well::Back { normal, sick } => format!("back from {sick} towards {normal}"),
    };
    symptoms.iter().map(|symptom| json!({ "metric": symptom.metric, "well": words(symptom) })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symptom(well: Well) -> Symptom {
        Symptom { metric: "m".into(), well }
    }

    #[test]
    fn a_metric_is_back_in_either_direction() {
        let high = symptom(Well::Back { normal: 20.0, sick: 98.0 });
        assert!(high.is_well(25.0) && high.is_well(10.0) && !high.is_well(90.0));
        let low = symptom(Well::Back { normal: 9e9, sick: 1e8 });
        assert!(low.is_well(8e9) && low.is_well(2e10) && !low.is_well(3e8));
    }

    #[test]
    fn an_alarm_says_where_it_is_well_and_one_that_cannot_be_read_says_nothing() {
        let alarm = |comparison: &str| symptom(Well::Alarm { threshold: 80.0, comparison: comparison.into() });
        assert!(alarm("GreaterThanThreshold").is_well(80.0) && !alarm("GreaterThanThreshold").is_well(81.0));
        assert!(!alarm("LessThanOrEqualToThreshold").is_well(80.0));
        assert!(!alarm("LessThanLowerOrGreaterThanUpperThreshold").is_well(1.0));
    }
}
