//! `pi:process` as a guest calls it: what the grant, the gate and the limits let run, and what the journal says of it.

use std::sync::Arc;

use pi_host::capability::bindings::pi::process::process::{Command, Error, Exit, Host, HostChild};
use pi_host::capability::grant::GrantError;
use pi_host::capability::process::{ARGUMENT_BYTES_MAX, CHILDREN_MAX, Child, ProcessState, Surroundings};
use pi_host::capability::state::CallState;
use pi_host::config::ProcessGrant;
use pi_host::confine::{Confine, environment};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::io::poll::HostPollable;

use super::bench::Bench;

fn grant(programs: &[&str]) -> ProcessGrant {
    ProcessGrant { programs: programs.iter().map(|name| (*name).to_owned()).collect(), ..ProcessGrant::default() }
}

fn state(bench: &Bench, grant: &ProcessGrant) -> Result<ProcessState, GrantError> {
    let confine = Confine::with_helper(env!("CARGO_BIN_EXE_pi-host"));
    ProcessState::new(grant, &bench.project(), confine, &Surroundings::default())
}

fn call(bench: &Bench, grant: &ProcessGrant) -> CallState {
    let mut call = bench.call(&[], &[]);
    call.process = Some(Arc::new(state(bench, grant).unwrap()));
    call
}

fn command(program: &str, arguments: &[&str]) -> Command {
    Command {
        program: program.into(),
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        environment: Vec::new(),
        directory: String::new(),
        timeout_ms: None,
    }
}

async fn start(call: &mut CallState, command: Command) -> Result<Resource<Child>, Error> {
    Host::start(call, command).await.unwrap()
}

/// A second name of the same handle, as a guest has it.
fn lend(child: &Resource<Child>) -> Resource<Child> {
    Resource::new_borrow(child.rep())
}

/// Read it to its end, and drop it.
async fn finish(call: &mut CallState, child: Resource<Child>) -> (String, Exit) {
    let mut text = Vec::new();
    loop {
        let pollable = call.subscribe(lend(&child)).await.unwrap();
        HostPollable::block(&mut call.table, Resource::new_borrow(pollable.rep())).await.unwrap();
        HostPollable::drop(&mut call.table, pollable).unwrap();
        let output = HostChild::read(call, lend(&child), 1 << 16).await.unwrap();
        text.extend(output.stdout);
        text.extend(output.stderr);
        if let Some(exit) = output.ended {
            HostChild::drop(call, child).await.unwrap();
            return (String::from_utf8(text).unwrap(), exit);
        }
    }
}

async fn run(call: &mut CallState, command: Command) -> Result<(String, Exit), Error> {
    let child = start(call, command).await?;
    Ok(finish(call, child).await)
}

fn text_of(error: Error) -> String {
    match error {
        Error::NotGranted(text) => format!("not granted: {text}"),
        Error::NotFound(text) => format!("not found: {text}"),
        Error::Invalid(text) => format!("invalid: {text}"),
        Error::Limit(text) => format!("limit: {text}"),
        Error::Other(text) => format!("other: {text}"),
        Error::Refused(refusal) => format!("refused: {} by {}", refusal.action, refusal.rule),
    }
}

async fn error(call: &mut CallState, command: Command) -> String {
    text_of(run(call, command).await.unwrap_err())
}

fn path_of(program: &str) -> String {
    environment::find(program, environment::PATH.as_ref()).unwrap().display().to_string()
}

#[tokio::test]
async fn a_granted_program_runs_and_is_journalled() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["printf"]));
    assert_eq!(run(&mut call, command("printf", &["%s", "hello"])).await.unwrap(), ("hello".into(), Exit::Code(0)));
    assert_eq!(bench.acts().await, [format!("started: run `{} %s hello`", path_of("printf")), "ended: Done".into()]);
}

#[tokio::test]
async fn the_outcome_says_how_it_ended() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["sh"]));
    assert_eq!(run(&mut call, command("sh", &["-c", "echo 1234; exit 3"])).await.unwrap().1, Exit::Code(3));
    assert_eq!(bench.details().await, [serde_json::json!({ "exit": { "code": 3 }, "output_bytes": 5 })]);
}

#[tokio::test]
async fn a_program_is_meant_by_its_path_as_well() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["printf"]));
    assert_eq!(run(&mut call, command(&path_of("printf"), &["x"])).await.unwrap().0, "x");
}

