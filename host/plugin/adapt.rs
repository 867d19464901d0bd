//! Making a component of a core module: what a C compiler leaves behind.
//!
//! C, Zig and other compilers without a component linker write a core module that carries its world in
//! a `component-type` section and calls `wasi_snapshot_preview1`. [`component_of_module`] joins it with
//! wasmtime's own adapter. Pure: bytes in, bytes out; what the component imports is judged as for any other.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

use crate::gate::explain::escaped;

/// A module larger than this is not read: the encoder holds several copies of it in memory.
const MODULE_BYTES_MAX: usize = 64 << 20;
/// Of what the encoder says, in an error: it quotes names out of the module, which may be as long as that.
const DETAIL_CHARS_MAX: usize = 1000;

/// Why there is no component of a module.
#[derive(Debug, thiserror::Error)]
pub enum AdaptError {
    #[error("the module is larger than {} MiB", MODULE_BYTES_MAX >> 20)]
    TooLarge,
    #[error(
        "not a WebAssembly core module: {0}\nhint: it must be what the compiler wrote for wasm32-wasi, or already a component"
    )]
    NotModule(String),
    #[error(
        "the module does not say which world it is built for: it has no section `component-type`\nhint: link the bindings' object file too (in a project of `plugin new --lang c`: bindings/plugin_component_type.o)"
    )]
    NoWorld,
    #[error(
        "the module is a program with a `_start`, not a library\nhint: compile it with `-mexec-model=reactor`, without a `main`"
    )]
    Command,
    #[error("the module cannot be made a component: {0}\nhint: build it against the bindings of this host's version")]
    Encode(String),
}

/// Whether the bytes begin like a core module, and not like a component.
#[must_use]
pub fn is_core_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm\x01\0\0\0")
}

/// The component of a core module that carries its world, adapted from `wasi_snapshot_preview1`.
///
/// # Errors
/// What the module is or lacks, and what to do.
pub fn component_of_module(core: &[u8]) -> Result<Vec<u8>, AdaptError> {
    if core.len() > MODULE_BYTES_MAX {
        return Err(AdaptError::TooLarge);
    }
    // The encoder takes a valid module for granted.
    Validator::new_with_features(WasmFeatures::default())
        .validate_all(core)
        .map_err(|error| AdaptError::NotModule(detail(&error.to_string())))?;
    let shape = shape(core)?;
    if !shape.has_world {
        return Err(AdaptError::NoWorld);
    }
    if shape.is_command {
        return Err(AdaptError::Command);
    }
    ComponentEncoder::default()
        .module(core)
        .map_err(encode)?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        .map_err(encode)?
        .validate(true)
        .encode()
        .map_err(encode)
}

struct Shape {
    has_world: bool,
    is_command: bool,
}

fn shape(core: &[u8]) -> Result<Shape, AdaptError> {
    let not_module = |error: wasmparser::BinaryReaderError| AdaptError::NotModule(detail(&error.to_string()));
    let mut shape = Shape { has_world: false, is_command: false };
    for payload in Parser::new(0).parse_all(core) {
        match payload.map_err(not_module)? {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err(AdaptError::NotModule("it is a component already".into()));
            }
            Payload::CustomSection(section) if section.name().starts_with("component-type") => shape.has_world = true,
            Payload::ExportSection(exports) => {
                for export in exports {
                    shape.is_command |= export.map_err(not_module)?.name == "_start";
                }
            }
            _ => {}
        }
    }
    Ok(shape)
}

fn encode(error: impl std::fmt::Display) -> AdaptError {
    AdaptError::Encode(detail(&format!("{error:#}")))
}

fn detail(text: &str) -> String {
    escaped(&text.chars().take(DETAIL_CHARS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn names_what_is_no_module() {
        assert!(matches!(component_of_module(b"ELF"), Err(AdaptError::NotModule(_))));
        assert!(matches!(component_of_module(b"\0asm\x0d\0\x01\0"), Err(AdaptError::NotModule(_))));
    }

    #[test]
    fn a_module_cut_short_is_named() {
        let mut cut = EMPTY.to_vec();
        cut.extend([1, 200, 1]);
        assert!(matches!(component_of_module(&cut), Err(AdaptError::NotModule(_))));
    }

    #[test]
    fn asks_for_the_bindings_where_no_world_is_named() {
        let error = component_of_module(EMPTY).unwrap_err().to_string();
        assert!(error.contains("component-type") && error.contains("\nhint: "), "{error}");
    }

    #[test]
    fn a_world_that_is_garbage_is_an_error() {
        let mut module = EMPTY.to_vec();
        module.extend([0, 17, 14]);
        module.extend(b"component-type");
        module.extend([1, 2]);
        assert!(matches!(component_of_module(&module), Err(AdaptError::Encode(_))));
    }

    #[test]
    fn reads_no_more_than_it_may_have() {
        assert!(matches!(component_of_module(&vec![0; MODULE_BYTES_MAX + 1]), Err(AdaptError::TooLarge)));
    }
}
