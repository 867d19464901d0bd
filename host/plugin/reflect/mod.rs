//! Components that nobody wrote for this host: their exported functions as tools.
//!
//! A component without a manifest still says by its types what it offers: each function that it
//! exports, at the top level or in an interface, becomes a tool, and what it imports becomes what it
//! needs. docs/components.md has the rules. Nothing runs: the types are read by the validator that
//! the engine uses, and no body of a function is looked at. A type tree, a number of functions and a
//! text are bounded; a function that does not fit is left out by name, with the reason.
//!
//! `name` has the names of the tools, `schema` turns types into JSON Schema, `docs` finds what the
//! author wrote about a function. `act` is for components of ACT, whose types do not say what their
//! tools are.

mod act;
mod docs;
#[cfg(test)]
pub(crate) mod made;
mod name;
mod schema;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Map, Value, json};
use wasmparser::component_types::{ComponentEntityType, ComponentFuncType};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{Parser, Payload, ValidPayload, Validator, WasmFeatures};

use super::manifest::{Kind, Manifest, ManifestError, Need, Tool, ToolEffect};
use super::{CONTRACT, Capability, Import};
use crate::gate::explain::escaped;
use docs::Docs;
use schema::{Misfit, Room};

pub use act::{Listed, Listing, OfAct, is_of_act_types};
pub(in crate::plugin) use act::{provider, unlisted};
pub use name::name_of_file;

/// Functions of one component that are looked at. Danger: each costs a schema, and an agent is shown
/// all of them; a manifest may not have more tools either.
const FUNCTIONS_MAX: usize = 256;
/// Of a schema, as compact JSON: what a manifest may have.
const SCHEMA_BYTES_MAX: usize = 64 << 10;
/// Of what the author wrote about one function; the rest is cut.
const DESCRIPTION_BYTES_MAX: usize = 4 << 10;
/// Of the section with the docs. It is parsed as JSON, which takes many times that.
const DOCS_BYTES_MAX: usize = 1 << 20;
/// Exports that are listed as left out; those beyond are counted in one line.
const LEFT_OUT_MAX: usize = 256;
/// Of an export's name, where it is shown.
const NAME_CHARS_MAX: usize = 256;
const VERSION_BYTES_MAX: usize = 64;

/// The version of a component that does not say any.
const NO_VERSION: &str = "0.0.0";
/// Why each need of such a component is there: nobody wrote a reason.
const WHY: &str = "imported by the component; it has no manifest";

/// How the tools of a component are called that has no manifest, and what of it is no tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reflected {
    pub functions: Vec<Function>,
    pub left_out: Vec<LeftOut>,
    /// Of a component of ACT: its functions are the tools that it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<OfAct>,
}

/// Where a tool is in the component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Function {
    /// The tool's name.
    pub tool: String,
    /// The exported interface; none for a function of the top level.
    pub interface: Option<String>,
    pub function: String,
}

/// An export that is no tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// `interface#function`, as the component writes it.
    pub export: String,
    pub why: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ReflectError {
    #[error("not a WebAssembly component: its types cannot be read: {0}")]
    Types(String),
    #[error(
        "the component has no manifest, and exports no function that could be a tool{left_out}\nhint: export functions of plain types (docs/components.md), or `pi:tool/tool@0.1.0` with a manifest (docs/plugins.md)"
    )]
    Nothing { left_out: String },
    #[error(
        "the component is a program (it exports `{0}`), and no plugin\nhint: programs are run by the capability `process` as native ones; a plugin exports functions (docs/components.md)"
    )]
    Program(String),
    #[error(
        "the component is a web server (it exports `{0}`), and no plugin\nhint: a plugin exports functions that are called; docs/components.md says which"
    )]
    Server(String),
    #[error(
        "the component is of another version of ACT: it exports `{0}`, and this host calls `act:tools/tool-provider@0.2.0`\nhint: build it anew with act-sdk 0.14; or name `act run --mcp --deny wasi:filesystem` of it as an MCP server (docs/mcp.md)"
    )]
    Act(String),
    #[error("the component lists more than {FUNCTIONS_MAX} tools, and a plugin has so many at most")]
    TooManyListed,
    #[error(
        "the component is of ACT, and lists no tool that could be called{left_out}\nhint: docs/components.md says what a tool has to have"
    )]
    NothingListed { left_out: String },
    #[error("the component exports more than {FUNCTIONS_MAX} functions, and a plugin has so many tools at most")]
    TooMany,
    #[error(
        "two functions of the component would be the tool `{tool}`: `{one}` and `{other}`\nhint: names differ by more than punctuation; rename one of them"
    )]
    Twice { tool: String, one: String, other: String },
    #[error("the component's section `package-docs` has more than {} KiB", DOCS_BYTES_MAX >> 10)]
    Docs,
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// A manifest for a component that has none, under the name that its user gave it.
pub(in crate::plugin) fn reflect(
    bytes: &[u8],
    name: &str,
    imports: &[Import],
) -> Result<(Manifest, Reflected), ReflectError> {
    let outline = Outline::read(bytes)?;
    let needs = needs(imports);
    // Nobody said what a call can do. Without any capability it can only compute, from its arguments,
    // the time and random numbers; with one it may do the worst of it.
    let effect = if needs.is_empty() { ToolEffect::Read } else { ToolEffect::Destructive };
    let types = outline.types.as_ref();
    let docs = outline.docs.map(Docs::parse).unwrap_or_default();
    let mut found = Found { types, docs, effect, reflected: Reflected::default(), tools: Vec::new(), seen: 0 };
    for export in &outline.exports {
        found.export(export)?;
    }
    let Found { reflected, tools, .. } = found;
    if tools.is_empty() {
        return Err(nothing(&outline.exports, &reflected));
    }
    let manifest = outline.manifest(name, needs, tools)?;
    Ok((manifest, reflected))
}

