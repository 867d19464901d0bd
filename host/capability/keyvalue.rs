//! `wasi:keyvalue`: a small store of its own for each plugin, within the host's store.
//!
//! There is one bucket, named `` or `default`, and no plugin sees that of another. What changes is an act, judged and
//! journalled by its keys; reading is not, and is bounded by the host calls of the plugin alone. Each change is one
//! transaction under the host's lease, with the quota looked at within it.

use serde_json::json;
use wasmtime::component::Resource;

use super::bindings::standard::wasi::keyvalue::store::{Error, Host, HostBucket, KeyResponse};
use super::bindings::standard::wasi::keyvalue::{atomics, batch};
use super::grant::GrantError;
use super::state::CallState;
use crate::config::KeyValueGrant;
use crate::gate::{Act, KeyValueOperation};
use crate::store::{PluginChange, PluginChanged, PluginQuota, StoreError};

/// Longest key. Danger: it stands in an act, and so in the journal.
pub const KEY_BYTES_MAX: usize = 512;
/// Keys of one batch. Danger: as above.
pub const BATCH_KEYS_MAX: usize = 256;
/// Bytes of one answer to a batch. Danger: the host holds them.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Keys of one page of a listing.
pub const PAGE_KEYS: u32 = 500;
/// What a grant may give at most. Danger: the store is one file, and every change counts what there is.
const BYTES_MAX: u64 = 256 << 20;
const KEYS_MAX: u64 = 100_000;
const VALUE_BYTES_MAX: u64 = 8 << 20;

/// The one bucket of a plugin.
#[derive(Debug)]
pub struct Bucket;

/// What one plugin may keep. Made once from its grant.
#[derive(Clone, Debug)]
pub struct KeyValueState {
    quota: PluginQuota,
    value_bytes_max: u64,
}

