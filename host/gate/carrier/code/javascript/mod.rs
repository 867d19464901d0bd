//! Reads code in JavaScript, for Node.
//!
//! The code's values are data, and functions that are harmless with any arguments. What would make
//! code out of text is `Function`, which every function calls its constructor; so that property is
//! never read: not by its name, not by a key that is computed unless what comes out is printed,
//! counted or compared on the spot. Modules are no values, and none of their members is replaced.

mod lexer;
mod scope;
mod subscript;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use super::token::{Kind, Tokens, listed};
use super::{Reads, TOKENS_MAX};
use table::{BEFORE_VALUE, CONSTRUCTORS, FUNCTIONS, KEYWORDS, MODULES, REFUSED, RESERVED, ROOTS};

const ASSIGNMENTS: &str = "= += -= *= /= %= **= <<= >>= >>>= &= |= ^= &&= ||= ??= ++ --";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Value,
    Module(&'static str),
    /// `readFileSync`, taken out of its module.
    ReadFile,
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    roles: BTreeMap<&'a str, Role>,
    done: BTreeSet<usize>,
    reads: Reads,
    is_argv_loose: bool,
}

pub(super) fn read(code: &str) -> Option<Reads> {
    let all = lexer::lex(code)?;
    if all.len() > TOKENS_MAX {
        return None;
    }
    let tokens = Tokens::matched(all)?;
    let mut reader =
        Reader { tokens, roles: BTreeMap::new(), done: BTreeSet::new(), reads: Reads::default(), is_argv_loose: false };
    reader.bindings()?;
    reader.uses()?;
    (reader.reads.operands.is_empty() || !reader.is_argv_loose).then_some(reader.reads)
}

/// Whether Node would run the file where `require` names a file of data.
pub(super) fn is_shadow(path: &str) -> bool {
    path.ends_with(".json.js")
        || path.ends_with(".json.node")
        || path.contains(".json/index.")
        || path.contains(".json/package.json")
}

fn members(root: &str) -> Option<&'static str> {
    ROOTS.iter().find(|(own, _)| *own == root).map(|(_, members)| *members)
}

fn inner_root(root: &str, member: &str) -> Option<&'static str> {
    let is_own = |own: &str| own.strip_prefix(root).and_then(|rest| rest.strip_prefix('.')) == Some(member);
    ROOTS.iter().map(|(own, _)| *own).find(|own| is_own(own))
}

fn is_refused(property: &str) -> bool {
    property.starts_with("__") || listed(REFUSED, property)
}

