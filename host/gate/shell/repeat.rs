//! Loops: each value that the script names is followed in its own round; where only the run will tell how
//! many rounds there are, the body is followed until nothing new comes of it.
//!
//! So what one round sets is seen by the next. Of `while read` each line is a round, where the text is known.

use brush_parser::ast::{Command, CommandPrefixOrSuffixItem as Item, CompoundList, ForClauseCommand};

use crate::gate::argv::{Taint, Word};

use super::lower::Lower;
use super::output::Flow;
use super::redirect::simple_items;
use super::scope::{Scope, Value};

/// Values of one loop that are followed one by one. Danger: loops in loops multiply.
pub(super) const LOOP_VALUES_MAX: usize = 16;
/// Rounds until nothing new may come of a loop; one with more is too complex. Danger: a chain of variables
/// that passes a value on by one place in each round.
const ROUNDS_MAX: usize = 12;

/// How a loop that is being followed is left.
#[derive(Default)]
pub(super) struct Loop {
    /// The state at each `continue` of the round, met.
    pub continued: Option<Scope>,
    /// The state at each `break`, met.
    pub broken: Option<Scope>,
}

/// One more state that may hold.
pub(super) fn join(states: &mut Option<Scope>, state: &Scope) {
    let mut state = state.clone();
    state.is_over = false;
    match states {
        Some(own) => own.meet(&state),
        None => *states = Some(state),
    }
}

impl Lower<'_, '_> {
    pub(super) fn for_each(&mut self, clause: &ForClauseCommand, input: &Flow) -> Flow {
        let words: Option<Vec<Word>> =
            clause.values.as_ref().map(|values| values.iter().flat_map(|word| self.words(&word.value)).collect());
        let words = words.or_else(|| self.scope.positional.clone()).unwrap_or_else(|| vec![Word::unknown(Taint::None)]);
        let is_followed = words.len() <= LOOP_VALUES_MAX && words.iter().all(Word::is_known);
        let before = (!is_followed).then(|| self.scope.clone());
        let mut flow = Flow::unknown(Taint::Computed);
        self.loops.push(Loop::default());
        for word in words.iter().take(LOOP_VALUES_MAX) {
            let round = |lower: &mut Self| {
                lower.scope.set(&clause.variable_name, Value::Text(word.clone()));
                lower.one_round(|lower| lower.list(&clause.body.list, input))
            };
            // Behind a `break` there is no further round; what it would do is looked at all the same.
            flow = if self.scope.is_over { self.apart(round) } else { round(self) };
        }
        if let Some(before) = before {
            let taint = words.iter().map(|word| word.taint).max().unwrap_or_default();
            flow = self.rounds(|lower| {
                lower.scope.set(&clause.variable_name, Value::Text(Word::unknown(taint)));
                lower.list(&clause.body.list, input)
            });
            self.scope.meet(&before);
        }
        self.end_loop();
        flow.text = None;
        flow
    }

    pub(super) fn while_holds(&mut self, condition: &CompoundList, body: &CompoundList, input: &Flow) -> Flow {
        let before = self.scope.clone();
        let mut ended: Option<Scope> = None;
        let mut flow = Flow::unknown(Taint::Computed);
        self.loops.push(Loop::default());
        let lines = if reads_lines(condition, body) { input.text.as_deref() } else { None };
        let mut rest = input.clone();
        if let Some(text) = lines {
            // What the body reads is one of the lines as well.
            rest = Flow::unknown(input.taint.max(Taint::Computed));
            for line in text.lines().take(LOOP_VALUES_MAX) {
                let line = Flow { text: Some(format!("{line}\n")), ..input.clone() };
                let round = |lower: &mut Self| {
                    lower.one_round(|lower| {
                        lower.has_fresh_input = true;
                        lower.list(condition, &line);
                        lower.list(body, &rest)
                    })
                };
                flow = if self.scope.is_over { self.apart(round) } else { round(self) };
            }
        }
        if lines.is_none_or(|text| text.lines().count() > LOOP_VALUES_MAX) {
            flow = self.rounds(|lower| {
                lower.list(condition, &rest);
                join(&mut ended, &lower.scope);
                lower.list(body, &rest)
            });
        } else {
            // The last time there is nothing to be read: what it sets is not what stood in a line.
            self.scope.meet(&before);
            self.list(condition, &rest);
        }
        self.scope.meet(&before);
        if let Some(ended) = ended {
            self.scope.meet(&ended);
        }
        self.end_loop();
        Flow { text: None, ..flow }
    }

