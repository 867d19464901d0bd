//! A folder with a granted and a foreign part, and programs run in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pi_host::confine::{Confine, Exit, Limits, Output, Spec, StartError, environment, start};

/// A bound, not a wait: what is waited for takes milliseconds on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// `project/` is granted for reading and writing, `other/` is not.
pub(crate) struct Bench {
    top: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("project")).unwrap();
        std::fs::create_dir(top.path().join("other")).unwrap();
        Self { top }
    }

    pub(crate) fn project(&self) -> PathBuf {
        std::fs::canonicalize(self.top.path()).unwrap().join("project")
    }

    pub(crate) fn other(&self) -> PathBuf {
        std::fs::canonicalize(self.top.path()).unwrap().join("other")
    }

    /// A program with its arguments, in the project.
    pub(crate) fn spec(&self, program: &str, arguments: &[&str]) -> Spec {
        Spec {
            program: find(program),
            argv: std::iter::once(&program).chain(arguments).map(|text| (*text).to_owned()).collect(),
            environment: Vec::new(),
            directory: self.project(),
            read: vec![self.project()],
            write: vec![self.project()],
            kept: vec![self.project().join("pi.toml")],
            hidden: vec![self.project().join(".pi")],
            network: false,
            limits: Limits::default(),
        }
    }

    pub(crate) fn sh(&self, script: &str) -> Spec {
        self.spec("sh", &["-c", script])
    }

    pub(crate) fn python(&self, script: &str) -> Spec {
        self.spec("python3", &["-c", script])
    }
}

pub(crate) fn find(program: &str) -> PathBuf {
    if program.starts_with('/') {
        return PathBuf::from(program);
    }
    environment::find(program, environment::PATH.as_ref())
        .unwrap_or_else(|| panic!("`{program}` is needed by the tests"))
}

pub(crate) fn confine() -> Confine {
    Confine::with_helper(env!("CARGO_BIN_EXE_pi-host"))
}

/// Run it to its end.
pub(crate) async fn run(spec: Spec) -> (Output, Exit) {
    start(&confine(), spec).await.unwrap().finish().await
}

pub(crate) async fn start_error(spec: Spec) -> StartError {
    match start(&confine(), spec).await {
        Ok(_) => panic!("it was started"),
        Err(error) => error,
    }
}

/// What it wrote to both streams, and how it ended.
pub(crate) async fn said(spec: Spec) -> (String, Exit) {
    let (output, exit) = run(spec).await;
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), exit)
}

/// Until `is_true`, or the patience is over.
pub(crate) async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A `sleep` that no other test runs, to be told by its argument.
pub(crate) fn sleep_of_its_own() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("86400.{}{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// How many processes run with `argument` as one of theirs.
pub(crate) fn count(argument: &str) -> usize {
    let has_it = |path: &Path| {
        std::fs::read(path.join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).skip(1).any(|word| word == argument.as_bytes()))
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| has_it(&entry.path())).count()
}

/// Another process that is a host: this test binary, told to run only the test `name`, which sees
/// the folder in `PI_TEST_HOST`. Killed when dropped.
pub(crate) struct OtherHost(pub(crate) Child);

impl OtherHost {
    pub(crate) fn start(name: &str, folder: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env("PI_TEST_HOST", folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for OtherHost {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folder of the test that started this process as another host.
pub(crate) fn as_other_host() -> Option<PathBuf> {
    std::env::var_os("PI_TEST_HOST").map(PathBuf::from)
}
