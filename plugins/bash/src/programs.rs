//! Which commands exist, and where: the granted native programs, and the tools that the shell brings
//! along, as files below `/usr/bin` and its like.
//!
//! Running such a file runs what it stands for: `/usr/bin/ps` starts the granted program,
//! `/usr/bin/sort` the shell's own `sort`. bashkit reads the file and finds there either its own
//! marker or a `#!` line that names [`RUNNER`], a command of ours.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use crate::system::{Program, System};

/// The command that runs a native program by its path.
pub(crate) const RUNNER: &str = "pi-run-program";

/// Where programs are found, in the order of `PATH`.
pub(crate) const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Tools of bashkit that are missing from the shell, because what they say is made up (the state of
/// the machine, success of what they did not do) or because no system has a command of that name.
/// The name goes to the granted program, or is an error that says what would grant it.
const LEFT_OUT: &[&str] = &[
    // Facts about the machine and its users that bashkit invents.
    "arch", "df", "free", "getconf", "groups", "hostid", "hostname", "id", "logname", "nproc", "pgrep", "pkill", "ps",
    "uname", "uptime", "users", "who", "whoami", // Effects that bashkit only pretends.
    "chgrp", "chown", "flock", "sync", // Whole programs of which bashkit has a sketch.
    "busybox", "curl", "http", "less", "make", "man", "openssl", "sudo", "watch", "wget",
    // bashkit's own inventions.
    "assert", "csv", "dotenv", "glob", "json", "log", "parallel", "retry", "semver", "template", "tomlq", "verify",
];

/// Whether bashkit's tool of this name is part of the shell.
pub(crate) fn is_kept(name: &str) -> bool {
    !LEFT_OUT.contains(&name)
}

/// The shell's own tools that elsewhere are programs. (What only exists inside of a shell, like
/// `cd`, is no file.)
const TOOLS: &[&str] = &[
    "[",
    "awk",
    "b2sum",
    "base32",
    "base64",
    "basename",
    "basenc",
    "bash",
    "bc",
    "bunzip2",
    "bzcat",
    "bzip2",
    "cat",
    "chmod",
    "cksum",
    "clear",
    "cmp",
    "column",
    "comm",
    "cp",
    "cut",
    "date",
    "dd",
    "diff",
    "dirname",
    "du",
    "echo",
    "egrep",
    "env",
    "envsubst",
    "expand",
    "expr",
    "factor",
    "false",
    "fgrep",
    "file",
    "find",
    "fmt",
    "fold",
    "gawk",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hexdump",
    "iconv",
    "install",
    "join",
    "jq",
    "kill",
    "link",
    "ln",
    "locale",
    "ls",
    "mawk",
    "md5sum",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mv",
    "nawk",
    "nice",
    "nl",
    "nohup",
    "numfmt",
    "od",
    "paste",
    "patch",
    "pr",
    "printenv",
    "printf",
    "pwd",
    "readlink",
    "realpath",
    "rev",
    "rg",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sh",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "shasum",
    "shuf",
    "sleep",
    "sort",
    "split",
    "stat",
    "strings",
    "sum",
    "tac",
    "tail",
    "tar",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "tree",
    "true",
    "truncate",
    "tsort",
    "tty",
    "unexpand",
    "uniq",
    "unlink",
    "unzip",
    "uuidgen",
    "wc",
    "which",
    "xargs",
    "xxd",
    "yes",
    "yq",
    "zip",
];

/// Whether the shell itself has a tool of this name, which then stands before a granted program.
pub(crate) fn is_built_in(name: &str) -> bool {
    TOOLS.binary_search(&name).is_ok()
}

/// A file that stands for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stub<'a> {
    Tool(&'a str),
    Native,
}

impl Stub<'_> {
    /// What bashkit reads when it runs the file.
    pub(crate) fn content(self) -> Vec<u8> {
        match self {
            Stub::Tool(name) => format!("#!/bin/sh\n# bashkit builtin: {name}\nexec {name} \"$@\"\n").into_bytes(),
            Stub::Native => format!("#!/usr/bin/env -S {RUNNER}\n").into_bytes(),
        }
    }
}

/// What a file is that a script runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Runnable {
    /// A script of the shell, or of one of its own tools.
    Shell,
    /// A script for another interpreter: its path, and the arguments before the script.
    Foreign { interpreter: String, arguments: Vec<String> },
    /// Machine code.
    Binary,
}

