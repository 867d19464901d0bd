//! Reading a component's bytes: what it imports and exports, and the manifest inside.

use serde::Serialize;
use wasmparser::{Chunk, Encoding, Parser, Payload};

use super::reflect::{ReflectError, Reflected, is_of_act_types, provider, reflect, unlisted};
use super::{Manifest, ManifestError, SECTION};
use crate::gate::explain::escaped;

/// A component larger than this is not read.
const COMPONENT_BYTES_MAX: usize = 256 << 20;
/// Of a name inside it, in an error: the longest are as long as the component.
const QUOTED_CHARS_MAX: usize = 256;

/// What can be granted. Each belongs to one interface, or to one family of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    Files,
    Process,
    Services,
    Cloud,
    Sql,
    Tools,
    Session,
    Model,
    Log,
    Http,
    KeyValue,
    Config,
}

impl Capability {
    /// The word for it in manifests and in `pi.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Capability::Files => "files",
            Capability::Process => "process",
            Capability::Services => "services",
            Capability::Cloud => "cloud",
            Capability::Sql => "sql",
            Capability::Tools => "tools",
            Capability::Session => "session",
            Capability::Model => "model",
            Capability::Log => "log",
            Capability::Http => "http",
            Capability::KeyValue => "keyvalue",
            Capability::Config => "config",
        }
    }
}

/// What an import of a component asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Import {
    /// Always linked, and reaches nothing: clocks, random numbers, an empty environment, an empty
    /// file system, types.
    Inert(String),
    /// Linked where it is declared and granted.
    Capability(Capability, String),
}

impl Import {
    /// The interface, as the component names it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Inert(name) | Self::Capability(_, name) => name,
        }
    }
}

/// A component, looked at but not compiled.
#[derive(Clone, Debug)]
pub struct Binary {
    pub manifest: Manifest,
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
    /// Of a component that nobody wrote for this host: how its functions are called. Its manifest was
    /// made from its types, and of one of ACT from what it lists.
    pub reflected: Option<Reflected>,
}

#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    #[error(
        "not a WebAssembly component: {0}\nhint: build it for wasm32-wasip2, or wrap the module with `wasm-tools component new`"
    )]
    NotComponent(String),
    #[error("the component is larger than {} MiB", COMPONENT_BYTES_MAX >> 20)]
    TooLarge,
    #[error(
        "the component has no manifest\nhint: add its plugin.json as the custom section `{SECTION}`, with `pi-host plugin pack`: docs/plugins.md"
    )]
    NoManifest,
    #[error("the component has two manifests\nhint: pack what the build has just made, once")]
    TwoManifests,
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Reflect(#[from] ReflectError),
    #[error("{0}")]
    Unlisted(String),
    #[error(
        "the component imports what this host does not have: `{0}`\nhint: remove the dependency on it, or see docs/plugins.md for the interfaces there are"
    )]
    UnknownImport(String),
    #[error(
        "the component imports another version of an interface: `{found}`, this host has `{known}`\nhint: build it against wit/ of this host's version"
    )]
    OtherVersion { found: String, known: String },
    #[error(
        "the component exports `{found}`, this host speaks `{known}`\nhint: build it against wit/ of this host's version"
    )]
    OtherContract { found: String, known: String },
    #[error(
        "the component exports neither `pi:tool/tool@0.1.0` nor `pi:agent/agent@0.1.0`, as its manifest says it does"
    )]
    NoContract,
    #[error(
        "the component imports `{import}`, and its manifest does not declare `{capability}`\nhint: declare it under `needs` in plugin.json, with the reason, and pack it again"
    )]
    Undeclared { import: String, capability: &'static str },
    #[error(
        "the manifest declares an unknown capability: `{0}`\nhint: known are files, process, services, cloud, sql, tools, session, model, log, preopens, http, secrets, keyvalue, config"
    )]
    UnknownNeed(String),
}

