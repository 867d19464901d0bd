//! The machine as the shell sees it: files and programs behind the host's interfaces.
//!
//! The component's own implementation is in [`crate::guest`]; tests of the shell's core bring one
//! over std. Everything blocks: the shell runs on one thread, and only [`System::wait`] waits long.

use std::time::Duration;

pub use pi_sdk::files::{Entry, Error as FileError, Kind, Metadata, Root, WriteMode};
pub use pi_sdk::process::{Command, Error as ProcessError, Exit, Output, Program};

/// Files and programs.
pub trait System: Send + Sync {
    fn roots(&self) -> Vec<Root>;
    fn working_directory(&self) -> String;
    fn stat(&self, path: &str, follow: bool) -> Result<Metadata, FileError>;
    fn read(&self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, FileError>;
    fn list(&self, path: &str) -> Result<Vec<Entry>, FileError>;
    fn write(&self, path: &str, bytes: &[u8], mode: WriteMode) -> Result<(), FileError>;
    fn make_directory(&self, path: &str, parents: bool) -> Result<(), FileError>;
    fn remove(&self, path: &str, recursive: bool) -> Result<(), FileError>;
    fn rename(&self, from: &str, to: &str) -> Result<(), FileError>;
    fn set_mode(&self, path: &str, mode: u32) -> Result<(), FileError>;
    fn set_modified(&self, path: &str, modified_ms: u64) -> Result<(), FileError>;
    fn make_symlink(&self, target: &str, link: &str) -> Result<(), FileError>;
    fn read_link(&self, path: &str) -> Result<String, FileError>;

    /// The granted programs that are on this machine.
    fn programs(&self) -> Vec<Program>;
    fn start(&self, command: &Command) -> Result<Box<dyn Child>, ProcessError>;

    /// Wait until one of `children` has something to do, or for `longest`. Gives the positions of
    /// those that have.
    fn wait(&self, children: &[&dyn Child], longest: Duration) -> Vec<usize>;
}

/// A running program. Dropping it ends the program and its descendants.
pub trait Child: Send + Sync + std::any::Any {
    fn read(&self, length: u32) -> Output;
    fn write(&self, bytes: &[u8]) -> Result<u32, String>;
    fn close_input(&self);
}

/// A machine without anything: for tests, and for the shell that is warmed up ahead of the calls.
pub(crate) struct Nothing;

impl System for Nothing {
    fn roots(&self) -> Vec<Root> {
        Vec::new()
    }
    fn working_directory(&self) -> String {
        "/tmp".to_owned()
    }
    fn stat(&self, path: &str, _: bool) -> Result<Metadata, FileError> {
        nothing(path)
    }
    fn read(&self, path: &str, _: u64, _: u32) -> Result<Vec<u8>, FileError> {
        nothing(path)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, FileError> {
        nothing(path)
    }
    fn write(&self, path: &str, _: &[u8], _: WriteMode) -> Result<(), FileError> {
        nothing(path)
    }
    fn make_directory(&self, path: &str, _: bool) -> Result<(), FileError> {
        nothing(path)
    }
    fn remove(&self, path: &str, _: bool) -> Result<(), FileError> {
        nothing(path)
    }
    fn rename(&self, path: &str, _: &str) -> Result<(), FileError> {
        nothing(path)
    }
    fn set_mode(&self, path: &str, _: u32) -> Result<(), FileError> {
        nothing(path)
    }
    fn set_modified(&self, path: &str, _: u64) -> Result<(), FileError> {
        nothing(path)
    }
    fn make_symlink(&self, _: &str, path: &str) -> Result<(), FileError> {
        nothing(path)
    }
    fn read_link(&self, path: &str) -> Result<String, FileError> {
        nothing(path)
    }
    fn programs(&self) -> Vec<Program> {
        Vec::new()
    }
    fn start(&self, command: &Command) -> Result<Box<dyn Child>, ProcessError> {
        Err(ProcessError::NotGranted(format!("there are no programs: `{}`", command.program)))
    }
    fn wait(&self, _: &[&dyn Child], _: Duration) -> Vec<usize> {
        Vec::new()
    }
}

fn nothing<T>(path: &str) -> Result<T, FileError> {
    Err(FileError::NotFound(format!("there are no files: `{path}`")))
}
