//! A disk without space: a clear error, and nothing of what was acknowledged is lost.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pi_host::journal::{self, verify};
use pi_host::store::sqlite::SqliteStore;
use pi_host::store::{Store, StoreError};

use super::{journal_in, said};

const FOLDER: &str = "PI_TEST_SPACE_FOLDER";

/// Append until it fails; how many were acknowledged, and the error.
async fn fill(folder: &Path) -> (usize, String) {
    let (_store, journal) = journal_in(folder).await;
    let session = journal.session("s").await.unwrap();
    let mut stored = 0;
    loop {
        match session.append_durable(said(&"x".repeat(10_000))).await {
            Ok(_) => stored += 1,
            Err(error) => {
                // It stays so, and counts what it could not keep.
                session.append(said("lost"));
                assert_eq!(session.append_durable(said("lost")).await.unwrap_err().to_string(), error.to_string());
                assert_eq!(journal.health().lost, 3);
                return (stored, error.to_string());
            }
        }
        assert!(stored < 100_000, "the limit does not hold");
    }
}

async fn assert_whole(folder: &Path, stored: usize) {
    let store = SqliteStore::open(&folder.join("store.db")).await.unwrap();
    // The journal that filled it was dropped, and gives its lease back as soon as it can.
    while store.holder().await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    store.close().await;
    let (store, journal) = journal_in(folder).await;
    assert_eq!(journal::entries(&*store, "s").await.unwrap().len(), stored);
    let reports = verify(&*store, None).await.unwrap();
    assert!(reports.iter().all(journal::Report::holds), "{reports:?}");
    journal.session("s").await.unwrap().append_durable(said("space again")).await.unwrap();
}

/// No test by itself: the process that runs under a limit on the size of its files.
#[tokio::test]
async fn process_that_fills() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (stored, error) = fill(folder.as_ref()).await;
    println!("stored {stored}\nerror {error}");
}

#[tokio::test]
async fn a_limit_on_the_size_of_files_is_a_clear_error_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    // 512 blocks of 512 bytes or 1,024, as the shell has it. Without the trap the signal would end the process.
    let output = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 1024; exec \"$0\" --exact journal::space::process_that_fills --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |name: &str| text.lines().find_map(|line| line.split_once(name)).unwrap_or_else(|| panic!("{text}")).1;
    assert!(field("error ").starts_with("there is no space left for the store ("), "{text}");
    assert_whole(folder.path(), field("stored ").parse().unwrap()).await;
}

#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else { return };
    let (stored, error) = fill(&folder.path().join("pi")).await;
    assert!(error.starts_with("there is no space left for the store ("), "{error}");
    assert!(stored > 0);
    disk.grow();
    assert_whole(&folder.path().join("pi"), stored).await;
}

#[tokio::test]
async fn a_store_cannot_be_made_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else { return };
    let _ = fs::write(folder.path().join("filler"), vec![1; 8 << 20]);
    let error = SqliteStore::open(&folder.path().join("store.db")).await.err().unwrap();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.hint().starts_with("free some space"));
}

/// A real file system of 2 MiB. Only root can mount one; the limit on files is tested in any case.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path) -> Option<Self> {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(folder)
            .stderr(Stdio::null())
            .status()
            .ok()?;
        status.success().then_some(Self(folder))
    }

    fn grow(&self) {
        let status = Command::new("mount").args(["-o", "remount,size=64m"]).arg(self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: the connections' threads may still close their files.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
