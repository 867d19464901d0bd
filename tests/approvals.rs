//! Approvals from a question to the act: by the command line, over restarts, and in Slack.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{Project, RunningHost, Said};

/// Asks about the program `mark` and about restarts of services.
const POLICY: &str = r#"{
  "version": 1,
  "thresholds": { "ask": 100, "deny": 100 },
  "rules": [{
    "id": "mark_is_asked",
    "acts": ["process_run"],
    "when": { "program": ["mark"] },
    "verdict": "ask",
    "points": 50,
    "reason": "it makes a mark",
    "advice": "leave no mark",
    "examples": { "match": ["mark a"], "no_match": ["ls"] }
  }, {
    "id": "restart_is_asked",
    "acts": ["service_restart"],
    "when": { "service": ["*"] },
    "verdict": "ask",
    "points": 50,
    "reason": "a restart is felt",
    "advice": "see whether it comes back by itself",
    "examples": { "match": [{ "act": "service_restart", "service": "web" }], "no_match": ["ls"] }
  }]
}"#;

const MARK: &str = r#"
[policy]
file = "policy.json"

[services.idle]
command = ["/bin/sleep", "600"]

[grants.bash]
files = { read = ["marks"] }
"#;

/// A project whose bash may run `mark`, which writes its argument into `marks/`.
pub(crate) fn project(approvals: &str) -> Project {
    let project = Project::new();
    let program = project.path().canonicalize().unwrap().join("bin/mark");
    let process = format!("[grants.bash.process]\nprograms = [{program:?}]\nwrite = [\"marks\"]\n");
    project.write("pi.toml", &format!("{MARK}\n{process}\n{approvals}"));
    project.write("policy.json", POLICY);
    for folder in ["bin", "marks"] {
        std::fs::create_dir(project.path().join(folder)).unwrap();
    }
    project
        .write("bin/mark", "#!/bin/sh\necho \"$1\" >> marks/made\nif [ \"$1\" = eat ]; then cat >> marks/made; fi\n");
    let path = project.path().join("bin/mark");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    project
}

/// What `mark` has written.
pub(crate) fn marks(project: &Project) -> String {
    std::fs::read_to_string(project.path().join("marks/made")).unwrap_or_default()
}

/// A call that waits for people.
pub(crate) struct Call(Child);

