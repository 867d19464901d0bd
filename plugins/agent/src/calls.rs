//! The calls that a model wants made: made side by side, their results cut to what the model should see at once.

use std::collections::{BTreeMap, VecDeque};

use pi_sdk::model::{Call, CallResult, Tool};
use pi_sdk::serde_json::{self, Value};
use pi_sdk::{Content, Error, json};

use crate::world::World;

/// The tool of the loop itself: the whole of a result that was cut.
pub(crate) const RECALL: &str = "recall_output";
/// Whole results that are kept, in bytes together. Danger: the memory of the instance.
const WHOLE_BYTES_MAX: usize = 32 << 20;
/// A call that has failed so often in the same way is pointed at.
const REPEATS_TOLD: u32 = 3;
/// What succeeds may be asked again and again for a while: who waits for something does.
const SAME_PER_REPEAT: u32 = 4;

/// Results that were cut, whole, by the id of their call.
#[derive(Default)]
pub(crate) struct Wholes {
    by_id: BTreeMap<String, String>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Wholes {
    fn keep(&mut self, id: &str, text: String) {
        self.bytes += text.len();
        self.order.push_back(id.to_owned());
        if let Some(before) = self.by_id.insert(id.to_owned(), text) {
            self.bytes -= before.len();
        }
        while self.bytes > WHOLE_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.by_id.remove(&oldest).map_or(0, |text| text.len());
        }
    }

    fn recall(&self, arguments: &Value, chars_max: usize) -> Result<String, String> {
        let id = arguments["call"].as_str().unwrap_or_default();
        let whole = self.by_id.get(id).ok_or_else(|| format!("no cut result of the call `{id}` is kept"))?;
        let number = |key: &str| arguments[key].as_u64().and_then(|number| usize::try_from(number).ok());
        let from = number("from").unwrap_or(0);
        let count = number("count").unwrap_or(chars_max).min(chars_max);
        let part: String = whole.chars().skip(from).take(count).collect();
        if part.is_empty() {
            return Err(format!("the result has {} characters, and none from {from} on", whole.chars().count()));
        }
        Ok(part)
    }
}

/// Calls that fail again and again, or give the same again and again.
#[derive(Default)]
pub(crate) struct Repeats {
    failed: BTreeMap<(String, String), u32>,
    /// The last answer's calls with their results, and how often it was the same.
    last: Vec<(String, String, String)>,
    same: u32,
}

impl Repeats {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn count(&mut self, call: &Call) -> u32 {
        let count = self.failed.entry((call.tool.clone(), same_form(call))).or_insert(0);
        *count += 1;
        *count
    }

    /// How often in a row an answer has made these calls and got these results.
    fn count_same(&mut self, calls: &[Call], results: &[CallResult]) -> u32 {
        let one = |(call, result): (&Call, &CallResult)| {
            (call.tool.clone(), same_form(call), format!("{:?}", result.content))
        };
        let now: Vec<_> = calls.iter().zip(results).map(one).collect();
        self.same = if now == self.last { self.same + 1 } else { 1 };
        self.last = now;
        self.same
    }
}

/// The arguments without what makes no difference: spaces, the order of names.
fn same_form(call: &Call) -> String {
    serde_json::from_str::<Value>(&call.arguments).map_or_else(|_| call.arguments.clone(), |value| value.to_string())
}

/// The tool of the loop itself, as the model is told of it.
pub(crate) fn recall_tool() -> Tool {
    let schema = json!({
        "type": "object", "required": ["call"], "additionalProperties": false,
        "properties": {
            "call": { "type": "string", "description": "The id that stands where the result was cut" },
            "from": { "type": "integer", "minimum": 0, "description": "The first character, counted from 0" },
            "count": { "type": "integer", "minimum": 1, "description": "How many characters" }
        }
    });
    Tool {
        name: RECALL.to_owned(),
        description: "Reads on in a result that was cut because it was long".to_owned(),
        input_schema: schema.to_string(),
    }
}

/// What came of the calls of one answer.
pub(crate) struct Made {
    pub results: Vec<CallResult>,
    /// A call that failed so often in the same way that the turn should end, in words.
    pub stuck: Option<String>,
}

