//! `pi:process`: granted native programs with their final arguments, each start judged and journalled.
//!
//! The grant is resolved once, when the plugin is set up: names to absolute paths, folders to
//! what they really are. A start looks up the grant, enters the door with the resolved path, the
//! folder and the added environment, and hands over to [`crate::confine`], which holds the program and ends it with
//! all its descendants when the guest's handle or its store goes. The journal has the start
//! as intent and the exit as outcome. What a person let through gets only input that a person has
//! seen as well: see `input`.

mod grant;
mod input;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::bindings::pi::process::process::{self as wit, Command, Error, Host, HostChild};
use super::door::{Door, Pass};
use super::state::CallState;
use crate::confine::{self, Exit, Running, Spec, StartError, Watch, environment};
use crate::gate::Act;
use input::AskedInput;

pub use grant::{ProcessState, Surroundings};

/// Programs of one plugin at once: each is some processes and pipes of the machine.
pub const CHILDREN_MAX: usize = 16;
/// All arguments together: the host holds them, the journal stores them, the kernel copies them.
pub const ARGUMENT_BYTES_MAX: usize = 1 << 20;
/// Stands for the value of a secret.
const REDACTED: &str = "[redacted]";
/// The signal that no program takes.
const KILL: i32 = 9;
/// Of each stream in one call of `read`.
pub const READ_BYTES_MAX: u32 = 1 << 20;

/// A running program, as a guest holds it. Dropping it ends the program.
pub struct Child {
    running: Running,
    /// Open until the outcome is written.
    pass: Option<Pass>,
    /// A person let it through: its input is asked about.
    input: Option<AskedInput>,
    /// Why it was ended by the host, to be read with its errors.
    ended_for: Option<String>,
    _permit: OwnedSemaphorePermit,
}

/// A pollable of its own: it may outlive the child, which a guest can drop at any time.
struct Readiness(Watch);

#[async_trait]
impl Pollable for Readiness {
    async fn ready(&mut self) {
        self.0.ready().await;
    }
}

impl Host for CallState {
    async fn available(&mut self) -> wasmtime::Result<Vec<wit::Program>> {
        Ok(self.process.as_ref().map(|process| process.available()).unwrap_or_default())
    }

