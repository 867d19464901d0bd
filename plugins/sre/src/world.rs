//! The world as the agent has it: tools to call, a clock of the journal, and waiting.
//!
//! Everything else in this crate takes a [`World`] as an argument, so that it runs natively against
//! a simulated one. The real one is [`Session`]; it is the only place that names the host's imports.

use std::borrow::Cow;

use pi_sdk::model::{self, Answer as ModelAnswer, Error as ModelError, Info, Request};
use pi_sdk::{Content, Definition, Error, Refusal, Value, logging, session, tools};

/// Calls that the host takes side by side.
const CALLS_MAX: usize = 32;

/// One call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub tool: Cow<'static, str>,
    pub arguments: Value,
}

impl Call {
    pub fn new(tool: impl Into<Cow<'static, str>>, arguments: Value) -> Self {
        Self { tool: tool.into(), arguments }
    }
}

/// Why a call gave no result. Never read as health.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// The gatekeeper said no.
    Refused {
        action: String,
        rule: String,
        reason: String,
        advice: String,
    },
    /// It was begun, and may have taken effect.
    Unknown(String),
    /// The tool, or what it should act on, is not within the grant.
    NotGranted(String),
    Failed(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Refused { action, rule, reason, .. } => {
                write!(f, "refused by the rule `{rule}`: {action}: {reason}")
            }
            Trouble::Unknown(text) => write!(f, "outcome unknown: {text}"),
            Trouble::NotGranted(text) => write!(f, "not granted: {text}"),
            Trouble::Failed(text) => f.write_str(text),
        }
    }
}

pub type Answer = Result<Value, Trouble>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warn,
}

pub trait World {
    /// Call tools side by side; answers in the order of the calls.
    fn call(&mut self, calls: &[Call]) -> Vec<Answer>;
    /// Milliseconds since 1970.
    fn now_ms(&mut self) -> u64;
    fn sleep(&mut self, ms: u32);
    /// Tell the journal's reader what goes on.
    fn say(&mut self, level: Level, message: &str);

    /// The models that may be asked for an opinion; none where none is granted.
    fn models(&mut self) -> Vec<Info>;
    /// The tools that may be called.
    fn tools(&mut self) -> Vec<Definition>;
    /// Ask a model.
    ///
    /// # Errors
    /// Why there is no answer.
    fn complete(&mut self, model: &str, request: &Request) -> Result<ModelAnswer, ModelError>;
    /// Call tools by their names, as somebody else wants them called.
    fn call_named(&mut self, calls: &[(String, String)]) -> Vec<Result<Vec<Content>, Error>>;

    fn call_one(&mut self, call: Call) -> Answer {
        self.call(&[call]).pop().unwrap_or_else(|| Err(Trouble::Failed("the host gave no answer".into())))
    }
}

/// The session that the agent runs in.
pub struct Session;

impl World for Session {
    fn call(&mut self, calls: &[Call]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(calls.len());
        for part in calls.chunks(CALLS_MAX) {
            let requests: Vec<_> = part
                .iter()
                .map(|call| tools::Request { name: call.tool.to_string(), arguments: call.arguments.to_string() })
                .collect();
            let mut results = tools::call(&requests).into_iter();
            for call in part {
                answers.push(match results.next() {
                    Some(Ok(content)) => value_of(content),
                    Some(Err(error)) => Err(trouble_of(&call.tool, error)),
                    None => Err(Trouble::Failed(format!("no answer for `{}`", call.tool))),
                });
            }
        }
        answers
    }

    fn models(&mut self) -> Vec<Info> {
        model::available()
    }

    fn tools(&mut self) -> Vec<Definition> {
        tools::available()
    }

    fn complete(&mut self, model: &str, request: &Request) -> Result<ModelAnswer, ModelError> {
        model::complete(model, request)
    }

    fn call_named(&mut self, calls: &[(String, String)]) -> Vec<Result<Vec<Content>, Error>> {
        let request =
            |(name, arguments): &(String, String)| tools::Request { name: name.clone(), arguments: arguments.clone() };
        calls.chunks(CALLS_MAX).flat_map(|part| tools::call(&part.iter().map(request).collect::<Vec<_>>())).collect()
    }

    fn now_ms(&mut self) -> u64 {
        session::now()
    }

    fn sleep(&mut self, ms: u32) {
        session::sleep(ms);
    }

    fn say(&mut self, level: Level, message: &str) {
        let level = match level {
            Level::Info => logging::Level::Info,
            Level::Warn => logging::Level::Warn,
        };
        logging::log(level, "sre", message);
    }
}

/// The JSON document of a result, or else its text.
fn value_of(content: Vec<Content>) -> Answer {
    let mut text = String::new();
    for part in content {
        match part {
            Content::Json(json) => {
                return pi_sdk::serde_json::from_str(&json)
                    .map_err(|error| Trouble::Failed(format!("the tool's result is not JSON: {error}")));
            }
            Content::Text(part) => text.push_str(&part),
            Content::Blob(_) => {}
        }
    }
    Ok(Value::String(text))
}

fn trouble_of(tool: &str, error: Error) -> Trouble {
    match error {
        Error::Refused(Refusal { action, rule, reason, advice, .. }) => {
            Trouble::Refused { action, rule, reason, advice }
        }
        Error::Unknown(text) => Trouble::Unknown(text),
        Error::NotFound(text) => Trouble::NotGranted(format!("the tool `{tool}`: {text}")),
        Error::Failed(text) => match text.strip_prefix("not granted: ") {
            Some(rest) => Trouble::NotGranted(rest.into()),
            None => Trouble::Failed(text),
        },
        Error::InvalidArguments(text) => Trouble::Failed(format!("`{tool}` does not take these arguments: {text}")),
        Error::Limit(text) => Trouble::Failed(format!("`{tool}` reached a limit: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_that_lacks_the_action_is_told_from_a_failure() {
        let trouble = trouble_of("service_restart", Error::Failed("not granted: add `restart`".into()));
        assert_eq!(trouble, Trouble::NotGranted("add `restart`".into()));
        let trouble = trouble_of("service_restart", Error::Failed("it would not stop".into()));
        assert_eq!(trouble, Trouble::Failed("it would not stop".into()));
    }

    #[test]
    fn a_result_of_several_texts_is_one_text() {
        let content = vec![Content::Text("a".into()), Content::Text("b".into())];
        assert_eq!(value_of(content), Ok(Value::String("ab".into())));
    }
}
