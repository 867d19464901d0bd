//! Files that are tables of packages: of cargo, Composer, NuGet's lock, and pub.

use serde_json::Value as Json;
use toml::Value as Toml;

use super::super::package::pub_requirement;
use super::super::specifier::{Spec, composer_requirement, crate_requirement, is_platform, nuget_requirement};
use super::super::{Requirement, Source};
use super::{Entries, ListError, yaml};

pub(super) fn cargo_manifest(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let table = entries.toml()?;
    crates_of(entries, &table)?;
    for (_, target) in table.get("target").and_then(Toml::as_table).into_iter().flatten() {
        if let Some(target) = target.as_table() {
            crates_of(entries, target)?;
        }
    }
    if let Some(workspace) = table.get("workspace").and_then(Toml::as_table) {
        crates_of(entries, workspace)?;
        if workspace.get("members").is_some() {
            entries.unknown("the members of its workspace list packages of their own");
        }
    }
    for (_, patch) in table.get("patch").and_then(Toml::as_table).into_iter().flatten() {
        if let Some(patch) = patch.as_table() {
            crates(entries, patch)?;
        }
    }
    Ok(())
}

pub(super) fn cargo_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    const CRATES_IO: &[&str] =
        &["registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"];
    let table = entries.toml()?;
    let packages = match table.get("package") {
        Some(Toml::Array(packages)) => packages.as_slice(),
        None => &[],
        Some(_) => return Err(entries.failure("package", "`package` is no list")),
    };
    for package in packages {
        let text = |key: &str| package.get(key).and_then(Toml::as_str);
        let (Some(name), Some(version)) = (text("name"), text("version")) else {
            return Err(entries.failure("[[package]]", "a package without a name or a version"));
        };
        // A package without a source is the project's own.
        let Some(from) = text("source") else { continue };
        let mut requirement = Requirement::Exact(version.to_owned());
        let source = if CRATES_IO.contains(&from) {
            Source::Registry
        } else if let Some(url) = from.strip_prefix("git+") {
            if let Some((_, revision)) = url.split_once('#') {
                requirement = Requirement::Exact(revision.to_owned());
            }
            Source::Git(url.to_owned())
        } else {
            Source::OtherRegistry(from.trim_start_matches("registry+").to_owned())
        };
        entries.specified("crates.io", Ok(Spec::from(name, requirement, source)), &format!("\"{name}\""))?;
    }
    Ok(())
}

pub(super) fn composer_manifest(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = entries.json()?;
    for key in ["require", "require-dev"] {
        for (name, version) in root.get(key).and_then(Json::as_object).into_iter().flatten() {
            if is_platform(name) {
                continue;
            }
            let Some(version) = version.as_str() else {
                return Err(entries.failure(name, &format!("`{name}` has no version in text")));
            };
            entries.specified("Packagist", Ok(Spec::new(name, composer_requirement(version))), name)?;
        }
    }
    let has_own = match root.get("repositories") {
        Some(Json::Array(all)) => !all.is_empty(),
        Some(Json::Object(all)) => !all.is_empty(),
        _ => false,
    };
    if has_own {
        entries.unknown("it names repositories of its own, and which package comes from there is not known");
    }
    Ok(())
}

pub(super) fn composer_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = entries.json()?;
    if root.get("packages").and_then(Json::as_array).is_none() {
        return Err(entries.failure("packages", "there is no list of packages"));
    }
    for key in ["packages", "packages-dev"] {
        for package in root.get(key).and_then(Json::as_array).into_iter().flatten() {
            let text = |key: &str| package.get(key).and_then(Json::as_str);
            let (Some(name), Some(version)) = (text("name"), text("version")) else {
                return Err(entries.failure("packages", "a package without a name or a version"));
            };
            let part = |part: &str, key: &str| package.get(part).and_then(|part| part.get(key)).and_then(Json::as_str);
            let is_branch = version.starts_with("dev-") || version.ends_with("-dev");
            let version = version.strip_prefix('v').unwrap_or(version);
            let (requirement, source) = match (part("dist", "type"), part("source", "url")) {
                (Some("path"), _) => {
                    let path = part("dist", "url").unwrap_or_default();
                    (Requirement::Exact(version.to_owned()), Source::Path(path.to_owned()))
                }
                (_, Some(url)) if is_branch => {
                    let revision = part("source", "reference").unwrap_or(version);
                    (Requirement::Exact(revision.to_owned()), Source::Git(url.to_owned()))
                }
                _ => (Requirement::Exact(version.to_owned()), Source::Registry),
            };
            entries.specified("Packagist", Ok(Spec::from(name, requirement, source)), name)?;
        }
    }
    Ok(())
}

