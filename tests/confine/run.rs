//! A program runs: its output, its input, its limits, and the errors of its start.

use futures::FutureExt;
use pi_host::confine::{Exit, StartError, start};

use super::bench::{Bench, confine, find, run, said, start_error, until};

#[tokio::test]
async fn output_and_exit_code_arrive() {
    let bench = Bench::new();
    let (output, exit) = run(bench.sh("echo out; echo err >&2; exit 7")).await;
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(exit, Exit::Code(7));
}

#[tokio::test]
async fn a_signal_is_told_from_an_exit_code() {
    let bench = Bench::new();
    assert_eq!(run(bench.sh("kill -SEGV $$")).await.1, Exit::Signal(11));
    assert_eq!(run(bench.sh("exit 139")).await.1, Exit::Code(139));
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let bench = Bench::new();
    let (text, _) = said(bench.spec("printf", &["%s|", "a b", "$HOME", "*", "", "'\"\n"])).await;
    assert_eq!(text, "a b|$HOME|*||'\"\n|");
}

#[tokio::test]
async fn a_mebibyte_of_arguments_arrives() {
    let bench = Bench::new();
    let long = "x".repeat(100 << 10);
    let arguments: Vec<&str> = std::iter::once("%s").chain(std::iter::repeat_n(long.as_str(), 10)).collect();
    assert_eq!(run(bench.spec("printf", &arguments)).await.0.stdout.len(), 1000 << 10);
}

#[tokio::test]
async fn it_starts_in_its_folder() {
    let bench = Bench::new();
    assert_eq!(said(bench.sh("pwd -P")).await.0, format!("{}\n", bench.project().display()));
}

#[tokio::test]
async fn the_environment_is_clean() {
    let bench = Bench::new();
    let mut spec = bench.spec("env", &[]);
    spec.environment = vec![("ADDED".into(), "1".into())];
    let (text, _) = said(spec).await;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let path = format!("PATH={}", pi_host::confine::environment::PATH);
    assert_eq!(lines, ["ADDED=1", "HOME=/nonexistent", "LANG=C.UTF-8", path.as_str(), "TZ=UTC"]);
}

#[tokio::test]
async fn no_descriptor_of_the_host_is_inherited() {
    let bench = Bench::new();
    let (text, _) = said(bench.spec("ls", &["/proc/self/fd"])).await;
    // The fourth is the folder that is being listed.
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn input_is_handed_on_until_it_is_closed() {
    let bench = Bench::new();
    let running = start(&confine(), bench.spec("cat", &[])).await.unwrap();
    assert_eq!(running.write(b"to and fro").unwrap(), 10);
    let (output, exit) = running.finish().await;
    assert_eq!((output.stdout.as_slice(), exit), (&b"to and fro"[..], Exit::Code(0)));
}

#[tokio::test]
async fn input_beyond_the_pipe_is_not_taken() {
    let bench = Bench::new();
    let running = start(&confine(), bench.spec("sleep", &["600"])).await.unwrap();
    let much = vec![0; 1 << 20];
    let taken = running.write(&much).unwrap();
    assert!(taken > 0 && taken < much.len(), "{taken}");
    assert_eq!(running.write(&much).unwrap(), 0);
}

#[tokio::test]
async fn input_that_is_closed_is_an_error() {
    let bench = Bench::new();
    let running = start(&confine(), bench.spec("sleep", &["600"])).await.unwrap();
    running.close_input();
    assert!(running.write(b"x").is_err());
}

#[tokio::test]
async fn a_silent_program_is_not_ready() {
    let bench = Bench::new();
    let running = start(&confine(), bench.spec("sleep", &["600"])).await.unwrap();
    assert!(running.watch().ready().now_or_never().is_none());
}

#[tokio::test]
async fn output_is_there_before_the_end() {
    let bench = Bench::new();
    let running = start(&confine(), bench.sh("echo first; cat")).await.unwrap();
    running.watch().ready().await;
    let output = running.read(100);
    assert_eq!((output.stdout.as_slice(), output.ended), (&b"first\n"[..], None));
    running.write(b"second\n").unwrap();
    assert_eq!(running.finish().await.0.stdout, b"second\n");
}

#[tokio::test]
async fn ten_mebibytes_pass_through_the_buffers() {
    let bench = Bench::new();
    let running = start(&confine(), bench.spec("head", &["-c", "10485760", "/dev/zero"])).await.unwrap();
    let (mut bytes, watch) = (0, running.watch());
    loop {
        watch.ready().await;
        let output = running.read(10_000);
        bytes += output.stdout.len();
        if let Some(exit) = output.ended {
            assert_eq!((exit, bytes), (Exit::Code(0), 10 << 20));
            return;
        }
    }
}

#[tokio::test]
async fn an_unread_flood_waits_in_its_own_write() {
    let bench = Bench::new();
    let running = start(&confine(), bench.spec("head", &["-c", "10485760", "/dev/zero"])).await.unwrap();
    until("the buffer is full", || running.output_bytes() == 256 << 10).await;
    assert_eq!(running.read(1).stdout.len(), 1);
    until("the room is used", || running.output_bytes() == (256 << 10) + 1).await;
    assert_eq!(running.ended(), None);
}

#[tokio::test]
async fn output_up_to_the_limit_is_no_matter() {
    let bench = Bench::new();
    let mut spec = bench.sh("head -c 1000 /dev/zero; head -c 1000 /dev/zero >&2");
    spec.limits.output_bytes = 2000;
    let (output, exit) = run(spec).await;
    assert_eq!((output.stdout.len() + output.stderr.len(), exit), (2000, Exit::Code(0)));
}

#[tokio::test]
async fn a_byte_more_than_the_limit_ends_it() {
    let bench = Bench::new();
    let mut spec = bench.sh("head -c 2001 /dev/zero; sleep 600");
    spec.limits.output_bytes = 2000;
    let (output, exit) = run(spec).await;
    assert_eq!((output.stdout.len(), exit), (2000, Exit::OutputLimit));
}

#[tokio::test]
async fn memory_within_the_limit_can_be_used() {
    let bench = Bench::new();
    let mut spec = bench.python("print(len(bytearray(64 << 20)))");
    spec.limits.memory_bytes = 128 << 20;
    assert_eq!(said(spec).await, ("67108864\n".into(), Exit::Code(0)));
}

#[tokio::test]
async fn memory_beyond_the_limit_cannot() {
    let bench = Bench::new();
    let mut spec = bench.python("print(len(bytearray(256 << 20)))");
    spec.limits.memory_bytes = 128 << 20;
    let (text, exit) = said(spec).await;
    assert_ne!(exit, Exit::Code(0), "{text}");
}

#[tokio::test]
async fn many_processes_together_are_held_to_the_memory_limit() {
    let bench = Bench::new();
    let script = "import os, time
for _ in range(8):
    if os.fork() == 0:
        held = bytearray(40 << 20)
        time.sleep(600)
for _ in range(8):
    os.wait()
    os._exit(3)";
    let mut spec = bench.python(script);
    spec.limits.memory_bytes = 128 << 20;
    assert_ne!(run(spec).await.1, Exit::Timeout);
}

#[tokio::test]
async fn processes_beyond_the_limit_cannot_be_started() {
    let bench = Bench::new();
    let mut spec = bench.sh("for i in $(seq 200); do sleep 600 & done; echo started all");
    spec.limits.processes = 20;
    let (text, exit) = said(spec).await;
    assert!(!text.contains("started all"), "{text}");
    assert_ne!(exit, Exit::Code(0));
}

#[tokio::test]
async fn a_fork_bomb_ends_with_its_deadline() {
    let bench = Bench::new();
    let mut spec = bench.sh("bomb() { bomb | bomb & bomb; }; bomb");
    spec.limits.processes = 30;
    spec.limits.timeout_ms = 2_000;
    let (_, exit) = run(spec).await;
    assert_ne!(exit, Exit::Code(0));
}

#[tokio::test]
async fn a_file_cannot_grow_beyond_the_limit() {
    let bench = Bench::new();
    let mut spec = bench.sh("head -c 5000 /dev/zero > big; wc -c < big");
    spec.limits.file_bytes = 4096;
    assert!(said(spec).await.0.contains("4096"));
}

#[tokio::test]
async fn a_signal_reaches_the_program_and_its_descendants() {
    let bench = Bench::new();
    let script =
        "trap 'echo outer' USR1; (trap 'echo inner; exit' USR1; echo ready; while :; do sleep 0.05; done) & wait; wait";
    let running = start(&confine(), bench.sh(script)).await.unwrap();
    running.watch().ready().await;
    assert_eq!(running.read(100).stdout, b"ready\n");
    running.signal(10).unwrap();
    let (output, _) = running.finish().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("outer") && text.contains("inner"), "{text}");
}

