//! A guest that was granted values of its own and tries to keep more, or to see others'.

use pi_sdk::keyvalue::{self, Bucket, Error as StoreError};
use pi_sdk::{Content, Error, ToolPlugin, Value, atomics, batch, config, json};

struct KeyValue;

impl ToolPlugin for KeyValue {
    const MANIFEST: &'static str = include_str!("../manifests/keyvalue.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| arguments.get(name).and_then(Value::as_u64).unwrap_or(0);
        let size = |name: &str| usize::try_from(number(name)).unwrap_or(usize::MAX);
        if name == "config" {
            let all = config::get_all().map_err(|error| failed(format!("{error:?}")))?;
            let one = config::get(text("key")).map_err(|error| failed(format!("{error:?}")))?;
            return Ok(said(json!({ "all": all, "one": one })));
        }
        let bucket = keyvalue::open(if name == "open" { text("name") } else { "default" }).map_err(error)?;
        let answer = match name {
            "open" => json!("opened"),
            "set" => json!(bucket.set(text("key"), text("value").as_bytes()).map_err(error)?),
            "get" => json!(
                bucket
                    .get(text("key"))
                    .map_err(error)?
                    .map(|value: Vec<u8>| String::from_utf8_lossy(&value).into_owned())
            ),
            "delete" => json!(bucket.delete(text("key")).map_err(error)?),
            "increment" => json!(atomics::increment(&bucket, text("key"), number("by")).map_err(error)?),
            "fill" => {
                let value = vec![b'x'; size("bytes")];
                for done in 0..number("count") {
                    bucket
                        .set(&format!("k{done:06}"), &value)
                        .map_err(|e| failed(format!("after {done}: {}", in_words(e))))?;
                }
                json!("filled")
            }
            "list" => json!(list(&bucket)?.len()),
            "many" => {
                let keys: Vec<String> = (0..number("count")).map(|key| format!("b{key}")).collect();
                let pairs: Vec<(String, Vec<u8>)> = keys.iter().map(|key| (key.clone(), b"v".to_vec())).collect();
                batch::set_many(&bucket, &pairs).map_err(error)?;
                let found = batch::get_many(&bucket, &keys).map_err(error)?.into_iter().flatten().count();
                batch::delete_many(&bucket, &keys).map_err(error)?;
                json!({ "found": found, "left": list(&bucket)?.len() })
            }
            _ => return Err(Error::NotFound(name.to_owned())),
        };
        Ok(said(answer))
    }
}

pi_sdk::tool!(KeyValue);

fn list(bucket: &Bucket) -> Result<Vec<String>, Error> {
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let page = bucket.list_keys(cursor).map_err(error)?;
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(keys);
        }
    }
}

fn said(value: Value) -> Vec<Content> {
    vec![Content::Json(value.to_string())]
}

fn failed(text: impl Into<String>) -> Error {
    Error::Failed(text.into())
}

fn in_words(error: StoreError) -> String {
    match error {
        StoreError::Other(text) => text,
        other => format!("{other:?}"),
    }
}

fn error(error: StoreError) -> Error {
    failed(in_words(error))
}
