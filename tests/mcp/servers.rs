//! Servers of `[mcp]` as tools: one with the official Python SDK, and some that do not keep to the protocol.

use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use super::sdk;
use crate::approvals::until;
use crate::project::{Project, RunningHost, Said};
use crate::runtime::guest::packed;

const SECRET: &str = "a-secret-of-some-length";

/// `[mcp.sample]`: the server of the official SDK, copied into the project.
pub(super) fn sample(project: &Project, more: &str) -> String {
    server(project, "sample", "server.py", &[], more)
}

fn server(project: &Project, name: &str, script: &str, arguments: &[&str], more: &str) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp").join(script);
    std::fs::create_dir_all(project.path().join("servers")).unwrap();
    std::fs::copy(from, project.path().join("servers").join(script)).unwrap();
    let command: Vec<String> = [sdk::python().display().to_string(), format!("servers/{script}")]
        .into_iter()
        .chain(arguments.iter().map(|argument| (*argument).to_owned()))
        .collect();
    let read: Vec<String> = sdk::python_folders().into_iter().chain(["servers".to_owned()]).collect();
    format!("[mcp.{name}]\ncommand = {command:?}\nread = {read:?}\n{more}\n")
}

fn project(more: &str) -> Project {
    let project = Project::new();
    project.write("pi.toml", &sample(&project, more));
    project
}

fn call(project: &Project, tool: &str, arguments: Value) -> Said {
    project.run(&["--json", "tool", "call", tool, &arguments.to_string()])
}

/// What a tool that gives one text says.
fn text(said: &Said) -> String {
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let part = &said.json()["content"][0];
    part["json"]["result"].as_str().or(part["text"].as_str()).unwrap_or_else(|| panic!("{}", said.out)).to_owned()
}

