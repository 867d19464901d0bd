//! From evidence to hypotheses: what speaks for each cause, what against, who explains whom, who remains.
//!
//! Weights are hundredths of certainty and add up as independent witnesses do: two of 50 are 75, and what speaks
//! against takes its share of what is left. Then roots go before their symptoms, what the alert is not about counts
//! less, and what is well now clears all but what only passes through.

use std::collections::BTreeMap;

use crate::cause::Cause;
use crate::diagnosis::{Action, Diagnosis, Hypothesis};
use crate::evidence::{Breadth, Evidence, Matcher, Place, Series};
use crate::incident::Incident;
use crate::instant::Instant;
use crate::knowledge::{Behaviour, CauseRules, Knowledge, StateRule};

/// Below this the evidence is not worth a name.
const NAMED_MIN: f64 = 0.34;
/// Where what the alert is about is seen to be wrong, less is enough, as long as nothing else comes near.
const TROUBLED_MIN: f64 = 0.24;
const NEAR: f64 = 0.6;
/// Healthy is said only on good grounds: a fault that is overlooked costs more than a look.
const HEALTHY_MIN: f64 = 0.45;
/// Words of an alert alone are no evidence of anything but themselves.
const ALERT_ALONE_MAX: f64 = 0.3;
/// From here on a cause can explain the signs of another.
const ROOT_MIN: f64 = 0.35;
/// A cause that began so much later than a sign cannot have brought it about.
const ORDER_S: f64 = 240.0;
/// What that leaves of the explanation.
const WRONG_ORDER: f64 = 0.4;
/// The alert is about something that the cause does not bring about.
const OFF_TOPIC: f64 = 0.6;
/// The same where nothing else brings it about either.
const OFF_TOPIC_ALONE: f64 = 0.75;
/// From here on a cause is an explanation of what the alert is about.
const ON_TOPIC_MIN: f64 = 0.2;
/// It is about it in its details, not in its title.
const NEAR_TOPIC: f64 = 0.88;
/// How much being well now takes from a fault.
const WELL_NOW: f64 = 0.85;
/// And how much of what is said to be well is believed for that.
const SAID_WELL: f64 = 0.7;
/// With less against it a cause is not ruled out, only unlikely.
const RULED_OUT: f64 = 0.12;
/// What further words of a line that was heard already add.
const SAME_LINE: f64 = 0.4;
/// So many errors of late are no stray ones.
const ERRORS_MANY: usize = 3;
/// What is left of wellness where no, one or both of metrics and logs were not observed.
const UNSEEN: [f64; 3] = [1.0, 0.85, 0.5];
const CONFIDENCE_MAX: f64 = 0.99;
/// Two that are as likely as each other are not told apart.
const TIE: f64 = 0.015;
/// Lines of the case of one hypothesis.
const LINES_MAX: usize = 12;

/// Knowledge, ready to be asked.
pub struct Diagnostician<'a> {
    knowledge: &'a Knowledge,
    matcher: Matcher,
}

/// One cause with its witnesses.
#[derive(Clone, Debug)]
struct Case {
    cause: Cause,
    /// By the evidence alone.
    raw: f64,
    confidence: f64,
    favour: Vec<(f64, String)>,
    against: Vec<(f64, String)>,
    began: Option<Instant>,
    /// More than words of an alert.
    has_substance: bool,
}

/// What a rule found.
struct Witness {
    weight: f64,
    is_against: bool,
    is_alert: bool,
    text: String,
    time: Option<Instant>,
    /// The line of a log, or the text of an event, that it rests on.
    line: Option<u64>,
}

impl<'a> Diagnostician<'a> {
    #[must_use]
    pub fn new(knowledge: &'a Knowledge) -> Self {
        Self { knowledge, matcher: Matcher::of(knowledge) }
    }

    /// The root cause of one incident.
    #[must_use]
    pub fn diagnose(&self, incident: &Incident) -> Diagnosis {
        let (cases, evidence) = self.weigh(incident, Breadth::Narrow);
        let best = cases.first().map_or(0.0, |case| case.confidence);
        let is_named = cases
            .first()
            .is_some_and(|case| case.confidence >= if case.cause == Cause::Healthy { HEALTHY_MIN } else { NAMED_MIN });
        if is_named || !evidence.is_troubled() {
            return self.conclude(cases, &evidence);
        }
        // Something is wrong with the target, and nothing of its own says what: its neighbours are asked as well.
        let (wider, wide_evidence) = self.weigh(incident, Breadth::Wide);
        if wider.first().is_some_and(|case| case.confidence > best && case.cause.is_fault()) {
            return self.conclude(wider, &wide_evidence);
        }
        self.conclude(cases, &evidence)
    }

