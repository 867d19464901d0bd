//! The offline store against archives that are good, cut, damaged, empty or made to explode.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::packages::advisory::{Basis, Level};
use crate::packages::api::{Api, ApiLimits};
use crate::packages::lookup::Lookup;
use crate::packages::loopback::{Loopback, Reply};

const RECORDS: usize = 300;

fn npm() -> Ecosystem {
    Ecosystem::parse("npm").unwrap()
}

fn package(name: &str, version: Option<&str>) -> Package {
    Package { ecosystem: npm(), name: name.into(), version: version.map(str::to_owned) }
}

/// Records of which every tenth is malice, and every eleventh withdrawn; `extra` is fixed in all.
fn records(count: usize) -> Vec<Value> {
    let record = |at: usize| {
        let is_malicious = at.is_multiple_of(10);
        let events = json!([{"introduced": "1.0.0"}, {"fixed": format!("1.{at}.0")}]);
        let ranges = if is_malicious { json!([]) } else { json!([{"type": "SEMVER", "events": events}]) };
        let id = if is_malicious { format!("MAL-2024-{at}") } else { format!("GHSA-{at:04}") };
        let mut record = json!({
            "id": id, "modified": "2024-01-01T00:00:00Z", "summary": format!("record {at}"), "details": "long ".repeat(50),
            "affected": [{"package": {"ecosystem": "npm", "name": format!("package-{at}")}, "ranges": ranges},
                         {"package": {"ecosystem": "npm", "name": "extra"}, "ranges": [{"type": "SEMVER", "events": events}]}]
        });
        if at.is_multiple_of(11) {
            record["withdrawn"] = json!("2024-02-01T00:00:00Z");
        }
        record
    };
    (1..=count).map(record).collect()
}

fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![];
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in entries {
        let (mut entry, config) =
            archive.new_file(name).compression_method(rawzip::CompressionMethod::DEFLATE).start().unwrap();
        let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
        let mut writer = config.wrap(encoder);
        writer.write_all(content).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

fn zip_of(records: &[Value]) -> Vec<u8> {
    let entry = |record: &Value| (format!("{}.json", record["id"].as_str().unwrap()), record.to_string().into_bytes());
    zip(&records.iter().map(entry).collect::<Vec<_>>())
}

struct Place {
    folder: tempfile::TempDir,
    store: OfflineStore,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = OfflineStore::new(folder.path().join("packages"), 7);
        Self { folder, store }
    }

    async fn sync(&self, archive: Vec<u8>) -> Result<Synced, SyncError> {
        self.sync_with(SyncLimits::default(), Reply::new(200, archive)).await
    }

    async fn sync_with(&self, limits: SyncLimits, reply: Reply) -> Result<Synced, SyncError> {
        let server = Loopback::start(move |_, _| reply.clone()).await;
        let archives = Archives::new(&server.base, limits).unwrap();
        self.store.sync(&archives, &npm(), &|_| {}).await
    }

    async fn report(&self, name: &str, version: Option<&str>) -> Report {
        self.store.check(&package(name, version)).await.unwrap().unwrap()
    }

    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path().join("packages")).unwrap();
        let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("packages/npm.sqlite")
    }
}

#[tokio::test]
async fn an_archive_is_downloaded_indexed_and_asked() {
    let place = Place::new();
    let server = Loopback::start(|_, _| Reply::new(200, zip_of(&records(RECORDS))).with("etag", "\"v1\"")).await;
    let archives = Archives::new(&format!("{}/mirror/", server.base), SyncLimits::default()).unwrap();
    let (last, indexed) = (Mutex::new(None), AtomicU64::new(0));
    let progress = |progress| match progress {
        Progress::Download { .. } => *last.lock().unwrap() = Some(progress),
        Progress::Index { records } => indexed.store(records, Ordering::Relaxed),
    };
    let synced = place.store.sync(&archives, &npm(), &progress).await.unwrap();

    assert_eq!(server.asked()[0].line, "GET /mirror/npm/all.zip HTTP/1.1");
    let withdrawn = (RECORDS / 11) as u64;
    assert_eq!((synced.about.records, synced.about.skipped), (RECORDS as u64 - withdrawn, 0));
    assert_eq!(indexed.into_inner(), synced.about.records);
    let bytes = Some(Progress::Download { bytes: synced.bytes, bytes_total: Some(synced.bytes) });
    assert_eq!(last.into_inner().unwrap(), bytes);
    assert_eq!(place.files(), ["npm.lock", "npm.sqlite"]);

    let affected = place.report("package-7", Some("1.6.9")).await;
    assert_eq!(affected.findings[0].fixed.as_deref(), Some("1.7.0"));
    assert!(place.report("package-7", Some("1.7.0")).await.is_clean());
    assert!(place.report("package-7", None).await.is_clean());
    assert!(place.report("package-22", Some("1.0.0")).await.is_clean(), "it is withdrawn");
    assert!(place.report("no-such-package", Some("1.0.0")).await.is_clean());
    let malicious = place.report("package-20", None).await;
    assert_eq!((malicious.level(), malicious.findings[0].basis), (Some(Level::Malicious), Basis::Name));
    let extra = place.report("extra", Some("1.298.5")).await;
    let ids: Vec<&str> = extra.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["MAL-2024-300", "GHSA-0299"]);
}

