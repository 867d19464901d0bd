//! How alarms are judged: windows, bounds, and what needs what.

use std::collections::{BTreeMap, BTreeSet};

use super::maintenance::{Maintenance, MaintenanceError};
use crate::config::{Config, TriggersConfig};

/// Targets that a chain of needs is followed over. Danger: a file with thousands, for each alarm.
const CHAIN_MAX: usize = 256;

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Maintenance(#[from] MaintenanceError),
}

/// How alarms are judged. Times in milliseconds.
#[derive(Clone, Debug)]
pub struct Settings {
    pub gather_ms: u64,
    pub group_ms: u64,
    pub group_by: Vec<String>,
    pub flap_changes: usize,
    pub flap_ms: u64,
    pub steady_ms: u64,
    pub settle_ms: u64,
    pub forget_ms: u64,
    pub sessions_max: usize,
    pub sessions_per_hour: usize,
    pub attempts_max: u32,
    pub maintenance: Vec<Maintenance>,
    /// What each target needs directly.
    pub(super) needs: BTreeMap<String, BTreeSet<String>>,
    pub(super) needed_by: BTreeMap<String, BTreeSet<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of_triggers(&TriggersConfig::default())
    }
}

impl Settings {
    /// Those of a project.
    ///
    /// # Errors
    /// A maintenance window makes no sense.
    pub fn of(config: &Config) -> Result<Self, SettingsError> {
        let mut settings = Self::of_triggers(&config.triggers.clone().unwrap_or_default());
        for (number, window) in config.maintenance.iter().enumerate() {
            settings.maintenance.push(Maintenance::of(window, number)?);
        }
        let services = config.services.iter().map(|(name, service)| (name, &service.depends_on));
        for (target, needs) in services.chain(&config.dependencies) {
            needs.iter().for_each(|needed| settings.need(target, needed));
        }
        Ok(settings)
    }

    fn of_triggers(config: &TriggersConfig) -> Self {
        let minutes = |minutes: u64| minutes.saturating_mul(60_000);
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            gather_ms: config.gather_seconds.saturating_mul(1_000),
            group_ms: config.group_seconds.saturating_mul(1_000),
            group_by: config.group_by.clone(),
            flap_changes: count(config.flap_changes),
            flap_ms: minutes(config.flap_minutes),
            steady_ms: minutes(config.steady_minutes),
            settle_ms: minutes(config.settle_minutes),
            forget_ms: minutes(config.forget_hours.saturating_mul(60)),
            sessions_max: count(config.sessions_max),
            sessions_per_hour: count(config.sessions_per_hour),
            attempts_max: config.attempts_max,
            maintenance: Vec::new(),
            needs: BTreeMap::new(),
            needed_by: BTreeMap::new(),
        }
    }

    /// Say that a target needs another.
    pub fn need(&mut self, target: &str, needed: &str) {
        self.needs.entry(target.to_owned()).or_default().insert(needed.to_owned());
        self.needed_by.entry(needed.to_owned()).or_default().insert(target.to_owned());
    }

    /// All that a target needs, over any number of steps.
    #[must_use]
    pub fn needs(&self, target: &str) -> BTreeSet<String> {
        reach(&self.needs, target)
    }

    /// All that need a target.
    #[must_use]
    pub fn needed_by(&self, target: &str) -> BTreeSet<String> {
        reach(&self.needed_by, target)
    }

    pub(super) fn maintenance_of(&self, target: &str, now_ms: u64) -> Option<&Maintenance> {
        self.maintenance.iter().find(|window| window.covers(target, now_ms))
    }
}

/// What can be reached from a name, without the name itself; a circle ends.
fn reach(edges: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        for name in edges.get(name).into_iter().flatten() {
            if name != from && found.len() < CHAIN_MAX && found.insert(name.clone()) {
                next.push(name);
            }
        }
    }
    found
}
