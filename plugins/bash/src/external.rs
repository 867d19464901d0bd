//! Native programs: a command of the shell that starts a process on the host and carries its
//! streams.
//!
//! The host judges the final arguments. What is dropped here ends the process there: a pipe whose
//! reader is gone, a `timeout`, a killed job, the end of the script.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bashkit::{
    Builtin, BuiltinRegistry, Command, CommandContext, CommandInput, CommandOutput, CommandResolver, CommandStatus,
    Result,
};

use crate::executor::Reactor;
use crate::notes::{self, Notes};
use crate::programs::{Programs, Runnable};
use crate::system::{self, Child, Exit, ProcessError, System};

/// Bytes that are taken from a program's streams at a time.
const READ_BYTES: u32 = 64 << 10;
/// Ended by SIGPIPE: nobody reads its output any more.
const STATUS_PIPE: i32 = 128 + 13;
const STATUS_TIMEOUT: i32 = 124;
const STATUS_REFUSED: i32 = 126;
const STATUS_NOT_FOUND: i32 = 127;
const STATUS_KILLED: i32 = 128 + 9;
/// How long a start waits for a place among the running programs, and how often it looks.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(10);
const PLACE_WAIT: Duration = Duration::from_millis(20);

/// Variables that a script may export and a native program does not get: they decide which code
/// runs, or they describe the shell and not the program's surroundings.
fn is_passed(name: &str) -> bool {
    const DROPPED: &[&str] = &[
        // The shell has these by itself; a program has its own.
        "HOME",
        "SHELL",
        "BASHOPTS",
        "BASH_ENV",
        "BASH_XTRACEFD",
        "CDPATH",
        "ENV",
        "GCONV_PATH",
        "GETCONF_DIR",
        "GLIBC_TUNABLES",
        "GLOBIGNORE",
        "HOSTALIASES",
        "IFS",
        "LOCPATH",
        "MALLOC_TRACE",
        "NLSPATH",
        "NODE_OPTIONS",
        "NODE_PATH",
        "OLDPWD",
        "PATH",
        "PERL5DB",
        "PERL5LIB",
        "PERL5OPT",
        "PERLLIB",
        "PS4",
        "PWD",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RESOLV_HOST_CONF",
        "RES_OPTIONS",
        "RUBYLIB",
        "RUBYOPT",
        "SHELLOPTS",
        "SHLVL",
        "TMPDIR",
        "_",
    ];
    !(DROPPED.contains(&name) || name.starts_with("LD_") || name.starts_with("DYLD_") || name.starts_with("BASH_FUNC_"))
}

/// What every native program needs to run.
pub(crate) struct Outside {
    pub(crate) system: Arc<dyn System>,
    pub(crate) reactor: Arc<Reactor>,
    pub(crate) programs: Arc<Programs>,
    pub(crate) notes: Arc<Notes>,
}

/// A program by its name.
pub(crate) struct Named(pub(crate) Arc<Outside>);

/// A program by its path, which is the first argument.
pub(crate) struct ByPath(pub(crate) Arc<Outside>);

/// Whatever is not built in: the host knows what is granted, and says what would grant it.
pub(crate) struct Resolver(pub(crate) Arc<Outside>);

impl CommandResolver for Resolver {
    fn resolve(&self, name: &str) -> Option<Arc<dyn Builtin>> {
        let registry = BuiltinRegistry::new();
        registry.insert_command(name, Named(self.0.clone()));
        registry.lookup(name)
    }
}

#[async_trait]
impl Command for Named {
    async fn execute(&self, context: CommandContext<'_>) -> Result<CommandStatus> {
        let (program, arguments) = (context.name.to_owned(), context.args.to_vec());
        self.0.run(&program, program.clone(), arguments, context).await
    }
}

#[async_trait]
impl Command for ByPath {
    async fn execute(&self, context: CommandContext<'_>) -> Result<CommandStatus> {
        let Some((typed, arguments)) = context.args.split_first() else {
            return Ok(CommandStatus::with_code(STATUS_NOT_FOUND));
        };
        let absolute = bashkit::normalize_path(&bashkit::vfs_join(context.cwd, Path::new(typed)));
        let name = absolute.to_string_lossy().into_owned();
        let (typed, mut arguments) = (typed.clone(), arguments.to_vec());
        let program = match self.0.programs.real(&name) {
            Some(program) => program.to_owned(),
            None => match Runnable::of(&context.fs.read_file(&absolute).await.unwrap_or_default()) {
                Runnable::Foreign { interpreter, arguments: before } => {
                    arguments.splice(0..0, before.into_iter().chain([typed.clone()]));
                    self.0.interpreter(interpreter)
                }
                Runnable::Shell | Runnable::Binary => name,
            },
        };
        self.0.run(&typed, program, arguments, context).await
    }
}

impl Outside {
    /// The program that a script's first line means: of the grant by its path, else by its name.
    fn interpreter(&self, written: String) -> String {
        match self.programs.real(&written) {
            Some(path) => path.to_owned(),
            None => written.rsplit('/').next().map(str::to_owned).unwrap_or(written),
        }
    }

