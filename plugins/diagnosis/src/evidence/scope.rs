//! Whose evidence it is: of what the alert names, of something near it, or of something else.
//!
//! An incident holds much that is not about it: the metrics of another database, the events of another service. They
//! are kept, and weigh less. Names are compared by their parts, since `api-7f9d-x7gr9` is a pod of `api`.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use super::series::words_of;
use crate::incident::{Incident, Metric};
use crate::knowledge::Vocabulary;

/// Keys of labels and annotations whose values name what the alert is about, the most exact first.
const TARGET_KEYS: &[&str] = &[
    "kube_pod",
    "pod",
    "pod_name",
    "pod_names",
    "replica",
    "read_replica",
    "replica_identifier",
    "source_db_instance_identifier",
    "db_instance_identifier",
    "dbinstanceidentifier",
    "db_instance",
    "db_identifier",
    "database",
    "db_cluster_identifier",
    "dbclusteridentifier",
    "instance_id",
    "instanceid",
    "instance",
    "ec2_instance_id",
    "node",
    "kube_node",
    "node_name",
    "host",
    "hostname",
    "kube_deployment",
    "deployment",
    "kube_stateful_set",
    "statefulset",
    "kube_daemon_set",
    "daemonset",
    "kube_job",
    "job",
    "cronjob",
    "workload_name",
    "workload",
    "kube_service",
    "service",
    "service_name",
    "app",
    "app_name",
    "application",
    "component",
    "function_name",
    "function",
    "load_balancer",
    "loadbalancer",
    "target_group",
    "targetgroup",
    "resource",
    "resource_name",
    "target",
    "table_name",
    "queue_name",
    "container",
    "container_name",
    "kube_container_name",
    "volume_id",
    "autoscaling_group",
    "autoscaling_group_name",
    "cloud_role_name",
    "stream_name",
    "topic_name",
    "topic",
    "queue",
    "table",
    "dag",
    "site",
    "url",
    "domain",
    "db",
    "replset",
    "replica_set",
    "broker",
    "device_name",
    "server",
    "machine",
    "server_name",
    "vm",
    "vm_name",
];

/// Names of an alert, and of others, that are compared with everything: what a hostile file names is unbounded.
const NAMES_MAX: usize = 64;
const OTHERS_MAX: usize = 500;
/// A value shorter than this is found in too many names.
const NAME_LENGTH_MIN: usize = 3;
/// What labels say everywhere, and what names nothing.
const NO_NAMES: &[&str] = &[
    "rds",
    "ec2",
    "eks",
    "ecs",
    "aws",
    "lambda",
    "elb",
    "alb",
    "database",
    "postgres",
    "mysql",
    "kubernetes",
    "unknown",
    "none",
    "unscheduled",
    "node",
    "pod",
];

/// A part of a name shorter than this is found in too many.
const PART_LENGTH_MIN: usize = 5;
/// What stands in names of many things.
const GENERAL_PARTS: &[&str] = &[
    "service",
    "server",
    "worker",
    "production",
    "staging",
    "internal",
    "external",
    "cluster",
    "compute",
    "instance",
    "database",
    "primary",
    "replica",
    "master",
    "standby",
    "writer",
    "reader",
    "backend",
    "frontend",
    "gateway",
    "proxy",
    "cache",
    "queue",
    "redis",
    "kafka",
    "mysql",
    "postgres",
    "postgresql",
    "mongo",
    "mongodb",
    "elastic",
    "controller",
    "manager",
    "agent",
    "batch",
    "engine",
    "amazonaws",
    "local",
    "default",
    "system",
    "deployment",
    "targetgroup",
    "loadbalancer",
    "volume",
    "region",
    "search",
    "public",
    "private",
    "nginx",
    "store",
    "stream",
    "events",
    "event",
    "metrics",
    "monitor",
    "shared",
    "platform",
    "central",
    "global",
    "lambda",
    "function",
];
/// Own lines in which others are looked for, and bytes of each.
const OWN_LINES_MAX: usize = 5_000;
const TEXT_BYTES_MAX: usize = 2_048;

