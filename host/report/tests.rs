//! Reports as people read them, hostile text in them, and the check that "healed" is true.

use serde_json::json;

use super::*;
use crate::gate::{Act, Decision, Evidence, Origin, Severity, Verdict, WriteMode};
use crate::journal::{Body, Status};

const BEGIN: u64 = 1_700_000_000_000;

/// A journal as it grows.
struct Journal(Vec<Entry>);

impl Journal {
    fn begin() -> Self {
        let mut journal = Self(Vec::new());
        let alert = json!({ "title": "`orders` failed 3 probes in a row", "source": "services", "state": "raised",
            "service": "orders", "since": "2023-11-14T22:13:17.000Z", "time": "2023-11-14T22:13:19.500Z", "detail": "timed out" });
        journal.add(Body::SessionStarted {
            agent: "sre".into(),
            component: "c".into(),
            task: json!({ "prompt": "", "input": { "alert": alert }, "config": {} }),
            policy: "p".into(),
        });
        journal
    }

    fn add(&mut self, body: Body) {
        let sequence = self.0.len() as u64;
        self.0.push(Entry {
            session: "s1".into(),
            sequence,
            time_ms: BEGIN + sequence * 100,
            body,
            hash: String::new(),
        });
    }

    fn act(&mut self, act: Act, status: Status, detail: Value) {
        let key = format!("{}.0.0", self.0.len());
        self.add(Body::EffectStarted { key: key.clone(), act, origin: Origin::default(), decision: Decision::allow() });
        self.add(Body::EffectEnded { key, status, detail });
    }

    fn probe(&mut self, service: &str, healthy: bool) {
        self.act(Act::ServiceProbe { service: service.into() }, Status::Done, json!({ "healthy": healthy }));
    }

    fn restart(&mut self, service: &str) {
        self.act(Act::ServiceRestart { service: service.into() }, Status::Done, json!({}));
    }
}

/// No call of a cloud is one on a service.
fn no_cloud(_: &crate::gate::Act) -> Vec<String> {
    Vec::new()
}

fn done(journal: &Journal) -> Result<(), String> {
    check("done", &json!({ "target": "orders", "verification": { "required": 3 } }), &journal.0, &no_cloud)
}

#[test]
fn three_healthy_probes_after_the_last_change_are_proof() {
    let mut journal = Journal::begin();
    journal.restart("orders");
    (0..3).for_each(|_| journal.probe("orders", true));
    assert_eq!(done(&journal), Ok(()));
}

#[test]
fn probes_from_before_the_last_change_are_none() {
    let mut journal = Journal::begin();
    (0..5).for_each(|_| journal.probe("orders", true));
    journal.act(
        Act::FileWrite { path: "/a".into(), bytes: 1, mode: WriteMode::Replace, sha256: String::new() },
        Status::Unknown,
        json!({}),
    );
    (0..2).for_each(|_| journal.probe("orders", true));
    let error = done(&journal).unwrap_err();
    assert_eq!(
        error,
        "the journal holds 2 healthy probes in a row of `orders` since the last change, and 3 are needed"
    );
}

#[test]
fn a_failed_probe_ends_the_row() {
    let mut journal = Journal::begin();
    (0..3).for_each(|_| journal.probe("orders", true));
    journal.probe("orders", false);
    (0..2).for_each(|_| journal.probe("orders", true));
    assert!(done(&journal).is_err());
}

#[test]
fn an_agent_may_ask_more_of_itself_and_not_less() {
    let mut journal = Journal::begin();
    (0..4).for_each(|_| journal.probe("orders", true));
    let claim =
        |required: u64| check("done", &json!({ "verification": { "required": required } }), &journal.0, &no_cloud);
    assert_eq!(claim(0), Ok(()));
    assert_eq!(claim(4), Ok(()));
    assert!(claim(5).is_err());
    let mut short = Journal::begin();
    short.probe("orders", true);
    assert!(check("done", &json!({ "verification": { "required": 1 } }), &short.0, &no_cloud).is_err());
}

#[test]
fn the_probes_of_another_service_prove_nothing() {
    let mut journal = Journal::begin();
    (0..5).for_each(|_| journal.probe("billing", true));
    assert!(
        check("done", &json!({ "target": "billing", "verification": { "required": 3 } }), &journal.0, &no_cloud)
            .is_err()
    );
}

