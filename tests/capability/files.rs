//! `pi:files`: looking, reading and listing, and every way out that was thought of.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pi_host::capability::bindings::pi::files::files::{Error, Host, Kind, WriteMode};
use pi_host::capability::files::{FilesState, TRANSFER_BYTES_MAX};
use pi_host::capability::state::CallState;

use super::bench::{Bench, files, grant};

/// Longer than anything here takes: what runs into it hangs.
const HANG: Duration = Duration::from_secs(10);

async fn read(call: &mut CallState, path: impl AsRef<Path>) -> Result<String, Error> {
    let path = path.as_ref().to_str().unwrap().to_owned();
    let read = tokio::time::timeout(HANG, call.read(path, 0, 4_096)).await.expect("a read hangs");
    read.unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

fn is_outside<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::OutsideGrant(text)) => text,
        other => panic!("not outside of the grant: {other:?}"),
    }
}

// Grants.

#[tokio::test]
async fn says_what_is_granted() {
    let bench = Bench::new().await;
    bench.file("logs/a", "");
    let mut call = bench.call(&["."], &["logs"]);
    let roots = call.roots().await.unwrap();
    let roots: Vec<_> = roots.iter().map(|root| (root.path.clone(), root.writable)).collect();
    let real = bench.project().canonicalize().unwrap().to_str().unwrap().to_owned();
    assert_eq!(roots, [(real.clone(), false), (format!("{real}/logs"), true)]);
    assert_eq!(call.working_directory().await.unwrap(), real);
}

#[tokio::test]
async fn a_missing_granted_path_is_an_error_that_names_its_line() {
    let bench = Bench::new().await;
    let error = FilesState::new(&grant(&["logs"], &[]), &bench.project()).err().unwrap();
    assert_eq!(
        error.of("bash").to_string(),
        "`logs` cannot be granted: it does not exist\nhint: change `read` in `[grants.bash.files]` of pi.toml"
    );
}

#[tokio::test]
async fn the_hosts_own_state_is_never_granted() {
    let bench = Bench::new().await;
    bench.file(".pi/store.db", "");
    let error = FilesState::new(&grant(&[], &[".pi"]), &bench.project()).err().unwrap();
    assert!(error.to_string().contains("never granted"), "{error}");
}

#[tokio::test]
async fn the_longest_root_decides() {
    let bench = Bench::new().await;
    bench.file("a/open/f", "");
    bench.file("a/f", "");
    let mut call = bench.call(&["a"], &["a/open"]);
    call.write("a/open/f".into(), b"x".to_vec(), WriteMode::Replace).await.unwrap().unwrap();
    let denied = call.write("a/f".into(), b"x".to_vec(), WriteMode::Replace).await.unwrap();
    assert!(matches!(denied, Err(Error::ReadOnly(_))), "{denied:?}");
}

#[tokio::test]
async fn a_single_granted_file_is_all_that_is_reached() {
    let bench = Bench::new().await;
    bench.file("app/config.toml", "granted");
    bench.file("app/secret", "not granted");
    let mut call = bench.call(&[], &["app/config.toml"]);
    assert_eq!(read(&mut call, "app/config.toml").await.unwrap(), "granted");
    is_outside(read(&mut call, "app/secret").await);
    is_outside(call.list("app".into()).await.unwrap());
    call.write("app/config.toml".into(), b"new".to_vec(), WriteMode::Replace).await.unwrap().unwrap();
    assert_eq!(bench.text("app/config.toml"), "new");
    is_outside(call.remove("app/config.toml".into(), false).await.unwrap());
    assert!(matches!(call.list("app/config.toml".into()).await.unwrap(), Err(Error::NotDirectory(_))));
}

#[tokio::test]
async fn a_grant_by_a_symlink_means_its_target_under_both_names() {
    let bench = Bench::new().await;
    bench.file("releases/5/f", "five");
    symlink("releases/5", bench.path("current")).unwrap();
    let mut call = bench.call(&["current"], &[]);
    assert_eq!(read(&mut call, "current/f").await.unwrap(), "five");
    assert_eq!(read(&mut call, "releases/5/f").await.unwrap(), "five");
}

