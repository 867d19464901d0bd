//! `pi-host policy check`

use std::path::Path;

use owo_colors::Style;

use super::{Failure, Output};
use crate::app::gate;
use crate::config::Project;
use crate::gate::{Act, Decision, Gate, Origin, Verdict, explain};

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
    let checked = check(&gate, &command, &project.directory.display().to_string());
    output.data(&checked, || {
        let style = match checked.verdict {
            Verdict::Allow => Style::new().green().bold(),
            Verdict::Ask => Style::new().yellow().bold(),
            Verdict::Deny => Style::new().red().bold(),
        };
        let text = explain::render(&checked);
        match text.split_once(char::is_whitespace) {
            Some((first, rest)) => format!("{} {rest}", output.out(first, style)),
            None => text,
        }
        .trim_end()
        .to_owned()
    });
    match checked.verdict {
        Verdict::Deny if !output.is_json => Err(Failure::Refused),
        _ => Ok(()),
    }
}

/// One argument is a script, several are a final argument list.
fn check(gate: &Gate, command: &[String], directory: &str) -> Decision {
    let directory = directory.to_owned();
    let act = match command {
        [script] => Act::Script { text: script.clone(), directory },
        argv => Act::ProcessRun { argv: argv.to_vec(), directory, environment: Vec::new() },
    };
    gate.decide(&act, &Origin { agent: "person".into(), ..Origin::default() })
}
