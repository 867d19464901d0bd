//! `pi:services`: the services of `pi.toml` that are within the grant, and the acts that it names.
//!
//! A name outside the grant is unknown to the guest, as if the service did not exist. What a call needs
//! of the grant is looked up first, then the act goes through the door, and only then to the supervisor.

mod answer;
mod grant;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::bindings::pi::services::services::{
    Change, Condition, Description, Error, Host, LogLine, Owner, ProbeResult,
};
use super::door::Pass;
use super::state::CallState;
use crate::confine::Identity;
use crate::gate::Act;
use crate::supervisor::{Supervisor, SupervisorError};

pub use grant::{Action, ServicesState};

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for CallState {
    async fn list(&mut self) -> wasmtime::Result<Vec<Description>> {
        let Some(services) = &self.services else { return Ok(Vec::new()) };
        let known = services.names().filter_map(|name| services.supervisor.describe(name).ok());
        Ok(known.map(Description::from).collect())
    }

    async fn status(&mut self, name: String) -> Answer<Condition> {
        Ok(self.read(name, "status", |supervisor, name| supervisor.status(name)).await.map(Condition::from))
    }

    async fn probe(&mut self, name: String) -> Answer<ProbeResult> {
        Ok(self.probe_service(name).await)
    }

    async fn logs(&mut self, name: String, lines: u32) -> Answer<Vec<LogLine>> {
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        let found = self.read(name, "logs", move |supervisor, name| supervisor.logs(name, lines)).await;
        Ok(found.map(|lines| lines.into_iter().map(LogLine::from).collect()))
    }

    async fn changes(&mut self, name: String) -> Answer<Vec<Change>> {
        let found = self.read(name, "changes", |supervisor, name| supervisor.changes(name)).await;
        Ok(found.map(|changes| changes.into_iter().map(Change::from).collect()))
    }

    async fn restart(&mut self, name: String) -> Answer<()> {
        Ok(self.restart_service(name).await)
    }

    async fn port_owner(&mut self, port: u16) -> Answer<Option<Owner>> {
        Ok(self.owner_of(port).await.map(|owner| owner.map(Owner::from)))
    }

    async fn end_process(&mut self, pid: u32, start_time: u64) -> Answer<()> {
        Ok(self.end_stray(Identity { pid, start_time }).await)
    }

    async fn rotate_log(&mut self, name: String, path: String) -> Answer<String> {
        Ok(self.rotate(name, path).await)
    }
}

impl CallState {
    /// One read of a service: its place in the grant, the door, and the look.
    async fn read<T: Send + 'static>(
        &mut self,
        name: String,
        what: &str,
        look: impl FnOnce(&Supervisor, &str) -> Result<T, SupervisorError> + Send + 'static,
    ) -> Result<T, Error> {
        let services = self.granted(Action::Read)?;
        services.knows(&name)?;
        let pass = self.enter(Act::ServiceRead { service: name.clone(), what: what.into() }).await?;
        let supervisor = Arc::clone(&services.supervisor);
        finish(pass, off_thread(move || look(&supervisor, &name)).await, |_| Value::Null)
    }

    async fn probe_service(&mut self, name: String) -> Result<ProbeResult, Error> {
        let services = self.granted(Action::Read)?;
        services.knows(&name)?;
        let pass = self.enter(Act::ServiceProbe { service: name.clone() }).await?;
        let result = services.supervisor.probe(&name).await;
        // What was found stands in the journal: whether an incident is healed is judged by it.
        let found = |result: &crate::supervisor::ProbeResult| json!({ "healthy": result.healthy, "unknown": result.unknown, "latency_ms": result.latency_ms, "detail": result.detail });
        finish(pass, result, found).map(ProbeResult::from)
    }

    async fn restart_service(&mut self, name: String) -> Result<(), Error> {
        let services = self.granted(Action::Restart)?;
        services.knows(&name)?;
        let pass = self.enter(Act::ServiceRestart { service: name.clone() }).await?;
        let result = services.supervisor.restart(&name).await;
        finish(pass, result, |main| json!({ "pid": main.pid, "start_time": main.start_time })).map(|_| ())
    }

    async fn owner_of(&mut self, port: u16) -> Result<Option<crate::supervisor::Owner>, Error> {
        let services = self.granted(Action::Read)?;
        let act = Act::ServiceRead { service: format!("port {port}"), what: "port_owner".into() };
        let pass = self.enter(act).await?;
        let supervisor = Arc::clone(&services.supervisor);
        let result = off_thread(move || supervisor.port_owner(port)).await;
        finish(pass, result, |owner| match owner {
            Some(owner) => json!({ "pid": owner.pid, "start_time": owner.start_time, "service": owner.service }),
            None => Value::Null,
        })
    }

    async fn end_stray(&mut self, stray: Identity) -> Result<(), Error> {
        let services = self.granted(Action::EndProcess)?;
        // The gate judges what it is, not only its number; one that is gone is told so behind the door.
        let command = services.supervisor.command_of(&stray).unwrap_or_default();
        let act = Act::ProcessEnd { pid: stray.pid, start_time: stray.start_time, command };
        let pass = self.enter(act).await?;
        let result = services.supervisor.end_process(&stray).await;
        finish(pass, result, |()| json!({ "pid": stray.pid, "start_time": stray.start_time }))
    }

    async fn rotate(&mut self, name: String, path: String) -> Result<String, Error> {
        let services = self.granted(Action::RotateLog)?;
        services.knows(&name)?;
        let pass = self.enter(Act::LogRotate { service: name.clone(), path: path.clone() }).await?;
        let result = services.supervisor.rotate_log(&name, Path::new(&path)).await;
        finish(pass, result.map(|archive| archive.display().to_string()), |archive| json!({ "archive": archive }))
    }

    fn granted(&self, action: Action) -> Result<Arc<ServicesState>, Error> {
        let plugin = &self.door.origin().plugin;
        match &self.services {
            Some(services) if services.allows(action) => Ok(Arc::clone(services)),
            _ => Err(Error::NotGranted(format!(
                "add `{}` to `actions` in `[grants.{plugin}.services]` of pi.toml",
                action.name()
            ))),
        }
    }

    /// Holds the door alone: the rest of a call's data may not be shared between threads.
    fn enter(&self, act: Act) -> impl Future<Output = Result<Pass, Error>> + Send + use<> {
        let door = self.door.clone();
        async move { door.enter(act).await.map_err(|refusal| Error::Refused(refusal.into())) }
    }
}

/// Reading `/proc` and files takes milliseconds: not on a thread that others wait for.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SupervisorError> + Send + 'static,
) -> Result<T, SupervisorError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| SupervisorError::Failed(error.to_string()))?
}

/// Write the outcome, and hand it on.
fn finish<T>(pass: Pass, result: Result<T, SupervisorError>, detail: impl FnOnce(&T) -> Value) -> Result<T, Error> {
    match result {
        Ok(value) => {
            pass.done(detail(&value));
            Ok(value)
        }
        Err(error) => {
            pass.failed(&error);
            Err(error.into())
        }
    }
}
