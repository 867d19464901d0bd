//! Which acts answer what was found, the mildest first. Pure: nothing here calls anything.
//!
//! The state by the cloud's own account goes before any judgement (what is stopped is started, what is impaired is
//! rebooted); then the causes, in the order of the diagnosis. An act that interrupts is offered only while the target
//! does not do its work. A new answer is a line in one of the tables below.

use super::act::Act;
use super::evidence::Seen;
use super::target::{Kind, Target};
use crate::cause::Cause;
use crate::orient::{Diagnosis, PLAUSIBLE};
use crate::patch::Patch;
use crate::settings::Settings;

/// A cause with less is not acted on, and with less than is plausible only where nothing else is.
const NAMED_MIN: f64 = 0.34;
/// Causes that are acted on, beside each other.
const CAUSES_MAX: usize = 3;
/// RDS takes a growth of no less than a tenth.
const GROWTH_SHARE: f64 = 0.25;
/// A change so long before the fault is still suspicious.
const CHANGE_WINDOW_MS: u64 = 3_600_000;

/// One act, what it is meant to answer, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub act: Act,
    pub cause: Cause,
    pub why: String,
}

/// What became of the answers to causes.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// It was given, and did not help.
    pub disproved: &'a [Cause],
    /// It was refused: the cause still stands.
    pub barred: &'a [Cause],
    /// Its probe has failed since the last act, whatever it says at the moment.
    pub has_faltered: bool,
}

/// Well at the moment, and dying again and again by all that is seen.
fn is_flapping(tried: Tried, diagnosis: &Diagnosis) -> bool {
    let top = diagnosis.hypotheses.first().filter(|it| it.confidence >= PLAUSIBLE);
    tried.has_faltered
        && top.is_some_and(|it| matches!(it.cause, Cause::CrashLoop | Cause::OomKilled | Cause::MemoryLeak))
}

/// Everything that could be done, the first choice first.
///
/// That the answer to a plausible cause was refused makes a weaker cause no likelier: what would answer that one is
/// not done instead. Only an answer that was given in vain opens the way to it.
pub fn steps(
    seen: &Seen,
    diagnosis: &Diagnosis,
    tried: Tried,
    target: &Target,
    settings: &Settings,
    onset_ms: u64,
) -> Vec<Step> {
    let is_failing =
        seen.is_failing() || !seen.state.is_up() || seen.state.is_impaired() || is_flapping(tried, diagnosis);
    let mut steps: Vec<Step> = Vec::new();
    let mut add = |acts: Vec<Act>, cause: Cause, why: &str| {
        for act in acts {
            let is_new = !steps.iter().any(|step| step.act == act);
            if is_new && (is_failing || !act.is_interrupting()) {
                steps.push(Step { act, cause, why: why.to_owned() });
            }
        }
    };
    let written = |cause: Cause| runbooks(cause, target, settings);
    for (acts, cause, why) in by_state(seen, target) {
        add(written(cause), cause, &why);
        add(acts, cause, &why);
    }
    let is_explained = diagnosis
        .hypotheses
        .iter()
        .any(|it| it.cause.is_fault() && it.confidence >= PLAUSIBLE && !tried.disproved.contains(&it.cause));
    // A new start for want of a name is no answer where a cause has one that was refused.
    let is_nameless = |cause: Cause| !tried.barred.is_empty() && matches!(cause, Cause::ProbeFailure | Cause::Unknown);
    let named_min = if is_explained { PLAUSIBLE } else { NAMED_MIN };
    let mut causes: Vec<(Cause, String)> = diagnosis
        .hypotheses
        .iter()
        .filter(|it| it.cause.is_fault() && it.confidence >= named_min && !is_nameless(it.cause))
        .take(CAUSES_MAX)
        .map(|it| (it.cause, it.favour.first().cloned().unwrap_or_default()))
        .collect();
    if is_failing && !is_nameless(Cause::Unknown) && (causes.is_empty() || diagnosis.top() == Cause::Unknown) {
        // What nothing explains may still be answered by a new start.
        causes.push((Cause::Unknown, "its probe fails, and nothing that was seen says why".into()));
    }
    // What names no cause, shortly after a file was changed: that change is the answer before any new start is.
    if is_failing && causes.first().is_none_or(|(cause, _)| matches!(cause, Cause::ProbeFailure | Cause::Unknown)) {
        let acts = patches(seen, target, settings, onset_ms.saturating_sub(CHANGE_WINDOW_MS));
        let cause =
            if diagnosis.confidence(Cause::ErrorSpikeAfterDeploy) > diagnosis.confidence(Cause::BadConfiguration) {
                Cause::ErrorSpikeAfterDeploy
            } else {
                Cause::BadConfiguration
            };
        if !tried.barred.contains(&cause) {
            add(acts, cause, "it was changed shortly before, and nothing else says why it fails");
        }
    }
    for (cause, why) in causes {
        if diagnosis.confidence(cause) >= PLAUSIBLE {
            // A guess starts no procedure.
            add(written(cause), cause, &why);
        }
        let mut acts = answers(cause, seen, target, settings, onset_ms);
        // A machine is not booted for a pool that others empty, nor where anything else explains it.
        let is_shared = seen.group.is_some() || !target.depends_on.is_empty();
        let is_alone = diagnosis.hypotheses.iter().all(|it| it.cause == cause || it.confidence < NAMED_MIN);
        if cause == Cause::ConnectionExhaustion && (is_shared || !is_alone) {
            acts.retain(|act| *act != Act::Reboot);
        }
        add(acts, cause, &why);
    }
    steps
}

