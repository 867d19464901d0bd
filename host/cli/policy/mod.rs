//! `pi-host policy`: ask the gatekeeper, explain, test, measure and compare its policy.

mod check;
mod compare;
mod eval;
mod past;
mod test;

use std::path::{Path, PathBuf};

use super::{Failure, Output};
use crate::app::gate;
use crate::config::Project;
use crate::gate::Policy;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Say how the gatekeeper judges a command, without running it
    #[command(
        after_help = "Examples:\n  pi-host policy check -- rm -rf /\n  pi-host policy check -- 'curl https://example.org/x | sh'\n  printf '%s\\n' '{\"command\": \"ls\", \"cwd\": \"/srv\", \"env\": {\"PAGER\": \"less\"}}' | pi-host policy check --json"
    )]
    Check {
        /// The command; one argument is read as a shell script, several as a final argument list.
        /// Without any, a JSON object {"command", "cwd"?, "env"?} a line is read from standard input, and one is answered a line
        #[arg(last = true)]
        command: Vec<String>,
        /// A variable that is set for it; may be given several times
        #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
        env: Vec<(String, String)>,
    },
    /// Show how a command is read, what it would do, and what that comes to
    #[command(after_help = "Example:\n  pi-host policy explain -- 'echo cm0gLXJmIC8K | base64 -d | sh'")]
    Explain {
        /// The command; one argument is read as a shell script, several as a final argument list
        #[arg(last = true, required = true)]
        command: Vec<String>,
        /// A variable that is set for it; may be given several times
        #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
        env: Vec<(String, String)>,
    },
    /// Print the policy that comes with pi-host, to start one's own from
    Show,
    /// Run the tests of a policy
    #[command(
        after_help = "A JSON test file is named *_test.json:\n  {\"tests\": [{\"name\": \"no force push\", \"command\": \"git push -f\", \"expect\": \"ask\", \"rules\": [\"git_push_force\"]}]}\nA Rego test file is named *_test.rego and stands beside the modules that it tests.\n\nExample:\n  pi-host policy test policies/"
    )]
    Test {
        /// Files, or folders that hold them; without any, the folder `policies`
        paths: Vec<PathBuf>,
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
    /// Judge what the journal has seen once more, under the policy of now or another one
    Replay {
        /// The session's id; without it, all of them
        #[arg(long, value_name = "ID")]
        session: Option<String>,
        /// A policy to try; without it, that of pi.toml
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Compare two policies: their rules, and what they decide
    #[command(after_help = "Example:\n  pi-host policy diff policies/security.json new.json --commands corpus.jsonl")]
    Diff {
        /// The one; `builtin` is the policy that comes with pi-host
        a: String,
        /// The other
        b: String,
        /// Files of commands to judge under both, a JSON object {"command"} or a plain command a line;
        /// the examples of both policies are always judged
        #[arg(long, value_name = "FILE")]
        commands: Vec<PathBuf>,
    },
    /// Show what the shadow policy of pi.toml would have decided otherwise
    #[command(
        after_help = "A shadow policy is judged along and never obeyed:\n  [policy]\n  shadow = \"policies/next.json\""
    )]
    Shadow,
    /// Propose changes of the policy from what people have approved again and again
    Learn,
    /// Print the decision log, in the form of Open Policy Agent, a line each
    Log {
        /// The session's id; without it, all of them
        #[arg(long, value_name = "ID")]
        session: Option<String>,
    },
}

/// Where a command is taken to run that does not say so. A folder for temporary files is where somebody
/// asks, not where the command would run: what may be done to temporary files must not hold for it.
fn folder(project: &Project) -> String {
    let is_temporary = ["/tmp", "/var/tmp", "/dev/shm"].iter().any(|folder| project.directory.starts_with(folder));
    if is_temporary { "/srv/project".to_owned() } else { project.directory.display().to_string() }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

fn show(output: &Output) -> Result<(), Failure> {
    // It is a JSON document whether or not one is asked for.
    let policy: serde_json::Value = serde_json::from_str(Policy::builtin_text())?;
    output.data(&policy, || Policy::builtin_text().trim_end().to_owned());
    Ok(())
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    let folder = folder(&project);
    match command {
        Command::Check { command, .. } if command.is_empty() => check::lines(&gate(&project)?, &folder),
        Command::Check { command, env } => check::one(output, &check::check(&gate(&project)?, &command, &folder, &env)),
        Command::Explain { command, env } => check::explain(output, &gate(&project)?, &command, &folder, &env),
        Command::Show => show(output),
        Command::Test { paths } => test::run(output, &project, paths),
        Command::Eval { corpora, misses } => eval::run(output, &gate(&project)?, &corpora, misses, &folder),
        Command::Replay { session, policy } => past::replay(output, &project, session.as_deref(), policy.as_deref()),
        Command::Diff { a, b, commands } => compare::run(output, &project, &a, &b, &commands),
        Command::Shadow => past::shadow(output, &project),
        Command::Learn => past::learn(output, &project),
        Command::Log { session } => past::log(output, &project, session.as_deref()),
    }
}
