//! What a Rust author of a pi-host plugin uses: the bindings of every interface that can be
//! granted, and the macros that export the contract: `tools!` (feature `schema`) for tools whose
//! schemas come from Rust types, [`tool!`] for one whose definitions stand in its `plugin.json`,
//! [`agent!`], and [`prepare!`].
//!
//! A component imports only the interfaces of which it really calls a function, so depending on
//! this crate asks for nothing by itself.

mod content;
pub mod http;
#[cfg(feature = "schema")]
mod schema;

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pi:host/imports",
        generate_all,
        additional_derives: [PartialEq, Clone],
    });
}

/// The ecosystem's own interfaces, as generated.
mod standard {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pi:host/standard",
        with: {
            "wasi:clocks/monotonic-clock@0.2.12": crate::bindings::wasi::clocks::monotonic_clock,
            "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
        },
        generate_all,
    });
}

pub use bindings::pi::agent::{conversation, session};
pub use bindings::pi::cloud::cloud;
pub use bindings::pi::files::files;
pub use bindings::pi::gate::refusal::Refusal;
pub use bindings::pi::model::model;
pub use bindings::pi::process::process;
pub use bindings::pi::services::services;
pub use bindings::pi::sql::sql;
pub use bindings::pi::tool::types::{Blob, Content, Definition, Effect, Error};
pub use bindings::pi::tools::tools;
pub use bindings::wasi::clocks::monotonic_clock;
pub use bindings::wasi::io::poll;
pub use bindings::wasi::logging::logging;
pub use content::{IntoContent, Json, increment};
#[cfg(feature = "schema")]
pub use schema::{NoArguments, definition, parsed};
#[cfg(feature = "schema")]
pub use schemars;
pub use serde;
pub use serde_json::{self, Value, json};
pub use standard::wasi::config::store as config;
pub use standard::wasi::http::{outgoing_handler, types as http_types};
pub use standard::wasi::io::streams;
pub use standard::wasi::keyvalue::{atomics, batch, store as keyvalue};

/// The exports of a tool plugin, as generated. Use [`tool!`].
pub mod tool_world {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pi:host/tool-exports",
        with: {
            "pi:gate/refusal@0.1.0": crate::bindings::pi::gate::refusal,
            "pi:tool/types@0.1.0": crate::bindings::pi::tool::types,
        },
        pub_export_macro: true,
        default_bindings_module: "pi_sdk::tool_world",
    });
}

/// The export of a plugin that is prepared ahead of its calls, as generated. Use [`prepare!`].
pub mod prepare_world {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pi:host/prepare-exports",
        pub_export_macro: true,
        default_bindings_module: "pi_sdk::prepare_world",
    });
}

/// The exports of an agent plugin, as generated. Use [`agent!`].
pub mod agent_world {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pi:host/agent-exports",
        pub_export_macro: true,
        default_bindings_module: "pi_sdk::agent_world",
    });
}

pub use agent_world::exports::pi::agent::agent::{Outcome, Status, Task};

/// A tool plugin.
pub trait ToolPlugin {
    /// The text of the plugin's `plugin.json`; the definitions of its tools are read from it.
    const MANIFEST: &'static str;

    /// Run the tool `name`. The arguments match the tool's schema.
    ///
    /// # Errors
    /// Anything that the caller should read as the reason why there is no result.
    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error>;
}

/// An agent plugin.
pub trait AgentPlugin {
    /// Work on the task until it is done.
    ///
    /// # Errors
    /// A sentence for a person, when the agent could not even begin.
    fn run(task: Task) -> Result<Outcome, String>;
}

/// The definitions in a manifest. None where it is not JSON of the manifest's form: the host refuses
/// a component with such a manifest before it runs.
#[must_use]
pub fn definitions_of(manifest: &str) -> Vec<Definition> {
    let manifest: Value = serde_json::from_str(manifest).unwrap_or_default();
    let tools = manifest["tools"].as_array().cloned().unwrap_or_default();
    tools
        .into_iter()
        .map(|tool| Definition {
            name: text(&tool["name"]),
            description: text(&tool["description"]),
            input_schema: tool["input_schema"].to_string(),
            effect: match tool["effect"].as_str() {
                Some("read") => Effect::Read,
                Some("write") => Effect::Write,
                _ => Effect::Destructive,
            },
            idempotent: tool["idempotent"].as_bool().unwrap_or(false),
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A result of one JSON document.
#[must_use]
pub fn json_content(value: &Value) -> Vec<Content> {
    vec![Content::Json(value.to_string())]
}

/// Export a type that implements [`ToolPlugin`].
#[macro_export]
macro_rules! tool {
    ($plugin:ty) => {
        #[allow(dead_code)]
        struct PiSdkTool;
        impl $crate::tool_world::exports::pi::tool::tool::Guest for PiSdkTool {
            fn definitions() -> Vec<$crate::Definition> {
                $crate::definitions_of(<$plugin as $crate::ToolPlugin>::MANIFEST)
            }
            fn call(name: String, arguments: String) -> Result<Vec<$crate::Content>, $crate::Error> {
                let arguments = $crate::serde_json::from_str(&arguments)
                    .map_err(|e| $crate::Error::InvalidArguments(format!("arguments are not JSON: {e}")))?;
                <$plugin as $crate::ToolPlugin>::call(&name, arguments)
            }
        }
        // A native build is one for tests: the linker knows no such names as a component exports.
        #[cfg(target_family = "wasm")]
        $crate::tool_world::export!(PiSdkTool with_types_in $crate::tool_world);
        #[cfg(not(target_family = "wasm"))]
        const _: fn(&str, $crate::Value) -> Result<Vec<$crate::Content>, $crate::Error> = <$plugin as $crate::ToolPlugin>::call;
    };
}

/// Export a function `fn()` as the plugin's `prepare`. The manifest must say `"prepare": true`.
#[macro_export]
macro_rules! prepare {
    ($prepare:path) => {
        #[allow(dead_code)]
        struct PiSdkPrepare;
        impl $crate::prepare_world::exports::pi::tool::prepare::Guest for PiSdkPrepare {
            fn prepare() {
                $prepare();
            }
        }
        // A native build is one for tests: the linker knows no such names as a component exports.
        #[cfg(target_family = "wasm")]
        $crate::prepare_world::export!(PiSdkPrepare with_types_in $crate::prepare_world);
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = $prepare;
    };
}

/// Export a type that implements [`AgentPlugin`].
#[macro_export]
macro_rules! agent {
    ($plugin:ty) => {
        #[allow(dead_code)]
        struct PiSdkAgent;
        impl $crate::agent_world::exports::pi::agent::agent::Guest for PiSdkAgent {
            fn run(task: $crate::Task) -> Result<$crate::Outcome, String> {
                <$plugin as $crate::AgentPlugin>::run(task)
            }
        }
        // A native build is one for tests: the linker knows no such names as a component exports.
        #[cfg(target_family = "wasm")]
        $crate::agent_world::export!(PiSdkAgent with_types_in $crate::agent_world);
        #[cfg(not(target_family = "wasm"))]
        const _: fn($crate::Task) -> Result<$crate::Outcome, String> = <$plugin as $crate::AgentPlugin>::run;
    };
}