pub(super) fn nuget_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = entries.json()?;
    let Some(frameworks) = root.get("dependencies").and_then(Json::as_object) else {
        return Err(entries.failure("dependencies", "there is no list of packages"));
    };
    let mut seen = std::collections::HashSet::new();
    for (_, packages) in frameworks {
        for (name, package) in packages.as_object().into_iter().flatten() {
            if package.get("type").and_then(Json::as_str) == Some("Project") {
                continue;
            }
            let Some(version) = package.get("resolved").and_then(Json::as_str) else {
                return Err(entries.failure(name, &format!("`{name}` does not say what it resolves to")));
            };
            // The same package stands under each framework.
            if seen.insert((name, version)) {
                entries.specified("NuGet", Ok(Spec::new(name, nuget_requirement(version))), name)?;
            }
        }
    }
    Ok(())
}

pub(super) fn pubspec(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = yaml::document(entries.text)?;
    for key in ["dependencies", "dev_dependencies", "dependency_overrides"] {
        let Some(table) = root.get(key) else { continue };
        for (name, value) in table.pairs() {
            if value.get("sdk").is_some() {
                continue;
            }
            let version = value.text().or_else(|| value.text_of("version")).unwrap_or_default();
            // `name:` with nothing behind it reads as `~`.
            let version = if matches!(version, "~" | "null") { "" } else { version };
            let git = value.get("git").map(|git| git.text().or_else(|| git.text_of("url")).unwrap_or_default());
            let hosted = value.get("hosted").and_then(|hosted| hosted.text().or_else(|| hosted.text_of("url")));
            let source = match (git, value.text_of("path"), hosted) {
                (Some(url), ..) => Source::Git(url.to_owned()),
                (_, Some(path), _) => Source::Path(path.to_owned()),
                (.., Some(url)) if !is_pub_dev(url) => Source::OtherRegistry(url.to_owned()),
                _ => Source::Registry,
            };
            entries.want("Pub", Spec::from(name, pub_requirement(version), source), value.line)?;
        }
    }
    Ok(())
}

pub(super) fn pubspec_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = yaml::document(entries.text)?;
    let Some(packages) = root.get("packages") else {
        return Err(ListError::Unreadable { line: root.line, what: "there is no list of packages".to_owned() });
    };
    for (name, package) in packages.pairs() {
        let Some(version) = package.text_of("version") else {
            return Err(ListError::Unreadable { line: package.line, what: format!("`{name}` has no version") });
        };
        let described = |key: &str| package.get("description").and_then(|description| description.text_of(key));
        let mut requirement = Requirement::Exact(version.to_owned());
        let source = match package.text_of("source").unwrap_or_default() {
            "sdk" => continue,
            "git" => {
                if let Some(revision) = described("resolved-ref") {
                    requirement = Requirement::Exact(revision.to_owned());
                }
                Source::Git(described("url").unwrap_or_default().to_owned())
            }
            "path" => Source::Path(described("path").unwrap_or_default().to_owned()),
            _ => match described("url").filter(|url| !is_pub_dev(url)) {
                Some(url) => Source::OtherRegistry(url.to_owned()),
                None => Source::Registry,
            },
        };
        // The name in the description is the one that is fetched.
        let name = described("name").unwrap_or(name);
        entries.want("Pub", Spec::from(name, requirement, source), package.line)?;
    }
    Ok(())
}

fn is_pub_dev(url: &str) -> bool {
    matches!(url.trim_end_matches('/'), "https://pub.dev" | "https://pub.dartlang.org")
}

fn crates_of(entries: &mut Entries<'_>, table: &toml::Table) -> Result<(), ListError> {
    for key in ["dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies"] {
        if let Some(table) = table.get(key).and_then(Toml::as_table) {
            crates(entries, table)?;
        }
    }
    Ok(())
}

fn crates(entries: &mut Entries<'_>, table: &toml::Table) -> Result<(), ListError> {
    for (key, value) in table {
        let text = |key: &str| value.get(key).and_then(Toml::as_str);
        if !value.is_str() && !value.is_table() {
            return Err(entries.failure(key, &format!("`{key}` is neither a version nor a table")));
        }
        // The workspace's own table says the rest.
        if value.get("workspace").and_then(Toml::as_bool) == Some(true) {
            continue;
        }
        let name = text("package").unwrap_or(key);
        let mut requirement = crate_requirement(value.as_str().or_else(|| text("version")).unwrap_or_default());
        let source = if let Some(url) = text("git") {
            requirement = text("rev").map_or(Requirement::Any, |revision| Requirement::Exact(revision.to_owned()));
            Source::Git(url.to_owned())
        } else if let Some(path) = text("path") {
            Source::Path(path.to_owned())
        } else {
            match text("registry").or_else(|| text("registry-index")).filter(|name| *name != "crates-io") {
                Some(registry) => Source::OtherRegistry(registry.to_owned()),
                None => Source::Registry,
            }
        };
        entries.specified("crates.io", Ok(Spec::from(name, requirement, source)), key)?;
    }
    Ok(())
}