#[tokio::test]
async fn what_is_available_is_what_was_found() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["printf", "no-such-program", "sh"]));
    let names: Vec<(String, String)> =
        call.available().await.unwrap().into_iter().map(|program| (program.name, program.path)).collect();
    assert_eq!(names, [("printf".into(), path_of("printf")), ("sh".into(), path_of("sh"))]);
    assert!(bench.acts().await.is_empty());
}

#[tokio::test]
async fn a_program_without_a_grant_is_denied_with_the_line_that_would_allow_it() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["printf"]));
    let text = error(&mut call, command("ps", &[])).await;
    assert_eq!(
        text,
        "not granted: the program `ps` is not granted\nhint: add \"ps\" to [grants.tester.process] programs in pi.toml"
    );
    assert!(bench.acts().await.is_empty());
}

#[tokio::test]
async fn another_program_of_the_same_name_is_not_granted() {
    let bench = Bench::new().await;
    let own = bench.file("printf", "#!/bin/sh\n");
    let mut call = call(&bench, &grant(&["printf"]));
    for path in [own.to_str().unwrap(), "./printf", "../printf", "printf/", "/printf", ""] {
        assert!(error(&mut call, command(path, &[])).await.starts_with("not granted"), "{path}");
    }
}

#[tokio::test]
async fn a_granted_program_that_is_not_there_is_not_found() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["no-such-program"]));
    assert!(error(&mut call, command("no-such-program", &[])).await.starts_with("not found"));
    assert!(bench.acts().await.is_empty());
}

#[tokio::test]
async fn a_program_of_the_gates_refusal_does_not_run() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["touch"]));
    let text = error(&mut call, command("touch", &["forbidden"])).await;
    assert_eq!(text, format!("refused: run `{} forbidden` by forbidden_argument", path_of("touch")));
    assert!(!bench.path("forbidden").exists());
    assert_eq!(bench.acts().await, [format!("refused: run `{} forbidden`", path_of("touch"))]);
}

#[tokio::test]
async fn nothing_runs_without_a_grant() {
    let bench = Bench::new().await;
    let mut call = bench.call(&[], &[]);
    assert!(error(&mut call, command("sh", &[])).await.starts_with("not granted"));
    assert!(call.available().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_folder_is_the_projects_or_a_granted_one() {
    let bench = Bench::new().await;
    std::fs::create_dir(bench.path("inner")).unwrap();
    let mut call = call(&bench, &ProcessGrant { read: vec!["inner".into()], ..grant(&["pwd"]) });
    let project = std::fs::canonicalize(bench.project()).unwrap();
    for (directory, expected) in
        [("", project.clone()), ("inner", project.join("inner")), (project.to_str().unwrap(), project.clone())]
    {
        let command = Command { directory: directory.into(), ..command("pwd", &["-P"]) };
        assert_eq!(run(&mut call, command).await.unwrap().0.trim(), expected.to_str().unwrap());
    }
}

#[tokio::test]
async fn a_folder_outside_reads_like_one_that_is_not_there() {
    let bench = Bench::new().await;
    std::fs::create_dir(bench.path(".pi")).unwrap();
    std::fs::create_dir(bench.top.path().join("other")).unwrap();
    std::os::unix::fs::symlink("/", bench.path("link")).unwrap();
    let mut call = call(&bench, &ProcessGrant { write: vec![".".into()], ..grant(&["pwd"]) });
    for directory in ["missing", "/", "..", "../other", "link", "link/etc", ".pi"] {
        let command = Command { directory: directory.into(), ..command("pwd", &[]) };
        let text = error(&mut call, command).await;
        assert!(text.starts_with(&format!("invalid: no folder to start in: `{directory}`")), "{text}");
    }
}

#[tokio::test]
async fn variables_that_change_code_are_refused_by_name() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["env"]));
    for name in ["LD_PRELOAD", "PATH", "BASH_ENV", "PYTHONPATH", "GIT_SSH_COMMAND"] {
        let command = Command { environment: vec![(name.into(), "x".into())], ..command("env", &[]) };
        let text = error(&mut call, command).await;
        assert!(text.starts_with("invalid") && text.contains(name), "{text}");
    }
    assert!(bench.acts().await.is_empty());
}

#[tokio::test]
async fn other_variables_arrive() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["env"]));
    let command = Command { environment: vec![("ADDED".into(), "x y".into())], ..command("env", &[]) };
    assert!(run(&mut call, command).await.unwrap().0.contains("ADDED=x y\n"));
}

