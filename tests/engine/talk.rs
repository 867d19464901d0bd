//! People who talk to a session while it works: what they say is heard, what they interrupt ends, and a conversation
//! that nobody can talk to now waits for them.

use std::sync::Arc;

use pi_host::app::{Closed, Event, Host, HostError, Options};
use tokio::task::JoinHandle;

use super::killed::until;
use super::*;

struct Talk {
    host: Arc<Host>,
    id: String,
    talking: JoinHandle<Result<Closed, HostError>>,
}

async fn begin(project: &Project) -> Talk {
    let options =
        Options { agents: None, is_watching: false, may_ask: false, screen: None, is_talking: true, name: "test" };
    let project = pi_host::config::Project::load(project.path()).unwrap();
    let host = Host::start(project, options, &|_| {}).await.unwrap();
    let mut events = host.events();
    let talker = host.clone();
    let talking = tokio::spawn(async move { talker.converse("pi", "begin").await });
    loop {
        if let Event::Session { id, .. } = events.recv().await.unwrap() {
            return Talk { host, id, talking };
        }
    }
}

/// Waits in its first call for the file `go`.
fn waits(request: &RecordedRequest) -> Reply {
    match results(request).len() {
        0 => bash("a", "echo > begun; until [ -e go ]; do sleep 0.01; done; echo gone"),
        _ => Reply::text(&format!("answer {}", request.index)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_say_while_it_works_is_in_the_next_question() {
    let server = ModelServer::start_with(waits).await;
    let project = project(&server, "");
    let talk = begin(&project).await;
    until("it works", || project.path().join("begun").exists()).await;
    talk.host.say(&talk.id, "alice", "and mind the gap").await.unwrap();
    project.write("go", "");
    until("it is asked", || server.requests().len() == 2).await;
    let asked = server.requests()[1].json()["messages"].to_string();
    assert!(asked.contains("gone") && asked.contains("and mind the gap"), "{asked}");
    talk.host.hang_up(&talk.id);
    let closed = talk.talking.await.unwrap().unwrap();
    assert_eq!((closed.status.as_str(), closed.summary.as_str()), ("done", "answer 1"));
    talk.host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_interrupted_ends_and_the_agent_does_what_is_said_next() {
    let server = ModelServer::start_with(waits).await;
    let project = project(&server, "");
    let talk = begin(&project).await;
    until("it works", || project.path().join("begun").exists()).await;
    talk.host.interrupt(&talk.id);
    talk.host.say(&talk.id, "alice", "do something else").await.unwrap();
    until("it is asked", || server.requests().len() >= 2).await;
    talk.host.hang_up(&talk.id);
    assert_eq!(talk.talking.await.unwrap().unwrap().status, "done");
    let asked = server.requests().last().unwrap().json()["messages"].to_string();
    assert!(asked.contains("a person interrupted `bash`") && asked.contains("do something else"), "{asked}");
    talk.host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_was_cut_off_waits_for_people_and_ends_only_where_somebody_names_it() {
    let server = ModelServer::start_with(|_| Reply::text("hello")).await;
    let project = project(&server, "");
    let talk = begin(&project).await;
    until("it is asked", || server.requests().len() == 1).await;
    talk.host.stop();
    let Talk { host, id, talking } = talk;
    assert!(talking.await.unwrap().is_err());
    host.close().await.unwrap();
    // With it goes its hold on the services.
    drop(host);
    let said = run(&project, &["--json", "session", "resume"]).await;
    assert_eq!((said.code, closed(&said).as_array().unwrap().len()), (Some(0), 0), "{}", said.out);
    assert_eq!(run(&project, &["--json", "session", "list"]).await.json()[0]["status"], "open");
    let said = run(&project, &["--json", "session", "resume", &id]).await;
    assert_eq!((said.code, closed(&said)[0]["status"].as_str()), (Some(0), Some("done")), "{}", said.out);
}
