//! Reading a command line by a family's own table of flags that take a value.
//!
//! The policy's table of programs may know fewer flags than a family here needs: whether `-n` takes
//! a value decides which word is the verb. Two questions are asked of flags, and they differ on
//! purpose: [`Line::has`] also takes abbreviations, for flags that make an act worse;
//! [`Line::says`] takes only the exact flag that is not switched off again, for flags that make it
//! harmless.

use super::super::argv::Word;
use super::super::glob::UNKNOWN;

/// Longest target that an effect shows, in characters. Danger: an argument of a megabyte in a journal.
const TARGET_CHARS_MAX: usize = 200;

#[derive(Clone, Debug)]
struct Flag<'a> {
    name: &'a str,
    value: Option<&'a str>,
    /// The letters of a cluster that are flags, not part of a value.
    letters: &'a str,
}

/// A command line, read.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    pub operands: Vec<&'a str>,
    words: &'a [Word],
    flags: Vec<Flag<'a>>,
    /// So many operands stand before `--`.
    before_dashes: usize,
}

impl<'a> Line<'a> {
    /// Read `words`; `valued` are the flags that take a value, parted by spaces. `-p?` takes one only
    /// where it is glued to the letter; a `!` in front says that the tool knows no clusters of letters.
    pub(super) fn read(words: &'a [Word], valued: &str) -> Self {
        let mut line = Self { operands: vec![], words, flags: vec![], before_dashes: usize::MAX };
        let mut rest = words.iter().skip(1).map(|word| word.text.as_str());
        while let Some(text) = rest.next() {
            if text == "--" {
                line.before_dashes = line.operands.len();
                line.operands.extend(rest.by_ref());
                break;
            }
            if !text.starts_with('-') || text.len() < 2 {
                line.operands.push(text);
                continue;
            }
            let (mut flag, wants_value) = flag_of(text, valued);
            if wants_value {
                flag.value = rest.next();
            }
            line.flags.push(flag);
        }
        line.before_dashes = line.before_dashes.min(line.operands.len());
        line
    }

    /// A line of operands alone.
    pub(super) fn of(operands: Vec<&'a str>) -> Self {
        let before_dashes = operands.len();
        Self { operands, words: &[], flags: vec![], before_dashes }
    }

    /// Whether one of these flags stands there, in full, in a cluster or abbreviated.
    pub(super) fn has(&self, names: &str) -> bool {
        self.flags.iter().any(|flag| names.split(' ').any(|name| is_named(flag, name, true)))
    }

    /// Whether exactly one of these flags stands there and is not switched off by its value.
    pub(super) fn says(&self, names: &str) -> bool {
        let mut said = false;
        for flag in &self.flags {
            if names.split(' ').any(|name| is_named(flag, name, false)) {
                // The last one counts: `--dry-run --dry-run=none` runs.
                said =
                    !matches!(flag.value, Some("false" | "none" | "no" | "0" | "off" | "False" | "f" | "F" | "FALSE"))
                        && !flag.value.is_some_and(is_unknown);
            }
        }
        said
    }

    /// The value of the last of these flags.
    pub(super) fn value(&self, names: &str) -> Option<&'a str> {
        self.values(names).last()
    }

    /// The values of these flags.
    pub(super) fn values<'s>(&'s self, names: &'s str) -> impl Iterator<Item = &'a str> + 's {
        self.flags
            .iter()
            .filter(move |flag| names.split(' ').any(|name| is_named(flag, name, true)))
            .filter_map(|flag| flag.value)
    }

    pub(super) fn operand(&self, at: usize) -> Option<&'a str> {
        self.operands.get(at).copied()
    }

    /// The operands from `at` on.
    pub(super) fn rest(&self, at: usize) -> &[&'a str] {
        self.operands.get(at..).unwrap_or_default()
    }

    /// The operands from `at` on as a target.
    pub(super) fn target(&self, at: usize) -> String {
        shown(&self.rest(at).join(" "))
    }

    /// The operands behind `--`.
    pub(super) fn behind_dashes(&self) -> &[&'a str] {
        self.rest(self.before_dashes)
    }

    /// The words behind the program's name, as written.
    pub(super) fn texts(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.words.iter().skip(1).map(|word| word.text.as_str())
    }

    /// Whether it only asks how the program is used: `--help` as its last word, and no value of a flag.
    pub(super) fn asks_for_help(&self) -> bool {
        self.before_dashes == self.operands.len()
            && self.words.last().is_some_and(|word| word.text == "--help")
            && self.flags.last().is_some_and(|flag| flag.name == "--help")
    }
}

