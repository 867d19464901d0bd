//! The input of a program that a person let through.
//!
//! Who agrees to `psql` has not agreed to what is written to it, and a shell does whatever it reads. So
//! each piece of input is an act of its own, which a person sees in full: the command line that would
//! do the same, `printf %s '...' | psql`. The gate reads it as any other.

use crate::confine::Spec;
use crate::gate::Act;

/// One piece of input that a person can look through.
pub(super) const INPUT_BYTES_MAX: usize = 64 << 10;
/// Why it is asked about.
pub(super) const REASON: &str = "it is read by a program that a person let through, who has not seen it";

/// What a program may read.
pub(super) struct AskedInput {
    /// The program with its variables and arguments, as a shell would need them written.
    command: String,
    directory: String,
    /// Seen by a person, and not yet taken by the program.
    seen: Vec<u8>,
}

impl AskedInput {
    pub(super) fn of(spec: &Spec) -> Self {
        let variables = spec.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let program = quoted(&spec.program.display().to_string());
        let arguments = spec.argv.iter().skip(1).map(|argument| quoted(argument));
        let words: Vec<String> = variables.chain([program]).chain(arguments).collect();
        Self { command: words.join(" "), directory: spec.directory.display().to_string(), seen: Vec::new() }
    }

    /// Whether a person has seen this: what a full pipe has not taken is offered again.
    pub(super) fn is_seen(&self, bytes: &[u8]) -> bool {
        self.seen.starts_with(bytes)
    }

    /// What a person decides about.
    ///
    /// # Errors
    /// It cannot be shown; the text says what to do instead.
    pub(super) fn act(&self, bytes: &[u8]) -> Result<Act, String> {
        const ADVICE: &str = "write it into a file, and name the file as an argument";
        if bytes.len() > INPUT_BYTES_MAX {
            return Err(format!("no person can look through more than {INPUT_BYTES_MAX} bytes: {ADVICE}"));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => {
                let text = format!("printf %s {} | {}", quoted(text), self.command);
                Ok(Act::Script { text, directory: self.directory.clone() })
            }
            _ => Err(format!("it is no text that a person could read: {ADVICE}")),
        }
    }

    /// A person has agreed to it.
    pub(super) fn see(&mut self, bytes: &[u8]) {
        self.seen = bytes.to_vec();
    }

    /// The program has taken so much of it.
    pub(super) fn take(&mut self, count: usize) {
        self.seen.drain(..count.min(self.seen.len()));
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> AskedInput {
        AskedInput { command: "/usr/bin/psql -d 'a b'".into(), directory: "/srv".into(), seen: Vec::new() }
    }

    #[test]
    fn what_is_read_is_an_act_that_shows_all_of_it() {
        let expected = "printf %s 'it'\\''s;\n' | /usr/bin/psql -d 'a b'";
        assert_eq!(input().act(b"it's;\n"), Ok(Act::Script { text: expected.into(), directory: "/srv".into() }));
    }

    #[test]
    fn what_nobody_can_read_is_refused() {
        assert!(input().act(&[0xff]).is_err() && input().act(b"a\0b").is_err());
        assert!(input().act(&vec![b'x'; INPUT_BYTES_MAX]).is_ok());
        assert!(input().act(&vec![b'x'; INPUT_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn what_was_seen_is_taken_once() {
        let mut input = input();
        assert!(!input.is_seen(b"abc"));
        input.see(b"abc");
        assert!(input.is_seen(b"abc") && !input.is_seen(b"abd"));
        input.take(2);
        assert!(input.is_seen(b"c") && !input.is_seen(b"abc"));
        input.take(1);
        assert!(!input.is_seen(b"c"));
    }
}