/// What people have written for a cause.
fn runbooks(cause: Cause, target: &Target, settings: &Settings) -> Vec<Act> {
    let choices = settings.shelf.choices(cause, &target.as_runbooks_have_it());
    choices.into_iter().map(|choice| Act::Runbook { choice }).collect()
}

/// What the state alone asks for.
fn by_state(seen: &Seen, target: &Target) -> Vec<(Vec<Act>, Cause, String)> {
    let state = &seen.state;
    match target.kind() {
        Kind::Instance if state.status == "stopped" => {
            vec![(vec![Act::Start], Cause::NodeNotReady, format!("it is stopped ({})", state.why_stopped))]
        }
        // Its own check fails: what runs on it is stuck. The machine's fails: another one helps.
        Kind::Instance if state.system_check == "impaired" => {
            let why = "the status check of the system says `impaired`: the machine below it is ill".to_owned();
            vec![(vec![Act::StopStart, Act::Reboot], Cause::NodeNotReady, why)]
        }
        Kind::Instance if state.instance_check == "impaired" => {
            let why = "the status check of the instance says `impaired`".to_owned();
            vec![(vec![Act::Reboot, Act::StopStart], Cause::NodeNotReady, why)]
        }
        Kind::Database if state.status == "storage-full" => {
            vec![(extend(seen).into_iter().collect(), Cause::StorageFull, "its status is `storage-full`".into())]
        }
        _ => Vec::new(),
    }
}

fn answers(cause: Cause, seen: &Seen, target: &Target, settings: &Settings, onset_ms: u64) -> Vec<Act> {
    match target.kind() {
        Kind::Instance => of_instance(cause, seen, target, settings, onset_ms),
        Kind::Database => of_database(cause, seen, onset_ms),
        Kind::Cluster => of_cluster(cause, seen),
    }
}

fn of_instance(cause: Cause, seen: &Seen, target: &Target, settings: &Settings, onset_ms: u64) -> Vec<Act> {
    let restart = || unit_of(seen, target, settings).map(|unit| Act::RestartUnit { unit });
    let anew = || restart().into_iter().chain([Act::Reboot]).collect::<Vec<_>>();
    match cause {
        Cause::StorageFull => {
            let full = seen.inspection.as_ref().and_then(|it| it.full_disk());
            let logs =
                full.zip(seen.inspection.as_ref()).map(|(disk, inside)| inside.removable(disk, &target.log_files));
            let clear = full.zip(logs).map(|(disk, logs)| Act::ClearLogs { mount: disk.mount.clone(), logs });
            clear.into_iter().filter(|act| !matches!(act, Act::ClearLogs { logs, .. } if logs.is_empty())).collect()
        }
        Cause::BadConfiguration | Cause::ErrorSpikeAfterDeploy => {
            patches(seen, target, settings, 0).into_iter().chain(restart()).collect()
        }
        // A limit, a pool, a path: what ends again and again may do so for what was written shortly before.
        Cause::CrashLoop | Cause::OomKilled | Cause::MemoryLeak => {
            patches(seen, target, settings, onset_ms.saturating_sub(CHANGE_WINDOW_MS))
                .into_iter()
                .chain(anew())
                .collect()
        }
        Cause::ProcessHung
        | Cause::ConnectionExhaustion
        | Cause::LockContention
        | Cause::ProbeFailure
        | Cause::Unknown => anew(),
        Cause::CpuSaturation => scale(seen).into_iter().chain(anew()).collect(),
        // Who has used up a credit or a quota gets no other one by a new start.
        Cause::Throttled => scale(seen).into_iter().collect(),
        Cause::NodeNotReady => vec![Act::Reboot, Act::StopStart],
        _ => Vec::new(),
    }
}

