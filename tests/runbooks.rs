//! Runbooks as a user meets them: the command line, and runs on real services, killed in the middle as well.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::{Project, RunningHost, Said};

/// A service that is well as long as the file `well` is there, and makes it anew whenever it starts.
fn project() -> Project {
    let project = Project::with(
        "[services.shop]\ncommand = [\"/bin/sh\", \"shop.sh\"]\nrestart = { stop_ms_max = 500 }\n\
         [services.shop.probe]\ncommand = [\"/bin/cat\", \"well\"]\ninterval_ms = 200\ntimeout_ms = 2000\nfailures = 1000\n\
         [grants.service.services]\nnames = [\"shop\"]\nactions = [\"read\", \"restart\"]\n",
    );
    project.write("shop.sh", "echo $$ >> starts; : > well; while :; do sleep 1; done\n");
    project
}

fn new(project: &Project) {
    let said = project.run(&["runbook", "new", "revive"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

fn starts(project: &Project) -> usize {
    std::fs::read_to_string(project.path().join("starts")).unwrap_or_default().lines().count()
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn run(project: &Project, more: &[&str]) -> Said {
    let mut arguments = vec!["--json", "runbook", "run", "revive", "-p", "service=shop"];
    arguments.extend(more);
    project.run(&arguments)
}

#[test]
fn a_new_runbook_is_right_and_its_tests_come_out_as_they_say() {
    let project = project();
    new(&project);
    let said = project.run(&["runbook", "check"]);
    assert_eq!((said.code, said.out.trim()), (Some(0), "runbooks/revive.md: right, 2 steps, 3 tests"), "{}", said.err);
    let said = project.run(&["runbook", "test"]);
    assert!(said.code == Some(0) && said.out.ends_with("3 of 3 tests come out as they say\n"), "{}", said.out);
    let said = project.run(&["runbook", "new", "revive"]);
    assert!(said.code == Some(1) && said.err.contains("is there already"), "{}", said.err);
    let said = project.run(&["runbook", "new", "../x"]);
    assert!(said.code == Some(1) && !project.path().join("x.md").exists(), "{}", said.err);
}

#[test]
fn a_mistake_is_told_with_its_file_line_and_column() {
    let project = project();
    new(&project);
    let path = project.path().join("runbooks/revive.md");
    let text = std::fs::read_to_string(&path).unwrap().replace("tool: service_restart", "tool: service_restrat");
    std::fs::write(&path, text).unwrap();
    let said = project.run(&["runbook", "check", "revive"]);
    assert_eq!(said.code, Some(1));
    insta::assert_snapshot!(said.out, @r"
    runbooks/revive.md:33:7: there is no tool `service_restrat`
    hint: did you mean `service_restart`?
    ");
    let said = project.run(&["runbook", "run", "revive", "-p", "service=shop"]);
    assert!(said.code == Some(1) && said.err.contains("revive.md:33:7"), "{}", said.err);
    let said = project.run(&["runbook", "show", "revvie"]);
    assert!(said.code == Some(1) && said.err.contains("there are revive"), "{}", said.err);
}

#[test]
fn a_plan_says_what_would_be_done_and_does_nothing() {
    let project = project();
    new(&project);
    let said = project.run(&["runbook", "plan", "revive", "-p", "service=shop"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    insta::assert_snapshot!(said.out, @r#"
    revive: autonomy auto at most

    1  probe
       call    service_probe {"name":"shop"} (looks)
       gate    allowed, risk 0

    2  restart
       when    not result.probe/healthy
       call    service_restart {"name":"shop"} (changes)
       verify  service_probe {"name":"shop"} (looks): result/healthy (3 in a row of at most 30, every 1000 ms)
       undo    none: it is irreversible
       gate    allowed, risk 0

    nothing was done; what each call does is judged again when it does it
    "#);
    assert_eq!(starts(&project), 0);
    let said = project.run(&["runbook", "plan", "revive", "-p", "service=a; b"]);
    assert!(said.code == Some(1) && said.err.contains("is not one word"), "{}", said.err);
    let said = project.run(&["runbook", "plan", "revive"]);
    assert!(said.code == Some(1) && said.err.contains("the parameter `service` has no value"), "{}", said.err);
}

#[test]
fn a_service_that_is_well_is_left_alone() {
    let project = project();
    new(&project);
    let _host = RunningHost::start(&project);
    eventually("it is well", || project.path().join("well").exists());
    let said = run(&project, &[]);
    // One look is no proof of health: the host leaves the rest to people.
    let end = said.json();
    assert_eq!(end["details"]["runbook"]["outcome"], "nothing_to_do", "{end}");
    assert_eq!(starts(&project), 1);
}

#[test]
fn a_host_that_runs_runs_it_and_the_report_tells_it() {
    let project = project();
    new(&project);
    let _host = RunningHost::start(&project);
    eventually("it is well", || project.path().join("well").exists());
    std::fs::remove_file(project.path().join("well")).unwrap();
    let said = run(&project, &[]);
    let end = said.json();
    assert_eq!((said.code, &end["status"]), (Some(0), &json!("done")), "{end} {}", said.err);
    assert_eq!(starts(&project), 2);
    let folder = project.path().join("reports").join(end["session"].as_str().unwrap());
    let report = std::fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(report.contains("service_restart") && report.contains("](journal.html#entry-"), "{report}");
    let picture = folder.join("plots/01-probe_latency-shop.svg");
    assert!(report.contains("](plots/01-probe_latency-shop.svg)") && picture.is_file(), "{report}");
    let id = end["session"].as_str().unwrap();
    let page = project.run(&["incident", "report", id, "--format", "html"]);
    assert!(page.code == Some(0) && page.out.contains("<svg role=\"img\""), "{}", page.err);
    let machine = project.run(&["--json", "incident", "report", id]).json();
    assert_eq!(machine["calls"].as_array().unwrap().len(), 1, "{machine}");
}

#[test]
fn what_was_killed_in_the_middle_goes_on_and_restarts_nothing_twice() {
    let project = project();
    new(&project);
    // Without a host, the command is one; its services end with it, so another host keeps the service.
    let text = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    project.write("pi.toml", &text.replace("[services.shop]\n", "[services.shop]\noutlives_host = true\n"));
    drop(RunningHost::start(&project));
    eventually("it is well", || project.path().join("well").exists());
    // The restart never makes it well, so that the runbook goes on looking until it is killed.
    project.write("shop.sh", "echo $$ >> starts; while :; do sleep 1; done\n");
    std::fs::remove_file(project.path().join("well")).unwrap();
    let mut child = project.command(&["runbook", "run", "revive", "-p", "service=shop"]).spawn().unwrap();
    eventually("it is restarted", || starts(&project) == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    project.write("well", "");
    let said = project.run(&["--json", "session", "resume"]);
    // What happens is told line by line; the last is what came of it.
    let closed: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!((said.code, &closed[0]["status"]), (Some(0), &json!("done")), "{closed} {}", said.err);
    assert_eq!(starts(&project), 2, "it was restarted twice");
}

#[test]
fn what_the_policy_refuses_stops_it() {
    let project = project();
    new(&project);
    let text = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    project.write("pi.toml", &format!("[policy]\nprofile = \"observe\"\n{text}"));
    let _host = RunningHost::start(&project);
    eventually("it is well", || project.path().join("well").exists());
    std::fs::remove_file(project.path().join("well")).unwrap();
    let end = run(&project, &[]).json();
    assert_eq!(end["details"]["runbook"]["outcome"], "stopped", "{end}");
    assert_eq!(state(&end, "restart"), "refused");
    assert_eq!(starts(&project), 1);
}

#[test]
fn its_own_autonomy_bounds_it_whatever_the_policy_allows() {
    let project = project();
    new(&project);
    let path = project.path().join("runbooks/revive.md");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("autonomy: auto", "autonomy: propose")).unwrap();
    let _host = RunningHost::start(&project);
    eventually("it is well", || project.path().join("well").exists());
    std::fs::remove_file(project.path().join("well")).unwrap();
    let end = run(&project, &[]).json();
    assert_eq!((&end["status"], &end["details"]["runbook"]["outcome"]), (&json!("escalated"), &json!("proposed")));
    assert!(end["details"]["next_steps"][0].as_str().unwrap().contains("service_restart"), "{end}");
    // A person is asked before each change: there is nobody, so it is refused.
    std::fs::write(&path, text.replace("autonomy: auto", "autonomy: approve")).unwrap();
    let end = run(&project, &[]).json();
    assert_eq!(state(&end, "restart"), "refused", "{end}");
    assert_eq!(starts(&project), 1);
}

#[test]
fn a_grant_that_is_written_is_the_ceiling() {
    let project = project();
    new(&project);
    let text = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    project.write("pi.toml", &format!("{text}[grants.runbook.tools]\nnames = [\"service_probe\"]\n"));
    let said = project.run(&["runbook", "run", "revive", "-p", "service=shop"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("calls `service_restart`, and [grants.runbook.tools] does not name it"), "{}", said.err);
}

#[test]
fn a_past_incident_is_diagnosed_again() {
    let project = project();
    new(&project);
    let _host = RunningHost::start(&project);
    eventually("it is well", || project.path().join("well").exists());
    std::fs::remove_file(project.path().join("well")).unwrap();
    let end = run(&project, &[]).json();
    let id = end["session"].as_str().unwrap();
    let by_session = project.run(&["--json", "incident", "replay", id]);
    assert_eq!(by_session.code, Some(0), "{}", by_session.err);
    let file = project.path().join("reports").join(id).join("incident.json");
    let by_file = project.run(&["--json", "incident", "replay", file.to_str().unwrap()]);
    assert_eq!(by_session.json()["now"], by_file.json()["now"]);
    assert!(by_file.json()["then"].is_object(), "{}", by_file.out);
    let said = project.run(&["incident", "replay", "none"]);
    assert_eq!(said.code, Some(1), "{}", said.out);
}

/// What became of a step.
fn state<'a>(end: &'a Value, step: &str) -> &'a str {
    let steps = end["details"]["runbook"]["steps"].as_array().unwrap();
    steps.iter().find(|it| it["id"] == step).unwrap()["state"].as_str().unwrap()
}

#[test]
fn every_fault_that_can_be_diagnosed_can_have_a_runbook() {
    let faults = pi_diagnosis::Cause::ALL.iter().filter(|cause| cause.is_fault());
    let causes: Vec<&str> = faults.map(|cause| cause.name()).collect();
    let text = pi_runbook::template("all").replace("[process_hung, crash_loop]", &format!("[{}]", causes.join(", ")));
    assert_eq!(pi_runbook::Runbook::parse("all", &text).unwrap().causes, causes);
}

#[test]
fn the_examples_of_the_documentation_are_right_and_tested() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks.md")).unwrap();
    let examples: Vec<&str> =
        text.split("~~~markdown\n").skip(1).map(|part| part.split("~~~").next().unwrap()).collect();
    assert_eq!(examples.len(), 2);
    let project = project();
    std::fs::create_dir(project.path().join("runbooks")).unwrap();
    std::fs::set_permissions(project.path().join("runbooks"), std::fs::Permissions::from_mode(0o755)).unwrap();
    project.write("runbooks/disk-full.md", examples[0]);
    let said = project.run(&["runbook", "test"]);
    assert!(said.code == Some(0) && said.out.contains("1 of 1 tests"), "{} {}", said.out, said.err);
    // The tools of the cloud are a plugin's: the file itself is read here, and its own test is played beside it.
    let tool = |effect| pi_runbook::Tool { effect, schema: json!({}) };
    let tools = [
        ("cloud_change".to_owned(), tool(pi_runbook::Effect::Destructive)),
        ("cloud_read".to_owned(), tool(pi_runbook::Effect::Read)),
    ];
    let book = pi_runbook::Runbook::parse("restart-unit", examples[1]).unwrap();
    let verdict = book.trials()[0].run(&book, &tools.into());
    assert!(verdict.is_right(), "{verdict:?}");
}

const OPEN: &str = r#"---
title: Let the shop in again
applies_to: { causes: [permission_denied], services: [shop], kinds: [local] }
parameters:
  service: { type: name, from: service }
---
# Let the shop in again
```yaml step
id: open
tool: write
arguments: { path: data/door, content: "open" }
irreversible: true
verify:
  tool: service_probe
  arguments: { name: "{{ service }}" }
  expect: result/healthy
  every: 200ms
```
"#;

#[test]
fn the_agent_heals_by_a_runbook_what_it_has_no_answer_for_itself() {
    // A service that nobody lets in before a file is written: no restart does that, nor any act of the agent's own.
    let project = Project::with(
        "[agents.sre]\nwatch = [\"shop\"]\nrunbooks = [\"*\"]\n[grants.sre.tools]\nnames = [\"service_*\", \"write\"]\n[grants.sre.log]\n\
         [grants.service.services]\nnames = [\"shop\"]\nactions = [\"read\", \"restart\"]\n[grants.files.files]\nread = [\"data\"]\nwrite = [\"data\"]\n\
         [services.shop]\ncommand = [\"/bin/sh\", \"shop.sh\"]\n[services.shop.probe]\ncommand = [\"/bin/sh\", \"probe.sh\"]\n\
         interval_ms = 200\ntimeout_ms = 5000\nfailures = 3\n",
    );
    project.write("shop.sh", "echo $$ >> starts; exec sleep 600\n");
    project.write("probe.sh", "[ -e data/door ] || { echo 'shop: data/door: permission denied' >&2; exit 1; }\n");
    for folder in ["data", "runbooks"] {
        std::fs::create_dir(project.path().join(folder)).unwrap();
    }
    project.write("runbooks/open.md", OPEN);
    let foreign = OPEN
        .replace("tool: write", "tool: log_rotate")
        .replace("path: data/door, content: \"open\"", "name: shop, path: x");
    project.write("runbooks/foreign.md", &foreign);
    let host = RunningHost::start(&project);
    let log = std::fs::read_to_string(project.path().join("host.log")).unwrap();
    let told =
        "the runbook `foreign` calls `log_rotate`, which [grants.sre.tools] does not name: `sre` does not follow it";
    assert!(log.contains(told), "{log}");
    let sessions = || project.run(&["--json", "session", "list"]).json();
    eventually("it is healed", || {
        let all = sessions();
        assert!(all[0]["status"] != "escalated", "{all}");
        all[0]["status"] == "done"
    });
    drop(host);
    assert_eq!(starts(&project), 1);
    let id = sessions()[0]["id"].as_str().unwrap().to_owned();
    let report = std::fs::read_to_string(project.path().join("reports").join(id).join("report.md")).unwrap();
    for words in [
        "| root cause | permission_denied",
        "| runbook | open |",
        "## Runbook open: done\n\nLet the shop in again",
        "- service: shop",
        "step \\`open\\` of the runbook \\`open\\`",
        "the runbook \\`foreign\\` cannot be followed",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[test]
fn no_tool_writes_into_a_folder_whose_runbooks_an_agent_follows() {
    let project =
        Project::with("[agents.sre]\nrunbooks = [\"*\"]\n[grants.files.files]\nread = [\".\"]\nwrite = [\".\"]\n");
    std::fs::create_dir(project.path().join("runbooks")).unwrap();
    let write = |path: &str| {
        let arguments = json!({ "path": path, "content": OPEN }).to_string();
        project.run(&["tool", "call", "write", &arguments])
    };
    assert_eq!(write("notes.md").code, Some(0));
    let said = write("runbooks/open.md");
    assert!(said.code == Some(3) || said.code == Some(1), "{:?} {}", said.code, said.err);
    assert!(!project.path().join("runbooks/open.md").exists(), "{}", said.out);
}
