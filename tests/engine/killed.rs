//! A host that is killed at any point: the next one goes on, the model sees the same, and nothing is done twice.

use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::time::{Duration, Instant};

use super::*;
use crate::model::server::Delivery;

const ITEMS: u32 = 6;
const TASK: &str = "write the numbers down";

/// Appends one number after the other, and looks first where it is not known whether the last one was written.
fn counts(request: &RecordedRequest) -> Reply {
    let body = request.json();
    let messages = body["messages"].as_array().unwrap();
    let script_of = |message: &Value| message["tool_calls"][0]["function"]["arguments"].as_str().map(str::to_owned);
    let last = messages.iter().filter_map(script_of).next_back();
    let item_of = |script: &str| script.split("item ").nth(1).and_then(|rest| rest[..1].parse::<u32>().ok());
    let item = last.as_deref().and_then(item_of).unwrap_or(0);
    let is_unknown = messages.last().is_some_and(|message| text_of(&message["content"]).contains("it is not known"));
    let id = format!("call-{}", messages.len());
    match item {
        item if is_unknown => bash(&id, &format!("grep -qx {item} witness || echo {item} >> witness # item {item}")),
        ITEMS => Reply::text("all are written"),
        item => {
            let next = item + 1;
            bash(&id, &format!("cat witness; echo {next} >> witness; cat witness # item {next}"))
        }
    }
}