#[test]
fn a_service_that_was_restarted_on_the_way_is_to_be_proved_too() {
    let mut journal = Journal::begin();
    journal.restart("stock");
    (0..3).for_each(|_| journal.probe("orders", true));
    assert!(done(&journal).unwrap_err().contains("`stock`"));
    (0..3).for_each(|_| journal.probe("stock", true));
    assert_eq!(done(&journal), Ok(()));
}

#[test]
fn a_probe_that_failed_or_is_unknown_is_not_healthy() {
    for status in [Status::Failed, Status::Unknown, Status::Abandoned] {
        let mut journal = Journal::begin();
        (0..3).for_each(|_| {
            journal.act(Act::ServiceProbe { service: "orders".into() }, status, json!({ "healthy": true }))
        });
        assert!(done(&journal).is_err(), "{status:?}");
    }
}

#[test]
fn probes_that_were_made_at_once_are_one_look() {
    let mut journal = Journal::begin();
    (0..3).for_each(|_| journal.probe("orders", true));
    journal.0.iter_mut().for_each(|entry| entry.time_ms = BEGIN);
    assert!(done(&journal).unwrap_err().contains("one look"));
}

#[test]
fn what_runs_in_a_cloud_is_to_be_proved_after_the_last_call_that_changed_it() {
    let called = |act: &Act| match act {
        Act::CloudCall { resources, .. } if resources.iter().any(|it| it.id == "i-0abc") => vec!["web".to_owned()],
        _ => Vec::new(),
    };
    let call = |operation: &str, severity: Severity| Act::CloudCall {
        account: "prod".into(),
        region: "eu-west-1".into(),
        operation: operation.into(),
        resources: vec![crate::gate::CloudResource { kind: "instance".into(), id: "i-0abc".into(), tags: None }],
        arguments: json!({ "InstanceIds": ["i-0abc"] }),
        severity,
        reversible: false,
        script: None,
        declared: Vec::new(),
        declared_logs: Vec::new(),
        is_granted: false,
    };
    let claim = |journal: &Journal| check("done", &json!({}), &journal.0, &called);
    let mut journal = Journal::begin();
    (0..3).for_each(|_| journal.probe("web", true));
    journal.act(call("ec2:RebootInstances", Severity::Write), Status::Done, json!({}));
    (0..3).for_each(|_| journal.probe("orders", true));
    assert!(claim(&journal).unwrap_err().contains("`web`"), "what was healthy before the reboot says nothing");
    (0..3).for_each(|_| journal.probe("web", true));
    assert_eq!(claim(&journal), Ok(()));
    // A look at it is no change.
    journal.act(call("ec2:DescribeInstanceStatus", Severity::Read), Status::Done, json!({}));
    assert_eq!(claim(&journal), Ok(()));
    assert_eq!(last_probe_since_change(&journal.0, "web"), Some(true));
    journal.act(call("ec2:RebootInstances", Severity::Write), Status::Done, json!({}));
    assert_eq!(last_probe_since_change(&journal.0, "web"), None);
    journal.probe("web", false);
    assert_eq!(last_probe_since_change(&journal.0, "web"), Some(false));
}

#[test]
fn a_false_alarm_needs_the_same_proof() {
    let mut journal = Journal::begin();
    assert!(check("nothing_to_do", &json!({}), &journal.0, &no_cloud).is_err());
    (0..3).for_each(|_| journal.probe("orders", true));
    assert_eq!(check("nothing_to_do", &json!({}), &journal.0, &no_cloud), Ok(()));
}

#[test]
fn an_escalation_needs_no_proof() {
    assert_eq!(check("escalated", &json!({}), &Journal::begin().0, &no_cloud), Ok(()));
    assert_eq!(check("failed", &json!({}), &[], &no_cloud), Ok(()));
}

