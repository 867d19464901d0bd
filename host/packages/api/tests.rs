//! The API's client against a server of this machine that answers well, badly, late or not at all.

use serde_json::{Value, json};

use super::*;
use crate::packages::advisory::{Basis, Level};
use crate::packages::ecosystem::Ecosystem;
use crate::packages::loopback::{Asked, Loopback, Reply};

const LIMITS: ApiLimits = ApiLimits {
    total: Duration::from_secs(20),
    each: Duration::from_secs(10),
    answer_bytes_max: 100_000,
    attempts_max: 3,
};

fn package(name: &str, version: Option<&str>) -> Package {
    Package { ecosystem: Ecosystem::parse("PyPI").unwrap(), name: name.into(), version: version.map(str::to_owned) }
}

fn record(id: &str, package: &str, fixed: Option<&str>) -> Value {
    let mut events = vec![json!({"introduced": "0"})];
    events.extend(fixed.map(|fixed| json!({ "fixed": fixed })));
    json!({
        "id": id, "modified": "2024-01-01T00:00:00Z", "summary": format!("about {id}"),
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{"package": {"ecosystem": "PyPI", "name": package},
                      "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
    })
}

fn is_batch(asked: &Asked) -> bool {
    asked.line == "POST /v1/querybatch HTTP/1.1"
}

fn id_of(asked: &Asked) -> String {
    asked.line.trim_start_matches("GET /v1/vulns/").trim_end_matches(" HTTP/1.1").to_owned()
}

/// One query, to which the server answers `batch`, and with a good record for each identifier.
async fn check_one(batch: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> (Report, Vec<Asked>) {
    check_one_within(LIMITS, batch).await
}

async fn check_one_within(
    limits: ApiLimits,
    batch: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
) -> (Report, Vec<Asked>) {
    let answer = move |asked: &Asked, count: usize| match is_batch(asked) {
        true => batch(asked, count),
        false => Reply::json(&record(&id_of(asked), "flask", Some("2.0"))),
    };
    let server = Loopback::start(answer).await;
    let api = Api::new(&server.base, limits).unwrap();
    let reports = api.check(&[package("flask", Some("1.0"))]).await;
    let [report] = reports.try_into().unwrap();
    (report, server.asked())
}

fn reason(report: &Report) -> &str {
    match &report.status {
        Status::Unknown { reason } => reason,
        Status::Checked { .. } => panic!("it was checked: {report:?}"),
    }
}

fn one_result(id: &str) -> Reply {
    Reply::json(&json!({"results": [{"vulns": [{"id": id, "modified": "x"}]}]}))
}

#[tokio::test]
async fn packages_are_reported_in_their_order_with_what_concerns_them() {
    let server = Loopback::start(|asked, _| match is_batch(asked) {
        true => Reply::json(&json!({"results": [{}, {"vulns": [{"id": "GHSA-1", "modified": "x"}]}]})),
        false => Reply::json(&record("GHSA-1", "flask", Some("2.0"))),
    })
    .await;
    let api = Api::new(&server.base, LIMITS).unwrap();
    let reports = api.check(&[package("Fine_One", Some("3")), package("flask", Some("1.0"))]).await;
    assert!(reports[0].is_clean(), "{:?}", reports[0]);
    assert_eq!(reports[0].status, Status::Checked { source: Source::Api { url: server.base.clone() } });
    let [finding] = &reports[1].findings[..] else { panic!("{reports:?}") };
    assert_eq!((finding.id.as_str(), finding.fixed.as_deref()), ("GHSA-1", Some("2.0")));
    assert_eq!((finding.severity, finding.level, finding.basis), (Some(9.8), Level::Critical, Basis::Version));
    let queries: Value = serde_json::from_str(&server.asked()[0].body).unwrap();
    let expected = json!({"queries": [
        {"package": {"ecosystem": "PyPI", "name": "fine-one"}, "version": "3"},
        {"package": {"ecosystem": "PyPI", "name": "flask"}, "version": "1.0"}]});
    assert_eq!(queries, expected);
}

#[tokio::test]
async fn all_pages_are_read() {
    let (report, asked) = check_one(|asked, _| {
        let query: Value = serde_json::from_str(&asked.body).unwrap();
        match query["queries"][0]["page_token"].as_str() {
            None => Reply::json(&json!({"results": [{"vulns": [{"id": "A-1"}], "next_page_token": "p2"}]})),
            Some("p2") => Reply::json(&json!({"results": [{"vulns": [{"id": "A-2"}], "next_page_token": "p3"}]})),
            Some(_) => Reply::json(&json!({"results": [{"vulns": [{"id": "A-3"}], "next_page_token": ""}]})),
        }
    })
    .await;
    assert_eq!(report.findings.len(), 3);
    assert!(matches!(report.status, Status::Checked { .. }));
    assert_eq!(asked.iter().filter(|asked| is_batch(asked)).count(), 3);
}

#[tokio::test]
async fn pages_without_end_are_unknown_and_what_was_found_is_told() {
    let endless = json!({"results": [{"vulns": [{"id": "A-1"}], "next_page_token": "again"}]});
    let (report, asked) = check_one(move |_, _| Reply::json(&endless)).await;
    assert!(reason(&report).contains("more than 32 pages"), "{report:?}");
    assert_eq!(report.findings.len(), 1);
    assert_eq!(asked.iter().filter(|asked| is_batch(asked)).count(), PAGES_MAX);
}

#[tokio::test]
async fn a_busy_api_is_asked_again() {
    let (report, asked) = check_one(|_, count| match count {
        0 => Reply::new(429, "").with("retry-after", "0"),
        1 => Reply::new(503, "").with("retry-after", "0"),
        _ => one_result("A-1"),
    })
    .await;
    assert_eq!(report.findings.len(), 1);
    assert!(matches!(report.status, Status::Checked { .. }));
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn an_api_that_stays_busy_is_asked_so_often_and_no_more() {
    let (report, asked) = check_one(|_, _| Reply::new(500, "{}").with("retry-after", "0")).await;
    assert!(reason(&report).ends_with("it answered with HTTP status 500"), "{report:?}");
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn a_pause_beyond_the_limit_is_not_made() {
    let (report, asked) = check_one(|_, _| Reply::new(429, "").with("retry-after", "86400")).await;
    assert!(reason(&report).contains("(HTTP status 429) and asks to wait for 86400 s"), "{report:?}");
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_unknown() {
    let (report, _) = check_one(|_, _| one_result("A-1").cut_at(20)).await;
    assert!(reason(&report).contains("the connection failed"), "{report:?}");
    // Cut where nobody announced a length, it ends in the middle of the JSON.
    let (report, _) = check_one(|_, _| Reply::new(200, r#"{"results": [{"vulns": [{"id": "A-"#)).await;
    assert!(reason(&report).contains("not one of OSV"), "{report:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unknown() {
    let limits = ApiLimits { each: Duration::from_millis(100), ..LIMITS };
    let (report, _) = check_one_within(limits, |_, _| Reply::silent()).await;
    assert!(reason(&report).contains("did not answer in"), "{report:?}");
    let limits = ApiLimits { total: Duration::from_millis(100), ..LIMITS };
    let (report, _) = check_one_within(limits, |_, _| Reply::silent()).await;
    assert!(reason(&report).contains("did not answer in"), "{report:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_of_osv_is_unknown() {
    for answer in ["<html>", "", "null", "{}", r#"{"results": {}}"#, r#"{"results": []}"#, r#"{"results": [{}, {}]}"#] {
        let (report, _) = check_one(move |_, _| Reply::new(200, answer)).await;
        assert!(reason(&report).contains("its answer is not one of OSV"), "{answer}: {report:?}");
    }
}

#[tokio::test]
async fn a_huge_answer_is_unknown() {
    let (report, _) = check_one(|_, _| Reply::new(200, vec![b' '; 100_001])).await;
    assert!(reason(&report).contains("larger than 100000 bytes"), "{report:?}");
    let at_the_limit = |_: &Asked, _: usize| {
        let mut answer = br#"{"results": [{}]}"#.to_vec();
        answer.resize(100_000, b' ');
        Reply::new(200, answer)
    };
    assert!(check_one(at_the_limit).await.0.is_clean());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (report, asked) = check_one(|_, _| Reply::new(307, "").with("location", "/v1/querybatch")).await;
    assert!(reason(&report).contains("HTTP status 307"), "{report:?}");
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_unknown() {
    let base = Loopback::start(|_, _| Reply::silent()).await.base.clone();
    let api = Api::new(&base, LIMITS).unwrap();
    tokio::task::yield_now().await;
    let reports = api.check(&[package("flask", None)]).await;
    assert!(!reports[0].is_clean() && matches!(reports[0].status, Status::Unknown { .. }), "{reports:?}");
}

#[tokio::test]
async fn an_identifier_never_becomes_another_path() {
    let (report, asked) = check_one(|_, _| one_result("../../v1/secret")).await;
    assert!(reason(&report).contains("it names what is not a record: `../../v1/secret`"), "{report:?}");
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_a_finding_and_the_package_unknown() {
    let server = Loopback::start(|asked, _| match is_batch(asked) {
        true => Reply::json(&json!({"results": [{"vulns": [{"id": "MAL-2024-7"}, {"id": "GHSA-1"}]}]})),
        false => match id_of(asked).as_str() {
            "GHSA-1" => Reply::json(&record("GHSA-2", "flask", None)),
            _ => Reply::new(404, "{}"),
        },
    })
    .await;
    for version in [Some("1.0"), None] {
        let reports = Api::new(&server.base, LIMITS).unwrap().check(&[package("flask", version)]).await;
        assert!(reason(&reports[0]).contains("could not be read"), "{reports:?}");
        let found: Vec<_> = reports[0].findings.iter().map(|found| (found.id.as_str(), found.level)).collect();
        assert_eq!(found, [("MAL-2024-7", Level::Malicious), ("GHSA-1", Level::Moderate)]);
    }
}

#[tokio::test]
async fn withdrawn_records_do_not_count_and_those_of_one_thing_are_one_finding() {
    let server = Loopback::start(|asked, _| match is_batch(asked) {
        true => Reply::json(&json!({"results": [{"vulns": [{"id": "GHSA-1"}, {"id": "PYSEC-1"}, {"id": "GHSA-9"}]}]})),
        false => {
            let id = id_of(asked);
            let mut record = record(&id, "flask", Some("2.0"));
            match id.as_str() {
                "GHSA-9" => record["withdrawn"] = json!("2024-02-01T00:00:00Z"),
                _ => record["aliases"] = json!(["CVE-2024-1"]),
            }
            Reply::json(&record)
        }
    })
    .await;
    let reports = Api::new(&server.base, LIMITS).unwrap().check(&[package("flask", Some("1.0"))]).await;
    let [finding] = &reports[0].findings[..] else { panic!("{reports:?}") };
    assert_eq!(
        (finding.id.as_str(), &finding.aliases[..]),
        ("GHSA-1", &["CVE-2024-1".to_owned(), "PYSEC-1".into()][..])
    );
}

#[tokio::test]
async fn without_a_version_only_what_is_not_fixed_is_a_finding() {
    let server = Loopback::start(|asked, _| match is_batch(asked) {
        true => Reply::json(&json!({"results": [{"vulns": [{"id": "GHSA-1"}, {"id": "GHSA-2"}]}]})),
        false if id_of(asked) == "GHSA-1" => Reply::json(&record("GHSA-1", "flask", Some("2.0"))),
        false => Reply::json(&record("GHSA-2", "flask", None)),
    })
    .await;
    let reports = Api::new(&server.base, LIMITS).unwrap().check(&[package("Flask", None)]).await;
    let found: Vec<_> = reports[0].findings.iter().map(|found| (found.id.as_str(), found.basis)).collect();
    assert_eq!(found, [("GHSA-2", Basis::Newest)]);
}

#[tokio::test]
async fn a_record_that_does_not_say_which_versions_is_never_clean() {
    let server = Loopback::start(|asked, _| match is_batch(asked) {
        true => {
            let batch: Value = serde_json::from_str(&asked.body).unwrap();
            let id = match batch["queries"][0]["package"]["name"].as_str() {
                Some("spelt") => "GHSA-1",
                Some("weird") => "MAL-2024-9",
                _ => "GHSA-2",
            };
            one_result(id)
        }
        false => {
            let id = id_of(asked);
            let mut record = record(&id, "another-name", Some("2.0"));
            if id == "GHSA-2" {
                let commits = json!([{"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}]}]);
                record["affected"] = json!([{"package": {"ecosystem": "PyPI", "name": "flask"}, "ranges": commits}]);
            }
            Reply::json(&record)
        }
    })
    .await;
    let check =
        async |name: &str| Api::new(&server.base, LIMITS).unwrap().check(&[package(name, None)]).await.remove(0);
    for name in ["spelt", "flask"] {
        let report = check(name).await;
        assert!(reason(&report).contains("does not say which versions"), "{report:?}");
    }
    let report = check("weird").await;
    assert_eq!((report.level(), report.findings[0].basis), (Some(Level::Malicious), Basis::Name));
}

#[tokio::test]
async fn what_is_no_version_is_unknown_and_never_compared_by_the_api() {
    let server = Loopback::start(|asked, _| match is_batch(asked) {
        true => one_result("GHSA-1"),
        false => Reply::json(&record("GHSA-1", "flask", Some("2.0"))),
    })
    .await;
    let reports = Api::new(&server.base, LIMITS).unwrap().check(&[package("flask", Some("latest"))]).await;
    assert!(reason(&reports[0]).contains("`latest` is not a version"), "{reports:?}");
    assert!(!server.asked()[0].body.contains("latest"));
}

#[tokio::test]
async fn more_packages_than_one_batch_holds_are_asked_in_several() {
    let server = Loopback::start(|asked, _| {
        let batch: Value = serde_json::from_str(&asked.body).unwrap();
        let results = vec![json!({}); batch["queries"].as_array().unwrap().len()];
        Reply::json(&json!({ "results": results }))
    })
    .await;
    let packages: Vec<Package> = (0..=QUERIES_MAX).map(|count| package(&format!("p{count}"), Some("1"))).collect();
    let reports = Api::new(&server.base, LIMITS).unwrap().check(&packages).await;
    assert!(reports.iter().all(Report::is_clean));
    assert_eq!(server.asked().len(), 2);
}
