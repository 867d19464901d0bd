//! From what was found to a decision: points sum up, thresholds and verdicts of rules decide.
//!
//! What belongs together is summed together: one act, or one pipeline of a script. Each name
//! counts once. A script is as risky as the riskiest of its pipelines.

use serde::Deserialize;

use super::decision::{Decision, Evidence, Verdict};
use super::rule::Rule;

/// From these sums on an act is asked about or denied.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thresholds {
    pub ask: u8,
    pub deny: u8,
}

/// Something the gate sees by itself, without a rule's patterns. A rule with this `finding` gives
/// it points, reason and advice; the floor holds whatever the policy says.
pub(crate) struct Finding {
    pub name: &'static str,
    /// The least that follows, even under a policy that says nothing of it.
    pub floor: Verdict,
    /// It is about the script as a whole and does not come again as an act of its own.
    pub is_structural: bool,
    pub reason: &'static str,
    pub advice: &'static str,
}

const fn finding(
    name: &'static str,
    floor: Verdict,
    is_structural: bool,
    reason: &'static str,
    advice: &'static str,
) -> Finding {
    Finding { name, floor, is_structural, reason, advice }
}

const PLAIN: &str = "write the command in plain words";

/// All findings.
pub(crate) const FINDINGS: &[Finding] = &[
    finding("unparsed", Verdict::Ask, true, "the script cannot be parsed, so it cannot be judged", "mend its syntax"),
    finding(
        "too_complex",
        Verdict::Deny,
        true,
        "there is more in it than the gate follows",
        "split it into smaller steps",
    ),
    finding("too_large", Verdict::Deny, true, "it is larger than the gate reads", "split it, or put data into a file"),
    finding("invalid_text", Verdict::Deny, true, "it holds a NUL, which no argument can hold", PLAIN),
    finding(
        "hidden_text",
        Verdict::Ask,
        true,
        "it holds characters that a reader does not see or that were damaged",
        PLAIN,
    ),
    finding(
        "overspend",
        Verdict::Ask,
        true,
        "the budget is spent, and people decide whether it may be spent once more",
        "end with what is done, and say what is left to do",
    ),
    finding("dynamic_code", Verdict::Ask, true, "it runs code that only the run will tell", PLAIN),
    finding(
        "network_to_shell",
        Verdict::Ask,
        true,
        "it runs what the network sends",
        "download to a file, read it, then run it",
    ),
    finding(
        "runs_commands",
        Verdict::Ask,
        true,
        "a program within the command runs commands of its own",
        "run them as commands of the script",
    ),
    finding(
        "runs_setting",
        Verdict::Ask,
        true,
        "a setting makes the program run another one",
        "run that one by itself",
    ),
    finding(
        "foreign_setting",
        Verdict::Ask,
        true,
        "a setting or a variable makes the program run, read or write something else",
        "leave it out",
    ),
    finding("decoded_to_shell", Verdict::Ask, true, "it runs decoded text", PLAIN),
    finding("piped_to_shell", Verdict::Ask, true, "it runs the output of a command as code", PLAIN),
    finding(
        "fork_bomb",
        Verdict::Deny,
        true,
        "it starts processes without end",
        "start a bounded number and `wait` for them",
    ),
    finding(
        "network_device",
        Verdict::Ask,
        true,
        "the shell itself opens a network connection",
        "use a granted program",
    ),
    finding(
        "search_path",
        Verdict::Allow,
        true,
        "another search path makes names mean other programs",
        "name the program with its folder",
    ),
    finding(
        "metadata_address",
        Verdict::Ask,
        false,
        "it asks the service that hands out the machine's credentials",
        "name the secret in `pi.toml`",
    ),
    finding(
        "data_in_address",
        Verdict::Allow,
        false,
        "what a command prints goes out within an address",
        "look at what is sent, and to whom, first",
    ),
    finding(
        "guard_off",
        Verdict::Allow,
        true,
        "it turns a guard off by a variable",
        "leave it on, or let a person turn it off",
    ),
    finding("network_in_bulk", Verdict::Allow, false, "it sends requests from a list", "name the addresses"),
    finding("fills_disk", Verdict::Ask, true, "it writes without an end", "say how much is to be written"),
    finding(
        "talks_to_reader",
        Verdict::Allow,
        true,
        "it talks to whoever judges or reads it",
        "leave instructions out of commands",
    ),
    finding("opaque_code", Verdict::Allow, false, "the code is in a language that the gate does not read", PLAIN),
    finding("runs_file", Verdict::Allow, false, "it runs code from a file", "name what the file does"),
    finding("dynamic_command", Verdict::Allow, false, "only the run will tell which program this is", PLAIN),
    finding("unknown_program", Verdict::Allow, false, "the policy does not know the program", "grant it in `pi.toml`"),
    finding(
        "changes_state",
        Verdict::Allow,
        false,
        "this use of the program changes something",
        "see whether a reading subcommand will do",
    ),
    finding(
        "writes_state",
        Verdict::Allow,
        false,
        "it changes something that can be changed back",
        "look at the change before and after",
    ),
    finding("production", Verdict::Allow, false, "it changes production", "try it outside of production first"),
    finding(
        "unknown_package",
        Verdict::Ask,
        false,
        "it is not known what would be installed",
        "name the packages with their versions",
    ),
    finding(
        "self_protection",
        Verdict::Deny,
        false,
        "it would change the host's own state or policy",
        "change these files by hand",
    ),
];

/// One thing that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found<'g> {
    pub name: &'g str,
    pub points: u8,
    pub verdict: Verdict,
    pub reason: &'g str,
    pub advice: &'g str,
    pub detail: String,
    pub is_structural: bool,
    /// The operator has granted it: it is shown with its points, and nobody is asked because of it.
    pub is_granted: bool,
}