#[tokio::test]
async fn only_signals_from_1_to_31_are_sent() {
    let bench = Bench::new();
    let running = start(&confine(), bench.spec("sleep", &["600"])).await.unwrap();
    for number in [0, -9, 32, 64, i32::MAX, i32::MIN] {
        assert!(running.signal(number).is_err(), "{number}");
    }
    for number in [1, 31] {
        assert!(running.signal(number).is_ok(), "{number}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_not_found() {
    let bench = Bench::new();
    assert!(matches!(start_error(bench.spec("/usr/bin/no-such-program", &[])).await, StartError::NotFound(_)));
}

#[tokio::test]
async fn a_script_without_its_interpreter_is_not_found() {
    let bench = Bench::new();
    let script = script(&bench, "#!/no/such/interpreter\n", 0o755);
    assert!(matches!(start_error(bench.spec(&script, &[])).await, StartError::NotFound(_)));
}

#[tokio::test]
async fn a_file_without_the_right_to_execute_is_a_matter_of_permission() {
    let bench = Bench::new();
    let script = script(&bench, "#!/bin/sh\n", 0o644);
    assert!(matches!(start_error(bench.spec(&script, &[])).await, StartError::Permission(_)));
}

#[tokio::test]
async fn a_folder_that_cannot_be_entered_is_said() {
    let bench = Bench::new();
    let mut spec = bench.sh("true");
    spec.directory = bench.project().join("missing");
    let error = start_error(spec).await;
    assert!(matches!(&error, StartError::Invalid(text) if text.contains("missing")), "{error}");
}

#[tokio::test]
async fn a_helper_that_is_no_helper_is_said() {
    let bench = Bench::new();
    let other = pi_host::confine::Confine::with_helper(find("true"));
    let Err(error) = start(&other, bench.sh("true")).await else { panic!("it was started") };
    assert!(matches!(error, StartError::Helper(_)), "{error}");
}

#[tokio::test]
async fn this_system_offers_what_the_tests_rely_on() {
    let abilities = pi_host::confine::abilities(&confine()).await.unwrap();
    assert!(abilities.seccomp, "{abilities:?}");
}

fn script(bench: &Bench, text: &str, mode: u32) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = bench.project().join("script");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}
