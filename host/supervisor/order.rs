//! Whether the configured services make sense together, and in which order they start.

use std::collections::BTreeMap;

use super::SupervisorError;
use crate::config::ServiceConfig;

/// The names in levels: each depends only on names of earlier levels.
pub(crate) fn levels(config: &BTreeMap<String, ServiceConfig>) -> Result<Vec<Vec<String>>, SupervisorError> {
    for (name, service) in config {
        check(name, service, config)?;
    }
    let mut levels: Vec<Vec<String>> = Vec::new();
    loop {
        let is_placed = |name: &str| levels.iter().flatten().any(|placed| placed == name);
        let left: Vec<_> = config.iter().filter(|(name, _)| !is_placed(name)).collect();
        if left.is_empty() {
            return Ok(levels);
        }
        let ready: Vec<String> = left
            .iter()
            .filter(|(_, service)| service.depends_on.iter().all(|other| is_placed(other)))
            .map(|(name, _)| (*name).clone())
            .collect();
        if ready.is_empty() {
            let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
            return Err(SupervisorError::Config(format!(
                "services depend on each other in a circle: {}",
                names.join(", ")
            )));
        }
        levels.push(ready);
    }
}

fn check(name: &str, service: &ServiceConfig, all: &BTreeMap<String, ServiceConfig>) -> Result<(), SupervisorError> {
    let wrong = |text: String| Err(SupervisorError::Config(format!("[services.{name}]: {text}")));
    // The name becomes file names.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if name.is_empty() || name.len() > 64 || !is_plain {
        return wrong("a service's name is 1 to 64 letters, digits, `-` and `_`".into());
    }
    if let Some(unknown) = service.depends_on.iter().find(|other| !all.contains_key(*other)) {
        return wrong(format!("`depends_on` names no service: `{unknown}`"));
    }
    if service.memory_bytes_max == Some(0) || service.file_bytes_max == Some(0) {
        return wrong("a limit of 0 bytes lets nothing run".into());
    }
    let Some(probe) = &service.probe else {
        if service.command.is_empty() {
            return wrong("it has neither a `command` nor a `probe`, so there is nothing to do".into());
        }
        return Ok(());
    };
    let is_cloud = probe.cloud && service.cloud.is_some();
    let kinds = [probe.http.is_some(), probe.tcp.is_some(), probe.command.is_some(), is_cloud];
    if kinds.iter().filter(|is_set| **is_set).count() != 1 {
        return wrong("`probe` needs exactly one of `http`, `tcp`, `command` and `cloud`".into());
    }
    if probe.interval_ms == 0 || probe.timeout_ms == 0 || probe.failures == 0 {
        return wrong("`interval_ms`, `timeout_ms` and `failures` of `probe` are at least 1".into());
    }
    if let Some(url) = &probe.http
        && reqwest::Url::parse(url).is_err()
    {
        return wrong(format!("`probe.http` is no URL: `{url}`"));
    }
    if probe.command.as_ref().is_some_and(Vec::is_empty) {
        return wrong("`probe.command` is empty".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProbeConfig;

    fn service(depends_on: &[&str]) -> ServiceConfig {
        ServiceConfig {
            command: vec!["true".into()],
            depends_on: depends_on.iter().map(|name| (*name).into()).collect(),
            ..ServiceConfig::default()
        }
    }

    fn error(name: &str, service: ServiceConfig) -> String {
        levels(&BTreeMap::from([(name.to_owned(), service)])).unwrap_err().to_string()
    }

    #[test]
    fn what_is_depended_on_comes_first() {
        let config = BTreeMap::from([
            ("a".to_owned(), service(&["b"])),
            ("b".to_owned(), service(&["c"])),
            ("c".to_owned(), service(&[])),
        ]);
        assert_eq!(levels(&config).unwrap(), [["c"], ["b"], ["a"]]);
    }

    #[test]
    fn a_circle_an_unknown_dependency_and_a_bad_name_are_errors_that_name_them() {
        assert!(error("a", service(&["a"])).contains("circle: a"));
        assert!(error("a", service(&["b"])).contains("`b`"));
        assert!(error("../a", service(&[])).contains("[services.../a]"));
    }

    #[test]
    fn a_probe_is_of_exactly_one_kind() {
        let none = ServiceConfig { probe: Some(ProbeConfig::default()), ..service(&[]) };
        assert!(error("a", none).contains("exactly one"));
        let bad = ProbeConfig { http: Some("no url".into()), ..ProbeConfig::default() };
        assert!(error("a", ServiceConfig { probe: Some(bad), ..service(&[]) }).contains("no url"));
        assert!(error("a", ServiceConfig::default()).contains("neither"));
    }
}
