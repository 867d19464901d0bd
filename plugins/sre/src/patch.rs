//! From a configuration file as it is to the file as it was: one exact replacement.
//!
//! The tool `edit` replaces a passage that stands in the file exactly once. The passage goes from the
//! first line that differs to the last one, with as many lines around it as make it unique. One
//! replacement and not one a place: a service that reads its file all the time must never see half a
//! patch, and one act is taken back by one.

use crate::facts::Change;

/// More lines than this, multiplied, are not compared one by one.
const CELLS_MAX: usize = 4_000_000;

/// One exact replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub old: String,
    pub new: String,
}

/// A file on its way from one text to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    pub path: String,
    pub from: String,
    pub to: String,
    /// None: the file is empty or gone, and has to be written as a whole.
    pub edit: Option<Edit>,
}

impl Patch {
    pub fn new(path: &str, from: &str, to: &str) -> Self {
        Self { path: path.into(), from: from.into(), to: to.into(), edit: edit(from, to) }
    }

    /// The patch that takes a change back, if both texts are known.
    pub fn back(change: &Change) -> Option<Self> {
        match (&change.after, &change.before) {
            (Some(after), Some(before)) if after != before => Some(Self::new(&change.path, after, before)),
            (None, Some(before)) => {
                Some(Self { path: change.path.clone(), from: String::new(), to: before.clone(), edit: None })
            }
            _ => None,
        }
    }

    pub fn inverse(&self) -> Self {
        Self::new(&self.path, &self.to, &self.from)
    }

    /// A unified diff, for people.
    pub fn diff(&self) -> String {
        use std::fmt::Write;
        let (old, new) = (lines(&self.from), lines(&self.to));
        let mut text = format!("--- {0}\n+++ {0}\n", self.path);
        let hunks = hunks(&old, &new);
        let mut shown_to = 0;
        for (index, hunk) in hunks.iter().enumerate() {
            let next = hunks.get(index + 1).map_or(old.len(), |next| next.old.0);
            let before = hunk.old.0.saturating_sub(3).max(shown_to)..hunk.old.0;
            let after = hunk.old.1..(hunk.old.1 + 3).min(next);
            shown_to = after.end;
            let shown = before.len() + after.len();
            let (removed, added) = (hunk.old.1 - hunk.old.0, hunk.new.1 - hunk.new.0);
            let start_new = hunk.new.0.saturating_sub(before.len());
            let _ =
                writeln!(text, "@@ -{},{} +{},{} @@", before.start + 1, shown + removed, start_new + 1, shown + added);
            let mut put = |mark: char, lines: Option<&[&str]>| {
                for line in lines.unwrap_or_default() {
                    let _ = writeln!(text, "{mark}{}", line.trim_end_matches(['\n', '\r']));
                }
            };
            put(' ', old.get(before));
            put('-', old.get(hunk.old.0..hunk.old.1));
            put('+', new.get(hunk.new.0..hunk.new.1));
            put(' ', old.get(after));
        }
        text
    }
}

/// Whether a change is one of a version alone: a release, and no setting.
pub fn is_release(change: &Change) -> bool {
    const WORDS: [&str; 6] = ["version", "release", "image", "tag", "revision", "commit"];
    let (old, new) = (change.before.as_deref().unwrap_or(""), change.after.as_deref().unwrap_or(""));
    let (old, new) = (lines(old), lines(new));
    let hunks = hunks(&old, &new);
    let mut changed = hunks.iter().flat_map(|hunk| new.get(hunk.new.0..hunk.new.1).unwrap_or_default()).peekable();
    changed.peek().is_some()
        && changed.all(|line| {
            let key = line.split(['=', ':']).next().unwrap_or_default();
            WORDS.iter().any(|word| crate::signs::fold(key).split_whitespace().any(|part| part == *word))
        })
}

