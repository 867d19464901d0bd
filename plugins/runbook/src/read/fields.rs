//! The keys of a map: each is asked for once, what was not asked for is not known.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::duration;
use crate::near::{self, shown};
use crate::problem::{Place, Problem};
use crate::template::Written;
use crate::yaml::{Node, Tree};

pub(super) struct Fields<'a> {
    node: &'a Node,
    what: &'static str,
    asked: BTreeSet<&'static str>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(node: &'a Node, what: &'static str) -> Self {
        let mut problems = Vec::new();
        if node.pairs().is_none() {
            problems.push(Problem::new(node.place, format!("{what} is {}, and has to be a map of keys", node.kind())));
        }
        Self { node, what, asked: BTreeSet::new(), problems }
    }

    /// What is wrong, keys that are not known among it.
    pub(super) fn end(mut self, into: &mut Vec<Problem>) {
        for (key, node) in self.node.pairs().unwrap_or_default() {
            if !self.asked.contains(key.text.as_str()) {
                let message = format!("{} has no key `{}`", self.what, shown(&key.text));
                let is_rest = node.tree == Tree::Scalar(Value::Null) && key.text.contains(' ');
                let hint = if is_rest {
                    "a comma ends a text within `{ }`: put the text in quotes".to_owned()
                } else {
                    near::hint(&key.text, self.asked.iter().copied())
                };
                self.problems.push(Problem::new(key.place, message).hint(hint));
            }
        }
        into.append(&mut self.problems);
    }

    pub(super) fn place(&self) -> Place {
        self.node.place
    }

    pub(super) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.insert(key);
        self.node.pairs()?.iter().find(|(own, _)| own.text == key).map(|(_, node)| node)
    }

    /// As [`Fields::node`], which has to be there.
    pub(super) fn required(&mut self, key: &'static str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() && self.node.pairs().is_some() {
            self.problems.push(Problem::new(self.node.place, format!("{} has no `{key}`", self.what)));
        }
        node
    }

    fn not(&mut self, key: &str, node: &Node, wanted: &str) {
        let message = format!("`{key}` is {}, and has to be {wanted}", node.kind());
        self.problems.push(Problem::new(node.place, message));
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<(&'a str, Place)> {
        let node = self.node(key)?;
        let text = node.text();
        if text.is_none() {
            self.not(key, node, "a text (in quotes, if it looks like something else)");
        }
        text.map(|text| (text, node.place))
    }

    pub(super) fn truth(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        if let Tree::Scalar(Value::Bool(is_true)) = node.tree {
            return Some(is_true);
        }
        self.not(key, node, "true or false");
        None
    }

    pub(super) fn count(&mut self, key: &'static str, min: u32, max: u32) -> Option<u32> {
        let node = self.node(key)?;
        let number = node.json().as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let message = format!("`{key}` has to be a whole number from {min} to {max}");
            self.problems.push(Problem::new(node.place, message));
        }
        number
    }

    pub(super) fn duration_ms(&mut self, key: &'static str, min_ms: u64) -> Option<u64> {
        let node = self.node(key)?;
        let text = node.text().map_or_else(|| node.json().to_string(), str::to_owned);
        match duration::parse(&text) {
            Ok(ms) if ms >= min_ms => Some(ms),
            Ok(_) => {
                let message = format!("`{key}` is less than {}", duration::text(min_ms));
                self.problems.push(Problem::new(node.place, message));
                None
            }
            Err(error) => {
                self.problems.push(Problem::new(node.place, format!("`{key}`: `{}` is {error}", shown(&text))));
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, known: &[(&'static str, T)]) -> Option<T> {
        let node = self.node(key)?;
        self.one_of(key, node, known)
    }

    pub(super) fn words<T: Copy>(&mut self, key: &'static str, known: &[(&'static str, T)]) -> Vec<T> {
        let items = self.items(key);
        items.into_iter().filter_map(|node| self.one_of(key, node, known)).collect()
    }

    fn one_of<T: Copy>(&mut self, key: &str, node: &Node, known: &[(&'static str, T)]) -> Option<T> {
        let Some(text) = node.text() else {
            self.not(key, node, "a word");
            return None;
        };
        let found = known.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let hint = near::hint(text, known.iter().map(|(word, _)| *word));
            let message = format!("`{key}` knows no `{}`", shown(text));
            self.problems.push(Problem::new(node.place, message).hint(hint));
        }
        found
    }

    /// A list, or one thing in its place.
    pub(super) fn items(&mut self, key: &'static str) -> Vec<&'a Node> {
        match self.node(key) {
            None => Vec::new(),
            Some(node) => match &node.tree {
                Tree::List(items) => items.iter().collect(),
                Tree::Scalar(Value::Null) => Vec::new(),
                _ => vec![node],
            },
        }
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Vec<(&'a str, Place)> {
        let mut texts = Vec::new();
        for node in self.items(key) {
            match node.text() {
                Some(text) => texts.push((text, node.place)),
                None => self.not(key, node, "a list of texts"),
            }
        }
        texts
    }

    /// Expressions, all of which have to hold.
    pub(super) fn expressions(&mut self, key: &'static str) -> Vec<Written> {
        self.items(key).into_iter().filter_map(|node| self.written(key, node)).collect()
    }

    pub(super) fn expression(&mut self, key: &'static str) -> Option<Written> {
        let node = self.node(key)?;
        self.written(key, node)
    }

    fn written(&mut self, key: &str, node: &Node) -> Option<Written> {
        // `when: true` is an expression too.
        let text = match &node.tree {
            Tree::Scalar(Value::String(text)) => text.clone(),
            Tree::Scalar(Value::Bool(is_true)) => is_true.to_string(),
            _ => {
                self.not(key, node, "an expression");
                return None;
            }
        };
        if text.contains("{{") {
            let problem = Problem::new(node.place, format!("`{key}` is an expression by itself"));
            self.problems.push(problem.hint("leave the `{{ }}` out"));
            return None;
        }
        Written::parse(node, 0, &text).map_err(|problem| self.problems.push(problem)).ok()
    }
}