/// The interfaces of our own, with what each asks for.
const INTERFACES: &[(&str, Option<Capability>)] = &[
    ("pi:gate/refusal@0.1.0", None),
    ("pi:tool/types@0.1.0", None),
    ("pi:files/files@0.1.0", Some(Capability::Files)),
    ("pi:process/process@0.1.0", Some(Capability::Process)),
    ("pi:services/services@0.1.0", Some(Capability::Services)),
    ("pi:cloud/cloud@0.1.0", Some(Capability::Cloud)),
    ("pi:sql/sql@0.1.0", Some(Capability::Sql)),
    ("pi:tools/tools@0.1.0", Some(Capability::Tools)),
    ("pi:agent/session@0.1.0", Some(Capability::Session)),
    ("pi:agent/conversation@0.1.0", Some(Capability::Session)),
    ("pi:model/model@0.1.0", Some(Capability::Model)),
    ("wasi:logging/logging@0.1.0-draft", Some(Capability::Log)),
    ("wasi:keyvalue/store@0.2.0-draft", Some(Capability::KeyValue)),
    ("wasi:keyvalue/atomics@0.2.0-draft", Some(Capability::KeyValue)),
    ("wasi:keyvalue/batch@0.2.0-draft", Some(Capability::KeyValue)),
    ("wasi:config/store@0.2.0-rc.1", Some(Capability::Config)),
];

/// Of these every version 0.2 will do: they are stable, and later ones only add.
const STABLE: &[(&str, Option<Capability>)] =
    &[("wasi:http/types@0.2.", None), ("wasi:http/outgoing-handler@0.2.", Some(Capability::Http))];

/// What can be granted and is no import: by what the plugin says it needs.
const WITHOUT_IMPORT: &[&str] = &["preopens", "secrets"];

/// The standard packages that are linked with nothing behind them.
const INERT: &[&str] = &["wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:cli/", "wasi:filesystem/", "wasi:sockets/"];

impl Binary {
    /// Look at a component that was written for this host.
    ///
    /// # Errors
    /// What it is that this host cannot take, by name, and what to do.
    pub fn read(bytes: &[u8]) -> Result<Self, BinaryError> {
        Self::look(bytes, None)
    }

    /// Look at any component: one without a manifest gets one, under this name, from its types.
    ///
    /// # Errors
    /// As of [`Binary::read`]; or nothing that it exports can be called.
    pub fn read_named(bytes: &[u8], name: &str) -> Result<Self, BinaryError> {
        Self::look(bytes, Some(name))
    }

    fn look(bytes: &[u8], name: Option<&str>) -> Result<Self, BinaryError> {
        if bytes.len() > COMPONENT_BYTES_MAX {
            return Err(BinaryError::TooLarge);
        }
        let Surface { imports, exports, section } = surface(bytes)?;
        // The contract is looked at before the manifest: a plugin of another version may well
        // carry a manifest of another form.
        for export in &exports {
            check_contract(export)?;
        }
        let has_tool = exports.iter().any(|e| e == "pi:tool/tool@0.1.0");
        let has_agent = exports.iter().any(|e| e == "pi:agent/agent@0.1.0");
        let manifest = match (section, name) {
            (Some(section), _) => Manifest::parse(section)?,
            // One of the contract without a manifest was not packed: what it needs is not known.
            (None, Some(name)) if !has_tool && !has_agent => {
                // Before its imports are judged: of another version of ACT those are other ones, too.
                let provider = provider(&exports)?;
                let imports = imports.into_iter().map(classify).collect::<Result<Vec<_>, _>>()?;
                let (manifest, reflected) = match provider {
                    Some(provider) => unlisted(bytes, name, &imports, provider)?,
                    None => reflect(bytes, name, &imports)?,
                };
                return Ok(Self { manifest, imports, exports, reflected: Some(reflected) });
            }
            (None, _) => return Err(BinaryError::NoManifest),
        };
        let is_as_said = match manifest.kind {
            super::Kind::Tool => has_tool,
            super::Kind::Agent => has_agent,
        };
        if !is_as_said {
            return Err(BinaryError::NoContract);
        }
        let imports = imports.into_iter().map(classify).collect::<Result<Vec<_>, _>>()?;
        let binary = Self { manifest, imports, exports, reflected: None };
        binary.check_needs()?;
        Ok(binary)
    }

    /// The capabilities that the component really imports.
    pub fn capabilities(&self) -> impl Iterator<Item = (Capability, &str)> {
        self.imports.iter().filter_map(|import| match import {
            Import::Capability(capability, name) => Some((*capability, name.as_str())),
            Import::Inert(_) => None,
        })
    }

    fn check_needs(&self) -> Result<(), BinaryError> {
        let needs = &self.manifest.needs;
        for need in needs {
            let is_known = INTERFACES.iter().chain(STABLE).any(|(_, c)| c.is_some_and(|c| c.name() == need.capability));
            if !is_known && !WITHOUT_IMPORT.contains(&need.capability.as_str()) {
                return Err(BinaryError::UnknownNeed(quoted(&need.capability)));
            }
        }
        for (capability, import) in self.capabilities() {
            if !needs.iter().any(|need| need.capability == capability.name()) {
                return Err(BinaryError::Undeclared { import: import.to_owned(), capability: capability.name() });
            }
        }
        Ok(())
    }
}

