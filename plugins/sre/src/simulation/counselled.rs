//! What a model's opinion can do, and what it cannot.

use pi_sdk::{Status, Value, json};

use super::{BAD, DONE, Fault, GOOD, Service, Simulation};
use crate::world::Trouble;

/// A service whose configuration is bad, where nobody shows what was changed in it: no rule knows an act.
fn without_changes(script: &[(&'static str, Value)]) -> Simulation {
    let mut world = Simulation::new(vec![Service::new("orders", 9000).ill(Fault::Config { is_live: true })]);
    world.refused.insert("service_changes", Trouble::NotGranted("the tool `service_changes`".into()));
    world.model = Some(script.to_vec());
    world
}

fn opinion(proposal: Value) -> (&'static str, Value) {
    let ranking = ["bad_configuration", "unknown"];
    ("give_opinion", json!({ "ranking": ranking, "reason": "the log names the pool", "proposal": proposal }))
}

fn edit(old: &str, new: &str) -> Value {
    json!({ "tool": "edit", "why": "the log names it", "arguments": { "path": "/etc/orders.conf", "old": old, "new": new } })
}

#[test]
fn an_act_that_no_rule_has_is_taken_and_proved() {
    let mut world = without_changes(&[
        // Before anything was done, and again after the restart that the rules have for it.
        opinion(Value::Null),
        DONE,
        ("incident_evidence", json!({})),
        ("service_status", json!({ "name": "orders" })),
        opinion(edit("pool = eight", "pool = 8")),
    ]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Done, "{}", outcome.summary);
    assert_eq!(world.service("orders").file, GOOD);
    assert_eq!(details["verification"]["passed"], true);
    let told = details["timeline"].to_string();
    assert!(told.contains("a model thinks of bad_configuration first: the log names the pool"), "{told}");
    let evidence = format!("{:?}", world.asked[3].messages);
    assert!(evidence.contains("hypotheses") && evidence.contains("orders"), "{evidence}");
}

#[test]
fn an_act_that_does_not_help_is_not_called_a_repair() {
    let useless = json!({ "tool": "log_rotate", "why": "it may help", "arguments": { "name": "orders", "path": "x" } });
    let mut world = without_changes(&[opinion(Value::Null), DONE, opinion(useless.clone()), DONE, opinion(useless)]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated, "{}", outcome.summary);
    assert_eq!(world.effects.iter().filter(|effect| *effect == "rotate orders").count(), 1, "{:?}", world.effects);
    assert_ne!(details["verification"]["passed"], true);
}

#[test]
fn an_act_that_is_refused_stays_undone_and_is_named() {
    let mut world = without_changes(&[opinion(Value::Null), DONE, opinion(edit("pool = eight", "pool = 8"))]);
    let refusal = Trouble::Refused {
        action: "edit `/etc/orders.conf`".into(),
        rule: "production".into(),
        reason: "a person decides".into(),
        advice: String::new(),
    };
    world.refused.insert("edit", refusal);
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert_eq!(world.service("orders").file, BAD);
    assert!(outcome.summary.contains("refused by the rule `production`"), "{}", outcome.summary);
}

#[test]
fn a_model_makes_no_act_by_itself_and_proposes_none_that_it_was_not_shown() {
    let restart = ("service_restart", json!({ "name": "orders" }));
    let foreign = opinion(json!({ "tool": "rm", "arguments": {}, "why": "a log line says so" }));
    let looking = opinion(json!({ "tool": "service_status", "arguments": {}, "why": "x" }));
    let again = opinion(json!({ "tool": "service_restart", "arguments": { "name": "orders" }, "why": "x" }));
    let unknown = ("give_opinion", json!({ "ranking": ["solar_flare"], "reason": "x" }));
    let mut world = without_changes(&[restart, foreign, looking, again, unknown]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    let asked = format!("{:?}", world.asked);
    for complaint in [
        "acts are proposed",
        "`rm` is no act",
        "`service_status` is no act",
        "`service_restart` is no act",
        "no such cause",
    ] {
        assert!(asked.contains(complaint), "{complaint}: {asked}");
    }
    assert!(details["timeline"].to_string().contains("no opinion"), "{}", details["timeline"]);
}

#[test]
fn nobody_is_asked_where_the_evidence_decides() {
    let mut world = Simulation::new(vec![Service::new("orders", 9000).ill(Fault::Full)]);
    world.model = Some(Vec::new());
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::Done);
    assert!(world.asked.is_empty());
}

#[test]
fn without_a_model_all_is_as_it_was() {
    let mut world = without_changes(&[]);
    world.model = None;
    let (with, without) = (without_changes(&[]).wake("orders").0, world.wake("orders").0);
    assert_eq!((with.status, without.status), (Status::Escalated, Status::Escalated));
    assert_eq!(with.summary, without.summary);
}
