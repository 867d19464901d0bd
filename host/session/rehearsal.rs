//! An agent tried against tools that answer by a script: nothing outside is touched, no time passes.
//! For the tests of who writes an agent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::call::{Caller, Kernel};
use super::message::CallResult;
use super::run::{Ended, ended};
use crate::capability::bindings::agent_world::exports::pi::agent::agent::Task;
use crate::capability::bindings::pi::model::model as wit_model;
use crate::capability::bindings::pi::tool::types::{Content, Definition, Effect, Error};
use crate::capability::bindings::pi::tools::tools::Request;
use crate::capability::model::ModelState;
use crate::capability::session::SessionState;
use crate::capability::tools::ToolsState;
use crate::runtime::{CallLimits, Context, Determinism, LinkedAgent};

/// When every rehearsal begins: 2026-01-01T00:00:00Z.
const BEGIN_MS: u64 = 1_767_225_600_000;
/// Calls that are kept. Danger: an agent that calls for ever.
const CALLS_MAX: usize = 10_000;

/// What the tools answer: by name and how often it was called before.
pub trait Script: Send + Sync {
    /// The names of the tools that there are.
    fn tools(&self) -> Vec<String>;
    /// The answer to a call; none where there is no such tool.
    fn answer(&self, tool: &str, index: usize) -> Option<CallResult>;
}

/// What an agent is given.
pub struct Rehearsal<'a> {
    pub linked: &'a LinkedAgent,
    pub limits: CallLimits,
    pub prompt: &'a str,
    pub input: &'a Value,
    pub config: &'a Value,
}

/// Run an agent against a script. The second part of the answer is the tools that it called, in order.
///
/// # Errors
/// It did not come to an end: which limit or trap ended it, or its own sentence.
pub async fn rehearse(
    kernel: &Kernel,
    caller: Caller,
    rehearsal: Rehearsal<'_>,
    script: Arc<dyn Script>,
) -> (Result<Ended, String>, Vec<String>) {
    let id = caller.origin.session.clone();
    let stage = Arc::new(Stage { script, calls: Mutex::default(), now_ms: Arc::new(AtomicU64::new(BEGIN_MS)) });
    let context = Context {
        door: kernel.door(&caller, ""),
        limits: rehearsal.limits,
        tools: Some(stage.clone()),
        session: Some(stage.clone()),
        said: 0,
        determinism: Some(Determinism { now_ms: stage.now_ms.clone(), seed: [7; 16] }),
    };
    let task = Task {
        id,
        prompt: rehearsal.prompt.to_owned(),
        input: rehearsal.input.to_string(),
        config: rehearsal.config.to_string(),
    };
    let outcome = kernel.runtime.run_agent(rehearsal.linked, context, &task).await;
    let calls = stage.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (outcome.map(ended).map_err(|error| error.to_string()), calls)
}

struct Stage {
    script: Arc<dyn Script>,
    calls: Mutex<Vec<String>>,
    now_ms: Arc<AtomicU64>,
}

#[async_trait]
impl ToolsState for Stage {
    fn available(&self) -> Vec<Definition> {
        let definition = |name: String| Definition {
            name,
            description: "a tool of the script".into(),
            input_schema: json!({ "type": "object" }).to_string(),
            effect: Effect::Read,
            idempotent: true,
        };
        self.script.tools().into_iter().map(definition).collect()
    }

    async fn call(&self, requests: Vec<Request>) -> wasmtime::Result<Vec<Result<Vec<Content>, Error>>> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = |request: &Request| {
            if calls.len() >= CALLS_MAX {
                return Err(Error::Limit(format!("a rehearsal has at most {CALLS_MAX} calls")));
            }
            let index = calls.iter().filter(|name| **name == request.name).count();
            let answer = self.script.answer(&request.name, index);
            calls.push(request.name.clone());
            answer.unwrap_or_else(|| Err(Error::NotFound(format!("the script has no tool `{}`", request.name))))
        };
        Ok(requests.iter().map(&mut answer).collect())
    }
}

/// There is no model at a rehearsal: an agent that asks one is told so, and has to live with it.
#[async_trait]
impl ModelState for Stage {
    fn available(&self) -> Vec<wit_model::Info> {
        Vec::new()
    }

    async fn complete(
        &self,
        _: String,
        _: wit_model::Request,
    ) -> wasmtime::Result<Result<wit_model::Answer, wit_model::Error>> {
        Ok(Err(wit_model::Error::NotGranted("a rehearsal has no model".into())))
    }
}

#[async_trait]
impl SessionState for Stage {
    fn heard(&self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn next(&self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }

    fn now(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    async fn sleep(&self, ms: u32) -> wasmtime::Result<()> {
        self.now_ms.fetch_add(u64::from(ms), Ordering::Relaxed);
        // One that sleeps in a loop is ended by its time.
        tokio::task::yield_now().await;
        Ok(())
    }
}