/// What a component shows without being run: its exports and what is written in its sections.
struct Outline<'a> {
    exports: Vec<&'a str>,
    types: Types,
    docs: Option<&'a [u8]>,
    version: Option<&'a str>,
    description: Option<&'a str>,
}

impl<'a> Outline<'a> {
    /// The manifest of a component that has none of its own.
    fn manifest(&self, name: &str, needs: Vec<Need>, tools: Vec<Tool>) -> Result<Manifest, ManifestError> {
        let manifest = Manifest {
            manifest: 1,
            name: name.to_owned(),
            version: self.version.unwrap_or(NO_VERSION).to_owned(),
            kind: Kind::Tool,
            contract: CONTRACT.to_owned(),
            description: self.description.map(|text| cut(text, DESCRIPTION_BYTES_MAX)).unwrap_or_default(),
            needs,
            tools,
            prepare: false,
        };
        manifest.check()?;
        Ok(manifest)
    }

    fn read(bytes: &'a [u8]) -> Result<Self, ReflectError> {
        let broken = |error: wasmparser::BinaryReaderError| ReflectError::Types(escaped(&error.to_string()));
        // What the engine does not take is said by the engine; here as much as can be is understood,
        // so that it can be named.
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let (mut exports, mut docs, mut version, mut description) = (Vec::new(), None, None, None);
        let mut outermost = None;
        let mut depth = 1_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(broken)?;
            match validator.payload(&payload).map_err(broken)? {
                ValidPayload::Parser(_) => depth += 1,
                ValidPayload::End(types) => {
                    depth = depth.saturating_sub(1);
                    outermost = Some(types);
                }
                ValidPayload::Ok | ValidPayload::Func(..) => {}
            }
            if depth != 1 {
                continue;
            }
            match payload {
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        exports.push(export.map_err(broken)?.name.name);
                    }
                }
                Payload::CustomSection(section) => match section.name() {
                    "package-docs" if section.data().len() > DOCS_BYTES_MAX => return Err(ReflectError::Docs),
                    "package-docs" => docs = Some(section.data()),
                    "version" => version = text(section.data()).filter(|text| text.len() <= VERSION_BYTES_MAX),
                    "description" => description = text(section.data()),
                    _ => {}
                },
                _ => {}
            }
        }
        let types = outermost.ok_or_else(|| ReflectError::Types("it is cut short".into()))?;
        Ok(Self { exports, types, docs, version, description })
    }
}

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| !text.is_empty())
}

