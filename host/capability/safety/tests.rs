//! What each bound lets through and what not, at the limit, on a real store.

use std::path::Path;

use super::switch::{Stopped, throw};
use super::*;
use crate::config::{CloudTarget, ProbeConfig, ServiceConfig};
use crate::gate::{CloudResource, Gate, Policy};
use crate::journal::Journal;
use crate::store::Holder;
use crate::store::sqlite::SqliteStore;
use crate::supervisor::Places;

struct Bench {
    safety: Safety,
    journal: Journal,
    store: Arc<dyn Store>,
    folder: tempfile::TempDir,
}

fn service(autonomy: Option<Autonomy>, file: &str) -> ServiceConfig {
    ServiceConfig {
        command: vec!["/bin/true".into()],
        config: vec![file.into()],
        logs: vec![format!("{file}.log")],
        autonomy,
        ..ServiceConfig::default()
    }
}

fn in_cloud(autonomy: Option<Autonomy>, id: &str) -> ServiceConfig {
    let (account, region, instance) = ("prod".to_owned(), Some("eu-west-1".to_owned()), Some(id.to_owned()));
    let cloud = Some(CloudTarget { account, region, instance, ..CloudTarget::default() });
    let probe = Some(ProbeConfig { cloud: true, ..ProbeConfig::default() });
    ServiceConfig { cloud, probe, autonomy, ..ServiceConfig::default() }
}

fn call(operation: &str, reversible: bool, ids: &[&str]) -> Act {
    let resource = |id: &&str| CloudResource { kind: "instance".into(), id: (*id).to_owned(), tags: None };
    Act::CloudCall {
        account: "prod".into(),
        region: "eu-west-1".into(),
        operation: operation.into(),
        resources: ids.iter().map(resource).collect(),
        arguments: Value::Null,
        severity: Severity::Write,
        reversible,
        script: None,
        declared: Vec::new(),
        declared_logs: Vec::new(),
        is_granted: false,
    }
}

/// Services of each autonomy, and `web`, of which nothing is said.
async fn bench(config: SafetyConfig) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let services = BTreeMap::from([
        ("web".to_owned(), service(None, "web.toml")),
        ("seen".to_owned(), service(Some(Autonomy::Observe), "seen.toml")),
        ("said".to_owned(), service(Some(Autonomy::Propose), "said.toml")),
        ("asked".to_owned(), service(Some(Autonomy::Approve), "asked.toml")),
        ("proposed".to_owned(), in_cloud(None, "i-0abc")),
        ("instance".to_owned(), in_cloud(Some(Autonomy::Auto), "i-0def")),
    ]);
    let supervisor = Supervisor::observe(&services, Places::of(folder.path())).unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store.db")).await.unwrap());
    let journal = Journal::begin(store.clone(), &Holder::this_process("test")).await.unwrap();
    Bench { safety: Safety::new(config, supervisor), journal, store, folder }
}

fn origin(session: &str) -> Origin {
    Origin { session: session.into(), agent: "sre".into(), plugin: "service".into() }
}

fn restart(service: &str) -> Act {
    Act::ServiceRestart { service: service.into() }
}

fn run(argv: &[&str]) -> Act {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    Act::ProcessRun { argv, directory: "/".into(), environment: vec![] }
}

impl Bench {
    fn path(&self, file: &str) -> String {
        std::path::absolute(self.folder.path()).unwrap().join(file).display().to_string()
    }

    fn write(&self, file: &str) -> Act {
        let mode = crate::gate::WriteMode::Replace;
        Act::FileWrite { path: self.path(file), bytes: 1, mode, sha256: String::new() }
    }

