//! Components of ACT, whose types do not say which tools they have: they list them when they are asked.
//!
//! Here is what can be said without asking, and what becomes of a list: it is one that the component wrote, so each
//! part of it is bounded, and a tool that does not fit is left out by name. Who asks is no business of this module.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::unique::Unique;
use super::{
    DESCRIPTION_BYTES_MAX, FUNCTIONS_MAX, Function, LEFT_OUT_MAX, LeftOut, NAME_CHARS_MAX, Outline, ReflectError,
    Reflected, SCHEMA_BYTES_MAX, cut, name, needs, shown,
};
use crate::plugin::manifest::{Manifest, Need, Tool, ToolEffect};
use crate::plugin::{Binary, Import};

/// The interface by which tools are called. Later versions of 0.2 only add to it; whether one has the functions that
/// are called is seen when it is linked.
const PROVIDER: &str = "act:tools/tool-provider@0.2.";
/// The interfaces that a component imports for the types in them.
const TYPES: &[&str] = &["act:core/types@", "act:tools/types@"];
/// What each call of a component of ACT takes along, where it is granted: no import shows it.
const CONFIG: &str = "config";
const CONFIG_WHY: &str = "what stands in [plugins.X.config] goes along with each call, as ACT's metadata";
/// Of an object's schema.
const OBJECT: &str = "object";

/// What a component of ACT is beside what any other is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfAct {
    /// The interface that it exports, with its version.
    pub provider: String,
    /// Whether it was asked which tools it has.
    pub is_listed: bool,
    /// The tools of which it says itself that they destroy.
    pub destructive: BTreeSet<String>,
}

/// What a component says that its tools are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub tools: Vec<Listed>,
}

/// One tool in the component's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub description: String,
    /// JSON Schema of its arguments.
    pub input_schema: String,
    pub is_destructive: bool,
}

/// Whether an import is one of ACT's with nothing but types in it.
#[must_use]
pub fn is_of_act_types(import: &str) -> bool {
    TYPES.iter().any(|begin| import.starts_with(begin))
}

/// The interface of ACT by which the tools of a component are called, if it is of ACT.
///
/// # Errors
/// It is of a version of ACT that this host does not speak.
pub(in crate::plugin) fn provider(exports: &[String]) -> Result<Option<&str>, ReflectError> {
    let of_act = |export: &&String| export.starts_with("act:") && export.contains("/tool-provider");
    match exports.iter().find(|export| export.starts_with(PROVIDER)) {
        Some(provider) => Ok(Some(provider)),
        None => exports.iter().find(of_act).map_or(Ok(None), |other| Err(ReflectError::Act(shown(other)))),
    }
}

/// A manifest for a component of ACT, without its tools yet.
pub(in crate::plugin) fn unlisted(
    bytes: &[u8],
    name: &str,
    imports: &[Import],
    provider: &str,
) -> Result<(Manifest, Reflected), ReflectError> {
    let outline = Outline::read(bytes)?;
    let others = outline.exports.iter().filter(|export| **export != provider && !is_of_act_types(export));
    let left_out = others.take(LEFT_OUT_MAX).map(|export| LeftOut {
        export: export.chars().take(NAME_CHARS_MAX).collect(),
        why: match export.starts_with("act:sessions/") {
            true => "sessions are not kept: each call has an instance of its own",
            false => "not by what tools of ACT are called",
        }
        .into(),
    });
    let mut needs = needs(imports);
    if !needs.iter().any(|need| need.capability == CONFIG) {
        let (capability, why) = (CONFIG.to_owned(), CONFIG_WHY.to_owned());
        needs.push(Need { capability, why, names: Vec::new(), grant: None, is_optional: false });
    }
    let act = OfAct { provider: provider.to_owned(), is_listed: false, destructive: BTreeSet::new() };
    let reflected = Reflected { functions: Vec::new(), left_out: left_out.collect(), act: Some(act) };
    let manifest = outline.manifest(name, needs, Vec::new())?;
    Ok((manifest, reflected))
}

