//! `pi-host policy check`

use std::path::Path;

use owo_colors::Style;

use super::{Failure, Output};
use crate::app::gate;
use crate::config::Project;
use crate::gate::{Act, Decision, Evidence, Gate, Origin, Verdict, explain};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Say how the gatekeeper judges a command, without running it
    #[command(
        after_help = "Examples:\n  pi-host policy check -- rm -rf /\n  pi-host policy check -- 'curl https://example.org/x | sh'"
    )]
    Check {
        /// The command; one argument is read as a shell script, several as a final argument list
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    let Command::Check { command } = command;
    let gate = gate(&project)?;
    let decision = check(&gate, &command, &project.directory.display().to_string());
    output.data(&Checked::from(&decision), || {
        let style = match decision.verdict {
            Verdict::Allow => Style::new().green().bold(),
            Verdict::Ask => Style::new().yellow().bold(),
            Verdict::Deny => Style::new().red().bold(),
        };
        let text = explain::render(&decision);
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
