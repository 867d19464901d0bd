//! The loop for a target in the cloud: look, judge, act, prove; until it works, or was never ill, or a person has to
//! go on. How far it goes is the target's autonomy.
//!
//! An act is begun at most once in an incident, whatever becomes of it: what is refused, failed, or did not help is
//! not tried again, and the next answer is.

use std::collections::{BTreeMap, BTreeSet};

use pi_diagnosis::{Diagnostician, Knowledge};
use pi_sdk::{Outcome, Status, Value, json};

use super::act::Act;
use super::evidence::{Seen, merge, since};
use super::inspect::{self, Inspection};
use super::observe::{Look, observe};
use super::plan::{Step, Tried, steps};
use super::target::{Autonomy, Kind, Target};
use super::verify::{Symptom, described, prove, symptoms};
use crate::act::{Deed, Ended};
use crate::cause::{Cause, Hypothesis};
use crate::counsel::{self, OPINIONS_MAX, Opinion, is_doubtful, ranked};
use crate::facts::Description;
use crate::heal::Incident;
use crate::incident::{Action, Record, Verdict};
use crate::orient::{Diagnosis, PLAUSIBLE, quote};
use crate::runbook::{Choice, Followed, touched};
use crate::settings::Settings;
use crate::world::{Level, World};

/// Proposals that a person is shown.
const PROPOSALS_MAX: usize = 3;
/// Waits for what changes without us, in one incident.
const WAITS_MAX: u32 = 3;
const WAIT_LOOKS: u32 = 60;
const WAIT_POLL_MS: (u32, u32) = (500, 5_000);
/// So often metrics, alarms and logs are looked at while they follow a probe that is well again.
const SIGNS_LOOKS: u32 = 12;
const SIGNS_POLL_MS: (u32, u32) = (1_000, 15_000);
/// How often an act is begun that another session's hold keeps back.
const HELD_MAX: u32 = 10;

/// The trail has an act of ours so far from the end that we have noted of it.
const OWN_CHANGE_MS: u64 = 10_000;

/// A dependency was seen to be down: that is seen, and not concluded.
const DEPENDENCY_CONFIDENCE: f64 = 0.8;
/// Said of what took effect and did not help.
const IN_VAIN: &str = " (which did not help)";
/// Chains of dependencies that are followed, each link a target of its own.
const DEPTH_MAX: u32 = 3;

/// Work on `incident`, whose target is in the cloud, to its end.
pub fn heal(
    world: &mut dyn World,
    incident: Incident,
    target: Target,
    services: &[Description],
    gaps: Vec<String>,
    settings: Settings,
) -> Outcome {
    let knowledge = match Knowledge::embedded() {
        Ok(knowledge) => knowledge,
        Err(error) => {
            let record = Record::new(incident.id, incident.alert, incident.target, gaps);
            return broken(&record, &target, &error.to_string());
        }
    };
    let mut record = Record::new(incident.id.clone(), incident.alert.clone(), incident.target.clone(), gaps);
    let now = world.now_ms();
    let first = format!("`{}` was first seen to fail", incident.target);
    record.tell(incident.onset_ms.min(now), "first failure", first);
    heal_target(
        world,
        &Case { knowledge: &knowledge, services, settings: &settings, depth: 0 },
        incident,
        target,
        record,
    )
    .outcome
}

/// What all targets of one incident have in common.
struct Case<'a> {
    knowledge: &'a Knowledge,
    services: &'a [Description],
    settings: &'a Settings,
    depth: u32,
}

fn heal_target(
    world: &mut dyn World,
    case: &Case,
    incident: Incident,
    mut target: Target,
    mut record: Record,
) -> Healed {
    let begin_ms = world.now_ms();
    let words = format!("the agent took it up: {}, autonomy `{}`", target.words(), target.autonomy.name());
    record.tell(begin_ms, "begin", words);
    let settings = case.settings.clone();
    let more = settings.cloud.config_files.get(&target.service).into_iter().flatten();
    let more: Vec<String> = more.filter(|path| !target.config_files.contains(path)).cloned().collect();
    target.config_files.extend(more);
    let mut healer = Healer {
        judge: Diagnostician::new(case.knowledge),
        case,
        wants_inspection: false,
        inspection: None,
        is_inspection_barred: false,
        since_ms: incident.onset_ms.saturating_sub(u64::from(settings.cloud.window_ms)),
        world,
        settings,
        target,
        incident,
        record,
        begin_ms,
        tried: Vec::new(),
        treated: Vec::new(),
        disproved: Vec::new(),
        barred: Vec::new(),
        done: Vec::new(),
        attempts: 0,
        waits: 0,
        last_act_ms: None,
        has_failed: false,
        is_watched: false,
        opinion: Opinion::default(),
        opinions: 0,
        opinion_of: None,
        held: 0,
        owed: None,
        healed: Vec::new(),
        answering_ms: None,
        faltered_ms: None,
        well_ms: None,
        life_ms: 0,
        needed: BTreeSet::new(),
        recovered_ms: None,
        undated: BTreeSet::new(),
        followed: None,
        advice: BTreeMap::new(),
    };
    let outcome = healer.run();
    Healed { outcome, record: healer.record, also: healer.healed }
}

/// What came of one target.
struct Healed {
    outcome: Outcome,
    record: Record,
    /// Services that were changed beside it.
    also: Vec<String>,
}

