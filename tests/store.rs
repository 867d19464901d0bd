//! The whole program with its store at a PostgreSQL server: the same as with its file, and what is said when the
//! server is not there.

use crate::approvals;
use crate::postgres::{self, Schema, Server};
use crate::project::{Project, RunningHost};

const WRITES: &str = "[grants.files]\nfiles = { write = [\".\"] }\n";
const ONE_SERVICE: &str = "[services.idle]\ncommand = [\"/bin/sleep\", \"600\"]\n";

fn write(name: &str) -> [String; 4] {
    let arguments = serde_json::json!({ "path": name, "content": name }).to_string();
    ["tool".into(), "call".into(), "write".into(), arguments]
}

fn call(project: &Project, name: &str) -> crate::project::Said {
    let arguments = write(name);
    project.run(&arguments.each_ref().map(String::as_str))
}

fn tamper(schema: &Schema, sql: &str) {
    tokio::runtime::Runtime::new().unwrap().block_on(schema.run(sql));
}

#[test]
fn every_call_is_in_the_journal_and_what_was_changed_or_removed_shows() {
    for (change, finding) in [
        ("UPDATE entries SET body = replace(body, 'a.txt', 'b.txt') WHERE body LIKE '%a.txt%'", "changed_row"),
        ("DELETE FROM entries WHERE sequence = 1", "missing_row"),
        ("UPDATE entries SET hash = overlay(hash placing 'z' from 9) WHERE sequence = 1", "changed_row"),
    ] {
        let schema = postgres::schema();
        let project = Project::with(&format!("{WRITES}{}", schema.section()));
        assert_eq!(project.run(&["session", "list"]).code, Some(1));
        let said = call(&project, "a.txt");
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(!project.path().join(".pi/store.db").exists());
        let id = project.run(&["--json", "session", "list"]).json()[0]["id"].as_str().unwrap().to_owned();
        assert!(project.run(&["session", "show", &id]).out.contains("a.txt"));
        assert_eq!(project.run(&["session", "verify"]).code, Some(0));
        tamper(&schema, change);
        let said = project.run(&["--json", "session", "verify"]);
        assert_eq!(said.code, Some(1), "{}", said.out);
        assert!(said.out.contains(finding) && said.out.contains(&id), "{change}: {}", said.out);
    }
}

#[test]
fn a_second_host_is_told_who_has_the_store_and_other_commands_work_beside_it() {
    let schema = postgres::schema();
    let sections = format!("{WRITES}{ONE_SERVICE}{}", schema.section());
    let project = Project::with(&sections);
    let mut host = RunningHost::start(&project);
    // From another folder: what is one is the schema.
    let second = Project::with(&sections).run(&["run"]);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains(&format!("pid {}", host.0.id())) && second.err.contains("hint:"), "{}", second.err);
    let said = call(&project, "beside.txt");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(std::fs::read_to_string(project.path().join("beside.txt")).unwrap(), "beside.txt");
    let findings = project.run(&["--json", "doctor"]).out;
    assert!(findings.contains("a host runs: `run`"), "{findings}");
    assert_eq!(project.run(&["stop"]).code, Some(0));
    assert!(host.0.wait().unwrap().success());
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn what_is_approved_is_done_once() {
    let schema = postgres::schema();
    let sections = format!("{}{}", approvals::BY_COMMAND_LINE, schema.section());
    approvals::approved_is_done_once(&approvals::project(&sections));
}

#[test]
fn a_session_that_waits_for_people_goes_on_after_a_killed_host() {
    approvals::goes_on_after_a_killed_host(&postgres::schema().section());
}

#[test]
fn a_server_that_stays_away_stops_the_host_and_nothing_is_done_unwritten() {
    let mut server = Server::own();
    let schema = server.schema();
    let project = Project::with(&format!("{WRITES}{ONE_SERVICE}{}", schema.section()));
    let mut host = RunningHost::start(&project);
    assert_eq!(call(&project, "before.txt").code, Some(0));
    server.kill();
    let said = call(&project, "never.txt");
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err.contains("the store cannot be reached") && said.err.contains("hint: start the server"),
        "{}",
        said.err
    );
    assert_eq!(host.0.wait().unwrap().code(), Some(1));
    let log = std::fs::read_to_string(project.path().join("host.log")).unwrap();
    assert!(log.contains("the store cannot be reached"), "{log}");
    assert!(!project.path().join("never.txt").exists());

    server.restart();
    assert_eq!(call(&project, "after.txt").code, Some(0));
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn a_server_that_is_started_anew_is_waited_for() {
    let mut server = Server::own();
    let schema = server.schema();
    let project = Project::with(&format!("{WRITES}{ONE_SERVICE}{}", schema.section()));
    let host = RunningHost::start(&project);
    for round in 0..3 {
        server.kill();
        server.restart();
        let said = call(&project, &format!("{round}.txt"));
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    drop(host);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
    assert_eq!(project.run(&["--json", "session", "list"]).json().as_array().unwrap().len(), 3);
}

#[test]
fn what_section_store_cannot_say_is_refused_with_what_to_do() {
    let refused = |section: &str| {
        let said = Project::with(&format!("[store]\n{section}")).run(&["session", "list"]);
        assert_eq!(said.code, Some(1), "{}", said.out);
        said.err
    };
    let said = refused("url = \"postgres://pi:s3cr3t@db/a\"\nschema = \"shop\"\n");
    assert!(said.contains("a password stands in pi.toml") && said.contains("password_env"), "{said}");
    assert!(!said.contains("s3cr3t"), "{said}");
    let said = refused("url = \"postgres://pi@db/a\"\n");
    assert!(said.contains("two projects would meet"), "{said}");
    let said = refused("url = \"postgres://pi@db/a\"\nurl_env = \"X\"\nschema = \"shop\"\n");
    assert!(said.contains("exactly one of `url` and `url_env`"), "{said}");
    let said = refused("url_env = \"PI_TEST_NOT_SET\"\nschema = \"shop\"\n");
    assert!(said.contains("the environment variable PI_TEST_NOT_SET is not set"), "{said}");
    let said = refused("url = \"postgres://pi@db/a\"\nschema = \"Shop\"\n");
    assert!(said.contains("small letters") && said.contains("`Shop`"), "{said}");
    let said = refused("url = \"file:///tmp/x\"\nschema = \"shop\"\n");
    assert!(said.contains("its scheme is `file`"), "{said}");
}

#[test]
fn an_address_and_a_password_may_come_from_the_environment() {
    let schema = postgres::schema();
    let project = Project::with(&format!(
        "{WRITES}[store]\nurl_env = \"PI_TEST_URL\"\npassword_env = \"PI_TEST_PASSWORD\"\nschema = \"{}\"\n",
        schema.name
    ));
    let arguments = write("a.txt");
    let mut command = project.command(&arguments.each_ref().map(String::as_str));
    command.env("PI_TEST_URL", &schema.url).env("PI_TEST_PASSWORD", "s3cr3t");
    let said = crate::project::Said::of(command.output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
}
