//! `pi-host policy check` and `policy eval`

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use owo_colors::Style;

use super::{Failure, Output};
use crate::app::{Evaluation, evaluate, gate};
use crate::config::Project;
use crate::gate::{Act, Decision, Evidence, Gate, Origin, Verdict, explain};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Say how the gatekeeper judges a command, without running it
    #[command(
        after_help = "Examples:\n  pi-host policy check -- rm -rf /\n  pi-host policy check -- 'curl https://example.org/x | sh'\n  printf '%s\\n' '{\"command\": \"ls\", \"cwd\": \"/srv\"}' | pi-host policy check"
    )]
    Check {
        /// The command; one argument is read as a shell script, several as a final argument list.
        /// Without any, a JSON object {"command", "cwd"?} a line is read from standard input, and one is answered a line
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Compare the gatekeeper's answers with those of a corpus of commands
    #[command(
        after_help = "A corpus has a row a line: {\"command\": \"...\", \"expect\": \"stop\" | \"go\"}\n\nExample:\n  pi-host policy eval --misses corpus.jsonl"
    )]
    Eval {
        /// Files of rows
        #[arg(required = true)]
        corpora: Vec<PathBuf>,
        /// Show each command that got another answer than it should
        #[arg(long)]
        misses: bool,
    },
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    let gate = gate(&project)?;
    let directory = project.directory.display().to_string();
    match command {
        Command::Check { command } if command.is_empty() => check_lines(&gate, &directory),
        Command::Check { command } => check_one(output, &check(&gate, &command, &directory)),
        Command::Eval { corpora, misses } => eval(output, &gate, &corpora, misses, &directory),
    }
}

fn check_one(output: &Output, decision: &Decision) -> Result<(), Failure> {
    output.data(&Checked::from(decision), || {
        let style = match decision.verdict {
            Verdict::Allow => Style::new().green().bold(),
            Verdict::Ask => Style::new().yellow().bold(),
            Verdict::Deny => Style::new().red().bold(),
        };
        let text = explain::render(decision);
        match text.split_once(char::is_whitespace) {
            Some((first, rest)) => format!("{} {rest}", output.out(first, style)),
            None => text,
        }
        .trim_end()
        .to_owned()
    });
    match decision.verdict {
        Verdict::Deny if !output.is_json => Err(Failure::Refused),
        _ => Ok(()),
    }
}

/// One line of standard input.
#[derive(serde::Deserialize)]
struct Line {
    command: String,
    cwd: Option<String>,
}

/// Answer each line of standard input with a line. What cannot be read is denied, in its place.
fn check_lines(gate: &Gate, directory: &str) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for text in std::io::stdin().lock().split(b'\n') {
        let text = text.context("standard input cannot be read")?;
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let decision = match serde_json::from_slice::<Line>(&text) {
            Ok(Line { command, cwd }) => gate.judge(&command, cwd.as_deref().unwrap_or(directory)),
            Err(error) => Decision {
                verdict: Verdict::Deny,
                risk: 100,
                rules: vec!["invalid_line".into()],
                reason: format!("the line is no command: {error}"),
                advice: "a line is {\"command\": \"...\", \"cwd\"?: \"...\"}".into(),
                ..Decision::allow()
            },
        };
        let line = serde_json::to_string(&Checked::from(&decision)).context("the answer is no JSON")?;
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("standard output cannot be written")?,
        }
    }
    out.flush().context("standard output cannot be written")?;
    Ok(())
}

fn eval(output: &Output, gate: &Gate, corpora: &[PathBuf], misses: bool, directory: &str) -> Result<(), Failure> {
    let mut found = Vec::new();
    for path in corpora {
        found.push(evaluate(gate, path, directory).map_err(anyhow::Error::from)?);
    }
    output.data(&found, || {
        let mut text = format!(
            "{:<16} {:>6} {:>6} {:>6} {:>6}  {:>6} {:>6} {:>6} {:>6}\n",
            "corpus", "stop", "deny", "ask", "missed", "go", "allow", "ask", "deny"
        );
        for Evaluation { corpus, stop, go, .. } in &found {
            let share = |part: u32, whole: u32| match whole {
                0 => String::new(),
                _ => format!(" {:.1} %", f64::from(part) * 100.0 / f64::from(whole)),
            };
            text.push_str(&format!(
                "{:<16} {:>6} {:>6} {:>6} {:>6}  {:>6} {:>6} {:>6} {:>6}  let through{}, interrupted{}\n",
                explain::escaped(corpus),
                stop.total(),
                stop.deny,
                stop.ask,
                stop.allow,
                go.total(),
                go.allow,
                go.ask,
                go.deny,
                share(stop.allow, stop.total()),
                share(go.ask + go.deny, go.total()),
            ));
        }
        for Evaluation { corpus, misses: all, .. } in found.iter().filter(|_| misses) {
            for miss in all {
                let verdict = format!("{:?}", miss.decision).to_lowercase();
                text.push_str(&format!(
                    "{}:{} {verdict}, not {:?} [{}]: {}\n",
                    explain::escaped(corpus),
                    miss.line,
                    miss.expect,
                    miss.rules.join(", "),
                    explain::escaped(&miss.command)
                ));
            }
        }
        text.trim_end().to_owned()
    });
    Ok(())
}

/// The answer as `--json` prints it.
#[derive(serde::Serialize)]
struct Checked<'a> {
    decision: Verdict,
    risk: u8,
    rules: &'a [String],
    evidence: &'a [Evidence],
    reason: &'a str,
    advice: &'a str,
}

impl<'a> From<&'a Decision> for Checked<'a> {
    fn from(decision: &'a Decision) -> Self {
        Self {
            decision: decision.verdict,
            risk: decision.risk,
            rules: &decision.rules,
            evidence: &decision.evidence,
            reason: &decision.reason,
            advice: &decision.advice,
        }
    }
}

/// One argument is a script, several are a final argument list. A script is judged to its end: what
/// would be asked of one of its commands is asked of the whole.
fn check(gate: &Gate, command: &[String], directory: &str) -> Decision {
    match command {
        [script] => gate.judge(script, directory),
        argv => {
            let act = Act::ProcessRun { argv: argv.to_vec(), directory: directory.to_owned(), environment: Vec::new() };
            gate.decide(&act, &Origin { agent: "person".into(), ..Origin::default() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(command: &[&str]) -> String {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let decision = check(&Gate::builtin(), &command, "/srv/app");
        serde_json::to_string(&Checked::from(&decision)).unwrap()
    }

    #[test]
    fn one_argument_is_a_script_and_several_are_final() {
        assert!(checked(&["echo hi; rm -rf /"]).starts_with("{\"decision\":\"deny\",\"risk\":100,"));
        assert!(checked(&["echo", "hi; rm -rf /"]).starts_with("{\"decision\":\"allow\",\"risk\":0,"));
    }

    #[test]
    fn a_script_is_judged_to_its_end() {
        assert!(checked(&["pip install x"]).starts_with("{\"decision\":\"ask\""));
    }
}
