//! Finds what code in JavaScript binds. Too many bindings do no harm, since nothing that the
//! language or Node names may be bound at all; too few ask.

use super::super::token::{Kind, listed};
use super::{KEYWORDS, MODULES, RESERVED, ROOTS, Reader, Role, is_refused, members};

impl<'a> Reader<'a> {
    fn bind(&mut self, name: &'a str, role: Role) -> Option<()> {
        // `const fs = require("fs")` is what the name means without it.
        let is_own = role == self.own_role(name);
        let is_taken = is_refused(name) || listed(KEYWORDS, name) || listed(RESERVED, name) && !is_own;
        let is_other = self.roles.insert(name, role).is_some_and(|other| other != role);
        (!is_taken && !is_other).then_some(())
    }

    fn own_role(&self, name: &str) -> Role {
        let root = ROOTS.iter().map(|(own, _)| *own).find(|own| *own == name && listed(MODULES, own));
        root.map_or(Role::ReadFile, Role::Module)
    }

    /// Find what the code binds.
    pub(super) fn bindings(&mut self) -> Option<()> {
        for at in 0..self.tokens.len() {
            let token = self.tokens.at(at);
            match (token.kind, token.text) {
                (Kind::Operator, "=>") => self.arrow(at)?,
                (Kind::Name, _) if self.is_property(at) || self.is_key(at) => {}
                (Kind::Name, "const" | "let" | "var") => self.declaration(at)?,
                (Kind::Name, "function") => {
                    let mut next = at + 1 + usize::from(self.tokens.is(at + 1, "*"));
                    if let Some(name) = self.name(next) {
                        self.bind(name, Role::Value)?;
                        next += 1;
                    }
                    self.group(next)?;
                }
                (Kind::Name, "catch") if self.tokens.is(at + 1, "(") => self.group(at + 1)?,
                (Kind::Name, name) if self.tokens.is(at + 1, "=") && !self.roles.contains_key(name) => {
                    self.bind(name, Role::Value)?;
                }
                // What is bound to a module is never bound to something else.
                (Kind::Name, name) if self.is_assigned(at + 1) || self.tokens.is(at + 1, "=") => {
                    let is_module = matches!(self.roles.get(name), Some(Role::Module(_) | Role::ReadFile));
                    let is_declared = matches!(self.tokens.before(at).word(), "const" | "let" | "var" | ",");
                    if is_module && !is_declared {
                        return None;
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Bind the names of a pattern in brackets.
    fn group(&mut self, open: usize) -> Option<()> {
        if !["(", "[", "{"].iter().any(|bracket| self.tokens.is(open, bracket)) {
            return None;
        }
        for at in open + 1..self.tokens.at(open).partner {
            let Some(name) = self.name(at) else { continue };
            if !self.is_property(at) && !self.is_key(at) && !listed(KEYWORDS, name) {
                self.bind(name, Role::Value)?;
            }
        }
        Some(())
    }

    fn arrow(&mut self, at: usize) -> Option<()> {
        let last = at.checked_sub(1)?;
        match self.name(last) {
            Some(name) => self.bind(name, Role::Value),
            None if self.tokens.is(last, ")") => self.group(self.tokens.at(last).partner),
            None => None,
        }
    }

    fn declaration(&mut self, at: usize) -> Option<()> {
        let around = self.tokens.at(at).around;
        let mut next = at + 1;
        loop {
            let end = match self.name(next) {
                Some(_) => next,
                None if self.tokens.is(next, "{") || self.tokens.is(next, "[") => self.tokens.at(next).partner,
                None => return None,
            };
            let module = self.required(end);
            match (self.name(next), module) {
                (Some(name), Some(root)) => {
                    self.done.insert(next);
                    self.bind(name, Role::Module(root))?;
                }
                (Some(name), None) => self.bind(name, Role::Value)?,
                (None, Some(root)) => self.taken_out(next, root)?,
                (None, None) => self.group(next)?,
            }
            // The next declarator stands behind a comma, if this one is not the last.
            let is_end = |at: &usize| {
                let token = self.tokens.at(*at);
                let is_outer = token.around != around;
                let is_statement = matches!(token.kind, Kind::Name)
                    && matches!(
                        token.text,
                        "const" | "let" | "var" | "for" | "if" | "of" | "while" | "return" | "function"
                    )
                    && token.around == around;
                token.kind == Kind::Nothing
                    || !is_outer && token.kind == Kind::Operator && matches!(token.text, "," | ";")
                    || is_statement
                    || around.is_some_and(|around| *at >= self.tokens.at(around).partner)
            };
            let stop = (end + 1..=self.tokens.len()).find(is_end)?;
            if !self.tokens.is(stop, ",") || self.tokens.at(stop).around != around {
                return Some(());
            }
            next = stop + 1;
        }
    }

    /// The module that stands behind `=` and is all that stands there.
    fn required(&mut self, end: usize) -> Option<&'static str> {
        if !(self.tokens.is(end + 1, "=") && self.tokens.is_name(end + 2, "require") && self.tokens.is(end + 5, ")")) {
            return None;
        }
        let path = self.tokens.at(end + 4).text;
        let name = path.strip_prefix("node:").unwrap_or(path);
        let root = ROOTS.iter().map(|(own, _)| *own).find(|own| *own == name && listed(MODULES, own))?;
        let next = self.tokens.at(end + 6);
        let is_whole = match next.kind {
            Kind::Nothing => true,
            Kind::Name => !matches!(next.text, "in" | "instanceof" | "of" | "as" | "satisfies"),
            Kind::Operator => matches!(next.text, ";" | ","),
            _ => false,
        };
        if is_whole {
            self.done.insert(end + 5);
        }
        is_whole.then_some(root)
    }

    /// Bind what `const {a, b} = require("x")` takes out of a module.
    fn taken_out(&mut self, open: usize, root: &'static str) -> Option<()> {
        for at in open + 1..self.tokens.at(open).partner {
            let token = self.tokens.at(at);
            match token.kind {
                Kind::Name if !listed(members(root)?, token.text) => return None,
                Kind::Name if token.text == "readFileSync" => self.bind(token.text, Role::ReadFile)?,
                Kind::Name => self.bind(token.text, Role::Value)?,
                Kind::Operator if token.text == "," => {}
                _ => return None,
            }
            self.done.insert(at);
        }
        Some(())
    }
}