    async fn start(&mut self, command: Command) -> wasmtime::Result<Result<Resource<Child>, Error>> {
        let Some(process) = self.process.clone() else {
            return Ok(Err(Error::NotGranted(format!("no program is granted to `{}`", self.door.origin().plugin))));
        };
        match process.start(&self.door, command).await {
            Ok(child) => Ok(self.table.push(child).map_err(|_| Error::Limit("too many handles are open".into()))),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostChild for CallState {
    async fn subscribe(&mut self, child: Resource<Child>) -> wasmtime::Result<Resource<DynPollable>> {
        let readiness = Readiness(self.table.get(&child)?.running.watch());
        let readiness = self.table.push(readiness)?;
        subscribe(&mut self.table, readiness)
    }

    async fn read(&mut self, child: Resource<Child>, length: u32) -> wasmtime::Result<wit::Output> {
        let child = self.table.get_mut(&child)?;
        let mut output = child.running.read(length.min(READ_BYTES_MAX) as usize);
        if output.ended.is_some() {
            child.close();
            output.stderr.extend(child.ended_for.take().unwrap_or_default().into_bytes());
        }
        Ok(wit::Output { stdout: output.stdout, stderr: output.stderr, ended: output.ended.map(exit) })
    }

    async fn write(&mut self, child: Resource<Child>, bytes: Vec<u8>) -> wasmtime::Result<Result<u32, String>> {
        if let Some(input) = &self.table.get(&child)?.input
            && !input.is_seen(&bytes)
        {
            let asked = match input.act(&bytes) {
                Ok(act) => {
                    let entered = self.door.enter_asked(act, input::REASON).await;
                    entered.map_err(|refusal| format!("{}: {}", refusal.reason, refusal.advice))
                }
                Err(advice) => Err(advice),
            };
            let child = self.table.get_mut(&child)?;
            match asked {
                Ok(pass) => {
                    pass.done(json!({ "bytes": bytes.len() }));
                    if let Some(input) = &mut child.input {
                        input.see(&bytes);
                    }
                }
                Err(why) => {
                    // A half of what it was to read may mean something else than the whole.
                    let _ = child.running.signal(KILL);
                    let why = format!("its input was refused: {}\n", why.trim_end_matches([':', ' ']));
                    child.ended_for.get_or_insert_with(|| why.clone());
                    return Ok(Err(why));
                }
            }
        }
        let child = self.table.get_mut(&child)?;
        let taken = child.running.write(&bytes);
        if let (Some(input), Ok(taken)) = (&mut child.input, &taken) {
            input.take(*taken);
        }
        Ok(taken.map(|taken| u32::try_from(taken).unwrap_or(u32::MAX)).map_err(|error| error.to_string()))
    }

    async fn close_input(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.table.get(&child)?.running.close_input();
        Ok(())
    }

    async fn signal(&mut self, child: Resource<Child>, number: i32) -> wasmtime::Result<()> {
        // There is nothing to answer with: a number that is no signal does nothing.
        let _ = self.table.get(&child)?.running.signal(number);
        Ok(())
    }

    async fn drop(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.table.delete(child)?;
        Ok(())
    }
}

impl ProcessState {
    /// Start a program, if the grant, the gate and the system let it.
    async fn start(&self, door: &Door, command: Command) -> Result<Child, Error> {
        let spec = self.spec(&command, &door.origin().plugin)?;
        let permit = Arc::clone(&self.children).try_acquire_owned().map_err(|_| {
            Error::Limit(format!("{CHILDREN_MAX} programs run already: read one to its end, or drop it"))
        })?;
        let act = Act::ProcessRun {
            argv: std::iter::once(spec.program.display().to_string()).chain(command.arguments).collect(),
            directory: spec.directory.display().to_string(),
            environment: spec.environment.clone(),
        };
        let pass = door.enter(act).await.map_err(|refusal| Error::Refused(refusal.into()))?;
        let spec = match pass.edited() {
            Some(edited) => match self.edited(edited, &door.origin().plugin, command.timeout_ms) {
                Ok(spec) => spec,
                Err(error) => {
                    pass.failed(&"what the approver made of it is not granted");
                    return Err(error);
                }
            },
            None => spec,
        };
        let input = pass.is_by_person().then(|| AskedInput::of(&spec));
        match confine::start(&self.confine, spec).await {
            Ok(running) => Ok(Child { running, pass: Some(pass), input, ended_for: None, _permit: permit }),
            Err(error) => {
                pass.failed(&error);
                Err(match error {
                    StartError::NotFound(_) => Error::NotFound(error.to_string()),
                    StartError::Invalid(_) | StartError::Permission(_) => Error::Invalid(error.to_string()),
                    _ => Error::Other(error.to_string()),
                })
            }
        }
    }

    /// Start a program that outlives a call, for the host itself: held like any other, with variables that are in
    /// no act, no error and no journal. `secrets` are names and values; the act has the names alone.
    ///
    /// # Errors
    /// The grant, the gate or the system does not let it.
    pub async fn start_lasting(
        &self,
        door: &Door,
        command: Command,
        secrets: &[(String, String)],
    ) -> Result<(Running, Pass), Error> {
        let mut spec = self.spec(&command, &door.origin().plugin)?;
        let shown = secrets.iter().map(|(name, _)| (name.clone(), REDACTED.to_owned()));
        let act = Act::ProcessRun {
            argv: std::iter::once(spec.program.display().to_string()).chain(command.arguments).collect(),
            directory: spec.directory.display().to_string(),
            environment: spec.environment.iter().cloned().chain(shown).collect(),
        };
        spec.environment.extend(secrets.iter().cloned());
        environment::check(&spec.environment).map_err(|error| Error::Invalid(error.to_string()))?;
        let pass = door.enter(act).await.map_err(|refusal| Error::Refused(refusal.into()))?;
        if pass.edited().is_some() {
            let why = "what the approver made of it is not the command in pi.toml";
            pass.failed(&why);
            return Err(Error::Invalid(why.into()));
        }
        match confine::start(&self.confine, spec).await {
            Ok(running) => Ok((running, pass)),
            Err(error) => {
                pass.failed(&error);
                Err(Error::Other(error.to_string()))
            }
        }
    }

    /// What an approver made of a command: within the grant like any other.
    fn edited(&self, act: &Act, plugin: &str, timeout_ms: Option<u32>) -> Result<Spec, Error> {
        let Act::ProcessRun { argv, directory, environment } = act else {
            return Err(Error::Invalid("the approver made another kind of act of it".into()));
        };
        let Some((program, arguments)) = argv.split_first() else {
            return Err(Error::Invalid("the approver left no program".into()));
        };
        let command = Command {
            program: program.clone(),
            arguments: arguments.to_vec(),
            environment: environment.clone(),
            directory: directory.clone(),
            timeout_ms,
        };
        self.spec(&command, plugin)
    }

    /// What would run, from the grant alone.
    fn spec(&self, command: &Command, plugin: &str) -> Result<Spec, Error> {
        let program = self.program(&command.program, plugin)?;
        let bytes: usize = command.arguments.iter().map(|argument| argument.len() + 1).sum();
        if bytes > ARGUMENT_BYTES_MAX {
            return Err(Error::Invalid(format!("more than {ARGUMENT_BYTES_MAX} bytes of arguments: {bytes}")));
        }
        if let Some(argument) = command.arguments.iter().find(|argument| argument.contains('\0')) {
            return Err(Error::Invalid(format!("an argument holds a zero byte: {}", argument.escape_default())));
        }
        environment::check(&command.environment).map_err(|error| Error::Invalid(error.to_string()))?;
        let directory = self.directory(&command.directory, plugin)?;
        Ok(Spec {
            program,
            argv: std::iter::once(&command.program).chain(&command.arguments).cloned().collect(),
            environment: command.environment.clone(),
            directory,
            ..self.template(command.timeout_ms)
        })
    }
}

impl Child {
    /// Write the outcome, once it is known.
    fn close(&mut self) {
        if let Some(exit) = self.running.ended()
            && let Some(pass) = self.pass.take()
        {
            pass.done(json!({ "exit": exit, "output_bytes": self.running.output_bytes() }));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Ended and not read to the end is known as well; else the pass says `abandoned`.
        self.close();
    }
}

fn exit(exit: Exit) -> wit::Exit {
    match exit {
        Exit::Code(code) => wit::Exit::Code(code),
        Exit::Signal(signal) => wit::Exit::Signal(signal),
        Exit::Timeout => wit::Exit::Timeout,
        Exit::OutputLimit => wit::Exit::OutputLimit,
    }
}
