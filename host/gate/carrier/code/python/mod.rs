//! Reads code in Python.
//!
//! The code's values are data, and functions that are harmless with any arguments. That stays so
//! because a module is no value (each of its members is named where it is used), because
//! attributes are on a list that leads nowhere else, and because what could open a file or make a
//! type of its own is called on the spot, with literal arguments, or not at all.

mod lexer;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use super::token::{FIELD_CLOSE, FIELD_OPEN, Kind, Token, Tokens, listed};
use super::{Reads, TOKENS_MAX};
use table::{
    ATTRIBUTES, BEFORE_VALUE, HARMLESS, KEYWORDS, MODES, MODULES, OF_ANY_MODULE, OF_PATH, OPENERS, Opener, PACKAGES,
    RESERVED,
};

const ASSIGNMENTS: &str = "= += -= *= /= //= %= **= >>= <<= &= |= ^=";
/// Functions that keep nothing of what they are given but a text, a number or a copy.
const TAKES: &str = "print len list sorted str repr tuple set";

/// What a name stands for, everywhere in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role<'a> {
    /// The code binds it.
    Value,
    Module(&'static str),
    Package(&'a str),
    Opener(Opener),
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    roles: BTreeMap<&'a str, Role<'a>>,
    /// Tokens that are read already.
    done: BTreeSet<usize>,
    reads: Reads,
    /// `sys.argv` is used as a value that could be changed.
    is_argv_loose: bool,
}

pub(super) fn read(code: &str) -> Option<Reads> {
    let mut all = vec![];
    lexer::lex(code, 0, &mut all)?;
    if all.len() > TOKENS_MAX {
        return None;
    }
    let tokens = Tokens::matched(all)?;
    let mut reader =
        Reader { tokens, roles: BTreeMap::new(), done: BTreeSet::new(), reads: Reads::default(), is_argv_loose: false };
    reader.bindings()?;
    reader.statements()?;
    reader.uses()?;
    (reader.reads.operands.is_empty() || !reader.is_argv_loose).then_some(reader.reads)
}

/// Whether Python would load the file as one of the modules that harmless code imports.
pub(super) fn is_shadow(path: &str) -> bool {
    let mut parts = path.rsplit('/').take(2);
    let last = parts.next().unwrap_or_default();
    let (stem, ending) = last.split_once('.').unwrap_or((last, ""));
    let name = match (stem, ending) {
        ("__init__", "py" | "pyc") => parts.next().unwrap_or_default(),
        (stem, ending) if matches!(ending, "py" | "pyc") || ending.ends_with("so") => stem,
        _ => return false,
    };
    MODULES.iter().any(|(module, _)| *module == name) || listed(PACKAGES, name)
}

fn module(path: &str) -> Option<&'static (&'static str, &'static str)> {
    MODULES.iter().find(|(own, _)| *own == path)
}

fn submodule(path: &str, member: &str) -> Option<&'static str> {
    let is_own = |own: &str| own.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')) == Some(member);
    MODULES.iter().map(|(own, _)| *own).find(|own| is_own(own))
}

fn opener(path: &str, member: &str) -> Option<Opener> {
    OPENERS.iter().find(|(own, name, _)| *own == path && *name == member).map(|(_, _, opener)| *opener)
}

