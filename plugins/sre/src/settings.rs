//! `[agents.sre] config`: what an operator may tune, with its defaults and bounds.
//!
//! docs/incidents.md is the table for people. A new setting is a field here, a default, a bound in
//! [`Settings::parse`] and a row there. An unknown key is an error, so that a typo is not ignored.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::runbook::Shelf;

/// Fewer probes in a row prove nothing, and the host asks for as many (`host/report/check.rs`).
pub const VERIFY_PROBES_MIN: u32 = 3;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Acts that change something, in one incident.
    pub attempts_max: u32,
    /// Restarts of one service, in one incident.
    pub restarts_max: u32,
    /// Healthy probes in a row that prove a repair.
    pub verify_probes: u32,
    pub verify_interval_ms: u32,
    /// How long a fault is watched before the first act on a service: it may pass by itself.
    pub persist_ms: u32,
    /// How long a service gets to answer after an act, or after it was started.
    pub settle_ms_max: u32,
    /// How long a verification may watch a service that answers, but has not yet outlived its
    /// crashes, or whose memory still grows.
    pub watch_ms_max: u32,
    /// Between one attempt and the next.
    pub cooldown_ms: u32,
    /// See [`Settings::other_hands_ms`].
    pub dependency_wait_ms: u32,
    /// Probes of an observation: several, because a fault may come and go.
    pub observe_probes: u32,
    pub observe_interval_ms: u32,
    /// What a log said earlier than so long before the alert is not held against the service.
    pub evidence_window_ms: u32,
    pub log_lines: u32,
    /// When a person takes over, whatever is under way.
    pub incident_ms_max: u32,
    pub cloud: CloudSettings,
    /// The runbooks that people have written: no setting of pi.toml, they come with the task.
    #[serde(skip)]
    pub shelf: Shelf,
}

/// What holds for services in the cloud, where everything takes minutes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudSettings {
    /// Metrics, events and changes from so long before the first failure are looked at.
    pub window_ms: u32,
    /// Lines of logs from so long before it.
    pub log_window_ms: u32,
    /// What is not read by then is a gap.
    pub observe_ms_max: u32,
    /// How long a target gets to answer after an act.
    pub settle_ms_max: u32,
    /// Between two healthy probes that prove a repair.
    pub verify_interval_ms: u32,
    /// How long the symptom's metric is waited for after an act: it comes by the minute, or every five.
    pub metric_ms_max: u32,
    /// Of one command on an instance.
    pub command_ms_max: u32,
    pub cooldown_ms: u32,
    pub incident_ms_max: u32,
    /// By service: groups of logs. Without an entry those are read whose name holds the service's or the target's.
    pub log_groups: BTreeMap<String, Vec<String>>,
    /// By service: its unit on the instance, like `orders.service`.
    pub units: BTreeMap<String, String>,
    /// By service: files on the instance that it reads at its start, the most likely one first.
    pub config_files: BTreeMap<String, Vec<String>>,
}

impl Default for CloudSettings {
    fn default() -> Self {
        Self {
            window_ms: 3_600_000,
            log_window_ms: 900_000,
            observe_ms_max: 60_000,
            settle_ms_max: 600_000,
            verify_interval_ms: 5_000,
            metric_ms_max: 600_000,
            command_ms_max: 60_000,
            cooldown_ms: 30_000,
            incident_ms_max: 3_600_000,
            log_groups: BTreeMap::new(),
            units: BTreeMap::new(),
            config_files: BTreeMap::new(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts_max: 8,
            restarts_max: 3,
            verify_probes: 5,
            verify_interval_ms: 500,
            persist_ms: 3_000,
            settle_ms_max: 6_000,
            watch_ms_max: 20_000,
            cooldown_ms: 1_000,
            dependency_wait_ms: 10_000,
            observe_probes: 3,
            observe_interval_ms: 250,
            evidence_window_ms: 15_000,
            log_lines: 200,
            incident_ms_max: 240_000,
            cloud: CloudSettings::default(),
            shelf: Shelf::default(),
        }
    }
}

impl Settings {
    /// How long a service that another session may be at gets to recover by those hands: that session
    /// watches it for `persist_ms` and `settle_ms_max` before its own first act.
    pub fn other_hands_ms(&self) -> u32 {
        self.dependency_wait_ms.max(self.persist_ms.saturating_add(self.settle_ms_max))
    }

