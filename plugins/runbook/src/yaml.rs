//! YAML with places: maps, lists and scalars of the core schema, each with its line and column in the file.
//!
//! Anchors, aliases and tags are refused: no runbook needs them, a few lines of aliases of aliases stand for more
//! nodes than fit in memory, and who reads a step wants to see all of it. `no` and `on` are texts, as YAML 1.2 says.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

use crate::near::shown;
use crate::problem::{Place, Problem};

/// Danger: a tree that is deeper than the stack.
const NESTING_MAX: usize = 32;
/// Danger: many small nodes for few bytes.
const NODES_MAX: usize = 20_000;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) tree: Tree,
    /// Its text stands in the file as it is, this many characters after `place`.
    pub(crate) verbatim: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// Null, a boolean, a number or a text.
    Scalar(Value),
    List(Vec<Node>),
    /// In the order of the file, no key twice.
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) text: String,
}

impl Node {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn pairs(&self) -> Option<&[(Key, Self)]> {
        match &self.tree {
            Tree::Map(pairs) => Some(pairs),
            _ => None,
        }
    }

    pub(crate) fn json(&self) -> Value {
        match &self.tree {
            Tree::Scalar(value) => value.clone(),
            Tree::List(items) => Value::Array(items.iter().map(Self::json).collect()),
            Tree::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, node)| (key.text.clone(), node.json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.tree {
            Tree::Scalar(Value::Null) => "nothing",
            Tree::Scalar(Value::Bool(_)) => "a boolean",
            Tree::Scalar(Value::Number(_)) => "a number",
            Tree::Scalar(_) => "a text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }
}

/// A container that is not closed yet.
struct Open {
    place: Place,
    key: Option<Key>,
    tree: Tree,
}

/// The one document of `text`, which begins at `origin` of its file and is indented as far as there.
///
/// # Errors
/// It is no YAML, more than one document, or uses what is refused.
pub(crate) fn document(text: &str, origin: Place) -> Result<Node, Problem> {
    let placed = |line: usize, column: usize| Place {
        line: origin.line.max(1) + line.max(1) - 1,
        column: origin.column.max(1) + column,
    };
    let place = |span: &Span| placed(span.start.line(), span.start.col());
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    let mut nodes = 0_usize;
    let characters: Vec<char> = text.chars().collect();
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let at = error.marker();
                return Err(broken(placed(at.line(), at.col()), error.info(), text, at.line()));
            }
        };
        let at = place(&span);
        nodes += 1;
        if nodes > NODES_MAX {
            return Err(Problem::new(at, format!("more than {NODES_MAX} values")));
        }
        refuse_indirection(&event, at)?;
        let closed = match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if open.len() >= NESTING_MAX {
                    return Err(Problem::new(at, format!("nested more than {NESTING_MAX} deep")));
                }
                let is_map = matches!(event, Event::MappingStart(..));
                let tree = if is_map { Tree::Map(Vec::new()) } else { Tree::List(Vec::new()) };
                open.push(Open { place: at, key: None, tree });
                continue;
            }
            Event::Scalar(text, style, ..) => {
                scalar(&text, style, at, characters.get(span.start.index()..).unwrap_or_default())
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some(done) => Node { place: done.place, tree: done.tree, verbatim: None },
                None => continue,
            },
            Event::DocumentStart(_) if root.is_some() => {
                return Err(Problem::new(at, "a second document (`---`) in one block"));
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(closed),
            Some(parent) => parent.take(closed)?,
        }
    }
    root.ok_or_else(|| Problem::new(origin, "the block is empty"))
}

impl Open {
    fn take(&mut self, node: Node) -> Result<(), Problem> {
        match (&mut self.tree, self.key.take()) {
            (Tree::List(items), _) => items.push(node),
            (Tree::Map(pairs), Some(key)) => pairs.push((key, node)),
            (Tree::Map(pairs), None) => {
                let text = match &node.tree {
                    Tree::Scalar(Value::String(text)) => text.clone(),
                    Tree::Scalar(other) => other.to_string(),
                    _ => {
                        return Err(Problem::new(node.place, "a key that is no text")
                            .hint("what stands in `{{ }}` has to be in quotes: \"{{ name }}\""));
                    }
                };
                if pairs.iter().any(|(key, _)| key.text == text) {
                    return Err(Problem::new(node.place, format!("the key `{}` stands here twice", shown(&text))));
                }
                self.key = Some(Key { place: node.place, text });
            }
            (Tree::Scalar(_), _) => {}
        }
        Ok(())
    }
}

