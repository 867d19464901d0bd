//! What one instance of a component carries on the host's side: its own grants, its own door, its
//! own limits. Made new for each call, dropped with it.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::cloud::CloudState;
use super::config::ConfigState;
use super::door::{Door, Refusal};
use super::files::FilesState;
use super::http::HttpCall;
use super::keyvalue::KeyValueState;
use super::log::LogState;
use super::model::ModelState;
use super::process::ProcessState;
use super::secret::scan::Scan;
use super::services::ServicesState;
use super::session::SessionState;
use super::sql::SqlState;
use super::tools::ToolsState;
use super::{bindings, limits::Limits};

/// The data of one store. A capability that was not granted is `None` here and not linked either.
pub struct CallState {
    pub table: ResourceTable,
    pub wasi: WasiCtx,
    pub limits: Limits,
    pub door: Door,
    pub files: Option<Arc<FilesState>>,
    pub process: Option<Arc<ProcessState>>,
    pub services: Option<Arc<ServicesState>>,
    pub cloud: Option<Arc<CloudState>>,
    pub sql: Option<Arc<SqlState>>,
    pub tools: Option<Arc<dyn ToolsState>>,
    pub session: Option<Arc<dyn SessionState>>,
    pub model: Option<Arc<dyn ModelState>>,
    pub log: Option<LogState>,
    pub keyvalue: Option<Arc<KeyValueState>>,
    pub config: Option<Arc<ConfigState>>,
    /// Always there: without a grant it sends nothing.
    pub http: HttpCall,
    /// Finds the values of the project's secrets in what is said.
    pub scan: Arc<Scan>,
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl From<Refusal> for bindings::pi::gate::refusal::Refusal {
    fn from(refusal: Refusal) -> Self {
        Self {
            action: refusal.action,
            rule: refusal.rule,
            reason: refusal.reason,
            risk: refusal.risk,
            advice: refusal.advice,
        }
    }
}

// The interfaces that hold only types.
impl bindings::pi::gate::refusal::Host for CallState {}
impl bindings::pi::tool::types::Host for CallState {}
