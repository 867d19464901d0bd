//! What is known about root causes: data, one TOML file for each cause, and one for metrics and alerts.
//!
//! The files of this crate are embedded; a user's replace them cause by cause (docs/diagnosis.md has the form).
//! Everything is checked when it is loaded, and an error names the file and the key: a rule that can never match is a
//! mistake that nobody would see later.

use std::collections::{BTreeMap, BTreeSet};

use pi_signals::logs::Signatures;
use serde::Deserialize;
use serde_json::Value;

use crate::cause::Cause;

/// Files of a user's folder that are read at most.
pub const FILES_MAX: usize = 256;
/// A file larger than this is no knowledge.
pub const FILE_BYTES_MAX: usize = 256 << 10;
/// Patterns of all files together: the matcher is a table that grows with them.
const PATTERNS_MAX: usize = 5_000;
/// What a signature's weight counts for in a log, and in an event.
const SIGNATURE_LOG: f64 = 0.6;
const SIGNATURE_EVENT: f64 = 0.5;
/// The file with roles of metrics and topics of alerts; all others are causes.
pub const VOCABULARY: &str = "vocabulary.toml";

/// All that is known, checked.
#[derive(Clone, Debug)]
pub struct Knowledge {
    pub(crate) causes: BTreeMap<Cause, CauseRules>,
    pub(crate) vocabulary: Vocabulary,
}

/// Roles of metrics and topics of alerts. Order decides: the first role that matches a name is its role.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vocabulary {
    pub(crate) role: Vec<Role>,
    pub(crate) topic: Vec<Topic>,
    /// What deserves no name of a service: words that stand in labels everywhere.
    #[serde(default)]
    pub(crate) system_sources: Vec<String>,
    /// The same of components: a part of a name is enough (`coredns-5d78c9869d-abcde`).
    #[serde(default)]
    pub(crate) system_components: Vec<String>,
}

/// What a metric measures, whatever a source calls it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    pub(crate) name: String,
    /// Words of the name in their order, gaps allowed; a `*` at the end of a word stands for its rest.
    pub(crate) names: Vec<String>,
    #[serde(default)]
    pub(crate) not: Vec<String>,
    pub(crate) worse: Worse,
    #[serde(default)]
    pub(crate) unit: Unit,
    /// From here (or down to here, where less is worse) the value is bad whatever it was before.
    pub(crate) saturated: Option<f64>,
    /// A change is worth a word from this size on.
    #[serde(default)]
    pub(crate) floor: f64,
    /// It goes up and down with traffic: a change is remarkable, but not ill in itself.
    #[serde(default)]
    pub(crate) neutral: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Worse {
    Up,
    Down,
    Both,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// As it comes.
    #[default]
    Any,
    Percent,
    Milliseconds,
    Seconds,
    Bytes,
}

/// What an alert is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
    /// The metrics that would show it.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

/// What speaks for one cause and against it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CauseRules {
    pub(crate) cause: Cause,
    pub(crate) title: String,
    /// Its rules are added to those that are known, instead of replacing them.
    #[serde(default)]
    pub(crate) is_addition: bool,
    /// Topics of alerts that it can explain.
    #[serde(default)]
    pub(crate) topics: Vec<String>,
    /// It is a thing that happened, and counts although all is well again.
    #[serde(default)]
    pub(crate) is_passing: bool,
    #[serde(default)]
    pub(crate) text: Vec<TextRule>,
    #[serde(default)]
    pub(crate) metric: Vec<MetricRule>,
    #[serde(default)]
    pub(crate) state: Vec<StateRule>,
    #[serde(default)]
    pub(crate) query: Vec<QueryRule>,
    /// Causes whose signs this one brings about, and how surely (hundredths).
    #[serde(default)]
    pub(crate) explains: BTreeMap<Cause, u8>,
    #[serde(default)]
    pub(crate) advice: String,
    #[serde(default)]
    pub(crate) action: Vec<ActionRule>,
    #[serde(default)]
    pub(crate) example: Vec<Example>,
}

