//! The plugin `memory`: what agents keep from one session to the next.
//!
//! An agent has no state but its session's journal. What it has to know the next time goes through these tools, so that
//! it stands in the journal of both sessions, and a replay sees what the run saw. A document larger than one value of the
//! store is kept in parts; the last part is written last, so that a reader finds the old one or the new one.

use pi_sdk::keyvalue::{self, Bucket};
use pi_sdk::{Content, Error, ToolPlugin, Value, json, json_content, serde_json};

/// Bytes of one part: below the least limit of a value that a grant may reasonably have.
const PART_BYTES: usize = 512 << 10;
/// Parts of one document.
const PARTS_MAX: usize = 16;
/// Keys that a listing tells.
const LISTED_MAX: usize = 1_000;

struct Memory;

impl ToolPlugin for Memory {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let bucket = keyvalue::open("").map_err(failed)?;
        let text = |field: &str| arguments.get(field).and_then(Value::as_str).unwrap_or_default();
        let result = match name {
            "memory_get" => json!({ "value": get(&bucket, text("key"))? }),
            "memory_put" => {
                let value = arguments.get("value").filter(|value| !value.is_null());
                let value = value
                    .ok_or_else(|| Error::InvalidArguments("`value` is null: call `memory_remove` to forget".into()))?;
                json!({ "bytes": put(&bucket, text("key"), value)? })
            }
            "memory_remove" => {
                remove(&bucket, text("key"))?;
                json!({})
            }
            "memory_list" => json!({ "keys": list(&bucket, text("prefix"))? }),
            _ => return Err(Error::NotFound(format!("the plugin `memory` has no tool `{name}`"))),
        };
        Ok(json_content(&result))
    }
}

pi_sdk::tool!(Memory);

/// What stands under a document's key: where its parts are.
fn head(bucket: &Bucket, key: &str) -> Result<Option<(String, usize)>, Error> {
    let Some(bytes) = bucket.get(&format!("head/{key}")).map_err(failed)? else { return Ok(None) };
    let broken =
        || Error::Failed(format!("what is kept under `{key}` cannot be read\nhint: remove it by `memory_remove`"));
    let head: Value = serde_json::from_slice(&bytes).map_err(|_| broken())?;
    let set = head.get("set").and_then(Value::as_str).ok_or_else(broken)?.to_owned();
    let parts = head.get("parts").and_then(Value::as_u64).and_then(|parts| usize::try_from(parts).ok());
    Ok(Some((set, parts.filter(|parts| *parts <= PARTS_MAX).ok_or_else(broken)?)))
}

fn get(bucket: &Bucket, key: &str) -> Result<Value, Error> {
    let Some((set, parts)) = head(bucket, key)? else { return Ok(Value::Null) };
    let mut whole = Vec::new();
    for part in 0..parts {
        let name = part_key(key, &set, part);
        let bytes = bucket.get(&name).map_err(failed)?;
        whole.extend(bytes.ok_or_else(|| Error::Failed(format!("a part of what is kept under `{key}` is missing")))?);
    }
    serde_json::from_slice(&whole)
        .map_err(|error| Error::Failed(format!("what is kept under `{key}` is no JSON: {error}")))
}

fn put(bucket: &Bucket, key: &str, value: &Value) -> Result<usize, Error> {
    let text = value.to_string();
    let parts: Vec<&[u8]> = text.as_bytes().chunks(PART_BYTES).collect();
    if parts.len() > PARTS_MAX {
        let (bytes, most) = (text.len(), PARTS_MAX * PART_BYTES);
        return Err(Error::InvalidArguments(format!("the document has {bytes} bytes, more than {most}")));
    }
    let old = head(bucket, key).ok().flatten();
    // Another set than the one that is read meanwhile.
    let set = if old.as_ref().is_some_and(|(set, _)| set == "a") { "b" } else { "a" };
    for (number, part) in parts.iter().enumerate() {
        bucket.set(&part_key(key, set, number), part).map_err(failed)?;
    }
    let head = json!({ "set": set, "parts": parts.len() }).to_string();
    bucket.set(&format!("head/{key}"), head.as_bytes()).map_err(failed)?;
    if let Some((set, parts)) = old {
        forget(bucket, key, &set, parts)?;
    }
    Ok(text.len())
}

fn remove(bucket: &Bucket, key: &str) -> Result<(), Error> {
    let old = head(bucket, key).ok().flatten();
    bucket.delete(&format!("head/{key}")).map_err(failed)?;
    match old {
        Some((set, parts)) => forget(bucket, key, &set, parts),
        None => Ok(()),
    }
}

fn forget(bucket: &Bucket, key: &str, set: &str, parts: usize) -> Result<(), Error> {
    (0..parts).try_for_each(|part| bucket.delete(&part_key(key, set, part)).map_err(failed))
}

fn list(bucket: &Bucket, prefix: &str) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = bucket.list_keys(cursor).map_err(failed)?;
        let own = page.keys.iter().filter_map(|key| key.strip_prefix("head/")).filter(|key| key.starts_with(prefix));
        found.extend(own.map(str::to_owned));
        if found.len() >= LISTED_MAX || page.cursor.is_none() {
            found.truncate(LISTED_MAX);
            return Ok(found);
        }
        cursor = page.cursor;
    }
}

fn part_key(key: &str, set: &str, part: usize) -> String {
    format!("part/{set}/{part}/{key}")
}

fn failed(error: keyvalue::Error) -> Error {
    match error {
        keyvalue::Error::NoSuchStore => Error::Failed("not granted: add [grants.memory.keyvalue] to pi.toml".into()),
        keyvalue::Error::AccessDenied => Error::Failed("the host refused it".into()),
        keyvalue::Error::Other(text) => Error::Failed(text),
    }
}
