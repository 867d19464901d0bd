//! The files of Python: requirements, `pyproject.toml`, the lock files, Pipfile, conda environments.

use serde_json::Value as Json;
use toml::Value as Toml;

use super::super::specifier::{Spec, conda, is_path, is_url, poetry_requirement, python, python_requirement};
use super::super::{Listed, Requirement, Source};
use super::{Entries, Format, ListError, yaml};

const PYPI: &[&str] = &["https://pypi.org/simple", "https://pypi.python.org/simple"];

/// `requirements.txt` and constraints, as pip reads them.
pub(super) fn requirements(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let mut registry = None;
    for (line, text) in joined_lines(entries.text) {
        let text = without_comment(&text);
        if text.is_empty() {
            continue;
        }
        if text.contains("${") {
            return Err(ListError::Unreadable { line, what: "it holds a variable of the environment".to_owned() });
        }
        if !text.starts_with('-') {
            // `name==1 --hash=sha256:...`
            let spec = text.split(" --").next().unwrap_or_default().trim();
            entries.specified_at("PyPI", python(spec), line)?;
            continue;
        }
        let (flag, value) = flag_and_value(text);
        match flag {
            "-r" | "--requirement" | "-c" | "--constraint" => {
                if is_url(value) {
                    entries.unknown(format!("line {line}: it takes a list from `{value}`"));
                    continue;
                }
                let format = if flag.contains('c') { Format::Constraints } else { Format::Requirements };
                entries.list.files.push(Listed { path: value.to_owned(), format, is_implied: false });
            }
            "-e" | "--editable" => {
                let spec = python(value).or_else(|_| Ok(path_spec(value))).map(|spec| match spec.source {
                    Source::Registry => path_spec(value),
                    _ => spec,
                });
                entries.specified_at("PyPI", spec, line)?;
            }
            "-i" | "--index-url" | "--pypi-url" | "--extra-index-url" | "-f" | "--find-links" => {
                registry = other(value).map(str::to_owned).or(registry);
            }
            "--no-index" | "--pre" | "--prefer-binary" | "--require-hashes" | "--trusted-host" | "--no-binary"
            | "--only-binary" | "--use-feature" | "--config-settings" | "--global-option" | "--hash" => {}
            _ => {
                return Err(ListError::Unreadable {
                    line,
                    what: format!("`{flag}` is no option of a requirements file"),
                });
            }
        }
    }
    entries.elsewhere("PyPI", registry.as_deref());
    Ok(())
}

pub(super) fn project(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let table = entries.toml()?;
    let empty = Toml::Table(toml::Table::new());
    let at = |path: &[&str]| -> Toml {
        let mut here = table.get(path.first().copied().unwrap_or_default()).unwrap_or(&empty);
        for key in path.iter().skip(1) {
            here = here.get(key).unwrap_or(&empty);
        }
        here.clone()
    };
    strings(entries, &at(&["build-system", "requires"]))?;
    strings(entries, &at(&["project", "dependencies"]))?;
    for path in [
        &["project", "optional-dependencies"][..],
        &["dependency-groups"],
        &["tool", "pdm", "dev-dependencies"],
        &["tool", "hatch", "metadata", "hooks"],
    ] {
        for (_, list) in at(path).as_table().into_iter().flatten() {
            strings(entries, list)?;
        }
    }
    strings(entries, &at(&["tool", "uv", "dev-dependencies"]))?;
    for (_, environment) in at(&["tool", "hatch", "envs"]).as_table().into_iter().flatten() {
        for key in ["dependencies", "extra-dependencies"] {
            strings(entries, environment.get(key).unwrap_or(&empty))?;
        }
    }
    let poetry = at(&["tool", "poetry"]);
    for key in ["dependencies", "dev-dependencies", "requires-plugins"] {
        poetry_table(entries, poetry.get(key))?;
    }
    for (_, group) in poetry.get("group").and_then(Toml::as_table).into_iter().flatten() {
        poetry_table(entries, group.get("dependencies"))?;
    }
    let dynamic = at(&["project", "dynamic"]);
    let is_dynamic =
        dynamic.as_array().into_iter().flatten().filter_map(Toml::as_str).any(|name| name.contains("dependencies"));
    if is_dynamic {
        entries.unknown("its dependencies are computed when it is built");
    }
    uv_sources(entries, &at(&["tool", "uv", "sources"]));
    for path in [&["tool", "uv", "index"][..], &["tool", "poetry", "source"], &["tool", "pdm", "source"]] {
        let all = at(path);
        let mut urls = all.as_array().into_iter().flatten().filter_map(|index| index.get("url").and_then(Toml::as_str));
        entries.elsewhere("PyPI", urls.find_map(other));
    }
    Ok(())
}