fn details() -> Value {
    json!({
        "version": 1, "root_cause": "bad_configuration", "confidence": 0.85, "target": "orders", "contributing": [],
        "hypotheses": [
            { "root_cause": "bad_configuration", "confidence": 0.85, "for": ["`/etc/orders.conf` changed since it was last healthy"], "against": [] },
            { "root_cause": "process_hung", "confidence": 0.0, "for": [], "against": ["it answers"] },
        ],
        "ruled_out": ["process_hung: it answers"],
        "gaps": ["`port_owner`: not granted"],
        "actions": [{
            "time": "2023-11-14T22:13:21.000Z", "tool": "edit", "arguments": { "path": "/etc/orders.conf", "old": "a = 2\n", "new": "a = 1\n" },
            "cause": "bad_configuration", "why": "it changed", "result": "done", "detail": { "replacements": 1 }, "undone": false,
            "diff": "--- /etc/orders.conf\n+++ /etc/orders.conf\n@@ -1,1 +1,1 @@\n-a = 2\n+a = 1\n",
        }],
        "verification": {
            "required": 3, "passed": true, "reason": "", "since": "2023-11-14T22:13:22.000Z", "time": "2023-11-14T22:13:23.000Z",
            "probes": [{ "time": "2023-11-14T22:13:22.000Z", "service": "orders", "healthy": true, "latency_ms": 3, "detail": "200 OK" }],
        },
        "timeline": [{ "time": "2023-11-14T22:13:20.000Z", "kind": "diagnosis", "message": "most likely bad_configuration" }],
        "next_steps": ["find out who changed the configuration"],
        "observed": {
            "version": 1, "id": "forged",
            "alert": { "title": "t", "source": "services", "state": "raised", "labels": { "service": "orders" }, "annotations": {} },
            "metrics": [{ "name": "memory", "dimensions": { "service": "orders" }, "statistic": "Sample", "unit": "Bytes",
                "points": [["2023-11-14T22:13:20.000Z", 5.0], ["2023-11-14T22:13:21.000Z", 9.0], ["2023-11-14T22:13:22.000Z", 7.0]] }],
            "logs": [{ "time": "2023-11-14T22:13:18.000Z", "source": "app.log", "message": "ERROR a: 2 is too much" }],
            "events": [{ "time": "2023-11-14T22:13:16.000Z", "source": "orders", "kind": "configuration change", "message": "/etc/orders.conf" }],
            "resources": [], "queries": [],
        },
    })
}

fn journal() -> Journal {
    let mut journal = Journal::begin();
    let decision = Decision {
        verdict: Verdict::Allow,
        risk: 20,
        evidence: vec![Evidence { name: "config".into(), points: 20, detail: String::new() }],
        rules: vec!["config-write".into()],
        reason: String::new(),
        advice: String::new(),
        ..Decision::allow()
    };
    journal.add(Body::CallStarted {
        key: "3.0".into(),
        tool: "edit".into(),
        arguments: json!({ "path": "/etc/orders.conf", "old": "a = 2\n", "new": "a = 1\n" }),
        effect: Severity::Write,
        idempotent: false,
        decision,
    });
    journal.add(Body::Refused {
        key: "4.0".into(),
        act: Act::ServiceRestart { service: "billing".into() },
        origin: Origin::default(),
        decision: Decision {
            verdict: Verdict::Deny,
            risk: 90,
            evidence: Vec::new(),
            rules: vec!["keep-billing".into()],
            reason: "billing is frozen".into(),
            advice: "ask its owner".into(),
            ..Decision::allow()
        },
    });
    journal
}

fn incident<'a>(details: &'a Value, journal: &'a Journal) -> Incident<'a> {
    Incident {
        session: "sre-1",
        agent: "sre",
        status: "done",
        summary: "`orders` is healed.",
        details,
        entries: &journal.0,
    }
}

