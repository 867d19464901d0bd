//! `pi-host plugin pack`

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use crate::app::plugins::{MANIFEST_BYTES_MAX, pack};
use crate::cli::{Failure, Output, block_on};
use crate::gate::explain::escaped;
use crate::registry::COMPONENT_BYTES_MAX;
use crate::registry::fetch::{read_bounded, read_text};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pi-host plugin pack target/wasm32-wasip2/release/weather.wasm -o weather.wasm\n  pi-host plugin pack build.wasm --manifest my/plugin.json -o weather.wasm"
)]
pub(crate) struct Arguments {
    /// The component that the build has made
    component: PathBuf,
    /// What it is and needs; tools that it does not list are asked of the component
    #[arg(long, default_value = "plugin.json", value_name = "FILE")]
    manifest: PathBuf,
    /// Where the plugin is written
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(output: &Output, arguments: &Arguments) -> Result<(), Failure> {
    let shown = arguments.component.display();
    let component =
        read_bounded(&arguments.component, COMPONENT_BYTES_MAX).with_context(|| format!("{shown} cannot be read"))?;
    let at = arguments.manifest.display();
    let manifest = read_text(&arguments.manifest, MANIFEST_BYTES_MAX).with_context(|| {
        format!("{at} cannot be read\nhint: --manifest names it; docs/plugins.md says what stands in it")
    })?;
    let packed = block_on(pack(&component, &manifest))?.map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
    let to = arguments.output.display();
    std::fs::write(&arguments.output, &packed.bytes).with_context(|| format!("{to} cannot be written"))?;
    let manifest = &packed.binary.manifest;
    let tools: Vec<&str> = manifest.tools.iter().map(|tool| tool.name.as_str()).collect();
    let value = json!({ "written": arguments.output, "bytes": packed.bytes.len(), "name": manifest.name, "version": manifest.version, "tools": tools });
    output.data(&value, || {
        let tools = if tools.is_empty() { String::new() } else { format!(": {}", tools.join(", ")) };
        format!(
            "{to} written ({} KiB), {} {}{tools}",
            packed.bytes.len() >> 10,
            escaped(&manifest.name),
            escaped(&manifest.version)
        )
    });
    Ok(())
}
