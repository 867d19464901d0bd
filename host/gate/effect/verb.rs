//! Tools whose command lines begin with a verb, as tables: which verbs read, which write, which may
//! lose something for good.
//!
//! An entry is a verb, or a path of verbs with `:` between (`volume:rm`); `*` stands for any one
//! word; behind `=` stands the operation's name where it is not the verb. The longest entry that
//! the operands begin with decides. A verb that no entry names is `unknown` and destructive.

use std::borrow::Cow;

use super::line::{Line, is_unknown};
use super::{Effect, Kind, Severity};

/// What is known of a tool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tool {
    pub kind: Kind,
    /// The flags that take a value, parted by spaces.
    pub valued: &'static str,
    pub read: &'static str,
    pub write: &'static str,
    pub destructive: &'static str,
    /// With one of these flags it only shows what it would do.
    pub dry: &'static str,
}

/// A verb that was found.
#[derive(Clone, Debug)]
pub(super) struct Verb {
    pub operation: Cow<'static, str>,
    pub severity: Severity,
    /// So many operands are the verb.
    pub length: usize,
}

impl Tool {
    /// The verb of a command line; nothing when it only shows how the tool is used.
    pub(super) fn verb(&self, line: &Line<'_>) -> Option<Verb> {
        if line.operands.is_empty() || line.asks_for_help() || matches!(line.operand(0), Some("help" | "version")) {
            return None;
        }
        let tables =
            [(self.read, Severity::Read), (self.write, Severity::Write), (self.destructive, Severity::Destructive)];
        let mut best: Option<(usize, &'static str, Severity)> = None;
        let mut is_group = false;
        for (table, severity) in tables {
            for entry in table.split_ascii_whitespace() {
                let path = entry.split('=').next().unwrap_or(entry);
                match fit(path, &line.operands) {
                    Fit::Whole(score) if best.is_none_or(|(other, _, _)| score >= other) => {
                        best = Some((score, entry, severity));
                    }
                    Fit::Beginning => is_group = true,
                    _ => {}
                }
            }
        }
        let Some((_, entry, severity)) = best else {
            // `docker volume` without more prints its usage.
            let is_known = line.operands.iter().all(|operand| !is_unknown(operand));
            return (!is_group || !is_known).then(Verb::unknown);
        };
        let severity = if !self.dry.is_empty() && line.says(self.dry) { Severity::Read } else { severity };
        Some(Verb { operation: operation_of(entry), severity, length: path_length(entry) })
    }

    /// Read `line` off `words` with the tool's table, find its effect, and add it.
    pub(super) fn look(&self, line: &Line<'_>, found: &mut Vec<Effect>) {
        if let Some(verb) = self.verb(line) {
            found.push(Effect::new(self.kind, verb.operation, line.target(verb.length), verb.severity));
        }
    }
}

impl Verb {
    pub(super) fn unknown() -> Self {
        Self { operation: Cow::Borrowed("unknown"), severity: Severity::Destructive, length: 0 }
    }
}

enum Fit {
    No,
    /// The operands end before the entry does.
    Beginning,
    /// The higher, the closer.
    Whole(usize),
}

fn fit(path: &str, operands: &[&str]) -> Fit {
    let mut score = 0;
    let mut operands = operands.iter();
    for (at, part) in path.split(':').enumerate() {
        match operands.next() {
            // Behind nothing but `*` any word at all would pass for a group.
            None => return if at == 0 || score < 2 { Fit::No } else { Fit::Beginning },
            Some(_) if part == "*" => score += 1,
            Some(operand) if *operand == part => score += 2,
            Some(operand) => {
                let is_prefix = part.strip_suffix('*').is_some_and(|own| !own.is_empty() && operand.starts_with(own));
                if !is_prefix {
                    return Fit::No;
                }
                score += 1;
            }
        }
    }
    Fit::Whole(score)
}

fn path_length(entry: &str) -> usize {
    entry.split('=').next().unwrap_or(entry).split(':').count()
}

fn operation_of(entry: &'static str) -> Cow<'static, str> {
    match entry.split_once('=') {
        Some((_, operation)) => Cow::Borrowed(operation),
        None if entry.contains([':', '-', '*', '.']) => {
            Cow::Owned(entry.replace(['*'], "").trim_matches(':').replace([':', '-', '.'], "_"))
        }
        None => Cow::Borrowed(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::argv::Word;
    use super::*;

    const TOOL: Tool = Tool {
        kind: Kind::Service,
        valued: "-c --context",
        read: "ls volume:ls *:inspect",
        write: "run volume:create",
        destructive: "rm=delete volume:rm volume:prune",
        dry: "--dry-run",
    };

    fn verb(text: &str) -> Option<(String, Severity)> {
        let words: Vec<Word> = text.split(' ').map(Word::plain).collect();
        TOOL.verb(&Line::read(&words, TOOL.valued)).map(|verb| (verb.operation.into_owned(), verb.severity))
    }

    #[test]
    fn the_longest_entry_decides() {
        assert_eq!(verb("x -c y volume rm a"), Some(("volume_rm".to_owned(), Severity::Destructive)));
        assert_eq!(verb("x image inspect a"), Some(("inspect".to_owned(), Severity::Read)));
        assert_eq!(verb("x rm --dry-run a"), Some(("delete".to_owned(), Severity::Read)));
    }

    #[test]
    fn what_no_entry_names_is_unknown() {
        let unknown = Some(("unknown".to_owned(), Severity::Destructive));
        assert_eq!(verb("x frobnicate"), unknown);
        assert_eq!(verb("x volume \u{FFFC}"), unknown);
        assert_eq!(verb("x \u{FFFC}"), unknown);
        assert_eq!(verb("x volume"), None);
        assert_eq!(verb("x volume rm --help"), None);
    }
}
