//! Commands of a script to plain command lines, in the order of the text, each shown to the look.
//!
//! Every branch is followed, since any may run. A function's body is followed where it is defined and
//! where it is called. What runs in a process of its own (a job, a part of a pipe, a subshell) leaves the
//! state as it was. Data is not code: heredocs, arguments and patterns are only folded.
//!
//! Single commands are in `simple`, loops in `repeat`, what changes the shell's state in `builtin` and `read`,
//! redirections in `redirect`.

use std::rc::Rc;

use brush_parser::ast::{
    AndOr, AndOrList, BinaryPredicate, CaseItemPostAction, Command, CompoundCommand, CompoundList, ExtendedTestExpr,
    FunctionBody, IoRedirect, Pipeline, Program, SeparatorOperator, SourceLocation, SubshellCommand, UnaryPredicate,
};

use crate::gate::argv::Taint;
use crate::gate::look::Look;

use super::output::Flow;
use super::repeat::Loop;
use super::scope::{Kept, Scope, VALUE_BYTES_MAX};

/// How often a function is followed within itself. Danger: one that calls itself twice.
const RECURSIONS_MAX: usize = 3;

/// A function, or an alias, that is being followed.
pub(super) struct Call {
    pub name: String,
    /// The state in which it began.
    scope: Scope,
}

impl Call {
    pub(super) fn alias(name: String) -> Self {
        Self { name, scope: Scope::default() }
    }

    pub(super) fn is_alias(&self) -> bool {
        self.name.starts_with("alias ")
    }
}

/// Code that runs when the shell ends.
pub(super) struct Trap {
    pub code: String,
    /// The state in which it was looked at.
    pub scope: Scope,
}

/// Lowers one script.
pub(crate) struct Lower<'l, 'g> {
    pub look: &'l mut Look<'g>,
    pub scope: Scope,
    /// The functions that are being followed, innermost last.
    pub(super) calls: Vec<Call>,
    /// The variables that the innermost function made local, with what they were before.
    pub(super) locals: Vec<(String, Kept)>,
    /// The state at each `return` of the innermost function, met.
    pub(super) returned: Option<Scope>,
    /// The loops that are being followed, innermost last.
    pub(super) loops: Vec<Loop>,
    /// So many of them stand around the innermost function.
    pub(super) loops_outside: usize,
    pub(super) traps: Vec<Trap>,
    /// The next command is the first to read what it is given.
    pub(super) has_fresh_input: bool,
    /// The command at hand is the first to read what it is given.
    pub(super) has_own_input: bool,
    is_running: bool,
    /// The text that is followed, where places in it are to be shown: the outermost script alone.
    source: Option<Rc<str>>,
}

impl<'l, 'g> Lower<'l, 'g> {
    pub(crate) fn new(look: &'l mut Look<'g>, scope: Scope) -> Self {
        Self {
            look,
            scope,
            calls: vec![],
            locals: vec![],
            returned: None,
            loops: vec![],
            loops_outside: 0,
            traps: vec![],
            has_fresh_input: false,
            has_own_input: false,
            is_running: false,
            source: None,
        }
    }

    /// Say in the trace where each pipeline stands in this text.
    pub(crate) fn with_source(mut self, text: &str) -> Self {
        self.source = self.look.is_traced().then(|| Rc::from(text));
        self
    }

    /// Follow a whole program; what it prints is returned.
    pub(crate) fn program(&mut self, program: &Program, input: &Flow) -> Flow {
        let is_outermost = !std::mem::replace(&mut self.is_running, true);
        let lists: Vec<&CompoundList> = program.complete_commands.iter().collect();
        let mut last = Flow { text: Some(String::new()), ..Flow::default() };
        for list in lists {
            let flow = self.list(list, input);
            last = followed_by(last, flow);
        }
        if is_outermost {
            self.settle();
            self.run_traps();
            self.note_state();
            self.is_running = false;
        }
        last
    }

    pub(super) fn list(&mut self, list: &CompoundList, input: &Flow) -> Flow {
        let mut last = Flow { text: Some(String::new()), ..Flow::default() };
        for item in &list.0 {
            // What is left would change nothing any more, and there may be much of it.
            if self.is_exhausted() {
                break;
            }
            // A job is a process of its own.
            let flow = match item.1 {
                SeparatorOperator::Async => self.apart(|lower| lower.and_or(&item.0, input)),
                SeparatorOperator::Sequence => self.and_or(&item.0, input),
            };
            last = followed_by(last, flow);
        }
        last
    }

