//! The bounds of agents with the program itself: a host process, real services, the kill switch thrown beside it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::approvals::{answers, hang, session_status, with_service};
use crate::project::{Project, RunningHost};

/// Allows all: what is refused here is refused by the bounds.
const ALLOWS: &str = r#"{ "version": 1, "thresholds": { "ask": 100, "deny": 100 }, "rules": [] }"#;

fn web(sections: &str) -> (Project, u16) {
    let (project, port) = with_service(sections);
    project.write("policy.json", ALLOWS);
    (project, port)
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(150);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what} in time");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn log(project: &Project) -> String {
    std::fs::read_to_string(project.path().join("host.log")).unwrap()
}

fn call(project: &Project, tool: &str) -> (Option<i32>, String) {
    let said = project.run(&["tool", "call", tool, r#"{"name": "web"}"#]);
    (said.code, format!("{}{}", said.out, said.err))
}

/// The sessions that say when everything was stopped and went on, as they are listed.
fn switches(project: &Project) -> Vec<String> {
    let sessions = project.run(&["--json", "session", "list"]).json();
    let all = sessions.as_array().unwrap().iter();
    let of_switch = all.filter(|session| session["id"].as_str().unwrap().starts_with("stop-all-"));
    of_switch.map(|session| session["summary"].as_str().unwrap().to_owned()).collect()
}

/// What `alarms` says of the bounds.
fn safety(project: &Project) -> Value {
    project.run(&["--json", "alarms"]).json()["safety"].clone()
}

#[test]
fn all_is_stopped_beside_a_host_and_goes_on() {
    let (project, port) = web("");
    let host = RunningHost::start(&project);
    until("web server", || answers(port).then_some(()));
    assert_eq!(call(&project, "service_restart").0, Some(0));

    let stopped = project.run(&["stop-all", "--reason", "they fight"]);
    assert_eq!((stopped.code, stopped.err.as_str()), (Some(0), ""), "{}", stopped.err);
    let (code, text) = call(&project, "service_restart");
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("stopped_all") && text.contains("they fight"), "{text}");
    // Looking goes on.
    assert_eq!(call(&project, "service_probe").0, Some(0));
    let shown = project.run(&["alarms"]).out;
    assert!(shown.contains("they fight") && shown.contains("resume-all"), "{shown}");
    assert_eq!(safety(&project)["stopped"]["reason"], "they fight");
    let doctor = project.run(&["doctor"]);
    assert!(doctor.out.contains("they fight"), "{}", doctor.out);
    until("line", || log(&project).contains("they fight").then_some(()));

    // It holds over a restart of the host, and without one.
    drop(host);
    let (code, text) = call(&project, "service_restart");
    assert_eq!(code, Some(3), "{text}");
    let _host = RunningHost::start(&project);
    assert_eq!(call(&project, "service_restart").0, Some(3));

    // An alarm waits, and wakes its agent when agents go on.
    hang(port);
    until("alarm", || log(&project).contains("failed 2 probes in a row").then_some(()));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(session_status(&project), None);
    let resumed = project.run(&["resume-all"]);
    assert_eq!((resumed.code, resumed.err.as_str()), (Some(0), ""));
    let ended = until("end", || session_status(&project).filter(|(_, status)| status != "open"));
    assert_eq!(ended.1, "done", "{}", log(&project));
    assert!(answers(port));
    assert_eq!(switches(&project).len(), 2, "{:?}", switches(&project));
    assert_eq!(project.run(&["resume-all"]).out.trim(), "nothing was stopped");
}

#[test]
fn all_is_stopped_without_a_host() {
    let (project, _) = web("");
    let stopped = project.run(&["stop-all"]);
    assert_eq!((stopped.code, stopped.err.as_str()), (Some(0), ""));
    assert!(switches(&project)[0].starts_with("everything was stopped by "), "{:?}", switches(&project));
    assert_eq!(call(&project, "service_restart").0, Some(3));
    let long = project.run(&["stop-all", "--reason", &"x".repeat(501)]);
    assert_eq!(long.code, Some(1), "{}", long.err);
    assert!(long.err.contains("500 characters"), "{}", long.err);
    assert_eq!(project.run(&["resume-all"]).code, Some(0));
    let reports = project.run(&["session", "verify"]);
    assert_eq!(reports.code, Some(0), "{}{}", reports.out, reports.err);
}

#[test]
fn an_agent_only_proposes_on_a_service_that_says_so() {
    let (project, port) = web("");
    let text = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    project.write("pi.toml", &text.replace("[services.web]\n", "[services.web]\nautonomy = \"propose\"\n"));
    let _host = RunningHost::start(&project);
    hang(port);
    let ended = until("end", || session_status(&project).filter(|(_, status)| status != "open"));
    assert_eq!(ended.1, "escalated", "{}", log(&project));
    assert!(!answers(port));
    let entries = project.run(&["--json", "session", "show", &ended.0]).json()["entries"].clone();
    let refused = entries.as_array().unwrap().iter().find(|entry| entry["body"]["entry"] == "refused").unwrap().clone();
    assert_eq!(refused["body"]["decision"]["rules"][0], "autonomy", "{refused}");
    // It changed nothing, so it is no failure of a change.
    assert_eq!(safety(&project)["breakers"], serde_json::json!({}));
    // A person is not bound by it.
    assert_eq!(call(&project, "service_restart").0, Some(0));
    let listed = project.run(&["--json", "tool", "call", "service_list", "{}"]).out;
    assert!(listed.contains("propose"), "{listed}");
}

#[test]
fn a_restart_that_heals_nothing_opens_the_breaker() {
    // It hangs again at once, whoever restarts it.
    let (project, port) = web("[safety]\nfailures_in_a_row_max = 1\n");
    let text = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    let server = format!(r#"["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]"#);
    assert!(text.contains(&server));
    let broken = format!(
        r#"["/bin/sh", "-c", "if [ -e sick ]; then sleep 600; else exec python3 -m http.server --bind 127.0.0.1 {port}; fi"]"#
    );
    project.write("pi.toml", &text.replace(&server, &broken));
    let _host = RunningHost::start(&project);
    until("web server", || answers(port).then_some(()));
    project.write("sick", "");
    hang(port);
    let ended = until("end", || session_status(&project).filter(|(_, status)| status != "open"));
    assert_eq!(ended.1, "escalated", "{}", log(&project));
    let entries = project.run(&["--json", "session", "show", &ended.0]).json()["entries"].clone();
    let is_restart =
        |entry: &&Value| entry["body"]["entry"] == "effect_started" && entry["body"]["act"]["act"] == "service_restart";
    assert!(entries.as_array().unwrap().iter().filter(is_restart).count() > 0);
    let safety = safety(&project);
    assert!(safety["breakers"]["web"]["open_until_ms"].is_u64(), "{safety}");
    assert_eq!(safety["breakers"]["web"]["last"], ended.0.as_str());
    let shown = project.run(&["alarms"]).out;
    assert!(shown.contains("breaker of web: open until"), "{shown}");
}