impl KeyValueState {
    /// Resolve a grant.
    ///
    /// # Errors
    /// A number that is no limit.
    pub fn new(grant: &KeyValueGrant) -> Result<Self, GrantError> {
        let within = |key, value: u64, most: u64| match value {
            value if (1..=most).contains(&value) => Ok(value),
            value => Err(GrantError::new("keyvalue", key, &value.to_string(), format!("it is from 1 to {most}"))),
        };
        Ok(Self {
            quota: PluginQuota {
                bytes_max: within("bytes_max", grant.bytes_max, BYTES_MAX)?,
                keys_max: within("keys_max", grant.keys_max, KEYS_MAX)?,
            },
            value_bytes_max: within("value_bytes_max", grant.value_bytes_max, VALUE_BYTES_MAX)?,
        })
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for CallState {
    async fn open(&mut self, identifier: String) -> Answer<Resource<Bucket>> {
        if self.keyvalue.is_none() || !matches!(identifier.as_str(), "" | "default") {
            return Ok(Err(Error::NoSuchStore));
        }
        Ok(Ok(self.table.push(Bucket)?))
    }
}

impl HostBucket for CallState {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<Option<Vec<u8>>> {
        self.table.get(&bucket)?;
        Ok(self.value(&key).await)
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Answer<()> {
        self.table.get(&bucket)?;
        Ok(self.change(PluginChange::Set(vec![(key, value)])).await.map(|_| ()))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<()> {
        self.table.get(&bucket)?;
        Ok(self.change(PluginChange::Remove(vec![key])).await.map(|_| ()))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<bool> {
        self.table.get(&bucket)?;
        Ok(self.value(&key).await.map(|value| value.is_some()))
    }

    async fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Answer<KeyResponse> {
        self.table.get(&bucket)?;
        let from = cursor.unwrap_or(0);
        // One more than a page says whether there is another.
        let (store, _) = self.door.journal().store();
        let found = store.plugin_keys(&self.door.origin().plugin, from, PAGE_KEYS + 1).await;
        Ok(found.map_err(failed).map(|mut keys| {
            let page = usize::try_from(PAGE_KEYS).unwrap_or(usize::MAX);
            let cursor = (keys.len() > page).then(|| from.saturating_add(u64::from(PAGE_KEYS)));
            keys.truncate(page);
            KeyResponse { keys, cursor }
        }))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for CallState {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Answer<u64> {
        self.table.get(&bucket)?;
        Ok(self.change(PluginChange::Increment { key, by: delta }).await)
    }
}

impl batch::Host for CallState {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Answer<Vec<Option<(String, Vec<u8>)>>> {
        self.table.get(&bucket)?;
        if let Err(error) = few(keys.len()) {
            return Ok(Err(error));
        }
        let mut found = Vec::with_capacity(keys.len());
        let mut bytes = 0_usize;
        for key in keys {
            match self.value(&key).await {
                Ok(value) => {
                    bytes = bytes.saturating_add(value.as_ref().map_or(0, Vec::len));
                    if bytes > ANSWER_BYTES_MAX {
                        let text = format!("the values have more than {ANSWER_BYTES_MAX} bytes together: get fewer");
                        return Ok(Err(Error::Other(text)));
                    }
                    found.push(value.map(|value| (key, value)));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(found))
    }

    async fn set_many(&mut self, bucket: Resource<Bucket>, key_values: Vec<(String, Vec<u8>)>) -> Answer<()> {
        self.table.get(&bucket)?;
        Ok(self.change(PluginChange::Set(key_values)).await.map(|_| ()))
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Answer<()> {
        self.table.get(&bucket)?;
        Ok(self.change(PluginChange::Remove(keys)).await.map(|_| ()))
    }
}

impl CallState {
    async fn value(&mut self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        check_key(key)?;
        if self.keyvalue.is_none() {
            return Err(Error::AccessDenied);
        }
        let (store, _) = self.door.journal().store();
        store.plugin_value(&self.door.origin().plugin, key).await.map_err(failed)
    }

    /// Judge a change and make it; the answer is the sum, of an increment.
    async fn change(&mut self, change: PluginChange) -> Result<u64, Error> {
        let Some(state) = self.keyvalue.clone() else { return Err(Error::AccessDenied) };
        let (operation, keys, bytes) = described(&change, state.value_bytes_max)?;
        if keys.is_empty() {
            return Ok(0);
        }
        few(keys.len())?;
        keys.iter().try_for_each(|key| check_key(key))?;
        let plugin = self.door.origin().plugin.clone();
        let act = Act::KeyValueWrite { plugin: plugin.clone(), operation, keys, bytes };
        let door = self.door.clone();
        let pass = door.enter(act).await.map_err(|refusal| {
            Error::Other(format!("refused by rule `{}`: {}; {}", refusal.rule, refusal.reason, refusal.advice))
        })?;
        if pass.edited().is_some() {
            let text = "what an approver made of the change cannot be made: only the change as it was asked for can";
            pass.failed(&text);
            return Err(Error::Other(text.into()));
        }
        let (store, lease) = door.journal().store();
        let error = match store.change_plugin_values(lease, &plugin, &change, &state.quota).await {
            Ok(PluginChanged::Done) => {
                pass.done(json!({ "bytes": bytes }));
                return Ok(0);
            }
            Ok(PluginChanged::Sum(sum)) => {
                pass.done(json!({ "sum": sum }));
                return Ok(sum);
            }
            Ok(PluginChanged::TooManyBytes) => {
                over(&plugin, &format!("more than {} bytes of keys and values", state.quota.bytes_max), "bytes_max")
            }
            Ok(PluginChanged::TooManyKeys) => {
                over(&plugin, &format!("more than {} keys", state.quota.keys_max), "keys_max")
            }
            Ok(PluginChanged::NoNumber) => {
                Error::Other("the value is no decimal number of 64 bits, or would be none".into())
            }
            Err(error) => failed(error),
        };
        if let Error::Other(text) = &error {
            pass.failed(text);
        }
        Err(error)
    }
}

fn described(change: &PluginChange, value_bytes_max: u64) -> Result<(KeyValueOperation, Vec<String>, u64), Error> {
    Ok(match change {
        PluginChange::Set(pairs) => {
            let mut bytes = 0_u64;
            for (_, value) in pairs {
                let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
                if length > value_bytes_max {
                    return Err(Error::Other(format!(
                        "a value has {length} bytes, more than the {value_bytes_max} that it may"
                    )));
                }
                bytes = bytes.saturating_add(length);
            }
            (KeyValueOperation::Set, pairs.iter().map(|(key, _)| key.clone()).collect(), bytes)
        }
        PluginChange::Remove(keys) => (KeyValueOperation::Delete, keys.clone(), 0),
        PluginChange::Increment { key, .. } => (KeyValueOperation::Increment, vec![key.clone()], 0),
    })
}

fn few(keys: usize) -> Result<(), Error> {
    if keys > BATCH_KEYS_MAX {
        return Err(Error::Other(format!("a batch has {BATCH_KEYS_MAX} keys at most, and this one: {keys}")));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) {
        return Err(Error::Other(format!("a key has 1 to {KEY_BYTES_MAX} bytes and no control characters")));
    }
    Ok(())
}

fn over(plugin: &str, what: &str, key: &str) -> Error {
    Error::Other(format!(
        "the plugin would keep {what}\nhint: remove what is not needed, or raise `{key}` in [grants.{plugin}.keyvalue] of pi.toml"
    ))
}

#[allow(clippy::needless_pass_by_value, reason = "it ends here")]
fn failed(error: StoreError) -> Error {
    Error::Other(error.to_string())
}
