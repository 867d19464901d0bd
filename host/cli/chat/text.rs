//! A conversation as lines for a person: what the agent says, its calls with what was decided about them, what an edit
//! changes, what it cost.

use std::collections::BTreeMap;

use owo_colors::{OwoColorize, Style};
use serde_json::Value;

use super::told::{Kind, Spent, Told};
use crate::cli::output::escaped_lines;
use crate::gate::Verdict;
use crate::gate::explain::escaped;
use crate::journal::Status;

/// Lines of a result, and of a change, that are shown. The journal has all of it.
const RESULT_LINES_MAX: usize = 6;
const CHANGE_LINES_MAX: usize = 40;
const LINE_CHARS_MAX: usize = 240;
/// Text without an end of line is shown at the last blank before so many characters.
const WRAP_CHARS: usize = 100;

/// Makes lines of events.
pub(super) struct Text {
    has_colour: bool,
    /// Show what models say while it arrives, and not as a whole at its end.
    is_streaming: bool,
    /// Of the message that arrives: what is not a line yet, and what it is.
    open: String,
    kind: Option<Kind>,
    has_spoken: bool,
    /// Why the last message failed: the agent need not say it again.
    failure: String,
    /// Calls that have begun and not ended, and the one that was shown last.
    calls: BTreeMap<String, String>,
    last: String,
}

impl Text {
    pub(super) fn new(has_colour: bool, is_streaming: bool) -> Self {
        let (open, failure, last) = Default::default();
        Self { has_colour, is_streaming, open, kind: None, has_spoken: false, failure, calls: BTreeMap::new(), last }
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.has_colour { text.style(style).to_string() } else { text.to_owned() }
    }

