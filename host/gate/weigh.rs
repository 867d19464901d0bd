//! What comes after the rules: findings of policies in Rego and of look-ups outside of the gate.
//!
//! All of it only adds: points, an ask, a deny. Nothing here can weaken what the rules have said.

use serde_json::{Value, json};

use super::Profile;
use super::decision::{Decision, Evidence, Verdict};
use super::effect::{Effect, Kind, Severity};
use super::look::COMMANDS_HEARD_MAX;
use super::policy::ACTS;
use super::rego::{Began, Rego, RegoVerdict, began};
use super::risk::by_threshold;
use super::{Act, Gate, Origin};

/// A command that an act holds: its words, and what it would do.
pub(super) type Heard = (Vec<String>, Vec<Effect>);

/// The commands that an act holds, as far as they are kept.
#[derive(Debug, Default)]
pub(super) struct Commands {
    pub commands: Vec<Heard>,
    /// One of them is a program that the operator granted by name, of which the policy knows nothing.
    pub has_granted: bool,
}

/// Something that somebody else knows about an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub name: String,
    /// `Allow` adds its points only.
    pub verdict: Verdict,
    pub points: u8,
    pub reason: String,
    pub advice: String,
}

/// The kinds under which policies in Rego can be written.
pub(super) fn kinds() -> Vec<&'static str> {
    ACTS.iter().copied().filter(|act| *act != "effect").chain(Kind::ALL.iter().map(|kind| kind.name())).collect()
}

impl Gate {
    /// Add what was found outside of the gate.
    pub fn add(&self, decision: &mut Decision, findings: Vec<Finding>) {
        for finding in findings {
            let before = decision.verdict;
            decision.risk = decision.risk.saturating_add(finding.points).min(100);
            let by_points =
                if finding.points > 0 { by_threshold(decision.risk, self.policy.thresholds) } else { Verdict::Allow };
            // An ask is an ask: its points count towards the next thing, and do not make a refusal of it.
            let by_points = if finding.verdict == Verdict::Ask { by_points.min(Verdict::Ask) } else { by_points };
            decision.verdict = before.max(finding.verdict).max(by_points);
            if decision.verdict > before || decision.reason.is_empty() {
                decision.reason.clone_from(&finding.reason);
                decision.advice.clone_from(&finding.advice);
                decision.rules.insert(0, finding.name.clone());
            } else {
                if finding.verdict > Verdict::Allow {
                    append(&mut decision.reason, &finding.reason);
                    append(&mut decision.advice, &finding.advice);
                }
                decision.rules.push(finding.name.clone());
            }
            let Finding { name, points, reason, .. } = finding;
            decision.evidence.push(Evidence { name, points, detail: reason });
        }
    }

