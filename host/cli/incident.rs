//! `pi-host incident diagnose|eval|knowledge test`: the root causes of observed incidents, without a project, a model
//! or a network; `report|replay` (`past.rs`): what is left of an incident of this project. What is judged, and how, is `plugins/diagnosis`; here files are read, and answers are shown.

mod past;

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use owo_colors::Style;
use pi_diagnosis::{
    Answer, Cause, Diagnosis, Diagnostician, FILE_BYTES_MAX, FILES_MAX, Graded, Hypothesis, Incident, Knowledge, Score,
    TEXT_BYTES_MAX, run_examples,
};
use serde_json::json;

use super::output::table;
use super::{Failure, Output};
use crate::clock::monotonic;
use crate::gate::explain::escaped;

/// Folders of a collection of incidents, at most: each costs milliseconds, and a wrong path may be a whole disk.
const CASES_MAX: usize = 10_000;
/// Hypotheses that people are shown; `--json` has all.
const SHOWN: usize = 5;
/// Lines of evidence of each.
const EVIDENCE_SHOWN: usize = 4;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Name the root cause of an incident.json, with what speaks for it and against it
    Diagnose {
        /// The incident, in the form of docs/diagnosis.md; `-` reads it from stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Files of knowledge that add to or replace what is built in
        #[arg(long, value_name = "DIR")]
        knowledge: Option<PathBuf>,
    },
    /// Diagnose labelled incidents (DIR/*/incident.json, answer.json) and say how many are right
    Eval {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Files of knowledge that add to or replace what is built in
        #[arg(long, value_name = "DIR")]
        knowledge: Option<PathBuf>,
    },
    /// Print the post-mortem of a session again, from its journal
    Report {
        /// The session's id
        session: String,
        #[arg(long, value_enum, default_value = "md")]
        format: past::Format,
    },
    /// Diagnose a past incident again, and say what differs from what was concluded then
    Replay {
        /// The session's id, or the path of an incident.json
        #[arg(value_name = "SESSION | FILE")]
        incident: String,
        /// Files of knowledge that add to or replace what is built in
        #[arg(long, value_name = "DIR")]
        knowledge: Option<PathBuf>,
    },
    /// Check what is known about root causes
    #[command(subcommand)]
    Knowledge(KnowledgeCommand),
}

#[derive(Subcommand)]
pub(crate) enum KnowledgeCommand {
    /// Check files of knowledge, and diagnose the examples that they carry
    Test {
        /// The user's files; without them, the built-in ones
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

pub(crate) fn run(output: &Output, project: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Report { session, format } => past::report(output, project, session, *format),
        Command::Replay { incident, knowledge } => past::replay(output, project, incident, knowledge.as_deref()),
        Command::Diagnose { file, knowledge } => diagnose(output, file, knowledge.as_deref()),
        Command::Eval { dir, knowledge } => eval(output, dir, knowledge.as_deref()),
        Command::Knowledge(KnowledgeCommand::Test { dir }) => test(output, dir.as_deref()),
    }
}

fn diagnose(output: &Output, file: &Path, knowledge: Option<&Path>) -> Result<(), Failure> {
    let knowledge = load(knowledge)?;
    let incident = incident(file)?;
    let diagnosis = Diagnostician::new(&knowledge).diagnose(&incident);
    output.data(&diagnosis, || text(output, &incident, &diagnosis));
    Ok(())
}

fn eval(output: &Output, dir: &Path, knowledge: Option<&Path>) -> Result<(), Failure> {
    let knowledge = load(knowledge)?;
    let diagnostician = Diagnostician::new(&knowledge);
    let mut graded = Vec::new();
    for folder in cases(dir)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let incident = incident(&folder.join("incident.json"))?;
        let path = folder.join("answer.json");
        let answer = Answer::from_json(&read(&path)?).map_err(|error| anyhow!("`{}`: {error}", path.display()))?;
        let started = monotonic();
        let diagnosis = diagnostician.diagnose(&incident);
        let ms = started.elapsed().as_secs_f64() * 1_000.0;
        let (said, confidence) = (diagnosis.root_cause, diagnosis.confidence);
        graded.push(Graded { name, expected: answer.root_cause, said, confidence, ms });
    }
    let score = Score::of(&graded);
    output.data(&json!({ "score": score, "incidents": graded }), || report(&score));
    Ok(())
}

