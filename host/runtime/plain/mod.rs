//! Calling a component that was not written for this host: its exported functions, with JSON for
//! their arguments and results.
//!
//! `read` makes values of arguments, `write` makes JSON of results. The limits of a call are those of
//! any other; what is converted here is bounded besides, since it happens outside of the guest.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use wasmtime::Store;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Val};

use crate::capability::bindings::pi::tool::types::{Content, Error};
use crate::capability::state::CallState;
use crate::plugin::Reflected;

/// The functions of a component, ready to be called.
#[derive(Clone)]
pub(super) struct Plain {
    pre: InstancePre<CallState>,
    /// By the names of the tools.
    functions: BTreeMap<String, Function>,
}

#[derive(Clone)]
struct Function {
    index: ComponentExportIndex,
    ty: ComponentFunc,
}

/// What a call gave; or the error of the engine, and whether the component did not even start.
pub(super) type Ended<T> = Result<T, (bool, wasmtime::Error)>;

impl Plain {
    /// Find the functions that were reflected.
    pub(super) fn new(
        pre: InstancePre<CallState>,
        component: &Component,
        reflected: &Reflected,
    ) -> wasmtime::Result<Self> {
        let mut functions = BTreeMap::new();
        for function in &reflected.functions {
            let missing = || wasmtime::Error::msg(format!("there is no function `{}`", function.export()));
            let interface = match &function.interface {
                Some(interface) => Some(component.get_export_index(None, interface.as_str()).ok_or_else(missing)?),
                None => None,
            };
            match component.get_export(interface.as_ref(), function.function.as_str()) {
                Some((ComponentItem::ComponentFunc(ty), index)) => {
                    functions.insert(function.tool.clone(), Function { index, ty });
                }
                _ => return Err(missing()),
            }
        }
        Ok(Self { pre, functions })
    }

    /// Call a function in a fresh instance.
    pub(super) async fn call(
        &self,
        store: &mut Store<CallState>,
        name: &str,
        arguments: &str,
        output_bytes_max: u64,
    ) -> Ended<Result<Vec<Content>, Error>> {
        let Some(function) = self.functions.get(name) else {
            return Ok(Err(Error::NotFound(name.to_owned())));
        };
        let arguments = match read::arguments(arguments, function.ty.params()) {
            Ok(arguments) => arguments,
            Err(misfit) => return Ok(Err(Error::InvalidArguments(misfit.to_string()))),
        };
        let mut results = vec![Val::Bool(false); function.ty.results().len()];
        let instance = self.pre.instantiate_async(&mut *store).await.map_err(|e| (true, e))?;
        let missing = || (true, wasmtime::Error::msg(format!("there is no function `{name}`")));
        let callable = instance.get_func(&mut *store, function.index).ok_or_else(missing)?;
        callable.call_async(&mut *store, &arguments, &mut results).await.map_err(|e| (false, e))?;
        let most = usize::try_from(output_bytes_max).unwrap_or(usize::MAX);
        Ok(write::told(results.first(), most))
    }
}
