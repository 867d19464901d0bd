//! `pi:services`: what a grant lets through, what the gate refuses, and what is written of it.

use std::fs;
use std::sync::Arc;

use pi_host::capability::bindings::pi::services::services::{Error, Host, State};
use pi_host::capability::services::ServicesState;
use pi_host::capability::state::CallState;
use pi_host::config::{ProbeConfig, ServiceConfig, ServicesGrant};
use pi_host::confine;
use pi_host::gate::{Gate, InForce, Policy};
use pi_host::journal::Status;
use pi_host::supervisor::Supervisor;
use serde_json::json;

use super::bench::Bench;
use crate::supervisor::bench as real;

const ALL: [&str; 4] = ["read", "restart", "end_process", "rotate_log"];

/// A project with the services `web` and `other`, and a plugin's call.
struct Case {
    bench: Bench,
    services: real::Bench,
    supervisor: Arc<Supervisor>,
}

impl Case {
    async fn new() -> Self {
        let mut web = real::shell("echo started; exec sleep 1000");
        web.logs = vec!["web.log".into()];
        web.ports = vec![4_242];
        web.probe =
            Some(ProbeConfig { command: Some(vec!["true".into()]), timeout_ms: 5_000, ..ProbeConfig::default() });
        let services = real::Bench::of([("web", web), ("other", external())]);
        fs::write(services.path().join("web.log"), "a line\n").unwrap();
        let supervisor = services.start().await;
        Self { bench: Bench::new().await, services, supervisor }
    }

    /// A call of a plugin that may do `actions` with `web`.
    fn call(&self, actions: &[&str]) -> CallState {
        let mut call = self.bench.call(&[], &[]);
        call.door = self.bench.door_of(Arc::new(InForce::new(Gate::builtin(), None)));
        call.services =
            Some(Arc::new(ServicesState::new(&grant(&["web"], actions), Arc::clone(&self.supervisor)).unwrap()));
        call
    }

    /// The same under a policy that refuses `act`.
    fn call_without(&self, act: &str) -> CallState {
        let mut call = self.call(&ALL);
        call.door = self.bench.door_of(gate_without(act));
        call
    }

    fn log(&self) -> String {
        self.services.path().join("web.log").display().to_string()
    }
}

fn external() -> ServiceConfig {
    let probe = ProbeConfig { tcp: Some("127.0.0.1:9".into()), ..ProbeConfig::default() };
    ServiceConfig { probe: Some(probe), ..ServiceConfig::default() }
}

fn grant(names: &[&str], actions: &[&str]) -> ServicesGrant {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    ServicesGrant { names: owned(names), actions: owned(actions) }
}

fn gate_without(act: &str) -> Arc<InForce> {
    let example = |is_it: bool| match (act, is_it) {
        ("service_read", true) => json!({ "act": act, "service": "web", "what": "status" }),
        ("process_end", true) => json!({ "act": act, "pid": 7, "start_time": 1, "command": "x" }),
        ("log_rotate", true) => json!({ "act": act, "service": "web", "path": "/x" }),
        (_, true) => json!({ "act": act, "service": "web" }),
        (_, false) => json!({ "act": "file_read", "path": "/a" }),
    };
    let policy = json!({
        "version": 1,
        "thresholds": { "ask": 100, "deny": 100 },
        "rules": [{
            "id": "forbidden",
            "acts": [act],
            "when": { "plugin": ["*"] },
            "verdict": "deny",
            "points": 10,
            "reason": "the test forbids it",
            "advice": "take another",
            "examples": { "match": [example(true)], "no_match": [example(false)] },
        }],
    });
    Arc::new(InForce::new(Gate::new(Policy::parse(&policy.to_string(), "test.json").unwrap()), None))
}

fn is_not_granted<T: std::fmt::Debug>(result: wasmtime::Result<Result<T, Error>>, action: &str) {
    match result.unwrap() {
        Err(Error::NotGranted(text)) => {
            assert_eq!(text, format!("add `{action}` to `actions` in `[grants.tester.services]` of pi.toml"));
        }
        other => panic!("granted: {other:?}"),
    }
}

fn is_refused<T: std::fmt::Debug>(result: wasmtime::Result<Result<T, Error>>) {
    match result.unwrap() {
        Err(Error::Refused(refusal)) => {
            assert_eq!((refusal.rule.as_str(), refusal.advice.as_str()), ("forbidden", "take another"))
        }
        other => panic!("let through: {other:?}"),
    }
}

// Grants.

#[tokio::test]
async fn an_unknown_service_or_action_in_a_grant_is_an_error_that_names_it() {
    let case = Case::new().await;
    let error = |names: &[&str], actions: &[&str]| {
        ServicesState::new(&grant(names, actions), Arc::clone(&case.supervisor)).err().unwrap().of("sre").to_string()
    };
    assert_eq!(
        error(&["wbe"], &["read"]),
        "`wbe` cannot be granted: there is no such service; `pi.toml` has `other`, `web`\n\
         hint: change `names` in `[grants.sre.services]` of pi.toml"
    );
    assert_eq!(
        error(&["*"], &["reboot"]),
        "`reboot` cannot be granted: there is no such action; there are `read`, `restart`, `end_process`, `rotate_log`\n\
         hint: change `actions` in `[grants.sre.services]` of pi.toml"
    );
}

#[tokio::test]
async fn a_service_outside_of_the_grant_is_not_to_be_found() {
    let case = Case::new().await;
    let mut call = case.call(&ALL);
    let names: Vec<String> = call.list().await.unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["web"]);
    let error = call.status("other".into()).await.unwrap().unwrap_err();
    assert_eq!(error, Error::NotFound("no service `other` is within the grant; there are `web`".into()));
    assert!(matches!(call.restart("other".into()).await.unwrap(), Err(Error::NotFound(_))));
    assert!(case.bench.acts().await.is_empty());
}

