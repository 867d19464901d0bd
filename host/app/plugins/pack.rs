//! Putting the manifest into a component: what an author does last.
//!
//! Where `plugin.json` does not list the tools, the component is asked for them, once, with nothing
//! granted. From then on nobody has to run it to know what it offers.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::scratch::{Scratch, empty_grant};
use crate::app::looking::look;
use crate::app::setup::SetupError;
use crate::app::single::SingleError;
use crate::app::station::{Beside, Station, StationOptions, Wanted};
use crate::capability::bindings::pi::tool::types::{Definition, Effect};
use crate::capability::hold::PERSON;
use crate::gate::explain::escaped;
use crate::plugin::{
    AdaptError, Binary, BinaryError, Manifest, ManifestError, Unique, component_of_module, is_core_module, name_of_file,
};
use crate::registry::COMPONENT_BYTES_MAX;
use crate::registry::fetch::{read_bounded, read_text};
use crate::runtime::CallError;

/// Largest manifest that is read; the host takes none of that size.
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;

#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("the manifest cannot be read: {0}\nhint: it is JSON as docs/plugins.md describes it")]
    Form(String),
    #[error(transparent)]
    Adapt(#[from] AdaptError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Binary(#[from] BinaryError),
    #[error("the component has a manifest already\nhint: pack what the build has just made, which has none")]
    Packed,
    #[error("{path} cannot be read: {error}\nhint: build it first", path = .path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("a folder to try the component in cannot be made: {0}")]
    Scratch(std::io::Error),
    #[error("the component was asked for its tools, and cannot be linked: {0}")]
    Setup(#[from] SetupError),
    #[error("the component was asked for its tools: {0}")]
    Single(#[from] SingleError),
    #[error(
        "the component was asked for its tools: {0}\nhint: `definitions` may call no import; or list the tools in plugin.json"
    )]
    Definitions(#[from] CallError),
    #[error("the component's tool `{tool}` has an input schema that is not JSON: {error}")]
    Schema { tool: String, error: String },
    #[error(
        "the component offers no tools\nhint: `definitions` returns them; or list them under `tools` in plugin.json"
    )]
    NoTools,
}

/// A component with its manifest inside.
pub struct Packed {
    pub bytes: Vec<u8>,
    pub binary: Binary,
}

/// The plugin in a file that a build has written: as it is where it is packed, else with the manifest beside
/// it. One that has neither and was written for no host is called as its file is.
///
/// # Errors
/// What cannot be read, or does not fit together.
pub async fn packed(file: &Path, manifest: &Path) -> Result<Packed, PackError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| PackError::Read { path, error }
    };
    let bytes = read_bounded(file, COMPONENT_BYTES_MAX).map_err(failed(file))?;
    match Binary::read(&bytes) {
        Ok(binary) => return Ok(Packed { bytes, binary }),
        Err(BinaryError::NoManifest) => {}
        Err(_) if is_core_module(&bytes) => {}
        Err(error) => return Err(error.into()),
    }
    if !manifest.exists() && !is_core_module(&bytes) {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let binary = look(&bytes, &name_of_file(&stem))?;
        return Ok(Packed { bytes, binary });
    }
    pack(&bytes, &read_text(manifest, MANIFEST_BYTES_MAX).map_err(failed(manifest))?).await
}

/// Put `manifest` into `component`, or into the component that a core module makes.
///
/// # Errors
/// What does not fit together, and what to do.
pub async fn pack(component: &[u8], manifest: &str) -> Result<Packed, PackError> {
    let adapted = if is_core_module(component) { Some(component_of_module(component)?) } else { None };
    let component = adapted.as_deref().unwrap_or(component);
    match Binary::read(component) {
        Err(BinaryError::NoManifest) => {}
        Ok(_) | Err(BinaryError::Manifest(_)) => return Err(PackError::Packed),
        Err(error) => return Err(error.into()),
    }
    // Read anew here: what stands twice would be written once, and nobody would see which.
    let Unique(value) = serde_json::from_str(manifest).map_err(|error| PackError::Form(escaped(&error.to_string())))?;
    let Value::Object(mut value) = value else {
        return Err(PackError::Form("it is no JSON object".into()));
    };
    let is_tool = value.get("kind").and_then(Value::as_str) == Some("tool");
    let listed = value.get("tools").is_some_and(|tools| tools.as_array().is_none_or(|tools| !tools.is_empty()));
    if is_tool && !listed {
        value.insert("tools".into(), json!([]));
        let bare = Manifest::parse(Value::Object(value.clone()).to_string().as_bytes())?;
        let tools = asked(component, &value, &bare).await?;
        if tools.is_empty() {
            return Err(PackError::NoTools);
        }
        value.insert("tools".into(), Value::Array(tools));
    }
    let text = Value::Object(value).to_string();
    let bytes = crate::plugin::pack(component, &text);
    let binary = Binary::read(&bytes)?;
    Ok(Packed { bytes, binary })
}

/// The tools as the component says them.
async fn asked(component: &[u8], value: &Map<String, Value>, bare: &Manifest) -> Result<Vec<Value>, PackError> {
    let scratch = Scratch::new().map_err(PackError::Scratch)?;
    let packed = crate::plugin::pack(component, &Value::Object(value.clone()).to_string());
    let project = scratch.project(&bare.name, &packed, empty_grant(bare)).map_err(PackError::Scratch)?;
    let options = StationOptions {
        name: "plugin pack",
        agent: PERSON.into(),
        kind: "pack",
        task: json!({ "plugin": bare.name }),
        plugins: Wanted::Named(std::collections::BTreeSet::new()),
        may_ask: false,
        instances: 1,
        beside: Beside::Refuse,
    };
    let station = Station::open(project, options, &|_| ()).await?;
    let answered = match (station.setup(), station.kernel(), station.caller()) {
        (Some(setup), Some(kernel), Some(caller)) => {
            let (linked, limits) = setup.tool(&bare.name, &|_| ()).await?;
            kernel.definitions(caller, &linked, limits).await
        }
        // A folder that was made a moment ago has no host.
        _ => Ok(Vec::new()),
    };
    station.close("done", "asked for its tools").await?;
    answered?.into_iter().map(tool).collect()
}

fn tool(definition: Definition) -> Result<Value, PackError> {
    let Unique(schema) = serde_json::from_str(&definition.input_schema)
        .map_err(|error| PackError::Schema { tool: definition.name.clone(), error: error.to_string() })?;
    let effect = match definition.effect {
        Effect::Read => "read",
        Effect::Write => "write",
        Effect::Destructive => "destructive",
    };
    Ok(json!({
        "name": definition.name, "description": definition.description, "effect": effect,
        "idempotent": definition.idempotent, "input_schema": schema,
    }))
}
