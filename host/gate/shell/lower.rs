//! Commands of a script to plain command lines, in the order of the text, each shown to the look.
//!
//! Every branch is followed, since any may run. A loop's body is followed for each value that the
//! script names, otherwise once. A function's body is followed where it is defined and where it is
//! called. Data is not code: heredocs, arguments and patterns are only folded.

use std::rc::Rc;

use brush_parser::ast::{
    AndOr, AndOrList, Assignment, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem as Item,
    CompoundCommand, CompoundList, ExtendedTestExpr, FunctionBody, IoFileRedirectKind, IoFileRedirectTarget,
    IoRedirect, Pipeline, ProcessSubstitutionKind, Program, RedirectList, SeparatorOperator, SimpleCommand,
    SubshellCommand,
};

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;
use crate::gate::look::{Line, Look};
use crate::gate::path::folded;

use super::output::{Flow, output};
use super::scope::{Scope, Value};

/// Values of one loop that are followed one by one. Danger: loops in loops multiply.
const LOOP_VALUES_MAX: usize = 16;

/// Lowers one script.
pub(crate) struct Lower<'l, 'g> {
    pub look: &'l mut Look<'g>,
    pub scope: Scope,
    /// The functions that are being followed, innermost last.
    calls: Vec<String>,
    /// The variables that the innermost function made local, with what they were before.
    locals: Vec<(String, Option<Value>)>,
}

impl<'l, 'g> Lower<'l, 'g> {
    pub(crate) fn new(look: &'l mut Look<'g>, scope: Scope) -> Self {
        Self { look, scope, calls: vec![], locals: vec![] }
    }

    /// Follow a whole program; what it prints is returned.
    pub(crate) fn program(&mut self, program: &Program, input: &Flow) -> Flow {
        let lists: Vec<&CompoundList> = program.complete_commands.iter().collect();
        let mut last = Flow { text: Some(String::new()), ..Flow::default() };
        for list in lists {
            let flow = self.list(list, input);
            last = followed_by(last, flow);
        }
        last
    }

    fn list(&mut self, list: &CompoundList, input: &Flow) -> Flow {
        let mut last = Flow { text: Some(String::new()), ..Flow::default() };
        for item in &list.0 {
            let flow = self.and_or(&item.0, input);
            last = followed_by(last, flow);
        }
        last
    }

    fn and_or(&mut self, list: &AndOrList, input: &Flow) -> Flow {
        let mut flow = self.pipeline(&list.first, input);
        let after_first = (!list.additional.is_empty()).then(|| self.scope.clone());
        for next in &list.additional {
            let (AndOr::And(pipeline) | AndOr::Or(pipeline)) = next;
            let before = self.scope.clone();
            let output = self.pipeline(pipeline, input);
            flow = followed_by(flow, output);
            // What follows an `&&` runs only where this was run; behind an `||` it may not have been.
            if matches!(next, AndOr::Or(_)) {
                self.scope.meet(&before);
            }
        }
        if let Some(after_first) = after_first {
            // A `cd` is taken to have worked, as one without `&&` behind it is.
            let directory = self.scope.directory.clone();
            self.scope.meet(&after_first);
            self.scope.directory = directory;
        }
        flow
    }

    fn pipeline(&mut self, pipeline: &Pipeline, input: &Flow) -> Flow {
        let is_new = self.look.begin_unit();
        let mut flow = input.clone();
        let is_piped = pipeline.seq.len() > 1;
        let outer = is_piped.then(|| self.scope.clone());
        for command in &pipeline.seq {
            flow = self.command(command, &flow);
        }
        // Parts of a pipe are subshells; variables do not come back, except by `lastpipe`, which
        // keeps them: the careful reading keeps both folder and values of before unless they are new.
        if let Some(outer) = outer {
            self.scope.directory = outer.directory;
        }
        if is_new {
            self.look.end_unit();
        }
        flow
    }

