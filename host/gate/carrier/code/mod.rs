//! Code of interpreters that is read, so that an everyday one-liner needs nobody: it passes only if
//! *every* token of it is understood, by allow-lists, and none can do more than compute, print,
//! list, and read files that it names.
//!
//! `read_line` reads an interpreter's whole command line, its flags by an allow-list as well;
//! `read` reads code. `None` means: not read, somebody has to look. What code computes stays data:
//! the readers keep every object from which other code can be reached out of its hands.
//!
//! To add a module or a method: its language's table. It must be harmless with any arguments.

mod javascript;
mod line;
mod perl;
mod python;
mod token;

#[cfg(test)]
mod tests;

use crate::gate::glob::UNKNOWN;

pub(crate) use line::read_line;

/// The longest code that is read. Danger: time.
const CODE_BYTES_MAX: usize = 16 * 1024;
/// Most tokens that are read. Danger: brackets in brackets without end, which are walked upwards.
const TOKENS_MAX: usize = 8 * 1024;

/// A language whose code is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    JavaScript,
    /// Read with its flags only, but for tests of the code alone.
    #[cfg(test)]
    Perl,
}

/// What harmless code does beyond computing and printing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// The files that it reads or looks at, in order.
    pub(crate) files: Vec<String>,
    /// So many of the command line's operands are read as files by their number, from 1 on.
    pub(crate) operands: Vec<usize>,
    /// The modules that it imports by a search which may begin in the working directory.
    pub(crate) imports: Vec<String>,
}

/// What the code reads, if all of it is understood and harmless.
pub(crate) fn read(language: Language, code: &str) -> Option<Reads> {
    if !is_plain(code) {
        return None;
    }
    match language {
        Language::Python => python::read(code),
        Language::JavaScript => javascript::read(code),
        #[cfg(test)]
        Language::Perl => perl::read(code),
    }
}

/// Whether the code is short enough, and of plain lines: anything else may end a line to one reader
/// and not to another.
fn is_plain(code: &str) -> bool {
    let is_odd = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, UNKNOWN | '\u{2028}' | '\u{2029}' | '\u{FEFF}')
    };
    code.len() <= CODE_BYTES_MAX && !code.contains(is_odd)
}

/// Whether an interpreter might load the file where harmless code imports a module of the same
/// name: `json.py` in the folder in which `python3 -c 'import json'` runs.
pub(crate) fn is_shadow(path: &str) -> bool {
    python::is_shadow(path) || javascript::is_shadow(path)
}
