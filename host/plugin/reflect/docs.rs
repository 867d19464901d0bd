//! What the author wrote about a function: the custom section `package-docs`, as `wit-docs-inject`
//! and other tools leave it. It is a byte for its form, and JSON.

use serde_json::Value;

/// The docs of a component; empty where there are none, or none that can be read. Nothing depends on
/// them.
#[derive(Default)]
pub(super) struct Docs(Value);

impl Docs {
    pub(super) fn parse(section: &[u8]) -> Self {
        match section.split_first() {
            Some((0 | 1, json)) => Self(serde_json::from_slice(json).unwrap_or_default()),
            _ => Self::default(),
        }
    }

    /// About a function: of the world where it is exported, or of its interface.
    pub(super) fn of(&self, interface: Option<&str>, function: &str) -> Option<&str> {
        let worlds = || self.0.get("worlds").and_then(Value::as_object).into_iter().flat_map(|worlds| worlds.values());
        let Some(interface) = interface else {
            return worlds().find_map(|world| {
                ["func_exports", "funcs"].iter().find_map(|key| text(world.get(*key)?.get(function)?))
            });
        };
        // `local:time-server/time@0.1.0` is the interface `time` of the package.
        let short = interface.split('@').next().unwrap_or_default();
        let short = short.rsplit('/').next().unwrap_or_default();
        let in_package = || text(self.0.get("interfaces")?.get(short)?.get("funcs")?.get(function)?);
        let in_world = || {
            worlds().find_map(|world| {
                let of = |key: &&str| text(world.get(*key)?.get(interface)?.get("funcs")?.get(function)?);
                ["interface_exports", "interfaces"].iter().find_map(of)
            })
        };
        in_package().or_else(in_world)
    }
}

/// `"text"`, or `{"docs": "text"}`.
fn text(value: &Value) -> Option<&str> {
    let text = value.as_str().or_else(|| value.get("docs")?.as_str())?;
    Some(text).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_functions_of_the_world_and_of_interfaces() {
        let docs = Docs::parse(
            b"\x01{\"worlds\":{\"w\":{\"func_exports\":{\"a\":{\"docs\":\"top\"}},\"interface_exports\":{\"i\":{\"funcs\":{\"b\":{\"docs\":\"inline\"}}}}}},\"interfaces\":{\"time\":{\"funcs\":{\"now\":{\"docs\":\"inner\"}}}}}",
        );
        assert_eq!(docs.of(None, "a"), Some("top"));
        assert_eq!(docs.of(Some("i"), "b"), Some("inline"));
        assert_eq!(docs.of(Some("local:x/time@0.1.0"), "now"), Some("inner"));
        assert_eq!(docs.of(Some("local:x/time"), "then"), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_docs() {
        for section in [&b""[..], b"\x01{", b"\x07{}", b"\x01[1]"] {
            assert_eq!(Docs::parse(section).of(None, "a"), None);
        }
    }
}
