//! Approvals in Slack, with the program as people run it: from a command to its resumed run.
//!
//! The host is a process of its own; Slack is [`LoopbackSlack`], which checks what Slack checks. What is
//! clicked is what a message shows. How requests are signed, cut and tried again in detail is tested with
//! the channel itself.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::approvals::{Call, answers, hang, marks, one_waiting, project, session_status, until, with_service};
use crate::loopback_slack::{
    APP_TOKEN, BOT_TOKEN, CHANNEL, FOREIGN_CHANNEL, Fault, LoopbackSlack, Posted, SIGNING_SECRET, signed,
};
use crate::project::{Project, RunningHost, Said};

const APPROVE: &str = "pi_approve_once";
const DENY: &str = "pi_deny";
/// What Slack takes as a time stamp's age.
const WINDOW_S: u64 = 300;

/// A Slack, and the runtime that it runs on.
struct Running {
    slack: LoopbackSlack,
    runtime: Runtime,
}

/// What Slack answered to the one who clicked.
struct Answered {
    status: u16,
    text: String,
}

impl Running {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let slack = runtime.block_on(LoopbackSlack::start());
        Self { slack, runtime }
    }

    /// `[approvals]` with clicks by Socket Mode.
    fn by_socket(&self, approvers: &str) -> String {
        self.approvals(approvers, CHANNEL, "app_token_env = \"SLACK_APP_TOKEN\"")
    }

    /// `[approvals]` with clicks by HTTP, and where they are taken.
    fn by_http(&self, approvers: &str) -> (String, String) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let ways = format!("signing_secret_env = \"SLACK_SIGNING_SECRET\"\nlisten = \"127.0.0.1:{port}\"");
        let url = format!("http://127.0.0.1:{port}/slack/interactions");
        (self.approvals(approvers, CHANNEL, &ways), url)
    }

    fn approvals(&self, approvers: &str, channel: &str, ways: &str) -> String {
        format!(
            "[approvals]\napprovers = {approvers}\nwait_minutes = 5\nhold_seconds = 1\n\n[approvals.slack]\n\
             channel = \"{channel}\"\napi_url = \"{}\"\nbot_token_env = \"SLACK_BOT_TOKEN\"\n{ways}\n",
            self.slack.api_url()
        )
    }

    /// The only message, as it was posted.
    fn one_message(&self) -> Posted {
        let message = until("message in Slack", || self.slack.messages().into_iter().next());
        assert_eq!(self.slack.messages().len(), 1);
        message
    }

    /// The message's last version, once it holds the text.
    fn version_with(&self, ts: &str, text: &str) -> Value {
        until(&format!("version of the message with `{text}`"), || {
            let version = self.slack.messages().into_iter().find(|message| message.ts == ts)?.versions.pop()?;
            version.to_string().contains(text).then_some(version)
        })
    }

    /// Wait until so many were told something, and nobody else was; what the last one was told.
    fn last_told(&self, count: usize) -> (String, String) {
        let told =
            until(&format!("ephemeral message {count}"), || Some(self.slack.told()).filter(|t| t.len() >= count));
        assert_eq!(told.len(), count, "{told:?}");
        let last = told.last().unwrap();
        (last.user.clone(), last.text.clone())
    }

    /// Post a click with these headers.
    fn post(&self, url: &str, headers: &[(&'static str, String)], body: &str) -> Answered {
        self.runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
            let request = headers.iter().fold(client.post(url), |request, (name, value)| request.header(*name, value));
            let answer = request.body(body.to_owned()).send().await.unwrap();
            Answered { status: answer.status().as_u16(), text: answer.text().await.unwrap() }
        })
    }
}

fn start(project: &Project) -> RunningHost {
    RunningHost::start_with(project, &SECRETS)
}

const SECRETS: [(&str, &str); 3] =
    [("SLACK_BOT_TOKEN", BOT_TOKEN), ("SLACK_APP_TOKEN", APP_TOKEN), ("SLACK_SIGNING_SECRET", SIGNING_SECRET)];

/// What the host has said so far.
fn log(project: &Project) -> String {
    std::fs::read_to_string(project.path().join("host.log")).unwrap()
}

fn until_said(project: &Project, text: &str) {
    until_said_within(60, project, text);
}