/// What is known of another resource, and when not.
const OTHER_UNTIMED: f64 = 0.2;

/// How near a source of evidence is to what the alert names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kin {
    /// It is named by the alert, is a part of it or holds it.
    Own,
    /// Nobody says whose it is: a system component, a source without a name.
    Unclear,
    /// It has another name, and the target's own words or a part of its name tell of it.
    Near,
    /// It has a name, and it is another.
    Other,
}

impl Kin {
    /// What it says is about the target, or nobody says that it is not.
    pub(crate) fn is_close(self) -> bool {
        matches!(self, Self::Own | Self::Unclear)
    }
}

/// How much others are listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// The target first.
    Narrow,
    /// Its neighbours as well: the target is ill, and nothing of its own says why.
    Wide,
}

/// What the alert is about.
#[derive(Debug)]
pub(crate) struct Scope {
    /// In the order of how exact they are.
    names: Vec<String>,
    /// Nodes that hold what is named.
    hosts: BTreeSet<String>,
    /// Other things by name.
    others: BTreeSet<String>,
    /// Others that the target's own words name, or that share a telling part of its name.
    near: BTreeSet<String>,
    name_parts: Vec<String>,
    system_sources: Vec<String>,
    system_components: Vec<String>,
    /// The words of the alert's title, and with those of what it says of itself.
    title_words: BTreeSet<String>,
    alert_words: BTreeSet<String>,
    breadth: Breadth,
    /// Its names are guesses: what has another name may be it as well.
    is_guessed: bool,
    /// Nothing that was observed has a name of the alert's: then all of it is as near.
    is_blind: bool,
    /// The same for metrics alone.
    is_blind_for_metrics: bool,
}

impl Scope {
    pub(crate) fn of(incident: &Incident, vocabulary: &Vocabulary, breadth: Breadth) -> Self {
        let mut scope = Self {
            names: names_of_alert(incident),
            hosts: BTreeSet::new(),
            others: BTreeSet::new(),
            near: BTreeSet::new(),
            name_parts: Vec::new(),
            system_sources: vocabulary.system_sources.iter().map(|name| name.to_lowercase()).collect(),
            system_components: vocabulary.system_components.iter().map(|name| name.to_lowercase()).collect(),
            title_words: words_in([incident.alert.title.as_str()].into_iter()),
            alert_words: alert_words(incident),
            breadth,
            is_guessed: false,
            is_blind: false,
            is_blind_for_metrics: false,
        };
        let said = ["summary", "description", "error", "message", "suspected_symptom"];
        let said = said.iter().filter_map(|key| incident.alert.annotations.get(*key)?.as_str());
        let title =
            std::iter::once(incident.alert.title.as_str()).chain(said).collect::<Vec<_>>().join(" ; ").to_lowercase();
        let mut known: BTreeSet<String> = incident.resources.iter().map(|it| it.name.to_lowercase()).collect();
        known.extend(incident.events.iter().map(|event| bare(&event.source).to_lowercase()));
        known.extend(incident.metrics.iter().flat_map(dimension_names).map(|name| name.to_lowercase()));
        for name in &known {
            // A thing that was observed and that the alert's words name is what it is about, whatever the labels say.
            if name.len() > NAME_LENGTH_MIN
                && words_contain(&title, name)
                && !NO_NAMES.contains(&name.as_str())
                && scope.names.len() < NAMES_MAX
                && !scope.names.contains(name)
            {
                scope.names.push(name.clone());
            }
        }
        if scope.names.is_empty() {
            scope.names = names_of_last_resort(incident, &known, &scope.system_sources, &title);
            scope.is_guessed = true;
        }
        // A volume that says to which machine it is attached is that machine's.
        for resource in &incident.resources {
            let name = resource.name.to_lowercase();
            let is_part = [
                "attached",
                "attached_to",
                "attachment",
                "instance",
                "instance_id",
                "owner",
                "member_of",
                "cluster",
                "target",
                "function",
                "event_source",
                "parent",
                "mounted_by",
                "service",
            ]
            .iter()
            .filter_map(|key| resource.state.get(key)?.as_str())
            .any(|holder| scope.mentions(holder));
            if is_part && name.len() > NAME_LENGTH_MIN && scope.names.len() < NAMES_MAX && !scope.names.contains(&name)
            {
                scope.names.push(name);
            }
        }
        let sources: BTreeSet<&str> = incident.logs.iter().map(|line| line.source.as_str()).collect();
        let is_logged = |scope: &Self| sources.iter().any(|source| scope.is_own(&bare(source).to_lowercase()));
        scope.is_blind = !known.iter().any(|name| scope.is_own(name)) && !is_logged(&scope);
        let metrics = || incident.metrics.iter().filter(|metric| dimension_names(metric).next().is_some());
        scope.is_blind_for_metrics = !metrics().any(|metric| dimension_names(metric).any(|name| scope.is_own(name)));
        for resource in &incident.resources {
            let name = resource.name.to_lowercase();
            if resource.kind != "node" && resource.kind != "monitor" && scope.is_own(&name) {
                for key in ["node_name", "nodeName", "node", "host", "host_name", "instance_id"] {
                    if let Some(node) = resource.state.get(key).and_then(Value::as_str) {
                        scope.hosts.insert(node.to_lowercase());
                    }
                }
            }
        }
        scope.name_parts = scope.names.iter().flat_map(|name| telling_parts(name)).map(str::to_owned).collect();
        let others = known.into_iter().filter(|name| name.len() > NAME_LENGTH_MIN && !scope.kin(name).is_close());
        scope.others = others.take(OTHERS_MAX).collect();
        scope.near = scope.named_by_own(incident);
        scope
    }

