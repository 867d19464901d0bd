//! `[databases.NAME]`: a database that plugins may be granted to read. `[grants.X.sql]`: which. A password is never here:
//! it comes from the environment or a private file, and stays in the host.

use pi_schedule::JobSpec;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::store::has_password;
use super::{Config, HeartbeatConfig, ToolsGrant};

/// Longest run of one statement that `pi.toml` may give. Danger: a number that was meant to be another is no limit.
const STATEMENT_MS_MAX: u64 = 3_600_000;
/// Most rows of one answer. Danger: an answer that fills the memory of a component.
const ROWS_MAX: u32 = 1_000_000;
/// Most bytes of one answer. Danger: as above.
const BYTES_MAX: u64 = 64 << 20;
/// Most connections. Danger: a report that takes all connections of a server.
const CONNECTIONS_MAX: u32 = 16;

/// A database, and how much of it one statement may take.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `sqlite:FILE`, relative to `pi.toml`, or `postgres://USER@HOST/DATABASE`, without a password.
    pub url: String,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// A file that nobody else can read and that holds the password, relative to `pi.toml`.
    pub password_file: Option<String>,
    /// The authorities that alone are believed, as a PEM file relative to `pi.toml`.
    pub ca_file: Option<String>,
    /// Columns whose values nobody here sees: patterns over `schema.table.column`, such as `*.email`.
    pub personal: Vec<String>,
    /// Of one statement.
    pub statement_timeout_ms: u64,
    /// Of making a connection.
    pub connect_timeout_ms: u64,
    /// Of one answer.
    pub rows_max: u32,
    /// Of one answer.
    pub bytes_max: u64,
    /// Of one statement, as PostgreSQL's planner estimates it. None: it is not asked.
    pub cost_max: Option<f64>,
    /// At once, by all plugins.
    pub connections_max: u32,
    /// When the agent `ghost` reports on it, as `cron` of `[heartbeat.NAME]`: short for a job of the database's name, the
    /// agent, and the grants that both need, where they are not written out.
    pub report: Option<String>,
    /// The IANA zone of `report`. None: UTC.
    pub report_zone: Option<String>,
    /// Where the reports go, names of `[delivery.*]`.
    pub deliver: Vec<String>,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            password_env: None,
            password_file: None,
            ca_file: None,
            personal: Vec::new(),
            statement_timeout_ms: 30_000,
            connect_timeout_ms: 10_000,
            rows_max: 10_000,
            bytes_max: 4 << 20,
            cost_max: None,
            connections_max: 2,
            report: None,
            report_zone: None,
            deliver: Vec::new(),
        }
    }
}

/// Where it is wrong, what is, and what to do.
type Wrong = (String, &'static str, String);

impl DatabaseConfig {
    /// # Errors
    /// The place, what is wrong with it, and what to do.
    pub(super) fn check(&self, name: &str) -> Result<(), Wrong> {
        let wrong = |key: &str, what: &'static str, hint: &str| {
            let place = format!("[databases.{name}] {key}");
            Err((place.trim_end().to_owned(), what, hint.to_owned()))
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return wrong("", "a database's name is made of letters, digits, `-` and `_`", "rename it");
        }
        if self.report.is_none() && (self.report_zone.is_some() || !self.deliver.is_empty()) {
            let what = "`report_zone` and `deliver` do nothing without it";
            return wrong("report", what, "write report = \"0 7 * * *\", say, or take them out");
        }
        if let Err((what, hint)) = address(&self.url) {
            return wrong("url", what, hint);
        }
        if self.password_env.is_some() && self.password_file.is_some() {
            return wrong("password_env", "there is a password file as well", "keep one of the two");
        }
        let is_file = self.url.starts_with("sqlite:");
        if is_file && (self.password_env.is_some() || self.password_file.is_some()) {
            return wrong("url", "a file of SQLite has no password", "take the password out");
        }
        if self.personal.iter().any(String::is_empty) {
            return wrong("personal", "a pattern is empty", "write one such as \"*.email\"");
        }
        let within = |key: &str, value: u64, max: u64, hint: &str| match (1..=max).contains(&value) {
            true => Ok(()),
            false => wrong(key, "it is too small or too large", hint),
        };
        within("statement_timeout_ms", self.statement_timeout_ms, STATEMENT_MS_MAX, "it is from 1 to 3600000")?;
        within("connect_timeout_ms", self.connect_timeout_ms, STATEMENT_MS_MAX, "it is from 1 to 3600000")?;
        within("rows_max", self.rows_max.into(), ROWS_MAX.into(), "it is from 1 to 1000000")?;
        within("bytes_max", self.bytes_max, BYTES_MAX, "it is from 1 to 67108864")?;
        within("connections_max", self.connections_max.into(), CONNECTIONS_MAX.into(), "it is from 1 to 16")?;
        if self.cost_max.is_some_and(|cost| !cost.is_finite() || cost <= 0.0) {
            return wrong("cost_max", "it is no positive number", "write 1000000.0, say, or leave it out");
        }
        Ok(())
    }

    /// Whether it is a file of SQLite.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }
}

