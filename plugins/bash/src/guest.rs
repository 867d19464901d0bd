//! The component: the tool's export, and the machine behind the host's interfaces.

use std::sync::Arc;
use std::time::Duration;

use pi_sdk::{Content, Error, ToolPlugin, Value, files, monotonic_clock, poll, process};

use crate::system::{
    Child, Command, Entry, FileError, Metadata, Output, ProcessError, Program, Root, System, WriteMode,
};

struct Bash;

impl ToolPlugin for Bash {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        if name != "bash" {
            return Err(Error::NotFound(format!("there is no tool `{name}` in this plugin")));
        }
        let call = serde_json::from_value(arguments).map_err(|error| Error::InvalidArguments(error.to_string()))?;
        let system: Arc<dyn System> = Arc::new(Host);
        let ended = crate::run(&call, &system).map_err(|error| match error {
            crate::CallError::Arguments(text) => Error::InvalidArguments(text),
            crate::CallError::Failed(text) => Error::Failed(text),
        })?;
        Ok(vec![Content::Json(ended.to_json())])
    }
}

pi_sdk::tool!(Bash);
pi_sdk::prepare!(prepare);

fn prepare() {
    crate::prepare(Arc::new(Host));
}

/// The machine, as far as it is granted.
struct Host;

impl System for Host {
    fn roots(&self) -> Vec<Root> {
        files::roots()
    }
    fn working_directory(&self) -> String {
        files::working_directory()
    }
    fn stat(&self, path: &str, follow: bool) -> Result<Metadata, FileError> {
        files::stat(path, follow)
    }
    fn read(&self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, FileError> {
        files::read(path, offset, length)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, FileError> {
        files::list(path)
    }
    fn write(&self, path: &str, bytes: &[u8], mode: WriteMode) -> Result<(), FileError> {
        files::write(path, bytes, mode)
    }
    fn make_directory(&self, path: &str, parents: bool) -> Result<(), FileError> {
        files::make_directory(path, parents)
    }
    fn remove(&self, path: &str, recursive: bool) -> Result<(), FileError> {
        files::remove(path, recursive)
    }
    fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        files::rename(from, to)
    }
    fn set_mode(&self, path: &str, mode: u32) -> Result<(), FileError> {
        files::set_mode(path, mode)
    }
    fn set_modified(&self, path: &str, modified_ms: u64) -> Result<(), FileError> {
        files::set_modified(path, modified_ms)
    }
    fn make_symlink(&self, target: &str, link: &str) -> Result<(), FileError> {
        files::make_symlink(target, link)
    }
    fn read_link(&self, path: &str) -> Result<String, FileError> {
        files::read_link(path)
    }
    fn programs(&self) -> Vec<Program> {
        process::available()
    }
    fn start(&self, command: &Command) -> Result<Box<dyn Child>, ProcessError> {
        let child = process::start(command)?;
        let pollable = child.subscribe();
        Ok(Box::new(Native { pollable, child }))
    }

    fn wait(&self, children: &[&dyn Child], longest: Duration) -> Vec<usize> {
        let nanoseconds = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        let timer = monotonic_clock::subscribe_duration(nanoseconds);
        let natives: Vec<(usize, &Native)> = children
            .iter()
            .enumerate()
            .filter_map(|(position, child)| {
                (*child as &dyn std::any::Any).downcast_ref::<Native>().map(|native| (position, native))
            })
            .collect();
        let mut pollables: Vec<&poll::Pollable> = natives.iter().map(|(_, native)| &native.pollable).collect();
        pollables.push(&timer);
        let ready = poll::poll(&pollables);
        ready.into_iter().filter_map(|index| natives.get(index as usize)).map(|(position, _)| *position).collect()
    }
}

/// A program of `pi:process`. The pollable stands first: it is dropped before its parent.
struct Native {
    pollable: poll::Pollable,
    child: process::Child,
}

impl Child for Native {
    fn read(&self, length: u32) -> Output {
        self.child.read(length)
    }
    fn write(&self, bytes: &[u8]) -> Result<u32, String> {
        self.child.write(bytes)
    }
    fn close_input(&self) {
        self.child.close_input();
    }
}
