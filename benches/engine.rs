//! What the engine costs: `cargo bench --bench engine`. Figures and how to read them are in BENCHMARKS.md.
//!
//! A scripted model in a process of its own answers at once, in the wire protocol of chat completions, and notes how
//! long it waits from the last byte of an answer to the whole of the next question: all that lies between is the
//! engine's own, a call of `read` included. Pi (`npm`, Node) is driven with the same model in the same run.
//! `-- kills [N]` kills a host of many sessions N times, and counts what was lost or done twice.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark ends at the first thing that goes wrong"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pi_host::app::{Event, Host, Options};
use pi_host::config::{Config, Project};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CALLS: usize = 150;
const STARTS: usize = 31;
const SESSIONS: usize = 1_000;
const TURNS: usize = 20;
const WAITING: usize = 10_000;
const WOKEN: usize = 500;
const KILLS: usize = 1_000;
/// Sessions at once in a host that is killed, and what each writes down, one item a call.
const CROWD: usize = 20;
const ITEMS: usize = 40;
const PI: &str = "@mariozechner/pi-coding-agent@0.73.1";

const TURN_AIM: Duration = Duration::from_millis(1);
const START_AIM: Duration = Duration::from_millis(30);
const WAKE_AIM: Duration = Duration::from_millis(50);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "serve") {
        return serve();
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "crowd") {
        return crowd(Path::new(&arguments[at + 1]), &arguments[at + 2]);
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "kills") {
        return kills(arguments.get(at + 1).and_then(|count| count.parse().ok()).unwrap_or(KILLS));
    }
    let wanted = |name: &str| {
        let named: Vec<_> = arguments.iter().skip(1).filter(|argument| !argument.starts_with("--")).collect();
        named.is_empty() || named.iter().any(|argument| *argument == name)
    };
    if wanted("turn") {
        turns();
    }
    if wanted("start") {
        starts();
    }
    if wanted("sessions") {
        sessions();
    }
    if wanted("waiting") {
        waiting();
    }
}

fn verdict(is: Duration, aim: Duration) -> &'static str {
    if is <= aim { "within the aim" } else { "BEYOND THE AIM" }
}

fn percentiles(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    println!("{what}: p50 {:?}, p99 {:?} of {}", at(50), at(99), times.len());
    at(50)
}

// The model.

/// A model in a process of its own.
struct Model {
    child: Child,
    url: String,
}

impl Model {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let url = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        Self { child, url }
    }

    fn model(&self) -> String {
        format!("openai/m@{}/v1", self.url)
    }

    /// What the model waited between one answer and the next question, since the last look.
    fn gaps(&self) -> Vec<Duration> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        write!(stream, "GET /gaps HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let gaps = text.split_once("\r\n\r\n").unwrap().1;
        gaps.split_whitespace().map(|nanos| Duration::from_nanos(nanos.parse().unwrap())).collect()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Noted {
    sent: Option<Instant>,
    gaps: Vec<Duration>,
}

fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("http://{}", listener.local_addr().unwrap());
        let noted = Arc::new(Mutex::new(Noted::default()));
        while let Ok((stream, _)) = listener.accept().await {
            let noted = noted.clone();
            tokio::spawn(async move {
                let _ = answer(stream, &noted, &said).await;
            });
        }
    });
}

/// Serve one connection: whoever asks is told what `said` makes of the question.
async fn answer(
    stream: TcpStream,
    noted: &Mutex<Noted>,
    said: &(dyn Fn(&str) -> String + Sync),
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = tokio::io::BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if stream.read_line(&mut first).await? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let arrived = Instant::now();
        if first.starts_with("GET /gaps") {
            let gaps = std::mem::take(&mut *noted.lock().unwrap()).gaps;
            let text = gaps.iter().map(|gap| gap.as_nanos().to_string()).collect::<Vec<_>>().join(" ");
            return stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{text}").as_bytes()).await;
        }
        {
            let mut noted = noted.lock().unwrap();
            if let Some(sent) = noted.sent.take() {
                noted.gaps.push(arrived - sent);
            }
        }
        let body = said(&String::from_utf8_lossy(&body));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream";
        stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
        stream.flush().await?;
        noted.lock().unwrap().sent = Some(Instant::now());
    }
}

