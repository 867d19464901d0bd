//! Ports, strays, logs and changes.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pi_host::config::ProbeConfig;
use pi_host::confine::{self, Identity};
use pi_host::supervisor::{Owner, Supervisor, SupervisorError};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::bench::{Bench, running, shell, until};

/// Listens on a free port and writes it to the file `port`.
const LISTEN: &str = "import socket, time\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\n\
    open('port.new', 'w').write(str(s.getsockname()[1]))\nimport os\nos.rename('port.new', 'port')\ntime.sleep(1000)";

/// A process of nobody's, ended with the test.
struct Stray(Child);

impl Stray {
    fn listening(folder: &Path) -> Self {
        let mut command = Command::new("python3");
        Self(command.args(["-c", LISTEN]).current_dir(folder).stdout(Stdio::null()).spawn().unwrap())
    }

    fn sleeping() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    fn identity(&self) -> Identity {
        confine::identity(self.0.id()).unwrap()
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn port_in(folder: &Path) -> u16 {
    until("a port", || fs::read_to_string(folder.join("port")).ok()?.parse().ok()).await
}

async fn owner(supervisor: &Supervisor, port: u16) -> Owner {
    until("an owner", || supervisor.port_owner(port).unwrap()).await
}

#[tokio::test]
async fn a_stray_that_took_a_port_is_found_and_ended() {
    let bench = Bench::new(shell("exec sleep 1000"));
    let supervisor = bench.start().await;
    let stray = Stray::listening(bench.path());
    let port = port_in(bench.path()).await;
    let found = owner(&supervisor, port).await;
    let identity = Identity { pid: found.pid, start_time: found.start_time };
    assert_eq!((identity, found.service), (stray.identity(), None));
    assert!(found.command.contains("python3 -c import socket"), "{}", found.command);
    supervisor.end_process(&identity).await.unwrap();
    assert_eq!(supervisor.port_owner(port).unwrap(), None);
}

#[tokio::test]
async fn a_port_of_a_service_is_told_as_the_service_s() {
    let mut service = shell("");
    service.command = ["python3", "-c", LISTEN].map(String::from).to_vec();
    let bench = Bench::new(service);
    let supervisor = bench.start().await;
    let port = port_in(bench.path()).await;
    assert_eq!(owner(&supervisor, port).await.service.as_deref(), Some("web"));
}

#[tokio::test]
async fn another_start_time_ends_nothing() {
    let bench = Bench::new(shell("exec sleep 1000"));
    let supervisor = bench.start().await;
    let stray = Stray::sleeping();
    let other = Identity { start_time: stray.identity().start_time + 1, ..stray.identity() };
    assert!(matches!(supervisor.end_process(&other).await, Err(SupervisorError::NotFound(_))));
    assert!(confine::is_alive(&stray.identity()));
}

#[tokio::test]
async fn a_process_of_a_service_is_not_ended_as_a_stray() {
    let bench = Bench::new(shell("setsid sh -c 'echo $$ > child; sleep 1000; true' & exec sleep 1000"));
    let supervisor = bench.start().await;
    let main = bench.recorded().unwrap();
    let child = until("the child", || fs::read_to_string(bench.path().join("child")).ok()?.trim().parse().ok()).await;
    for process in [main, confine::identity(child).unwrap()] {
        let error = supervisor.end_process(&process).await.unwrap_err();
        assert!(matches!(&error, SupervisorError::Unsupported(text) if text.contains("`web`")), "{error}");
        assert!(confine::is_alive(&process));
    }
}

#[tokio::test]
async fn the_host_its_ancestors_and_the_system_are_not_ended() {
    let bench = Bench::new(shell("exec sleep 1000"));
    let supervisor = bench.start().await;
    let own = std::process::id();
    for pid in [own, std::os::unix::process::parent_id(), 1] {
        let error = supervisor.end_process(&confine::identity(pid).unwrap()).await.unwrap_err();
        assert!(matches!(error, SupervisorError::Unsupported(_)), "{pid}: {error}");
    }
}

/// A tiny file system of its own. None where that is not allowed.
struct Tiny(std::path::PathBuf);

impl Tiny {
    fn mounted(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let options = std::ffi::CString::new(format!("size={size}")).unwrap();
        mount("tmpfs", path, "tmpfs", MountFlags::empty(), Some(options.as_c_str())).ok()?;
        Some(Self(path.to_owned()))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).ok();
    }
}

/// Append until the disk is full. What was written.
fn fill(log: &Path) -> Vec<u8> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    for number in 0_u64.. {
        if writeln!(file, "line {number}").is_err() {
            break;
        }
    }
    fs::read(log).unwrap()
}

