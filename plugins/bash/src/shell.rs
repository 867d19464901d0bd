//! One call: a script, from its arguments to its result.
//!
//! A shell is built without asking the host anything, so that the component can hold one ready
//! ([`prepare`]); what belongs to the moment (folder, environment, granted programs, random seed,
//! clock) is given to it when the call comes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bashkit::{Bash, BuiltinRegistry, Error, ExecOptions, ExecutionLimits, MemoryLimits, SessionLimits};
use serde::Deserialize;
use serde_json::json;

use crate::executor::{self, Reactor};
use crate::external::{ByPath, Named, Outside, Resolver};
use crate::notes::Notes;
use crate::programs::{self, Programs, RUNNER};
use crate::system::{Kind, System};
use crate::tools;
use crate::world::World;

/// Kept of each of the two streams; the rest is read and dropped, and `truncated` says so.
const STREAM_BYTES_MAX: usize = 4 << 20;
/// A script without its own limit stops before the host's default (60 s) would end it without a result.
const TIMEOUT_MS: u64 = 50_000;
const STATUS_SYNTAX: i32 = 2;
const STATUS_LIMIT: i32 = 1;
const STATUS_TIMEOUT: i32 = 124;

/// The arguments of the tool.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub command: String,
    pub directory: Option<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    pub stdin: Option<String>,
    pub timeout_ms: Option<u64>,
}

/// What the script left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub exit_code: i32,
    pub is_truncated: bool,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    Arguments(String),
    Failed(String),
}

impl Ended {
    /// The tool's result. What is not UTF-8 is made readable.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut result = json!({
            "stdout": String::from_utf8_lossy(&self.stdout),
            "stderr": String::from_utf8_lossy(&self.stderr),
            "exit_code": self.exit_code,
        });
        if self.is_truncated
            && let Some(object) = result.as_object_mut()
        {
            object.insert("truncated".to_owned(), true.into());
        }
        result.to_string()
    }
}

/// A shell that has not run anything yet.
pub(crate) struct Shell {
    bash: Bash,
    outside: Arc<Outside>,
    /// The granted programs by name.
    granted: BuiltinRegistry,
}

/// The shell that [`prepare`] left for the one call of this instance.
static READY: Mutex<Option<Shell>> = Mutex::new(None);

/// Build a shell ahead of the call, and warm up what its tools build when they are first used.
pub fn prepare(system: Arc<dyn System>) {
    // What these scripts do is of no interest; an error here would only leave something cold.
    for script in WARM_UP {
        let call = Call { command: (*script).to_owned(), ..Call::default() };
        let _ = Shell::new(Arc::new(crate::system::Nothing)).run(&call, "/tmp");
    }
    *READY.lock().unwrap_or_else(PoisonError::into_inner) = Some(Shell::new(system));
}

/// Between them they touch the tables that are built on first use: option parsers, regular
/// expressions, interpreters of the small languages.
const WARM_UP: &[&str] = &[
    "for i in 1 2; do x=$((i+1)); done; echo ${x//a/b} $(echo a) | tr a-z A-Z | sed 's/A/b/' | grep -E 'b|c' | awk '{print $1}'",
    "printf 'b\\na\\n' | sort -u | uniq -c | head -n 1 | tail -n 1 | cut -c1-2 | wc -l; [[ ab =~ ^a(b)$ ]] && echo y",
    "mkdir -p d; echo '{\"a\":1}' > d/f; jq .a d/f; ls -la d; find d -name '*'; cat d/f; cp d/f d/g; mv d/g d/h; stat d/h; rm -r d",
    "date +%F; basename a/b; dirname a/b; seq 3 | xargs echo; printf '%s\\n' x; test -e y; cat <<E\nz\nE\n",
    "tee a < /dev/null; touch b; ln -s a c; readlink c; realpath c; diff a b; chmod 644 a; env | sort; mktemp; sleep 0; du a",
];

