//! What can go wrong beside the tools: a model that breaks its word, a key that is none, a window that is too small, a
//! journal that was tampered with, a disk that is full, a component that is gone. Each is said plainly, and the session
//! can be taken up when it is mended.

use std::process::Command;

use super::*;
use crate::model::server::Delivery;

/// A project, with `config` in the agent's own table.
fn configured(server: &ModelServer, config: &str) -> Project {
    let agent = format!("[agents.pi.config]\n{config}\n\n[grants.pi.model]");
    Project::with(&format!("{}{}", Wire::Openai.model(server), GRANTS.replace("[grants.pi.model]", &agent)))
}

fn summary(said: &Said) -> String {
    closed(said)["summary"].as_str().unwrap_or_else(|| panic!("{}{}", said.out, said.err)).to_owned()
}

async fn only_session(project: &Project) -> String {
    let listed = run(project, &["--json", "session", "list"]).await.json();
    listed[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_make_no_sense_are_answered_each_by_what_is_wrong() {
    let odd = Reply::text("")
        .and_call("a", "nope", "{}")
        .and_call("b", "read", "{\"path\":")
        .and_call("c", "read", r#"{"file":"x"}"#)
        .and_call("d", "read", "[1]")
        .and_call("e", "read\u{1b}[2J", "{}");
    let server = ModelServer::start(vec![odd, Reply::text("sorry")]).await;
    let project = project(&server, "");
    let said = run(&project, &["--json", "run", "go on"]).await;
    assert_eq!((said.code, summary(&said).as_str()), (Some(0), "sorry"), "{}", said.err);
    let results = results(&server.requests()[1]);
    for (result, words) in results.iter().zip(["`nope` is not granted", "are not JSON", "\"path\"", "schema", "read"]) {
        assert!(result.contains(words), "{words}: {result}");
    }
    assert!(!said.err.contains('\u{1b}') && !said.out.contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_uses_one_id_twice_gets_each_result_under_its_own() {
    let twice = Reply::text("").and_call("a", "read", r#"{"path":"one"}"#).and_call("a", "read", r#"{"path":"two"}"#);
    let again = Reply::text("").and_call("a", "read", r#"{"path":"two"}"#);
    let server = ModelServer::start(vec![twice, again, Reply::text("read")]).await;
    let project = project(&server, "");
    project.write("one", "first");
    project.write("two", "second");
    assert_eq!(run(&project, &["run", "go on"]).await.code, Some(0));
    let body = server.requests()[2].json();
    let messages = body["messages"].as_array().unwrap();
    let mut called: Vec<&Value> = messages
        .iter()
        .filter_map(|message| message["tool_calls"].as_array())
        .flatten()
        .map(|call| &call["id"])
        .collect();
    let answered: Vec<&Value> = messages.iter().filter_map(|message| message.get("tool_call_id")).collect();
    assert_eq!(called, answered);
    called.sort_by_key(|id| id.to_string());
    called.dedup();
    assert_eq!(called.len(), 3);
    let results = results(&server.requests()[2]);
    assert!(results[0].contains("first") && results[1].contains("second"), "{results:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_stops_is_stopped() {
    let server =
        ModelServer::start_with(|request| bash(&format!("c{}", request.index), &format!("echo {}", request.index)))
            .await;
    let project = configured(&server, "steps_max = 6");
    let said = run(&project, &["--json", "run", "go on"]).await;
    assert_eq!((said.code, server.requests().len()), (Some(1), 6));
    assert_eq!(summary(&said), "stopped after 6 questions to the model without an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_denied_or_failing_call_again_and_again_ends_the_turn() {
    for (tool, arguments) in
        [("bash", r#"{"command":"rm -rf /"}"#), ("read", r#"{"path":"missing"}"#), ("nope", r#"{"a": 1}"#)]
    {
        let server = ModelServer::start_with(move |request| {
            Reply::text("").and_call(&format!("c{}", request.index), tool, arguments)
        })
        .await;
        let project = project(&server, "");
        let said = run(&project, &["--json", "run", "go on"]).await;
        assert_eq!((said.code, server.requests().len()), (Some(1), 5), "{}", said.err);
        let summary = summary(&said);
        assert!(summary.contains("went round in circles") && summary.contains(&format!("`{tool}`")), "{summary}");
        let told = results(server.requests().last().unwrap()).pop().unwrap();
        assert!(told.contains("failed 4 times: do something else"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_only_gives_the_same_again_and_again_ends_the_turn_later() {
    let server = ModelServer::start_with(|request| bash(&format!("c{}", request.index), "echo waiting; exit 1")).await;
    let project = configured(&server, "repeats_max = 2");
    let said = run(&project, &["--json", "run", "go on"]).await;
    assert_eq!((said.code, server.requests().len()), (Some(1), 8), "{}", said.err);
    assert!(summary(&said).contains("8 times with the same result"), "{}", summary(&said));
}

/// What a server did wrong, said plainly; then it is mended, and the session goes on from there.
async fn fails_and_is_taken_up(fault: Reply, words: &[&str]) {
    let server = ModelServer::start_with(move |request| match request.index {
        0 => bash("a", "echo once >> made; cat made"),
        1 => fault.clone(),
        _ => Reply::text("all is well now"),
    })
    .await;
    let model = format!("{}attempts = 1\n", Wire::Openai.model(&server));
    let project = Project::with(&format!("{model}{GRANTS}"));
    project.write("made", "");
    let said = run(&project, &["--json", "run", "go on"]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    let told = summary(&said);
    words.iter().for_each(|words| assert!(told.contains(words), "{words}: {told}"));
    assert!(said.err.contains(&format!("session resume {}", only_session(&project).await)), "{}", said.err);
    let said = run(&project, &["--json", "session", "resume", &only_session(&project).await]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert_eq!(closed(&said)[0]["summary"], "all is well now");
    let asked = server.requests();
    assert_eq!(asked[1].json()["messages"], asked[2].json()["messages"]);
    assert_eq!(std::fs::read_to_string(project.path().join("made")).unwrap(), "once\n");
    assert_eq!(run(&project, &["session", "verify"]).await.code, Some(0));
    // What has come to its end is not taken up.
    let said = run(&project, &["session", "resume", &only_session(&project).await]).await;
    assert!(said.code == Some(1) && said.err.contains("was cut off"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_50_megabytes_is_refused_and_the_session_goes_on_later() {
    let chunk = json!({ "choices": [{ "index": 0, "delta": { "content": "x".repeat(1 << 20) } }] });
    let huge = Reply::events(&vec![chunk; 50]);
    fails_and_is_taken_up(huge, &["longer than"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_a_broken_answer_and_a_server_that_fails_are_said_and_the_session_goes_on_later() {
    let refused = Reply::status(401, r#"{"error":{"message":"Incorrect API key provided"}}"#);
    fails_and_is_taken_up(refused, &["401", "Incorrect API key"]).await;
    fails_and_is_taken_up(Reply::events(&[json!({ "choices": "x" })]), &["m"]).await;
    fails_and_is_taken_up(Reply::status(503, "no backend"), &["503"]).await;
    fails_and_is_taken_up(Reply::text("half an answer").delivered(Delivery::CutAfter(200)), &["m"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_is_named_by_its_variable_and_the_session_goes_on_with_it() {
    let server = ModelServer::start(vec![Reply::text("hello")]).await;
    let project = Project::with(&format!("{}key_env = \"ENGINE_MISSING_KEY\"\n{GRANTS}", Wire::Openai.model(&server)));
    let said = run(&project, &["--json", "run", "go on"]).await;
    assert_eq!(said.code, Some(1));
    assert!(summary(&said).contains("`ENGINE_MISSING_KEY` is not set"), "{}", summary(&said));
    let mut command = project.command(&["--json", "session", "resume", &only_session(&project).await]);
    command.env("ENGINE_MISSING_KEY", "sk-0123456789");
    let said = Said::of(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
    assert_eq!((said.code, closed(&said)[0]["summary"].as_str()), (Some(0), Some("hello")), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_outgrows_the_window_is_made_shorter_and_goes_on() {
    let server = ModelServer::start_with(|request| {
        let body = request.json().to_string();
        match (body.contains("You keep the notes"), request.index) {
            (true, _) => Reply::text("NOTES: the files one to nine were read; the task is to find the word."),
            (false, index) if index < 12 => Reply::call(&format!("c{index}"), "read", &json!({ "path": "long" })),
            _ => Reply::text("found"),
        }
    })
    .await;
    let model = format!("{}context_tokens = 16000\nmax_output_tokens = 1000\n", Wire::Openai.model(&server));
    let project = Project::with(&format!("{model}{GRANTS}"));
    project.write("long", &"a line of the file\n".repeat(500));
    let said = run(&project, &["--json", "run", "find the word"]).await;
    assert_eq!((said.code, summary(&said).as_str()), (Some(0), "found"), "{}", said.err);
    let asked = server.requests();
    assert!(asked.iter().any(|request| request.json().to_string().contains("NOTES: the files one to nine")));
    // In the measure of the estimate, none is longer than the window.
    for request in &asked {
        assert!(request.body.len() < 16_000 * 33 / 10 + 20_000, "{}", request.body.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_too_small_for_anything_is_a_clear_error() {
    let too_long =
        r#"{"error":{"message":"This model's maximum context length is 10 tokens.","code":"context_length_exceeded"}}"#;
    let server = ModelServer::start_with(move |_| Reply::status(400, too_long)).await;
    let project = project(&server, "");
    let said = run(&project, &["--json", "run", "go on"]).await;
    assert_eq!(said.code, Some(1));
    let told = summary(&said);
    assert!(told.contains("maximum context length is 10 tokens"), "{told}");
    assert!(server.requests().len() <= 6, "{}", server.requests().len());
}

/// A session that was cut off while the model answered its second question.
async fn cut_off(server: &ModelServer, project: &Project) -> String {
    let mut child = project.command(&["run", "go on"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while server.requests().len() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    only_session(project).await
}

async fn silent_once() -> ModelServer {
    ModelServer::start_with(|request| match request.index {
        0 => bash("a", "echo once >> made; cat made"),
        1 => Reply::text("").delivered(Delivery::Silent),
        _ => Reply::text("done"),
    })
    .await
}

fn change(project: &Project, statement: &str) {
    let script = "import sqlite3, sys\nc = sqlite3.connect('.pi/store.db')\nc.execute(sys.argv[1])\nc.commit()\n";
    let mut python = Command::new("python3");
    assert!(python.current_dir(project.path()).args(["-c", script, statement]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_journal_was_tampered_with_is_not_taken_up_and_says_where() {
    for (harm, words) in [
        (
            "UPDATE entries SET body = replace(body, 'echo once', 'echo twice') WHERE body LIKE '%call_started%'",
            "the entry is not what was written",
        ),
        ("DELETE FROM entries WHERE sequence = 2 AND session LIKE 'pi-%'", "the entries from 2 to 2 are gone"),
    ] {
        let server = silent_once().await;
        let project = project(&server, "");
        let id = cut_off(&server, &project).await;
        std::fs::copy(project.path().join(".pi/store.db"), project.path().join("kept.db")).unwrap();
        change(&project, harm);
        let said = run(&project, &["session", "resume", &id]).await;
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(
            said.err.contains(words) && said.err.contains(&format!("session verify {id}")),
            "{words}: {}",
            said.err
        );
        assert_eq!(server.requests().len(), 2, "nothing was asked on its ground");
        let listed = run(&project, &["--json", "session", "list"]).await.json();
        assert_eq!(listed[0]["status"], "open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_component_is_gone_stays_open_until_it_is_there_again() {
    let server = silent_once().await;
    let own = "[plugins.pi]\npath = \"pi.wasm\"\n";
    let project = project(&server, own);
    let component = pi_host::plugin::builtin("pi").unwrap();
    let file = project.path().join("pi.wasm");
    std::fs::write(&file, component).unwrap();
    let id = cut_off(&server, &project).await;
    let config = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    project.write("pi.toml", "");
    let said = run(&project, &["session", "resume", &id]).await;
    assert!(said.code == Some(1) && said.err.contains("there is no agent `pi` here any more"), "{}", said.err);
    project.write("pi.toml", &config);
    // What it began with is gone, and the plugin of its name is another one: a custom section more.
    let kept = project.path().join(".pi/agents");
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::write(&file, [component, &[0, 2, 1, b'x']].concat()).unwrap();
    let said = run(&project, &["session", "resume", &id]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("is not kept here any more"), "{}", said.err);
    std::fs::remove_file(&file).unwrap();
    let said = run(&project, &["session", "resume", &id]).await;
    assert!(said.code == Some(1) && said.err.contains("pi.wasm"), "{}", said.err);
    std::fs::write(&file, component).unwrap();
    let said = run(&project, &["--json", "session", "resume", &id]).await;
    assert_eq!((said.code, closed(&said)[0]["summary"].as_str()), (Some(0), Some("done")), "{}", said.err);
    assert_eq!(std::fs::read_to_string(project.path().join("made")).unwrap(), "once\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_host_with_a_clear_error_and_the_session_goes_on_when_there_is_room() {
    let server = ModelServer::start_with(|request| {
        let made = results(request).len();
        let id = format!("c{made}");
        if made < 12 { bash(&id, &format!("echo {made} >> made; cat long")) } else { Reply::text("done") }
    })
    .await;
    let model = format!("{}context_tokens = 4000000\n", Wire::Openai.model(&server));
    let agent = "[agents.pi.config]\nresult_chars_max = 400000\n\n[grants.pi.model]";
    let project = Project::with(&format!("{model}{}", GRANTS.replace("[grants.pi.model]", agent)));
    project.write("long", &"0123456789abcdef".repeat(12_000));
    project.write("made", "");
    // Without the trap the signal would end the process.
    let mut limited = Command::new("sh");
    limited
        .current_dir(project.path())
        .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" run 'go on'", env!("CARGO_BIN_EXE_pi-host")])
        .stdin(Stdio::null());
    let said = Said::of(tokio::task::spawn_blocking(move || limited.output().unwrap()).await.unwrap());
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains("no space left for the store"), "{}", said.err);
    let made = std::fs::read_to_string(project.path().join("made")).unwrap().lines().count();
    assert!(made < 12, "the limit did not hold");
    let said = run(&project, &["run", "go on"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let listed = run(&project, &["--json", "session", "list"]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let lines = std::fs::read_to_string(project.path().join("made")).unwrap();
    for number in 0..12 {
        assert!(lines.lines().filter(|line| *line == number.to_string()).count() <= 1, "{lines}");
    }
}
