//! The shell's core against native bash, script by script, and what is its own.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod native;

use std::path::Path;
use std::sync::Arc;

use native::Machine;
use plugin_bash::system::System;
use plugin_bash::{Call, Ended, run};

/// Native programs that the scripts of the table use by name or path.
const PROGRAMS: &[&str] = &["perl", "sleep", "sh", "id", "cat"];

fn shell(folder: &Path, call: Call) -> Ended {
    let machine: Arc<dyn System> = Arc::new(Machine::new(folder, PROGRAMS));
    run(&call, &machine).unwrap()
}

fn call(command: &str) -> Call {
    Call { command: command.into(), ..Call::default() }
}

fn says(command: &str) -> (String, String, i32) {
    let folder = tempfile::tempdir().unwrap();
    let ended = shell(folder.path(), call(command));
    (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap(), ended.exit_code)
}

#[test]
fn equals_native_bash() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bash");
    let wanted = std::env::var("SCRIPT").ok();
    let mut paths: Vec<_> = std::fs::read_dir(scripts).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".sh") || wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
            continue;
        }
        let script = std::fs::read_to_string(&path).unwrap();
        let (real, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let native = std::process::Command::new("bash")
            .arg("-c")
            .arg(&script)
            .current_dir(real.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", real.path())
            .env("LC_ALL", "C.UTF-8")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let mut ended = shell(
            ours.path(),
            Call { environment: [("LC_ALL".to_owned(), "C.UTF-8".to_owned())].into(), ..call(&script) },
        );
        if std::env::var("SHOW").is_ok() {
            eprintln!("--- {name}\n{}", String::from_utf8_lossy(&native.stdout));
        }
        ended.stdout =
            String::from_utf8_lossy(&ended.stdout).replace(ours.path().to_str().unwrap(), "FOLDER").into_bytes();
        let stdout = String::from_utf8_lossy(&native.stdout).replace(real.path().to_str().unwrap(), "FOLDER");
        if (stdout.as_bytes(), native.status.code()) != (ended.stdout.as_slice(), Some(ended.exit_code)) {
            wrong.push(format!(
                "=== {name}\n--- native {:?}\n{stdout}\n{}--- ours {}\n{}\n{}",
                native.status.code(),
                String::from_utf8_lossy(&native.stderr),
                ended.exit_code,
                String::from_utf8_lossy(&ended.stdout),
                String::from_utf8_lossy(&ended.stderr),
            ));
        }
    }
    assert!(wrong.is_empty(), "{} scripts differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn keeps_what_was_written_before_a_syntax_error() {
    let (stdout, stderr, code) = says("echo before\nif then");
    assert_eq!((stdout.as_str(), code), ("before\n", 2), "{stderr}");
}

#[test]
fn keeps_what_was_written_before_a_limit() {
    let (stdout, stderr, code) = says("f() { f; }; echo before; f; echo after");
    assert_eq!((stdout.as_str(), code), ("before\n", 1));
    assert!(stderr.contains("a limit of the shell was reached"), "{stderr}");
}

#[test]
fn stops_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let ended =
        shell(folder.path(), Call { timeout_ms: Some(200), ..call("echo before; perl -e 'sleep 20'; echo after") });
    assert_eq!((ended.stdout.as_slice(), ended.exit_code), (b"before\n".as_slice(), 124));
}

#[test]
fn a_made_up_tool_is_not_granted() {
    let (stdout, stderr, code) = says("df -h");
    assert_eq!((stdout.as_str(), code), ("", 127));
    assert!(stderr.contains("bash: df: not granted") && stderr.contains("hint: add it to `programs`"), "{stderr}");
}

#[test]
fn finds_a_granted_program_by_name_path_and_command() {
    let (stdout, stderr, code) =
        says("which perl; type -t perl; command -v perl; type -P id; /usr/bin/id -u; /bin/id -u; command id -u; id -u");
    let id = rustix::process::getuid().as_raw();
    assert_eq!(
        stdout,
        format!("/usr/bin/perl\nfile\n/usr/bin/perl\n/usr/bin/id\n{id}\n{id}\n{id}\n{id}\n"),
        "{stderr}"
    );
    assert_eq!(code, 0);
}

#[test]
fn a_script_of_another_interpreter_is_not_run_as_shell() {
    let write = "printf '#!/usr/bin/env python9\necho I am shell\n' > x.py; chmod +x x.py;";
    for run in [
        "./x.py",
        "command ./x.py",
        "PATH=$PWD; x.py",
        "[[ -x ./x.py ]] && ./x.py",
        "[ -x x.py ] && ./x.py",
        "xargs ./x.py < /dev/null",
    ] {
        let (stdout, stderr, code) = says(&format!("{write} {run}"));
        assert_eq!(stdout, "", "{run}");
        assert!(stderr.contains("python9: not granted"), "{run}: {stderr}");
        assert!(code == 126 || run.starts_with("xargs"), "{run}: {code}");
    }
}

#[test]
fn a_script_of_a_granted_interpreter_is_its_process() {
    let write = "printf '#!/usr/bin/env perl\nprint \"perl @ARGV\\n\";' > x.pl; chmod +x x.pl;";
    let (stdout, stderr, code) = says(&format!("{write} ./x.pl a b; PATH=$PWD:$PATH x.pl c; ln -s x.pl y; ./y d"));
    assert_eq!((stdout.as_str(), code), ("perl a b\nperl c\nperl d\n", 0), "{stderr}");
}

#[test]
fn reading_a_foreign_script_gives_its_text() {
    let write = "printf '#!/usr/bin/python3\nprint(1)\n' > x.py; chmod +x x.py;";
    let all = "cat x.py; cat < x.py; head -n 9 x.py; grep -h . x.py; cp x.py y.py; cat y.py; cp -r . ../z 2>/dev/null; while read -r l; do echo \"$l\"; done < x.py; echo \"$(<x.py)\"; mapfile -t a < x.py; printf '%s\\n' \"${a[@]}\"; sed '' x.py; [ -x y.py ] && echo kept";
    let (stdout, stderr, _) = says(&format!("{write} {all}"));
    assert_eq!(stdout, format!("{}kept\n", "#!/usr/bin/python3\nprint(1)\n".repeat(9)), "{stderr}");
}