impl Runnable {
    /// Told from the first bytes of the file.
    pub(crate) fn of(head: &[u8]) -> Self {
        if head.starts_with(b"\x7fELF") || head.iter().take(512).any(|byte| *byte == 0) {
            return Self::Binary;
        }
        let Some(line) = head.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next()) else {
            return Self::Shell;
        };
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut interpreter = words.next().unwrap_or_default();
        if base_name(&interpreter) == "env" {
            // `env -S` splits its line; without it, the line is one word in any case.
            let mut words = words.by_ref().skip_while(|word| word.starts_with('-') || word.contains('='));
            interpreter = words.next().unwrap_or_default();
        }
        let name = base_name(&interpreter);
        if name.is_empty() || matches!(name, "sh" | "bash" | "dash" | "ash") || is_built_in(name) {
            return Self::Shell;
        }
        Self::Foreign { interpreter, arguments: words.collect() }
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The granted programs, asked for when they are first needed: a shell can be built before there is
/// a host to ask.
pub(crate) struct Programs {
    system: Arc<dyn System>,
    list: OnceLock<Vec<Program>>,
}

impl Programs {
    pub(crate) fn new(system: Arc<dyn System>) -> Self {
        Self { system, list: OnceLock::new() }
    }

    pub(crate) fn list(&self) -> &[Program] {
        self.list.get_or_init(|| self.system.programs())
    }

    /// The granted path that `path` means: itself, or where `/bin` and `/sbin` are links into `/usr`.
    pub(crate) fn real(&self, path: &str) -> Option<&str> {
        let merged = format!("/usr{path}");
        let is_merged = path.starts_with("/bin/") || path.starts_with("/sbin/");
        self.list()
            .iter()
            .map(|program| program.path.as_str())
            .find(|known| *known == path || (is_merged && *known == merged))
    }

    /// The command that the file at `path` stands for.
    pub(crate) fn stub(&self, path: &str) -> Option<Stub<'static>> {
        if self.real(path).is_some() {
            return Some(Stub::Native);
        }
        let (folder, name) = path.rsplit_once('/')?;
        if !matches!(folder, "/usr/bin" | "/bin") {
            return None;
        }
        TOOLS.binary_search(&name).ok().and_then(|position| TOOLS.get(position)).map(|name| Stub::Tool(name))
    }

    /// The names of the files in one of [`FOLDERS`].
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let mut names = BTreeSet::new();
        if matches!(folder, "/usr/bin" | "/bin") {
            names.extend(TOOLS.iter().map(ToString::to_string));
        }
        for program in self.list() {
            if let Some((found, name)) = program.path.rsplit_once('/')
                && (found == folder || found.strip_prefix("/usr") == Some(folder))
            {
                names.insert(name.to_owned());
            }
        }
        names.into_iter().collect()
    }

    /// `PATH`: the usual folders, and those in which further granted programs lie.
    pub(crate) fn path(&self) -> String {
        let mut folders: Vec<&str> = FOLDERS.to_vec();
        for program in self.list() {
            if let Some((folder, _)) = program.path.rsplit_once('/')
                && !folder.is_empty()
                && !folder.contains(':')
                && !folders.contains(&folder)
            {
                folders.push(folder);
            }
        }
        folders.join(":")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted() -> Programs {
        let list = vec![Program { name: "ps".into(), path: "/usr/bin/ps".into() }];
        Programs { system: Arc::new(crate::system::Nothing), list: list.into() }
    }

    #[test]
    fn tools_are_sorted_for_the_search() {
        assert!(TOOLS.is_sorted());
    }

    #[test]
    fn no_tool_is_left_out() {
        assert!(TOOLS.iter().all(|name| is_kept(name)));
    }

    #[test]
    fn finds_a_program_through_the_merged_folder() {
        assert_eq!(granted().real("/bin/ps"), Some("/usr/bin/ps"));
        assert_eq!(granted().real("/usr/local/bin/ps"), None);
    }

    #[test]
    fn knows_a_script_of_another_interpreter() {
        let python = |arguments: &[&str]| Runnable::Foreign {
            interpreter: "python3".into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(Runnable::of(b"#!/usr/bin/env python3\nimport os\n"), python(&[]));
        assert_eq!(Runnable::of(b"#!/usr/bin/env -S python3 -u\n"), python(&["-u"]));
        assert_eq!(Runnable::of(b"#!/bin/bash -e\n"), Runnable::Shell);
        assert_eq!(Runnable::of(b"#!/usr/bin/awk -f\n"), Runnable::Shell);
        assert_eq!(Runnable::of(b"echo no line\n"), Runnable::Shell);
        assert_eq!(Runnable::of(b"\x7fELF\x02\x01"), Runnable::Binary);
    }

    #[test]
    fn a_made_up_tool_is_no_file() {
        assert_eq!(granted().stub("/usr/bin/df"), None);
        assert_eq!(granted().stub("/usr/bin/sort"), Some(Stub::Tool("sort")));
        assert_eq!(granted().stub("/usr/bin/ps"), Some(Stub::Native));
    }
}
