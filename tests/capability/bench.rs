//! A project's folder with a journal, and the state of one call of a plugin in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pi_host::approval::Nobody;
use pi_host::capability::door::{Door, Judge};
use pi_host::capability::files::FilesState;
use pi_host::capability::hold::Holds;
use pi_host::capability::http::HttpCall;
use pi_host::capability::limits::Limits;
use pi_host::capability::patience::Patience;
use pi_host::capability::safety::Safety;
use pi_host::capability::state::CallState;
use pi_host::config::{FilesGrant, SafetyConfig};
use pi_host::gate::{Gate, InForce, Origin, Policy};
use pi_host::journal::{Body, Journal, SessionJournal, Status};
use pi_host::store::Holder;
use pi_host::store::sqlite::SqliteStore;
use pi_host::supervisor::{Places, Supervisor};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;

/// The plugin that the calls are of.
pub(crate) const PLUGIN: &str = "tester";

pub(crate) struct Bench {
    /// Holds `project/`, what is beside it, and the store.
    pub(crate) top: tempfile::TempDir,
    session: SessionJournal,
    _journal: Journal,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("project")).unwrap();
        let store = SqliteStore::open(&top.path().join("store.db")).await.unwrap();
        let journal = Journal::begin(Arc::new(store), &Holder::this_process("test")).await.unwrap();
        let session = journal.session("s").await.unwrap();
        Self { top, session, _journal: journal }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.top.path().join("project")
    }

    /// A path in the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.project().join(path)
    }

    /// Put a file into the project, with the folders above it.
    pub(crate) fn file(&self, path: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// The text of a file in the project.
    pub(crate) fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// A call by a plugin that may read and write these, relative to the project.
    pub(crate) fn call(&self, read: &[&str], write: &[&str]) -> CallState {
        self.call_with(files(read, write, &self.project()))
    }

    /// A call by a plugin with these files.
    pub(crate) fn call_with(&self, files: FilesState) -> CallState {
        CallState {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().build(),
            limits: Limits::new(64 << 20, 100_000),
            door: self.door(),
            files: Some(Arc::new(files)),
            process: None,
            services: None,
            cloud: None,
            sql: None,
            tools: None,
            session: None,
            model: None,
            log: None,
            keyvalue: None,
            config: None,
            http: HttpCall::new(None),
            scan: Arc::default(),
        }
    }

    /// The door of one call of the plugin.
    pub(crate) fn door(&self) -> Door {
        self.door_of(gate())
    }

    /// The door of one call under another policy.
    pub(crate) fn door_of(&self, gate: Arc<InForce>) -> Door {
        let origin = Origin { session: "s".into(), agent: "person".into(), plugin: PLUGIN.into() };
        let journal = self.session.clone();
        let services = Supervisor::observe(&BTreeMap::new(), Places::of(&self.project())).unwrap();
        let holds = Arc::new(Holds::new(services.clone()));
        let safety = Arc::new(Safety::new(SafetyConfig::default(), services));
        Door::new(
            Judge {
                gate,
                approver: Arc::new(Nobody),
                audit: None,
                holds,
                safety,
                journal,
                origin,
                aside: None,
                patience: Patience::default(),
            },
            "1.0".into(),
        )
    }

    /// How the acts ended, with what was written of them.
    pub(crate) async fn outcomes(&self) -> Vec<(Status, serde_json::Value)> {
        let entries = self.session.entries().await.unwrap();
        let outcome = |body: &Body| match body {
            Body::EffectEnded { status, detail, .. } => Some((*status, detail.clone())),
            _ => None,
        };
        entries.iter().filter_map(|entry| outcome(&entry.body)).collect()
    }

    /// What components have said.
    pub(crate) async fn said(&self) -> Vec<String> {
        let entries = self.session.entries().await.unwrap();
        let message = |body: &Body| match body {
            Body::Logged { message, .. } => Some(message.clone()),
            _ => None,
        };
        entries.iter().filter_map(|entry| message(&entry.body)).collect()
    }

    /// The acts in the journal as one line each: `started file_read`, `ended Done`, `refused ...`.
    pub(crate) async fn acts(&self) -> Vec<String> {
        let entries = self.session.entries().await.unwrap();
        entries
            .iter()
            .filter_map(|entry| match &entry.body {
                Body::EffectStarted { act, .. } => Some(format!("started: {}", act.summary())),
                Body::EffectEnded { status, .. } => Some(format!("ended: {status:?}")),
                Body::Refused { act, .. } => Some(format!("refused: {}", act.summary())),
                _ => None,
            })
            .map(|line| line.replace(self.project().to_str().unwrap(), "PROJECT"))
            .collect()
    }

    /// All of the journal's bodies as text.
    pub(crate) async fn journal_text(&self) -> String {
        let entries = self.session.entries().await.unwrap();
        entries.iter().map(|entry| serde_json::to_string(&entry.body).unwrap() + "\n").collect()
    }

    /// What the journal says of the outcomes.
    pub(crate) async fn details(&self) -> Vec<serde_json::Value> {
        let entries = self.session.entries().await.unwrap();
        let detail = |body: &Body| match body {
            Body::EffectEnded { detail, .. } => Some(detail.clone()),
            _ => None,
        };
        entries.iter().filter_map(|entry| detail(&entry.body)).collect()
    }
}

/// The grant, resolved.
pub(crate) fn files(read: &[&str], write: &[&str], project: &Path) -> FilesState {
    FilesState::new(&grant(read, write), project).unwrap()
}

pub(crate) fn grant(read: &[&str], write: &[&str]) -> FilesGrant {
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    FilesGrant { read: owned(read), write: owned(write) }
}

/// Lets everything through but what is named `forbidden`.
fn gate() -> Arc<InForce> {
    let policy = serde_json::json!({
        "version": 1,
        "thresholds": { "ask": 100, "deny": 100 },
        "rules": [{
            "id": "forbidden",
            "acts": [
                "file_read", "file_list", "file_write", "file_remove", "file_rename", "file_mode", "file_time",
                "file_symlink", "directory_make",
            ],
            "when": { "paths": ["**/forbidden"] },
            "verdict": "deny",
            "points": 10,
            "reason": "the test forbids it",
            "advice": "take another",
            "examples": {
                "match": [{ "act": "file_read", "path": "/a/forbidden" }],
                "no_match": [{ "act": "file_read", "path": "/a/allowed" }],
            },
        }, {
            "id": "forbidden_argument",
            "acts": ["process_run"],
            "when": { "operands": ["forbidden"] },
            "verdict": "deny",
            "points": 10,
            "reason": "the test forbids it",
            "advice": "take another",
            "examples": {
                "match": [{ "act": "process_run", "argv": ["/usr/bin/printf", "forbidden"], "directory": "/", "environment": [] }],
                "no_match": [{ "act": "process_run", "argv": ["/usr/bin/printf", "allowed"], "directory": "/", "environment": [] }],
            },
        }],
    });
    Arc::new(InForce::new(Gate::new(Policy::parse(&policy.to_string(), "test.json").unwrap()), None))
}