fn refuse_indirection(event: &Event<'_>, at: Place) -> Result<(), Problem> {
    let (anchor, is_tagged) = match event {
        Event::Alias(_) => return Err(Problem::new(at, "an alias (`*name`): write the value out")),
        Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
        Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
        _ => return Ok(()),
    };
    match (anchor, is_tagged) {
        (0, false) => Ok(()),
        (0, true) => Err(Problem::new(at, "a tag (`!name`): put a text that begins with `!` in quotes")),
        _ => Err(Problem::new(at, "an anchor (`&name`): write the value out where it is used")),
    }
}

fn scalar(text: &str, style: ScalarStyle, place: Place, source: &[char]) -> Node {
    let value = if style == ScalarStyle::Plain { core(text) } else { Value::String(text.to_owned()) };
    let begin = match style {
        ScalarStyle::Plain => Some(0),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(1),
        ScalarStyle::Literal | ScalarStyle::Folded => None,
    };
    // With an escape in it, or over several lines, characters are not where they are in the file.
    let is_verbatim =
        |begin: &usize| text.chars().zip(source.iter().skip(*begin)).all(|(own, written)| own == *written);
    Node { place, tree: Tree::Scalar(value), verbatim: begin.filter(is_verbatim).filter(|_| !text.contains('\n')) }
}

/// A plain scalar by the core schema.
fn core(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c))
        && text.contains(|c: char| c.is_ascii_digit());
    let plain = text.strip_prefix('+').unwrap_or(text);
    if is_number {
        if let Ok(number) = plain.parse::<i64>() {
            return Value::from(number);
        }
        if let Ok(number) = plain.parse::<u64>() {
            return Value::from(number);
        }
        if let Some(number) = plain.parse::<f64>().ok().and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

/// The parser's words, with what is most often behind them.
fn broken(place: Place, info: &str, text: &str, line: usize) -> Problem {
    let near: String = text.lines().skip(line.saturating_sub(2)).take(2).collect();
    let problem = Problem::new(place, format!("no YAML: {info}"));
    if near.contains("{{") {
        return problem.hint("what stands in `{{ }}` has to be in quotes: \"{{ name }}\"");
    }
    if near.contains('\t') {
        return problem.hint("YAML is indented by spaces, and there is a tab");
    }
    problem.hint("a text that contains `: ` or ` #`, or begins with one of `[{\"'*&!%@|>`, has to be in quotes")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(text: &str, line: usize) -> Result<Node, Problem> {
        super::document(text, Place { line, column: 1 })
    }

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        let node = document("[1, -2, 1.5, true, no, ~, '1', 2026-01-01, 1e3, +7, 18446744073709551615, -, .]", 1);
        let expected = json!([
            1,
            -2,
            1.5,
            true,
            "no",
            null,
            "1",
            "2026-01-01",
            1000.0,
            7,
            18_446_744_073_709_551_615_u64,
            "-",
            "."
        ]);
        // `-` alone is an indicator in flow context, as the parser says.
        match node {
            Ok(node) => assert_eq!(node.json(), expected),
            Err(problem) => assert!(problem.message.contains("no YAML"), "{problem}"),
        }
    }

    #[test]
    fn places_are_those_of_the_file() {
        let node = document("a: 1\nbb:\n  - x\n  - \"yy\"\n", 10).unwrap();
        let pairs = node.pairs().unwrap();
        assert_eq!(pairs[1].0.place, Place { line: 11, column: 1 });
        let Tree::List(items) = &pairs[1].1.tree else { panic!() };
        assert_eq!(items[1].place, Place { line: 13, column: 5 });
        assert_eq!((items[0].verbatim, items[1].verbatim), (Some(0), Some(1)));
    }

    #[test]
    fn refuses_indirection_and_doubles() {
        for (text, what) in [
            ("a: &x 1\nb: 2", "an anchor"),
            ("a: &x [1]\nb: *x", "an anchor"),
            ("a: !!str 1", "a tag"),
            ("a: 1\na: 2", "stands here twice"),
            ("a: {{ x }}", "no text"),
            ("---\na: 1\n---\nb: 1", "a second document"),
            ("", "empty"),
        ] {
            let problem = document(text, 1).unwrap_err();
            assert!(problem.message.contains(what), "{text}: {problem}");
        }
        let deep = "[".repeat(200);
        assert!(document(&deep, 1).is_err());
    }
}
