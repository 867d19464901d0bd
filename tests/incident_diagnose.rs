//! `pi-host incident`: what it says, where, and with which exit code. How good it is, the crate's own tests and
//! `incident eval` say.

use std::io::Write as _;
use std::process::Stdio;

use crate::project::{Project, Said};

/// A database whose processors are full.
const BUSY: &str = r#"{"version": 1, "alert": {"title": "CPU high on shop-db", "state": "alerting", "labels": {"db_instance": "shop-db"}},
    "metrics": [{"name": "CPUUtilization", "dimensions": {"DBInstanceIdentifier": "shop-db"}, "unit": "Percent", "points": [
    ["2026-01-01T12:00:00Z", 30], ["2026-01-01T12:01:00Z", 31], ["2026-01-01T12:02:00Z", 30], ["2026-01-01T12:03:00Z", 96],
    ["2026-01-01T12:04:00Z", 97], ["2026-01-01T12:05:00Z", null], ["2026-01-01T12:06:00Z", 98], ["2026-01-01T12:07:00Z", 97]]}]}"#;

fn with_busy() -> Project {
    let project = Project::new();
    project.write("busy.json", BUSY);
    project
}

#[test]
fn an_incident_is_diagnosed_without_a_project() {
    let said = with_busy().run(&["incident", "diagnose", "busy.json", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let value = said.json();
    assert_eq!(value["root_cause"], "cpu_saturation", "{value}");
    assert_eq!(value["target"], "shop-db");
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["root_cause", "confidence", "target", "hypotheses", "gaps", "actions"]);
    assert!(value["hypotheses"][0]["for"][0].as_str().unwrap().contains("CPUUtilization"), "{value}");
}

#[test]
fn people_read_the_cause_its_case_and_what_was_not_seen() {
    let said = with_busy().run(&["incident", "diagnose", "busy.json"]);
    assert_eq!(said.code, Some(0));
    assert!(said.out.starts_with("CPU high on shop-db\ncpu_saturation of shop-db, confidence 0."), "{}", said.out);
    assert!(said.out.contains("no logs were observed") && said.out.contains("scale: "), "{}", said.out);
}

#[test]
fn an_incident_is_read_from_stdin() {
    let project = Project::new();
    let mut child = project
        .command(&["--json", "incident", "diagnose", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(BUSY.as_bytes()).unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!(said.json()["root_cause"], "cpu_saturation");
}

#[test]
fn nothing_but_an_alarm_is_unknown_and_its_gaps_are_named() {
    let project = Project::new();
    project.write("empty.json", r#"{"alert": {"title": "CPU high", "state": "alerting"}}"#);
    let value = project.run(&["--json", "incident", "diagnose", "empty.json"]).json();
    assert_eq!(value["root_cause"], "unknown", "{value}");
    assert!(value["gaps"].as_array().unwrap().len() >= 4, "{value}");
}

#[test]
fn what_is_wrong_with_an_incident_is_named_by_file_and_path() {
    let project = Project::new();
    project.write("bad.json", r#"{"metrics": [{"name": "m", "points": [["2026-01-01T12:00:00Z", 1], ["noon", 2]]}]}"#);
    let said = project.run(&["incident", "diagnose", "bad.json"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("bad.json") && said.err.contains("metrics[0].points[1][0]"), "{}", said.err);
    let said = project.run(&["incident", "diagnose", "none.json"]);
    assert!(said.code == Some(1) && said.err.contains("none.json"), "{}", said.err);
}

#[test]
fn a_collection_is_graded_and_what_is_wrong_is_listed() {
    let project = Project::new();
    for (name, answer) in [("one", "cpu_saturation"), ("two", "healthy")] {
        std::fs::create_dir(project.path().join(name)).unwrap();
        project.write(&format!("{name}/incident.json"), BUSY);
        project.write(&format!("{name}/answer.json"), &format!(r#"{{"root_cause": "{answer}", "difficulty": "1"}}"#));
    }
    let value = project.run(&["--json", "incident", "eval", "."]).json();
    assert_eq!((&value["score"]["right"], &value["score"]["cases"]), (&1.into(), &2.into()), "{value}");
    assert_eq!(value["score"]["healthy_accused"], 1);
    assert_eq!(value["score"]["wrong"][0]["name"], "two");
    let said = project.run(&["incident", "eval", "."]);
    assert!(said.out.contains("1 of 2 right") && said.out.contains("cpu_saturation"), "{}", said.out);
    project.write("two/answer.json", r#"{"root_cause": "gremlins"}"#);
    let said = project.run(&["incident", "eval", "."]);
    assert!(said.code == Some(1) && said.err.contains("answer.json") && said.err.contains("gremlins"), "{}", said.err);
}

#[test]
fn a_users_knowledge_is_added_and_its_mistakes_are_named_by_file_and_key() {
    let project = with_busy();
    std::fs::create_dir(project.path().join("known")).unwrap();
    let own = "cause = \"throttled\"\ntitle = \"Our plan's limit\"\nis_addition = true\n\
               [[metric]]\nrole = \"cpu\"\nis = [\"saturated\"]\nweight = 99\n\
               [[example]]\nname = \"full processors\"\nincident.metrics = [{ name = \"CPUUtilization\", values = [9, 9, 9, 99, 99, 99] }]\n";
    project.write("known/throttled.toml", own);
    let tested = project.run(&["incident", "knowledge", "test", "known"]);
    assert_eq!(tested.code, Some(1), "the examples of cpu_saturation no longer hold: {}", tested.out);
    let value = project.run(&["--json", "incident", "diagnose", "busy.json", "--knowledge", "known"]).json();
    assert_eq!(value["root_cause"], "throttled", "{value}");
    project.write("known/throttled.toml", &own.replace("\"cpu\"", "\"cqu\""));
    let said = project.run(&["incident", "knowledge", "test", "known"]);
    assert!(said.err.contains("throttled.toml") && said.err.contains("cqu"), "{}", said.err);
    project.write("known/throttled.toml", &own.replace("weight", "wait"));
    let said = project.run(&["incident", "knowledge", "test", "known"]);
    assert!(said.code == Some(1) && said.err.contains("throttled.toml") && said.err.contains("wait"), "{}", said.err);
}

#[test]
fn the_built_in_knowledge_passes_its_own_examples() {
    let said = Project::new().run(&["incident", "knowledge", "test"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
}
