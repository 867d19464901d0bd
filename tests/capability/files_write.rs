//! `pi:files`: writing, making, moving and removing.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pi_host::capability::bindings::pi::files::files::{Error, Host, WriteMode};
use pi_host::capability::files::TRANSFER_BYTES_MAX;
use pi_host::capability::state::CallState;

use super::bench::{Bench, files};

async fn write(call: &mut CallState, path: &str, text: &str, mode: WriteMode) -> Result<(), Error> {
    call.write(path.into(), text.as_bytes().to_vec(), mode).await.unwrap()
}

#[tokio::test]
async fn writes_in_each_mode() {
    let bench = Bench::new().await;
    let mut call = bench.call(&[], &["."]);
    write(&mut call, "f", "a", WriteMode::Create).await.unwrap();
    assert!(matches!(write(&mut call, "f", "b", WriteMode::Create).await, Err(Error::AlreadyExists(_))));
    write(&mut call, "f", "b", WriteMode::Append).await.unwrap();
    assert_eq!(bench.text("f"), "ab");
    write(&mut call, "f", "c", WriteMode::Replace).await.unwrap();
    assert_eq!(bench.text("f"), "c");
    write(&mut call, "g", "d", WriteMode::Append).await.unwrap();
    write(&mut call, "h", "e", WriteMode::Replace).await.unwrap();
    assert_eq!((bench.text("g"), bench.text("h")), ("d".into(), "e".into()));
    assert_eq!(std::fs::read_dir(bench.project()).unwrap().count(), 3, "something was left beside the files");
}

#[tokio::test]
async fn a_write_is_in_the_journal_before_and_after() {
    let bench = Bench::new().await;
    let mut call = bench.call(&[], &["."]);
    write(&mut call, "f", "abc", WriteMode::Replace).await.unwrap();
    assert_eq!(bench.acts().await, ["started: replace `PROJECT/f` (3 bytes)", "ended: Done"]);
}

#[tokio::test]
async fn each_function_that_changes_something_is_denied_by_a_read_only_grant() {
    let bench = Bench::new().await;
    bench.file("f", "kept");
    let mut call = bench.call(&["."], &[]);
    let denials = [
        write(&mut call, "f", "x", WriteMode::Replace).await,
        write(&mut call, "f", "x", WriteMode::Append).await,
        write(&mut call, "new", "x", WriteMode::Create).await,
        call.make_directory("d".into(), false).await.unwrap(),
        call.make_directory("d/e".into(), true).await.unwrap(),
        call.remove("f".into(), false).await.unwrap(),
        call.rename("f".into(), "g".into()).await.unwrap(),
        call.set_mode("f".into(), 0o600).await.unwrap(),
        call.set_modified("f".into(), 0).await.unwrap(),
        call.make_symlink("f".into(), "link".into()).await.unwrap(),
    ];
    for denial in denials {
        let Err(Error::ReadOnly(text)) = &denial else { panic!("{denial:?}") };
        assert!(text.contains("\nhint: add the folder to `[grants.tester.files] write`"), "{text}");
    }
    assert!(bench.acts().await.is_empty());
    assert_eq!(bench.text("f"), "kept");
}

