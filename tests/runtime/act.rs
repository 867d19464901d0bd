//! A component of ACT, made by ACT's own kit and unchanged: its tools, its answers, what it may not, and how it ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use pi_host::capability::bindings::pi::tool::types::{Blob, Content, Error};
use pi_host::capability::config::ConfigState;
use pi_host::capability::preopens::Preopens;
use pi_host::plugin::ToolEffect;
use pi_host::runtime::{CallLimits, Compiled, Grants, LinkedTool, LoadError};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::guest::{call, limits, runtime};
use crate::capability::bench::{Bench, grant};
use crate::project::Project;

/// The guest, built by ACT's own kit with these features of its own.
fn built(features: &str) -> PathBuf {
    // The two ways to build it would take each other's file away.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("act");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/act"))
        .args(["build", "--quiet", "--locked", "--release", "--target", "wasm32-wasip2", "--features", features])
        .arg("--target-dir")
        .arg(&target);
    for name in
        ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"]
    {
        cargo.env_remove(name);
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "the guest does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    let kept = target.join(format!("act{features}.wasm"));
    std::fs::copy(target.join("wasm32-wasip2/release/act.wasm"), &kept).unwrap();
    kept
}

async fn compiled() -> &'static Compiled {
    static COMPILED: OnceCell<Compiled> = OnceCell::const_new();
    let load = async || runtime().load_named(&std::fs::read(built("")).unwrap(), "act").await.unwrap();
    COMPILED.get_or_init(load).await
}

async fn linked(grants: Grants) -> LinkedTool {
    runtime().link_tool(compiled().await, grants).unwrap()
}

async fn answer(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
    answer_within(limits(), name, arguments).await
}

async fn answer_within(limits: CallLimits, name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
    let bench = Bench::new().await;
    call(&bench, &linked(Grants::default()).await, limits, name, arguments).await
}

fn texts(texts: &[&str]) -> Result<Vec<Content>, Error> {
    Ok(texts.iter().map(|text| Content::Text((*text).into())).collect())
}

fn failed(text: &str) -> Result<Vec<Content>, Error> {
    Err(Error::Failed(text.into()))
}