    /// Hear the policies in Rego, then bound it by the profile. `commands` are those that the act holds:
    /// each is heard as the program that it would run, whatever carries it.
    pub(super) fn weigh(&self, decision: &mut Decision, act: &Act, heard: &Commands, origin: &Origin, time_ms: u64) {
        let commands = heard.commands.as_slice();
        if let Some(rego) = &self.rego {
            let effects = if decision.effects.is_empty() { own_effects(act) } else { decision.effects.clone() };
            let began = began();
            let mut findings = self.hear((rego, began), decision, act, &effects, origin, time_ms);
            let directory = match act {
                Act::Script { directory, .. } | Act::ProcessRun { directory, .. } => directory.as_str(),
                _ => "",
            };
            // The act itself was heard as it is.
            let is_itself = |argv: &[String]| matches!(act, Act::ProcessRun { argv: own, .. } if own == argv);
            let inner = commands.iter().take(COMMANDS_HEARD_MAX).filter(|(argv, _)| !is_itself(argv));
            for (argv, effects) in inner {
                let command =
                    Act::ProcessRun { argv: argv.clone(), directory: directory.to_owned(), environment: Vec::new() };
                findings.extend(self.hear((rego, began), decision, &command, effects, origin, time_ms));
            }
            if commands.len() > COMMANDS_HEARD_MAX {
                findings.push(Finding {
                    name: "policy_failed".to_owned(),
                    verdict: Verdict::Ask,
                    points: 0,
                    reason: format!("it is more than the {COMMANDS_HEARD_MAX} commands that policies in Rego hear"),
                    advice: "split it into smaller steps".to_owned(),
                });
            }
            let mut named: Vec<Finding> = Vec::new();
            for finding in findings {
                match named.iter_mut().find(|known| known.name == finding.name) {
                    Some(known) if (finding.verdict, finding.points) > (known.verdict, known.points) => {
                        *known = Finding { points: finding.points.max(known.points), ..finding };
                    }
                    Some(known) => known.points = known.points.max(finding.points),
                    None => named.push(finding),
                }
            }
            self.add(decision, named);
        }
        let is_change = match act {
            // What these do comes as acts of its own, but for a script that is only asked about.
            Act::ToolCall { .. } => false,
            Act::Script { .. } | Act::ProcessRun { .. } => {
                heard.has_granted
                    || !decision.rules.is_empty()
                    || decision.effects.iter().any(|effect| effect.severity > Severity::Read)
            }
            _ => act.severity() > Severity::Read,
        };
        self.profile.bound(decision, is_change, self.policy.thresholds);
    }

    /// Bound a decision by another profile than the gate's own. A script or a program of which it is not known that it
    /// only looks counts as a change.
    pub fn bound(&self, decision: &mut Decision, act: &Act, profile: Profile) {
        let is_change = match act {
            // What it does comes as acts of its own.
            Act::ToolCall { .. } => false,
            Act::Script { .. } | Act::ProcessRun { .. } => {
                let has_only_reads = decision.effects.iter().all(|effect| effect.severity == Severity::Read);
                decision.effects.is_empty() || !has_only_reads || !decision.rules.is_empty()
            }
            _ => act.severity() > Severity::Read,
        };
        profile.bound(decision, is_change, self.policy.thresholds);
    }

    /// What policies in Rego say of one act.
    fn hear(
        &self,
        (rego, began): (&Rego, Began),
        decision: &Decision,
        act: &Act,
        effects: &[Effect],
        origin: &Origin,
        time_ms: u64,
    ) -> Vec<Finding> {
        let mut kinds: Vec<&str> = vec![act.name()];
        kinds.extend(effects.iter().map(|effect| effect.kind.name()));
        let is_named = |text: &str| self.is_production(text);
        let is_production = effects.iter().any(|effect| is_named(&effect.target))
            || matches!(act, Act::ProcessRun { argv, .. } if argv.iter().skip(1).any(|word| is_named(word)));
        let input = self.input(decision, act, origin, effects, is_production, time_ms);
        let findings = rego.evaluate_since(began, &kinds, &input).into_iter().map(|finding| Finding {
            name: finding.rule,
            verdict: match finding.verdict {
                RegoVerdict::Evidence => Verdict::Allow,
                RegoVerdict::Ask => Verdict::Ask,
                RegoVerdict::Deny => Verdict::Deny,
            },
            points: finding.points,
            reason: finding.reason,
            advice: finding.advice,
        });
        findings.collect()
    }

    fn input(
        &self,
        decision: &Decision,
        act: &Act,
        origin: &Origin,
        effects: &[Effect],
        is_production: bool,
        time_ms: u64,
    ) -> Value {
        let mut action = serde_json::to_value(act).unwrap_or_default();
        if let Some(fields) = action.as_object_mut() {
            fields.shift_remove("act");
            fields.insert("name".to_owned(), act.name().into());
        }
        let evidence: Vec<&str> = decision.evidence.iter().map(|evidence| evidence.name.as_str()).collect();
        let tool = match act {
            Act::ToolCall { tool, .. } => tool.as_str(),
            _ => origin.plugin.as_str(),
        };
        json!({
            "action": action,
            "effects": effects,
            "risk": decision.risk,
            "evidence": evidence,
            "origin": origin,
            "agent": origin.agent,
            "tool": tool,
            "target": if is_production { "production" } else { "" },
            "time": time(time_ms),
            "profile": self.profile,
        })
    }
}

