//! Builds the built-in plugins for Wasm, packs each with its manifest, and puts them into the binary.
//!
//! The plugins have a target folder of their own: a cargo inside a cargo that shared the folder
//! would wait for its own parent for ever.

#![allow(clippy::disallowed_methods, reason = "a build script talks to cargo by environment and processes")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sha2::{Digest as _, Sha256};
use wasm_encoder::{ComponentSection as _, CustomSection};

const TARGET: &str = "wasm32-wasip2";
/// Folder below plugins/, crate.
const PLUGINS: &[(&str, &str)] = &[
    ("bash", "plugin-bash"),
    ("chart", "plugin-chart"),
    ("cloud", "plugin-cloud"),
    ("detect", "plugin-detect"),
    ("files", "plugin-files"),
    ("ghost", "plugin-ghost"),
    ("memory", "plugin-memory"),
    ("pi", "plugin-pi"),
    ("runbook", "plugin-runbook"),
    ("service", "plugin-service"),
    ("sql", "plugin-sql"),
    ("sre", "plugin-sre"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for watched in ["plugins", "wit", "host/build.rs", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    // <target>/<profile>/build/<package>/out -> <target>/plugins, shared by all profiles.
    let target_dir = out.ancestors().nth(4).ok_or("OUT_DIR is not where cargo puts it")?.join("plugins");
    println!("cargo::rustc-env=PI_PLUGINS_TARGET={}", target_dir.display());
    ensure_wasm_target()?;
    build(&root, &target_dir)?;
    let mut table = String::from("/// The built-in plugins.\npub static BUILTIN: &[BuiltIn] = &[\n");
    for (name, package) in PLUGINS {
        let built = target_dir.join(TARGET).join("plugin").join(format!("{}.wasm", package.replace('-', "_")));
        let packed = out.join(format!("{name}.wasm"));
        let digest = pack(&built, &root.join("plugins").join(name).join("plugin.json"), &packed)?;
        table.push_str(&format!(
            "    BuiltIn {{ name: {name:?}, digest: {digest:?}, component: include_bytes!({packed:?}) }},\n"
        ));
    }
    table.push_str("];\n");
    fs::write(out.join("builtin.rs"), table)?;
    Ok(())
}

/// The Wasm target is installed where it is missing.
fn ensure_wasm_target() -> Result<(), Box<dyn Error>> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let libdir = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output()?;
    if Path::new(String::from_utf8(libdir.stdout)?.trim()).is_dir() {
        return Ok(());
    }
    println!("cargo::warning=installing the Rust target {TARGET} by rustup");
    let done = Command::new("rustup").args(["target", "add", TARGET]).status();
    if done.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(format!("the Rust target {TARGET} is missing and could not be installed; run: rustup target add {TARGET}")
        .into())
}

fn build(root: &Path, target_dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.current_dir(root).args(["build", "--target", TARGET, "--profile", "plugin", "--target-dir"]).arg(target_dir);
    for (_, package) in PLUGINS {
        cargo.args(["-p", package]);
    }
    // What cargo and clippy set for the host's own build must not reach the guests'.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let is_for_the_host = name.starts_with("CARGO_")
            && name != "CARGO_HOME"
            && !name.starts_with("CARGO_REGISTR")
            && !name.starts_with("CARGO_NET")
            && !name.starts_with("CARGO_HTTP")
            && !name.starts_with("CARGO_SOURCE");
        if is_for_the_host
            || matches!(
                name.as_str(),
                "RUSTFLAGS"
                    | "RUSTC_WRAPPER"
                    | "RUSTC_WORKSPACE_WRAPPER"
                    | "TARGET"
                    | "CLIPPY_ARGS"
                    | "CLIPPY_CONF_DIR"
            )
        {
            cargo.env_remove(&name);
        }
    }
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(format!("the plugins do not build:\n{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(())
}

/// Append the manifest to a component as a custom section.
fn pack(component: &Path, manifest: &Path, packed: &Path) -> Result<String, Box<dyn Error>> {
    let mut bytes = fs::read(component).map_err(|e| format!("{}: {e}", component.display()))?;
    let text = fs::read_to_string(manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let data = value.to_string();
    CustomSection { name: "pi-plugin".into(), data: data.as_bytes().into() }.append_to_component(&mut bytes);
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(packed, bytes)?;
    Ok(digest)
}