    /// The name that says most exactly what the alert is about.
    pub(crate) fn target(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }

    /// The alert names nothing that was observed.
    pub(crate) fn is_nameless(&self) -> bool {
        self.names.is_empty() || self.is_blind
    }

    /// How much evidence of one so near counts.
    pub(crate) fn weight(&self, kin: Kin) -> f64 {
        match (kin, self.breadth) {
            (Kin::Own, _) => 1.0,
            (Kin::Unclear, _) => 0.85,
            (Kin::Near, Breadth::Narrow) => 0.55,
            (Kin::Near, Breadth::Wide) => 0.8,
            (Kin::Other, Breadth::Narrow) => 0.2,
            (Kin::Other, Breadth::Wide) => 0.55,
        }
    }

    /// The same of what has no time: that another is not well, perhaps since long ago, says nothing about this trouble.
    pub(crate) fn weight_untimed(&self, kin: Kin) -> f64 {
        if kin == Kin::Other { OTHER_UNTIMED } else { self.weight(kin) }
    }

    pub(crate) fn is_wide(&self) -> bool {
        self.breadth == Breadth::Wide
    }

    /// How near the thing of this name is.
    pub(crate) fn kin(&self, source: &str) -> Kin {
        let name = bare(source).to_lowercase();
        if name.is_empty() || self.names.is_empty() || self.is_blind {
            return Kin::Unclear;
        }
        if self.is_own(&name) || self.hosts.contains(&name) {
            return Kin::Own;
        }
        let is_system = self.system_sources.contains(&name)
            || name.split(['-', '/', '.', '_', ' ']).any(|part| self.system_components.iter().any(|it| it == part));
        if is_system {
            return Kin::Unclear;
        }
        let is_near =
            self.near.contains(&name) || telling_parts(&name).any(|part| self.name_parts.iter().any(|own| own == part));
        if is_near || self.is_guessed { Kin::Near } else { Kin::Other }
    }

    /// The same, where a text goes with it that may name what the alert is about.
    pub(crate) fn kin_of_text(&self, source: &str, text: &str) -> Kin {
        let kin = self.kin(source);
        if kin == Kin::Own || !self.mentions(text) { kin } else { Kin::Own }
    }

