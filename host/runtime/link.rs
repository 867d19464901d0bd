//! What a plugin can reach: for each plugin a linker with just what its component imports, its
//! manifest declares and the operator granted.

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings as wasi;
use wasmtime_wasi_http::p2::bindings::http::types::{self as http_types, LinkOptions as HttpLinkOptions};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use super::act::Act;
use super::compile::Compiled;
use super::engine::Runtime;
use super::plain::Plain;
use crate::capability::bindings::agent_world::AgentExportsPre;
use crate::capability::bindings::standard::wasi::http::outgoing_handler;
use crate::capability::bindings::standard::wasi::{config, keyvalue};
use crate::capability::bindings::tool_world::ToolExportsPre;
use crate::capability::bindings::{self, pi};
use crate::capability::cloud::CloudState;
use crate::capability::config::ConfigState;
use crate::capability::files::FilesState;
use crate::capability::http::HttpState;
use crate::capability::keyvalue::KeyValueState;
use crate::capability::preopens::Preopens;
use crate::capability::process::ProcessState;
use crate::capability::services::ServicesState;
use crate::capability::sql::SqlState;
use crate::capability::state::CallState;
use crate::plugin::{Capability, Import, Manifest, ToolEffect, is_of_act_types};

/// A plugin's grants, resolved. What is `None` was not granted.
#[derive(Clone, Default)]
pub struct Grants {
    pub files: Option<Arc<FilesState>>,
    pub process: Option<Arc<ProcessState>>,
    pub services: Option<Arc<ServicesState>>,
    pub cloud: Option<Arc<CloudState>>,
    pub sql: Option<Arc<SqlState>>,
    pub http: Option<Arc<HttpState>>,
    pub keyvalue: Option<Arc<KeyValueState>>,
    pub config: Option<Arc<ConfigState>>,
    /// Secrets go along with requests: they are no import, and must be declared all the same.
    pub has_secrets: bool,
    /// Folders that a component of the standard world finds open; linked for all, empty without.
    pub preopens: Option<Arc<Preopens>>,
    /// The session lends what stands behind these two.
    pub has_tools: bool,
    pub has_model: bool,
    pub has_log: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(
        "plugin `{plugin}` imports `{import}`, which is not granted\nhint: add [grants.{plugin}.{capability}] to pi.toml, or leave the plugin out"
    )]
    NotGranted { plugin: String, import: String, capability: &'static str },
    #[error("plugin `{plugin}` is a tool and imports `{import}`, which only an agent can have")]
    AgentOnly { plugin: String, import: String },
    #[error(
        "plugin `{plugin}` is granted `{capability}`, and its manifest does not ask for it\nhint: `pi-host plugin revoke {plugin} {capability}`; or declare it under `needs` in the plugin's plugin.json, with the reason"
    )]
    Undeclared { plugin: String, capability: String },
    #[error(
        "agent `{plugin}` asks for `{capability}`, which only a tool can have\nhint: an agent acts through tools, so that it can be started again without doing anything twice; move this into a tool plugin, and grant the agent that tool"
    )]
    ToolOnly { plugin: String, capability: &'static str },
    #[error("plugin `{plugin}` cannot be linked: {error}")]
    Link { plugin: String, error: String },
}

/// A tool plugin, ready to be called.
#[derive(Clone)]
pub struct LinkedTool {
    pub manifest: Arc<Manifest>,
    pub digest: String,
    pub(super) grants: Grants,
    pub(super) callable: Callable,
}

/// How a tool plugin is called.
#[derive(Clone)]
pub(super) enum Callable {
    /// By the contract of this host.
    Contract(ToolExportsPre<CallState>),
    /// By the functions that it happens to export.
    Plain(Plain),
    /// By those of ACT.
    Act(Act),
}

/// An agent plugin, ready to run.
#[derive(Clone)]
pub struct LinkedAgent {
    pub manifest: Arc<Manifest>,
    pub digest: String,
    pub(super) grants: Grants,
    pub(super) pre: AgentExportsPre<CallState>,
}

/// Whether a component of which nobody said what it does can change nothing: it imports no capability,
/// and of the standard folders, which all of them may import, it has none to write to.
fn is_harmless(compiled: &Compiled, grants: &Grants) -> bool {
    let may_write = |preopens: &Arc<Preopens>| preopens.folders().any(|(_, is_writable)| is_writable);
    compiled.binary.capabilities().next().is_none() && !grants.preopens.as_ref().is_some_and(may_write)
}

impl Runtime {
    /// Link a tool plugin under its grants.
    ///
    /// # Errors
    /// An import that is not granted, by name, with the line that would grant it.
    pub fn link_tool(&self, compiled: &Compiled, grants: Grants) -> Result<LinkedTool, LinkError> {
        let manifest = &compiled.binary.manifest;
        let failed =
            |error: wasmtime::Error| LinkError::Link { plugin: manifest.name.clone(), error: format!("{error:#}") };
        let linker = self.linker(compiled, &grants, false)?;
        let pre = linker.instantiate_pre(&compiled.component).map_err(failed)?;
        let mut manifest = manifest.clone();
        let callable = match &compiled.binary.reflected {
            None => Callable::Contract(ToolExportsPre::new(pre).map_err(failed)?),
            Some(reflected) => {
                if is_harmless(compiled, &grants) {
                    let tools = manifest.tools.iter_mut().filter(|tool| !reflected.is_said_destructive(&tool.name));
                    tools.for_each(|tool| tool.effect = ToolEffect::Read);
                }
                match reflected.act {
                    Some(_) => Callable::Act(Act::new(pre, reflected).map_err(failed)?),
                    None => Callable::Plain(Plain::new(pre, &compiled.component, reflected).map_err(failed)?),
                }
            }
        };
        Ok(LinkedTool { manifest: Arc::new(manifest), digest: compiled.digest.clone(), grants, callable })
    }