struct Healer<'w> {
    world: &'w mut dyn World,
    case: &'w Case<'w>,
    settings: Settings,
    target: Target,
    incident: Incident,
    record: Record,
    judge: Diagnostician<'w>,
    /// What was written before is not held against the target any more.
    since_ms: u64,
    begin_ms: u64,
    /// The instance itself is looked at with the next look. A command counts as an act, which a person may be asked
    /// about: so it is sent once in an incident, and only where the rest does not decide.
    wants_inspection: bool,
    inspection: Option<Inspection>,
    is_inspection_barred: bool,
    /// Keys of acts that were begun, refused or proved useless.
    tried: Vec<String>,
    treated: Vec<Cause>,
    disproved: Vec<Cause>,
    /// Causes an answer to which was refused: they still stand, whatever else was done in vain.
    barred: Vec<Cause>,
    /// In words, what took effect and stands.
    done: Vec<String>,
    attempts: u32,
    waits: u32,
    last_act_ms: Option<u64>,
    has_failed: bool,
    /// The fault was watched for a while before the first act.
    is_watched: bool,
    opinion: Opinion,
    opinions: u32,
    opinion_of: Option<usize>,
    /// Acts that another session's hold has kept back.
    held: u32,
    /// How it was before an act of which it is not proved that it has helped, and what has to be well for that.
    owed: Option<(Seen, Vec<Symptom>)>,
    /// Dependencies that were worked on, and services that a call has named beside the target: all have to be proved.
    healed: Vec<String>,
    /// Since when every look has found the probe well.
    answering_ms: Option<u64>,
    /// When a probe was last seen to fail.
    faltered_ms: Option<u64>,
    /// When it was last seen to get well, and the longest that it then was so before it failed again.
    well_ms: Option<u64>,
    life_ms: u64,
    /// Dependencies that were seen not to work.
    needed: BTreeSet<String>,
    /// The probe got well then. What was written before is of the past, and metrics and alarms are yet to follow.
    recovered_ms: Option<u64>,
    /// Lines without a time that were there when it recovered.
    undated: BTreeSet<(String, String)>,
    /// The runbook that was followed last.
    followed: Option<Followed>,
    /// What people should know about the causes that were named.
    advice: BTreeMap<Cause, String>,
}

/// What the next round begins with.
enum Next {
    Again,
    End(Outcome),
}