    pub(crate) fn kin_of_metric(&self, metric: &Metric) -> Kin {
        if self.is_blind_for_metrics {
            return Kin::Unclear;
        }
        let kins: Vec<Kin> = dimension_names(metric).map(|name| self.kin(name)).collect();
        if kins.contains(&Kin::Own) {
            return Kin::Own;
        }
        if kins.contains(&Kin::Near) {
            return Kin::Near;
        }
        kins.into_iter().max().unwrap_or(Kin::Unclear)
    }

    /// Others that own lines and the alert name: what the target works with.
    fn named_by_own(&self, incident: &Incident) -> BTreeSet<String> {
        let others: Vec<&String> = self.others.iter().collect();
        let stems = others.iter().map(|name| stem(name));
        let Ok(finder) = AhoCorasick::builder().ascii_case_insensitive(true).build(stems) else {
            return BTreeSet::new();
        };
        let own = incident.logs.iter().filter(|line| self.kin(&line.source) == Kin::Own).take(OWN_LINES_MAX);
        let alert = incident.alert.annotations.values().filter_map(Value::as_str);
        let texts = own.map(|line| line.message.as_str()).chain(alert).chain([incident.alert.title.as_str()]);
        let mut near = BTreeSet::new();
        for text in texts {
            let text = text.get(..TEXT_BYTES_MAX).unwrap_or(text);
            for hit in finder.find_overlapping_iter(text) {
                let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
                let before = text.get(..hit.start()).and_then(|head| head.chars().next_back());
                let after = text.get(hit.end()..).and_then(|tail| tail.chars().next());
                if is_end(before) && is_end(after) {
                    near.extend(others.get(hit.pattern().as_usize()).map(|name| (*name).clone()));
                }
            }
        }
        near
    }

    pub(crate) fn mentions(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.names.iter().any(|name| words_contain(&text, name))
    }

    /// The other thing that a text names.
    pub(crate) fn other_in<'a>(&'a self, text: &str) -> impl Iterator<Item = &'a str> {
        let text = text.to_lowercase();
        self.others.iter().filter(move |name| words_contain(&text, stem(name))).map(String::as_str)
    }

    /// A text without the names of things: a service may be called `disk-api`.
    pub(crate) fn without_names(&self, text: &str) -> String {
        let mut text = text.to_lowercase();
        for name in self.names.iter().chain(&self.others).chain(&self.hosts) {
            if name.len() > NAME_LENGTH_MIN && name.contains(['-', '_', '.', '/']) {
                text = text.replace(name.as_str(), " ");
            }
        }
        text
    }

    /// The alert names this metric, in whatever way it writes its words.
    pub(crate) fn is_alerted(&self, metric: &Metric) -> bool {
        let words: Vec<String> = words_of(&metric.name).into_iter().filter(|word| word.len() > 2).collect();
        let is_named =
            |words: &[String]| words.len() > 1 && words.iter().all(|word| self.alert_words.contains(singular(word)));
        // The first word is often the name of the program, which the alert says elsewhere, or not at all.
        is_named(&words) || words.get(1..).is_some_and(is_named)
    }

    /// The title has a telling word of its name: `Few orders` is about `orders_accepted`.
    pub(crate) fn is_hinted(&self, metric: &Metric) -> bool {
        let words = words_of(&metric.name);
        let is_telling = |word: &&String| word.len() >= PART_LENGTH_MIN && !GENERAL_PARTS.contains(&word.as_str());
        words.iter().filter(is_telling).any(|word| self.title_words.contains(singular(word)))
    }

    fn is_own(&self, name: &str) -> bool {
        self.names.iter().any(|own| is_kin(own, name))
    }
}

/// Parts of a name that say of what it is: `dispatch` of `courier-dispatch`, and not `prod`, `service` or a number.
fn telling_parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(['-', '_', '.', '/', ':', ' ']).filter(|part| {
        part.len() >= PART_LENGTH_MIN && part.chars().all(char::is_alphabetic) && !GENERAL_PARTS.contains(part)
    })
}