    /// All causes with their cases, the most likely first.
    fn weigh<'b>(&'b self, incident: &'b Incident, breadth: Breadth) -> (Vec<Case>, Evidence<'b>) {
        let evidence = Evidence::of(incident, self.knowledge, &self.matcher, breadth);
        let mut cases: Vec<Case> = self
            .knowledge
            .causes
            .values()
            .filter(|rules| rules.cause.is_fault())
            .map(|rules| self.case(rules, &evidence))
            .collect();
        self.weigh_topics(&mut cases, &evidence);
        self.explain(&mut cases);
        let well = wellness(&evidence, self.knowledge);
        // What was said to be well, or planned, counts only beside something that was seen to be well.
        let said = match self.knowledge.causes.get(&Cause::Healthy) {
            Some(rules) if well.certainty > 0.0 => SAID_WELL * self.case(rules, &evidence).raw,
            _ => 0.0,
        };
        for case in &mut cases {
            let is_passing = self.knowledge.causes.get(&case.cause).is_some_and(|rules| rules.is_passing);
            if !is_passing {
                let cleared = WELL_NOW * (1.0 - (1.0 - well.certainty) * (1.0 - said));
                case.confidence *= 1.0 - cleared;
                if cleared > 0.3 && !case.favour.is_empty() {
                    case.against.push((cleared, "what was looked at is well now".into()));
                }
            }
        }
        cases.push(self.healthy(&evidence, &well, &cases));
        cases.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.cause.cmp(&b.cause)));
        (cases, evidence)
    }

    /// What speaks for one cause, and against it.
    fn case(&self, rules: &CauseRules, evidence: &Evidence) -> Case {
        let mut witnesses = self.witnesses(rules, evidence);
        witnesses.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut lines_heard: Vec<u64> = Vec::new();
        let mut case = Case {
            cause: rules.cause,
            raw: 0.0,
            confidence: 0.0,
            favour: Vec::new(),
            against: Vec::new(),
            began: None,
            has_substance: false,
        };
        let (mut doubt, mut left) = (1.0, 1.0);
        for witness in witnesses {
            if witness.is_against {
                left *= 1.0 - witness.weight;
                case.against.push((witness.weight, witness.text));
                continue;
            }
            // What one line says twice is one witness, a little surer of it.
            let is_heard = witness.line.is_some_and(|line| lines_heard.contains(&line));
            doubt *= 1.0 - witness.weight * if is_heard { SAME_LINE } else { 1.0 };
            lines_heard.extend(witness.line.filter(|_| !is_heard));
            case.has_substance |= !witness.is_alert && witness.weight >= 0.1;
            if witness.weight >= 0.15
                && let Some(time) = witness.time
            {
                case.began = Some(case.began.map_or(time, |began| began.min(time)));
            }
            case.favour.push((witness.weight, witness.text));
        }
        let certainty = 1.0 - doubt;
        case.raw = left * if case.has_substance { certainty } else { certainty.min(ALERT_ALONE_MAX) };
        case.confidence = case.raw;
        case
    }

    /// Rules that refer to others are asked after them, as often as that brings anything new.
    fn witnesses(&self, rules: &CauseRules, evidence: &Evidence) -> Vec<Witness> {
        let mut held: Vec<&str> = Vec::new();
        loop {
            let mut found = Vec::new();
            let mut holding: Vec<&str> = Vec::new();
            let mut ask = |id: &'_ Option<String>,
                           requires: &[String],
                           unless: &[String],
                           look: &mut dyn FnMut() -> Vec<Witness>| {
                let holds = |name: &String| held.contains(&name.as_str());
                if (!requires.is_empty() && !requires.iter().any(holds)) || unless.iter().any(holds) {
                    return false;
                }
                let witnesses = look();
                let is_found = !witnesses.is_empty();
                found.extend(witnesses.into_iter().filter(|witness| witness.weight > 0.0));
                is_found && id.is_some()
            };
            for (index, rule) in rules.text.iter().enumerate() {
                let number = self.matcher.number_of(rules.cause, index);
                if ask(&rule.id, &rule.requires, &rule.unless, &mut || match number {
                    Some(number) => text_witnesses(evidence, number, rule),
                    None => Vec::new(),
                }) {
                    holding.extend(rule.id.as_deref());
                }
            }
            for rule in &rules.metric {
                if ask(&rule.id, &rule.requires, &rule.unless, &mut || {
                    metric_witness(evidence, rule).into_iter().collect()
                }) {
                    holding.extend(rule.id.as_deref());
                }
            }
            for rule in &rules.state {
                if ask(&rule.id, &rule.requires, &rule.unless, &mut || {
                    state_witness(evidence, rule).into_iter().collect()
                }) {
                    holding.extend(rule.id.as_deref());
                }
            }
            for rule in &rules.query {
                if ask(&rule.id, &rule.requires, &rule.unless, &mut || {
                    query_witness(evidence, rule).into_iter().collect()
                }) {
                    holding.extend(rule.id.as_deref());
                }
            }
            holding.sort_unstable();
            holding.dedup();
            // What holds only grows, but for `unless`: it cannot turn for ever, since three rounds are enough for any chain
            // that people write.
            if holding == held || found.len() > 10_000 {
                return found;
            }
            if held.len() > holding.len() {
                return found;
            }
            held = holding;
        }
    }

    /// A cause that cannot bring about what the alert is about is less likely to be its cause.
    fn weigh_topics(&self, cases: &mut [Case], evidence: &Evidence) {
        if evidence.topics.is_empty() {
            return;
        }
        let is_on_topic = |case: &Case| {
            let rules = self.knowledge.causes.get(&case.cause);
            case.raw >= ON_TOPIC_MIN
                && rules.is_some_and(|rules| {
                    let topics = evidence.topics.iter().filter_map(|at| self.knowledge.vocabulary.topic.get(*at));
                    topics.into_iter().any(|topic| rules.topics.contains(&topic.name))
                })
        };
        // Where nothing explains what the alert is about, it may be about something else than its words say.
        let off_topic = if cases.iter().any(is_on_topic) { OFF_TOPIC } else { OFF_TOPIC_ALONE };
        for case in cases.iter_mut() {
            let Some(rules) = self.knowledge.causes.get(&case.cause) else { continue };
            let covers = |topics: &[usize]| {
                topics.iter().any(|at| {
                    let topic = self.knowledge.vocabulary.topic.get(*at);
                    topic.is_some_and(|topic| rules.topics.contains(&topic.name))
                })
            };
            if covers(&evidence.topics) {
                continue;
            }
            let factor = if covers(&evidence.further_topics) { NEAR_TOPIC } else { off_topic };
            case.confidence *= factor;
            if factor < NEAR_TOPIC && !case.favour.is_empty() {
                case.against.push((1.0 - factor, "it does not explain what the alert is about".into()));
            }
        }
    }

    /// Roots before their symptoms.
    fn explain(&self, cases: &mut [Case]) {
        let before: BTreeMap<Cause, (f64, Option<Instant>)> =
            cases.iter().map(|case| (case.cause, (case.confidence, case.began))).collect();
        for case in cases.iter_mut() {
            let symptom = case.confidence;
            for rules in self.knowledge.causes.values() {
                let Some(strength) = rules.explains.get(&case.cause).map(|strength| f64::from(*strength) / 100.0)
                else {
                    continue;
                };
                let Some((root, root_began)) = before.get(&rules.cause).copied() else { continue };
                if root < ROOT_MIN || case.raw <= 0.0 {
                    continue;
                }
                let is_later =
                    matches!((root_began, case.began), (Some(root), Some(sign)) if root.seconds_since(sign) > ORDER_S);
                let taken = strength * root * if is_later { WRONG_ORDER } else { 1.0 };
                case.confidence *= 1.0 - taken;
                if taken > 0.2 && symptom > 0.1 {
                    case.against.push((taken, format!("{} explains its signs", rules.cause)));
                }
            }
        }
        // Signs that a cause explains are witnesses for it too, if weak ones.
        for case in cases.iter_mut() {
            let Some(rules) = self.knowledge.causes.get(&case.cause) else { continue };
            if case.raw < ROOT_MIN {
                continue;
            }
            for (symptom, strength) in &rules.explains {
                let Some((confidence, _)) = before.get(symptom).filter(|(confidence, _)| *confidence >= ROOT_MIN)
                else {
                    continue;
                };
                let weight = 0.25 * confidence * f64::from(*strength) / 100.0;
                case.confidence = 1.0 - (1.0 - case.confidence) * (1.0 - weight);
                case.favour.push((weight, format!("it explains the signs of {symptom}")));
            }
        }
    }

    fn healthy(&self, evidence: &Evidence, well: &Wellness, faults: &[Case]) -> Case {
        let worst = faults.iter().map(|case| case.confidence).fold(0.0, f64::max);
        let mut case = match self.knowledge.causes.get(&Cause::Healthy) {
            Some(rules) => self.case(rules, evidence),
            None => {
                return Case {
                    cause: Cause::Healthy,
                    raw: 0.0,
                    confidence: 0.0,
                    favour: Vec::new(),
                    against: Vec::new(),
                    began: None,
                    has_substance: false,
                };
            }
        };
        // What was said to be well counts only beside something that was seen to be.
        let said = if well.certainty > 0.0 { case.raw } else { 0.0 };
        case.confidence = well.seen * (1.0 - (1.0 - said) * (1.0 - well.certainty)) * (1.0 - 0.9 * worst);
        case.favour.extend(well.favour.iter().cloned());
        case.against.extend(well.against.iter().cloned());
        // What only passed through is why all is well again.
        let is_explained = faults.iter().any(|fault| {
            fault.confidence >= NAMED_MIN && self.knowledge.causes.get(&fault.cause).is_some_and(|it| it.is_passing)
        });
        if is_explained {
            case.confidence *= 0.6;
        }
        if !well.against.is_empty() && !well.is_calm {
            case.confidence *= 0.4;
        }
        if case.confidence < HEALTHY_MIN {
            case.confidence *= 0.7;
        }
        case
    }

    fn conclude(&self, cases: Vec<Case>, evidence: &Evidence) -> Diagnosis {
        let gaps = gaps(evidence, self.knowledge);
        let ruled_out = cases
            .iter()
            .filter(|case| case.confidence < RULED_OUT && !case.favour.is_empty() && !case.against.is_empty())
            .map(|case| format!("{}: {}", case.cause, lines(&case.against).join("; ")))
            .collect();
        let hypotheses: Vec<Hypothesis> = cases
            .iter()
            .filter(|case| case.confidence >= 0.01 && !case.favour.is_empty())
            .map(|case| Hypothesis {
                root_cause: case.cause,
                confidence: rounded(case.confidence),
                favour: lines(&case.favour),
                against: lines(&case.against),
            })
            .collect();
        let first = cases.first();
        let second = cases.get(1).map_or(0.0, |case| case.confidence);
        let named = first.filter(|case| {
            let is_tied = case.confidence - second < TIE && case.confidence < 0.6;
            let is_alone = is_symptomatic(evidence, self.knowledge) && second < NEAR * case.confidence;
            let least = match case.cause {
                Cause::Healthy => HEALTHY_MIN,
                _ if is_alone => TROUBLED_MIN,
                _ => NAMED_MIN,
            };
            case.confidence >= least && !is_tied
        });
        let root_cause = named.map_or(Cause::Unknown, |case| case.cause);
        let confidence = match named {
            // How sure one can be is bounded by how near the next one comes.
            Some(case) => {
                let lead = 1.0 - 0.5 * (second / case.confidence.max(f64::EPSILON)).powi(3);
                rounded(calibrated(case.confidence * lead))
            }
            None => rounded(1.0 - first.map_or(0.0, |case| case.confidence)).min(0.9),
        };
        let target = target(evidence, root_cause);
        let rules = self.knowledge.causes.get(&root_cause);
        let actions = rules.map(|rules| rules.action.as_slice()).unwrap_or_default().iter().map(|action| Action {
            act: action.act,
            target: target.clone(),
            why: action.why.clone(),
            is_reversible: action.act.is_reversible(),
        });
        let actions = actions.collect();
        let advice = rules.map(|rules| format!("{}. {}", rules.title, rules.advice)).unwrap_or_default();
        Diagnosis { root_cause, confidence, target, hypotheses, gaps, actions, advice, ruled_out }
    }
}

