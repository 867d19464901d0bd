//! The tool `bash`: the component, through the host, its gate and its journal. `tests/bash/` holds the
//! scripts that give the same output and status as native bash.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pi_host::app::Setup;
use pi_host::approval::{Answer, Approver, Question};
use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::config::Project;
use pi_host::confine::Confine;
use pi_host::gate::{Gate, Origin, Policy};
use pi_host::journal::{Body, Journal, SessionJournal};
use pi_host::session::{Caller, Kernel};
use pi_host::store::Holder;
use pi_host::store::sqlite::SqliteStore;
use serde_json::{Value, json};

/// Native programs that the scripts use by name or path.
const PROGRAMS: &str = r#"["perl", "sleep", "sh", "id", "cat"]"#;
/// Nothing is judged: these tests are about the shell. The gate has its own.
const POLICY: &str = r#"{ "version": 1, "thresholds": { "ask": 100, "deny": 100 }, "rules": [] }"#;

struct Host {
    top: tempfile::TempDir,
    kernel: Kernel,
    session: SessionJournal,
    _journal: Journal,
}

/// What the gate puts to a person is granted: these tests are about the shell.
struct Yes;

#[async_trait::async_trait]
impl Approver for Yes {
    async fn ask(&self, _: Question<'_>) -> Answer {
        Answer { is_granted: true, by: "the test".into(), ..Answer::default() }
    }
}

struct Said {
    stdout: String,
    stderr: String,
    code: i64,
}

impl Host {
    async fn new(policy: Policy) -> Self {
        let top = tempfile::tempdir().unwrap();
        let project = top.path().join("project");
        std::fs::create_dir(&project).unwrap();
        let grants = format!(
            "[grants.bash.files]\nwrite = [\".\"]\n[grants.bash.process]\nprograms = {PROGRAMS}\nwrite = [\".\"]\n"
        );
        std::fs::write(project.join("pi.toml"), grants).unwrap();
        let store = SqliteStore::open(&top.path().join("store.db")).await.unwrap();
        let journal = Journal::begin(Arc::new(store), &Holder::this_process("test")).await.unwrap();
        let session = journal.session("s").await.unwrap();
        let confine = Confine::with_helper(env!("CARGO_BIN_EXE_pi-host"));
        let setup = Setup::new(Project::load(&project).unwrap(), confine, 4).unwrap();
        let toolbox = setup.toolbox(&BTreeSet::from(["bash".to_owned()]), &|_| {}).await.unwrap();
        let kernel = setup.kernel(Gate::new(policy), None, Arc::new(Yes), toolbox);
        Self { top, kernel, session, _journal: journal }
    }

    async fn lenient() -> Self {
        Self::new(Policy::parse(POLICY, "test.json").unwrap()).await
    }

    /// A new folder in the project.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.top.path().canonicalize().unwrap().join("project").join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    async fn call(&self, arguments: Value) -> Result<Said, Error> {
        let origin = Origin { session: "s".into(), agent: "person".into(), plugin: String::new() };
        let caller = Caller { journal: self.session.clone(), origin, key: "0.0".into(), aside: None };
        let contents = self.kernel.call(caller, "bash", &arguments.to_string()).await.result?;
        let [Content::Json(text)] = contents.as_slice() else { panic!("{contents:?}") };
        let value: Value = serde_json::from_str(text).unwrap();
        Ok(Said {
            stdout: value["stdout"].as_str().unwrap().to_owned(),
            stderr: value["stderr"].as_str().unwrap().to_owned(),
            code: value["exit_code"].as_i64().unwrap(),
        })
    }

    async fn run(&self, command: &str) -> Said {
        self.call(json!({ "command": command })).await.unwrap()
    }

    async fn acts(&self) -> Vec<String> {
        let entries = self.session.entries().await.unwrap();
        let acts = entries.iter().filter_map(|entry| match &entry.body {
            Body::EffectStarted { act, .. } => Some(act.summary()),
            _ => None,
        });
        let project = self.top.path().canonicalize().unwrap().join("project");
        acts.map(|line| line.replace(project.to_str().unwrap(), "PROJECT")).collect()
    }
}

fn native(script: &str, folder: &Path) -> Said {
    let output = std::process::Command::new("bash")
        .args(["-c", script])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", folder)
        .env("LC_ALL", "C.UTF-8")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Said {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap().into(),
    }
}

/// `SCRIPT=sed cargo test ... ` runs only those with this in their name.
fn scripts() -> Vec<PathBuf> {
    let only = std::env::var("SCRIPT").unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bash");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension().is_some_and(|extension| extension == "sh") && path.to_string_lossy().contains(&only)
    });
    paths.sort();
    paths
}

