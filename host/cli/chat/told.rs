//! What happens in a conversation, told as events: sessions, turns, messages, calls of tools and what was decided
//! about them, each with its start and its end. docs/chat.md has the whole list, for who reads them as JSON lines.
//!
//! Pure: events follow from the journal's entries and from what models say while it arrives, so that a conversation
//! that is taken up again looks as it did.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::approval::Note;
use crate::gate::{Decision, Severity, Verdict};
use crate::journal::{Body, Key, Status};
use crate::model::{Completion, Delta, Part, Usage};

/// Billionths of a US dollar in one.
const NANO: f64 = 1e9;

/// One thing that happened. Calls and messages have the keys of the journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub(super) enum Told {
    SessionStart {
        session: String,
        agent: String,
        is_resumed: bool,
    },
    TurnStart {
        turn: u32,
        /// What a person said.
        text: String,
    },
    /// A person said something while the agent worked, and it has heard it.
    Steered {
        text: String,
    },
    /// A model is asked.
    MessageStart {
        message: Key,
        model: String,
    },
    MessageDelta {
        message: Key,
        kind: Kind,
        text: String,
    },
    /// What was told of this message so far does not count: it is asked again.
    MessageVoid {
        message: Key,
        why: String,
    },
    MessageEnd {
        message: Key,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        text: String,
        calls: Vec<Wanted>,
        #[serde(flatten)]
        spent: Spent,
    },
    ToolStart {
        call: Key,
        tool: String,
        arguments: Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        effect: Option<Severity>,
    },
    /// What the gatekeeper decided about an act, and who was asked.
    Decision {
        /// The call, or the act within it.
        key: Key,
        act: String,
        verdict: Verdict,
        risk: u8,
        rules: Vec<String>,
        reason: String,
        advice: String,
        /// Who let it through or did not, where somebody was asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        is_done: bool,
    },
    ApprovalStart {
        approval: String,
        act: String,
    },
    ApprovalEnd {
        approval: String,
        outcome: String,
    },
    ToolEnd {
        call: Key,
        status: Status,
        result: Value,
    },
    /// The agent, or a plugin, says what goes on.
    Note {
        source: String,
        text: String,
    },
    TurnEnd {
        turn: u32,
        calls: u32,
        questions: u32,
        ms: u64,
        #[serde(flatten)]
        spent: Spent,
    },
    Outcome {
        status: String,
        summary: String,
        details: Value,
    },
    /// `status` is that of the outcome, or `open`: it can be taken up again.
    SessionEnd {
        session: String,
        status: String,
    },
    /// A person has to decide; answered by the number.
    QuestionStart {
        question: u64,
        text: String,
    },
    /// `allow` is what the answer was; none, where it needs none any more.
    QuestionEnd {
        question: u64,
        allow: Option<bool>,
    },
    /// What was asked for could not be done.
    Error {
        text: String,
    },
    /// Who reads this was too slow: so many events are missing here, and stand in the journal.
    Missed {
        events: u64,
    },
}

/// What a model says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Text,
    Reasoning,
    /// The name of a tool that it begins to call.
    Call,
}

/// A call that a model wants made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) tool: String,
    /// As the model wrote them, which need not be JSON.
    pub(super) arguments: String,
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spent {
    pub(super) tokens: Usage,
    /// US dollars; none where a model has no price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usd: Option<f64>,
}

impl Spent {
    fn add(&mut self, other: &Self) {
        self.tokens.input = self.tokens.input.saturating_add(other.tokens.input);
        self.tokens.output = self.tokens.output.saturating_add(other.tokens.output);
        self.tokens.cache_read = self.tokens.cache_read.saturating_add(other.tokens.cache_read);
        self.tokens.cache_write = self.tokens.cache_write.saturating_add(other.tokens.cache_write);
        if let Some(usd) = other.usd {
            self.usd = Some(self.usd.unwrap_or_default() + usd);
        }
    }
}