#[tokio::test]
async fn an_ecosystem_that_is_not_there_gives_no_answer() {
    assert_eq!(Place::new().store.check(&package("a", None)).await, Ok(None));
}

#[tokio::test]
async fn an_unchanged_archive_is_not_downloaded_again_and_the_store_is_young_again() {
    let place = Place::new();
    let server = Loopback::start(|asked, _| match asked.headers.contains("if-none-match: \"v1\"") {
        true => Reply::new(304, ""),
        false => Reply::new(200, zip_of(&records(20))).with("etag", "\"v1\""),
    })
    .await;
    let archives = Archives::new(&server.base, SyncLimits::default()).unwrap();
    let first = place.store.sync(&archives, &npm(), &|_| {}).await.unwrap();
    let second = place.store.sync(&archives, &npm(), &|_| {}).await.unwrap();
    assert!(!first.is_unchanged && second.is_unchanged && second.bytes == 0);
    assert!(second.about.synced_ms >= first.about.synced_ms);
    assert_eq!(place.store.about(&npm()).await.unwrap(), Some(second.about));
    assert_eq!(place.report("package-7", Some("1.6.9")).await.findings.len(), 1);
    // The version of one server's archive says nothing of another's.
    let other = Loopback::start(|_, _| Reply::new(200, zip_of(&records(15)))).await;
    let archives = Archives::new(&other.base, SyncLimits::default()).unwrap();
    assert!(!place.store.sync(&archives, &npm(), &|_| {}).await.unwrap().is_unchanged);
    assert!(!other.asked()[0].headers.contains("if-none-match"));
}

#[tokio::test]
async fn a_new_archive_replaces_the_old_one_under_an_open_store() {
    let place = Place::new();
    place.sync(zip_of(&records(20))).await.unwrap();
    assert!(place.report("package-29", Some("1.0.0")).await.is_clean());
    place.sync(zip_of(&records(30))).await.unwrap();
    assert_eq!(place.report("package-29", Some("1.0.0")).await.findings.len(), 1);
}

/// The update fails with this error, and the store answers as before, with nothing left beside it.
async fn assert_refused(limits: SyncLimits, reply: Reply, expected: impl Fn(&SyncError) -> bool) {
    let place = Place::new();
    place.sync(zip_of(&records(20))).await.unwrap();
    let before = fs::read(place.file()).unwrap();
    let error = place.sync_with(limits, reply).await.unwrap_err();
    assert!(expected(&error), "{error:?}");
    assert_eq!(fs::read(place.file()).unwrap(), before);
    assert_eq!(place.files(), ["npm.lock", "npm.sqlite"]);
    assert_eq!(place.report("package-7", Some("1.6.9")).await.findings.len(), 1);
}

fn is_damaged(error: &SyncError) -> bool {
    matches!(error, SyncError::Archive(ArchiveError::Damaged(_)))
}

#[tokio::test]
async fn a_cut_archive_leaves_the_store_as_it_was() {
    let whole = zip_of(&records(RECORDS));
    for length in [0, 10, whole.len() / 2, whole.len() - 10] {
        assert_refused(SyncLimits::default(), Reply::new(200, &whole[..length]), is_damaged).await;
    }
    let cut = Reply::new(200, whole).cut_at(1000);
    assert_refused(SyncLimits::default(), cut, |error| matches!(error, SyncError::Fetch { .. })).await;
}