impl<'a> Reader<'a> {
    fn name(&self, at: usize) -> Option<&'a str> {
        let token = self.tokens.at(at);
        (token.kind == Kind::Name).then_some(token.text)
    }

    fn is_assigned(&self, at: usize) -> bool {
        let token = self.tokens.at(at);
        token.kind == Kind::Operator && listed(ASSIGNMENTS, token.text)
    }

    /// Whether a value ends in front of `at`.
    fn is_value_end(&self, at: usize) -> bool {
        let before = self.tokens.before(at);
        match before.kind {
            Kind::Name => !listed(BEFORE_VALUE, before.text) || at > 1 && self.is_property(at - 1),
            Kind::Operator => matches!(before.text, ")" | "]" | "}"),
            Kind::Nothing | Kind::Line => false,
            _ => true,
        }
    }

    fn is_property(&self, at: usize) -> bool {
        self.tokens.is_before(at, ".") || self.tokens.is_before(at, "?.")
    }

    /// Whether `at` is the key of an entry: `{key: x}`.
    fn is_key(&self, at: usize) -> bool {
        let is_within = self.tokens.at(at).around.is_some_and(|around| self.tokens.is(around, "{"));
        let is_first = self.tokens.is_before(at, "{") || self.tokens.is_before(at, ",");
        is_within && is_first && self.tokens.is(at + 1, ":")
    }

    fn uses(&mut self) -> Option<()> {
        for at in 0..self.tokens.len() {
            let token = self.tokens.at(at);
            match token.kind {
                _ if self.done.contains(&at) => {}
                Kind::Name if self.is_property(at) || self.is_key(at) => (!is_refused(token.text)).then_some(())?,
                Kind::Name => self.use_of(at, token.text)?,
                Kind::Text { is_plain } if self.is_key(at) => (is_plain && !is_refused(token.text)).then_some(())?,
                Kind::Operator => self.operator(at, token.text)?,
                _ => {}
            }
        }
        Some(())
    }

    fn operator(&mut self, at: usize, operator: &str) -> Option<()> {
        match operator {
            "." => self.name(at + 1).map(|_| ()),
            "?." => (self.name(at + 1).is_some() || self.tokens.is(at + 1, "(")).then_some(()),
            // `x!["a"]` is no JavaScript, but Node may strip it of what is TypeScript.
            "!" => (!self.is_value_end(at)).then_some(()),
            "[" => self.bracket(at),
            // What is taken apart by `[a.b] = x` is set; so are brackets in brackets.
            ")" | "]" | "}" if self.is_assigned(at + 1) && !matches!(self.tokens.at(at + 1).word(), "++" | "--") => {
                let open = self.tokens.at(at).partner;
                let is_declared = matches!(self.tokens.before(open).word(), "const" | "let" | "var");
                let is_subscript = operator == "]" && self.is_value_end(open);
                (is_declared || is_subscript).then_some(())
            }
            "++" | "--" if !self.is_value_end(at) => {
                // `++x`, of a value alone.
                let name = self.name(at + 1)?;
                let is_alone = ![".", "[", "(", "?."].iter().any(|next| self.tokens.is(at + 2, next));
                (is_alone && self.roles.get(name) == Some(&Role::Value)).then_some(())
            }
            "++" | "--" => {
                let last = self.tokens.before(at);
                (last.kind == Kind::Name || last.word() == "]").then_some(())
            }
            _ => Some(()),
        }
    }

    fn use_of(&mut self, at: usize, name: &'a str) -> Option<()> {
        match name {
            "new" | "instanceof" => return self.made(at + 1),
            // `for (x.y of z)` sets what it names.
            "for" => {
                let first = self.tokens.at(at + 2);
                let is_plain = matches!(first.word(), "const" | "let" | "var" | ";");
                return (self.tokens.is(at + 1, "(") && is_plain).then_some(());
            }
            "require" => return self.require(at).map(|_| ()),
            _ => {}
        }
        if listed(KEYWORDS, name) {
            return Some(());
        }
        match self.roles.get(name) {
            Some(Role::Value) => return Some(()),
            Some(Role::ReadFile) => return self.read_file(at),
            Some(Role::Module(root)) => return self.member(at, at, root),
            None => {}
        }
        let is_member = self.tokens.is(at + 1, ".");
        if let Some((root, _)) = ROOTS.iter().find(|(own, _)| *own == name).filter(|_| is_member) {
            return self.member(at, at, root);
        }
        let is_set = self.is_assigned(at + 1) || self.tokens.is(at + 1, ".") || self.tokens.is(at + 1, "[");
        (listed(FUNCTIONS, name) && !is_set).then_some(())
    }

    /// Look at what stands behind `new` or `instanceof`.
    fn made(&mut self, at: usize) -> Option<()> {
        let name = self.name(at)?;
        if name == "Intl" {
            return Some(());
        }
        self.done.insert(at);
        let is_member = self.tokens.is(at + 1, ".") || self.tokens.is(at + 1, "[");
        (listed(CONSTRUCTORS, name) && !self.roles.contains_key(name) && !is_member).then_some(())
    }

    /// Read `root.member`, the root standing up to `at`.
    fn member(&mut self, begin: usize, at: usize, root: &'static str) -> Option<()> {
        if !self.tokens.is(at + 1, ".") {
            return None;
        }
        let name = self.name(at + 2)?;
        let end = at + 2;
        if !listed(members(root)?, name) || self.is_assigned(end + 1) && (root, name) != ("process", "exitCode") {
            return None;
        }
        if let Some(inner) = inner_root(root, name) {
            return self.member(begin, end, inner);
        }
        match (root, name) {
            ("fs", "readFileSync") => self.read_file(end),
            ("process.stdin", _) => self.listens(begin, end),
            ("process", "argv") => {
                let is_element = self.tokens.is(end + 1, "[")
                    && self.tokens.at(end + 2).kind == Kind::Number
                    && self.tokens.is(end + 3, "]")
                    && !self.is_assigned(end + 4);
                self.is_argv_loose |= !is_element && !self.tokens.follow(end + 1, &[".", "slice"]);
                Some(())
            }
            _ => Some(()),
        }
    }

    /// Whether `process.stdin.on(...)` stands as a statement. Danger: it gives back the stream, which
    /// may be a socket that connects elsewhere.
    fn listens(&self, begin: usize, at: usize) -> Option<()> {
        if !self.tokens.is(at + 1, "(") {
            return None;
        }
        let end = self.tokens.at(at + 1).partner;
        let is_known = match self.name(at)? {
            "on" => {
                let event = self.tokens.at(at + 2);
                event.kind == Kind::Text { is_plain: true } && matches!(event.text, "data" | "end" | "close")
            }
            name => matches!(name, "setEncoding" | "resume"),
        };
        if !is_known {
            return None;
        }
        if self.tokens.is(end + 1, ".") {
            return self.listens(begin, end + 2);
        }
        let before = self.tokens.before(begin);
        let is_start = match before.kind {
            Kind::Operator => matches!(before.text, ";" | "}" | "{" | ")" | "]"),
            // No operator stands between them, so a line ends there.
            Kind::Name => false,
            _ => true,
        };
        let next = self.tokens.at(end + 1);
        let is_end = matches!(next.kind, Kind::Nothing | Kind::Name) || matches!(next.word(), ";" | "}");
        (is_start && is_end).then_some(())
    }

    /// Read the arguments of `readFileSync`, which opens for writing if its options say so.
    fn read_file(&mut self, at: usize) -> Option<()> {
        if !self.tokens.is(at + 1, "(") {
            return None;
        }
        let end = self.tokens.at(at + 1).partner;
        let first = self.tokens.at(at + 2);
        let mut next = at + 3;
        match first.kind {
            Kind::Text { is_plain: true } => self.reads.files.push(first.text.to_owned()),
            Kind::Number if first.text == "0" => {}
            Kind::Name if self.tokens.follow(at + 2, &["process", ".", "argv", "["]) => {
                let number = self.tokens.at(at + 6);
                self.reads.operands.push(number.text.parse().ok().filter(|_| self.tokens.is(at + 7, "]"))?);
                next = at + 8;
            }
            _ => return None,
        }
        if self.tokens.is(next, ",") {
            let is_options = self.tokens.follow(next + 1, &["{", "encoding", ":"]) && self.tokens.is(next + 5, "}");
            let value = self.tokens.at(if is_options { next + 4 } else { next + 1 });
            if !matches!(value.kind, Kind::Text { .. }) {
                return None;
            }
            next += if is_options { 6 } else { 2 };
        }
        (next == end).then_some(())
    }

    /// Read `require("x")`; the module, unless it is a file of data.
    fn require(&mut self, at: usize) -> Option<Option<&'static str>> {
        let what = self.tokens.at(at + 2);
        let is_literal = what.kind == Kind::Text { is_plain: true };
        if !(self.tokens.is(at + 1, "(") && is_literal && self.tokens.is(at + 3, ")")) {
            return None;
        }
        let path = what.text;
        if path.starts_with(['.', '/']) {
            let is_data =
                path.ends_with(".json") && (path.starts_with('/') || path.starts_with("./") || path.starts_with("../"));
            self.reads.files.push(path.to_owned());
            return is_data.then_some(None);
        }
        let name = path.strip_prefix("node:").unwrap_or(path);
        let root = ROOTS.iter().map(|(own, _)| *own).find(|own| *own == name && listed(MODULES, own))?;
        if self.tokens.is(at + 4, ".") {
            self.member(at, at + 3, root)?;
        } else if !self.done.contains(&(at + 3)) {
            // A module is no value; where a name is bound to it that is done.
            return None;
        }
        Some(Some(root))
    }
}
