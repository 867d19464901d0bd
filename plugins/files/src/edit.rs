//! The tool `edit`: an exact replacement that happens as a whole or not at all.

use std::time::Duration;

use pi_sdk::files::{self, Metadata, WriteMode};
use pi_sdk::{Content, Error, Value, json, json_content};
use similar::TextDiff;

use crate::{absolute, near, number, text};

/// Largest file that is edited, as large as one read of the host's.
const FILE_BYTES_MAX: u32 = 16 << 20;
/// Most bytes of a diff in the result.
const DIFF_BYTES_MAX: usize = 256 << 10;
/// A file that is changed all over would take long to compare: after this the diff is a coarse one.
const DIFF_TIME_MAX: Duration = Duration::from_secs(2);
/// Lines around a change in the diff.
const CONTEXT_LINES: usize = 3;

pub(crate) fn edit(arguments: &Value) -> Result<Vec<Content>, Error> {
    let path = text(arguments, "path")?;
    let wanted = Wanted {
        old: text(arguments, "old")?,
        new: text(arguments, "new")?,
        count: number(arguments, "count"),
        is_any_count: arguments.get("replace_all").and_then(Value::as_bool).unwrap_or(false),
    };
    let before = files::stat(path, true)?;
    let contents = read_text(path, &before)?;
    let edited = replace(&contents, &wanted).map_err(|reason| reason.into_error(path))?;
    demand_unchanged(path, &before)?;
    files::write(path, edited.text.as_bytes(), WriteMode::Replace)?;
    let path = absolute(path);
    let diff = diff(&path, &contents, &edited.text);
    Ok(json_content(&json!({ "path": path, "replacements": edited.replacements, "diff": diff })))
}

fn read_text(path: &str, metadata: &Metadata) -> Result<String, Error> {
    if metadata.size > u64::from(FILE_BYTES_MAX) {
        return Err(Error::Limit(format!(
            "the file has {} bytes, and {FILE_BYTES_MAX} is the most that is edited: `{path}`",
            metadata.size
        )));
    }
    let bytes = files::read(path, 0, FILE_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::Failed(format!("only UTF-8 text is edited, and byte {at} is none: `{path}`"))
    })
}

/// Another writer's change between our reading and our writing would be lost.
fn demand_unchanged(path: &str, before: &Metadata) -> Result<(), Error> {
    let now = files::stat(path, true)?;
    if (now.modified_ms, now.size) == (before.modified_ms, before.size) {
        return Ok(());
    }
    Err(Error::Failed(format!("the file changed while it was edited, read it again: `{path}`")))
}

/// What is asked for.
struct Wanted<'a> {
    old: &'a str,
    new: &'a str,
    /// How often `old` must stand there; once if it is not said.
    count: Option<u64>,
    is_any_count: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Edited {
    text: String,
    replacements: usize,
}

/// Why nothing was replaced.
#[derive(Debug, PartialEq, Eq)]
enum Mismatch {
    Empty,
    Same,
    /// `old` is not there; what is near it.
    Absent(String),
    /// The lines that it stands on, and how often it should.
    Count {
        lines: Vec<usize>,
        found: usize,
        wanted: u64,
    },
}

fn replace(contents: &str, wanted: &Wanted) -> Result<Edited, Mismatch> {
    if wanted.old.is_empty() {
        return Err(Mismatch::Empty);
    }
    if wanted.old == wanted.new {
        return Err(Mismatch::Same);
    }
    // A caller that saw the lines without their CR means them all the same.
    let is_crlf = !contents.contains(wanted.old) && contents.contains("\r\n") && !wanted.old.contains('\r');
    let (old, new) = if is_crlf {
        (wanted.old.replace('\n', "\r\n"), wanted.new.replace("\r\n", "\n").replace('\n', "\r\n"))
    } else {
        (wanted.old.to_owned(), wanted.new.to_owned())
    };
    let found = if wanted.is_any_count { contents.matches(&old).count() } else { overlapping(contents, &old).count() };
    if found == 0 {
        return Err(Mismatch::Absent(near::describe(contents, wanted.old)));
    }
    let expected = wanted.count.unwrap_or(if wanted.is_any_count { found as u64 } else { 1 });
    if found as u64 != expected {
        let lines = overlapping(contents, &old).take(near::LINES_MAX).map(|at| line_of(contents, at)).collect();
        return Err(Mismatch::Count { lines, found, wanted: expected });
    }
    let replacements = contents.matches(&old).count();
    Ok(Edited { text: contents.replace(&old, &new), replacements })
}

/// Every place where `old` begins, also inside of another: a passage that overlaps itself is not
/// unique.
fn overlapping<'a>(contents: &'a str, old: &'a str) -> impl Iterator<Item = usize> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + contents.get(from..)?.find(old)?;
        from = at + contents.get(at..)?.chars().next().map_or(1, char::len_utf8);
        Some(at)
    })
}

