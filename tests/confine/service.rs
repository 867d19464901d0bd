//! Services: started once, on record, and there when their host is not.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use pi_host::confine::service::{Service, ServiceSpec, last_recorded, recorded, start};
use pi_host::confine::{Identity, StartError, end, family, is_alive};

use super::bench::{Bench, OtherHost, as_other_host, confine, count, sleep_of_its_own, until};

const GRACE: Duration = Duration::from_millis(200);

fn spec(folder: &Path, command: &[&str]) -> ServiceSpec {
    ServiceSpec {
        name: "web".into(),
        state_dir: folder.to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        directory: folder.to_owned(),
        environment: BTreeMap::new(),
        stdout: folder.join("out"),
        stderr: folder.join("err"),
        file_bytes_max: None,
        cgroup_procs: None,
    }
}

/// Ends the service with the test, whatever becomes of the test.
struct Kept(Service);

impl Drop for Kept {
    fn drop(&mut self) {
        for member in family(&self.0.identity()) {
            let _ = std::process::Command::new("kill").args(["-9", &member.pid.to_string()]).status();
        }
    }
}

async fn started(spec: &ServiceSpec) -> Kept {
    Kept(start(&confine(), spec).await.unwrap())
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_default()
}

#[tokio::test]
async fn it_is_on_record_as_itself() {
    let bench = Bench::new();
    let service = started(&spec(&bench.project(), &["sleep", "600"])).await;
    let identity = service.0.identity();
    assert_eq!(recorded(&bench.project(), "web"), Some(identity));
    let program = std::fs::read_to_string(format!("/proc/{}/comm", identity.pid)).unwrap();
    assert_eq!(program, "sleep\n");
}