fn text_witnesses(evidence: &Evidence, number: usize, rule: &crate::knowledge::TextRule) -> Vec<Witness> {
    let places = [
        (Place::Log, rule.log, "a log"),
        (Place::Event, rule.event, "an event"),
        (Place::State, rule.state, "a state"),
        (Place::Alert, rule.alert, "the alert"),
    ];
    let mut witnesses = Vec::new();
    for (place, weight, whose) in places {
        let Some(hit) = evidence.words(number, place) else { continue };
        let times = if hit.count > 1 { format!(" ({} times)", hit.count) } else { String::new() };
        let whose = if hit.is_own { whose.to_owned() } else { format!("{whose} of another resource") };
        witnesses.push(Witness {
            weight: f64::from(weight) / 100.0 * hit.weight,
            is_against: rule.is_against,
            is_alert: place == Place::Alert,
            text: format!("{}: {whose} says `{}`{times}", rule.says, hit.excerpt),
            // Of a log often only the end is kept: what stands at its beginning may have begun before.
            time: hit.first.filter(|first| place != Place::Log || evidence.is_within_logs(*first)),
            line: Some(hit.text),
        });
    }
    witnesses
}

fn metric_witness(evidence: &Evidence, rule: &crate::knowledge::MetricRule) -> Option<Witness> {
    let (series, behaviour, kin) = evidence.metric(&rule.role, &rule.is)?;
    let (weight, is_against) = if rule.against > 0 { (rule.against, true) } else { (rule.weight, false) };
    Some(Witness {
        weight: f64::from(weight) / 100.0 * kin,
        is_against,
        is_alert: false,
        text: series.words(behaviour),
        time: series.departs_at.filter(|_| behaviour != Behaviour::Normal && series.kin.is_close()),
        line: None,
    })
}