#[tokio::test]
async fn arguments_are_limited_in_bytes() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["true"]));
    // Each counts a byte more; the system takes none beyond 128 KiB.
    let piece = "x".repeat((ARGUMENT_BYTES_MAX / 16) - 1);
    let most: Vec<&str> = std::iter::repeat_n(piece.as_str(), 16).collect();
    assert_eq!(run(&mut call, command("true", &most)).await.unwrap().1, Exit::Code(0));
    let more: Vec<&str> = most.iter().copied().chain([""]).collect();
    assert!(
        error(&mut call, command("true", &more)).await.starts_with("invalid: more than 1048576 bytes of arguments")
    );
}

#[tokio::test]
async fn an_argument_that_the_system_does_not_take_is_an_error() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["true"]));
    assert!(error(&mut call, command("true", &[&"x".repeat(200 << 10)])).await.starts_with("invalid"));
    assert!(error(&mut call, command("true", &["a\0b"])).await.starts_with("invalid"));
}

#[tokio::test]
async fn so_many_programs_and_no_more_run_at_once() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["sleep"]));
    let mut children = Vec::new();
    for _ in 0..CHILDREN_MAX {
        children.push(start(&mut call, command("sleep", &["600"])).await.unwrap());
    }
    assert!(error(&mut call, command("sleep", &["600"])).await.starts_with("limit"));
    HostChild::drop(&mut call, children.pop().unwrap()).await.unwrap();
    children.push(start(&mut call, command("sleep", &["600"])).await.unwrap());
}

#[tokio::test]
async fn the_time_is_the_shorter_of_both() {
    let bench = Bench::new().await;
    let short = ProcessGrant { timeout_ms_max: 300, ..grant(&["sleep"]) };
    let mut call_of_short = call(&bench, &short);
    let wish = Command { timeout_ms: Some(600_000), ..command("sleep", &["600"]) };
    assert_eq!(run(&mut call_of_short, wish).await.unwrap().1, Exit::Timeout);
    let mut call_of_long = call(&bench, &grant(&["sleep"]));
    let wish = Command { timeout_ms: Some(300), ..command("sleep", &["600"]) };
    assert_eq!(run(&mut call_of_long, wish).await.unwrap().1, Exit::Timeout);
}

#[tokio::test]
async fn output_beyond_the_grant_ends_it() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &ProcessGrant { output_bytes_max: 1000, ..grant(&["head"]) });
    let most = run(&mut call, command("head", &["-c", "1000", "/dev/zero"])).await.unwrap();
    assert_eq!((most.0.len(), most.1), (1000, Exit::Code(0)));
    let more = run(&mut call, command("head", &["-c", "1001", "/dev/zero"])).await.unwrap();
    assert_eq!((more.0.len(), more.1), (1000, Exit::OutputLimit));
}

#[tokio::test]
async fn input_goes_in_and_its_end_is_told() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["sort"]));
    let child = start(&mut call, command("sort", &[])).await.unwrap();
    assert_eq!(HostChild::write(&mut call, lend(&child), b"b\na\n".to_vec()).await.unwrap(), Ok(4));
    call.close_input(lend(&child)).await.unwrap();
    assert!(HostChild::write(&mut call, lend(&child), b"c\n".to_vec()).await.unwrap().is_err());
    assert_eq!(finish(&mut call, child).await, ("a\nb\n".into(), Exit::Code(0)));
}

#[tokio::test]
async fn a_signal_that_is_none_does_nothing() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["cat"]));
    let child = start(&mut call, command("cat", &[])).await.unwrap();
    for number in [0, -1, 32, i32::MIN] {
        call.signal(lend(&child), number).await.unwrap();
    }
    call.close_input(lend(&child)).await.unwrap();
    assert_eq!(finish(&mut call, child).await.1, Exit::Code(0));
    let child = start(&mut call, command("cat", &[])).await.unwrap();
    call.signal(lend(&child), 15).await.unwrap();
    assert_eq!(finish(&mut call, child).await.1, Exit::Signal(15));
}

#[tokio::test]
async fn a_child_that_is_dropped_while_it_runs_is_journalled_as_abandoned() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["sleep"]));
    let child = start(&mut call, command("sleep", &["600"])).await.unwrap();
    HostChild::drop(&mut call, child).await.unwrap();
    assert_eq!(bench.acts().await.last().unwrap(), "ended: Abandoned");
}