fn until_said_within(seconds: u64, project: &Project, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !log(project).contains(text) {
        assert!(Instant::now() < deadline, "the host does not say `{text}`: {}", log(project));
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Wait for the end of the agent's session; how it ended.
fn session_end(project: &Project) -> (String, String) {
    until("end of the session", || session_status(project).filter(|(_, status)| status != "open"))
}

/// All approvals that there ever were.
fn all(project: &Project) -> Vec<Value> {
    project.run(&["--json", "approvals", "list", "--all"]).json().as_array().unwrap().clone()
}

/// The types of a message's blocks.
fn kinds(version: &Value) -> Vec<&str> {
    version["blocks"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect()
}

/// All that people read in a message's blocks.
fn words(version: &Value) -> String {
    let blocks = version["blocks"].as_array().unwrap();
    let texts = blocks.iter().filter_map(|block| block["text"]["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

/// Whether the project's web server is there, whether it answers or not.
fn is_run(port: u16) -> bool {
    let argument = format!("\0{port}\0");
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    lines
        .filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok())
        .any(|line| line.ends_with(&argument))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Files of the project that hold one of the secrets.
fn files_with_secrets(project: &Project) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![project.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                if SECRETS.iter().any(|(_, secret)| text.contains(secret)) {
                    found.push(entry.path());
                }
            }
        }
    }
    found
}

/// Run the host where it cannot start, with these variables.
fn refused(project: &Project, variables: &[(&str, &str)]) -> Said {
    let mut command = project.command(&["run"]);
    let mut child =
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            // It ends its services, which a kill would leave behind.
            let _ =
                rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM);
            let said = Said::of(child.wait_with_output().unwrap());
            panic!("the host has started: {}", said.err);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    Said::of(child.wait_with_output().unwrap())
}

#[test]
fn a_session_goes_on_when_it_was_approved_in_slack() {
    let running = Running::start();
    let slack = &running.slack;
    let (project, port) = with_service(&running.by_socket("[\"slack:U1\"]"));
    let host = start(&project);
    until_said(&project, "clicks by Socket Mode");
    hang(port);

    let posted = running.one_message();
    let id = one_waiting(&project);
    let asked = &posted.versions[0];
    assert_eq!((posted.channel.as_str(), kinds(asked).last()), (CHANNEL, Some(&"actions")), "{asked:#}");
    let read = words(asked);
    for part in
        ["Approval needed", "Risk 50 of 100", "agent `sre`", "restart", "web", "a restart is felt", "restart_is_asked"]
    {
        assert!(read.contains(part), "{part}: {read}");
    }
    let buttons = asked["blocks"].as_array().unwrap().last().unwrap()["elements"].as_array().unwrap();
    let buttons: Vec<&str> = buttons.iter().map(|button| button["text"]["text"].as_str().unwrap()).collect();
    assert_eq!(buttons, ["Approve once", "Approve for this session", "Deny"]);
    until_said(&project, &format!("for {id}"));
    let session = session_status(&project).unwrap();
    assert_eq!(session.1, "open");

    let envelope = slack.click("U9", &posted.ts, APPROVE);
    let (user, text) = running.last_told(1);
    assert!(user == "U9" && text.contains("may not decide") && text.contains("slack:U1"), "{user}: {text}");
    assert!(slack.acknowledged().contains(&envelope));
    assert_eq!(one_waiting(&project), id);
    assert!(!answers(port));

    slack.click("U1", &posted.ts, APPROVE);
    let ended = session_end(&project);
    assert_eq!(ended, (session.0.clone(), "done".to_owned()), "{}", log(&project));
    assert!(answers(port));
    let log = log(&project);
    let steps = ["asks", "waits", "decided", "does"].map(|step| log.find(&format!("  {step}")));
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{steps:?}: {log}");
    let decided = running.version_with(&posted.ts, "by <@U1>");
    assert!(words(&decided).contains("Approved") && !kinds(&decided).contains(&"actions"), "{decided:#}");

    slack.click("U1", &posted.ts, DENY);
    let (user, text) = running.last_told(2);
    assert!(user == "U1" && text.contains("decided already"), "{user}: {text}");
    let all = all(&project);
    assert_eq!((all.len(), all[0]["state"].as_str()), (1, Some("used")), "{all:?}");
    let shown = project.run(&["session", "show", &session.0]).out;
    for part in ["slack:U1", "slack:U9", "may not decide"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    running.one_message();
    drop(host);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
    assert_eq!(files_with_secrets(&project), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_click_after_the_host_was_killed_takes_the_session_up() {
    let running = Running::start();
    let (project, port) = with_service(&running.by_socket("[\"slack:U1\"]"));
    let mut host = start(&project);
    hang(port);
    let posted = running.one_message();
    let id = one_waiting(&project);
    until_said(&project, &format!("for {id}"));
    // The handle of the message is stored after Slack has answered.
    until("handle of the message", || all(&project)[0]["shown"]["slack"]["handles"][0].as_str().map(str::to_owned));
    host.0.kill().unwrap();
    host.0.wait().unwrap();
    drop(host);
    assert_eq!((one_waiting(&project), answers(port)), (id, false));

    let host = start(&project);
    until("second web socket", || (running.slack.connections() >= 2).then_some(()));
    running.slack.click("U1", &posted.ts, APPROVE);
    assert_eq!(session_end(&project).1, "done", "{}", log(&project));
    assert!(answers(port));
    running.version_with(&posted.ts, "by <@U1>");
    // It was asked once, in one message, and done once.
    running.one_message();
    let all = all(&project);
    assert_eq!((all.len(), all[0]["state"].as_str()), (1, Some("used")), "{all:?}");
    drop(host);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn a_click_by_http_counts_once_and_only_if_slack_signed_it_just_now() {
    let running = Running::start();
    let slack = &running.slack;
    let (approvals, url) = running.by_http("[\"slack:U1\"]");
    let project = project(&approvals);
    let host = start(&project);
    until_said(&project, "clicks by signed HTTP");
    let call = Call::begin(&project, "mark x");
    let posted = running.one_message();
    let id = one_waiting(&project);
    assert!(words(&posted.versions[0]).contains("bin/mark x"), "{:#}", posted.versions[0]);

    let approved = slack.payload("U1", &posted.ts, APPROVE);
    let now = now_s();
    let (headers, body) = signed(SIGNING_SECRET, now, &approved);
    let (forged, _) = signed("a secret of somebody else", now, &approved);
    let (stale, stale_body) = signed(SIGNING_SECRET, now - WINDOW_S - 60, &approved);
    let (_, other_body) = signed(SIGNING_SECRET, now, &slack.payload("U1", &posted.ts, DENY));
    let unsigned = [headers[0].clone()];
    type Case<'a> = (&'a [(&'static str, String)], &'a str, &'a str);
    let cases: [Case<'_>; 4] = [
        (&forged, &body, "the signature is wrong"),
        (&stale, &stale_body, "the time stamp is off"),
        (&headers, &other_body, "the signature is wrong"),
        (&unsigned, &body, "the request is not signed"),
    ];
    for (headers, body, expected) in cases {
        let answered = running.post(&url, headers, body);
        assert!(answered.status == 401 && answered.text.contains(expected), "{expected}: {}", answered.text);
    }
    let (by_stranger, stranger_body) = signed(SIGNING_SECRET, now, &slack.payload("U9", &posted.ts, APPROVE));
    assert_eq!(running.post(&url, &by_stranger, &stranger_body).status, 200);
    let (user, text) = running.last_told(1);
    assert!(user == "U9" && text.contains("may not decide"), "{user}: {text}");
    assert_eq!((one_waiting(&project), marks(&project).as_str()), (id, ""));

    let answered = running.post(&url, &headers, &body);
    assert_eq!((answered.status, answered.text.as_str()), (200, ""));
    let said = call.end();
    assert_eq!((said.code, marks(&project).as_str()), (Some(0), "x\n"), "{} {}", said.err, log(&project));
    running.version_with(&posted.ts, "by <@U1>");

    let again = running.post(&url, &headers, &body);
    assert!(again.status == 401 && again.text.contains("taken already"), "{}: {}", again.status, again.text);
    let (headers, body) = signed(SIGNING_SECRET, now_s(), &slack.payload("U1", &posted.ts, APPROVE));
    assert_eq!(running.post(&url, &headers, &body).status, 200);
    let (user, text) = running.last_told(2);
    assert!(user == "U1" && text.contains("decided already"), "{user}: {text}");
    assert_eq!((marks(&project).as_str(), all(&project).len()), ("x\n", 1));
    drop(host);
    assert_eq!(files_with_secrets(&project), Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_is_denied_in_slack_is_not_done() {
    let running = Running::start();
    let project = project(&running.by_socket("[\"slack:U1\"]"));
    let _host = start(&project);
    let call = Call::begin(&project, "mark never");
    let posted = running.one_message();
    let mut payload = running.slack.payload("U1", &posted.ts, DENY);
    payload["state"]["values"]["b1"]["pi_comment"]["value"] = "drain it first".into();
    running.slack.click_with(payload);
    let said = call.end();
    assert!(format!("{}{}", said.out, said.err).contains("drain it first"), "{} {}", said.out, said.err);
    assert_eq!(marks(&project), "");
    let decided = running.version_with(&posted.ts, "by <@U1>");
    assert!(words(&decided).contains("Not approved") && words(&decided).contains("drain it first"), "{decided:#}");
}

#[test]
fn a_host_starts_without_slack_and_comes_back_to_it() {
    let running = Running::start();
    running.slack.down();
    let project = project(&running.by_socket("[\"slack:U1\", \"cli:*\"]"));
    let _host = start(&project);
    for part in ["Slack's `auth.test` cannot be reached", "pi-host approvals list"] {
        assert!(log(&project).contains(part), "{part}: {}", log(&project));
    }
    let call = Call::begin(&project, "mark down");
    let id = one_waiting(&project);
    let answered = project.run(&["approvals", "approve", &id]);
    assert_eq!(answered.code, Some(0), "{}", answered.err);
    let said = call.end();
    assert_eq!((said.code, marks(&project).as_str()), (Some(0), "down\n"), "{}", said.err);
    // Both have given up, so that what comes now is another connection and another message.
    for method in ["apps.connections.open", "chat.postMessage"] {
        until_said(&project, &format!("slack: Slack's `{method}` cannot be reached"));
    }
    assert_eq!(running.slack.messages().len(), 0);

    running.slack.up();
    // The longest wait between two connections is a minute, and the tries of one take some seconds.
    until_said_within(120, &project, "connected again");
    let call = Call::begin(&project, "mark up");
    let id = one_waiting(&project);
    let message = until("message in Slack", || {
        running.slack.messages().into_iter().find(|message| message.versions[0].to_string().contains(&id))
    });
    running.slack.click("U1", &message.ts, APPROVE);
    let said = call.end();
    assert_eq!((said.code, marks(&project).as_str()), (Some(0), "down\nup\n"), "{}", said.err);
}

#[test]
fn a_question_is_posted_when_slack_has_had_its_rest() {
    const REST_S: u64 = 3;
    let running = Running::start();
    let project = project(&running.by_socket("[\"slack:U1\"]"));
    let _host = start(&project);
    running.slack.fail("chat.postMessage", Fault::Limited(REST_S));
    let begin = Instant::now();
    let call = Call::begin(&project, "mark late");
    let posted = running.one_message();
    assert!(begin.elapsed() >= Duration::from_secs(REST_S), "{:?}", begin.elapsed());
    assert_eq!(running.slack.calls("chat.postMessage").len(), 2);
    running.slack.click("U1", &posted.ts, APPROVE);
    let said = call.end();
    assert_eq!((said.code, marks(&project).as_str()), (Some(0), "late\n"), "{}", said.err);
    running.one_message();
}

#[test]
fn a_host_with_a_wrong_token_does_not_start() {
    const WRONG_BOT: &str = "xoxb-1111-of-another-app";
    const WRONG_APP: &str = "xapp-2222-of-another-app";
    let running = Running::start();
    let (project, port) = with_service(&running.by_socket("[\"slack:U1\", \"cli:*\"]"));
    for (method, bot_token, app_token) in
        [("auth.test", WRONG_BOT, APP_TOKEN), ("apps.connections.open", BOT_TOKEN, WRONG_APP)]
    {
        let said = refused(&project, &[("SLACK_BOT_TOKEN", bot_token), ("SLACK_APP_TOKEN", app_token)]);
        let told = format!("{}{}", said.out, said.err);
        assert_eq!(said.code, Some(1), "{told}");
        for part in ["[approvals]", method, "invalid_auth", "hint: the token is wrong"] {
            assert!(said.err.contains(part), "{part}: {told}");
        }
        for token in [bot_token, app_token] {
            assert!(!told.contains(token), "{told}");
        }
        assert!(!is_run(port), "a host that does not start has left a service behind: {told}");
    }
    assert_eq!(running.slack.messages().len(), 0);
}

#[test]
fn a_host_with_a_wrong_channel_does_not_start() {
    let running = Running::start();
    for (channel, code) in [(FOREIGN_CHANNEL, "not_in_channel"), ("C0NOWHERE", "channel_not_found")] {
        let approvals = running.approvals("[\"slack:U1\"]", channel, "app_token_env = \"SLACK_APP_TOKEN\"");
        let said = refused(&project(&approvals), &SECRETS);
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains(code) && said.err.contains("hint: "), "{}", said.err);
    }
}
