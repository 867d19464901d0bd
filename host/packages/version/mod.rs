//! Which of two versions is the newer one, by the rules of their ecosystem.
//!
//! One file for each order; none of them reads anything but its two texts. Numbers are compared as
//! digits, so that one of thirty digits does not overflow. What an ecosystem's own tools would refuse
//! to compare is an error here, unless the corpora of OSV define an order for it. To add an order, add
//! a file, a [`Scheme`], and an ecosystem that uses it.

mod alpine;
mod cran;
mod dart;
mod debian;
mod hackage;
mod maven;
mod nuget;
mod packagist;
mod pypi;
mod rpm;
mod rubygems;
mod semver;

use std::cmp::Ordering;

use super::ecosystem::{Ecosystem, EcosystemError};

/// Longest version that is compared. Danger: work that grows with the square of a hostile text.
const VERSION_BYTES_MAX: usize = 1024;

/// Of a version that is refused, so much is shown.
const SHOWN_CHARS_MAX: usize = 100;

/// An order of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Alpine,
    Cran,
    Debian,
    Hackage,
    Maven,
    Nuget,
    Packagist,
    Pub,
    Pypi,
    Rpm,
    RubyGems,
    Semver,
}

/// Why two versions cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    #[error(transparent)]
    Ecosystem(#[from] EcosystemError),
    #[error("a version is empty")]
    Empty,
    #[error("a version has {bytes} bytes, and may have: {VERSION_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("this is no version, {reason}: `{}`", version.escape_debug())]
    Invalid { version: String, reason: &'static str },
}

/// Compare two versions of an ecosystem, named as OSV names it or as [`Ecosystem::parse`] reads it.
/// `semver` compares by Semantic Versioning itself.
///
/// # Errors
/// The ecosystem is not known, or one of the two is no version of it.
pub fn compare(ecosystem: &str, a: &str, b: &str) -> Result<Ordering, VersionError> {
    let scheme = if ecosystem.trim().eq_ignore_ascii_case("semver") {
        Scheme::Semver
    } else {
        Ecosystem::parse(ecosystem)?.scheme()
    };
    let order = scheme.compare(a, b)?;
    for version in [a, b] {
        if let Some(reason) = scheme.refusal(version) {
            return Err(VersionError::Invalid {
                version: version.trim().chars().take(SHOWN_CHARS_MAX).collect(),
                reason,
            });
        }
    }
    Ok(order)
}

impl Scheme {
    /// Why the rules of the ecosystem do not take this for a version, if they do not. Orders that take any
    /// text, and those in which old versions of any form have a place (PyPI's), refuse none here. Records
    /// are compared without it: what stands in them has to be put somewhere.
    fn refusal(self, text: &str) -> Option<&'static str> {
        let text = text.trim();
        let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        match self {
            Scheme::Semver | Scheme::Pub | Scheme::Nuget
                if !starts_with_digit(text.strip_prefix('v').unwrap_or(text)) =>
            {
                Some("one of Semantic Versioning begins with a number")
            }
            Scheme::Semver if has_wildcard(text) => Some("it is a range"),
            Scheme::RubyGems if !starts_with_digit(text) => Some("one of RubyGems begins with a number"),
            Scheme::Debian if !starts_with_digit(text.split_once(':').map_or(text, |(_, rest)| rest)) => {
                Some("one of Debian begins with a number, behind an epoch or without one")
            }
            _ => None,
        }
    }

    pub(crate) fn compare(self, a: &str, b: &str) -> Result<Ordering, VersionError> {
        for version in [a, b] {
            if version.len() > VERSION_BYTES_MAX {
                return Err(VersionError::TooLong { bytes: version.len() });
            }
        }
        let (a, b) = (a.trim(), b.trim());
        if a.is_empty() || b.is_empty() {
            return Err(VersionError::Empty);
        }
        match self {
            Scheme::Alpine => Ok(alpine::compare(a, b)),
            Scheme::Cran => cran::compare(a, b),
            Scheme::Debian => debian::compare(a, b),
            Scheme::Hackage => hackage::compare(a, b),
            Scheme::Maven => Ok(maven::compare(a, b)),
            Scheme::Nuget => Ok(nuget::compare(a, b)),
            Scheme::Packagist => Ok(packagist::compare(a, b)),
            Scheme::Pub => Ok(dart::compare(a, b)),
            Scheme::Pypi => Ok(pypi::compare(a, b)),
            Scheme::Rpm => Ok(rpm::compare(a, b)),
            Scheme::RubyGems => Ok(rubygems::compare(a, b)),
            Scheme::Semver => Ok(semver::compare(a, b)),
        }
    }

    /// The text names one version, and not a branch, a tag or a range.
    ///
    /// Most orders put a text such as `latest` before every version. An answer for it would say that
    /// nothing which was introduced later can affect it, so the caller must be able to refuse it.
    pub(crate) fn is_version(self, text: &str) -> bool {
        let text = text.trim();
        let is_plain = text.len() <= VERSION_BYTES_MAX
            && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '*' | '<' | '>' | '|' | ','));
        let first = text.strip_prefix(['v', 'V']).unwrap_or(text).chars().next();
        let starts_with_digit = first.is_some_and(|c| c.is_ascii_digit());
        is_plain
            && match self {
                // These may begin with a letter, and must have a number somewhere.
                Scheme::Maven | Scheme::Rpm => {
                    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.contains(|c: char| c.is_ascii_digit())
                }
                _ => starts_with_digit && !has_wildcard(text),
            }
    }
}

