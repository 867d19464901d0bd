//! `pi-host policy check` and `policy explain`

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use anyhow::Context;
use owo_colors::Style;

use crate::cli::{Failure, Output};
use crate::clock;
use crate::gate::explain::{escaped, render};
use crate::gate::{Act, Decision, Effect, Evidence, Gate, Origin, Trace, Verdict};

pub(super) fn one(output: &Output, decision: &Decision) -> Result<(), Failure> {
    output.data(&Checked::from(decision), || {
        let style = match decision.verdict {
            Verdict::Allow => Style::new().green().bold(),
            Verdict::Ask => Style::new().yellow().bold(),
            Verdict::Deny => Style::new().red().bold(),
        };
        let text = render(decision);
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

/// Show how a command is read, as a tree.
pub(super) fn explain(
    output: &Output,
    gate: &Gate,
    command: &[String],
    directory: &str,
    env: &[(String, String)],
) -> Result<(), Failure> {
    let text = match command {
        [script] => script.clone(),
        // Quoted, so that each stays the one argument that it is.
        argv => argv.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" "),
    };
    let trace = gate.trace(&text, directory, env, clock::now_ms());
    output.data(&trace, || tree(output, &text, &trace));
    Ok(())
}

fn tree(output: &Output, text: &str, trace: &Trace) -> String {
    let mut lines = vec![escaped(text)];
    for step in &trace.steps {
        let style = match step.kind {
            "finding" => Style::new().yellow(),
            "effect" | "install" => Style::new().cyan(),
            _ => Style::new(),
        };
        let points = if step.points > 0 { format!(" +{}", step.points) } else { String::new() };
        let span = step.span.map(|(from, to)| format!("  [{from}..{to}]")).unwrap_or_default();
        let indent = "  ".repeat(step.depth + 1);
        lines.push(format!("{indent}{:<8} {}{points}{span}", output.out(step.kind, style), escaped(&step.text)));
    }
    lines.push(render(&trace.decision).trim_end().to_owned());
    lines.join("\n")
}

/// One line of standard input.
#[derive(serde::Deserialize)]
struct Line {
    command: String,
    cwd: Option<String>,
    /// Variables that are set beside those of the shell.
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// Answer each line of standard input with a line. What cannot be read is denied, in its place.
pub(super) fn lines(gate: &Gate, directory: &str) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for text in std::io::stdin().lock().split(b'\n') {
        let text = text.context("standard input cannot be read")?;
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let decision = match serde_json::from_slice::<Line>(&text) {
            Ok(Line { command, cwd, env }) => {
                let env: Vec<(String, String)> = env.into_iter().collect();
                gate.judge_at(&command, cwd.as_deref().unwrap_or(directory), &env, clock::now_ms())
            }
            Err(error) => Decision {
                verdict: Verdict::Deny,
                risk: 100,
                rules: vec!["invalid_line".into()],
                reason: format!("the line is no command: {error}"),
                advice: "a line is {\"command\": \"...\", \"cwd\"?: \"...\", \"env\"?: {}}".into(),
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

/// The answer as `--json` prints it.
#[derive(serde::Serialize)]
struct Checked<'a> {
    decision: Verdict,
    risk: u8,
    rules: &'a [String],
    effects: &'a [Effect],
    evidence: &'a [Evidence],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    decoded: &'a [String],
    reason: &'a str,
    advice: &'a str,
}

impl<'a> From<&'a Decision> for Checked<'a> {
    fn from(decision: &'a Decision) -> Self {
        Self {
            decision: decision.verdict,
            risk: decision.risk,
            rules: &decision.rules,
            effects: &decision.effects,
            evidence: &decision.evidence,
            decoded: &decision.decoded,
            reason: &decision.reason,
            advice: &decision.advice,
        }
    }
}

/// One argument is a script, several are a final argument list. A script is judged to its end: what
/// would be asked of one of its commands is asked of the whole.
pub(super) fn check(gate: &Gate, command: &[String], directory: &str, env: &[(String, String)]) -> Decision {
    match command {
        [script] => gate.judge_at(script, directory, env, clock::now_ms()),
        argv => {
            let act =
                Act::ProcessRun { argv: argv.to_vec(), directory: directory.to_owned(), environment: env.to_vec() };
            gate.decide_at(&act, &Origin { agent: "person".into(), ..Origin::default() }, clock::now_ms())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(command: &[&str]) -> String {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let decision = check(&Gate::builtin(), &command, "/srv/app", &[]);
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