impl Healer<'_> {
    fn run(&mut self) -> Outcome {
        let rounds_max = 2 * self.settings.attempts_max + HELD_MAX + 8;
        let mut has_failed_to_prove = false;
        let mut rounds = 0;
        while rounds < rounds_max {
            let (seen, diagnosis) = self.look();
            if let Some(why) = seen.gone.clone() {
                return self.gone(&seen, &why);
            }
            if self.now_after_begin() >= u64::from(self.settings.cloud.incident_ms_max) {
                return self.escalate(&seen, &diagnosis, "the time for this incident is used up");
            }
            let is_following = self.recovered_ms.is_some_and(|at| self.follows(at));
            // Where it has just recovered, a later look says whether anything new was written.
            let is_settled = !is_following
                || (self.recovered_ms < Some(seen.time_ms) && seen.alarms.iter().all(|alarm| !alarm.is_on));
            if looks_well(&seen, &diagnosis) && !has_failed_to_prove && is_settled {
                if let Next::End(outcome) = self.prove_untouched(&seen) {
                    return outcome;
                }
                has_failed_to_prove = true;
                continue;
            }
            let is_needy = seen.dependencies.values().any(|is_well| !is_well);
            if self.recovered_ms.is_some() && !is_needy && self.wait_for_signs(&seen) {
                has_failed_to_prove = false;
                continue;
            }
            rounds += 1;
            if self.wait_for_others(&seen) {
                continue;
            }
            if self.heal_dependency(&seen) {
                continue;
            }
            if is_needy {
                if self.wait_for_signs(&seen) {
                    continue;
                }
                return self.escalate(&seen, &diagnosis, "what it needs does not work, and has to be healed first");
            }
            match self.answer(&seen, diagnosis) {
                Next::Again => has_failed_to_prove = false,
                Next::End(outcome) => return outcome,
            }
        }
        let (seen, diagnosis) = self.look();
        self.escalate(&seen, &diagnosis, "it was looked at as often as one incident may be")
    }

    /// Metrics and alarms may still be on their way to a target that is well since then.
    fn follows(&mut self, since_ms: u64) -> bool {
        self.world.now_ms() < since_ms.saturating_add(u64::from(self.settings.cloud.metric_ms_max))
    }

    /// The probe is well, and something else still speaks of a fault: metrics and alarms follow a recovery by minutes.
    /// False: the probe is not well, or they had their time.
    fn wait_for_signs(&mut self, seen: &Seen) -> bool {
        let Some(since_ms) = self.answering_ms.filter(|_| seen.is_answering()) else { return false };
        if !self.follows(since_ms) {
            return false;
        }
        if self.recovered_ms.is_none() {
            self.recover(seen);
        }
        let (least, most) = SIGNS_POLL_MS;
        let poll_ms = (self.settings.cloud.metric_ms_max / SIGNS_LOOKS).clamp(least, most);
        self.world.sleep(poll_ms);
        true
    }

    /// What was written up to now is of before the probe was well.
    fn recover(&mut self, seen: &Seen) {
        self.recovered_ms = Some(seen.time_ms);
        self.record.tell(seen.time_ms, "recovered", "its probe is well: metrics, alarms and logs get time to follow");
        let undated = seen.incident.logs.iter().filter(|line| line.time.is_none());
        self.undated = undated.map(|line| (line.source.clone(), line.message.clone())).collect();
    }

    /// Follow the probe through looks: when it got well, or that it is not well any more.
    fn follow_probe(&mut self, seen: &Seen) {
        let probes: Vec<(u64, bool)> =
            seen.subject.probes.iter().map(|(time_ms, probe)| (*time_ms, probe.healthy)).collect();
        self.follow_lives(&probes);
        if !seen.is_answering() {
            (self.answering_ms, self.recovered_ms) = (None, None);
            return;
        }
        self.answering_ms.get_or_insert(seen.time_ms);
        if self.has_failed && self.recovered_ms.is_none() {
            self.recover(seen);
        }
    }

    /// What the trail tells of our own acts is no evidence of anybody else's.
    fn drop_own_changes(&self, seen: &mut Seen) {
        let calls: Vec<(String, u64)> = self
            .record
            .actions
            .iter()
            .filter_map(|action| {
                let operation = action.deed.call.arguments["operation"].as_str()?;
                Some((operation.split_once(':')?.1.to_owned(), action.deed.time_ms))
            })
            .collect();
        let begin_ms = self.begin_ms;
        let is_own = |name: &str, time_ms: u64| {
            // A look at the instance is sent as a command as well, and is kept nowhere.
            let is_look = name == "SendCommand" && time_ms >= begin_ms;
            is_look || calls.iter().any(|(own, at)| own == name && time_ms.abs_diff(*at) <= OWN_CHANGE_MS)
        };
        seen.changes.retain(|change| !is_own(&change.name, change.time_ms));
        seen.incident.events.retain(|event| {
            let time_ms = event.time.and_then(|time| u64::try_from(time.0).ok());
            let name = event.message.split(' ').next().unwrap_or_default();
            event.source != "cloudtrail" || time_ms.is_none_or(|time_ms| !is_own(name, time_ms))
        });
    }

    /// How long it lives between two failures: a proof has to be longer than that.
    fn follow_lives(&mut self, probes: &[(u64, bool)]) {
        for (time_ms, is_healthy) in probes {
            if *is_healthy {
                self.well_ms.get_or_insert(*time_ms);
            } else {
                self.faltered_ms = Some(*time_ms);
                let life_ms = self.well_ms.take().map_or(0, |since| time_ms.saturating_sub(since));
                self.life_ms = self.life_ms.max(life_ms);
            }
        }
    }

    /// What the judgement is made of: of a target that has recovered, only what came afterwards.
    fn evidence(&self, seen: &Seen) -> pi_diagnosis::Incident {
        let mut evidence = since(&seen.incident, self.since_ms.max(self.recovered_ms.unwrap_or(0)));
        if self.recovered_ms.is_some() {
            evidence.logs.retain(|line| {
                line.time.is_some() || !self.undated.contains(&(line.source.clone(), line.message.clone()))
            });
            // The alert told of what was.
            evidence.alert.title.clear();
            evidence.alert.annotations.clear();
        }
        evidence
    }

    fn now_after_begin(&mut self) -> u64 {
        self.world.now_ms().saturating_sub(self.begin_ms)
    }

    /// Look, judge, and write both down.
    fn look(&mut self) -> (Seen, Diagnosis) {
        let look = Look {
            target: &self.target,
            settings: &self.settings,
            alert: &self.incident.alert,
            id: &self.incident.id,
            onset_ms: self.incident.onset_ms,
            with_inspection: self.wants_inspection && self.target.autonomy.may_act(),
            also: &self.healed,
        };
        let is_sent = look.with_inspection;
        let mut seen = observe(self.world, &look);
        if is_sent {
            self.wants_inspection = false;
            self.is_inspection_barred = seen.inspection.is_none();
        }
        match &seen.inspection {
            Some(inspection) => self.inspection = Some(inspection.clone()),
            // What it showed before is what acts rest on; each looks again before it changes anything.
            None => seen.inspection.clone_from(&self.inspection),
        }
        for gap in &seen.gaps {
            self.record.miss(gap);
        }
        self.needed.extend(seen.dependencies.iter().filter(|(_, is_well)| !**is_well).map(|(name, _)| name.clone()));
        self.drop_own_changes(&mut seen);
        self.follow_probe(&seen);
        let found = self.judge.diagnose(&self.evidence(&seen));
        let mut diagnosis = Diagnosis {
            hypotheses: found
                .hypotheses
                .iter()
                .map(|it| Hypothesis {
                    cause: it.root_cause,
                    confidence: if it.root_cause == found.root_cause { found.confidence } else { it.confidence },
                    favour: it.favour.clone(),
                    against: it.against.clone(),
                })
                .collect(),
            ruled_out: found.ruled_out.clone(),
        };
        // What the diagnosis does not name is not the first of the hypotheses.
        diagnosis.hypotheses.sort_by_key(|it| it.cause != found.root_cause);
        if found.root_cause == Cause::Unknown && !diagnosis.hypotheses.iter().any(|it| it.cause == Cause::Unknown) {
            let unknown = Hypothesis {
                cause: Cause::Unknown,
                // What is not known is certain of nothing.
                confidence: 0.0,
                favour: vec!["what was seen does not name a cause".into()],
                against: Vec::new(),
            };
            diagnosis.hypotheses.insert(0, unknown);
        }
        // That nothing happened is no gap, where whoever knows was asked.
        let is_told = !seen.gaps.iter().any(|gap| gap.contains("LookupEvents") || gap.contains("DescribeEvents"));
        for gap in found.gaps.iter().filter(|gap| !is_told || !gap.starts_with("no events")) {
            self.record.miss(gap);
        }
        self.advice.insert(found.root_cause, found.advice.clone());
        self.has_failed |= seen.subject.failed_probes() > 0;
        match &mut self.record.seen {
            Some(all) => merge(all, &seen.incident),
            none => *none = Some(seen.incident.clone()),
        }
        let top = diagnosis.hypotheses.first();
        let reason = top.map(|it| it.favour.join("; ")).unwrap_or_default();
        let words = format!("most likely {} ({:.2}): {reason}", diagnosis.top(), top.map_or(0.0, |it| it.confidence));
        self.say(Level::Info, &format!("{}: {words}", self.target.service));
        self.record.tell(seen.time_ms, "diagnosis", words);
        self.record.diagnoses.push((seen.time_ms, diagnosis.clone()));
        (seen, diagnosis)
    }

    /// It works, and nothing was done to it: only a row of probes says so.
    fn prove_untouched(&mut self, seen: &Seen) -> Next {
        let owed = self.owed.take();
        let (before, symptoms) = owed.as_ref().map_or((None, &[][..]), |(before, symptoms)| (Some(before), symptoms));
        let is_proved = self.prove_with(before, symptoms, true, &mut Vec::new());
        self.owed = owed;
        if let Some(last) = self.done.last_mut().filter(|_| is_proved) {
            // The proof came after the last act, late: it did help.
            last.truncate(last.strip_suffix(IN_VAIN).map_or(last.len(), str::len));
        }
        if is_proved { Next::End(self.finish(seen)) } else { Next::Again }
    }

    /// Wait for what changes without us: a state that passes, a dependency in other hands. False: there is none.
    fn wait_for_others(&mut self, seen: &Seen) -> bool {
        let sick = seen.dependencies.iter().find(|(_, is_well)| !**is_well).map(|(name, _)| name.clone());
        let (name, ms, why) = match sick {
            _ if self.waits >= WAITS_MAX => return false,
            Some(name) if self.waits == 0 => {
                let why = format!("`{name}`, which it needs, does not work, and may be in other hands");
                (name, self.settings.other_hands_ms(), why)
            }
            None if seen.state.is_in_transition() => {
                let why = format!("its state is `{}`, which passes", seen.state.status);
                (self.target.service.clone(), self.settings.cloud.settle_ms_max, why)
            }
            // A fault may pass by itself; how long that is waited for is settled once.
            None if !self.is_watched && self.settings.persist_ms > 0 && seen.state.is_up() => {
                self.is_watched = true;
                (self.target.service.clone(), self.settings.persist_ms, "the fault may pass by itself".to_owned())
            }
            _ => return false,
        };
        // Watching it is no wait for anybody else.
        self.waits += u32::from(!why.ends_with("by itself"));
        let begin = self.world.now_ms();
        self.record.tell(begin, "wait", format!("up to {ms} ms for `{name}`: {why}"));
        let wait_ms = u64::from(ms);
        loop {
            let answer = self.world.call_one(crate::world::Call::new("service_probe", json!({ "name": name })));
            let is_well = answer.is_ok_and(|probe| probe["healthy"] == json!(true));
            let is_steady = !seen.state.is_in_transition()
                || super::observe::state(self.world, &self.target).is_some_and(|state| !state.is_in_transition());
            let passed = self.world.now_ms().saturating_sub(begin);
            if is_well && name != self.target.service {
                // What its own words said while that was down is explained.
                self.since_ms = self.world.now_ms();
            }
            if (is_well && is_steady) || passed >= wait_ms || (seen.state.is_in_transition() && is_steady) {
                return true;
            }
            let rest = u32::try_from(wait_ms - passed).unwrap_or(u32::MAX);
            let (least, most) = WAIT_POLL_MS;
            self.world.sleep((ms / WAIT_LOOKS).clamp(least, most).min(rest));
        }
    }

    /// Heal what it needs, where that is in the cloud as well, as far as its own autonomy goes. False: there is nothing
    /// of that kind, or it was tried.
    fn heal_dependency(&mut self, seen: &Seen) -> bool {
        let sick = seen.dependencies.iter().filter(|(_, is_well)| !**is_well).map(|(name, _)| name);
        let mut targets =
            sick.filter(|name| !self.healed.contains(name)).filter_map(|name| Target::of(name, self.case.services));
        let Some(target) = targets.next().filter(|_| self.case.depth < DEPTH_MAX) else { return false };
        drop(targets);
        let name = target.service.clone();
        self.healed.push(name.clone());
        let incident = Incident { target: name.clone(), ..self.incident.clone() };
        let record = std::mem::take(&mut self.record);
        let target_before = record.target.clone();
        let case = Case { depth: self.case.depth + 1, ..*self.case };
        let Healed { outcome, mut record, also } = heal_target(self.world, &case, incident, target, record);
        self.prove_also(also);
        record.target = target_before;
        self.record = record;
        let now = self.world.now_ms();
        self.record.tell(now, "dependency", format!("`{name}`: {}", outcome.summary));
        if outcome.status == Status::Done {
            self.last_act_ms = Some(now);
            self.done.push(format!("healed `{name}`, which it needs"));
            if !self.treated.contains(&Cause::DependencyDown) {
                self.treated.push(Cause::DependencyDown);
            }
        }
        // What its own words said while that was down is explained.
        self.since_ms = now;
        true
    }

    /// Do, or propose, what answers the diagnosis.
    fn answer(&mut self, seen: &Seen, diagnosis: Diagnosis) -> Next {
        let is_open = is_doubtful(&diagnosis);
        let ranking: Vec<Cause> =
            self.opinion.ranking.iter().copied().filter(|cause| !self.disproved.contains(cause)).collect();
        let diagnosis = if is_open { ranked(diagnosis, &ranking) } else { diagnosis };
        let since_ms = self.last_act_ms.unwrap_or(0);
        let has_faltered = self.faltered_ms.is_some_and(|at| at >= since_ms);
        let tried = Tried { disproved: &self.disproved, barred: &self.barred, has_faltered };
        let all = steps(seen, &diagnosis, tried, &self.target, &self.settings, self.incident.onset_ms);
        let mut open: Vec<Step> = Vec::new();
        let tried = self.tried.clone();
        for step in all.into_iter().filter(|step| !tried.contains(&step.act.key())) {
            match step.act.check(seen, &self.target) {
                Ok(()) => open.push(step),
                Err(why) => {
                    let words = format!("not possible: {}: {why}", step.act.words(&self.target));
                    self.record.tell(seen.time_ms, "precondition", words);
                    // A person may see it otherwise.
                    if self.record.proposals.len() < PROPOSALS_MAX
                        && self.target.autonomy > Autonomy::Observe
                        && open.is_empty()
                    {
                        self.propose(seen, &step);
                    }
                }
            }
        }
        // Where the rest does not decide, or nothing is left to do, the instance itself is looked at.
        let is_untold = seen.inspection.is_none() && seen.is_managed == Some(true) && !self.is_inspection_barred;
        // What fills a disk, and what a file was before, shows nowhere else.
        let is_inside =
            matches!(diagnosis.top(), Cause::StorageFull | Cause::BadConfiguration | Cause::ErrorSpikeAfterDeploy);
        if is_untold && self.target.autonomy.may_act() && (is_open || is_inside || open.is_empty()) {
            self.wants_inspection = true;
            return Next::Again;
        }
        if (is_open || open.is_empty()) && self.ask(&diagnosis) {
            return Next::Again;
        }
        if open.is_empty() {
            open.extend(self.proposed(seen, &diagnosis));
        }
        if !self.target.autonomy.may_act() {
            let has_proposals = self.target.autonomy == Autonomy::Propose && !open.is_empty();
            if !has_proposals && self.wait_for_signs(seen) {
                return Next::Again;
            }
            return Next::End(self.hand_in(seen, &diagnosis, &open));
        }
        let Some(step) = open.into_iter().next() else {
            if self.wait_for_signs(seen) {
                return Next::Again;
            }
            return Next::End(self.escalate(seen, &diagnosis, "no act within reach answers what was found"));
        };
        if self.attempts >= self.settings.attempts_max {
            if self.wait_for_signs(seen) {
                return Next::Again;
            }
            return Next::End(self.escalate(seen, &diagnosis, "the attempts for this incident are used up"));
        }
        if let Act::Runbook { choice } = &step.act
            && choice.is_proposal()
        {
            self.propose(seen, &step);
            let reason =
                format!("the runbook `{}` answers what was found, and leaves changes to a person", choice.name());
            return Next::End(self.escalate(seen, &diagnosis, &reason));
        }
        self.act(seen, &diagnosis, &step)
    }

    /// What a model proposes where no rule knows an act.
    fn proposed(&mut self, seen: &Seen, diagnosis: &Diagnosis) -> Option<Step> {
        let proposal = self.opinion.proposal.clone().filter(|_| self.opinion_of == Some(self.record.actions.len()))?;
        let act = Act::Proposed { proposal };
        if self.tried.contains(&act.key()) {
            return None;
        }
        let why = format!("a model proposes it: {}", self.opinion.reason);
        match act.check(seen, &self.target) {
            Ok(()) => Some(Step { act, cause: diagnosis.top(), why }),
            Err(reason) => {
                self.tried.push(act.key());
                self.record.tell(
                    seen.time_ms,
                    "precondition",
                    format!("not possible: {}: {reason}", act.words(&self.target)),
                );
                None
            }
        }
    }

    /// Ask a model, where one is granted, once after each act. False: nobody was asked.
    fn ask(&mut self, diagnosis: &Diagnosis) -> bool {
        let state = Some(self.record.actions.len());
        if self.opinions >= OPINIONS_MAX || self.opinion_of == state {
            return false;
        }
        let top = diagnosis.top();
        let verdict = Verdict {
            cause: top,
            confidence: diagnosis.confidence(top),
            contributing: Vec::new(),
            next_steps: Vec::new(),
        };
        let evidence = self.record.details(&verdict);
        let name = format!("{} ({})", self.target.service, self.target.words());
        let Some(asked) = counsel::ask(self.world, &name, &evidence) else { return false };
        self.opinion_of = state;
        self.opinions += 1;
        let now = self.world.now_ms();
        match asked {
            Ok(opinion) => {
                let first = opinion.ranking.first().map_or("no cause", |cause| cause.name());
                let words = format!("a model thinks of {first} first: {}", quote(&opinion.reason));
                self.say(Level::Info, &words);
                self.record.tell(now, "opinion", words);
                self.opinion = opinion;
            }
            Err(error) => {
                self.say(Level::Warn, &error);
                self.record.tell(now, "no opinion", error);
                self.opinion = Opinion::default();
            }
        }
        true
    }

    fn act(&mut self, seen: &Seen, diagnosis: &Diagnosis, step: &Step) -> Next {
        self.cool_down();
        let words = step.act.words(&self.target);
        self.say(Level::Info, &format!("{words}: {}", step.cause));
        let symptoms = symptoms(seen, step.cause, self.target.id(), self.incident.onset_ms);
        let first = self.record.actions.len();
        let ended = self.perform(seen, step, false);
        self.tried.push(step.act.key());
        let now = self.world.now_ms();
        match &ended {
            Ended::Barred(text) => {
                self.say(Level::Warn, &format!("{words}: {text}"));
                self.record.tell(now, "refused", format!("{words}: {text}"));
                self.propose(seen, step);
                if step.cause.is_fault() && !self.barred.contains(&step.cause) {
                    self.barred.push(step.cause);
                }
                return Next::Again;
            }
            Ended::Held(text) => {
                // It may be done later: who holds the target is at it.
                self.tried.retain(|key| *key != step.act.key());
                self.record.tell(now, "held", format!("{words}: {text}"));
                self.held += 1;
                if self.held > HELD_MAX {
                    return Next::End(self.escalate(seen, diagnosis, "another session works on it, and has not ended"));
                }
                self.world.sleep(self.settings.other_hands_ms().max(self.settings.cloud.cooldown_ms));
                return Next::Again;
            }
            Ended::Failed(text) => self.record.tell(now, "failed", format!("{words}: {text}")),
            Ended::Done => {
                self.record.tell(now, "action", words.clone());
                self.done.push(words.clone());
            }
        }
        self.attempts += 1;
        self.last_act_ms = Some(now);
        (self.answering_ms, self.recovered_ms) = (None, None);
        if !self.treated.contains(&step.cause) {
            self.treated.push(step.cause);
        }
        if ended == Ended::Done && self.has_no_room(&step.act) {
            self.record.tell(now, "not verified", format!("{words}: the disk is as full as it was"));
            self.take_back_claim(step.cause, &words);
            self.since_ms = now;
            return Next::Again;
        }
        // What failed may have taken effect all the same: the proof tells.
        let harm = match self.prove_after(seen, &symptoms) {
            Ok(()) => return Next::End(self.finish(seen)),
            Err(harm) => harm,
        };
        self.owed = Some((seen.clone(), symptoms));
        // What was not done has disproved nothing.
        if ended == Ended::Done {
            self.take_back_claim(step.cause, &words);
            self.undo(seen, step, first, &harm);
        }
        self.since_ms = self.world.now_ms();
        Next::Again
    }

    fn take_back_claim(&mut self, cause: Cause, words: &str) {
        if !self.disproved.contains(&cause) && !self.barred.contains(&cause) {
            self.disproved.push(cause);
        }
        // What took effect stays done; that it healed is not claimed.
        if let Some(done) = self.done.iter_mut().find(|done| *done == words) {
            done.push_str(IN_VAIN);
        }
    }

    /// Do it, and write every call down.
    fn perform(&mut self, seen: &Seen, step: &Step, is_inverse: bool) -> Ended {
        let about = step.act.described(seen, &self.target, &self.settings);
        let mut deeds = Vec::new();
        let ended = match &step.act {
            Act::Runbook { choice } => self.follow(choice, is_inverse, &mut deeds),
            act => act.perform(self.world, &self.target, seen, &self.settings, &mut deeds),
        };
        let mut diff = about["diff"].as_str().map(str::to_owned);
        if !matches!(ended, Ended::Barred(_) | Ended::Held(_)) {
            let calls = match &step.act {
                Act::Runbook { .. } => deeds.iter().map(|deed| deed.call.clone()).collect(),
                act => act.calls(&self.target, &self.settings),
            };
            self.prove_also(self.target.named_in(&calls, self.case.services));
            if matches!(step.act, Act::Runbook { .. }) {
                self.prove_also(touched(&deeds, self.case.services));
            }
        }
        for deed in deeds {
            self.record.did(Action {
                deed,
                cause: step.cause,
                why: step.why.clone(),
                diff: diff.take(),
                is_undone: false,
                is_inverse,
                about: Some(about.clone()),
            });
        }
        ended
    }

    /// Follow a runbook to its end, or take back what it has done.
    fn follow(&mut self, choice: &Choice, is_inverse: bool, deeds: &mut Vec<Deed>) -> Ended {
        let before = self.followed.take().filter(|_| is_inverse);
        let followed = match before {
            Some(mut followed) => {
                followed.ended = match followed.take_back(self.world, deeds) {
                    Some(true) => Ended::Done,
                    _ => Ended::Failed(followed.summary()),
                };
                followed
            }
            None => match choice.follow(self.world, deeds) {
                Ok(followed) => followed,
                Err(why) => return Ended::Failed(why),
            },
        };
        self.record.followed(followed.told());
        let now = self.world.now_ms();
        self.record.tell(now, "runbook", followed.summary());
        let ended = match &followed.ended {
            // What it has found needless is no repair of ours.
            Ended::Done | Ended::Failed(_) if !followed.has_effect => Ended::Barred(followed.summary()),
            ended => ended.clone(),
        };
        self.followed = Some(followed);
        ended
    }

    /// These services have to be proved well beside the target.
    fn prove_also(&mut self, services: Vec<String>) {
        for name in services {
            if name != self.target.service && !self.healed.contains(&name) {
                self.healed.push(name);
            }
        }
    }

    /// Of making room the command itself says whether there is any.
    fn has_no_room(&self, act: &Act) -> bool {
        let Act::ClearLogs { mount, .. } = act else { return false };
        let printed = self.record.actions.last().and_then(|action| action.deed.result.as_ref().ok());
        let out = printed.and_then(|printed| printed["out"].as_str()).unwrap_or_default();
        inspect::is_full(out, mount)
    }

    fn prove_after(&mut self, before: &Seen, symptoms: &[Symptom]) -> Result<(), Vec<String>> {
        self.record.symptoms = described(symptoms);
        let mut harm = Vec::new();
        if self.prove_with(Some(before), symptoms, false, &mut harm) { Ok(()) } else { Err(harm) }
    }

    fn prove_with(
        &mut self,
        before: Option<&Seen>,
        symptoms: &[Symptom],
        is_untouched: bool,
        harm: &mut Vec<String>,
    ) -> bool {
        let factor = if is_untouched || self.treated.is_empty() { 2 } else { 1 };
        let since_ms = self.last_act_ms.unwrap_or(self.begin_ms);
        let look = Look {
            target: &self.target,
            settings: &self.settings,
            alert: &self.incident.alert,
            id: &self.incident.id,
            onset_ms: self.incident.onset_ms,
            // A command counts as a change, and the row of probes has to come after the last one.
            with_inspection: false,
            also: &self.healed,
        };
        let life_ms = self.life_ms.saturating_mul(3) / 2;
        let proved =
            prove(self.world, &look, before, symptoms, self.settings.verify_probes * factor, since_ms, life_ms);
        let proof = proved.proof;
        let own = proof.probes.iter().filter(|it| it.service == self.target.service);
        let probes: Vec<(u64, bool)> = own.map(|it| (it.time_ms, it.result.healthy)).collect();
        self.follow_lives(&probes);
        for gap in &proved.gaps {
            self.record.miss(gap);
        }
        if let (Some(all), Some(seen)) = (&mut self.record.seen, &proved.seen) {
            merge(all, &seen.incident);
        }
        let is_passed = proof.is_passed;
        if is_passed {
            if let Some(since) = proof.since_ms {
                self.record.tell(since, "mitigated", "the first of the healthy probes in a row");
            }
            self.record.tell(proof.time_ms, "verified", format!("{} healthy probes in a row", proof.required));
        } else {
            self.has_failed |= proof.probes.iter().any(|it| !it.result.healthy);
            self.record.tell(proof.time_ms, "not verified", proof.reason.clone());
        }
        self.record.proved(proof);
        *harm = proved.harm;
        is_passed
    }

    /// Take back what did not help, where there is a way back.
    fn undo(&mut self, seen: &Seen, step: &Step, first: usize, harm: &[String]) {
        if let Act::Runbook { .. } = &step.act {
            return self.undo_runbook(seen, step, first);
        }
        let Some(inverse) = step.act.inverse().filter(|_| step.act.is_taken_back(!harm.is_empty())) else {
            return;
        };
        let why = if harm.is_empty() {
            "it did not help, so it is taken back".to_owned()
        } else {
            format!("it did harm ({}), so it is taken back", harm.join(", "))
        };
        let words = inverse.words(&self.target);
        let back = Step { act: inverse, cause: step.cause, why: why.clone() };
        let end = self.record.actions.len();
        let ended = self.perform(seen, &back, true);
        let now = self.world.now_ms();
        self.last_act_ms = Some(now);
        if ended == Ended::Done {
            for action in self.record.actions.iter_mut().take(end).skip(first) {
                action.is_undone = true;
            }
            self.record.tell(now, "undone", format!("{words}: {why}"));
        } else {
            self.say(Level::Warn, &format!("could not be taken back: {words}"));
            self.record.tell(now, "failed", format!("could not be taken back: {words}"));
        }
    }

    /// Take a runbook back as far as its steps say how.
    fn undo_runbook(&mut self, seen: &Seen, step: &Step, first: usize) {
        if !self.followed.as_ref().is_some_and(Followed::has_way_back) {
            return;
        }
        let words = step.act.words(&self.target);
        let back = Step { why: "it did not help, so it is taken back".into(), ..step.clone() };
        let end = self.record.actions.len();
        let ended = self.perform(seen, &back, true);
        let now = self.world.now_ms();
        self.last_act_ms = Some(now);
        let Some(followed) = &self.followed else { return };
        for action in self.record.actions.iter_mut().take(end).skip(first) {
            action.is_undone = action.deed.note.as_ref().is_some_and(|note| followed.has_undone(note));
        }
        let (kind, what) = match ended {
            Ended::Done => ("undone", "it did not help, and what has a way back was taken back"),
            _ => ("failed", "it did not help, and not all of it could be taken back"),
        };
        self.record.tell(now, kind, format!("{words}: {what}"));
    }

    fn cool_down(&mut self) {
        let Some(last) = self.last_act_ms else { return };
        let passed = self.world.now_ms().saturating_sub(last);
        let rest = u64::from(self.settings.cloud.cooldown_ms).saturating_sub(passed);
        if rest > 0 {
            self.world.sleep(u32::try_from(rest).unwrap_or(u32::MAX));
        }
    }

    fn propose(&mut self, seen: &Seen, step: &Step) {
        let mut proposal = step.act.described(seen, &self.target, &self.settings);
        proposal["service"] = json!(self.target.service);
        proposal["cause"] = json!(step.cause.name());
        proposal["why"] = json!(step.why);
        let is_known = self.record.proposals.iter().any(|it| it["words"] == proposal["words"]);
        if !is_known {
            self.record.proposals.push(proposal);
        }
    }

    /// Autonomy ends here: what would be done is a person's to approve.
    fn hand_in(&mut self, seen: &Seen, diagnosis: &Diagnosis, open: &[Step]) -> Outcome {
        if self.target.autonomy == Autonomy::Observe {
            return self.escalate(seen, diagnosis, "its autonomy is `observe`: nothing is done, nor proposed");
        }
        // What holds goes before what does not.
        let refused = std::mem::take(&mut self.record.proposals);
        for step in open.iter().take(PROPOSALS_MAX) {
            self.propose(seen, step);
        }
        let room = PROPOSALS_MAX.saturating_sub(self.record.proposals.len());
        self.record.proposals.extend(refused.into_iter().take(room));
        let reason = if self.record.proposals.is_empty() {
            "its autonomy is `propose`, and no act within reach answers what was found"
        } else {
            "its autonomy is `propose`: what would be done is for a person to approve"
        };
        self.escalate(seen, diagnosis, reason)
    }

    /// How each proposal is approved, or done by hand.
    fn approvals(&self) -> Vec<String> {
        let one = |proposal: &Value| {
            if let Some(advice) = proposal["advice"].as_str() {
                return advice.to_owned();
            }
            let calls = proposal["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
            let commands: Vec<&str> = calls.iter().filter_map(|call| call["command"].as_str()).collect();
            let inverse = match proposal["inverse"]["words"].as_str() {
                Some(words) => format!("taken back by: {words}"),
                None => "cannot be taken back".into(),
            };
            let radius = &proposal["blast_radius"];
            let holds = match proposal["precondition"].as_str() {
                Some("holds") | None => String::new(),
                Some(why) => format!(" (its precondition {why})"),
            };
            format!(
                "approve it by `autonomy = \"approve\"` under `[services.{}]` in pi.toml, or by hand with `{}`: {}{holds}. It touches {}, interrupts {}; {inverse}",
                proposal["service"].as_str().unwrap_or_default(),
                commands.join(" && "),
                proposal["words"].as_str().unwrap_or_default(),
                if radius["targets"] == json!(1) {
                    "one target".to_owned()
                } else {
                    format!("{} targets", radius["targets"])
                },
                radius["interrupts"].as_str().unwrap_or("nothing"),
            )
        };
        self.record.proposals.iter().take(PROPOSALS_MAX).map(one).collect()
    }

    fn finish(&mut self, seen: &Seen) -> Outcome {
        let healed: Vec<Cause> = self.treated.iter().copied().filter(|cause| !self.disproved.contains(cause)).collect();
        // The last act is the one that the proof came after, whatever its cause was thought of before.
        let cause = match (self.treated.is_empty(), healed.first().or(self.treated.last())) {
            (false, Some(cause)) => *cause,
            // It was down for want of what it needs, which is well again by other hands.
            _ if self.has_failed && !self.needed.is_empty() => Cause::DependencyDown,
            _ => Cause::Healthy,
        };
        let required = self.record.proof.as_ref().map_or(0, |proof| proof.required);
        let name = self.target.service.clone();
        let status = if self.treated.is_empty() { Status::NothingToDo } else { Status::Done };
        let summary = match status {
            Status::NothingToDo if cause == Cause::DependencyDown => {
                let needed: Vec<String> = self.needed.iter().map(|name| format!("`{name}`")).collect();
                let needed = needed.join(", ");
                format!(
                    "`{name}` recovered with {needed}, which it needs and which did not work: {required} probes in a row were answered well, and nothing was changed here."
                )
            }
            Status::NothingToDo if self.has_failed => format!(
                "`{name}` recovered by itself or by other hands: {required} probes in a row were answered well, and nothing was changed here."
            ),
            Status::NothingToDo => format!(
                "`{name}` is healthy: {required} probes in a row were answered well, and nothing was changed. The alert was noise, or the fault had passed before it was looked at."
            ),
            _ => {
                let done = if self.done.is_empty() {
                    "nothing that is known to have taken effect".into()
                } else {
                    self.done.join("; then ")
                };
                format!(
                    "`{name}` is healed. The cause was {cause}; what was done: {done}. {required} healthy probes in a row prove it."
                )
            }
        };
        let contributing: Vec<Cause> = self.treated.iter().copied().filter(|other| *other != cause).collect();
        let mut next_steps = self.follow_up(seen, cause);
        if !self.record.gaps.is_empty() {
            next_steps.push(format!("close the gaps in the evidence: {}", self.record.gaps.join("; ")));
        }
        let confidence = match cause {
            Cause::DependencyDown => self.confidence(cause).max(DEPENDENCY_CONFIDENCE),
            _ => self.confidence(cause),
        };
        let verdict = Verdict { cause, confidence, contributing, next_steps };
        self.say(Level::Info, &summary);
        Outcome { status, summary, details: self.record.details(&verdict).to_string() }
    }

    /// What a person should know although it works again.
    fn follow_up(&self, seen: &Seen, cause: Cause) -> Vec<String> {
        let mut steps = Vec::new();
        if let Some(advice) = self.advice.get(&cause).filter(|advice| cause.is_fault() && !advice.is_empty()) {
            steps.push(advice.trim_end_matches('.').to_owned());
        }
        for change in &seen.changes {
            steps.push(format!("find out why `{}` called `{}` shortly before", change.who, change.name));
        }
        steps.truncate(3);
        steps
    }

    fn escalate(&mut self, seen: &Seen, diagnosis: &Diagnosis, reason: &str) -> Outcome {
        let cloud_is_silent = seen.state.status.is_empty();
        let silence = seen.gaps.first().filter(|_| cloud_is_silent);
        let reason = &silence.map_or_else(|| reason.to_owned(), |gap| format!("its account does not answer: {gap}"));
        let is_dependency = seen.dependencies.values().any(|is_well| !is_well);
        let open =
            diagnosis.hypotheses.iter().find(|it| !self.disproved.contains(&it.cause) && it.cause != Cause::Healthy);
        let (cause, confidence) = match open {
            _ if is_dependency => (Cause::DependencyDown, DEPENDENCY_CONFIDENCE),
            // What was refused is still the answer, where what came later names nothing.
            Some(it) if matches!(it.cause, Cause::Unknown | Cause::ProbeFailure) && !self.barred.is_empty() => {
                let cause = self.barred.first().copied().unwrap_or(it.cause);
                (cause, self.confidence(cause))
            }
            // The cloud does not answer any more: what is known is what was seen while it did.
            Some(it) if it.cause == Cause::Unknown && cloud_is_silent => {
                let before = self.seen_before().unwrap_or(Cause::Unknown);
                (before, self.confidence(before))
            }
            Some(it) => (it.cause, it.confidence),
            None => (Cause::Unknown, 0.0),
        };
        let name = self.target.service.clone();
        let mut next_steps = self.approvals();
        next_steps.extend(
            seen.dependencies
                .iter()
                .filter(|(_, is_well)| !**is_well)
                .map(|(name, _)| format!("bring `{name}` back: `{}` needs it", self.target.service)),
        );
        next_steps.extend(self.follow_up(seen, cause));
        if next_steps.is_empty() {
            next_steps.push(format!(
                "look at {} yourself: what it shows fits none of the known causes; the evidence is in incident.json",
                self.target.words()
            ));
        }
        next_steps.extend(self.record.refusals.iter().map(|text| format!("decide whether this may be done: {text}")));
        if !self.record.gaps.is_empty() {
            let step = format!("close the gaps in the evidence: {}", self.record.gaps.join("; "));
            let is_first = cloud_is_silent || (cause == Cause::Unknown && self.record.proposals.is_empty());
            let place = if is_first { 0 } else { next_steps.len() };
            next_steps.insert(place, step);
        }
        let contributing = self.treated.iter().copied().filter(|other| *other != cause).collect();
        let verdict = Verdict { cause, confidence, contributing, next_steps };
        let refused =
            self.record.refusals.first().map(|text| format!(" Something was refused: {text}.")).unwrap_or_default();
        let step = verdict.next_steps.first().cloned().unwrap_or_default();
        let summary = format!(
            "`{name}` is not healed; a person has to go on: {reason}. Most likely cause: {cause}.{refused} Next: {step}."
        );
        self.say(Level::Warn, &summary);
        let now = self.world.now_ms();
        self.record.tell(now, "escalated", reason.clone());
        Outcome { status: Status::Escalated, summary, details: self.record.details(&verdict).to_string() }
    }

    /// There is no such thing: nothing can be healed, and nothing that was seen says that all is well.
    fn gone(&mut self, seen: &Seen, why: &str) -> Outcome {
        const ENDS: [&str; 4] =
            ["TerminateInstances", "DeleteDBInstance", "DeleteDBCluster", "TerminateInstanceInAutoScalingGroup"];
        let ended = seen.changes.iter().rev().find(|change| ENDS.contains(&change.name.as_str()));
        let who = ended.map(|change| {
            format!(" `{}` called `{}` at {}.", change.who, change.name, crate::instant::rfc3339(change.time_ms))
        });
        let name = self.target.service.clone();
        let summary = format!(
            "`{name}` is the {}, and there is no such thing any more: {why}.{} Nothing was changed; a person has to go on.",
            self.target.words(),
            who.clone().unwrap_or_default(),
        );
        let key = match self.target.kind() {
            Kind::Instance => "instance",
            Kind::Database => "database",
            Kind::Cluster => "cluster",
        };
        let next_steps = vec![format!(
            "say what serves `{name}` now with `cloud = {{ {key} = \"...\" }}` under `[services.{name}]` in pi.toml, or remove the service and its alarms; if it should still be there, find out who ended it"
        )];
        let now = self.world.now_ms();
        self.record.tell(now, "gone", why);
        let verdict = Verdict { cause: Cause::Unknown, confidence: 0.0, contributing: Vec::new(), next_steps };
        self.say(Level::Warn, &summary);
        Outcome { status: Status::Escalated, summary, details: self.record.details(&verdict).to_string() }
    }

    /// The last cause that was plausible, and that no act has disproved.
    fn seen_before(&self) -> Option<Cause> {
        let tops = self.record.diagnoses.iter().rev().filter_map(|(_, it)| it.hypotheses.first());
        let mut plausible = tops.filter(|it| it.cause.is_fault() && it.cause != Cause::Unknown);
        plausible.find(|it| it.confidence >= PLAUSIBLE && !self.disproved.contains(&it.cause)).map(|it| it.cause)
    }

    fn confidence(&self, cause: Cause) -> f64 {
        self.record.diagnoses.iter().map(|(_, it)| it.confidence(cause)).fold(0.0, f64::max)
    }

    fn say(&mut self, level: Level, message: &str) {
        self.world.say(level, message);
    }
}

/// Its probe is answered, the cloud says that it runs, and nothing names a fault.
fn looks_well(seen: &Seen, diagnosis: &Diagnosis) -> bool {
    let is_up = seen.state.status.is_empty() || seen.state.is_up();
    seen.is_answering() && is_up && !seen.state.is_impaired() && !diagnosis.top().is_fault()
}

fn broken(record: &Record, target: &Target, error: &str) -> Outcome {
    let verdict = Verdict {
        cause: Cause::Unknown,
        confidence: 0.0,
        contributing: Vec::new(),
        next_steps: vec![error.to_owned()],
    };
    let summary = format!("`{}` was not looked at: {error}", target.service);
    Outcome { status: Status::Escalated, summary, details: record.details(&verdict).to_string() }
}
