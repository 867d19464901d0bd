//! The plugins inside the binary, as the build script packed them.

/// A plugin inside the binary.
#[derive(PartialEq, Eq)]
pub struct BuiltIn {
    pub name: &'static str,
    /// Lower-case hex SHA-256 of the component: to compute it at each start takes longer than to link them all.
    pub digest: &'static str,
    pub component: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

impl std::fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuiltIn").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// The component of a built-in plugin.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static [u8]> {
    BUILTIN.iter().find(|known| known.name == name).map(|known| known.component)
}