/// The capabilities that the imports ask for. Standard folders are linked for everyone, with none in
/// them: that a component could use them is said, so that they can be granted.
fn needs(imports: &[Import]) -> Vec<Need> {
    let mut names: Vec<&str> = Vec::new();
    for import in imports {
        let name = match import {
            Import::Capability(capability, _) => Capability::name(*capability),
            Import::Inert(import) if import.starts_with("wasi:filesystem/preopens@") => "preopens",
            Import::Inert(_) => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let need = |name: &str| Need {
        capability: name.to_owned(),
        why: WHY.to_owned(),
        names: Vec::new(),
        grant: None,
        is_optional: false,
    };
    names.into_iter().map(need).collect()
}

struct Found<'a> {
    types: TypesRef<'a>,
    docs: Docs,
    effect: ToolEffect,
    reflected: Reflected,
    tools: Vec<Tool>,
    /// Functions seen, left out or not.
    seen: usize,
}

impl Found<'_> {
    fn export(&mut self, name: &str) -> Result<(), ReflectError> {
        let Some(item) = self.types.component_item_for_export(name) else { return Ok(()) };
        match item.ty {
            ComponentEntityType::Func(id) => {
                if let Some(function) = self.types.get(id) {
                    self.function(None, name, function)?;
                }
            }
            ComponentEntityType::Instance(_) if name.starts_with("wasi:") || name.starts_with("pi:") => {
                self.leave_out(
                    name.to_owned(),
                    "an interface that a host knows, and no function of the component's own",
                );
            }
            ComponentEntityType::Instance(id) => {
                let Some(instance) = self.types.get(id) else { return Ok(()) };
                for (inner, item) in &instance.exports {
                    match item.ty {
                        ComponentEntityType::Func(id) => {
                            if let Some(function) = self.types.get(id) {
                                self.function(Some(name), inner, function)?;
                            }
                        }
                        // Types are part of the functions that use them.
                        ComponentEntityType::Type { .. } => {}
                        _ => self.leave_out(format!("{name}#{inner}"), "no function"),
                    }
                }
            }
            ComponentEntityType::Type { .. } => {}
            ComponentEntityType::Module(_) | ComponentEntityType::Value(_) | ComponentEntityType::Component(_) => {
                self.leave_out(name.to_owned(), "no function");
            }
        }
        Ok(())
    }

    fn function(
        &mut self,
        interface: Option<&str>,
        name: &str,
        function: &ComponentFuncType,
    ) -> Result<(), ReflectError> {
        self.seen += 1;
        if self.seen > FUNCTIONS_MAX {
            return Err(ReflectError::TooMany);
        }
        let export = interface.map_or_else(|| name.to_owned(), |interface| format!("{interface}#{name}"));
        // Every component that componentize-py made has this one, for componentize-py alone.
        if (interface, name) == (Some("exports"), "init") {
            self.leave_out(export, "a function for the tool that made the component");
            return Ok(());
        }
        let input_schema = match input_schema(self.types, name, function) {
            Ok(schema) => schema,
            Err(misfit) => {
                self.leave_out(export, misfit.why());
                return Ok(());
            }
        };
        let tool = name::of_tool(interface, name);
        if let Some(at) = self.reflected.functions.iter().position(|earlier| earlier.tool == tool) {
            let one = self.reflected.functions.get(at).map(Function::export).unwrap_or_default();
            return Err(ReflectError::Twice { tool, one: shown(&one), other: shown(&export) });
        }
        let description = self.docs.of(interface, name).map(|text| cut(text, DESCRIPTION_BYTES_MAX));
        self.tools.push(Tool {
            name: tool.clone(),
            description: description.unwrap_or_else(|| format!("The function `{export}` of the component")),
            effect: self.effect,
            // The clock and random numbers are there for every component.
            idempotent: false,
            input_schema,
        });
        let (interface, function) = (interface.map(str::to_owned), name.to_owned());
        self.reflected.functions.push(Function { tool, interface, function });
        Ok(())
    }

    fn leave_out(&mut self, export: String, why: &str) {
        let left_out = &mut self.reflected.left_out;
        match left_out.len() {
            count if count < LEFT_OUT_MAX => {
                let export = export.chars().take(NAME_CHARS_MAX).collect();
                left_out.push(LeftOut { export, why: why.to_owned() });
            }
            LEFT_OUT_MAX => left_out.push(LeftOut { export: "...".into(), why: "and more".into() }),
            _ => {}
        }
    }
}

impl Function {
    /// `interface#function`, as the component writes it.
    #[must_use]
    pub fn export(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{interface}#{}", self.function),
            None => self.function.clone(),
        }
    }
}

/// The schema of a function's parameters. Its result has to be one that can be told, too.
fn input_schema(types: TypesRef<'_>, name: &str, function: &ComponentFuncType) -> Result<Value, Misfit> {
    if name.starts_with('[') {
        return Err(Misfit::Method);
    }
    if function.async_ {
        return Err(Misfit::Async);
    }
    if let Some(result) = &function.result {
        schema::of(types, result, &mut Room::new(SCHEMA_BYTES_MAX))?;
    }
    let mut room = Room::new(SCHEMA_BYTES_MAX);
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, ty) in &function.params {
        room.take(name.len())?;
        if !schema::is_option(types, ty) {
            required.push(Value::from(name.as_str()));
        }
        properties.insert(name.as_str().to_owned(), schema::of(types, ty, &mut room)?);
    }
    let schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false
    });
    if schema.to_string().len() > SCHEMA_BYTES_MAX {
        return Err(Misfit::TooLarge);
    }
    Ok(schema)
}

/// Why there is nothing to call: what the component is instead, where that is known.
fn nothing(exports: &[&str], reflected: &Reflected) -> ReflectError {
    let of = |prefixes: &[&str]| {
        exports.iter().find(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).map(|name| shown(name))
    };
    if let Some(name) = of(&["wasi:cli/run@"]) {
        return ReflectError::Program(name);
    }
    if let Some(name) = of(&["wasi:http/incoming-handler@", "wasi:http/handler@"]) {
        return ReflectError::Server(name);
    }
    let left_out: Vec<String> =
        reflected.left_out.iter().take(8).map(|left| format!("\n  `{}`: {}", shown(&left.export), left.why)).collect();
    let left_out = if left_out.is_empty() { String::new() } else { format!("; it exports:{}", left_out.concat()) };
    ReflectError::Nothing { left_out }
}

/// A name that the component made up, for an error: a line of it could pass for a hint of ours.
fn shown(name: &str) -> String {
    escaped(&name.chars().take(NAME_CHARS_MAX).collect::<String>())
}

/// The begin of a text, at the end of a character.
fn cut(text: &str, bytes_max: usize) -> String {
    let text = text.trim();
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text).to_owned()
}
