//! A grant that cannot be honoured, found when a plugin is set up and not when it first needs it.
//!
//! Every capability resolves its grant once; what it cannot resolve ends here, with the line of
//! `pi.toml` that has to change. The capability does not know whose grant it holds, so the caller
//! that does adds the name with [`GrantError::of`].

/// What is wrong with which line of a grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` cannot be granted: {reason}\nhint: change `{key}` in `[grants.{plugin}.{capability}]` of pi.toml")]
pub struct GrantError {
    /// The plugin or agent; `X` until [`GrantError::of`] has named it.
    pub plugin: String,
    /// `files`, `process`, ...
    pub capability: &'static str,
    /// The key in the capability's table, such as `read`.
    pub key: &'static str,
    /// The value as it stands there.
    pub value: String,
    pub reason: String,
}

impl GrantError {
    #[must_use]
    pub fn new(capability: &'static str, key: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self { plugin: "X".into(), capability, key, value: crate::gate::explain::escaped(value), reason: reason.into() }
    }

    /// The same error with the name of the plugin or agent whose grant it is.
    #[must_use]
    pub fn of(self, plugin: &str) -> Self {
        Self { plugin: plugin.into(), ..self }
    }
}
