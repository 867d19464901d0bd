//! `pi-host detect eval|score`: the streaming detector over series in files, and its measure, NAB's scoring.
//!
//! Needs no project: it reads the files that it is given and writes nothing.

mod corpus;

use std::path::{Path, PathBuf};

use owo_colors::Style;
use pi_signals::metric::{ALARM, Detector, windows};
use pi_signals::nab::{self, PROFILES, Profile};
use serde_json::{Value, json};

use super::output::table;
use super::{Failure, Output};
use crate::clock;
use crate::gate::explain::escaped;
use corpus::{Corpus, Row, Series};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Measure the detector on labelled series, by the scoring of the Numenta Anomaly Benchmark
    #[command(
        after_help = "DIR has folders of CSV files (`timestamp,value`) and windows.json, which names the anomalies of each:\n  {\"folder/file.csv\": [[\"2014-04-10 07:15:00\", \"2014-04-11 16:45:00\"]]}\nas in github.com/numenta/NAB (data/, labels/combined_windows.json).\n\n0 is a detector that never speaks, 100 a perfect one. The threshold of each profile is the best one for these files, as NAB\nhas it; beside it stands what the detector's own line gives, which is the same for all series.\n\nExample:\n  pi-host detect eval nab --profile reward_low_FP_rate"
    )]
    Eval {
        /// The folder with the series and windows.json
        dir: PathBuf,
        /// Only one profile; the rows of the files are told for it
        #[arg(long, value_parser = ["standard", "reward_low_FP_rate", "reward_low_FN_rate"])]
        profile: Option<String>,
    },
    /// Score each point of one series, and tell the anomalies
    #[command(after_help = "Example:\n  pi-host detect score cpu.csv\n  pi-host --json detect score cpu.csv")]
    Score {
        /// A CSV file: `timestamp,value`, a time of RFC 3339 or in seconds since 1970; an empty value is a missing one
        file: PathBuf,
    },
}

pub(crate) fn run(output: &Output, command: Command) -> Result<(), Failure> {
    match command {
        Command::Eval { dir, profile } => eval(output, &dir, profile.as_deref()),
        Command::Score { file } => score(output, &file),
    }
}

fn scores_of(rows: &[Row]) -> Vec<f64> {
    let mut detector = Detector::new();
    rows.iter().map(|row| row.value.map_or(0.0, |value| detector.push(row.time, value))).collect()
}

/// What one profile makes of the whole corpus.
struct Judged {
    profile: Profile,
    threshold: f64,
    raw: f64,
    /// Nothing where no series has a window.
    score: Option<f64>,
    /// With the detector's own line instead of the best threshold.
    score_at_alarm: Option<f64>,
}

fn eval(output: &Output, dir: &Path, only: Option<&str>) -> Result<(), Failure> {
    let corpus = Corpus::read(dir)?;
    let begun = clock::monotonic();
    let scores: Vec<Vec<f64>> = corpus.series.iter().map(|series| scores_of(&series.rows)).collect();
    let seconds = begun.elapsed().as_secs_f64();
    let files: Vec<nab::File<'_>> = corpus
        .series
        .iter()
        .zip(&scores)
        .map(|(series, scores)| nab::File { scores, windows: &series.windows })
        .collect();
    let judged: Vec<Judged> = PROFILES
        .iter()
        .filter(|profile| only.is_none_or(|only| profile.name == only))
        .map(|profile| judge(&files, profile))
        .collect();
    let points: usize = scores.iter().map(Vec::len).sum();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, for reading")]
    let points_per_second = (points as f64 / seconds.max(1e-9)) as u64;
    let rows: Vec<Value> = corpus.series.iter().zip(&files).map(|(series, file)| told(series, file, &judged)).collect();
    let value = json!({
        "files": rows,
        "profiles": judged.iter().map(|judged| json!({
            "profile": judged.profile.name,
            "score": judged.score,
            "threshold": judged.threshold,
            "raw": judged.raw,
            "score_at_alarm": judged.score_at_alarm,
        })).collect::<Vec<_>>(),
        "alarm": ALARM,
        "points": points,
        "points_per_second": points_per_second,
        "left_out": corpus.left_out,
    });
    for name in &corpus.left_out {
        output.note(&format!("left out: {} has no entry in windows.json", escaped(name)));
    }
    output.data(&value, || text(output, &value));
    Ok(())
}

