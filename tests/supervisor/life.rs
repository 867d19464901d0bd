//! Starts, ends and survivals.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use pi_host::confine;
use pi_host::supervisor::{Event, MemoryBy, State, Supervisor, SupervisorError};
use rustix::process::Signal;

use super::bench::{Bench, places_of, running, send, shell, until, web};

#[tokio::test]
async fn a_service_is_started_and_what_it_says_is_kept() {
    let bench = Bench::new(shell("echo out; echo err >&2; exec sleep 1000"));
    let supervisor = bench.start().await;
    let condition = running(&supervisor).await;
    assert_eq!((condition.state, condition.starts, condition.exits.len()), (State::Running, 1, 0));
    let resident = || supervisor.status("web").unwrap().memory_bytes.filter(|bytes| *bytes > 0);
    until("its memory", resident).await;
    let said = until("two lines", || Some(supervisor.logs("web", 10).unwrap()).filter(|lines| lines.len() == 2)).await;
    let mut said: Vec<&str> = said.iter().map(|line| line.message.as_str()).collect();
    said.sort_unstable();
    assert_eq!(said, ["err", "out"]);
}

#[tokio::test]
async fn a_crash_loop_backs_off_and_keeps_how_it_ended() {
    let bench = Bench::new(shell("echo first; echo boom >&2; exit 3"));
    let supervisor = bench.start().await;
    let exits = until("four ends", || Some(web(&supervisor).exits).filter(|exits| exits.len() >= 4)).await;
    for exit in &exits {
        assert_eq!((exit.code, exit.signal, exit.out_of_memory), (Some(3), None, false));
        assert!(exit.last_words.ends_with("boom"), "{}", exit.last_words);
    }
    // Newest first: each wait is at least twice the one before.
    let times: Vec<u64> = exits.iter().rev().map(|exit| exit.time_ms).collect();
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] >= 100 && waits[1] >= 200 && waits[2] >= 400, "{waits:?}");
}

#[tokio::test]
async fn a_signal_is_told_from_an_exit_code() {
    let bench = Bench::new(shell("kill -9 $$"));
    let supervisor = bench.start().await;
    let exit = until("an end", || web(&supervisor).exits.first().cloned()).await;
    assert_eq!((exit.code, exit.signal, exit.out_of_memory), (None, Some(9), false));
}

#[tokio::test]
async fn one_that_is_not_automatic_stays_stopped_until_it_is_restarted() {
    let mut service = shell("test -e go || exit 1; exec sleep 1000");
    service.restart.is_automatic = false;
    let bench = Bench::new(service);
    let supervisor = bench.start().await;
    until("it stopped", || (web(&supervisor).state == State::Stopped).then_some(())).await;
    fs::write(bench.path().join("go"), "").unwrap();
    supervisor.restart("web").await.unwrap();
    assert_eq!(running(&supervisor).await.starts, 2);
}

#[tokio::test]
async fn a_command_that_is_not_there_is_told_and_tried_again() {
    let mut service = shell("");
    service.command = vec!["/nowhere/web".into()];
    let bench = Bench::new(service);
    let supervisor = bench.start().await;
    let exits = until("two tries", || Some(web(&supervisor).exits).filter(|exits| exits.len() >= 2)).await;
    assert!(exits[0].last_words.contains("could not be started"), "{}", exits[0].last_words);
    assert!(supervisor.restart("web").await.is_err());
}

#[tokio::test]
async fn a_restart_ends_all_descendants_and_resets_the_back_off() {
    let bench = Bench::new(shell("setsid sleep 1000 & echo $! > child; exec sleep 1000"));
    let supervisor = bench.start().await;
    let before = running(&supervisor).await;
    let child = until("the child", || fs::read_to_string(bench.path().join("child")).ok()?.trim().parse().ok()).await;
    let child = confine::identity(child).unwrap();
    let main = supervisor.restart("web").await.unwrap();
    let after = running(&supervisor).await;
    assert_ne!(before.pid, after.pid);
    assert_eq!((after.pid, after.starts), (Some(main.pid), 2));
    assert!(!confine::is_alive(&child));
    assert_eq!(after.exits[0].signal, Some(15));
}