    /// Link an agent plugin under its grants.
    ///
    /// # Errors
    /// An import that is not granted, by name, with the line that would grant it.
    pub fn link_agent(&self, compiled: &Compiled, grants: Grants) -> Result<LinkedAgent, LinkError> {
        let manifest = &compiled.binary.manifest;
        let failed =
            |error: wasmtime::Error| LinkError::Link { plugin: manifest.name.clone(), error: format!("{error:#}") };
        let linker = self.linker(compiled, &grants, true)?;
        let pre = linker.instantiate_pre(&compiled.component).map_err(failed)?;
        let pre = AgentExportsPre::new(pre).map_err(failed)?;
        Ok(LinkedAgent { manifest: Arc::new(manifest.clone()), digest: compiled.digest.clone(), grants, pre })
    }

    fn linker(&self, compiled: &Compiled, grants: &Grants, is_agent: bool) -> Result<Linker<CallState>, LinkError> {
        let plugin = &compiled.binary.manifest.name;
        // What no import shows.
        for (capability, is_granted) in [("preopens", grants.preopens.is_some()), ("secrets", grants.has_secrets)] {
            let is_declared = compiled.binary.manifest.needs.iter().any(|need| need.capability == capability);
            if is_granted && !is_declared {
                return Err(LinkError::Undeclared { plugin: plugin.clone(), capability: capability.into() });
            }
            if is_granted && is_agent {
                return Err(LinkError::ToolOnly { plugin: plugin.clone(), capability });
            }
        }
        let mut linker = Linker::new(compiled.component.engine());
        let failed = |error: wasmtime::Error| LinkError::Link { plugin: plugin.clone(), error: format!("{error:#}") };
        // Always there, and inert: without preopens, sockets and arguments nothing is behind it.
        wasmtime_wasi::p2::add_to_linker_with_options_async(&mut linker, &wasi::LinkOptions::default())
            .map_err(failed)?;
        let l = &mut linker;
        pi::gate::refusal::add_to_linker::<_, HasSelf<_>>(l, |s| s).map_err(failed)?;
        pi::tool::types::add_to_linker::<_, HasSelf<_>>(l, |s| s).map_err(failed)?;
        for import in compiled.binary.imports.iter().map(Import::name).filter(|name| is_of_act_types(name)) {
            l.instance(import).map_err(failed)?;
        }
        if compiled.binary.imports.iter().any(|import| import.name().starts_with("wasi:http/")) {
            let options = HttpLinkOptions::default();
            http_types::add_to_linker::<_, WasiHttp>(l, &options, CallState::http).map_err(failed)?;
        }
        for (capability, import) in compiled.binary.capabilities() {
            let is_granted = match capability {
                Capability::Files
                | Capability::Process
                | Capability::Services
                | Capability::Cloud
                | Capability::Sql
                | Capability::Http
                | Capability::KeyValue
                | Capability::Config
                    if is_agent =>
                {
                    return Err(LinkError::ToolOnly { plugin: plugin.clone(), capability: capability.name() });
                }
                Capability::Files => grants.files.is_some(),
                Capability::Process => grants.process.is_some(),
                Capability::Services => grants.services.is_some(),
                Capability::Cloud => grants.cloud.is_some(),
                Capability::Sql => grants.sql.is_some(),
                Capability::Http => grants.http.is_some(),
                Capability::KeyValue => grants.keyvalue.is_some(),
                Capability::Config => grants.config.is_some(),
                Capability::Tools => grants.has_tools,
                Capability::Log => grants.has_log,
                Capability::Session | Capability::Model if !is_agent => {
                    return Err(LinkError::AgentOnly { plugin: plugin.clone(), import: import.to_owned() });
                }
                Capability::Session => true,
                // Without a grant there is nothing behind it: no model is there to be asked.
                Capability::Model => {
                    let needs = &compiled.binary.manifest.needs;
                    grants.has_model || needs.iter().any(|need| need.capability == "model" && need.is_optional)
                }
            };
            if !is_granted {
                let (plugin, import) = (plugin.clone(), import.to_owned());
                return Err(LinkError::NotGranted { plugin, import, capability: capability.name() });
            }
            match capability {
                Capability::Files => pi::files::files::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Process => pi::process::process::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Services => pi::services::services::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Cloud => pi::cloud::cloud::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Sql => pi::sql::sql::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Http => outgoing_handler::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                // Its three interfaces are separate imports, and each is linked once.
                Capability::KeyValue if import.starts_with("wasi:keyvalue/atomics") => {
                    keyvalue::atomics::add_to_linker::<_, HasSelf<_>>(l, |s| s)
                }
                Capability::KeyValue if import.starts_with("wasi:keyvalue/batch") => {
                    keyvalue::batch::add_to_linker::<_, HasSelf<_>>(l, |s| s)
                }
                Capability::KeyValue => keyvalue::store::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Config => config::store::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Tools => pi::tools::tools::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                // Two interfaces, each linked once.
                Capability::Session if import.starts_with("pi:agent/conversation") => {
                    pi::agent::conversation::add_to_linker::<_, HasSelf<_>>(l, |s| s)
                }
                Capability::Session => pi::agent::session::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Model => pi::model::model::add_to_linker::<_, HasSelf<_>>(l, |s| s),
                Capability::Log => bindings::wasi::logging::logging::add_to_linker::<_, HasSelf<_>>(l, |s| s),
            }
            .map_err(failed)?;
        }
        Ok(linker)
    }
}
