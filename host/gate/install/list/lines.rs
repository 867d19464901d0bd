//! Files that are read line by line: of Go, Ruby, Gradle, Elixir and Homebrew.

use std::collections::HashMap;

use super::super::specifier::{Spec, gem_requirement, go, is_path, maven};
use super::super::system::formula;
use super::super::{Requirement, Source};
use super::{Entries, ListError};

pub(super) fn go_mod(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let text = entries.text;
    let mut block = String::new();
    let mut replaced: HashMap<(String, Option<String>), Spec> = HashMap::new();
    for (number, line) in numbered(text) {
        let line = line.split("//").next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if line == ")" {
            block.clear();
            continue;
        }
        if let Some(verb) = line.strip_suffix('(') {
            block = verb.trim().to_owned();
            continue;
        }
        let (verb, rest) = if block.is_empty() {
            line.split_once(char::is_whitespace).unwrap_or((line, ""))
        } else {
            (block.as_str(), line)
        };
        let words: Vec<&str> = rest.split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
        match (verb, words.as_slice()) {
            ("require", [path, version]) => entries.specified_at("Go", module(path, version), number)?,
            ("replace", [path, rest @ ..]) => {
                let target: Vec<&str> = rest.iter().copied().skip_while(|word| *word != "=>").skip(1).collect();
                let spec = match target.as_slice() {
                    [other] if is_path(other) => {
                        Ok(Spec::from(path, Requirement::Any, Source::Path((*other).to_owned())))
                    }
                    [other, version] => module(other, version),
                    _ => Err("a replacement is written `old => new version`".to_owned()),
                };
                let spec = spec.map_err(|what| ListError::Unreadable { line: number, what })?;
                // With a version on its left side it holds for that version alone.
                let version =
                    rest.first().filter(|word| **word != "=>").map(|word| word.trim_start_matches('v').to_owned());
                replaced.insert(((*path).to_owned(), version), spec);
            }
            ("module" | "go" | "toolchain" | "exclude" | "retract" | "tool" | "godebug" | "ignore", _) => {}
            _ => {
                return Err(ListError::Unreadable {
                    line: number,
                    what: format!("`{verb}` is no directive that is known"),
                });
            }
        }
    }
    for wanted in &mut entries.list.wanted {
        let version = match &wanted.requirement {
            Requirement::Exact(version) => Some(version.clone()),
            _ => None,
        };
        let found = replaced.get(&(wanted.name.clone(), version));
        if let Some(spec) = found.or_else(|| replaced.get(&(wanted.name.clone(), None))) {
            wanted.name.clone_from(&spec.name);
            wanted.requirement.clone_from(&spec.requirement);
            wanted.source.clone_from(&spec.source);
        }
    }
    Ok(())
}

