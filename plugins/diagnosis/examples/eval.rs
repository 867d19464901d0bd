//! How good and how fast the diagnoses are: `cargo run --release -p pi-diagnosis --example eval -- DIR`.
//!
//! DIR holds NAME/incident.json and NAME/answer.json. Without further words it prints what was wrong and how much a
//! confidence is worth; `--totals` prints the totals alone, for a collection that nobody may look into; `--why` the
//! evidence of what was wrong; `--cases` every case; `--knowledge=DIR` takes files of knowledge from there; `--speed` measures an incident of 20 metrics and 100,000 lines.

#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use pi_diagnosis::{Answer, Diagnostician, Graded, Incident, Knowledge, Score, reliability, run_examples};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // `--knowledge=DIR` reads files of a folder instead, so that rules can be tried without a build.
    let folder = arguments.iter().find_map(|argument| argument.strip_prefix("--knowledge="));
    let mut files: Vec<(String, String)> = Vec::new();
    for entry in folder.map(std::fs::read_dir).transpose()?.into_iter().flatten() {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".toml") {
            files.push((name, std::fs::read_to_string(path)?));
        }
    }
    files.sort();
    let knowledge = Knowledge::with(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))?;
    if has("--speed") {
        return speed(&knowledge);
    }
    if has("--examples") {
        return examples(&knowledge);
    }
    let dirs: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    if dirs.is_empty() {
        return Err("give a folder with NAME/incident.json and NAME/answer.json, `--examples` or `--speed`".into());
    }
    let diagnostician = Diagnostician::new(&knowledge);
    let mut graded = Vec::new();
    for folder in folders(&dirs)? {
        let case = one(&diagnostician, &folder, &arguments)?;
        graded.push(case);
    }
    let score = Score::of(&graded);
    if !has("--totals") {
        for wrong in &score.wrong {
            println!("{:<28} is {:<26} said {} ({:.2})", wrong.name, wrong.expected, wrong.said, wrong.confidence);
        }
        for bucket in reliability(&graded).iter().filter(|bucket| bucket.cases > 0) {
            let (right, cases) = (bucket.right, bucket.cases);
            println!(
                "confidence from {:.2}: {right} of {cases} right (mean {:.2})",
                bucket.from, bucket.confidence_mean
            );
        }
    }
    println!(
        "{} of {} right ({:.1} %), {} abstained, {} of {} healthy accused, {} faults called healthy, {:.2} ms mean, {:.2} ms max",
        score.right,
        score.cases,
        100.0 * score.accuracy,
        score.abstained,
        score.healthy_accused,
        score.healthy,
        score.faults_missed,
        score.ms_mean,
        score.ms_max
    );
    Ok(())
}

fn one(
    diagnostician: &Diagnostician,
    folder: &Path,
    arguments: &[String],
) -> Result<Graded, Box<dyn std::error::Error>> {
    let has =
        |flag: &str| arguments.iter().any(|argument| argument == flag) && !arguments.iter().any(|it| it == "--totals");
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let incident = Incident::from_json(&std::fs::read_to_string(folder.join("incident.json"))?)?;
    let answer = Answer::from_json(&std::fs::read_to_string(folder.join("answer.json"))?)?;
    let started = Instant::now();
    let diagnosis = diagnostician.diagnose(&incident);
    let ms = started.elapsed().as_secs_f64() * 1_000.0;
    let is_right = diagnosis.root_cause == answer.root_cause;
    if has("--cases") {
        println!("{name:<28} {:<26} {} ({:.2})", answer.root_cause, diagnosis.root_cause, diagnosis.confidence);
    }
    if has("--why") && !is_right {
        println!("== {name}: {}\n   is {}", incident.alert.title, answer.root_cause);
        let shown = diagnosis
            .hypotheses
            .iter()
            .enumerate()
            .filter(|(place, hypothesis)| *place < 3 || hypothesis.root_cause == answer.root_cause);
        for (_, hypothesis) in shown {
            println!("   {:.2} {}", hypothesis.confidence, hypothesis.root_cause);
            hypothesis
                .favour
                .iter()
                .for_each(|text| println!("      + {}", text.chars().take(150).collect::<String>()));
            hypothesis
                .against
                .iter()
                .for_each(|text| println!("      - {}", text.chars().take(150).collect::<String>()));
        }
    }
    Ok(Graded { name, expected: answer.root_cause, said: diagnosis.root_cause, confidence: diagnosis.confidence, ms })
}