    /// Whether there is no more budget; what is left out for it is told.
    pub(super) fn is_exhausted(&mut self) -> bool {
        if !self.look.is_exhausted() {
            return false;
        }
        if self.look.enter() {
            self.look.leave();
        }
        true
    }

    /// Follow what runs in a process of its own: nothing of its state comes back.
    pub(super) fn apart(&mut self, follow: impl FnOnce(&mut Self) -> Flow) -> Flow {
        let (flow, inner) = self.apart_with_state(follow);
        self.scope.take_notes(&inner);
        flow
    }

    /// Follow what runs in a process of its own; what it prints, and the state in which it ended.
    pub(super) fn apart_with_state(&mut self, follow: impl FnOnce(&mut Self) -> Flow) -> (Flow, Scope) {
        let outer = self.scope.clone();
        let locals = std::mem::take(&mut self.locals);
        let returned = self.returned.take();
        let loops = std::mem::take(&mut self.loops);
        let loops_outside = std::mem::take(&mut self.loops_outside);
        let traps = std::mem::take(&mut self.traps);
        self.scope.is_over = false;
        let flow = follow(self);
        self.settle();
        self.run_traps();
        self.locals = locals;
        self.returned = returned;
        self.loops = loops;
        self.loops_outside = loops_outside;
        self.traps = traps;
        (flow, std::mem::replace(&mut self.scope, outer))
    }

    /// The shell ends here: what it was told to run then, runs in the state of now.
    pub(super) fn run_traps(&mut self) {
        let traps = std::mem::take(&mut self.traps);
        for trap in &traps {
            if !trap.scope.is_same(&self.scope) {
                self.apart(|lower| lower.code(&trap.code, &Flow::default()));
            }
        }
        self.traps = traps;
    }

