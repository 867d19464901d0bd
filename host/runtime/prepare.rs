//! Pre-initialisation: run a component's `prepare` once and keep its memory as it is then, so that
//! a fresh instance starts where the preparation ended.
//!
//! Source: wizer, by the Bytecode Alliance. Its instrumented component exports what is in its
//! memories and globals; here those exports are read through wasmtime's typed functions. (The
//! crate's own glue does the same, and would turn on wasmtime's garbage collector and threads.)

use wasmtime::component::{Component, ComponentNamedList, Instance, Lift, WasmList};
use wasmtime::{Engine, Store};
use wasmtime_wasi::WasiCtx;
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use super::inert::{self, Inert};

/// The interface and the function by which a plugin with `"prepare": true` is prepared.
const INTERFACE: &str = "pi:tool/prepare@0.1.0";
const FUNCTION: &str = "prepare";
/// Longest preparation, running or waiting: one that sleeps would keep the host from ever starting.
const PREPARE_MS_MAX: u64 = 30_000;

/// A component like `bytes` whose instances begin prepared. Its memory then is part of every instance.
pub(super) async fn prepare(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut wizer = Wizer::new();
    wizer.init_func(format!("{INTERFACE}.{FUNCTION}")).keep_init_func(true);
    let (context, instrumented) = wizer.instrument_component(bytes)?;
    let component = Component::new(engine, &instrumented)?;
    let mut store = inert::store(engine, WasiCtx::builder().build());
    let linker = inert::linker(engine, &component)?;
    let prepared = inert::within(PREPARE_MS_MAX, async {
        let instance = linker.instantiate_async(&mut store, &component).await?;
        let mut state = Instrumented { store: &mut store, instance, failure: None };
        state.call::<()>(INTERFACE, FUNCTION, |_, ()| ()).await?;
        let snapshot = wizer.snapshot_component(&context, &mut state).await?;
        match state.failure {
            Some(failure) => Err(failure),
            None => Ok::<Vec<u8>, wasmtime::Error>(snapshot),
        }
    });
    let ended = prepared.await;
    ended.map_err(|error| inert::told(&store, error))
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