/// Words. `*` in a pattern stands for any text in between, case does not count.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextRule {
    pub(crate) says: String,
    pub(crate) any: Vec<String>,
    #[serde(default)]
    pub(crate) none: Vec<String>,
    /// Hundredths of certainty by where it stands; what is not named does not count there.
    #[serde(default)]
    pub(crate) log: u8,
    #[serde(default)]
    pub(crate) event: u8,
    #[serde(default)]
    pub(crate) state: u8,
    #[serde(default)]
    pub(crate) alert: u8,
    /// It speaks against the cause instead.
    #[serde(default)]
    pub(crate) is_against: bool,
    /// It counts only from so long before the onset until shortly after it.
    pub(crate) before_onset_s: Option<u32>,
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) requires: Vec<String>,
    #[serde(default)]
    pub(crate) unless: Vec<String>,
}

/// A metric of a role that behaves in a way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricRule {
    pub(crate) role: String,
    /// One of them is enough.
    pub(crate) is: Vec<Behaviour>,
    #[serde(default)]
    pub(crate) weight: u8,
    #[serde(default)]
    pub(crate) against: u8,
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) requires: Vec<String>,
    #[serde(default)]
    pub(crate) unless: Vec<String>,
}

/// How a metric behaves. Several may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Behaviour {
    /// At its limit, or beyond what is bearable, at the end.
    Saturated,
    /// Higher than before, and stays so.
    Rises,
    /// Lower than before, and stays so.
    Falls,
    /// Steadily upwards all the time.
    Grows,
    /// Steadily downwards all the time.
    Shrinks,
    /// It was higher for a while and is back.
    Spiked,
    /// It was lower for a while and is back.
    Dipped,
    /// It fell to nothing, or nearly, and may be back.
    Vanished,
    /// It rose and stays at its highest without moving.
    Plateau,
    /// Up and abruptly down again, several times.
    Sawtooth,
    /// It does the same at even distances: what is scheduled, not what is ill.
    Recurs,
    /// None of these, or back to what it was.
    Normal,
}

/// What is known of a resource. Patterns over `kind.key=value`; docs/diagnosis.md has the keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateRule {
    pub(crate) says: String,
    pub(crate) any: Vec<String>,
    #[serde(default)]
    pub(crate) weight: u8,
    #[serde(default)]
    pub(crate) against: u8,
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) requires: Vec<String>,
    #[serde(default)]
    pub(crate) unless: Vec<String>,
}

/// What the load of a database waits for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryRule {
    pub(crate) says: String,
    /// Names of waits begin with one of these.
    #[serde(default)]
    pub(crate) waits: Vec<String>,
    /// At least this share of the load waits for them.
    #[serde(default)]
    pub(crate) share: f64,
    /// One statement is at least this share of the load.
    #[serde(default)]
    pub(crate) dominant: f64,
    /// The heaviest statement takes at least so long on average.
    #[serde(default)]
    pub(crate) seconds_each: f64,
    /// The heaviest statement begins with one of these words.
    #[serde(default)]
    pub(crate) verbs: Vec<String>,
    #[serde(default)]
    pub(crate) weight: u8,
    #[serde(default)]
    pub(crate) against: u8,
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) requires: Vec<String>,
    #[serde(default)]
    pub(crate) unless: Vec<String>,
}

/// What answers a cause.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionRule {
    pub(crate) act: Act,
    pub(crate) why: String,
}

/// The typed actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Nothing,
    Restart,
    Reboot,
    FailOver,
    Scale,
    ExtendStorage,
    RollBack,
    PatchFile,
    RaiseQuota,
    EndQuery,
    PageHuman,
}

impl Act {
    /// The state before it can be had back.
    #[must_use]
    pub fn is_reversible(self) -> bool {
        !matches!(self, Self::EndQuery | Self::ExtendStorage)
    }
}

/// A small incident that a file of knowledge must get right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Example {
    /// The claim.
    pub(crate) name: String,
    /// The cause that must come out; the file's own if it is not said.
    pub(crate) expect: Option<Cause>,
    /// In the form of incident.json, with three shorthands (docs/diagnosis.md).
    pub(crate) incident: Value,
}

/// Why a file is not knowledge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnowledgeError {
    #[error("`{file}`: {what}\nhint: docs/diagnosis.md has the form of knowledge files")]
    Form { file: String, what: String },
    #[error("`{file}`, `{key}`: {what}")]
    Key { file: String, key: String, what: String },
    #[error("{what}: {count} of at most {max}")]
    TooMuch { what: &'static str, count: usize, max: usize },
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../causes/", $name)))),*] };
}

