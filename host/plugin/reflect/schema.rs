//! The types of the component model as JSON Schema (2020-12).
//!
//! A value is written as wassette writes it; where a client has a better form for it (bytes as
//! base64, large integers as text), that is taken as well. `runtime/plain` reads and writes the
//! values. A tree of types may double at each level, so what is made of it is bounded as it is made.

use serde_json::{Map, Value, json};
use wasmparser::PrimitiveValType;
use wasmparser::component_types::{ComponentDefinedType, ComponentValType};
use wasmparser::types::TypesRef;

/// Types inside of types. Danger: the JSON of a value is nested up to twice as deep, that of a schema
/// four times, and readers of JSON end at 128 levels.
pub(super) const DEPTH_MAX: usize = 24;
/// What each type costs at least in a schema.
const NODE_BYTES: usize = 16;

/// Why a function is no tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    Method,
    Resource,
    Async,
    TooDeep,
    TooLarge,
}

impl Misfit {
    pub(super) fn why(self) -> &'static str {
        match self {
            Misfit::Method => "belongs to a resource, which would have to live longer than a call",
            Misfit::Resource => "takes or returns a resource, which would have to live longer than a call",
            Misfit::Async => "is asynchronous (async, stream, future or error-context)",
            Misfit::TooDeep => "its types are nested more than 24 levels deep",
            Misfit::TooLarge => "its types are larger than 64 KiB as JSON Schema",
        }
    }
}

/// What is left of a schema's size.
pub(super) struct Room {
    bytes: usize,
    depth: usize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, depth: 0 }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Misfit> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Misfit::TooLarge)?;
        Ok(())
    }
}

/// Whether a value of this type may be left out of a record.
pub(super) fn is_option(types: TypesRef<'_>, ty: &ComponentValType) -> bool {
    matches!(defined(types, ty), Some(ComponentDefinedType::Option { .. }))
}

/// The schema of a type.
pub(super) fn of(types: TypesRef<'_>, ty: &ComponentValType, room: &mut Room) -> Result<Value, Misfit> {
    room.take(NODE_BYTES)?;
    if room.depth >= DEPTH_MAX {
        return Err(Misfit::TooDeep);
    }
    room.depth += 1;
    let schema = match ty {
        ComponentValType::Primitive(primitive) => of_primitive(*primitive),
        // An id that the validator itself gave is known to it.
        ComponentValType::Type(id) => types.get(*id).ok_or(Misfit::TooLarge).and_then(|ty| of_defined(types, ty, room)),
    };
    room.depth -= 1;
    schema
}

fn defined<'a>(types: TypesRef<'a>, ty: &ComponentValType) -> Option<&'a ComponentDefinedType> {
    match ty {
        ComponentValType::Primitive(_) => None,
        ComponentValType::Type(id) => types.get(*id),
    }
}

fn of_primitive(ty: PrimitiveValType) -> Result<Value, Misfit> {
    let integer = |least: i64, most: i64| json!({ "type": "integer", "minimum": least, "maximum": most });
    Ok(match ty {
        PrimitiveValType::Bool => json!({ "type": "boolean" }),
        PrimitiveValType::S8 => integer(i8::MIN.into(), i8::MAX.into()),
        PrimitiveValType::U8 => integer(u8::MIN.into(), u8::MAX.into()),
        PrimitiveValType::S16 => integer(i16::MIN.into(), i16::MAX.into()),
        PrimitiveValType::U16 => integer(u16::MIN.into(), u16::MAX.into()),
        PrimitiveValType::S32 => integer(i32::MIN.into(), i32::MAX.into()),
        PrimitiveValType::U32 => integer(u32::MIN.into(), u32::MAX.into()),
        // Beyond 2^53 many clients have no integers: text is taken as well.
        PrimitiveValType::S64 => json!({
            "type": ["integer", "string"], "minimum": i64::MIN, "maximum": i64::MAX, "pattern": "^-?[0-9]{1,19}$"
        }),
        PrimitiveValType::U64 => json!({
            "type": ["integer", "string"], "minimum": 0, "maximum": u64::MAX, "pattern": "^[0-9]{1,20}$"
        }),
        // JSON has no word for these three.
        PrimitiveValType::F32 | PrimitiveValType::F64 => json!({
            "type": ["number", "string"], "pattern": "^(NaN|-?inf|-?Infinity)$"
        }),
        PrimitiveValType::Char => {
            json!({ "type": "string", "minLength": 1, "maxLength": 1, "description": "1 unicode codepoint" })
        }
        PrimitiveValType::String => json!({ "type": "string" }),
        PrimitiveValType::ErrorContext => return Err(Misfit::Async),
    })
}

