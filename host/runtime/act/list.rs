//! Asking a component of ACT which tools it has: the one time that a component runs before anything is granted to it.
//!
//! It reaches nothing then. Its clock stands still and its random numbers are always the same, so that what it lists
//! follows from its bytes alone: what was agreed to at its installation is what is offered at every start.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use wasmtime::component::Component;
use wasmtime_wasi::WasiCtx;

use super::bindings::ProviderPre;
use super::bindings::act::core::types::Metadata;
use super::bindings::act::tools::types::{ListToolsResponse, ToolDefinition};
use super::content::said;
use crate::gate::explain::escaped;
use crate::plugin::{Listed, Listing};
use crate::runtime::call::Determinism;
use crate::runtime::inert;

/// Longest wait for the list, running or waiting. Danger: one that sleeps would keep the host from ever starting.
const LIST_MS_MAX: u64 = 10_000;
/// Of the list as it is handed over. Danger: all of it is held, and shown.
const LIST_BYTES_MAX: usize = 8 << 20;
/// Of why there is none, in an error: the component wrote it.
const WHY_CHARS_MAX: usize = 500;

/// By which a tool says of itself that it destroys, as CBOR.
const DESTRUCTIVE: &str = "std:destructive";
const TRUE: &[u8] = &[0xf5];

/// What a component says that its tools are.
///
/// # Errors
/// It does not say it, or not within its limits.
pub(in crate::runtime) async fn listing(component: &Component) -> Result<Listing, String> {
    listed(component).await.map_err(|error| escaped(&format!("{error:#}")).chars().take(WHY_CHARS_MAX).collect())
}

async fn listed(component: &Component) -> wasmtime::Result<Listing> {
    let engine = component.engine();
    let mut wasi = WasiCtx::builder();
    Determinism { now_ms: Arc::new(AtomicU64::new(0)), seed: [0; 16] }.put_into(&mut wasi);
    let mut store = inert::store(engine, wasi.build());
    store.set_hostcall_fuel(LIST_BYTES_MAX);
    let pre = ProviderPre::new(inert::linker(engine, component)?.instantiate_pre(component)?)?;
    let asked = inert::within(LIST_MS_MAX, async {
        let instance = pre.instantiate_async(&mut store).await?;
        let provider = instance.act_tools_tool_provider();
        store.run_concurrent(async |accessor| provider.call_list_tools(accessor, Vec::new()).await).await?
    });
    match asked.await {
        Ok(Ok(ListToolsResponse { tools, .. })) => Ok(Listing { tools: tools.into_iter().map(tool).collect() }),
        Ok(Err(error)) => Err(wasmtime::Error::msg(said(error.message))),
        Err(error) => Err(inert::told(&store, error)),
    }
}

fn tool(definition: ToolDefinition) -> Listed {
    let ToolDefinition { name, description, parameters_schema: input_schema, metadata } = definition;
    Listed { name, description: said(description), input_schema, is_destructive: is(&metadata, DESTRUCTIVE) }
}

fn is(metadata: &Metadata, key: &str) -> bool {
    metadata.iter().any(|(name, value)| name == key && value == TRUE)
}