fn flag_of<'a>(text: &'a str, valued: &str) -> (Flag<'a>, bool) {
    let takes_value = |name: &str| listed(valued, name);
    if let Some((name, value)) = text.split_once('=') {
        let is_whole = name.starts_with("--") || takes_value(name) || has_no_clusters(valued);
        let letters = if is_whole && name.len() > 2 { "" } else { name.get(1..).unwrap_or_default() };
        // `-nvalue=x`: a value that is glued to its letter may hold a `=` itself.
        if letters.len() > 1
            && !takes_value(name)
            && let Some((flag, wants)) = glued(text, valued)
            && !wants
        {
            return (flag, false);
        }
        return (Flag { name, value: Some(value), letters }, false);
    }
    if text.starts_with("--") {
        return (Flag { name: text, value: None, letters: "" }, takes_value(text));
    }
    if text.len() > 2 && (takes_value(text) || has_no_clusters(valued)) {
        return (Flag { name: text, value: None, letters: "" }, takes_value(text));
    }
    if let Some(found) = glued(text, valued) {
        return found;
    }
    (Flag { name: text, value: None, letters: text.get(1..).unwrap_or_default() }, false)
}

/// Whether the tool takes `-name` for one flag, never for four: its table begins with `!`.
fn has_no_clusters(valued: &str) -> bool {
    valued.starts_with("! ")
}

/// `-xfvalue` with an `-f` that takes a value; and whether the value is the next word.
fn glued<'a>(text: &'a str, valued: &str) -> Option<(Flag<'a>, bool)> {
    let letters = text.get(1..)?;
    for (at, letter) in letters.char_indices() {
        let is_this = |name: &str, mark: &[char]| {
            name.strip_prefix('-').is_some_and(|own| own.chars().eq([letter].iter().chain(mark).copied()))
        };
        let is_valued = valued.split(' ').any(|name| is_this(name, &[]));
        if is_valued || valued.split(' ').any(|name| is_this(name, &['?'])) {
            let end = at + letter.len_utf8();
            let value = letters.get(end..).filter(|value| !value.is_empty());
            return Some((Flag { name: text, value, letters: letters.get(..end)? }, is_valued && value.is_none()));
        }
    }
    None
}

fn is_named(flag: &Flag<'_>, name: &str, may_abbreviate: bool) -> bool {
    let Some(own) = name.strip_prefix('-') else { return false };
    if !own.starts_with('-') {
        let mut chars = own.chars();
        return match (chars.next(), chars.next()) {
            (Some(letter), None) => flag.letters.contains(letter),
            // Go's flags take `-force` and `--force` alike.
            _ => flag.name == name || flag.name.strip_prefix('-') == Some(name),
        };
    }
    flag.name == name
        || (may_abbreviate && flag.name.len() > 2 && flag.name.starts_with("--") && name.starts_with(flag.name))
}

/// Whether `word` is one of the words of `list`, which are parted by white space.
pub(super) fn listed(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split_ascii_whitespace().any(|own| own == word)
}

/// Whether a part of `text` is known only at run time.
pub(super) fn is_unknown(text: &str) -> bool {
    text.contains(UNKNOWN)
}

/// `text` as a target: no longer than a reader will read.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(TARGET_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Word> {
        line.split(' ').map(Word::plain).collect()
    }

    #[test]
    fn values_are_taken_in_every_form() {
        for text in ["x -n a get", "x -na get", "x -n=a get", "x --name a get", "x --name=a get", "x -vn a get"] {
            let words = words(text);
            let line = Line::read(&words, "-n --name");
            assert_eq!(line.value("-n --name"), Some("a"), "{text}");
            assert_eq!(line.operands, ["get"], "{text}");
        }
    }

    #[test]
    fn without_clusters_a_name_is_one_flag() {
        let words = words("x -chdir=a -refresh-only -c b apply");
        let line = Line::read(&words, "! -chdir -c");
        assert!(!line.has("-h") && line.has("-refresh-only"));
        assert_eq!(line.operands, ["apply"]);
    }

    #[test]
    fn an_optional_value_is_taken_only_when_it_is_glued() {
        let words = words("x -pse -p get");
        let line = Line::read(&words, "-p? -e");
        assert_eq!(line.operands, ["get"]);
        assert!(!line.has("-e"));
    }

    #[test]
    fn a_reassuring_flag_must_be_exact_and_on() {
        let says = |text: &str| Line::read(&words(text), "-o").says("--dry-run");
        assert!(says("x --dry-run"));
        assert!(says("x --dry-run=client"));
        assert!(!says("x --dry-run=none"));
        assert!(!says("x --dry-run --dry-run=false"));
        assert!(!says("x --dry"));
        assert!(!says("x -o --dry-run"));
        assert!(!says("x -- --dry-run"));
    }

    #[test]
    fn a_worsening_flag_may_be_abbreviated_or_combined() {
        let has = |text: &str| Line::read(&words(text), "").has("-f --force");
        assert!(has("x --forc") && has("x -rf") && has("x -f") && !has("x -- -f"));
    }

    #[test]
    fn one_dash_and_two_are_the_same_for_go() {
        let has = |text: &str| Line::read(&words(text), "").has("-auto-approve");
        assert!(has("x -auto-approve") && has("x --auto-approve") && !has("x -auto"));
    }

    #[test]
    fn a_target_is_cut() {
        assert!(shown(&"é".repeat(1000)).chars().count() <= TARGET_CHARS_MAX + 1);
    }
}