#[tokio::test]
async fn a_denial_names_the_line_that_would_allow_it() {
    let bench = Bench::new().await;
    let mut call = bench.call(&["."], &[]);
    assert_eq!(
        is_outside(read(&mut call, "/etc/passwd").await),
        "outside of the granted folders: `/etc/passwd`\nhint: add the folder to `[grants.tester.files] read` (or \
         `write`) in pi.toml"
    );
}

// Reading.

#[tokio::test]
async fn reads_a_range() {
    let bench = Bench::new().await;
    bench.file("f", "0123456789");
    let mut call = bench.call(&["."], &[]);
    assert_eq!(call.read("f".into(), 2, 3).await.unwrap().unwrap(), b"234");
    assert_eq!(call.read("./x/../f".into(), 8, 100).await.unwrap().unwrap(), b"89");
    assert_eq!(call.read("f".into(), u64::MAX, 1).await.unwrap().ok(), None);
    assert!(call.read("f".into(), 100, 1).await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn reads_sixteen_mebibytes_and_no_more() {
    let bench = Bench::new().await;
    bench.file("f", vec![b'x'; TRANSFER_BYTES_MAX + 1]);
    let mut call = bench.call(&["."], &[]);
    let most = u32::try_from(TRANSFER_BYTES_MAX).unwrap();
    assert_eq!(call.read("f".into(), 0, most).await.unwrap().unwrap().len(), TRANSFER_BYTES_MAX);
    assert!(matches!(call.read("f".into(), 0, most + 1).await.unwrap(), Err(Error::TooLarge(_))));
}

#[tokio::test]
async fn each_error_names_the_path() {
    let bench = Bench::new().await;
    bench.file("file", "");
    bench.file("folder/f", "");
    let mut call = bench.call(&["."], &[]);
    let ends_with = |error: &str, path: &str| error.ends_with(&format!("{path}`"));
    assert!(matches!(read(&mut call, "gone").await, Err(Error::NotFound(text)) if ends_with(&text, "/project/gone")));
    assert!(matches!(read(&mut call, "gone/f").await, Err(Error::NotFound(text)) if ends_with(&text, "/gone/f")));
    assert!(matches!(read(&mut call, "folder").await, Err(Error::IsDirectory(text)) if ends_with(&text, "/folder")));
    assert!(matches!(read(&mut call, "file/f").await, Err(Error::NotDirectory(text)) if ends_with(&text, "/file/f")));
}

#[tokio::test]
async fn text_that_is_no_path_is_an_error() {
    let bench = Bench::new().await;
    let mut call = bench.call(&["."], &["."]);
    for path in ["", "a\0b", &"a/".repeat(3_000), &"n".repeat(300)] {
        assert!(matches!(read(&mut call, path).await, Err(Error::Other(_))), "{path:?}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_wants_a_folder() {
    let bench = Bench::new().await;
    bench.file("file", "x");
    symlink("/etc", bench.path("out")).unwrap();
    let mut call = bench.call(&["."], &["."]);
    assert!(matches!(read(&mut call, "file/").await, Err(Error::NotDirectory(_))));
    assert!(matches!(call.stat("file/.".into(), true).await.unwrap(), Err(Error::NotDirectory(_))));
    assert!(matches!(call.remove("file/".into(), false).await.unwrap(), Err(Error::NotDirectory(_))));
    is_outside(call.list("out/".into()).await.unwrap());
    assert!(matches!(call.remove("out/".into(), true).await.unwrap(), Err(Error::NotDirectory(_))));
    assert!(matches!(call.write("new/".into(), vec![], WriteMode::Create).await.unwrap(), Err(Error::IsDirectory(_))));
    assert!(matches!(call.rename("file".into(), "new/".into()).await.unwrap(), Err(Error::NotDirectory(_))));
    assert_eq!(bench.text("file"), "x");
}

// Ways out.

#[tokio::test]
async fn dots_do_not_lead_out() {
    let bench = Bench::new().await;
    let mut call = bench.call(&["."], &[]);
    for path in ["../../../../../../../../etc/passwd", "/etc/passwd", "a/../../store.db", "..", "/"] {
        is_outside(read(&mut call, path).await);
        is_outside(call.stat(path.into(), true).await.unwrap());
        is_outside(call.list(path.into()).await.unwrap());
    }
}

#[tokio::test]
async fn a_folder_whose_name_begins_alike_is_another() {
    let bench = Bench::new().await;
    bench.file("logs/f", "");
    bench.file("logs-old/f", "");
    let mut call = bench.call(&["logs"], &[]);
    is_outside(read(&mut call, "logs-old/f").await);
}

#[tokio::test]
async fn symlinks_do_not_lead_out() {
    let bench = Bench::new().await;
    std::fs::write(bench.top.path().join("secret"), "secret").unwrap();
    symlink("/etc/passwd", bench.path("absolute")).unwrap();
    symlink("../secret", bench.path("relative")).unwrap();
    symlink("/etc", bench.path("folder")).unwrap();
    symlink("absolute", bench.path("twice")).unwrap();
    symlink("..", bench.path("up")).unwrap();
    let mut call = bench.call(&["."], &["."]);
    for path in ["absolute", "relative", "folder/passwd", "twice", "up/secret"] {
        is_outside(read(&mut call, path).await);
        is_outside(call.write(path.into(), b"x".to_vec(), WriteMode::Replace).await.unwrap());
        is_outside(call.write(path.into(), b"x".to_vec(), WriteMode::Append).await.unwrap());
        is_outside(call.set_mode(path.into(), 0o777).await.unwrap());
        is_outside(call.set_modified(path.into(), 0).await.unwrap());
        is_outside(call.stat(path.into(), true).await.unwrap());
    }
    is_outside(call.list("folder".into()).await.unwrap());
    is_outside(call.make_directory("folder/x".into(), true).await.unwrap());
    is_outside(call.remove("folder/passwd".into(), false).await.unwrap());
    is_outside(call.rename("absolute".into(), "folder/x".into()).await.unwrap());
    assert_eq!(std::fs::read_to_string(bench.top.path().join("secret")).unwrap(), "secret");
}

#[tokio::test]
async fn symlinks_within_the_grant_are_followed_also_into_another_root() {
    let bench = Bench::new().await;
    bench.file("a/f", "in a");
    bench.file("b/sub/f", "in b");
    symlink("../a/./f", bench.path("b/relative")).unwrap();
    symlink(bench.path("b/sub"), bench.path("a/absolute")).unwrap();
    let mut call = bench.call(&["a", "b"], &[]);
    assert_eq!(read(&mut call, "b/relative").await.unwrap(), "in a");
    assert_eq!(read(&mut call, "a/absolute/f").await.unwrap(), "in b");
    assert_eq!(read(&mut call, "a/absolute/../f").await.unwrap(), "in a", "`..` is folded before links are read");
}

#[tokio::test]
async fn the_journal_names_the_file_and_not_the_link() {
    let bench = Bench::new().await;
    bench.file("secrets/key", "k");
    symlink("secrets/key", bench.path("harmless")).unwrap();
    let mut call = bench.call(&["."], &[]);
    read(&mut call, "harmless").await.unwrap();
    assert_eq!(bench.acts().await, ["started: read `PROJECT/secrets/key`", "ended: Done"]);
}

#[tokio::test]
async fn a_symlink_into_a_read_only_root_is_not_written_through() {
    let bench = Bench::new().await;
    bench.file("read/f", "kept");
    bench.file("write/x", "");
    symlink("../read/f", bench.path("write/link")).unwrap();
    let mut call = bench.call(&["read"], &["write"]);
    let denied = call.write("write/link".into(), b"x".to_vec(), WriteMode::Replace).await.unwrap();
    assert!(matches!(denied, Err(Error::ReadOnly(_))), "{denied:?}");
    assert_eq!(bench.text("read/f"), "kept");
}

#[tokio::test]
async fn symlinks_in_a_circle_end() {
    let bench = Bench::new().await;
    symlink("b", bench.path("a")).unwrap();
    symlink("a", bench.path("b")).unwrap();
    let mut call = bench.call(&["."], &[]);
    let error = read(&mut call, "a").await.unwrap_err();
    assert!(matches!(&error, Error::Other(text) if text.starts_with("more than 40 symlinks")), "{error:?}");
}

#[tokio::test]
async fn forty_symlinks_are_followed() {
    let bench = Bench::new().await;
    bench.file("0", "end");
    for link in 1..=41 {
        symlink((link - 1).to_string(), bench.path(&link.to_string())).unwrap();
    }
    let mut call = bench.call(&["."], &[]);
    assert_eq!(read(&mut call, "40").await.unwrap(), "end");
    assert!(matches!(read(&mut call, "41").await, Err(Error::Other(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_that_is_swapped_meanwhile_never_leads_out() {
    let bench = Bench::new().await;
    let outside = bench.top.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("f"), "outside").unwrap();
    bench.file("real/f", "inside");
    symlink("real", bench.path("dir")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (stop, dir, new, outside) = (stop.clone(), bench.path("dir"), bench.path("new"), outside.clone());
        move || {
            let mut is_outside = true;
            while !stop.load(Ordering::Relaxed) {
                let target = if is_outside { outside.as_path() } else { Path::new("real") };
                symlink(target, &new).unwrap();
                std::fs::rename(&new, &dir).unwrap();
                is_outside = !is_outside;
            }
        }
    });
    let mut call = bench.call(&["."], &["."]);
    let mut inside = 0;
    for round in 0..3_000 {
        if let Ok(text) = read(&mut call, "dir/f").await {
            assert_eq!(text, "inside");
            inside += 1;
        }
        if round % 10 == 0 {
            let _ = call.write("dir/f".into(), b"inside".to_vec(), WriteMode::Replace).await.unwrap();
            let _ = call.write("dir/new".into(), b"inside".to_vec(), WriteMode::Append).await.unwrap();
            let _ = call.remove("dir/new".into(), false).await.unwrap();
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(inside > 0, "not one read met the link that leads inside");
    assert_eq!(std::fs::read_to_string(outside.join("f")).unwrap(), "outside");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn magic_links_of_proc_lead_nowhere() {
    let bench = Bench::new().await;
    let mut call = bench.call_with(files(&["/proc"], &[], &bench.project()));
    let me = std::process::id();
    for path in ["/proc/self/root/etc/passwd", "/proc/self/environ", "/proc/thread-self/mem"] {
        is_outside(read(&mut call, path).await);
    }
    is_outside(read(&mut call, format!("/proc/{me}/fd/0")).await);
    is_outside(call.list(format!("/proc/{me}")).await.unwrap());
    assert!(read(&mut call, "/proc/uptime").await.unwrap().contains('.'));
}

#[tokio::test]
async fn the_hosts_own_state_is_never_reached() {
    let bench = Bench::new().await;
    bench.file(".pi/store.db", "journal");
    symlink(".pi", bench.path("link")).unwrap();
    let mut call = bench.call(&[], &["."]);
    for path in [".pi/store.db", "link/store.db", ".pi", "x/../.pi/"] {
        let text = is_outside(call.stat(path.into(), true).await.unwrap());
        assert!(text.starts_with("the host's own state"), "{text}");
    }
    is_outside(call.remove(".pi".into(), true).await.unwrap());
    is_outside(call.rename(".pi".into(), "moved".into()).await.unwrap());
    is_outside(call.make_directory(".pi/x".into(), true).await.unwrap());
    is_outside(call.make_symlink(".pi/store.db".into(), "link2".into()).await.unwrap());
    let names: Vec<_> = call.list(".".into()).await.unwrap().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["link"]);
}

#[tokio::test]
async fn the_hosts_own_state_does_not_go_with_the_folder_that_holds_it() {
    let bench = Bench::new().await;
    bench.file(".pi/store.db", "journal");
    let top = bench.top.path().to_str().unwrap().to_owned();
    let mut call = bench.call_with(files(&[], &[&top], &bench.project()));
    let text = is_outside(call.remove(bench.project().to_str().unwrap().into(), true).await.unwrap());
    assert!(text.contains(".pi"), "{text}");
    is_outside(call.rename(bench.project().to_str().unwrap().into(), format!("{top}/moved")).await.unwrap());
    assert_eq!(bench.text(".pi/store.db"), "journal");
}

#[tokio::test]
async fn the_file_of_the_grants_is_written_only_when_it_is_granted_by_name() {
    let bench = Bench::new().await;
    bench.file("pi.toml", "");
    bench.file("new", "[grants]");
    let mut call = bench.call(&[], &["."]);
    let write = call.write("pi.toml".into(), vec![], WriteMode::Append).await.unwrap();
    assert!(matches!(write, Err(Error::ReadOnly(_))), "{write:?}");
    assert!(matches!(call.rename("new".into(), "pi.toml".into()).await.unwrap(), Err(Error::ReadOnly(_))));
    assert!(matches!(call.remove("pi.toml".into(), false).await.unwrap(), Err(Error::ReadOnly(_))));
    let mut call = bench.call(&[], &[".", "pi.toml"]);
    call.write("pi.toml".into(), b"# x".to_vec(), WriteMode::Replace).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_no_regular_file_is_not_opened() {
    let bench = Bench::new().await;
    rustix::fs::mkfifoat(rustix::fs::CWD, bench.path("fifo"), 0o600.into()).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(bench.path("socket")).unwrap();
    let mut call = bench.call_with(files(&["/dev"], &["."], &bench.project()));
    for path in ["fifo", "socket", "/dev/zero", "/dev/tty"] {
        let error = read(&mut call, path).await.unwrap_err();
        assert!(matches!(&error, Error::Other(text) if text.starts_with("no regular file")), "{error:?}");
    }
    for mode in [WriteMode::Replace, WriteMode::Append] {
        let write = call.write("fifo".into(), b"x".to_vec(), mode);
        let error = tokio::time::timeout(HANG, write).await.expect("a write hangs").unwrap().unwrap_err();
        assert!(matches!(&error, Error::Other(text) if text.starts_with("no regular file")), "{error:?}");
    }
    assert_eq!(call.stat("fifo".into(), true).await.unwrap().unwrap().kind, Kind::Other);
    call.remove("fifo".into(), false).await.unwrap().unwrap();
}

// Listing and looking.

#[tokio::test]
async fn lists_by_name_with_metadata() {
    let bench = Bench::new().await;
    bench.file("d/b", "12");
    bench.file("d/a/x", "");
    symlink("b", bench.path("d/c")).unwrap();
    let mut call = bench.call(&["."], &[]);
    let entries = call.list("d".into()).await.unwrap().unwrap();
    let entries: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.metadata.kind)).collect();
    assert_eq!(entries, [("a", Kind::Directory), ("b", Kind::File), ("c", Kind::Symlink)]);
    assert!(matches!(call.list("d/b".into()).await.unwrap(), Err(Error::NotDirectory(_))));
}

#[tokio::test]
async fn a_name_that_is_not_utf8_is_listed_and_harms_nothing() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new().await;
    bench.file("d/a", "");
    std::fs::write(bench.path("d").join(std::ffi::OsStr::from_bytes(b"b\xff")), "").unwrap();
    let mut call = bench.call(&[], &["."]);
    let names: Vec<_> = call.list("d".into()).await.unwrap().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a", "b\u{fffd}"]);
    call.remove("d".into(), true).await.unwrap().unwrap();
    assert!(!bench.path("d").exists());
}

#[tokio::test]
async fn stat_describes_the_file_or_the_link() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new().await;
    let file = bench.file("f", "12345");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    std::fs::hard_link(&file, bench.path("other")).unwrap();
    symlink("f", bench.path("link")).unwrap();
    let mut call = bench.call(&["."], &[]);
    let metadata = call.stat("link".into(), true).await.unwrap().unwrap();
    assert_eq!((metadata.kind, metadata.size, metadata.mode, metadata.links), (Kind::File, 5, 0o640, 2));
    assert_eq!(call.stat("link".into(), false).await.unwrap().unwrap().kind, Kind::Symlink);
    assert!(matches!(call.stat("gone".into(), true).await.unwrap(), Err(Error::NotFound(_))));
    assert_eq!(call.read_link("link".into()).await.unwrap().unwrap(), "f");
    assert!(matches!(call.read_link("f".into()).await.unwrap(), Err(Error::Other(_))));
}

#[tokio::test]
async fn looking_is_no_act_and_reading_is() {
    let bench = Bench::new().await;
    bench.file("f", "");
    let mut call = bench.call(&["."], &[]);
    call.stat("f".into(), true).await.unwrap().unwrap();
    call.roots().await.unwrap();
    let _ = call.read_link("f".into()).await.unwrap();
    assert!(bench.acts().await.is_empty());
    call.list(".".into()).await.unwrap().unwrap();
    let _ = read(&mut call, "gone").await;
    let said = bench.acts().await;
    assert_eq!(said, ["started: list `PROJECT`", "ended: Done", "started: read `PROJECT/gone`", "ended: Failed"]);
}