fn judge(files: &[nab::File<'_>], profile: &Profile) -> Judged {
    let best = nab::best_threshold(files, profile);
    let raw_at_alarm = files.iter().map(|file| nab::tally(file, profile, ALARM).raw).sum();
    Judged {
        profile: *profile,
        threshold: best.threshold,
        raw: best.raw,
        score: nab::normalised(files, profile, best.raw),
        score_at_alarm: nab::normalised(files, profile, raw_at_alarm),
    }
}

/// One file, under each profile at that profile's threshold.
fn told(series: &Series, file: &nab::File<'_>, judged: &[Judged]) -> Value {
    let of = |judged: &Judged| {
        let tally = nab::tally(file, &judged.profile, judged.threshold);
        let told = json!({
            "raw": tally.raw,
            "hits": tally.hits,
            "misses": tally.misses,
            "false_alarms": tally.false_positives,
        });
        (judged.profile.name.to_owned(), told)
    };
    json!({
        "file": series.name,
        "points": series.rows.len(),
        "windows": series.windows.len(),
        "profiles": judged.iter().map(of).collect::<serde_json::Map<_, _>>(),
    })
}

fn text(output: &Output, value: &Value) -> String {
    let list = |name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let word = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => escaped(text),
        Some(Value::Number(number)) if number.is_f64() => format!("{:.3}", number.as_f64().unwrap_or_default()),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let profiles = list("profiles");
    let first = profiles.first().and_then(|profile| profile.get("profile")).and_then(Value::as_str).unwrap_or_default();
    let mut rows = vec![["file", "points", "windows", "hit", "false alarms", "raw"].map(String::from).to_vec()];
    for file in list("files") {
        let of = file.pointer(&format!("/profiles/{first}")).cloned().unwrap_or_default();
        let mut row: Vec<String> = ["file", "points", "windows"].iter().map(|name| word(&file, name)).collect();
        row.extend(["hits", "false_alarms", "raw"].iter().map(|name| word(&of, name)));
        rows.push(row);
    }
    let mut totals = vec![["profile", "score", "threshold", "raw", "score at 0.5"].map(String::from).to_vec()];
    for profile in &profiles {
        let names = ["profile", "score", "threshold", "raw", "score_at_alarm"];
        totals.push(names.iter().map(|name| word(profile, name)).collect());
    }
    format!(
        "{}\n\n{}\n\n{} points, {} a second",
        table(&rows),
        output.out(&table(&totals), Style::new().bold()),
        word(value, "points"),
        word(value, "points_per_second"),
    )
}

fn score(output: &Output, file: &Path) -> Result<(), Failure> {
    let rows = corpus::read_rows(file)?;
    let scores = scores_of(&rows);
    let stamp = |index: usize| rows.get(index).map(|row| row.stamp.as_str()).unwrap_or_default();
    let windows = windows(&scores);
    let value = json!({
        "scores": scores,
        "windows": windows.iter().map(|window| json!({
            "from": stamp(window.first),
            "to": stamp(window.last),
            "score": window.score,
        })).collect::<Vec<_>>(),
    });
    output.data(&value, || {
        if windows.is_empty() {
            return format!("{} points, nothing unusual", scores.len());
        }
        let mut table_rows = vec![["from", "to", "score"].map(String::from).to_vec()];
        for window in &windows {
            table_rows.push(vec![
                escaped(stamp(window.first)),
                escaped(stamp(window.last)),
                format!("{:.3}", window.score),
            ]);
        }
        format!("{}\n\n{} points, {} anomalies", table(&table_rows), scores.len(), windows.len())
    });
    Ok(())
}
