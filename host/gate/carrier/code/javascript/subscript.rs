//! Brackets in JavaScript: a list, a key that is known, or a key that only the run will tell.
//!
//! Danger: `f[key]` is the constructor of functions when the key says so. What comes out of such a
//! bracket is therefore printed, counted, compared or asked for a property on the spot; it is never
//! called and never kept.

use super::super::token::{FIELD_CLOSE, FIELD_OPEN, Kind, Token, listed};
use super::table::CALLS;
use super::{Reader, is_refused};

const ARITHMETIC: &str = "+ - * / % ** < > <= >= == === != !==";
/// Assignments that give back what they set, or a number or a text.
const SETS: &str = "= += -= *= /= %= ++ --";
const PRINTS: &str = "log error warn info debug";

fn is_operator(token: Token<'_>, operators: &str) -> bool {
    token.kind == Kind::Operator && listed(operators, token.text)
}

impl Reader<'_> {
    pub(super) fn bracket(&self, open: usize) -> Option<()> {
        let before = self.tokens.before(open);
        // `f<T>[key]` is a comparison, until Node strips it of what is TypeScript.
        if is_operator(before, ">") {
            return None;
        }
        if !self.is_value_end(open) {
            // A key that is computed: `{[key]: f} = g`.
            let is_within = self.tokens.at(open).around.is_some_and(|around| self.tokens.is(around, "{"));
            let is_key = is_within && before.kind == Kind::Operator && matches!(before.text, "{" | ",");
            return (!is_key && !self.tokens.is_before(open, "?.")).then_some(());
        }
        // Behind a brace it may be a list or not.
        if before.kind == Kind::Operator && before.text == "}" {
            return None;
        }
        let close = self.tokens.at(open).partner;
        let is_from_dynamic = before.kind == Kind::Operator && before.text == "]" && {
            let inner = self.tokens.at(open - 1).partner;
            self.is_value_end(inner) && !self.is_key_known(inner)
        };
        if self.is_key_known(open) {
            let key = self.tokens.at(open + 1);
            let is_call = is_from_dynamic && (listed(CALLS, key.text) || self.is_assigned(close + 1));
            return (!is_call).then_some(());
        }
        (!is_from_dynamic && self.is_used_up(open, close)).then_some(())
    }

    /// Whether the key is a number or a text that names nothing dangerous.
    fn is_key_known(&self, open: usize) -> bool {
        let close = self.tokens.at(open).partner;
        let last = self.tokens.before(close);
        if close == open + 2 {
            return match last.kind {
                Kind::Number => true,
                Kind::Text { is_plain } => is_plain && !is_refused(last.text),
                _ => false,
            };
        }
        // `x[x.length - 1]`: what is subtracted from is a number.
        let is_part = |at: usize| {
            let token = self.tokens.at(at);
            token.kind == Kind::Name && !listed(super::KEYWORDS, token.text) || self.tokens.is(at, ".")
        };
        let minus = close.saturating_sub(2);
        last.kind == Kind::Number && minus > open + 1 && self.tokens.is(minus, "-") && (open + 1..minus).all(is_part)
    }

    /// Whether the value of `x.y[key]` is used up where it stands.
    fn is_used_up(&self, open: usize, close: usize) -> bool {
        let mut start = open.saturating_sub(1);
        if self.name(start).is_none() {
            return false;
        }
        while self.tokens.is_before(start, ".") && start >= 2 && self.name(start - 2).is_some() {
            start -= 2;
        }
        if self.tokens.is_before(start, ".") || self.tokens.is_before(start, "?.") {
            return false;
        }
        let before = self.tokens.before(start);
        let next = self.tokens.at(close + 1);
        if is_operator(next, ARITHMETIC) || is_operator(next, SETS) || is_operator(next, "? &&") {
            return true;
        }
        if is_operator(next, ".") {
            let name = self.tokens.at(close + 2);
            return name.kind == Kind::Name
                && !is_refused(name.text)
                && !listed(CALLS, name.text)
                && !self.is_assigned(close + 3);
        }
        let is_end =
            next.kind == Kind::Nothing || is_operator(next, ") , ; ] } : ||") || is_operator(next, FIELD_CLOSE);
        if is_end && (is_operator(before, ARITHMETIC) || is_operator(before, "!")) {
            return true;
        }
        let is_defaulted = is_operator(before, "(")
            && is_operator(next, "|| ??")
            && matches!(self.tokens.at(close + 2).kind, Kind::Number | Kind::Text { .. })
            && self.tokens.is(close + 3, ")")
            && is_operator(self.tokens.at(close + 4), "+ - * / %");
        is_defaulted || self.is_printed(start, next)
    }

    /// Whether what begins at `start` is an argument of a function that prints it.
    fn is_printed(&self, start: usize, next: Token<'_>) -> bool {
        let Some(around) = self.tokens.at(start).around else { return false };
        if self.tokens.is(around, FIELD_OPEN) {
            return self.tokens.is_before(start, FIELD_OPEN) && is_operator(next, FIELD_CLOSE);
        }
        let is_argument = self.tokens.is_before(start, "(") || self.tokens.is_before(start, ",");
        let Some(function) = around.checked_sub(1).filter(|_| self.tokens.is(around, "(")) else { return false };
        let name = self.tokens.at(function);
        let is_of = |root: &str| function >= 2 && self.tokens.follow(function - 2, &[root, "."]);
        let is_free = !self.is_property(function.saturating_sub(2));
        let is_print = is_free && is_of("console") && listed(PRINTS, name.text);
        is_argument && is_operator(next, ") ,") && is_print
    }
}