/// The limit that a call came to.
fn limit(result: Result<Vec<Content>, Error>) -> String {
    match result {
        Err(Error::Limit(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn its_tools_are_those_that_it_lists() {
    let manifest = &compiled().await.binary.manifest;
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("act", "0.0.0"));
    let greet = manifest.tools.iter().find(|tool| tool.name == "greet").unwrap();
    assert_eq!((greet.description.as_str(), greet.idempotent), ("Greets somebody", false));
    assert_eq!(greet.input_schema["type"], json!("object"));
    assert_eq!(greet.input_schema["required"], json!(["name"]));
    assert_eq!(manifest.tools.len(), 19);
}

#[tokio::test]
async fn what_it_says_of_its_tools_makes_them_no_milder() {
    let bench = Bench::new().await;
    bench.file("in/f", "");
    let effect = |guest: &LinkedTool, tool: &str| {
        guest.manifest.tools.iter().find(|offered| offered.name == tool).unwrap().effect
    };
    // Without anything to change it can only compute; of what it says itself that it destroys, that is believed.
    let alone = linked(Grants::default()).await;
    assert_eq!((effect(&alone, "noop"), effect(&alone, "wipe")), (ToolEffect::Read, ToolEffect::Destructive));
    let preopens = Preopens::new(&grant(&[], &["in"]), &bench.project()).unwrap();
    let writing = linked(Grants { preopens: Some(Arc::new(preopens)), ..Grants::default() }).await;
    assert_eq!(effect(&writing, "noop"), ToolEffect::Destructive);
}

#[tokio::test]
async fn it_answers_with_texts_json_cbor_and_pictures() {
    assert_eq!(answer("noop", json!({})).await, texts(&[""]));
    let greeted = answer("greet", json!({ "name": "Åse", "times": 2 })).await;
    assert_eq!(greeted, texts(&["hello Åse, hello Åse"]));
    assert_eq!(answer("report", json!({})).await, Ok(vec![Content::Json("[1,2]".into())]));
    assert_eq!(answer("measure", json!({})).await, Ok(vec![Content::Json(r#"{"celsius":[7.5,"NaN"]}"#.into())]));
    let picture = Blob { mime: "image/png".into(), bytes: b"\x89PNG\r\n".to_vec() };
    assert_eq!(answer("picture", json!({})).await, Ok(vec![Content::Blob(picture)]));
}

#[tokio::test]
async fn it_answers_by_a_stream() {
    assert_eq!(answer("count", json!({ "to": 3 })).await, texts(&["1", "2", "3"]));
    assert_eq!(answer("count", json!({ "to": 0 })).await, texts(&[]));
    // More than are taken at once.
    assert_eq!(answer("count", json!({ "to": 1_000 })).await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn its_errors_are_failures_in_its_words() {
    assert_eq!(answer("wipe", json!({})).await, failed("there is nothing"));
    let half = "there is no c (`std:not-found`)\nbefore that it said: deleted a\ndeleted b";
    assert_eq!(answer("half", json!({})).await, failed(half));
    let misfit = answer("greet", json!({ "name": 4 })).await;
    assert!(matches!(&misfit, Err(Error::InvalidArguments(text)) if text.contains("arguments")), "{misfit:?}");
    assert_eq!(answer("none", json!({})).await, Err(Error::NotFound("none".into())));
}

#[tokio::test]
async fn it_reaches_the_folders_that_it_is_granted_and_no_other() {
    let bench = Bench::new().await;
    bench.file("in/f", "granted");
    let path = bench.project().canonicalize().unwrap().join("in/f").display().to_string();
    let without = linked(Grants::default()).await;
    let denied = call(&bench, &without, limits(), "look", json!({ "path": path })).await;
    assert!(matches!(&denied, Err(Error::Failed(text)) if text.contains("std:capability-denied")), "{denied:?}");
    let preopens = Preopens::new(&grant(&["in"], &[]), &bench.project()).unwrap();
    let with = linked(Grants { preopens: Some(Arc::new(preopens)), ..Grants::default() }).await;
    assert_eq!(call(&bench, &with, limits(), "look", json!({ "path": path })).await, texts(&["granted"]));
    let denied = call(&bench, &with, limits(), "look", json!({ "path": "/etc/passwd" })).await;
    assert!(matches!(denied, Err(Error::Failed(_))), "{denied:?}");
}

#[tokio::test]
async fn its_settings_go_along_where_they_are_granted() {
    let bench = Bench::new().await;
    let values = toml::from_str("\"std:language\" = \"nn\"\nurl = \"http://a\"").unwrap();
    let config = Some(Arc::new(ConfigState::new(&values)));
    let granted = linked(Grants { config, ..Grants::default() }).await;
    let settings = call(&bench, &granted, limits(), "settings", json!({})).await;
    assert_eq!(settings, texts(&["std:language=nn, url=http://a"]));
    assert_eq!(answer("settings", json!({})).await, texts(&[""]));
}

#[tokio::test]
async fn a_call_that_never_ends_is_stopped_whether_it_runs_or_waits() {
    let short = CallLimits { call_ms_max: 200, ..limits() };
    for tool in ["spin", "sleep", "wait", "hang"] {
        let text = limit(answer_within(short.clone(), tool, json!({})).await);
        assert_eq!(text, "the call took longer than the 200 ms that it may", "{tool}");
    }
}

#[tokio::test]
async fn one_that_loops_does_not_hold_up_another() {
    let looping = tokio::spawn(answer_within(CallLimits { call_ms_max: 1_000, ..limits() }, "spin", json!({})));
    assert_eq!(answer("noop", json!({})).await, texts(&[""]));
    limit(looping.await.unwrap());
}

#[tokio::test]
async fn what_it_gives_and_takes_ends_at_the_limits() {
    let short = CallLimits { output_bytes_max: 100, ..limits() };
    let whole = Blob { mime: "application/octet-stream".into(), bytes: vec![0; 76] };
    let flood = async |bytes: u32| answer_within(short.clone(), "flood", json!({ "bytes": bytes })).await;
    // Its media type counts as well.
    assert_eq!(flood(76).await, Ok(vec![Content::Blob(whole)]));
    assert!(limit(flood(77).await).contains("more than the 100 bytes"));
    assert!(limit(flood(101).await).contains("more than the 100 bytes"));
    assert_eq!(answer("crumbs", json!({ "parts": 9_999 })).await.unwrap().len(), 9_999);
    assert!(limit(answer("crumbs", json!({ "parts": 10_001 })).await).contains("10000 parts"));
    assert!(limit(answer("hoard", json!({})).await).contains("memory"));
}

#[tokio::test]
async fn cbor_that_is_too_deep_is_a_failure_that_says_so() {
    assert!(answer("deep", json!({ "levels": 50 })).await.is_ok());
    let told = "the tool gave an answer that cannot be shown: its CBOR is nested more than 100 deep";
    assert_eq!(answer("deep", json!({ "levels": 500_000 })).await, failed(told));
}

#[tokio::test]
async fn a_list_that_takes_more_than_it_may_is_none() {
    let bytes = std::fs::read(built("endless")).unwrap();
    let error = runtime().load_named(&bytes, "act").await.map(|_| ()).unwrap_err();
    assert!(matches!(&error, LoadError::Listing(text) if text.contains("bytes of memory")), "{error}");
}

fn good(project: &Project, arguments: &[&str]) -> crate::project::Said {
    let said = project.run(arguments);
    assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.out, said.err);
    said
}

#[test]
fn it_is_installed_shown_verified_called_journalled_and_removed_as_any_other() {
    let project = Project::new();
    let component = built("").display().to_string();
    let shown = good(&project, &["plugin", "inspect", &component]).out;
    assert!(shown.contains("it is of ACT: its tools are those that it lists"), "{shown}");
    assert!(shown.contains("  greet is act:tools/tool-provider@0.2.0#greet\n"), "{shown}");
    good(&project, &["plugin", "install", &component, "--yes"]);
    let listed = good(&project, &["--json", "plugin", "list"]).json();
    let listed = listed.as_array().unwrap().iter().find(|plugin| plugin["name"] == "act").unwrap().clone();
    assert!(listed["tools"].as_array().unwrap().contains(&json!("greet")), "{listed}");
    good(&project, &["plugin", "verify"]);
    assert_eq!(good(&project, &["tool", "call", "greet", r#"{"name":"Ada"}"#]).out.trim(), "hello Ada");
    let measured = good(&project, &["--json", "tool", "call", "measure", "{}"]).json();
    assert_eq!(measured, json!({ "content": [{ "json": { "celsius": [7.5, "NaN"] } }] }));
    let misfit = project.run(&["tool", "call", "greet", r#"{"nmae":"Ada"}"#]);
    assert!(misfit.code == Some(1) && misfit.err.contains("name"), "{}", misfit.err);
    // It could do anything, as far as anybody knows, so the gate is asked and the journal has it.
    good(&project, &["session", "verify"]);
    let sessions = good(&project, &["--json", "session", "list"]).json();
    assert!(sessions.as_array().unwrap().len() >= 2, "{sessions}");
    good(&project, &["plugin", "remove", "act"]);
    assert_eq!(project.run(&["tool", "call", "noop", "{}"]).code, Some(1));
}

#[test]
fn a_client_of_mcp_gets_its_tools_and_answers() {
    let project = Project::new();
    good(&project, &["plugin", "install", &built("").display().to_string(), "--yes"]);
    let mut serving =
        project.command(&["mcp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut to = serving.stdin.take().unwrap();
    let mut from = BufReader::new(serving.stdout.take().unwrap());
    let mut say = |message: Value| writeln!(to, "{message}").unwrap();
    let mut hear = |id: u64| loop {
        let mut line = String::new();
        assert_ne!(from.read_line(&mut line).unwrap(), 0, "it ended");
        let message: Value = serde_json::from_str(&line).unwrap();
        if message["id"] == id {
            return message["result"].clone();
        }
    };
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    say(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }));
    hear(0);
    say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    say(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let tools = hear(1)["tools"].clone();
    let hints = |name: &str| {
        let tool = tools.as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap();
        (tool["annotations"]["readOnlyHint"].clone(), tool["annotations"]["idempotentHint"].clone())
    };
    assert_eq!(hints("wipe").0, json!(false));
    assert_ne!(hints("greet").1, json!(true));
    let mut call = |id: u64, name: &str| {
        say(json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": name, "arguments": {} } }));
        hear(id)
    };
    let picture = call(2, "picture");
    let content = json!([{ "type": "image", "data": "iVBORw0K", "mimeType": "image/png" }]);
    assert_eq!(picture["content"], content, "{picture}");
    let measured = call(3, "measure");
    assert_eq!(measured["structuredContent"], json!({ "celsius": [7.5, "NaN"] }), "{measured}");
    let failed = call(4, "half");
    assert_eq!(failed["isError"], json!(true), "{failed}");
    drop(to);
    serving.wait().unwrap();
}
