//! `[agents.ghost.config]`, and what woke it.

use pi_sdk::Value;
use pi_sdk::serde_json;
use serde::Deserialize;

/// What an operator may set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The reader's zone, as charts name it; days begin there by `utc_offset_minutes`.
    pub zone: String,
    /// How far the reader's zone is ahead of UTC.
    pub utc_offset_minutes: i32,
    /// Complete days that are looked at.
    pub history_days: u32,
    /// Parts of the look: `schema`, `data`, `health`.
    pub look_at: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: "UTC".to_owned(),
            utc_offset_minutes: 0,
            history_days: 120,
            look_at: ["schema", "data", "health"].map(str::to_owned).to_vec(),
        }
    }
}

impl Settings {
    /// # Errors
    /// The configuration makes no sense.
    pub fn parse(config: &str) -> Result<Self, String> {
        if config.trim().is_empty() {
            return Ok(Self::default());
        }
        let settings: Self =
            serde_json::from_str(config).map_err(|error| format!("[agents.ghost.config] cannot be read: {error}"))?;
        let known = Self::default().look_at;
        if let Some(unknown) = settings.look_at.iter().find(|part| !known.contains(part)) {
            return Err(format!(
                "[agents.ghost.config] look_at: there is no `{unknown}`; there are {}",
                known.join(", ")
            ));
        }
        if !(-18 * 60..=18 * 60).contains(&settings.utc_offset_minutes) || settings.history_days == 0 {
            return Err(
                "[agents.ghost.config]: utc_offset_minutes is from -1080 to 1080, history_days 1 or more".into()
            );
        }
        Ok(settings)
    }

    pub fn looks_at(&self, part: &str) -> bool {
        self.look_at.iter().any(|own| own == part)
    }
}

/// What woke it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Names the series of reports: the job, or `ghost`.
    pub topic: String,
    /// Databases that it is about; empty: all.
    pub databases: Vec<String>,
    /// Keys of findings that people muted; a `*` at the end stands for anything.
    pub muted: Vec<String>,
    /// Its report goes where pictures are shown as bitmaps alone.
    pub wants_bitmaps: bool,
}

impl Call {
    /// # Errors
    /// The input is no JSON.
    pub fn parse(input: &str) -> Result<Self, String> {
        let input: Value = if input.trim().is_empty() {
            Value::Null
        } else {
            serde_json::from_str(input).map_err(|error| format!("the input is no JSON: {error}"))?
        };
        let texts = |value: Option<&Value>| -> Vec<String> {
            let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let job = input.pointer("/heartbeat/job").and_then(Value::as_str).unwrap_or("ghost");
        let opinions = input.get("opinions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let muted = opinions.iter().filter(|opinion| opinion.get("verdict").and_then(Value::as_str) == Some("muted"));
        Ok(Self {
            topic: job.to_owned(),
            databases: texts(input.pointer("/heartbeat/databases")),
            muted: muted.filter_map(|opinion| opinion.get("key")?.as_str().map(str::to_owned)).collect(),
            wants_bitmaps: input.pointer("/heartbeat/bitmaps").and_then(Value::as_bool).unwrap_or_default(),
        })
    }

    pub fn is_muted(&self, key: &str) -> bool {
        self.muted.iter().any(|muted| muted.strip_suffix('*').map_or(muted == key, |stem| key.starts_with(stem)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_woke_it_is_read() {
        let input = r#"{"heartbeat": {"job": "daily", "databases": ["shop"]}, "opinions": [
            {"key": "shop/a/x", "verdict": "muted"}, {"key": "shop/b/*", "verdict": "muted"}, {"key": "c", "verdict": "other"}]}"#;
        let call = Call::parse(input).unwrap();
        assert_eq!((call.topic.as_str(), call.databases.as_slice()), ("daily", ["shop".to_owned()].as_slice()));
        assert!(call.is_muted("shop/a/x") && call.is_muted("shop/b/y/z"));
        assert!(!call.is_muted("shop/a/xy") && !call.is_muted("c"));
        assert_eq!(Call::parse("").unwrap().topic, "ghost");
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert!(Settings::parse(r#"{"look_at": ["weather"]}"#).unwrap_err().contains("weather"));
        assert!(Settings::parse(r#"{"history_days": 0}"#).is_err());
        assert!(Settings::parse("{}").unwrap().looks_at("schema"));
    }
}
