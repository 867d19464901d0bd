//! What a plugin has kept for itself in the store, once the plugin is gone.
//!
//! It stays when the plugin is removed, so that one which is installed again finds what it had; a plugin of
//! another author under the same name would find it as well, so a person is told, and can have it removed.

use crate::app::state::{StateError, open_existing_store};
use crate::config::Project;
use crate::store::{Holder, LeaseError, PluginChange, PluginQuota, Store, StoreError};

/// Keys that are removed at once.
const KEYS_AT_ONCE: u32 = 1_000;
/// Values that are counted: beyond, it is said that there are so many at least.
const COUNTED_MAX: u32 = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("{error}\nhint: {}", .error.hint())]
    Lease { error: LeaseError },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many values a plugin has in the store, counted as far as 10,000.
///
/// # Errors
/// The store cannot be read.
pub async fn values(project: &Project, plugin: &str) -> Result<usize, ValuesError> {
    match open_existing_store(project).await {
        Ok(store) => Ok(store.plugin_keys(plugin, 0, COUNTED_MAX).await?.len()),
        Err(StateError::Nothing(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Remove all values of a plugin; how many there were.
///
/// # Errors
/// Another process has the store, or it cannot be written.
pub async fn purge(project: &Project, plugin: &str) -> Result<usize, ValuesError> {
    let store = match open_existing_store(project).await {
        Ok(store) => store,
        Err(StateError::Nothing(_)) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let holder = Holder::this_process("plugin remove");
    let lease = store.acquire(&holder).await.map_err(|error| ValuesError::Lease { error })?;
    let removed = removed(store.as_ref(), &lease, plugin).await;
    store.release(&lease).await?;
    removed
}

async fn removed(store: &dyn Store, lease: &crate::store::Lease, plugin: &str) -> Result<usize, ValuesError> {
    let quota = PluginQuota { bytes_max: u64::MAX, keys_max: u64::MAX };
    let mut count = 0;
    loop {
        let keys = store.plugin_keys(plugin, 0, KEYS_AT_ONCE).await?;
        if keys.is_empty() {
            return Ok(count);
        }
        count += keys.len();
        store.change_plugin_values(lease, plugin, &PluginChange::Remove(keys), &quota).await?;
    }
}