#[tokio::test]
async fn each_act_is_refused_where_a_rule_says_so() {
    let bench = Bench::new().await;
    bench.file("forbidden", "kept");
    bench.file("d/forbidden/f", "kept");
    bench.file("f", "");
    symlink("forbidden", bench.path("innocent")).unwrap();
    let mut call = bench.call(&[], &["."]);
    let refusals = [
        call.read("forbidden".into(), 0, 1).await.unwrap().map(drop),
        call.read("innocent".into(), 0, 1).await.unwrap().map(drop),
        call.list("d/forbidden".into()).await.unwrap().map(drop),
        write(&mut call, "forbidden", "x", WriteMode::Replace).await,
        write(&mut call, "innocent", "x", WriteMode::Append).await,
        write(&mut call, "a/forbidden", "x", WriteMode::Create).await,
        call.make_directory("a/forbidden".into(), true).await.unwrap(),
        call.remove("forbidden".into(), false).await.unwrap(),
        call.rename("forbidden".into(), "g".into()).await.unwrap(),
        call.rename("f".into(), "forbidden".into()).await.unwrap(),
        call.set_mode("forbidden".into(), 0o600).await.unwrap(),
        call.set_modified("innocent".into(), 0).await.unwrap(),
        call.make_symlink("f".into(), "a/../forbidden".into()).await.unwrap(),
        call.make_symlink("forbidden".into(), "link".into()).await.unwrap(),
    ];
    for (index, refusal) in refusals.iter().enumerate() {
        let Err(Error::Refused(refusal)) = refusal else { panic!("{index}: {refusal:?}") };
        assert_eq!(refusal.rule, "forbidden");
        assert!(refusal.action.contains("/forbidden`"), "{index}: {}", refusal.action);
    }
    assert_eq!((bench.text("forbidden"), bench.path("a").exists()), ("kept".into(), false));
    let acts = bench.acts().await;
    assert_eq!(acts.len(), refusals.len());
    assert!(acts.iter().all(|act| act.starts_with("refused: ")), "{acts:?}");
}

#[tokio::test]
async fn writes_sixteen_mebibytes_and_no_more() {
    let bench = Bench::new().await;
    let mut call = bench.call(&[], &["."]);
    call.write("f".into(), vec![0; TRANSFER_BYTES_MAX], WriteMode::Replace).await.unwrap().unwrap();
    let denied = call.write("f".into(), vec![0; TRANSFER_BYTES_MAX + 1], WriteMode::Replace).await.unwrap();
    assert!(matches!(denied, Err(Error::TooLarge(_))), "{denied:?}");
}

#[tokio::test]
async fn a_replaced_file_keeps_its_permission_bits_but_not_the_power_of_its_owner() {
    let bench = Bench::new().await;
    let file = bench.file("f", "old");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o4751)).unwrap();
    let mut call = bench.call(&[], &["."]);
    write(&mut call, "f", "new", WriteMode::Replace).await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o7777, 0o751);
}

#[tokio::test]
async fn a_replaced_file_keeps_its_owner_where_the_host_is_root() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bench = Bench::new().await;
    let file = bench.file("f", "old");
    std::os::unix::fs::chown(&file, Some(65_534), Some(65_534)).unwrap();
    let mut call = bench.call(&[], &["."]);
    write(&mut call, "f", "new", WriteMode::Replace).await.unwrap();
    let metadata = std::fs::metadata(&file).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (65_534, 65_534));
}

#[tokio::test]
async fn nothing_is_written_through_a_hard_link() {
    let bench = Bench::new().await;
    let outside = bench.top.path().join("outside");
    std::fs::write(&outside, "outside").unwrap();
    for name in ["replace", "append", "mode"] {
        std::fs::hard_link(&outside, bench.path(name)).unwrap();
    }
    let mode = std::fs::metadata(&outside).unwrap().mode();
    let mut call = bench.call(&[], &["."]);
    write(&mut call, "replace", "x", WriteMode::Replace).await.unwrap();
    write(&mut call, "append", "+", WriteMode::Append).await.unwrap();
    assert!(matches!(call.set_mode("mode".into(), 0o600).await.unwrap(), Err(Error::Other(_))));
    assert!(matches!(call.set_modified("mode".into(), 0).await.unwrap(), Err(Error::Other(_))));
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "outside");
    assert_eq!(std::fs::metadata(&outside).unwrap().mode(), mode);
    assert_ne!(std::fs::metadata(&outside).unwrap().mtime(), 0);
    assert_eq!((bench.text("replace"), bench.text("append")), ("x".into(), "outside+".into()));
}

#[tokio::test]
async fn an_append_to_a_hard_link_copies_up_to_the_limit() {
    let bench = Bench::new().await;
    let large = bench.file("large", vec![0; TRANSFER_BYTES_MAX + 1]);
    std::fs::hard_link(&large, bench.path("other")).unwrap();
    let mut call = bench.call(&[], &["."]);
    let denied = write(&mut call, "large", "x", WriteMode::Append).await;
    assert!(matches!(denied, Err(Error::TooLarge(_))), "{denied:?}");
}

