//! The reference tool: what it may, what it may not, and where it is ended. Every language must answer alike.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::project::Project;

/// Of one call.
const MEMORY_BYTES_MAX: u64 = 64 << 20;
/// Where a guest would write if it could.
const OUTSIDE: &str = "/tmp/pi-host-escape";

/// What each language answers, word for word.
pub(super) const ANSWERS: &str = r#"files data/notes.txt: [{"json":{"bytes":13,"first_line":"first"}}]
files other/secret.txt: failed: outside of the granted folders: `PROJECT/other/secret.txt`
files data/none.txt: failed: no such file or folder: `PROJECT/data/none.txt`
store a: [{"json":{"count":1}}]
store a: [{"json":{"count":2}}]
store b: failed: the plugin would keep more than 1 keys
setting greeting: [{"json":{"value":"hello"}}]
setting none: [{"json":{"value":null}}]
say: [{"text":"said"}], and the journal has it
files without a path: invalid_arguments
spin: limit: the call took longer than the 300 ms that it may
grow: refused within its memory
flood: limit: the result has 1048576 bytes, more than the 65536 that it may have
files again: [{"json":{"bytes":13,"first_line":"first"}}]
"#;

/// The same of requests, where the language has them.
pub(super) const ANSWERS_OF_HTTP: &str = r#"http granted: [{"json":{"status":200,"first_line":"hello"}}]
http another host: failed: `GET http://127.0.0.2:PORT/` is not granted: the host is not
http another port: failed: `GET http://127.0.0.1:1/` is not granted: the host is not
http metadata: failed: refused by rule `network_metadata`
http private: failed: `10.255.255.1` is the address `10.255.255.1`, which is not of the public internet (a private network)
"#;

/// A project with the tool in it, small limits, and a server.
pub(super) struct Reference {
    project: Project,
    server: Server,
}

impl Reference {
    pub(super) fn of(packed: &[u8]) -> Self {
        let reference = Self { project: Project::new(), server: Server::start() };
        let path = reference.project.path();
        std::fs::create_dir(path.join("data")).unwrap();
        std::fs::create_dir(path.join("other")).unwrap();
        std::fs::write(path.join("reference.wasm"), packed).unwrap();
        reference.project.write("data/notes.txt", "first\nsecond\n");
        reference.project.write("other/secret.txt", "secret\n");
        reference
    }

    /// Call a tool within this time.
    fn call_within(&self, tool: &str, arguments: &Value, call_ms_max: u64) -> String {
        let port = self.server.port;
        self.project.write(
            "pi.toml",
            &format!(
                r#"
[plugins.reference]
path = "reference.wasm"

[plugins.reference.limits]
memory_bytes_max = {MEMORY_BYTES_MAX}
call_ms_max = {call_ms_max}
output_bytes_max = 65536

[plugins.reference.config]
greeting = "hello"

[grants.reference.files]
read = ["data"]

[grants.reference.http]
hosts = [
  {{ host = "127.0.0.1", port = {port}, scheme = "http" }},
  {{ host = "169.254.169.254", scheme = "http" }},
  {{ host = "10.255.255.1", scheme = "http" }},
]
private = ["127.0.0.1:{port}"]

[grants.reference.keyvalue]
keys_max = 1

[grants.reference.config]

[grants.reference.log]
"#
            ),
        );
        let answer = self.project.run(&["--json", "tool", "call", tool, &arguments.to_string()]).json();
        let error = &answer["error"];
        if error.is_null() {
            return answer["content"].to_string();
        }
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
        // What is wrong stands before what to do about it.
        let what = message.split(['\n', ';']).next().unwrap().split(": it ").next().unwrap();
        let folder = self.project.path().canonicalize().unwrap().display().to_string();
        let what = what.replace(&folder, "PROJECT").replace(&port.to_string(), "PORT");
        format!("{}: {what}", error["kind"].as_str().unwrap())
    }

    fn call(&self, tool: &str, arguments: Value) -> String {
        self.call_within(tool, &arguments, 60_000)
    }