/// Run one script.
///
/// # Errors
/// If the arguments make no sense, or the shell could not even begin.
pub fn run(call: &Call, system: &Arc<dyn System>) -> Result<Ended, CallError> {
    let ready = READY.lock().unwrap_or_else(PoisonError::into_inner).take();
    let directory = directory(call, system.as_ref())?;
    ready.unwrap_or_else(|| Shell::new(system.clone())).run(call, &directory)
}

impl Shell {
    fn new(system: Arc<dyn System>) -> Self {
        let notes = Arc::new(Notes::default());
        let programs = Arc::new(Programs::new(system.clone()));
        let world = World::new(system.clone(), programs.clone(), notes.clone());
        let outside = Arc::new(Outside { system, reactor: Arc::new(Reactor::default()), programs, notes });
        let granted = BuiltinRegistry::new();
        let builder = Bash::builder()
            .fs(Arc::new(world))
            .rootfs(false)
            .limits(limits())
            .session_limits(SessionLimits::unlimited())
            .memory_limits(memory())
            .builtin_filter(programs::is_kept)
            .builtin_registry(granted.clone())
            .command(RUNNER, ByPath(outside.clone()))
            .command_resolver(Arc::new(Resolver(outside.clone())));
        Self { bash: tools::add(builder, &outside).build(), outside, granted }
    }

    /// Give the shell what belongs to the moment.
    fn wake(&mut self, call: &Call, directory: &str) {
        for program in self.outside.programs.list() {
            if !programs::is_built_in(&program.name) {
                self.granted.insert_command(program.name.clone(), Named(self.outside.clone()));
            }
        }
        let mut state = self.bash.shell_state();
        state.cwd = directory.into();
        // bashkit makes these up; a script that asks must not be told a fairy tale.
        for name in ["USER", "HOSTNAME"] {
            state.variables.remove(name);
        }
        self.bash.restore_shell_state(&state);
        let home = self.outside.system.working_directory();
        let path = self.outside.programs.path();
        self.bash.set_env("HOME", &home);
        self.bash.set_env("PATH", &path);
        for (name, value) in &call.environment {
            self.bash.set_env(name, value);
        }
    }

    fn run(mut self, call: &Call, directory: &str) -> Result<Ended, CallError> {
        self.wake(call, directory);
        let stdout = Arc::new(Stream::default());
        let stderr = Arc::new(Stream::default());
        let options = call.stdin.as_deref().map_or_else(ExecOptions::new, |stdin| ExecOptions::new().stdin(stdin));
        let limit = Duration::from_millis(call.timeout_ms.unwrap_or(TIMEOUT_MS));
        let (out, err) = (stdout.clone(), stderr.clone());
        let bash = &mut self.bash;
        let script = &call.command;
        let execution = async move {
            // The prepared shell brings along the seed and the clock of its preparation.
            bash.exec(&format!("RANDOM={} SECONDS=0", seed())).await?;
            let execution = bash
                .execute(script)
                .options(options)
                .stdout_fn(move |bytes| take(&out, &bytes))
                .stderr_fn(move |bytes| take(&err, &bytes));
            Ok(tokio::time::timeout(limit, execution).await)
        };
        let ended: Result<_, Error> = executor::block_on(&self.outside.system, &self.outside.reactor, execution)
            .map_err(|error| CallError::Failed(format!("the shell cannot start: {error}")))?;
        let mut is_cut = false;
        let exit_code = match ended {
            Ok(Ok(Ok(result))) => {
                is_cut = result.stdout_truncated || result.stderr_truncated;
                result.exit_code & 0xff
            }
            Ok(Ok(Err(error))) | Err(error) => failed(&error, script, &stderr),
            Ok(Err(_)) => {
                stderr
                    .take(format!("bash: stopped: the script's time of {} ms was up\n", limit.as_millis()).as_bytes());
                STATUS_TIMEOUT
            }
        };
        stderr.note(&self.outside.notes.text(exit_code != 0));
        let (stdout, cut_stdout) = stdout.end();
        let (stderr, cut_stderr) = stderr.end();
        Ok(Ended { stdout, stderr, exit_code, is_truncated: is_cut || cut_stdout || cut_stderr })
    }
}

