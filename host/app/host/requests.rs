//! What other commands ask of a running host: calls of tools, its servers' tools, decisions, the end.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Host, HostError, REQUESTS_EVERY};
use crate::app::approvals::on_approval_request;
use crate::app::people::{Touched, on_people_request};
use crate::app::requests::{ALL_SWITCHED, PEER_TOOLS, RUNBOOK_RUN, STOP, Stop, TOOL_CALL};
use crate::app::runbooks::{RUNBOOK, RunbookTask};
use crate::app::safety::{Entry, write_entry};
use crate::app::serving::Serving;
use crate::app::sessions::on_session_request;
use crate::app::single::session_id;
use crate::store::Request;

impl Host {
    pub(super) async fn take_requests(self: &Arc<Self>, sessions: &mut JoinSet<()>) -> Result<(), HostError> {
        for request in self.store.take_requests(self.journal.lease()).await? {
            let host = self.clone();
            if request.kind == RUNBOOK_RUN {
                sessions.spawn(async move { host.run_requested(&request).await });
                continue;
            }
            sessions.spawn(async move {
                let response = host.on_request(&request).await;
                // Who asked sees `unknown` if this cannot be written.
                let _ = host.store.answer(host.journal.lease(), &request.id, response).await;
            });
        }
        Ok(())
    }

    /// Who asked hears the session's id before it begins, and sees its end in the journal.
    async fn run_requested(self: &Arc<Self>, request: &Request) {
        let id = session_id(RUNBOOK);
        let task = match RunbookTask::of_input(&request.payload) {
            Ok(task) => self.check_runbook(&task).await.map(|()| task),
            Err(error) => Err(error.into()),
        };
        let response = match &task {
            Ok(_) => json!({ "session": id }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        // Who asked sees `unknown` if this cannot be written.
        let _ = self.store.answer(self.journal.lease(), &request.id, response).await;
        if let Ok(task) = task {
            // What goes wrong is told as an event, and the session stays open in the journal.
            let _ = self.run_runbook_as(&id, &task).await;
        }
    }

    async fn on_request(self: &Arc<Self>, request: &Request) -> Value {
        let failed = |error: String| json!({ "error": error });
        let approvals = self.approvals.as_ref();
        if let Some(answer) = on_approval_request(approvals, &request.kind, &request.payload).await {
            return answer;
        }
        let (project, journal, kind) = (&self.project, &self.journal, &request.kind);
        if let Some(answer) = on_session_request(project, journal, &self.components(), kind, &request.payload).await {
            return answer;
        }
        let touched = |what: Touched| match what {
            Touched::Job(job) => self.heartbeats.touch(job),
            Touched::Outbox => self.wake_outbox(),
        };
        if let Some(answer) = on_people_request(project, journal, kind, &request.payload, &touched).await {
            return answer;
        }
        match request.kind.as_str() {
            PEER_TOOLS => match self.serving().peer_tools().await {
                Ok(tools) => serde_json::to_value(tools).unwrap_or_default(),
                Err(error) => json!({ "error": { "message": error.to_string() } }),
            },
            ALL_SWITCHED => match serde_json::from_value::<Entry>(request.payload.clone()) {
                Ok(entry) => match write_entry(journal, &entry).await {
                    Ok(()) => json!({ "written": true }),
                    Err(error) => failed(error.to_string()),
                },
                Err(error) => failed(format!("the request cannot be read: {error}")),
            },
            TOOL_CALL => self.serving().tool_call(request).await,
            STOP => match serde_json::from_value::<Stop>(request.payload.clone()) {
                Ok(Stop { session: None }) => {
                    let host = self.clone();
                    // Answered first: the store is given back when the host stops.
                    tokio::spawn(async move {
                        tokio::time::sleep(REQUESTS_EVERY).await;
                        host.stop();
                    });
                    json!({ "stopped": true })
                }
                Ok(Stop { session: Some(id) }) if self.stop_session(&id) => json!({ "stopped": true, "session": id }),
                Ok(Stop { session: Some(id) }) => failed(format!("no session of this id runs: {id}")),
                Err(error) => failed(format!("the request cannot be read: {error}")),
            },
            other => failed(format!("this host does not know the request `{other}`")),
        }
    }

    fn serving(&self) -> Serving<'_> {
        Serving {
            journal: &self.journal,
            setup: &self.setup,
            kernel: self.kernel.clone(),
            approvals: self.approvals.as_ref(),
            // A host that stops waits for the calls that it makes.
            cut: CancellationToken::new(),
        }
    }
}