    fn command(&mut self, command: &Command, input: &Flow) -> Flow {
        if !self.look.enter() {
            return Flow::unknown(Taint::Computed);
        }
        let flow = match command {
            Command::Simple(simple) => self.simple(simple, input),
            Command::Compound(compound, redirects) => {
                let (input, is_redirected) = self.redirects(redirects.as_ref(), input);
                let flow = self.compound(compound, &input);
                if is_redirected { Flow::default() } else { flow }
            }
            Command::Function(function) => {
                self.define(&function.fname.value, &function.body);
                Flow::default()
            }
            Command::ExtendedTest(test, redirects) => {
                self.redirects(redirects.as_ref(), input);
                self.test(&test.expr);
                Flow::default()
            }
        };
        self.look.leave();
        flow
    }

    fn compound(&mut self, compound: &CompoundCommand, input: &Flow) -> Flow {
        match compound {
            CompoundCommand::BraceGroup(group) => self.list(&group.list, input),
            CompoundCommand::Subshell(subshell) => self.subshell(&subshell.list, input),
            CompoundCommand::ForClause(clause) => {
                let words: Option<Vec<Word>> = clause
                    .values
                    .as_ref()
                    .map(|values| values.iter().flat_map(|word| self.words(&word.value)).collect());
                let words =
                    words.or_else(|| self.scope.positional.clone()).unwrap_or_else(|| vec![Word::unknown(Taint::None)]);
                let is_followed = words.len() <= LOOP_VALUES_MAX;
                let mut flow = Flow::unknown(Taint::Computed);
                for word in words.iter().take(LOOP_VALUES_MAX) {
                    self.scope.set(&clause.variable_name, Value::Text(word.clone()));
                    flow = self.list(&clause.body.list, input);
                }
                if !is_followed {
                    let taint = words.iter().map(|word| word.taint).max().unwrap_or_default();
                    self.scope.set(&clause.variable_name, Value::Text(Word::unknown(taint)));
                    flow = self.list(&clause.body.list, input);
                }
                flow.text = None;
                flow
            }
            CompoundCommand::ArithmeticForClause(clause) => {
                for expression in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                    self.expansions_in(&expression.value);
                }
                self.note_endless(
                    clause.condition.as_ref().is_none_or(|condition| condition.value.trim().is_empty()),
                    &clause.body.list,
                );
                Flow { text: None, ..self.list(&clause.body.list, input) }
            }
            CompoundCommand::Arithmetic(arithmetic) => {
                self.expansions_in(&arithmetic.expr.value);
                Flow::default()
            }
            CompoundCommand::CaseClause(clause) => {
                let _ = self.word(&clause.value.value);
                let mut flow = Flow::default();
                let before = self.scope.clone();
                let mut met = before.clone();
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        let _ = self.word(&pattern.value);
                    }
                    if let Some(list) = &case.cmd {
                        self.scope = before.clone();
                        flow = self.list(list, input);
                        met.meet(&self.scope);
                    }
                }
                self.scope = met;
                Flow { text: None, ..flow }
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition, input);
                let mut before = self.scope.clone();
                let mut taint = self.list(&clause.then, input).taint;
                let mut met = std::mem::replace(&mut self.scope, before.clone());
                let mut has_else = false;
                for other in clause.elses.iter().flatten() {
                    self.scope = before;
                    if let Some(condition) = &other.condition {
                        self.list(condition, input);
                    }
                    has_else |= other.condition.is_none();
                    before = self.scope.clone();
                    taint = taint.max(self.list(&other.body, input).taint);
                    met.meet(&self.scope);
                }
                if !has_else {
                    met.meet(&before);
                }
                self.scope = met;
                Flow::unknown(taint.max(Taint::Computed))
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                let holds = if matches!(compound, CompoundCommand::WhileClause(_)) {
                    &["true", ":"][..]
                } else {
                    &["false"][..]
                };
                self.list(&clause.0, input);
                self.note_endless(is_plain(&clause.0, holds), &clause.1.list);
                let before = self.scope.clone();
                let flow = self.list(&clause.1.list, input);
                self.scope.meet(&before);
                Flow { text: None, ..flow }
            }
            CompoundCommand::Coprocess(coprocess) => self.command(&coprocess.body, &Flow::unknown(Taint::Computed)),
        }
    }

    /// A loop without end that starts a job in each round.
    fn note_endless(&mut self, is_endless: bool, body: &CompoundList) {
        let starts_jobs = body.0.iter().any(|item| matches!(item.1, SeparatorOperator::Async));
        let waits = body
            .0
            .iter()
            .any(|item| ["wait", "sleep", "break", "exit", "return", "read"].iter().any(|name| calls(&item.0, name)));
        if is_endless && starts_jobs && !waits {
            self.look.note("fork_bomb", "a loop without end that starts a job in each round".to_owned());
        }
    }

    fn subshell(&mut self, list: &CompoundList, input: &Flow) -> Flow {
        let outer = self.scope.clone();
        let flow = self.list(list, input);
        self.scope = outer;
        flow
    }

    /// The commands of `$(...)`; what they print.
    pub(crate) fn substituted(&mut self, code: &str) -> Flow {
        let outer = self.scope.clone();
        let flow = match code.trim_start().strip_prefix('<') {
            // `$(<file)` prints the file.
            Some(path) if !path.trim().contains(char::is_whitespace) && !path.starts_with(['<', '(']) => {
                let path = self.word(path.trim());
                self.file("file_read", &path);
                Flow::unknown(Taint::Computed)
            }
            _ => self.code(code, &Flow::default()),
        };
        self.scope = outer;
        flow
    }

    /// Follow text as code, in the present scope.
    fn code(&mut self, text: &str, input: &Flow) -> Flow {
        if !self.look.enter() {
            return Flow::unknown(Taint::Computed);
        }
        let flow = match self.look.parsed(text) {
            Some(program) => self.program(&program, input),
            None => Flow::unknown(Taint::Computed),
        };
        self.look.leave();
        flow
    }

    fn define(&mut self, name: &str, body: &FunctionBody) {
        if calls_itself_twice(&body.0, name) {
            self.look.note("fork_bomb", format!("the function `{name}` starts itself again and again"));
        }
        Rc::make_mut(&mut self.scope.functions).insert(name.to_owned(), Rc::new(body.clone()));
        let outer = self.scope.clone();
        self.scope.positional = None;
        self.run_body(name, body, &Flow::default());
        self.scope = outer;
    }

    fn run_body(&mut self, name: &str, body: &FunctionBody, input: &Flow) -> Flow {
        if self.calls.iter().any(|call| call == name) {
            return Flow::unknown(Taint::Computed);
        }
        self.calls.push(name.to_owned());
        let outer_locals = std::mem::take(&mut self.locals);
        let (input, _) = self.redirects(body.1.as_ref(), input);
        let flow = self.compound(&body.0, &input);
        // What was local is as it was before.
        for (name, value) in std::mem::replace(&mut self.locals, outer_locals).into_iter().rev() {
            self.scope.restore(&name, value);
        }
        self.calls.pop();
        flow
    }

    fn test(&mut self, test: &ExtendedTestExpr) {
        match test {
            ExtendedTestExpr::And(left, right) | ExtendedTestExpr::Or(left, right) => {
                self.test(left);
                self.test(right);
            }
            ExtendedTestExpr::Not(inner) | ExtendedTestExpr::Parenthesized(inner) => self.test(inner),
            ExtendedTestExpr::UnaryTest(_, word) => drop(self.word(&word.value)),
            ExtendedTestExpr::BinaryTest(_, left, right) => {
                let _ = (self.word(&left.value), self.word(&right.value));
            }
        }
    }

    fn simple(&mut self, simple: &SimpleCommand, input: &Flow) -> Flow {
        let mut words = vec![];
        let mut assignments = vec![];
        let mut input = input.clone();
        let mut is_redirected = false;
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
        if is_redirected { Flow::default() } else { flow }
    }

    fn run(&mut self, words: &[Word], assignments: &[&Assignment], input: &Flow) -> Flow {
        let Some(first) = words.first() else {
            for assignment in assignments {
                self.assign(assignment);
            }
            return Flow { text: Some(String::new()), ..Flow::default() };
        };
        let mut environment: Vec<String> = self.scope.exported.clone();
        let mut own = vec![];
        for assignment in assignments {
            // The variable is set for this command alone, so only code that it carries sees it.
            let value = self.value_of(assignment);
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

    /// Commands of the shell that change its state or run text. None: it is no such command.
    fn builtin(&mut self, words: &[Word], input: &Flow) -> Option<Flow> {
        let (first, arguments) = words.split_first()?;
        let done = Flow { text: Some(String::new()), ..Flow::default() };
        match first.text.as_str() {
            "eval" => Some(self.eval(arguments, input)),
            "builtin" | "command"
                if arguments.first().is_some_and(|word| {
                    matches!(word.text.as_str(), "cd" | "eval" | "source" | "." | "set" | "export")
                }) =>
            {
                self.builtin(arguments, input)
            }
            "cd" | "pushd" => {
                let target = arguments.iter().find(|word| !word.text.starts_with('-') || word.text == "-");
                self.scope.directory = match target {
                    None => Some("~".to_owned()),
                    Some(word) if word.is_known() && word.text != "-" => {
                        let is_rooted = word.text.starts_with(['/', '~']);
                        (is_rooted || self.scope.directory.is_some())
                            .then(|| folded(&word.text, self.scope.directory.as_deref()))
                    }
                    Some(_) => None,
                };
                Some(done)
            }
            "popd" => {
                self.scope.directory = None;
                Some(done)
            }
            "unset" => {
                for word in arguments.iter().filter(|word| !word.text.starts_with('-')) {
                    self.scope.set(&word.text, Value::Unset);
                }
                Some(done)
            }
            "set" => {
                if let Some(at) = arguments.iter().position(|word| word.text == "--") {
                    self.scope.positional = Some(arguments[at + 1..].to_vec());
                }
                Some(done)
            }
            "shift" => {
                if let Some(words) = &mut self.scope.positional
                    && !words.is_empty()
                {
                    words.remove(0);
                }
                Some(done)
            }
            "alias" => {
                for word in arguments {
                    if let Some((name, body)) = word.text.split_once('=') {
                        Rc::make_mut(&mut self.scope.aliases).insert(name.to_owned(), body.to_owned());
                        self.code(body, &Flow::default());
                    }
                }
                Some(done)
            }
            "trap" => {
                if let Some(code) =
                    arguments.iter().find(|word| !word.text.starts_with('-')).filter(|_| arguments.len() > 1)
                {
                    self.eval(std::slice::from_ref(code), &Flow::default());
                }
                Some(done)
            }
            "read" | "mapfile" | "readarray" => {
                // `-C CODE` is run for so many lines each.
                let callback = arguments.iter().position(|word| word.text.starts_with("-C"));
                if let Some(word) = callback.and_then(|at| arguments.get(at)).filter(|word| word.text.len() > 2) {
                    self.code(&word.text[2..], &Flow::default());
                } else if let Some(code) = callback.and_then(|at| arguments.get(at + 1)) {
                    self.code(&code.text.clone(), &Flow::default());
                }
                self.read_variables(arguments, input);
                Some(done)
            }
            "printf" if arguments.first().is_some_and(|word| word.text == "-v") => {
                let (name, rest) = (arguments.get(1)?, arguments.get(2..).unwrap_or_default());
                let mut line = vec![Word::plain("printf")];
                line.extend_from_slice(rest);
                let flow = output(&line, input);
                self.set_flow(&name.text, &flow);
                Some(done)
            }
            "export" => {
                self.scope
                    .exported
                    .extend(arguments.iter().filter(|word| !word.text.starts_with('-')).map(|word| word.text.clone()));
                None
            }
            _ => None,
        }
    }

    fn eval(&mut self, arguments: &[Word], input: &Flow) -> Flow {
        let taint = arguments.iter().map(|word| word.taint).max().unwrap_or_default();
        let texts: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
        let code = texts.join(" ");
        self.look.note_code(&code, taint);
        if code.trim() == UNKNOWN.to_string() {
            return Flow::unknown(taint.max(Taint::Computed));
        }
        self.code(&code, input)
    }

    fn read_variables(&mut self, arguments: &[Word], input: &Flow) {
        let names = arguments.iter().filter(|word| {
            !word.text.starts_with('-') && word.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
        let mut line = input.clone();
        line.text = line.text.and_then(|text| text.lines().next().map(str::to_owned));
        for word in names {
            if word.text.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            self.set_flow(&word.text, &line);
        }
    }

    fn set_flow(&mut self, name: &str, flow: &Flow) {
        match &flow.text {
            Some(text) => self.scope.set_text(name, text.trim_end_matches('\n'), flow.taint),
            None => self.scope.set(name, Value::Text(Word::unknown(flow.taint))),
        }
    }

    fn assign(&mut self, assignment: &Assignment) {
        let value = self.value_of(assignment);
        self.scope.set(name_of(assignment), value);
    }

    fn value_of(&mut self, assignment: &Assignment) -> Value {
        let name = name_of(assignment);
        if let AssignmentName::ArrayElementName(_, index) = &assignment.name {
            self.expansions_in(index);
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
    fn latent(&mut self, text: &str) {
        let holds = |begin: &str, end: char| text.find(begin).is_some_and(|at| text[at + begin.len()..].contains(end));
        if holds("$(", ')') || holds("`", '`') {
            let quoted = text.replace('"', "");
            self.code(&format!(": \"{quoted}\""), &Flow::default());
        }
    }

    /// An item that is no assignment; whether it sends the output elsewhere.
    fn item(&mut self, item: &Item, words: &mut Vec<Word>, input: &mut Flow) -> bool {
        match item {
            Item::Word(word) | Item::AssignmentWord(_, word) => {
                words.extend(self.words(&word.value));
                false
            }
            Item::ProcessSubstitution(kind, subshell) => {
                let flow = self.process_substitution(kind, subshell);
                // The word names a pipe: a shell that runs it runs what comes out of it.
                words.push(Word {
                    text: format!("/dev/fd/{UNKNOWN}"),
                    is_glob: false,
                    taint: flow.taint.max(Taint::Computed),
                });
                false
            }
            Item::IoRedirect(redirect) => self.redirect(redirect, input),
        }
    }

    fn process_substitution(&mut self, kind: &ProcessSubstitutionKind, subshell: &SubshellCommand) -> Flow {
        let input = match kind {
            ProcessSubstitutionKind::Read => Flow::default(),
            ProcessSubstitutionKind::Write => Flow::unknown(Taint::Computed),
        };
        self.subshell(&subshell.list, &input)
    }

    fn redirects(&mut self, redirects: Option<&RedirectList>, input: &Flow) -> (Flow, bool) {
        let mut input = input.clone();
        let mut is_redirected = false;
        for redirect in redirects.iter().flat_map(|redirects| &redirects.0) {
            is_redirected |= self.redirect(redirect, &mut input);
        }
        (input, is_redirected)
    }

    fn redirect(&mut self, redirect: &IoRedirect, input: &mut Flow) -> bool {
        match redirect {
            IoRedirect::HereString(_, word) => {
                let word = self.word(&word.value);
                *input = if word.is_known() {
                    Flow::text(word.text + "\n", word.taint)
                } else {
                    Flow::unknown(word.taint.max(Taint::Computed))
                };
                false
            }
            IoRedirect::HereDocument(_, document) => {
                let word = if document.requires_expansion {
                    self.heredoc(&document.doc.value)
                } else {
                    Word::plain(document.doc.value.clone())
                };
                *input = if word.is_known() {
                    Flow::text(word.text, word.taint)
                } else {
                    Flow::unknown(word.taint.max(Taint::Computed))
                };
                false
            }
            IoRedirect::OutputAndError(word, _) => {
                let word = self.word(&word.value);
                self.file("file_write", &word);
                true
            }
            IoRedirect::File(descriptor, kind, target) => self.redirect_file(*descriptor, kind, target, input),
        }
    }

    fn redirect_file(
        &mut self,
        descriptor: Option<i32>,
        kind: &IoFileRedirectKind,
        target: &IoFileRedirectTarget,
        input: &mut Flow,
    ) -> bool {
        let is_output = !matches!(kind, IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput);
        let is_stdout = is_output && descriptor.is_none_or(|descriptor| descriptor == 1);
        match target {
            IoFileRedirectTarget::Filename(word) => {
                let word = self.word(&word.value);
                match kind {
                    IoFileRedirectKind::Read => {
                        self.file("file_read", &word);
                        *input = Flow::unknown(word.taint);
                    }
                    IoFileRedirectKind::ReadAndWrite => {
                        self.file("file_read", &word);
                        self.file("file_write", &word);
                    }
                    _ => self.file("file_write", &word),
                }
                is_stdout
            }
            IoFileRedirectTarget::ProcessSubstitution(process, subshell) => {
                let flow = self.process_substitution(process, subshell);
                if !is_output {
                    *input = Flow { is_connected: true, ..flow };
                }
                is_stdout
            }
            IoFileRedirectTarget::Duplicate(word) => {
                let word = self.word(&word.value);
                let is_descriptor = word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                if !is_descriptor && word.is_known() && is_output {
                    self.file("file_write", &word);
                }
                if !is_output {
                    *input = Flow::unknown(word.taint.max(Taint::Computed));
                }
                false
            }
            IoFileRedirectTarget::Fd(_) => {
                if !is_output {
                    *input = Flow::unknown(Taint::Computed);
                }
                false
            }
        }
    }

    fn file(&mut self, act: &'static str, word: &Word) {
        if word.text.starts_with("/dev/tcp/") || word.text.starts_with("/dev/udp/") {
            self.look.note("network_device", format!("`{}`", word.text));
            return;
        }
        let directory = self.scope.directory.clone();
        self.look.file(act, &[(&word.text, word.is_glob)], false, None, directory.as_deref());
    }
}

const DECLARES: &[&str] = &["export", "declare", "typeset", "local", "readonly"];

fn name_of(assignment: &Assignment) -> &str {
    let (AssignmentName::VariableName(name) | AssignmentName::ArrayElementName(name, _)) = &assignment.name;
    name
}

fn followed_by(first: Flow, second: Flow) -> Flow {
    let text = match (first.text, second.text) {
        (Some(first), Some(second)) => Some(first + &second),
        _ => None,
    };
    Flow { text, taint: first.taint.max(second.taint), is_connected: first.is_connected || second.is_connected }
}

fn is_plain(list: &CompoundList, names: &[&str]) -> bool {
    matches!(list.0.as_slice(), [item] if names.iter().any(|name| calls(&item.0, name)))
}

fn name_of_simple(command: &Command) -> Option<&str> {
    match command {
        Command::Simple(simple) => simple.word_or_name.as_ref().map(|word| word.value.as_str()),
        _ => None,
    }
}

/// Whether one of the commands of the list is `name`.
fn calls(list: &AndOrList, name: &str) -> bool {
    pipelines(list).any(|pipeline| pipeline.seq.iter().any(|command| name_of_simple(command) == Some(name)))
}

fn pipelines(list: &AndOrList) -> impl Iterator<Item = &Pipeline> {
    let others = list.additional.iter().map(|next| match next {
        AndOr::And(pipeline) | AndOr::Or(pipeline) => pipeline,
    });
    std::iter::once(&list.first).chain(others)
}

/// A function that starts itself in a pipe or in the background: each process becomes several.
fn calls_itself_twice(body: &CompoundCommand, name: &str) -> bool {
    let (CompoundCommand::BraceGroup(brush_parser::ast::BraceGroupCommand { list, .. })
    | CompoundCommand::Subshell(SubshellCommand { list, .. })) = body
    else {
        return false;
    };
    list.0.iter().any(|item| {
        let is_job = matches!(item.1, SeparatorOperator::Async);
        pipelines(&item.0).any(|pipeline| {
            let own = pipeline.seq.iter().filter(|command| name_of_simple(command) == Some(name)).count();
            own > 0 && (is_job || pipeline.seq.len() > 1)
        })
    })
}
