//! What an agent may spend: each limit, of a session and of a day, where it stops and where people are asked.

use std::io::{BufRead as _, BufReader};

use super::*;

/// With so much told as used for each answer.
fn server_of(answers: usize, usage: [u64; 4]) -> impl Future<Output = ModelServer> {
    let call = move |request: &RecordedRequest| {
        let made = results(request).len();
        let id = format!("c{made}");
        let reply = match made {
            made if made + 1 >= answers => Reply::text("done"),
            made => Reply::call(&id, "write", &json!({ "path": format!("out/{made}"), "content": "x" })),
        };
        reply.usage(usage)
    };
    ModelServer::start_with(call)
}

fn project_with(server: &ModelServer, budget: &str, more: &str) -> Project {
    let model = format!("{}price = {{ input = 1000.0, output = 1000.0 }}\n", Wire::Openai.model(server));
    let agent = format!("[agents.pi.budget]\n{budget}\n\n[grants.pi.model]");
    Project::with(&format!("{model}{more}\n{}", GRANTS.replace("[grants.pi.model]", &agent)))
}

fn written(project: &Project) -> usize {
    std::fs::read_dir(project.path().join("out")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_of_a_session_and_of_a_day_stops_and_says_what_is_spent_and_where_to_raise_it() {
    for (limit, spent) in [
        ("tokens = 250", "tokens"),
        // A thousandth of a dollar for each token.
        ("usd = 0.25", "billionths of a US dollar"),
        ("calls = 2", "calls of tools"),
        ("changes = 2", "calls that change something"),
    ] {
        for (whose, words) in [("session", "for the session"), ("day", "for `pi` today")] {
            let server = server_of(10, [90, 10, 0, 0]).await;
            let project = project_with(&server, &format!("{whose} = {{ {limit} }}"), "");
            let said = run(&project, &["--json", "run", "go on"]).await;
            let text = format!("{}{}", said.out, server.requests().last().unwrap().json());
            let what = format!("{spent}, {words}");
            assert!(text.contains(&what) && text.contains("[agents.pi.budget] in pi.toml"), "{limit}: {text}");
            assert_eq!(written(&project), 2, "{limit} {whose}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_counts_nothing_does_not_make_a_budget_endless() {
    for limit in ["tokens = 3000", "usd = 3.0"] {
        let server = server_of(40, [0, 0, 0, 0]).await;
        let project = project_with(&server, &format!("session = {{ {limit} }}"), "");
        let said = run(&project, &["--json", "run", "go on"]).await;
        assert!(said.out.contains("for the session"), "{limit}: {}", said.out);
        assert!((1..40).contains(&written(&project)), "{limit}: {}", written(&project));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_are_a_limit_as_well() {
    let server = server_of(3, [1, 1, 0, 0]).await;
    let project = project_with(&server, "minutes = 0", "");
    let said = run(&project, &["--json", "run", "go on"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("minutes, for the session") && server.requests().is_empty(), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_today_counts_after_a_restart() {
    let server = server_of(3, [40, 10, 0, 0]).await;
    let project = project_with(&server, "day = { tokens = 200, changes = 3 }", "");
    // 150 tokens and two changes.
    assert_eq!(run(&project, &["run", "the first one"]).await.code, Some(0));
    let said = run(&project, &["--json", "run", "the second one"]).await;
    assert_eq!(server.requests().len(), 4, "{}", said.out);
    assert!(said.out.contains("200 of 200 tokens, for `pi` today"), "{}", said.out);
    let said = run(&project, &["--json", "run", "the third one"]).await;
    assert!(said.code == Some(1) && server.requests().len() == 4, "{}", said.out);
}

/// What was refused is a call, and no change: in the host that made it, and in the one that takes the session up.
#[tokio::test(flavor = "multi_thread")]
async fn refused_calls_count_as_calls_and_not_as_changes_before_and_after_a_restart() {
    let server = ModelServer::start_with(|request| match results(request).len() {
        0 => bash("a", "rm -rf /"),
        1 => Reply::call("b", "write", &json!({ "path": "pi.toml", "content": "" })),
        2 => Reply::call("c", "write", &json!({ "path": "out/1", "content": "x" })),
        3 if request.index == 3 => Reply::text("").delivered(crate::model::server::Delivery::Silent),
        3 => Reply::call("d", "write", &json!({ "path": "out/2", "content": "x" })),
        4 => Reply::call("e", "write", &json!({ "path": "out/3", "content": "x" })),
        _ => Reply::text("done"),
    })
    .await;
    let project = project_with(&server, "session = { calls = 5, changes = 3 }", "");
    let mut child = project.command(&["run", "go on"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while server.requests().len() < 4 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(run(&project, &["run", "go on"]).await.code, Some(0));
    let all = results(server.requests().last().unwrap());
    // The one inside of the write was refused when it had begun, so it counts: nobody can tell what it has done.
    assert!(all[0].contains("remove_system") && all[3].contains("out/2"), "{all:#?}");
    assert_eq!(all.iter().filter(|text| text.contains("budget is spent")).count(), 1, "{all:#?}");
    assert_eq!(written(&project), 2);
}

const ASK: &str = "[approvals]\napprovers = [\"cli:*\"]\nwait_minutes = 5\nhold_seconds = 0\n";

async fn decide(project: &Project, verb: &str) -> Value {
    let id = tokio::task::block_in_place(|| crate::approvals::one_waiting(project));
    let shown = run(project, &["--json", "approvals", "show", &id]).await.json();
    let said = run(project, &["approvals", verb, &id]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_asked_at_each_limit_and_what_they_grant_is_spent_once_more() {
    for budget in ["session = { tokens = 250 }", "day = { calls = 2 }"] {
        let server = server_of(6, [90, 10, 0, 0]).await;
        let project = project_with(&server, &format!("at_limit = \"ask\"\n{budget}"), ASK);
        let child = project.command(&["--json", "run", "go on"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let child = child.unwrap();
        let first = decide(&project, "approve").await;
        assert!(first.to_string().contains("overspend"), "{first}");
        let second = decide(&project, "approve").await;
        assert_ne!(first["id"], second["id"]);
        let said = Said::of(tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap());
        assert_eq!(said.code, Some(0), "{budget}: {}", said.out);
        assert_eq!(written(&project), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_more_ends_it_and_calls_side_by_side_ask_once() {
    let both = Reply::text("")
        .and_call("a", "write", r#"{"path":"out/a","content":""}"#)
        .and_call("b", "write", r#"{"path":"out/b","content":""}"#)
        .and_call("c", "write", r#"{"path":"out/c","content":""}"#);
    let server = ModelServer::start(vec![both, Reply::text("I stop here")]).await;
    let project = project_with(&server, "at_limit = \"ask\"\nsession = { changes = 1 }", ASK);
    let child = project.command(&["--json", "run", "go on"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let child = child.unwrap();
    decide(&project, "deny").await;
    let said = Said::of(tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap());
    assert_eq!(said.code, Some(0), "{}", said.out);
    let results = results(&server.requests()[1]);
    assert_eq!(results.iter().filter(|text| text.contains("more was not granted")).count(), 2, "{results:?}");
    assert_eq!(written(&project), 1);
}

/// A host that stops or is killed while people think asks them no second time, and spends no more than they granted.
#[tokio::test(flavor = "multi_thread")]
async fn what_people_are_asked_survives_a_restart() {
    let server = server_of(4, [90, 10, 0, 0]).await;
    let project = project_with(&server, "at_limit = \"ask\"\nsession = { tokens = 250 }", ASK);
    for signal in [rustix::process::Signal::KILL, rustix::process::Signal::TERM] {
        let mut child =
            project.command(&["--json", "run", "go on"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let waits =
            move || BufReader::new(out).lines().map_while(Result::ok).any(|line| line.contains("\"event\":\"waits\""));
        assert!(tokio::task::spawn_blocking(waits).await.unwrap());
        let id = tokio::task::block_in_place(|| crate::approvals::one_waiting(&project));
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        tokio::task::block_in_place(|| child.wait().unwrap());
        let waiting = crate::approvals::waiting(&project);
        assert_eq!((waiting.len(), waiting[0]["id"].as_str()), (1, Some(id.as_str())), "{signal:?}");
    }
    // They may answer while no host runs.
    decide(&project, "approve").await;
    let said = run(&project, &["run", "go on"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let all = run(&project, &["--json", "approvals", "list", "--all"]).await;
    assert!(all.code != Some(0) || all.json().as_array().unwrap().len() <= 1, "{}", all.out);
    assert_eq!((written(&project), server.requests().len()), (3, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn dollars_are_no_limit_where_nothing_is_known_of_the_price() {
    let server = ModelServer::start(vec![]).await;
    let agent = "[agents.pi.budget]\nday = { usd = 1.0 }\n\n[grants.pi.model]";
    let project =
        Project::with(&format!("{}{}", Wire::Openai.model(&server), GRANTS.replace("[grants.pi.model]", agent)));
    let said = run(&project, &["run", "go on"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("[models.m] price") && said.err.contains("[agents.pi.budget] usd"), "{}", said.err);
}
