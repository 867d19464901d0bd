//! A store for what runs before anything is granted: a preparation, a component that is asked which tools it has.
//!
//! The standard interfaces are there with nothing behind them, and any other import traps. Nothing of a store is kept
//! but what its user takes out of it; what is linked for calls is decided in `link`.

use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceTable, ResourceType};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::io::error::Error as IoError;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::capability::limits::Limits;

/// Memory of a run. It has no limits of its own in `pi.toml`: this is the default of one call. Without it a
/// plugin could take all the memory that the machine has before its first call.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Handles alive at once, as in a call.
const HANDLES_MAX: usize = 4_096;
/// The packages that are linked, without anything behind them.
const STANDARD: &[&str] =
    &["wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:cli/", "wasi:filesystem/", "wasi:sockets/"];

/// What stands behind the standard interfaces: clocks, random numbers, and nothing else.
pub(super) struct Inert {
    table: ResourceTable,
    wasi: WasiCtx,
    limits: Limits,
}

impl WasiView for Inert {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A store with limits, for one run.
pub(super) fn store(engine: &Engine, wasi: WasiCtx) -> Store<Inert> {
    // How often it calls is bounded by the time: no call here reaches anything.
    let state = Inert { table: ResourceTable::new(), wasi, limits: Limits::new(MEMORY_BYTES_MAX, u64::MAX) };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limits);
    store.set_max_component_handles(HANDLES_MAX);
    // As in `call`: a running guest yields at each tick, so that the deadline of `within` sees it.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

/// What a component can reach in such a store.
pub(super) fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<Inert>> {
    let mut linker = Linker::<Inert>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    link_nothing(engine, component, &mut linker)?;
    Ok(linker)
}

/// What comes of a run within its time.
pub(super) async fn within<T>(ms_max: u64, run: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    tokio::time::timeout(Duration::from_millis(ms_max), run)
        .await
        .unwrap_or_else(|_| Err(wasmtime::Error::msg(format!("it took longer than the {ms_max} ms that it may"))))
}

/// An error in words: the limit that was reached, where one was.
pub(super) fn told(store: &Store<Inert>, error: wasmtime::Error) -> wasmtime::Error {
    match store.data().limits.reached() {
        Some(limit) => wasmtime::Error::msg(format!("it needed more than its {limit}")),
        None => error,
    }
}

/// Behind every capability stands a trap. (Wasmtime's own traps for unknown imports would give the pollables and
/// streams of a capability other types than those of `wasi:io`.)
fn link_nothing(engine: &Engine, component: &Component, linker: &mut Linker<Inert>) -> wasmtime::Result<()> {
    for (interface, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        if STANDARD.iter().any(|package| interface.starts_with(package)) {
            continue;
        }
        let mut linked = linker.instance(interface)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let told = format!("`{interface}` `{name}` was called");
                    linked.func_new(name, move |_, _, _, _| Err(wasmtime::Error::msg(told.clone())))?;
                }
                ComponentItem::Resource(_) => {
                    let ty = match name {
                        "pollable" => ResourceType::host::<DynPollable>(),
                        "input-stream" => ResourceType::host::<DynInputStream>(),
                        "output-stream" => ResourceType::host::<DynOutputStream>(),
                        "io-error" => ResourceType::host::<IoError>(),
                        _ => ResourceType::host::<Inert>(),
                    };
                    linked.resource(name, ty, |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
