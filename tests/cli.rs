//! The command line as a user meets it: what it says, where, and with which exit code.

use std::process::{Command, Stdio};

use crate::project::{Project, RunningHost, Said};

#[test]
fn a_destructive_script_is_refused_with_rule_risk_and_advice() {
    let said = Project::new().run(&["tool", "call", "bash", r#"{"command":"rm -rf /"}"#]);
    assert_eq!(said.code, Some(3));
    insta::assert_snapshot!(said.err, @r"
    refused: run the script `rm -rf /`
      rule    remove_system
      risk    100 of 100
      reason  it removes a system folder, a home or everything: remove `/` and all below it
      advice  name the one folder to remove, below your own project
    ");
}

#[test]
fn run_without_a_project_says_how_to_start() {
    let said = Project::new().run(&["run"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("hint: `pi-host init` writes one"), "{}", said.err);
}

#[test]
fn init_writes_a_project_that_doctor_accepts_and_never_overwrites_one() {
    let project = Project::new();
    assert_eq!(project.run(&["init"]).code, Some(0));
    let findings = project.run(&["--json", "doctor"]).json();
    let config = findings.as_array().unwrap().iter().find(|finding| finding["what"] == "pi.toml").unwrap();
    assert_eq!(config["good"], true, "{config}");
    let again = project.run(&["init"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("is there already"), "{}", again.err);
}

#[test]
fn a_typo_in_pi_toml_is_named_with_its_line() {
    let said = Project::with("[agents.sre]\nwacht = [\"*\"]\n").run(&["run"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("line 2") && said.err.contains("wacht"), "{}", said.err);
}

#[test]
fn doctor_finds_services_that_wait_for_each_other() {
    let service = |name: &str, other: &str| {
        format!("[services.{name}]\ncommand = [\"/bin/sleep\", \"1\"]\ndepends_on = [\"{other}\"]\n")
    };
    let said = Project::with(&format!("{}{}", service("a", "b"), service("b", "a"))).run(&["--json", "doctor"]);
    let findings = said.json();
    let services = findings.as_array().unwrap().iter().find(|finding| finding["what"] == "services").unwrap();
    assert_eq!(services["good"], false, "{services}");
    assert!(services["detail"].as_str().unwrap().contains("circle"), "{services}");
}

#[test]
fn an_unknown_plugin_is_named() {
    let said = Project::with("[agents.oracle]\nwatch = []\n").run(&["run"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("there is no plugin `oracle`"), "{}", said.err);
}

#[test]
fn a_service_that_is_watched_and_not_there_is_named() {
    let said = Project::with("[agents.sre]\nwatch = [\"shop\"]\n").run(&["run"]);
    assert!(said.err.contains("there is no service `shop`"), "{}", said.err);
}

#[test]
fn a_typo_in_the_policy_is_named() {
    let project = Project::with("[policy]\nfile = \"security.json\"\n[agents.sre]\n");
    let policy = include_str!("../policies/security.json").replacen('{', "{\"rulez\": [],", 1);
    project.write("security.json", &policy);
    let said = project.run(&["policy", "check", "--", "ls"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("rulez") && said.err.contains("security.json"), "{}", said.err);
}

#[test]
fn arguments_that_miss_the_schema_are_refused_with_their_place() {
    let said = Project::new().run(&["tool", "call", "read", r#"{"path":7}"#]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("/path") && said.err.contains("invalid arguments"), "{}", said.err);
}

#[test]
fn an_unknown_tool_is_answered_with_those_there_are() {
    let said = Project::new().run(&["tool", "call", "raed", "{}"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("there is no tool `raed`") && said.err.contains("read"), "{}", said.err);
}

#[test]
fn arguments_of_four_mebibytes_are_taken_from_a_file() {
    let project = Project::with("[grants.files.files]\nwrite = [\".\"]\n");
    let content = "x".repeat(4 << 20);
    project.write("call.json", &serde_json::json!({ "path": "big.txt", "content": content }).to_string());
    let said = project.run(&["--json", "tool", "call", "write", "@call.json"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert_eq!(std::fs::read(project.path().join("big.txt")).unwrap().len(), 4 << 20);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn a_result_is_content_in_json() {
    let project = Project::new();
    project.write("a.txt", "hello\n");
    let said = project.run(&["--json", "tool", "call", "bash", r#"{"command":"cat a.txt | tr a-z A-Z"}"#]);
    assert_eq!(said.json()["content"][0]["json"]["stdout"], "HELLO\n");
}

#[test]
fn a_file_outside_of_the_grant_is_refused_with_the_line_that_would_allow_it() {
    let said = Project::new().run(&["tool", "call", "read", r#"{"path":"../../etc/passwd"}"#]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("[grants.files.files] read"), "{}", said.err);
}

#[test]
fn the_hosts_own_state_cannot_be_written_by_a_tool() {
    let project = Project::with("[grants.files.files]\nwrite = [\".\"]\n");
    for path in [".pi/store.db", "pi.toml"] {
        let arguments = serde_json::json!({ "path": path, "content": "" }).to_string();
        let said = project.run(&["tool", "call", "write", &arguments]);
        assert_ne!(said.code, Some(0), "{path} was written");
    }
    assert!(project.path().join("pi.toml").metadata().unwrap().len() > 0);
}

#[test]
fn policy_check_judges_without_running() {
    let project = Project::new();
    let said = project.run(&["--json", "policy", "check", "--", "touch x && rm -rf /"]);
    assert_eq!(said.code, Some(0));
    assert_eq!(said.json()["decision"], "deny");
    assert!(!project.path().join("x").exists());
}

#[test]
fn every_call_is_in_the_journal_and_a_changed_row_shows() {
    let project = Project::new();
    project.write("a.txt", "hello\n");
    assert_eq!(project.run(&["tool", "call", "read", r#"{"path":"a.txt"}"#]).code, Some(0));
    let sessions = project.run(&["--json", "session", "list"]).json();
    let id = sessions[0]["id"].as_str().unwrap().to_owned();
    let shown = project.run(&["session", "show", &id]);
    assert!(shown.out.contains("a.txt"), "{}", shown.out);
    assert_eq!(project.run(&["session", "verify", &id]).code, Some(0));

    let store = project.path().join(".pi/store.db");
    let change = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(\"update entries set body=replace(body,'a.txt','b.txt')\"); c.commit()";
    assert!(Command::new("python3").arg("-c").arg(change).arg(&store).status().unwrap().success());
    let said = project.run(&["session", "verify"]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains(&id), "{}", said.out);
}

#[test]
fn a_component_that_is_none_is_named_by_plugin_inspect() {
    let project = Project::new();
    project.write("x.wasm", "not wasm");
    let said = project.run(&["plugin", "inspect", "x.wasm"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("not a WebAssembly component"), "{}", said.err);
}

#[test]
fn usage_errors_have_a_code_of_their_own() {
    assert_eq!(Project::new().run(&["tool", "cal"]).code, Some(2));
}

#[test]
fn every_subcommand_teaches_in_its_help() {
    for command in ["init", "run", "tool", "plugin", "policy", "session", "stop", "doctor"] {
        let said = Project::new().run(&[command, "--help"]);
        assert_eq!(said.code, Some(0));
        let first = said.out.lines().next().unwrap();
        assert!(first.chars().next().unwrap().is_uppercase() && !first.ends_with('.'), "{command}: {first}");
    }
}

const ONE_SERVICE: &str = r#"
[services.idle]
command = ["/bin/sleep", "600"]

[grants.files]
files = { write = ["."] }

[grants.bash]
files = { read = ["."] }
process = {}
"#;

#[test]
fn a_second_host_is_told_who_has_the_store_and_other_commands_work_beside_it() {
    let project = Project::with(ONE_SERVICE);
    let host = RunningHost::start(&project);
    let second = project.run(&["run"]);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains(&format!("pid {}", host.0.id())) && second.err.contains("hint:"), "{}", second.err);

    let arguments = r#"{"path":"b.txt","content":"beside"}"#;
    assert_eq!(project.run(&["tool", "call", "write", arguments]).code, Some(0));
    assert_eq!(std::fs::read_to_string(project.path().join("b.txt")).unwrap(), "beside");
    let refused = project.run(&["tool", "call", "bash", r#"{"command":"rm -rf /"}"#]);
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));

    assert_eq!(project.run(&["stop"]).code, Some(0));
    let mut host = host;
    assert!(host.0.wait().unwrap().success());
}

#[test]
fn a_store_that_cannot_be_written_does_nothing_and_loses_nothing() {
    let project = Project::with("[grants.files]\nfiles = { write = [\".\"] }\n");
    assert_eq!(project.run(&["tool", "call", "write", r#"{"path":"a.txt","content":"a"}"#]).code, Some(0));
    // No file may grow beyond a kilobyte, as on a disk that is full.
    let binary = env!("CARGO_BIN_EXE_pi-host");
    let script = r#"trap '' XFSZ; ulimit -f 1; exec "$0" tool call write '{"path":"b.txt","content":"b"}'"#;
    let mut limited = Command::new("sh");
    limited.args(["-c", script, binary]).current_dir(project.path()).env("NO_COLOR", "1").stdin(Stdio::null());
    let said = Said::of(limited.output().unwrap());
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("store.db"), "{}", said.err);
    assert!(!project.path().join("b.txt").exists());

    assert_eq!(project.run(&["tool", "call", "write", r#"{"path":"b.txt","content":"b"}"#]).code, Some(0));
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing_behind() {
    let project = Project::new();
    let log = std::fs::File::create(project.path().join("demo.log")).unwrap();
    let mut demo = project.command(&["run", "--demo"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let said = || std::fs::read_to_string(project.path().join("demo.log")).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    while !said().contains("all services are healthy") {
        assert!(std::time::Instant::now() < deadline && demo.try_wait().unwrap().is_none(), "{}", said());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&demo), rustix::process::Signal::INT).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(1));
    assert!(said().contains("it was stopped"), "{}", said());
    let folder = project.path().canonicalize().unwrap().display().to_string();
    assert!(!std::fs::read_to_string("/proc/self/mounts").unwrap().contains(&folder));
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        assert!(!command.contains(&folder), "{command}");
    }
}

#[test]
fn a_service_that_outlived_a_killed_host_outlives_a_resume_too() {
    let seconds = "604317";
    let project = Project::with(&format!("[services.idle]\ncommand = [\"/bin/sleep\", \"{seconds}\"]\n"));
    let mut host = RunningHost::start(&project);
    let process = eventually_one(seconds);
    host.0.kill().unwrap();
    host.0.wait().unwrap();
    assert_eq!(project.run(&["session", "resume"]).code, Some(0));
    assert_eq!(processes(seconds), [process]);
    let host = RunningHost::start(&project);
    assert_eq!(processes(seconds), [process]);
    drop(host);
    assert!(processes(seconds).is_empty());
}

fn eventually_one(argument: &str) -> u32 {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        match processes(argument).as_slice() {
            [one] => return *one,
            more => assert!(std::time::Instant::now() < deadline, "{more:?}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// The processes of `/bin/sleep` with this argument.
fn processes(argument: &str) -> Vec<u32> {
    let expected = format!("/bin/sleep\0{argument}\0");
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|process| std::fs::read_to_string(process.path().join("cmdline")).is_ok_and(|line| line == expected))
        .filter_map(|process| process.file_name().to_string_lossy().parse().ok())
        .collect()
}

#[test]
fn a_store_that_is_removed_stops_the_host_and_leaves_the_services() {
    let seconds = "604319";
    let project = Project::with(&format!("[services.idle]\ncommand = [\"/bin/sleep\", \"{seconds}\"]\n"));
    let mut host = RunningHost::start(&project);
    let process = eventually_one(seconds);
    std::fs::remove_file(project.path().join(".pi/store.db")).unwrap();
    assert_eq!(host.0.wait().unwrap().code(), Some(1));
    let said = std::fs::read_to_string(project.path().join("host.log")).unwrap();
    assert!(said.contains("store.db"), "{said}");
    assert_eq!(processes(seconds), [process]);
    drop(RunningHost::start(&project));
}

#[test]
fn a_policy_that_changes_is_read_anew_and_a_broken_one_changes_nothing() {
    let rule = |verdict: &str| {
        format!(
            r#"{{"version":1,"thresholds":{{"ask":100,"deny":100}},"rules":[{{"id":"mine","acts":["file_read"],"when":{{"paths":["**/secret.txt"]}},{verdict}"points":1,"reason":"it is mine","advice":"ask me","examples":{{"match":[{{"act":"file_read","path":"/a/secret.txt"}}],"no_match":["ls"]}}}}]}}"#
        )
    };
    let project = Project::with(&format!("[policy]\nfile = \"policy.json\"\n{ONE_SERVICE}"));
    project.write("policy.json", &rule(""));
    project.write("secret.txt", "s");
    let _host = RunningHost::start(&project);
    let read = || project.run(&["tool", "call", "read", r#"{"path":"secret.txt"}"#]).code;
    let said = |text: &str| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let log = || std::fs::read_to_string(project.path().join("host.log")).unwrap();
        while !log().contains(text) {
            assert!(std::time::Instant::now() < deadline, "{text}: {}", log());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    assert_eq!(read(), Some(0));
    project.write("policy.json", &rule("\"verdict\":\"deny\","));
    said("read anew");
    assert_eq!(read(), Some(3));
    project.write("policy.json", "{");
    said("the old one goes on");
    assert_eq!(read(), Some(3));
}

#[test]
fn a_profile_that_looks_only_refuses_changes() {
    let project = Project::with(&format!("[policy]\nprofile = \"observe\"\n{ONE_SERVICE}"));
    project.write("a.txt", "a");
    assert_eq!(project.run(&["tool", "call", "read", r#"{"path":"a.txt"}"#]).code, Some(0));
    let said = project.run(&["tool", "call", "write", r#"{"path":"b.txt","content":"b"}"#]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("profile_observe") && !project.path().join("b.txt").exists(), "{}", said.err);
}

#[test]
fn rego_policies_and_their_tests_run() {
    let project = Project::with(&format!("[policy]\nrego = [\"policies\"]\n{ONE_SERVICE}"));
    std::fs::create_dir(project.path().join("policies")).unwrap();
    project.write(
        "policies/mine.rego",
        "package pi.file_write\n\ndeny contains {\"id\": \"frozen\", \"reason\": \"it is frozen\"} if endswith(input.action.path, \"/frozen.txt\")\n",
    );
    project.write(
        "policies/mine_test.rego",
        "package pi.file_write_test\n\nimport data.pi.file_write\n\ntest_frozen if count(file_write.deny) == 1 with input as {\"action\": {\"path\": \"/a/frozen.txt\"}}\n",
    );
    let said = project.run(&["policy", "test"]);
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert!(said.out.contains("1 of 1 passed"), "{}", said.out);
    let said = project.run(&["tool", "call", "write", r#"{"path":"frozen.txt","content":"b"}"#]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("frozen"), "{}", said.err);
    project.write("policies/mine.rego", "package pi.file_write\n\ndeny contains {\n");
    let said = project.run(&["tool", "call", "write", r#"{"path":"a.txt","content":"b"}"#]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("mine.rego"), "{}", said.err);
}

#[test]
fn a_policy_is_replayed_explained_and_compared() {
    let project = Project::with(ONE_SERVICE);
    assert_eq!(project.run(&["tool", "call", "write", r#"{"path":"a.txt","content":"a"}"#]).code, Some(0));
    project.write(
        "next.json",
        r#"{"version":1,"thresholds":{"ask":40,"deny":100},"rules":[{"id":"no_writes","acts":["file_write"],"when":{},"verdict":"deny","points":1,"reason":"r","advice":"a","examples":{"match":[{"act":"file_write","path":"/a","bytes":1,"mode":"create"}],"no_match":["ls"]}}]}"#,
    );
    let replayed = project.run(&["--json", "policy", "replay", "--policy", "next.json"]).json();
    assert_eq!(replayed["changed"].as_array().unwrap().len(), 1, "{replayed}");
    assert_eq!((&replayed["changed"][0]["was"], &replayed["changed"][0]["is"]), (&"allow".into(), &"deny".into()));
    let logged = project.run(&["--json", "policy", "log"]);
    assert!(logged.out.lines().any(|line| line.contains("pi/file_write")), "{}", logged.out);
    let explained = project.run(&["policy", "explain", "--", "echo cm0gLXJmIC8K | base64 -d | sh"]);
    assert_eq!(explained.code, Some(0));
    assert!(explained.out.contains("rm -rf /"), "{}", explained.out);
    let differs = project.run(&["policy", "diff", "builtin", "next.json"]);
    assert!(
        differs.out.contains("+ rule no_writes") && differs.out.contains("- rule remove_system"),
        "{}",
        differs.out
    );
}

#[test]
fn a_secret_in_the_arguments_reaches_the_tool_and_no_journal() {
    let project = Project::with(
        "[secrets.token]\nenv = \"PI_TEST_TOKEN\"\nhosts = [\"a.example\"]\nas = { header = \"X-Key\" }\n[grants.files.files]\nwrite = [\".\"]\n",
    );
    let arguments = r#"{"path":"a.txt","content":"it is hunter22hunter22 here"}"#;
    let mut command = project.command(&["tool", "call", "write", arguments]);
    let said = Said::of(command.env("PI_TEST_TOKEN", "hunter22hunter22").output().unwrap());
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert_eq!(std::fs::read_to_string(project.path().join("a.txt")).unwrap(), "it is hunter22hunter22 here");
    let state = std::fs::read_dir(project.path().join(".pi")).unwrap().map(|file| file.unwrap().path());
    for file in state.filter(|path| path.is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("hunter22"), "{}", file.display());
    }
    let id = project.run(&["--json", "session", "list"]).json()[0]["id"].as_str().unwrap().to_owned();
    let shown = project.run(&["--json", "session", "show", &id]);
    assert!(shown.out.contains("it is [secret token] here"), "{} {}", shown.out, shown.err);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}
