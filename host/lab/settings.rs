//! The configuration file of a lab service: `key = value` lines or a JSON object, in one of several
//! vocabularies. A value that makes no sense is kept as it is: the service finds out when it works with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::words::{KEYS, Keys};

/// What a service was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) health_path: String,
    pub(crate) work_path: String,
    /// Allocated and touched before the service answers.
    pub(crate) cache_mib: u64,
    /// As written: nonsense shows when a connection is needed.
    pub(crate) pool: String,
    pub(crate) workers: u64,
    pub(crate) template: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) upstream: Option<String>,
    pub(crate) upstream_ms: u64,
}

impl Settings {
    /// Read `file`. Relative paths in it count from the working directory.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let values = if file.extension().is_some_and(|extension| extension == "json") {
            parse_json(&text)?
        } else {
            parse_lines(&text)?
        };
        let keys = KEYS
            .iter()
            .find(|keys| values.contains_key(keys.port))
            .ok_or_else(|| format!("{}: no port is set", file.display()))?;
        Self::take(&values, keys)
    }

    fn take(values: &BTreeMap<String, String>, keys: &Keys) -> Result<Self, String> {
        let text = |key: &str| values.get(key).cloned().ok_or_else(|| format!("{key} is missing"));
        let number = |key: &str| {
            let value = text(key)?;
            value.parse::<u64>().map_err(|error| format!("{key}: {error}: {value}"))
        };
        Ok(Self {
            name: text(keys.name)?,
            port: u16::try_from(number(keys.port)?).map_err(|error| format!("{}: {error}", keys.port))?,
            health_path: text(keys.health)?,
            work_path: text(keys.work)?,
            cache_mib: number(keys.cache_mib)?,
            pool: text(keys.pool)?,
            workers: number(keys.workers)?.clamp(1, 32),
            template: text(keys.template)?.into(),
            log: text(keys.log)?.into(),
            upstream: values.get(keys.upstream).filter(|url| !url.is_empty()).cloned(),
            upstream_ms: number(keys.upstream_ms)?,
        })
    }
}

/// The text of a configuration file, in the order given.
pub(crate) fn write_settings(values: &[(String, String)], is_json: bool) -> String {
    if is_json {
        let object: serde_json::Map<String, serde_json::Value> = values
            .iter()
            .map(|(key, value)| {
                let value = value.parse::<i64>().map_or_else(|_| value.clone().into(), serde_json::Value::from);
                (key.clone(), value)
            })
            .collect();
        let mut text = serde_json::to_string_pretty(&object).unwrap_or_default();
        text.push('\n');
        return text;
    }
    let mut text = String::from("# written by deploy, see the runbook before changing\n");
    for (key, value) in values {
        text.push_str(&format!("{key} = {value}\n"));
    }
    text
}

fn parse_json(text: &str) -> Result<BTreeMap<String, String>, String> {
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(object
        .into_iter()
        .map(|(key, value)| (key, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect())
}

fn parse_lines(text: &str) -> Result<BTreeMap<String, String>, String> {
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    lines
        .map(|(index, line)| {
            let (key, value) =
                line.split_once('=').ok_or_else(|| format!("line {}: expected key = value: {line}", index + 1))?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for keys in KEYS {
            let pairs: Vec<(String, String)> = [
                (keys.name, "search"),
                (keys.port, "20001"),
                (keys.health, "/ping"),
                (keys.work, "/query"),
                (keys.cache_mib, "8"),
                (keys.pool, "16"),
                (keys.workers, "4"),
                (keys.template, "page.html"),
                (keys.log, "search.log"),
                (keys.upstream_ms, "300"),
            ]
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
            let (lines, json) = (folder.path().join("a.conf"), folder.path().join("a.json"));
            std::fs::write(&lines, write_settings(&pairs, false)).expect("written");
            std::fs::write(&json, write_settings(&pairs, true)).expect("written");
            let settings = Settings::read(&lines).expect("read");
            assert_eq!(settings, Settings::read(&json).expect("read"));
            assert_eq!((settings.port, settings.upstream), (20001, None));
        }
    }
}