/// For `$RANDOM`.
fn seed() -> u16 {
    let mut bytes = [0; 2];
    // Without a random source the seed is 0: `$RANDOM` promises no secret.
    let _ = getrandom::fill(&mut bytes);
    u16::from_le_bytes(bytes) & 0x7fff
}

fn directory(call: &Call, system: &dyn System) -> Result<String, CallError> {
    let project = system.working_directory();
    let Some(wanted) = call.directory.as_deref().filter(|wanted| !wanted.is_empty()) else {
        return Ok(project);
    };
    let joined = bashkit::normalize_path(&std::path::Path::new(&project).join(wanted));
    let joined = joined.to_string_lossy().into_owned();
    if joined == "/tmp" {
        return Ok(joined);
    }
    match system.stat(&joined, true) {
        Ok(found) if found.kind == Kind::Directory => Ok(joined),
        Ok(_) => Err(CallError::Arguments(format!("`directory` is no folder: {joined}"))),
        Err(error) => Err(CallError::Arguments(format!("`directory` cannot be used: {joined}: {error:?}"))),
    }
}

/// Counters instead of a clock: bashkit would read the time at every step, and each reading is a
/// host call. The time limit is [`Shell::run`]'s own.
fn limits() -> ExecutionLimits {
    ExecutionLimits::new()
        .timeout(Duration::MAX)
        .parser_timeout(Duration::MAX)
        .max_commands(1_000_000)
        .max_loop_iterations(1_000_000)
        .max_total_loop_iterations(2_000_000)
        .max_work_units(2_000_000_000)
        .max_aggregate_input_bytes(4 << 30)
        .max_live_intermediate_bytes(128 << 20)
        .max_input_bytes(4 << 20)
        .max_parser_operations(4_000_000)
        .max_stdout_bytes(STREAM_BYTES_MAX)
        .max_stderr_bytes(STREAM_BYTES_MAX)
        .max_word_split_fields(1_000_000)
        .max_word_split_bytes(64 << 20)
        .max_history_entries(0)
}

fn memory() -> MemoryLimits {
    let mut limits = MemoryLimits::new();
    limits.max_total_variable_bytes = 32 << 20;
    limits.max_array_entries = 1_000_000;
    limits
}

/// Say why the script ended early; what it had written until then stays.
fn failed(error: &Error, script: &str, stderr: &Stream) -> i32 {
    match error {
        Error::Parse { .. } => {
            let report = error.syntax_report("bash", script).unwrap_or_else(|| format!("bash: {error}\n"));
            stderr.take(report.as_bytes());
            STATUS_SYNTAX
        }
        Error::ResourceLimit(limit) => {
            stderr.take(format!("bash: stopped: a limit of the shell was reached: {limit}\n").as_bytes());
            STATUS_LIMIT
        }
        other => {
            stderr.take(format!("bash: {other}\n").as_bytes());
            STATUS_LIMIT
        }
    }
}

/// One of the two streams of the result.
#[derive(Default)]
struct Stream {
    state: Mutex<(Vec<u8>, bool)>,
}

impl Stream {
    fn take(&self, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let room = STREAM_BYTES_MAX.saturating_sub(state.0.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        state.0.extend_from_slice(taken);
        state.1 |= taken.len() < bytes.len();
    }

    /// Words of the host, on lines of their own; they find room in any case.
    fn note(&self, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !text.is_empty() && state.0.last().is_some_and(|byte| *byte != b'\n') {
            state.0.push(b'\n');
        }
        state.0.extend_from_slice(text.as_bytes());
    }

    fn end(&self) -> (Vec<u8>, bool) {
        std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn take(stream: &Stream, bytes: &[u8]) -> std::future::Ready<bashkit::Result<()>> {
    stream.take(bytes);
    std::future::ready(Ok(()))
}