fn line_of(contents: &str, at: usize) -> usize {
    contents.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

impl Mismatch {
    fn into_error(self, path: &str) -> Error {
        match self {
            Self::Empty => Error::InvalidArguments("`old` is empty; to add text take the line beside it".into()),
            Self::Same => Error::InvalidArguments("`old` and `new` are the same".into()),
            Self::Absent(near) => Error::Failed(format!("`old` stands 0 times in `{path}`{near}")),
            Self::Count { lines, found, wanted } => {
                let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                let more = if lines.len() < found { ", ..." } else { "" };
                Error::Failed(format!(
                    "`old` stands {found} times in `{path}` and not {wanted}, on lines {}{more}\nhint: take more of \
                     the text around the one that you mean, or say `\"replace_all\": true`",
                    lines.join(", ")
                ))
            }
        }
    }
}

fn diff(path: &str, before: &str, after: &str) -> String {
    let mut diff = TextDiff::configure()
        .timeout(DIFF_TIME_MAX)
        .diff_lines(before, after)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&format!("a{path}"), &format!("b{path}"))
        .to_string();
    if diff.len() > DIFF_BYTES_MAX {
        let end = (0..=DIFF_BYTES_MAX).rev().find(|end| diff.is_char_boundary(*end)).unwrap_or(0);
        diff.truncate(end);
        diff.push_str("\n... the diff goes on\n");
    }
    diff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once<'a>(old: &'a str, new: &'a str) -> Wanted<'a> {
        Wanted { old, new, count: None, is_any_count: false }
    }

    fn text_of(contents: &str, wanted: &Wanted) -> String {
        replace(contents, wanted).unwrap().text
    }

    #[test]
    fn replaces_the_one_match() {
        assert_eq!(text_of("port = 1\nhost = a\n", &once("port = 1", "port = 2")), "port = 2\nhost = a\n");
    }

    #[test]
    fn keeps_a_missing_final_newline() {
        assert_eq!(text_of("a\nb", &once("b", "c")), "a\nc");
    }

    #[test]
    fn keeps_crlf_also_where_the_caller_wrote_lf() {
        assert_eq!(text_of("a\r\nb\r\nc\r\n", &once("a\nb", "x\ny\nz")), "x\r\ny\r\nz\r\nc\r\n");
        assert_eq!(text_of("a\r\nb\r\n", &once("a\r\n", "c\r\n")), "c\r\nb\r\n");
    }

    #[test]
    fn replaces_between_wide_characters() {
        assert_eq!(text_of("größe = „1“", &once("„1“", "„2“")), "größe = „2“");
    }

    #[test]
    fn a_second_match_is_an_error_that_says_where() {
        let mismatch = replace("x\ny\nx\n", &once("x", "z")).unwrap_err();
        assert_eq!(mismatch, Mismatch::Count { lines: vec![1, 3], found: 2, wanted: 1 });
        let Error::Failed(text) = mismatch.into_error("/f") else { panic!() };
        assert!(text.starts_with("`old` stands 2 times in `/f` and not 1, on lines 1, 3\nhint: "), "{text}");
    }

    #[test]
    fn a_passage_that_overlaps_itself_is_not_unique() {
        assert!(matches!(replace("aaa", &once("aa", "b")), Err(Mismatch::Count { found: 2, .. })));
    }

    #[test]
    fn replaces_all_when_asked() {
        let wanted = Wanted { is_any_count: true, ..once("x", "z") };
        assert_eq!(replace("x x", &wanted).unwrap(), Edited { text: "z z".into(), replacements: 2 });
    }

    #[test]
    fn the_count_must_hold() {
        let wanted = Wanted { count: Some(2), ..once("x", "z") };
        assert_eq!(text_of("x x", &wanted), "z z");
        assert!(matches!(replace("x", &wanted), Err(Mismatch::Count { found: 1, wanted: 2, .. })));
    }

    #[test]
    fn an_absent_passage_is_an_error_that_shows_what_is_near() {
        let Err(Mismatch::Absent(near)) = replace("timeout_ms = 500\n", &once("timeout_ms = 5000", "x")) else {
            panic!();
        };
        assert!(near.contains("1: timeout_ms = 500"), "{near}");
    }

    #[test]
    fn nothing_and_the_same_are_errors() {
        assert_eq!(replace("a", &once("", "b")), Err(Mismatch::Empty));
        assert_eq!(replace("a", &once("a", "a")), Err(Mismatch::Same));
    }

    #[test]
    fn the_diff_is_unified() {
        let diff = diff("/p/f", "a\nb\nc", "a\nB\nc");
        assert_eq!(diff, "--- a/p/f\n+++ b/p/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n\\ No newline at end of file\n");
    }
}