/// Lines for a module's files; those for its `go.mod` alone say only that it was considered.
pub(super) fn go_sum(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let text = entries.text;
    for (number, line) in numbered(text) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [_, version, _] if version.ends_with("/go.mod") => {}
            [path, version, hash] if hash.starts_with("h1:") => {
                entries.specified_at("Go", module(path, version), number)?
            }
            _ => {
                return Err(ListError::Unreadable {
                    line: number,
                    what: "a line has a module, a version and a hash".to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// The plain lines of a Gemfile. It is a program; what it computes is not known.
pub(super) fn gemfile(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let text = entries.text;
    let mut registry = None;
    for (number, line) in numbered(text) {
        let line = line.trim();
        let call = |name: &str| {
            line.strip_prefix(name)
                .filter(|rest| rest.starts_with([' ', '(', '\'', '"']))
                .map(|rest| rest.trim_start_matches([' ', '(']))
        };
        if let Some(rest) = call("source") {
            let url = quoted(rest).into_iter().next().map(|(_, url)| url);
            registry = url.filter(|url| url.trim_end_matches('/') != "https://rubygems.org").or(registry);
        } else if let Some(rest) = call("gem") {
            let words = quoted(rest);
            let name = words.first().filter(|(key, name)| key.is_empty() && !name.contains("#{"));
            let Some((_, name)) = name.filter(|_| rest.starts_with(['\'', '"'])) else {
                entries.unknown(format!("line {number}: the name of the gem is computed"));
                continue;
            };
            let versions: Vec<&str> =
                words.iter().skip(1).filter(|(key, _)| key.is_empty()).map(|(_, text)| text.as_str()).collect();
            let value = |name: &str| words.iter().find(|(key, _)| key == name).map(|(_, text)| text.clone());
            let source = value("git")
                .map(Source::Git)
                .or_else(|| value("github").map(|path| Source::Git(format!("github:{path}"))))
                .or_else(|| value("path").map(Source::Path))
                .or_else(|| value("source").map(Source::OtherRegistry))
                .unwrap_or(Source::Registry);
            let requirement = value("ref").map_or_else(|| gem_requirement(&versions.join(", ")), Requirement::Exact);
            entries.want("RubyGems", Spec::from(name, requirement, source), number)?;
        } else if ["eval", "instance_eval", "eval_gemfile", "gemspec", "load", "require_relative", "plugin", "system"]
            .iter()
            .any(|name| line == *name || call(name).is_some())
        {
            entries.unknown(format!("line {number}: it takes more from elsewhere"));
        }
    }
    entries.elsewhere("RubyGems", registry.as_deref());
    Ok(())
}

pub(super) fn gemfile_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let text = entries.text;
    let mut section = "";
    let mut remote = "";
    let mut revision = "";
    for (number, line) in numbered(text) {
        if line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") {
            return Err(ListError::Unreadable { line: number, what: "a conflict that was not merged".to_owned() });
        }
        if !line.starts_with(' ') {
            section = line.trim();
            (remote, revision) = ("", "");
            continue;
        }
        if let Some(url) = line.strip_prefix("  remote: ") {
            remote = url.trim();
        } else if let Some(text) = line.strip_prefix("  revision: ") {
            revision = text.trim();
        }
        let Some(entry) = line.strip_prefix("    ").filter(|entry| !entry.starts_with(' ')) else { continue };
        if !matches!(section, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") {
            continue;
        }
        let parts = entry.trim().split_once(" (").and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
        let Some((name, version)) = parts else {
            return Err(ListError::Unreadable { line: number, what: "a gem is written `name (version)`".to_owned() });
        };
        // Behind a dash stands the platform.
        let version = version.split('-').next().unwrap_or_default();
        let (requirement, source) = match section {
            "GIT" => (revision, Source::Git(remote.to_owned())),
            "PATH" => (version, Source::Path(remote.to_owned())),
            "GEM" if remote.is_empty() || remote.trim_end_matches('/') == "https://rubygems.org" => {
                (version, Source::Registry)
            }
            _ => (version, Source::OtherRegistry(remote.to_owned())),
        };
        entries.want("RubyGems", Spec::from(name, Requirement::Exact(requirement.to_owned()), source), number)?;
    }
    Ok(())
}

/// `group:artifact:version=configurations`.
pub(super) fn gradle_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let text = entries.text;
    for (number, line) in numbered(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("empty=") {
            continue;
        }
        let coordinates = line.split('=').next().unwrap_or_default();
        if coordinates.split(':').count() != 3 {
            return Err(ListError::Unreadable {
                line: number,
                what: "a line is `group:artifact:version=...`".to_owned(),
            });
        }
        entries.specified_at("Maven", maven(coordinates), number)?;
    }
    Ok(())
}

/// `"name": {:hex, :name, "1.2.3", ...},`
pub(super) fn mix_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let text = entries.text;
    for (number, line) in numbered(text) {
        let line = line.trim();
        if matches!(line, "" | "%{" | "}" | "%{}") {
            continue;
        }
        let fail = || ListError::Unreadable {
            line: number,
            what: "a line is `\"name\": {:hex, :name, \"version\", ...}`".to_owned(),
        };
        let (key, rest) = line.split_once(": {").ok_or_else(fail)?;
        let mut parts = rest.split(',').map(str::trim);
        let kind = parts.next().ok_or_else(fail)?;
        let first = parts.next().ok_or_else(fail)?;
        let second = parts.next().ok_or_else(fail)?.trim_matches('"');
        let spec = match kind {
            // The atom is the package's name at the registry; the key is what the project calls it.
            ":hex" => {
                let private = rest
                    .rsplit(", \"")
                    .filter_map(|part| part.split('"').next())
                    .find(|name| name.starts_with("hexpm:"));
                let source = private.map_or(Source::Registry, |name| Source::OtherRegistry(name.to_owned()));
                let name = first.trim_start_matches(':').trim_matches('"');
                Spec::from(name, Requirement::Exact(second.to_owned()), source)
            }
            ":git" => {
                let url = first.trim_matches('"').to_owned();
                Spec::from(key.trim_matches('"'), Requirement::Exact(second.to_owned()), Source::Git(url))
            }
            _ => return Err(fail()),
        };
        entries.want("Hex", spec, number)?;
    }
    Ok(())
}

