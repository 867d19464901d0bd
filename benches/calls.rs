//! What a tool call costs: `cargo bench`. Figures and how to read them are in BENCHMARKS.md.
//!
//! Percentiles matter here and not means, so each figure is measured call by call: a warm-up, then
//! so many calls, then p50 and p99. Ratios are taken within one run.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark ends at the first thing that goes wrong"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pi_host::app::Setup;
use pi_host::approval::Nobody;
use pi_host::config::{Config, FilesGrant, Grant, PluginConfig, ProcessGrant, Project};
use pi_host::confine::Confine;
use pi_host::gate::{Gate, Origin};
use pi_host::journal::{Journal, SessionJournal};
use pi_host::session::{Caller, Kernel};
use pi_host::store::sqlite::SqliteStore;
use pi_host::store::{Holder, Store};

const WARM_UP: usize = 500;
const CALLS: usize = 10_000;
const SLOW_CALLS: usize = 1_000;
const ROUNDS: usize = 9;
const IDLE: usize = 1_000;
const PROCESSES: usize = 50;

fn main() {
    // `cargo bench -- noop` stops after the first figures: for a profiler.
    let is_short = std::env::args().any(|argument| argument == "noop");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let guest = guest(folder.path());
    runtime.block_on(async {
        let bench = Bench::new(folder.path(), &guest).await;
        let noop = bench.calls("noop, read-only", "noop", "{}", CALLS).await;
        bench.two_threads().await;
        if is_short {
            return;
        }
        let spawned = spawned("spawn /bin/true", "/bin/true", &[], SLOW_CALLS);
        println!("  noop is {:.1} times faster than spawning /bin/true", ratio(spawned.p50, noop.p50));
        bench
            .calls(
                "write, its intent waited for",
                "write",
                r#"{"path":"out.txt","content":"x","mode":"replace"}"#,
                SLOW_CALLS,
            )
            .await;
        let shell = bench
            .calls("bash: echo hi | tr a-z A-Z", "bash", r#"{"command":"echo hi | tr a-z A-Z"}"#, SLOW_CALLS)
            .await;
        let native = spawned_shell(SLOW_CALLS);
        println!("  bash in Wasm is {:.1} times faster than native bash -c", ratio(native.p50, shell.p50));
        bench.journal.flush().await.unwrap();
        bench.idle_instances().await;
    });
    if !is_short {
        whole_process();
    }
}

#[derive(Clone, Copy)]
struct Figures {
    p50: Duration,
    p99: Duration,
}

fn ratio(slow: Duration, fast: Duration) -> f64 {
    slow.as_secs_f64() / fast.as_secs_f64()
}

struct Bench {
    kernel: Arc<Kernel>,
    journal: SessionJournal,
    host: Journal,
}

impl Bench {
    async fn new(folder: &Path, guest: &Path) -> Self {
        let read_write = FilesGrant { read: vec![], write: vec![".".into()] };
        let files = Grant { files: Some(read_write.clone()), ..Grant::default() };
        let bash = Grant { files: Some(read_write), process: Some(ProcessGrant::default()), ..Grant::default() };
        let config = Config {
            plugins: [(
                "hostile".into(),
                PluginConfig { path: Some(guest.display().to_string()), ..PluginConfig::default() },
            )]
            .into(),
            grants: [("files".into(), files), ("bash".into(), bash)].into(),
            ..Config::default()
        };
        let project = Project { directory: folder.canonicalize().unwrap(), config, has_file: true };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join("store.db")).await.unwrap());
        let host = Journal::begin(store, &Holder::this_process("bench")).await.unwrap();
        let journal = host.session("bench").await.unwrap();
        let setup = Setup::new(project, Confine::new(), 1_000).unwrap();
        let plugins: BTreeSet<String> = ["hostile", "files", "bash"].map(String::from).into();
        let toolbox = setup.toolbox(&plugins, &|text| eprintln!("{text}")).await.unwrap();
        let kernel = Arc::new(setup.kernel(Gate::builtin(), None, Arc::new(Nobody), toolbox));
        Self { kernel, journal, host }
    }

    async fn once(&self, index: usize, tool: &str, arguments: &str) -> Duration {
        call(&self.kernel, &self.journal, index, tool, arguments).await
    }

    async fn calls(&self, name: &str, tool: &str, arguments: &str, count: usize) -> Figures {
        for index in 0..WARM_UP.min(count) {
            self.once(index, tool, arguments).await;
        }
        let mut times = Vec::with_capacity(count);
        for index in 0..count {
            times.push(self.once(index, tool, arguments).await);
            self.journal.ready().await;
        }
        report(name, times)
    }

    /// What a thousand instances weigh that wait and do nothing.
    async fn idle_instances(&self) {
        let before = resident_bytes();
        let waiting: Vec<_> = (0..IDLE)
            .map(|index| {
                let (kernel, journal) = (self.kernel.clone(), self.journal.clone());
                tokio::spawn(async move { call(&kernel, &journal, index, "wait", "{}").await })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let each = resident_bytes().saturating_sub(before) / IDLE as u64;
        println!("{IDLE} idle instances            {:>8} KiB resident each", each >> 10);
        for call in waiting {
            call.abort();
        }
    }

    /// The same calls on one task and on two, in turn; the median of the ratios.
    async fn two_threads(&self) {
        let mut rounds: Vec<(f64, f64)> = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push((self.throughput(1).await, self.throughput(2).await));
        }
        rounds.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
        let (one, two) = rounds[ROUNDS / 2];
        println!("noop, one task               {one:>8.0} calls/s");
        println!("noop, two tasks              {two:>8.0} calls/s, {:.2} times one", two / one);
        let began = Instant::now();
        for _ in 0..ROUNDS {
            self.throughput(2).await;
        }
        self.journal.flush().await.unwrap();
        let sustained = (ROUNDS * 2 * CALLS) as f64 / began.elapsed().as_secs_f64();
        println!("noop, until all is stored    {sustained:>8.0} calls/s");
    }

    /// Calls a second by so many tasks at once, with an empty queue of the journal at the start.
    async fn throughput(&self, tasks: usize) -> f64 {
        self.journal.flush().await.unwrap();
        let mut sessions = Vec::new();
        for task in 0..tasks {
            sessions.push(self.host.session(&format!("bench-{task}")).await.unwrap());
        }
        let began = Instant::now();
        let workers: Vec<_> = sessions
            .into_iter()
            .map(|journal| {
                let kernel = self.kernel.clone();
                tokio::spawn(async move {
                    for index in 0..CALLS {
                        call(&kernel, &journal, index, "noop", "{}").await;
                        journal.ready().await;
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        (tasks * CALLS) as f64 / began.elapsed().as_secs_f64()
    }
}

async fn call(kernel: &Kernel, journal: &SessionJournal, index: usize, tool: &str, arguments: &str) -> Duration {
    let origin = Origin { session: "bench".into(), agent: "bench".into(), plugin: String::new() };
    let caller = Caller { journal: journal.clone(), origin, key: format!("{index}.0"), aside: None };
    let began = Instant::now();
    let called = kernel.call(caller, tool, arguments).await;
    let took = began.elapsed();
    assert!(called.result.is_ok(), "{tool}: {:?}", called.result);
    took
}

fn report(name: &str, mut times: Vec<Duration>) -> Figures {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let figures = Figures { p50: at(0.5), p99: at(0.99) };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "{name:<28} p50 {:>8.1} us   p99 {:>8.1} us   ({} calls)",
        micros(figures.p50),
        micros(figures.p99),
        times.len()
    );
    figures
}

fn spawned(name: &str, program: &str, arguments: &[&str], count: usize) -> Figures {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).status().unwrap();
        times.push(began.elapsed());
        assert!(status.success());
    }
    report(name, times)
}

fn spawned_shell(count: usize) -> Figures {
    spawned("native bash -c, the same", "bash", &["-c", "echo hi | tr a-z A-Z"], count)
}

/// The program as a whole, from start to end, with a warm compile cache.
fn whole_process() {
    let program = env!("CARGO_BIN_EXE_pi-host");
    spawned("pi-host --version", program, &["--version"], PROCESSES);
    let project = tempfile::tempdir().unwrap();
    std::fs::write(project.path().join("a.txt"), "hello").unwrap();
    let folder = project.path().to_str().unwrap();
    for (name, tool, arguments) in [
        ("pi-host tool call read", "read", r#"{"path":"a.txt"}"#),
        ("pi-host tool call bash", "bash", r#"{"command":"echo hi"}"#),
    ] {
        let arguments = ["--project", folder, "tool", "call", tool, arguments];
        spawned(name, program, &arguments, 1);
        spawned(name, program, &arguments, PROCESSES);
    }
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * u64::try_from(rustix::param::page_size()).unwrap()
}

/// Build and pack the guest that does nothing.
fn guest(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("PI_PLUGINS_TARGET"));
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--quiet", "-p", "guests", "--target", "wasm32-wasip2", "--profile", "plugin", "--target-dir"])
        .arg(target)
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .unwrap();
    assert!(status.success(), "the guests do not build");
    let component = std::fs::read(target.join("wasm32-wasip2/plugin/hostile.wasm")).unwrap();
    let manifest = std::fs::read_to_string(root.join("tests/guests/manifests/hostile.json")).unwrap();
    let packed = folder.join("hostile.wasm");
    std::fs::write(&packed, pi_host::plugin::pack(&component, &manifest)).unwrap();
    packed
}
