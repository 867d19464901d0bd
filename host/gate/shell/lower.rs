//! Commands of a script to plain command lines, in the order of the text, each shown to the look.
//!
//! Every branch is followed, since any may run. A loop's body is followed for each value that the
//! script names, otherwise once. A function's body is followed where it is defined and where it is
//! called. Data is not code: heredocs, arguments and patterns are only folded.
//!
//! Single commands are in `simple`, what changes the shell's state in `builtin`, redirections in `redirect`.

use std::rc::Rc;

use brush_parser::ast::{
    AndOr, AndOrList, BinaryPredicate, Command, CompoundCommand, CompoundList, ExtendedTestExpr, FunctionBody,
    Pipeline, Program, SeparatorOperator, SourceLocation, SubshellCommand, UnaryPredicate,
};

use crate::gate::argv::{Taint, Word};
use crate::gate::look::Look;

use super::output::Flow;
use super::scope::{Scope, Value};

/// Values of one loop that are followed one by one. Danger: loops in loops multiply.
pub(super) const LOOP_VALUES_MAX: usize = 16;

/// Lowers one script.
pub(crate) struct Lower<'l, 'g> {
    pub look: &'l mut Look<'g>,
    pub scope: Scope,
    /// The functions that are being followed, innermost last.
    pub(super) calls: Vec<String>,
    /// The variables that the innermost function made local, with what they were before.
    pub(super) locals: Vec<(String, Option<Value>)>,
    /// The text that is followed, where places in it are to be shown: the outermost script alone.
    source: Option<Rc<str>>,
}

impl<'l, 'g> Lower<'l, 'g> {
    pub(crate) fn new(look: &'l mut Look<'g>, scope: Scope) -> Self {
        Self { look, scope, calls: vec![], locals: vec![], source: None }
    }

    /// Say in the trace where each pipeline stands in this text.
    pub(crate) fn with_source(mut self, text: &str) -> Self {
        self.source = self.look.is_traced().then(|| Rc::from(text));
        self
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
        if self.look.is_traced() {
            self.trace(pipeline);
        }
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

    /// Note a pipeline, as it is written where that is known. What a function runs may come from another
    /// text, so it has no place in this one.
    fn trace(&mut self, pipeline: &Pipeline) {
        let source = self.source.as_ref().filter(|_| self.calls.is_empty());
        let place = source.zip(pipeline.location());
        let span = place.as_ref().map(|(_, span)| (span.start.index, span.end.index));
        let text = match place {
            Some((source, span)) => {
                source.chars().skip(span.start.index).take(span.end.index.saturating_sub(span.start.index)).collect()
            }
            None => pipeline.to_string(),
        };
        self.look.step("pipeline", 0, span, || text);
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

    pub(super) fn compound(&mut self, compound: &CompoundCommand, input: &Flow) -> Flow {
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
                    self.arithmetic(&expression.value);
                }
                self.note_endless(
                    clause.condition.as_ref().is_none_or(|condition| condition.value.trim().is_empty()),
                    &clause.body.list,
                );
                Flow { text: None, ..self.list(&clause.body.list, input) }
            }
            CompoundCommand::Arithmetic(arithmetic) => {
                self.arithmetic(&arithmetic.expr.value);
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
        // `wait` does not wait for a job that is disowned, and a `sleep` in the background holds nothing up.
        let disowns = body.0.iter().any(|item| calls(&item.0, "disown"));
        let waits = body.0.iter().filter(|item| matches!(item.1, SeparatorOperator::Sequence)).any(|item| {
            calls(&item.0, "wait") && !disowns
                || ["sleep", "break", "exit", "return", "read"].iter().any(|name| calls(&item.0, name))
        });
        if is_endless && starts_jobs && !waits {
            self.look.note("fork_bomb", "a loop without end that starts a job in each round".to_owned());
        }
    }

    pub(super) fn subshell(&mut self, list: &CompoundList, input: &Flow) -> Flow {
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
    pub(super) fn code(&mut self, text: &str, input: &Flow) -> Flow {
        if !self.look.enter() {
            return Flow::unknown(Taint::Computed);
        }
        let flow = match self.look.parsed(text) {
            Some(program) => {
                let source = self.source.take();
                let flow = self.program(&program, input);
                self.source = source;
                flow
            }
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

    pub(super) fn run_body(&mut self, name: &str, body: &FunctionBody, input: &Flow) -> Flow {
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
            ExtendedTestExpr::UnaryTest(predicate, word) => {
                let word = self.word(&word.value);
                if matches!(
                    predicate,
                    UnaryPredicate::ShellVariableIsSetAndAssigned | UnaryPredicate::ShellVariableIsSetAndNameRef
                ) {
                    self.variable_name(&word);
                }
            }
            ExtendedTestExpr::BinaryTest(predicate, left, right) => {
                let sides = [self.word(&left.value), self.word(&right.value)];
                if matches!(
                    predicate,
                    BinaryPredicate::ArithmeticEqualTo
                        | BinaryPredicate::ArithmeticNotEqualTo
                        | BinaryPredicate::ArithmeticLessThan
                        | BinaryPredicate::ArithmeticLessThanOrEqualTo
                        | BinaryPredicate::ArithmeticGreaterThan
                        | BinaryPredicate::ArithmeticGreaterThanOrEqualTo
                ) {
                    // Inside of `[[` both sides are expressions, subscripts and all.
                    sides.iter().for_each(|side| self.arithmetic_word(side));
                }
            }
        }
    }
}

fn followed_by(first: Flow, second: Flow) -> Flow {
    let text = match (first.text, second.text) {
        (Some(first), Some(second)) => Some(first + &second),
        _ => None,
    };
    Flow {
        text,
        taint: first.taint.max(second.taint),
        is_connected: first.is_connected || second.is_connected,
        is_endless: first.is_endless || second.is_endless,
    }
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