impl Call {
    pub(crate) fn begin(project: &Project, script: &str) -> Self {
        let arguments = serde_json::json!({ "command": script }).to_string();
        let mut command: Command = project.command(&["tool", "call", "bash", &arguments]);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn end(self) -> Said {
        Said::of(self.0.wait_with_output().unwrap())
    }
}

pub(crate) fn until<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "there is no {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// The approvals that wait.
pub(crate) fn waiting(project: &Project) -> Vec<Value> {
    let said = project.run(&["--json", "approvals", "list"]);
    if said.code == Some(0) { said.json().as_array().unwrap().clone() } else { vec![] }
}

pub(crate) fn one_waiting(project: &Project) -> String {
    until("approval", || waiting(project).first().map(|pending| pending["id"].as_str().unwrap().to_owned()))
}

pub(crate) const BY_COMMAND_LINE: &str = "[approvals]\napprovers = [\"cli:*\"]\nwait_minutes = 5\n";

#[test]
fn what_is_approved_is_done_once_and_stands_in_the_journal() {
    approved_is_done_once(&project(BY_COMMAND_LINE));
}

/// Wherever the project keeps its state.
pub(crate) fn approved_is_done_once(project: &Project) {
    let host = RunningHost::start(project);
    let call = Call::begin(project, "mark once");
    let id = one_waiting(project);
    let shown = project.run(&["approvals", "show", &id]);
    assert!(shown.out.contains("mark once") && shown.out.contains("mark_is_asked"), "{}", shown.out);
    let answered = project.run(&["approvals", "approve", &id, "--comment", "go ahead"]);
    assert_eq!(answered.code, Some(0), "{}", answered.err);
    let said = call.end();
    assert_eq!((said.code, marks(project).as_str()), (Some(0), "once\n"), "{}", said.err);

    let again = project.run(&["approvals", "deny", &id]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("decided already"), "{}", again.err);
    let sessions = project.run(&["--json", "session", "list"]).json();
    let session = sessions.as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let shown = project.run(&["session", "show", &session]).out;
    for part in ["somebody is asked", "says yes", "granted", "go ahead"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    drop(host);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn what_is_denied_is_not_done_and_the_comment_is_read() {
    let project = project(BY_COMMAND_LINE);
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark never || echo refused");
    let id = one_waiting(&project);
    assert_eq!(project.run(&["approvals", "deny", &id, "--comment", "drain it first"]).code, Some(0));
    let said = call.end();
    assert!(said.out.contains("drain it first") || said.err.contains("drain it first"), "{} {}", said.out, said.err);
    assert_eq!(marks(&project), "");
}

#[test]
fn a_file_that_was_changed_in_the_meantime_is_not_run() {
    let project = project(BY_COMMAND_LINE);
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark a");
    let id = one_waiting(&project);
    project.write("bin/mark", "#!/bin/sh\necho changed >> marks/made\n");
    assert_eq!(project.run(&["approvals", "approve", &id]).code, Some(0));
    let said = call.end();
    assert!(format!("{}{}", said.out, said.err).contains("has changed"), "{} {}", said.out, said.err);
    assert_eq!(marks(&project), "");
}

#[test]
fn a_stranger_does_not_count_and_a_quorum_is_more_than_one() {
    let project = project("[approvals]\napprovers = [\"cli:nobody-here\"]\nwait_minutes = 5\n");
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark a");
    let id = one_waiting(&project);
    let said = project.run(&["approvals", "approve", &id]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("may not decide") && said.err.contains("cli:nobody-here"), "{}", said.err);
    let mut child = call.0;
    child.kill().unwrap();
    child.wait().unwrap();

    let project =
        self::project("[approvals]\napprovers = [\"cli:*\"]\nwait_minutes = 5\nquorum = [{ risk = 40, votes = 2 }]\n");
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark a");
    let id = one_waiting(&project);
    let first = project.run(&["approvals", "approve", &id]);
    assert_eq!((first.code, first.out.trim()), (Some(0), "counted: 1 of 2"), "{}", first.err);
    let second = project.run(&["approvals", "approve", &id]);
    assert!(second.err.contains("has answered already"), "{}", second.err);
    assert_eq!(marks(&project), "");
    assert_eq!(project.run(&["approvals", "deny", &id]).code, Some(1));
    let mut child = call.0;
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_people_make_of_it_is_done_instead() {
    let project = project(BY_COMMAND_LINE);
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark wrong");
    let id = one_waiting(&project);
    let program = project.path().canonicalize().unwrap().join("bin/mark").display().to_string();
    let edit = serde_json::json!([program, "right"]).to_string();
    let answered = project.run(&["approvals", "approve", &id, "--edit", &edit]);
    assert_eq!(answered.code, Some(0), "{}", answered.err);
    let said = call.end();
    assert_eq!((said.code, marks(&project).as_str()), (Some(0), "right\n"), "{}", said.err);
}

#[test]
fn an_approval_for_the_session_holds_for_the_same_act_only() {
    let project = project(BY_COMMAND_LINE);
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark a; mark a; mark b");
    let first = one_waiting(&project);
    assert_eq!(project.run(&["approvals", "approve", &first, "--session"]).code, Some(0));
    let second = until("second approval", || {
        waiting(&project).iter().map(|pending| pending["id"].as_str().unwrap().to_owned()).find(|id| *id != first)
    });
    assert_eq!(marks(&project), "a\na\n");
    assert_eq!(project.run(&["approvals", "deny", &second]).code, Some(0));
    call.end();
    assert_eq!(marks(&project), "a\na\n");
}

#[test]
fn an_approval_of_a_rule_holds_for_a_time() {
    let project = project(BY_COMMAND_LINE);
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark a");
    let id = one_waiting(&project);
    assert_eq!(project.run(&["approvals", "approve", &id, "--rule-minutes", "99999"]).code, Some(1));
    assert_eq!(project.run(&["approvals", "approve", &id, "--rule-minutes", "5"]).code, Some(0));
    call.end();
    let said = Call::begin(&project, "mark b").end();
    assert_eq!((said.code, marks(&project).as_str()), (Some(0), "a\nb\n"), "{}", said.err);
}

/// The second approval, which comes after the first.
fn waiting_beside(project: &Project, first: &str) -> Value {
    until("second approval", || waiting(project).into_iter().find(|pending| pending["id"] != first))
}

#[test]
fn what_was_made_of_it_needs_as_many_people_as_it_does_itself() {
    let project =
        project("[approvals]\napprovers = [\"cli:*\"]\nwait_minutes = 5\nquorum = [{ risk = 60, votes = 2 }]\n");
    let policy = POLICY.replace(
        "\"rules\": [{",
        r#""rules": [{
    "id": "worse", "acts": ["process_run"], "when": { "program": ["mark"], "line": "worse" }, "points": 20,
    "reason": "it is worse", "advice": "do not", "examples": { "match": ["mark worse"], "no_match": ["mark a"] }
  }, {"#,
    );
    project.write("policy.json", &policy);
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark a");
    let first = one_waiting(&project);
    let program = project.path().canonicalize().unwrap().join("bin/mark").display().to_string();
    let edit = serde_json::json!([program, "worse"]).to_string();
    let answered = project.run(&["approvals", "approve", &first, "--edit", &edit]);
    assert_eq!(answered.code, Some(0), "{}", answered.err);
    let second = waiting_beside(&project, &first);
    assert_eq!((&second["votes_needed"], &second["act"]["argv"][1]), (&2.into(), &"worse".into()), "{second:#}");
    assert_eq!(marks(&project), "");
    assert_eq!(project.run(&["approvals", "deny", second["id"].as_str().unwrap()]).code, Some(1));
    let mut child = call.0;
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_an_approved_program_reads_is_seen_by_a_person_first() {
    let project = project(BY_COMMAND_LINE);
    let _host = RunningHost::start(&project);
    for (answer, expected) in [("approve", "eat\nfed"), ("deny", "eat\nfedeat\n")] {
        let call = Call::begin(&project, "printf fed | mark eat");
        let first = one_waiting(&project);
        assert_eq!(project.run(&["approvals", "approve", &first]).code, Some(0));
        let second = waiting_beside(&project, &first);
        let text = second["act"]["text"].as_str().unwrap();
        assert!(text.starts_with("printf %s fed | ") && text.ends_with("bin/mark eat"), "{text}");
        assert_eq!(project.run(&["approvals", answer, second["id"].as_str().unwrap()]).code, Some(0));
        let said = call.end();
        assert_eq!(marks(&project), expected, "{} {}", said.out, said.err);
        assert_eq!(format!("{}{}", said.out, said.err).contains("its input was refused"), answer == "deny");
    }
}

#[test]
fn a_standing_approval_is_listed_and_revoked() {
    let project = project(BY_COMMAND_LINE);
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "mark a");
    let id = one_waiting(&project);
    assert_eq!(project.run(&["approvals", "approve", &id, "--rule-minutes", "5"]).code, Some(0));
    call.end();
    let listed = project.run(&["approvals", "list", "--standing"]);
    assert!(listed.out.contains(&id) && listed.out.contains("mark_is_asked"), "{}", listed.out);
    let revoked = project.run(&["approvals", "revoke", &id]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.err);
    assert!(!project.run(&["approvals", "list", "--standing"]).out.contains(&id));
    let call = Call::begin(&project, "mark b");
    let asked = one_waiting(&project);
    assert_eq!(project.run(&["approvals", "deny", &asked]).code, Some(0));
    call.end();
    assert_eq!(marks(&project), "a\n");
}

#[test]
fn what_would_be_written_is_shown_without_secrets() {
    let project = project(BY_COMMAND_LINE);
    let toml = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    project.write("pi.toml", &toml.replace("files = { read = [\"marks\"] }", "files = { write = [\"marks\"] }"));
    let policy = POLICY.replace(
        "\"rules\": [{",
        r#""rules": [{
    "id": "write_is_asked", "acts": ["file_write"], "when": { "paths": ["**/conf"] }, "verdict": "ask", "points": 30,
    "reason": "it is a setting", "advice": "do not",
    "examples": { "match": [{"act": "file_write", "path": "/a/conf", "bytes": 1, "mode": "replace"}], "no_match": ["ls"] }
  }, {"#,
    );
    project.write("policy.json", &policy);
    project.write("marks/conf", "one\ntwo\n");
    let _host = RunningHost::start(&project);
    let call = Call::begin(&project, "printf 'one\\nAPI_TOKEN=abcdef\\n' > marks/conf");
    let id = one_waiting(&project);
    let shown = project.run(&["approvals", "show", &id]).out;
    assert!(shown.contains("-two") && shown.contains("+API_TOKEN=[hidden: 6 characters]"), "{shown}");
    assert!(!shown.contains("abcdef"), "{shown}");
    assert_eq!(project.run(&["approvals", "approve", &id]).code, Some(0));
    call.end();
    assert_eq!(std::fs::read_to_string(project.path().join("marks/conf")).unwrap(), "one\nAPI_TOKEN=abcdef\n");
}

/// A web server that the agent looks after, and its port.
pub(crate) fn with_service(approvals: &str) -> (Project, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let project = Project::with(&format!(
        r#"
[policy]
file = "policy.json"

[services.web]
command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
ports = [{port}]
probe = {{ http = "http://127.0.0.1:{port}/", interval_ms = 200, timeout_ms = 500, failures = 2 }}

[agents.sre]
watch = ["*"]

[grants.sre]
tools = {{ names = ["service_*", "port_owner", "process_end"] }}
log = {{}}

[grants.service]
services = {{ names = ["*"], actions = ["read", "restart", "end_process"] }}

{approvals}
"#
    ));
    project.write("policy.json", POLICY);
    (project, port)
}

/// Whether the web server answers.
pub(crate) fn answers(port: u16) -> bool {
    use std::io::{Read, Write};
    // A server that hangs accepts nothing: a plain connection would wait for minutes.
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500)) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut answer = [0; 12];
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok() && stream.read_exact(&mut answer).is_ok()
}

/// Hang the web server: it is there, and says nothing any more.
pub(crate) fn hang(port: u16) {
    until("web server", || answers(port).then_some(()));
    let argument = format!("\0{port}\0");
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let server = all.filter_map(|process| {
        let line = std::fs::read_to_string(process.path().join("cmdline")).ok()?;
        line.ends_with(&argument).then(|| process.file_name().to_string_lossy().parse::<i32>().ok())?
    });
    for pid in server {
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::STOP)
            .unwrap();
    }
}

pub(crate) fn session_status(project: &Project) -> Option<(String, String)> {
    let sessions = project.run(&["--json", "session", "list"]).json();
    let session = sessions.as_array()?.iter().find(|session| session["agent"] == "sre")?.clone();
    Some((session["id"].as_str()?.to_owned(), session["status"].as_str()?.to_owned()))
}

const SOON: &str = "[approvals]\napprovers = [\"cli:*\"]\nwait_minutes = 5\nhold_seconds = 1\n";

#[test]
fn a_session_that_waits_for_people_goes_on_after_a_killed_host() {
    goes_on_after_a_killed_host("");
}

/// With these sections in `pi.toml` as well.
pub(crate) fn goes_on_after_a_killed_host(sections: &str) {
    let (project, port) = with_service(&format!("{SOON}\n{sections}"));
    let mut host = RunningHost::start(&project);
    hang(port);
    let id = one_waiting(&project);
    let log = |project: &Project| std::fs::read_to_string(project.path().join("host.log")).unwrap();
    until("laying aside", || log(&project).contains("waits").then_some(()));
    host.0.kill().unwrap();
    host.0.wait().unwrap();
    // Nobody runs here now: the answer is taken all the same.
    let answered = project.run(&["approvals", "approve", &id]);
    assert_eq!(answered.code, Some(0), "{}", answered.err);
    assert!(!answers(port));

    let host = RunningHost::start(&project);
    let ended = until("end", || session_status(&project).filter(|(_, status)| status != "open"));
    assert_eq!(ended.1, "done", "{}", log(&project));
    assert!(answers(port));
    // The one question was asked once.
    let all = project.run(&["--json", "approvals", "list", "--all"]).json();
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    assert_eq!(all[0]["state"], "used");
    drop(host);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn a_session_that_is_denied_ends_and_does_not_ask_again() {
    let (project, port) = with_service(SOON);
    let _host = RunningHost::start(&project);
    hang(port);
    let id = one_waiting(&project);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(project.run(&["approvals", "deny", &id]).code, Some(0));
    let ended = until("end", || session_status(&project).filter(|(_, status)| status != "open"));
    assert_ne!(ended.1, "done");
    assert!(!answers(port));
    let all = project.run(&["--json", "approvals", "list", "--all"]).json();
    let asked = all.as_array().unwrap().iter().filter(|pending| pending["origin"]["session"] == ended.0.as_str());
    assert_eq!(asked.count(), 1, "{all}");
}

#[test]
fn approvals_that_cannot_work_are_said_at_the_start() {
    let cases = [
        ("[approvals]\napprovers = []\n", "nobody may decide"),
        ("[approvals]\napprovers = [\"alice\"]\n", "has no channel"),
        ("[approvals.slack]\nchannel = \"C1\"\n", "no answer could come back"),
        (
            "[approvals.slack]\nchannel = \"C1\"\napp_token_env = \"NOT_SET_ANYWHERE\"\nbot_token_env = \"NOT_SET\"\n",
            "`NOT_SET` is not set",
        ),
        ("[approvals]\nwait_hours = 2\n", "wait_hours"),
    ];
    for (approvals, expected) in cases {
        let said = project(approvals).run(&["tool", "call", "bash", r#"{"command":"true"}"#]);
        assert_eq!(said.code, Some(1), "{approvals}");
        assert!(said.err.contains(expected), "{approvals}: {}", said.err);
    }
}
