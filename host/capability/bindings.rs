//! The host's side of `wit/`, as generated.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::expect_used)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "pi:host/imports",
    imports: { default: async | trappable },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "pi:process/process.child": crate::capability::process::Child,
    },
    additional_derives: [PartialEq],
});

/// The ecosystem's own interfaces.
pub mod standard {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "pi:host/standard",
        imports: { default: async | trappable },
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:keyvalue/store.bucket": crate::capability::keyvalue::Bucket,
            "wasi:http/types": wasmtime_wasi_http::p2::bindings::http::types,
        },
    });
}

/// The exports of a tool plugin.
pub mod tool_world {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "pi:host/tool-exports",
        exports: { default: async },
        with: {
            "pi:gate/refusal": super::pi::gate::refusal,
            "pi:tool/types": super::pi::tool::types,
        },
    });
}

/// The exports of an agent plugin.
pub mod agent_world {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "pi:host/agent-exports",
        exports: { default: async },
    });
}