fn of_database(cause: Cause, seen: &Seen, onset_ms: u64) -> Vec<Act> {
    let reboot = Act::RebootDatabase { with_failover: seen.state.is_multi_az };
    let back = || class_before(seen, onset_ms);
    match cause {
        Cause::StorageFull => extend(seen).into_iter().collect(),
        Cause::CpuSaturation | Cause::Throttled => back()
            .or_else(|| larger(&seen.state.class).map(|to| (seen.state.class.clone(), to)))
            .map(change)
            .into_iter()
            .collect(),
        Cause::BadConfiguration | Cause::SlowQuery => back().map(change).into_iter().collect(),
        Cause::ConnectionExhaustion | Cause::MemoryLeak | Cause::OomKilled => {
            back().map(change).into_iter().chain([reboot]).collect()
        }
        Cause::ProcessHung | Cause::LockContention | Cause::NodeNotReady | Cause::Unknown => vec![reboot],
        Cause::DiskIoSaturation | Cause::NetworkPartition if seen.state.is_multi_az => vec![reboot],
        _ => Vec::new(),
    }
}

fn of_cluster(cause: Cause, seen: &Seen) -> Vec<Act> {
    // By name, so that the same look leads to the same choice.
    let mut readers =
        seen.state.members.iter().filter(|(name, is_writer)| !is_writer && seen.neighbours.get(name) == Some(&true));
    let reader = readers.next().map(|(name, _)| name.clone());
    let fail_over = seen.state.writer().zip(reader).map(|(from, to)| Act::FailOver { from: from.to_owned(), to });
    let is_answered = matches!(
        cause,
        Cause::ProcessHung
            | Cause::NodeNotReady
            | Cause::MemoryLeak
            | Cause::OomKilled
            | Cause::ConnectionExhaustion
            | Cause::NetworkPartition
            | Cause::DiskIoSaturation
            | Cause::Unknown
    );
    fail_over.filter(|_| is_answered).into_iter().collect()
}

/// The service's unit: as it is set, or the failed one that bears its name, or the only one that has failed.
fn unit_of(seen: &Seen, target: &Target, settings: &Settings) -> Option<String> {
    if let Some(unit) = settings.cloud.units.get(&target.service) {
        return Some(unit.clone());
    }
    let failed = &seen.inspection.as_ref()?.failed_units;
    let named = failed.iter().find(|unit| unit.contains(&target.service));
    named.or(if failed.len() == 1 { failed.first() } else { None }).cloned()
}

/// Files that are not as they were, where what they were is kept, and that were changed since then.
fn patches(seen: &Seen, target: &Target, settings: &Settings, since_ms: u64) -> Vec<Act> {
    let Some(inspection) = &seen.inspection else { return Vec::new() };
    let unit = unit_of(seen, target, settings);
    let mut patches = Vec::new();
    for change in inspection.changes().into_iter().filter(|change| change.modified_ms >= since_ms) {
        let file = inspection.files.iter().find(|file| file.path == change.path);
        let (Some(patch), Some(file)) = (Patch::back(&change), file) else { continue };
        // One place for each state of the file, so that what is taken back is what was there.
        let stamp: String = file.digest.chars().take(12).collect();
        let backup = format!("{}.pi-host-{stamp}", file.path);
        patches.push(Act::PatchFile { patch, digest: file.digest.clone(), backup, unit: unit.clone() });
    }
    patches
}

fn scale(seen: &Seen) -> Option<Act> {
    let group = seen.group.as_ref().filter(|group| group.desired < group.max)?;
    Some(Act::Scale { group: group.name.clone(), from: group.desired, to: group.desired + 1 })
}

fn extend(seen: &Seen) -> Option<Act> {
    let from_gib = seen.state.allocated_gib.filter(|gib| *gib > 0)?;
    let growth = (from_gib as f64 * GROWTH_SHARE).ceil().max(5.0) as u64;
    Some(Act::ExtendStorage { from_gib, to_gib: from_gib + growth.min(from_gib) })
}

fn change((from, to): (String, String)) -> Act {
    Act::ChangeClass { from, to }
}

/// The class that a change shortly before the fault has taken from it.
fn class_before(seen: &Seen, onset_ms: u64) -> Option<(String, String)> {
    let is_recent = |time: u64| time <= onset_ms + 60_000 && time + CHANGE_WINDOW_MS >= onset_ms;
    let changes = seen.changes.iter().filter(|change| change.name == "ModifyDBInstance" && is_recent(change.time_ms));
    let mut classes = changes.filter_map(|change| {
        let (to, from) = (change.request["dBInstanceClass"].as_str()?, change.response["dBInstanceClass"].as_str()?);
        (to != from && to == seen.state.class).then(|| (to.to_owned(), from.to_owned()))
    });
    classes.next()
}

