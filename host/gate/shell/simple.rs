//! One command with its assignments, words and redirections, shown to the look as it would run.
//!
//! A function or an alias by its name is followed as well; the words as they stand are only left out where
//! the function is certain to be defined in this shell. Scripts do not expand aliases in most shells.

use std::rc::Rc;

use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem as Item, IoRedirect, SimpleCommand,
};

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;
use crate::gate::look::Line;

use super::lower::{Call, Lower};
use super::output::{Flow, output};
use super::redirect::{copies_nothing, simple_items, writes_plain_file};
use super::scope::{Kept, Scope, Value};

impl Lower<'_, '_> {
    pub(super) fn simple(&mut self, simple: &SimpleCommand, input: &Flow, has_fresh_input: bool) -> Flow {
        self.settle();
        let flow = self.single(simple, input, has_fresh_input);
        self.settle();
        self.note_state();
        flow
    }

    /// Look at what was set lately for what it means to programs.
    pub(super) fn settle(&mut self) {
        for name in std::mem::take(&mut self.scope.set_lately) {
            self.inherited(&name);
        }
    }

    /// `has_fresh_input`: nothing has read of the input before.
    fn single(&mut self, simple: &SimpleCommand, input: &Flow, has_fresh_input: bool) -> Flow {
        let mut words = vec![];
        let mut assignments = vec![];
        let mut input = input.clone();
        let mut is_redirected = false;
        let writes_file = simple_items(simple).any(writes_plain_file);
        if simple.word_or_name.is_none()
            || simple.word_or_name.as_ref().is_some_and(|word| matches!(word.value.as_str(), ":" | "true"))
            || copies_nothing(simple)
        {
            self.emptied(simple);
        }
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            match item {
                Item::AssignmentWord(assignment, _) => assignments.push(assignment),
                item => is_redirected |= self.item(item, &mut words, &mut input),
            }
        }
        if let Some(name) = &simple.word_or_name {
            words.extend(self.words(&name.value));
        }
        // The words of a declaration are all expanded before the first of them is set.
        let mut declared = vec![];
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                // `export A=b`, `declare A=b`: an assignment as an argument.
                Item::AssignmentWord(assignment, word) => {
                    if declares(&words) {
                        self.make_local(&words, name_of(assignment));
                        let value = self.value_of(assignment);
                        declared.push((assignment, value));
                        words.push(Word::plain(name_of(assignment)));
                    } else {
                        words.extend(self.words(&word.value));
                    }
                }
                item => is_redirected |= self.item(item, &mut words, &mut input),
            }
        }
        let refers = is_reference(&words);
        for (assignment, value) in declared {
            if refers {
                self.refer(name_of(assignment), &value);
            } else {
                self.take(assignment, value);
            }
        }
        self.has_own_input = has_fresh_input || simple_items(simple).any(is_own_input);
        let flow = self.run(&words, &assignments, &input);
        if self.scope.is_over && simple_items(simple).any(|item| matches!(item, Item::IoRedirect(_))) {
            // Where the redirection fails, the shell goes on.
            self.scope.is_over = false;
        }
        if !assignments.is_empty() && !words.is_empty() {
            self.as_it_was_meant(simple, &assignments, &words);
        }
        if writes_file {
            self.endless_output(&words, &input);
        }
        if is_redirected { Flow::default() } else { flow }
    }

    /// `D=/etc rm -rf $D/x`: the shell expands `$D` before it is set, so the words hold what `D` was
    /// before. Whoever wrote it meant the new value, and some shells take it: so both are looked at.
    pub(super) fn as_it_was_meant(&mut self, simple: &SimpleCommand, assignments: &[&Assignment], words: &[Word]) {
        let raw: Vec<&str> = simple
            .suffix
            .iter()
            .flat_map(|suffix| &suffix.0)
            .filter_map(|item| if let Item::Word(word) = item { Some(word.value.as_str()) } else { None })
            .collect();
        let uses = |name: &str| raw.iter().any(|text| text.contains('$') && text.contains(name));
        if !assignments.iter().any(|assignment| uses(name_of(assignment))) {
            return;
        }
        let outer = self.scope.clone();
        for assignment in assignments {
            let value = self.value_of(assignment);
            self.scope.set(name_of(assignment), value);
        }
        let mut meant: Vec<Word> = words.first().cloned().into_iter().collect();
        for text in raw {
            meant.extend(self.words(text));
        }
        if meant != words {
            self.run(&meant, &[], &Flow::default());
        }
        self.scope = outer;
    }

    pub(super) fn run(&mut self, words: &[Word], assignments: &[&Assignment], input: &Flow) -> Flow {
        let Some(first) = words.first() else {
            for assignment in assignments {
                self.assign(assignment);
            }
            return Flow { text: Some(String::new()), ..Flow::default() };
        };
        let mut environment = self.scope.exported_names();
        let mut outer: Vec<(String, Kept)> = vec![];
        let mut own = vec![];
        for assignment in assignments {
            let value = self.value_of(assignment);
            if let Value::Text(word) = &value {
                let directory = self.scope.directory.clone();
                self.look.variable(name_of(assignment), word, directory.as_deref(), Some(&self.scope));
            }
            own.push((name_of(assignment).to_owned(), value));
        }
        // The variables are set for this command alone: functions, commands of the shell and code that it
        // carries see them.
        let set_lately = self.scope.set_lately.clone();
        for (name, value) in own {
            Rc::make_mut(&mut environment).push(name.clone());
            outer.push((name.clone(), self.scope.raw(&name)));
            self.scope.set(&name, value);
            self.scope.export(&name);
        }
        // They were looked at above; what the words set is looked at behind the command.
        self.scope.set_lately = set_lately;
        let flow = self.by_any_meaning(first, words, &environment, input);
        // In some shells they stay, behind a command that is the shell's very own.
        let may_stay = SPECIAL.contains(&first.text.as_str());
        for (name, kept) in outer.into_iter().rev() {
            let now = may_stay.then(|| self.scope.clone());
            self.scope.restore(&name, kept);
            if let Some(now) = now {
                self.scope.meet(&now);
            }
        }
        flow
    }

    /// Follow what the command's name may stand for: each is one way that the script may go.
    fn by_any_meaning(&mut self, first: &Word, words: &[Word], environment: &[String], input: &Flow) -> Flow {
        let aliases = self.scope.alias(&first.text);
        let function = self.scope.function(&first.text);
        if aliases.is_empty() && function.is_none() {
            return self.as_it_stands(words, environment, input);
        }
        let before = self.scope.clone();
        let mut ways: Option<(Flow, Scope)> = None;
        let mut end = |lower: &mut Self, flow: Flow| {
            let ended = std::mem::replace(&mut lower.scope, before.clone());
            ways = Some(match ways.take() {
                Some((own, mut scope)) => {
                    scope.meet(&ended);
                    (either(own, flow), scope)
                }
                None => (flow, ended),
            });
        };
        for body in &aliases {
            let flow = self.by_alias(&first.text, body, words, input);
            end(self, flow);
        }
        for body in function.iter().flat_map(|function| &function.bodies) {
            let arguments = words.get(1..).unwrap_or_default().to_vec();
            let outer = self.scope.positional.replace(arguments);
            let flow = self.run_body(&first.text, &body.tree, input);
            self.scope.positional = outer;
            end(self, flow);
        }
        if !function.is_some_and(|function| function.is_certain) {
            let flow = self.as_it_stands(words, environment, input);
            end(self, flow);
        }
        match ways {
            Some((flow, scope)) => {
                self.scope = scope;
                flow
            }
            None => Flow::unknown(Taint::Computed),
        }
    }

    fn by_alias(&mut self, name: &str, body: &str, words: &[Word], input: &Flow) -> Flow {
        let name = format!("alias {name}");
        // An alias is not expanded within itself.
        if self.calls.iter().any(|call| call.name == name) {
            return Flow::unknown(Taint::Computed);
        }
        let rest: Vec<String> = words.iter().skip(1).map(quoted).collect();
        self.calls.push(Call::alias(name));
        let flow = self.code(&format!("{body} {}", rest.join(" ")), input);
        self.calls.pop();
        flow
    }

    fn as_it_stands(&mut self, words: &[Word], environment: &[String], input: &Flow) -> Flow {
        if let Some(flow) = self.builtin(words, input) {
            return flow;
        }
        let directory = self.scope.directory.clone();
        let line = Line { words, environment, directory: directory.as_deref(), input, scope: Some(&self.scope) };
        self.look.command(&line);
        output(behind_prefix(words), input)
    }

    /// What the state has to tell, once.
    pub(super) fn note_state(&mut self) {
        if std::mem::take(&mut self.scope.is_overfull) {
            self.look.note("too_complex", "it has more names than the gate follows".to_owned());
        }
        if std::mem::take(&mut self.scope.changes_meaning) {
            self.look.note("search_path", "a table by which the shell takes one command for another".to_owned());
        }
    }

    /// A variable by a name that only the environment uses is most likely there already, and then the
    /// commands that follow inherit the new value without an `export`.
    fn inherited(&mut self, name: &str) {
        let is_exported = self.scope.is_exported(name);
        let is_usual = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_usual && !is_exported {
            return;
        }
        let directory = self.scope.directory.clone();
        if let Some(value) = self.scope.get(name).into_iter().next().filter(|_| self.scope.is_assigned(name)) {
            if is_exported {
                self.look.variable(name, &value, directory.as_deref(), Some(&self.scope));
            } else {
                self.look.heeded_variable(name, &value, directory.as_deref(), Some(&self.scope));
            }
        }
        if !is_usual {
            return;
        }
        self.scope.export_usual(name);
        self.look.command(&Line {
            words: &[Word::plain("export"), Word::plain(name)],
            environment: &[name.to_owned()],
            directory: directory.as_deref(),
            input: &Flow::default(),
            scope: None,
        });
    }

    pub(super) fn assign(&mut self, assignment: &Assignment) {
        let value = self.value_of(assignment);
        self.take(assignment, value);
    }

    /// The variable takes a value that was worked out before.
    fn take(&mut self, assignment: &Assignment, value: Value) {
        match (&assignment.name, value) {
            (AssignmentName::ArrayElementName(name, index), Value::Text(word)) => {
                // What is no plain number is one that only the run will tell.
                self.scope.set_element(name, index.parse().ok(), word);
            }
            (_, value) => self.scope.set(name_of(assignment), value),
        }
    }

    pub(super) fn value_of(&mut self, assignment: &Assignment) -> Value {
        let name = name_of(assignment);
        if let AssignmentName::ArrayElementName(_, index) = &assignment.name {
            if self.scope.associative.iter().any(|own| own == name) {
                self.expansions_in(index);
            } else {
                self.arithmetic(index);
            }
        }
        match &assignment.value {
            AssignmentValue::Scalar(word) => {
                let mut value = self.word(&word.value);
                if assignment.append {
                    // To a list it is added at its first word; which element that is else, is not followed.
                    let old = match &assignment.name {
                        AssignmentName::ArrayElementName(..) => Some(Word::unknown(Taint::None)),
                        AssignmentName::VariableName(_) => self.scope.get(name).into_iter().next(),
                    };
                    if let Some(old) = old {
                        value.text.insert_str(0, &old.text);
                        value.taint = value.taint.max(old.taint);
                    }
                }
                self.latent(&value.text);
                Value::Text(value)
            }
            AssignmentValue::Array(elements) => {
                let mut words = if assignment.append { self.scope.get(name) } else { vec![] };
                let mut is_loose = assignment.append && self.scope.is_loose(name);
                for (index, word) in elements {
                    if let Some(index) = index {
                        self.expansions_in(&index.value);
                        is_loose = true;
                    }
                    words.extend(self.words(&word.value));
                }
                if is_loose { Value::Loose(words) } else { Value::List(words) }
            }
        }
    }

    /// A value that itself holds a substitution: as a subscript in arithmetic, a prompt or a test it is
    /// run later, in more ways than can be followed. So it is looked at as if it were run here.
    pub(super) fn latent(&mut self, text: &str) {
        let holds = |begin: &str, end: char| text.find(begin).is_some_and(|at| text[at + begin.len()..].contains(end));
        if holds("$(", ')') || holds("`", '`') {
            let quoted = text.replace('"', "");
            self.apart(|lower| lower.code(&format!(": \"{quoted}\""), &Flow::default()));
        }
    }
}