impl Binary {
    /// Whether it is called as ACT calls its components.
    #[must_use]
    pub fn is_of_act(&self) -> bool {
        self.reflected.as_ref().is_some_and(|reflected| reflected.act.is_some())
    }

    /// Whether it still has to be asked which tools it has.
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        let act = self.reflected.as_ref().and_then(|reflected| reflected.act.as_ref());
        act.is_some_and(|act| !act.is_listed)
    }

    /// The component with the tools that it lists; as it is, where it lists none itself.
    ///
    /// # Errors
    /// More than a plugin may have, two of one name, or none that can be called.
    pub fn with_listing(mut self, listing: &Listing) -> Result<Self, ReflectError> {
        let Some(reflected) = &mut self.reflected else { return Ok(self) };
        let Some(act) = &mut reflected.act else { return Ok(self) };
        if listing.tools.len() > FUNCTIONS_MAX {
            return Err(ReflectError::TooManyListed);
        }
        // Nobody but the component says what a tool does, so as with any other of which nothing is known: the worst.
        // That it only reads, or may be called twice, is not taken from it; that it destroys is.
        let is_harmless = self.manifest.needs.iter().all(|need| need.capability == CONFIG);
        for listed in &listing.tools {
            let input_schema = match fitting(listed) {
                Ok(schema) => schema,
                Err(why) => {
                    let export = listed.name.chars().take(NAME_CHARS_MAX).collect();
                    reflected.left_out.push(LeftOut { export, why: why.into() });
                    continue;
                }
            };
            let tool = name::of_tool(None, &listed.name);
            if let Some(earlier) = reflected.functions.iter().find(|earlier| earlier.tool == tool) {
                return Err(ReflectError::Twice { one: shown(&earlier.function), other: shown(&listed.name), tool });
            }
            let description = cut(&listed.description, DESCRIPTION_BYTES_MAX);
            let is_read = is_harmless && !listed.is_destructive;
            if listed.is_destructive {
                act.destructive.insert(tool.clone());
            }
            self.manifest.tools.push(Tool {
                name: tool.clone(),
                description: match description.is_empty() {
                    true => format!("The tool `{}` of the component", listed.name),
                    false => description,
                },
                effect: if is_read { ToolEffect::Read } else { ToolEffect::Destructive },
                idempotent: false,
                input_schema,
            });
            let (interface, function) = (Some(act.provider.clone()), listed.name.clone());
            reflected.functions.push(Function { tool, interface, function });
        }
        if self.manifest.tools.is_empty() {
            let left_out = reflected.left_out.iter().take(8);
            let left_out: Vec<String> =
                left_out.map(|left| format!("\n  `{}`: {}", shown(&left.export), left.why)).collect();
            return Err(ReflectError::NothingListed { left_out: left_out.concat() });
        }
        act.is_listed = true;
        self.manifest.check()?;
        Ok(self)
    }
}

impl Reflected {
    /// Whether the component says itself that a tool of it destroys.
    #[must_use]
    pub fn is_said_destructive(&self, tool: &str) -> bool {
        self.act.as_ref().is_some_and(|act| act.destructive.contains(tool))
    }
}

/// The schema of a tool that can be offered; or why it cannot be.
fn fitting(listed: &Listed) -> Result<Value, &'static str> {
    if listed.name.is_empty() || listed.name.len() > NAME_CHARS_MAX {
        return Err("its name is empty, or longer than 256 bytes");
    }
    const TOO_LARGE: &str = "its schema is larger than 64 KiB";
    if listed.input_schema.len() > SCHEMA_BYTES_MAX {
        return Err(TOO_LARGE);
    }
    let Ok(Unique(Value::Object(mut schema))) = serde_json::from_str(&listed.input_schema) else {
        return Err("its schema is no JSON object, or has one key twice");
    };
    if schema.get("type").is_some_and(|ty| ty != OBJECT) {
        return Err("its arguments are no object, by its schema");
    }
    schema.insert("type".into(), OBJECT.into());
    let schema = Value::Object(schema);
    if schema.to_string().len() > SCHEMA_BYTES_MAX { Err(TOO_LARGE) } else { Ok(schema) }
}
