//! What is known about packages, by the command line, and at the gate: against an OSV on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::project::{Project, Said};

/// An OSV that knows one vulnerable and one malicious package, and answers as it is told to otherwise.
struct Osv {
    url: String,
}

/// How the server answers.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Good,
    Down,
    Nonsense,
    Cut,
}

impl Osv {
    fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream, mood));
            }
        });
        Self { url }
    }

    fn project(&self) -> Project {
        Project::with(&format!("[packages]\napi_url = \"{}\"\nstore = \"osv\"\n", self.url))
    }
}

fn serve(mut stream: std::net::TcpStream, mood: Mood) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap_or_default();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or_default() == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let (status, answer) = match mood {
        Mood::Down => ("500 Internal Server Error", "{}".to_owned()),
        Mood::Nonsense => ("200 OK", "<html>".to_owned()),
        Mood::Good | Mood::Cut => ("200 OK", answer(&first, &body).to_string()),
    };
    // One that is cut promises more than it sends.
    let promised = if mood == Mood::Cut { answer.len() + 100 } else { answer.len() };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {promised}\r\nconnection: close\r\n\r\n{answer}"
    );
}

fn answer(request: &str, body: &[u8]) -> Value {
    let path = request.split(' ').nth(1).unwrap_or_default();
    match path {
        "/v1/querybatch" => {
            let batch: Value = serde_json::from_slice(body).unwrap();
            let result = |query: &Value| match query["package"]["name"].as_str() {
                Some("leaky") => json!({ "vulns": [{ "id": "GHSA-1", "modified": "2024-01-01T00:00:00Z" }] }),
                Some("evil") => json!({ "vulns": [{ "id": "MAL-2024-1", "modified": "2024-01-01T00:00:00Z" }] }),
                _ => json!({}),
            };
            json!({ "results": batch["queries"].as_array().unwrap().iter().map(result).collect::<Vec<_>>() })
        }
        "/v1/vulns/GHSA-1" => json!({
            "id": "GHSA-1", "modified": "2024-01-01T00:00:00Z", "summary": "it leaks",
            "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }],
            "affected": [{
                "package": { "ecosystem": "npm", "name": "leaky" },
                "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": "2.0.0" }] }],
            }],
        }),
        "/v1/vulns/MAL-2024-1" => json!({
            "id": "MAL-2024-1", "modified": "2024-01-01T00:00:00Z", "summary": "it steals",
            "affected": [{ "package": { "ecosystem": "npm", "name": "evil" },
                "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }] }] }],
        }),
        _ => json!({}),
    }
}