/// Commands behind whose prefix a variable stays set in some shells.
const SPECIAL: &[&str] = &[
    ":", ".", "source", "eval", "exec", "export", "readonly", "set", "shift", "times", "trap", "unset", "return",
    "break", "continue", "exit",
];

/// The words behind `command` and `builtin` and their flags.
pub(super) fn behind_prefix(words: &[Word]) -> &[Word] {
    let mut rest = words;
    while let Some((first, behind)) = rest.split_first()
        && matches!(first.text.as_str(), "command" | "builtin")
    {
        let flags = behind.iter().take_while(|word| matches!(word.text.as_str(), "-p" | "--")).count();
        let behind = behind.get(flags..).unwrap_or_default();
        // `command -v` looks a name up; nothing behind it is run.
        if behind.first().is_none_or(|word| word.text.starts_with('-')) {
            break;
        }
        rest = behind;
    }
    rest
}

/// Whether the words are those of a declaration.
pub(super) fn declares(words: &[Word]) -> bool {
    behind_prefix(words).first().is_some_and(|word| DECLARES.contains(&word.text.as_str()))
}

/// Whether they declare names that stand for others.
pub(super) fn is_reference(words: &[Word]) -> bool {
    let words = behind_prefix(words);
    words.first().is_some_and(|word| matches!(word.text.as_str(), "declare" | "typeset" | "local"))
        && words.iter().skip(1).any(|word| word.text.starts_with('-') && word.text.contains('n'))
}