/// The outermost level of a component.
struct Surface<'a> {
    imports: Vec<String>,
    exports: Vec<String>,
    section: Option<&'a [u8]>,
}

fn surface(bytes: &[u8]) -> Result<Surface<'_>, BinaryError> {
    let broken = |error: wasmparser::BinaryReaderError| BinaryError::NotComponent(escaped(&error.to_string()));
    let mut found = Surface { imports: Vec::new(), exports: Vec::new(), section: None };
    let mut parser = Parser::new(0);
    let mut rest = bytes;
    loop {
        let (consumed, payload) = match parser.parse(rest, true).map_err(broken)? {
            Chunk::Parsed { consumed, payload } => (consumed, payload),
            Chunk::NeedMoreData(_) => return Err(BinaryError::NotComponent("it is cut short".into())),
        };
        rest = rest.get(consumed..).unwrap_or_default();
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } => {
                return Err(BinaryError::NotComponent("it is a core module".into()));
            }
            // What is nested is the compiler's business: it is stepped over, not read.
            Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                rest = rest
                    .get(unchecked_range.len()..)
                    .ok_or_else(|| BinaryError::NotComponent("it is cut short".into()))?;
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    found.imports.push(import.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    found.exports.push(export.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section)
                if section.name() == SECTION && found.section.replace(section.data()).is_some() =>
            {
                return Err(BinaryError::TwoManifests);
            }
            Payload::End(_) => return Ok(found),
            _ => {}
        }
    }
}

fn classify(name: String) -> Result<Import, BinaryError> {
    if let Some((known, capability)) = INTERFACES.iter().find(|(known, _)| *known == name) {
        return Ok(match capability {
            Some(capability) => Import::Capability(*capability, (*known).to_owned()),
            None => Import::Inert(name),
        });
    }
    if let Some((_, capability)) = STABLE.iter().find(|(begin, _)| name.starts_with(begin)) {
        return Ok(match capability {
            Some(capability) => Import::Capability(*capability, name),
            None => Import::Inert(name),
        });
    }
    let is_standard = INERT.iter().any(|package| name.starts_with(package)) && name.contains("@0.2.");
    if is_standard || is_of_act_types(&name) {
        return Ok(Import::Inert(name));
    }
    if let Some((package, _)) = name.split_once("@0.3.").filter(|_| name.starts_with("wasi:")) {
        return Err(BinaryError::OtherVersion { found: quoted(&name), known: format!("{}@0.2", quoted(package)) });
    }
    let stem = |full: &str| full.split('@').next().unwrap_or_default().to_owned();
    match INTERFACES.iter().find(|(known, _)| stem(known) == stem(&name)) {
        Some((known, _)) => Err(BinaryError::OtherVersion { found: quoted(&name), known: (*known).to_owned() }),
        None => Err(BinaryError::UnknownImport(quoted(&name))),
    }
}

fn check_contract(export: &str) -> Result<(), BinaryError> {
    for known in ["pi:tool/tool@0.1.0", "pi:agent/agent@0.1.0"] {
        let stem = known.split('@').next().unwrap_or_default();
        if export != known && export.split('@').next() == Some(stem) {
            return Err(BinaryError::OtherContract { found: quoted(export), known: known.to_owned() });
        }
    }
    Ok(())
}

/// A name that the component made up, for an error: a line of it could pass for a hint of ours.
fn quoted(name: &str) -> String {
    escaped(&name.chars().take(QUOTED_CHARS_MAX).collect::<String>())
}

/// Put a manifest into a component: append it as the custom section that [`Binary::read`] reads.
#[must_use]
pub fn pack(component: &[u8], manifest: &str) -> Vec<u8> {
    use wasm_encoder::{ComponentSection as _, CustomSection};
    let mut packed = component.to_vec();
    CustomSection { name: SECTION.into(), data: manifest.as_bytes().into() }.append_to_component(&mut packed);
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_component_forges_no_line_of_an_error() {
        let forged = "evil:a/b\nhint: run this\u{1b}[2J".to_owned();
        let text = classify(forged).unwrap_err().to_string();
        assert!(text.contains("`evil:a/b\\nhint: run this\\u{1b}[2J`"), "{text}");
    }

    #[test]
    fn a_name_in_an_error_is_cut_at_its_limit() {
        assert_eq!(quoted(&"x".repeat(QUOTED_CHARS_MAX + 1)).len(), QUOTED_CHARS_MAX);
    }
}
