//! From `[models.*]` to models that can be asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::capability::secret::Secrets;
use crate::config::{ModelConfig, Project, variable};
use crate::model::{Clients, Completion, Delta, Model, ModelError, Request, Surroundings, build, keys};
use crate::session::{Models, Offer};

/// One that cannot be asked, with the reason: the host starts all the same, and whoever asks it is told.
struct Unusable(ModelError);

impl Model for Unusable {
    fn complete<'a>(
        &'a self,
        _: &'a Request,
        _: &'a (dyn Fn(Delta) + Send + Sync),
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        let error = self.0.clone();
        Box::pin(async move { Err(error) })
    }
}

/// The keys of a project's models, with a name for each: they are found in whatever comes out.
pub(super) fn key_values(project: &Project) -> Vec<(String, String)> {
    let clients = Clients::default();
    keys(&project.config.models, &Surroundings::new(&project.directory, &variable, &clients))
}

/// The models of a project.
pub(super) fn models(project: &Project, secrets: &Secrets) -> Models {
    let clients = Clients::default();
    let mut around = Surroundings::new(&project.directory, &variable, &clients);
    let scan = secrets.scan();
    around.mask = Some(Arc::new(move |text: &str| scan.hidden(text).into_owned()));
    let configs = &project.config.models;
    let offer = |name: &String, config: &ModelConfig| Offer {
        model: build(name, configs, &around).unwrap_or_else(|error| Arc::new(Unusable(error))),
        context_tokens: config.context_tokens.map_or(0, |tokens| u32::try_from(tokens).unwrap_or(u32::MAX)),
        output_tokens: config.max_output_tokens.unwrap_or(0),
    };
    Models::new(configs.iter().map(|(name, config)| (name.clone(), offer(name, config))).collect::<BTreeMap<_, _>>())
}