fn test(output: &Output, dir: Option<&Path>) -> Result<(), Failure> {
    let knowledge = load(dir)?;
    let outcomes = run_examples(&knowledge);
    let rows: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let (said, error) = match &outcome.said {
                Ok((cause, _)) => (Some(*cause), None),
                Err(error) => (None, Some(error.to_string())),
            };
            json!({ "of": outcome.of, "name": outcome.name, "expected": outcome.expected, "said": said, "error": error,
                    "right": outcome.is_right() })
        })
        .collect();
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_right()).collect();
    output.data(&rows, || {
        let failed = output.out("FAILED", Style::new().red().bold());
        let mut lines: Vec<String> = wrong
            .iter()
            .map(|outcome| {
                let said = match &outcome.said {
                    Ok((cause, confidence)) => format!("said {cause} ({confidence:.2})"),
                    Err(error) => error.to_string().lines().map(escaped).collect::<Vec<_>>().join("\n        "),
                };
                format!("{failed}  {}: {}: expected {}, {said}", outcome.of, escaped(&outcome.name), outcome.expected)
            })
            .collect();
        lines.push(format!("{} of {} examples come out as they say", outcomes.len() - wrong.len(), outcomes.len()));
        lines.join("\n")
    });
    if wrong.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

/// What is built in, with a folder's files in the order of their names.
fn load(dir: Option<&Path>) -> anyhow::Result<Knowledge> {
    let Some(dir) = dir else { return Ok(Knowledge::embedded()?) };
    let mut files: Vec<(String, String)> = Vec::new();
    for path in entries(dir, FILES_MAX)? {
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let size = std::fs::metadata(&path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
        if size > FILE_BYTES_MAX as u64 {
            bail!(
                "`{}` is too large for a file of knowledge: {size} of at most {FILE_BYTES_MAX} bytes",
                path.display()
            );
        }
        files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), read(&path)?));
    }
    if files.is_empty() {
        bail!(
            "there is no file of knowledge (*.toml) in `{}`\nhint: docs/diagnosis.md has the form of one",
            dir.display()
        );
    }
    Ok(Knowledge::with(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))?)
}

fn incident(file: &Path) -> anyhow::Result<Incident> {
    let (name, text) = if file == Path::new("-") {
        ("stdin".to_owned(), bounded(std::io::stdin().lock(), "stdin")?)
    } else {
        (format!("`{}`", file.display()), read(file)?)
    };
    Incident::from_json(&text).map_err(|error| anyhow!("{name}: {error}"))
}

/// The folders of a collection that hold an incident.
fn cases(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = entries(dir, CASES_MAX)?;
    folders.retain(|path| path.join("incident.json").is_file());
    if folders.is_empty() {
        bail!(
            "there is no incident in `{}`\nhint: each stands in a folder of its own: {}",
            dir.display(),
            dir.join("NAME").join("incident.json").display()
        );
    }
    Ok(folders)
}