    /// Run `program` from its start to its end. `typed` is what the script calls it.
    async fn run(
        &self,
        typed: &str,
        program: String,
        arguments: Vec<String>,
        context: CommandContext<'_>,
    ) -> Result<CommandStatus> {
        if let Some(argument) = arguments.iter().find(|argument| is_substitution(argument)) {
            let text = format!(
                "bash: {typed}: `{argument}` exists inside of the shell only\nhint: write the data to a file in a granted folder, or give it on the standard input\n"
            );
            return say(&context.stderr, &text, STATUS_REFUSED).await;
        }
        let command = system::Command {
            program,
            arguments,
            environment: environment(context.env),
            directory: context.cwd.to_string_lossy().into_owned(),
            timeout_ms: None,
        };
        let child: Arc<dyn Child> = match self.start(&command).await {
            Ok(child) => Arc::from(child),
            Err(error) => {
                let (text, code) = self.not_started(typed, &command.program, &error);
                return say(&context.stderr, &text, code).await;
            }
        };
        let carried = tokio::select! {
            biased;
            carried = self.drain(&child, &context.stdout, &context.stderr) => carried?,
            never = self.feed(&child, &context.stdin) => never?,
        };
        match carried {
            Carried::Ended(exit) => self.ended(typed, exit, &context.stderr).await,
            Carried::Unread => Ok(CommandStatus::with_code(STATUS_PIPE)),
        }
    }

    /// Start a program; where as many run as may, wait for a free place.
    async fn start(&self, command: &system::Command) -> std::result::Result<Box<dyn Child>, ProcessError> {
        let deadline = Instant::now() + PLACE_WAIT_MAX;
        loop {
            match self.system.start(command) {
                Err(ProcessError::Limit(_)) if Instant::now() < deadline => {
                    self.reactor.until(Instant::now() + PLACE_WAIT).await;
                }
                result => return result,
            }
        }
    }

    /// Carry the script's input to the program. Never ends by itself: the program's end counts.
    async fn feed(&self, child: &Arc<dyn Child>, input: &CommandInput) -> Result<Carried> {
        'input: while let Some(chunk) = input.read_chunk().await? {
            let mut rest = chunk.as_slice();
            while !rest.is_empty() {
                match child.write(rest) {
                    Ok(0) => self.reactor.ready(child).await,
                    Ok(taken) => rest = rest.get(taken as usize..).unwrap_or_default(),
                    // It reads no more, which is its own affair.
                    Err(_) => break 'input,
                }
            }
        }
        child.close_input();
        std::future::pending().await
    }

    /// Carry the program's output to the script, until the program has ended.
    async fn drain(&self, child: &Arc<dyn Child>, stdout: &CommandOutput, stderr: &CommandOutput) -> Result<Carried> {
        loop {
            let output = child.read(READ_BYTES);
            if !output.stderr.is_empty() && !is_taken(stderr.write_all(&output.stderr).await)? {
                return Ok(Carried::Unread);
            }
            if !output.stdout.is_empty() && !is_taken(stdout.write_all(&output.stdout).await)? {
                return Ok(Carried::Unread);
            }
            if let Some(exit) = output.ended {
                return Ok(Carried::Ended(exit));
            }
            if output.stdout.is_empty() && output.stderr.is_empty() {
                self.reactor.ready(child).await;
            } else {
                // A program that writes without end must not keep the other jobs from running.
                tokio::task::yield_now().await;
            }
        }
    }

    async fn ended(&self, typed: &str, exit: Exit, stderr: &CommandOutput) -> Result<CommandStatus> {
        match exit {
            Exit::Code(code) => Ok(CommandStatus::with_code(code)),
            Exit::Signal(signal) => Ok(CommandStatus::with_code(128 + signal)),
            Exit::Timeout => say(stderr, &format!("bash: {typed}: ended: its time was up\n"), STATUS_TIMEOUT).await,
            Exit::OutputLimit => {
                let text = format!("bash: {typed}: ended: it wrote more than the grant's `output_bytes_max`\n");
                say(stderr, &text, STATUS_KILLED).await
            }
        }
    }

    fn not_started(&self, typed: &str, program: &str, error: &ProcessError) -> (String, i32) {
        let name = program.rsplit('/').next().unwrap_or(program);
        let is_script = typed.contains('/') && typed.rsplit('/').next() != Some(name);
        let typed = if is_script { format!("{typed}: {name}") } else { typed.to_owned() };
        match error {
            ProcessError::Refused(refusal) => {
                self.notes.add(notes::refused(refusal));
                (format!("bash: {typed}: Permission denied\n"), STATUS_REFUSED)
            }
            ProcessError::NotGranted(text) => {
                self.notes.add(text.clone());
                (format!("bash: {typed}: not granted\n"), if is_script { STATUS_REFUSED } else { STATUS_NOT_FOUND })
            }
            ProcessError::NotFound(_) => (format!("bash: {typed}: command not found\n"), STATUS_NOT_FOUND),
            ProcessError::Invalid(text) | ProcessError::Limit(text) | ProcessError::Other(text) => {
                (format!("bash: {typed}: {text}\n"), STATUS_REFUSED)
            }
        }
    }
}

enum Carried {
    Ended(Exit),
    /// Nobody reads the output any more.
    Unread,
}

/// Whether a write arrived; a reader that is gone is no error.
fn is_taken(result: Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(bashkit::Error::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

async fn say(stderr: &CommandOutput, text: &str, code: i32) -> Result<CommandStatus> {
    is_taken(stderr.write_all(text.as_bytes()).await)?;
    Ok(CommandStatus::with_code(code))
}

/// Whether an argument is the shell's own name for the output of `<(...)`.
fn is_substitution(argument: &str) -> bool {
    argument.strip_prefix("/dev/fd/").is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 2))
}

fn environment(exported: &HashMap<String, String>) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = exported
        .iter()
        .filter(|(name, _)| is_passed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    list.sort();
    list
}
