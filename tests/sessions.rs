//! Sessions as people handle them: killed, upgraded beneath, replayed, forked, written down, pruned. With the program
//! itself, and a model on loopback that says what it is told.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pi_host::plugin::builtin;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use crate::journal::tamper;
use crate::model::server::{Delivery, ModelServer, Reply};
use crate::project::{Project, RunningHost, Said};

/// What the agent of the built-in plugin `pi` is told first, and the same text with another word in it.
const WORDS: &[u8] = b"You are pi, an agent";
const OTHER_WORDS: &[u8] = b"You are po, an agent";

/// A project whose agent `worker` is a component in a file, with a model and a shell that may write.
struct Workshop {
    project: Project,
    model: ModelServer,
}

impl Workshop {
    async fn new(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(script, "").await
    }

    async fn with(script: impl Fn(usize) -> Reply + Send + Sync + 'static, more: &str) -> Self {
        let model = ModelServer::start_with(move |request| script(request.index)).await;
        let project = Project::with(&format!(
            "[models.m]\nprotocol = \"openai\"\nmodel = \"scripted\"\nbase_url = \"{}\"\nprice = {{ input = 3.0, output = 15.0 }}\n\
             [plugins.worker]\npath = \"worker.wasm\"\n[agents.worker]\n[grants.worker.model]\nnames = [\"m\"]\n\
             [grants.worker.tools]\nnames = [\"bash\"]\n[grants.worker.log]\n\
             [grants.bash.files]\nread = [\".\"]\nwrite = [\".\"]\n[grants.bash.process]\n{more}",
            model.openai_url()
        ));
        let workshop = Self { project, model };
        workshop.install(&worker());
        workshop
    }

