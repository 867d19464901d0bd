//! Alarms from outside, over real HTTP on loopback: what is taken, what is refused and how that is said, what survives
//! a restart, and that a flood wakes few.

mod sns;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hmac::{Hmac, KeyInit as _, Mac as _};
use pi_host::approval::channel::{Secret, serve};
use pi_host::config::{Config, TriggerConfig};
use pi_host::journal::Journal;
use pi_host::store::Store;
use pi_host::watch::alarms::{Alarm, Ending, Settings, Severity, State, Wake};
use pi_host::watch::hooks::{HookSettings, router};
use pi_host::watch::intake::{Intake, Told, Trigger, intake};
use pi_host::watch::poll::{AlarmSource, PollSettings, SourceError, poll};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};

use crate::journal::journal_in;
use crate::project::{Project, RunningHost};

const SECRET: &str = "a-secret-of-the-tests";
const TOKEN: &str = "a-token-of-the-tests";
/// 2027-01-15T08:00:00Z.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// A listener with its intake, a clock of its own and a store in a folder.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) intake: Intake,
    pub(crate) wakes: mpsc::UnboundedReceiver<Wake>,
    pub(crate) told: broadcast::Receiver<Told>,
    pub(crate) now: Arc<AtomicU64>,
    store: Arc<dyn Store>,
    tasks: tokio::task::JoinSet<()>,
    journal: Journal,
}

impl Door {
    pub(crate) async fn open(folder: &std::path::Path, pi_toml: &str) -> Self {
        let now = Arc::new(AtomicU64::new(NOW_MS));
        let clock = {
            let now = now.clone();
            Arc::new(move || now.load(Ordering::Relaxed))
        };
        let config = Config::parse(&format!("[agents.sre]\n{pi_toml}"), "pi.toml").unwrap();
        let triggers = config.triggers.clone().unwrap();
        let (store, journal) = journal_in(folder).await;
        let store: Arc<dyn Store> = store;
        let settings = Settings::of(&config).unwrap();
        let (intake, desk, wakes) =
            intake(store.clone(), journal.lease().clone(), settings, clock.clone()).await.unwrap();
        let told = intake.told();
        let hook = |(name, config): (&String, &TriggerConfig)| HookSettings {
            name: name.clone(),
            secret: config.secret_env.as_ref().map(|_| Secret::new(SECRET)),
            token: config.token_env.as_ref().map(|_| Secret::new(TOKEN)),
            ca_file: config.ca_file.as_ref().map(|file| folder.join(file)),
            config: config.clone(),
            requests_per_second: triggers.requests_per_second,
            body_bytes_max: usize::try_from(triggers.body_bytes_max).unwrap(),
        };
        let router = router(triggers.hooks.iter().map(hook).collect(), intake.clone(), clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(serve(listener, router));
        tasks.spawn(desk.run());
        Self { address, intake, wakes, told, now, store, tasks, journal }
    }

    /// End as a host does.
    async fn close(mut self) {
        self.tasks.shutdown().await;
        self.journal.close().await.unwrap();
    }

    pub(crate) async fn post(&self, name: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let (address, path) = (self.address, format!("/hooks/{name}"));
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = body.to_owned();
        tokio::task::spawn_blocking(move || post(address, &path, &headers, body.as_bytes())).await.unwrap()
    }

    /// Post what is signed now.
    async fn signed(&self, name: &str, body: &str) -> (u16, Value) {
        let headers = self.signature(body);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post(name, &headers, body).await
    }

    fn signature(&self, body: &str) -> Vec<(&'static str, String)> {
        let time = (self.now.load(Ordering::Relaxed) / 1_000).to_string();
        signature(&time, body)
    }

    pub(crate) async fn counts(&self, name: &str) -> Value {
        self.store.value(&format!("alarms/trigger/{name}")).await.unwrap().unwrap_or_default()
    }

    /// The places of all alarms, by their titles.
    async fn places(&self) -> BTreeMap<String, String> {
        let rows = self.store.values("alarms/known/").await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rows.iter().map(|(_, row)| (text(&row["alarm"]["title"]), text(&row["place"]))).collect()
    }

    /// The next agent to be woken.
    async fn woken(&mut self) -> Wake {
        tokio::time::timeout(Duration::from_secs(20), self.wakes.recv()).await.expect("nobody is woken").unwrap()
    }
}

fn signature(time: &str, body: &str) -> Vec<(&'static str, String)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("content-type", "application/json".to_owned()),
        ("x-timestamp", time.to_owned()),
        ("x-signature-256", format!("sha256={hex}")),
    ]
}

