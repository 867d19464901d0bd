//! `[heartbeat.NAME]`: when an agent wakes by itself, and what it is told then. When is read by `pi_schedule`, whose keys
//! stand in the same table.

use pi_schedule::{Job, JobSpec};
use serde::{Deserialize, Deserializer, Serialize};

/// A job: who wakes, to do what, and when.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeartbeatConfig {
    /// The agent of `[agents.*]` that wakes.
    pub agent: String,
    /// What it is told, as a person would say it.
    pub prompt: String,
    /// The databases that it is about, names of `[databases.*]`. Empty: all that the agent can read.
    pub databases: Vec<String>,
    /// Where its reports go, names of `[delivery.*]`; also that it failed. They are kept and listed in any case.
    pub deliver: Vec<String>,
    /// When: `cron`, `every` or `at`, and what happens to what was missed, overlaps or fails.
    #[serde(flatten)]
    pub schedule: JobSpec,
}

/// The keys of the host's own.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    agent: String,
    prompt: String,
    databases: Vec<String>,
    deliver: Vec<String>,
}

impl<'de> Deserialize<'de> for HeartbeatConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let mut own = toml::Table::deserialize(deserializer)?;
        let mut schedule = toml::Table::new();
        for key in JobSpec::KEYS {
            if let Some(value) = own.remove(key) {
                schedule.insert(key.to_owned(), value);
            }
        }
        let known = || format!("there are agent, prompt, databases, deliver, {}", JobSpec::KEYS.join(", "));
        let own: Own = own
            .try_into()
            .map_err(|error: toml::de::Error| D::Error::custom(format!("{}; {}", error.message(), known())))?;
        let schedule = schedule.try_into().map_err(|error: toml::de::Error| D::Error::custom(error.message()))?;
        Ok(Self { agent: own.agent, prompt: own.prompt, databases: own.databases, deliver: own.deliver, schedule })
    }
}

impl HeartbeatConfig {
    /// The job, checked.
    ///
    /// # Errors
    /// Which key is wrong, with its value and what is allowed.
    pub fn job(&self, name: &str) -> Result<Job, pi_schedule::Error> {
        Job::new(name, self.schedule.clone())
    }

    /// # Errors
    /// The place, what is wrong with it, and what to do.
    pub(super) fn check(&self, name: &str, config: &super::Config) -> Result<(), (String, String, String)> {
        let place = |key: &str| format!("[heartbeat.{name}]{}{key}", if key.is_empty() { "" } else { " " });
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            let what = "a job's name is made of letters, digits, `-` and `_`".to_owned();
            return Err((place(""), what, "rename it".into()));
        }
        if self.agent.is_empty() {
            let hint = "add agent = \"NAME\", one of [agents.*]".to_owned();
            return Err((place("agent"), "it is not said who wakes".into(), hint));
        }
        if !config.agents.contains_key(&self.agent) {
            let hint = format!("add [agents.{}], or correct the name", self.agent);
            return Err((place("agent"), format!("there is no agent `{}`", self.agent), hint));
        }
        if let Some(unknown) = self.databases.iter().find(|database| !config.databases.contains_key(*database)) {
            let hint = format!("add [databases.{unknown}], or correct the name");
            return Err((place("databases"), format!("there is no database `{unknown}`"), hint));
        }
        if let Some(unknown) = self.deliver.iter().find(|delivery| !config.delivery.contains_key(*delivery)) {
            let hint = format!("add [delivery.{unknown}], or correct the name");
            return Err((place("deliver"), format!("there is no delivery `{unknown}`"), hint));
        }
        match self.job(name) {
            Ok(_) => Ok(()),
            Err(error) => Err((place(""), error.to_string(), "`pi-host heartbeat next` shows when a job wakes".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    const AGENT: &str = "[agents.ghost]\n[databases.shop]\nurl = \"sqlite:shop.db\"\n";

    fn parsed(job: &str) -> Result<Config, String> {
        Config::parse(&format!("{AGENT}[heartbeat.daily]\n{job}"), "pi.toml").map_err(|error| error.to_string())
    }

    #[test]
    fn a_job_is_read_with_the_keys_of_both() {
        let text = "agent = \"ghost\"\ndatabases = [\"shop\"]\ncron = \"0 7 * * *\"\nzone = \"Europe/Zurich\"\nmisfire = { all = 3 }\n";
        let config = parsed(text).unwrap();
        let job = &config.heartbeat["daily"];
        assert_eq!((job.agent.as_str(), job.databases.as_slice()), ("ghost", ["shop".to_owned()].as_slice()));
        assert_eq!(job.schedule.cron.as_deref(), Some("0 7 * * *"));
        assert!(job.job("daily").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (job, what) in [
            ("cron = \"0 7 * * *\"\n", "who wakes"),
            ("agent = \"other\"\ncron = \"0 7 * * *\"\n", "no agent `other`"),
            ("agent = \"ghost\"\ndatabases = [\"x\"]\ncron = \"0 7 * * *\"\n", "no database `x`"),
            ("agent = \"ghost\"\ncorn = \"0 7 * * *\"\n", "corn"),
            ("agent = \"ghost\"\ncron = \"0 25 * * *\"\n", "25"),
            ("agent = \"ghost\"\ncron = \"0 7 * * *\"\nzone = \"Europe/Zurch\"\n", "Europe/Zurich"),
            ("agent = \"ghost\"\n", "cron"),
        ] {
            let error = parsed(job).unwrap_err();
            assert!(error.contains(what), "{job}: {error}");
        }
    }
}
