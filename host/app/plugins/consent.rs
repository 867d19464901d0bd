//! What a person agrees to: what a component really imports, what its manifest declares and why, and
//! what would be granted. Pure.
//!
//! The author's words are shown as such and grant nothing. What the author suggests is checked like a
//! grant that a person writes; what is wider than a plugin should ask for is never granted by `--yes`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::edit::{EditError, check};
use crate::config::Grant;
use crate::plugin::{Binary, Import, Kind};

/// One capability that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ask {
    pub capability: String,
    /// The author's reason.
    pub why: String,
    /// The imports behind it; none for what is declared and not imported.
    pub imports: Vec<String>,
    /// What the author suggests to grant; none where nothing is suggested.
    pub suggested: Option<toml::Table>,
    /// What `pi.toml` grants already.
    pub granted: Option<toml::Table>,
    /// Why the suggestion, or what is granted already, is wide: nothing wide is granted without being
    /// written out.
    pub wide: Option<String>,
}

/// What no import shows.
const WITHOUT_IMPORT: &[&str] = &["preopens", "secrets"];

impl Ask {
    /// Whether the component could use it: it imports it, or no import would show it.
    pub fn is_usable(&self) -> bool {
        !self.imports.is_empty() || WITHOUT_IMPORT.contains(&self.capability.as_str())
    }
}

/// What is shown before a plugin is installed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    pub name: String,
    pub version: String,
    pub kind: Kind,
    pub description: String,
    pub asks: Vec<Ask>,
    /// Imports with nothing behind them.
    pub inert: Vec<String>,
    /// Name, effect, first sentence.
    pub tools: Vec<ToolLine>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolLine {
    pub name: String,
    pub effect: crate::gate::Severity,
    pub description: String,
}

impl Proposal {
    /// Of a component, beside what is granted to it already.
    ///
    /// # Errors
    /// Its manifest suggests a grant that this host cannot keep.
    pub fn of(binary: &Binary, granted: Option<&Grant>) -> Result<Self, EditError> {
        let manifest = &binary.manifest;
        let mut imports: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (capability, import) in binary.capabilities() {
            imports.entry(capability.name()).or_default().push(import.to_owned());
        }
        let there = granted.and_then(|grant| toml::Table::try_from(grant).ok()).unwrap_or_default();
        let mut asks = Vec::new();
        for need in &manifest.needs {
            // An agent's clock and random numbers are its session's: there is nothing to grant.
            if need.capability == "session" {
                continue;
            }
            let suggested = suggestion(need)?;
            let granted = there.get(&need.capability).and_then(toml::Value::as_table).cloned();
            asks.push(Ask {
                wide: granted.as_ref().or(suggested.as_ref()).and_then(|grant| wide(&need.capability, grant)),
                capability: need.capability.clone(),
                why: need.why.clone(),
                imports: imports.remove(need.capability.as_str()).unwrap_or_default(),
                suggested,
                granted,
            });
        }
        let tool = |tool: &crate::plugin::Tool| ToolLine {
            name: tool.name.clone(),
            effect: tool.effect,
            description: tool.description.split(". ").next().unwrap_or_default().to_owned(),
        };
        Ok(Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            kind: manifest.kind,
            description: manifest.description.clone(),
            asks,
            inert: binary
                .imports
                .iter()
                .filter_map(|import| match import {
                    Import::Inert(name) => Some(name.clone()),
                    Import::Capability(..) => None,
                })
                .collect(),
            tools: manifest.tools.iter().map(tool).collect(),
        })
    }

    /// What agreeing to everything would grant: what is suggested, not too wide, and not there yet.
    pub fn grants(&self) -> impl Iterator<Item = (&str, &toml::Table)> {
        // What is declared and not imported could be imported by a later version, which nobody would look at.
        let open = self.asks.iter().filter(|ask| ask.granted.is_none() && ask.wide.is_none() && ask.is_usable());
        open.filter_map(|ask| Some((ask.capability.as_str(), ask.suggested.as_ref()?)))
    }

    /// What the component imports and nothing would be granted of: without it, it is not linked.
    pub fn withheld<'a>(&'a self, granted: &'a [String]) -> impl Iterator<Item = &'a Ask> {
        self.asks
            .iter()
            .filter(move |ask| ask.granted.is_none() && !ask.imports.is_empty() && !granted.contains(&ask.capability))
    }
}

