//! Maven: numbers and qualifiers, with the separator before each.
//!
//! By the version order specification of the POM reference and `ComparableVersion` of Maven, in the form
//! in which OSV evaluates it: tokens are split at dots, at hyphens and where digits meet letters; empty
//! values are trimmed from the end and before each hyphen; the shorter version is padded with the empty
//! value of the other's separator; and `.qualifier < -qualifier < -number < .number`.

use std::cmp::Ordering;

use super::{compare_numbers, is_number};

/// The qualifiers that Maven knows, in their order; the empty one is the release itself.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (tokens(a), tokens(b));
    for at in 0..a.len().max(b.len()) {
        let (left, right) = match (a.get(at), b.get(at)) {
            (Some(left), Some(right)) => (left.clone(), right.clone()),
            (Some(left), None) => (left.clone(), left.padding()),
            (None, Some(right)) => (right.padding(), right.clone()),
            (None, None) => return Ordering::Equal,
        };
        if left.separator != right.separator || left.value != right.value {
            return left.compare(&right);
        }
    }
    Ordering::Equal
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    /// Before the first token.
    None,
    Dot,
    Hyphen,
}

#[derive(Clone, Debug)]
struct Token {
    separator: Separator,
    value: String,
    is_padding: bool,
}

impl Token {
    fn new(separator: Separator, text: &str, is_before_digit: bool) -> Self {
        let value = if is_number(text) {
            let digits = text.trim_start_matches('0');
            if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
        } else {
            let text = text.to_lowercase();
            match text.as_str() {
                "" => "0".to_owned(),
                "cr" => "rc".to_owned(),
                "ga" | "final" | "release" => String::new(),
                "a" if is_before_digit => "alpha".to_owned(),
                "b" if is_before_digit => "beta".to_owned(),
                "m" if is_before_digit => "milestone".to_owned(),
                _ => text,
            }
        };
        Self { separator, value, is_padding: false }
    }

    /// What the other version has where this one goes on: nothing, which is 0 after a dot. Before `sp`,
    /// the one qualifier that is newer than the release, it is the release.
    fn padding(&self) -> Self {
        let is_zero = self.separator == Separator::Dot && self.value != "sp";
        Self { separator: self.separator, value: if is_zero { "0" } else { "" }.to_owned(), is_padding: true }
    }

    fn is_empty(&self) -> bool {
        matches!(self.value.as_str(), "" | "0")
    }

    fn compare(&self, other: &Self) -> Ordering {
        if self.separator != other.separator {
            return self.rank().cmp(&other.rank());
        }
        match (is_number(&self.value), is_number(&other.value)) {
            (true, true) => compare_numbers(&self.value, &other.value),
            (true, false) if !self.is_padding => Ordering::Greater,
            (false, true) if !other.is_padding => Ordering::Less,
            _ => match (qualifier(&self.value), qualifier(&other.value)) {
                (None, None) => self.value.cmp(&other.value),
                (a, b) => a.unwrap_or(QUALIFIERS.len()).cmp(&b.unwrap_or(QUALIFIERS.len())),
            },
        }
    }

    fn rank(&self) -> u8 {
        match (is_number(&self.value), self.separator) {
            (false, Separator::Dot) => 0,
            (false, _) => 1,
            (true, Separator::Hyphen) => 2,
            (true, _) => 3,
        }
    }
}

fn qualifier(value: &str) -> Option<usize> {
    QUALIFIERS.iter().position(|qualifier| *qualifier == value)
}

fn tokens(version: &str) -> Vec<Token> {
    let mut tokens = vec![];
    let mut separator = Separator::None;
    let mut rest = version;
    loop {
        let end = rest.find(['.', '-']).unwrap_or(rest.len());
        let (mut part, after) = rest.split_at(end);
        loop {
            let length = length_of_run(part);
            let (run, after_run) = part.split_at(length);
            tokens.push(Token::new(separator, run, after_run.starts_with(|c: char| c.is_ascii_digit())));
            if after_run.is_empty() {
                break;
            }
            // Where digits meet letters, there is a hyphen.
            separator = Separator::Hyphen;
            part = after_run;
        }
        if let Some(next) = after.strip_prefix('.') {
            (separator, rest) = (Separator::Dot, next);
        } else if let Some(next) = after.strip_prefix('-') {
            (separator, rest) = (Separator::Hyphen, next);
        } else {
            return trimmed(tokens);
        }
    }
}

/// The length of the run of digits, or of anything else, that a text begins with.
fn length_of_run(text: &str) -> usize {
    let is_digits = text.starts_with(|c: char| c.is_ascii_digit());
    text.find(|c: char| c.is_ascii_digit() != is_digits).unwrap_or(text.len())
}

/// Without the empty tokens at the end, and without those just before each hyphen.
fn trimmed(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len());
    let drop_empty = |kept: &mut Vec<Token>| {
        while kept.len() > 1 && kept.last().is_some_and(Token::is_empty) {
            kept.pop();
        }
    };
    for token in tokens {
        if token.separator == Separator::Hyphen {
            drop_empty(&mut kept);
        }
        kept.push(token);
    }
    drop_empty(&mut kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_maven_versions() {
        assert_order(
            "Maven",
            "5.3.9 < 5.3.18
             5.3 = 5.3.0
             5.3.0.RELEASE = 5.3
             5.3.0-Final = 5.3
             5.3-SNAPSHOT < 5.3
             5.3-M2 < 5.3-RC1
             5.3-RC1 < 5.3-SNAPSHOT
             5.3-alpha-2 < 5.3-beta-1
             5.3a2 = 5.3-alpha-2
             5.3-CR2 = 5.3-rc2
             5.3 < 5.3-sp
             5.3-sp < 5.3-jre
             5.3-1 < 5.3.1
             5.3-xyz < 5.3-1
             31.1-android < 31.1-jre
             1.02 = 1.2
             99999999999999999999 > 2.0",
        );
    }
}
