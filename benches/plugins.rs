//! What a plugin host costs: `cargo bench --bench plugins`. Figures and how to read them are in BENCHMARKS.md.
//!
//! A warm call of a tool over MCP's standard streams, against the round trip through the same pipes
//! alone; the start of a host with many plugins; the installation of a large one.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark ends at the first thing that goes wrong"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const WARM_UP: usize = 1_000;
const CALLS: usize = 10_000;
const STARTS: usize = 21;
const PLUGINS: usize = 20;
const CALL_AIM: Duration = Duration::from_micros(150);
const START_AIM: Duration = Duration::from_millis(100);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let component = component("hostile");
    let call = call_over_mcp(folder.path(), &component);
    start_with_many(folder.path(), &component);
    install_a_large_one(folder.path());
    println!("a warm call over MCP, p50: {} of {CALL_AIM:?}", verdict(call, CALL_AIM));
}

fn verdict(is: Duration, aim: Duration) -> String {
    format!("{is:?}, {}", if is <= aim { "within the aim" } else { "BEYOND THE AIM" })
}

/// A guest of the tests, built.
fn component(name: &str) -> Vec<u8> {
    let target = Path::new(env!("PI_PLUGINS_TARGET"));
    let status = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "-p", "guests", "--target", "wasm32-wasip2", "--profile", "plugin", "--target-dir"])
        .arg(target)
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .unwrap();
    assert!(status.success(), "the guests do not build");
    std::fs::read(target.join(format!("wasm32-wasip2/plugin/{name}.wasm"))).unwrap()
}

/// The guest that does nothing, as a plugin of this name with one tool.
fn packed(component: &[u8], name: &str, tool: &str) -> Vec<u8> {
    let manifest = json!({
        "manifest": 1, "name": name, "version": "1.0.0", "kind": "tool", "contract": "0.1",
        "needs": [],
        "tools": [{ "name": tool, "description": "Nothing", "effect": "read", "idempotent": true,
                    "input_schema": { "type": "object", "additionalProperties": false } }],
    });
    pi_host::plugin::pack(component, &manifest.to_string())
}

fn project(folder: &Path, name: &str) -> PathBuf {
    let project = folder.join(name);
    std::fs::create_dir(&project).unwrap();
    project
}

fn pi_host(project: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pi-host"));
    command.current_dir(project).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn installed(project: &Path, file: &str, bytes: &[u8]) -> Duration {
    std::fs::write(project.join(file), bytes).unwrap();
    let begun = Instant::now();
    assert!(pi_host(project, &["plugin", "install", file, "--yes"]).status().unwrap().success(), "{file}");
    begun.elapsed()
}

/// Lines to a process and back.
struct Pipes {
    child: Child,
    write: ChildStdin,
    read: BufReader<ChildStdout>,
    line: String,
}

impl Pipes {
    fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (write, read) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, write, read, line: String::new() }
    }

    fn say(&mut self, message: &str) {
        self.write.write_all(message.as_bytes()).unwrap();
    }

    fn asked(&mut self, message: &str) -> &str {
        self.say(message);
        self.line.clear();
        self.read.read_line(&mut self.line).unwrap();
        &self.line
    }

    fn end(self) {
        let Self { mut child, write, .. } = self;
        drop(write);
        child.wait().unwrap();
    }
}

fn percentiles(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    println!("{what}: p50 {:?}, p99 {:?}, {} times", at(50), at(99), times.len());
    at(50)
}

fn call_over_mcp(folder: &Path, component: &[u8]) -> Duration {
    let project = project(folder, "one");
    installed(&project, "one.wasm", &packed(component, "one", "noop"));
    let mut pipes = Pipes::of(pi_host(&project, &["mcp"]));
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" } } });
    pipes.asked(&format!("{hello}\n"));
    pipes.say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
    let request = |id: usize| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"noop\",\"arguments\":{{}}}}}}\n"
        )
    };
    let answer: Value = serde_json::from_str(pipes.asked(&request(1))).unwrap();
    assert!(answer["result"]["isError"] != json!(true) && answer["error"].is_null(), "{answer}");
    for id in 0..WARM_UP {
        pipes.asked(&request(id + 2));
    }
    let timed = |pipes: &mut Pipes, id: usize| {
        let request = request(id);
        let begun = Instant::now();
        pipes.asked(&request);
        begun.elapsed()
    };
    let times = (0..CALLS).map(|id| timed(&mut pipes, id + WARM_UP + 2)).collect();
    let call = percentiles("a warm call of a tool in Rust over MCP, fresh instance, gate and journal", times);
    pipes.end();
    let mut echo = Pipes::of(Command::new("/bin/cat"));
    for id in 0..WARM_UP {
        echo.asked(&request(id));
    }
    let times = (0..CALLS).map(|id| timed(&mut echo, id)).collect();
    let bare = percentiles("the same line to `cat` and back", times);
    echo.end();
    println!("  {:.1} times the pipes alone", call.as_secs_f64() / bare.as_secs_f64());
    call
}

fn start_with_many(folder: &Path, component: &[u8]) {
    let project = project(folder, "many");
    let first: Duration = (0..PLUGINS)
        .map(|index| {
            let (name, tool) = (format!("p{index}"), format!("t{index}"));
            installed(&project, &format!("{name}.wasm"), &packed(component, &name, &tool))
        })
        .sum();
    println!("{PLUGINS} installations, one after another: {first:?}");
    let start = || {
        let begun = Instant::now();
        // The end of its input ends it: what is measured is the start with all plugins linked, and the end.
        assert!(pi_host(&project, &["mcp"]).status().unwrap().success());
        begun.elapsed()
    };
    println!("the first start with them and the built-in ones: {:?}", start());
    let p50 = percentiles("a later start", (0..STARTS).map(|_| start()).collect());
    println!("  {}", verdict(p50, START_AIM));
}

fn install_a_large_one(folder: &Path) {
    let project = project(folder, "large");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The built-in shell is of this size; under another name it is one that nobody has compiled.
    let built = Path::new(env!("PI_PLUGINS_TARGET")).join("wasm32-wasip2/plugin/plugin_bash.wasm");
    let text = std::fs::read_to_string(root.join("plugins/bash/plugin.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    manifest["name"] = "large".into();
    manifest["version"] = format!("0.0.{}", std::process::id()).into();
    for tool in manifest["tools"].as_array_mut().unwrap() {
        tool["name"] = format!("large_{}", tool["name"].as_str().unwrap()).into();
    }
    let bytes = pi_host::plugin::pack(&std::fs::read(built).unwrap(), &manifest.to_string());
    let megabytes = bytes.len() / 1_000_000;
    let first = installed(&project, "large.wasm", &bytes);
    println!("the installation of {megabytes} MB, compiled once: {first:?}");
    let begun = Instant::now();
    assert!(pi_host(&project, &["mcp"]).status().unwrap().success());
    println!("the next start with it: {:?}", begun.elapsed());
}