fn begin(project: &Project, arguments: &[&str]) -> Child {
    project.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Wait for what another process does, which tells nobody of it.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never comes to this: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Of any two questions the longer begins with the shorter: no host has told the model another history, since it sees
/// no result that could be lost.
fn assert_one_history(requests: &[RecordedRequest]) {
    let mut all: Vec<Vec<Value>> =
        requests.iter().map(|request| request.json()["messages"].as_array().unwrap().clone()).collect();
    all.sort_by_key(Vec::len);
    for pair in all.windows(2) {
        assert_eq!(pair[0], pair[1][..pair[0].len()]);
    }
}

fn sessions(said: &Said) -> usize {
    said.json().as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_at_every_line_that_it_says_does_nothing_twice() {
    let server = ModelServer::start_with(counts).await;
    let project = project(&server, "");
    project.write("witness", "");
    let mut kills = 0;
    loop {
        let mut child = begin(&project, &["--json", "run", TASK]);
        let out = child.stdout.take().unwrap();
        let ended = tokio::task::spawn_blocking(move || {
            for (number, _) in BufReader::new(out).lines().map_while(Result::ok).enumerate() {
                // Each further host lives for a line more.
                if number == kills / 3 {
                    child.kill().unwrap();
                }
            }
            child.wait().unwrap()
        });
        let ended = ended.await.unwrap();
        let listed = run(&project, &["--json", "session", "list"]).await;
        // One that is killed after its last word has ended as well.
        let is_done = |session: &Value| session["status"] == "done";
        let is_over = listed.code == Some(0) && listed.json().as_array().unwrap().iter().any(is_done);
        assert_eq!(ended.success(), is_over && ended.code().is_some(), "{ended} {} {}", listed.out, listed.err);
        if is_over {
            break;
        }
        kills += 1;
        assert!(kills < 200, "it gets nowhere");
    }
    assert!(kills >= 10, "{kills}");
    let witness = std::fs::read_to_string(project.path().join("witness")).unwrap();
    assert_eq!(witness, "1\n2\n3\n4\n5\n6\n");
    assert_one_history(&server.requests());
    // It was one session, and it is whole. Those that were killed before their first entry have done nothing.
    let listed = run(&project, &["--json", "session", "list"]).await.json();
    assert_eq!(listed.as_array().unwrap().iter().filter(|session| session["entries"] != 0).count(), 1, "{listed}");
    assert_eq!(run(&project, &["session", "verify"]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_being_answered_is_asked_again_as_it_was() {
    for delivery in [Delivery::Silent, Delivery::SilentAfter(400)] {
        let first = Reply::text("I am about to say something very long").delivered(delivery);
        let server = ModelServer::start(vec![first, Reply::text("said")]).await;
        let project = project(&server, "");
        let child = begin(&project, &["run", TASK]);
        until("it asks", || server.requests().len() == 1).await;
        kill(child);
        let said = run(&project, &["--json", "run", TASK]).await;
        assert_eq!((said.code, closed(&said)["summary"].as_str()), (Some(0), Some("said")), "{}", said.err);
        let asked = server.requests();
        assert_eq!(asked[0].body, asked[1].body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_that_was_cut_off_is_told_as_unknown_with_what_had_begun() {
    let server = ModelServer::start_with(|request| match results(request).last() {
        None => bash("a", "echo 1 >> witness; echo > begun; until [ -e go ]; do sleep 0.01; done # item 1"),
        Some(_) => Reply::text("I see"),
    })
    .await;
    let project = project(&server, "");
    project.write("witness", "");
    let child = begin(&project, &["run", TASK]);
    until("it has begun", || project.path().join("begun").exists()).await;
    kill(child);
    let said = run(&project, &["run", TASK]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let asked = server.requests();
    let told = &results(asked.last().unwrap())[0];
    assert!(told.contains("it is not known whether this was done") && told.contains("witness"), "{told}");
    assert_eq!(std::fs::read_to_string(project.path().join("witness")).unwrap(), "1\n");
}

/// Reading changes nothing, so it is simply done again.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_only_read_is_made_again() {
    let server = ModelServer::start_with(|request| match results(request).last() {
        None => bash("a", "cat note; until [ -e go ]; do sleep 0.01; done; echo read"),
        Some(_) => Reply::text("read"),
    })
    .await;
    let project = project(&server, "");
    project.write("note", "hello");
    let mut child = begin(&project, &["--json", "run", TASK]);
    let out = child.stdout.take().unwrap();
    let called = tokio::task::spawn_blocking(move || {
        BufReader::new(out).lines().map_while(Result::ok).any(|line| line.contains("\"event\":\"calls\""))
    });
    assert!(called.await.unwrap());
    kill(child);
    project.write("go", "");
    let said = run(&project, &["run", TASK]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let told = results(server.requests().last().unwrap()).concat();
    assert!(told.contains("hello") && told.contains("read"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_task_goes_on_where_it_was_cut_off_and_another_or_a_new_one_begins() {
    let server = ModelServer::start_with(|request| {
        if request.index == 0 { Reply::text("").delivered(Delivery::Silent) } else { Reply::text("done") }
    })
    .await;
    let project = project(&server, "");
    let child = begin(&project, &["run", TASK]);
    until("it asks", || server.requests().len() == 1).await;
    kill(child);
    let count = async || sessions(&run(&project, &["--json", "session", "list"]).await);
    assert_eq!(run(&project, &["run", "another thing"]).await.code, Some(0));
    assert_eq!(count().await, 2);
    assert_eq!(run(&project, &["run", TASK, "--new"]).await.code, Some(0));
    assert_eq!(count().await, 3);
    assert_eq!(run(&project, &["run", TASK]).await.code, Some(0));
    assert_eq!(count().await, 3, "it was taken up");
    assert_eq!(run(&project, &["run", TASK]).await.code, Some(0));
    assert_eq!(count().await, 4, "it had ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_a_model_of_the_command_line_is_taken_up_with_that_model() {
    for with_file in [false, true] {
        let server = ModelServer::start(vec![Reply::text("").delivered(Delivery::Silent), Reply::text("done")]).await;
        let project = Project::new();
        if with_file {
            let other = "[models.m]\nprotocol = \"openai\"\nmodel = \"other\"\nbase_url = \"http://127.0.0.1:1/v1\"\n";
            project.write("pi.toml", &format!("{other}{GRANTS}"));
        }
        let child = begin(&project, &["run", TASK, "--model", &format!("openai/scripted@{}", server.openai_url())]);
        until("it asks", || server.requests().len() == 1).await;
        kill(child);
        let said = run(&project, &["--json", "session", "resume"]).await;
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        assert_eq!(closed(&said)[0]["summary"], "done", "{}", said.out);
        let asked = server.requests();
        assert_eq!((asked.len(), &asked[0].body), (2, &asked[1].body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_runs_here_is_not_taken_up_beside_itself() {
    use pi_host::app::{Event, Host, Options};
    use pi_host::config::Project as Loaded;

    let server = ModelServer::start_with(|request| match results(request).len() {
        0 => {
            std::thread::sleep(Duration::from_millis(500));
            bash("a", "echo 1 >> witness")
        }
        _ => Reply::text("written"),
    })
    .await;
    let project = project(&server, "");
    let options = Options {
        agents: Some(vec!["pi".into()]),
        is_watching: false,
        is_talking: false,
        screen: None,
        may_ask: false,
        name: "test",
    };
    let host = Host::start(Loaded::load(project.path()).unwrap(), options, &|_| ()).await.unwrap();
    let mut events = host.events();
    let working = host.clone();
    let work = tokio::spawn(async move { working.run_once("pi", TASK, &json!({})).await.unwrap() });
    let id = loop {
        if let Event::Session { id, .. } = events.recv().await.unwrap() {
            break id;
        }
    };
    assert_eq!((host.resume(None).await.unwrap(), host.resume(Some(&id)).await.unwrap()), (0, 0));
    assert!(host.run_on("pi", TASK).await.unwrap().is_none());
    assert_eq!(work.await.unwrap().summary, "written");
    host.close().await.unwrap();
    assert_eq!(
        (server.requests().len(), std::fs::read_to_string(project.path().join("witness")).unwrap().as_str()),
        (2, "1\n")
    );
    let shown = run(&project, &["--json", "session", "show", &id]).await.json();
    let resumed = shown["entries"].as_array().unwrap().iter().filter(|line| line["body"]["entry"] == "session_resumed");
    assert_eq!(resumed.count(), 0, "{shown}");
}
