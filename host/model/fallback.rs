//! Several models in a row: where one cannot answer and another may, the next is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::BoxFuture;

use super::remote::first_line;
use super::types::{Completion, Delta, Model, ModelError, Request};

/// Each with its name in the configuration, in the order in which they are asked.
pub struct Fallback {
    models: Vec<(String, Arc<dyn Model>)>,
}

impl Fallback {
    #[must_use]
    pub fn new(models: Vec<(String, Arc<dyn Model>)>) -> Self {
        Self { models }
    }

    async fn run(&self, request: &Request, on: &(dyn Fn(Delta) + Send + Sync)) -> Result<Completion, ModelError> {
        // Every attempt but the first of each model is announced.
        let attempts = AtomicU32::new(0);
        let heard = |delta: Delta| {
            if matches!(delta, Delta::Retry { .. }) {
                attempts.fetch_add(1, Ordering::Relaxed);
            }
            on(delta);
        };
        let mut too_large = None;
        for (index, (name, model)) in self.models.iter().enumerate() {
            let before = attempts.load(Ordering::Relaxed);
            let error = match model.complete(request, &heard).await {
                Ok(completion) => {
                    return Ok(Completion { attempts: before.saturating_add(completion.attempts), ..completion });
                }
                Err(error) => error,
            };
            attempts.fetch_add(1, Ordering::Relaxed);
            let next = self.models.get(index + 1).filter(|_| error.may_another_model_help());
            let Some((to, _)) = next else {
                // A smaller conversation would be answered by the model that found it too large.
                return Err(too_large.unwrap_or(error));
            };
            on(Delta::Fallback { from: name.clone(), to: to.clone(), why: first_line(&error) });
            if matches!(error, ModelError::ContextTooLarge { .. }) {
                too_large.get_or_insert(error);
            }
        }
        let hint = "give it at least one".into();
        Err(ModelError::Setup { model: String::new(), reason: "the chain holds no model".into(), hint })
    }
}

impl Model for Fallback {
    fn complete<'a>(
        &'a self,
        request: &'a Request,
        on: &'a (dyn Fn(Delta) + Send + Sync),
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        Box::pin(self.run(request, on))
    }
}
