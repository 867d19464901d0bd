//! Tools by their Rust types: [`tools!`] makes the definitions and the dispatch from one table.
//!
//! The schema of a tool is that of its argument type, as schemars derives it: doc comments become
//! descriptions, `Option` fields and those with a default are not required. The host checks the
//! arguments against it before the plugin runs, so a function gets only what its type says.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Definition, Effect, Error};

/// The arguments of a tool that takes none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct NoArguments {}

/// The definition of a tool that takes `A`. Used by [`tools!`].
#[must_use]
pub fn definition<A: JsonSchema>(name: &str, description: &str, effect: Effect, idempotent: bool) -> Definition {
    Definition {
        name: name.to_owned(),
        description: description.trim().to_owned(),
        input_schema: input_schema::<A>().to_string(),
        effect,
        idempotent,
    }
}

/// The arguments of a call. Used by [`tools!`].
///
/// # Errors
/// They are not what the tool takes: which, and where.
pub fn parsed<A: DeserializeOwned>(name: &str, arguments: &str) -> Result<A, Error> {
    serde_json::from_str(arguments)
        .map_err(|error| Error::InvalidArguments(format!("`{name}` does not take these arguments: {error}")))
}

/// One document without references where the type is not recursive: some callers do not follow them.
fn input_schema<A: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<A>().to_value();
    if let Some(object) = schema.as_object_mut() {
        // The type's own name and comment say nothing about the tool; its fields' comments do.
        object.remove("title");
        object.remove("description");
        object.entry("type").or_insert_with(|| json!("object"));
        // A misspelt argument is an error for whoever calls, not silence.
        object.entry("additionalProperties").or_insert_with(|| json!(false));
    }
    schema
}

/// Export functions as the tools of a plugin. Each line is the tool's effect (`read`, `write` or
/// `destructive`), its name, the type of its arguments, and what it does, for a model or a person:
///
/// ```text
/// pi_sdk::tools! {
///     read count(Count) "Count the lines of a text file";
///     write(idempotent) mark(Mark) "Mark a file as read";
/// }
///
/// fn count(arguments: Count) -> Result<pi_sdk::Json<Counted>, pi_sdk::Error> { ... }
/// ```
///
/// `idempotent` says that a second call changes nothing more, so that a call may be made again when it
/// is not known whether it was done; a tool that only reads always is. The functions stand beside the
/// macro, take the type and return a `Result` of anything that is [`IntoContent`](crate::IntoContent).
#[macro_export]
macro_rules! tools {
    ($($effect:ident $(($property:ident))? $name:ident($arguments:ty) $description:literal);+ $(;)?) => {
        #[allow(dead_code)]
        struct PiSdkTools;
        impl $crate::tool_world::exports::pi::tool::tool::Guest for PiSdkTools {
            fn definitions() -> ::std::vec::Vec<$crate::Definition> {
                ::std::vec![$($crate::definition::<$arguments>(
                    ::std::stringify!($name),
                    $description,
                    $crate::tools!(@effect $effect),
                    $crate::tools!(@idempotent $effect $($property)?),
                )),+]
            }
            fn call(
                name: ::std::string::String,
                arguments: ::std::string::String,
            ) -> ::std::result::Result<::std::vec::Vec<$crate::Content>, $crate::Error> {
                match name.as_str() {
                    $(::std::stringify!($name) => {
                        let arguments: $arguments = $crate::parsed(::std::stringify!($name), &arguments)?;
                        $crate::IntoContent::into_content($name(arguments)?)
                    })+
                    _ => ::std::result::Result::Err($crate::Error::NotFound(::std::format!("the plugin has no tool `{name}`"))),
                }
            }
        }
        // A native build is one for tests: the linker knows no such names as a component exports.
        #[cfg(target_family = "wasm")]
        $crate::tool_world::export!(PiSdkTools with_types_in $crate::tool_world);
    };
    (@effect read) => { $crate::Effect::Read };
    (@effect write) => { $crate::Effect::Write };
    (@effect destructive) => { $crate::Effect::Destructive };
    (@effect $other:ident) => {
        ::std::compile_error!(::std::concat!("the effect of a tool is `read`, `write` or `destructive`, not `", ::std::stringify!($other), "`"))
    };
    (@idempotent read) => { true };
    (@idempotent $effect:ident) => { false };
    (@idempotent $effect:ident idempotent) => { true };
    (@idempotent $effect:ident $other:ident) => {
        ::std::compile_error!(::std::concat!("the only property of a tool is `idempotent`, not `", ::std::stringify!($other), "`"))
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool_world::exports::pi::tool::tool::Guest;

    #[derive(Deserialize, JsonSchema)]
    struct Count {
        /// Absolute, or relative to the project's folder
        path: String,
        /// How many at most
        limit: Option<u32>,
    }

    crate::tools! {
        read count(Count) "Count";
        write(idempotent) mark(NoArguments) "Mark";
        destructive clear(NoArguments) "Clear";
    }

    fn count(arguments: Count) -> Result<Value, Error> {
        Ok(json!({ "path": arguments.path, "limit": arguments.limit }))
    }

    fn mark(_: NoArguments) -> Result<&'static str, Error> {
        Ok("marked")
    }

    fn clear(_: NoArguments) -> Result<(), Error> {
        Err("nothing there".into())
    }

    #[test]
    fn the_schema_comes_from_the_type_and_its_comments() {
        let definitions = PiSdkTools::definitions();
        let schema: Value = serde_json::from_str(&definitions[0].input_schema).unwrap();
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": "Absolute, or relative to the project's folder" },
                    "limit": { "type": ["integer", "null"], "format": "uint32", "minimum": 0, "description": "How many at most" },
                },
                "required": ["path"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn effects_and_idempotence_are_as_the_table_says() {
        let said: Vec<_> =
            PiSdkTools::definitions().into_iter().map(|tool| (tool.name, tool.effect, tool.idempotent)).collect();
        assert_eq!(
            said,
            [
                ("count".to_owned(), Effect::Read, true),
                ("mark".to_owned(), Effect::Write, true),
                ("clear".to_owned(), Effect::Destructive, false),
            ]
        );
    }

    #[test]
    fn a_call_reaches_its_function() {
        let content = PiSdkTools::call("count".into(), r#"{"path":"a"}"#.into()).unwrap();
        assert_eq!(content, [crate::Content::Json(r#"{"path":"a","limit":null}"#.into())]);
        assert_eq!(PiSdkTools::call("mark".into(), "{}".into()).unwrap(), [crate::Content::Text("marked".into())]);
    }

    #[test]
    fn what_fails_is_an_error_of_its_kind() {
        assert_eq!(PiSdkTools::call("clear".into(), "{}".into()), Err(Error::Failed("nothing there".into())));
        assert!(matches!(PiSdkTools::call("count".into(), "{}".into()), Err(Error::InvalidArguments(_))));
        assert!(matches!(PiSdkTools::call("other".into(), "{}".into()), Err(Error::NotFound(_))));
    }
}