#[tokio::test]
async fn an_action_outside_of_the_grant_names_the_line_that_would_allow_it() {
    let case = Case::new().await;
    let mut call = case.call(&[]);
    is_not_granted(call.status("web".into()).await, "read");
    is_not_granted(call.probe("web".into()).await, "read");
    is_not_granted(call.logs("web".into(), 5).await, "read");
    is_not_granted(call.changes("web".into()).await, "read");
    is_not_granted(call.port_owner(80).await, "read");
    is_not_granted(call.restart("web".into()).await, "restart");
    is_not_granted(call.end_process(4_242, 1).await, "end_process");
    is_not_granted(call.rotate_log("web".into(), case.log()).await, "rotate_log");
    assert!(case.bench.acts().await.is_empty());
}

// Acts.

#[tokio::test]
async fn reads_are_let_through_and_written_down() {
    let case = Case::new().await;
    let mut call = case.call(&["read"]);
    let status = call.status("web".into()).await.unwrap().unwrap();
    assert_eq!((status.state, status.starts), (State::Running, 1));
    let lines = call.logs("web".into(), 10).await.unwrap().unwrap();
    assert!(lines.iter().any(|line| line.message == "a line" && line.source == case.log()), "{lines:?}");
    assert!(call.changes("web".into()).await.unwrap().unwrap().is_empty());
    assert_eq!(call.port_owner(1).await.unwrap().unwrap(), None);
    let acts: Vec<String> = case.bench.acts().await.into_iter().filter(|line| line.starts_with("started")).collect();
    let what = ["status of `web`", "logs of `web`", "changes of `web`", "port_owner of `port 1`"];
    assert_eq!(acts, what.map(|what| format!("started: read {what}")));
}

#[tokio::test]
async fn what_a_probe_found_is_in_the_journal() {
    let case = Case::new().await;
    let result = case.call(&["read"]).probe("web".into()).await.unwrap().unwrap();
    assert!(result.healthy, "{}", result.detail);
    let expected =
        json!({ "healthy": true, "unknown": false, "latency_ms": result.latency_ms, "detail": "exit code 0" });
    assert_eq!(case.bench.outcomes().await, [(Status::Done, expected)]);
}

#[tokio::test]
async fn a_restart_is_in_the_journal_with_the_new_process() {
    let case = Case::new().await;
    case.call(&["restart"]).restart("web".into()).await.unwrap().unwrap();
    let main = case.services.recorded().unwrap();
    let expected = json!({ "pid": main.pid, "start_time": main.start_time });
    assert_eq!(case.bench.outcomes().await, [(Status::Done, expected)]);
}

#[tokio::test]
async fn an_external_service_cannot_be_restarted_and_that_is_written_down() {
    let case = Case::new().await;
    let mut call = case.call(&[]);
    let state = ServicesState::new(&grant(&["*"], &ALL), Arc::clone(&case.supervisor)).unwrap();
    call.services = Some(Arc::new(state));
    assert!(matches!(call.restart("other".into()).await.unwrap(), Err(Error::Unsupported(_))));
    assert_eq!(case.bench.outcomes().await[0].0, Status::Failed);
}

#[tokio::test]
async fn a_process_of_a_service_is_not_ended_and_that_is_written_down() {
    let case = Case::new().await;
    let main = case.services.recorded().unwrap();
    let ended = case.call(&["end_process"]).end_process(main.pid, main.start_time).await.unwrap();
    assert!(matches!(ended, Err(Error::Unsupported(_))), "{ended:?}");
    assert!(confine::is_alive(&main));
    assert_eq!(case.bench.outcomes().await[0].0, Status::Failed);
}

#[tokio::test]
async fn a_log_is_rotated_and_its_copy_named() {
    let case = Case::new().await;
    let archive = case.call(&["rotate_log"]).rotate_log("web".into(), case.log()).await.unwrap().unwrap();
    assert_eq!(fs::read_to_string(&archive).unwrap(), "a line\n");
    assert_eq!(case.bench.outcomes().await, [(Status::Done, json!({ "archive": archive }))]);
}

#[tokio::test]
async fn a_thousand_lines_are_the_most() {
    let case = Case::new().await;
    let text: String = (0..3_000).map(|number| format!("line {number}\n")).collect();
    fs::write(case.log(), text).unwrap();
    let lines = case.call(&["read"]).logs("web".into(), u32::MAX).await.unwrap().unwrap();
    assert_eq!((lines.len(), lines.last().unwrap().message.as_str()), (1_000, "line 2999"));
}

// Denied twins: the grant lets it through, the gate does not.

#[tokio::test]
async fn the_gate_can_refuse_every_act() {
    let case = Case::new().await;
    let main = case.services.recorded().unwrap();
    is_refused(case.call_without("service_read").status("web".into()).await);
    is_refused(case.call_without("service_read").logs("web".into(), 5).await);
    is_refused(case.call_without("service_read").changes("web".into()).await);
    is_refused(case.call_without("service_read").port_owner(80).await);
    is_refused(case.call_without("service_probe").probe("web".into()).await);
    is_refused(case.call_without("service_restart").restart("web".into()).await);
    is_refused(case.call_without("process_end").end_process(main.pid, main.start_time).await);
    is_refused(case.call_without("log_rotate").rotate_log("web".into(), case.log()).await);
    assert_eq!(case.services.recorded(), Some(main));
    assert_eq!(fs::read_to_string(case.log()).unwrap(), "a line\n");
    assert!(case.bench.acts().await.iter().all(|line| line.starts_with("refused: ")));
}
