//! An agent's questions to models: from the journal as long as it reaches, then over the wire.
//!
//! A conversation grows by a few messages at a time, so the journal keeps what is new in each question, and a hash
//! over the whole: in a replay the agent has to ask the same. What tools have returned goes to the model marked as
//! data, and known secrets are taken out of everything that goes there.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::agent::{AgentImports, Diverged};
use super::budget::{Spent, Wanted};
use super::question::{answer_from, hide, marked, request_of};
use crate::approval::Aside;
use crate::capability::bindings::pi::model::model::{Answer, Error, Info, Request};
use crate::capability::model::ModelState;
use crate::capability::session::{LaidAside, Stopped};
use crate::gate::explain::escaped;
use crate::journal::{Body, Key, Question, Status};
use crate::model::{Completion, Delta, Model, ModelError};

/// The models of a host, by their names in `pi.toml`.
#[derive(Clone, Default)]
pub struct Models {
    by_name: Arc<BTreeMap<String, Offer>>,
}

/// One model, and how much it takes.
#[derive(Clone)]
pub struct Offer {
    pub model: Arc<dyn Model>,
    pub context_tokens: u32,
    pub output_tokens: u32,
}

/// A piece of an answer as it arrives, for who looks on. Nothing of it is kept: the whole answer is.
#[derive(Clone, Debug)]
pub struct Streamed {
    pub session: Arc<str>,
    pub key: Key,
    pub delta: Delta,
}

impl Models {
    #[must_use]
    pub fn new(by_name: BTreeMap<String, Offer>) -> Self {
        Self { by_name: Arc::new(by_name) }
    }

    fn get(&self, name: &str) -> Option<&Offer> {
        self.by_name.get(name)
    }

    /// Those of these names, in their order.
    #[must_use]
    pub fn offered(&self, names: &[String]) -> Vec<Info> {
        let info = |name: &String| {
            let offer = self.get(name)?;
            let (context_tokens, output_tokens) = (offer.context_tokens, offer.output_tokens);
            Some(Info { name: name.clone(), context_tokens, output_tokens })
        };
        names.iter().filter_map(info).collect()
    }
}

#[async_trait]
impl ModelState for AgentImports {
    fn available(&self) -> Vec<Info> {
        self.offered().models.clone()
    }

    async fn complete(&self, model: String, request: Request) -> wasmtime::Result<Result<Answer, Error>> {
        if *self.stop.borrow() {
            return Err(wasmtime::Error::new(Stopped));
        }
        self.journal.ready().await;
        let step = self.next_step();
        let key = step.to_string();
        let (asked, question, hash) = {
            let mut conversation = self.conversation.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = match request_of(request, &self.kernel.runtime, &mut conversation.tools) {
                Ok(asked) => asked,
                Err(why) => return Ok(Err(Error::Invalid(why))),
            };
            let (question, hash) = conversation.ask(&model, &asked);
            (asked, question, hash)
        };
        let known = self.history.model(&key);
        if let Some(known) = known {
            if known.hash != hash {
                let recorded = format!("a question to `{}`", known.model);
                let asked = self.difference(&known.question, &known.model, &model);
                return Err(self.diverged(Diverged { key, recorded, asked }));
            }
        } else {
            self.no_other(step, "a question to a model")?;
        }
        if let Some(ended) = known.and_then(|known| known.ended.as_ref()) {
            self.saw(ended.time_ms);
            self.played.iter().for_each(|played| played.question());
            let Some(result) = from_value(&ended.value) else {
                return Err(wasmtime::Error::msg(format!("the journal's answer of {key} cannot be read")));
            };
            return Ok(self.taken(result));
        }
        self.may_go_on(&key, || {
            let rest = if known.is_some() { "the answer to a question" } else { "a question" };
            format!("{rest} to `{}`", escaped(&model))
        })?;
        // Also where it is refused: the same question has the same answer in every replay, whatever pi.toml says then.
        if known.is_none() {
            self.journal.append(Body::ModelAsked { key: key.clone(), model: model.clone(), hash, question });
        }
        let aside = Aside::of_rerun();
        let mut stop = self.stop.clone();
        let may_ask = tokio::select! {
            biased;
            may_ask = self.may_ask(&key, &model, &aside) => may_ask,
            // Until people have granted more, or refused it: asked again when the session is taken up.
            approval = aside.laid() => return Err(wasmtime::Error::new(LaidAside { approval })),
            _ = stop.wait_for(|is_stopped| *is_stopped) => return Err(wasmtime::Error::new(Stopped)),
            () = self.inbox.interrupted() => {
                self.inbox.take_interruption();
                Err(Error::Interrupted("a person has interrupted".into()))
            }
        };
        let result = match may_ask {
            // A model has seen no result that the journal could lose.
            Ok(offer) => match self.journal.outlive().await {
                Ok(()) => self.ask(&key, offer, marked(asked, self.journal.id())).await?,
                // The host sees by the journal's health why, and the session goes on from what is stored.
                Err(_) => return Err(wasmtime::Error::new(Stopped)),
            },
            Err(refused) => Err(refused),
        };
        let status = if result.is_ok() { Status::Done } else { Status::Failed };
        let time_ms = self.journal.append(Body::ModelAnswered { key, status, answer: to_value(&result) });
        self.saw(time_ms);
        if let Ok(completion) = &result {
            self.budget.spend_today(time_ms, &Spent::of(completion));
        }
        Ok(self.taken(result))
    }
}