    /// What comes of an act that the policy allows.
    async fn weighed(&self, act: &Act, origin: &Origin) -> (Verdict, String) {
        let gate = Gate::new(
            Policy::parse(r#"{ "version": 1, "thresholds": { "ask": 100, "deny": 100 }, "rules": [] }"#, "t").unwrap(),
        );
        let mut decision = gate.decide_at(act, origin, 0);
        decision.verdict = Verdict::Allow;
        self.safety.weigh(&mut decision, act, origin).await;
        (decision.verdict, decision.rules.first().cloned().unwrap_or_default())
    }

    /// The rule by which a change is refused; empty, where it is let through and counted.
    async fn counted(&self, act: &Act, origin: &Origin) -> String {
        let journal = self.journal.session(&origin.session).await.unwrap();
        match self.safety.count(&journal, act, &Decision::allow(), origin).await {
            Ok(()) => String::new(),
            Err(refused) => {
                assert_eq!(refused.verdict, Verdict::Deny);
                refused.rules.first().cloned().unwrap()
            }
        }
    }

    async fn settled(&self, session: &str, service: &str, is_healed: bool) -> Vec<String> {
        let journal = self.journal.session(session).await.unwrap();
        let effects = [Effect { service: service.into(), is_healed }];
        self.safety.settle(&journal, &effects).await.unwrap()
    }
}

#[tokio::test]
async fn autonomy_bounds_what_agents_do_to_each_service() {
    let bench = bench(SafetyConfig::default()).await;
    let agent = origin("a");
    let cases = [
        (restart("web"), Verdict::Allow),
        (restart("asked"), Verdict::Ask),
        (restart("said"), Verdict::Deny),
        (restart("seen"), Verdict::Deny),
        (bench.write("web.toml"), Verdict::Allow),
        (bench.write("asked.toml"), Verdict::Ask),
        (bench.write("said.toml"), Verdict::Deny),
        (Act::LogRotate { service: "seen".into(), path: bench.path("seen.toml.log") }, Verdict::Deny),
        // Of both ends the stricter one counts.
        (Act::FileRename { from: bench.path("web.toml"), to: bench.path("seen.toml") }, Verdict::Deny),
        // What cannot be undone is asked about also where agents may act.
        (Act::FileRemove { path: bench.path("web.toml"), recursive: false }, Verdict::Ask),
        (bench.write("web.toml.log"), Verdict::Ask),
        // Looking is free, and so is what belongs to no service.
        (Act::ServiceProbe { service: "seen".into() }, Verdict::Allow),
        (bench.write("notes"), Verdict::Allow),
    ];
    for (act, expected) in cases {
        let (verdict, rule) = bench.weighed(&act, &agent).await;
        assert_eq!(verdict, expected, "{}", act.summary());
        assert_eq!(rule == AUTONOMY, verdict != Verdict::Allow, "{}", act.summary());
    }
}

#[tokio::test]
async fn in_a_cloud_agents_propose_and_on_auto_reboot_one_and_do_what_can_be_undone() {
    let bench = bench(SafetyConfig::default()).await;
    const REBOOT: &str = "ec2:RebootInstances";
    let cases = [
        (call(REBOOT, false, &["i-0abc"]), Verdict::Deny),
        (call(REBOOT, false, &["i-0def"]), Verdict::Allow),
        (call("ec2:StartInstances", true, &["i-0def"]), Verdict::Allow),
        (call("ec2:StopInstances", false, &["i-0def"]), Verdict::Ask),
        // Of several the strictest counts, and the reboot of several is not that of one.
        (call(REBOOT, false, &["i-0def", "i-0abc"]), Verdict::Deny),
        (call(REBOOT, false, &["i-0def", "i-0123"]), Verdict::Ask),
        // What is no service here is bound by grant and policy.
        (call(REBOOT, false, &["i-0123"]), Verdict::Allow),
    ];
    for (act, expected) in cases {
        assert_eq!(bench.weighed(&act, &origin("a")).await.0, expected, "{}", act.summary());
    }
    assert_eq!(
        bench
            .weighed(
                &Act::CloudCall {
                    account: "other".into(),
                    region: "eu-west-1".into(),
                    operation: REBOOT.into(),
                    resources: vec![CloudResource { kind: "instance".into(), id: "i-0abc".into(), tags: None }],
                    arguments: Value::Null,
                    severity: Severity::Write,
                    reversible: false,
                    script: None,
                    declared: Vec::new(),
                    declared_logs: Vec::new(),
                    is_granted: false,
                },
                &origin("a")
            )
            .await
            .0,
        Verdict::Allow,
        "the same id in another account is another thing"
    );
    // For whom a session was woken, it acts on that one.
    bench.safety.begin("b", "proposed");
    assert_eq!(bench.weighed(&call(REBOOT, false, &["i-0123"]), &origin("b")).await.0, Verdict::Deny);
}

#[tokio::test]
async fn people_are_bound_by_no_autonomy_and_no_limit() {
    let limits = SafetyConfig { changes_per_hour: 1, changes_per_target_per_hour: 1, ..SafetyConfig::default() };
    let bench = bench(limits).await;
    let person = Origin { agent: PERSON.into(), ..origin("p") };
    for _ in 0..3 {
        assert_eq!(bench.weighed(&restart("seen"), &person).await.0, Verdict::Allow);
        assert_eq!(bench.counted(&restart("seen"), &person).await, "");
    }
}

#[tokio::test]
async fn a_program_that_changes_something_is_an_act_on_what_the_session_was_woken_for() {
    let bench = bench(SafetyConfig::default()).await;
    let act = run(&["systemctl", "restart", "nginx"]);
    assert_eq!(bench.weighed(&act, &origin("a")).await.0, Verdict::Allow);
    bench.safety.begin("a", "said");
    assert_eq!(bench.weighed(&act, &origin("a")).await.0, Verdict::Deny);
    assert_eq!(bench.weighed(&run(&["systemctl", "status", "nginx"]), &origin("a")).await.0, Verdict::Allow);
    // Other services have an autonomy of their own, and other sessions their own service.
    assert_eq!(bench.weighed(&restart("web"), &origin("a")).await.0, Verdict::Allow);
    assert_eq!(bench.weighed(&act, &origin("b")).await.0, Verdict::Allow);
    bench.safety.end("a");
    assert_eq!(bench.weighed(&act, &origin("a")).await.0, Verdict::Allow);
}

#[tokio::test]
async fn a_switch_that_is_on_refuses_changes_and_no_looks_by_whomever() {
    let bench = bench(SafetyConfig::default()).await;
    let act = restart("web");
    let store = bench.store.as_ref();
    assert!(bench.safety.may_change(store, &act, None).await.is_ok());
    let stopped = Stopped { by: "alice".into(), reason: "they fight".into(), since_ms: 1 };
    throw(store, Some(&stopped)).await.unwrap();
    let refused = bench.safety.may_change(store, &act, None).await.unwrap_err();
    assert_eq!(refused.rules, [STOPPED_ALL]);
    assert!(refused.reason.contains("alice") && refused.reason.contains("they fight"), "{}", refused.reason);
    assert!(bench.safety.may_change(store, &Act::ServiceProbe { service: "web".into() }, None).await.is_ok());
    // A native program is let through where all of it is known to read.
    let gate = Gate::new(
        Policy::parse(r#"{ "version": 1, "thresholds": { "ask": 100, "deny": 100 }, "rules": [] }"#, "t").unwrap(),
    );
    for (argv, is_free) in [
        (vec!["systemctl", "status", "nginx"], true),
        (vec!["systemctl", "restart", "nginx"], false),
        (vec!["./own"], false),
    ] {
        let act = run(&argv);
        let decision = gate.decide_at(&act, &origin("a"), 0);
        assert_eq!(bench.safety.may_change(store, &act, Some(&decision)).await.is_ok(), is_free, "{argv:?}");
    }
    throw(store, None).await.unwrap();
    assert!(bench.safety.may_change(store, &act, None).await.is_ok());
}

#[tokio::test]
async fn a_switch_that_cannot_be_read_is_on() {
    let bench = bench(SafetyConfig::default()).await;
    bench.store.set_for_all(switch::SWITCH, Some(&Value::from("no record of a switch"))).await.unwrap();
    assert_eq!(
        bench.safety.may_change(bench.store.as_ref(), &restart("web"), None).await.unwrap_err().rules,
        [STOPPED_ALL]
    );
    // The table is gone under the open store.
    let other = sqlx::sqlite::SqliteConnectOptions::new().filename(Path::new(&bench.path("store.db")));
    let mut connection = sqlx::ConnectOptions::connect(&other).await.unwrap();
    sqlx::query("DROP TABLE kv").execute(&mut connection).await.unwrap();
    let refused = bench.safety.may_change(bench.store.as_ref(), &restart("web"), None).await.unwrap_err();
    assert_eq!(refused.rules, [STOPPED_ALL]);
    assert!(refused.reason.contains("cannot be known"), "{}", refused.reason);
}

#[tokio::test]
async fn changes_of_one_service_and_of_all_stop_at_their_limits() {
    let bench =
        bench(SafetyConfig { changes_per_target_per_hour: 2, changes_per_hour: 4, ..SafetyConfig::default() }).await;
    for expected in ["", "", RATE_LIMITED] {
        assert_eq!(bench.counted(&restart("web"), &origin("a")).await, expected);
    }
    // Its configuration is the service; another one has its own count, and looks cost nothing.
    assert_eq!(bench.counted(&bench.write("web.toml"), &origin("b")).await, RATE_LIMITED);
    assert_eq!(bench.counted(&restart("asked"), &origin("b")).await, "");
    assert_eq!(bench.counted(&Act::ServiceProbe { service: "web".into() }, &origin("b")).await, "");
    // Anything counts towards the limit of all, and what was refused did not.
    assert_eq!(bench.counted(&bench.write("notes"), &origin("b")).await, "");
    assert_eq!(bench.counted(&bench.write("notes"), &origin("b")).await, RATE_LIMITED);
    // The next host counts on.
    let next = Safety::new(bench.safety.config.clone(), bench.safety.supervisor.clone());
    let journal = bench.journal.session("c").await.unwrap();
    let refused = next.count(&journal, &restart("asked"), &Decision::allow(), &origin("c")).await.unwrap_err();
    assert_eq!(refused.rules, [RATE_LIMITED]);
    assert!(refused.advice.contains("possible again at 20"), "{}", refused.advice);
}

#[tokio::test]
async fn a_host_that_was_taken_over_counts_nothing() {
    let bench = bench(SafetyConfig::default()).await;
    let journal = bench.journal.session("a").await.unwrap();
    bench.store.release(bench.journal.lease()).await.unwrap();
    let _next = Journal::begin(bench.store.clone(), &Holder::this_process("next")).await.unwrap();
    let refused = bench.safety.count(&journal, &restart("web"), &Decision::allow(), &origin("a")).await.unwrap_err();
    assert_eq!(refused.rules, [SAFETY]);
}

#[tokio::test]
async fn a_row_of_failures_opens_the_breaker_of_a_service_and_success_closes_it() {
    let bench = bench(SafetyConfig { failures_in_a_row_max: 2, breaker_minutes: 1, ..SafetyConfig::default() }).await;
    assert!(bench.settled("a", "web", false).await.is_empty());
    assert_eq!(bench.settled("a", "web", false).await, Vec::<String>::new(), "one session fails once");
    // A success elsewhere keeps the row of all short, and is none of this service.
    bench.settled("x", "asked", true).await;
    assert_eq!(bench.counted(&restart("web"), &origin("b")).await, "");
    assert_eq!(bench.settled("b", "web", false).await, ["`web`"]);
    assert_eq!(bench.counted(&restart("web"), &origin("c")).await, BREAKER_OPEN);
    assert_eq!(bench.counted(&restart("asked"), &origin("c")).await, "");
    // Its time is over: one session has the attempt.
    let key = format!("{BREAKER}web");
    let mut breaker: Breaker = read(bench.store.as_ref(), &key).await.unwrap();
    breaker.opened_ms = Some(1);
    bench.store.set_value(bench.journal.lease(), &key, &serde_json::to_value(&breaker).unwrap()).await.unwrap();
    assert_eq!(bench.counted(&restart("web"), &origin("d")).await, "");
    assert_eq!(bench.counted(&restart("web"), &origin("e")).await, BREAKER_OPEN);
    assert_eq!(bench.counted(&restart("web"), &origin("d")).await, "");
    bench.settled("d", "web", true).await;
    assert_eq!(bench.counted(&restart("web"), &origin("e")).await, "");
}

#[tokio::test]
async fn failures_over_all_services_stop_all_of_them() {
    let bench = bench(SafetyConfig { failures_in_a_row_max: 2, ..SafetyConfig::default() }).await;
    bench.settled("a", "web", false).await;
    assert_eq!(bench.settled("b", "asked", false).await, ["services"]);
    for service in ["web", "asked", "said"] {
        assert_eq!(bench.counted(&restart(service), &origin("c")).await, BREAKER_OPEN, "{service}");
    }
    // What is no service's goes on.
    assert_eq!(bench.counted(&bench.write("notes"), &origin("c")).await, "");
}

#[tokio::test]
async fn a_service_that_was_changed_is_let_alone_by_the_next_session() {
    let bench = bench(SafetyConfig { cooldown_seconds: 60, ..SafetyConfig::default() }).await;
    bench.settled("a", "web", true).await;
    assert_eq!(bench.counted(&restart("web"), &origin("b")).await, RATE_LIMITED);
    assert_eq!(bench.counted(&restart("web"), &origin("a")).await, "");
    assert_eq!(bench.counted(&restart("asked"), &origin("b")).await, "");
}
