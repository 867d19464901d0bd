//! `detect_anomalies` as a component, and `pi-host detect` as a user meets it.

use std::fmt::Write as _;

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::plugin::builtin;
use pi_host::runtime::{CallLimits, Grants};
use serde_json::{Value, json};

use crate::capability::bench::Bench;
use crate::project::Project;
use crate::runtime::guest::{call, runtime};

const STEP: usize = 300;
const SPIKE: usize = 700;

/// A metric that wobbles, with one spike.
fn value(at: usize) -> f64 {
    if at == SPIKE { 95.0 } else { 20.0 + (at * 7919 % 101) as f64 / 50.0 }
}

fn stamp(at: usize) -> String {
    let minutes = at * STEP / 60;
    format!("2026-03-{:02} {:02}:{:02}:00", 1 + minutes / 1440, minutes / 60 % 24, minutes % 60)
}

fn csv(rows: usize) -> String {
    let mut text = String::from("timestamp,value\n");
    for at in 0..rows {
        writeln!(text, "{},{}", stamp(at), value(at)).unwrap();
    }
    text
}

async fn detect(points: Value) -> Result<Value, String> {
    let bench = Bench::new().await;
    let compiled = runtime().load(builtin("detect").unwrap()).await.unwrap();
    // Nothing is granted: the component has to do without.
    let plugin = runtime().link_tool(&compiled, Grants::default()).unwrap();
    let limits = CallLimits {
        memory_bytes_max: 256 << 20,
        call_ms_max: 60_000,
        output_bytes_max: 1 << 20,
        host_calls_max: 100_000,
    };
    match call(&bench, &plugin, limits, "detect_anomalies", json!({ "points": points })).await {
        Ok(parts) => match parts.first() {
            Some(Content::Json(text)) => Ok(serde_json::from_str(text).unwrap()),
            other => panic!("no JSON: {other:?}"),
        },
        Err(Error::InvalidArguments(text)) => Err(text),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn component_without_any_grant_scores_each_point_and_finds_the_spike() {
    let points: Vec<Value> = (0..800).map(|at| json!([stamp(at).replace(' ', "T") + "Z", value(at)])).collect();
    let result = detect(json!(points)).await.unwrap();
    let scores: Vec<f64> = result["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    assert_eq!(scores.len(), 800);
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
    assert_eq!(result["windows"].as_array().unwrap().len(), 1, "{}", result["windows"]);
    assert_eq!(result["windows"][0]["from"], json!(stamp(SPIKE).replace(' ', "T") + "Z"));
}

#[tokio::test]
async fn score_of_a_point_is_the_same_whatever_comes_after_it() {
    let points: Vec<Value> = (0..900).map(|at| json!([at * STEP, value(at)])).collect();
    let whole = detect(json!(points)).await.unwrap();
    let part = detect(json!(points[..750])).await.unwrap();
    assert_eq!(whole["scores"].as_array().unwrap()[..750], part["scores"].as_array().unwrap()[..]);
}

#[tokio::test]
async fn most_points_that_a_call_takes_fit_into_its_limits_and_one_more_is_refused() {
    let points = |count: usize| json!((0..count).map(|at| json!([at * STEP, value(at % 5000)])).collect::<Vec<_>>());
    let result = detect(points(100_000)).await.unwrap();
    assert_eq!(result["scores"].as_array().unwrap().len(), 100_000);
    let error = detect(points(100_001)).await.unwrap_err();
    assert!(error.contains("one call takes 100000") && error.contains("hint:"), "{error}");
}

#[test]
fn tool_is_called_like_any_other_and_its_schema_holds() {
    let project = Project::new();
    let said =
        project.run(&["tool", "call", "detect_anomalies", r#"{"points": [[0, 1], ["2026-03-01T00:00:00Z", null]]}"#]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("\"scores\""), "{}", said.out);
    let said = project.run(&["tool", "call", "detect_anomalies", r#"{"points": [[0, "much"]]}"#]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("the value must be a number"), "{}", said.err);
    let said = project.run(&["tool", "call", "detect_anomalies", r#"{"point": []}"#]);
    assert_eq!(said.code, Some(1));
}

fn corpus() -> Project {
    let project = Project::new();
    for folder in ["nab/real", "nab/quiet"] {
        std::fs::create_dir_all(project.path().join(folder)).unwrap();
    }
    project.write("nab/real/cpu.csv", &csv(1000));
    project
        .write("nab/quiet/flat.csv", &(0..1000).fold(String::new(), |text, at| text + &format!("{},5\n", stamp(at))));
    let labels = json!({
        "real/cpu.csv": [[stamp(SPIKE - 20), stamp(SPIKE + 20)]],
        "quiet/flat.csv": [],
    });
    project.write("nab/windows.json", &labels.to_string());
    project
}

#[test]
fn eval_scores_a_corpus_under_the_three_profiles() {
    let project = corpus();
    let said = project.run(&["--json", "detect", "eval", project.path().join("nab").to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let told = said.json();
    let profiles = told["profiles"].as_array().unwrap();
    let names: Vec<&str> = profiles.iter().map(|profile| profile["profile"].as_str().unwrap()).collect();
    assert_eq!(names, ["standard", "reward_low_FP_rate", "reward_low_FN_rate"]);
    // A hit in the middle of the window of 41 rows, 21 rows before what would be its end, and nothing else.
    let worth = |position: f64| 2.0 / (1.0 + (5.0 * position).exp()) - 1.0;
    let raw = worth(-21.0 / 41.0) / worth(-1.0);
    assert!((profiles[0]["raw"].as_f64().unwrap() - raw).abs() < 1e-9, "{told}");
    assert!((profiles[0]["score"].as_f64().unwrap() - 50.0 * (raw + 1.0)).abs() < 1e-9, "{told}");
    assert_eq!(told["points"], 2000);
    let cpu = &told["files"][1];
    assert_eq!((&cpu["file"], &cpu["windows"]), (&json!("real/cpu.csv"), &json!(1)));
    assert_eq!(cpu["profiles"]["standard"]["hits"], 1);
    assert_eq!(cpu["profiles"]["standard"]["false_alarms"], 0);
}

#[test]
fn eval_of_one_profile_is_a_table_for_people() {
    let project = corpus();
    project.write("nab/real/other.csv", "timestamp,value\n");
    let dir = project.path().join("nab");
    let said = project.run(&["detect", "eval", dir.to_str().unwrap(), "--profile", "reward_low_FN_rate"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("left out: real/other.csv has no entry in windows.json"), "{}", said.err);
    assert!(said.out.contains("reward_low_FN_rate") && !said.out.contains("standard"), "{}", said.out);
    assert!(said.out.contains("2000 points, "), "{}", said.out);
}

#[test]
fn what_is_wrong_with_a_corpus_is_said_with_file_and_line() {
    let project = corpus();
    let dir = project.path().join("nab");
    let error = || {
        let said = project.run(&["detect", "eval", dir.to_str().unwrap()]);
        assert_eq!(said.code, Some(1), "{}", said.out);
        said.err
    };
    project.write("nab/real/cpu.csv", "timestamp,value\n2026-03-01 00:00:00,1\n2026-03-01 00:05:00,many\n");
    let text = error();
    assert!(text.contains("real/cpu.csv line 3: `many` is no number") && text.contains("hint:"), "{text}");
    project.write("nab/real/cpu.csv", &csv(1000));
    project.write("nab/windows.json", r#"{"real/cpu.csv": [["2026-03-01 00:00:01", "2026-03-01 00:05:00"]]}"#);
    assert!(error().contains("no line of the series has the time `2026-03-01 00:00:01`"));
    project.write("nab/windows.json", r#"{"../cpu.csv": []}"#);
    assert!(error().contains("without `..`"));
    project.write("nab/windows.json", "{\n\"real/cpu.csv\": 5}");
    assert!(error().contains("line 2"));
    project.write("nab/windows.json", r#"{"real/none.csv": []}"#);
    let text = error();
    assert!(text.contains("none.csv cannot be read") && text.contains("hint:"), "{text}");
}

#[test]
fn one_series_is_scored_without_labels() {
    let project = Project::new();
    project.write("cpu.csv", &csv(1000));
    let file = project.path().join("cpu.csv");
    let said = project.run(&["detect", "score", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains(&stamp(SPIKE)) && said.out.contains("1000 points, 1 anomalies"), "{}", said.out);
    let told = project.run(&["--json", "detect", "score", file.to_str().unwrap()]).json();
    assert_eq!(told["scores"].as_array().unwrap().len(), 1000);
    assert_eq!(told["windows"][0]["from"], stamp(SPIKE));
}
