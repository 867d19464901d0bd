//! The names of reflected tools: those of wassette, in the letters that a tool's name may have.
//!
//! Wassette joins the interface and the function by `_`, in lower case, with `_` for whatever is no
//! letter, digit or `-`. Here a `-` becomes `_` too. A name of more than 64 characters keeps its end,
//! which has the function, and gets eight digits of a hash of all of it.

use sha2::{Digest, Sha256};

/// Longest name of a tool, and of a plugin.
const NAME_CHARS_MAX: usize = 64;
/// Of the hash, as hex digits.
const HASH_CHARS: usize = 8;

/// The tool that a function becomes.
pub(super) fn of_tool(interface: Option<&str>, function: &str) -> String {
    let joined = match interface {
        Some(interface) => format!("{interface}_{function}"),
        None => function.to_owned(),
    };
    let name: String = joined.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.len() <= NAME_CHARS_MAX {
        return name;
    }
    let kept = name.get(name.len() - (NAME_CHARS_MAX - HASH_CHARS - 1)..).unwrap_or_default();
    let hash: String = Sha256::digest(joined.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kept}_{}", hash.get(..HASH_CHARS).unwrap_or_default())
}

/// A plugin's name for a component in a file: what it is called there, in the letters that a
/// plugin's name may have.
#[must_use]
pub fn name_of_file(stem: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: String =
        stem.to_lowercase().chars().take(NAME_CHARS_MAX).map(|c| if is_allowed(c) { c } else { '-' }).collect();
    if name.is_empty() { "component".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_wassette_with_underscores() {
        assert_eq!(of_tool(None, "list-directory"), "list_directory");
        // Wassette: `local_time-server_time_get-current-time`.
        assert_eq!(
            of_tool(Some("local:time-server/time"), "get-current-time"),
            "local_time_server_time_get_current_time"
        );
        // Wassette: `example_a_b_0_1_0_Run`, in lower case.
        assert_eq!(of_tool(Some("example:a/b@0.1.0"), "RUN"), "example_a_b_0_1_0_run");
    }

    #[test]
    fn a_name_of_64_characters_stays_and_a_longer_one_keeps_its_end_and_differs() {
        let longest = "x".repeat(NAME_CHARS_MAX);
        assert_eq!(of_tool(None, &longest), longest);
        let [one, other] = ["a", "b"].map(|c| of_tool(Some(&format!("{}:{longest}/tools", c)), "get-it"));
        assert_eq!((one.len(), other.len()), (NAME_CHARS_MAX, NAME_CHARS_MAX));
        assert!(one.contains("_tools_get_it_") && one != other, "{one} {other}");
        assert_eq!(one, of_tool(Some(&format!("a:{longest}/tools")), "get-it"));
    }

    #[test]
    fn a_file_gives_a_name_that_a_plugin_may_have() {
        assert_eq!(name_of_file("Time Server.v2"), "time-server-v2");
        assert_eq!(name_of_file(""), "component");
        assert_eq!(name_of_file(&"ä".repeat(100)).len(), NAME_CHARS_MAX);
    }
}