#[tokio::test]
async fn a_damaged_archive_leaves_the_store_as_it_was() {
    let mut damaged = zip_of(&records(RECORDS));
    let middle = damaged.len() / 3;
    for byte in &mut damaged[middle..middle + 64] {
        *byte ^= 0x55;
    }
    assert_refused(SyncLimits::default(), Reply::new(200, damaged), is_damaged).await;
    assert_refused(SyncLimits::default(), Reply::new(200, "<html>no archive</html>"), is_damaged).await;
}

#[tokio::test]
async fn a_bomb_leaves_the_store_as_it_was() {
    let bomb = zip(&[("a.json".into(), vec![b' '; 50_000]), ("b.json".into(), vec![b' '; 50_000])]);
    let limits = SyncLimits { entry_bytes_max: 49_999, ..SyncLimits::default() };
    let is_entry = |error: &SyncError| matches!(error, SyncError::Archive(ArchiveError::EntryTooLarge { .. }));
    assert_refused(limits, Reply::new(200, bomb.clone()), is_entry).await;
    let limits = SyncLimits { unpacked_bytes_max: 99_999, ..SyncLimits::default() };
    let is_total = |error: &SyncError| matches!(error, SyncError::Archive(ArchiveError::TooLarge(99_999)));
    assert_refused(limits, Reply::new(200, bomb), is_total).await;
    let limits = SyncLimits { entries_max: 299, ..SyncLimits::default() };
    let is_count = |error: &SyncError| matches!(error, SyncError::Archive(ArchiveError::TooManyEntries(299)));
    assert_refused(limits, Reply::new(200, zip_of(&records(RECORDS))), is_count).await;
}

#[tokio::test]
async fn an_archive_at_its_limits_is_used() {
    let archive = zip_of(&records(20));
    let limits = SyncLimits {
        entries_max: 20,
        download_bytes_max: archive.len() as u64,
        entry_bytes_max: records(20).iter().map(|record| record.to_string().len() as u64).max().unwrap(),
        unpacked_bytes_max: records(20).iter().map(|record| record.to_string().len() as u64).sum(),
        ..SyncLimits::default()
    };
    assert!(Place::new().sync_with(limits, Reply::new(200, archive)).await.is_ok());
}

#[tokio::test]
async fn an_archive_without_records_leaves_the_store_as_it_was() {
    let is_empty = |error: &SyncError| matches!(error, SyncError::Empty { .. });
    assert_refused(SyncLimits::default(), Reply::new(200, zip(&[])), is_empty).await;
    let mut others = records(20);
    for record in &mut others {
        record["affected"][0]["package"]["ecosystem"] = json!("PyPI");
        record["affected"][1]["package"]["ecosystem"] = json!("PyPI");
    }
    assert_refused(SyncLimits::default(), Reply::new(200, zip_of(&others)), is_empty).await;
    let nonsense = zip(&[("a.json".into(), b"{}".to_vec()), ("b.json".into(), b"[".to_vec())]);
    let is_nonsense = |error: &SyncError| *error == SyncError::NotRecords { skipped: 2, records: 0 };
    assert_refused(SyncLimits::default(), Reply::new(200, nonsense), is_nonsense).await;
}

#[tokio::test]
async fn an_archive_that_cannot_be_had_leaves_the_store_as_it_was() {
    let is_fetch = |error: &SyncError| matches!(error, SyncError::Fetch { url, .. } if url.ends_with("/npm/all.zip"));
    for reply in [
        Reply::new(404, "no such key"),
        Reply::new(302, "").with("location", "/elsewhere"),
        Reply::new(429, "").with("retry-after", "86400"),
        Reply::new(500, "").with("retry-after", "0"),
        Reply::new(304, ""),
    ] {
        assert_refused(SyncLimits::default(), reply, is_fetch).await;
    }
    let limits = SyncLimits { each: Duration::from_millis(100), ..SyncLimits::default() };
    assert_refused(limits, Reply::silent(), is_fetch).await;
    let limits = SyncLimits { download_bytes_max: 1000, ..SyncLimits::default() };
    assert_refused(limits, Reply::new(200, zip_of(&records(RECORDS))), is_fetch).await;
}

/// Good records, and these, which are less than one of a hundred.
async fn place_with(broken: &[Value]) -> (Place, About) {
    let mut entries: Vec<(String, Vec<u8>)> =
        records(RECORDS).iter().map(|record| ("x.json".into(), record.to_string().into_bytes())).collect();
    entries.extend(broken.iter().map(|record| ("y.json".into(), record.to_string().into_bytes())));
    let place = Place::new();
    let about = place.sync(zip(&entries)).await.unwrap().about;
    (place, about)
}