#[tokio::test]
async fn a_store_that_goes_takes_its_programs_along() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["sleep"]));
    start(&mut call, command("sleep", &["600"])).await.unwrap();
    drop(call);
    assert_eq!(bench.acts().await.last().unwrap(), "ended: Abandoned");
}

#[tokio::test]
async fn a_pollable_may_outlive_its_child() {
    let bench = Bench::new().await;
    let mut call = call(&bench, &grant(&["true"]));
    let child = start(&mut call, command("true", &[])).await.unwrap();
    let pollable = call.subscribe(lend(&child)).await.unwrap();
    HostChild::drop(&mut call, child).await.unwrap();
    HostPollable::drop(&mut call.table, pollable).unwrap();
}

#[tokio::test]
async fn grants_that_cannot_be_honoured_are_errors_of_their_line() {
    let bench = Bench::new().await;
    bench.file("tools/run", "#!/bin/sh\n");
    let own = bench.path("tools/run").display().to_string();
    let wrong = |grant: ProcessGrant| state(&bench, &grant).err().unwrap().of("bash").to_string();
    let missing = wrong(ProcessGrant { read: vec!["missing".into()], ..grant(&[]) });
    assert!(missing.contains("`missing`") && missing.contains("change `read` in `[grants.bash.process]`"), "{missing}");
    let relative = wrong(grant(&["tools/run"]));
    assert!(relative.contains("a name or an absolute path"), "{relative}");
    let writable = wrong(ProcessGrant { write: vec![".".into()], ..grant(&[&own]) });
    assert!(writable.contains("lets be overwritten"), "{writable}");
    // Also where it is another plugin's grant that opens it.
    let around = Surroundings { writable: vec!["tools".into()], ..Surroundings::default() };
    let confine = Confine::with_helper(env!("CARGO_BIN_EXE_pi-host"));
    let other = ProcessState::new(&grant(&[&own]), &bench.project(), confine, &around).err().unwrap();
    assert!(other.to_string().contains("lets be overwritten"), "{other}");
    let above = wrong(ProcessGrant { write: vec!["..".into()], ..grant(&[]) });
    assert!(above.contains("the project lies in it"), "{above}");
}

#[tokio::test]
async fn a_script_of_the_project_runs_where_it_is_readable() {
    let bench = Bench::new().await;
    let script = bench.file("tools/run", "#!/bin/sh\necho \"$0 $1\"\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = script.display().to_string();
    let mut call = call(&bench, &ProcessGrant { read: vec!["tools".into()], ..grant(&[&script]) });
    assert_eq!(run(&mut call, command(&script, &["x"])).await.unwrap().0, format!("{script} x\n"));
}

#[tokio::test]
async fn a_granted_folder_that_became_a_link_stops_the_program() {
    let bench = Bench::new().await;
    std::fs::create_dir(bench.path("build")).unwrap();
    let outside = bench.top.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let mut call = call(&bench, &ProcessGrant { write: vec!["build".into()], ..grant(&["sh"]) });
    let write = || command("sh", &["-c", "echo x > build/f"]);
    assert_eq!(run(&mut call, write()).await.unwrap().1, Exit::Code(0));
    std::fs::rename(bench.path("build"), bench.path("old")).unwrap();
    std::os::unix::fs::symlink(&outside, bench.path("build")).unwrap();
    let refused = run(&mut call, write()).await;
    assert!(!matches!(&refused, Ok((_, Exit::Code(0)))), "{refused:?}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn nothing_that_runs_as_its_owner_is_left_behind() {
    let bench = Bench::new().await;
    std::fs::create_dir(bench.path("w")).unwrap();
    let mut call = call(&bench, &ProcessGrant { write: vec!["w".into()], ..grant(&["sh"]) });
    let script = "cp /usr/bin/id w/a; chmod 4755 w/a; cp -a /usr/bin/su w/b; chmod 2755 w/a; chmod 700 w/a";
    run(&mut call, command("sh", &["-c", script])).await.unwrap();
    for name in ["w/a", "w/b"] {
        let Ok(metadata) = std::fs::metadata(bench.path(name)) else { continue };
        let mode = std::os::unix::fs::MetadataExt::mode(&metadata);
        assert_eq!(mode & 0o6000, 0, "{name}: {mode:o}");
    }
    let made = std::fs::metadata(bench.path("w/a")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&made) & 0o7777, 0o700);
}