impl<'a> Reader<'a> {
    fn name(&self, at: usize) -> Option<&'a str> {
        let token = self.tokens.at(at);
        (token.kind == Kind::Name).then_some(token.text)
    }

    fn is_statement_start(&self, at: usize) -> bool {
        let before = self.tokens.before(at);
        let is_end = before.kind == Kind::Operator && matches!(before.text, ";" | ":") && before.around.is_none();
        self.tokens.at(at).around.is_none() && (is_end || matches!(before.kind, Kind::Line | Kind::Nothing))
    }

    /// Bind `name`. Nothing that the code names otherwise may be bound: the binding might never run.
    fn bind(&mut self, name: &'a str, role: Role<'a>) -> Option<()> {
        let is_taken =
            name.starts_with("__") || listed(KEYWORDS, name) || listed(HARMLESS, name) || listed(RESERVED, name);
        let is_other = self.roles.insert(name, role).is_some_and(|other| other != role);
        (!is_taken && !is_other).then_some(())
    }

    /// Find what the code binds other than by `=`.
    fn bindings(&mut self) -> Option<()> {
        let mut at = 0;
        while at < self.tokens.len() {
            let token = self.tokens.at(at);
            let is_attribute = self.tokens.is_before(at, ".");
            match (token.kind, token.text) {
                (Kind::Operator, ":=") => self.bind(self.tokens.before(at).text, Role::Value)?,
                _ if token.kind != Kind::Name || is_attribute => {}
                (_, "import") => at = self.import(at)?,
                (_, "from") if self.is_statement_start(at) => at = self.import_from(at)?,
                (_, "for") => self.for_targets(at)?,
                (_, "as") => {
                    let name = self.name(at + 1)?;
                    if [".", "[", "("].iter().any(|operator| self.tokens.is(at + 2, operator)) {
                        return None;
                    }
                    self.bind(name, Role::Value)?;
                }
                (_, "def") => {
                    self.bind(self.name(at + 1)?, Role::Value)?;
                    if !self.tokens.is(at + 2, "(") {
                        return None;
                    }
                    self.parameters(at + 3, self.tokens.at(at + 2).partner, Some(at + 2))?;
                }
                (_, "lambda") => {
                    let end = (at + 1..self.tokens.len())
                        .find(|end| self.tokens.is(*end, ":") && self.tokens.at(*end).around == token.around)?;
                    self.parameters(at + 1, end, token.around)?;
                }
                _ => {}
            }
            at += 1;
        }
        Some(())
    }

    fn parameters(&mut self, from: usize, end: usize, around: Option<usize>) -> Option<()> {
        for at in from..end {
            let before = self.tokens.before(at);
            let is_first = at == from || before.kind == Kind::Operator && matches!(before.text, "," | "*" | "**");
            if let Some(name) = self.name(at).filter(|_| is_first && self.tokens.at(at).around == around) {
                if !listed(KEYWORDS, name) {
                    self.bind(name, Role::Value)?;
                }
                self.done.insert(at);
            }
        }
        Some(())
    }

    fn for_targets(&mut self, at: usize) -> Option<()> {
        for at in at + 1..self.tokens.len() {
            let token = self.tokens.at(at);
            match token.kind {
                Kind::Name if token.text == "in" => return Some(()),
                Kind::Name => self.bind(token.text, Role::Value)?,
                // A target such as `sys.path[0]` would be a way to set it.
                Kind::Operator if matches!(token.text, "," | "(" | ")" | "*") => {}
                _ => return None,
            }
        }
        None
    }

    /// A dotted name that begins at `at`, and the place behind it.
    fn dotted(&mut self, at: usize) -> Option<(String, usize)> {
        let mut path = self.name(at)?.to_owned();
        self.done.insert(at);
        let mut at = at + 1;
        while self.tokens.is(at, ".") {
            path.push('.');
            path.push_str(self.name(at + 1)?);
            self.done.extend([at, at + 1]);
            at += 2;
        }
        Some((path, at))
    }

    fn is_end(&self, at: usize) -> bool {
        matches!(self.tokens.at(at).kind, Kind::Line | Kind::Nothing) || self.tokens.is(at, ";")
    }

    /// Read `import a.b as c, d`; the place of its last token.
    fn import(&mut self, at: usize) -> Option<usize> {
        if !self.is_statement_start(at) {
            return None;
        }
        let mut at = at + 1;
        loop {
            let (root, is_root) = (self.name(at)?, !self.tokens.is(at + 1, "."));
            let (path, next) = self.dotted(at)?;
            at = next;
            let role = match module(&path) {
                // The standard streams are no modules.
                Some(_) if path.starts_with("sys.") => return None,
                Some((path, _)) => Role::Module(path),
                None if is_root && listed(PACKAGES, root) => Role::Package(root),
                None => return None,
            };
            self.reads.imports.push(root.to_owned());
            if self.tokens.is_name(at, "as") {
                self.bind(self.name(at + 1)?, role)?;
                self.done.insert(at + 1);
                at += 2;
            } else {
                let role = if is_root { role } else { Role::Module(module(root)?.0) };
                self.bind(root, role)?;
            }
            if self.is_end(at) {
                return Some(at - 1);
            }
            if !self.tokens.is(at, ",") {
                return None;
            }
            at += 1;
        }
    }

    /// Read `from a import b as c, d`; the place of its last token.
    fn import_from(&mut self, at: usize) -> Option<usize> {
        let (path, next) = self.dotted(at + 1)?;
        if !self.tokens.is_name(next, "import") || path.starts_with("sys.") {
            return None;
        }
        let root = path.split('.').next().unwrap_or_default().to_owned();
        let is_package = listed(PACKAGES, &path);
        let known = module(&path);
        if known.is_none() && !is_package {
            return None;
        }
        self.reads.imports.push(root);
        let in_brackets = self.tokens.is(next + 1, "(");
        let mut at = next + 1 + usize::from(in_brackets);
        loop {
            let member = self.name(at)?;
            self.done.insert(at);
            at += 1;
            let role = match known {
                None if listed(OF_ANY_MODULE, member) => Role::Value,
                Some((path, members)) => match (submodule(path, member), opener(path, member)) {
                    (Some(_), _) if *path == "sys" => return None,
                    (Some(module), _) => Role::Module(module),
                    (_, Some(opener)) => Role::Opener(opener),
                    _ if listed(members, member) && !(*path == "sys" && member == "path") => Role::Value,
                    _ => return None,
                },
                None => return None,
            };
            self.is_argv_loose |= member == "argv";
            let mut name = member;
            if self.tokens.is_name(at, "as") {
                name = self.name(at + 1)?;
                self.done.insert(at + 1);
                at += 2;
            }
            // Dunder names are taken, `from json import __version__` among them.
            self.bind(name, role)?;
            if self.tokens.is(at, ",") {
                at += 1;
                if !(in_brackets && self.tokens.is(at, ")")) {
                    continue;
                }
            }
            let is_closed = in_brackets && self.tokens.is(at, ")");
            return match () {
                () if is_closed && self.is_end(at + 1) => Some(at),
                () if !in_brackets && self.is_end(at) => Some(at - 1),
                () => None,
            };
        }
    }

    /// Look at what each statement assigns to or deletes.
    fn statements(&mut self) -> Option<()> {
        let mut start = 0;
        let mut last = None;
        for at in 0..=self.tokens.len() {
            let token = self.tokens.at(at);
            if token.around.is_some() {
                continue;
            }
            match (token.kind, token.text) {
                (Kind::Operator, text) if listed(ASSIGNMENTS, text) => last = Some(at),
                (Kind::Line | Kind::Nothing, _) | (Kind::Operator, ";" | ":") => {
                    if self.tokens.is_name(start, "del") {
                        self.targets(start + 1, at)?;
                    }
                    // The type of `x: list = []` is no target.
                    let is_type = self.tokens.is_before(start, ":");
                    if let Some(end) = last.take()
                        && !(is_type && self.is_annotation(start, end))
                    {
                        self.targets(start, end)?;
                    }
                    // `x: int = 1`: here stands the end of the name.
                    if self.tokens.is(at, ":") && at == start + 1 && !listed(KEYWORDS, self.tokens.at(start).word()) {
                        self.targets(start, at)?;
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Whether the tokens are a type behind `NAME:`.
    fn is_annotation(&self, start: usize, end: usize) -> bool {
        let named = start.checked_sub(2).and_then(|name| self.name(name));
        let is_statement = start.checked_sub(2).is_some_and(|name| self.is_statement_start(name));
        let is_single = (start..end).all(|at| !self.tokens.is(at, "=") && !self.tokens.is(at, "."));
        is_statement && is_single && named.is_some_and(|name| !listed(KEYWORDS, name))
    }

    /// Bind what is assigned to. An attribute is never a target: a library's own function, replaced,
    /// would be handed what the library keeps for itself.
    fn targets(&mut self, from: usize, end: usize) -> Option<()> {
        for at in from..end {
            let token = self.tokens.at(at);
            if self.is_in_subscript(token) {
                continue;
            }
            match token.kind {
                Kind::Operator if token.text == "." => return None,
                // `f = lambda a=1: a`: what looks like a target is bound as a parameter.
                Kind::Name if token.text == "lambda" && token.around.is_none() => return Some(()),
                Kind::Name if listed(KEYWORDS, token.text) => {}
                Kind::Name => self.bind(token.text, Role::Value)?,
                _ => {}
            }
        }
        Some(())
    }

    fn is_in_subscript(&self, token: Token<'a>) -> bool {
        let mut around = token.around;
        while let Some(at) = around {
            if self.tokens.is(at, "[") && self.is_value_end(at) {
                return true;
            }
            around = self.tokens.at(at).around;
        }
        false
    }

    /// Whether a value ends in front of `at`.
    fn is_value_end(&self, at: usize) -> bool {
        let before = self.tokens.before(at);
        match before.kind {
            Kind::Name => !listed(BEFORE_VALUE, before.text),
            Kind::Operator => matches!(before.text, ")" | "]" | "}"),
            _ => false,
        }
    }

    /// Look at every name.
    fn uses(&mut self) -> Option<()> {
        for at in 0..self.tokens.len() {
            if self.done.contains(&at) {
                continue;
            }
            let token = self.tokens.at(at);
            match token.kind {
                Kind::Name if self.tokens.is_before(at, ".") => self.attribute(at)?,
                Kind::Name => self.use_of(at, token.text)?,
                // A name must stand behind each point; a module's are done.
                Kind::Operator if token.text == "." && self.name(at + 1).is_none() => return None,
                _ => {}
            }
        }
        Some(())
    }

    fn attribute(&mut self, at: usize) -> Option<()> {
        let name = self.name(at)?;
        if name == "format" {
            return self.is_plain_format(at).then_some(());
        }
        listed(ATTRIBUTES, name).then_some(())
    }

    /// Whether `"...".format` walks no attributes: `"{0.__class__}"` would.
    fn is_plain_format(&self, at: usize) -> bool {
        let Some(text_at) = at.checked_sub(2) else { return false };
        let token = self.tokens.at(text_at);
        let is_joined = matches!(self.tokens.before(text_at).kind, Kind::Text { .. } | Kind::Template);
        let Kind::Text { .. } = token.kind else { return false };
        let has_escape = token.text.split('\\').skip(1).any(|rest| !rest.starts_with(['n', 't', '"', '\'']));
        let is_plain = |rest: &str| {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
            rest.starts_with(['}', '!', ':', '{'])
        };
        !is_joined && !has_escape && token.text.split('{').skip(1).all(|rest| rest.is_empty() || is_plain(rest))
    }

    fn use_of(&mut self, at: usize, name: &'a str) -> Option<()> {
        if listed(KEYWORDS, name) {
            return Some(());
        }
        let is_next_assigned = self.tokens.is(at + 1, "=");
        if is_next_assigned && let Some(around) = self.tokens.at(at).around {
            // The name of an argument.
            return (self.tokens.is(around, "(") && !name.starts_with("__")).then_some(());
        }
        match name {
            "open" => return self.opens(at, Opener::File),
            "type" => return self.is_type_shown(at).then_some(()),
            _ => {}
        }
        match self.roles.get(name) {
            Some(Role::Value) => Some(()),
            Some(Role::Opener(opener)) => self.opens(at, *opener),
            Some(Role::Module(path)) => self.member(at, path),
            Some(Role::Package(_)) => {
                let is_known = self.tokens.is(at + 1, ".") && listed(OF_ANY_MODULE, self.name(at + 2)?);
                self.done.extend([at + 1, at + 2]);
                is_known.then_some(())
            }
            None => listed(HARMLESS, name).then_some(()),
        }
    }

    /// Read `module.module.member`.
    fn member(&mut self, at: usize, path: &'static str) -> Option<()> {
        let (mut at, mut path) = (at, path);
        let begin = at;
        loop {
            if !self.tokens.is(at + 1, ".") {
                // A stream may be a value; a module may not.
                return matches!(path, "sys.stdout" | "sys.stderr").then_some(());
            }
            let name = self.name(at + 2)?;
            self.done.extend([at + 1, at + 2]);
            at += 2;
            if let Some(inner) = submodule(path, name) {
                path = inner;
                continue;
            }
            if let Some(opener) = opener(path, name) {
                return self.opens(at, opener);
            }
            match (path, name) {
                ("sys", "path") => return self.is_path_only_read(begin, at).then_some(()),
                ("sys", "argv") => self.is_argv_loose |= !self.is_argument_only_read(begin),
                _ => {}
            }
            let (_, members) = module(path)?;
            return (listed(members, name) || listed(OF_ANY_MODULE, name)).then_some(());
        }
    }

    /// Whether nothing can change `sys.path`, by which the next import would find other code.
    fn is_path_only_read(&self, begin: usize, end: usize) -> bool {
        let is_next = |all: &[&str]| all.iter().any(|operator| self.tokens.is(end + 1, operator));
        let before = self.tokens.before(begin);
        if before.kind == Kind::Name && before.text == "in" {
            let next = self.tokens.at(end + 1);
            let ends = matches!(next.kind, Kind::Line | Kind::Nothing);
            return ends || is_next(&[":", ")", "]", "}", ";"]) || matches!(next.word(), "if" | "for");
        }
        self.is_taken_by(begin, TAKES) && is_next(&[")", ","])
    }

    fn is_argument_only_read(&self, begin: usize) -> bool {
        let is_next = |all: &[&str]| all.iter().any(|operator| self.tokens.is(begin + 3, operator));
        // A slice is a copy.
        let is_iterated = self.tokens.before(begin).word() == "in" && is_next(&["["]);
        is_iterated || self.is_taken_by(begin, "open print len int float str Path list") && is_next(&[")", ",", "["])
    }

    /// Whether what begins at `at` is an argument of one of these functions.
    fn is_taken_by(&self, at: usize, functions: &str) -> bool {
        let Some((around, called)) = self.tokens.called_around(at) else { return false };
        let is_free = around.checked_sub(1).is_some_and(|name| !self.tokens.is_before(name, "."));
        let is_argument = self.tokens.is_before(at, "(") || self.tokens.is_before(at, ",");
        is_free && is_argument && called.kind == Kind::Name && listed(functions, called.text)
    }

    /// Whether `type(x)` is compared, named or printed. Danger: the type of an open file opens others.
    fn is_type_shown(&self, at: usize) -> bool {
        if !self.tokens.is(at + 1, "(") {
            return false;
        }
        let end = self.tokens.at(at + 1).partner;
        if (at + 2..end).any(|inner| self.tokens.is(inner, ",") && self.tokens.at(inner).around == Some(at + 1)) {
            return false;
        }
        let next = self.tokens.at(end + 1);
        let is_field = self.tokens.is_before(at, FIELD_OPEN) && self.tokens.is(end + 1, FIELD_CLOSE);
        let is_printed = self.is_taken_by(at, "print str repr") && matches!(next.word(), ")" | ",");
        let is_compared =
            matches!((next.kind, next.text), (Kind::Name, "is" | "in" | "not") | (Kind::Operator, "==" | "!="));
        is_field || is_printed || is_compared || self.tokens.follow(end + 1, &[".", "__name__"])
    }

    /// Read the arguments of what opens a file, on the spot.
    fn opens(&mut self, at: usize, opener: Opener) -> Option<()> {
        if !self.tokens.is(at + 1, "(") {
            return None;
        }
        let end = self.tokens.at(at + 1).partner;
        let mut next = at + 3;
        let first = self.tokens.at(at + 2);
        match first.kind {
            Kind::Text { is_plain: true } => self.reads.files.push(first.text.to_owned()),
            Kind::Number if first.text == "0" && opener == Opener::File => {}
            Kind::Name if self.roles.get("sys") == Some(&Role::Module("sys")) => {
                let number = self.tokens.at(at + 6);
                let is_argument = self.tokens.follow(at + 2, &["sys", ".", "argv", "["]) && self.tokens.is(at + 7, "]");
                let number = Some(number.text).filter(|_| is_argument && number.kind == Kind::Number)?;
                self.reads.operands.push(number.parse().ok()?);
                next = at + 8;
            }
            _ => return None,
        }
        let mut is_first = true;
        while next < end {
            if !self.tokens.is(next, ",") {
                return None;
            }
            let is_named = self.tokens.is(next + 2, "=");
            let value_at = if is_named { next + 3 } else { next + 1 };
            let value = self.tokens.at(value_at);
            let name = if is_named { self.name(next + 1)? } else { "mode" };
            let is_known = match (name, value.kind) {
                ("mode", Kind::Text { is_plain: true }) => listed(MODES, value.text) && (is_named || is_first),
                ("encoding" | "errors", Kind::Text { .. }) => is_named,
                ("newline", Kind::Text { .. }) => is_named,
                _ => false,
            };
            if !is_known {
                return None;
            }
            is_first = false;
            next = value_at + 1;
        }
        let name_behind = || self.tokens.is(end + 1, ".").then(|| self.name(end + 2)).flatten();
        match opener {
            Opener::File | Opener::Archive => Some(()),
            Opener::Path => {
                let is_known = next == end && is_first && listed(OF_PATH, name_behind()?);
                self.done.extend([end + 1, end + 2]);
                is_known.then_some(())
            }
            Opener::Tree => (is_first && name_behind()? == "getroot").then_some(()),
        }
    }
}