/// Put a sentence behind others, once.
fn append(text: &mut String, sentence: &str) {
    if !sentence.is_empty() && !text.contains(sentence) {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(sentence);
    }
}

/// What an act that is no command does, as an effect.
fn own_effects(act: &Act) -> Vec<Effect> {
    let (kind, operation, target) = match act {
        Act::FileRead { path } => (Kind::File, "read", path),
        Act::FileList { path } => (Kind::File, "list", path),
        Act::FileWrite { path, .. } => (Kind::File, "write", path),
        Act::FileRemove { path, .. } => (Kind::File, "remove", path),
        Act::FileRename { to, .. } => (Kind::File, "rename", to),
        Act::FileMode { path, .. } => (Kind::File, "mode", path),
        Act::FileTime { path } => (Kind::File, "time", path),
        Act::FileSymlink { link, .. } => (Kind::File, "symlink", link),
        Act::DirectoryMake { path, .. } => (Kind::File, "make_directory", path),
        Act::ServiceRead { service, .. } => (Kind::Service, "status", service),
        Act::ServiceProbe { service } => (Kind::Service, "probe", service),
        Act::ServiceRestart { service } => (Kind::Service, "restart", service),
        Act::ProcessEnd { command, .. } => (Kind::Process, "kill", command),
        Act::LogRotate { service, .. } => (Kind::Service, "rotate_log", service),
        // Theirs were found by the look.
        Act::HttpRequest { .. }
        | Act::CloudCall { .. }
        | Act::SqlQuery { .. }
        | Act::KeyValueWrite { .. }
        | Act::Overspend { .. } => return Vec::new(),
        Act::ToolCall { .. } | Act::Script { .. } | Act::ProcessRun { .. } => return Vec::new(),
    };
    vec![Effect { kind, operation: operation.into(), target: target.clone(), severity: act.severity() }]
}