#[test]
fn the_report_of_a_healed_incident() {
    let (details, journal) = (details(), journal());
    insta::assert_snapshot!(markdown(&incident(&details, &journal)), @r##"
    # orders: healed

    | | |
    |---|---|
    | root cause | bad_configuration (confidence 0.85) |
    | alert | \`orders\` failed 3 probes in a row |
    | the alert says | timed out |
    | first seen | 2023-11-14T22:13:17.000Z |
    | detected | 2023-11-14T22:13:19.500Z |
    | first effective act | 2023-11-14T22:13:21.000Z |
    | healthy since | 2023-11-14T22:13:22.000Z |
    | proved | 2023-11-14T22:13:23.000Z |
    | time to detect | 2.5 s |
    | time to act | 4.0 s |
    | time to mitigate | 5.0 s |
    | time to verify | 6.0 s |
    | session | sre-1 |
    | agent | sre |

    ## Summary

    \`orders\` is healed.

    ## Impact

    - Sick for 5.0 s, from 2023-11-14T22:13:17.000Z.

    ## What is left to do

    - find out who changed the configuration

    ## Timeline

    | time | after | what | |
    |---|---|---|---|
    | 2023-11-14T22:13:20.000Z | 3.0 s | diagnosis | most likely bad_configuration |

    ## Metrics

    ![Line chart of memory of orders (Bytes), 22:13:20 to 22:13:22: first 5, lowest 5, highest 9, last 7. onset at 22:13:17. alarm at 22:13:19. edit at 22:13:21. recovery at 22:13:22.](plots/01-memory-orders.svg)

    ## Evidence

    - \`/etc/orders.conf\` changed since it was last healthy

    | time | source | event | |
    |---|---|---|---|
    | 2023-11-14T22:13:16.000Z | orders | configuration change | /etc/orders.conf |

    | metric | of | first | lowest | highest | last |
    |---|---|---|---|---|---|
    | memory (Bytes) | orders | 5 | 5 | 9 | 7 |

    The last lines of its logs, as they stand there; lines that differ in numbers alone are shown once:

    ```text
    2023-11-14T22:13:18.000Z app.log: ERROR a: 2 is too much
    ```

    ## Hypotheses

    | cause | confidence | for | against |
    |---|---|---|---|
    | bad_configuration | 0.85 | \`/etc/orders.conf\` changed since it was last healthy |  |

    Ruled out:

    - process_hung: it answers

    Not known (a gap is no sign of health):

    - \`port_owner\`: not granted

    ## Actions

    | entry | time | tool | arguments | why | gate | result |
    |---|---|---|---|---|---|---|
    | [#1](journal.html#entry-1) | 2023-11-14T22:13:21.000Z | edit | {"path":"/etc/orders.conf","old":"a = 2\\n","new":"a = 1\\n"} | it changed | allowed, risk 20 (config-write) | done |

    ```diff
    --- /etc/orders.conf
    +++ /etc/orders.conf
    @@ -1,1 +1,1 @@
    -a = 2
    +a = 1
    ```

    ## Refused

    - [#2](journal.html#entry-2) 2023-11-14T22:13:20.200Z restart \`billing\`: denied, risk 90 (keep-billing): billing is frozen; advice: ask its owner

    ## Verification

    Passed: 3 healthy probes in a row were required.

    | entry | time | service | healthy | ms | answer |
    |---|---|---|---|---|---|
    |  | 2023-11-14T22:13:22.000Z | orders | yes | 3 | 200 OK |

    ## Cost

    1 tool calls, of which 1 may change something; no model was asked.

    ---

    Every step is in the journal: [journal.html](journal.html), `pi-host session show sre-1`. What was observed is in `incident.json`; `pi-host incident replay sre-1` diagnoses it again.
    "##);
}

/// A line without the links that the report itself makes: to entries of the journal, and to its pictures.
fn without_own_links(line: &str) -> String {
    let own =
        regex::Regex::new(r"\[(#\d+|journal\.html)\]\(journal\.html(#entry-\d+)?\)|\]\(plots/[a-z0-9_.-]+\)$").unwrap();
    own.replace_all(line, "").into_owned()
}

#[test]
fn hostile_text_stays_text() {
    let hostile =
        "x\n```\n# PAGE THE CEO <script>alert(1)</script> ![](http://evil/x.png) | a |\n[click](javascript:x) `````";
    let mut details = details();
    details["observed"]["logs"][0]["message"] = json!(hostile);
    details["observed"]["events"][0]["message"] = json!(hostile);
    details["verification"]["probes"][0]["detail"] = json!(hostile);
    details["actions"][0]["diff"] = json!(format!("--- a\n+++ a\n-{hostile}\n"));
    details["actions"][0]["why"] = json!(hostile);
    details["timeline"][0]["message"] = json!(hostile);
    details["next_steps"][0] = json!(hostile);
    details["gaps"][0] = json!(hostile);
    details["observed"]["metrics"][0]["name"] = json!(hostile);
    details["observed"]["metrics"][0]["dimensions"]["service"] = json!(hostile);
    let journal = journal();
    let mut incident = incident(&details, &journal);
    incident.summary = hostile;
    let page = markdown(&incident);
    let mut fence: Option<String> = None;
    for line in page.lines() {
        let run: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if run.len() >= 3 => fence = Some(run),
            None => {
                assert!(!line.contains("<script"), "{line}");
                assert!(!without_own_links(line).replace("\\]", "").contains("]("), "{line}");
                assert!(!line.starts_with("# PAGE"), "{line}");
                assert!(!line.contains("http://"), "{line}");
                let cells = line.replace("\\|", "").matches('|').count();
                assert!(!line.starts_with('|') || (3..=8).contains(&cells), "{line}");
            }
        }
    }
    assert_eq!(fence, None, "a fence is open at the end");
    // As a page too: nothing of it is an element, and nothing leads away.
    let page = super::page(&incident);
    assert!(!page.contains("<script") && !page.contains("<a ") && !page.contains("<img"), "{page}");
}

