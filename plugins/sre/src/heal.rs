//! The loop: observe, orient, act, verify; until it is healed, or was never ill, or a person has to
//! go on. It holds what is known of this incident, and decides nothing that a pure module can decide.

use pi_sdk::{Outcome, Status, Value};

use crate::act::{self, Deed, Ended, perform};
use crate::advice::{next_steps, root_dependency};
use crate::cause::{Cause, is_change};
use crate::counsel::{self, OPINIONS_MAX, Opinion, is_doubtful, ranked};
use crate::facts::{Condition, Description, Exit, ProbeClass};
use crate::incident::{Action, Record, Verdict};
use crate::observe::{Observation, Subject, observe, sample};
use crate::orient::{Diagnosis, Moment, PLAUSIBLE, orient, recent_exits};
use crate::plan::{Memory, Plan, Step, is_open, plan};
use crate::runbook::{Choice, Followed, restarted, touched};
use crate::settings::Settings;
use crate::signs::gist;
use crate::verify::{Demand, verify};
use crate::world::{Level, World};

/// A life that is longer than this was no crash of a loop.
const CRASH_LIFE_MS_MAX: u64 = 60_000;

/// Waits for a dependency in other hands, in one incident.
const WAITS_MAX: u32 = 3;

/// What the agent was woken for.
#[derive(Clone, Debug)]
pub struct Incident {
    pub id: String,
    pub alert: Value,
    pub target: String,
    /// When the fault was first seen.
    pub onset_ms: u64,
}

/// Work on `incident` to its end.
pub fn heal(
    world: &mut dyn World,
    incident: Incident,
    services: Vec<Description>,
    gaps: Vec<String>,
    settings: Settings,
) -> Outcome {
    let begin_ms = world.now_ms();
    let mut record = Record::new(incident.id, incident.alert, incident.target.clone(), gaps);
    record.tell(
        incident.onset_ms.min(begin_ms),
        "first failure",
        format!("`{}` was first seen to fail", incident.target),
    );
    record.tell(begin_ms, "begin", "the agent took the incident up");
    let moment = Moment {
        onset_ms: incident.onset_ms,
        since_ms: incident.onset_ms.saturating_sub(u64::from(settings.evidence_window_ms)),
        is_untouched: true,
    };
    Healer {
        world,
        settings,
        services,
        target: incident.target,
        record,
        memory: Memory::default(),
        moment,
        trials: Vec::new(),
        treated: Vec::new(),
        disproved: Vec::new(),
        done: Vec::new(),
        attempts: 0,
        waits: 0,
        last_act_ms: None,
        has_failed: false,
        is_unsteady: false,
        life_ms: 0,
        begin_ms,
        opinion: Opinion::default(),
        opinions: 0,
        opinion_of: None,
    }
    .run()
}

struct Healer<'w> {
    world: &'w mut dyn World,
    settings: Settings,
    services: Vec<Description>,
    target: String,
    record: Record,
    memory: Memory,
    moment: Moment,
    /// Patches of which it is not yet known whether they helped.
    trials: Vec<Trial>,
    /// The causes that were acted on, in order, and where.
    treated: Vec<(Cause, String)>,
    /// Causes whose treatment changed nothing.
    disproved: Vec<Cause>,
    /// The steps that took effect and were not taken back, in words.
    done: Vec<String>,
    attempts: u32,
    waits: u32,
    last_act_ms: Option<u64>,
    /// The fault was seen, and not only reported.
    has_failed: bool,
    /// Probes failed and succeeded side by side.
    is_unsteady: bool,
    life_ms: u64,
    begin_ms: u64,
    /// The last that a model thought, how many there were, and after how many acts it was asked.
    opinion: Opinion,
    opinions: u32,
    opinion_of: Option<usize>,
}

/// A patch, or a runbook that was followed, and how the service looked before it.
struct Trial {
    cause: Cause,
    step: Step,
    face: Face,
    /// Its entries in the record.
    actions: Vec<usize>,
    /// Of a runbook, its run.
    followed: Option<Followed>,
}

