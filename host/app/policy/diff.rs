//! How two policies differ: in their rules, and in what they decide.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::gate::{Gate, Verdict};

/// The differences of two policies.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Differences {
    pub rules: Vec<RuleChange>,
    /// Other parts of the file that differ: `thresholds`, `programs`.
    pub parts: Vec<String>,
    /// Commands that were judged under both.
    pub judged: u64,
    pub decisions: Vec<Difference>,
}

/// A rule that only one of them has, or that is another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleChange {
    pub id: String,
    pub place: Place,
    /// The keys that differ.
    pub keys: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Added,
    Removed,
    Changed,
}

/// A command that they decide differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    pub command: String,
    pub a: Verdict,
    pub b: Verdict,
    pub a_rules: Vec<String>,
    pub b_rules: Vec<String>,
}

/// Compare two policies by their texts, and by what they decide over the examples of both and over `commands`.
#[must_use]
pub fn diff(a: (&str, &Gate), b: (&str, &Gate), commands: &[String], directory: &str) -> Differences {
    let (texts, gates) = ([a.0, b.0], [a.1, b.1]);
    let [first, second]: [Value; 2] = texts.map(|text| serde_json::from_str(text).unwrap_or_default());
    let mut differences =
        Differences { rules: rules(&first, &second), parts: parts(&first, &second), ..Differences::default() };
    let mut all: Vec<String> = examples(&first).chain(examples(&second)).chain(commands.iter().cloned()).collect();
    all.sort();
    all.dedup();
    for command in all {
        let [a, b] = gates.map(|gate| gate.judge(&command, directory));
        differences.judged += 1;
        if a.verdict != b.verdict {
            differences.decisions.push(Difference {
                command,
                a: a.verdict,
                b: b.verdict,
                a_rules: a.rules,
                b_rules: b.rules,
            });
        }
    }
    differences
}

fn rules_by_id(policy: &Value) -> BTreeMap<&str, &Value> {
    let rules = policy.get("rules").and_then(Value::as_array).into_iter().flatten();
    rules.filter_map(|rule| Some((rule.get("id")?.as_str()?, rule))).collect()
}

fn rules(a: &Value, b: &Value) -> Vec<RuleChange> {
    let (a, b) = (rules_by_id(a), rules_by_id(b));
    let mut changes = Vec::new();
    let change = |id: &str, place, keys| RuleChange { id: id.to_owned(), place, keys };
    for (id, rule) in &a {
        match b.get(id) {
            None => changes.push(change(id, Place::Removed, Vec::new())),
            Some(other) if other != rule => changes.push(change(id, Place::Changed, keys(rule, other))),
            Some(_) => {}
        }
    }
    let added = b.keys().filter(|id| !a.contains_key(*id));
    changes.extend(added.map(|id| change(id, Place::Added, Vec::new())));
    changes
}

/// The keys of two objects whose values differ.
fn keys(a: &Value, b: &Value) -> Vec<String> {
    let of = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default();
    let mut keys: Vec<String> = of(a);
    let others: Vec<String> = of(b);
    keys.extend(others);
    keys.sort();
    keys.dedup();
    keys.retain(|key| a.get(key) != b.get(key));
    keys
}

fn parts(a: &Value, b: &Value) -> Vec<String> {
    keys(a, b).into_iter().filter(|key| key != "rules" && key != "$schema").collect()
}

/// The commands among the examples of all rules.
fn examples(policy: &Value) -> impl Iterator<Item = String> {
    let rules = policy.get("rules").and_then(Value::as_array).into_iter().flatten();
    let lists = rules.filter_map(|rule| rule.get("examples")?.as_object()).flat_map(|lists| lists.values());
    lists.filter_map(Value::as_array).flatten().filter_map(|example| example.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Policy;

    #[test]
    fn a_policy_differs_from_itself_in_nothing() {
        let text = Policy::builtin_text();
        let found = diff((text, &Gate::builtin()), (text, &Gate::builtin()), &[], "/srv");
        assert_eq!((found.rules, found.parts, found.decisions), (vec![], vec![], vec![]));
        assert!(found.judged > 100);
    }

    #[test]
    fn a_rule_that_is_gone_shows_in_the_rules_and_in_the_decisions() {
        let policy = |rules: Value| serde_json::json!({ "version": 1, "thresholds": { "ask": 40, "deny": 100 }, "rules": rules });
        let rule = serde_json::json!({
            "id": "mine", "acts": ["process_run"], "when": { "program": ["ls"] }, "verdict": "deny", "points": 1,
            "reason": "r", "advice": "a", "examples": { "match": ["ls x"], "no_match": ["pwd"] },
        });
        let [a, b] =
            [policy(serde_json::json!([rule])), policy(serde_json::json!([]))].map(|policy| policy.to_string());
        let gate = |text: &str| Gate::new(Policy::parse(text, "test").unwrap());
        let found = diff((&a, &gate(&a)), (&b, &gate(&b)), &["ls y".to_owned()], "/srv");
        assert_eq!(found.rules, [RuleChange { id: "mine".into(), place: Place::Removed, keys: vec![] }]);
        let differing: Vec<&str> = found.decisions.iter().map(|difference| difference.command.as_str()).collect();
        assert_eq!((found.judged, differing), (3, vec!["ls x", "ls y"]));
    }
}