/// `poetry.lock`, `uv.lock`, `pdm.lock`, `pylock.toml`: tables of packages with their exact version.
pub(super) fn lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let table = entries.toml()?;
    let all = table.get("package").or_else(|| table.get("packages"));
    let packages = match all {
        Some(Toml::Array(packages)) => packages.as_slice(),
        // A project without dependencies has an empty lock file.
        None if table.contains_key("metadata")
            || table.contains_key("version")
            || table.contains_key("lock-version") =>
        {
            &[]
        }
        _ => return Err(entries.failure("package", "there is no list of packages")),
    };
    for package in packages {
        let text = |key: &str| package.get(key).and_then(Toml::as_str);
        let Some(name) = text("name") else { return Err(entries.failure("[[package", "a package without a name")) };
        let version = text("version").map_or(Requirement::Any, |version| Requirement::Exact(version.to_owned()));
        let source = match package.get("source") {
            Some(source) => lock_source(source),
            None => lock_source(package),
        };
        // The project itself stands in its own lock file.
        let is_own = package.get("source").is_some_and(|source| {
            ["editable", "virtual", "directory"].iter().any(|key| source.get(key).and_then(Toml::as_str) == Some("."))
        });
        if is_own {
            continue;
        }
        entries.specified("PyPI", Ok(Spec::from(name, version, source)), name)?;
    }
    Ok(())
}

pub(super) fn pipfile(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let table = entries.toml()?;
    for (section, packages) in &table {
        if matches!(section.as_str(), "source" | "requires" | "scripts" | "pipenv" | "pipfile") {
            continue;
        }
        for (name, value) in packages.as_table().into_iter().flatten() {
            let text = |key: &str| value.get(key).and_then(Toml::as_str);
            let version = value.as_str().or_else(|| text("version")).unwrap_or("*");
            let source = place(text("git"), text("file").or_else(|| text("url")), text("path"));
            let spec = python_requirement(version).map(|requirement| Spec::from(name, requirement, source));
            entries.specified("PyPI", spec, name)?;
        }
    }
    let sources = table.get("source").and_then(Toml::as_array).into_iter().flatten();
    let mut urls = sources.filter_map(|source| source.get("url").and_then(Toml::as_str));
    entries.elsewhere("PyPI", urls.find_map(other));
    Ok(())
}

pub(super) fn pipfile_lock(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = entries.json()?;
    for (section, packages) in root.as_object().into_iter().flatten() {
        if section == "_meta" {
            continue;
        }
        for (name, value) in packages.as_object().into_iter().flatten() {
            let text = |key: &str| value.get(key).and_then(Json::as_str);
            let source = place(text("git"), text("file"), text("path"));
            let requirement = match text("version") {
                Some(version) => python_requirement(version),
                None => Ok(text("ref").map_or(Requirement::Any, |revision| Requirement::Exact(revision.to_owned()))),
            };
            entries.specified("PyPI", requirement.map(|requirement| Spec::from(name, requirement, source)), name)?;
        }
    }
    let sources = root.pointer("/_meta/sources").and_then(Json::as_array).into_iter().flatten();
    let mut urls = sources.filter_map(|source| source.get("url").and_then(Json::as_str));
    entries.elsewhere("PyPI", urls.find_map(other));
    Ok(())
}

/// `environment.yml` of conda, with the list for pip inside it.
pub(super) fn environment(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let root = yaml::document(entries.text)?;
    let Some(dependencies) = root.get("dependencies") else { return Ok(()) };
    for item in dependencies.items() {
        if let Some(text) = item.text() {
            entries.specified_at("Conda", conda(text), item.line)?;
            continue;
        }
        for (key, list) in item.pairs() {
            if key != "pip" {
                return Err(ListError::Unreadable {
                    line: item.line,
                    what: format!("`{key}` is no list of packages that is known"),
                });
            }
            for inner in list.items() {
                let text = inner.text().unwrap_or_default();
                let (flag, value) = flag_and_value(text);
                match flag {
                    "-r" | "--requirement" => entries.list.files.push(Listed {
                        path: value.to_owned(),
                        format: Format::Requirements,
                        is_implied: false,
                    }),
                    "-e" | "--editable" => entries.want("PyPI", path_spec(value), inner.line)?,
                    flag if flag.starts_with('-') => entries.unknown(format!("line {}: pip gets `{text}`", inner.line)),
                    _ => entries.specified_at("PyPI", python(text), inner.line)?,
                }
            }
        }
    }
    let channels = root.get("channels").map(yaml::Node::items).unwrap_or_default();
    let channel = channels
        .iter()
        .filter_map(yaml::Node::text)
        .find(|name| !matches!(*name, "conda-forge" | "defaults" | "nodefaults"));
    entries.elsewhere("Conda", channel);
    Ok(())
}

/// Lines with their number; one that ends in `\` goes on in the next.
fn joined_lines(text: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = vec![];
    let mut open: Option<(usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let (start, mut so_far) = open.take().unwrap_or((at + 1, String::new()));
        match line.strip_suffix('\\') {
            // A comment does not go on.
            Some(part) if !part.trim_start().starts_with('#') => {
                so_far.push_str(part);
                open = Some((start, so_far));
            }
            _ => {
                so_far.push_str(line);
                all.push((start, so_far));
            }
        }
    }
    all.extend(open);
    all
}

fn without_comment(text: &str) -> &str {
    let text = text.trim();
    if text.starts_with('#') {
        return "";
    }
    let at = text
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|at| text.get(..*at).is_some_and(|before| before.ends_with(char::is_whitespace)));
    at.and_then(|at| text.get(..at)).unwrap_or(text).trim()
}

