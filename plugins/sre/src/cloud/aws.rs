//! Reading AWS's answers: fields by name, whichever way their first letter is written, and what an error says.

use pi_sdk::Value;

use crate::instant;
use crate::world::Trouble;

/// A field. The logs' own names begin with a small letter where all others begin with a capital one.
pub fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    let small = || {
        let mut letters = name.chars();
        let first = letters.next()?;
        value.get(format!("{}{}", first.to_ascii_lowercase(), letters.as_str()))
    };
    value.get(name).or_else(small).unwrap_or(&NULL)
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    field(value, name).as_str().unwrap_or_default()
}

pub fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    field(value, name).as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

/// A time, written as RFC 3339 or as milliseconds since 1970.
pub fn time(value: &Value, name: &str) -> Option<u64> {
    let time = field(value, name);
    time.as_u64().or_else(|| instant::parse(time.as_str()?))
}

/// Whether a failure says that there is no such thing (any more).
pub fn is_gone(trouble: &Trouble) -> bool {
    let Trouble::Failed(text) = trouble else { return false };
    let text = text.to_lowercase();
    ["notfound", "not found", "does not exist", "doesnotexist"].iter().any(|word| text.contains(word))
}

/// Whether a failure of a change says that the account did not let it through, so that it certainly was not made: IAM
/// refused it, the credentials are none, or the call was not even sent.
pub fn is_refused(text: &str) -> bool {
    ["denied: ", "credentials: ", "`cloud_change` does not take these arguments"].iter().any(|it| text.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pi_sdk::json;

    #[test]
    fn a_field_is_found_in_either_spelling() {
        assert_eq!(text(&json!({ "logGroupName": "a" }), "LogGroupName"), "a");
        assert_eq!(text(&json!({ "LogGroupName": "a" }), "LogGroupName"), "a");
        assert_eq!(text(&json!([]), "LogGroupName"), "");
    }

    #[test]
    fn a_tool_that_is_not_granted_is_no_sign_that_the_thing_is_gone() {
        assert!(is_gone(&Trouble::Failed("InvalidInstanceID.NotFound: no instance `i-1`".into())));
        assert!(!is_gone(&Trouble::NotGranted("the tool `cloud_read`: not found".into())));
        assert!(!is_gone(&Trouble::Failed("throttled".into())));
    }
}
