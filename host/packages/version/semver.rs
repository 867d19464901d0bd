//! Semantic Versioning 2.0.0, read as leniently as OSV reads it.
//!
//! By <https://semver.org/spec/v2.0.0.html#spec-item-11>, with any count of numbers (a missing one is
//! zero), a `v` in front, and numbers of any length. Build metadata does not count. The crate `semver`
//! refuses all of these, and registries have them.

use std::cmp::Ordering;

use super::{compare_numbers, compare_padded, is_number};

/// Numbers that count in Semantic Versioning: major, minor and patch.
const NUMBERS: usize = 3;

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Version::read(a, NUMBERS), Version::read(b, NUMBERS));
    a.compare_numbers(&b).then_with(|| a.compare_prerelease(&b))
}

/// A version that looks like a semantic one: numbers, then whatever follows them.
pub(super) struct Version<'a> {
    numbers: Vec<&'a str>,
    prerelease: String,
    pub(super) build: &'a str,
}

impl<'a> Version<'a> {
    /// Read a version of which `count` numbers count. Those beyond are part of the pre-release.
    pub(super) fn read(text: &'a str, count: usize) -> Self {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let mut numbers: Vec<&str> = numbers.split('.').filter(|number| !number.is_empty()).collect();
        let (prerelease, build) = rest.split_once('+').unwrap_or((rest, ""));
        let mut prerelease = prerelease.strip_prefix('-').unwrap_or(prerelease).to_owned();
        for number in numbers.drain(count.min(numbers.len())..) {
            prerelease.push('.');
            prerelease.push_str(number);
        }
        Self { numbers, prerelease, build }
    }

    pub(super) fn compare_numbers(&self, other: &Self) -> Ordering {
        compare_padded(&self.numbers, &other.numbers)
    }

    /// A version with a pre-release comes before the one without.
    pub(super) fn compare_prerelease(&self, other: &Self) -> Ordering {
        match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => compare_identifiers(&self.prerelease, &other.prerelease),
        }
    }
}

/// Identifiers between dots: numbers by value and before words, words by their bytes, and of two lists
/// that begin alike the longer one last.
pub(super) fn compare_identifiers(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (is_number(a), is_number(b)) {
                (true, true) => compare_numbers(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_semantic_versions() {
        assert_order(
            "npm",
            "1.0.0-alpha < 1.0.0-alpha.1
             1.0.0-alpha.1 < 1.0.0-alpha.beta
             1.0.0-beta.2 < 1.0.0-beta.11
             1.0.0-rc.1 < 1.0.0
             4.17.9 < 4.17.21
             v2.0.0 = 2.0.0
             1.2.3+linux = 1.2.3+windows
             3.1.4-5-x > 3.1.4-5
             3.1.4-B < 3.1.4-b
             1 = 1.0.0
             1.2 < 1.2.1
             0.0.0-20210101000000-abcdef < 0.0.1
             99999999999999999999998.0.0 < 99999999999999999999999.0.0
             1.0.0-x.7.z.92 > 1.0.0-x.7.z
             10.0.0 > 9.99.99",
        );
    }
}