impl<'g> Found<'g> {
    /// What follows from it by itself.
    fn weight(&self) -> Verdict {
        match self.verdict {
            Verdict::Ask if self.is_granted => Verdict::Allow,
            verdict => verdict,
        }
    }

    pub(crate) fn by_rule(rule: &'g Rule, detail: String) -> Self {
        Self {
            name: &rule.id,
            points: rule.points,
            verdict: rule.verdict,
            reason: &rule.reason,
            advice: &rule.advice,
            detail,
            is_structural: false,
            is_granted: false,
        }
    }
}

/// What was found in one act, or in one pipeline of a script.
#[derive(Clone, Debug)]
pub(crate) struct Unit<'g> {
    pub found: Vec<Found<'g>>,
    /// What its points are multiplied by: more than 1 where it changes production.
    pub factor: f32,
}

impl Default for Unit<'_> {
    fn default() -> Self {
        Self { found: Vec::new(), factor: 1.0 }
    }
}

impl<'g> Unit<'g> {
    pub(crate) fn add(&mut self, found: Found<'g>) {
        match self.found.iter_mut().find(|other| other.name == found.name) {
            // One rule may speak of several findings: the hardest of them holds.
            Some(other) => {
                let is_structural = other.is_structural || found.is_structural;
                let is_granted = other.is_granted && found.is_granted;
                let points = found.points.max(other.points);
                if found.verdict > other.verdict || found.points > other.points {
                    let verdict = found.verdict.max(other.verdict);
                    *other = Found { verdict, ..found };
                }
                other.points = points;
                other.is_structural = is_structural;
                other.is_granted = is_granted;
            }
            None => self.found.push(found),
        }
    }

    fn risk(&self) -> u8 {
        self.risk_of(&|_| true)
    }

    fn risk_of(&self, counts: &dyn Fn(&Found<'_>) -> bool) -> u8 {
        let found = self.found.iter().filter(|found| counts(found));
        let sum = found.fold(0u8, |sum, found| sum.saturating_add(found.points));
        // A conversion to `u8` stops at its limits.
        (f32::from(sum) * self.factor).min(100.0) as u8
    }

    fn verdict(&self, thresholds: Thresholds) -> Verdict {
        let by_rule = self.found.iter().map(Found::weight);
        let by_points = match by_threshold(self.risk(), thresholds) {
            // What was granted counts towards a refusal alone.
            Verdict::Ask => by_threshold(self.risk_of(&|found| !found.is_granted), thresholds),
            verdict => verdict,
        };
        by_rule.max().unwrap_or(Verdict::Allow).max(by_points)
    }

    /// The verdict before a script starts whose commands will be judged one by one: what will be
    /// asked then is not asked now, what is denied is denied now.
    fn advance_verdict(&self, thresholds: Thresholds) -> Verdict {
        if self.verdict(thresholds) == Verdict::Deny {
            return Verdict::Deny;
        }
        let found = self.found.iter().filter(|found| found.is_structural).cloned().collect();
        let staying = Unit { found, factor: self.factor };
        staying.verdict(thresholds)
    }
}

pub(super) fn by_threshold(risk: u8, thresholds: Thresholds) -> Verdict {
    if risk >= thresholds.deny {
        Verdict::Deny
    } else if risk >= thresholds.ask {
        Verdict::Ask
    } else {
        Verdict::Allow
    }
}

/// Whether the commands that were looked at will come again, each as an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// They run natively or are only asked about: this is the last look.
    Final,
    /// They will be judged act by act.
    Advance,
}

/// The decision over all units.
pub(crate) fn decide(units: Vec<Unit<'_>>, thresholds: Thresholds, moment: Moment) -> Decision {
    let verdict_of = |unit: &Unit<'_>| match moment {
        Moment::Final => unit.verdict(thresholds),
        Moment::Advance => unit.advance_verdict(thresholds),
    };
    let mut units: Vec<_> = units.into_iter().filter(|unit| !unit.found.is_empty()).collect();
    if units.is_empty() {
        return Decision::allow();
    }
    units.sort_by_key(|unit| std::cmp::Reverse((verdict_of(unit), unit.risk())));
    let verdict = units.first().map_or(Verdict::Allow, verdict_of);
    let risk = units.iter().map(Unit::risk).max().unwrap_or_default();
    let mut decision = Decision { verdict, risk, ..Decision::allow() };
    for (at, mut unit) in units.into_iter().enumerate() {
        unit.found.sort_by_key(|found| std::cmp::Reverse((found.weight(), found.points)));
        if at == 0 && verdict != Verdict::Allow {
            explain(&mut decision, &unit, thresholds);
        }
        for found in unit.found {
            if !decision.evidence.iter().any(|evidence| evidence.name == found.name) {
                decision.rules.push(found.name.to_owned());
                let (name, points) = (found.name.to_owned(), found.points);
                decision.evidence.push(Evidence { name, points, detail: found.detail });
            }
        }
    }
    decision
}

fn explain(decision: &mut Decision, unit: &Unit<'_>, thresholds: Thresholds) {
    let Some(first) = unit.found.first() else { return };
    decision.advice = first.advice.to_owned();
    decision.reason = if first.weight() >= decision.verdict {
        format!("{}: {}", first.reason, first.detail)
    } else {
        let limit = if decision.verdict == Verdict::Deny { thresholds.deny } else { thresholds.ask };
        format!("{}: {} (risk {} reaches {limit})", first.reason, first.detail, unit.risk())
    };
}