/// What changes for who has the one and takes the other, a line each; empty where nothing does that a
/// person would have to know.
#[must_use]
pub fn changes(before: &Binary, after: &Binary) -> Vec<String> {
    let mut lines = Vec::new();
    let (old, new) = (&before.manifest.version, &after.manifest.version);
    if old != new {
        lines.push(format!("~ version {new}, was {old}"));
    }
    let capabilities = |binary: &Binary| {
        let mut names: Vec<&str> = binary.capabilities().map(|(capability, _)| capability.name()).collect();
        names.dedup();
        names.into_iter().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let (old, new) = (capabilities(before), capabilities(after));
    lines.extend(new.difference(&old).map(|name| format!("+ imports `{name}`")));
    lines.extend(old.difference(&new).map(|name| format!("- imports `{name}` no longer")));
    let needs = |binary: &Binary| -> BTreeMap<String, crate::plugin::Need> {
        binary.manifest.needs.iter().map(|need| (need.capability.clone(), need.clone())).collect()
    };
    let (old, new) = (needs(before), needs(after));
    for (name, need) in &new {
        match old.get(name) {
            None => lines.push(format!("+ asks for `{name}`: {}", need.why)),
            Some(earlier) if earlier != need => lines.push(format!("~ asks for `{name}` otherwise: {}", need.why)),
            Some(_) => {}
        }
    }
    lines.extend(
        old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("- asks for `{name}` no longer")),
    );
    let tools = |binary: &Binary| -> BTreeMap<String, crate::plugin::Tool> {
        binary.manifest.tools.iter().map(|tool| (tool.name.clone(), tool.clone())).collect()
    };
    let (old, new) = (tools(before), tools(after));
    let word = |effect: crate::gate::Severity| format!("{effect:?}").to_lowercase();
    for (name, tool) in &new {
        match old.get(name) {
            None => lines.push(format!("+ tool `{name}` ({})", word(tool.effect))),
            Some(earlier) => {
                if earlier.effect != tool.effect {
                    lines.push(format!("~ tool `{name}`: {}, was {}", word(tool.effect), word(earlier.effect)));
                }
                if earlier.idempotent != tool.idempotent {
                    let is = if tool.idempotent { "now" } else { "no longer" };
                    lines.push(format!("~ tool `{name}`: {is} idempotent"));
                }
                if earlier.input_schema != tool.input_schema {
                    lines.push(format!("~ tool `{name}`: other arguments"));
                }
                if earlier.description != tool.description {
                    lines.push(format!("~ tool `{name}`: other description, which agents read"));
                }
            }
        }
    }
    lines.extend(old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("- tool `{name}`")));
    lines
}

/// All that a manifest suggests, wide or not: for who tries a plugin of their own.
///
/// # Errors
/// A suggestion that this host cannot keep.
pub(super) fn suggested(manifest: &crate::plugin::Manifest) -> Result<toml::Table, EditError> {
    let mut whole = toml::Table::new();
    for need in &manifest.needs {
        if let Some(grant) = suggestion(need)? {
            whole.insert(need.capability.clone(), toml::Value::Table(grant));
        }
    }
    Ok(whole)
}