fn state_witness(evidence: &Evidence, rule: &StateRule) -> Option<Witness> {
    let facts = rule.any.iter().flat_map(|pattern| evidence.facts.matching(pattern));
    let best = facts.max_by(|a, b| {
        (a.weight * evidence.scope.weight_untimed(a.kin)).total_cmp(&(b.weight * evidence.scope.weight_untimed(b.kin)))
    })?;
    let (weight, is_against) = if rule.against > 0 { (rule.against, true) } else { (rule.weight, false) };
    if is_against && !best.kin.is_close() {
        return None;
    }
    let past = if best.weight < 1.0 { " (it has passed)" } else { "" };
    Some(Witness {
        weight: f64::from(weight) / 100.0 * best.weight * evidence.scope.weight_untimed(best.kin),
        is_against,
        is_alert: false,
        text: format!("{}: {} has `{}`{past}", rule.says, best.of, best.text),
        time: None,
        line: None,
    })
}

fn query_witness(evidence: &Evidence, rule: &crate::knowledge::QueryRule) -> Option<Witness> {
    let load = &evidence.load;
    if !load.is_known() {
        return None;
    }
    let (heaviest, dominance) = load.heaviest()?;
    let share = load.share_of(&rule.waits);
    let verb = load.verb();
    let holds = (rule.share <= 0.0 || share >= rule.share)
        && (rule.dominant <= 0.0 || dominance >= rule.dominant)
        && (rule.seconds_each <= 0.0 || load.seconds_each() >= rule.seconds_each)
        && (rule.verbs.is_empty() || rule.verbs.contains(&verb));
    if !holds {
        return None;
    }
    let (weight, is_against) = if rule.against > 0 { (rule.against, true) } else { (rule.weight, false) };
    let statement: String = heaviest.statement.chars().take(100).collect();
    let shares = if rule.share > 0.0 {
        format!("{:.0} % of the load waits for it", share * 100.0)
    } else {
        format!("`{statement}` is {:.0} % of the load", dominance * 100.0)
    };
    Some(Witness {
        weight: f64::from(weight) / 100.0,
        is_against,
        is_alert: false,
        text: format!("{}: {shares}", rule.says),
        time: None,
        line: None,
    })
}