fn of_defined(types: TypesRef<'_>, ty: &ComponentDefinedType, room: &mut Room) -> Result<Value, Misfit> {
    Ok(match ty {
        ComponentDefinedType::Primitive(primitive) => of_primitive(*primitive)?,
        ComponentDefinedType::List { element, .. } => list(types, element, room)?,
        ComponentDefinedType::FixedLengthList { element, length, .. } => {
            let mut schema = list(types, element, room)?;
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("minItems".into(), (*length).into());
                schema.insert("maxItems".into(), (*length).into());
            }
            schema
        }
        ComponentDefinedType::Map { key, value, .. } => json!({ "type": "array", "items": {
            "type": "object",
            "properties": { "key": of(types, key, room)?, "value": of(types, value, room)? },
            "required": ["key", "value"],
            "additionalProperties": false
        }}),
        ComponentDefinedType::Tuple(tuple) => {
            let items = tuple.types.iter().map(|ty| of(types, ty, room)).collect::<Result<Vec<_>, _>>()?;
            let count = items.len();
            json!({ "type": "array", "prefixItems": items, "minItems": count, "maxItems": count })
        }
        ComponentDefinedType::Record(record) => {
            let (mut properties, mut required) = (Map::new(), Vec::new());
            for (name, ty) in &record.fields {
                room.take(name.len())?;
                if !is_option(types, ty) {
                    required.push(Value::from(name.as_str()));
                }
                properties.insert(name.as_str().to_owned(), of(types, ty, room)?);
            }
            json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
        }
        ComponentDefinedType::Variant(variant) => {
            let mut cases = Vec::new();
            for (name, case) in &variant.cases {
                room.take(NODE_BYTES + name.len())?;
                cases.push(match &case.ty {
                    Some(ty) => object(json!({ "tag": { "const": name.as_str() }, "val": of(types, ty, room)? })),
                    None => object(json!({ "tag": { "const": name.as_str() } })),
                });
            }
            json!({ "oneOf": cases })
        }
        ComponentDefinedType::Enum(names) => {
            json!({ "type": "string", "enum": listed(names.iter().map(|name| name.as_str()), room)? })
        }
        ComponentDefinedType::Flags(names) => {
            let names = listed(names.iter().map(|name| name.as_str()), room)?;
            let properties: Map<String, Value> = names
                .iter()
                .filter_map(|name| Some((name.as_str()?.to_owned(), json!({ "type": "boolean" }))))
                .collect();
            // Wassette describes an object of booleans, and reads and writes a list of names.
            json!({
                "type": ["array", "object"],
                "items": { "enum": names }, "properties": properties, "additionalProperties": false
            })
        }
        ComponentDefinedType::Option { ty, .. } => {
            let some = of(types, ty, room)?;
            // One `null` cannot stand for two kinds of nothing.
            let some = if is_option(types, ty) { object(json!({ "some": some })) } else { some };
            json!({ "anyOf": [{ "type": "null" }, some] })
        }
        ComponentDefinedType::Result { ok, err, .. } => {
            let mut side = |ty: &Option<ComponentValType>| match ty {
                Some(ty) => of(types, ty, room),
                None => Ok(json!({ "type": "null" })),
            };
            json!({ "oneOf": [object(json!({ "ok": side(ok)? })), object(json!({ "err": side(err)? }))] })
        }
        ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => return Err(Misfit::Resource),
        ComponentDefinedType::Future { .. } | ComponentDefinedType::Stream { .. } => return Err(Misfit::Async),
    })
}

fn list(types: TypesRef<'_>, element: &ComponentValType, room: &mut Room) -> Result<Value, Misfit> {
    let items = of(types, element, room)?;
    let is_bytes = matches!(element, ComponentValType::Primitive(PrimitiveValType::U8))
        || matches!(defined(types, element), Some(ComponentDefinedType::Primitive(PrimitiveValType::U8)));
    Ok(if is_bytes {
        json!({ "type": ["array", "string"], "items": items, "contentEncoding": "base64" })
    } else {
        json!({ "type": "array", "items": items })
    })
}

/// An object with all of these and no other.
fn object(properties: Value) -> Value {
    let required: Vec<String> = properties.as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn listed<'a>(names: impl Iterator<Item = &'a str>, room: &mut Room) -> Result<Vec<Value>, Misfit> {
    names
        .map(|name| {
            room.take(name.len())?;
            Ok(Value::from(name))
        })
        .collect()
}
