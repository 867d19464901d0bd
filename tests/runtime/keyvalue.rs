//! A guest that was granted values of its own, and its configuration: what it keeps, and what it does not.

use std::sync::Arc;

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::capability::config::ConfigState;
use pi_host::capability::keyvalue::{BATCH_KEYS_MAX, KEY_BYTES_MAX, KeyValueState};
use pi_host::config::{Config, KeyValueGrant};
use pi_host::runtime::{CallLimits, Grants, LinkError, LinkedTool};
use serde_json::{Value, json};

use super::guest::{call, compiled, limits, linked, runtime};
use crate::capability::bench::Bench;

async fn with(grant: KeyValueGrant) -> LinkedTool {
    let config = "a = \"one\"\nb = \"two\"\n";
    let grants = Grants {
        keyvalue: Some(Arc::new(KeyValueState::new(&grant).unwrap())),
        config: Some(Arc::new(ConfigState::new(&toml::from_str(config).unwrap()))),
        ..Grants::default()
    };
    linked("keyvalue", grants).await
}

async fn ask(bench: &Bench, guest: &LinkedTool, name: &str, arguments: Value) -> Result<Value, String> {
    let limits = CallLimits { host_calls_max: 100_000, call_ms_max: 20_000, ..limits() };
    match call(bench, guest, limits, name, arguments).await {
        Ok(parts) => match parts.as_slice() {
            [Content::Json(text)] => Ok(serde_json::from_str(text).unwrap()),
            other => panic!("{other:?}"),
        },
        Err(Error::Failed(text)) => Err(text),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_set_is_there_in_the_next_call_and_each_change_is_journalled() {
    let bench = Bench::new().await;
    let guest = with(KeyValueGrant::default()).await;
    ask(&bench, &guest, "set", json!({ "key": "a", "value": "one" })).await.unwrap();
    assert_eq!(ask(&bench, &guest, "get", json!({ "key": "a" })).await.unwrap(), "one");
    assert_eq!(ask(&bench, &guest, "increment", json!({ "key": "n", "by": 2 })).await.unwrap(), 2);
    assert_eq!(ask(&bench, &guest, "increment", json!({ "key": "n", "by": 3 })).await.unwrap(), 5);
    ask(&bench, &guest, "delete", json!({ "key": "a" })).await.unwrap();
    assert_eq!(ask(&bench, &guest, "get", json!({ "key": "a" })).await.unwrap(), Value::Null);
    let acts = bench.acts().await;
    assert_eq!(acts.iter().filter(|act| act.starts_with("started")).count(), 4, "{acts:?}");
    assert_eq!(acts[0], "started: set `a` (3 bytes) in the values of `tester`");
}

#[tokio::test]
async fn a_batch_is_one_act() {
    let bench = Bench::new().await;
    let guest = with(KeyValueGrant::default()).await;
    let done = ask(&bench, &guest, "many", json!({ "count": BATCH_KEYS_MAX })).await.unwrap();
    assert_eq!(done, json!({ "found": BATCH_KEYS_MAX, "left": 0 }));
    assert_eq!(bench.outcomes().await.len(), 2);
    let error = ask(&bench, &guest, "many", json!({ "count": BATCH_KEYS_MAX + 1 })).await.unwrap_err();
    assert!(error.contains("256 keys at most"), "{error}");
}

#[tokio::test]
async fn keeps_no_more_keys_bytes_or_of_one_value_than_it_may() {
    let bench = Bench::new().await;
    let guest = with(KeyValueGrant { keys_max: 600, bytes_max: 100_000, value_bytes_max: 1_000 }).await;
    let error = ask(&bench, &guest, "fill", json!({ "count": 601, "bytes": 1 })).await.unwrap_err();
    assert!(
        error.contains("after 600: the plugin would keep more than 600 keys") && error.contains("`keys_max`"),
        "{error}"
    );
    // Of more than a page.
    assert_eq!(ask(&bench, &guest, "list", json!({})).await.unwrap(), 600);
    let error = ask(&bench, &guest, "fill", json!({ "count": 600, "bytes": 1_000 })).await.unwrap_err();
    assert!(error.contains("more than 100000 bytes") && error.contains("`bytes_max`"), "{error}");
    let error = ask(&bench, &guest, "fill", json!({ "count": 1, "bytes": 1_001 })).await.unwrap_err();
    assert!(error.contains("a value has 1001 bytes"), "{error}");
    for (key, is_fine) in [
        ("x".repeat(KEY_BYTES_MAX), true),
        ("x".repeat(KEY_BYTES_MAX + 1), false),
        (String::new(), false),
        ("a\nb".into(), false),
    ] {
        assert_eq!(ask(&bench, &guest, "get", json!({ "key": key })).await.is_ok(), is_fine, "{key:?}");
    }
}

#[tokio::test]
async fn there_is_no_other_bucket_and_no_number_in_other_values() {
    let bench = Bench::new().await;
    let guest = with(KeyValueGrant::default()).await;
    for (name, is_there) in
        [("", true), ("default", true), ("other", false), ("../tester", false), ("guest_files", false)]
    {
        assert_eq!(ask(&bench, &guest, "open", json!({ "name": name })).await.is_ok(), is_there, "{name}");
    }
    for value in ["x", "-1", "1.0", "", "18446744073709551615"] {
        ask(&bench, &guest, "set", json!({ "key": "n", "value": value })).await.unwrap();
        let error = ask(&bench, &guest, "increment", json!({ "key": "n", "by": 1 })).await.unwrap_err();
        assert!(error.contains("no decimal number"), "{value}: {error}");
    }
}

#[tokio::test]
async fn increments_at_the_same_time_lose_none() {
    let bench = Bench::new().await;
    let guest = with(KeyValueGrant::default()).await;
    let all = (0..20).map(|_| ask(&bench, &guest, "increment", json!({ "key": "n", "by": 1 })));
    let mut sums: Vec<u64> =
        futures::future::join_all(all).await.into_iter().map(|sum| sum.unwrap().as_u64().unwrap()).collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=20).collect::<Vec<u64>>());
}