/// Keys and values on the changed lines that are long enough to mean something when a log names them.
pub fn changed_words(changes: &[Change]) -> Vec<String> {
    let mut words = Vec::new();
    for change in changes {
        let (old, new) = (change.before.as_deref().unwrap_or(""), change.after.as_deref().unwrap_or(""));
        let (old, new) = (lines(old), lines(new));
        for hunk in hunks(&old, &new) {
            for line in new.get(hunk.new.0..hunk.new.1).unwrap_or_default() {
                let parts = line.split(['=', ':', ',', '"', '\'', ' ', '\t', '\n', '\r', '[', ']', '{', '}']);
                words.extend(parts.filter(|part| is_telling(part)).map(str::to_owned));
            }
        }
        if let Some(name) = change.path.rsplit('/').next().filter(|name| is_telling(name)) {
            words.push(name.to_owned());
        }
    }
    words
}

fn is_telling(word: &str) -> bool {
    const COMMON: [&str; 16] = [
        "true",
        "false",
        "null",
        "none",
        "info",
        "debug",
        "warn",
        "error",
        "localhost",
        "service",
        "http",
        "https",
        "name",
        "host",
        "port",
        "path",
    ];
    word.chars().filter(|c| c.is_alphabetic()).count() >= 4 && !COMMON.contains(&word.to_lowercase().as_str())
}

/// The passage that differs, with the fewest lines around it that make it unique.
fn edit(from: &str, to: &str) -> Option<Edit> {
    let (old, new) = (lines(from), lines(to));
    let hunks = hunks(&old, &new);
    let (first, last) = (hunks.first()?, hunks.last()?);
    for around in 0..=old.len() {
        let start = first.old.0.saturating_sub(around);
        let end = (last.old.1 + around).min(old.len());
        let (before, after) = (old.get(start..first.old.0)?.concat(), old.get(last.old.1..end)?.concat());
        let edit = Edit {
            old: format!("{before}{}{after}", old.get(first.old.0..last.old.1)?.concat()),
            new: format!("{before}{}{after}", new.get(first.new.0..last.new.1)?.concat()),
        };
        if !edit.old.is_empty() && occurrences(from, &edit.old) == 1 {
            return Some(edit);
        }
    }
    None
}

/// How often `needle` stands in `text`, overlapping ones included.
fn occurrences(text: &str, needle: &str) -> usize {
    let mut count = 0;
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(needle)) {
        count += 1;
        let step = text.get(from + at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        from += at + step;
    }
    count
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Lines `old.0..old.1` become lines `new.0..new.1`.
#[derive(Debug, PartialEq)]
struct Hunk {
    old: (usize, usize),
    new: (usize, usize),
}

/// The places where two texts differ, first to last, by the longest common subsequence.
fn hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (a, b) =
        (old.get(head..old.len() - tail).unwrap_or_default(), new.get(head..new.len() - tail).unwrap_or_default());
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    if a.len().saturating_mul(b.len()) > CELLS_MAX {
        return vec![Hunk { old: (head, old.len() - tail), new: (head, new.len() - tail) }];
    }
    let common = common(a, b);
    let mut hunks = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (x, y) in common.into_iter().chain([(a.len(), b.len())]) {
        if x > i || y > j {
            hunks.push(Hunk { old: (head + i, head + x), new: (head + j, head + y) });
        }
        (i, j) = (x + 1, y + 1);
    }
    hunks
}