#[tokio::test]
async fn a_stopped_process_shows_as_such_and_can_be_restarted() {
    let bench = Bench::new(shell("exec sleep 1000"));
    let supervisor = bench.start().await;
    let before = running(&supervisor).await;
    send(before.pid.unwrap(), Signal::STOP);
    until("its state", || (web(&supervisor).process_states == "T").then_some(())).await;
    supervisor.restart("web").await.unwrap();
    assert_ne!(running(&supervisor).await.pid, before.pid);
}

#[tokio::test]
async fn one_that_ignores_the_request_is_killed_after_its_time() {
    let mut service = shell("trap '' TERM; touch ready; while :; do sleep 0.1; done");
    service.restart.stop_ms_max = 200;
    let bench = Bench::new(service);
    let supervisor = bench.start().await;
    until("it is deaf", || bench.path().join("ready").exists().then_some(())).await;
    supervisor.restart("web").await.unwrap();
    assert_eq!(running(&supervisor).await.exits[0].signal, Some(9));
}

#[tokio::test]
async fn what_survived_the_host_is_taken_up() {
    let bench = Bench::new(shell("exec sleep 1000"));
    let first = bench.start().await;
    let pid = running(&first).await.pid;
    drop(first);
    let second = bench.start().await;
    let condition = running(&second).await;
    assert_eq!((condition.pid, condition.starts), (pid, 1));
    // And its end is still noticed.
    send(pid.unwrap(), Signal::KILL);
    until("a new life", || (web(&second).starts == 2).then_some(())).await;
}

#[tokio::test]
async fn a_survivor_of_another_command_is_ended_first() {
    let mut bench = Bench::new(shell("exec sleep 1000"));
    let first = bench.start().await;
    let before = bench.recorded().unwrap();
    drop(first);
    bench.config.insert("web".into(), shell("exec sleep 1001"));
    let second = bench.start().await;
    assert!(!confine::is_alive(&before));
    assert_eq!(running(&second).await.starts, 2);
}

#[tokio::test]
async fn a_survivor_that_the_configuration_no_longer_names_is_ended() {
    let mut bench = Bench::new(shell("exec sleep 1000"));
    drop(bench.start().await);
    let before = bench.recorded().unwrap();
    bench.config.clear();
    bench.start().await;
    assert!(!confine::is_alive(&before));
}

#[tokio::test]
async fn an_end_while_no_host_ran_is_noticed() {
    let bench = Bench::new(shell("echo last words; exec sleep 1000"));
    let first = bench.start().await;
    until("its words", || (first.logs("web", 1).unwrap().len() == 1).then_some(())).await;
    drop(first);
    let before = bench.recorded().unwrap();
    send(before.pid, Signal::KILL);
    until("its end", || (!confine::is_alive(&before)).then_some(())).await;
    let supervisor = bench.start().await;
    let condition = running(&supervisor).await;
    assert_eq!((condition.starts, condition.exits.len()), (2, 1));
    assert_eq!((condition.exits[0].code, condition.exits[0].signal), (None, None));
    assert_eq!(condition.exits[0].last_words, "last words");
}

#[tokio::test]
async fn a_clean_stop_ends_all_but_those_that_outlive_the_host() {
    let mut bench = Bench::of([("web", shell("exec sleep 1000")), ("kept", shell("exec sleep 1000"))]);
    bench.config.get_mut("kept").unwrap().outlives_host = true;
    let supervisor = bench.start().await;
    let (web, kept) = (bench.recorded().unwrap(), confine::service::recorded(&bench.state(), "kept").unwrap());
    supervisor.stop_all().await.unwrap();
    assert!(!confine::is_alive(&web));
    assert!(confine::is_alive(&kept));
    assert_eq!(supervisor.status("web").unwrap().state, State::Stopped);
}