#[tokio::test]
async fn one_unreadable_record_that_may_be_about_any_package_makes_silence_unknown() {
    let (place, about) = place_with(&[json!({"id": "GHSA-7", "affected": 7})]).await;
    assert_eq!((about.skipped, about.named), (1, 0));
    let report = place.report("no-such-package", Some("1.0.0")).await;
    let Status::Unknown { reason } = &report.status else { panic!("{report:?}") };
    assert!(reason.contains("1 records") && reason.ends_with("may be about any package (GHSA-7)"), "{reason}");
}

#[tokio::test]
async fn an_unreadable_record_that_names_its_package_is_unknown_for_that_one_alone() {
    let broken = |id: &str, name: &str| json!({"id": id, "aliases": 7, "affected": [{"package": {"ecosystem": "npm", "name": name}, "versions": ["1.0.0"]}]});
    let (place, about) = place_with(&[broken("GHSA-7", "torn"), broken("MAL-2024-7", "evil")]).await;
    assert_eq!((about.skipped, about.named), (2, 2));
    let report = place.report("torn", Some("3.0.0")).await;
    assert!(matches!(&report.status, Status::Unknown { reason } if reason.contains("GHSA-7")), "{report:?}");
    assert_eq!(place.report("evil", Some("3.0.0")).await.level(), Some(Level::Malicious));
    assert!(place.report("no-such-package", Some("1.0.0")).await.is_clean());
}

#[tokio::test]
async fn an_archive_that_lost_more_than_half_of_its_records_leaves_the_store_as_it_was() {
    let is_shrunk = |error: &SyncError| matches!(error, SyncError::Shrunk { records: 9, before: 19, path, .. } if path.ends_with("npm.sqlite"));
    assert_refused(SyncLimits::default(), Reply::new(200, zip_of(&records(9))), is_shrunk).await;
    let place = Place::new();
    place.sync(zip_of(&records(20))).await.unwrap();
    assert!(place.sync(zip_of(&records(10))).await.is_ok(), "half of them is put up with");
}

/// What is said of a package by a store that is too old, with and without an API.
async fn of_old_store(name: &str, api: Option<Reply>) -> Report {
    let place = Place::new();
    place.sync(zip_of(&records(20))).await.unwrap();
    let old = OfflineStore::new(place.folder.path().join("packages"), 0);
    let server = Loopback::start(move |_, _| api.clone().unwrap_or_else(|| Reply::new(400, ""))).await;
    let api = Api::new(&server.base, ApiLimits::default()).unwrap();
    Lookup::new(Some(old), Some(api)).check(&[package(name, Some("1.0.0"))]).await.remove(0)
}

#[tokio::test]
async fn an_old_store_does_not_silence_the_api() {
    let found = Reply::json(&json!({"results": [{"vulns": [{"id": "MAL-2024-99"}]}]}));
    assert_eq!(of_old_store("no-such-package", Some(found)).await.level(), Some(Level::Malicious));
    let nothing = Reply::json(&json!({"results": [{}]}));
    assert!(of_old_store("package-20", Some(nothing)).await.is_clean(), "it was taken back since then");
}

#[tokio::test]
async fn an_old_store_is_unknown_without_an_api_and_tells_what_it_has() {
    let report = of_old_store("package-20", None).await;
    assert!(matches!(report.status, Status::Unknown { .. }) && report.level() == Some(Level::Malicious), "{report:?}");
    let place = Place::new();
    place.sync(zip_of(&records(20))).await.unwrap();
    let old = || Lookup::new(Some(OfflineStore::new(place.folder.path().join("packages"), 0)), None);
    let reports = old().check(&[package("package-20", None), package("no-such-package", None)]).await;
    for report in &reports {
        let Status::Unknown { reason } = &report.status else { panic!("{report:?}") };
        assert!(reason.contains("days old") && reason.contains("`pi-host packages sync npm`"), "{reason}");
    }
    assert_eq!((reports[0].level(), reports[1].level()), (Some(Level::Malicious), None));
}

