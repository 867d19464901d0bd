//! What is known of resources, as facts of the form `kind.key=value`.
//!
//! A few are derived (is the pod ready, how often was it started, are replicas missing), and whatever else stands in a
//! state is flattened, so that a rule can ask for any of it. Whether the target is well now is said here too.

use std::collections::BTreeSet;

use serde_json::Value;

use super::scope::{Kin, Scope, bare};
use super::series::Series;
use crate::incident::{Incident, Metric, Resource};
use crate::instant::Instant;

/// Values of one state that are flattened, at most: a state may be a whole document.
const VALUES_MAX: usize = 400;
/// And of all states together: every rule about states is asked of each.
const FACTS_MAX: usize = 50_000;
/// And its levels.
const DEPTH_MAX: usize = 12;
/// From here on restarts are a habit.
const RESTARTS_MANY: f64 = 3.0;
/// A container that runs for so long without an end has recovered.
const RECOVERED_S: f64 = 900.0;
/// What lies behind counts so much.
const PAST: f64 = 0.3;

/// One thing that is known.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    /// `kind.key=value`, in lower case.
    pub(crate) text: String,
    pub(crate) of: String,
    pub(crate) kin: Kin,
    /// Less than 1 for what lies behind.
    pub(crate) weight: f64,
}

/// Words that a state holds.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) kin: Kin,
    pub(crate) weight: f64,
}

/// All that is known of resources.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    facts: Vec<Fact>,
    texts: Vec<Said>,
    alarms: Vec<String>,
    /// Resources of the target that were looked at, and those of them that are not well.
    pub(crate) own: usize,
    pub(crate) unwell: Vec<String>,
    pub(crate) monitors: usize,
    pub(crate) monitors_alarming: usize,
    pub(crate) connections_max: Option<f64>,
    pub(crate) storage_bytes: Option<f64>,
    pub(crate) memory_bytes: Option<f64>,
    /// By the name of the resource: cores that it may use.
    cores: Vec<(String, f64)>,
}

impl Facts {
    pub(super) fn of(incident: &Incident, scope: &Scope, now: Option<Instant>) -> Self {
        let mut facts = Self::default();
        for resource in &incident.resources {
            facts.look_at(resource, scope, now);
        }
        facts.dependencies(incident, scope);
        facts
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &Said> {
        self.texts.iter()
    }

    /// What monitors that are in alarm say.
    pub(super) fn alarms(&self) -> impl Iterator<Item = String> {
        self.alarms.iter().cloned()
    }

    /// The facts that a pattern with `*` matches.
    pub(crate) fn matching<'a>(&'a self, pattern: &'a str) -> impl Iterator<Item = &'a Fact> {
        let pattern = pattern.to_lowercase();
        self.facts.iter().filter(move |fact| matches(&fact.text, &pattern))
    }

    /// The cores that what a metric is of may use.
    pub(super) fn cores_of(&self, metric: &Metric) -> Option<f64> {
        let names: Vec<String> =
            metric.dimensions.values().filter_map(|value| value.as_str()).map(str::to_lowercase).collect();
        let found = self
            .cores
            .iter()
            .find(|(name, _)| names.iter().any(|of| name == of || name.starts_with(&format!("{of}-"))));
        found.map(|(_, cores)| *cores)
    }

    /// What the target's own words name, and whose metrics say that it is down.
    pub(super) fn note_dependencies(&mut self, series: &[Series]) {
        const ROLES: &[&str] = &["success_rate", "health_hosts_good", "health_hosts_bad", "status_check"];
        let sick = series
            .iter()
            .filter(|it| it.kin == Kin::Near && it.role.is_some_and(|role| ROLES.contains(&role)) && it.is_abnormal());
        let names: BTreeSet<&str> =
            sick.filter_map(|it| it.metric.dimensions.values().find_map(|value| value.as_str())).collect();
        self.facts.extend(names.into_iter().map(|of| Fact {
            text: format!("dependency.unwell={}", of.to_lowercase()),
            of: of.to_owned(),
            kin: Kin::Own,
            weight: 0.8,
        }));
    }

    /// What the target's log did, in the form of facts.
    pub(super) fn note_course(&mut self, is_silent: bool, has_new_errors: bool) {
        let said = [(is_silent, "log.silent=true"), (has_new_errors, "log.errors=new")];
        self.facts.extend(said.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| Fact {
            text: text.into(),
            of: "the log".into(),
            kin: Kin::Own,
            weight: 1.0,
        }));
    }