/// The grant that a need suggests: what its author wrote, or what follows from its names.
fn suggestion(need: &crate::plugin::Need) -> Result<Option<toml::Table>, EditError> {
    let names = || toml::Value::Array(need.names.iter().cloned().map(toml::Value::String).collect());
    let table = match (&need.grant, need.capability.as_str()) {
        (Some(grant), _) => toml::Table::try_from(grant).map_err(|error| EditError::Grant {
            word: format!("{}: {grant}", need.capability),
            reason: error.to_string(),
        })?,
        (None, "tools" | "secrets") if !need.names.is_empty() => {
            toml::Table::from_iter([("names".to_owned(), names())])
        }
        (None, "log" | "config" | "keyvalue") => toml::Table::new(),
        (None, _) => return Ok(None),
    };
    check(&need.capability, &table)?;
    // It becomes lines of a file that people read.
    let text = table.to_string();
    if let Some(bad) = crate::gate::explain::escaped(&text.replace('\n', " ")).find("\\u{") {
        let word =
            format!("{}: {}", need.capability, text.chars().skip(bad).take(20).collect::<String>().escape_unicode());
        return Err(EditError::Grant { word, reason: "it holds characters that are not shown".into() });
    }
    Ok(Some(table))
}

/// Programs that show how the machine is and do nothing else, whatever their arguments. All others may run,
/// write or send something when they are told to.
const SHOWS_ONLY: &[&str] =
    &["cat", "df", "du", "free", "head", "id", "ls", "ps", "stat", "tail", "uname", "uptime", "vmstat", "wc", "whoami"];

/// Why a suggestion is too wide to be agreed to in passing.
fn wide(capability: &str, grant: &toml::Table) -> Option<String> {
    let texts = |key: &str| -> Vec<String> {
        let items = grant.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let text = |item: &toml::Value| {
            let inner = item.get("host").or(item.get("path")).unwrap_or(item);
            inner.as_str().map(str::to_owned)
        };
        items.iter().filter_map(text).collect()
    };
    let first = |key: &str, is_wide: &dyn Fn(&String) -> bool| texts(key).into_iter().find(|text| is_wide(text));
    let folders =
        || first("write", &|text| !is_own_folder(text)).or_else(|| first("read", &|text| !is_own_folder(text)));
    let beyond = |path: String| format!("`{path}` is not a folder of its own");
    match capability {
        "files" => folders().map(beyond),
        "preopens" => first("write", &|_| true)
            .map(|path| format!("what is written in `{path}` is not judged"))
            .or_else(|| folders().map(beyond)),
        "process" => {
            if grant.get("network").and_then(toml::Value::as_bool) == Some(true) {
                return Some("its programs could reach the network".into());
            }
            let program = |text: &String| !SHOWS_ONLY.contains(&text.as_str());
            let program = first("programs", &program).map(|name| format!("`{name}` may do more than show something"));
            program.or_else(|| folders().map(beyond))
        }
        "http" => {
            let hosts = grant.get("hosts").and_then(toml::Value::as_array).cloned().unwrap_or_default();
            hosts.iter().find_map(wide_host).or_else(|| {
                first("private", &|_| true).map(|host| format!("`{host}` is an address inside of your network"))
            })
        }
        "secrets" => first("names", &|_| true).map(|name| format!("`{name}` is a secret of yours")),
        "tools" => first("names", &|text| text.contains('*')).map(|name| format!("`{name}` is more than one tool")),
        "cloud" => first("operations", &|text| text.contains('*'))
            .map(|name| format!("`{name}` is more than one operation"))
            .or_else(|| first("accounts", &|_| true).map(|name| format!("`{name}` is an account of yours"))),
        "sql" => first("databases", &|_| true).map(|name| format!("`{name}` is a database of yours")),
        "services" => first("names", &|text| text.contains('*'))
            .map(|name| format!("`{name}` is more than one service"))
            .or_else(|| first("actions", &|text| text != "read").map(|action| format!("`{action}` changes what runs"))),
        _ => None,
    }
}