struct Turn {
    number: u32,
    begun_ms: u64,
    calls: u32,
    questions: u32,
    spent: Spent,
}

/// Makes events of entries.
#[derive(Default)]
pub(super) struct Teller {
    session: String,
    turns: u32,
    turn: Option<Turn>,
    last_ms: u64,
    /// What was said and not heard yet.
    said: VecDeque<String>,
    /// The message that is arriving.
    message: Option<(Key, String)>,
    /// The calls that the last message wants, for those that end without having begun.
    wanted: Vec<Wanted>,
    /// Where in them the calls of a step begin, and how many it has.
    steps: BTreeMap<u32, (usize, usize)>,
    /// Calls that have begun, and not ended.
    calls: BTreeMap<Key, Told>,
    /// The last message wanted no call: the turn is over when something is said.
    is_answered: bool,
    total: Spent,
    /// How the session has ended, or that people have left.
    ended: Option<String>,
}

impl Teller {
    /// What was spent in the whole conversation.
    pub(super) fn total(&self) -> Spent {
        self.total
    }

    pub(super) fn is_working(&self) -> bool {
        self.turn.is_some() && !self.is_answered
    }

    /// How the session has ended.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// A person's words to a model are one event: these are followed by the next question.
    pub(super) fn entry(&mut self, session: &str, time_ms: u64, body: &Body) -> Vec<Told> {
        self.last_ms = time_ms;
        let mut told = Vec::new();
        match body {
            Body::SessionStarted { agent, task, .. } => {
                self.session = session.to_owned();
                told.push(self.session_start(agent, false));
                let prompt = task.get("prompt").and_then(Value::as_str).unwrap_or_default();
                if !prompt.is_empty() {
                    told.push(self.begin(time_ms, prompt.to_owned()));
                }
            }
            Body::Said { text, .. } => self.said.push_back(text.clone()),
            Body::Heard { count, .. } => {
                for _ in 0..*count {
                    let Some(text) = self.said.pop_front() else { break };
                    if self.is_answered {
                        told.extend(self.end_turn());
                    }
                    told.push(if self.turn.is_some() { Told::Steered { text } } else { self.begin(time_ms, text) });
                }
            }
            Body::ModelAsked { key, model, .. } => {
                self.message = Some((key.clone(), model.clone()));
                self.is_answered = false;
                told.push(Told::MessageStart { message: key.clone(), model: model.clone() });
            }
            Body::ModelAnswered { key, status, answer } => told.push(self.answered(key, *status, answer)),
            Body::CallStarted { key, tool, arguments, effect, decision, .. } => {
                if !self.calls.contains_key(key) {
                    told.push(self.call(key, tool, arguments.clone(), Some(*effect)));
                }
                if decision.verdict != Verdict::Allow || !decision.rules.is_empty() {
                    told.push(decided(key, format!("call `{tool}`"), decision, None, true));
                }
            }
            Body::EffectStarted { key, act, decision, .. } if act.severity() != Severity::Read => {
                told.push(decided(key, act.summary(), decision, None, true));
            }
            Body::Refused { key, act, decision, .. } => {
                told.extend(self.call_of(key));
                told.push(decided(key, act.summary(), decision, None, false));
            }
            Body::Approved { key, is_granted, by, reason, .. } => {
                told.extend(self.call_of(key));
                let verdict = if *is_granted { Verdict::Allow } else { Verdict::Deny };
                let decision = Decision { verdict, reason: reason.clone(), ..Decision::allow() };
                told.push(decided(key, String::new(), &decision, Some(by.clone()), *is_granted));
            }
            Body::CallEnded { key, status, result } => {
                told.extend(self.call_of(key));
                self.calls.remove(key);
                told.push(Told::ToolEnd { call: key.clone(), status: *status, result: result.clone() });
            }
            Body::Logged { plugin, message, .. } => {
                told.push(Told::Note { source: plugin.clone(), text: message.clone() });
            }
            Body::SessionEnded { status, summary, details } => {
                told.extend(self.end_turn());
                let (status, summary, details) = (status.clone(), summary.clone(), details.clone());
                told.push(Told::Outcome { status: status.clone(), summary, details });
                self.ended = Some(status.clone());
                told.push(Told::SessionEnd { session: self.session.clone(), status });
            }
            _ => {}
        }
        told
    }