/// Folders with an incident, in the order of their names.
fn folders(dirs: &[&String]) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut folders = Vec::new();
    for dir in dirs {
        for entry in std::fs::read_dir(dir)? {
            folders.push(entry?.path());
        }
    }
    folders.retain(|path| path.join("incident.json").is_file());
    folders.sort();
    Ok(folders)
}

/// The examples of the files of knowledge that do not come out as they say.
fn examples(knowledge: &Knowledge) -> Result<(), Box<dyn std::error::Error>> {
    let outcomes = run_examples(knowledge);
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_right()) {
        match &outcome.said {
            Ok((cause, confidence)) => {
                println!(
                    "{}: {}: expected {}, said {cause} ({confidence:.2})",
                    outcome.of, outcome.name, outcome.expected
                );
            }
            Err(error) => println!("{}: {}: {error}", outcome.of, outcome.name),
        }
    }
    println!("{} of {} examples right", outcomes.iter().filter(|outcome| outcome.is_right()).count(), outcomes.len());
    Ok(())
}

/// The time for an incident of 20 metrics with a day of minutes each, and 100,000 lines of varied logs.
fn speed(knowledge: &Knowledge) -> Result<(), Box<dyn std::error::Error>> {
    const LINES: usize = 100_000;
    const RUNS: usize = 9;
    let start = 1_767_200_000_i64;
    let time = |seconds: i64| pi_diagnosis::Instant((start + seconds) * 1_000).to_string();
    let metrics: Vec<_> = (0..20)
        .map(|number| {
            let points: Vec<_> = (0..1_440_i64)
                .map(|minute| {
                    let noise = ((minute * 7_919 + number * 104_729) % 101) as f64 / 10.0;
                    json!([time(minute * 60), if minute > 1_300 && number == 0 { 95.0 } else { 30.0 + noise }])
                })
                .collect();
            let name = ["CPUUtilization", "DatabaseConnections", "ReadLatency", "mem_used_percent"];
            let name = name.get(number as usize % 4).copied().unwrap_or("x");
            json!({"name": name, "dimensions": {"service": format!("shop-{number}")}, "points": points})
        })
        .collect();
    let logs: Vec<_> = (0..LINES)
        .map(|line| {
            let at = time(line as i64 * 86_400 / LINES as i64);
            let message = match line % 7 {
                0 => format!("GET /api/v1/items/{line} 200 {}ms user={}", line % 90, line * 31 % 9_973),
                1 => format!("INFO cache hit ratio 0.{} for region eu-west-{}", line % 100, line % 3),
                2 => format!("processed batch {} of {} in {} ms", line % 40, 40, line % 700),
                3 => format!("WARN slow call to inventory took {} ms, retry {}", 200 + line % 900, line % 3),
                4 => format!("connection from 10.0.{}.{} accepted", line % 250, line % 199),
                5 => format!("ERROR request {line} failed: connection refused by 10.0.0.{}", line % 9),
                _ => format!("session {:x} of tenant {} refreshed", line * 2_654_435_761_usize, line % 50),
            };
            json!({"time": at, "source": format!("shop-0-{}", line % 5), "message": message})
        })
        .collect();
    let text = json!({"alert": {"title": "High CPU of shop-0", "labels": {"service": "shop-0"}, "state": "alerting"},
        "metrics": metrics, "logs": logs})
    .to_string();
    let incident = Incident::from_json(&text)?;
    let diagnostician = Diagnostician::new(knowledge);
    let mut ms: Vec<f64> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            std::hint::black_box(diagnostician.diagnose(&incident));
            started.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    ms.sort_by(f64::total_cmp);
    let at = |index: usize| ms.get(index).copied().unwrap_or_default();
    println!(
        "20 metrics of 1,440 points, {LINES} lines: median {:.0} ms, least {:.0}, most {:.0}",
        at(RUNS / 2),
        at(0),
        at(RUNS - 1)
    );
    Ok(())
}
