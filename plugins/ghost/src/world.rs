//! The world as the agent has it: tools to call, the journal's clock, models where one is granted.
//!
//! Everything else in this crate takes a [`World`], so that it runs natively against a simulated one. The real one is
//! [`Session`]; it is the only place that names the host's imports.

use pi_sdk::model::{self, Answer as ModelAnswer, Error as ModelError, Info, Request};
use pi_sdk::{Content, Error, Value, logging, session, tools};

/// Calls that the host takes side by side.
const CALLS_MAX: usize = 32;

/// One call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub tool: &'static str,
    pub arguments: Value,
}

/// What a call gave.
pub type Answer = Result<Vec<Content>, Error>;

pub trait World {
    /// Call tools side by side; answers in the order of the calls.
    fn call(&mut self, calls: &[Call]) -> Vec<Answer>;
    /// Milliseconds since 1970.
    fn now_ms(&mut self) -> u64;
    /// Tell the journal's reader what goes on.
    fn say(&mut self, message: &str);
    /// The models that may be asked to word a report.
    fn models(&mut self) -> Vec<Info>;
    /// Ask a model.
    ///
    /// # Errors
    /// Why there is no answer.
    fn complete(&mut self, model: &str, request: &Request) -> Result<ModelAnswer, ModelError>;

    /// The JSON document that one call gives.
    ///
    /// # Errors
    /// Why there is none.
    fn json(&mut self, tool: &'static str, arguments: Value) -> Result<Value, Error> {
        let answers = self.call(&[Call { tool, arguments }]);
        json_of(answers.into_iter().next().unwrap_or_else(|| Err(Error::Failed("the host gave no answer".into()))))
    }
}

/// The JSON document of an answer.
///
/// # Errors
/// The call failed, or gave none.
pub fn json_of(answer: Answer) -> Result<Value, Error> {
    let json = answer?.into_iter().find_map(|part| match part {
        Content::Json(text) => Some(text),
        Content::Text(_) | Content::Blob(_) => None,
    });
    let text = json.ok_or_else(|| Error::Failed("the tool's result is no JSON".into()))?;
    pi_sdk::serde_json::from_str(&text).map_err(|error| Error::Failed(format!("the tool's result is no JSON: {error}")))
}

/// What a tool's error says, in words.
pub fn text_of(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => format!("refused by the rule `{}`: {}", refusal.rule, refusal.reason),
        Error::NotFound(text) => format!("not granted: {text}"),
        Error::Unknown(text) | Error::Failed(text) | Error::InvalidArguments(text) | Error::Limit(text) => text.clone(),
    }
}

/// The session that the agent runs in.
pub struct Session;

impl World for Session {
    fn call(&mut self, calls: &[Call]) -> Vec<Answer> {
        let request =
            |call: &Call| tools::Request { name: call.tool.to_owned(), arguments: call.arguments.to_string() };
        calls.chunks(CALLS_MAX).flat_map(|part| tools::call(&part.iter().map(request).collect::<Vec<_>>())).collect()
    }

    fn now_ms(&mut self) -> u64 {
        session::now()
    }

    fn say(&mut self, message: &str) {
        logging::log(logging::Level::Info, "ghost", message);
    }

    fn models(&mut self) -> Vec<Info> {
        model::available()
    }

    fn complete(&mut self, model: &str, request: &Request) -> Result<ModelAnswer, ModelError> {
        model::complete(model, request)
    }
}
