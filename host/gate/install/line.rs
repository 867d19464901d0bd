//! Reading the words of a package manager: flags by the manager's own grammar, one operand at a time.
//!
//! Managers differ in ways that decide what is installed: which flags take a value before and behind
//! the subcommand, whether names may be cut short, whether long names stand behind one dash, and
//! whether the words behind a package belong to the tool that it brings. So the functions that know
//! a manager pull operands one by one, with the grammar that holds at that place.

use super::super::argv::Word;
use super::super::glob::UNKNOWN;

/// Letters behind one dash. Danger: a word of a megabyte that stands for a million flags.
const LETTERS_MAX: usize = 256;

/// How flags are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `--long`, `--long=value`, `-s value`, `-svalue`, clusters.
    Plain,
    /// The same, and a long name may be cut short: optparse, argparse, getopt, OptionParser, Symfony.
    Abbreviating,
    /// As npm reads them: cut short, and a switch may be followed by `true` or `false`.
    Npm,
    /// Long names behind one dash or two: Go, NuGet, Maven.
    Single,
}

/// The flags that take a value, parted by spaces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    pub(super) style: Style,
    pub(super) valued: &'static str,
    /// Switches that are the beginning of a longer flag which takes a value, so that they are not
    /// mistaken for it: `--pre` and `--prefix`.
    pub(super) switches: &'static str,
}

impl Grammar {
    pub(super) const fn plain(valued: &'static str) -> Self {
        Self { style: Style::Plain, valued, switches: "" }
    }

    pub(super) const fn abbreviating(valued: &'static str, switches: &'static str) -> Self {
        Self { style: Style::Abbreviating, valued, switches }
    }

    pub(super) const fn single(valued: &'static str) -> Self {
        Self { style: Style::Single, valued, switches: "" }
    }

    pub(super) const fn npm(valued: &'static str, switches: &'static str) -> Self {
        Self { style: Style::Npm, valued, switches }
    }

    pub(super) fn takes_value(&self, name: &str) -> bool {
        self.valued.split(' ').any(|own| own == name)
    }

    fn abbreviates(&self) -> bool {
        matches!(self.style, Style::Abbreviating | Style::Npm)
    }
}

/// A flag that was read; a long name that was cut short stands in full.
#[derive(Clone, Debug)]
struct Flag<'a> {
    name: String,
    value: Option<&'a str>,
}