/// The plain lines of a Brewfile, which is a program as well.
pub(super) fn brewfile(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let text = entries.text;
    for (number, line) in numbered(text) {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = quoted(rest);
        let Some((_, name)) = words.first().filter(|(key, name)| key.is_empty() && !name.contains("#{")) else {
            if !matches!(verb, "end" | "cask_args" | "if" | "else" | "unless") {
                entries.unknown(format!("line {number}: `{verb}` is not read"));
            }
            continue;
        };
        match verb {
            "brew" | "cask" => entries.specified_at("Homebrew", formula(name), number)?,
            "tap" => {
                let url = words.get(1).filter(|(key, _)| key.is_empty()).map(|(_, url)| url.clone());
                let url = url.unwrap_or_else(|| format!("github:{}", name.replacen('/', "/homebrew-", 1)));
                entries.want("Homebrew", Spec::from(name, Requirement::Any, Source::Git(url)), number)?;
            }
            "vscode" => entries.want("VSCode", Spec::new(name, Requirement::Any), number)?,
            "go" => entries.specified_at("Go", go(name), number)?,
            "cargo" => entries.want("crates.io", Spec::new(name, Requirement::Any), number)?,
            "mas" | "whalebrew" | "flatpak" => {
                entries.unknown(format!("line {number}: `{verb}` installs what is not read"))
            }
            "cask_args" => {}
            _ => entries.unknown(format!("line {number}: `{verb}` is not read")),
        }
    }
    Ok(())
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

fn module(path: &str, version: &str) -> Result<Spec, String> {
    if !version.starts_with('v') || !path.contains('.') {
        return Err(format!("`{path} {version}` is no module with its version"));
    }
    go(&format!("{path}@{version}"))
}

/// The quoted texts of a call in Ruby, each with the keyword before it.
fn quoted(text: &str) -> Vec<(String, String)> {
    let mut all = vec![];
    let mut rest = text;
    while let Some(start) = rest.find(['"', '\'']) {
        let before = rest.get(..start).unwrap_or_default();
        if before.contains('#') {
            break;
        }
        let Some(mark) = rest.get(start..).and_then(|rest| rest.chars().next()) else { break };
        let inner = rest.get(start + 1..).unwrap_or_default();
        let Some(end) = inner.find(mark) else { break };
        // `git: "..."`, `:git => "..."`
        let key = before.rsplit(',').next().unwrap_or_default();
        let key = key.trim().trim_end_matches("=>").trim().trim_matches([':', '[', '(', ' ']).to_owned();
        all.push((key, inner.get(..end).unwrap_or_default().to_owned()));
        rest = inner.get(end + 1..).unwrap_or_default();
    }
    all
}
