//! `read` and `mapfile`: what the variables hold that they set, as far as the input is known and nothing has
//! read of it before. In all other cases they are unknown: an input that has ended leaves them empty, one
//! that was read before leaves the next line.

use crate::gate::argv::{Taint, Word};

use super::lower::Lower;
use super::output::Flow;
use super::scope::Value;

/// Flags of `read` that take a value.
const READ_VALUED: &str = "adinNptu";
/// Flags of `mapfile` that take a value.
const MAP_VALUED: &str = "dnOsucC";
/// Flags of `read` by which something else is read than the next line, from standard input.
const READ_OTHERWISE: &str = "dinNtuesE";
/// Flags of `mapfile` by which not all lines are read, from standard input.
const MAP_OTHERWISE: &str = "dnOsu";

/// The words of `read` or `mapfile`, read.
struct Arguments {
    letters: String,
    array: Option<Word>,
    names: Vec<Word>,
}

impl Arguments {
    /// `valued_flags`: the flags that take a value.
    fn of(words: &[Word], valued_flags: &str) -> Self {
        let mut own = Self { letters: String::new(), array: None, names: vec![] };
        let mut rest = words.iter();
        let mut are_names = false;
        while let Some(word) = rest.next() {
            let letters = word.text.strip_prefix('-').filter(|letters| !letters.is_empty() && !are_names);
            let Some(letters) = letters else {
                own.names.push(word.clone());
                are_names = true;
                continue;
            };
            if letters == "-" {
                are_names = true;
                continue;
            }
            let valued = letters.find(|c| valued_flags.contains(c));
            own.letters.push_str(valued.map_or(letters, |at| letters.get(..=at).unwrap_or(letters)));
            if let Some(at) = valued {
                let attached = letters.get(at + 1..).filter(|value| !value.is_empty());
                let value = match attached {
                    Some(value) => Some(Word { text: value.to_owned(), ..word.clone() }),
                    None => rest.next().cloned(),
                };
                if letters.get(at..).is_some_and(|letters| letters.starts_with('a')) {
                    own.array = value;
                }
            }
        }
        own
    }

    fn has_any(&self, letters: &str) -> bool {
        self.letters.contains(|c| letters.contains(c))
    }
}

impl Lower<'_, '_> {
    pub(super) fn read_line(&mut self, words: &[Word], input: &Flow) {
        let arguments = Arguments::of(words, READ_VALUED);
        arguments.names.iter().chain(&arguments.array).for_each(|name| self.variable_name(name));
        let line =
            self.known_input(&arguments, READ_OTHERWISE, input).map(|text| text.lines().next().unwrap_or_default());
        // A backslash joins lines, and quotes what follows it.
        let line = line.filter(|line| arguments.letters.contains('r') || !line.contains('\\'));
        let separators: String = self.scope.get("IFS").into_iter().map(|word| word.text).collect();
        let of = |text: &str| Word { text: text.to_owned(), is_glob: false, taint: input.taint };
        let unknown = Word::unknown(input.taint.max(Taint::Computed));
        if let Some(array) = &arguments.array {
            let parts = line.and_then(|line| split(line, &separators, usize::MAX));
            match parts {
                Some(parts) => self.scope.set(&array.text, Value::List(parts.iter().map(|part| of(part)).collect())),
                None => self.set_named(&array.text, unknown),
            }
            return;
        }
        if arguments.names.is_empty() {
            self.set_named("REPLY", line.map_or(unknown, of));
            return;
        }
        let parts = line.and_then(|line| split(line, &separators, arguments.names.len()));
        for (at, name) in arguments.names.iter().enumerate() {
            let value = match &parts {
                Some(parts) => of(parts.get(at).copied().unwrap_or_default()),
                None => unknown.clone(),
            };
            self.set_named(&name.text, value);
        }
    }

    pub(super) fn map_file(&mut self, words: &[Word], input: &Flow) {
        let arguments = Arguments::of(words, MAP_VALUED);
        arguments.names.iter().for_each(|name| self.variable_name(name));
        let name = arguments.names.first().map_or("MAPFILE", |name| name.text.as_str());
        let text = self.known_input(&arguments, MAP_OTHERWISE, input);
        let Some(text) = text else {
            self.scope.set(name, Value::Unset);
            self.scope.set(name, Value::Loose(vec![Word::unknown(input.taint.max(Taint::Computed))]));
            return;
        };
        let strips = arguments.letters.contains('t');
        let line = |line: &str| if strips { line.trim_end_matches('\n').to_owned() } else { line.to_owned() };
        let lines =
            text.split_inclusive('\n').map(|text| Word { text: line(text), is_glob: false, taint: input.taint });
        self.scope.set(name, Value::List(lines.collect()));
    }

    /// The input, where it is known what is read of it.
    fn known_input<'t>(&self, arguments: &Arguments, otherwise: &str, input: &'t Flow) -> Option<&'t str> {
        let is_plain = self.has_own_input && !arguments.has_any(otherwise);
        input.text.as_deref().filter(|_| is_plain)
    }

    /// A variable takes a value by a command that was told its name, which may name an element.
    pub(super) fn set_named(&mut self, name: &str, value: Word) {
        match name.split_once('[') {
            Some((base, index)) => {
                self.scope.set_element(base, index.strip_suffix(']').and_then(|index| index.parse().ok()), value);
            }
            None => self.scope.set(name, Value::Text(value)),
        }
    }
}

/// A line for so many variables; the last takes what is left. None: it is not certain where it ends.
fn split<'t>(line: &'t str, separators: &str, count: usize) -> Option<Vec<&'t str>> {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n');
    if separators.is_empty() {
        return Some(vec![line]);
    }
    if !separators.chars().all(is_space) {
        // One mark between fields, as in `IFS=,`; what is left for the last variable may lose its own.
        let mark = separators.chars().next().filter(|_| separators.chars().count() == 1)?;
        let parts: Vec<&str> = line.splitn(count, mark).collect();
        let is_certain = parts.last().is_some_and(|last| !last.contains(mark));
        return is_certain.then_some(parts);
    }
    let is_separator = |c: char| separators.contains(c);
    let mut rest = line.trim_matches(is_separator);
    let mut parts = vec![];
    while !rest.is_empty() && parts.len() + 1 < count {
        let (part, behind) = rest.split_once(is_separator).unwrap_or((rest, ""));
        parts.push(part);
        rest = behind.trim_start_matches(is_separator);
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_the_shell_splits_it() {
        assert_eq!(split("x y z ", " \t\n", 2), Some(vec!["x", "y z"]));
        assert_eq!(split("  s t  ", " \t\n", 1), Some(vec!["s t"]));
        assert_eq!(split("a  b", " \t\n", usize::MAX), Some(vec!["a", "b"]));
        assert_eq!(split("a:b", ":", 2), Some(vec!["a", "b"]));
        assert_eq!(split("a:b:c", ":", 2), None);
        assert_eq!(split(" a ", "", 2), Some(vec![" a "]));
        assert_eq!(split("a, b", ", ", 2), None);
    }
}