fn address(url: &str) -> Result<(), (&'static str, &'static str)> {
    const HINT: &str = "write \"sqlite:shop.db\" or \"postgres://USER@HOST/DATABASE\"";
    if let Some(file) = url.strip_prefix("sqlite:") {
        return match file.trim_start_matches('/').is_empty() || file.contains('?') {
            true => Err(("it names no file", HINT)),
            false => Ok(()),
        };
    }
    if has_password(url) {
        let hint = "take it out, and name a variable that holds it: `password_env`, or a file: `password_file`";
        return Err(("a password stands in pi.toml, which others may read", hint));
    }
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") && url.host_str().is_some() => Ok(()),
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Err(("it names no host", HINT)),
        _ => Err(("it is neither a file of SQLite nor an address of PostgreSQL", HINT)),
    }
}

/// Which databases one plugin may read, and what of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlGrant {
    /// Names of `[databases.*]`; `*` for all.
    pub databases: Vec<String>,
    /// Patterns over `schema.table` that a statement may name. Empty: all that the database's own role may read.
    pub tables: Vec<String>,
}

/// The agent of `report`, and the tools without which it sees nothing.
const ANALYST: &str = "ghost";
const ANALYSTS_TOOLS: [&str; 5] = ["sql_databases", "sql_query", "memory_get", "memory_put", "chart"];

