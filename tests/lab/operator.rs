//! Keeps a lab's services running without the host: what a person with a shell would do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use pi_host::config::{Config, ServiceConfig};
use pi_host::lab::{Lab, LabService};

pub(super) struct Operator {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    copies: tempfile::TempDir,
}

struct Shared {
    project: PathBuf,
    errors: PathBuf,
    config: Config,
    children: Mutex<BTreeMap<String, Child>>,
    memory_kills: AtomicU32,
    is_over: AtomicBool,
}

pub(super) fn config(lab: &Lab) -> Config {
    let text = std::fs::read_to_string(lab.project.join("pi.toml")).expect("a project file");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

impl Operator {
    pub(super) fn start(lab: &Lab) -> Self {
        let copies = tempfile::tempdir().expect("a temporary folder");
        let shared = Arc::new(Shared {
            project: lab.project.clone(),
            errors: copies.path().to_owned(),
            config: config(lab),
            children: Mutex::default(),
            memory_kills: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
        });
        let operator =
            Self { shared: shared.clone(), thread: Some(std::thread::spawn(move || shared.look_after())), copies };
        for service in lab.services.iter().filter(|service| service.is_supervised) {
            let path = service.config_path(&lab.project);
            std::fs::copy(&path, operator.good_copy(&path)).expect("a copy");
        }
        operator
    }

    pub(super) fn good_copy(&self, path: &Path) -> PathBuf {
        self.copies.path().join(path.to_string_lossy().replace('/', "_"))
    }

    pub(super) fn memory_kills(&self) -> u32 {
        self.shared.memory_kills.load(Ordering::Relaxed)
    }

    /// What it wrote to its standard error.
    pub(super) fn last_words(&self, service: &LabService) -> String {
        std::fs::read_to_string(self.shared.errors.join(&service.name)).unwrap_or_default()
    }

    /// Politely, then not.
    pub(super) fn restart(&self, service: &LabService) {
        let mut children = self.shared.children.lock().expect("the lock");
        let Some(child) = children.get_mut(&service.name) else { return };
        let process = pi_host::lab::Identity::of(child.id()).expect("it runs");
        let _ = process.signal(rustix::process::Signal::TERM);
        for _ in 0..50 {
            if child.try_wait().expect("a status").is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn look_after(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            for (name, service) in self.config.services.iter().filter(|(_, service)| !service.command.is_empty()) {
                self.look_at(name, service);
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        for child in self.children.lock().expect("the lock").values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn look_at(&self, name: &str, service: &ServiceConfig) {
        let mut children = self.children.lock().expect("the lock");
        let child = children.entry(name.to_owned()).or_insert_with(|| self.spawn(name, service));
        if child.try_wait().expect("a status").is_some() {
            *child = self.spawn(name, service);
        }
        if resident_bytes(child.id()) > service.memory_bytes_max.unwrap_or(u64::MAX) {
            child.kill().expect("killed");
            self.memory_kills.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn spawn(&self, name: &str, service: &ServiceConfig) -> Child {
        let limit = service.file_bytes_max.map_or("unlimited".to_owned(), |bytes| (bytes / 1024).to_string());
        let errors = std::fs::File::options().append(true).create(true).open(self.errors.join(name)).expect("a file");
        Command::new("bash")
            .args(["-c", r#"ulimit -f "$0"; exec "$@""#, &limit])
            .args(&service.command)
            .current_dir(self.project.join(service.directory.as_deref().unwrap_or(".")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("the service starts")
    }
}

fn resident_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    pages * 4096
}
