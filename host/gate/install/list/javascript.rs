//! The files of JavaScript: `package.json` and the lock files of npm, yarn, pnpm, bun; `deno.json`.

use serde_json::Value as Json;

use super::super::specifier::{
    Spec, deno as deno_spec, is_full_version, is_url, npm_dependency, npm_requirement, split_at_sign,
};
use super::super::{Requirement, Source};
use super::{Entries, ListError, yaml};

const REGISTRIES: &[&str] = &[
    "https://registry.npmjs.org/",
    "http://registry.npmjs.org/",
    "https://registry.yarnpkg.com/",
    "https://registry.npmmirror.com/",
];
/// Dependencies in dependencies, in a lock file of npm's first form.
const NESTING_MAX: usize = 100;

pub(super) fn manifest(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = entries.json()?;
    for key in
        ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "resolutions", "overrides"]
    {
        let Some(table) = root.get(key) else { continue };
        let Some(table) = table.as_object() else { return Err(entries.failure(key, &format!("`{key}` is no object"))) };
        dependencies(entries, table, "", 0)?;
    }
    if let Some(table) = root.pointer("/pnpm/overrides").and_then(Json::as_object) {
        dependencies(entries, table, "", 0)?;
    }
    if root.get("workspaces").is_some() {
        entries.unknown("its workspaces list packages of their own");
    }
    Ok(())
}

/// npm's lock file: a flat map of folders since its second form, nested tables in its first.
pub(super) fn package_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = entries.json()?;
    if let Some(packages) = root.get("packages").and_then(Json::as_object) {
        for (folder, package) in packages {
            let Some((_, by_folder)) = folder.rsplit_once("node_modules/") else { continue };
            if package.get("link").and_then(Json::as_bool) == Some(true) {
                continue;
            }
            let text = |key: &str| package.get(key).and_then(Json::as_str);
            let name = text("name").unwrap_or(by_folder);
            let spec = resolved(name, text("version"), text("resolved"));
            entries.specified("npm", Ok(spec), folder)?;
        }
        return Ok(());
    }
    match root.get("dependencies") {
        Some(Json::Object(table)) => nested(entries, table, 0),
        None if root.get("lockfileVersion").is_some() => Ok(()),
        _ => Err(entries.failure("dependencies", "there is no list of packages")),
    }
}

pub(super) fn yarn_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    if entries.text.contains("__metadata:") {
        return yarn_berry(entries);
    }
    let mut name = String::new();
    let mut version: Option<(String, usize)> = None;
    let mut url = None;
    let text = entries.text;
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            yarn_entry(entries, &name, version.take(), url.take())?;
            let Some(first) = line.strip_suffix(':') else {
                return Err(ListError::Unreadable {
                    line: number,
                    what: "a package's line must end with a colon".to_owned(),
                });
            };
            let first = first.split(", ").next().unwrap_or_default().trim_matches('"');
            let (own, range) = split_at_sign(first);
            // `alias@npm:other@^1`
            let other = range.and_then(|range| range.strip_prefix("npm:")).map(|other| split_at_sign(other).0);
            name = other.unwrap_or(own).to_owned();
            if range.is_none() || name.is_empty() {
                return Err(ListError::Unreadable {
                    line: number,
                    what: "a package without a version range".to_owned(),
                });
            }
            continue;
        }
        let Some(field) = line.strip_prefix("  ").filter(|field| !field.starts_with(' ')) else { continue };
        let (key, value) = field.split_once(' ').unwrap_or((field, ""));
        let value = value.trim_matches('"');
        match key {
            "version" => version = Some((value.to_owned(), number)),
            "resolved" => url = Some(value.to_owned()),
            _ => {}
        }
    }
    yarn_entry(entries, &name, version, url)
}

