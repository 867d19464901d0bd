//! The command line: one file for each subcommand. The only module that prints.
//!
//! stdout is data, stderr is talk. Exit codes: 1 the user's error or a failed run, 2 usage,
//! 3 refused by policy, 70 a bug.

mod alarms;
mod approvals;
mod chat;
mod cloud;
mod demo;
mod detect;
mod doctor;
mod heartbeat;
mod incident;
mod init;
mod mcp;
mod output;
mod packages;
mod plugin;
mod policy;
mod progress;
mod report;
mod run;
mod runbook;
mod session;
mod stop;
mod stop_all;
mod tool;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Output;

/// Run operations agents whose every tool is a sandboxed WebAssembly component
#[derive(Parser)]
#[command(name = "pi-host", version, about, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Arguments {
    /// The project's folder, where pi.toml is
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Print one JSON document (or one line each) instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Start here:
  pi-host run --demo        break real services and watch an agent heal them
  pi-host init              write a commented pi.toml into this folder
  pi-host run               supervise, watch and heal what pi.toml names
  pi-host policy check -- rm -rf /
                            see how the gatekeeper judges a command";

#[derive(Subcommand)]
enum Command {
    /// Write a commented pi.toml into this folder
    Init(init::Arguments),
    /// Supervise the services of pi.toml and wake agents when they are sick
    Run(run::Arguments),
    /// Talk to an agent: at the terminal, through a pipe, or as JSON lines
    Chat(chat::Arguments),
    /// List the tools, or call one
    #[command(subcommand)]
    Tool(tool::Command),
    /// List the plugins, or look into one
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Serve the tools to any MCP client, over stdio or HTTP
    Mcp(mcp::Arguments),
    /// Ask the gatekeeper how it judges a command
    #[command(subcommand)]
    Policy(policy::Command),
    /// Look up what is known about packages
    #[command(subcommand)]
    Packages(packages::Command),
    /// Look at the accounts of clouds that pi.toml names
    #[command(subcommand)]
    Cloud(cloud::Command),
    /// Score how unusual each point of a metric is, and measure the detector on labelled series
    #[command(subcommand)]
    Detect(detect::Command),
    /// List what waits for a person, and decide about it
    #[command(subcommand)]
    Approvals(approvals::Command),
    /// List the alarms from outside: what fires, what is grouped or held back, and why
    Alarms(alarms::Arguments),
    /// List, show, take up and verify sessions
    #[command(subcommand)]
    Session(session::Command),
    /// Check, test, plan and run the runbooks of this project, without a model
    #[command(subcommand)]
    Runbook(runbook::Command),
    /// Name the root causes of observed incidents
    #[command(subcommand)]
    Incident(incident::Command),
    /// Say when agents wake by themselves, let them run, pause them, and look back
    #[command(subcommand)]
    Heartbeat(heartbeat::Command),
    /// Read the reports that agents have handed in
    #[command(subcommand)]
    Report(report::Command),
    /// Ask the running host to stop, or to stop one session
    Stop(stop::Arguments),
    /// Refuse every act that changes anything, for every host of this project, until `resume-all`
    StopAll(stop_all::Arguments),
    /// Let agents go on after `stop-all`
    ResumeAll,
    /// Say what this machine and this project lack
    Doctor,
}

/// Why a command ends with something else than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user's error, or a failed run: 1.
    Error(anyhow::Error),
    /// Refused by policy: 3. What there was to say has been printed.
    Refused,
    /// Failed: 1. What there was to say has been printed.
    Said,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Run the command line.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    let project = arguments.project;
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match arguments.command {
        Command::Init(arguments) => init::run(&output, &project, &arguments),
        Command::Run(arguments) => run::run(&output, &project, arguments),
        Command::Chat(arguments) => chat::run(&output, &project, arguments),
        Command::Tool(command) => tool::run(&output, &project, command),
        Command::Plugin(command) => plugin::run(&output, &project, command),
        Command::Mcp(arguments) => mcp::run(&output, &project, &arguments),
        Command::Policy(command) => policy::run(&output, &project, command),
        Command::Packages(command) => packages::run(&output, &project, command),
        Command::Cloud(command) => cloud::run(&output, &project, command),
        Command::Detect(command) => detect::run(&output, command),
        Command::Approvals(command) => approvals::run(&output, &project, command),
        Command::Alarms(arguments) => alarms::run(&output, &project, &arguments),
        Command::Session(command) => session::run(&output, &project, command),
        Command::Incident(command) => incident::run(&output, &project, &command),
        Command::Runbook(command) => runbook::run(&output, &project, command),
        Command::Heartbeat(command) => heartbeat::run(&output, &project, command),
        Command::Report(command) => report::run(&output, &project, command),
        Command::Stop(arguments) => stop::run(&output, &project, &arguments),
        Command::StopAll(arguments) => stop_all::stop(&output, &project, &arguments),
        Command::ResumeAll => stop_all::resume(&output, &project),
        Command::Doctor => doctor::run(&output, &project),
    }));
    match ended {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(Failure::Refused)) => ExitCode::from(3),
        Ok(Err(Failure::Said)) => ExitCode::from(1),
        Ok(Err(Failure::Error(error))) => {
            output.error(&error);
            ExitCode::from(1)
        }
        Err(_) => {
            output.note("this is a bug in pi-host; please report it with the message above");
            ExitCode::from(70)
        }
    }
}

/// The runtime for commands that wait.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    Ok(result)
}