#[tokio::test]
async fn a_damaged_store_is_an_error_and_an_update_repairs_it() {
    let place = Place::new();
    place.sync(zip_of(&records(RECORDS))).await.unwrap();
    let whole = fs::read(place.file()).unwrap();
    for damaged in [&whole[..whole.len() / 2], &whole[..100], b"", b"no database at all"] {
        fs::remove_file(place.file()).unwrap();
        fs::write(place.file(), damaged).unwrap();
        let store = OfflineStore::new(place.folder.path().join("packages"), 7);
        let answer = store.check(&package("package-7", Some("1.6.9"))).await;
        assert!(matches!(answer, Err(OfflineError::Unreadable { .. })), "{} bytes: {answer:?}", damaged.len());
    }
    // What cannot be read says nothing of how much there was before.
    place.sync(zip_of(&records(20))).await.unwrap();
    assert_eq!(place.report("package-7", Some("1.6.9")).await.findings.len(), 1);
}

#[tokio::test]
async fn the_file_of_another_ecosystem_is_not_believed() {
    let place = Place::new();
    place.sync(zip_of(&records(20))).await.unwrap();
    fs::copy(place.file(), place.folder.path().join("packages/pypi.sqlite")).unwrap();
    let ecosystem = Ecosystem::parse("PyPI").unwrap();
    let error = place.store.check(&Package { ecosystem, name: "a".into(), version: None }).await.unwrap_err();
    assert!(error.to_string().contains("it is the one of npm"), "{error}");
}

#[tokio::test]
async fn two_updates_of_one_ecosystem_do_not_meet() {
    let place = Place::new();
    place.sync(zip_of(&records(20))).await.unwrap();
    let lock = fs::File::open(place.folder.path().join("packages/npm.lock")).unwrap();
    lock.lock().unwrap();
    let error = place.sync(zip_of(&records(30))).await.unwrap_err();
    assert_eq!(error, SyncError::Busy { ecosystem: "npm".into() });
}

#[tokio::test]
async fn an_old_store_says_that_it_is_stale() {
    let place = Place::new();
    place.sync(zip_of(&records(20))).await.unwrap();
    let about = place.store.about(&npm()).await.unwrap().unwrap();
    let days = |count: u64| About { synced_ms: clock::now_ms() - count * 86_400_000 - 1, ..about.clone() };
    let source = |about: &About| place.store.source(about);
    assert!(matches!(source(&days(6)), Source::Store { age_days: 6, is_stale: false, .. }));
    assert!(matches!(source(&days(7)), Source::Store { age_days: 7, is_stale: true, .. }));
}

#[tokio::test]
async fn a_release_that_the_store_does_not_know_is_unknown() {
    let records: Vec<Value> = ["11", "12"]
        .iter()
        .map(|release| {
            json!({"id": format!("DSA-{release}"), "affected": [{
                "package": {"ecosystem": format!("Debian:{release}"), "name": "nginx"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": format!("1.{release}-1")}]}]}]})
        })
        .collect();
    let place = Place::new();
    let server = Loopback::start(move |_, _| Reply::new(200, zip_of(&records))).await;
    let archives = Archives::new(&server.base, SyncLimits::default()).unwrap();
    let debian = Ecosystem::parse("Debian:12").unwrap();
    place.store.sync(&archives, &debian, &|_| {}).await.unwrap();
    assert_eq!(server.asked()[0].line, "GET /Debian/all.zip HTTP/1.1");
    let check = async |ecosystem: &str| {
        let ecosystem = Ecosystem::parse(ecosystem).unwrap();
        let package = Package { ecosystem, name: "nginx".into(), version: Some("1.11-3".into()) };
        place.store.check(&package).await.unwrap().unwrap()
    };
    assert_eq!(check("Debian:12").await.findings[0].id, "DSA-12");
    assert!(check("Debian:11").await.is_clean());
    assert_eq!(check("Debian").await.findings.len(), 1);
    let reason = "the offline store of Debian has no release `bookworm`".to_owned();
    assert_eq!(check("Debian:bookworm").await.status, Status::Unknown { reason });
}

#[tokio::test]
async fn the_name_of_an_ecosystem_is_encoded_in_the_url() {
    let server = Loopback::start(|_, _| Reply::new(404, "")).await;
    let archives = Archives::new(&server.base, SyncLimits::default()).unwrap();
    let ecosystem = Ecosystem::parse("Red Hat").unwrap();
    assert!(Place::new().store.sync(&archives, &ecosystem, &|_| {}).await.is_err());
    assert_eq!(server.asked()[0].line, "GET /Red%20Hat/all.zip HTTP/1.1");
}