    /// A piece of an answer that is still arriving. Nothing, where its message is not the one that is told now.
    pub(super) fn delta(&self, key: &str, delta: &Delta) -> Option<Told> {
        let (message, _) = self.message.as_ref().filter(|(message, _)| message == key)?;
        let message = message.clone();
        let told =
            |kind: Kind, text: &str| Told::MessageDelta { message: message.clone(), kind, text: text.to_owned() };
        Some(match delta {
            Delta::Text { text } => told(Kind::Text, text),
            Delta::Reasoning { text } => told(Kind::Reasoning, text),
            Delta::ToolCall { name } => told(Kind::Call, name),
            Delta::Retry { why, after_ms } => {
                Told::MessageVoid { message, why: format!("{why}; asked again after {:.1} s", *after_ms as f64 / 1e3) }
            }
            Delta::Fallback { from, to, why } => {
                Told::MessageVoid { message, why: format!("`{from}` cannot answer ({why}), `{to}` is asked") }
            }
        })
    }

    /// People are asked, or have decided.
    pub(super) fn note(&self, note: &Note) -> Option<Told> {
        match note {
            Note::Asked { id, session, summary, .. } if *session == self.session => {
                Some(Told::ApprovalStart { approval: id.clone(), act: summary.clone() })
            }
            Note::Settled { id, session, outcome } if *session == self.session => {
                Some(Told::ApprovalEnd { approval: id.clone(), outcome: outcome.clone() })
            }
            Note::Failed { channel, error } => {
                Some(Told::Note { source: channel.clone(), text: format!("cannot be reached: {error}") })
            }
            _ => None,
        }
    }

    /// The agent waits for what is said next. Told late, it is of the turn before the one that goes on now.
    pub(super) fn listening(&mut self) -> Option<Told> {
        let is_late = self.message.is_some() || !self.calls.is_empty();
        let is_new = self.turn.as_ref().is_some_and(|turn| turn.questions == 0);
        if is_late || is_new { None } else { self.end_turn() }
    }

    /// The conversation is taken up where it was cut off: what stands open is begun anew, so that all that ends from
    /// now on has begun.
    pub(super) fn reopen(&mut self, session: &str, agent: &str) -> Vec<Told> {
        self.session = session.to_owned();
        let mut told = vec![self.session_start(agent, true)];
        if self.is_answered {
            self.turn = None;
        }
        if let Some(turn) = &self.turn {
            told.push(Told::TurnStart { turn: turn.number, text: String::new() });
        }
        if let Some((message, model)) = self.message.clone() {
            told.push(Told::MessageStart { message, model });
        }
        told.extend(self.calls.values().cloned());
        told
    }

    /// People leave, and the conversation stays open.
    pub(super) fn left(&mut self) -> Vec<Told> {
        if self.ended.is_some() || self.session.is_empty() {
            return Vec::new();
        }
        self.ended = Some("open".into());
        let end = Told::SessionEnd { session: self.session.clone(), status: "open".into() };
        self.end_turn().into_iter().chain([end]).collect()
    }

    fn session_start(&self, agent: &str, is_resumed: bool) -> Told {
        Told::SessionStart { session: self.session.clone(), agent: agent.to_owned(), is_resumed }
    }

    fn begin(&mut self, time_ms: u64, text: String) -> Told {
        self.turns += 1;
        self.is_answered = false;
        let turn = Turn { number: self.turns, begun_ms: time_ms, calls: 0, questions: 0, spent: Spent::default() };
        self.turn = Some(turn);
        Told::TurnStart { turn: self.turns, text }
    }