/// One of the names is the other, or begins with it and goes on with a separator, or ends so.
fn is_kin(own: &str, name: &str) -> bool {
    let (short, long) = if own.len() <= name.len() { (own, name) } else { (name, own) };
    if short.len() < NAME_LENGTH_MIN {
        return false;
    }
    if short == long {
        return true;
    }
    // A group of logs is a path of names: /aws/rds/instance/orders/error.
    if long.split(['/', ':', '|', ' ', ',']).any(|part| part == short) {
        return true;
    }
    let Some(rest) = long.strip_prefix(short) else {
        return own.len() < name.len() && long.split(['/', ':', '|', ' ']).any(|part| is_part(part, short));
    };
    rest.starts_with(['-', '_', '.', '/', ':']) && is_same_line(short, rest)
}

fn is_part(part: &str, short: &str) -> bool {
    part.strip_prefix(short).is_some_and(|rest| rest.starts_with(['-', '_', '.']))
}

/// `orders` and `orders-prod-replica-1` belong together; `api` and `api-gateway` need not. A short first part alone
/// is no kinship, unless what follows looks like a generated ending, a replica or a role.
fn is_same_line(short: &str, rest: &str) -> bool {
    if short.contains(['-', '_', '.']) {
        return true;
    }
    const ENDINGS: &[&str] = &[
        "service",
        "svc",
        "deployment",
        "app",
        "server",
        "pod",
        "replica",
        "primary",
        "instance",
        "api",
        "web",
        "worker",
        "db",
        "prod",
        "container",
    ];
    let parts: Vec<&str> = rest.split(['-', '_', '.', '/', ':']).filter(|part| !part.is_empty()).collect();
    // After the hash of a replica set come five letters of anything.
    let has_hash = parts.iter().any(|part| part.chars().any(|c| c.is_ascii_digit()));
    parts.iter().all(|part| {
        part.chars().any(|c| c.is_ascii_digit())
            || ENDINGS.contains(part)
            || (part.len() == 5 && has_hash)
            || (part.len() >= 4 && !part.contains(['a', 'e', 'i', 'o', 'u', 'y']))
    })
}

/// `Pod/name` without its kind.
pub(super) fn bare(source: &str) -> &str {
    match source.split_once('/') {
        Some((kind, name))
            if !kind.is_empty() && !name.is_empty() && kind.chars().all(char::is_alphabetic) && !name.contains('/') =>
        {
            name
        }
        _ => source,
    }
}

/// The name of a workload without the ending of one of its pods.
fn stem(name: &str) -> &str {
    let mut stem = name;
    for _ in 0..2 {
        match stem.rsplit_once('-') {
            Some((before, last))
                if last.len() >= 5 && last.chars().any(|c| c.is_ascii_digit()) && before.len() > NAME_LENGTH_MIN =>
            {
                stem = before
            }
            _ => break,
        }
    }
    stem
}

/// Values of dimensions that name a thing, not a kind or a place.
fn dimension_names(metric: &Metric) -> impl Iterator<Item = &str> {
    const PLACES: &[&str] = &[
        "region",
        "namespace",
        "kube_namespace",
        "cluster",
        "cluster_name",
        "kube_cluster_name",
        "clustername",
        "availabilityzone",
        "availability_zone",
        "az",
        "env",
        "environment",
        "account",
        "device",
        "interface",
        "mountpath",
        "path",
        "filesystem",
        "fstype",
        "mode",
        "quantile",
        "le",
        "code",
        "status",
        "method",
        "job",
        "team",
        "engine",
        "databaseclass",
        "imageid",
        "instancetype",
        "autoscalinggroupname",
        "statistic",
        "unit",
        "phase",
        "reason",
        "condition",
        "state",
    ];
    let is_place = |key: &str| PLACES.contains(&key.to_ascii_lowercase().as_str());
    metric
        .dimensions
        .iter()
        .filter(move |(key, _)| !is_place(key))
        .filter_map(|(_, value)| value.as_str())
        .filter(|value| value.len() >= NAME_LENGTH_MIN)
}

/// The name stands in the text, and is no part of a longer word.
fn words_contain(text: &str, name: &str) -> bool {
    if name.len() < NAME_LENGTH_MIN {
        return false;
    }
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|tail| tail.chars().next());
        let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        is_end(before) && is_end(after)
    })
}