    /// A loop of which only the run will tell how many rounds it has, if any.
    pub(super) fn any_rounds(&mut self, round: impl FnMut(&mut Self) -> Flow) -> Flow {
        self.loops.push(Loop::default());
        let flow = self.rounds(round);
        self.end_loop();
        flow
    }

    /// Any number of rounds: the first two in the state in which they run, then one for all that may follow,
    /// until it changes nothing.
    fn rounds(&mut self, mut round: impl FnMut(&mut Self) -> Flow) -> Flow {
        let mut met = self.scope.clone();
        let mut flow = Flow::default();
        for at in 0..ROUNDS_MAX {
            flow = self.one_round(&mut round);
            let after = self.scope.clone();
            let known = met.clone();
            met.meet(&after);
            let is_exact = at == 0 && !after.is_over;
            if (at != 1 && met.is_same(&known)) || self.is_exhausted() {
                self.scope = met;
                return flow;
            }
            self.scope = if is_exact { after } else { met.clone() };
        }
        self.look.note("too_complex", format!("a loop that changes something new in each of {ROUNDS_MAX} rounds"));
        self.scope = met;
        flow
    }

    fn one_round(&mut self, round: impl FnOnce(&mut Self) -> Flow) -> Flow {
        let flow = round(self);
        if let Some(continued) = self.loops.last_mut().and_then(|own| own.continued.take()) {
            self.scope.meet(&continued);
        }
        flow
    }

    fn end_loop(&mut self) {
        if let Some(broken) = self.loops.pop().and_then(|own| own.broken) {
            self.scope.meet(&broken);
        }
    }

    /// `break`, `continue`, `return` and `exit`.
    pub(super) fn leave_by(&mut self, name: &str, arguments: &[Word]) {
        let is_plain = arguments.iter().all(|word| {
            word.text.bytes().all(|byte| byte.is_ascii_digit()) && word.text.bytes().any(|byte| byte != b'0')
        });
        match name {
            "exit" => {
                self.run_traps();
                // With several arguments the shell refuses it, and goes on.
                self.scope.is_over |= arguments.len() <= 1;
            }
            "return" => {
                join(&mut self.returned, &self.scope);
                self.scope.is_over |= arguments.len() <= 1 && self.calls.iter().any(|call| !call.is_alias());
            }
            _ => {
                let is_inside = self.loops.len() > self.loops_outside;
                let scope = self.scope.clone();
                let is_one = arguments.is_empty();
                let count = if is_one && is_inside { 1 } else { self.loops.len() };
                for own in self.loops.iter_mut().rev().take(count) {
                    if name == "break" || !is_one || !is_inside {
                        join(&mut own.broken, &scope);
                    }
                    if name == "continue" || !is_one || !is_inside {
                        join(&mut own.continued, &scope);
                    }
                }
                self.scope.is_over |= is_inside && is_plain && arguments.len() <= 1;
            }
        }
    }
}

/// `while read ...`, whose body does not read by itself: each line of the input is one round.
fn reads_lines(condition: &CompoundList, body: &CompoundList) -> bool {
    let [item] = condition.0.as_slice() else { return false };
    let [Command::Simple(simple)] = item.0.first.seq.as_slice() else { return false };
    item.0.additional.is_empty()
        && !item.0.first.bang
        && simple.word_or_name.as_ref().is_some_and(|word| word.value == "read")
        && !simple_items(simple).any(|item| matches!(item, Item::IoRedirect(_) | Item::ProcessSubstitution(..)))
        && !["read", "mapfile", "head", "dd ", "eval", "source", ". "]
            .iter()
            .any(|text| body.to_string().contains(text))
}