    fn dim(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// The lines of the message that ends are shown elsewhere.
    pub(super) fn is_said(&mut self) {
        self.has_spoken = true;
    }

    /// The lines of one event; none, where there is nothing to say.
    pub(super) fn lines(&mut self, told: &Told) -> Vec<String> {
        match told {
            Told::SessionStart { session, agent, is_resumed } => {
                let what = if *is_resumed { "goes on with" } else { "session" };
                vec![self.dim(&format!("{agent}, {what} {session}"))]
            }
            Told::TurnStart { .. } => Vec::new(),
            Told::Steered { text } => {
                let text: String = text.chars().take(60).collect();
                vec![self.dim(&format!("  (heard: {})", escaped(&text)))]
            }
            Told::MessageStart { .. } => {
                (self.open, self.kind, self.has_spoken) = (String::new(), None, false);
                Vec::new()
            }
            Told::MessageDelta { kind, text, .. } if self.is_streaming => self.piece(*kind, text),
            Told::MessageVoid { why, .. } => {
                let mut lines = self.flush();
                lines.push(self.paint(&format!("  ↻ {}", escaped(why)), Style::new().yellow()));
                lines
            }
            Told::MessageEnd { error, text, .. } => {
                let mut lines = self.flush();
                if !self.has_spoken && !text.trim().is_empty() {
                    lines.extend(escaped_lines(text).lines().map(str::to_owned));
                }
                self.failure = error.clone().unwrap_or_default();
                if let Some(error) = error {
                    lines.extend(self.failed(error));
                }
                lines
            }
            Told::ToolStart { call, tool, arguments, .. } => {
                let lines = self.call(tool, arguments);
                self.calls.insert(call.clone(), lines.first().cloned().unwrap_or_default());
                self.last.clone_from(call);
                lines
            }
            Told::Decision { key, act, verdict, risk, rules, reason, advice, by, is_done } => {
                let call = key.split('.').take(2).collect::<Vec<_>>().join(".");
                let lines = self.decision(act, *verdict, *risk, rules, reason, advice, by.as_deref(), *is_done);
                self.under(&call, lines)
            }
            Told::ApprovalStart { approval, act } => {
                let text = format!("  ? waits for approval {approval}: {}", cut(&escaped(act)));
                vec![self.paint(&text, Style::new().yellow().bold())]
            }
            Told::ApprovalEnd { approval, outcome } => vec![self.dim(&format!("  {approval}: {}", escaped(outcome)))],
            Told::ToolEnd { call, status, result } => {
                let lines = self.result(*status, result);
                let lines = self.under(call, lines);
                self.calls.remove(call);
                lines
            }
            Told::Note { text, .. } if *text == self.failure => Vec::new(),
            Told::Note { source, text } => {
                vec![self.paint(&format!("  {}: {}", escaped(source), cut(&escaped(text))), Style::new().italic())]
            }
            Told::TurnEnd { calls, questions, ms, spent, .. } => {
                let (answers, calls) = (counted(*questions, "answer"), counted(*calls, "call"));
                let text = format!("  {answers}, {calls}, {:.1} s{}", *ms as f64 / 1e3, of(spent));
                vec![self.dim(&text), String::new()]
            }
            Told::Error { text } => self.failed(text),
            // Shown elsewhere, or not a line of its own.
            Told::Outcome { .. }
            | Told::MessageDelta { .. }
            | Told::QuestionStart { .. }
            | Told::QuestionEnd { .. } => Vec::new(),
            Told::SessionEnd { session, status } if status == "open" => {
                vec![self.dim(&format!("{session} stays open: `pi-host chat --resume {session}` goes on with it"))]
            }
            Told::SessionEnd { session, status } => vec![self.dim(&format!("{session} has ended: {status}"))],
            Told::Missed { events } => {
                vec![self.dim(&format!("  ({events} events are not shown here; `pi-host session show` has them)"))]
            }
        }
    }

    /// What people said in a conversation that is taken up: at the prompt, where it was typed, it stands already.
    pub(super) fn past(&mut self, told: &Told) -> Vec<String> {
        match told {
            Told::TurnStart { text, .. } | Told::Steered { text } if !text.is_empty() => {
                let lines = escaped_lines(text);
                lines.lines().map(|line| self.paint(&format!("› {line}"), Style::new().bold())).collect()
            }
            told => self.lines(told),
        }
    }

    fn piece(&mut self, kind: Kind, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if self.kind != Some(kind) {
            lines = self.flush();
            self.kind = Some(kind);
        }
        if kind == Kind::Call {
            return lines;
        }
        self.has_spoken |= kind == Kind::Text;
        self.open.push_str(text);
        while let Some((line, rest)) = split(&self.open) {
            let (line, rest) = (line.to_owned(), rest.to_owned());
            lines.push(self.said(&line));
            self.open = rest;
        }
        lines
    }

    /// What stands open, as a line.
    fn flush(&mut self) -> Vec<String> {
        let open = std::mem::take(&mut self.open);
        if open.trim().is_empty() { Vec::new() } else { vec![self.said(&open)] }
    }

    fn said(&self, line: &str) -> String {
        let line = escaped_lines(line);
        if self.kind == Some(Kind::Reasoning) { self.paint(&line, Style::new().dimmed().italic()) } else { line }
    }

    /// Lines that belong to a call: below its own line, which comes again where another call stands between.
    fn under(&mut self, call: &str, mut lines: Vec<String>) -> Vec<String> {
        if !lines.is_empty() && self.last != call {
            if let Some(line) = self.calls.get(call) {
                lines.insert(0, line.clone());
            }
            call.clone_into(&mut self.last);
        }
        lines
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Vec<String> {
        let name = self.paint(&escaped(tool), Style::new().cyan().bold());
        let mut lines = vec![format!("  ▸ {name} {}", cut(&main_argument(arguments)))];
        let text = |key: &str| arguments.get(key).and_then(Value::as_str);
        let changes: Vec<(char, &str)> = match (text("old"), text("new"), text("content")) {
            (Some(old), Some(new), _) => {
                old.lines().map(|line| ('-', line)).chain(new.lines().map(|line| ('+', line))).collect()
            }
            (_, _, Some(content)) if text("path").is_some() => content.lines().map(|line| ('+', line)).collect(),
            _ => return lines,
        };
        for (sign, line) in changes.iter().take(CHANGE_LINES_MAX) {
            let style = if *sign == '-' { Style::new().red() } else { Style::new().green() };
            lines.push(self.paint(&format!("    {sign} {}", cut(&escaped(line))), style));
        }
        if changes.len() > CHANGE_LINES_MAX {
            lines.push(self.dim(&format!("    … {} lines more", changes.len() - CHANGE_LINES_MAX)));
        }
        lines
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one decision")]
    fn decision(
        &self,
        act: &str,
        verdict: Verdict,
        risk: u8,
        rules: &[String],
        reason: &str,
        advice: &str,
        by: Option<&str>,
        is_done: bool,
    ) -> Vec<String> {
        let act = cut(&escaped(act));
        if let Some(by) = by {
            let (word, style) =
                if is_done { ("allowed", Style::new().green()) } else { ("not allowed", Style::new().red()) };
            let why = if reason.is_empty() { String::new() } else { format!(": {}", escaped(reason)) };
            return vec![self.paint(&format!("    {word} by {}{why}", escaped(by)), style)];
        }
        if is_done {
            // What was allowed without a word needs none here.
            let rule = rules.first().map_or(String::new(), |rule| format!(" ({rule})"));
            return match verdict {
                Verdict::Allow if risk == 0 => Vec::new(),
                _ => vec![self.dim(&format!("    ✓ {act}, risk {risk}{rule}"))],
            };
        }
        let rule = rules.first().map_or("policy", String::as_str);
        let mut lines = vec![self.paint(
            &format!("    ✗ refused by {rule}, risk {risk}: {}", cut(&escaped(reason))),
            Style::new().red().bold(),
        )];
        if !advice.is_empty() {
            lines.push(self.dim(&format!("      {}", cut(&escaped(advice)))));
        }
        lines
    }

    fn result(&self, status: Status, result: &Value) -> Vec<String> {
        let error = result.get("error");
        if error.is_some_and(|error| error.get("refusal").is_some()) {
            // Told with the decision.
            return Vec::new();
        }
        let text = match error {
            Some(error) => error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
            None => contents(result.get("ok")),
        };
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let style = if status == Status::Done { Style::new().dimmed() } else { Style::new().red() };
        let mut shown: Vec<String> = lines
            .iter()
            .take(RESULT_LINES_MAX)
            .map(|line| self.paint(&format!("    │ {}", cut(&escaped(line))), style))
            .collect();
        if lines.len() > RESULT_LINES_MAX {
            shown.push(self.dim(&format!("    │ … {} lines more", lines.len() - RESULT_LINES_MAX)));
        }
        shown
    }

    fn failed(&self, error: &str) -> Vec<String> {
        let style = Style::new().red().bold();
        error.lines().map(|line| self.paint(&format!("  ✗ {}", escaped(line)), style)).collect()
    }
}

/// What was spent, in words: `, 1,234 tokens in, 56 out, $0.0123`.
pub(super) fn of(spent: &Spent) -> String {
    let tokens = spent.tokens;
    let input = tokens.input.saturating_add(tokens.cache_read).saturating_add(tokens.cache_write);
    let mut text = String::new();
    if input > 0 || tokens.output > 0 {
        text.push_str(&format!(", {} tokens in, {} out", grouped(input), grouped(tokens.output)));
    }
    if let Some(usd) = spent.usd {
        text.push_str(&format!(", ${usd:.4}"));
    }
    text
}

fn counted(count: u32, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The first line of a text that is still growing, and what follows it.
fn split(text: &str) -> Option<(&str, &str)> {
    let limit = text.char_indices().nth(WRAP_CHARS).map(|(index, _)| index);
    let head = text.get(..limit.unwrap_or(text.len()))?;
    if let Some(line) = head.find('\n') {
        return Some((text.get(..line)?, text.get(line + 1..)?));
    }
    let limit = limit?;
    // A word that is longer than a line is broken.
    let at = head.rfind(' ').filter(|at| *at > 0);
    Some(match at {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text.get(..limit)?, text.get(limit..)?),
    })
}

/// What a call is about, in one line: the command, the path, or all of its arguments.
fn main_argument(arguments: &Value) -> String {
    let text = |key: &str| arguments.get(key).and_then(Value::as_str).map(escaped);
    if let Some(text) = text("command").or_else(|| text("script")).or_else(|| text("path")) {
        return text;
    }
    if arguments.as_object().is_some_and(serde_json::Map::is_empty) || arguments.is_null() {
        return String::new();
    }
    escaped(&arguments.to_string())
}

fn contents(ok: Option<&Value>) -> String {
    let one = |content: &Value| {
        if let Some(text) = content.get("text").and_then(Value::as_str) {
            return text.to_owned();
        }
        if let Some(json) = content.get("json") {
            return of_program(json).unwrap_or_else(|| json.to_string());
        }
        let mime = content.pointer("/blob/mime").and_then(Value::as_str).unwrap_or("bytes");
        format!("({mime})")
    };
    ok.and_then(Value::as_array).into_iter().flatten().map(one).collect::<Vec<_>>().join("\n")
}

/// The result of a program: what it said, and how it ended. Nothing of a change, which is shown with the call.
fn of_program(json: &Value) -> Option<String> {
    if json.get("diff").is_some() {
        return Some(String::new());
    }
    let text = |key: &str| json.get(key)?.as_str();
    let mut lines = [text("stdout")?, text("stderr")?].concat();
    if let Some(code) = json.get("exit_code").and_then(Value::as_i64).filter(|code| *code != 0) {
        if !lines.is_empty() && !lines.ends_with('\n') {
            lines.push('\n');
        }
        lines.push_str(&format!("(exit code {code})"));
    }
    Some(lines)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LINE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn piece(text: &str) -> Told {
        Told::MessageDelta { message: "1".into(), kind: Kind::Text, text: text.into() }
    }

    fn end(text: &str) -> Told {
        Told::MessageEnd {
            message: "1".into(),
            status: Status::Done,
            error: None,
            text: text.into(),
            calls: Vec::new(),
            spent: Spent::default(),
        }
    }

    fn start() -> Told {
        Told::MessageStart { message: "1".into(), model: "m".into() }
    }

    fn tool(call: &str, arguments: Value) -> Told {
        Told::ToolStart { call: call.into(), tool: "t".into(), arguments, effect: None }
    }

    fn shown(told: &[Told], is_streaming: bool) -> Vec<String> {
        let mut text = Text::new(false, is_streaming);
        told.iter().flat_map(|told| text.lines(told)).collect()
    }

    #[test]
    fn text_that_arrives_is_shown_line_by_line_and_once() {
        let all = [start(), piece("a b"), piece("c\nd"), piece("\n\ne"), end("a bc\nd\n\ne")];
        assert_eq!(shown(&all, true), ["a bc", "d", "", "e"]);
        assert_eq!(shown(&all, false), ["a bc", "d", "", "e"]);
        let long = "word ".repeat(50);
        let lines = shown(&[start(), piece(&long), end(&long)], true);
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= WRAP_CHARS), "{lines:?}");
        let unbroken = "ü".repeat(250);
        assert_eq!(shown(&[start(), piece(&unbroken), end(&unbroken)], true).concat(), unbroken);
    }

    #[test]
    fn a_terminal_obeys_nothing_that_a_model_or_a_tool_says() {
        let forged = "\u{1b}[2J\u{202e}x";
        let result = json!({ "ok": [{ "text": forged }] });
        let told = [
            start(),
            piece(forged),
            end(forged),
            tool("2.0", json!({ "command": forged })),
            Told::ToolEnd { call: "2.0".into(), status: Status::Done, result },
            Told::Note { source: forged.into(), text: forged.into() },
            Told::ApprovalStart { approval: "a-1".into(), act: forged.into() },
            Told::Error { text: forged.into() },
        ];
        for line in shown(&told, true) {
            assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line:?}");
        }
    }