#[tokio::test]
async fn of_many_starts_at_once_one_starts_it() {
    let bench = Bench::new();
    let sleep = sleep_of_its_own();
    let spec = spec(&bench.project(), &["sleep", &sleep]);
    let confine = confine();
    let results = join_all((0..8).map(|_| start(&confine, &spec))).await;
    let mut running: Vec<Identity> = Vec::new();
    let mut kept: Vec<Kept> = Vec::new();
    for result in results {
        match result {
            Ok(service) => kept.push(Kept(service)),
            Err(StartError::AlreadyRunning(identity)) => running.push(identity),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((kept.len(), running.len()), (1, 7));
    assert!(running.iter().all(|identity| *identity == kept[0].0.identity()));
    assert_eq!(count(&sleep), 1);
}

#[tokio::test]
async fn it_can_be_started_again_after_its_end() {
    let bench = Bench::new();
    let spec = spec(&bench.project(), &["sh", "-c", "exit 3"]);
    let mut first = started(&spec).await;
    assert_eq!(first.0.wait().await.unwrap().code, Some(3));
    assert_eq!(recorded(&bench.project(), "web"), None);
    assert_eq!(last_recorded(&bench.project(), "web"), Some(first.0.identity()));
    let second = started(&spec).await;
    assert_ne!(second.0.identity(), first.0.identity());
}

#[tokio::test]
async fn a_signal_that_ended_it_is_said() {
    let bench = Bench::new();
    let mut service = started(&spec(&bench.project(), &["sh", "-c", "kill -9 $$"])).await;
    assert_eq!(service.0.wait().await.unwrap().signal, Some(9));
}

#[tokio::test]
async fn a_program_that_is_not_there_leaves_no_record() {
    let bench = Bench::new();
    for command in [&["no-such-program"][..], &["/no/such/program"], &["./missing"]] {
        let result = start(&confine(), &spec(&bench.project(), command)).await;
        assert!(matches!(result, Err(StartError::NotFound(_))), "{result:?}");
        assert_eq!(last_recorded(&bench.project(), "web"), None);
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_said() {
    let bench = Bench::new();
    let mut spec = spec(&bench.project(), &["sleep", "600"]);
    spec.directory = bench.project().join("missing");
    assert!(matches!(start(&confine(), &spec).await, Err(StartError::Invalid(text)) if text.contains("missing")));
}

#[tokio::test]
async fn names_that_would_leave_the_folder_are_refused() {
    let bench = Bench::new();
    for name in ["", "..", "a/b", ".hidden", "a b", &"x".repeat(65)] {
        let mut spec = spec(&bench.project(), &["sleep", "600"]);
        spec.name = name.into();
        assert!(matches!(start(&confine(), &spec).await, Err(StartError::Invalid(_))), "{name}");
    }
}

#[tokio::test]
async fn it_survives_its_killed_host_and_is_not_started_twice() {
    let bench = Bench::new();
    let mut host = OtherHost::start("confine::service::another_host_starts_a_service", &bench.project());
    until("it is on record", || recorded(&bench.project(), "web").is_some()).await;
    until("it runs", || text(&bench.project(), "out") == "up\n").await;
    let identity = recorded(&bench.project(), "web").unwrap();
    host.kill();
    assert!(is_alive(&identity));
    let again = start(&confine(), &spec(&bench.project(), &["sleep", "600"])).await;
    assert!(matches!(again, Err(StartError::AlreadyRunning(running)) if running == identity), "{again:?}");
    end(&identity, GRACE).await.unwrap();
    assert!(!is_alive(&identity));
}

/// Does nothing but in the process that the test above starts.
#[tokio::test]
async fn another_host_starts_a_service() {
    let Some(folder) = as_other_host() else { return };
    let mut service = start(&confine(), &spec(&folder, &["sh", "-c", "echo up; sleep 600"])).await.unwrap();
    service.wait().await.unwrap();
}

#[tokio::test]
async fn output_is_appended() {
    let bench = Bench::new();
    std::fs::write(bench.project().join("out"), "before\n").unwrap();
    let mut service = started(&spec(&bench.project(), &["sh", "-c", "echo out; echo err >&2"])).await;
    service.0.wait().await.unwrap();
    assert_eq!(text(&bench.project(), "out"), "before\nout\n");
    assert_eq!(text(&bench.project(), "err"), "err\n");
}

#[tokio::test]
async fn the_environment_is_clean_but_for_what_is_configured() {
    let bench = Bench::new();
    let mut spec = spec(&bench.project(), &["env"]);
    spec.environment = BTreeMap::from([("LD_LIBRARY_PATH".into(), "/opt/lib".into())]);
    let mut service = started(&spec).await;
    service.0.wait().await.unwrap();
    let out = text(&bench.project(), "out");
    let mut names: Vec<&str> = out.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PI_SERVICE_RUN", "TZ"]);
}

#[tokio::test]
async fn a_write_beyond_the_file_limit_fails_and_does_not_kill() {
    let bench = Bench::new();
    let mut spec = spec(&bench.project(), &["sh", "-c", "head -c 5000 /dev/zero > big; echo alive"]);
    spec.file_bytes_max = Some(4096);
    let mut service = started(&spec).await;
    service.0.wait().await.unwrap();
    assert_eq!(text(&bench.project(), "out"), "alive\n");
    assert!(text(&bench.project(), "err").contains("File too large"));
    assert_eq!(bench.project().join("big").metadata().unwrap().len(), 4096);
}

#[tokio::test]
async fn it_joins_its_cgroup_before_its_program_runs() {
    let bench = Bench::new();
    // A file stands in for the kernel's: `0` is the process that writes.
    let procs = bench.project().join("cgroup.procs");
    std::fs::write(&procs, "").unwrap();
    let mut spec = spec(&bench.project(), &["sleep", "600"]);
    spec.cgroup_procs = Some(procs.clone());
    let _service = started(&spec).await;
    assert_eq!(std::fs::read_to_string(procs).unwrap(), "0");
}

#[tokio::test]
async fn a_cgroup_that_cannot_be_joined_is_said() {
    let bench = Bench::new();
    let mut spec = spec(&bench.project(), &["sleep", "600"]);
    spec.cgroup_procs = Some(bench.project().join("missing"));
    assert!(matches!(start(&confine(), &spec).await, Err(StartError::Invalid(text)) if text.contains("missing")));
}

#[tokio::test]
async fn its_end_is_the_end_of_workers_in_their_own_sessions() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    let script = format!("(setsid sleep {sleep} &); setsid sleep {sleep} & sleep {sleep}");
    let mut service = started(&spec(&bench.project(), &["sh", "-c", &script])).await;
    until("three run", || count(&sleep) == 3).await;
    end(&service.0.identity(), GRACE).await.unwrap();
    assert_eq!(count(&sleep), 0);
    service.0.wait().await.unwrap();
}

#[tokio::test]
async fn workers_that_outlive_it_are_still_its_family() {
    let (bench, sleep) = (Bench::new(), sleep_of_its_own());
    let mut service = started(&spec(&bench.project(), &["sh", "-c", &format!("setsid sleep {sleep} & exit 1")])).await;
    service.0.wait().await.unwrap();
    until("the worker runs", || count(&sleep) == 1).await;
    let left = family(&service.0.identity());
    assert_eq!(left.len(), 1);
    end(&service.0.identity(), GRACE).await.unwrap();
    assert_eq!(count(&sleep), 0);
}
