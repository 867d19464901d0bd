//! One command with its assignments, words and redirections, shown to the look as it would run.

use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem as Item, SimpleCommand,
};

use crate::gate::argv::Word;
use crate::gate::look::Line;

use super::lower::{LOOP_VALUES_MAX, Lower};
use super::output::{Flow, output};
use super::redirect::{copies_nothing, simple_items, writes_plain_file};
use super::scope::Value;

impl Lower<'_, '_> {
    pub(super) fn simple(&mut self, simple: &SimpleCommand, input: &Flow) -> Flow {
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
                    if words.first().is_some_and(|word: &Word| DECLARES.contains(&word.text.as_str())) {
                        if !self.calls.is_empty() && words.first().is_some_and(|word| word.text != "export") {
                            let name = name_of(assignment);
                            self.locals.push((name.to_owned(), self.scope.raw(name)));
                        }
                        let name = name_of(assignment).to_owned();
                        declared.push((name.clone(), self.value_of(assignment)));
                        if words
                            .first()
                            .is_some_and(|word| word.text == "export" || words.iter().any(|word| word.text == "-x"))
                        {
                            self.scope.exported.push(name.clone());
                        }
                        words.push(Word::plain(name));
                    } else {
                        words.extend(self.words(&word.value));
                    }
                }
                item => is_redirected |= self.item(item, &mut words, &mut input),
            }
        }
        for (name, value) in declared {
            self.scope.set(&name, value);
            self.inherited(&name);
        }
        if words.first().is_some_and(|word| {
            word.text == "readonly"
                || (word.text != "export"
                    && words.iter().any(|it| it.text == "-r" && DECLARES.contains(&word.text.as_str())))
        }) {
            let names = words.iter().skip(1).filter(|word| !word.text.starts_with('-')).map(|word| word.text.clone());
            self.scope.read_only.extend(names);
        }
        let flow = self.run(&words, &assignments, &input);
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
                self.inherited(name_of(assignment));
            }
            return Flow { text: Some(String::new()), ..Flow::default() };
        };
        let mut environment: Vec<String> = self.scope.exported.clone();
        let mut own = vec![];
        for assignment in assignments {
            // The variable is set for this command alone, so only code that it carries sees it.
            let value = self.value_of(assignment);
            if let Value::Text(word) = &value {
                let directory = self.scope.directory.clone();
                self.look.variable(name_of(assignment), word, directory.as_deref(), Some(&self.scope));
            }
            environment.push(name_of(assignment).to_owned());
            own.push((name_of(assignment).to_owned(), value));
        }
        if let Some(body) = self.scope.aliases.get(&first.text).cloned() {
            let rest: Vec<&str> = words[1..].iter().map(|word| word.text.as_str()).collect();
            if self.calls.len() < LOOP_VALUES_MAX {
                self.calls.push(String::new());
                let flow = self.code(&format!("{body} {}", rest.join(" ")), input);
                self.calls.pop();
                return flow;
            }
        }
        if let Some(body) = self.scope.functions.get(&first.text).cloned() {
            let outer = self.scope.positional.replace(words[1..].to_vec());
            let flow = self.run_body(&first.text, &body, input);
            self.scope.positional = outer;
            return flow;
        }
        if let Some(flow) = self.builtin(words, input) {
            return flow;
        }
        let scope = (!own.is_empty()).then(|| {
            let mut scope = self.scope.clone();
            own.into_iter().for_each(|(name, value)| scope.set(&name, value));
            scope
        });
        let line = Line {
            words,
            environment: &environment,
            directory: self.scope.directory.as_deref(),
            input,
            scope: Some(scope.as_ref().unwrap_or(&self.scope)),
        };
        self.look.command(&line);
        output(words, input)
    }

    /// A variable by a name that only the environment uses is most likely there already, and then the
    /// commands that follow inherit the new value without an `export`.
    pub(super) fn inherited(&mut self, name: &str) {
        if !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
            return;
        }
        let directory = self.scope.directory.clone();
        if let Some(value) = self.scope.get(name).into_iter().next() {
            self.look.variable(name, &value, directory.as_deref(), Some(&self.scope));
        }
        if !self.scope.exported.iter().any(|own| own == name) {
            self.scope.exported.push(name.to_owned());
        }
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
        self.scope.set(name_of(assignment), value);
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
                    let old: String = self.scope.get(name).into_iter().map(|word| word.text).collect();
                    value.text.insert_str(0, &old);
                }
                self.latent(&value.text);
                Value::Text(value)
            }
            AssignmentValue::Array(elements) => {
                let mut words = if assignment.append { self.scope.get(name) } else { vec![] };
                for (index, word) in elements {
                    if let Some(index) = index {
                        self.expansions_in(&index.value);
                    }
                    words.extend(self.words(&word.value));
                }
                Value::List(words)
            }
        }
    }

    /// A value that itself holds a substitution: as a subscript in arithmetic, a prompt or a test it is
    /// run later, in more ways than can be followed. So it is looked at as if it were run here.
    pub(super) fn latent(&mut self, text: &str) {
        let holds = |begin: &str, end: char| text.find(begin).is_some_and(|at| text[at + begin.len()..].contains(end));
        if holds("$(", ')') || holds("`", '`') {
            let quoted = text.replace('"', "");
            self.code(&format!(": \"{quoted}\""), &Flow::default());
        }
    }
}

pub(super) const DECLARES: &[&str] = &["export", "declare", "typeset", "local", "readonly"];

pub(super) fn name_of(assignment: &Assignment) -> &str {
    let (AssignmentName::VariableName(name) | AssignmentName::ArrayElementName(name, _)) = &assignment.name;
    name
}
