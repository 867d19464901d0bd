//! Sessions that run a runbook. Its agent holds the tools that the runbook's steps name and no others, within
//! `[grants.runbook.tools]` where that is written; what the runbook may do by itself bounds the gate. Everything else
//! is a session as any other: journal, approvals, held services, and taken up where it was cut off.

use std::sync::Arc;

use pi_runbook::{Autonomy, Runbook};
use serde_json::Value;

use super::{Closed, Host, HostError};
use crate::app::context::Talk;
use crate::app::runbooks::{RUNBOOK, RunbookTask, RunbooksError};
use crate::app::single::session_id;
use crate::gate::Profile;
use crate::session::{AgentSetup, Kernel};

/// An agent, with what its sessions call tools with.
pub(super) struct Wired {
    pub(super) setup: AgentSetup,
    pub(super) kernel: Arc<Kernel>,
}

impl Host {
    /// What a session of an agent needs. Of a runbook's it follows from the runbook, which stands in its task.
    pub(super) async fn wired(&self, agent: &str, input: &Value) -> Result<Wired, HostError> {
        if agent != RUNBOOK || self.agents.contains_key(RUNBOOK) {
            return Ok(Wired { setup: self.setup_of(agent)?, kernel: self.kernel.clone() });
        }
        let task = RunbookTask::of_input(input)?;
        let runbook = task.read()?;
        let mut toolbox = self.kernel.toolbox.clone();
        for tool in runbook.tools() {
            if toolbox.get(&tool).is_none()
                && let Some(plugin) = self.setup.plugin_of_tool(&tool)?
            {
                let (linked, limits) = self.setup.tool(&plugin, &|_| {}).await?;
                toolbox.add(&linked, &limits).map_err(crate::app::setup::SetupError::from)?;
            }
        }
        let setup = self.setup.runbook_agent(&runbook.tools(), &|_| {}).await?;
        self.setup.keep(&self.kept, &setup)?;
        let kernel = Arc::new(self.kernel.with(toolbox).bounded(profile(&runbook)));
        Ok(Wired { setup, kernel })
    }

    /// Run a runbook and tell what it came to.
    ///
    /// # Errors
    /// It is wrong, needs what is not granted, or the journal cannot be written.
    pub async fn run_runbook(self: &Arc<Self>, task: &RunbookTask) -> Result<Closed, HostError> {
        self.run_runbook_as(&session_id(RUNBOOK), task).await
    }

    /// The same, under this id.
    pub(super) async fn run_runbook_as(self: &Arc<Self>, id: &str, task: &RunbookTask) -> Result<Closed, HostError> {
        let input = serde_json::to_value(task).unwrap_or_default();
        self.session_as(id.to_owned(), RUNBOOK, "", &input, Talk::Closed).await
    }

    /// See whether a runbook can be run here, before its session begins.
    pub(super) async fn check_runbook(&self, task: &RunbookTask) -> Result<(), HostError> {
        task.check(&self.setup)?;
        let input = serde_json::to_value(task).unwrap_or_default();
        self.wired(RUNBOOK, &input).await.map(|_| ())
    }
}

fn profile(runbook: &Runbook) -> Profile {
    match runbook.autonomy {
        Autonomy::Observe => Profile::Observe,
        Autonomy::Propose => Profile::Propose,
        Autonomy::Approve => Profile::Approve,
        Autonomy::Auto => Profile::Auto,
    }
}

impl From<RunbooksError> for HostError {
    fn from(error: RunbooksError) -> Self {
        Self::Runbook(error)
    }
}
