//! What a confined program cannot reach, and what it can.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use pi_host::confine::{Abilities, Exit, abilities};

use super::bench::{Bench, confine, said};

async fn system() -> Abilities {
    abilities(&confine()).await.unwrap()
}

#[tokio::test]
async fn reads_what_is_granted() {
    let bench = Bench::new();
    std::fs::write(bench.project().join("a"), "granted").unwrap();
    assert_eq!(said(bench.spec("cat", &["a"])).await, ("granted".into(), Exit::Code(0)));
}

#[tokio::test]
async fn does_not_read_the_password_file() {
    if system().await.landlock_abi == 0 {
        return;
    }
    let bench = Bench::new();
    let (text, exit) = said(bench.spec("cat", &["/etc/shadow"])).await;
    assert!(text.contains("Permission denied"), "{text}");
    assert_eq!(exit, Exit::Code(1));
}

#[tokio::test]
async fn does_not_read_outside_of_the_grant() {
    if system().await.landlock_abi == 0 {
        return;
    }
    let bench = Bench::new();
    let secret = bench.other().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, bench.project().join("link")).unwrap();
    for path in [secret.to_str().unwrap(), "link", "../other/secret"] {
        let (text, exit) = said(bench.spec("cat", &[path])).await;
        assert!(text.contains("Permission denied") && exit == Exit::Code(1), "{path}: {text}");
    }
}

#[tokio::test]
async fn does_not_read_the_environment_of_others() {
    if system().await.landlock_abi == 0 {
        return;
    }
    let bench = Bench::new();
    let (text, _) = said(bench.spec("cat", &[&format!("/proc/{}/environ", std::process::id())])).await;
    assert!(text.contains("Permission denied"), "{text}");
}

#[tokio::test]
async fn writes_what_is_granted() {
    let bench = Bench::new();
    assert_eq!(said(bench.sh("echo new > a && mkdir b && mv a b")).await, (String::new(), Exit::Code(0)));
    assert_eq!(std::fs::read_to_string(bench.project().join("b/a")).unwrap(), "new\n");
}

#[tokio::test]
async fn changes_modes_of_what_is_granted() {
    if !system().await.mount_namespace {
        return;
    }
    let bench = Bench::new();
    assert_eq!(said(bench.sh("echo new > a && chmod 751 a && touch -d 2001-01-01 a")).await.1, Exit::Code(0));
    assert_eq!(bench.project().join("a").metadata().unwrap().permissions().mode() & 0o777, 0o751);
}

#[tokio::test]
async fn does_not_write_outside_of_the_grant() {
    let system = system().await;
    if system.landlock_abi == 0 && !system.mount_namespace {
        return;
    }
    let bench = Bench::new();
    let kept = bench.other().join("kept");
    std::fs::write(&kept, "kept").unwrap();
    for script in [
        "echo x > ../other/kept",
        "rm ../other/kept",
        "echo x > ../other/new",
        "mv ../other/kept .",
        "ln ../other/kept .",
    ] {
        let (text, exit) = said(bench.sh(script)).await;
        assert_ne!(exit, Exit::Code(0), "{script}: {text}");
    }
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(bench.other()).unwrap().count(), 1);
}

#[tokio::test]
async fn does_not_write_where_only_reading_is_granted() {
    let system = system().await;
    if system.landlock_abi == 0 && !system.mount_namespace {
        return;
    }
    let bench = Bench::new();
    let mut spec = bench.sh("echo x > a");
    spec.write = Vec::new();
    assert_ne!(said(spec).await.1, Exit::Code(0));
    assert!(!bench.project().join("a").exists());
}

