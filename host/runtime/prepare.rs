//! Pre-initialisation: run a component's `prepare` once and keep its memory as it is then, so that
//! a fresh instance starts where the preparation ended.
//!
//! Source: wizer, by the Bytecode Alliance. Its instrumented component exports what is in its
//! memories and globals; here those exports are read through wasmtime's typed functions. (The
//! crate's own glue does the same, and would turn on wasmtime's garbage collector and threads.)

use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentNamedList, Instance, Lift, Linker, ResourceTable, ResourceType, WasmList,
};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use crate::capability::limits::Limits;

/// The interface and the function by which a plugin with `"prepare": true` is prepared.
const INTERFACE: &str = "pi:tool/prepare@0.1.0";
const FUNCTION: &str = "prepare";
/// Longest preparation, running or waiting: one that sleeps would keep the host from ever starting.
const PREPARE_MS_MAX: u64 = 30_000;
/// Memory of a preparation. It has no limits of its own in `pi.toml`, and what it leaves is part of
/// every instance: this is the default of one call. Without it a plugin could take all the memory
/// that the machine has before its first call.
const MEMORY_BYTES_MAX: u64 = 256 << 20;

/// A component like `bytes` whose instances begin prepared.
pub(super) async fn prepare(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut wizer = Wizer::new();
    wizer.init_func(format!("{INTERFACE}.{FUNCTION}")).keep_init_func(true);
    let (context, instrumented) = wizer.instrument_component(bytes)?;
    let component = Component::new(engine, &instrumented)?;
    let state = Inert {
        table: ResourceTable::new(),
        wasi: WasiCtx::builder().build(),
        // How often it calls is bounded by the time: no call here reaches anything.
        limits: Limits::new(MEMORY_BYTES_MAX, u64::MAX),
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limits);
    // As in `call`: a running guest yields at each tick, so that the deadline below sees it.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    // The standard interfaces are there with nothing behind them; a preparation that calls any other
    // import has failed. The instance does nothing else and is dropped here; what is linked for
    // calls is decided in `link`.
    let mut linker = Linker::<Inert>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    link_nothing(engine, &component, &mut linker)?;
    let prepared = async {
        let instance = linker.instantiate_async(&mut store, &component).await?;
        let mut state = Instrumented { store: &mut store, instance, failure: None };
        state.call::<()>(INTERFACE, FUNCTION, |_, ()| ()).await?;
        let snapshot = wizer.snapshot_component(&context, &mut state).await?;
        match state.failure {
            Some(failure) => Err(failure),
            None => Ok::<Vec<u8>, wasmtime::Error>(snapshot),
        }
    };
    let Ok(ended) = tokio::time::timeout(Duration::from_millis(PREPARE_MS_MAX), prepared).await else {
        return Err(wasmtime::Error::msg(format!("it took longer than the {PREPARE_MS_MAX} ms that it may")));
    };
    ended.map_err(|error| match store.data().limits.reached() {
        Some(limit) => wasmtime::Error::msg(format!("it needed more than its {limit}")),
        None => error,
    })
}

/// Behind every capability stands a trap. (Wasmtime's own traps for unknown imports would give the
/// pollables of a capability another type than those of `wasi:io`.)
fn link_nothing(engine: &Engine, component: &Component, linker: &mut Linker<Inert>) -> wasmtime::Result<()> {
    for (interface, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        if interface.starts_with("wasi:") && !interface.starts_with("wasi:logging/") {
            continue;
        }
        let mut linked = linker.instance(interface)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let told = format!("`{interface}` `{name}` was called");
                    linked.func_new(name, move |_, _, _, _| Err(wasmtime::Error::msg(told.clone())))?;
                }
                ComponentItem::Resource(_) if name == "pollable" => {
                    linked.resource(name, ResourceType::host::<DynPollable>(), |_, _| Ok(()))?;
                }
                ComponentItem::Resource(_) => linked.resource(name, ResourceType::host::<Inert>(), |_, _| Ok(()))?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// What stands behind the standard interfaces while a component is prepared: clocks, random numbers,
/// and nothing else.
struct Inert {
    table: ResourceTable,
    wasi: WasiCtx,
    limits: Limits,
}

impl WasiView for Inert {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

struct Instrumented<'a> {
    store: &'a mut Store<Inert>,
    instance: Instance,
    /// The trait below has no way to fail: the first failure is kept for the end.
    failure: Option<wasmtime::Error>,
}

impl Instrumented<'_> {
    async fn call<R>(
        &mut self,
        interface: &str,
        function: &str,
        read: impl FnOnce(&mut Store<Inert>, R),
    ) -> wasmtime::Result<()>
    where
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let missing = || wasmtime::Error::msg(format!("there is no export `{interface}`.`{function}`"));
        let interface_index = self.instance.get_export_index(&mut *self.store, None, interface).ok_or_else(missing)?;
        let index =
            self.instance.get_export_index(&mut *self.store, Some(&interface_index), function).ok_or_else(missing)?;
        let function = self.instance.get_typed_func::<(), R>(&mut *self.store, index)?;
        let result = function.call_async(&mut *self.store, ()).await?;
        read(self.store, result);
        Ok(())
    }

    async fn value<R: Lift + Default + Send + Sync + 'static>(&mut self, interface: &str, function: &str) -> R {
        let mut value = R::default();
        let called = self.call::<(R,)>(interface, function, |_, (read,)| value = read).await;
        self.note(called);
        value
    }

    fn note(&mut self, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error);
        }
    }
}

impl ComponentInstanceState for Instrumented<'_> {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        let called =
            self.call::<(WasmList<u8>,)>(instance, func, |store, (list,)| contents(list.as_le_slice(&*store))).await;
        self.note(called);
    }
    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.value(instance, func).await
    }
    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.value(instance, func).await
    }
    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.value::<f32>(instance, func).await.to_bits()
    }
    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.value::<f64>(instance, func).await.to_bits()
    }
}