/// A time as policies read it, in UTC.
fn time(unix_ms: u64) -> Value {
    const DAYS: [&str; 7] = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];
    let minutes = unix_ms / 60_000;
    let days = usize::try_from(minutes / 1_440 % 7).unwrap_or_default();
    json!({
        "unix_ms": unix_ms,
        // 1970 began on a Thursday.
        "weekday": DAYS.get(days),
        "hour": minutes / 60 % 24,
        "minute": minutes % 60,
        "zone": "UTC",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Policy, Profile, Rego, RegoSource};

    fn gate(text: &str) -> Gate {
        let rego = Rego::compile(&[RegoSource { file: "mine.rego", text }]).unwrap();
        Gate::builtin().with_rego(rego).unwrap()
    }

    #[test]
    fn rego_asks_about_an_effect_and_weakens_no_deny() {
        let gate = gate(
            "package pi.database\nask contains {\"id\": \"mine\", \"reason\": \"a select\", \"points\": 5} if input.effects[_].operation == \"select\"\n",
        );
        let asked = gate.judge("psql -c 'select 1'", "/srv");
        assert_eq!((asked.verdict, asked.rules.first().map(String::as_str)), (Verdict::Ask, Some("mine")));
        assert_eq!(gate.judge("rm -rf /; psql -c 'select 1'", "/srv").verdict, Verdict::Deny);
        assert_eq!(gate.judge("ls", "/srv").verdict, Verdict::Allow);
    }

    #[test]
    fn rego_hears_each_command_of_a_script_and_what_wrappers_carry() {
        let gate = gate(
            "package pi.process_run\ndeny contains {\"id\": \"no_acl\", \"reason\": \"public\"} if \"--public\" in input.action.argv\n",
        );
        for command in ["tool --public", "ls; tool x --public", "sudo tool --public", "sh -c 'tool --public'"] {
            let decision = gate.judge(command, "/srv");
            assert_eq!((decision.verdict, &decision.rules[0]), (Verdict::Deny, &"no_acl".to_owned()), "{command}");
        }
        assert_ne!(gate.judge("echo '--public is a flag'", "/srv").verdict, Verdict::Deny);
    }

    #[test]
    fn of_two_findings_of_one_name_the_higher_counts_whatever_the_order() {
        let gate = gate(concat!(
            "package pi.process_run\n",
            "evidence contains {\"id\": \"ev\", \"reason\": \"r\", \"points\": 5} if \"small\" in input.action.argv\n",
            "evidence contains {\"id\": \"ev\", \"reason\": \"r\", \"points\": 100} if \"big\" in input.action.argv\n",
        ));
        for command in ["echo big; echo small", "echo small; echo big"] {
            assert_eq!(gate.judge(command, "/srv").verdict, Verdict::Deny, "{command}");
        }
    }

    #[test]
    fn what_is_found_outside_is_told_beside_what_the_rules_say() {
        let gate = Gate::builtin();
        let mut decision = gate.judge("pip install crit==1.0", "/srv");
        let finding = Finding {
            name: "vulnerable_package".into(),
            verdict: Verdict::Ask,
            points: 50,
            reason: "crit 1.0 has X-1".into(),
            advice: "take 1.1".into(),
        };
        gate.add(&mut decision, vec![finding]);
        assert!(decision.reason.contains("crit 1.0 has X-1"), "{}", decision.reason);
        assert!(decision.advice.contains("take 1.1"), "{}", decision.advice);
    }

    #[test]
    fn rego_sees_the_time() {
        let gate = gate(
            "package pi.any\ndeny contains {\"id\": \"freeze\", \"reason\": \"it is Saturday\"} if input.time.weekday == \"saturday\"\n",
        );
        let act = Act::FileRead { path: "/srv/x".into() };
        // 2026-11-21 was a Saturday.
        let saturday = 1_795_219_200_000;
        assert_eq!(gate.decide_at(&act, &Origin::default(), saturday).verdict, Verdict::Deny);
        assert_eq!(gate.decide_at(&act, &Origin::default(), saturday + 2 * 86_400_000).verdict, Verdict::Allow);
    }

    #[test]
    fn a_package_that_no_act_asks_is_an_error() {
        let text = "package pi.databases\ndeny contains {\"id\": \"x\", \"reason\": \"y\"} if true\n";
        let rego = Rego::compile(&[RegoSource { file: "mine.rego", text }]).unwrap();
        assert!(Gate::builtin().with_rego(rego).is_err());
    }

    #[test]
    fn a_profile_bounds_changes_and_lets_look() {
        let write = Act::FileWrite {
            path: "/srv/x".into(),
            bytes: 1,
            mode: crate::gate::WriteMode::Replace,
            sha256: String::new(),
        };
        let read = Act::FileRead { path: "/srv/x".into() };
        let expected = [
            (Profile::Observe, Verdict::Deny),
            (Profile::Propose, Verdict::Deny),
            (Profile::Approve, Verdict::Ask),
            (Profile::Auto, Verdict::Allow),
        ];
        for (profile, verdict) in expected {
            let gate = Gate::new(Policy::builtin()).with_profile(profile);
            assert_eq!(gate.decide(&write, &Origin::default()).verdict, verdict, "{profile:?}");
            assert_eq!(gate.decide(&read, &Origin::default()).verdict, Verdict::Allow, "{profile:?}");
        }
    }

    #[test]
    fn production_weighs_more() {
        let gate = Gate::builtin().with_production(&["*prod*".to_owned()], 4.0).unwrap();
        let there = gate.judge("kubectl --context prod-eu scale deployment web --replicas 2", "/srv");
        let elsewhere = gate.judge("kubectl --context test-eu scale deployment web --replicas 2", "/srv");
        assert!(there.risk > elsewhere.risk, "{} {}", there.risk, elsewhere.risk);
    }
}
