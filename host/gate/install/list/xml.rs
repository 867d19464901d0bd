//! The XML files: Maven's `pom.xml`, projects of MSBuild, `packages.config`.
//!
//! A document type is refused, and with it entities that stand for files or for each other.

use std::collections::HashMap;

use roxmltree::{Document, Node, ParsingOptions};

use super::super::specifier::{Spec, maven_requirement, nuget_requirement};
use super::super::{Listed, Requirement};
use super::{Entries, Format, ListError};

/// Danger: many small nodes for few bytes.
const NODES_MAX: u32 = 1_000_000;
/// Danger: looking up what stands above each node takes the square of the time.
const NESTING_MAX: usize = 64;
/// Properties in properties. Danger: two that name each other.
const SUBSTITUTIONS_MAX: usize = 16;
/// Danger: properties that double each other until memory ends.
const VALUE_BYTES_MAX: usize = 4096;

pub(super) fn pom(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let lined = parsed(entries.text)?;
    let document = &lined.document;
    let root = document.root_element();
    if root.tag_name().name() != "project" {
        return Err(ListError::Unreadable { line: 1, what: "the root is no `project`".to_owned() });
    }
    let mut properties = HashMap::new();
    for node in children(root, "properties").flat_map(|node| node.children()).filter(Node::is_element) {
        properties.insert(node.tag_name().name().to_owned(), node.text().unwrap_or_default().trim().to_owned());
    }
    let parent = children(root, "parent").next();
    for key in ["groupId", "version"] {
        let value = text_of(root, key).or_else(|| parent.and_then(|parent| text_of(parent, key)));
        if let Some(value) = value {
            properties.insert(format!("project.{key}"), value.to_owned());
            properties.insert(format!("pom.{key}"), value.to_owned());
        }
    }
    if let Some(value) = parent.and_then(|parent| text_of(parent, "version")) {
        properties.insert("project.parent.version".to_owned(), value.to_owned());
    }
    // The artifacts of a management section are not fetched by standing there; they say versions.
    let mut managed = HashMap::new();
    for node in below(root, "dependencyManagement", "dependency") {
        if let (Some(group), Some(artifact), Some(version)) =
            (text_of(node, "groupId"), text_of(node, "artifactId"), text_of(node, "version"))
        {
            managed.insert((substituted(group, &properties), substituted(artifact, &properties)), version.to_owned());
        }
    }
    if let Some(parent) = parent {
        artifact(entries, (parent, lined.line_of(parent)), &properties, &managed, "")?;
    }
    let is_managed = |node: &Node<'_, '_>| {
        node.ancestors().any(|above| matches!(above.tag_name().name(), "dependencyManagement" | "pluginManagement"))
    };
    for node in root.descendants().filter(|node| !is_managed(node)) {
        match node.tag_name().name() {
            "dependency" => artifact(entries, (node, lined.line_of(node)), &properties, &managed, "")?,
            "plugin" | "extension" if text_of(node, "artifactId").is_some() => {
                artifact(entries, (node, lined.line_of(node)), &properties, &managed, "org.apache.maven.plugins")?;
            }
            "repository" | "pluginRepository"
                if node
                    .ancestors()
                    .any(|above| matches!(above.tag_name().name(), "repositories" | "pluginRepositories")) =>
            {
                let url = text_of(node, "url").unwrap_or_default();
                if !url.contains("repo.maven.apache.org") && !url.contains("repo1.maven.org") {
                    entries.unknown(format!("it names a repository of its own: `{url}`"));
                }
            }
            "module" => {
                if let Some(name) = node.text().map(str::trim).filter(|name| !name.is_empty()) {
                    let path = format!("{name}/pom.xml");
                    entries.list.files.push(Listed { path, format: Format::Pom, is_implied: false });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn project(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let lined = parsed(entries.text)?;
    let document = &lined.document;
    let mut properties = HashMap::new();
    for group in document.descendants().filter(|node| node.has_tag_name("PropertyGroup")) {
        for node in group.children().filter(Node::is_element) {
            properties.insert(node.tag_name().name().to_owned(), node.text().unwrap_or_default().trim().to_owned());
        }
    }
    let names = ["PackageReference", "PackageVersion", "GlobalPackageReference", "PackageDownload"];
    for node in document.descendants().filter(|node| names.contains(&node.tag_name().name())) {
        let line = lined.line_of(node);
        let Some(name) = node.attribute("Include").or_else(|| node.attribute("Update")) else { continue };
        let version =
            ["VersionOverride", "Version"].iter().find_map(|key| node.attribute(*key).or_else(|| text_of(node, key)));
        let version = version.map(|version| substituted_by(version, &properties, "$(", ")"));
        let requirement = match version.as_deref() {
            Some(version) if version.contains("$(") => {
                entries.unknown(format!("line {line}: the version of `{name}` is set elsewhere"));
                Requirement::Any
            }
            Some(version) => nuget_requirement(version),
            None => {
                entries.unknown(format!("line {line}: the version of `{name}` is set elsewhere"));
                Requirement::Any
            }
        };
        for name in name.split(';').map(str::trim).filter(|name| !name.is_empty()) {
            entries.want("NuGet", Spec::new(name, requirement.clone()), line)?;
        }
    }
    if document
        .descendants()
        .any(|node| node.has_tag_name("RestoreSources") || node.has_tag_name("RestoreAdditionalProjectSources"))
    {
        entries.unknown("it names sources of its own");
    }
    Ok(())
}

/// `packages.config` of NuGet and of Chocolatey.
pub(super) fn packages(entries: &mut Entries<'_>) -> Result<(), ListError> {
    let lined = parsed(entries.text)?;
    let document = &lined.document;
    for node in document.descendants().filter(|node| node.has_tag_name("package")) {
        let line = lined.line_of(node);
        let Some(name) = node.attribute("id") else {
            return Err(ListError::Unreadable { line, what: "a package without an id".to_owned() });
        };
        let requirement = nuget_requirement(node.attribute("version").unwrap_or_default());
        entries.want("NuGet", Spec::new(name, requirement), line)?;
    }
    Ok(())
}

/// A document with the places where its lines end.
struct Lined<'i> {
    document: Document<'i>,
    ends: Vec<usize>,
}

impl Lined<'_> {
    fn line_of(&self, node: Node<'_, '_>) -> usize {
        let start = node.range().start;
        1 + self.ends.partition_point(|end| *end < start)
    }
}

fn parsed(text: &str) -> Result<Lined<'_>, ListError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let fail = |line: usize, what: String| ListError::Unreadable { line: line.max(1), what };
    // The parser's own place for an error counts characters from the start, once.
    let document = Document::parse_with_options(text, options)
        .map_err(|error| fail(error.pos().row as usize, format!("no XML: {error}")))?;
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    let lined = Lined { document, ends };
    let mut depth = 0_usize;
    let mut node = lined.document.root();
    'walk: loop {
        if let Some(child) = node.first_child() {
            depth += 1;
            if depth > NESTING_MAX {
                return Err(fail(lined.line_of(child), format!("it nests more than {NESTING_MAX} deep")));
            }
            node = child;
            continue;
        }
        loop {
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            let Some(parent) = node.parent() else { break 'walk };
            node = parent;
            depth -= 1;
        }
    }
    Ok(lined)
}

fn artifact(
    entries: &mut Entries<'_>,
    (node, line): (Node<'_, '_>, usize),
    properties: &HashMap<String, String>,
    managed: &HashMap<(String, String), String>,
    usual_group: &str,
) -> Result<(), ListError> {
    let group = substituted(text_of(node, "groupId").unwrap_or(usual_group), properties);
    let artifact = substituted(text_of(node, "artifactId").unwrap_or_default(), properties);
    if group.is_empty() || artifact.is_empty() {
        return Err(ListError::Unreadable { line, what: "a dependency without a group or an artifact".to_owned() });
    }
    let own = text_of(node, "version").map(str::to_owned);
    let version = own.or_else(|| managed.get(&(group.clone(), artifact.clone())).cloned());
    let version = substituted(&version.unwrap_or_default(), properties);
    let is_open = version.is_empty() || [&version, &group, &artifact].iter().any(|text| text.contains("${"));
    if is_open {
        entries.unknown(format!("line {line}: the version of `{group}:{artifact}` is set elsewhere"));
    }
    let requirement = if is_open { Requirement::Any } else { maven_requirement(&version) };
    entries.want("Maven", Spec::new(&format!("{group}:{artifact}"), requirement), line)
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.tag_name().name() == name)
}

fn below<'a, 'i>(node: Node<'a, 'i>, above: &'static str, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    let all = node.descendants().filter(move |inner| inner.tag_name().name() == above);
    all.flat_map(move |inner| inner.descendants().filter(move |leaf| leaf.tag_name().name() == name))
}

fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = node.children().find(|child| child.tag_name().name() == name)?;
    child.text().map(str::trim)
}

fn substituted(text: &str, properties: &HashMap<String, String>) -> String {
    substituted_by(text, properties, "${", "}")
}

/// The text with its properties put in; one that is not known stays as it stands.
fn substituted_by(text: &str, properties: &HashMap<String, String>, open: &str, close: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..SUBSTITUTIONS_MAX {
        let found = text.match_indices(open).find_map(|(start, _)| {
            let inner = text.get(start + open.len()..)?;
            let name = inner.get(..inner.find(close)?)?;
            Some((start, name.len(), properties.get(name)?.clone()))
        });
        let Some((start, length, value)) = found.filter(|(.., value)| value.len() + text.len() <= VALUE_BYTES_MAX)
        else {
            break;
        };
        text.replace_range(start..start + open.len() + length + close.len(), &value);
    }
    text
}