/// Landlock alone would let it: the mounts do not.
#[tokio::test]
async fn does_not_change_modes_or_times_outside_of_the_grant() {
    let bench = Bench::new();
    let file = bench.other().join("file");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (text, exit) = said(bench.sh("chmod 4777 ../other/file")).await;
    assert_ne!(exit, Exit::Code(0), "{text}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
}

#[tokio::test]
async fn does_not_execute_what_it_wrote() {
    if system().await.landlock_abi == 0 {
        return;
    }
    let bench = Bench::new();
    let mut spec = bench.sh("cp /bin/true made && ./made");
    spec.read = Vec::new();
    let (text, exit) = said(spec).await;
    assert_eq!(exit, Exit::Code(126), "{text}");
}

#[tokio::test]
async fn the_hosts_own_state_is_not_there() {
    let bench = Bench::new();
    std::fs::create_dir(bench.project().join(".pi")).unwrap();
    std::fs::write(bench.project().join(".pi/journal"), "chain").unwrap();
    for script in ["cat .pi/journal", "echo x > .pi/journal", "rm -r .pi", "mv .pi away", "echo x > .pi/new"] {
        let (text, exit) = said(bench.sh(script)).await;
        assert_ne!(exit, Exit::Code(0), "{script}: {text}");
        assert!(!text.contains("chain"), "{script}: {text}");
    }
    assert_eq!(std::fs::read_to_string(bench.project().join(".pi/journal")).unwrap(), "chain");
}

#[tokio::test]
async fn the_grants_are_read_and_not_written() {
    let bench = Bench::new();
    std::fs::write(bench.project().join("pi.toml"), "grants").unwrap();
    assert_eq!(said(bench.spec("cat", &["pi.toml"])).await.0, "grants");
    for script in ["echo x > pi.toml", "rm -f pi.toml", "mv pi.toml away", "echo x > new && mv -f new pi.toml"] {
        let (text, exit) = said(bench.sh(script)).await;
        assert_ne!(exit, Exit::Code(0), "{script}: {text}");
    }
    assert_eq!(std::fs::read_to_string(bench.project().join("pi.toml")).unwrap(), "grants");
}

#[tokio::test]
async fn the_null_device_can_be_used() {
    let bench = Bench::new();
    assert_eq!(
        said(bench.sh("echo x > /dev/null; cat < /dev/null; head -c 1 /dev/urandom | wc -c")).await,
        ("1\n".into(), Exit::Code(0))
    );
}

const CONNECT: &str =
    "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); print('connected')";

#[tokio::test]
async fn does_not_connect_without_a_grant() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (text, _) = said(bench.spec("python3", &["-c", CONNECT, &port])).await;
    assert!(text.contains("Permission denied"), "{text}");
}

#[tokio::test]
async fn connects_with_a_grant() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut spec = bench.spec("python3", &["-c", CONNECT, &port]);
    spec.network = true;
    assert_eq!(said(spec).await, ("connected\n".into(), Exit::Code(0)));
}

/// Behind the Unix sockets of a machine are services without any confinement.
#[tokio::test]
async fn makes_no_unix_socket_even_with_network() {
    let bench = Bench::new();
    let mut spec = bench.python("import socket; socket.socketpair(); socket.socket(socket.AF_UNIX)");
    spec.network = true;
    let (text, _) = said(spec).await;
    assert!(text.contains("Permission denied"), "{text}");
}

/// Calls by name in the C library: each says which error it got.
async fn errno_of(call: &str) -> String {
    let bench = Bench::new();
    let script = format!(
        "import ctypes, errno
c = ctypes.CDLL(None, use_errno=True)
result = c.{call}
print(errno.errorcode[ctypes.get_errno()] if result == -1 else 'done')"
    );
    said(bench.python(&script)).await.0
}

#[tokio::test]
async fn does_not_trace_mount_or_make_namespaces() {
    for call in [
        "ptrace(0, 0, 0, 0)",
        "mount(b'x', b'/mnt', b'tmpfs', 0, None)",
        "unshare(0x10000000)",
        "unshare(0x20000)",
        "setns(0, 0)",
        "syscall(425, 1, 0)",
        "reboot(0)",
        "chroot(b'/')",
        "swapoff(b'/nothing')",
        "settimeofday(b'\\0' * 16, None)",
    ] {
        assert_eq!(errno_of(call).await.trim(), "EPERM", "{call}");
    }
}

#[tokio::test]
async fn has_no_capability_and_gets_none() {
    let bench = Bench::new();
    let (text, _) = said(bench.sh("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status")).await;
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(value(set), "0000000000000000", "{text}");
    }
    assert_eq!((value("NoNewPrivs:"), value("Seccomp:")), ("1".into(), "2".into()));
}

#[tokio::test]
async fn does_not_signal_what_is_outside() {
    let system = system().await;
    if system.landlock_abi < 6 && !system.pid_namespace {
        return;
    }
    let bench = Bench::new();
    let (text, exit) = said(bench.sh(&format!("kill -0 {}", std::process::id()))).await;
    assert_ne!(exit, Exit::Code(0), "{text}");
}