pub(super) fn pnpm_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = yaml::document(entries.text)?;
    let Some(packages) = root.get("packages") else {
        return if root.get("lockfileVersion").is_some() {
            Ok(())
        } else {
            Err(ListError::Unreadable { line: 1, what: "it has no `lockfileVersion`".to_owned() })
        };
    };
    let is_old =
        root.text_of("lockfileVersion").and_then(|text| text.parse::<f64>().ok()).is_some_and(|form| form < 6.0);
    for (key, package) in packages.pairs() {
        let bare = key.trim_start_matches('/');
        let bare = bare.split('(').next().unwrap_or_default();
        let tarball = package.get("resolution").and_then(|resolution| resolution.text_of("tarball"));
        let repository = package.get("resolution").and_then(|resolution| resolution.text_of("repo"));
        let (mut name, mut version) = split_at_sign(bare);
        // Until its fifth form the version stood behind a slash, and the peers behind a `_`.
        if (is_old || version.is_none())
            && let Some((own, rest)) = bare.rsplit_once('/')
        {
            name = own;
            version = Some(rest.split('_').next().unwrap_or_default());
        }
        let name = package.text_of("name").unwrap_or(name);
        let version = package.text_of("version").or(version).unwrap_or_default();
        let spec = match (repository, tarball) {
            (Some(url), _) => {
                let commit = package.get("resolution").and_then(|resolution| resolution.text_of("commit"));
                let commit = commit.map_or(Requirement::Any, |commit| Requirement::Exact(commit.to_owned()));
                Ok(Spec::from(name, commit, Source::Git(url.to_owned())))
            }
            (_, Some(url)) => Ok(resolved(name, Some(version), Some(url))),
            _ => npm_dependency(name, version),
        };
        entries.specified_at("npm", spec, package.line)?;
    }
    Ok(())
}

/// `bun.lock`: JSON with commas before closing brackets.
pub(super) fn bun_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = Entries::json_of(&strict(entries.text))?;
    let Some(packages) = root.get("packages").and_then(Json::as_object) else {
        return if root.get("lockfileVersion").is_some() {
            Ok(())
        } else {
            Err(entries.failure("packages", "there is no list of packages"))
        };
    };
    for (key, package) in packages {
        let Some(text) = package.get(0).and_then(Json::as_str) else {
            return Err(entries.failure(key, &format!("`{key}` does not say what it resolves to")));
        };
        let (name, version) = split_at_sign(text);
        let version = version.unwrap_or_default();
        if version.starts_with("workspace:") {
            continue;
        }
        let registry = package.get(1).and_then(Json::as_str).filter(|url| is_url(url));
        let spec = match registry {
            Some(url) => Ok(resolved(name, Some(version), Some(url))),
            None => npm_dependency(name, version),
        };
        entries.specified("npm", spec, text)?;
    }
    Ok(())
}

/// `deno.json`: the map of imports.
pub(super) fn deno(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = Entries::json_of(&strict(entries.text))?;
    for (_, target) in root.get("imports").and_then(Json::as_object).into_iter().flatten() {
        let Some(target) = target.as_str() else { continue };
        let is_fetched = target.starts_with("npm:") || target.starts_with("jsr:") || is_url(target);
        if is_fetched {
            entries.specified("npm", deno_spec(target), target)?;
        }
    }
    Ok(())
}

fn dependencies(
    entries: &mut Entries<'_>,
    table: &serde_json::Map<String, Json>,
    above: &str,
    depth: usize,
) -> Result<(), ListError> {
    for (key, value) in table {
        // `overrides` nests, and names `pkg@range` or a path `**/pkg`.
        let name = key.rsplit_once("**/").map_or(key.as_str(), |(_, name)| name);
        let name = name.rsplit('>').next().unwrap_or_default();
        let (name, _) = split_at_sign(name);
        // Inside `overrides` a dot is the package that the object stands for.
        let name = if name == "." { above } else { name };
        match value {
            // `$name` stands for what the project itself says.
            Json::String(text) if text.starts_with('$') => {}
            Json::String(text) if text.starts_with("catalog:") => {
                entries.unknown("its versions stand in a catalog of the workspace");
                entries.specified("npm", Ok(Spec::new(name, Requirement::Any)), key)?;
            }
            Json::String(text) => entries.specified("npm", npm_dependency(name, text), key)?,
            Json::Object(inner) if depth < NESTING_MAX => dependencies(entries, inner, name, depth + 1)?,
            _ => return Err(entries.failure(key, &format!("`{key}` has no version in text"))),
        }
    }
    Ok(())
}

fn nested(entries: &mut Entries<'_>, table: &serde_json::Map<String, Json>, depth: usize) -> Result<(), ListError> {
    for (name, package) in table {
        let text = |key: &str| package.get(key).and_then(Json::as_str);
        let Some(version) = text("version") else {
            return Err(entries.failure(name, &format!("`{name}` has no version")));
        };
        let spec = if is_full_version(version) {
            Ok(resolved(name, Some(version), text("resolved")))
        } else {
            npm_dependency(name, version)
        };
        entries.specified("npm", spec, name)?;
        if let Some(inner) = package.get("dependencies").and_then(Json::as_object) {
            if depth >= NESTING_MAX {
                return Err(entries.failure(name, "dependencies nest too deep"));
            }
            nested(entries, inner, depth + 1)?;
        }
    }
    Ok(())
}