    fn look_at(&mut self, resource: &Resource, scope: &Scope, now: Option<Instant>) {
        let kind = if resource.kind.is_empty() { "resource".to_owned() } else { resource.kind.to_lowercase() };
        let kin = scope.kin(&resource.name);
        let mut view = View::default();
        view.walk("", &resource.state, 0);
        if kind == "monitor" {
            self.monitor(resource, &view, scope);
            return;
        }
        let mut derived: Vec<String> = Vec::new();
        let mut is_unwell = false;
        let mut weight = 1.0;
        match kind.as_str() {
            "pod" | "container" | "task" => {
                let pod = Pod::of(&view, now);
                weight = if pod.has_recovered { PAST } else { 1.0 };
                is_unwell = pod.is_unwell;
                derived = pod.facts;
            }
            "node" => (derived, is_unwell) = node(&view),
            "deployment" | "statefulset" | "stateful_set" | "daemonset" | "replicaset" | "replica_set" | "service"
            | "ecs_service" | "job" => {
                (derived, is_unwell) = replicas(&view);
            }
            _ => {}
        }
        for key in [
            "status",
            "state",
            "dbinstancestatus",
            "db_instance_status",
            "instancestatus",
            "instance_state",
            "health",
            "health_status",
            "phase",
        ] {
            if let Some(value) = view.text(key).filter(|_| kind != "pod") {
                derived.push(format!("status={value}"));
                is_unwell |= is_bad_status(&value);
            }
        }
        for key in [
            "instance_status",
            "system_status",
            "status_check",
            "status_checks",
            "system_status_check",
            "instance_status_check",
        ] {
            if let Some(value) = view.text(key) {
                is_unwell |= ["impaired", "failed", "insufficient"].iter().any(|bad| value.contains(bad));
                derived.push(format!("status_check={value}"));
            }
        }
        if kin.is_close() {
            self.connections_max = self.connections_max.or(view.number(&["maxconnections", "connectionlimit"]));
            let gib = view.number(&[
                "allocatedstorage",
                "allocatedstoragegb",
                "allocatedstoragegib",
                "storagegb",
                "storagegib",
            ]);
            self.storage_bytes =
                self.storage_bytes.or(gib.map(|gib| if gib < 1e6 { gib * 1024.0 * 1024.0 * 1024.0 } else { gib }));
            self.memory_bytes = self
                .memory_bytes
                .or_else(|| view.bytes(&["memorylimit", "limitsmemory", "memorylimitbytes", "memory_limit"]));
        }
        if let Some(cores) = view.cores() {
            self.cores.push((resource.name.to_lowercase(), cores));
        }
        let is_about_target = kin == Kin::Own || (kin == Kin::Unclear && kind != "node");
        if is_about_target {
            self.own += 1;
            if is_unwell {
                self.unwell.push(resource.name.clone());
            }
        }
        if is_unwell {
            derived.push("unwell=true".into());
        } else {
            derived.push("unwell=false".into());
        }
        let fact = |text: String| Fact { text, of: resource.name.clone(), kin, weight };
        self.facts.extend(derived.into_iter().map(|text| fact(format!("{kind}.{text}").to_lowercase())));
        for (path, value) in view.values.iter().take(FACTS_MAX.saturating_sub(self.facts.len())) {
            self.facts.push(fact(format!("{kind}.{path}={value}").to_lowercase()));
            if value.contains(' ') || value.chars().any(char::is_uppercase) {
                // What lies behind in a state says why, as long as the thing is not well.
                self.texts.push(Said { text: value.clone(), kin, weight });
            }
        }
    }

    fn monitor(&mut self, resource: &Resource, view: &View, scope: &Scope) {
        let state = ["overall_state", "state", "status", "state_value", "statevalue"]
            .iter()
            .find_map(|key| view.text(key))
            .unwrap_or_default();
        let texts: Vec<&str> = view.values.iter().map(|(_, value)| value.as_str()).collect();
        let all = format!("{} {}", resource.name, texts.join(" "));
        let is_other = !scope.kin_of_text(&resource.name, &all).is_close() && scope.other_in(&all).next().is_some();
        if is_other {
            return;
        }
        self.monitors += 1;
        let is_alarming = ["alert", "alarm", "alerting", "firing", "triggered", "critical", "warn", "warning"]
            .contains(&state.as_str());
        let fact =
            |text: String| Fact { text: text.to_lowercase(), of: resource.name.clone(), kin: Kin::Own, weight: 1.0 };
        self.facts.push(fact(format!("monitor.state={state}")));
        if is_alarming {
            self.monitors_alarming += 1;
            self.facts.push(fact(format!("monitor.alarm={}", resource.name)));
            self.alarms.push(resource.name.clone());
        }
    }

