//! The plugins inside the binary, as the build script packed them.

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// The component of a built-in plugin.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static [u8]> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}