fn alert_words(incident: &Incident) -> BTreeSet<String> {
    let alert = &incident.alert;
    let said = ["summary", "description", "metric", "metric_name", "alertname"];
    let values = said.iter().filter_map(|key| alert.annotations.get(*key).or_else(|| alert.labels.get(*key))?.as_str());
    words_in(values.chain([alert.title.as_str()]))
}

fn words_in<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    texts
        .flat_map(|text| words_of(text.get(..TEXT_BYTES_MAX).unwrap_or(text)))
        .map(|word| singular(&word).to_owned())
        .collect()
}

fn singular(word: &str) -> &str {
    if word.len() > 3 { word.strip_suffix('s').unwrap_or(word) } else { word }
}

fn names_of_alert(incident: &Incident) -> Vec<String> {
    let alert = &incident.alert;
    let mut by_key: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (key, value) in alert.labels.iter().chain(&alert.annotations) {
        let key = key.to_ascii_lowercase().replace('-', "_");
        let key = key.strip_prefix("tag_").unwrap_or(&key);
        // `FunctionName` and `function_name` are one key.
        let joined = key.replace('_', "");
        let is_key = |known: &&str| **known == *key || known.replace('_', "") == joined;
        let Some(rank) = TARGET_KEYS.iter().position(is_key) else { continue };
        let values: Vec<&str> = match value {
            Value::String(text) => text.split([',', ' ']).collect(),
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            _ => continue,
        };
        let names = values.into_iter().map(|name| bare(name.trim()).to_lowercase());
        by_key
            .entry(rank)
            .or_default()
            .extend(names.filter(|name| name.len() >= NAME_LENGTH_MIN && !NO_NAMES.contains(&name.as_str())));
    }
    let mut names: Vec<String> = Vec::new();
    for name in by_key.into_values().flatten() {
        if names.len() < NAMES_MAX && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Where no label of a known key names a thing: values of other labels (a cluster, a group), and words of the title,
/// that are names of what was observed.
fn names_of_last_resort(incident: &Incident, known: &BTreeSet<String>, system: &[String], title: &str) -> Vec<String> {
    let sources: BTreeSet<&str> = incident.logs.iter().map(|line| line.source.as_str()).collect();
    let sources: BTreeSet<String> = sources.into_iter().map(|source| bare(source).to_lowercase()).collect();
    let is_name = |name: &str| {
        name.len() >= NAME_LENGTH_MIN && !NO_NAMES.contains(&name) && !system.iter().any(|system| system == name)
    };
    let observed = || known.iter().chain(&sources).take(OTHERS_MAX);
    let labels = incident.alert.labels.values().filter_map(Value::as_str).map(str::to_lowercase);
    let mut names: Vec<String> =
        labels.filter(|value| is_name(value) && observed().any(|name| is_kin(value, name))).collect();
    if names.is_empty() {
        let named = sources.iter().take(OTHERS_MAX).map(|source| stem(source));
        names.extend(named.filter(|stem| is_name(stem) && words_contain(title, stem)).map(str::to_owned));
    }
    names.sort_unstable();
    names.dedup();
    names.truncate(NAMES_MAX);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_a_replica_and_a_log_group_belong_to_what_they_are_named_after() {
        for (own, name) in [
            ("orders-api", "orders-api-7f9dd8b6c4-x7gr9"),
            ("orders-api-7f9dd8b6c4-x7gr9", "orders-api"),
            ("orders-prod", "orders-prod-replica-1"),
            ("orders-prod", "/aws/rds/instance/orders-prod/error"),
            ("checkout", "checkout-5d8f7c9b6-abcde"),
            ("checkout", "checkout-service"),
        ] {
            assert!(is_kin(own, name), "{own} {name}");
        }
    }

    #[test]
    fn another_service_with_a_similar_name_is_another() {
        for (own, name) in [
            ("orders-prod", "payments-prod"),
            ("orders", "orders-archive"),
            ("api", "apidocs"),
            ("orders-prod", "orders"),
        ] {
            assert!(!is_kin(own, name) || own == "orders-prod" && name == "orders", "{own} {name}");
        }
    }
}