#[tokio::test]
async fn reads_its_own_configuration() {
    let bench = Bench::new().await;
    let guest = with(KeyValueGrant::default()).await;
    let read = ask(&bench, &guest, "config", json!({ "key": "b" })).await.unwrap();
    assert_eq!(read, json!({ "all": [["a", "one"], ["b", "two"]], "one": "two" }));
    assert_eq!(ask(&bench, &guest, "config", json!({ "key": "PATH" })).await.unwrap()["one"], Value::Null);
}

#[test]
fn a_configuration_is_made_of_texts() {
    let parse = |text: &str| Config::parse(text, "pi.toml").unwrap_err().to_string();
    let error = parse("[plugins.x.config]\nport = 80\n");
    insta::assert_snapshot!(error, @r"
    pi.toml: [plugins.x.config] port: it is no text
    hint: write it in quotes: a plugin reads texts alone
    ");
    assert!(parse("[plugins.x.config.table]\na = \"b\"\n").contains("it is no text"));
    let long = |bytes: usize| format!("[plugins.x.config]\na = \"{}\"\n", "x".repeat(bytes - 1));
    assert!(Config::parse(&long(256 << 10), "pi.toml").is_ok());
    assert!(parse(&long((256 << 10) + 1)).contains("longer than 256 KiB"));
}

#[tokio::test]
async fn without_a_grant_it_is_not_linked() {
    let bench = Bench::new().await;
    drop(bench);
    for guest in ["keyvalue", "http"] {
        let error = runtime().link_tool(&compiled(guest).await, Grants::default()).err().unwrap();
        assert!(matches!(error, LinkError::NotGranted { .. }), "{guest}: {error}");
    }
}
