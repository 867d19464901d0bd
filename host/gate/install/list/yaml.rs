//! YAML as far as lock files use it: maps, lists and scalars.
//!
//! An alias is refused: no lock file needs one, and a few lines of aliases of aliases stand for
//! more nodes than fit in memory.

use saphyr_parser::{Event, Parser};

use super::ListError;

/// Danger: a tree that is deeper than the stack.
const NESTING_MAX: usize = 64;
/// Danger: many small nodes for few bytes.
const NODES_MAX: usize = 2_000_000;

/// A node with the line it begins at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; keys that are no text are an error.
    Map(Vec<(String, Node)>),
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn pairs(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(pairs) => pairs,
            _ => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.pairs().iter().find(|(own, _)| own == key).map(|(_, node)| node)
    }

    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }
}

/// A container that is not closed yet.
struct Open {
    line: usize,
    key: Option<String>,
    value: Value,
}

/// The first document of `text`, a map.
pub(super) fn document(text: &str) -> Result<Node, ListError> {
    let fail = |line: usize, what: String| ListError::Unreadable { line: line.max(1), what };
    let mut open: Vec<Open> = vec![];
    let mut nodes = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| fail(error.marker().line(), format!("no YAML: {}", error.info())))?;
        let line = span.start.line();
        nodes += 1;
        if nodes > NODES_MAX {
            return Err(fail(line, format!("more than {NODES_MAX} nodes")));
        }
        let closed = match event {
            Event::Alias(_) => return Err(fail(line, "an alias, which no list of packages needs".to_owned())),
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if open.len() >= NESTING_MAX {
                    return Err(fail(line, format!("it nests more than {NESTING_MAX} deep")));
                }
                let is_map = matches!(event, Event::MappingStart(..));
                let value = if is_map { Value::Map(vec![]) } else { Value::List(vec![]) };
                open.push(Open { line, key: None, value });
                continue;
            }
            Event::Scalar(text, ..) => Node { line, value: Value::Text(text.into_owned()) },
            Event::MappingEnd | Event::SequenceEnd => {
                let Some(done) = open.pop() else { continue };
                Node { line: done.line, value: done.value }
            }
            _ => continue,
        };
        let Some(parent) = open.last_mut() else {
            return match closed.value {
                Value::Map(_) => Ok(closed),
                _ => Err(fail(line, "the whole is no map".to_owned())),
            };
        };
        match (&mut parent.value, parent.key.take()) {
            (Value::Map(pairs), Some(key)) => pairs.push((key, closed)),
            (Value::Map(_), None) => match closed.value {
                Value::Text(key) => parent.key = Some(key),
                _ => return Err(fail(line, "a key that is no text".to_owned())),
            },
            (Value::List(items), _) => items.push(closed),
            (Value::Text(_), _) => {}
        }
    }
    Err(fail(1, "the file is empty".to_owned()))
}