#[test]
fn its_tools_are_listed_and_called_and_stand_in_the_journal() {
    let project = project("read_only = [\"add\"]");
    let listed = project.run(&["--json", "tool", "list"]);
    let tools = listed.json();
    let find = |name: &str| tools.as_array().unwrap().iter().find(|tool| tool["tool"]["name"] == name).cloned();
    let add = find("sample_add").unwrap_or_else(|| panic!("{}", listed.err));
    assert_eq!((add["plugin"].as_str(), add["tool"]["effect"].as_str()), (Some("mcp:sample"), Some("read")));
    // What the server says of its own tools counts for nothing: that it only reads, that it destroys nothing.
    for own_word in ["sample_picture", "sample_say_hello"] {
        let tool = &find(own_word).unwrap()["tool"];
        assert_eq!((&tool["effect"], &tool["idempotent"]), (&json!("destructive"), &json!(false)), "{own_word}");
    }
    assert_eq!(add["tool"]["idempotent"], true);
    assert!(find("read").is_some());

    let said = call(&project, "sample_add", json!({ "one": 1, "other": 2 }));
    assert_eq!(said.json()["content"][0]["json"], json!({ "sum": 3 }), "{}", said.err);
    assert_eq!(text(&call(&project, "sample_say_hello", json!({ "name": "you" }))), "hello you");
    let said = call(&project, "sample_picture", json!({}));
    assert_eq!(said.json()["content"][0]["blob"]["mime"], "image/png", "{}", said.err);
    let failed = call(&project, "sample_fail", json!({}));
    assert!(failed.code == Some(1) && failed.out.contains("Error executing tool fail"), "{}{}", failed.out, failed.err);
    let wrong = call(&project, "sample_add", json!({ "one": "x", "other": 2 }));
    assert!(wrong.out.contains("invalid_arguments") && wrong.out.contains("/one"), "{}", wrong.out);

    let sessions = project.run(&["--json", "session", "list"]).json();
    let ids: Vec<&str> = sessions.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap()).collect();
    let shown: Vec<String> = ids.iter().map(|id| project.run(&["session", "show", id]).out).collect();
    let of_add =
        shown.iter().find(|shown| shown.contains("call tool `sample_add`")).unwrap_or_else(|| panic!("{shown:?}"));
    assert!(of_add.contains("servers/server.py"), "{of_add}");
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn the_policy_denies_a_tool_and_the_start_of_a_server() {
    let denies = |act: &str, when: &str, example: &str| {
        format!(
            r#"{{ "version": 1, "thresholds": {{ "ask": 100, "deny": 100 }}, "rules": [{{
                "id": "denied_here", "acts": ["{act}"], "when": {when}, "verdict": "deny", "points": 100,
                "reason": "the tests deny it", "advice": "use another", "examples": {{ "match": [{example}], "no_match": ["ls"] }} }}] }}"#
        )
    };
    let example = r#"{ "act": "tool_call", "tool": "sample_say_hello", "effect": "write", "idempotent": false, "arguments": {} }"#;
    let project = project("\n[policy]\nfile = \"policy.json\"");
    project.write("policy.json", &denies("tool_call", r#"{ "tool": ["sample_say_hello"] }"#, example));
    let said = call(&project, "sample_say_hello", json!({ "name": "you" }));
    assert_eq!(said.code, Some(3), "{}{}", said.out, said.err);
    assert!(said.out.contains("denied_here"), "{}", said.out);
    assert_eq!(call(&project, "sample_add", json!({ "one": 1, "other": 2 })).code, Some(0));

    project.write("policy.json", &denies("process_run", r#"{ "program": ["python*"] }"#, r#""python3 x.py""#));
    let said = call(&project, "sample_add", json!({ "one": 1, "other": 2 }));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("denied_here") && said.err.contains("mcp:sample"), "{}", said.err);
    assert!(project.run(&["--json", "tool", "list"]).err.contains("denied_here"));
    let findings = project.run(&["--json", "doctor"]).json();
    let finding = findings.as_array().unwrap().iter().find(|finding| finding["what"] == "mcp:sample").unwrap();
    assert!(finding["good"] == false && finding["detail"].as_str().unwrap().contains("denied_here"), "{finding}");
}

#[test]
fn it_reaches_neither_the_network_nor_files_outside_of_its_folders() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let project = project("write = [\"out\"]");
    std::fs::create_dir(project.path().join("out")).unwrap();
    project.write("private.txt", "private");
    std::fs::write(project.path().join("servers/open.txt"), "open").unwrap();
    let look = |path: &str| text(&call(&project, "sample_look", json!({ "path": path })));
    assert_eq!(look("servers/open.txt"), "read: open");
    for path in ["private.txt", "pi.toml", ".pi/store.db", "/etc/shadow", "/proc/1/environ"] {
        assert!(look(path).starts_with("error:"), "{path}: {}", look(path));
    }
    let leave = |path: &str| text(&call(&project, "sample_leave", json!({ "path": path })));
    assert_eq!(leave("out/left.txt"), "written");
    for path in ["left.txt", "servers/server.py", "pi.toml"] {
        assert!(leave(path).starts_with("error:"), "{path}");
    }
    let reach = || text(&call(&project, "sample_reach", json!({ "port": port })));
    assert!(reach().starts_with("error:"), "{}", reach());
    project.write("pi.toml", &sample(&project, "network = true"));
    assert_eq!(reach(), "connected");
}

#[test]
fn it_gets_a_clean_environment_and_nobody_reads_its_secrets() {
    let project = project("environment = { PLAIN = \"plain\" }\nsecrets = { TOKEN = \"SAMPLE_TOKEN\" }");
    let call = |name: &str| {
        let arguments = json!({ "name": name }).to_string();
        let mut command = project.command(&["--json", "tool", "call", "sample_variable", &arguments]);
        Said::of(command.env("SAMPLE_TOKEN", SECRET).env("OTHER", "other").output().unwrap())
    };
    assert_eq!(text(&call("PLAIN")), "plain");
    assert_eq!(text(&call("TOKEN")), "[secret SAMPLE_TOKEN]");
    assert_eq!(text(&call("OTHER")), "not set");
    assert_eq!(text(&call("SAMPLE_TOKEN")), "not set");
    let store = std::fs::read(project.path().join(".pi/store.db")).unwrap();
    assert!(!store.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    let unset = project.run(&["tool", "call", "sample_variable", "{\"name\":\"TOKEN\"}"]);
    assert!(unset.code == Some(1) && unset.err.contains("`SAMPLE_TOKEN` is not set"), "{}", unset.err);
}

fn life(project: &Project) -> String {
    text(&call(project, "sample_life", json!({})))
}

#[test]
fn one_that_dies_is_started_again_and_not_for_ever() {
    let project = project("read_only = [\"die_harmlessly\"]\n[services.idle]\ncommand = [\"/bin/sleep\", \"600\"]");
    let host = RunningHost::start(&project);
    let first = life(&project);
    assert_eq!(life(&project), first, "one process serves all calls");

    let died = call(&project, "sample_die", json!({}));
    assert_eq!(died.json()["error"]["kind"], "unknown", "{}", died.out);
    assert!(died.out.contains("the last words") && died.out.contains("code 3"), "{}", died.out);
    assert_ne!(life(&project), first);
    let died = call(&project, "sample_die_harmlessly", json!({}));
    assert_eq!(died.json()["error"]["kind"], "failed", "{}", died.out);

    let said = until("limit", || {
        let said = call(&project, "sample_die_harmlessly", json!({}));
        said.out.contains("within a minute").then_some(said)
    });
    assert!(said.out.contains("5 times"), "{}", said.out);
    drop(host);
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn it_ends_with_the_host() {
    let project = project("\n[services.idle]\ncommand = [\"/bin/sleep\", \"600\"]");
    let host = RunningHost::start(&project);
    let mark = project.path().join("servers/server.py").canonicalize().unwrap();
    let running = || processes_in(mark.parent().unwrap().parent().unwrap());
    life(&project);
    assert!(running() > 0);
    drop(host);
    until("end of the server", || (running() == 0).then_some(()));
}

/// Processes whose command names `servers/server.py` and that work in this folder.
fn processes_in(folder: &Path) -> usize {
    let is_of = |entry: &std::fs::DirEntry| {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("servers/server.py")
            && std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder)
    };
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter(is_of).count()
}

#[test]
fn one_that_is_hostile_is_named_and_leaves_the_others_alone() {
    for (way, said_of_it) in [
        ("garbage", "not MCP"),
        ("endless", "message_bytes_max"),
        ("many", "tools_max"),
        ("mute", "begin_ms_max"),
        ("ends", "code 7"),
    ] {
        let project = Project::new();
        let limits = "limits = { begin_ms_max = 5000 }";
        let config = server(&project, "hostile", "hostile.py", &[way], if way == "mute" { limits } else { "" });
        project.write("pi.toml", &format!("{config}{}", sample(&project, "")));
        let listed = project.run(&["tool", "list"]);
        assert_eq!(listed.code, Some(0), "{way}: {}", listed.err);
        assert!(
            listed.err.contains("left out: mcp:hostile:") && listed.err.contains(said_of_it),
            "{way}: {}",
            listed.err
        );
        assert!(listed.out.contains("sample_add") && !listed.out.contains("hostile_"), "{way}: {}", listed.out);
        assert!(!listed.err.contains('\u{1b}'), "{way}: {:?}", listed.err);
        if way == "ends" {
            assert!(listed.err.contains("no such\\u{1b}[2J database"), "{}", listed.err);
        }
    }
}

#[test]
fn a_tool_that_is_named_like_another_is_left_out() {
    let project = Project::new();
    project.write("pi.toml", &server(&project, "service", "hostile.py", &["well"], ""));
    let listed = project.run(&["--json", "tool", "list"]);
    let tools = listed.json();
    let of = |name: &str| tools.as_array().unwrap().iter().filter(|tool| tool["tool"]["name"] == name).count();
    assert_eq!((of("service_list"), of("service_fine")), (1, 1), "{}", listed.err);
    assert!(listed.err.contains("service_list: a plugin has a tool of that name"), "{}", listed.err);
    assert_eq!(text(&call(&project, "service_fine", json!({}))), "done");
    let said = call(&project, "service_list", json!({}));
    assert!(!said.out.contains("done"), "{}", said.out);
}

#[test]
fn a_tool_that_has_become_another_is_not_called() {
    let project = Project::new();
    let (agent, services) = (agent("[\"hostile_*\"]"), "[services.idle]\ncommand = [\"/bin/sleep\", \"600\"]\n");
    std::fs::write(project.path().join("agent.wasm"), packed("agent")).unwrap();
    let config = server(&project, "hostile", "hostile.py", &["changes"], "");
    project.write("pi.toml", &format!("{agent}{services}{config}"));
    let _host = RunningHost::start(&project);
    let fails = |tool: &str| {
        until("failure", || {
            let said = call(&project, tool, json!({}));
            (said.code != Some(0)).then_some(said.out)
        })
    };
    assert!(fails("hostile_fine").contains("describes `hostile_fine` otherwise"));
    assert!(fails("hostile_list").contains("no tool `hostile_list` any more"));
}

/// An agent that may call these tools.
fn agent(names: &str) -> String {
    let agent = "[plugins.guest_agent]\npath = \"agent.wasm\"\n[agents.guest_agent]\n";
    format!("{agent}[grants.guest_agent.tools]\nnames = {names}\n")
}

#[test]
fn only_the_tools_that_are_named_are_offered() {
    let project = project("tools = [\"add\"]");
    let listed = project.run(&["tool", "list"]);
    assert!(listed.out.contains("sample_add") && !listed.out.contains("sample_die"), "{}", listed.out);
    project.write("pi.toml", &sample(&project, "tools = [\"ad\"]"));
    let listed = project.run(&["tool", "list"]);
    assert!(listed.err.contains("it has no tool `ad`") && listed.err.contains("Say-Hello"), "{}", listed.err);
    project.write("pi.toml", &sample(&project, "read_only = [\"look_at\"]"));
    let listed = project.run(&["tool", "list"]);
    assert!(listed.err.contains("[mcp.sample] read_only: it has no tool `look_at`"), "{}", listed.err);
}

#[test]
fn an_agent_calls_those_that_it_is_granted() {
    let project = Project::new();
    std::fs::write(project.path().join("agent.wasm"), packed("agent")).unwrap();
    let grants = |names: &str| {
        let config = format!("{}{}", agent(names), sample(&project, ""));
        project.write("pi.toml", &config);
        project.run(&["run", "guest_agent", "call sample_add {\"one\":40,\"other\":2}"])
    };
    let said = grants("[\"sample_*\"]");
    assert!(said.out.contains("available: true") && said.out.contains("42"), "{}{}", said.out, said.err);
    let said = grants("[\"sample_say_*\"]");
    assert!(said.out.contains("available: false") && said.out.contains("not granted"), "{}{}", said.out, said.err);
}

#[test]
fn one_at_a_url_is_called_and_its_header_is_hidden() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/server.py");
    let mut serving = std::process::Command::new(sdk::python())
        .arg(script)
        .args(["--port", &port.to_string()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let project = Project::with(&format!(
        "[mcp.remote]\nurl = \"http://127.0.0.1:{port}/mcp\"\nheaders = {{ Authorization = \"REMOTE_TOKEN\" }}\n"
    ));
    let mut command = project.command(&["--json", "tool", "call", "remote_add", "{\"one\":1,\"other\":2}"]);
    let said = Said::of(command.env("REMOTE_TOKEN", format!("Bearer {SECRET}")).output().unwrap());
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert_eq!(said.json()["content"][0]["json"], json!({ "sum": 3 }), "{}", said.err);
    let store = std::fs::read(project.path().join(".pi/store.db")).unwrap();
    assert!(!store.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    let mut command = project.command(&["tool", "call", "remote_add", "{\"one\":1,\"other\":2}"]);
    let said = Said::of(command.env("REMOTE_TOKEN", SECRET).output().unwrap());
    assert!(said.code == Some(1) && said.err.contains("mcp:remote"), "{}", said.err);
}