/// Make calls: side by side, but for those on one path, which keep their order.
pub(crate) fn make(
    world: &mut impl World,
    calls: &[Call],
    wholes: &mut Wholes,
    repeats: &mut Repeats,
    (chars_max, repeats_max): (usize, u32),
) -> Made {
    let mut answers: BTreeMap<usize, Result<Vec<Content>, String>> = BTreeMap::new();
    let mut batch: Vec<(usize, Option<String>)> = Vec::new();
    let mut flush = |batch: &mut Vec<(usize, Option<String>)>, answers: &mut BTreeMap<usize, _>| {
        let asked: Vec<_> = batch
            .iter()
            .filter_map(|(index, _)| calls.get(*index))
            .map(|call| (call.tool.clone(), arguments_of(call)))
            .collect();
        let results = if asked.is_empty() { Vec::new() } else { world.call(&asked) };
        for ((index, _), result) in batch.drain(..).zip(results) {
            answers.insert(index, result.map_err(words));
        }
    };
    for (index, call) in calls.iter().enumerate() {
        let value = match serde_json::from_str::<Value>(&arguments_of(call)) {
            Ok(value) => value,
            Err(error) => {
                answers.insert(index, Err(format!("the arguments are not JSON ({error}); nothing was done")));
                continue;
            }
        };
        if call.tool == RECALL {
            answers.insert(index, wholes.recall(&value, chars_max).map(|text| vec![Content::Text(text)]));
            continue;
        }
        let path = value["path"].as_str().map(str::to_owned);
        if path.is_some() && batch.iter().any(|(_, other)| *other == path) {
            flush(&mut batch, &mut answers);
        }
        batch.push((index, path));
    }
    flush(&mut batch, &mut answers);
    let mut stuck = None;
    let results = calls.iter().enumerate().map(|(index, call)| {
        let answer = answers.remove(&index).unwrap_or_else(|| Err("the host gave no answer".to_owned()));
        let (mut content, is_error) = match answer {
            Ok(content) => (content, false),
            Err(text) => (vec![Content::Text(text)], true),
        };
        for part in &mut content {
            if let Content::Text(text) | Content::Json(text) = part
                && call.tool != RECALL
                && text.chars().nth(chars_max).is_some()
            {
                let whole = std::mem::take(text);
                *part = Content::Text(cut(&whole, chars_max, &call.id));
                wholes.keep(&call.id, whole);
            }
        }
        if is_error {
            let count = repeats.count(call);
            if count >= repeats_max {
                stuck = Some(format!("`{}` with {} failed {count} times in the same way", call.tool, call.arguments));
            }
            if count >= REPEATS_TOLD {
                content.push(Content::Text(format!("This same call has failed {count} times: do something else.")));
            }
        }
        CallResult { id: call.id.clone(), content, is_error }
    });
    let results: Vec<CallResult> = results.collect();
    let same = repeats.count_same(calls, &results);
    if let Some(call) = calls.first()
        && stuck.is_none()
        && same >= repeats_max.saturating_mul(SAME_PER_REPEAT)
    {
        stuck = Some(format!("`{}` with {} was called {same} times with the same result", call.tool, call.arguments));
    }
    Made { results, stuck }
}

/// A tool without parameters is called with nothing by some models.
fn arguments_of(call: &Call) -> String {
    if call.arguments.trim().is_empty() { "{}".to_owned() } else { call.arguments.clone() }
}

/// Beginning and end of a text, with the way to the rest.
fn cut(text: &str, chars_max: usize, id: &str) -> String {
    let all = text.chars().count();
    let (head, tail) = (chars_max * 3 / 5, chars_max * 3 / 10);
    let first: String = text.chars().take(head).collect();
    let last: String = text.chars().skip(all.saturating_sub(tail)).collect();
    let left_out = all.saturating_sub(head + tail);
    format!(
        "{first}\n[{left_out} of {all} characters are left out here; {RECALL} with call \"{id}\" and from {head} reads on]\n{last}"
    )
}

/// Why a call gave no result, for the model.
fn words(error: Error) -> String {
    match error {
        Error::Refused(refusal) => format!(
            "refused by the rule `{}`, nothing of it was done: {}\nreason: {}\nadvice: {}",
            refusal.rule, refusal.action, refusal.reason, refusal.advice
        ),
        Error::InvalidArguments(text) | Error::NotFound(text) | Error::Failed(text) => text,
        Error::Unknown(text) => format!("it is not known whether this was done, look before you do it again: {text}"),
        Error::Limit(text) => format!("a limit was reached: {text}"),
    }
}
