//! What a plugin is before it runs: its manifest, the imports in its binary, its contract.
//!
//! Pure: reads bytes, never runs or compiles them, so that listing and inspecting a plugin is safe
//! whatever it contains. A component that was not written for this host is understood by its types
//! (`reflect`), one of ACT by what it lists when somebody who can run it has asked. To add a capability, name its interface in [`Capability`].

mod adapt;
mod binary;
mod builtin;
mod manifest;
pub(crate) mod reflect;
mod unique;

pub use adapt::{AdaptError, component_of_module, is_core_module};
pub use binary::{Binary, BinaryError, Capability, Import, pack};
pub use builtin::{BUILTIN, BuiltIn, builtin};
pub use manifest::{Kind, Manifest, ManifestError, Need, Tool, ToolEffect};
pub use reflect::{Function, LeftOut, Listed, Listing, OfAct, ReflectError, Reflected, is_of_act_types, name_of_file};
pub use unique::Unique;

/// The contract that this host speaks: `pi:tool` and `pi:agent` of this version.
pub const CONTRACT: &str = "0.1";

/// The name of the custom section that holds the manifest.
pub const SECTION: &str = "pi-plugin";