/// The words of one command line, read from left to right.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) program: &'a str,
    words: &'a [Word],
    at: usize,
    is_ended: bool,
    flags: Vec<Flag<'a>>,
    /// Reasons to ask that showed while reading.
    pub(super) unknown: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(words: &'a [Word], program: &'a str) -> Self {
        Self { program, words, at: 1, is_ended: false, flags: vec![], unknown: vec![] }
    }

    /// The word behind the program's name.
    pub(super) fn first(&self) -> Option<&'a str> {
        self.words.get(1).map(|word| word.text.as_str())
    }

    /// The next operand; flags before it are kept.
    pub(super) fn next(&mut self, grammar: &Grammar) -> Option<&'a Word> {
        while let Some(word) = self.words.get(self.at) {
            self.at += 1;
            let text = word.text.as_str();
            if self.is_ended || text == "-" || !text.starts_with('-') {
                return Some(word);
            }
            if text == "--" {
                self.is_ended = true;
                continue;
            }
            self.flag(text, grammar);
        }
        None
    }

    /// The subcommand's name, or an empty text where none follows.
    pub(super) fn subcommand(&mut self, grammar: &Grammar) -> &'a str {
        self.next(grammar).map_or("", |word| word.text.as_str())
    }

    /// All operands that are left.
    pub(super) fn rest(&mut self, grammar: &Grammar) -> Vec<&'a Word> {
        let mut all = vec![];
        while let Some(word) = self.next(grammar) {
            all.push(word);
        }
        all
    }

    /// The words that nobody has read yet, as they stand: a command inside this one.
    pub(super) fn remaining(&self) -> &'a [Word] {
        self.words.get(self.at..).unwrap_or_default()
    }

    /// The words from the operand that was read last.
    pub(super) fn last_and_remaining(&self) -> &'a [Word] {
        self.words.get(self.at.saturating_sub(1)..).unwrap_or_default()
    }

    /// Whether a switch is on: what is said last holds, `--no-x` and `--x=false` switch it off.
    pub(super) fn is_on(&self, names: &str) -> bool {
        let mut is_on = false;
        for flag in &self.flags {
            let is_off_by_value = matches!(flag.value, Some("false" | "False" | "0" | "no"));
            if names.split(' ').any(|name| name == flag.name) {
                is_on = !is_off_by_value;
            } else if let Some(positive) = flag.name.strip_prefix("--no-")
                && names.split(' ').any(|name| name.strip_prefix("--") == Some(positive))
            {
                is_on = is_off_by_value;
            }
        }
        is_on
    }

    /// Whether one of these flags is there at all.
    pub(super) fn has(&self, names: &str) -> bool {
        self.flags.iter().any(|flag| names.split(' ').any(|name| name == flag.name))
    }

    /// The values of these flags. One that only the run will tell is a reason to ask.
    pub(super) fn values(&mut self, names: &str) -> Vec<&'a str> {
        let mut all = vec![];
        for flag in self.flags.iter().filter(|flag| names.split(' ').any(|name| name == flag.name)) {
            let Some(value) = flag.value else { continue };
            if value.contains(UNKNOWN) {
                self.unknown.push(format!("the value of `{}` is known only when it runs", flag.name));
            } else {
                all.push(value);
            }
        }
        all
    }

    /// The value that is given last.
    pub(super) fn value(&mut self, names: &str) -> Option<&'a str> {
        self.values(names).pop()
    }

    /// Flags whose name begins so, with their values: `--@scope:registry=`, `-Dartifact=`.
    pub(super) fn prefixed(&self, prefix: &str) -> Vec<(&str, &'a str)> {
        let found = self.flags.iter().filter_map(|flag| Some((flag.name.strip_prefix(prefix)?, flag.value?)));
        found.collect()
    }

    fn flag(&mut self, text: &'a str, grammar: &Grammar) {
        let (written, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if written.contains(UNKNOWN) {
            self.unknown.push(format!("the flag `{}` is known only when it runs", shown(text)));
            return;
        }
        if !written.starts_with("--") && grammar.style != Style::Single {
            self.cluster(text, grammar);
            return;
        }
        let name = if grammar.style == Style::Single {
            format!("-{}", written.trim_start_matches('-'))
        } else {
            self.full_name(written, grammar)
        };
        let value = attached.or_else(|| self.following(&name, grammar));
        self.flags.push(Flag { name, value });
    }

    /// The flag that a shortened name stands for.
    fn full_name(&mut self, written: &str, grammar: &Grammar) -> String {
        let is_known = grammar.takes_value(written) || grammar.switches.split(' ').any(|own| own == written);
        if !grammar.abbreviates() || is_known || written.len() < 4 {
            return written.to_owned();
        }
        let mut longer =
            grammar.valued.split(' ').chain(grammar.switches.split(' ')).filter(|own| own.starts_with(written));
        let Some(first) = longer.next() else { return written.to_owned() };
        if longer.next().is_some() {
            self.unknown.push(format!("`{written}` is short for more than one flag"));
            return written.to_owned();
        }
        first.to_owned()
    }

    fn following(&mut self, name: &str, grammar: &Grammar) -> Option<&'a str> {
        let next = self.words.get(self.at)?.text.as_str();
        let is_truth = grammar.style == Style::Npm && matches!(next, "true" | "false" | "null");
        if !grammar.takes_value(name) && !is_truth {
            return None;
        }
        self.at += 1;
        Some(next)
    }

    /// `-rf`, `-rfile`, `-r file`.
    fn cluster(&mut self, text: &'a str, grammar: &Grammar) {
        let letters = text.get(1..).unwrap_or_default();
        // Some programs spell out a name behind one dash: `mvn -Dx`, `gem -v`; then the whole is the name.
        if grammar.takes_value(text) {
            let value = self.following(text, grammar);
            self.flags.push(Flag { name: text.to_owned(), value });
            return;
        }
        for (count, (at, letter)) in letters.char_indices().enumerate() {
            if count >= LETTERS_MAX {
                self.unknown.push(format!("more than {LETTERS_MAX} flags behind one dash"));
                return;
            }
            let name = format!("-{letter}");
            let behind = letters.get(at + letter.len_utf8()..).unwrap_or_default();
            if grammar.takes_value(&name) {
                let value = Some(behind.strip_prefix('=').unwrap_or(behind)).filter(|value| !value.is_empty());
                let value = value.or_else(|| self.following(&name, grammar));
                self.flags.push(Flag { name, value });
                return;
            }
            if let Some(value) = behind.strip_prefix('=') {
                self.flags.push(Flag { name, value: Some(value) });
                return;
            }
            self.flags.push(Flag { name, value: None });
        }
    }
}

/// A word for people: what only the run will tell stands as three dots.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 120;
    text.chars().take(CHARS_MAX).map(|c| if c == UNKNOWN { '…' } else { c }).collect()
}
