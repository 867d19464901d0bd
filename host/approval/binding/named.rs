//! The files and folders that an act names, or that its programs read by themselves.
//!
//! It takes too much rather than too little: a word that happens to be the name of a file binds that
//! file, which at worst withdraws an approval for a change that meant nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::Unbound;
use super::implied::{implied, is_deciding};
use crate::gate::install::{Listed, Source, listed};
use crate::gate::{Act, Decision};

/// Names that one act may hold. Danger: a command line of a million words, each of which is looked up.
pub(super) const NAMES_MAX: usize = 20_000;
/// A longer one is no path.
const PATH_BYTES_MAX: usize = 4_096;
/// Lists in lists that are followed. Danger: two that name each other.
const LISTS_DEPTH_MAX: usize = 5;
/// Bytes of a list that are read for what it names; the list itself is bound whole.
const LIST_BYTES_MAX: u64 = 4 << 20;
/// What ends a word of a shell.
const ENDS_WORD: &[char] =
    &[' ', '\t', '\r', '\n', ';', '|', '&', '<', '>', '(', ')', '{', '}', '\'', '"', '`', '$', '!'];
const ENDS_COMMAND: &[char] = &['\n', ';', '|', '&', '(', ')', '{', '}', '`'];

/// Paths that decide what an act does, existing or not.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// What they hold, or that they are not there.
    pub files: BTreeSet<PathBuf>,
    /// What lies below, by the ends of names; an empty end stands for all.
    pub trees: BTreeMap<PathBuf, BTreeSet<&'static str>>,
}

impl Named {
    pub(super) fn of(act: &Act, decision: &Decision) -> Result<Self, Unbound> {
        let mut named = Self::default();
        match act {
            Act::ProcessRun { argv, directory, environment } => {
                let folder = Path::new(directory);
                let words: Vec<&str> = argv.iter().map(String::as_str).collect();
                named.command(&words, folder)?;
                for word in words.iter().skip(1).filter(|word| word.contains(ENDS_WORD)) {
                    named.code(word, folder)?;
                }
                for (_, value) in environment {
                    let folders = named.word(value, folder)?;
                    named.all_below(folders);
                }
                named.plans(decision, folder)?;
            }
            Act::Script { text, directory } => {
                named.code(text, Path::new(directory))?;
                named.plans(decision, Path::new(directory))?;
            }
            Act::FileRename { from, to } => named.files.extend([from.into(), to.into()]),
            Act::FileWrite { path, .. } | Act::FileRemove { path, .. } | Act::LogRotate { path, .. } => {
                named.files.insert(path.into());
            }
            _ => {}
        }
        Ok(named)
    }

    /// One command with its words.
    fn command(&mut self, words: &[&str], folder: &Path) -> Result<(), Unbound> {
        let program = words.first().copied().unwrap_or_default();
        let mut folders = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let named = self.word(word, folder)?;
            if is_deciding(program, index + 1 == words.len()) {
                folders.extend(named);
            }
        }
        self.all_below(folders.clone());
        // A launcher stands before the program: each word may be one.
        for (index, word) in words.iter().enumerate() {
            let Some(implied) = implied(word) else { continue };
            let rest = words.get(index + 1..).unwrap_or_default();
            for place in std::iter::once(folder).chain(folders.iter().map(PathBuf::as_path)) {
                for above in place.ancestors() {
                    self.files.extend(implied.files.iter().map(|file| above.join(file)));
                }
                self.below(place, implied.ends);
            }
            // Beside a script stand the modules that it loads.
            for script in rest.iter().map(|word| joined(folder, word)) {
                let is_script = implied.ends.iter().any(|end| script.to_string_lossy().ends_with(end));
                if let Some(beside) = script.parent().filter(|_| is_script || script.is_file()) {
                    self.below(beside, implied.ends);
                }
            }
        }
        Ok(())
    }

    /// Code of a shell, read roughly: its commands, and every word in it.
    fn code(&mut self, text: &str, folder: &Path) -> Result<(), Unbound> {
        for command in text.split(ENDS_COMMAND) {
            let words: Vec<&str> = command.split(ENDS_WORD).filter(|word| !word.is_empty()).collect();
            self.command(&words, folder)?;
        }
        Ok(())
    }

    /// Whatever a word may name; the folders among it.
    fn word(&mut self, word: &str, folder: &Path) -> Result<Vec<PathBuf>, Unbound> {
        let mut folders = Vec::new();
        let value = word.split_once('=').map(|(_, value)| value);
        let attached = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).and_then(|rest| {
            let mut chars = rest.chars();
            chars.next().map(|_| chars.as_str())
        });
        let parts = word.split([':', ',', '=']).filter(|part| part.len() < word.len());
        for name in [Some(word), value, attached].into_iter().flatten().chain(parts) {
            let name = name.trim_start_matches("file://").trim_start_matches('@');
            if name.is_empty() || name.len() > PATH_BYTES_MAX || name.contains('\0') {
                continue;
            }
            let path = joined(folder, name);
            if path.is_dir() {
                if !folders.contains(&path) {
                    folders.push(path);
                }
            } else if self.files.insert(path) && self.files.len() > NAMES_MAX {
                return Err(Unbound::TooMany(NAMES_MAX));
            }
        }
        Ok(folders)
    }

    /// What installs read, and what effects name.
    fn plans(&mut self, decision: &Decision, folder: &Path) -> Result<(), Unbound> {
        for plan in &decision.installs {
            self.lists(&plan.files, folder, 0)?;
            for wanted in &plan.wanted {
                if let Source::Path(path) = &wanted.source {
                    let folders = self.word(path, folder)?;
                    self.all_below(folders);
                }
            }
        }
        for effect in &decision.effects {
            let path = joined(folder, &effect.target);
            if effect.target.len() <= PATH_BYTES_MAX && path.is_file() {
                self.files.insert(path);
            }
        }
        Ok(())
    }

    /// Lists of packages, and the lists that they name.
    fn lists(&mut self, files: &[Listed], folder: &Path, depth: usize) -> Result<(), Unbound> {
        if depth > LISTS_DEPTH_MAX {
            return Err(Unbound::TooDeep(LISTS_DEPTH_MAX));
        }
        for file in files {
            let path = joined(folder, &file.path);
            let is_new = self.files.insert(path.clone()) || depth == 0;
            if self.files.len() > NAMES_MAX {
                return Err(Unbound::TooMany(NAMES_MAX));
            }
            let is_read = path.metadata().is_ok_and(|found| found.is_file() && found.len() <= LIST_BYTES_MAX);
            if let (true, true, Ok(text)) = (is_new, is_read, std::fs::read_to_string(&path))
                && let Ok(list) = listed(file.format, &text)
            {
                self.lists(&list.files, path.parent().unwrap_or(folder), depth + 1)?;
            }
        }
        Ok(())
    }

    fn all_below(&mut self, folders: Vec<PathBuf>) {
        folders.iter().for_each(|folder| self.below(folder, &[""]));
    }

    fn below(&mut self, folder: &Path, ends: &[&'static str]) {
        if !ends.is_empty() {
            self.trees.entry(folder.to_owned()).or_default().extend(ends);
        }
    }
}

/// The path without `.` in it, so that one folder has one name. `..` stays: only the system knows what it means.
fn joined(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).components().filter(|part| !matches!(part, Component::CurDir)).collect()
}