/// What is well now, as far as it was looked at.
struct Wellness {
    certainty: f64,
    /// How much of what could have shown trouble was looked at.
    seen: f64,
    favour: Vec<(f64, String)>,
    against: Vec<(f64, String)>,
    /// Nothing happens any more.
    is_calm: bool,
}

fn wellness(evidence: &Evidence, knowledge: &Knowledge) -> Wellness {
    let mut favour: Vec<(f64, String)> = Vec::new();
    let mut against: Vec<(f64, String)> = Vec::new();
    // What the alert is about, measured: it says more than a few lines of a log.
    let mut is_symptom_well = false;
    let own: Vec<&Series> =
        evidence.series.iter().filter(|series| series.kin.is_close() && series.is_telling()).collect();
    let sick: Vec<&&Series> = own.iter().filter(|series| series.is_abnormal()).collect();
    let state = evidence.incident.alert.state.to_ascii_lowercase();
    if ["normal", "ok", "resolved", "inactive", "recovered", "green", "closed"].contains(&state.as_str()) {
        favour.push((0.5, format!("the alert's state is `{state}`")));
    }
    if evidence.cured > 0 {
        favour.push((0.4, format!("{} events of it were undone by later ones", evidence.cured)));
    }
    for series in &sick {
        against.push((0.5, format!("{} is not normal", series.metric.name)));
    }
    if sick.is_empty() && !own.is_empty() {
        let wanted: Vec<&String> = evidence
            .topics
            .iter()
            .filter_map(|at| knowledge.vocabulary.topic.get(*at))
            .flat_map(|topic| &topic.roles)
            .collect();
        let is_shown =
            own.iter().any(|series| series.role.is_some_and(|role| wanted.iter().any(|wanted| *wanted == role)));
        // An alert that names its metric is about that one, whatever it is called.
        let is_shown = is_shown || own.iter().any(|series| series.is_alerted);
        let weight = match (is_shown, own.len()) {
            (true, _) => 0.6,
            (false, 3..) => 0.35,
            (false, _) => 0.2,
        };
        let words = if is_shown { "what the alert is about is normal" } else { "the metrics of the target are normal" };
        favour.push((weight, words.into()));
        is_symptom_well = is_shown;
    }
    // A service that is asked nothing any more, or says nothing, is not well, whatever else is normal.
    let is_idle = |series: &&Series| {
        series.role == Some("throughput")
            && series.kin.is_close()
            && series.behaves(Behaviour::Vanished)
            && series.behaves(Behaviour::Falls)
    };
    if let Some(series) = evidence.series.iter().find(is_idle) {
        against.push((0.7, format!("{} has come to nothing", series.metric.name)));
    }
    if evidence.is_silent {
        against.push((0.6, "its log has fallen silent".into()));
    }
    if let Some(series) = own.iter().find(|series| sick.is_empty() && series.has_passed()) {
        favour.push((0.3, format!("{} was not normal, and is again", series.metric.name)));
    }
    if evidence.is_quiet_since_error && sick.is_empty() && !own.is_empty() {
        favour.push((0.35, "its log has gone on for long without the errors of before".into()));
    }
    for name in &evidence.facts.unwell {
        against.push((0.6, format!("{name} is not well")));
    }
    if evidence.facts.own > 0 && evidence.facts.unwell.is_empty() {
        favour.push((0.45, format!("all {} resources of the target are well", evidence.facts.own)));
    }
    if evidence.facts.monitors_alarming > 0 {
        against.push((0.3, format!("{} monitors are in alarm", evidence.facts.monitors_alarming)));
    } else if evidence.facts.monitors > 0 {
        favour.push((0.35, format!("all {} monitors are well", evidence.facts.monitors)));
    }
    let mut is_calm = true;
    if evidence.errors_now > 0 {
        is_calm = is_symptom_well && evidence.errors_now < ERRORS_MANY;
        let weight = if is_calm { 0.25 } else { 0.6 };
        against.push((weight, format!("{} errors in the logs of the last minutes", evidence.errors_now)));
    }
    if evidence.warnings_now > 0 {
        is_calm = false;
        against.push((0.4, format!("{} warnings in the last minutes", evidence.warnings_now)));
    }
    let is_sick = !sick.is_empty() || !evidence.facts.unwell.is_empty();
    let mut certainty = 1.0 - favour.iter().fold(1.0, |doubt, (weight, _)| doubt * (1.0 - weight));
    if is_sick {
        certainty = 0.0;
    }
    for (weight, _) in &against {
        certainty *= 1.0 - weight;
    }
    // Of what the alert is about nothing was measured: what else is well says the less, the less was looked at.
    let is_said_well = favour.iter().any(|(_, text)| text.starts_with("the alert's state"));
    let missing = usize::from(evidence.incident.metrics.is_empty()) + usize::from(evidence.incident.logs.is_empty());
    let seen = if is_symptom_well || is_said_well { 1.0 } else { UNSEEN.get(missing).copied().unwrap_or(0.5) };
    Wellness { certainty, seen, favour, against, is_calm }
}

