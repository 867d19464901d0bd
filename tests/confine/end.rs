//! Nothing of a program is left: however it ends, whatever it started, and when its host is killed.

use pi_host::confine::{Exit, Spec, start};

use super::bench::{Bench, OtherHost, as_other_host, confine, count, run, sleep_of_its_own, until};

/// Starts a daemon that leaves its parent, group and session, and then does `then`.
fn with_daemon(bench: &Bench, sleep: &str, then: &str) -> Spec {
    bench.sh(&format!("setsid sh -c 'sleep {sleep} & sleep {sleep} & wait' & (setsid sleep {sleep} &) ; {then}"))
}

async fn until_daemons_run(sleep: &str) {
    until("three daemons run", || count(sleep) == 3).await;
}

async fn until_gone(sleep: &str) {
    until("no daemon runs", || count(sleep) == 0).await;
}

#[tokio::test]
async fn a_daemon_ends_with_its_program() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    let running = start(&confine(), with_daemon(&bench, &sleep, "read line")).await.unwrap();
    until_daemons_run(&sleep).await;
    let (_, exit) = running.finish().await;
    assert!(matches!(exit, Exit::Code(_)));
    assert_eq!(count(&sleep), 0);
}

#[tokio::test]
async fn a_daemon_ends_with_a_kill() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    let running = start(&confine(), with_daemon(&bench, &sleep, "sleep 600")).await.unwrap();
    until_daemons_run(&sleep).await;
    running.signal(9).unwrap();
    assert_eq!(running.finish().await.1, Exit::Signal(9));
    assert_eq!(count(&sleep), 0);
}

#[tokio::test]
async fn a_daemon_ends_with_the_handle() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    let running = start(&confine(), with_daemon(&bench, &sleep, "sleep 600")).await.unwrap();
    until_daemons_run(&sleep).await;
    drop(running);
    until_gone(&sleep).await;
}

#[tokio::test]
async fn a_daemon_ends_with_the_deadline() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    let mut spec = with_daemon(&bench, &sleep, "echo partial; sleep 600");
    spec.limits.timeout_ms = 1_500;
    let (output, exit) = run(spec).await;
    assert_eq!((output.stdout.as_slice(), exit), (&b"partial\n"[..], Exit::Timeout));
    assert_eq!(count(&sleep), 0);
}

#[tokio::test]
async fn a_daemon_ends_with_the_output_limit() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    let mut spec = with_daemon(&bench, &sleep, "yes");
    spec.limits.output_bytes = 1 << 20;
    assert_eq!(run(spec).await.1, Exit::OutputLimit);
    assert_eq!(count(&sleep), 0);
}

#[tokio::test]
async fn a_daemon_ends_with_a_killed_host() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    std::fs::write(bench.project().join("sleep"), &sleep).unwrap();
    let mut host = OtherHost::start("confine::end::another_host_runs_a_daemon", &bench.project());
    until_daemons_run(&sleep).await;
    host.kill();
    until_gone(&sleep).await;
}

/// Does nothing but in the process that the test above starts.
#[tokio::test]
async fn another_host_runs_a_daemon() {
    let Some(folder) = as_other_host() else { return };
    let sleep = std::fs::read_to_string(folder.join("sleep")).unwrap();
    let bench = Bench::new();
    let mut spec = with_daemon(&bench, &sleep, "sleep 600");
    spec.limits.timeout_ms = 600_000;
    run(spec).await;
}

#[tokio::test]
async fn a_stopped_program_ends_with_the_handle() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    let running = start(&confine(), bench.sh(&format!("sleep {sleep}; true"))).await.unwrap();
    until("it runs", || count(&sleep) == 1).await;
    running.signal(19).unwrap();
    drop(running);
    until_gone(&sleep).await;
}

#[tokio::test]
async fn no_zombie_is_left() {
    let bench = Bench::new();
    for _ in 0..3 {
        run(bench.sh("true")).await;
        drop(start(&confine(), bench.spec("sleep", &["600"])).await.unwrap());
    }
    let own = format!(" {} ", std::process::id());
    let zombies = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
            .filter(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(&format!(" Z{own}"))))
            .count()
    };
    until("all helpers were waited for", || zombies() == 0).await;
}