    /// Read the agent's section of the configuration. An empty text is an empty section.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn parse(config: &str) -> Result<Self, String> {
        let text = if config.trim().is_empty() { "{}" } else { config };
        let settings: Self = serde_json::from_str(text)
            .map_err(|error| format!("the settings of the agent `sre` are wrong: {error}"))?;
        let bounds = [
            ("attempts_max", settings.attempts_max, 0, 50),
            ("restarts_max", settings.restarts_max, 0, 20),
            ("verify_probes", settings.verify_probes, VERIFY_PROBES_MIN, 100),
            ("verify_interval_ms", settings.verify_interval_ms, 50, 60_000),
            ("persist_ms", settings.persist_ms, 0, 600_000),
            ("settle_ms_max", settings.settle_ms_max, 500, 600_000),
            ("watch_ms_max", settings.watch_ms_max, 500, 3_600_000),
            ("cooldown_ms", settings.cooldown_ms, 0, 600_000),
            ("dependency_wait_ms", settings.dependency_wait_ms, 0, 600_000),
            ("observe_probes", settings.observe_probes, 1, 20),
            ("observe_interval_ms", settings.observe_interval_ms, 50, 60_000),
            ("evidence_window_ms", settings.evidence_window_ms, 0, 3_600_000),
            ("log_lines", settings.log_lines, 1, 1_000),
            ("incident_ms_max", settings.incident_ms_max, 10_000, 86_400_000),
            ("cloud.window_ms", settings.cloud.window_ms, 60_000, 86_400_000),
            ("cloud.log_window_ms", settings.cloud.log_window_ms, 0, 86_400_000),
            ("cloud.observe_ms_max", settings.cloud.observe_ms_max, 1_000, 600_000),
            ("cloud.settle_ms_max", settings.cloud.settle_ms_max, 500, 3_600_000),
            ("cloud.verify_interval_ms", settings.cloud.verify_interval_ms, 50, 60_000),
            ("cloud.metric_ms_max", settings.cloud.metric_ms_max, 0, 3_600_000),
            ("cloud.command_ms_max", settings.cloud.command_ms_max, 1_000, 600_000),
            ("cloud.cooldown_ms", settings.cloud.cooldown_ms, 0, 3_600_000),
            ("cloud.incident_ms_max", settings.cloud.incident_ms_max, 10_000, 86_400_000),
        ];
        if let Some(unit) = settings.cloud.units.values().find(|unit| !crate::cloud::is_unit(unit)) {
            return Err(format!(
                "`cloud.units` of the agent `sre` takes names of units like `orders.service`: `{unit}`"
            ));
        }
        if let Some(path) = settings.cloud.config_files.values().flatten().find(|path| !crate::cloud::is_path(path)) {
            return Err(format!(
                "`cloud.config_files` of the agent `sre` takes absolute paths like `/etc/orders.conf`: `{path}`"
            ));
        }
        match bounds.iter().find(|(_, value, low, high)| value < low || value > high) {
            Some((name, value, low, high)) => {
                Err(format!("`{name}` of the agent `sre` must be from {low} to {high}: {value}"))
            }
            None => Ok(settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_defaults() {
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
        assert_eq!(Settings::parse("{}").unwrap(), Settings::default());
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let error = Settings::parse(r#"{"atempts_max": 3}"#).unwrap_err();
        assert!(error.contains("atempts_max"), "{error}");
    }

    #[test]
    fn settings_of_the_cloud_have_bounds_and_names_as_well() {
        let error = Settings::parse(r#"{"cloud": {"settle_ms_max": 1}}"#).unwrap_err();
        assert_eq!(error, "`cloud.settle_ms_max` of the agent `sre` must be from 500 to 3600000: 1");
        assert!(Settings::parse(r#"{"cloud": {"settle": 1}}"#).unwrap_err().contains("settle"));
        let error = Settings::parse(r#"{"cloud": {"units": {"a": "a; reboot"}}}"#).unwrap_err();
        assert!(error.contains("`a; reboot`"), "{error}");
        let error = Settings::parse(r#"{"cloud": {"config_files": {"a": ["/etc/../shadow"]}}}"#).unwrap_err();
        assert!(error.contains("`/etc/../shadow`"), "{error}");
    }

    #[test]
    fn too_few_probes_are_refused() {
        let error = Settings::parse(r#"{"verify_probes": 1}"#).unwrap_err();
        assert_eq!(error, "`verify_probes` of the agent `sre` must be from 3 to 100: 1");
    }
}