    /// Other things that are not well, and that the target's own words name.
    fn dependencies(&mut self, incident: &Incident, scope: &Scope) {
        let sick: Vec<&Fact> = self
            .facts
            .iter()
            .filter(|fact| {
                !fact.kin.is_close() && fact.text.ends_with(".unwell=true") && !fact.text.starts_with("node.")
            })
            .collect();
        if sick.is_empty() {
            return;
        }
        let mut named: Vec<String> = Vec::new();
        let own_lines =
            incident.logs.iter().filter(|line| scope.kin(&line.source).is_close()).map(|line| line.message.as_str());
        let alert = incident.alert.annotations.values().filter_map(|value| value.as_str());
        for text in alert.chain(own_lines.take(2_000)) {
            for other in scope.other_in(text) {
                let is_sick = sick.iter().any(|fact| bare(&fact.of).eq_ignore_ascii_case(other));
                if is_sick && !named.iter().any(|known| known == other) {
                    named.push(other.to_owned());
                }
            }
        }
        let facts = named.into_iter().map(|of| Fact {
            text: format!("dependency.unwell={of}"),
            of,
            kin: Kin::Own,
            weight: 1.0,
        });
        self.facts.extend(facts);
    }
}

/// A state, flat.
#[derive(Default)]
struct View {
    /// Path in lower case, value as it is.
    values: Vec<(String, String)>,
}

impl View {
    fn walk(&mut self, path: &str, value: &Value, depth: usize) {
        if self.values.len() >= VALUES_MAX || depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(fields) => {
                // Conditions are known by their type, not by their place in a list.
                let kind = fields.get("type").and_then(Value::as_str).filter(|_| fields.contains_key("status"));
                for (key, inner) in fields {
                    let key = key.to_lowercase();
                    let path = match kind {
                        Some(kind) => format!("{path}.{}.{key}", kind.to_lowercase()),
                        None if path.is_empty() => key,
                        None => format!("{path}.{key}"),
                    };
                    self.walk(&path, inner, depth + 1);
                }
            }
            Value::Array(list) => list.iter().for_each(|inner| self.walk(path, inner, depth + 1)),
            Value::String(text) if !text.is_empty() => self.values.push((path.to_owned(), text.clone())),
            Value::Bool(_) | Value::Number(_) => self.values.push((path.to_owned(), value.to_string())),
            _ => {}
        }
    }

    /// The values whose last key, without separators, is this one.
    fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values
            .iter()
            .filter(move |(path, _)| last_key(path) == key)
            .map(|(path, value)| (path.as_str(), value.as_str()))
    }

    /// The value of a path, in lower case.
    fn text(&self, path: &str) -> Option<String> {
        self.values.iter().find(|(known, _)| known == path).map(|(_, value)| value.to_lowercase())
    }

    fn number(&self, keys: &[&str]) -> Option<f64> {
        self.values
            .iter()
            .filter(|(path, _)| keys.contains(&last_key(path).as_str()))
            .find_map(|(_, value)| value.parse().ok())
    }

    /// `512Mi` and the like.
    fn bytes(&self, keys: &[&str]) -> Option<f64> {
        let found = self.values.iter().filter(|(path, _)| keys.contains(&last_key(path).as_str()));
        found
            .filter_map(|(_, value)| {
                let digits: String = value.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
                let factor = match value.get(digits.len()..)?.trim().to_lowercase().as_str() {
                    "ki" | "kib" | "kb" | "k" => 1024.0,
                    "mi" | "mib" | "mb" | "m" => 1024.0 * 1024.0,
                    "gi" | "gib" | "gb" | "g" => 1024.0 * 1024.0 * 1024.0,
                    "" => 1.0,
                    _ => return None,
                };
                digits.parse::<f64>().ok().map(|number| number * factor)
            })
            .next()
    }

    /// The limit of its processors: `2`, `500m`.
    fn cores(&self) -> Option<f64> {
        let is_limit = |path: &str| {
            let path = path.replace(['_', '-'], "");
            path.ends_with("cpulimit")
                || path.ends_with("limits.cpu")
                || path.ends_with("cpulimitcores")
                || path.ends_with("limitscpu")
        };
        self.values.iter().filter(|(path, _)| is_limit(path)).find_map(|(_, value)| match value.strip_suffix('m') {
            Some(thousandths) => thousandths.parse::<f64>().ok().map(|cores| cores / 1_000.0),
            None => value.parse().ok(),
        })
    }

    fn max(&self, key: &str) -> Option<f64> {
        self.all(key).filter_map(|(_, value)| value.parse::<f64>().ok()).reduce(f64::max)
    }

    fn condition(&self, kind: &str) -> Option<&str> {
        let wanted = format!("{kind}.status");
        self.values.iter().find(|(path, _)| path.ends_with(&wanted)).map(|(_, value)| value.as_str())
    }
}