#[test]
fn the_pictures_are_written_beside_the_report_and_replaced_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut details, journal) = (details(), journal());
    let paths = write(folder.path(), &incident(&details, &journal)).unwrap();
    let picture = paths.folder.join("plots/01-memory-orders.svg");
    assert!(picture.is_file() && paths.journal.is_file());
    let report = std::fs::read_to_string(&paths.report).unwrap();
    assert!(report.contains("](plots/01-memory-orders.svg)"), "{report}");
    details["observed"]["metrics"] = json!([]);
    write(folder.path(), &incident(&details, &journal)).unwrap();
    assert!(!picture.exists());
}

#[test]
fn without_metrics_the_probes_of_the_journal_are_drawn() {
    let mut journal = Journal::begin();
    for is_healthy in [true, false, true] {
        let detail = json!({ "healthy": is_healthy, "latency_ms": 7, "detail": "" });
        journal.act(Act::ServiceProbe { service: "orders".into() }, Status::Done, detail);
    }
    let details = json!({ "version": 1, "observed": { "metrics": [] } });
    let page = markdown(&incident(&details, &journal));
    assert!(page.contains("1 of 3 probes failed.") && page.contains("](plots/01-probe_latency-orders.svg)"), "{page}");
    assert!(page.contains("- orders: 1 of 3 probes failed; the slowest answer took 7 ms."), "{page}");
}

#[test]
fn a_line_that_comes_again_and_again_is_shown_once() {
    let mut details = details();
    let line = |message: &str| json!({ "time": null, "source": "app.log", "message": message });
    let mut logs: Vec<Value> = vec![line("the one that matters")];
    logs.extend((0..200).map(|count| line(&format!("GET / {count} failed"))));
    details["observed"]["logs"] = json!(logs);
    let page = markdown(&incident(&details, &journal()));
    assert!(page.contains("app.log: the one that matters\n"), "{page}");
    assert!(page.contains("app.log: GET / 199 failed [200 such lines]\n"), "{page}");
}

#[test]
fn an_account_that_says_nothing_gives_a_report_all_the_same() {
    let details = json!({ "text": "I do not know" });
    let incident = Incident {
        session: "x",
        agent: "other",
        status: "failed",
        summary: "it broke",
        details: &details,
        entries: &[],
    };
    let page = markdown(&incident);
    assert!(page.contains("Nothing was verified."), "{page}");
    assert_eq!(observed(&incident)["logs"], json!([]));
}

#[test]
fn writes_both_files_below_the_reports_whatever_the_id() {
    let folder = tempfile::tempdir().unwrap();
    let (details, journal) = (details(), journal());
    let mut incident = incident(&details, &journal);
    incident.session = "../../etc/x";
    let paths = write(folder.path(), &incident).unwrap();
    assert!(paths.report.starts_with(folder.path()) && paths.report.is_file());
    assert_eq!(paths.folder.parent(), Some(folder.path()));
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&paths.incident).unwrap()).unwrap();
    assert_eq!(written["id"], "../../etc/x");
    assert_eq!(written["version"], 1);
    assert_eq!(written["alert"]["labels"]["service"], "orders");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (details, journal) = (details(), journal());
    let error = write(&file, &incident(&details, &journal)).unwrap_err();
    assert!(error.to_string().contains("file/sre-1"), "{error}");
}