#[test]
fn there_are_at_least_sixty_scripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bash");
    assert!(std::fs::read_dir(folder).unwrap().count() >= 60);
}

#[tokio::test]
async fn scripts_give_what_native_bash_gives() {
    let host = Host::lenient().await;
    let mut wrong = Vec::new();
    for path in scripts() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let script = std::fs::read_to_string(&path).unwrap();
        let beside = tempfile::tempdir().unwrap();
        let expected = native(&script, beside.path());
        let folder = host.folder(&name);
        let environment = json!({ "LC_ALL": "C.UTF-8" });
        let said = host.call(json!({ "command": script, "directory": name, "environment": environment })).await;
        let said = said.unwrap_or_else(|error| Said { stdout: format!("{error:?}"), stderr: String::new(), code: -1 });
        let expected_stdout = expected.stdout.replace(beside.path().to_str().unwrap(), "FOLDER");
        let stdout = said.stdout.replace(folder.to_str().unwrap(), "FOLDER");
        if (&expected_stdout, expected.code) != (&stdout, said.code) {
            wrong.push(format!(
                "=== {name}\n--- native: {}\n{expected_stdout}{}--- here: {}\n{stdout}{}",
                expected.code, expected.stderr, said.code, said.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{} scripts differ\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_removed_tree_is_one_act() {
    let host = Host::lenient().await;
    let folder = host.folder("tree");
    std::fs::create_dir_all(folder.join("a/b")).unwrap();
    std::fs::write(folder.join("a/b/c"), "x").unwrap();
    let said = host.run("rm -rf tree/a").await;
    assert_eq!((said.code, folder.join("a").exists()), (0, false), "{}", said.stderr);
    assert_eq!(host.acts().await, ["remove `PROJECT/tree/a` and all below it"]);
}

#[tokio::test]
async fn a_program_is_judged_with_its_final_arguments() {
    let host = Host::lenient().await;
    let said = host.run("x='a  b'; c=cat; echo \"$x\" | $c - $(echo /dev)/null").await;
    assert_eq!((said.stdout.as_str(), said.code), ("a  b\n", 0), "{}", said.stderr);
    let said = host.run("p=perl; $p -e 'print \"@ARGV\\n\"' \"$(echo 1 2)\" {x,y}").await;
    assert_eq!((said.stdout.as_str(), said.code), ("1 2 x y\n", 0), "{}", said.stderr);
    assert_eq!(host.acts().await.len(), 1);
    assert!(host.acts().await[0].contains("1 2"), "{:?}", host.acts().await);
}

#[tokio::test]
async fn a_refusal_is_read_by_the_agent_even_from_a_silenced_script() {
    let policy = json!({
        "version": 1,
        "thresholds": { "ask": 100, "deny": 100 },
        "rules": [{
            "id": "no_secrets", "acts": ["file_write"], "when": { "paths": ["**/secret"] }, "verdict": "deny", "points": 10,
            "reason": "the test forbids it", "advice": "take another",
            "examples": {
                "match": [{ "act": "file_write", "path": "/a/secret", "bytes": 1, "mode": "replace" }],
                "no_match": [{ "act": "file_write", "path": "/a/open", "bytes": 1, "mode": "replace" }]
            }
        }]
    });
    let host = Host::new(Policy::parse(&policy.to_string(), "test.json").unwrap()).await;
    let said = host
        .run("printf secret > name; cp pi.toml \"$(cat name)\" 2>/dev/null; echo $?; echo x > open; cat open")
        .await;
    assert_eq!(said.stdout, "1\nx\n");
    for word in ["no_secrets", "the test forbids it", "hint: take another"] {
        assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
    }
}

#[tokio::test]
async fn outside_of_the_grant_permission_is_denied() {
    let host = Host::lenient().await;
    let said = host.run("cat /etc/passwd; echo $?; echo x > /etc/pi-test; echo $?; ls /root/; echo $?").await;
    assert_eq!(said.stdout, "1\n1\n2\n", "{}", said.stderr);
    assert!(said.stderr.contains("cat: /etc/passwd: Permission denied"), "{}", said.stderr);
    assert!(said.stderr.contains("note: ") && said.stderr.contains("[grants.bash"), "{}", said.stderr);
}

#[tokio::test]
async fn a_made_up_tool_is_an_error_that_says_what_would_grant_it() {
    let host = Host::lenient().await;
    let said = host.run("df -h; echo $?; uptime; sudo id; free").await;
    assert_eq!((said.stdout.as_str(), said.code), ("127\n", 127));
    assert!(said.stderr.contains("bash: df: not granted") && said.stderr.contains("programs"), "{}", said.stderr);
}

#[tokio::test]
async fn a_granted_program_is_found_by_name_path_and_command() {
    let host = Host::lenient().await;
    let said =
        host.run("which perl; type -t perl; command -v id; /usr/bin/id -u; /bin/id -u; command id -u; id -u").await;
    let id = rustix::process::getuid().as_raw();
    assert_eq!(said.stdout, format!("/usr/bin/perl\nfile\n/usr/bin/id\n{id}\n{id}\n{id}\n{id}\n"), "{}", said.stderr);
}

#[tokio::test]
async fn a_script_of_another_interpreter_is_not_run_as_shell() {
    let host = Host::lenient().await;
    let write = "printf '#!/usr/bin/env python9\\necho I am shell\\n' > x.py; chmod +x x.py; ln -s x.py l;";
    for run in [
        "./x.py",
        "command ./x.py",
        "PATH=$PWD; x.py",
        "[[ -x ./x.py ]] && ./x.py",
        "realpath x.py >/dev/null; ./x.py",
        "./l",
    ] {
        let said = host.run(&format!("rm -f x.py l; {write} {run}")).await;
        assert_eq!((said.stdout.as_str(), said.code), ("", 126), "{run}: {}", said.stderr);
        assert!(said.stderr.contains("python9: not granted"), "{run}: {}", said.stderr);
    }
}

#[tokio::test]
async fn reading_a_foreign_script_gives_its_text() {
    let host = Host::lenient().await;
    let said = host
        .run(
            "printf '#!/usr/bin/python3\\nprint(1)\\n' > x.py; chmod +x x.py; ln -s x.py l; cat x.py; cat < x.py; head -n 9 x.py; \
             grep -h . x.py; cp x.py y.py; cat y.py; while read -r l; do echo \"$l\"; done < x.py; echo \"$(<x.py)\"; \
             mapfile -t a < x.py; printf '%s\\n' \"${a[@]}\"; sed '' x.py; cat l; cat < l; [ -x y.py ] && echo kept",
        )
        .await;
    assert_eq!(said.stdout, format!("{}kept\n", "#!/usr/bin/python3\nprint(1)\n".repeat(11)), "{}", said.stderr);
}

#[tokio::test]
async fn what_belongs_to_the_moment_is_new_in_each_call() {
    let host = Host::lenient().await;
    let script = "echo $RANDOM $RANDOM; mktemp -u; echo $SECONDS; date +%s";
    let (one, other) = (host.run(script).await.stdout, host.run(script).await.stdout);
    let (one, other): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
    assert!(one[0] != other[0] && one[1] != other[1], "{one:?} {other:?}");
    assert_eq!((one[2], other[2]), ("0", "0"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(other[3].parse().unwrap()) < 60);
}

#[tokio::test]
async fn output_before_an_early_end_is_kept() {
    let host = Host::lenient().await;
    let said = host.run("f() { f; }; echo before; f; echo after").await;
    assert_eq!((said.stdout.as_str(), said.code), ("before\n", 1), "{}", said.stderr);
    assert!(said.stderr.contains("a limit of the shell was reached"), "{}", said.stderr);
    for endless in ["perl -e 'sleep 50'", "sleep 50", "while :; do :; done", "perl -e '1 while 1' | cat"] {
        let said = host.call(json!({ "command": format!("echo before; {endless}"), "timeout_ms": 500 })).await.unwrap();
        assert_eq!((said.stdout.as_str(), said.code), ("before\n", 124), "{endless}: {}", said.stderr);
    }
}

#[tokio::test]
async fn a_flood_is_cut_and_says_so() {
    let host = Host::lenient().await;
    let origin = Origin { session: "s".into(), agent: "person".into(), plugin: String::new() };
    let caller = Caller { journal: host.session.clone(), origin, key: "0.0".into(), aside: None };
    let arguments = json!({ "command": "perl -e 'print \"x\" x 6000000'; echo $?" }).to_string();
    let contents = host.kernel.call(caller, "bash", &arguments).await.result.unwrap();
    let [Content::Json(text)] = contents.as_slice() else { panic!() };
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(value["stdout"].as_str().unwrap().len(), 4 << 20);
    assert_eq!((&value["truncated"], &value["exit_code"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn what_a_script_leaves_running_ends_with_it() {
    let host = Host::lenient().await;
    let said = host
        .call(json!({ "command": "perl -e '$|=1; print \"$$\\n\"; sleep 50' & sleep 0.5", "timeout_ms": 2000 }))
        .await
        .unwrap();
    let pid: i32 = said.stdout.trim().parse().unwrap_or_default();
    let is_gone = || pid == 0 || !Path::new(&format!("/proc/{pid}")).exists();
    for _ in 0..100 {
        if is_gone() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("process {pid} is still there");
}