#[tokio::test]
async fn those_that_depend_on_others_are_ended_before_them() {
    let line = "trap 'echo $0 >> ../order; exit' TERM; touch ready; while :; do sleep 0.05; done";
    let service = |name: &str, depends_on: &[&str]| {
        let mut service = shell(line);
        service.command.push(name.into());
        service.directory = Some(name.into());
        service.depends_on = depends_on.iter().map(|name| (*name).into()).collect();
        service
    };
    let bench = Bench::of([("a", service("a", &["b"])), ("b", service("b", &[]))]);
    for name in ["a", "b"] {
        fs::create_dir(bench.path().join(name)).unwrap();
    }
    let supervisor = bench.start().await;
    for name in ["a", "b"] {
        until("it listens", || bench.path().join(name).join("ready").exists().then_some(())).await;
    }
    supervisor.stop_all().await.unwrap();
    assert_eq!(fs::read_to_string(bench.path().join("order")).unwrap(), "a\nb\n");
}

#[tokio::test]
async fn a_second_host_is_refused_and_may_look_and_ask() {
    let bench = Bench::new(shell("exec sleep 1000"));
    let host = bench.start().await;
    let before = running(&host).await;
    assert!(matches!(bench.try_start().await, Err(SupervisorError::Taken(_))));
    let beside = Supervisor::observe(&bench.config, bench.places()).unwrap();
    assert_eq!(running(&beside).await.pid, before.pid);
    let main = beside.restart("web").await.unwrap();
    assert_ne!(Some(main.pid), before.pid);
    assert_eq!(web(&beside).pid, Some(main.pid));
}

#[tokio::test]
async fn without_a_host_a_restart_is_an_error_and_nothing_happens() {
    let bench = Bench::new(shell("exec sleep 1000"));
    let beside = Supervisor::observe(&bench.config, bench.places()).unwrap();
    assert!(beside.restart("web").await.unwrap_err().to_string().contains("pi-host run"));
    assert_eq!(web(&beside).state, State::Stopped);
}

#[tokio::test]
async fn events_tell_the_start_and_the_end() {
    let bench = Bench::new(shell("exec sleep 1000"));
    let supervisor = bench.start().await;
    let mut events = supervisor.events();
    supervisor.restart("web").await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match events.recv().await.unwrap() {
            Event::Ended { is_asked, .. } => seen.push(format!("ended, asked: {is_asked}")),
            Event::Started { .. } => seen.push("started".into()),
            Event::Probed { .. } => {}
        }
    }
    assert_eq!(seen, ["ended, asked: true", "started"]);
}

/// Where the test below runs its host.
const HOST_FOLDER: &str = "PI_TEST_HOST_FOLDER";
/// Each life of the service writes a line, so that a witness can count them.
const COUNTED: &str = "echo $$ >> lives; exec sleep 1000";

/// Not a test by itself: the host of the test below, in a process that can be killed.
#[tokio::test]
async fn host_to_be_killed() {
    let Ok(folder) = std::env::var(HOST_FOLDER) else { return };
    let config = [("web".to_owned(), shell(COUNTED))].into();
    let supervisor = Supervisor::start(&config, places_of(folder.as_ref(), MemoryBy::Kernel)).await.unwrap();
    loop {
        supervisor.restart("web").await.unwrap();
    }
}

#[tokio::test]
async fn a_host_killed_at_any_moment_of_restarting_never_leaves_two() {
    let bench = Bench::new(shell(COUNTED));
    for round in 0..12_u64 {
        let mut host = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "supervisor::life::host_to_be_killed"])
            .env(HOST_FOLDER, bench.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("a life", || bench.recorded()).await;
        // A different moment of the loop each time.
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
        host.kill().unwrap();
        host.wait().unwrap();
        until("the record says what is there", || {
            let alive = lives(&bench);
            assert!(alive.len() <= 1, "two in round {round}: {alive:?}");
            (alive.first().copied() == bench.recorded().map(|main| main.pid)).then_some(())
        })
        .await;
    }
    let supervisor = bench.start().await;
    let condition = running(&supervisor).await;
    assert_eq!(lives(&bench), [condition.pid.unwrap()]);
}

/// The lives that are alive, by the witness's file.
fn lives(bench: &Bench) -> Vec<u32> {
    let text = fs::read_to_string(bench.path().join("lives")).unwrap_or_default();
    let folder = bench.path().canonicalize().unwrap();
    let is_ours = |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
    let mut pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).filter(is_ours).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}