fn last_key(path: &str) -> String {
    path.rsplit('.').next().unwrap_or_default().replace(['_', '-'], "")
}

fn is_bad_status(value: &str) -> bool {
    [
        "fail",
        "stopped",
        "storage-full",
        "storage_full",
        "incompatible",
        "error",
        "unhealthy",
        "impaired",
        "rebooting",
        "terminated",
        "down",
        "outofservice",
        "degraded",
        "inaccessible",
        "unreachable",
        "inactive",
    ]
    .iter()
    .any(|bad| value.contains(bad))
}

struct Pod {
    facts: Vec<String>,
    is_unwell: bool,
    has_recovered: bool,
}

impl Pod {
    fn of(view: &View, now: Option<Instant>) -> Self {
        let mut facts = Vec::new();
        let phase = view
            .text("phase")
            .or_else(|| view.text("status"))
            .or_else(|| view.text("status.phase"))
            .unwrap_or_default();
        let is_done = phase == "succeeded" || phase == "completed";
        facts.push(format!("phase={phase}"));
        for (path, reason) in view.all("reason") {
            // Conditions have reasons too: they say what is so, not why.
            if !path.contains("conditions") {
                facts.push(format!("reason={reason}"));
            }
        }
        for (_, code) in view.all("exitcode") {
            facts.push(format!("exit_code={code}"));
        }
        let restarts = view.max("restartcount").or_else(|| view.max("restarts"));
        let habit = match restarts {
            Some(count) if count >= RESTARTS_MANY => "many",
            Some(count) if count >= 1.0 => "few",
            Some(_) => "none",
            None => "unsaid",
        };
        facts.push(format!("restarts={habit}"));
        let is_scheduled = view.condition("podscheduled").is_none_or(|status| !status.eq_ignore_ascii_case("false"));
        facts.push(format!("scheduled={is_scheduled}"));
        let ready: Vec<bool> = view.all("ready").map(|(_, value)| value.eq_ignore_ascii_case("true")).collect();
        let condition = view.condition("ready");
        let is_ready = match condition {
            Some(status) => status.eq_ignore_ascii_case("true") && ready.iter().all(|it| *it),
            None if ready.is_empty() => phase == "running" || phase.is_empty(),
            None => ready.iter().all(|it| *it),
        };
        facts.push(format!("ready={}", is_ready || is_done));
        let is_waiting = view.values.iter().any(|(path, value)| {
            path.contains("state.waiting") && !path.contains("last") && value != "false" && !path.ends_with("message")
        });
        facts.push(format!("waiting={is_waiting}"));
        let started = view.all("startedat").filter_map(|(_, value)| Instant::parse(value)).max();
        let runs_s = match (now, started) {
            (Some(now), Some(started)) => Some(now.seconds_since(started)),
            _ => None,
        };
        if let Some(runs_s) = runs_s {
            facts.push(format!("runs={}", if runs_s < RECOVERED_S { "recently" } else { "long" }));
        }
        let is_calm = runs_s.map_or(habit != "many", |runs_s| runs_s >= RECOVERED_S);
        let is_unwell = !is_done
            && (!is_ready
                || is_waiting
                || (habit == "many" && !is_calm)
                || ["pending", "failed", "unknown", "crashloopbackoff", "evicted"].contains(&phase.as_str()));
        facts.push(format!("calm={is_calm}"));
        Self { facts, is_unwell, has_recovered: !is_unwell }
    }
}

fn node(view: &View) -> (Vec<String>, bool) {
    let mut facts = Vec::new();
    let ready =
        view.condition("ready").map(str::to_lowercase).or_else(|| view.text("ready")).or_else(|| view.text("status"));
    let is_ready = ready.as_deref().is_none_or(|ready| ready == "true" || ready.starts_with("ready"));
    facts.push(format!("ready={is_ready}"));
    let mut is_pressed = false;
    for pressure in ["memory", "disk", "pid"] {
        let key = format!("{pressure}_pressure");
        let value = view.text(&key).or_else(|| view.condition(&format!("{pressure}pressure")).map(str::to_lowercase));
        if value.as_deref() == Some("true") {
            facts.push(format!("pressure={pressure}"));
            is_pressed = true;
        }
    }
    if view.condition("networkunavailable").is_some_and(|status| status.eq_ignore_ascii_case("true"))
        || view.text("network_unavailable").as_deref() == Some("true")
    {
        facts.push("network=unavailable".into());
    }
    if view.text("unschedulable").as_deref() == Some("true") {
        facts.push("cordoned=true".into());
    }
    (facts, !is_ready || is_pressed)
}

