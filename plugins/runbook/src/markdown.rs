//! From Markdown to the blocks that mean something: the front matter, and the fenced blocks of steps and tests, each
//! under its heading. All else is for people.
//!
//! What is in a comment of HTML is not run. A block that looks like a step and is not marked as one is an error: in a
//! runbook, a step that is silently left out is worse than one that does not parse.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::near;
use crate::problem::{Place, Problem};

/// Words after the language in the line that opens a block.
const MARKS: [&str; 2] = ["step", "test"];
const LANGUAGES: [&str; 3] = ["yaml", "yml", "json"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Step,
    Test,
}

/// YAML with its place in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) mark: Mark,
    /// Where the block is opened.
    pub(crate) opened: Place,
    /// Where its text begins.
    pub(crate) origin: Place,
    pub(crate) text: String,
    pub(crate) heading: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Page {
    /// The text between the two lines `---` at the top, which begins in line 2.
    pub(crate) front: Option<String>,
    pub(crate) heading: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) problems: Vec<Problem>,
}

/// Read a file. `text` has no carriage returns.
pub(crate) fn page(text: &str) -> Page {
    let (front, body) = split(text);
    let offset = text.len() - body.len();
    let mut page = Page { front: front.map(str::to_owned), ..Page::default() };
    let lines = Lines::of(text);
    let mut heading = String::new();
    let mut is_heading = false;
    let mut open: Option<Open> = None;
    for (event, range) in Parser::new_ext(body, Options::empty()).into_offset_iter() {
        let range = range.start + offset..range.end + offset;
        match event {
            Event::Start(Tag::Heading { .. }) => {
                heading.clear();
                is_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => {
                is_heading = false;
                if page.heading.is_empty() {
                    page.heading.clone_from(&heading);
                }
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                open = Some(Open { info: info.to_string(), range, text: String::new(), first: None });
            }
            Event::Text(part) | Event::Code(part) if is_heading => heading.push_str(&part),
            Event::Text(part) => {
                if let Some(open) = &mut open {
                    open.first.get_or_insert(range.start);
                    open.text.push_str(&part);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some(block) = open.take() {
                    page.close(block, text, &heading, &lines);
                }
            }
            _ => {}
        }
    }
    page
}

/// A block that is not closed yet.
struct Open {
    info: String,
    range: Range<usize>,
    text: String,
    first: Option<usize>,
}

impl Page {
    fn close(&mut self, block: Open, file: &str, heading: &str, lines: &Lines) {
        let opened = lines.place(file, block.range.start);
        let mark = match mark(&block.info, &block.text) {
            Ok(Some(mark)) => mark,
            Ok(None) => return,
            Err((message, hint)) => return self.problems.push(Problem::new(opened, message).hint(hint)),
        };
        let source = file.get(block.range).unwrap_or_default();
        let last = source.lines().last().unwrap_or_default().trim_matches([' ', '>']);
        if source.lines().count() < 2 || !(last.starts_with("```") || last.starts_with("~~~")) {
            let problem = Problem::new(opened, "the block is not closed");
            return self.problems.push(problem.hint("end it by a line of its own: ```"));
        }
        let origin = block.first.map_or(opened, |first| lines.place(file, first));
        self.blocks.push(Block { mark, opened, origin, text: block.text, heading: heading.to_owned() });
    }
}

/// What a block is by the line that opens it; none, where it is for people.
fn mark(info: &str, text: &str) -> Result<Option<Mark>, (String, String)> {
    let words: Vec<&str> = info.split_whitespace().collect();
    let marks: Vec<Mark> = words
        .iter()
        .filter_map(|word| match *word {
            "step" => Some(Mark::Step),
            "test" => Some(Mark::Test),
            _ => None,
        })
        .collect();
    let language = words.iter().find(|word| !MARKS.contains(word)).copied();
    let is_ours = language.is_none_or(|language| LANGUAGES.contains(&language));
    match marks.as_slice() {
        [mark] if is_ours && words.len() <= 2 => Ok(Some(*mark)),
        [_] if is_ours => Err((format!("more words than it needs: `{}`", near::shown(info)), opened_by())),
        [_] => Err((format!("a block of `{}`", near::shown(language.unwrap_or_default())), opened_by())),
        [_, ..] => Err(("a block that is a step and a test".into(), opened_by())),
        [] if is_ours && words.len() == 2 => {
            let word = words.last().copied().unwrap_or_default();
            if word == "example" {
                return Ok(None);
            }
            Err((format!("a block of `{}`", near::shown(word)), near::hint(word, ["step", "test", "example"])))
        }
        [] if is_ours && language.is_some() && is_like_a_step(text) => {
            Err(("this looks like a step, and is not marked as one".into(), opened_by()))
        }
        [] => Ok(None),
    }
}

fn opened_by() -> String {
    "a step is opened by ```yaml step, a test by ```yaml test, what is only shown by ```yaml example".into()
}

fn is_like_a_step(text: &str) -> bool {
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    has("tool:") || (has("id:") && has("arguments:"))
}

/// The front matter, and what comes after it.
fn split(text: &str) -> (Option<&str>, &str) {
    let Some(rest) = text.strip_prefix("---\n") else { return (None, text) };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if ["---", "..."].contains(&line.trim_end()) {
            return (rest.get(..at), rest.get(at + line.len()..).unwrap_or_default());
        }
        at += line.len();
    }
    (None, text)
}

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn place(&self, text: &str, at: usize) -> Place {
        let line = self.0.partition_point(|begin| *begin <= at).max(1);
        let begin = self.0.get(line - 1).copied().unwrap_or(0);
        let column = text.get(begin..at).map_or(0, |before| before.chars().count()) + 1;
        Place { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_steps_with_their_places_and_headings() {
        let text = "---\ntitle: x\n---\n# A `b`\n\n## One\n\n```yaml step\nid: a\n```\n\n1. In a list\n\n   ```yaml step\n   id: b\n   ```\n";
        let page = page(text);
        assert_eq!(page.front.as_deref(), Some("title: x\n"));
        assert_eq!(page.heading, "A b");
        let found: Vec<_> =
            page.blocks.iter().map(|it| (it.text.as_str(), it.opened.line, it.origin, it.heading.as_str())).collect();
        let place = |line, column| Place { line, column };
        assert_eq!(found, [("id: a\n", 8, place(9, 1), "One"), ("id: b\n", 14, place(15, 4), "One")]);
        assert!(page.problems.is_empty(), "{:?}", page.problems);
    }

    #[test]
    fn what_is_commented_out_or_for_people_is_no_step() {
        let page = page(
            "<!--\n```yaml step\nid: a\n```\n-->\n\n```bash\nls\n```\n\n```yaml example\ntool: x\n```\n\n```\ntool: x\n```\n",
        );
        assert_eq!((page.blocks.len(), page.problems.len()), (0, 0), "{page:?}");
    }

    #[test]
    fn what_looks_like_a_step_and_is_none_is_a_problem() {
        for (info, what) in [
            ("yaml stpe", "did you mean `step`?"),
            ("yaml", "a step is opened by"),
            ("bash step", "a step is opened by"),
            ("yaml step test", "a step is opened by"),
            ("yaml step now", "a step is opened by"),
        ] {
            let page = page(&format!("```{info}\nid: a\ntool: x\n```\n"));
            assert!(page.problems.len() == 1 && page.problems[0].hint.contains(what), "{info}: {page:?}");
        }
        let page = page("```yaml step\nid: a\n");
        assert!(page.problems[0].message.contains("not closed"), "{page:?}");
    }
}
