//! A project in a folder of its own, the program run in it, and what it says.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A project folder of its own.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn with(pi_toml: &str) -> Self {
        let project = Self::new();
        project.write("pi.toml", pi_toml);
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pi-host"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }
}

pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            // What is compiled once is said once, whichever test comes first.
            err: String::from_utf8(output.stderr)
                .unwrap()
                .lines()
                .filter(|line| !line.starts_with("compiling plugin"))
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// A host that runs, with a service of its own.
pub(crate) struct RunningHost(pub(crate) std::process::Child);

impl RunningHost {
    pub(crate) fn start(project: &Project) -> Self {
        Self::start_with(project, &[])
    }

    /// Start it with these variables.
    pub(crate) fn start_with(project: &Project, variables: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(project.path().join("host.log")).unwrap();
        let child = project
            .command(&["run"])
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let host = Self(child);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !std::fs::read_to_string(project.path().join("host.log")).unwrap().contains("watching") {
            assert!(std::time::Instant::now() < deadline, "the host does not start");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        host
    }
}

impl Drop for RunningHost {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}