#[tokio::test]
async fn rotating_the_log_of_a_full_disk_loses_nothing_and_makes_room() {
    let mut service = shell("exec sleep 1000");
    service.logs = vec!["tiny/web.log".into()];
    let bench = Bench::new(service);
    let tiny = bench.path().join("tiny");
    let Some(_mounted) = Tiny::mounted(&tiny, "1m") else { return };
    let log = tiny.join("web.log");
    let written = fill(&log);
    let supervisor = bench.start().await;
    assert_eq!(running(&supervisor).await.disks[0].available_bytes, 0);
    let archived = supervisor.rotate_log("web", &log).await.unwrap();
    assert!(archived.starts_with(bench.path().join(".pi/archive/web")));
    assert_eq!(fs::read(archived).unwrap(), written);
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    assert!(running(&supervisor).await.disks[0].available_bytes > 500_000);
}

#[tokio::test]
async fn an_archive_without_room_is_an_error_and_the_log_stays() {
    let mut service = shell("exec sleep 1000");
    service.logs = vec!["web.log".into()];
    let bench = Bench::new(service);
    let Some(_mounted) = Tiny::mounted(&bench.path().join(".pi/archive"), "1m") else { return };
    let log = bench.path().join("web.log");
    fs::write(&log, vec![b'x'; 900 << 10]).unwrap();
    let supervisor = bench.start().await;
    let error = supervisor.rotate_log("web", &log).await.unwrap_err();
    assert!(error.to_string().contains("nothing was rotated"), "{error}");
    assert_eq!(fs::metadata(&log).unwrap().len(), 900 << 10);
    assert_eq!(fs::read_dir(bench.path().join(".pi/archive/web")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_file_size_limit_holds_for_the_service_and_shows_as_room() {
    let mut service = shell("trap '' XFSZ; while echo 0123456789 >> web.log; do :; done; touch full; exec sleep 1000");
    service.logs = vec!["web.log".into()];
    service.file_bytes_max = Some(4_096);
    let bench = Bench::new(service);
    let supervisor = bench.start().await;
    until("it is full", || bench.path().join("full").exists().then_some(())).await;
    let condition = running(&supervisor).await;
    assert_eq!((condition.disks[0].available_bytes, condition.disks[0].total_bytes), (0, 4_096));
    supervisor.rotate_log("web", &bench.path().join("web.log")).await.unwrap();
    assert_eq!(running(&supervisor).await.disks[0].available_bytes, 4_096);
}

#[tokio::test]
async fn a_changed_configuration_file_is_told_by_the_next_host_too() {
    let mut service = shell("exec sleep 1000");
    service.config = vec!["app.conf".into()];
    service.probe = Some(ProbeConfig { command: Some(vec!["true".into()]), interval_ms: 10, ..ProbeConfig::default() });
    let bench = Bench::new(service);
    let file = bench.path().join("app.conf");
    fs::write(&file, "workers = 4\n").unwrap();
    let supervisor = bench.start().await;
    let remembered = bench.state().join("web/good/lists.json");
    until("it was good", || remembered.exists().then_some(())).await;
    assert!(supervisor.changes("web").unwrap().is_empty());
    fs::write(&file, "workers = 0\n").unwrap();
    drop(supervisor);
    let supervisor = bench.start().await;
    let changes = supervisor.changes("web").unwrap();
    assert_eq!((changes.len(), &changes[0].path), (1, &file));
    assert_eq!(changes[0].before.as_deref(), Some("workers = 4\n"));
    assert_eq!(changes[0].after.as_deref(), Some("workers = 0\n"));
}