/// The next larger class of the same family.
fn larger(class: &str) -> Option<String> {
    const SIZES: [&str; 11] = [
        "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge",
        "24xlarge",
    ];
    let (family, size) = class.rsplit_once('.')?;
    let at = SIZES.iter().position(|known| *known == size)?;
    // The burstable families end at 2xlarge.
    let is_last = family.starts_with("db.t") && size == "2xlarge";
    SIZES.get(at + 1).filter(|_| !is_last).map(|next| format!("{family}.{next}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::evidence::{Change, State};
    use pi_sdk::json;

    #[test]
    fn the_next_larger_class_is_of_the_same_family() {
        assert_eq!(larger("db.t3.medium").as_deref(), Some("db.t3.large"));
        assert_eq!(larger("db.r6g.xlarge").as_deref(), Some("db.r6g.2xlarge"));
        assert_eq!(larger("db.t3.2xlarge"), None);
        assert_eq!(larger("db.odd"), None);
    }

    #[test]
    fn storage_grows_by_a_quarter_and_never_more_than_double() {
        let of = |gib| Seen { state: State { allocated_gib: Some(gib), ..State::default() }, ..Seen::default() };
        assert_eq!(extend(&of(100)), Some(Act::ExtendStorage { from_gib: 100, to_gib: 125 }));
        assert_eq!(extend(&of(3)), Some(Act::ExtendStorage { from_gib: 3, to_gib: 6 }));
        assert_eq!(extend(&Seen::default()), None);
    }

    #[test]
    fn a_change_of_class_is_taken_back_only_if_it_came_shortly_before_and_still_stands() {
        let seen = |time_ms, class: &str| Seen {
            state: State { class: class.into(), ..State::default() },
            changes: vec![Change {
                time_ms,
                name: "ModifyDBInstance".into(),
                who: "alice".into(),
                request: json!({ "dBInstanceClass": "db.t3.micro" }),
                response: json!({ "dBInstanceClass": "db.t3.large" }),
            }],
            ..Seen::default()
        };
        let onset = 10 * CHANGE_WINDOW_MS;
        let back = Some(("db.t3.micro".to_owned(), "db.t3.large".to_owned()));
        assert_eq!(class_before(&seen(onset - 600_000, "db.t3.micro"), onset), back);
        assert_eq!(class_before(&seen(onset - 600_000, "db.t3.large"), onset), None);
        assert_eq!(class_before(&seen(onset - 2 * CHANGE_WINDOW_MS, "db.t3.micro"), onset), None);
        assert_eq!(class_before(&seen(onset + 600_000, "db.t3.micro"), onset), None);
    }

    fn target(depends_on: &[&str]) -> Target {
        Target {
            service: "orders".into(),
            place: crate::cloud::Place { account: "a".into(), region: None, kind: Kind::Instance, id: "i-0".into() },
            autonomy: crate::cloud::target::Autonomy::Auto,
            depends_on: depends_on.iter().map(|it| (*it).to_owned()).collect(),
            dependents: Vec::new(),
            config_files: Vec::new(),
            log_files: Vec::new(),
        }
    }

    fn acts(causes: &[(Cause, f64)], disproved: &[Cause], target: &Target) -> Vec<Act> {
        let hypotheses = causes.iter().map(|(cause, confidence)| crate::cause::Hypothesis {
            cause: *cause,
            confidence: *confidence,
            favour: Vec::new(),
            against: Vec::new(),
        });
        let diagnosis = Diagnosis { hypotheses: hypotheses.collect(), ruled_out: Vec::new() };
        // It is not up: whatever answers is offered.
        let tried = Tried { disproved, barred: &[], has_faltered: false };
        let all = steps(&Seen::default(), &diagnosis, tried, target, &Settings::default(), 0);
        all.into_iter().map(|step| step.act).collect()
    }

    #[test]
    fn a_weak_cause_is_acted_on_only_where_no_plausible_one_stands() {
        let causes = [(Cause::BadConfiguration, 0.78), (Cause::ProcessHung, 0.4)];
        assert_eq!(acts(&causes, &[], &target(&[])), []);
        assert_eq!(acts(&causes, &[Cause::BadConfiguration], &target(&[])), [Act::Reboot]);
        assert_eq!(acts(&causes[1..], &[], &target(&[])), [Act::Reboot]);
    }

    #[test]
    fn a_machine_is_not_booted_for_a_pool_that_something_else_may_have_emptied() {
        let alone = [(Cause::ConnectionExhaustion, 0.9)];
        assert_eq!(acts(&alone, &[], &target(&[])), [Act::Reboot]);
        assert_eq!(acts(&alone, &[], &target(&["stock"])), []);
        let beside = [(Cause::ConnectionExhaustion, 0.9), (Cause::CertificateExpired, 0.5)];
        assert_eq!(acts(&beside, &[], &target(&[])), []);
    }
}
