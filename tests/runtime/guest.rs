//! The guests of tests/guests, built once for a run of the tests, and what calls them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::plugin::pack;
use pi_host::runtime::{CallLimits, Compiled, Context, Grants, LinkedTool, Runtime};
use serde_json::Value;

use crate::capability::bench::Bench;

const TARGET: &str = "wasm32-wasip2";

/// Where the built components are.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // The plugins' own target folder: what they share is built already.
        let target_dir = Path::new(env!("PI_PLUGINS_TARGET"));
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["build", "-p", "guests", "--lib", "--examples", "--target", TARGET, "--profile", "plugin"])
            .arg("--target-dir")
            .arg(target_dir);
        for name in
            ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"]
        {
            cargo.env_remove(name);
        }
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "the guests do not build:\n{}", String::from_utf8_lossy(&output.stderr));
        target_dir.join(TARGET).join("plugin")
    })
}

/// A guest's component without a manifest: `hostile`, `files`, `process`, ...
pub(crate) fn component(guest: &str) -> Vec<u8> {
    let path = match guest {
        "hostile" => folder().join("hostile.wasm"),
        other => folder().join(format!("examples/guest_{other}.wasm")),
    };
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A guest's manifest, as text.
pub(crate) fn manifest(guest: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/manifests");
    std::fs::read_to_string(folder.join(format!("{guest}.json"))).unwrap()
}

/// A guest, ready to be installed.
pub(crate) fn packed(guest: &str) -> Vec<u8> {
    pack(&component(guest), &manifest(guest))
}

/// One runtime for all tests: a pool of instances takes its share of the address space.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::with_instances(None, 64).unwrap())
}

/// The guest, compiled once for all tests.
pub(crate) async fn compiled(guest: &str) -> Compiled {
    static COMPILED: Mutex<Option<HashMap<String, Compiled>>> = Mutex::new(None);
    if let Some(compiled) = COMPILED.lock().unwrap().get_or_insert_default().get(guest) {
        return compiled.clone();
    }
    let compiled = runtime().load(&packed(guest)).await.unwrap();
    COMPILED.lock().unwrap().get_or_insert_default().insert(guest.into(), compiled.clone());
    compiled
}

/// The guest, linked with these grants.
pub(crate) async fn linked(guest: &str, grants: Grants) -> LinkedTool {
    runtime().link_tool(&compiled(guest).await, grants).unwrap()
}

/// Limits under which every misbehaviour ends soon.
pub(crate) fn limits() -> CallLimits {
    CallLimits { memory_bytes_max: 32 << 20, call_ms_max: 2_000, output_bytes_max: 1 << 20, host_calls_max: 1_000 }
}

/// Call a tool of a guest that has these limits.
pub(crate) async fn call(
    bench: &Bench,
    guest: &LinkedTool,
    limits: CallLimits,
    name: &str,
    arguments: Value,
) -> Result<Vec<Content>, Error> {
    let context = Context { door: bench.door(), limits, tools: None, session: None, said: 0, determinism: None };
    runtime().call_tool(guest, context, name, &arguments.to_string()).await
}
