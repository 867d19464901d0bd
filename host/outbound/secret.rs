//! A token or a key, which nothing prints.

use std::fmt;

/// Shorter parts are not looked for in a text: they would take out half of it.
const HIDDEN_BYTES_MIN: usize = 6;

/// A secret. Debug and Display print `[redacted]`; there is no way to serialize it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the header or the key that needs it; never for a text.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the secret: what the other side answers may hold what it was sent.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        if self.0.len() < HIDDEN_BYTES_MIN { text.to_owned() } else { text.replace(&self.0, "[redacted]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("xoxb-very-secret");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[redacted] [redacted] Some([redacted])");
    }

    #[test]
    fn a_secret_is_taken_out_of_what_the_other_side_said() {
        assert_eq!(Secret::new("xoxb-very-secret").hidden_in("bad: xoxb-very-secret!"), "bad: [redacted]!");
        assert_eq!(Secret::new("").hidden_in("bad"), "bad");
    }
}