    /// Everything but requests and escapes.
    pub(super) fn answers(&self) -> String {
        let mut said = String::new();
        let mut tell = |what: &str, answer: String| writeln!(said, "{what}: {answer}").unwrap();
        for path in ["data/notes.txt", "other/secret.txt", "data/none.txt"] {
            tell(&format!("files {path}"), self.call("files", json!({ "path": path })));
        }
        for key in ["a", "a", "b"] {
            let answer = self.call("store", json!({ "key": key }));
            tell(&format!("store {key}"), answer.split(" (").next().unwrap().to_owned());
        }
        for key in ["greeting", "none"] {
            tell(&format!("setting {key}"), self.call("setting", json!({ "key": key })));
        }
        let answer = self.call("say", json!({ "text": "a good day to count" }));
        let is_there =
            if self.journal_has("a good day to count") { "the journal has it" } else { "the journal has it not" };
        tell("say", format!("{answer}, and {is_there}"));
        let answer = self.call("files", json!({}));
        tell("files without a path", answer.split(':').next().unwrap().to_owned());
        tell("spin", self.call_within("spin", &json!({}), 300));
        tell("grow", grown(&self.call("grow", json!({}))));
        tell("flood", self.call("flood", json!({})));
        tell("files again", self.call("files", json!({ "path": "data/notes.txt" })));
        said
    }

    pub(super) fn answers_of_http(&self) -> String {
        let mut said = String::new();
        let mut tell = |what: &str, answer: String| writeln!(said, "http {what}: {answer}").unwrap();
        let port = self.server.port;
        let granted = format!("http://127.0.0.1:{port}/");
        tell("granted", self.call("http", json!({ "url": granted })));
        assert_eq!(self.server.connections(), 1);
        tell("another host", self.call("http", json!({ "url": format!("http://127.0.0.2:{port}/") })));
        tell("another port", self.call("http", json!({ "url": "http://127.0.0.1:1/" })));
        tell("metadata", self.call("http", json!({ "url": "http://169.254.169.254/latest/meta-data/" })));
        tell("private", self.call("http", json!({ "url": "http://10.255.255.1/" })));
        assert_eq!(self.server.connections(), 1);
        said
    }

    /// Every attempt to get out failed; `tried` are those that this language can really make.
    pub(super) fn no_attempt_escapes(&self, tried: &[&str]) {
        let before = self.server.connections();
        let answer = self.call("escape", json!({ "port": self.server.port }));
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        let attempts = answer[0]["json"].as_object().unwrap_or_else(|| panic!("{answer}"));
        for (name, attempt) in attempts {
            assert_eq!(attempt["escaped"], false, "{name}: {attempt}");
        }
        for name in tried {
            let said = attempts.get(*name).and_then(|attempt| attempt["said"].as_str()).unwrap_or_default();
            assert!(!said.is_empty() && !said.contains("not defined"), "{name} was not tried: {answer}");
        }
        assert_eq!(self.server.connections(), before, "{answer}");
        assert!(!std::path::Path::new(OUTSIDE).exists());
    }

    fn journal_has(&self, text: &str) -> bool {
        let sessions = self.project.run(&["--json", "session", "list"]).out;
        sessions.lines().chain([sessions.as_str()]).filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(
            |value| {
                let ids = value.as_array().cloned().unwrap_or_else(|| vec![value]);
                ids.iter()
                    .filter_map(|session| session["id"].as_str())
                    .any(|id| self.project.run(&["--json", "session", "show", id]).out.contains(text))
            },
        )
    }
}

/// How far it came is a matter of the language's allocator; that it was refused, and could go on, is not.
fn grown(answer: &str) -> String {
    let value: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let bytes = value[0]["json"]["refused_at_bytes"].as_u64().unwrap_or_else(|| panic!("{answer}"));
    assert!((MEMORY_BYTES_MAX / 4..MEMORY_BYTES_MAX).contains(&bytes), "{answer}");
    "refused within its memory".to_owned()
}

/// Answers everything with two lines, and counts who comes.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&connections);
        // It ends with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nhello\nworld\n");
            }
        });
        Self { port, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