/// The model calls `read` as often as the last person's words say, and is done.
fn said(question: &str) -> String {
    let last = question.rfind(r#""role":"user""#).unwrap_or(0);
    let turn = &question[last..];
    let wanted = turn.split_once("calls ").map_or("0", |(_, rest)| rest);
    let wanted: usize = wanted.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let made = turn.matches(r#""role":"tool""#).count();
    if made < wanted {
        calls(made, "read", &format!(r#"{{"path":"x.txt","limit":{}}}"#, made + 1))
    } else {
        says("done")
    }
}

fn calls(number: usize, tool: &str, arguments: &str) -> String {
    let arguments = serde_json::Value::from(arguments);
    events(
        &format!(
            r#"{{"role":"assistant","tool_calls":[{{"index":0,"id":"c{number}","type":"function","function":{{"name":"{tool}","arguments":{arguments}}}}}]}}"#
        ),
        "tool_calls",
    )
}

fn says(text: &str) -> String {
    events(&format!(r#"{{"role":"assistant","content":"{text}"}}"#), "stop")
}

/// An answer as a stream of events.
fn events(delta: &str, end: &str) -> String {
    let event = |delta: &str, end: &str| {
        format!(
            "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{end}}}]}}\n\n"
        )
    };
    let usage = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}}\n\n";
    format!("{}{}{usage}data: [DONE]\n\n", event(delta, "null"), event("{}", &format!("{end:?}")))
}

// One turn after the other, by the program itself.

fn project(folder: &Path, name: &str) -> PathBuf {
    let project = folder.join(name);
    std::fs::create_dir(&project).unwrap();
    std::fs::write(project.join("x.txt"), "nothing\n").unwrap();
    project
}

fn ours(project: &Path, model: &Model, prompt: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pi-host"));
    command.current_dir(project).args(["run", prompt, "--model", &model.model()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn turns() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start();
    let here = project(folder.path(), "ours");
    // Compiles what it needs.
    assert!(ours(&here, &model, "calls 1").status().unwrap().success());
    model.gaps();
    assert!(ours(&here, &model, &format!("calls {CALLS}")).status().unwrap().success());
    let own = percentiles("a turn with one call of `read`, from answer to question", model.gaps());
    println!("  {}", verdict(own, TURN_AIM));
    let Some(pi) = installed() else {
        println!("Pi cannot be had from npm: no ratio");
        return;
    };
    let there = project(folder.path(), "pi");
    let agent = folder.path().join("agent");
    std::fs::create_dir(&agent).unwrap();
    let models = serde_json::json!({ "providers": { "bench": {
        "baseUrl": format!("{}/v1", model.url), "api": "openai-completions", "apiKey": "none", "models": [{ "id": "m" }],
    }}});
    std::fs::write(agent.join("models.json"), models.to_string()).unwrap();
    let run = |calls: usize| {
        let mut node = Command::new("node");
        node.arg(&pi).args(["--mode", "json", "--provider", "bench", "--model", "m", "-p", &format!("calls {calls}")]);
        node.current_dir(&there).env("PI_CODING_AGENT_DIR", &agent).env("PI_OFFLINE", "1").stdin(Stdio::null());
        let output = node.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(1);
    model.gaps();
    run(CALLS);
    let gaps = model.gaps();
    assert!(gaps.len() >= CALLS, "Pi asked {} times", gaps.len());
    let other = percentiles("the same in Pi", gaps);
    println!("  ours is {:.3} of Pi's (aim 0.1)", own.as_secs_f64() / other.as_secs_f64());
}

/// Pi's program, installed once.
fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pi-bench");
    let program = folder.join("node_modules/@mariozechner/pi-coding-agent/dist/cli.js");
    if !program.exists() {
        std::fs::create_dir_all(&folder).ok()?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).arg(PI).stdout(Stdio::null());
        npm.status().ok().filter(|status| status.success())?;
    }
    program.exists().then_some(program)
}

/// From the start of the process to the first byte of the first question.
fn starts() {
    let folder = tempfile::tempdir().unwrap();
    let here = project(folder.path(), "start");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let model = format!("openai/m@http://{}/v1", listener.local_addr().unwrap());
    let first_byte = || {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pi-host"));
        command.current_dir(&here).args(["run", "say something", "--model", &model]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Read::read_exact(&mut stream, &mut [0]).unwrap();
        let taken = begun.elapsed();
        // As after a power cut: the next one begins a session of its own.
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::remove_dir_all(here.join(".pi")).unwrap();
        taken
    };
    first_byte();
    let p50 =
        percentiles("process start to the first byte of a question, warm", (0..STARTS).map(|_| first_byte()).collect());
    println!("  {}", verdict(p50, START_AIM));
}

// Many sessions, in one host.

/// The resident memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

async fn host(folder: &Path, url: &str) -> Arc<Host> {
    let config = format!(
        "[models.m]\nprotocol = \"openai\"\nmodel = \"m\"\nbase_url = \"{url}/v1\"\n[agents.pi]\n[grants.pi.model]\nnames = [\"m\"]\n\
         [grants.pi.tools]\nnames = [\"read\", \"bash\"]\n[grants.pi.log]\n[grants.files.files]\nread = [\".\"]\n\
         [grants.bash.files]\nread = [\".\"]\nwrite = [\".\"]\n[grants.bash.process]\nprograms = []\n"
    );
    let config = Config::parse(&config, "pi.toml").unwrap();
    let project = Project { directory: folder.to_owned(), config, has_file: true };
    let options = Options {
        agents: Some(vec!["pi".into()]),
        is_watching: true,
        is_talking: true,
        screen: None,
        may_ask: false,
        name: "bench",
    };
    Host::start(project, options, &|_| ()).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn sessions() {
    let folder = tempfile::tempdir().unwrap();
    let here = project(folder.path(), "many");
    let model = Model::start();
    runtime().block_on(async {
        let host = host(&here, &model.url).await;
        host.run_once("pi", "calls 1", &serde_json::json!({})).await.unwrap();
        let before = resident();
        let peak = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let begun = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..SESSIONS {
            let host = host.clone();
            running.spawn(async move {
                let closed = host.run_once("pi", &format!("calls {}", TURNS - 1), &serde_json::json!({})).await.unwrap();
                assert_eq!(closed.status, "done", "{}", closed.summary);
                begun.elapsed()
            });
        }
        let watched = peak.clone();
        let watching = tokio::spawn(async move {
            loop {
                watched.fetch_max(resident(), std::sync::atomic::Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mut ends = Vec::new();
        while let Some(end) = running.join_next().await {
            ends.push(end.unwrap());
        }
        watching.abort();
        let took = begun.elapsed();
        let questions = SESSIONS * TURNS;
        println!(
            "{SESSIONS} sessions at once, {TURNS} questions each: {took:?}, {:.0} questions a second, {} KiB for each session at the peak",
            questions as f64 / took.as_secs_f64(),
            peak.load(std::sync::atomic::Ordering::Relaxed).saturating_sub(before) / SESSIONS / 1024,
        );
        percentiles("  from the start of all to the end of a session", ends);
        host.close().await.unwrap();
    });
}

fn waiting() {
    let folder = tempfile::tempdir().unwrap();
    let here = project(folder.path(), "waiting");
    let model = Model::start();
    runtime().block_on(async {
        let host = host(&here, &model.url).await;
        host.run_once("pi", "calls 1", &serde_json::json!({})).await.unwrap();
        let mut events = host.events();
        let before = resident();
        let begun = Instant::now();
        let mut listening = Vec::new();
        let mut talking = tokio::task::JoinSet::new();
        // In parts, so that no event is missed.
        while listening.len() < WAITING {
            let part = (WAITING - listening.len()).min(500);
            for _ in 0..part {
                let host = host.clone();
                talking.spawn(async move { host.converse("pi", "hello").await.map(|_| ()) });
            }
            let goal = listening.len() + part;
            while listening.len() < goal {
                if let Event::Listening { session } = events.recv().await.unwrap() {
                    listening.push(session);
                }
            }
        }
        let each = resident().saturating_sub(before) / WAITING;
        println!(
            "{WAITING} sessions that wait: there after {:?}, {} KiB resident each (aim 100 KiB)",
            begun.elapsed(),
            each / 1024
        );
        model.gaps();
        let mut times = Vec::new();
        for session in listening.iter().step_by(WAITING / WOKEN) {
            let said = Instant::now();
            host.say(session, "bench", "and now?").await.unwrap();
            loop {
                match events.recv().await.unwrap() {
                    Event::Listening { session: other } if other == *session => break,
                    _ => {}
                }
            }
            // The model answers at once: this is more than the way to its question.
            times.push(said.elapsed());
        }
        let p50 = percentiles("  one of them, from a word to its answer and to waiting again", times);
        println!("  {}", verdict(p50, WAKE_AIM));
        host.stop();
        while talking.join_next().await.is_some() {}
        host.close().await.unwrap();
    });
}

// A host that is killed again and again.

/// The process that is killed: takes up what is there, begins what is not, and ends when all has ended.
fn crowd(folder: &Path, url: &str) {
    runtime().block_on(async {
        let host = host(folder, url).await;
        let begun = begun(folder).await;
        let mut running = tokio::task::JoinSet::new();
        let resuming = host.clone();
        // Beside those that begin at the same time: it takes up what was cut off, and none of them.
        running.spawn(async move { resuming.resume(None).await.map(|_| ()) });
        for number in (0..CROWD).filter(|number| !begun.contains_key(number)) {
            let host = host.clone();
            let prompt = format!("session {number}.");
            running.spawn(async move { host.run_once("pi", &prompt, &serde_json::json!({})).await.map(|_| ()) });
        }
        while let Some(end) = running.join_next().await {
            end.unwrap().unwrap();
        }
        host.close().await.unwrap();
    });
}

/// The entries of the sessions that have begun, by their numbers.
async fn begun(folder: &Path) -> HashMap<usize, Vec<pi_host::journal::Entry>> {
    let store = pi_host::store::sqlite::SqliteStore::open(&folder.join(".pi/store.db")).await.unwrap();
    let mut found = HashMap::new();
    for record in pi_host::store::Store::sessions(&store).await.unwrap() {
        let entries = pi_host::journal::entries(&store, &record.id).await.unwrap();
        let number = entries.iter().find_map(|entry| match &entry.body {
            pi_host::journal::Body::SessionStarted { task, .. } => number_in(task["prompt"].as_str()?),
            _ => None,
        });
        if let Some(number) = number {
            assert!(found.insert(number, entries).is_none(), "two sessions of one task");
        }
    }
    found
}

fn number_in(text: &str) -> Option<usize> {
    text.split_once("session ")?.1.split_once('.')?.0.parse().ok()
}

/// What the model was asked, by session: the longest of its questions.
type Asked = Arc<Mutex<HashMap<usize, Vec<serde_json::Value>>>>;

/// The model has one item after the other written down, and looks where it is not known whether one was. Every
/// question has to go on where the one before it ended.
fn dictated(question: &str, asked: &Asked) -> String {
    let question: serde_json::Value = serde_json::from_str(question).unwrap();
    let messages = question["messages"].as_array().unwrap();
    let text = |message: &serde_json::Value| message["content"].to_string();
    let user = messages.iter().find(|message| message["role"] == "user").unwrap();
    let number = number_in(&text(user)).unwrap();
    {
        let mut asked = asked.lock().unwrap();
        let before = asked.entry(number).or_default();
        let same = before.len().min(messages.len());
        assert_eq!(before[..same], messages[..same], "session {number} was told two histories");
        if messages.len() > before.len() {
            before.clone_from(messages);
        }
    }
    let mut scripts = messages.iter().filter_map(|message| message["tool_calls"][0]["function"]["arguments"].as_str());
    let item = scripts.next_back().and_then(|script| script.split_once("item ")?.1.split_once('.')?.0.parse().ok());
    let item: usize = item.unwrap_or(0);
    let is_unknown = text(messages.last().unwrap()).contains("it is not known");
    let write = |item: usize, look: &str| {
        let script = format!("{look}echo {item} >> witness-{number} # item {item}.");
        calls(messages.len(), "bash", &serde_json::json!({ "command": script }).to_string())
    };
    match item {
        item if is_unknown => write(item, &format!("grep -qx {item} witness-{number} || ")),
        ITEMS => says("all are written"),
        item => write(item + 1, ""),
    }
}

/// Kill a host at random moments, and count by what it has left in its folder, and by what the model has seen.
fn kills(count: usize) {
    let asked = Asked::default();
    let (sender, url) = std::sync::mpsc::channel();
    let noted = asked.clone();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let asked = noted.clone();
                tokio::spawn(async move {
                    let times = Mutex::default();
                    let _ = answer(stream, &times, &|question| dictated(question, &asked)).await;
                });
            }
        });
    });
    let url = url.recv().unwrap();
    // Xorshift: the same moments in every run, as far as a machine allows.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut moment = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        Duration::from_millis(random % 600)
    };
    let (mut killed, mut sessions, mut unknown, mut entries) = (0, 0, 0, 0);
    let begun_at = Instant::now();
    while killed < count {
        let folder = tempfile::tempdir().unwrap();
        asked.lock().unwrap().clear();
        loop {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let mut child = command.arg("crowd").arg(folder.path()).arg(&url).stdin(Stdio::null()).spawn().unwrap();
            let until = Instant::now() + if killed < count { moment() } else { Duration::from_secs(3_600) };
            let ended = loop {
                match child.try_wait().unwrap() {
                    Some(ended) => break Some(ended),
                    None if Instant::now() > until => break None,
                    None => std::thread::sleep(Duration::from_millis(1)),
                }
            };
            match ended {
                Some(ended) => {
                    assert!(ended.success(), "a host ended by itself: {ended}");
                    break;
                }
                None => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    killed += 1;
                }
            }
        }
        let (more, looked) = runtime().block_on(witnessed(folder.path(), &asked));
        entries += more;
        unknown += looked;
        sessions += CROWD;
        println!(
            "{killed} kills, {sessions} sessions of {ITEMS} effects, {entries} entries, {unknown} effects that were not known: none lost, none twice ({:?})",
            begun_at.elapsed()
        );
    }
}

/// Look what a crowd has done, in what order, and whether the journal has all of it. How many entries there are, and
/// how often an agent had to look whether something was done.
async fn witnessed(folder: &Path, asked: &Asked) -> (usize, usize) {
    let store = pi_host::store::sqlite::SqliteStore::open(&folder.join(".pi/store.db")).await.unwrap();
    for report in pi_host::journal::verify(&store, None).await.unwrap() {
        assert!(report.holds(), "{report:?}");
    }
    let all = begun(folder).await;
    assert_eq!(all.len(), CROWD);
    let wanted: String = (1..=ITEMS).map(|item| format!("{item}\n")).collect();
    let (mut entries, mut unknown) = (0, 0);
    for (number, journal) in all {
        let written = std::fs::read_to_string(folder.join(format!("witness-{number}"))).unwrap();
        assert_eq!(written, wanted, "session {number}");
        entries += journal.len();
        // Each result that the model has seen is in the journal.
        let kept = journal.iter().map(|entry| serde_json::to_string(&entry.body).unwrap()).collect::<String>();
        let asked = asked.lock().unwrap();
        for message in asked[&number].iter().filter(|message| message["role"] == "tool") {
            let call = message["tool_call_id"].as_str().unwrap();
            assert!(kept.contains(&format!("\"{call}\"")), "session {number}: {call} is not in the journal");
            unknown += usize::from(message["content"].to_string().contains("it is not known"));
        }
    }
    (entries, unknown)
}