/// Write out what `report` is short for. What stands in the file stays as it is; the database alone is added to the
/// grant of `sql`.
///
/// # Errors
/// There is another job of the database's name.
pub(super) fn settle_reports(config: &mut Config) -> Result<(), (String, &'static str, String)> {
    let Config { databases, heartbeat, agents, grants, .. } = config;
    for (name, database) in databases {
        let Some(cron) = &database.report else { continue };
        let job = HeartbeatConfig {
            agent: ANALYST.into(),
            prompt: String::new(),
            databases: vec![name.clone()],
            deliver: database.deliver.clone(),
            schedule: JobSpec { cron: Some(cron.clone()), zone: database.report_zone.clone(), ..JobSpec::default() },
        };
        if heartbeat.insert(name.clone(), job).is_some() {
            let hint = format!("take `report` out: [heartbeat.{name}] says when; or give that job another name");
            return Err((format!("[databases.{name}] report"), "there is a job of this name", hint));
        }
        agents.entry(ANALYST.into()).or_default();
        let own = grants.entry(ANALYST.into()).or_default();
        own.log.get_or_insert_default();
        own.tools.get_or_insert_with(|| ToolsGrant { names: ANALYSTS_TOOLS.map(str::to_owned).to_vec() });
        grants.entry("memory".into()).or_default().keyvalue.get_or_insert_default();
        let readable = &mut grants.entry("sql".into()).or_default().sql.get_or_insert_default().databases;
        if !readable.iter().any(|known| known == name || known == "*") {
            readable.push(name.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_a_job_an_agent_and_what_they_need() {
        let parsed = |text: &str| Config::parse(text, "pi.toml").map_err(|error| error.to_string());
        let config = parsed("databases.shop = { url = \"sqlite:shop.db\", report = \"0 7 * * *\" }\n").unwrap();
        assert_eq!(config.heartbeat["shop"].databases, ["shop"]);
        assert_eq!(config.grants["sql"].sql.as_ref().unwrap().databases, ["shop"]);
        assert!(config.grants["memory"].keyvalue.is_some() && config.grants["ghost"].tools.is_some());
        let written = "[databases.shop]\nurl = \"sqlite:shop.db\"\nreport = \"0 7 * * *\"\n";
        let own =
            format!("{written}[grants.ghost.tools]\nnames = [\"sql_query\"]\n[grants.sql.sql]\ndatabases = [\"*\"]\n");
        let config = parsed(&own).unwrap();
        assert_eq!(config.grants["ghost"].tools.as_ref().unwrap().names, ["sql_query"]);
        assert_eq!(config.grants["sql"].sql.as_ref().unwrap().databases, ["*"]);
        let job = format!("{written}[heartbeat.shop]\nagent = \"ghost\"\nevery = \"1h\"\n");
        assert!(parsed(&job).unwrap_err().contains("there is a job of this name"));
        let wrong = written.replace("0 7", "0 27");
        assert!(parsed(&wrong).unwrap_err().contains("27"));
        let lost = "[databases.shop]\nurl = \"sqlite:shop.db\"\ndeliver = [\"team\"]\n";
        assert!(parsed(lost).unwrap_err().contains("do nothing without it"));
    }

    fn of(url: &str) -> Result<(), Wrong> {
        DatabaseConfig { url: url.into(), ..DatabaseConfig::default() }.check("shop")
    }

    #[test]
    fn addresses_are_files_or_servers_without_a_password() {
        for url in ["sqlite:shop.db", "sqlite:/var/lib/shop.db", "postgres://ghost@db:5433/shop?sslmode=require"] {
            assert_eq!(of(url), Ok(()), "{url}");
        }
        for (url, what) in [
            ("", "neither a file"),
            ("shop.db", "neither a file"),
            ("mysql://db/shop", "neither a file"),
            ("sqlite:", "names no file"),
            ("sqlite://", "names no file"),
            ("sqlite:a.db?mode=rwc", "names no file"),
            ("postgres:///shop", "names no host"),
            ("postgres://ghost:x@db/shop", "a password stands"),
            ("postgres://ghost@db/shop?password=x", "a password stands"),
        ] {
            let (place, found, hint) = of(url).unwrap_err();
            assert!(found.contains(what), "{url}: {found}");
            assert_eq!(place, "[databases.shop] url");
            assert!(!hint.is_empty());
        }
    }

    #[test]
    fn numbers_have_bounds() {
        let base = DatabaseConfig { url: "sqlite:a.db".into(), ..DatabaseConfig::default() };
        for (config, key) in [
            (DatabaseConfig { rows_max: 0, ..base.clone() }, "rows_max"),
            (DatabaseConfig { bytes_max: 1 << 40, ..base.clone() }, "bytes_max"),
            (DatabaseConfig { statement_timeout_ms: 0, ..base.clone() }, "statement_timeout_ms"),
            (DatabaseConfig { connections_max: 99, ..base.clone() }, "connections_max"),
            (DatabaseConfig { cost_max: Some(f64::NAN), ..base.clone() }, "cost_max"),
            (DatabaseConfig { personal: vec![String::new()], ..base.clone() }, "personal"),
            (DatabaseConfig { password_env: Some("X".into()), ..base.clone() }, "url"),
        ] {
            assert_eq!(config.check("shop").unwrap_err().0, format!("[databases.shop] {key}"));
        }
    }
}