/// Whether a redirection gives the command an input of its own.
fn is_own_input(item: &Item) -> bool {
    match item {
        Item::IoRedirect(IoRedirect::HereString(descriptor, _) | IoRedirect::HereDocument(descriptor, _)) => {
            descriptor.is_none_or(|descriptor| descriptor == 0)
        }
        _ => false,
    }
}

/// What one of two prints, of which only the run will tell which it is.
fn either(first: Flow, second: Flow) -> Flow {
    if first == second {
        return first;
    }
    Flow {
        text: None,
        taint: first.taint.max(second.taint).max(Taint::Computed),
        is_connected: first.is_connected || second.is_connected,
        is_endless: first.is_endless || second.is_endless,
    }
}

/// A word as it stands in code.
fn quoted(word: &Word) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+~".contains(c) || c == UNKNOWN;
    if word.is_glob || (!word.text.is_empty() && word.text.chars().all(is_plain)) {
        return word.text.clone();
    }
    format!("'{}'", word.text.replace('\'', r"'\''"))
}

pub(super) const DECLARES: &[&str] = &["export", "declare", "typeset", "local", "readonly"];

pub(super) fn name_of(assignment: &Assignment) -> &str {
    let (AssignmentName::VariableName(name) | AssignmentName::ArrayElementName(name, _)) = &assignment.name;
    name
}