impl Healer<'_> {
    fn run(mut self) -> Outcome {
        let rounds_max = 2 * self.settings.attempts_max + 6;
        let mut has_failed_to_prove = false;
        for _ in 0..rounds_max {
            let observation = observe(self.world, &self.services, &self.target, &self.settings);
            let Some(subject) = observation.target() else {
                break;
            };
            let diagnosis = orient(&observation, subject, self.moment);
            self.saw(&observation, subject, &diagnosis);
            self.keep_what_helped(&observation);
            if self.world.now_ms().saturating_sub(self.begin_ms) >= u64::from(self.settings.incident_ms_max) {
                return self.escalate(&observation, &diagnosis, "the time for this incident is used up");
            }
            let looks_well = looks_well(subject, &diagnosis);
            if looks_well && !has_failed_to_prove {
                if self.prove() {
                    return self.finish();
                }
                has_failed_to_prove = true;
                continue;
            }
            let is_open = !looks_well && is_doubtful(&diagnosis);
            let diagnosis = if is_open { self.advised(diagnosis) } else { diagnosis };
            let plan = plan(&observation, subject, &diagnosis, &self.memory, &self.settings, self.moment);
            let is_at_its_end = !looks_well && plan == Plan::GiveUp;
            if (is_open || is_at_its_end) && self.ask(&diagnosis) {
                // What was seen is older than the opinion.
                continue;
            }
            if self.undo_before(&plan) {
                continue;
            }
            let plan = if is_at_its_end { self.proposed(&diagnosis).unwrap_or(plan) } else { plan };
            if let Some(choice) = plan.runbook().filter(|choice| choice.is_proposal()) {
                self.record.advice.push(choice.advice());
                let reason =
                    format!("the runbook `{}` answers what was found, and leaves changes to a person", choice.name());
                return self.escalate(&observation, &diagnosis, &reason);
            }
            match plan {
                Plan::Act { cause, service, steps, why } => {
                    if self.attempts >= self.settings.attempts_max {
                        return self.escalate(&observation, &diagnosis, "the attempts for this incident are used up");
                    }
                    has_failed_to_prove = false;
                    if self.act(&observation, cause, &service, steps, &why) && self.prove() {
                        return self.finish();
                    }
                }
                Plan::Wait { service, ms, why } => self.wait(&service, ms, &why),
                Plan::GiveUp if looks_well => {
                    if self.prove() {
                        return self.finish();
                    }
                    return self.escalate(
                        &observation,
                        &diagnosis,
                        "it comes and goes, and no act within reach answers that",
                    );
                }
                // What no act mends may still pass.
                Plan::GiveUp if !self.memory.waited.contains(&self.target) => {
                    let target = self.target.clone();
                    self.wait(&target, self.settings.persist_ms, "the fault may pass by itself");
                }
                Plan::GiveUp => {
                    return self.escalate(&observation, &diagnosis, "no act within reach answers what was found");
                }
            }
        }
        let observation = observe(self.world, &self.services, &self.target, &self.settings);
        let subject = observation.target().cloned().unwrap_or_default();
        let diagnosis = orient(&observation, &subject, self.moment);
        self.escalate(&observation, &diagnosis, "it was looked at as often as one incident may be")
    }

    /// The diagnosis, in the order of a model's opinion.
    fn advised(&self, diagnosis: Diagnosis) -> Diagnosis {
        let ranking: Vec<Cause> =
            self.opinion.ranking.iter().copied().filter(|cause| !self.disproved.contains(cause)).collect();
        ranked(diagnosis, &ranking)
    }

    /// What a model proposes where no rule knows an act, of what it was shown last.
    fn proposed(&self, diagnosis: &Diagnosis) -> Option<Plan> {
        let proposal = self.opinion.proposal.clone().filter(|_| self.opinion_of == Some(self.record.actions.len()))?;
        let step = Step::Proposed { service: self.target.clone(), proposal };
        if !is_open(&step, &self.memory) {
            return None;
        }
        let why = format!("a model proposes it: {}", self.opinion.reason);
        Some(Plan::Act { cause: diagnosis.top(), service: self.target.clone(), steps: vec![step], why })
    }

    /// Ask a model, where one is granted, once after each act. False: nobody was asked.
    fn ask(&mut self, diagnosis: &Diagnosis) -> bool {
        let state = Some(self.record.actions.len());
        if self.opinions >= OPINIONS_MAX || self.opinion_of == state {
            return false;
        }
        let verdict = Verdict {
            cause: diagnosis.top(),
            confidence: diagnosis.confidence(diagnosis.top()),
            contributing: Vec::new(),
            next_steps: Vec::new(),
        };
        let evidence = self.record.details(&verdict);
        let Some(asked) = counsel::ask(self.world, &self.target, &evidence) else { return false };
        self.opinion_of = state;
        self.opinions += 1;
        let now = self.world.now_ms();
        match asked {
            Ok(opinion) => {
                let first = opinion.ranking.first().map_or("no cause", |cause| cause.name());
                let words = format!("a model thinks of {first} first: {}", crate::orient::quote(&opinion.reason));
                self.say(Level::Info, &words);
                self.record.tell(now, "opinion", words);
                self.opinion = opinion;
            }
            Err(error) => {
                // Nothing depends on it.
                self.say(Level::Warn, &error);
                self.record.tell(now, "no opinion", error);
                self.opinion = Opinion::default();
            }
        }
        true
    }

    fn saw(&mut self, observation: &Observation, subject: &Subject, diagnosis: &Diagnosis) {
        let top = diagnosis.hypotheses.first();
        let reason = top.map(|it| it.favour.join("; ")).unwrap_or_default();
        let confidence = top.map_or(0.0, |it| it.confidence);
        let words = format!("most likely {} ({confidence:.2}): {reason}", diagnosis.top().name());
        self.say(Level::Info, &format!("{}: {words}", self.target));
        self.record.saw(observation, diagnosis);
        self.record.tell(observation.time_ms, "diagnosis", words);
        let is_down = subject.condition().is_some_and(Condition::is_down);
        self.has_failed |= subject.failed_probes() > 0 || is_down;
        self.is_unsteady |= subject.failed_probes() > 0 && subject.healthy_probes() > 0;
        let crashes = recent_exits(subject.condition(), self.moment).into_iter().filter(|exit| is_crash(exit));
        let longest = crashes.map(|exit| exit.uptime_ms).filter(|ms| *ms < CRASH_LIFE_MS_MAX).max();
        if let Some(longest) = longest {
            let life = longest + longest / 4 + 500;
            self.life_ms = self.life_ms.max(life.min(u64::from(self.settings.watch_ms_max)));
        }
    }

    /// Take the steps. False if nothing was done, or if the service is down and cannot come by itself.
    fn act(&mut self, observation: &Observation, cause: Cause, service: &str, steps: Vec<Step>, why: &str) -> bool {
        self.cool_down(service, &steps);
        let subject = observation.subject(service);
        let condition = subject.and_then(Subject::condition);
        let face = subject.map(|subject| Face::of(subject, self.moment));
        if let Some(step @ Step::Runbook { choice, .. }) = steps.first() {
            return self.follow(step, choice, cause, why, face);
        }
        let mut has_effect = false;
        let mut is_restarted = false;
        let mut held = None;
        for step in steps {
            let ended = self.take(&step, cause, why, condition, face.clone());
            match &ended {
                Ended::Done => {
                    has_effect = true;
                    is_restarted = step.is_restart();
                }
                Ended::Barred(text) => self.say(Level::Warn, &format!("{}: {text}", step.words())),
                Ended::Held(text) => held = Some(text.clone()),
                Ended::Failed(text) => {
                    // What was begun may have had an effect all the same.
                    has_effect = true;
                    self.say(Level::Warn, &format!("{}: {text}", step.words()));
                }
            }
            if ended != Ended::Done {
                break;
            }
        }
        if let Some(why) = held {
            self.wait(service, self.settings.other_hands_ms(), &why);
        }
        if !has_effect {
            return false;
        }
        let now = self.world.now_ms();
        self.last_act_ms = Some(now);
        self.moment = Moment { since_ms: now, is_untouched: false, ..self.moment };
        if !self.treated.contains(&(cause, service.to_owned())) {
            self.treated.push((cause, service.to_owned()));
        }
        is_restarted || !self.is_down(service)
    }

    /// Follow a runbook to its end. False if nothing was done, or if the service is down and cannot come by itself.
    fn follow(&mut self, step: &Step, choice: &Choice, cause: Cause, why: &str, face: Option<Face>) -> bool {
        let words = step.words();
        self.say(Level::Info, &format!("{words}: {}", cause.name()));
        let mut deeds = Vec::new();
        let followed = choice.follow(self.world, &mut deeds);
        let (now, service) = (self.world.now_ms(), step.service().to_owned());
        let restarted = restarted(&deeds);
        let touched = touched(&deeds, &self.services);
        let made = u32::try_from(deeds.len()).unwrap_or(u32::MAX);
        let actions = self.write_down(step, cause, why, deeds, false);
        let followed = match followed {
            Ok(followed) => followed,
            Err(error) => {
                self.memory.barred.push(step.key());
                self.record.tell(now, "failed", format!("{words}: {error}"));
                return false;
            }
        };
        self.record.followed(followed.told());
        self.record.tell(now, followed.kind(), format!("{words}: {}", followed.summary()));
        if let Ended::Held(why) = &followed.ended {
            self.wait(&service, self.settings.other_hands_ms(), why);
            return false;
        }
        self.memory.tried.push(step.key());
        if !followed.has_effect {
            return false;
        }
        self.attempts = self.attempts.saturating_add(made);
        self.last_act_ms = Some(now);
        self.moment = Moment { since_ms: now, is_untouched: false, ..self.moment };
        self.done.extend(followed.done());
        for name in std::iter::once(&service).chain(&touched) {
            if !self.treated.contains(&(cause, name.clone())) {
                self.treated.push((cause, name.clone()));
            }
        }
        self.memory.in_vain.retain(|name| *name != service);
        for name in &restarted {
            *self.memory.restarts.entry(name.clone()).or_default() += 1;
            self.memory.owed.remove(name);
            self.memory.in_vain.push(name.clone());
        }
        let is_restarted = restarted.contains(&service);
        if followed.ended == Ended::Done {
            if !is_restarted {
                self.memory.owed.insert(service.clone(), cause);
            }
            if let Some(face) = face.filter(|_| followed.has_way_back()) {
                self.trials.push(Trial { cause, step: step.clone(), face, actions, followed: Some(followed) });
            }
        }
        is_restarted || !self.is_down(&service)
    }

    fn take(
        &mut self,
        step: &Step,
        cause: Cause,
        why: &str,
        condition: Option<&Condition>,
        face: Option<Face>,
    ) -> Ended {
        self.say(Level::Info, &format!("{}: {}", step.words(), cause.name()));
        let mut deeds = Vec::new();
        let ended = perform(self.world, step, condition, &mut deeds);
        let now = self.world.now_ms();
        let actions = self.write_down(step, cause, why, deeds, false);
        let key = step.key();
        match &ended {
            Ended::Barred(text) => {
                self.memory.barred.push(key);
                self.record.tell(now, "refused", format!("{}: {text}", step.words()));
                return ended;
            }
            Ended::Held(text) => {
                self.record.tell(now, "held", format!("{}: {text}", step.words()));
                return ended;
            }
            Ended::Failed(text) => self.record.tell(now, "failed", format!("{}: {text}", step.words())),
            Ended::Done => {
                self.record.tell(now, "action", step.words());
                self.done.push(step.words());
            }
        }
        self.attempts += 1;
        self.memory.tried.push(key);
        let service = step.service().to_owned();
        self.memory.in_vain.retain(|name| *name != service);
        if step.is_restart() {
            *self.memory.restarts.entry(service.clone()).or_default() += 1;
            self.memory.owed.remove(&service);
            self.memory.in_vain.push(service);
        } else if ended == Ended::Done {
            self.memory.owed.insert(service, cause);
            if let (Step::Patch { .. }, Some(face)) = (step, face) {
                self.trials.push(Trial { cause, step: step.clone(), face, actions, followed: None });
            }
        }
        ended
    }

    fn write_down(&mut self, step: &Step, cause: Cause, why: &str, deeds: Vec<Deed>, is_inverse: bool) -> Vec<usize> {
        let first = self.record.actions.len();
        let mut diff = match step {
            Step::Patch { patch, .. } => Some(patch.diff()),
            _ => None,
        };
        for deed in deeds {
            let action = Action {
                deed,
                cause,
                why: why.to_owned(),
                diff: diff.take(),
                is_undone: false,
                is_inverse,
                about: None,
            };
            self.record.did(action);
        }
        (first..self.record.actions.len()).collect()
    }

    /// A restart that completes a repair belongs to the same attempt; anything else waits a while.
    fn cool_down(&mut self, service: &str, steps: &[Step]) {
        let completes = steps.first().is_some_and(Step::is_restart) && self.memory.owed.contains_key(service);
        let Some(last) = self.last_act_ms.filter(|_| !completes) else {
            return;
        };
        let passed = self.world.now_ms().saturating_sub(last);
        let rest = u64::from(self.settings.cooldown_ms).saturating_sub(passed);
        if rest > 0 {
            self.world.sleep(u32::try_from(rest).unwrap_or(u32::MAX));
        }
    }

    fn is_down(&mut self, service: &str) -> bool {
        let mut subjects = [Subject { name: service.to_owned(), ..Subject::default() }];
        sample(self.world, &mut subjects, &mut Vec::new());
        subjects.iter().any(|subject| subject.condition().is_some_and(Condition::is_down))
    }

    /// Look again and again, until `service` is well or the time is over. A dependency whose process
    /// changes meanwhile is in other hands, and is waited for once more.
    fn wait(&mut self, service: &str, ms: u32, why: &str) {
        let begin = self.world.now_ms();
        self.record.tell(begin, "wait", format!("up to {ms} ms for `{service}`: {why}"));
        let mut subjects = [Subject { name: service.to_owned(), ..Subject::default() }];
        loop {
            sample(self.world, &mut subjects, &mut Vec::new());
            let is_well = subjects.iter().all(|it| {
                let is_answered = it.probes.last().is_some_and(|(_, probe)| probe.healthy);
                is_answered && !it.condition().is_some_and(Condition::is_down)
            });
            if is_well || self.world.now_ms().saturating_sub(begin) >= u64::from(ms) {
                break;
            }
            self.world.sleep(self.settings.verify_interval_ms);
        }
        self.waits += 1;
        let is_in_other_hands = service != self.target && subjects.iter().any(Subject::changed_process);
        if !is_in_other_hands || self.waits >= WAITS_MAX {
            self.memory.waited.push(service.to_owned());
        }
    }

    /// Verify the alerted service and all that was touched.
    fn prove(&mut self) -> bool {
        let mut services = vec![self.target.clone()];
        for (_, service) in &self.treated {
            if !services.contains(service) {
                services.push(service.clone());
            }
        }
        // A fault that comes and goes, or that was not seen at all, takes a longer row to rule out.
        let factor = if self.is_unsteady || self.treated.is_empty() { 2 } else { 1 };
        let demand = Demand {
            services,
            required: self.settings.verify_probes * factor,
            life_ms: self.life_ms,
            settle_ms: self.settings.settle_ms_max,
        };
        let proof = verify(self.world, &self.settings, &demand);
        let is_passed = proof.is_passed;
        if is_passed {
            if let Some(since) = proof.since_ms {
                self.record.tell(since, "mitigated", "the first of the healthy probes in a row");
            }
            self.record.tell(proof.time_ms, "verified", format!("{} healthy probes in a row", proof.required));
        } else {
            let failed = proof.probes.iter().filter(|it| !it.result.healthy).count();
            self.has_failed |= failed > 0;
            self.is_unsteady |= failed > 0 && failed < proof.probes.len();
            self.record.tell(proof.time_ms, "not verified", proof.reason.clone());
        }
        self.record.proved(proof);
        is_passed
    }

    /// A patch after which the service looks different made a difference.
    fn keep_what_helped(&mut self, observation: &Observation) {
        let moment = self.moment;
        self.trials.retain(|trial| {
            observation.subject(trial.step.service()).is_none_or(|subject| Face::of(subject, moment) == trial.face)
        });
    }

    /// Undo the patches that changed nothing, once nothing better than a guess is left to try.
    /// While another act is due, it may be the second fault that hides the effect.
    ///
    /// A runbook that changed nothing is taken back before anything else is tried: what it has written would be taken
    /// for a change that somebody else has made.
    fn undo_before(&mut self, plan: &Plan) -> bool {
        let completes = match plan {
            Plan::GiveUp => false,
            Plan::Wait { .. } => true,
            Plan::Act { service, steps, .. } => {
                steps.first().is_some_and(Step::is_restart) && self.memory.owed.contains_key(service)
            }
        };
        if !completes {
            let (runbooks, others) =
                std::mem::take(&mut self.trials).into_iter().partition(|trial: &Trial| trial.followed.is_some());
            self.trials = others;
            if self.undo_all(runbooks) {
                return true;
            }
        }
        let is_guess = match plan {
            Plan::GiveUp => true,
            Plan::Wait { .. } => false,
            Plan::Act { service, steps, .. } => {
                steps.first().is_some_and(Step::is_restart) && !self.memory.owed.contains_key(service)
            }
        };
        is_guess && self.undo_trials()
    }

    fn undo_trials(&mut self) -> bool {
        let trials = std::mem::take(&mut self.trials);
        self.undo_all(trials)
    }

    fn undo_all(&mut self, trials: Vec<Trial>) -> bool {
        let has_any = !trials.is_empty();
        for trial in trials.into_iter().rev() {
            self.undo(trial);
        }
        has_any
    }

    /// Take a runbook back that changed nothing for the service, as far as its steps say how.
    fn undo_runbook(&mut self, trial: Trial) {
        let Some(mut followed) = trial.followed else { return };
        if !self.disproved.contains(&trial.cause) {
            self.disproved.push(trial.cause);
        }
        let claim = followed.done();
        let mut deeds = Vec::new();
        let Some(is_undone) = followed.take_back(self.world, &mut deeds) else { return };
        self.write_down(&trial.step, trial.cause, "it changed nothing, so it is taken back", deeds, true);
        let now = self.world.now_ms();
        self.last_act_ms = Some(now);
        self.moment.since_ms = now;
        self.record.followed(followed.told());
        self.done.retain(|done| Some(done) != claim.as_ref());
        self.done.extend(followed.done());
        for index in &trial.actions {
            if let Some(action) = self.record.actions.get_mut(*index) {
                action.is_undone = action.deed.note.as_ref().is_some_and(|note| followed.has_undone(note));
            }
        }
        let name = trial.step.words();
        let (kind, words) = if is_undone {
            ("undone", "it changed nothing, and what has a way back was taken back")
        } else {
            ("failed", "it changed nothing, and not all of it could be taken back")
        };
        self.record.tell(now, kind, format!("{name}: {words}"));
    }

    fn undo(&mut self, trial: Trial) {
        if trial.followed.is_some() {
            return self.undo_runbook(trial);
        }
        let Step::Patch { service, patch } = &trial.step else {
            return;
        };
        let now = self.world.now_ms();
        if !self.disproved.contains(&trial.cause) {
            self.disproved.push(trial.cause);
        }
        if act::contents(self.world, &patch.path).is_some_and(|text| text != patch.to) {
            self.record.tell(
                now,
                "kept",
                format!("`{}` was changed by somebody else since, and is left alone", patch.path),
            );
            return;
        }
        let inverse = Step::Patch { service: service.clone(), patch: patch.inverse() };
        let mut deeds = Vec::new();
        let ended = perform(self.world, &inverse, None, &mut deeds);
        self.write_down(&inverse, trial.cause, "it changed nothing, so it is taken back", deeds, true);
        let now = self.world.now_ms();
        self.last_act_ms = Some(now);
        self.moment.since_ms = now;
        if ended == Ended::Done {
            let words = trial.step.words();
            self.done.retain(|done| *done != words);
            for index in &trial.actions {
                if let Some(action) = self.record.actions.get_mut(*index) {
                    action.is_undone = true;
                }
            }
            self.record.tell(
                now,
                "undone",
                format!("the patch of `{}` changed nothing and was taken back", patch.path),
            );
        } else {
            self.record.tell(
                now,
                "failed",
                format!("the patch of `{}` changed nothing, and could not be taken back", patch.path),
            );
        }
    }

    fn finish(mut self) -> Outcome {
        let treated: Vec<Cause> =
            self.treated.iter().map(|(cause, _)| *cause).filter(|cause| !self.disproved.contains(cause)).collect();
        let seen = self
            .record
            .diagnoses
            .iter()
            .map(|(_, it)| it.top())
            .find(|cause| !matches!(cause, Cause::Healthy | Cause::Unknown));
        let is_dependency = self.treated.iter().any(|(_, service)| *service != self.target);
        let cause = match treated.first() {
            // What explains the alert of this service is that the other one was down.
            Some(_) if is_dependency && seen == Some(Cause::DependencyDown) => Cause::DependencyDown,
            Some(cause) => *cause,
            // It has recovered, or was never ill.
            None => Cause::Healthy,
        };
        let status = if self.treated.is_empty() { Status::NothingToDo } else { Status::Done };
        let verdict = Verdict {
            cause,
            confidence: self.confidence(cause),
            contributing: others(treated.iter().copied().chain(seen.filter(|_| treated.is_empty())).collect(), cause),
            next_steps: self.follow_up(cause),
        };
        let required = self.record.proof.as_ref().map_or(0, |proof| proof.required);
        let name = &self.target;
        let summary = match status {
            Status::NothingToDo if self.has_failed => {
                format!(
                    "`{name}` recovered by itself or by other hands: {required} probes in a row were answered well, and nothing was changed here."
                )
            }
            Status::NothingToDo => {
                format!(
                    "`{name}` is healthy: {required} probes in a row were answered well, and nothing was changed. The alert was noise, or the fault had passed before it was looked at."
                )
            }
            _ => {
                let nothing = "nothing that is known to have taken effect";
                let done = if self.done.is_empty() { nothing.into() } else { self.done.join("; then ") };
                format!(
                    "`{name}` is healed. The cause was {}; what was done: {done}. {required} healthy probes in a row prove it.",
                    cause.name()
                )
            }
        };
        self.say(Level::Info, &summary);
        Outcome { status, summary, details: self.record.details(&verdict).to_string() }
    }

    fn escalate(mut self, observation: &Observation, diagnosis: &Diagnosis, reason: &str) -> Outcome {
        self.undo_trials();
        let subject = observation.target().cloned().unwrap_or_default();
        let open =
            diagnosis.hypotheses.iter().find(|it| !self.disproved.contains(&it.cause) && it.cause != Cause::Healthy);
        let cause = open.filter(|it| it.confidence >= PLAUSIBLE * 0.8).map_or(Cause::Unknown, |it| it.cause);
        let confidence = open.filter(|it| it.cause == cause).map_or_else(|| self.confidence(cause), |it| it.confidence);
        let mut steps = std::mem::take(&mut self.record.advice);
        steps.extend(next_steps(cause, observation, &subject));
        steps.extend(self.record.refusals.iter().map(|text| format!("decide whether this may be done: {text}")));
        if !self.record.gaps.is_empty() {
            let step = format!("close the gaps in the evidence: {}", self.record.gaps.join("; "));
            // Without them the cause might be known.
            let place = if cause == Cause::Unknown { 0 } else { steps.len() };
            steps.insert(place, step);
        }
        let treated = self.treated.iter().map(|(cause, _)| *cause).collect();
        let verdict = Verdict { cause, confidence, contributing: others(treated, cause), next_steps: steps };
        let name = &self.target;
        let named = match (cause, root_dependency(observation, &subject)) {
            (Cause::DependencyDown, Some(root)) => format!(" (`{}`)", root.name),
            _ => String::new(),
        };
        let refused =
            self.record.refusals.first().map(|text| format!(" Something was refused: {text}.")).unwrap_or_default();
        let step = verdict.next_steps.first().cloned().unwrap_or_default();
        let summary = format!(
            "`{name}` is not healed; a person has to go on: {reason}. Most likely cause: {}{named}.{refused} Next: {step}.",
            cause.name()
        );
        self.say(Level::Warn, &summary);
        let now = self.world.now_ms();
        self.record.tell(now, "escalated", reason);
        Outcome { status: Status::Escalated, summary, details: self.record.details(&verdict).to_string() }
    }

    /// What a person should know although the service works again.
    fn follow_up(&self, cause: Cause) -> Vec<String> {
        let mut steps = Vec::new();
        if is_change(cause) || self.treated.iter().any(|(cause, _)| is_change(*cause)) {
            steps.push("find out who changed the configuration: it was set back to what it was when the service was last healthy".into());
        }
        match cause {
            Cause::StorageFull => steps.push("have the logs rotated by themselves, or give them more room".into()),
            Cause::PortConflict => steps.push("find out who started the process that held the port".into()),
            Cause::ProcessHung => {
                steps.push("find out why it hung: it was started again, and that mends no defect".into())
            }
            Cause::OomKilled => steps.push("watch its memory".into()),
            _ => {}
        }
        if !self.record.gaps.is_empty() {
            steps.push(format!("close the gaps in the evidence: {}", self.record.gaps.join("; ")));
        }
        steps
    }

    /// The strongest that a cause ever stood.
    fn confidence(&self, cause: Cause) -> f64 {
        self.record.diagnoses.iter().map(|(_, it)| it.confidence(cause)).fold(0.0, f64::max)
    }

    fn say(&mut self, level: Level, message: &str) {
        self.world.say(level, message);
    }
}