    fn end_turn(&mut self) -> Option<Told> {
        self.is_answered = false;
        let turn = self.turn.take()?;
        let ms = self.last_ms.saturating_sub(turn.begun_ms);
        let Turn { number, calls, questions, spent, .. } = turn;
        Some(Told::TurnEnd { turn: number, calls, questions, ms, spent })
    }

    fn answered(&mut self, key: &str, status: Status, answer: &Value) -> Told {
        self.message = None;
        self.wanted.clear();
        self.steps.clear();
        let completion = answer.get("ok").and_then(|value| serde_json::from_value::<Completion>(value.clone()).ok());
        let (mut text, mut spent, mut error) = (String::new(), Spent::default(), None);
        match completion {
            Some(completion) => {
                spent =
                    Spent { tokens: completion.usage, usd: completion.cost_nano_usd.map(|nano| nano as f64 / NANO) };
                for part in completion.message.parts {
                    match part {
                        Part::Text { text: more } => text.push_str(&more),
                        Part::ToolCall { id, name: tool, arguments } => {
                            self.wanted.push(Wanted { id, tool, arguments });
                        }
                        _ => {}
                    }
                }
                self.is_answered = self.wanted.is_empty();
            }
            None => {
                self.is_answered = true;
                error = Some(error_of(answer));
            }
        }
        self.total.add(&spent);
        if let Some(turn) = &mut self.turn {
            turn.questions += 1;
            turn.spent.add(&spent);
        }
        Told::MessageEnd { message: key.to_owned(), status, error, text, calls: self.wanted.clone(), spent }
    }

    /// The start of the call that a key belongs to, where it was not told yet: what is refused does not begin.
    fn call_of(&mut self, key: &str) -> Option<Told> {
        let mut parts = key.split('.');
        let (step, index) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<usize>().ok()?);
        let call = format!("{step}.{index}");
        if self.calls.contains_key(&call) {
            return None;
        }
        let wanted = self.place(step, index).and_then(|place| self.made().nth(place)).cloned();
        let (tool, arguments) = wanted.map(|wanted| (wanted.tool, wanted.arguments)).unwrap_or_default();
        Some(self.call(&call, &tool, serde_json::from_str(&arguments).unwrap_or(Value::String(arguments)), None))
    }

    /// The calls of the last message that reach the host.
    fn made(&self) -> impl Iterator<Item = &Wanted> {
        let is_json = |wanted: &&Wanted| {
            wanted.arguments.trim().is_empty() || serde_json::from_str::<Value>(&wanted.arguments).is_ok()
        };
        self.wanted.iter().filter(is_json)
    }

    /// Which of the wanted calls this one is: the steps of one message follow each other.
    fn place(&mut self, step: u32, index: usize) -> Option<usize> {
        let next = self.steps.values().map(|(base, count)| base.saturating_add(*count)).max().unwrap_or(0);
        let (base, count) = self.steps.entry(step).or_insert((next, 0));
        *count = (*count).max(index.saturating_add(1));
        base.checked_add(index)
    }

    fn call(&mut self, key: &str, tool: &str, arguments: Value, effect: Option<Severity>) -> Told {
        if let Some((step, index)) = key.split_once('.')
            && let (Ok(step), Ok(index)) = (step.parse(), index.parse())
        {
            self.place(step, index);
        }
        if let Some(turn) = &mut self.turn {
            turn.calls += 1;
        }
        let told = Told::ToolStart { call: key.to_owned(), tool: tool.to_owned(), arguments, effect };
        self.calls.insert(key.to_owned(), told.clone());
        told
    }
}

fn decided(key: &str, act: String, decision: &Decision, by: Option<String>, is_done: bool) -> Told {
    Told::Decision {
        key: key.to_owned(),
        act,
        verdict: decision.verdict,
        risk: decision.risk,
        rules: decision.rules.clone(),
        reason: decision.reason.clone(),
        advice: decision.advice.clone(),
        by,
        is_done,
    }
}

