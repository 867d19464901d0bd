//! What the loop needs of its host. The real one is [`Session`].

use pi_sdk::model::{Answer, Error as ModelError, Info, Request};
use pi_sdk::{Content, Definition, Error, conversation, logging, model, session, tools};

/// Calls that the host takes side by side.
const CALLS_MAX: usize = 32;

/// The host, as the loop has it.
pub trait World {
    /// The models that may be asked, the preferred one first.
    fn models(&mut self) -> Vec<Info>;
    /// The tools that may be called.
    fn tools(&mut self) -> Vec<Definition>;
    /// Ask a model.
    ///
    /// # Errors
    /// Why there is no answer.
    fn complete(&mut self, model: &str, request: &Request) -> Result<Answer, ModelError>;
    /// Call tools side by side; results in the order of the calls.
    fn call(&mut self, calls: &[(String, String)]) -> Vec<Result<Vec<Content>, Error>>;
    /// What people have said since the last look.
    fn heard(&mut self) -> Vec<String>;
    /// Wait for what people say next; none when nothing more will come.
    fn next(&mut self) -> Option<String>;
    /// Milliseconds since 1970.
    fn now_ms(&mut self) -> u64;
    /// Tell the journal's reader what goes on.
    fn note(&mut self, text: &str);
}

/// The session that the agent runs in.
pub struct Session;

impl World for Session {
    fn models(&mut self) -> Vec<Info> {
        model::available()
    }

    fn tools(&mut self) -> Vec<Definition> {
        tools::available()
    }

    fn complete(&mut self, model: &str, request: &Request) -> Result<Answer, ModelError> {
        model::complete(model, request)
    }

    fn call(&mut self, calls: &[(String, String)]) -> Vec<Result<Vec<Content>, Error>> {
        let request =
            |(name, arguments): &(String, String)| tools::Request { name: name.clone(), arguments: arguments.clone() };
        calls.chunks(CALLS_MAX).flat_map(|part| tools::call(&part.iter().map(request).collect::<Vec<_>>())).collect()
    }

    fn heard(&mut self) -> Vec<String> {
        conversation::heard()
    }

    fn next(&mut self) -> Option<String> {
        conversation::next()
    }

    fn now_ms(&mut self) -> u64 {
        session::now()
    }

    fn note(&mut self, text: &str) {
        logging::log(logging::Level::Info, "agent", text);
    }
}