    fn install(&self, component: &[u8]) {
        std::fs::write(self.project.path().join("worker.wasm"), component).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Said {
        tokio::task::block_in_place(|| self.project.run(arguments))
    }

    /// Run the agent to its end; the session's id.
    fn work(&self, prompt: &str) -> String {
        let said = self.run(&["--json", "run", "worker", prompt]);
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        let last: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
        last["session"].as_str().unwrap().to_owned()
    }

    /// Run the agent, and kill the host with SIGKILL when the model was asked so often; the session's id.
    async fn work_and_kill(&self, prompt: &str, asked: usize) -> String {
        let mut host = self.start(&["run", "worker", prompt]);
        self.asked(asked).await;
        host.kill().unwrap();
        host.wait().unwrap();
        self.sessions().last().unwrap()["id"].as_str().unwrap().to_owned()
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.project.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    async fn asked(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.model.requests().len() < count {
            assert!(Instant::now() < deadline, "the model was asked {} times", self.model.requests().len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn sessions(&self) -> Vec<Value> {
        self.run(&["--json", "session", "list"]).json().as_array().unwrap().clone()
    }

    fn session(&self, id: &str) -> Value {
        self.sessions().into_iter().find(|session| session["id"] == id).unwrap()
    }

    fn entries(&self, id: &str) -> Vec<Value> {
        self.run(&["--json", "session", "show", id]).json()["entries"].as_array().unwrap().clone()
    }

    /// The sequence of the first entry of a kind.
    fn at(&self, id: &str, kind: &str) -> u64 {
        let entries = self.entries(id);
        let found = entries.iter().find(|entry| entry["body"]["entry"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} in {entries:#?}"))["sequence"].as_u64().unwrap()
    }

    /// How often the shell has done what it was told.
    fn lines(&self) -> usize {
        std::fs::read_to_string(self.project.path().join("witness.txt")).unwrap_or_default().lines().count()
    }

    fn kept(&self) -> Vec<PathBuf> {
        let folder = self.project.path().join(".pi/agents");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "wasm")).collect()
    }
}

/// The component of `pi`.
fn worker() -> Vec<u8> {
    builtin("pi").unwrap().to_vec()
}

/// One that does the same, and is another.
fn upgraded() -> Vec<u8> {
    // A custom section that nobody reads: its id, its size, the length of its name, its name.
    [worker(), vec![0, 3, 2, b'v', b'2']].concat()
}

/// One that asks its model something else.
fn reworded() -> Vec<u8> {
    let mut bytes = worker();
    let at = bytes.windows(WORDS.len()).position(|window| window == WORDS).unwrap();
    bytes[at..at + WORDS.len()].copy_from_slice(OTHER_WORDS);
    bytes
}

fn call() -> Reply {
    Reply::call("c1", "bash", &json!({ "command": "echo done >> witness.txt" })).usage([1_000, 10, 0, 0])
}

fn says(text: &str) -> Reply {
    Reply::text(text).usage([2_000, 20, 0, 0])
}

/// A call, and then the end.
fn plain(index: usize) -> Reply {
    if index == 0 { call() } else { says("It is done.") }
}

/// A call, and then a model that says nothing until the host is killed.
fn stuck(index: usize) -> Reply {
    match index {
        0 => call(),
        1 => Reply::text("").delivered(Delivery::Silent),
        _ => says("It is done."),
    }
}

fn verified(workshop: &Workshop) -> bool {
    workshop.run(&["session", "verify"]).code == Some(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_does_not_touch_a_session_that_was_cut_off() {
    let workshop = Workshop::new(stuck).await;
    let id = workshop.work_and_kill("do it", 2).await;
    assert_eq!(workshop.session(&id)["is_cut_off"], true);
    let began = workshop.session(&id)["component"].clone();
    // The new version asks for something else: with it the session could not go on.
    workshop.install(&reworded());
    let said = workshop.run(&["session", "resume", &id]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let session = workshop.session(&id);
    assert_eq!((&session["status"], &session["component"]), (&json!("done"), &began));
    assert_eq!(workshop.lines(), 1);
    let next = workshop.work("do it again");
    assert_ne!(workshop.session(&next)["component"], began);
    assert_eq!(workshop.kept().len(), 2);
    assert!(verified(&workshop));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_component_that_was_changed_or_is_gone_is_said_and_the_session_stays_resumable() {
    let workshop = Workshop::new(stuck).await;
    let id = workshop.work_and_kill("do it", 2).await;
    let kept = workshop.kept().remove(0);
    workshop.install(&upgraded());
    let whole = std::fs::read(&kept).unwrap();
    for (bytes, word) in [(Some(&whole[..whole.len() - 1]), "is not what it was"), (None, "not kept here any more")] {
        std::fs::remove_file(&kept).unwrap();
        if let Some(bytes) = bytes {
            std::fs::write(&kept, bytes).unwrap();
        }
        let said = workshop.run(&["session", "resume", &id]);
        assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
        assert!(said.err.contains(word) && said.err.contains(&id), "{}", said.err);
        let said = workshop.run(&["session", "replay", &id]);
        assert!(said.err.contains(word) && said.err.contains("put "), "{}", said.err);
        assert_eq!(workshop.session(&id)["status"], "open");
        if bytes.is_none() {
            break;
        }
    }
    std::fs::write(&kept, whole).unwrap();
    assert_eq!(workshop.run(&["session", "resume", &id]).code, Some(0));
    assert_eq!(workshop.session(&id)["status"], "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_asks_for_the_same_without_a_model_and_without_doing_anything() {
    let workshop = Workshop::new(plain).await;
    let id = workshop.work("do it");
    let asked = workshop.model.requests().len();
    let said = workshop.run(&["session", "replay", &id]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    insta::assert_snapshot!(said.out.trim(), @"identical: 4 requests (1 call, 2 questions to models, 1 look for what people say), and the same end");
    assert_eq!((workshop.model.requests().len(), workshop.lines()), (asked, 1));
    // The same, from a version that only has another digest.
    std::fs::write(workshop.project.path().join("next.wasm"), upgraded()).unwrap();
    let said = workshop.run(&["session", "replay", &id, "--component", "next.wasm", "--json"]);
    assert_eq!((said.code, &said.json()["result"]), (Some(0), &json!("identical")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_is_held_against_old_journals_and_the_first_difference_is_named() {
    let workshop = Workshop::new(plain).await;
    let id = workshop.work("do it");
    std::fs::write(workshop.project.path().join("next.wasm"), reworded()).unwrap();
    let said = workshop.run(&["--json", "session", "replay", &id, "--component", "next.wasm"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let found = said.json();
    assert_eq!((&found["result"], &found["key"]), (&json!("differs"), &json!("1")), "{found}");
    assert_eq!(found["sequence"], workshop.at(&id, "model_asked"));
    assert!(found["asked"].as_str().unwrap().contains("system prompt reads `You are po, an agent"), "{found}");
    assert!(verified(&workshop));
    let said = workshop.run(&["session", "replay", &id, "--component", "pi.toml"]);
    assert_eq!(said.code, Some(1), "no component: {}", said.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_cut_off_is_identical_as_far_as_its_journal_goes() {
    let workshop = Workshop::new(stuck).await;
    let id = workshop.work_and_kill("do it", 2).await;
    let said = workshop.run(&["--json", "session", "replay", &id]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let found = said.json();
    assert_eq!((&found["result"], &found["requests"]["calls"]), (&json!("cut_off"), &json!(1)), "{found}");
    assert!(found["next"].as_str().unwrap().contains("question to `m`"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_journal_is_neither_replayed_nor_forked_nor_pruned() {
    let workshop = Workshop::new(plain).await;
    let id = workshop.work("do it");
    let state = workshop.project.path().join(".pi");
    let sql = "UPDATE entries SET body = replace(body, 'witness', 'w1tness') WHERE sequence = 4";
    tamper(&state, sql).await;
    for arguments in [["session", "replay", &id], ["session", "fork", &id]] {
        let said = workshop.run(&arguments);
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains("does not hold") && said.err.contains("session verify"), "{}", said.err);
    }
    let said = workshop.run(&["session", "export", &id]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("\"problems\":[\""), "{}", said.out);
    assert!(said.err.contains("does not hold"), "{}", said.err);
    let said = workshop.run(&["--json", "session", "prune", "--older-than", "0d"]);
    assert_eq!(said.json()["left"][0][0], json!(id), "{}", said.out);
    assert_eq!(workshop.sessions().len(), 1, "a look that came to nothing leaves no session");
    assert!(!workshop.entries(&id).is_empty());
    // A row that is gone is said as well.
    tamper(&state, "DELETE FROM entries WHERE sequence = 6").await;
    let said = workshop.run(&["session", "replay", &id]);
    assert!(said.err.contains("does not hold"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_before_a_fork_is_not_done_again_and_what_comes_after_is_its_own() {
    let workshop = Workshop::new(|index| match index {
        0 => call(),
        1 => says("It is done."),
        2 => says("Done as well."),
        3 => says("Done twice."),
        _ => Reply::status(400, "{}"),
    })
    .await;
    let id = workshop.work("do it");
    let before = workshop.entries(&id);
    // After the call: it is answered from the copy.
    let ended = workshop.at(&id, "call_ended");
    let said = workshop.run(&["--json", "session", "fork", &id, "--at", &ended.to_string()]);
    let fork = said.json()["session"].as_str().unwrap().to_owned();
    assert_eq!(workshop.session(&fork)["parent"], json!({ "session": id, "at": ended }));
    assert_eq!(workshop.run(&["session", "resume", &fork]).code, Some(0));
    assert_eq!((workshop.session(&fork)["summary"].as_str(), workshop.lines()), (Some("Done as well."), 1));
    // Before the call: it is made again, as the fork's.
    let answered = workshop.at(&id, "model_answered");
    let said = workshop.run(&["--json", "session", "fork", &id, "--at", &answered.to_string()]);
    let again = said.json()["session"].as_str().unwrap().to_owned();
    assert_eq!(workshop.run(&["session", "resume", &again]).code, Some(0));
    assert_eq!(workshop.lines(), 2);
    let of = |id: &str| {
        let entries = workshop.entries(id);
        let effect = entries.iter().find(|entry| entry["body"]["entry"] == "effect_started");
        effect.map(|effect| effect["body"]["origin"]["session"].clone())
    };
    assert_eq!((of(&id), of(&fork), of(&again)), (Some(json!(id)), Some(json!(id)), Some(json!(again))));
    // Nothing of the parent has changed; all of them verify, and all of them replay.
    assert_eq!(workshop.entries(&id), before);
    assert!(verified(&workshop));
    for session in [&id, &fork, &again] {
        let said = workshop.run(&["session", "replay", session]);
        assert!(said.out.starts_with("identical: "), "{}{}", said.out, said.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_in_the_middle_of_a_call_is_refused_with_the_next_possible_ones() {
    let workshop = Workshop::new(plain).await;
    let id = workshop.work("do it");
    let (begun, ended) = (workshop.at(&id, "call_started"), workshop.at(&id, "call_ended"));
    let said = workshop.run(&["session", "fork", &id, "--at", &begun.to_string()]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("is under way"), "{}", said.err);
    assert!(said.err.contains(&format!("--at {} and --at {ended}", begun - 1)), "{}", said.err);
    let possible: Vec<bool> = workshop.entries(&id).iter().map(|entry| entry["can_fork"].as_bool().unwrap()).collect();
    assert!(!possible[begun as usize] && possible[ended as usize] && !possible[possible.len() - 1]);
    let said = workshop.run(&["session", "fork", &id, "--at", "999"]);
    assert!(said.err.contains("has no entry 999"), "{}", said.err);
    let said = workshop.run(&["session", "fork", "no-such"]);
    assert!(said.err.contains("there is no session"), "{}", said.err);
    workshop.run(&["tool", "call", "bash", r#"{"command":"ls"}"#]);
    let call = workshop.sessions().last().unwrap()["id"].as_str().unwrap().to_owned();
    for command in ["fork", "replay"] {
        let said = workshop.run(&["session", command, &call]);
        assert!(said.err.contains("it is of `person`"), "{}", said.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_host_forks_and_prunes_for_who_asks() {
    let workshop = Workshop::new(plain).await;
    let id = workshop.work("do it");
    // The agent is not woken by anything: the host only serves.
    let host = tokio::task::block_in_place(|| RunningHost::start(&workshop.project));
    let said = workshop.run(&["--json", "session", "fork", &id]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let fork = said.json()["session"].as_str().unwrap().to_owned();
    let pruned = workshop.run(&["--json", "session", "prune", "--older-than", "0d"]).json();
    assert_eq!(pruned["pruned"][0]["session"], json!(id));
    drop(host);
    assert_eq!(workshop.session(&fork)["status"], "open");
    assert!(verified(&workshop));
    // Its component stays, since the fork needs it.
    assert_eq!(workshop.kept().len(), 1);
}

/// The lines of an export, as anybody can verify them.
fn check_export(text: &str) -> (Value, usize) {
    let mut lines = text.lines();
    let first: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let bytes = |hex: &str| {
        (0..32).map(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap()).collect::<Vec<u8>>()
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (mut previous, mut count) = (bytes(first["start"].as_str().unwrap()), 0);
    for line in lines {
        let entry: Value = serde_json::from_str(line).unwrap();
        if let Some(sha256) = entry.get("sha256") {
            let (_, payload) = line.split_once("\"payload\":").unwrap();
            let payload = payload.strip_suffix('}').unwrap();
            assert_eq!(sha256.as_str().unwrap(), hex(&Sha256::digest(payload)));
            continue;
        }
        let (_, body) = line.split_once("\"body\":").unwrap();
        let mut hasher = Sha256::new();
        hasher.update(&previous);
        hasher.update(entry["sequence"].as_u64().unwrap().to_be_bytes());
        hasher.update(entry["time_ms"].as_u64().unwrap().to_be_bytes());
        hasher.update(body.strip_suffix('}').unwrap());
        previous = hasher.finalize().to_vec();
        assert_eq!(entry["hash"].as_str().unwrap(), hex(&previous), "{line}");
        count += 1;
    }
    assert_eq!(first["head"].as_str().unwrap(), hex(&previous));
    (first, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_verify_an_export_line_by_line_and_people_read_the_page() {
    // The output is so long that it stands beside the chain.
    let workshop = Workshop::new(|index| match index {
        0 => Reply::call(
            "c1",
            "bash",
            &json!({ "command": "for i in $(seq 1 9000); do echo \"</pre><script>alert($i)</script>\"; done" }),
        ),
        _ => says("It is <b>done</b>."),
    })
    .await;
    let id = workshop.work("do \"it\" & more");
    let said = workshop.run(&["session", "export", &id]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let (first, count) = check_export(&said.out);
    assert_eq!((&first["session"], first["entries"].as_u64()), (&json!(id), Some(count as u64)));
    assert!(said.out.contains("\"payload\":"), "the output is beside the chain");
    let said = workshop.run(&["session", "export", &id, "--output", "session.html"]);
    assert_eq!((said.code, said.out.trim()), (Some(0), "session.html"), "{}", said.err);
    let page = std::fs::read_to_string(workshop.project.path().join("session.html")).unwrap();
    assert!(page.contains("do &quot;it&quot; &amp; more") && page.contains("It is &lt;b&gt;done&lt;/b&gt;."), "{page}");
    assert!(!page.contains("<script"));
    let said = workshop.run(&["session", "export", "no-such", "--format", "html"]);
    assert!(said.err.contains("there is no session"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_a_secret_later_is_in_no_list_page_or_export() {
    let workshop = Workshop::new(plain).await;
    let id = workshop.work("do it with hunter22-hunter22");
    let toml = std::fs::read_to_string(workshop.project.path().join("pi.toml")).unwrap();
    let secret = "[secrets.pin]\nenv = \"TEST_PIN\"\nhosts = [\"api.example.com\"]\nas = { header = \"Authorization\", value = \"Bearer {}\" }\n";
    workshop.project.write("pi.toml", &format!("{toml}{secret}"));
    for arguments in [
        vec!["session", "list"],
        vec!["session", "show", &id],
        vec!["--json", "session", "show", &id],
        vec!["session", "export", &id],
        vec!["session", "export", &id, "--format", "html"],
    ] {
        let mut command = workshop.project.command(&arguments);
        let said =
            Said::of(tokio::task::block_in_place(|| command.env("TEST_PIN", "hunter22-hunter22").output().unwrap()));
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(!said.out.contains("hunter22"), "{arguments:?}: {}", said.out);
    }
    let mut command = workshop.project.command(&["session", "export", &id]);
    let said = Said::of(tokio::task::block_in_place(|| command.env("TEST_PIN", "hunter22-hunter22").output().unwrap()));
    assert!(said.out.contains("\"masked\":true"), "its hash is of what is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pruning_removes_whole_sessions_that_ended_and_says_so_in_the_journal() {
    let workshop = Workshop::new(stuck).await;
    let open = workshop.work_and_kill("do it", 2).await;
    let ended = {
        workshop.run(&["tool", "call", "bash", r#"{"command":"echo secret words"}"#]);
        workshop.sessions().last().unwrap()["id"].as_str().unwrap().to_owned()
    };
    let said = workshop.run(&["session", "prune"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("--older-than") && said.err.contains("keep_days"), "{}", said.err);
    let dry = workshop.run(&["--json", "session", "prune", "--older-than", "0d", "--dry-run"]).json();
    assert_eq!(dry["pruned"].as_array().unwrap().len(), 1);
    assert!(!workshop.entries(&ended).is_empty(), "a dry run removes nothing");
    assert_eq!(workshop.run(&["--json", "session", "prune", "--older-than", "1d"]).json()["pruned"], json!([]));
    let pruned = workshop.run(&["session", "prune", "--older-than", "0d"]);
    assert!(pruned.out.contains(&ended) && !pruned.out.contains(&open), "{}", pruned.out);
    // It is gone, that it was there is not, and the chain holds.
    let said = workshop.run(&["session", "show", &ended]);
    assert!(said.err.contains("was pruned on") && said.err.contains("entries"), "{}", said.err);
    let said = workshop.run(&["session", "verify"]);
    assert_eq!(said.code, Some(0), "{}", said.out);
    assert!(said.out.contains(&format!("pruned   session {ended}: on ")), "{}", said.out);
    assert!(workshop.sessions().iter().all(|session| session["id"] != json!(ended)));
    let all = workshop.run(&["--json", "session", "list", "--all"]).json();
    assert!(
        all.as_array().unwrap().iter().any(|session| session["id"] == json!(ended) && session["status"] == "pruned")
    );
    let store = std::fs::read(workshop.project.path().join(".pi/store.db")).unwrap();
    assert!(!store.windows(12).any(|window| window == b"secret words"), "the file has none of it any more");
    // What says so is never pruned, and the open session goes on.
    assert_eq!(workshop.run(&["--json", "session", "prune", "--older-than", "0d"]).json()["pruned"], json!([]));
    assert_eq!(workshop.run(&["session", "resume", &open]).code, Some(0));
    // Who cuts a session out by hand is found out.
    let state = workshop.project.path().join(".pi");
    let sql = format!(
        "DELETE FROM entries WHERE session = '{open}'; DELETE FROM heads WHERE session = '{open}'; UPDATE sessions SET status = 'pruned' WHERE id = '{open}'"
    );
    tamper(&state, &sql).await;
    let said = workshop.run(&["session", "verify", &open]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("no entry of the journal says so"), "{}", said.out);
}

/// Move all that is in the journal into the past, as who owns the file can.
async fn age(workshop: &Workshop, ms: i64) {
    let file = workshop.project.path().join(".pi/store.db");
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let hash = |previous: &[u8], number: i64, time: i64, text: &str| {
        let mut hasher = Sha256::new();
        hasher.update(previous);
        hasher.update(number.to_be_bytes());
        hasher.update(time.to_be_bytes());
        hasher.update(text);
        hasher.finalize().to_vec()
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut ledger = vec![0_u8; 32];
    let sessions: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT id, number, created_ms FROM sessions ORDER BY number")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    for (id, number, created) in sessions {
        ledger = hash(&ledger, number, created - ms, &id);
        let mut last = ledger.clone();
        let sql = format!(
            "UPDATE sessions SET created_ms = created_ms - {ms}, ended_ms = ended_ms - {ms}, hash = '{}' WHERE id = '{id}'",
            hex(&ledger)
        );
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        let rows: Vec<(i64, i64, String)> =
            sqlx::query_as("SELECT sequence, time_ms, body FROM entries WHERE session = ? ORDER BY sequence")
                .bind(&id)
                .fetch_all(&mut connection)
                .await
                .unwrap();
        for (sequence, time, body) in rows {
            last = hash(&last, sequence, time - ms, &body);
            let sql = format!(
                "UPDATE entries SET time_ms = {}, hash = '{}' WHERE session = '{id}' AND sequence = {sequence}",
                time - ms,
                hex(&last)
            );
            connection.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        connection
            .execute(AssertSqlSafe(format!("UPDATE heads SET hash = '{}' WHERE session = '{id}'", hex(&last))))
            .await
            .unwrap();
    }
    connection
        .execute(AssertSqlSafe(format!("UPDATE heads SET hash = '{}' WHERE session = ''", hex(&ledger))))
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_keeps_sessions_as_long_as_it_is_told() {
    let workshop = Workshop::with(plain, "[sessions]\nkeep_days = 7\n").await;
    let old = workshop.work("do it");
    age(&workshop, 8 * 86_400_000).await;
    assert!(verified(&workshop), "the test's own hashes");
    let young = workshop.work("do it again");
    let host = tokio::task::block_in_place(|| RunningHost::start(&workshop.project));
    let deadline = Instant::now() + Duration::from_secs(60);
    while workshop.sessions().iter().any(|session| session["id"] == json!(old)) {
        assert!(Instant::now() < deadline, "the host does not prune");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(host);
    assert_eq!(workshop.session(&young)["status"], "done");
    assert!(verified(&workshop));
    let said = Project::with("[sessions]\nkeep_days = 0\n").run(&["session", "list"]);
    assert!(said.err.contains("[sessions] keep_days") && said.err.contains("hint:"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_says_what_each_session_is_about_and_what_it_cost() {
    let workshop = Workshop::new(stuck).await;
    let cut_off = workshop.work_and_kill("wait\nfor it", 2).await;
    workshop.run(&["tool", "call", "bash", r#"{"command":"ls"}"#]);
    let session = workshop.session(&cut_off);
    let has = |key: &str| session[key].clone();
    assert_eq!((has("title"), has("turns"), has("calls")), (json!("wait for it"), json!(1), json!(1)));
    assert_eq!((has("tokens"), has("cost_nano_usd")), (json!(1_010), json!(3_150_000)));
    let filters = || {
        vec![
            (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{3}Z)?", "[time]"),
            (r"\d{14}-[0-9a-f]{8}", "[id]"),
            (r"[0-9a-f]{64}", "[digest]"),
            (" +", " "),
        ]
    };
    let list = workshop.run(&["session", "list"]).out;
    insta::with_settings!({ filters => filters() }, { insta::assert_snapshot!(list, @r"
    began (UTC) session agent status turns calls cost about
    [time] worker-[id] worker cut off 1 1 $0.0032 wait for it
    [time] call-[id] person done - 1 - call of `bash`
    ") });
    let shown = workshop.run(&["session", "show", &cut_off]).out;
    let shown: Vec<&str> = shown.lines().take(4).chain(shown.lines().last()).collect();
    insta::with_settings!({ filters => filters() }, { insta::assert_snapshot!(shown.join("\n"), @r#"
    session worker-[id], agent worker, cut off, began [time]
    component [digest]
    1 turn, 1 call, 1010 tokens, $0.0032
     0 [time] session of `worker` began {"prompt":"wait\nfor it","input":{},"config":{}}
    it goes on with the next `pi-host run`, or by `pi-host session resume worker-[id]`
    "#) });
}