fn others(causes: Vec<Cause>, cause: Cause) -> Vec<Cause> {
    let mut others: Vec<Cause> = Vec::new();
    for other in causes {
        if other != cause && !others.contains(&other) {
            others.push(other);
        }
    }
    others
}

/// Every probe is answered, and nothing that was seen says that it will not stay so.
fn looks_well(subject: &Subject, diagnosis: &Diagnosis) -> bool {
    subject.failed_probes() == 0
        && subject.healthy_probes() > 0
        && !subject.condition().is_some_and(Condition::is_down)
        && diagnosis.confidence(Cause::StorageFull) < PLAUSIBLE
        && diagnosis.confidence(Cause::PortConflict) < PLAUSIBLE
}

/// It ended by itself: whoever ends a service on purpose uses these signals, or it says 0.
fn is_crash(exit: &Exit) -> bool {
    exit.out_of_memory || !(matches!(exit.signal, Some(9 | 15)) || exit.code == Some(0) || exit.code == Some(143))
}

/// How a sick service looks, without what differs from one moment to the next.
#[derive(Clone, Debug, PartialEq)]
struct Face {
    state: String,
    probe: Option<(ProbeClass, Option<u16>, String)>,
    end: Option<(Option<i32>, Option<i32>, bool, String)>,
}

impl Face {
    fn of(subject: &Subject, moment: Moment) -> Self {
        let condition = subject.condition();
        let exits = recent_exits(condition, moment);
        if let Some(exit) = exits.iter().find(|exit| is_crash(exit)) {
            // In a crash loop the probes say no more than where in the loop they came.
            let end = (exit.code, exit.signal, exit.out_of_memory, gist(&exit.last_words));
            return Self { state: "crashing".into(), probe: None, end: Some(end) };
        }
        let failing = subject.probes.iter().rev().map(|(_, probe)| probe).find(|probe| !probe.healthy);
        Self {
            state: condition.map(|it| it.state.clone()).unwrap_or_default(),
            probe: failing.map(|probe| {
                let words = if probe.status_code.is_some() { gist(&probe.detail) } else { String::new() };
                (probe.class(), probe.status_code, words)
            }),
            end: None,
        }
    }
}
