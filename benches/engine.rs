//! What the engine costs: `cargo bench --bench engine`. Figures and how to read them are in BENCHMARKS.md.
//!
//! A scripted model in a process of its own answers at once, in the wire protocol of chat completions, and notes how
//! long it waits from the last byte of an answer to the whole of the next question: all that lies between is the
//! engine's own, a call of `read` included. Pi (`npm`, Node) is driven with the same model in the same run.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark ends at the first thing that goes wrong"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pi_host::app::{Event, Host, Options};
use pi_host::config::{Config, Project};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CALLS: usize = 200;
const STARTS: usize = 31;
const SESSIONS: usize = 1_000;
const TURNS: usize = 20;
const WAITING: usize = 10_000;
const WOKEN: usize = 500;
const PI: &str = "@mariozechner/pi-coding-agent@0.73.1";

const TURN_AIM: Duration = Duration::from_millis(1);
const START_AIM: Duration = Duration::from_millis(30);
const WAKE_AIM: Duration = Duration::from_millis(50);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "serve") {
        return serve();
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
                let _ = answer(stream, &noted).await;
            });
        }
    });
}

async fn answer(stream: TcpStream, noted: &Mutex<Noted>) -> std::io::Result<()> {
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
    let event = |delta: &str, end: &str| {
        format!(
            "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{end}}}]}}\n\n"
        )
    };
    let usage = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}}\n\n";
    let (delta, end) = if made < wanted {
        let arguments = r#""{\"path\":\"x.txt\"}""#;
        let call = format!(
            r#"{{"role":"assistant","tool_calls":[{{"index":0,"id":"c{made}","type":"function","function":{{"name":"read","arguments":{arguments}}}}}]}}"#
        );
        (call, r#""tool_calls""#)
    } else {
        (r#"{"role":"assistant","content":"done"}"#.to_owned(), r#""stop""#)
    };
    format!("{}{}{usage}data: [DONE]\n\n", event(&delta, "null"), event("{}", end))
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

async fn host(folder: &Path, model: &Model) -> Arc<Host> {
    let config = format!(
        "[models.m]\nprotocol = \"openai\"\nmodel = \"m\"\nbase_url = \"{}/v1\"\n[agents.pi]\n[grants.pi.model]\nnames = [\"m\"]\n\
         [grants.pi.tools]\nnames = [\"read\"]\n[grants.pi.log]\n[grants.files.files]\nread = [\".\"]\n",
        model.url
    );
    let config = Config::parse(&config, "pi.toml").unwrap();
    let project = Project { directory: folder.to_owned(), config, has_file: true };
    let options = Options {
        agents: Some(vec!["pi".into()]),
        is_watching: false,
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
        let host = host(&here, &model).await;
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
        let host = host(&here, &model).await;
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