/// The files of this crate.
pub const EMBEDDED: &[(&str, &str)] = embedded![
    "vocabulary.toml",
    "healthy.toml",
    "oom_killed.toml",
    "cpu_saturation.toml",
    "storage_full.toml",
    "connection_exhaustion.toml",
    "replication_lag.toml",
    "failover.toml",
    "slow_query.toml",
    "lock_contention.toml",
    "memory_leak.toml",
    "error_spike_after_deploy.toml",
    "bad_configuration.toml",
    "crash_loop.toml",
    "image_pull_backoff.toml",
    "pending_pod.toml",
    "probe_failure.toml",
    "resource_quota_exceeded.toml",
    "dns_resolution_failure.toml",
    "node_not_ready.toml",
    "deployment_rollout_stuck.toml",
    "dependency_down.toml",
    "certificate_expired.toml",
    "permission_denied.toml",
    "port_conflict.toml",
    "disk_io_saturation.toml",
    "network_partition.toml",
    "throttled.toml",
    "process_hung.toml",
];

impl Knowledge {
    /// What this crate knows by itself.
    pub fn embedded() -> Result<Self, KnowledgeError> {
        Self::with(std::iter::empty())
    }

    /// The same with a user's files (name, text), each of which replaces or adds a cause.
    pub fn with<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, KnowledgeError> {
        let mut causes: BTreeMap<Cause, (String, CauseRules)> = BTreeMap::new();
        let mut vocabulary: Option<Vocabulary> = None;
        let mut count = 0;
        let own = EMBEDDED.iter().map(|(name, text)| (*name, *text, false));
        let mut named_by_user: BTreeMap<Cause, String> = BTreeMap::new();
        for (name, text, is_users) in own.chain(files.into_iter().map(|(name, text)| (name, text, true))) {
            count += usize::from(is_users);
            bounded("files of knowledge", count, FILES_MAX)?;
            bounded("bytes of a file of knowledge", text.len(), FILE_BYTES_MAX)?;
            if name == VOCABULARY {
                let read: Vocabulary = parse(name, text)?;
                vocabulary = Some(match vocabulary.take() {
                    Some(before) => read.before(before),
                    None => read,
                });
                continue;
            }
            let rules: CauseRules = parse(name, text)?;
            if let Some(other) = named_by_user.get(&rules.cause) {
                return Err(key_error(name, "cause", format!("`{}` is described by `{other}` already", rules.cause)));
            }
            if is_users {
                named_by_user.insert(rules.cause, name.to_owned());
            }
            let rules = match causes.remove(&rules.cause) {
                Some((_, known)) if rules.is_addition => rules.added_to(known),
                _ => rules,
            };
            causes.insert(rules.cause, (name.to_owned(), rules));
        }
        let Some(vocabulary) = vocabulary else {
            return Err(KnowledgeError::Form { file: VOCABULARY.into(), what: "it is missing".into() });
        };
        vocabulary.check()?;
        for (file, rules) in causes.values() {
            rules.check(file, &vocabulary)?;
        }
        for (_, rules) in causes.values_mut() {
            rules.add_signatures();
        }
        let patterns =
            causes.values().flat_map(|(_, rules)| &rules.text).map(|rule| rule.any.len() + rule.none.len()).sum();
        bounded("patterns of words", patterns, PATTERNS_MAX)?;
        Ok(Self { causes: causes.into_iter().map(|(cause, (_, rules))| (cause, rules)).collect(), vocabulary })
    }