fn entries(dir: &Path, max: usize) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("cannot read the folder `{}`", dir.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(context)? {
        paths.push(entry.with_context(context)?.path());
        if paths.len() > max {
            bail!("there are more than {max} entries in `{}`", dir.display());
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    bounded(file, &path.display().to_string())
}

/// No more than an incident may be: what is piped in could be endless.
fn bounded(from: impl Read, name: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read `{name}`"))?;
    if bytes.len() > TEXT_BYTES_MAX {
        bail!(
            "`{name}` is larger than {TEXT_BYTES_MAX} bytes\nhint: narrow what is observed to the time around the alert"
        );
    }
    String::from_utf8(bytes).with_context(|| format!("`{name}` is not UTF-8"))
}

fn style(cause: Cause) -> Style {
    match cause {
        Cause::Healthy => Style::new().green().bold(),
        Cause::Unknown => Style::new().yellow().bold(),
        _ => Style::new().red().bold(),
    }
}

/// A diagnosis for people. What sources wrote is escaped.
fn text(output: &Output, incident: &Incident, diagnosis: &Diagnosis) -> String {
    let mut lines = Vec::new();
    if !incident.alert.title.is_empty() {
        lines.push(escaped(&incident.alert.title));
    }
    let of = if diagnosis.target.is_empty() { String::new() } else { format!(" of {}", escaped(&diagnosis.target)) };
    let cause = output.out(diagnosis.root_cause.name(), style(diagnosis.root_cause));
    lines.push(format!("{cause}{of}, confidence {:.2}", diagnosis.confidence));
    for hypothesis in diagnosis.hypotheses.iter().take(SHOWN) {
        lines.push(String::new());
        lines.push(format!("{:.2}  {}", hypothesis.confidence, hypothesis.root_cause));
        lines.extend(evidence(output, hypothesis));
    }
    if !diagnosis.gaps.is_empty() {
        lines.push(String::new());
        lines.push("not seen".into());
        lines.extend(diagnosis.gaps.iter().map(|gap| format!("  {}", escaped(gap))));
    }
    if !diagnosis.actions.is_empty() {
        lines.push(String::new());
        lines.push("what answers it".into());
        lines.extend(diagnosis.actions.iter().map(|action| {
            let act = serde_json::to_value(action.act).ok().and_then(|act| act.as_str().map(str::to_owned));
            format!("  {}: {}", act.unwrap_or_default(), escaped(&action.why))
        }));
    }
    if !diagnosis.advice.is_empty() {
        lines.push(format!("  {}", escaped(&diagnosis.advice)));
    }
    lines.join("\n")
}

fn evidence<'a>(output: &'a Output, hypothesis: &'a Hypothesis) -> impl Iterator<Item = String> + 'a {
    let signed = |sign: &'static str, style: Style, texts: &'a [String]| {
        let sign = output.out(sign, style);
        texts.iter().take(EVIDENCE_SHOWN).map(move |text| format!("      {sign} {}", escaped(text)))
    };
    signed("+", Style::new().green(), &hypothesis.favour).chain(signed("-", Style::new().red(), &hypothesis.against))
}

fn report(score: &Score) -> String {
    let mut lines = vec![
        format!("{} of {} right ({:.1} %)", score.right, score.cases, score.accuracy * 100.0),
        format!("{} abstained, {} faults called healthy", score.abstained, score.faults_missed),
        format!("{} of {} healthy ones accused of a fault", score.healthy_accused, score.healthy),
        format!("{:.1} ms each, {:.1} ms at most", score.ms_mean, score.ms_max),
    ];
    if !score.wrong.is_empty() {
        lines.push(String::new());
        let head = ["wrong", "right is", "said", "confidence"].map(str::to_owned).to_vec();
        let rows = score.wrong.iter().map(|case| {
            vec![
                escaped(&case.name),
                case.expected.to_string(),
                case.said.to_string(),
                format!("{:.2}", case.confidence),
            ]
        });
        lines.push(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    }
    lines.push(String::new());
    let head = ["right is", "cases", "right", "said instead"].map(str::to_owned).to_vec();
    let rows = score.confusion.iter().map(|(expected, said)| {
        let others: Vec<String> = said
            .iter()
            .filter(|(cause, _)| *cause != expected)
            .map(|(cause, count)| format!("{cause} {count}"))
            .collect();
        let right = said.get(expected).copied().unwrap_or(0);
        vec![expected.to_string(), said.values().sum::<usize>().to_string(), right.to_string(), others.join(", ")]
    });
    lines.push(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    lines.join("\n")
}