fn yarn_entry(
    entries: &mut Entries<'_>,
    name: &str,
    version: Option<(String, usize)>,
    url: Option<String>,
) -> Result<(), ListError> {
    if name.is_empty() {
        return Ok(());
    }
    let Some((version, line)) = version else {
        return Err(entries.failure(&format!("{name}@"), &format!("`{name}` has no version")));
    };
    entries.want("npm", resolved(name, Some(&version), url.as_deref()), line)
}

fn yarn_berry(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = yaml::document(entries.text)?;
    for (key, package) in root.pairs() {
        if key == "__metadata" {
            continue;
        }
        let Some(resolution) = package.text_of("resolution") else {
            return Err(ListError::Unreadable { line: package.line, what: format!("`{key}` has no resolution") });
        };
        let (name, place) = split_at_sign(resolution);
        let place = place.unwrap_or_default();
        if place.starts_with("workspace:") {
            continue;
        }
        // `npm:1.2.3::__archiveUrl=...`: it is fetched from there.
        let archive = place.split_once("__archiveUrl=").map(|(_, url)| url.replace("%3A", ":").replace("%2F", "/"));
        let place = place.split("::").next().unwrap_or_default();
        let spec = match archive {
            Some(url) => Ok(resolved(name, package.text_of("version"), Some(&url))),
            None => npm_dependency(name, place),
        };
        entries.specified_at("npm", spec, package.line)?;
    }
    Ok(())
}

/// A package with the address it is fetched from. The address decides: a lock file that says
/// `left-pad` and fetches another package installs the other.
fn resolved(name: &str, version: Option<&str>, url: Option<&str>) -> Spec {
    let requirement = version.map_or(Requirement::Any, |version| match npm_requirement(version) {
        // A lock file has no ranges: whatever stands there is what it means.
        Requirement::Any if !version.is_empty() => Requirement::Exact(version.to_owned()),
        requirement => requirement,
    });
    let Some(url) = url.filter(|url| !url.is_empty()) else { return Spec::new(name, requirement) };
    if let Some(path) = REGISTRIES.iter().find_map(|registry| url.strip_prefix(registry)) {
        let Some((fetched, file)) = path.split_once("/-/") else { return Spec::new(name, requirement) };
        let fetched = fetched.replace("%2f", "/").replace("%2F", "/");
        let base = fetched.rsplit('/').next().unwrap_or_default();
        let file_version = file.strip_prefix(base).and_then(|rest| rest.strip_prefix('-'));
        let file_version =
            file_version.and_then(|rest| rest.split(".tgz").next()).filter(|version| is_full_version(version));
        let requirement = file_version.map_or(requirement, |version| Requirement::Exact(version.to_owned()));
        return Spec::new(&fetched, requirement);
    }
    if url.starts_with("git") || url.contains("codeload.github.com") {
        return Spec::from(name, requirement, Source::Git(url.to_owned()));
    }
    if let Some(path) = url.strip_prefix("file:") {
        return Spec::from(name, requirement, Source::Path(path.to_owned()));
    }
    let host_end = url.find("://").and_then(|at| url.get(at + 3..)?.find('/').map(|end| at + 3 + end));
    match host_end.filter(|_| url.contains("/-/")) {
        Some(end) => Spec::from(name, requirement, Source::OtherRegistry(url.get(..end).unwrap_or(url).to_owned())),
        None if is_url(url) => Spec::from(name, requirement, Source::Url(url.to_owned())),
        None => Spec::from(name, requirement, Source::Path(url.to_owned())),
    }
}

/// JSON without comments and without commas before a closing bracket; lines stay where they are.
fn strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut is_in_text = false;
    // Where a comma stands that nothing has followed yet.
    let mut comma = None;
    while let Some(c) = chars.next() {
        if is_in_text {
            out.push(c);
            match c {
                '\\' => out.extend(chars.next()),
                '"' => is_in_text = false,
                _ => {}
            }
            continue;
        }
        match c {
            '/' if chars.peek() == Some(&'/') => {
                while chars.peek().is_some_and(|next| *next != '\n') {
                    chars.next();
                }
                continue;
            }
            ']' | '}' => {
                if let Some(at) = comma.take() {
                    out.replace_range(at..=at, " ");
                }
            }
            ',' => comma = Some(out.len()),
            '"' => is_in_text = true,
            _ => {}
        }
        if !c.is_whitespace() && c != ',' {
            comma = None;
        }
        out.push(c);
    }
    out
}
