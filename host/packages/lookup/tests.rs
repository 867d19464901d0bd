//! The order of the sources, and what is remembered.

use serde_json::{Value, json};

use super::*;
use crate::packages::advisory::Source;
use crate::packages::api::ApiLimits;
use crate::packages::ecosystem::Ecosystem;
use crate::packages::loopback::{Loopback, Reply};

fn package(name: &str) -> Package {
    Package { ecosystem: Ecosystem::parse("Hex").unwrap(), name: name.into(), version: Some("1.0.0".into()) }
}

/// An API that knows nothing bad.
async fn api() -> (Loopback, Api) {
    let server = Loopback::start(|asked, _| {
        let batch: Value = serde_json::from_str(&asked.body).unwrap();
        let results = vec![json!({}); batch["queries"].as_array().unwrap().len()];
        Reply::json(&json!({ "results": results }))
    })
    .await;
    let api = Api::new(&server.base, ApiLimits::default()).unwrap();
    (server, api)
}

fn is_unknown(report: &Report, words: &str) -> bool {
    matches!(&report.status, Status::Unknown { reason } if reason.contains(words)) && !report.is_clean()
}

#[tokio::test]
async fn without_a_source_nothing_is_clean() {
    let reports = Lookup::default().check(&[package("a")]).await;
    assert!(is_unknown(&reports[0], "there is no offline store, and the API may not be asked"), "{reports:?}");
}

#[tokio::test]
async fn an_ecosystem_that_is_not_offline_is_unknown_or_asked_of_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let store = || Some(OfflineStore::new(folder.path().to_owned(), 7));
    let reports = Lookup::new(store(), None).check(&[package("a")]).await;
    assert!(is_unknown(&reports[0], "`pi-host packages sync Hex`"), "{reports:?}");
    let (server, api) = api().await;
    let reports = Lookup::new(store(), Some(api)).check(&[package("a")]).await;
    assert_eq!(reports[0].status, Status::Checked { source: Source::Api { url: server.base.clone() } });
}

#[tokio::test]
async fn a_damaged_store_is_unknown_or_asked_of_the_api() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hex.sqlite"), "no database").unwrap();
    let store = || Some(OfflineStore::new(folder.path().to_owned(), 7));
    let reports = Lookup::new(store(), None).check(&[package("a")]).await;
    assert!(is_unknown(&reports[0], "cannot be read"), "{reports:?}");
    let (_server, api) = api().await;
    assert!(Lookup::new(store(), Some(api)).check(&[package("a")]).await[0].is_clean());
}

#[tokio::test]
async fn a_package_is_asked_once_and_then_remembered() {
    let (server, api) = api().await;
    let lookup = Lookup::new(None, Some(api));
    let reports = lookup.check(&[package("a"), package("b"), package("a")]).await;
    assert!(reports.iter().all(Report::is_clean));
    assert_eq!(reports[2].package, package("a"));
    assert_eq!(server.asked()[0].body.matches("ecosystem").count(), 2);
    lookup.check(&[package("b")]).await;
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_answer_that_failed_is_asked_for_again() {
    let server = Loopback::start(|_, count| match count {
        0 => Reply::new(400, ""),
        _ => Reply::json(&json!({"results": [{}]})),
    })
    .await;
    let lookup = Lookup::new(None, Some(Api::new(&server.base, ApiLimits::default()).unwrap()));
    assert!(is_unknown(&lookup.check(&[package("a")]).await[0], "HTTP status 400"));
    assert!(lookup.check(&[package("a")]).await[0].is_clean());
}

#[tokio::test]
async fn what_is_no_name_is_unknown_and_not_asked() {
    let (server, api) = api().await;
    let lookup = Lookup::new(None, Some(api));
    let reports = lookup.check(&[package(""), package("a b"), package("a\u{1b}[2J"), package(&"x".repeat(513))]).await;
    assert!(reports.iter().all(|report| matches!(report.status, Status::Unknown { .. })), "{reports:?}");
    assert!(server.asked().is_empty());
    assert!(lookup.check(&[package(&"x".repeat(512))]).await[0].is_clean());
}

#[tokio::test]
async fn packages_beyond_the_limit_are_unknown() {
    let packages: Vec<Package> = (0..=PACKAGES_MAX).map(|count| package(&format!("p{count}"))).collect();
    let (_server, api) = api().await;
    let reports = Lookup::new(None, Some(api)).check(&packages).await;
    assert!(reports[PACKAGES_MAX - 1].is_clean());
    assert!(is_unknown(&reports[PACKAGES_MAX], "there may be: 10000"), "{:?}", reports[PACKAGES_MAX]);
}

#[test]
fn reports_have_a_stable_form_as_json() {
    let report = Report::unknown(package("a"), "late".into());
    let form = json!({
        "package": {"ecosystem": "Hex", "name": "a", "version": "1.0.0"}, "findings": [],
        "status": {"state": "unknown", "reason": "late"}
    });
    assert_eq!(serde_json::to_value(&report).unwrap(), form);
    assert_eq!(serde_json::from_value::<Report>(form).unwrap(), report);
}