/// Why there is no answer, of `{"error": {"kind", "message"}}`.
fn error_of(answer: &Value) -> String {
    let error = answer.get("error").unwrap_or(answer);
    let text = error.get("message").or_else(|| error.get("text")).and_then(Value::as_str);
    text.map_or_else(|| error.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gate::{Act, Origin};

    fn started(prompt: &str) -> Body {
        let task = json!({ "prompt": prompt, "talk": true });
        Body::SessionStarted { agent: "pi".into(), component: String::new(), task, policy: String::new() }
    }

    fn asked(key: &str) -> Body {
        Body::ModelAsked { key: key.into(), model: "m".into(), hash: String::new(), question: Default::default() }
    }

    fn answered(key: &str, text: &str, calls: &[(&str, &str)]) -> Body {
        let mut parts = vec![json!({ "type": "text", "text": text })];
        for (index, (tool, arguments)) in calls.iter().enumerate() {
            parts.push(json!({ "type": "tool_call", "id": format!("c{index}"), "name": tool, "arguments": arguments }));
        }
        let answer = json!({ "ok": {
            "message": { "role": "assistant", "parts": parts }, "stop": "end",
            "usage": { "input": 10, "output": 2 }, "cost_nano_usd": 500_000_000,
        }});
        Body::ModelAnswered { key: key.into(), status: Status::Done, answer }
    }

    fn call(key: &str, tool: &str) -> Body {
        Body::CallStarted {
            key: key.into(),
            tool: tool.into(),
            arguments: json!({}),
            effect: Severity::Read,
            idempotent: true,
            decision: Decision::allow(),
        }
    }

    fn ended(key: &str) -> Body {
        Body::CallEnded { key: key.into(), status: Status::Done, result: json!({ "ok": [] }) }
    }

    fn said(text: &str) -> Body {
        Body::Said { by: "ann".into(), text: text.into() }
    }

    fn heard(count: u32) -> Body {
        Body::Heard { key: "9".into(), count, is_over: false }
    }

    fn refused(key: &str) -> Body {
        let decision = Decision { verdict: Verdict::Deny, risk: 90, rules: vec!["r".into()], ..Decision::allow() };
        let act = Act::Script { text: "rm -rf /".into(), directory: "/".into() };
        Body::Refused { key: key.into(), act, origin: Origin::default(), decision }
    }

    fn tell(teller: &mut Teller, bodies: &[Body]) -> Vec<Told> {
        bodies.iter().enumerate().flat_map(|(index, body)| teller.entry("s-1", 1_000 * index as u64, body)).collect()
    }

    fn names(told: &[Told]) -> String {
        let name = |told: &Told| json!(told)["event"].as_str().unwrap().to_owned();
        told.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    /// Each start has its end, and nothing ends that has not begun.
    fn assert_pairs(told: &[Told]) {
        let mut open: Vec<(String, String)> = Vec::new();
        for one in told {
            let value = json!(one);
            let event = value["event"].as_str().unwrap();
            let Some((what, which)) = event.rsplit_once('_').filter(|(_, which)| ["start", "end"].contains(which))
            else {
                continue;
            };
            let data = &value["data"];
            let id = ["call", "message", "turn", "session"].iter().find_map(|key| data.get(*key));
            let pair = (what.to_owned(), id.unwrap().to_string());
            if which == "start" {
                assert!(!open.contains(&pair), "begun twice: {pair:?} in {told:#?}");
                open.push(pair);
            } else {
                let at = open.iter().position(|other| *other == pair);
                open.remove(at.unwrap_or_else(|| panic!("ends without a start: {pair:?} in {told:#?}")));
            }
        }
        assert!(open.is_empty(), "without an end: {open:?}");
    }

    #[test]
    fn a_conversation_is_told_in_pairs() {
        let mut teller = Teller::default();
        let mut told = tell(
            &mut teller,
            &[
                started("go"),
                asked("1"),
                answered("1", "I look.", &[("read", "{}"), ("bash", "{\"command\":\"rm -rf /\"}")]),
                call("2.0", "read"),
                refused("2.1"),
                Body::CallEnded { key: "2.1".into(), status: Status::Refused, result: json!({}) },
                ended("2.0"),
                said("faster"),
                heard(1),
                asked("4"),
                answered("4", "Done.", &[]),
            ],
        );
        told.extend(teller.listening());
        told.extend(teller.left());
        assert_eq!(
            names(&told),
            "session_start turn_start message_start message_end tool_start tool_start decision tool_end tool_end \
             steered message_start message_end turn_end session_end"
        );
        assert_pairs(&told);
        let Told::ToolStart { tool, arguments, .. } = &told[5] else { panic!("{told:#?}") };
        assert_eq!((tool.as_str(), arguments), ("bash", &json!({ "command": "rm -rf /" })));
        let Told::TurnEnd { calls, questions, spent, ms, .. } = &told[12] else { panic!("{told:#?}") };
        assert_eq!((*calls, *questions, *ms), (2, 2, 10_000));
        assert_eq!((spent.tokens.input, spent.tokens.output, spent.usd), (20, 4, Some(1.0)));
    }

    #[test]
    fn what_is_said_after_an_answer_begins_a_turn() {
        let mut teller = Teller::default();
        let told = tell(
            &mut teller,
            &[
                started("one"),
                asked("1"),
                answered("1", "a", &[]),
                said("two"),
                heard(1),
                asked("3"),
                answered("3", "b", &[]),
                Body::SessionEnded { status: "done".into(), summary: "b".into(), details: json!({}) },
            ],
        );
        assert_pairs(&told);
        let turns = told.iter().filter_map(|told| match told {
            Told::TurnStart { turn, text } => Some((*turn, text.as_str())),
            _ => None,
        });
        assert_eq!(turns.collect::<Vec<_>>(), [(1, "one"), (2, "two")]);
        assert!(teller.left().is_empty(), "it has ended already");
    }

    #[test]
    fn one_that_was_cut_off_begins_anew_where_it_stood() {
        let entries = [
            started("go"),
            asked("1"),
            answered("1", "a", &[("read", "{}"), ("read", "{}")]),
            call("2.0", "read"),
            call("2.1", "read"),
            ended("2.0"),
        ];
        let mut teller = Teller::default();
        tell(&mut teller, &entries);
        assert!(teller.is_working());
        let mut told = teller.reopen("s-1", "pi");
        assert_eq!(names(&told), "session_start turn_start tool_start");
        told.extend(tell(&mut teller, &[ended("2.1"), asked("3"), answered("3", "b", &[])]));
        told.extend(teller.listening());
        told.extend(teller.left());
        assert_pairs(&told);
        let mut waiting = Teller::default();
        tell(&mut waiting, &[started("go"), asked("1"), answered("1", "a", &[])]);
        assert!(!waiting.is_working());
        assert_eq!(names(&waiting.reopen("s-1", "pi")), "session_start");
    }

    #[test]
    fn a_turn_that_has_begun_is_not_ended_by_the_end_of_the_one_before() {
        let mut teller = Teller::default();
        tell(&mut teller, &[started("one"), asked("1"), answered("1", "a", &[]), said("two"), heard(1)]);
        assert_eq!(teller.listening(), None);
        tell(&mut teller, &[asked("3")]);
        assert_eq!(teller.listening(), None);
        tell(&mut teller, &[answered("3", "b", &[])]);
        assert!(matches!(teller.listening(), Some(Told::TurnEnd { turn: 2, questions: 1, .. })));
    }

    #[test]
    fn pieces_of_another_message_are_not_told() {
        let mut teller = Teller::default();
        tell(&mut teller, &[started("go"), asked("1")]);
        let piece = Delta::Text { text: "x".into() };
        assert!(teller.delta("1", &piece).is_some());
        assert!(teller.delta("3", &piece).is_none());
        tell(&mut teller, &[answered("1", "x", &[])]);
        assert!(teller.delta("1", &piece).is_none());
    }
}