/// A workload: does it have the replicas that it should have?
fn replicas(view: &View) -> (Vec<String>, bool) {
    let mut facts = Vec::new();
    let number = |keys: &[&str]| keys.iter().find_map(|key| view.max(key));
    let desired =
        number(&["desired", "desiredreplicas", "replicas", "replicasdesired", "desiredcount", "specreplicas"]);
    let ready = number(&[
        "ready",
        "readyreplicas",
        "available",
        "availablereplicas",
        "runningcount",
        "replicasready",
        "numberready",
    ]);
    let updated = number(&["updated", "updatedreplicas", "uptodate"]);
    let mut is_unwell = false;
    if let (Some(desired), ready) = (desired, ready.unwrap_or(0.0)) {
        let has = if ready <= 0.0 && desired > 0.0 {
            "none"
        } else if ready < desired {
            "missing"
        } else {
            "full"
        };
        is_unwell = has != "full";
        facts.push(format!("replicas={has}"));
        if let Some(updated) = updated {
            facts.push(format!("updated={}", if updated < desired { "partly" } else { "fully" }));
        }
    }
    if let Some(progressing) = view.condition("progressing") {
        facts.push(format!("progressing={}", progressing.to_lowercase()));
        is_unwell |= progressing.eq_ignore_ascii_case("false");
    }
    (facts, is_unwell)
}

/// Whether a text is what a pattern with `*` describes, as a whole.
fn matches(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut is_open = false;
    for piece in pieces {
        is_open = true;
        if piece.is_empty() {
            continue;
        }
        match rest.find(piece) {
            Some(_) if rest.ends_with(piece) && !pattern.ends_with('*') => rest = "",
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
        is_open = false;
    }
    rest.is_empty() || is_open || pattern.ends_with('*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(state: Value) -> (Vec<String>, bool) {
        let mut view = View::default();
        view.walk("", &state, 0);
        let pod = Pod::of(&view, Instant::parse("2026-01-01T12:00:00Z"));
        (pod.facts, pod.is_unwell)
    }

    #[test]
    fn a_pod_is_read_in_the_form_of_the_api_and_in_the_flat_one() {
        let nested = json!({"phase": "Running", "containerStatuses": [{"ready": false, "restartCount": 7,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]});
        let flat = json!({"phase": "Running", "containers": [{"ready": false, "restart_count": 7,
            "state": {"waiting": true, "reason": "CrashLoopBackOff", "exit_code": 137}}]});
        for state in [nested, flat] {
            let (facts, is_unwell) = pod(state);
            assert!(is_unwell);
            for wanted in ["reason=CrashLoopBackOff", "exit_code=137", "restarts=many", "ready=false", "waiting=true"] {
                assert!(facts.iter().any(|fact| fact == wanted), "{wanted}: {facts:?}");
            }
        }
    }

    #[test]
    fn one_restart_long_ago_is_no_illness() {
        let (facts, is_unwell) = pod(json!({"phase": "Running", "containers": [{"ready": true, "restart_count": 1,
            "state": {"running": true, "started_at": "2026-01-01T10:00:00Z"}}]}));
        assert!(!is_unwell, "{facts:?}");
    }

    #[test]
    fn a_state_of_any_size_is_flattened_within_bounds() {
        let mut view = View::default();
        view.walk("", &json!({ "list": (0..5_000).map(|it| it.to_string()).collect::<Vec<_>>() }), 0);
        assert_eq!(view.values.len(), VALUES_MAX);
        let resource = Resource { kind: "x".into(), name: "n".into(), state: json!({ "a": vec!["v"; VALUES_MAX] }) };
        let incident = Incident { resources: vec![resource; 200], ..Incident::default() };
        let knowledge = crate::knowledge::Knowledge::embedded().unwrap();
        let scope = Scope::of(&incident, &knowledge.vocabulary, crate::evidence::Breadth::Narrow);
        // What is derived stands beside what is flattened, a few to each resource.
        assert!(Facts::of(&incident, &scope, None).facts.len() <= FACTS_MAX + 200 * 8);
    }

    #[test]
    fn patterns_are_whole_and_may_be_open() {
        assert!(matches("pod.reason=oomkilled", "pod.reason=oomkilled"));
        assert!(matches("pod.reason=errimagepull", "pod.reason=*imagepull*"));
        assert!(!matches("pod.reason=oomkilled", "pod.reason=oom"));
        assert!(matches("database.status=storage-full", "*.status=storage-full"));
    }
}