/// What the alert is about is measured to be wrong now, or a resource of the target is not well.
fn is_symptomatic(evidence: &Evidence, knowledge: &Knowledge) -> bool {
    let topics = || evidence.topics.iter().filter_map(|at| knowledge.vocabulary.topic.get(*at));
    let is_symptom = |series: &Series| {
        series.is_alerted || topics().flat_map(|topic| &topic.roles).any(|role| series.role == Some(role.as_str()))
    };
    !evidence.facts.unwell.is_empty()
        || evidence.series.iter().any(|it| it.kin.is_close() && it.is_telling() && it.is_abnormal() && is_symptom(it))
}

/// Sources that are empty, and metrics that would show what the alert is about.
fn gaps(evidence: &Evidence, knowledge: &Knowledge) -> Vec<String> {
    let incident = evidence.incident;
    let mut gaps = Vec::new();
    let mut missing = |is_empty: bool, what: &str| {
        if is_empty {
            gaps.push(format!("no {what} were observed"));
        }
    };
    missing(incident.metrics.is_empty(), "metrics");
    missing(incident.logs.is_empty(), "logs");
    missing(incident.events.is_empty(), "events");
    missing(incident.resources.is_empty(), "states of resources");
    for topic in evidence.topics.iter().filter_map(|at| knowledge.vocabulary.topic.get(*at)) {
        let is_seen = |role: &String| {
            evidence.series.iter().any(|series| series.kin.is_close() && series.role == Some(role.as_str()))
        };
        if !incident.metrics.is_empty() && !topic.roles.is_empty() && !topic.roles.iter().any(is_seen) {
            gaps.push(format!("no metric of the target shows what the alert is about ({})", topic.name));
        }
    }
    let empty = incident.metrics.iter().filter(|metric| metric.points.iter().all(|point| point.1.is_none()));
    gaps.extend(empty.take(10).map(|metric| format!("the metric {} has no values", metric.name)));
    if incident.alert.title.is_empty() && incident.alert.labels.is_empty() {
        gaps.push("the alert says nothing".into());
    }
    gaps
}