    fn and_or(&mut self, list: &AndOrList, input: &Flow) -> Flow {
        let mut flow = self.pipeline(&list.first, input);
        if list.additional.is_empty() {
            return flow;
        }
        // What follows an `&&` runs where all before it worked, what follows an `||` where something failed.
        let mut failed = self.scope.clone();
        failed.is_over = false;
        for next in &list.additional {
            match next {
                AndOr::And(pipeline) => {
                    let output = self.pipeline(pipeline, input);
                    flow = followed_by(flow, output);
                    failed.meet(&self.scope);
                }
                AndOr::Or(pipeline) => {
                    let worked = std::mem::replace(&mut self.scope, failed);
                    let output = self.pipeline(pipeline, input);
                    flow = followed_by(flow, output);
                    failed = self.scope.clone();
                    self.scope.meet(&worked);
                }
            }
        }
        // A `cd` is taken to have worked, as one without `&&` behind it is.
        let directory = self.scope.directory.clone();
        let is_over = self.scope.is_over;
        self.scope.meet(&failed);
        if !is_over {
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
        match pipeline.seq.as_slice() {
            [command] => flow = self.command(command, input),
            commands => {
                let last = commands.len().saturating_sub(1);
                for (at, command) in commands.iter().enumerate() {
                    let (output, ended) = self.apart_with_state(|lower| {
                        lower.has_fresh_input = at > 0;
                        lower.command(command, &flow)
                    });
                    flow = output;
                    self.scope.take_notes(&ended);
                    // Parts of a pipe are subshells; but in some shells, and under `lastpipe`, the last is none,
                    // and so what it sets may hold or not.
                    if at == last {
                        let directory = self.scope.directory.clone();
                        self.scope.meet(&ended);
                        if !self.scope.has_last_pipe {
                            self.scope.directory = directory;
                        }
                    }
                }
            }
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
        if !self.look.spend(self.scope.weight()) || !self.look.enter() {
            return Flow::unknown(Taint::Computed);
        }
        let has_fresh_input = std::mem::take(&mut self.has_fresh_input);
        let flow = match command {
            Command::Simple(simple) => self.simple(simple, input, has_fresh_input),
            Command::Compound(compound, redirects) => {
                let (input, is_redirected) = self.redirects(redirects.as_ref(), input);
                // Where a file cannot be opened, nothing of it runs.
                let may_fail = redirects.iter().flat_map(|redirects| &redirects.0).any(opens_file);
                let before = may_fail.then(|| self.scope.clone());
                let flow = self.compound(compound, &input);
                if let Some(before) = before {
                    self.scope.meet(&before);
                }
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
            CompoundCommand::ForClause(clause) => self.for_each(clause, input),
            CompoundCommand::ArithmeticForClause(clause) => {
                if let Some(expression) = &clause.initializer {
                    self.arithmetic(&expression.value);
                }
                self.note_endless(
                    clause.condition.as_ref().is_none_or(|condition| condition.value.trim().is_empty()),
                    &clause.body.list,
                );
                let flow = self.any_rounds(|lower| {
                    for expression in [&clause.condition, &clause.updater].into_iter().flatten() {
                        lower.arithmetic(&expression.value);
                    }
                    lower.list(&clause.body.list, input)
                });
                Flow { text: None, ..flow }
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
                let mut falls_through = false;
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        let _ = self.word(&pattern.value);
                    }
                    let ended = std::mem::replace(&mut self.scope, before.clone());
                    if falls_through {
                        self.scope.meet(&ended);
                    }
                    if let Some(list) = &case.cmd {
                        flow = self.list(list, input);
                        met.meet(&self.scope);
                    }
                    falls_through = !matches!(case.post_action, CaseItemPostAction::ExitCase);
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
                self.note_endless(is_plain(&clause.0, holds), &clause.1.list);
                self.while_holds(&clause.0, &clause.1.list, input)
            }
            CompoundCommand::Coprocess(coprocess) => {
                self.apart(|lower| lower.command(&coprocess.body, &Flow::unknown(Taint::Computed)))
            }
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
        self.apart(|lower| lower.list(list, input))
    }

    /// The commands of `$(...)`; what they print.
    pub(crate) fn substituted(&mut self, code: &str) -> Flow {
        self.apart(|lower| match code.trim_start().strip_prefix('<') {
            // `$(<file)` prints the file.
            // What ends a command, or begins another redirection, makes code of it.
            Some(path) if !path.trim().contains(|c: char| c.is_whitespace() || "<>()|&;#`".contains(c)) => {
                let path = lower.word(path.trim());
                lower.file("file_read", &path);
                Flow::unknown(Taint::Computed)
            }
            _ => lower.code(code, &Flow::default()),
        })
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
        self.scope.define(name, body.clone());
        self.apart(|lower| {
            lower.scope.positional = None;
            lower.run_body(name, body, &Flow::default())
        });
    }

    pub(super) fn run_body(&mut self, name: &str, body: &FunctionBody, input: &Flow) -> Flow {
        let entered: Vec<&Call> = self.calls.iter().filter(|call| call.name == name).collect();
        if entered.len() >= RECURSIONS_MAX {
            return Flow::unknown(Taint::Computed);
        }
        // As the rounds of a loop: after two that are certain comes one for all that may follow.
        if entered.len() + 1 == RECURSIONS_MAX {
            entered.iter().for_each(|call| self.scope.meet(&call.scope));
        }
        self.calls.push(Call { name: name.to_owned(), scope: self.scope.clone() });
        let outer_locals = std::mem::take(&mut self.locals);
        let outer_returned = self.returned.take();
        let outer_loops = std::mem::replace(&mut self.loops_outside, self.loops.len());
        let (input, _) = self.redirects(body.1.as_ref(), input);
        let flow = self.compound(&body.0, &input);
        self.loops_outside = outer_loops;
        if let Some(returned) = std::mem::replace(&mut self.returned, outer_returned) {
            self.scope.meet(&returned);
        }
        // What was local is as it was before.
        for (name, kept) in std::mem::replace(&mut self.locals, outer_locals).into_iter().rev() {
            self.scope.restore(&name, kept);
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

fn opens_file(redirect: &IoRedirect) -> bool {
    matches!(redirect, IoRedirect::File(..) | IoRedirect::OutputAndError(..))
}

fn followed_by(first: Flow, second: Flow) -> Flow {
    let text = match (first.text, second.text) {
        // Longer than a value it is not followed anyway.
        (Some(first), Some(second)) if first.len() + second.len() <= VALUE_BYTES_MAX => Some(first + &second),
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