#[test]
fn a_vulnerable_version_is_named_with_its_fix_and_a_fixed_one_is_clean() {
    let osv = Osv::start(Mood::Good);
    let project = osv.project();
    let said = project.run(&["packages", "check", "npm:leaky@1.0.0"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("GHSA-1 critical 9.8") && said.out.contains("fixed in 2.0.0"), "{}", said.out);
    let said = project.run(&["packages", "check", "npm:harmless@2.0.0"]);
    assert_eq!((said.code, said.out.starts_with("clean")), (Some(0), true), "{}", said.out);
}

#[test]
fn what_a_command_and_its_files_would_install_is_looked_up() {
    let osv = Osv::start(Mood::Good);
    let project = osv.project();
    let said = project.run(&["packages", "check", "--", "npm", "install", "evil@1.0.0", "harmless@1.0.0"]);
    assert!(said.out.contains("malicious") && said.out.contains("MAL-2024-1"), "{}", said.out);
    project.write(
        "package-lock.json",
        r#"{"lockfileVersion":3,"packages":{"":{},"node_modules/leaky":{"version":"1.5.0","resolved":"https://registry.npmjs.org/leaky/-/leaky-1.5.0.tgz"}}}"#,
    );
    let said = project.run(&["packages", "check", "package-lock.json"]);
    assert!(said.out.contains("npm:leaky@1.5.0"), "{}", said.out);
}

#[test]
fn a_source_that_cannot_be_asked_is_never_clean() {
    for mood in [Mood::Down, Mood::Nonsense, Mood::Cut] {
        let osv = Osv::start(mood);
        let said = osv.project().run(&["packages", "check", "npm:harmless@1.0.0"]);
        assert_eq!(said.code, Some(1), "{}", said.out);
        assert!(said.out.starts_with("unknown"), "{}", said.out);
    }
}

#[test]
fn a_broken_archive_leaves_the_store_as_it_is() {
    let osv = Osv::start(Mood::Nonsense);
    let project = Project::with(&format!("[packages]\nsync_url = \"{}\"\nonline = false\nstore = \"osv\"\n", osv.url));
    let said = project.run(&["packages", "sync", "npm"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("failed"), "{}", said.out);
    let said = project.run(&["packages", "check", "npm:left-pad@1.0.0"]);
    assert!(said.out.contains("packages sync npm"), "{}", said.out);
}

#[test]
fn versions_are_compared_line_by_line() {
    let project = Project::new();
    let mut child =
        project.command(&["packages", "compare"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = "{\"ecosystem\":\"npm\",\"a\":\"1.9.0\",\"b\":\"1.10.0\"}\n{\"ecosystem\":\"nothing\",\"a\":\"1\",\"b\":\"2\"}\nnonsense\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    let answers: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0], json!({ "order": -1 }));
    assert!(answers[1]["error"].as_str().unwrap().contains("nothing") && answers[2]["error"].is_string());
    assert_eq!(project.run(&["packages", "compare", "PyPI", "1.0rc1", "1.0"]).out.trim(), "1.0rc1 < 1.0");
}

#[test]
fn a_malicious_package_is_refused_at_the_gate_before_it_is_fetched() {
    let osv = Osv::start(Mood::Good);
    let project = osv.project();
    // Any program that is called `npm`: it must not come so far.
    let program = project.path().canonicalize().unwrap().join("npm");
    project.write("npm", "#!/bin/sh\necho fetched > data/fetched\n");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let toml = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    let grant = format!("{toml}\n[grants.bash.process]\nprograms = [{program:?}]\nwrite = [\"data\"]\n");
    std::fs::create_dir(project.path().join("data")).unwrap();
    project.write("pi.toml", &format!("{grant}\n[grants.bash.files]\nread = [\"data\"]\n"));
    let said = project.run(&["tool", "call", "bash", r#"{"command":"npm install evil@1.0.0"}"#]);
    assert_eq!(said.code, Some(3), "{} {}", said.out, said.err);
    assert!(said.err.contains("MAL-2024-1") && said.err.contains("malicious_package"), "{}", said.err);
    assert!(!project.path().join("data/fetched").exists());
}

/// A program `osv-scanner` on the search path that takes the words which 1.9 and 2.x both take, and answers so.
fn with_scanner(project: &Project, answer: &Value, exit: i32) {
    let folder = project.path().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(project.path().join("app")).unwrap();
    let text = format!(
        "#!/bin/sh\ncase \"$1 $2 $3 $4\" in\n  'scan --format json --recursive' | 'scan --format json --lockfile='*) ;;\n  *) echo \"unknown: $*\" >&2; exit 127 ;;\nesac\necho 'Scanning' >&2\ncat <<'END'\n{answer}\nEND\nexit {exit}\n"
    );
    project.write("bin/osv-scanner", &text);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.join("osv-scanner"), mode).unwrap();
}

fn scanned(project: &Project, arguments: &[&str]) -> Said {
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", project.path().join("bin").canonicalize().unwrap().display());
    Said::of(project.command(arguments).env("PATH", path).output().unwrap())
}

/// What the scanner says of one vulnerable package, as far as both of its versions say the same.
fn scan_of_leaky(package: &Value, group: &Value, rest: &Value) -> Value {
    let record = json!({
        "modified": "2024-02-01T00:00:00Z", "published": "2024-01-01T00:00:00Z", "schema_version": "1.6.0",
        "id": "GHSA-1111-2222-3333", "aliases": ["CVE-2024-1"], "summary": "it leaks", "details": "...",
        "affected": [{
            "package": { "ecosystem": "npm", "name": "leaky", "purl": "pkg:npm/leaky" },
            "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": "2.0.0" }] }],
            "database_specific": { "source": "https://example.org/x.json" },
        }],
        "references": [{ "type": "WEB", "url": "https://example.org" }],
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" }],
    });
    let mut package = package.clone();
    package["vulnerabilities"] = json!([record]);
    package["groups"] = json!([group]);
    let source = json!({ "path": "/app/package-lock.json", "type": "lockfile" });
    let mut answer = json!({ "results": [{ "source": source, "packages": [package] }] });
    answer.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    answer
}

#[test]
fn a_folder_is_scanned_by_the_osv_scanner_of_either_version() {
    let licenses = json!({ "experimental_config": { "licenses": { "summary": false, "allowlist": null } } });
    let of_first = scan_of_leaky(
        &json!({ "package": { "name": "leaky", "version": "1.0.0", "ecosystem": "npm" } }),
        &json!({ "ids": ["GHSA-1111-2222-3333"], "aliases": ["CVE-2024-1", "GHSA-1111-2222-3333"], "max_severity": "7.5" }),
        &licenses,
    );
    let mut of_second = licenses.clone();
    of_second["experimental_generic_findings"] = json!([]);
    of_second["image_metadata"] = json!(null);
    let of_second = scan_of_leaky(
        &json!({ "package": { "name": "leaky", "version": "1.0.0", "ecosystem": "npm", "deprecated": false },
            "dependency_groups": ["dev"], "licenses": ["MIT"] }),
        &json!({ "ids": ["GHSA-1111-2222-3333"], "aliases": ["CVE-2024-1"], "max_severity": "7.5",
            "experimentalAnalysis": { "GHSA-1111-2222-3333": { "called": true, "unimportant": false } } }),
        &of_second,
    );
    for answer in [of_first, of_second] {
        let project = Project::with("[packages]\nonline = false\nstore = \"osv\"\n");
        with_scanner(&project, &answer, 1);
        let said = scanned(&project, &["packages", "check", "app"]);
        assert_eq!(said.code, Some(1), "{} {}", said.out, said.err);
        let expected = "affected  npm:leaky@1.0.0\n          GHSA-1111-2222-3333 high 7.5: it leaks; fixed in 2.0.0";
        assert!(said.out.starts_with(expected), "{} {}", said.out, said.err);
    }
}

#[test]
fn a_folder_without_findings_is_clean_and_a_scan_that_failed_is_unknown() {
    let nothing =
        json!({ "results": [], "experimental_config": { "licenses": { "summary": false, "allowlist": null } } });
    let project = Project::with("[packages]\nonline = false\nstore = \"osv\"\n");
    with_scanner(&project, &nothing, 0);
    let said = scanned(&project, &["packages", "check", "app"]);
    assert_eq!((said.code, said.out.trim()), (Some(0), "clean     app by osv-scanner"), "{}", said.err);
    for (exit, words) in [(127, "exit status: 127"), (128, "found no packages"), (1, "the opposite")] {
        with_scanner(&project, &nothing, exit);
        let said = scanned(&project, &["packages", "check", "app"]);
        assert_eq!(said.code, Some(1), "{} {}", said.out, said.err);
        assert!(format!("{}{}", said.out, said.err).contains(words), "{} {}", said.out, said.err);
    }
}

#[test]
fn an_osv_scanner_adds_to_what_is_read_of_a_lock_file() {
    let osv = Osv::start(Mood::Good);
    let project = osv.project();
    with_scanner(&project, &json!({ "results": [] }), 128);
    project.write("requirements.txt", "harmless==1.0\n");
    let said = scanned(&project, &["packages", "check", "requirements.txt"]);
    assert_eq!((said.code, said.out.starts_with("clean     PyPI:harmless@1.0")), (Some(0), true), "{}", said.out);
    with_scanner(&project, &json!({ "results": [] }), 127);
    let said = scanned(&project, &["packages", "check", "requirements.txt"]);
    assert!(said.code == Some(1) && said.out.contains("unknown   osv-scanner failed"), "{}", said.out);
}

#[test]
fn a_command_that_installs_nothing_says_so() {
    let said = Project::new().run(&["packages", "check", "--", "npm", "uninstall", "x"]);
    assert_eq!((said.code, said.out.trim()), (Some(0), "nothing would be installed"), "{}", said.err);
}

#[test]
fn a_release_is_part_of_the_name_that_is_printed() {
    let osv = Osv::start(Mood::Good);
    let said = osv.project().run(&["packages", "check", "Debian:12:harmless@1.0", "Maven:org.a:b@1.0"]);
    assert!(said.out.contains("Debian:12:harmless@1.0") && said.out.contains("Maven:org.a:b@1.0"), "{}", said.out);
}

#[test]
fn what_is_no_version_is_not_compared_and_the_help_says_what_is() {
    let project = Project::new();
    let said = project.run(&["packages", "compare", "npm", "x", "1.0.0"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("this is no version") && said.err.contains("`x`"), "{}", said.err);
    let help = project.run(&["packages", "compare", "--help"]).out;
    assert!(help.contains("The first version") && help.contains("The ecosystem whose rules count"), "{help}");
}

#[test]
fn a_list_that_its_lock_file_does_not_know_is_looked_up() {
    let osv = Osv::start(Mood::Good);
    let project = osv.project();
    project.write(
        "package-lock.json",
        r#"{"lockfileVersion":3,"packages":{"":{},"node_modules/ok":{"version":"1.0.0"}}}"#,
    );
    project.write("package.json", r#"{"dependencies":{"ok":"^1.0.0","evil":"1.0.0"}}"#);
    let said = project.run(&["packages", "check", "--", "npm", "install"]);
    assert!(said.code == Some(1) && said.out.contains("malicious npm:evil@1.0.0"), "{}", said.out);
}
