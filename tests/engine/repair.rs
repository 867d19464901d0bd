//! A small repository with a failing test is repaired: read, edited and tested through the gate and the sandbox.

use std::process::Command;

use serde_json::json;

use super::*;

/// Its length changes with the repair: Python tells its compiled files from others by the second and the length.
const CALC: &str = "def add(a, b):\n    return a - 1 * b\n\n\ndef twice(a):\n    return add(a, a)\n";
const TEST: &str = "import unittest\n\nfrom calc import add, twice\n\n\nclass Calc(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n\n    def test_twice(self):\n        self.assertEqual(twice(4), 8)\n";

fn git(project: &Project, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(project.path())
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn passes(project: &Project) -> bool {
    let mut tests = Command::new("python3");
    tests.current_dir(project.path()).args(["-B", "-m", "unittest", "-q"]).output().unwrap().status.success()
}

fn repository(wire: Wire, server: &ModelServer) -> Project {
    let project = Project::with(&format!("{}{GRANTS}", wire.model(server)));
    project.write("calc.py", CALC);
    project.write("test_calc.py", TEST);
    project.write(".gitignore", ".pi\n__pycache__\n");
    git(&project, &["init", "-q"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "-q", "-m", "begin"]);
    project
}

/// Looks at both files side by side, sees the test fail, edits, sees it pass.
fn script() -> Vec<Reply> {
    let edit = json!({ "path": "calc.py", "old": "return a - 1 * b", "new": "return a + b" });
    vec![
        Reply::text("I look at both files.").and_call("a", "read", r#"{"path":"calc.py"}"#).and_call(
            "b",
            "read",
            r#"{"path":"test_calc.py"}"#,
        ),
        bash("c", "python3 -m unittest -q 2>&1"),
        Reply::call("d", "edit", &edit),
        bash("e", "python3 -m unittest -q 2>&1 && echo all pass"),
        Reply::text("`add` subtracted; it adds now, and all tests pass."),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_test_is_made_to_pass_in_either_protocol() {
    for wire in [Wire::Anthropic, Wire::Openai] {
        let server = ModelServer::start(script()).await;
        let project = repository(wire, &server);
        assert!(!passes(&project));
        let said = run(&project, &["--json", "run", "make the failing test pass"]).await;
        assert_eq!(said.code, Some(0), "{wire:?}: {}{}", said.out, said.err);
        let closed = closed(&said);
        assert_eq!((closed["status"].as_str(), closed["agent"].as_str()), (Some("done"), Some("pi")));
        assert_eq!(closed["summary"], "`add` subtracted; it adds now, and all tests pass.");
        // Nothing else was changed, and the repository's own test says so without the host.
        assert_eq!(git(&project, &["status", "--short"]), " M calc.py\n");
        assert!(passes(&project));
        let asked = server.requests();
        assert_eq!(asked.len(), 5);
        let bodies: Vec<String> = asked.iter().map(|request| request.json().to_string()).collect();
        assert!(bodies[0].contains("make the failing test pass"), "{}", bodies[0]);
        assert!(bodies[1].contains("return a - 1 * b") && bodies[1].contains("assertEqual"), "{}", bodies[1]);
        assert!(bodies[2].contains("FAILED"), "{}", bodies[2]);
        assert!(bodies[4].contains("all pass"), "{}", bodies[4]);
        assert_eq!(run(&project, &["session", "verify"]).await.code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_the_command_line_needs_no_file_and_works_in_the_folder_alone() {
    let server = ModelServer::start(vec![
        Reply::text("").and_call("a", "read", r#"{"path":"note"}"#).and_call(
            "b",
            "write",
            r#"{"path":"../outside","content":"gone"}"#,
        ),
        Reply::text("It says hello."),
    ])
    .await;
    let project = Project::new();
    project.write("note", "hello there");
    let model = format!("openai/scripted@{}", server.openai_url());
    let said = run(&project, &["--json", "run", "what does note say?", "--model", &model]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let results = results(&server.requests()[1]);
    assert!(results[0].contains("hello there") && results[1].contains("outside of the granted folders"), "{results:?}");
    assert!(!project.path().join("../outside").exists());
}

/// Each of two calls waits for what the other writes: one after the other they would never end.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_answer_are_made_side_by_side() {
    let meet = |own: &str, other: &str| {
        let script = format!("echo here > {own}; until [ -s {other} ]; do sleep 0.01; done; echo met {other}");
        json!({ "command": script, "timeout_ms": 20_000 }).to_string()
    };
    let both =
        Reply::text("").and_call("a", "bash", &meet("left", "right")).and_call("b", "bash", &meet("right", "left"));
    let server = ModelServer::start(vec![both, Reply::text("they met")]).await;
    let project = project(&server, "");
    let said = run(&project, &["--json", "run", "let them meet"]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let results = results(&server.requests()[1]);
    assert!(results[0].contains("met right") && results[1].contains("met left"), "{results:?}");
}