/// A folder below the project's, and not one that governs it.
fn is_own_folder(path: &str) -> bool {
    let mut parts = path.trim_start_matches("./").split('/').filter(|part| !part.is_empty());
    let begin = parts.next().unwrap_or_default();
    !path.starts_with(['/', '~'])
        && !begin.is_empty()
        && !begin.starts_with(['.', '*'])
        && !path.split('/').any(|part| part == "..")
        && begin != crate::config::FILE
        && begin != "plugins.lock"
        && begin != "policies"
}

/// Why an entry of `hosts` is more than reading from one host on the internet.
fn wide_host(entry: &toml::Value) -> Option<String> {
    let host = entry.get("host").unwrap_or(entry).as_str().unwrap_or_default();
    if host.contains('*') {
        return Some(format!("`{host}` is more than one host"));
    }
    let is_address = host.starts_with('[')
        || host.parse::<std::net::IpAddr>().is_ok()
        || host.ends_with(|c: char| c.is_ascii_digit());
    let is_local = !host.contains('.')
        || [".internal", ".local", ".localhost", ".lan", ".home.arpa"].iter().any(|end| host.ends_with(end));
    if is_address || is_local {
        return Some(format!("`{host}` is an address, or a name of your own network"));
    }
    if entry.get("scheme").and_then(toml::Value::as_str) == Some("http") {
        return Some(format!("`{host}` would be spoken to in the clear"));
    }
    let methods = entry.get("methods").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let other = methods.iter().filter_map(toml::Value::as_str).find(|method| !["GET", "HEAD", "POST"].contains(method));
    other.map(|method| format!("`{method}` changes what is at `{host}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{Capability, Manifest};

    fn binary(needs: serde_json::Value, imports: &[(Capability, &str)]) -> Binary {
        let manifest = serde_json::json!({
            "manifest": 1, "name": "demo", "version": "1.0.0", "kind": "tool", "contract": "0.1", "needs": needs,
            "tools": [{ "name": "a", "description": "One. Two.", "effect": "read", "input_schema": {} }],
        });
        Binary {
            manifest: Manifest::parse(manifest.to_string().as_bytes()).unwrap(),
            imports: imports.iter().map(|(capability, name)| Import::Capability(*capability, (*name).into())).collect(),
            exports: vec![],
            reflected: None,
        }
    }

    fn proposal(needs: serde_json::Value) -> Result<Proposal, EditError> {
        Proposal::of(&binary(needs, &[(Capability::Files, "pi:files/files@0.1.0")]), None)
    }

    #[test]
    fn what_is_suggested_is_granted_where_it_is_narrow_and_imported() {
        let needs = serde_json::json!([
            { "capability": "files", "why": "w", "grant": { "read": ["data"] } },
            { "capability": "process", "why": "w", "grant": { "programs": ["ps"] } },
            { "capability": "log", "why": "w" },
        ]);
        let imports = [(Capability::Files, "f"), (Capability::Log, "l")];
        let proposal = Proposal::of(&binary(needs, &imports), None).unwrap();
        let granted: Vec<&str> = proposal.grants().map(|(capability, _)| capability).collect();
        assert_eq!(granted, ["files", "log"]);
    }

    #[test]
    fn a_manifest_that_asks_for_everything_gets_nothing_in_passing() {
        let wide = serde_json::json!([
            { "capability": "files", "why": "w", "grant": { "write": ["/"] } },
            { "capability": "process", "why": "w", "grant": { "programs": ["bash"] } },
            { "capability": "preopens", "why": "w", "grant": { "read": ["../.."] } },
            { "capability": "services", "why": "w", "grant": { "names": ["*"], "actions": ["restart"] } },
            { "capability": "tools", "why": "w", "names": ["*"] },
        ]);
        let proposal = proposal(wide).unwrap();
        assert_eq!(proposal.grants().count(), 0, "{proposal:?}");
        assert!(proposal.asks.iter().all(|ask| ask.wide.is_some()), "{proposal:?}");
        assert_eq!(proposal.withheld(&[]).count(), 1);
    }

    #[test]
    fn what_reaches_beyond_folders_hosts_and_programs_of_its_own_is_wide() {
        let is_wide = |capability: &str, grant: serde_json::Value| {
            wide(capability, &toml::Table::try_from(grant).unwrap()).is_some()
        };
        for path in
            [".", "./", "..", "/", "/etc", "~/x", "a/../..", ".git/hooks", ".env", "pi.toml", "policies", "*", ""]
        {
            assert!(is_wide("files", serde_json::json!({ "read": [path] })), "{path}");
            assert!(is_wide("files", serde_json::json!({ "write": [path] })), "{path}");
        }
        for path in ["data", "./data", "data/in", "notes.txt"] {
            assert!(!is_wide("files", serde_json::json!({ "read": [path] })), "{path}");
        }
        for program in ["python3.11", "git", "/usr/bin/ls", "sed", "env", "ld-linux-x86-64.so.2", "bash"] {
            assert!(is_wide("process", serde_json::json!({ "programs": [program] })), "{program}");
        }
        assert!(!is_wide("process", serde_json::json!({ "programs": ["ps", "df"] })));
        assert!(is_wide("process", serde_json::json!({ "network": true })));
        for host in ["127.0.0.1", "[::1]", "10.0.0.1", "127.1", "localhost", "db", "metadata.google.internal", "*.com"]
        {
            assert!(is_wide("http", serde_json::json!({ "hosts": [host] })), "{host}");
            assert!(is_wide("http", serde_json::json!({ "hosts": [{ "host": host }] })), "{host}");
        }
        assert!(!is_wide(
            "http",
            serde_json::json!({ "hosts": [{ "host": "api.example.com", "methods": ["GET", "POST"] }] })
        ));
        assert!(is_wide(
            "http",
            serde_json::json!({ "hosts": [{ "host": "api.example.com", "methods": ["DELETE"] }] })
        ));
        assert!(is_wide("services", serde_json::json!({ "names": ["shop"], "actions": ["restart"] })));
        assert!(is_wide("preopens", serde_json::json!({ "write": ["data"] })));
    }

    #[test]
    fn what_is_granted_already_is_shown_and_called_wide_where_it_is() {
        let granted = Grant {
            files: Some(crate::config::FilesGrant { read: vec!["/".into()], write: vec![] }),
            ..Grant::default()
        };
        let needs = serde_json::json!([{ "capability": "files", "why": "w", "grant": { "read": ["data"] } }]);
        let proposal = Proposal::of(&binary(needs, &[(Capability::Files, "f")]), Some(&granted)).unwrap();
        assert!(proposal.asks[0].wide.is_some() && proposal.asks[0].granted.is_some());
        assert_eq!(proposal.grants().count(), 0);
    }

    #[test]
    fn a_suggestion_that_no_host_could_keep_is_an_error() {
        for grant in [serde_json::json!({ "reed": [] }), serde_json::json!({ "read": "data" }), serde_json::json!([])] {
            let needs = serde_json::json!([{ "capability": "files", "why": "w", "grant": grant }]);
            assert!(proposal(needs).unwrap_err().to_string().contains("files"));
        }
    }

    #[test]
    fn an_update_says_what_changes() {
        let before = binary(serde_json::json!([{ "capability": "files", "why": "w" }]), &[(Capability::Files, "f")]);
        let mut after =
            binary(serde_json::json!([{ "capability": "process", "why": "to run" }]), &[(Capability::Process, "p")]);
        after.manifest.tools[0].effect = crate::gate::Severity::Destructive;
        assert!(changes(&before, &before).is_empty());
        insta::assert_snapshot!(changes(&before, &after).join("\n"), @r"
        + imports `process`
        - imports `files` no longer
        + asks for `process`: to run
        - asks for `files` no longer
        ~ tool `a`: destructive, was read
        ");
    }
}