/// `-r file`, `-rfile`, `--requirement=file`.
fn flag_and_value(text: &str) -> (&str, &str) {
    if text.starts_with("--") {
        let end = text.find(['=', ' ', '\t']).unwrap_or(text.len());
        let (flag, value) = text.split_at(end);
        return (flag, unquoted(value.trim_start_matches(['=', ' ', '\t'])));
    }
    if !text.starts_with('-') {
        return ("", text);
    }
    let end = text.char_indices().nth(2).map_or(text.len(), |(at, _)| at);
    let (flag, value) = text.split_at(end);
    (flag, unquoted(value.trim_start_matches(['=', ' ', '\t'])))
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

fn other(url: &str) -> Option<&str> {
    (!PYPI.contains(&url.trim_end_matches('/'))).then_some(url)
}

fn path_spec(path: &str) -> Spec {
    let path = path.split('[').next().unwrap_or_default();
    Spec::from(path, Requirement::Any, Source::Path(path.to_owned()))
}

/// An array of PEP 508 texts; groups that include others hold maps, which name no package.
fn strings(entries: &mut Entries<'_>, list: &Toml) -> Result<(), ListError> {
    for item in list.as_array().into_iter().flatten() {
        match item {
            Toml::String(text) if text.contains('{') => {
                entries.unknown(format!("`{text}` is known only when it is built"))
            }
            Toml::String(text) => entries.specified("PyPI", python(text), text)?,
            Toml::Table(_) => {}
            other => return Err(entries.failure(&other.to_string(), "a dependency that is no text")),
        }
    }
    Ok(())
}

fn poetry_table(entries: &mut Entries<'_>, table: Option<&Toml>) -> Result<(), ListError> {
    for (name, value) in table.and_then(Toml::as_table).into_iter().flatten() {
        if name == "python" {
            continue;
        }
        // Several versions for several platforms stand in an array.
        let choices = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for choice in choices {
            let text = |key: &str| choice.get(key).and_then(Toml::as_str);
            let version = choice.as_str().or_else(|| text("version")).unwrap_or("*");
            let source = place(text("git"), text("url"), text("path").or_else(|| text("file")));
            let requirement = match (&source, text("rev")) {
                (Source::Git(_), Some(revision)) => Ok(Requirement::Exact(revision.to_owned())),
                _ => poetry_requirement(version),
            };
            entries.specified("PyPI", requirement.map(|requirement| Spec::from(name, requirement, source)), name)?;
        }
    }
    Ok(())
}

/// `[tool.uv.sources]` says where packages that are listed elsewhere come from.
fn uv_sources(entries: &mut Entries<'_>, sources: &Toml) {
    let mut places = std::collections::HashMap::new();
    for (name, value) in sources.as_table().into_iter().flatten() {
        let choice = value.as_array().and_then(|all| all.first()).unwrap_or(value);
        let text = |key: &str| choice.get(key).and_then(Toml::as_str);
        let name = super::normalised("PyPI", name);
        let source = match place(text("git"), text("url"), text("path")) {
            Source::Registry => match text("index") {
                Some(index) => Source::OtherRegistry(index.to_owned()),
                None if choice.get("workspace").is_some() => Source::Path(name.clone()),
                None => continue,
            },
            source => source,
        };
        places.insert(name, source);
    }
    for wanted in &mut entries.list.wanted {
        if let Some(source) = places.get(&wanted.name) {
            wanted.source = source.clone();
        }
    }
}

fn place(git: Option<&str>, url: Option<&str>, path: Option<&str>) -> Source {
    match (git, url, path) {
        (Some(git), ..) => Source::Git(git.to_owned()),
        (_, Some(url), _) if is_url(url) => Source::Url(url.to_owned()),
        (_, Some(path), _) | (_, _, Some(path)) => Source::Path(path.to_owned()),
        _ => Source::Registry,
    }
}

fn lock_source(source: &Toml) -> Source {
    let text = |key: &str| source.get(key).and_then(Toml::as_str);
    let url = text("url").unwrap_or_default();
    match text("type") {
        Some("git") => return Source::Git(url.to_owned()),
        Some("url") => return Source::Url(url.to_owned()),
        Some("directory" | "file") => return Source::Path(url.to_owned()),
        Some("legacy") => return other(url).map_or(Source::Registry, |url| Source::OtherRegistry(url.to_owned())),
        _ => {}
    }
    if let Some(registry) = text("registry").or_else(|| text("index")) {
        let is_usual = other(registry).is_none();
        return if is_usual { Source::Registry } else { Source::OtherRegistry(registry.to_owned()) };
    }
    let vcs = source.get("vcs").and_then(|vcs| vcs.get("url")).and_then(Toml::as_str);
    let archive = source.get("archive").and_then(|archive| archive.get("url")).and_then(Toml::as_str);
    let path = ["path", "editable", "directory", "virtual"].iter().find_map(|key| text(key));
    let path = path.filter(|path| is_path(path) || !path.is_empty());
    place(text("git").or(vcs), text("url").or(archive), path)
}