    #[test]
    fn an_edit_is_shown_as_what_goes_and_what_comes() {
        let arguments = json!({ "path": "a.py", "old": "x\ny", "new": "z" });
        assert_eq!(shown(&[tool("2.0", arguments)], true), ["  ▸ t a.py", "    - x", "    - y", "    + z"]);
        let many = json!({ "path": "a", "content": "l\n".repeat(100) });
        assert_eq!(shown(&[tool("2.0", many)], true).last().unwrap(), "    … 60 lines more");
    }

    #[test]
    fn results_of_calls_side_by_side_stand_below_their_own_call() {
        let ended = |call: &str, text: &str| Told::ToolEnd {
            call: call.into(),
            status: Status::Done,
            result: json!({ "ok": [{ "text": text }] }),
        };
        let (a, b) = (json!({ "path": "a" }), json!({ "path": "b" }));
        let lines = shown(&[tool("2.0", a), tool("2.1", b), ended("2.1", "B"), ended("2.0", "A")], true);
        assert_eq!(lines, ["  ▸ t a", "  ▸ t b", "    │ B", "  ▸ t a", "    │ A"]);
    }

    #[test]
    fn a_refusal_says_why_and_what_else_could_be_done() {
        let told = Told::Decision {
            key: "2.0".into(),
            act: "remove all".into(),
            verdict: Verdict::Deny,
            risk: 100,
            rules: vec!["remove_system".into()],
            reason: "it removes everything".into(),
            advice: "name one folder".into(),
            by: None,
            is_done: false,
        };
        assert_eq!(
            shown(&[tool("2.0", json!({})), told], true),
            ["  ▸ t ", "    ✗ refused by remove_system, risk 100: it removes everything", "      name one folder"]
        );
    }

    #[test]
    fn what_was_spent_is_said_in_tokens_and_money() {
        let tokens = crate::model::Usage { input: 1_234_567, output: 89, cache_read: 433, cache_write: 0 };
        assert_eq!(of(&Spent { tokens, usd: Some(0.01234) }), ", 1,235,000 tokens in, 89 out, $0.0123");
        assert_eq!(of(&Spent::default()), "");
    }
}