/// `1.x` is a range of npm.
fn has_wildcard(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    numbers.split('.').any(|number| number.eq_ignore_ascii_case("x"))
}

/// Compare two runs of digits by their value, however long they are.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The text is a number, and nothing else.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Split after the digits that a text begins with.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// Compare numbers one by one; one that is missing counts as zero.
fn compare_padded(a: &[&str], b: &[&str]) -> Ordering {
    for at in 0..a.len().max(b.len()) {
        let (a, b) = (a.get(at).copied().unwrap_or("0"), b.get(at).copied().unwrap_or("0"));
        let order = compare_numbers(a, b);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Compare numbers one by one; of two that begin alike, the longer list is the greater.
fn compare_lists(a: &[&str], b: &[&str]) -> Ordering {
    let differing = a.iter().zip(b).map(|(a, b)| compare_numbers(a, b)).find(|order| order.is_ne());
    differing.unwrap_or_else(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
fn assert_order(ecosystem: &str, rows: &str) {
    let mut count = 0;
    for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let [a, sign, b] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("not a row: {row}") };
        let order = match sign {
            "<" => Ordering::Less,
            ">" => Ordering::Greater,
            "=" => Ordering::Equal,
            _ => panic!("no such sign: {row}"),
        };
        assert_eq!(compare(ecosystem, a, b), Ok(order), "{ecosystem}: {row}");
        assert_eq!(compare(ecosystem, b, a), Ok(order.reverse()), "{ecosystem}, the other way: {row}");
        count += 1;
    }
    assert!(count >= 10, "{ecosystem} has only {count} rows");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_ecosystem_is_named_together_with_the_known_ones() {
        let error = compare("cobol", "1", "2").unwrap_err().to_string();
        assert!(error.contains("PyPI") && error.contains("`cobol`"), "{error}");
    }

    #[test]
    fn what_the_rules_of_an_ecosystem_do_not_know_is_refused_by_name() {
        for ecosystem in
            ["npm", "crates.io", "Go", "Hex", "Pub", "NuGet", "RubyGems", "Debian", "CRAN", "Hackage", "semver"]
        {
            for (a, b) in [("x", "1.0.0"), ("1.0.0", "latest")] {
                let error = compare(ecosystem, a, b).unwrap_err();
                assert!(matches!(error, VersionError::Invalid { .. }), "{ecosystem}: {error}");
            }
        }
        let error = compare("npm", "x", "1.0.0").unwrap_err().to_string();
        assert_eq!(error, "this is no version, one of Semantic Versioning begins with a number: `x`");
        assert!(compare("npm", "1.x", "1.0.0").is_err() && compare("npm", "v1.0.0", "1.0.0").is_ok());
        assert!(compare("Debian", "1:2.0", "1.9").is_ok() && compare("Maven", "x", "1.0").is_ok());
    }

    #[test]
    fn a_release_of_a_distribution_has_the_order_of_the_distribution() {
        assert_eq!(compare("Debian:12", "1.0~rc1", "1.0"), Ok(Ordering::Less));
        assert_eq!(compare("Alpine:v3.19", "1.0_rc1", "1.0"), Ok(Ordering::Less));
    }

    #[test]
    fn a_version_at_the_limit_is_compared_and_one_beyond_is_not() {
        let longest = "1".repeat(VERSION_BYTES_MAX);
        assert_eq!(compare("npm", &longest, "2"), Ok(Ordering::Greater));
        let error = compare("npm", &format!("{longest}1"), "2").unwrap_err();
        assert_eq!(error, VersionError::TooLong { bytes: VERSION_BYTES_MAX + 1 });
        assert_eq!(compare("npm", "", "2"), Err(VersionError::Empty));
    }

    #[test]
    fn no_text_panics_in_any_order() {
        let texts =
            ["-", ".", "..", "_", "~", "^", "+", "!", ":", "v", "1:", "-1", "é", "1é2", "1.٣", "a1b2", "#", "1-r", "0"];
        for ecosystem in super::super::ecosystem::names() {
            for a in texts {
                assert!(compare(ecosystem, a, a).map_or(true, Ordering::is_eq), "{ecosystem}: {a}");
                for b in texts {
                    let (order, reverse) = (compare(ecosystem, a, b), compare(ecosystem, b, a));
                    if let (Ok(order), Ok(reverse)) = (order, reverse) {
                        assert_eq!(order, reverse.reverse(), "{ecosystem}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn branches_tags_and_ranges_are_not_versions() {
        for text in ["latest", "dev-master", "^1.2", ">=1", "1.x || 2", "1.x", "1.2.X", "*", "", "main"] {
            assert!(!Scheme::Semver.is_version(text), "{text}");
        }
        for text in ["1", "v1.2.3", "2024.1-rc1+build", "1.0.0-x.7"] {
            assert!(Scheme::Semver.is_version(text), "{text}");
        }
        assert!(Scheme::Maven.is_version("r09") && !Scheme::Maven.is_version("RELEASE"));
    }
}