/// The pairs of equal lines in a longest common subsequence.
fn common(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    let mut lengths = vec![0u32; (a.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    for (i, line) in a.iter().enumerate().rev() {
        for (j, other) in b.iter().enumerate().rev() {
            let length = |i, j| lengths.get(at(i, j)).copied().unwrap_or(0);
            let best = if line == other { length(i + 1, j + 1) + 1 } else { length(i + 1, j).max(length(i, j + 1)) };
            if let Some(cell) = lengths.get_mut(at(i, j)) {
                *cell = best;
            }
        }
    }
    let length = |i: usize, j: usize| lengths.get(at(i, j)).copied().unwrap_or(0);
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a.get(i) == b.get(j) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if length(i + 1, j) >= length(i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the tool `edit` does it: exactly one match, or an error.
    fn apply(patch: &Patch) -> String {
        patch.edit.iter().fold(patch.from.clone(), |text, edit| {
            assert_eq!(text.matches(&edit.old).count(), 1, "{edit:?} in {text:?}");
            text.replacen(&edit.old, &edit.new, 1)
        })
    }

    #[test]
    fn one_changed_line_is_one_small_edit() {
        let patch = Patch::new("a", "x = 1\ny = bad\nz = 3\n", "x = 1\ny = good\nz = 3\n");
        assert_eq!(patch.edit, Some(Edit { old: "y = bad\n".into(), new: "y = good\n".into() }));
    }

    #[test]
    fn two_places_are_one_passage() {
        let patch = Patch::new("a", "a\nB\nc\nd\nE\nf\n", "a\nb\nc\nd\ne\nf\n");
        assert_eq!(patch.edit, Some(Edit { old: "B\nc\nd\nE\n".into(), new: "b\nc\nd\ne\n".into() }));
        assert_eq!(patch.diff().matches("@@ -").count(), 2);
    }

    #[test]
    fn a_line_that_occurs_twice_is_taken_with_its_surroundings() {
        let patch = Patch::new("a", "[one]\nport = 1\n[two]\nport = 1\n", "[one]\nport = 1\n[two]\nport = 2\n");
        assert_eq!(apply(&patch), patch.to);
        assert!(patch.edit.as_ref().unwrap().old.contains("[two]"), "{:?}", patch.edit);
    }

    #[test]
    fn added_and_removed_lines_are_taken_back() {
        for (from, to) in [
            ("a\nb\nc\n", "a\nc\n"),
            ("a\nc\n", "a\nb\nc\n"),
            ("a\n", "a\nb\n"),
            ("a\nb\n", "b\n"),
            ("x", "x\n"),
            ("a\na\na\n", "a\na\n"),
            ("a\r\nb\r\n", "a\r\nc\r\n"),
            ("one line", "another line"),
            ("gone\n", ""),
        ] {
            let patch = Patch::new("a", from, to);
            assert_eq!(apply(&patch), to, "{from:?} -> {to:?}");
            assert_eq!(apply(&patch.inverse()), if to.is_empty() { "" } else { from });
        }
    }

    #[test]
    fn an_empty_file_cannot_be_edited() {
        assert_eq!(Patch::new("a", "", "text").edit, None);
    }

    #[test]
    fn any_two_texts_lead_to_an_edit_that_applies() {
        // A small generator of texts with many equal lines, the hard case for uniqueness.
        let mut state = 7u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..2_000 {
            let mut text =
                || (0..1 + next(8)).map(|_| ["a\n", "b\n", "c\n", "a"][next(4) as usize]).collect::<String>();
            let (from, to) = (text(), text());
            assert_eq!(apply(&Patch::new("f", &from, &to)), to, "{from:?} -> {to:?}");
        }
    }

    #[test]
    fn the_diff_reads_as_a_unified_one() {
        let patch = Patch::new("/etc/a", "x = 1\ny = bad\nz = 3\n", "x = 1\ny = good\nz = 3\n");
        assert_eq!(patch.diff(), "--- /etc/a\n+++ /etc/a\n@@ -1,3 +1,3 @@\n x = 1\n-y = bad\n+y = good\n z = 3\n");
    }

    #[test]
    fn tells_a_release_from_a_setting() {
        let change = |before: &str, after: &str| Change {
            path: "/a".into(),
            modified_ms: 0,
            before: Some(before.into()),
            after: Some(after.into()),
        };
        assert!(is_release(&change("version = 1\n", "version = 2\n")));
        assert!(!is_release(&change("version = 1\nport = 1\n", "version = 2\nport = 2\n")));
        assert!(!is_release(&change("a\n", "a\n")));
    }
}