    /// The examples of all files: cause, claim, what must come out, the incident.
    pub(crate) fn examples(&self) -> impl Iterator<Item = (Cause, &Example)> {
        self.causes.values().flat_map(|rules| rules.example.iter().map(|example| (rules.cause, example)))
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 99")]
fn hundredths(share: f64) -> u8 {
    (share * 100.0).clamp(0.0, 99.0) as u8
}

fn parse<'a, T: Deserialize<'a>>(file: &str, text: &'a str) -> Result<T, KnowledgeError> {
    let read = toml::Deserializer::parse(text).and_then(T::deserialize);
    read.map_err(|error: toml::de::Error| KnowledgeError::Form {
        file: file.to_owned(),
        what: error.to_string().trim_end().to_owned(),
    })
}

fn bounded(what: &'static str, count: usize, max: usize) -> Result<(), KnowledgeError> {
    if count > max { Err(KnowledgeError::TooMuch { what, count, max }) } else { Ok(()) }
}

fn key_error(file: &str, key: impl Into<String>, what: impl Into<String>) -> KnowledgeError {
    KnowledgeError::Key { file: file.to_owned(), key: key.into(), what: what.into() }
}

impl Vocabulary {
    /// A user's words come before the ones that are there, and replace those of the same name.
    fn before(mut self, other: Self) -> Self {
        let is_new = |names: &BTreeSet<String>, name: &str| !names.contains(name);
        let roles: BTreeSet<String> = self.role.iter().map(|role| role.name.clone()).collect();
        self.role.extend(other.role.into_iter().filter(|role| is_new(&roles, &role.name)));
        let topics: BTreeSet<String> = self.topic.iter().map(|topic| topic.name.clone()).collect();
        self.topic.extend(other.topic.into_iter().filter(|topic| is_new(&topics, &topic.name)));
        self.system_sources.extend(other.system_sources);
        self.system_components.extend(other.system_components);
        self
    }

    fn check(&self) -> Result<(), KnowledgeError> {
        for (index, role) in self.role.iter().enumerate() {
            if role.names.iter().all(|name| name.trim().is_empty()) {
                return Err(key_error(VOCABULARY, format!("role[{index}].names"), "no name is given"));
            }
        }
        for (index, topic) in self.topic.iter().enumerate() {
            if let Some(unknown) = topic.roles.iter().find(|name| !self.has_role(name)) {
                let what = format!("there is no role `{unknown}`");
                return Err(key_error(VOCABULARY, format!("topic[{index}].roles"), what));
            }
        }
        Ok(())
    }

    fn has_role(&self, name: &str) -> bool {
        self.role.iter().any(|role| role.name == name)
    }
}

impl CauseRules {
    fn added_to(self, mut known: Self) -> Self {
        known.topics.extend(self.topics);
        known.text.extend(self.text);
        known.metric.extend(self.metric);
        known.state.extend(self.state);
        known.query.extend(self.query);
        known.explains.extend(self.explains);
        known.action.extend(self.action);
        known.example.extend(self.example);
        known
    }

    /// What lines of logs are known to say of this cause (`pi_signals`), as far as the cause's own words do not say it
    /// already. What silences a cause's own words silences these too.
    fn add_signatures(&mut self) {
        let own = |rule: &&TextRule| !rule.is_against && rule.log.max(rule.event) > 0;
        let known: Vec<String> =
            self.text.iter().filter(own).flat_map(|rule| &rule.any).map(|text| text.to_lowercase()).collect();
        let silencing: Vec<String> = self.text.iter().filter(own).flat_map(|rule| rule.none.clone()).collect();
        for signature in Signatures::built_in().rules() {
            if Cause::named(&signature.cause) != Some(self.cause) || !signature.all.is_empty() {
                continue;
            }
            let is_new = |phrase: &&String| !known.iter().any(|known| phrase.contains(known.as_str()));
            let any: Vec<String> = signature.any.iter().filter(is_new).cloned().collect();
            if any.is_empty() {
                continue;
            }
            self.text.push(TextRule {
                says: signature.name.replace('-', " "),
                any,
                none: signature.not.iter().chain(&silencing).cloned().collect(),
                log: hundredths(signature.weight * SIGNATURE_LOG),
                event: hundredths(signature.weight * SIGNATURE_EVENT),
                state: 0,
                alert: 0,
                is_against: false,
                before_onset_s: None,
                id: None,
                requires: Vec::new(),
                unless: Vec::new(),
            });
        }
    }

    fn check(&self, file: &str, vocabulary: &Vocabulary) -> Result<(), KnowledgeError> {
        if self.cause == Cause::Unknown {
            return Err(key_error(file, "cause", "`unknown` is what remains when nothing is known: it has no rules"));
        }
        let mut ids = BTreeSet::new();
        for (key, gate) in self.gates() {
            if let Some(id) = gate.id
                && !ids.insert(id)
            {
                return Err(key_error(file, format!("{key}.id"), format!("`{id}` is the id of another rule already")));
            }
        }
        for (key, gate) in self.gates() {
            if let Some(unknown) = gate.requires.iter().chain(gate.unless).find(|id| !ids.contains(id.as_str())) {
                return Err(key_error(file, key, format!("no rule of this file has the id `{unknown}`")));
            }
            if gate.weights.iter().any(|weight| *weight > 99) {
                return Err(key_error(file, key, "weights are hundredths of certainty, from 0 to 99"));
            }
        }
        let topics: BTreeSet<&str> = vocabulary.topic.iter().map(|topic| topic.name.as_str()).collect();
        if let Some(unknown) = self.topics.iter().find(|topic| !topics.contains(topic.as_str())) {
            return Err(key_error(file, "topics", format!("there is no topic `{unknown}` in {VOCABULARY}")));
        }
        for (index, rule) in self.metric.iter().enumerate() {
            if !vocabulary.has_role(&rule.role) {
                let what = format!("there is no role `{}` in {VOCABULARY}", rule.role);
                return Err(key_error(file, format!("metric[{index}].role"), what));
            }
            if rule.is.is_empty() {
                return Err(key_error(file, format!("metric[{index}].is"), "no behaviour is given"));
            }
        }
        for (index, rule) in self.text.iter().enumerate() {
            for pattern in rule.any.iter().chain(&rule.none) {
                // A pattern of a letter or two is found everywhere, and would make the search slow.
                if pattern.split('*').map(|piece| piece.trim().len()).max().unwrap_or(0) < 3 {
                    let what = format!("`{pattern}` has no piece of three letters");
                    return Err(key_error(file, format!("text[{index}]"), what));
                }
            }
            if rule.log.max(rule.event).max(rule.state).max(rule.alert) == 0 && rule.id.is_none() {
                let what = "it counts nowhere: give it `log`, `event`, `state` or `alert`";
                return Err(key_error(file, format!("text[{index}]"), what));
            }
        }
        for (index, rule) in self.state.iter().enumerate() {
            if let Some(pattern) = rule.any.iter().find(|pattern| !pattern.contains('=')) {
                let what = format!("`{pattern}` is not of the form kind.key=value");
                return Err(key_error(file, format!("state[{index}].any"), what));
            }
        }
        for (index, rule) in self.query.iter().enumerate() {
            let has_condition = rule.share > 0.0 || rule.dominant > 0.0 || rule.seconds_each > 0.0;
            if !has_condition || rule.share > 1.0 || rule.dominant > 1.0 {
                let what = "give it `share`, `dominant` (0 to 1) or `seconds_each`";
                return Err(key_error(file, format!("query[{index}]"), what));
            }
        }
        if let Some(cause) = self.explains.keys().find(|cause| !cause.is_fault() || **cause == self.cause) {
            return Err(key_error(file, "explains", format!("`{cause}` cannot be explained by it")));
        }
        Ok(())
    }

    /// What rules have in common, with the key of each.
    fn gates(&self) -> impl Iterator<Item = (String, GateRef<'_>)> {
        let text = self.text.iter().enumerate().map(|(index, rule)| {
            let weights = vec![rule.log, rule.event, rule.state, rule.alert];
            (format!("text[{index}]"), GateRef::new(&rule.id, &rule.requires, &rule.unless, weights))
        });
        macro_rules! weighed {
            ($field:ident) => {
                self.$field.iter().enumerate().map(|(index, rule)| {
                    let weights = vec![rule.weight, rule.against];
                    let key = format!("{}[{index}]", stringify!($field));
                    (key, GateRef::new(&rule.id, &rule.requires, &rule.unless, weights))
                })
            };
        }
        text.chain(weighed!(metric)).chain(weighed!(state)).chain(weighed!(query))
    }
}

struct GateRef<'a> {
    id: Option<&'a str>,
    requires: &'a [String],
    unless: &'a [String],
    weights: Vec<u8>,
}

impl<'a> GateRef<'a> {
    fn new(id: &'a Option<String>, requires: &'a [String], unless: &'a [String], weights: Vec<u8>) -> Self {
        Self { id: id.as_deref(), requires, unless, weights }
    }
}
