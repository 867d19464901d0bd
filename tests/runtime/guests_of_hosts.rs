//! Guests that were granted programs, services, the log or tools, and agents, each reaching for more.

use std::process::{Command, Stdio};
use std::sync::Arc;

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::capability::process::{ProcessState, Surroundings};
use pi_host::capability::services::ServicesState;
use pi_host::config::{ProcessGrant, ServiceConfig, ServicesGrant};
use pi_host::confine::Confine;
use pi_host::runtime::{CallLimits, Grants, LinkedTool};
use pi_host::supervisor::{Places, Supervisor};
use serde_json::{Value, json};

use super::guest::{call, limits, linked, packed};
use crate::capability::bench::Bench;

async fn with_programs(bench: &Bench, programs: &[&str]) -> LinkedTool {
    let grant =
        ProcessGrant { programs: programs.iter().map(|name| (*name).to_owned()).collect(), ..ProcessGrant::default() };
    let confine = Confine::with_helper(env!("CARGO_BIN_EXE_pi-host"));
    let state = ProcessState::new(&grant, &bench.project(), confine, &Surroundings::default()).unwrap();
    linked("process", Grants { process: Some(Arc::new(state)), ..Grants::default() }).await
}

async fn failed(bench: &Bench, guest: &LinkedTool, name: &str, arguments: Value) -> String {
    match call(bench, guest, limits(), name, arguments).await {
        Err(Error::Failed(text)) => text,
        other => panic!("`{name}` did not fail: {other:?}"),
    }
}

#[tokio::test]
async fn runs_no_program_but_those_granted() {
    let bench = Bench::new().await;
    let guest = with_programs(&bench, &["printf", "sleep", "cat"]).await;
    let said =
        call(&bench, &guest, limits(), "run", json!({ "program": "printf", "arguments": ["hi"] })).await.unwrap();
    assert!(matches!(said.as_slice(), [Content::Json(text)] if text.contains("\"hi\"")), "{said:?}");
    for program in ["sh", "/bin/sh", "../../bin/sh", "printf\0", ""] {
        let text = failed(&bench, &guest, "run", json!({ "program": program })).await;
        assert!(text.contains("NotGranted") || text.contains("Invalid"), "{program:?}: {text}");
    }
    let preload = json!({ "program": "printf", "arguments": ["x"], "environment": [["LD_PRELOAD", "/tmp/x.so"]] });
    assert!(failed(&bench, &guest, "run", preload).await.contains("LD_PRELOAD"));
    let secret = call(&bench, &guest, limits(), "run", json!({ "program": "cat", "arguments": ["/etc/shadow"] })).await;
    assert!(!format!("{secret:?}").contains("root:"), "{secret:?}");
}

#[tokio::test]
async fn what_a_call_leaves_running_ends_with_it() {
    let bench = Bench::new().await;
    let guest = with_programs(&bench, &["sleep"]).await;
    let left = call(&bench, &guest, limits(), "leave", json!({ "program": "sleep", "arguments": ["604411"] })).await;
    assert!(left.is_ok(), "{left:?}");
    let many = failed(&bench, &guest, "start_many", json!({ "program": "sleep", "arguments": ["604411"] })).await;
    assert!(many.contains("Limit") || many.contains("limit") || many.contains("at most"), "{many}");
    let is_left = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let mut lines = all.map(|process| std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default());
        lines.any(|line| line.contains("sleep\x00604411"))
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while is_left() {
        assert!(std::time::Instant::now() < deadline, "a program outlives its call");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn acts_on_no_service_but_those_granted() {
    let bench = Bench::new().await;
    let idle = ServiceConfig { command: vec!["/bin/true".into()], ..ServiceConfig::default() };
    let services = [("mine".to_owned(), idle.clone()), ("other".to_owned(), idle)].into();
    let supervisor = Supervisor::observe(&services, Places::of(&bench.project())).unwrap();
    let grant = ServicesGrant { names: vec!["mine".into()], actions: vec!["read".into()] };
    let state = Arc::new(ServicesState::new(&grant, supervisor).unwrap());
    let guest = linked("services", Grants { services: Some(state), ..Grants::default() }).await;
    for (name, arguments) in [
        ("restart", json!({ "name": "mine" })),
        ("end_process", json!({ "pid": 1, "start_time": 1 })),
        ("rotate", json!({ "name": "mine", "path": "/etc/passwd" })),
    ] {
        let text = failed(&bench, &guest, name, arguments).await;
        assert!(text.contains("NotGranted") && text.contains("[grants."), "{name}: {text}");
    }
    // As if it did not exist.
    assert!(failed(&bench, &guest, "logs", json!({ "name": "other" })).await.contains("NotFound"));
    assert!(call(&bench, &guest, limits(), "logs", json!({ "name": "mine" })).await.is_ok());
}

#[tokio::test]
async fn fills_no_log_and_forges_no_line() {
    let bench = Bench::new().await;
    let guest = linked("log", Grants { has_log: true, ..Grants::default() }).await;
    let limits = CallLimits { host_calls_max: 1_000_000, call_ms_max: 20_000, ..limits() };
    call(&bench, &guest, limits, "log_flood", json!({ "bytes": 1_000_000, "count": 20_000 })).await.unwrap();
    let said = bench.said().await;
    // A burst, what came back meanwhile, and the two remarks: not as much as was said.
    assert!((100..10_000).contains(&said.len()), "{}", said.len());
    assert!(said.iter().any(|message| message.contains("were dropped here")), "{:?}", said.last());
    assert!(said.iter().all(|message| message.len() < 9_000));
    assert!(said.last().unwrap().contains("limit of 10000"), "{:?}", said.last());
}

#[tokio::test]
async fn a_tool_has_no_tools_whatever_it_was_granted() {
    let bench = Bench::new().await;
    let guest = linked("tools", Grants { has_tools: true, ..Grants::default() }).await;
    for (name, arguments) in [
        ("call_tool", json!({ "tool": "bash", "arguments": { "command": "id" } })),
        ("call_tool", json!({ "tool": "bash", "count": 1000 })),
        ("call_itself", json!({})),
        ("bad_arguments", json!({})),
    ] {
        let result = call(&bench, &guest, limits(), name, arguments).await;
        assert!(result.is_err(), "{name}: {result:?}");
    }
}

/// Run the agent with this prompt in a project of its own: exit code, and all that was said.
fn run_agent(prompt: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("agent.wasm"), packed("agent")).unwrap();
    std::fs::write(
        folder.path().join("pi.toml"),
        "[plugins.guest_agent]\npath = \"agent.wasm\"\n[agents.guest_agent]\nsession_ms_max = 1500\n[grants.guest_agent]\ntools = {}\n",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pi-host"))
        .args(["run", "guest_agent", prompt])
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let verify = Command::new(env!("CARGO_BIN_EXE_pi-host"))
        .args(["session", "verify"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(verify.success(), "{prompt}: the journal does not hold");
    (output.status.code(), said)
}

#[test]
fn an_agent_that_misbehaves_ends_and_is_told() {
    for (prompt, told) in [
        ("loop_forever", "1500 ms"),
        ("sleep_forever", "1500 ms"),
        ("call_forever", "1500 ms"),
        ("panic", "panic"),
        ("nonsense", "names no misbehaviour"),
    ] {
        let (code, said) = run_agent(prompt);
        assert_eq!(code, Some(1), "{prompt}: {said}");
        assert!(said.contains(told), "{prompt}: {said}");
    }
    // What it claims of no service is its own affair, and details that are no JSON are kept as text.
    assert_eq!(run_agent("bad_details").0, Some(0));
}
