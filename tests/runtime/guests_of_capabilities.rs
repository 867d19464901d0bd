//! Guests that were granted one capability and reach for more of it than they were granted.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::capability::preopens::Preopens;
use pi_host::runtime::{CallLimits, Grants, LinkedTool};
use serde_json::{Value, json};

use super::guest::{call, limits, linked};
use crate::capability::bench::{Bench, files, grant};

async fn with_files(bench: &Bench) -> LinkedTool {
    let files = Arc::new(files(&[], &["."], &bench.project()));
    linked("files", Grants { files: Some(files), ..Grants::default() }).await
}

async fn failed(bench: &Bench, guest: &LinkedTool, name: &str, arguments: Value) -> String {
    match call(bench, guest, limits(), name, arguments).await {
        Err(Error::Failed(text)) => text,
        other => panic!("`{name}` did not fail: {other:?}"),
    }
}

#[tokio::test]
async fn opens_what_is_granted() {
    let bench = Bench::new().await;
    bench.file("f", "granted");
    let guest = with_files(&bench).await;
    let read = call(&bench, &guest, limits(), "open", json!({ "path": "f" })).await;
    assert_eq!(read, Ok(vec![Content::Text("granted".into())]));
}

#[tokio::test]
async fn opens_no_file_outside() {
    let bench = Bench::new().await;
    symlink("/etc/passwd", bench.path("link")).unwrap();
    let guest = with_files(&bench).await;
    for path in ["../../../../../etc/passwd", "/etc/passwd", "link", "/proc/self/environ"] {
        let text = failed(&bench, &guest, "open", json!({ "path": path })).await;
        assert!(text.contains("OutsideGrant"), "{path}: {text}");
    }
    let text = failed(&bench, &guest, "read_symlink", json!({ "path": "/etc/passwd", "link": "new" })).await;
    assert!(text.contains("OutsideGrant"), "{text}");
}

#[tokio::test]
async fn writes_and_removes_nothing_outside() {
    let bench = Bench::new().await;
    std::fs::write(bench.top.path().join("outside"), "kept").unwrap();
    let guest = with_files(&bench).await;
    for (name, path) in [("write_outside", "../outside"), ("remove_all", ".."), ("remove_all", "/")] {
        let text = failed(&bench, &guest, name, json!({ "path": path })).await;
        assert!(text.contains("OutsideGrant"), "{name} {path}: {text}");
    }
    assert_eq!(std::fs::read_to_string(bench.top.path().join("outside")).unwrap(), "kept");
}

#[tokio::test]
async fn a_refusal_reaches_the_caller_as_one() {
    let bench = Bench::new().await;
    bench.file("forbidden", "kept");
    let guest = with_files(&bench).await;
    let refused = call(&bench, &guest, limits(), "write_outside", json!({ "path": "forbidden" })).await;
    assert!(matches!(&refused, Err(Error::Refused(refusal)) if refusal.rule == "forbidden"), "{refused:?}");
    assert_eq!(bench.text("forbidden"), "kept");
}

#[tokio::test]
async fn looks_at_its_grant_no_more_often_than_it_may() {
    let bench = Bench::new().await;
    let guest = with_files(&bench).await;
    let limits = CallLimits { host_calls_max: 500, ..limits() };
    let ended = call(&bench, &guest, limits, "look_forever", json!({})).await;
    assert!(matches!(&ended, Err(Error::Limit(text)) if text.contains("500 host calls")), "{ended:?}");
}

#[tokio::test]
async fn a_read_of_more_than_there_may_be_takes_no_memory() {
    let bench = Bench::new().await;
    bench.file("f", "small");
    let guest = with_files(&bench).await;
    let text = failed(&bench, &guest, "read_huge", json!({ "path": "f" })).await;
    assert!(text.contains("TooLarge"), "{text}");
}

#[tokio::test]
async fn a_preopen_is_read_and_written_as_granted_and_not_left() {
    let bench = Bench::new().await;
    bench.file("in/f", "granted");
    bench.file("out/f", "");
    symlink("/etc/passwd", bench.path("in/link")).unwrap();
    let preopens = Preopens::new(&grant(&["in"], &["out"]), &bench.project()).unwrap();
    let guest = linked("preopens", Grants { preopens: Some(Arc::new(preopens)), ..Grants::default() }).await;
    let project = bench.project().canonicalize().unwrap().to_str().unwrap().to_owned();
    let read = call(&bench, &guest, limits(), "std_read", json!({ "path": format!("{project}/in/f") })).await;
    assert_eq!(read, Ok(vec![Content::Text("granted".into())]));
    let write = call(&bench, &guest, limits(), "std_write", json!({ "path": format!("{project}/out/f") })).await;
    assert_eq!(write, Ok(vec![Content::Text("written".into())]));
    for (name, path) in [
        ("std_read", format!("{project}/in/../../store.db")),
        ("std_read", format!("{project}/in/link")),
        ("std_read", "/etc/passwd".into()),
        ("std_write", format!("{project}/in/f")),
        ("std_write", format!("{project}/new")),
    ] {
        failed(&bench, &guest, name, json!({ "path": path })).await;
    }
    assert_eq!(bench.text("in/f"), "granted");
}

#[tokio::test]
async fn without_preopens_the_standard_functions_find_nothing() {
    let bench = Bench::new().await;
    let guest = linked("preopens", Grants::default()).await;
    for path in ["/etc/passwd", "etc/passwd", "."] {
        failed(&bench, &guest, "std_read", json!({ "path": path })).await;
        failed(&bench, &guest, "std_write", json!({ "path": path })).await;
    }
}
