//! Alpine, Wolfi and whoever else uses apk: `number{.number}[letter]{_suffix[number]}[~hash][-rN]`.
//!
//! By apk-package(5) and the order of apk-tools, and for what apk itself calls invalid by the order of
//! OSV's library (osv-scalibr, `semantic`): two texts that end in something unknown instead of a
//! revision are compared byte by byte, and what carries a remainder is older than what carries none.

use std::cmp::Ordering;

use super::{compare_numbers, split_digits};

/// The suffixes in their order; [`NO_SUFFIX`] stands where a version has none.
const SUFFIXES: [&str; 10] = ["alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"];
const NO_SUFFIX: Suffix<'static> = Suffix { rank: 4, number: "" };

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (version_a, version_b) = (Version::read(a), Version::read(b));
    if version_a.is_invalid && version_b.is_invalid {
        return a.cmp(b);
    }
    version_a.compare(&version_b)
}

struct Version<'a> {
    numbers: Vec<&'a str>,
    letter: Option<char>,
    suffixes: Vec<Suffix<'a>>,
    hash: &'a str,
    revision: Option<&'a str>,
    remainder: &'a str,
    /// Something stands where only a revision may stand.
    is_invalid: bool,
}

#[derive(Clone, Copy)]
struct Suffix<'a> {
    rank: usize,
    number: &'a str,
}

impl<'a> Version<'a> {
    fn read(text: &'a str) -> Self {
        let (numbers, rest) = read_numbers(text);
        let letter = rest.chars().next().filter(char::is_ascii_lowercase);
        let mut rest = letter.map_or(rest, |letter| rest.strip_prefix(letter).unwrap_or(rest));
        let mut suffixes = vec![];
        while let Some((suffix, after)) = read_suffix(rest) {
            suffixes.push(suffix);
            rest = after;
        }
        let mut hash = "";
        if let Some(after) = rest.strip_prefix('~') {
            let length = after.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
            if length > 0 {
                (hash, rest) = after.split_at(length);
            }
        }
        let revision = rest.strip_prefix("-r").map(split_digits);
        let is_invalid = revision.is_none() && !rest.is_empty();
        let remainder = revision.map_or(rest, |(_, after)| after);
        Self { numbers, letter, suffixes, hash, revision: revision.map(|(digits, _)| digits), remainder, is_invalid }
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.compare_numbers(other)
            .then_with(|| self.letter.cmp(&other.letter))
            .then_with(|| self.compare_suffixes(other))
            .then_with(|| self.hash.cmp(other.hash))
            .then_with(|| compare_numbers(self.revision.unwrap_or(""), other.revision.unwrap_or("")))
            .then_with(|| self.remainder.is_empty().cmp(&other.remainder.is_empty()))
            .then_with(|| {
                // Of two that apk calls valid, the one that names its revision is the newer.
                let is_valid = self.remainder.is_empty() && other.remainder.is_empty();
                if is_valid { self.revision.is_some().cmp(&other.revision.is_some()) } else { Ordering::Equal }
            })
    }

    /// A number after the first that has a leading zero is compared like a fraction, as text.
    fn compare_numbers(&self, other: &Self) -> Ordering {
        for (at, (a, b)) in self.numbers.iter().zip(&other.numbers).enumerate() {
            let is_text = at > 0 && (a.starts_with('0') || b.starts_with('0'));
            let order = if is_text { a.cmp(b) } else { compare_numbers(a, b) };
            if order.is_ne() {
                return order;
            }
        }
        self.numbers.len().cmp(&other.numbers.len())
    }

    fn compare_suffixes(&self, other: &Self) -> Ordering {
        for at in 0..self.suffixes.len().max(other.suffixes.len()) {
            let a = self.suffixes.get(at).copied().unwrap_or(NO_SUFFIX);
            let b = other.suffixes.get(at).copied().unwrap_or(NO_SUFFIX);
            let order = a.rank.cmp(&b.rank).then_with(|| compare_numbers(a.number, b.number));
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

/// Digits, each but the last followed by a dot, which may also stand at the end.
fn read_numbers(text: &str) -> (Vec<&str>, &str) {
    let (mut numbers, mut rest) = (vec![], text);
    loop {
        let (digits, after) = split_digits(rest);
        if digits.is_empty() {
            return (numbers, rest);
        }
        numbers.push(digits);
        let Some(after_dot) = after.strip_prefix('.') else { return (numbers, after) };
        rest = after_dot;
    }
}

fn read_suffix(text: &str) -> Option<(Suffix<'_>, &str)> {
    let text = text.strip_prefix('_')?;
    let (rank, name) = SUFFIXES
        .iter()
        .enumerate()
        .filter(|(_, name)| !name.is_empty() && text.starts_with(**name))
        // `pre` begins with `p`.
        .max_by_key(|(_, name)| name.len())?;
    let (number, after) = split_digits(text.strip_prefix(name)?);
    Some((Suffix { rank, number }, after))
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_apk_versions() {
        assert_order(
            "Alpine",
            "3.1.4-r0 < 3.1.4-r5
             3.1.4-r5 < 3.1.4-r12
             3.1.4 < 3.1.4-r0
             1.1.1a < 1.1.1b
             1.1.1w > 1.1.1
             2.0_alpha2 < 2.0_beta1
             2.0_beta1 < 2.0_pre1
             2.0_pre1 < 2.0_rc1
             2.0_rc1 < 2.0
             2.0 < 2.0_git20240101
             2.0_git20240101 < 2.0_p1
             1.02 < 1.1
             1.2.010 < 1.2.02
             7 < 07.1
             9.3_p1-r0 > 9.3-r9
             1.0 < 1.0.0
             5.4_rc1_p2 > 5.4_rc1",
        );
    }
}
