//! A process that calls tools without being a host: what its callers are told, what other commands get of it,
//! and how it ends.

use std::sync::{Arc, Mutex};

use pi_host::app::{Beside, Station, StationOptions, Wanted};
use pi_host::capability::bindings::pi::tool::types::Error;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::approvals::{BY_COMMAND_LINE, marks, project, until, waiting};
use crate::project::{Project, Said};

async fn station(project: &Project, plugins: Wanted) -> Arc<Station> {
    let options = StationOptions {
        name: "mcp",
        agent: "mcp".into(),
        kind: "mcp",
        task: json!({}),
        plugins,
        may_ask: false,
        instances: 8,
        beside: Beside::Ask,
    };
    let project = pi_host::config::Project::load(project.path()).unwrap();
    Arc::new(Station::open(project, options, &|_| ()).await.unwrap())
}

/// What a call was told.
type Told = Arc<Mutex<Vec<String>>>;

/// A call in a task of its own, which goes on while the test waits for something else.
fn bash(station: &Arc<Station>, script: &str, told: &Told) -> JoinHandle<Result<String, Error>> {
    let arguments = json!({ "command": script }).to_string();
    let (station, told) = (station.clone(), told.clone());
    tokio::spawn(async move {
        let tell = move |text: &str| told.lock().unwrap().push(text.to_owned());
        let result = station.call_telling("bash", &arguments, &tell).await.unwrap();
        result.map(|contents| format!("{contents:?}"))
    })
}

/// The program run beside the station, which goes on meanwhile.
fn beside(project: &Project, arguments: &[&str]) -> Said {
    tokio::task::block_in_place(|| project.run(arguments))
}

fn session(project: &Project, kind: &str) -> (Value, Vec<Value>) {
    let all = beside(project, &["--json", "session", "list"]).json();
    let is_wanted = |session: &&Value| session["id"].as_str().unwrap().starts_with(kind);
    let session = all.as_array().unwrap().iter().find(is_wanted).unwrap().clone();
    let shown = beside(project, &["--json", "session", "show", session["id"].as_str().unwrap()]).json();
    (session, shown["entries"].as_array().unwrap().iter().map(|entry| entry["body"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_hears_of_its_own_approval_alone() {
    let project = project(BY_COMMAND_LINE);
    let station = station(&project, Wanted::OfTool("bash".into())).await;
    let (one, other) = (Told::default(), Told::default());
    let calls = [bash(&station, "mark one", &one), bash(&station, "mark other", &other)];
    let all = tokio::task::block_in_place(|| {
        until("two approvals", || Some(waiting(&project)).filter(|waiting| waiting.len() == 2))
    });
    for pending in all {
        let id = pending["id"].as_str().unwrap();
        assert_eq!(beside(&project, &["approvals", "deny", id]).code, Some(0));
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
    station.close("done", "tried").await.unwrap();
    for (told, own, foreign) in [(one, "mark one", "mark other"), (other, "mark other", "mark one")] {
        let told = told.lock().unwrap().clone();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("waits for approval ") && told[0].contains(own), "{told:?}");
        assert!(!told[0].contains(foreign) && told[1].starts_with("approval "), "{told:?}");
    }
    assert_eq!(marks(&project), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_that_is_closed_cuts_off_its_calls_and_ends_its_session() {
    let project = project(BY_COMMAND_LINE);
    let station = station(&project, Wanted::OfTool("bash".into())).await;
    let told = Told::default();
    let asked = |script: &str| {
        tokio::task::block_in_place(|| {
            until("approval", || waiting(&project).into_iter().find(|pending| pending.to_string().contains(script)))
        });
    };
    // One whose caller goes away, and one that is there when the station ends.
    let gone = bash(&station, "mark gone", &told);
    asked("gone");
    gone.abort();
    let cut = bash(&station, "mark cut", &told);
    asked("cut");
    station.close("done", "the client has gone").await.unwrap();
    let cut = cut.await.unwrap();
    assert!(matches!(&cut, Err(Error::Unknown(text)) if text.contains("cut off")), "{cut:?}");
    let (session, entries) = session(&project, "mcp");
    assert_eq!(session["status"], "done");
    let ends: Vec<&Value> = entries.iter().filter(|body| body["entry"] == "call_ended").collect();
    assert_eq!(ends.iter().map(|body| &body["status"]).collect::<Vec<_>>(), ["unknown", "unknown"], "{entries:?}");
    assert_eq!(entries.last().unwrap()["entry"], "session_ended");
    let late = bash(&station, "mark late", &told).await.unwrap();
    assert!(matches!(&late, Err(Error::Failed(text)) if text.contains("was not begun")), "{late:?}");
    assert_eq!(marks(&project), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_without_approvals_makes_the_calls_of_other_commands() {
    let project = project("");
    let station = station(&project, Wanted::All).await;
    let said = beside(&project, &["tool", "call", "bash", r#"{"command":"echo from beside"}"#]);
    assert!(said.code == Some(0) && said.out.contains("from beside"), "{}{}", said.out, said.err);
    let (session, entries) = session(&project, "call");
    assert_eq!((&session["status"], &session["agent"]), (&json!("done"), &json!("person")), "{entries:?}");
    let said = beside(&project, &["stop"]);
    let own = format!("`pi-host mcp` (process {})", std::process::id());
    assert!(said.code == Some(1) && said.err.contains(&own) && said.err.contains("hint: end it"), "{}", said.err);
    station.close("done", "tried").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_linked_something_else_says_who_it_is() {
    let project = project("");
    let station = station(&project, Wanted::Named(["bash".to_owned()].into())).await;
    let said = beside(&project, &["tool", "call", "bash", r#"{"command":"echo no"}"#]);
    let own = format!("`pi-host mcp` (process {}) has the store", std::process::id());
    assert!(said.code == Some(1) && format!("{}{}", said.out, said.err).contains(&own), "{}{}", said.out, said.err);
    station.close("done", "tried").await.unwrap();
}
