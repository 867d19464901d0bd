//! Which versions of a component a registry has, and which of them is newer.
//!
//! A tag is a version where it reads as one by semantic versioning; others are names, and never newer.

use std::cmp::Ordering;

use super::fetch::{FetchError, FetchOptions};
use super::oci::{Repository, Right};
use super::source::{Reference, Source};

/// A tag that is a version. Ordered as semantic versioning has it; what it builds from does not count.
#[derive(Clone, Debug)]
pub struct Version {
    pub tag: String,
    numbers: [u64; 3],
    /// Empty for a release.
    before: Vec<Identifier>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    // The order of the variants is the specification's: numbers before words.
    Number(u64),
    Word(String),
}

/// All tags of a repository.
///
/// # Errors
/// The registry does not answer, or does not tell.
pub async fn tags(reference: &Reference, options: &FetchOptions) -> Result<Vec<String>, FetchError> {
    let ask = async { Repository::open(reference, Right::Pull, options)?.tags().await };
    ask.await.map_err(|failure| failure.at(&Source::Oci(reference.clone())))
}

/// The tag of the newest release that is newer than the current tag. A pre-release follows another
/// pre-release alone; a tag that is no version has no newer one.
#[must_use]
pub fn latest(current: &str, tags: &[String]) -> Option<String> {
    let current = Version::parse(current)?;
    let newest = tags
        .iter()
        .filter_map(|tag| Version::parse(tag))
        .filter(|version| version > &current && (version.before.is_empty() || !current.before.is_empty()));
    newest.max().map(|version| version.tag)
}

impl Version {
    /// `1.2.3`, `v1.2.3-rc.1`; `_` stands for `+`, which a tag cannot hold.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let text = tag.strip_prefix('v').unwrap_or(tag);
        let text = text.split(['+', '_']).next()?;
        let (core, before) = match text.split_once('-') {
            Some((core, before)) => (core, Some(before)),
            None => (text, None),
        };
        let mut parts = core.split('.').map(number);
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        if parts.next().is_some() {
            return None;
        }
        let identifier = |part: &str| match number(part) {
            _ if part.is_empty() => None,
            Some(number) => Some(Identifier::Number(number)),
            None => Some(Identifier::Word(part.to_owned())),
        };
        let before = before.map(|text| text.split('.').map(identifier).collect()).unwrap_or(Some(Vec::new()))?;
        Some(Self { tag: tag.to_owned(), numbers, before })
    }
}

fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_release = self.before.is_empty().cmp(&other.before.is_empty());
        self.numbers.cmp(&other.numbers).then(by_release).then_with(|| self.before.cmp(&other.before))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_the_specification_says() {
        let order = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2.0",
            "1.10.0",
            "2.0.0",
        ];
        for (at, lower) in order.iter().enumerate() {
            for higher in order.iter().skip(at + 1) {
                assert!(Version::parse(lower).unwrap() < Version::parse(higher).unwrap(), "{lower} {higher}");
            }
        }
        assert!(Version::parse("1.0.0_a").unwrap() == Version::parse("v1.0.0+b").unwrap());
    }

    #[test]
    fn what_is_no_version_is_a_name() {
        for tag in [
            "latest",
            "1",
            "1.2",
            "1.2.3.4",
            "01.2.3",
            "1.2.x",
            "",
            "v",
            "1.2.3-",
            "1.2.3-a..b",
            "sha256-00.sig",
            "99999999999999999999.0.0",
        ] {
            assert!(Version::parse(tag).is_none(), "{tag}");
        }
    }

    #[test]
    fn the_newest_release_is_found_and_never_an_older_one() {
        let tags = |list: &[&str]| list.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let all = tags(&["latest", "1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1"]);
        assert_eq!(latest("1.0.0", &all).as_deref(), Some("1.10.0"));
        assert_eq!(latest("1.10.0", &all), None);
        assert_eq!(latest("2.0.0-beta", &all).as_deref(), Some("2.0.0-rc.1"));
        assert_eq!(latest("latest", &all), None);
    }
}