#[tokio::test]
async fn a_write_through_a_symlink_replaces_its_target_and_keeps_the_link() {
    let bench = Bench::new().await;
    bench.file("d/target", "old");
    symlink("d/target", bench.path("link")).unwrap();
    symlink("d/made", bench.path("dangling")).unwrap();
    let mut call = bench.call(&[], &["."]);
    write(&mut call, "link", "new", WriteMode::Replace).await.unwrap();
    write(&mut call, "dangling", "made", WriteMode::Replace).await.unwrap();
    assert!(matches!(write(&mut call, "link", "x", WriteMode::Create).await, Err(Error::AlreadyExists(_))));
    assert!(bench.path("link").is_symlink());
    assert_eq!((bench.text("d/target"), bench.text("d/made")), ("new".into(), "made".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_the_old_file_or_the_new_one() {
    let bench = Bench::new().await;
    let file = bench.file("f", "a".repeat(100_000));
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let mut reads = 0;
            while !stop.load(Ordering::Relaxed) || reads == 0 {
                let bytes = std::fs::read(&file).unwrap();
                assert_eq!(bytes.len(), 100_000);
                assert!(bytes.iter().all(|byte| *byte == bytes[0]), "a mixture");
                reads += 1;
            }
        }
    });
    let mut call = bench.call(&[], &["."]);
    for round in 0..200 {
        let text = if round % 2 == 0 { "b" } else { "a" }.repeat(100_000);
        write(&mut call, "f", &text, WriteMode::Replace).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}

#[tokio::test]
async fn a_full_disk_is_no_space_and_leaves_the_old_file() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bench = Bench::new().await;
    let disk = bench.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let options = std::ffi::CString::new("size=64k").unwrap();
    let flags = rustix::mount::MountFlags::empty();
    if rustix::mount::mount("tmpfs", &disk, "tmpfs", flags, Some(options.as_c_str())).is_err() {
        return;
    }
    let _unmount = Unmount(disk.clone());
    std::fs::write(disk.join("f"), "old").unwrap();
    let mut call = bench.call(&[], &["."]);
    for (name, mode) in [("disk/f", WriteMode::Replace), ("disk/f", WriteMode::Append), ("disk/g", WriteMode::Create)] {
        let full = call.write(name.into(), vec![b'x'; 1 << 20], mode).await.unwrap();
        let Err(Error::NoSpace(text)) = &full else { panic!("{full:?}") };
        assert!(text.contains("/disk/"), "{text}");
        if mode == WriteMode::Replace {
            assert_eq!(bench.text("disk/f"), "old");
            assert_eq!(std::fs::read_dir(&disk).unwrap().count(), 1, "the half-written file was left");
        }
        std::fs::write(disk.join("f"), "old").unwrap();
    }
    let moved = call.rename("disk/f".into(), "f".into()).await.unwrap();
    assert!(matches!(&moved, Err(Error::Other(text)) if text.contains("another file system")), "{moved:?}");
    let removed = call.remove("disk".into(), true).await.unwrap();
    assert!(removed.is_err(), "a mounted file system was removed");
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

// Folders.

#[tokio::test]
async fn makes_folders() {
    let bench = Bench::new().await;
    bench.file("file", "");
    let mut call = bench.call(&[], &["."]);
    call.make_directory("a".into(), false).await.unwrap().unwrap();
    call.make_directory("a/b/c/".into(), true).await.unwrap().unwrap();
    call.make_directory("a/b".into(), true).await.unwrap().unwrap();
    assert!(bench.path("a/b/c").is_dir());
    assert!(matches!(call.make_directory("a".into(), false).await.unwrap(), Err(Error::AlreadyExists(_))));
    assert!(matches!(call.make_directory("x/y".into(), false).await.unwrap(), Err(Error::NotFound(_))));
    assert!(matches!(call.make_directory("file".into(), true).await.unwrap(), Err(Error::AlreadyExists(_))));
    assert!(call.make_directory("file/x".into(), true).await.unwrap().is_err());
    assert!(call.make_directory("../x".into(), true).await.unwrap().is_err());
}

#[tokio::test]
async fn an_existing_folder_is_no_act() {
    let bench = Bench::new().await;
    let mut call = bench.call(&["."], &[]);
    call.make_directory(".".into(), true).await.unwrap().unwrap();
    assert!(bench.acts().await.is_empty());
}

#[tokio::test]
async fn removes_files_links_and_folders() {
    let bench = Bench::new().await;
    bench.file("keep/f", "kept");
    bench.file("d/e/f", "");
    symlink("../keep", bench.path("d/link")).unwrap();
    symlink("keep", bench.path("link")).unwrap();
    let mut call = bench.call(&[], &["."]);
    assert!(matches!(call.remove("d".into(), false).await.unwrap(), Err(Error::NotEmpty(_))));
    call.remove("d".into(), true).await.unwrap().unwrap();
    call.remove("link".into(), true).await.unwrap().unwrap();
    assert!(!bench.path("d").exists() && !bench.path("link").is_symlink());
    assert_eq!(bench.text("keep/f"), "kept", "a removal followed a link");
    assert!(matches!(call.remove("d".into(), true).await.unwrap(), Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_root_is_neither_removed_nor_moved_nor_replaced() {
    let bench = Bench::new().await;
    bench.file("a/b/f", "kept");
    bench.file("other/f", "");
    let mut call = bench.call(&["a/b"], &[".", "a"]);
    for path in [".", "a", "a/b"] {
        assert!(call.remove(path.into(), true).await.unwrap().is_err(), "{path}");
        assert!(call.rename(path.into(), "moved".into()).await.unwrap().is_err(), "{path}");
        assert!(call.rename("other".into(), path.into()).await.unwrap().is_err(), "{path}");
    }
    assert_eq!(bench.text("a/b/f"), "kept");
}

#[tokio::test]
async fn renames_within_the_grant_only() {
    let bench = Bench::new().await;
    bench.file("a/f", "a");
    bench.file("b/f", "b");
    bench.file("readable/f", "");
    let mut call = bench.call(&["readable"], &["a", "b"]);
    call.rename("a/f".into(), "b/f".into()).await.unwrap().unwrap();
    assert_eq!(bench.text("b/f"), "a");
    for (from, to) in [("b/f", "../f"), ("b/f", "/tmp/f"), ("b/f", "c/f"), ("../store.db", "b/x")] {
        let denied = call.rename(from.into(), to.into()).await.unwrap();
        assert!(matches!(denied, Err(Error::OutsideGrant(_))), "{from} to {to}: {denied:?}");
    }
    assert!(matches!(call.rename("b/f".into(), "readable/f".into()).await.unwrap(), Err(Error::ReadOnly(_))));
    assert!(matches!(call.rename("readable/f".into(), "b/x".into()).await.unwrap(), Err(Error::ReadOnly(_))));
    assert!(matches!(call.rename("a/gone".into(), "b/x".into()).await.unwrap(), Err(Error::NotFound(_))));
}

#[tokio::test]
async fn renames_are_judged_with_both_ends() {
    let bench = Bench::new().await;
    bench.file("a", "");
    let mut call = bench.call(&[], &["."]);
    call.rename("a".into(), "b".into()).await.unwrap().unwrap();
    assert_eq!(bench.acts().await, ["started: rename `PROJECT/a` to `PROJECT/b`", "ended: Done"]);
}

// Marks and links.

#[tokio::test]
async fn sets_modes_up_to_the_limit() {
    let bench = Bench::new().await;
    let file = bench.file("f", "");
    let mut call = bench.call(&[], &["."]);
    call.set_mode("f".into(), 0o755).await.unwrap().unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o7777, 0o755);
    call.set_mode("f".into(), 0o000).await.unwrap().unwrap();
    call.set_mode("f".into(), 0o777).await.unwrap().unwrap();
    for mode in [0o1777, 0o2755, 0o4755, u32::MAX] {
        assert!(matches!(call.set_mode("f".into(), mode).await.unwrap(), Err(Error::Other(_))), "{mode:o}");
    }
}

#[tokio::test]
async fn sets_times() {
    let bench = Bench::new().await;
    let file = bench.file("f", "");
    let mut call = bench.call(&[], &["."]);
    call.set_modified("f".into(), 1_700_000_000_123).await.unwrap().unwrap();
    let metadata = std::fs::metadata(&file).unwrap();
    assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_700_000_000, 123_000_000));
    assert!(metadata.atime() > 1_700_000_000);
    assert_eq!(call.stat("f".into(), true).await.unwrap().unwrap().modified_ms, 1_700_000_000_123);
    // Beyond what file systems hold: an error or a cut time, and no panic.
    let _ = call.set_modified("f".into(), u64::MAX).await.unwrap();
}

#[tokio::test]
async fn makes_symlinks_to_what_is_granted() {
    let bench = Bench::new().await;
    bench.file("d/f", "x");
    let mut call = bench.call(&[], &["."]);
    call.make_symlink("../d/f".into(), "d/relative".into()).await.unwrap().unwrap();
    call.make_symlink(bench.path("d").to_str().unwrap().into(), "absolute".into()).await.unwrap().unwrap();
    call.make_symlink("not-there-yet".into(), "dangling".into()).await.unwrap().unwrap();
    assert_eq!(bench.text("d/relative"), "x");
    assert!(matches!(call.make_symlink("x".into(), "absolute".into()).await.unwrap(), Err(Error::AlreadyExists(_))));
}

#[tokio::test]
async fn makes_no_symlink_that_leads_out() {
    let bench = Bench::new().await;
    bench.file("d/f", "x");
    let mut call = bench.call(&[], &["."]);
    for target in ["/etc/passwd", "../../store.db", "..", "d/../../store.db", "/proc/self/root"] {
        let denied = call.make_symlink(target.into(), "link".into()).await.unwrap();
        assert!(matches!(denied, Err(Error::OutsideGrant(_))), "{target}: {denied:?}");
    }
    for target in ["", "a\0b"] {
        assert!(call.make_symlink(target.into(), "link".into()).await.unwrap().is_err());
    }
    assert!(!bench.path("link").is_symlink());
}

#[tokio::test]
async fn makes_no_symlink_whose_meaning_others_decide() {
    let bench = Bench::new().await;
    std::fs::create_dir_all(bench.path("x/y/z")).unwrap();
    symlink("../../..", bench.path("x/y/z/up")).unwrap();
    let mut call = bench.call(&[], &["."]);
    // Folded it is `x/y/etc`; for the kernel, which goes through `up` first, it is outside.
    let made = call.make_symlink("x/y/z/up/../../etc".into(), "build".into()).await.unwrap();
    assert!(matches!(&made, Err(Error::OutsideGrant(text)) if text.contains("`..` only at its beginning")), "{made:?}");
    assert!(std::fs::symlink_metadata(bench.path("build")).is_err());
}

#[tokio::test]
async fn a_folder_is_not_moved_to_where_its_links_lead_out() {
    let bench = Bench::new().await;
    std::fs::create_dir_all(bench.path("a/b/c")).unwrap();
    let mut call = bench.call(&[], &["."]);
    call.make_symlink("../../../etc".into(), "a/b/c/link".into()).await.unwrap().unwrap();
    let moved = call.rename("a/b/c".into(), "c".into()).await.unwrap();
    assert!(matches!(&moved, Err(Error::OutsideGrant(_))), "{moved:?}");
    call.rename("a/b".into(), "a/d".into()).await.unwrap().unwrap();
    assert!(bench.path("a/d/c/link").is_symlink());
}

#[tokio::test]
async fn a_symlink_is_not_moved_to_where_it_leads_out() {
    let bench = Bench::new().await;
    bench.file("a/b/f", "");
    symlink("../../store.db", bench.path("a/b/link")).unwrap();
    let mut call = bench.call(&[], &["."]);
    let denied = call.rename("a/b/link".into(), "link".into()).await.unwrap();
    assert!(matches!(denied, Err(Error::OutsideGrant(_))), "{denied:?}");
}

#[tokio::test]
async fn a_plugin_without_files_reaches_none() {
    let bench = Bench::new().await;
    let mut call = bench.call_with(files(&[], &[], &bench.project()));
    call.files = None;
    let denied = call.read("f".into(), 0, 1).await.unwrap();
    assert!(matches!(denied, Err(Error::OutsideGrant(_))), "{denied:?}");
    assert!(call.roots().await.unwrap().is_empty());
}