impl AgentImports {
    /// The model of this name, where it is granted and there is budget left.
    async fn may_ask(&self, key: &str, model: &str, aside: &Aside) -> Result<&Offer, Error> {
        let offer = self.kernel.models.get(model).filter(|_| self.models.iter().any(|name| name == model));
        let offer = offer.ok_or_else(|| {
            Error::NotGranted(format!(
                "model `{}` is not granted to `{agent}`\nhint: add it to [grants.{agent}.model] names in pi.toml",
                escaped(&model.chars().take(64).collect::<String>()),
                agent = self.origin.agent
            ))
        })?;
        self.may_spend(key, Wanted::Question, aside).await.map_err(Error::Budget)?;
        Ok(offer)
    }

    /// Ask over the wire. The outer error: the session shall stop.
    async fn ask(
        &self,
        key: &Key,
        offer: &Offer,
        sent: crate::model::Request,
    ) -> wasmtime::Result<Result<Completion, Error>> {
        let streamed = |delta: Delta| {
            if self.kernel.streamed.receiver_count() > 0 {
                let session = Arc::from(self.journal.id());
                let _ = self.kernel.streamed.send(Arc::new(Streamed { session, key: key.clone(), delta }));
            }
        };
        let mut stop = self.stop.clone();
        tokio::select! {
            result = offer.model.complete(&sent, &streamed) => {
                let hidden = |mut completion: Completion| {
                    // A model that has seen a secret elsewhere may say it.
                    hide(&mut completion.message, &self.kernel.runtime);
                    completion
                };
                Ok(result.map(hidden).map_err(|error| error_of(&error)))
            }
            () = self.inbox.interrupted() => {
                self.inbox.take_interruption();
                Ok(Err(Error::Interrupted("a person has interrupted".into())))
            }
            // The question is asked again when the session is taken up.
            _ = stop.wait_for(|is_stopped| *is_stopped) => Err(wasmtime::Error::new(Stopped)),
        }
    }

    /// Count what an answer cost, and note it as the next message of the conversation.
    fn taken(&self, result: Result<Completion, Error>) -> Result<Answer, Error> {
        let completion = result?;
        self.budget.spend(&Spent::of(&completion));
        let answer = answer_from(&completion);
        self.conversation.lock().unwrap_or_else(PoisonError::into_inner).answered(completion.message);
        Ok(answer)
    }

    fn difference(&self, recorded: &Question, recorded_model: &str, model: &str) -> String {
        if recorded_model != model {
            return format!("a question to `{}`", escaped(model));
        }
        self.conversation.lock().unwrap_or_else(PoisonError::into_inner).difference(recorded)
    }
}

/// The answer in an entry of the journal, where it is one.
pub(super) fn completion_of(answer: &Value) -> Option<Completion> {
    from_value(answer)?.ok()
}

fn error_of(error: &ModelError) -> Error {
    match error {
        ModelError::ContextTooLarge { .. } => Error::TooLong(error.to_string()),
        ModelError::BadRequest { .. } | ModelError::Conversation { .. } => Error::Invalid(error.to_string()),
        other => Error::Unavailable(other.to_string()),
    }
}

fn to_value(result: &Result<Completion, Error>) -> Value {
    match result {
        Ok(completion) => json!({ "ok": completion }),
        Err(error) => {
            let (kind, text) = match error {
                Error::NotGranted(text) => ("not_granted", text),
                Error::TooLong(text) => ("too_long", text),
                Error::Budget(text) => ("budget", text),
                Error::Invalid(text) => ("invalid", text),
                Error::Interrupted(text) => ("interrupted", text),
                Error::Unavailable(text) => ("unavailable", text),
            };
            json!({ "error": { "kind": kind, "message": text } })
        }
    }
}

fn from_value(value: &Value) -> Option<Result<Completion, Error>> {
    if let Some(completion) = value.get("ok") {
        return serde_json::from_value(completion.clone()).ok().map(Ok);
    }
    let error = value.get("error")?;
    let text = error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Err(match error.get("kind")?.as_str()? {
        "not_granted" => Error::NotGranted(text),
        "too_long" => Error::TooLong(text),
        "budget" => Error::Budget(text),
        "invalid" => Error::Invalid(text),
        "interrupted" => Error::Interrupted(text),
        _ => Error::Unavailable(text),
    }))
}