/// What is sick: for a node's fault the node, else the most exact name that is not well, else what the alert names.
fn target(evidence: &Evidence, cause: Cause) -> String {
    if cause == Cause::NodeNotReady
        && let Some(node) = evidence.facts.matching("node.unwell=true").next()
    {
        return node.of.clone();
    }
    let named = evidence.scope.target().map(str::to_owned);
    let unwell = evidence.facts.unwell.first().cloned();
    named.or(unwell).unwrap_or_default()
}

/// How often a cause that is named with such a score is right: straight lines between points that were read off blind
/// collections. Scores are far too modest in the middle, since witnesses that say the same are not counted twice.
fn calibrated(score: f64) -> f64 {
    const POINTS: &[(f64, f64)] =
        &[(0.0, 0.0), (0.25, 0.4), (0.4, 0.7), (0.5, 0.82), (0.65, 0.89), (0.8, 0.93), (0.95, 0.97), (1.0, 0.99)];
    let mut pairs = POINTS.iter().zip(POINTS.iter().skip(1));
    let within = pairs.find(|((from, _), (to, _))| score >= *from && score <= *to);
    within.map_or(score, |((from, low), (to, high))| low + (high - low) * (score - from) / (to - from))
}

fn lines(witnesses: &[(f64, String)]) -> Vec<String> {
    let mut sorted: Vec<&(f64, String)> = witnesses.iter().collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    sorted.iter().take(LINES_MAX).map(|(_, text)| text.clone()).collect()
}

fn rounded(confidence: f64) -> f64 {
    (confidence.clamp(0.0, CONFIDENCE_MAX) * 100.0).round() / 100.0
}
