//! Plugins in every language that `plugin new` knows, by the commands of docs/languages: made, built, tested,
//! installed, called, and held to the same limits.
//!
//! Each language is one test, so that they run side by side; a toolchain that cannot be had fails its test,
//! and says what is missing.

mod foreign;
mod reference;
mod workshop;

use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use self::foreign::Weather;
use self::reference::{ANSWERS, ANSWERS_OF_HTTP, Reference};
use self::workshop::Workshop;
use crate::project::{Project, Said};

const NOTES: &str = r#"{"path":"data/notes.txt"}"#;

fn good(said: Said) -> Said {
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    said
}

/// The tool `count`, as a newcomer makes it; then in a project of its own, where it was installed.
fn a_tool_is_made_and_installed(workshop: &Workshop) -> (std::path::PathBuf, Project) {
    let counter = workshop.project("counter", "tool");
    workshop.build(&counter);
    let said = workshop.good(&counter, "pi-host", &["plugin", "test"]);
    assert_eq!(said.out.trim(), "3 passed, 0 failed", "{}", said.err);
    let said = workshop.good(&counter, "pi-host", &["--json", "tool", "call", "count", NOTES]);
    let counted = json!({ "path": "data/notes.txt", "lines": 2, "words": 14, "bytes": 64 });
    assert_eq!(said.json(), json!({ "content": [{ "json": counted }] }));

    let project = Project::new();
    for folder in ["data", "other"] {
        std::fs::create_dir(project.path().join(folder)).unwrap();
    }
    project.write("data/notes.txt", "one two\nthree\n");
    project.write("other/secret.txt", "secret\n");
    let component = counter.join("counter.wasm").display().to_string();
    let said = good(project.run(&["plugin", "install", &component, "--yes"]));
    assert!(said.err.contains("files: reads the file that a call names"), "{}", said.err);
    let said = good(project.run(&["--json", "tool", "call", "count", NOTES]));
    let counted = json!({ "path": "data/notes.txt", "lines": 2, "words": 3, "bytes": 14 });
    assert_eq!(said.json(), json!({ "content": [{ "json": counted }] }));
    let said = project.run(&["--json", "tool", "call", "count", r#"{"path":"other/secret.txt"}"#]);
    let error = said.json()["error"].clone();
    assert_eq!((said.code, error["kind"].as_str()), (Some(1), Some("failed")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("[grants.counter.files] read"), "{error}");
    (counter, project)
}

/// An agent in the same language does a real task with the tool that was installed before.
fn an_agent_does_a_task(workshop: &Workshop, counter: &Path, project: &Project) {
    let asker = workshop.project("asker", "agent");
    workshop.share(counter, &asker);
    workshop.build(&asker);
    let said = workshop.good(&asker, "pi-host", &["plugin", "test"]);
    assert_eq!(said.out.trim(), "3 passed, 0 failed", "{}", said.err);
    let component = asker.join("asker.wasm").display().to_string();
    good(project.run(&["plugin", "install", &component, "--yes"]));
    let said = good(project.run(&["--json", "run", "asker", "How long is data/notes.txt?"]));
    assert!(said.out.contains("`data/notes.txt` has 2 lines, 3 words and 14 bytes."), "{}{}", said.out, said.err);
    assert!(said.out.contains("done"), "{}", said.out);
}

/// What a language's own library can try.
const ATTEMPTS: [&str; 6] = ["read_file", "write_file", "list_folder", "environment", "connect", "resolve"];

fn made_and_installed(language: &'static str) -> (Workshop, std::path::PathBuf) {
    let workshop = Workshop::of(language);
    let (counter, project) = a_tool_is_made_and_installed(&workshop);
    an_agent_does_a_task(&workshop, &counter, &project);
    (workshop, counter)
}

fn held_to_its_limits(language: &'static str) {
    let (workshop, counter) = made_and_installed(language);
    let reference = Reference::of(&workshop.reference(&counter, language));
    assert_eq!(reference.answers(), ANSWERS);
    assert_eq!(reference.answers_of_http(), ANSWERS_OF_HTTP);
    reference.no_attempt_escapes(&ATTEMPTS);
}

#[test]
fn rust_is_made_installed_and_held_to_its_limits() {
    held_to_its_limits("rust");
}

#[test]
fn python_is_made_installed_and_held_to_its_limits() {
    held_to_its_limits("python");
}

#[test]
fn c_is_made_installed_and_held_to_its_limits() {
    held_to_its_limits("c");
}

/// Its first back-end has no requests and no library to get out by: the variables are all that can be looked at.
/// In the second one the interfaces are called by name, and so is the engine's own `fetch`.
#[test]
fn javascript_is_made_installed_and_held_to_its_limits() {
    let (workshop, counter) = made_and_installed("js");
    let quickjs = Reference::of(&workshop.reference(&counter, "js"));
    assert_eq!(quickjs.answers(), ANSWERS);
    quickjs.no_attempt_escapes(&["environment"]);
    let starlingmonkey = Reference::of(&workshop.reference(&counter, "js-http"));
    assert_eq!(starlingmonkey.answers(), ANSWERS);
    assert_eq!(starlingmonkey.answers_of_http(), ANSWERS_OF_HTTP);
    starlingmonkey.no_attempt_escapes(&[&ATTEMPTS[..], &["fetch", "fetch_metadata"]].concat());
    Weather::of(&workshop).is_refused_in_plain_words_and_asks_where_it_may();
}

/// The bindings for C are kept, and would otherwise go on to speak of interfaces that are others by now.
#[test]
fn the_bindings_for_c_are_of_the_interfaces_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = String::new();
    for path in interfaces(root) {
        let digest = Sha256::digest(std::fs::read(root.join(&path)).unwrap());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        found.push_str(&format!("{hex}  {path}\n"));
    }
    let recorded = std::fs::read_to_string(root.join("host/scaffold/c/bindings.sha256")).unwrap();
    assert_eq!(recorded, found, "wit/ was changed: run `sh host/scaffold/c/generate.sh`, and commit what it makes");
}

/// What the bindings are made of, by path.
fn interfaces(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for folder in ["wit", "wit/deps", "host/scaffold/c"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".wit") && name != "host.wit" {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    paths.sort();
    paths
}

#[test]
fn the_pages_of_the_languages_name_commands_that_exist() {
    let project = Project::new();
    let mut commands = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/languages")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines() {
            let line = line.trim_start_matches("$ ");
            let Some(rest) = line.strip_prefix("pi-host ") else { continue };
            let words: Vec<&str> = rest.split_whitespace().collect();
            let count = if words[0] == "run" { 1 } else { 2 };
            let said = project.run(&[&words[..count], &["--help"][..]].concat());
            assert_eq!(said.code, Some(0), "{line}: {}", said.err);
            let options = words.iter().filter(|word| word.starts_with("--"));
            for option in options {
                assert!(said.out.contains(option), "{line}: there is no {option}");
            }
            commands += 1;
        }
    }
    assert!(commands >= 12, "{commands}");
}