/// One request; status and body.
fn post(address: SocketAddr, path: &str, headers: &[(String, String)], body: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let mut head = format!("POST {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name == "host") {
        head.push_str(&format!("host: {address}\r\n"));
    }
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"\r\n").unwrap();
    // What is too large is answered before all of it is there.
    let _ = stream.write_all(body);
    answer(&mut stream)
}

fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // What was answered before a reset counts.
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {text}")).parse().unwrap();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
}

const GENERIC: &str =
    "[triggers]\ngather_seconds = 0\n[triggers.shop]\nkind = \"generic\"\nagent = \"sre\"\nsecret_env = \"S\"\n";

fn disk(target: &str) -> String {
    json!({ "title": format!("disk of {target}"), "target": target, "state": "firing", "severity": "critical" })
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_wakes_its_agent_and_sent_again_it_wakes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(folder.path(), GENERIC).await;
    let body = disk("web-1");
    let (status, taken) = door.signed("shop", &body).await;
    assert_eq!((status, &taken["status"], &taken["opened"]), (200, &"taken".into(), &1.into()), "{taken}");
    let wake = door.woken().await;
    assert_eq!((wake.agent.as_str(), wake.target.as_str()), ("sre", "web-1"));
    assert_eq!(
        (wake.alert["title"].as_str(), wake.alert["severity"].as_str()),
        (Some("disk of web-1"), Some("critical"))
    );
    let (status, again) = door.signed("shop", &body).await;
    assert_eq!((status, &again["status"], &again["opened"]), (200, &"duplicate".into(), &0.into()));
    // The same alarm in another message is known.
    door.now.fetch_add(1_000, Ordering::Relaxed);
    let (_, known) = door.signed("shop", &body).await;
    assert_eq!((&known["noted"], &known["is_duplicate"]), (&1.into(), &false.into()));
    let counts = door.counts("shop").await;
    assert_eq!((&counts["alarms"], &counts["duplicates"]), (&2.into(), &1.into()));
    assert!(door.wakes.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_rightly_is_refused_counted_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(folder.path(), GENERIC).await;
    let body = disk("web-1");
    let right = door.signature(&body);
    type Headers = Vec<(&'static str, String)>;
    let with = |change: &dyn Fn(&mut Headers)| {
        let mut headers = right.clone();
        change(&mut headers);
        headers
    };
    let cases = [
        (with(&|headers| headers.truncate(1)), 401, "not signed"),
        (with(&|headers| headers[2].1 = format!("sha256={}", "0".repeat(64))), 401, "the signature is wrong"),
        (signature("1799999000", &body), 401, "more than five minutes"),
        (with(&|headers| headers[1].1 = "1800000001".into()), 401, "the signature is wrong"),
        (with(&|headers| headers[0].1 = "text/plain".into()), 400, "application/json"),
    ];
    for (headers, expected, words) in cases {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (status, answer) = door.post("shop", &headers, &body).await;
        assert_eq!(status, expected, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer}");
    }
    let no_alarm = r#"{"title":"x"}"#;
    let (status, answer) = door.signed("shop", no_alarm).await;
    assert_eq!((status, answer["error"].as_str().unwrap().contains("`target` is missing")), (400, true));
    let (status, _) = door.signed("shop", "{no json").await;
    assert_eq!(status, 400);
    let (status, _) = door.post("nothing", &[("content-type", "application/json")], "{}").await;
    assert_eq!(status, 404);
    // A request that is answered is stored: one more makes sure that those before it are.
    door.signed("shop", &disk("web-2")).await;
    let counts = door.counts("shop").await;
    assert_eq!(counts["refused"], json!({ "form": 3, "signature": 3, "stale": 1 }), "{counts}");
    assert!(counts["last_refusal"].as_str().unwrap().contains("no JSON"));
    let line = door.told.recv().await.unwrap();
    assert_eq!((line.kind, line.is_bad), ("refused", true));
    assert!(!line.text.contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_escaped_where_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(folder.path(), GENERIC).await;
    let body = json!({ "title": "disk\u{1b}[2J\nclosed: all is well\u{202e}", "target": "web", "state": "firing" });
    let (status, _) = door.signed("shop", &body.to_string()).await;
    assert_eq!(status, 200);
    let line = door.told.recv().await.unwrap();
    assert!(!line.text.chars().any(char::is_control) && !line.text.contains('\u{202e}'), "{line:?}");
    assert!(line.text.contains("disk\\u{1b}[2J\\nclosed"), "{line:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_or_too_slow_is_refused_and_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path(), &format!("[triggers]\nbody_bytes_max = 2048\n{}", &GENERIC[29..])).await;
    let large = "x".repeat(2_049);
    let (status, answer) = door.signed("shop", &large).await;
    assert_eq!((status, answer["error"].as_str().unwrap().contains("2048 bytes")), (413, true), "{answer}");
    let address = door.address;
    let slow = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let head = format!(
            "POST /hooks/shop HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).unwrap();
        answer_of(&mut stream)
    });
    // Meanwhile others are served.
    let (status, _) = door.signed("shop", &disk("web-1")).await;
    assert_eq!(status, 200);
    assert_eq!(slow.await.unwrap(), 408);
}

fn answer_of(stream: &mut TcpStream) -> u16 {
    answer(stream).0
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_may_be_are_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let text = GENERIC.replace("gather_seconds = 0", "gather_seconds = 0\nrequests_per_second = 1");
    let door = Door::open(folder.path(), &text).await;
    let mut statuses = Vec::new();
    for number in 0..12 {
        statuses.push(door.signed("shop", &disk(&format!("web-{number}"))).await.0);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 10, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
    // A stranger who floods it with what is not signed uses up nothing of it.
    door.now.fetch_add(1_000, Ordering::Relaxed);
    for _ in 0..20 {
        assert_eq!(door.post("shop", &[("content-type", "application/json")], "{}").await.0, 401);
    }
    assert_eq!(door.signed("shop", &disk("web-99")).await.0, 200);
}

const ALERTMANAGER: &str =
    "[triggers]\ngather_seconds = 0\n[triggers.am]\nkind = \"alertmanager\"\nagent = \"sre\"\ntoken_env = \"T\"\n";

fn alerts(count: usize, status: &str) -> String {
    let one = |n: usize| {
        json!({ "status": status, "fingerprint": format!("f{n}"), "startsAt": "2027-01-15T07:59:00Z",
            "labels": { "alertname": "Down", "instance": format!("host-{n}") } })
    };
    let alerts: Vec<Value> = (0..count).map(one).collect();
    json!({ "version": "4", "status": status, "alerts": alerts }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alarms_at_once_are_all_kept_and_wake_few() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        ALERTMANAGER.replace("gather_seconds = 0", "gather_seconds = 0\nbody_bytes_max = 8388608\nsessions_max = 3");
    let mut door = Door::open(folder.path(), &text).await;
    let token = format!("Bearer {TOKEN}");
    let headers = [("content-type", "application/json"), ("authorization", token.as_str())];
    let (status, taken) = door.post("am", &headers, &alerts(10_000, "firing")).await;
    assert_eq!(status, 200, "{taken}");
    // Those of one alarm each share nothing: each is at one place.
    let sum: u64 = ["opened", "grouped", "suppressed"].iter().map(|key| taken[key].as_u64().unwrap()).sum();
    assert_eq!((sum, taken["opened"].as_u64().unwrap()), (10_000, 64), "{taken}");
    let mut woken = Vec::new();
    for _ in 0..3 {
        woken.push(door.woken().await.incident);
    }
    door.now.fetch_add(5_000, Ordering::Relaxed);
    let (_, again) = door.post("am", &headers, &alerts(10_000, "firing")).await;
    assert_eq!(again["noted"], 10_000, "{again}");
    assert!(door.wakes.try_recv().is_err(), "more than 3 sessions at a time");
    assert_eq!(door.places().await.len(), 1, "all have one title");
    assert_eq!(door.store.values("alarms/known/").await.unwrap().len(), 10_000);
    // The end of one makes room for another.
    door.intake.closed(woken[0], Ending::HandedOver).await;
    door.woken().await;
    let (_, over) = door.post("am", &headers, &alerts(10_000, "resolved")).await;
    assert_eq!(over["resolved"], 10_000, "{over}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_and_without_one_no_page_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let open = "[triggers.open]\nkind = \"alertmanager\"\nagent = \"sre\"\n";
    let door = Door::open(folder.path(), &format!("{ALERTMANAGER}{open}")).await;
    let body = alerts(1, "firing");
    let json = ("content-type", "application/json");
    assert_eq!(door.post("am", &[json], &body).await.0, 401);
    assert_eq!(door.post("am", &[json, ("authorization", "Bearer wrong-wrong-wrong")], &body).await.0, 401);
    for (headers, expected) in [
        (vec![json], 200),
        (vec![json, ("origin", "http://evil.example")], 403),
        (vec![json, ("host", "evil.example:8788")], 403),
        (vec![("content-type", "text/plain")], 400),
    ] {
        let (status, answer) = door.post("open", &headers, &body).await;
        assert_eq!(status, expected, "{headers:?} {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_eventbridge_counts_once_and_what_says_nothing_is_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[triggers]\ngather_seconds = 0\n[triggers.eb]\nkind = \"eventbridge\"\nagent = \"sre\"\ntoken_env = \"T\"\ntoken_header = \"x-api-key\"\n";
    let mut door = Door::open(folder.path(), text).await;
    let event = |id: &str, state: &str| {
        json!({ "version": "0", "id": id, "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
            "account": "1", "time": "2027-01-15T07:59:59Z", "region": "eu-west-1", "resources": [],
            "detail": { "instance-id": "i-0abc", "state": state } })
        .to_string()
    };
    let headers = [("content-type", "application/json; charset=utf-8"), ("x-api-key", TOKEN)];
    assert_eq!(door.post("eb", &headers, &event("1", "stopped")).await.1["opened"], 1);
    assert_eq!(door.post("eb", &headers, &event("1", "stopped")).await.1["status"], "duplicate");
    let (status, pending) = door.post("eb", &headers, &event("2", "pending")).await;
    assert_eq!((status, pending["note"].is_string()), (200, true));
    assert_eq!(door.woken().await.target, "i-0abc");
    assert_eq!(door.post("eb", &headers, &event("3", "running")).await.1["resolved"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_and_seen_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{GENERIC}[[maintenance]]\nname = \"upgrade\"\ntargets = [\"db\"]\nfrom = \"2027-01-15T07:00:00Z\"\nto = \"2027-01-15T09:00:00Z\"\n"
    );
    let mut door = Door::open(folder.path(), &text).await;
    door.signed("shop", &disk("web")).await;
    assert_eq!(door.signed("shop", &disk("db")).await.1["suppressed"], 1);
    let wake = door.woken().await;
    door.intake.running(wake.incident, "sre-1").await;
    door.intake.in_session().await;
    door.signed("shop", &disk("web-2")).await;
    let second = door.woken().await;
    door.close().await;
    let mut door = Door::open(folder.path(), &text).await;
    assert_eq!(door.signed("shop", &disk("web")).await.1["status"], "duplicate");
    let places = door.places().await;
    assert_eq!((places["disk of web"].as_str(), places["disk of db"].as_str()), ("incident", "suppressed"));
    assert_eq!(door.intake.in_session().await, [(wake.incident, Some("sre-1".into())), (second.incident, None)]);
    // It was to be woken and was not: now it is.
    door.intake.closed(second.incident, Ending::NotBegun).await;
    assert_eq!(door.woken().await.target, "web-2");
    // What was held back is taken up at the end of the maintenance.
    door.now.store(NOW_MS + 3_600_000, Ordering::Relaxed);
    assert_eq!(door.woken().await.target, "db");
}

/// A source that says what it is told to.
struct Scripted(std::sync::Mutex<Vec<Result<Vec<Alarm>, SourceError>>>);

#[async_trait]
impl AlarmSource for Scripted {
    async fn poll(&self) -> Result<Vec<Alarm>, SourceError> {
        let mut script = self.0.lock().unwrap();
        if script.len() > 1 { script.remove(0) } else { script[0].clone() }
    }
}

fn polled(state: State) -> Alarm {
    Alarm {
        fingerprint: "cpu".into(),
        source: "cloudwatch".into(),
        target: "i-0abc".into(),
        title: "cpu".into(),
        detail: String::new(),
        state,
        severity: Severity::Error,
        labels: BTreeMap::new(),
        started_ms: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_is_said_and_never_read_as_health() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(folder.path(), "[triggers]\ngather_seconds = 0\n").await;
    let failed = || Err(SourceError("AccessDenied: cloudwatch:DescribeAlarms".into()));
    let script = vec![Ok(vec![polled(State::Firing)]), failed(), failed(), failed(), failed(), Ok(vec![])];
    let trigger = Trigger { name: "aws".into(), kind: "poll", agent: "sre".into() };
    let settings = PollSettings {
        every: Duration::from_millis(30),
        jitter: Duration::ZERO,
        within: Duration::from_secs(5),
        back_off_max: Duration::from_millis(60),
    };
    let source = Arc::new(Scripted(std::sync::Mutex::new(script)));
    let polling = tokio::spawn(poll(source, Arc::new(trigger), settings, door.intake.clone()));
    assert_eq!(door.woken().await.target, "i-0abc");
    let mut lines = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !lines.iter().any(|line: &Told| line.text.contains("is resolved")) {
        assert!(Instant::now() < deadline, "{lines:?}");
        if let Ok(line) = tokio::time::timeout(Duration::from_secs(1), door.told.recv()).await {
            lines.push(line.unwrap());
        }
    }
    polling.abort();
    let said = |words: &str| lines.iter().position(|line| line.text.contains(words));
    // Four failures: one line. Gone only after the source has answered three times without it.
    assert_eq!(lines.iter().filter(|line| line.text.contains("cannot be asked")).count(), 1, "{lines:?}");
    assert!(said("AccessDenied") < said("it answers again"), "{lines:?}");
    assert!(said("it answers again") < said("is resolved"), "{lines:?}");
    // What is told is stored before anything that comes after it is worked on.
    door.intake.in_session().await;
    let rows = door.store.values("alarms/known/").await.unwrap();
    assert_eq!(rows[0].1["alarm"]["detail"], "its source names it no more");
}

#[test]
fn an_alarm_from_outside_wakes_a_session_that_says_what_it_cannot_do_and_the_list_has_all_of_it() {
    let project = Project::with(
        "[triggers]\nlisten = \"127.0.0.1:0\"\ngather_seconds = 0\n[triggers.shop]\nkind = \"generic\"\nagent = \"sre\"\nsecret_env = \"HOOK_SECRET\"\n\
         [agents.sre]\nwatch = [\"*\"]\n[grants.sre.tools]\nnames = [\"service_*\"]\n[grants.sre.log]\n[grants.service.services]\nnames = [\"*\"]\nactions = [\"read\"]\n\
         [services.idle]\ncommand = [\"/bin/sleep\", \"600\"]\n",
    );
    let host = RunningHost::start_with(&project, &[("HOOK_SECRET", SECRET)]);
    let log = || std::fs::read_to_string(project.path().join("host.log")).unwrap();
    let text = log();
    let address = text.split("http://").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let send = |time: u64, body: &str| {
        let headers: Vec<(String, String)> =
            signature(&time.to_string(), body).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        post(address, "/hooks/shop", &headers, body.as_bytes())
    };
    assert_eq!(send(now - 1_000, &disk("db-1")).0, 401);
    assert_eq!(send(now, &disk("db-1")).0, 200);
    let listed = || project.run(&["--json", "alarms"]).json();
    let deadline = Instant::now() + Duration::from_secs(150);
    while listed()["incidents"]["1"]["phase"] != "with_people" {
        assert!(Instant::now() < deadline, "{}\n{}", listed(), log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let alarms = listed();
    assert_eq!(alarms["alarms"][0]["alarm"]["target"], "db-1");
    assert_eq!(alarms["triggers"]["shop"]["refused"], json!({ "stale": 1 }));
    let sessions = project.run(&["--json", "session", "list"]).json();
    assert_eq!(sessions[0]["status"], "escalated", "{sessions}");
    assert!(sessions[0]["summary"].as_str().unwrap().contains("`db-1` is no service of this host"), "{sessions}");
    let said = project.run(&["alarms"]);
    assert!(said.out.contains("1 alarms: 1 opened an incident"), "{}", said.out);
    assert!(said.out.contains("refused: 1 stale"), "{}", said.out);
    assert!(log().contains("shop: `db-1`: disk of db-1: opens incident 1"), "{}", log());
    // A target that is a service here is worked on like one that its own probe has found sick.
    assert_eq!(send(now, &disk("idle")).0, 200);
    let sessions = || project.run(&["--json", "session", "list"]).json();
    while sessions().as_array().unwrap().len() < 2 || sessions()[1]["status"] == "open" {
        assert!(Instant::now() < deadline, "{}\n{}", sessions(), log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let id = sessions()[1]["id"].as_str().unwrap().to_owned();
    let entries = project.run(&["--json", "session", "show", &id]).json()["entries"].clone();
    assert_eq!(entries[0]["body"]["task"]["input"]["alert"]["service"], "idle", "{entries}");
    drop(host);
    // Whoever looks on needs no host.
    assert_eq!(listed()["alarms"].as_array().unwrap().len(), 2);
}

#[test]
fn a_trigger_whose_secret_is_missing_or_open_to_others_starts_no_host() {
    let hook = "[agents.sre]\n[grants.sre.tools]\nnames = [\"service_*\"]\n[grants.sre.log]\n[grants.service.services]\nnames = [\"*\"]\nactions = [\"read\"]\n[triggers]\nlisten = \"127.0.0.1:0\"\n[triggers.shop]\nkind = \"generic\"\nagent = \"sre\"\n";
    let project = Project::with(&format!("{hook}secret_env = \"NO_SUCH_SECRET\"\n"));
    let said = project.run(&["run"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("`NO_SUCH_SECRET` is not set") && said.err.contains("hint:"), "{}", said.err);
    project.write("pi.toml", &format!("{hook}secret_file = \"secret\"\n"));
    project.write("secret", SECRET);
    let said = project.run(&["run"]);
    assert!(said.err.contains("others can read") && said.err.contains("chmod 600"), "{}", said.err);
    assert!(!said.err.contains(SECRET));
}
