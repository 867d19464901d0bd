//! PyPI: PEP 440, and below it whatever is older than that.
//!
//! By <https://peps.python.org/pep-0440/> and `packaging.version`. A text that is no such version is a
//! legacy one, ordered as `pkg_resources` of setuptools did, and always before those of PEP 440. The
//! crate `pep440_rs` knows no legacy versions, and no number beyond 64 bits.

use std::cmp::Ordering;

use super::{compare_numbers, compare_padded, is_number, split_digits};

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    match (Version::read(&a), Version::read(&b)) {
        (Some(a), Some(b)) => a.compare(&b),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => legacy_parts(&a).cmp(&legacy_parts(&b)),
    }
}

struct Version<'a> {
    epoch: &'a str,
    release: Vec<&'a str>,
    pre: Option<(Phase, &'a str)>,
    post: Option<&'a str>,
    dev: Option<&'a str>,
    local: Vec<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Alpha,
    Beta,
    Candidate,
}

/// The longer spellings come first: `preview` begins with `pre`.
const PHASES: [(&str, Phase); 8] = [
    ("preview", Phase::Candidate),
    ("alpha", Phase::Alpha),
    ("beta", Phase::Beta),
    ("pre", Phase::Candidate),
    ("rc", Phase::Candidate),
    ("a", Phase::Alpha),
    ("b", Phase::Beta),
    ("c", Phase::Candidate),
];
const POSTS: [(&str, ()); 3] = [("post", ()), ("rev", ()), ("r", ())];
const DEVS: [(&str, ()); 1] = [("dev", ())];

impl<'a> Version<'a> {
    /// The version in a text of lower case, or nothing where it is not one of PEP 440.
    fn read(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (epoch, rest) = match text.split_once('!') {
            Some((epoch, rest)) if is_number(epoch) => (epoch, rest),
            Some(_) => return None,
            None => ("0", text),
        };
        let (release, rest) = read_release(rest)?;
        let (pre, rest) = split_label(rest, &PHASES);
        let (post, rest) = match rest.strip_prefix('-').map(split_digits) {
            Some((digits, after)) if !digits.is_empty() => (Some(((), digits)), after),
            _ => split_label(rest, &POSTS),
        };
        let (dev, rest) = split_label(rest, &DEVS);
        let local = match rest.strip_prefix('+') {
            Some(local) => local.split(['-', '_', '.']).collect(),
            None if rest.is_empty() => vec![],
            None => return None,
        };
        let is_local_part = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        local.iter().all(is_local_part).then_some(Self {
            epoch,
            release,
            pre,
            post: post.map(|(_, number)| number),
            dev: dev.map(|(_, number)| number),
            local,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        compare_numbers(self.epoch, other.epoch)
            .then_with(|| compare_padded(&self.release, &other.release))
            .then_with(|| self.compare_pre(other))
            .then_with(|| compare_missing_first(self.post, other.post))
            // A development release comes before the one it leads to.
            .then_with(|| match (self.dev, other.dev) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => compare_numbers(a, b),
            })
            .then_with(|| self.compare_local(other))
    }

    fn compare_pre(&self, other: &Self) -> Ordering {
        self.rank_of_pre().cmp(&other.rank_of_pre()).then_with(|| match (self.pre, other.pre) {
            (Some((a, a_number)), Some((b, b_number))) => a.cmp(&b).then_with(|| compare_numbers(a_number, b_number)),
            _ => Ordering::Equal,
        })
    }

    /// `1.0.dev0` comes before `1.0a0`, and that before `1.0`.
    fn rank_of_pre(&self) -> u8 {
        match (self.pre, self.post, self.dev) {
            (None, None, Some(_)) => 0,
            (Some(_), ..) => 1,
            _ => 2,
        }
    }

    fn compare_local(&self, other: &Self) -> Ordering {
        for (a, b) in self.local.iter().zip(&other.local) {
            let order = match (is_number(a), is_number(b)) {
                (true, true) => compare_numbers(a, b),
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => a.cmp(b),
            };
            if order.is_ne() {
                return order;
            }
        }
        self.local.len().cmp(&other.local.len())
    }
}

fn compare_missing_first(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare_numbers(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

fn read_release(text: &str) -> Option<(Vec<&str>, &str)> {
    let (first, mut rest) = split_digits(text);
    if first.is_empty() {
        return None;
    }
    let mut release = vec![first];
    while let Some((digits, after)) = rest.strip_prefix('.').map(split_digits).filter(|(digits, _)| !digits.is_empty())
    {
        release.push(digits);
        rest = after;
    }
    Some((release, rest))
}

/// One of the labels with a separator before and after, and its number: none is zero.
fn split_label<'a, T: Copy>(text: &'a str, labels: &[(&str, T)]) -> (Option<(T, &'a str)>, &'a str) {
    let without_separator = |text: &'a str| text.strip_prefix(['-', '_', '.']).unwrap_or(text);
    let start = without_separator(text);
    for (label, meaning) in labels {
        if let Some(after) = start.strip_prefix(label) {
            let (digits, after) = split_digits(without_separator(after));
            return (Some((*meaning, digits)), after);
        }
    }
    (None, text)
}

/// The parts by which setuptools ordered a version that has no form.
fn legacy_parts(version: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![];
    for part in legacy_pieces(version).into_iter().chain(["final"]) {
        let part = match part {
            "." => continue,
            "pre" | "preview" | "rc" => "*c".to_owned(),
            "-" => "*final-".to_owned(),
            "dev" => "*@".to_owned(),
            // Padded, so that numbers compare like texts.
            part if part.starts_with(|c: char| c.is_ascii_digit()) => format!("{part:0>8}"),
            part => format!("*{part}"),
        };
        if part.starts_with('*') {
            while part.as_str() < "*final" && parts.last().is_some_and(|last| last == "*final-") {
                parts.pop();
            }
            while parts.last().is_some_and(|last| last == "00000000") {
                parts.pop();
            }
        }
        parts.push(part);
    }
    parts
}

/// Digits, letters, single dots and hyphens, and whatever stands between those.
fn legacy_pieces(version: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        '0'..='9' => 0,
        'a'..='z' => 1,
        '.' => 2,
        '-' => 3,
        _ => 4,
    };
    let (mut pieces, mut rest) = (vec![], version);
    while let Some(first) = rest.chars().next() {
        let is_single = matches!(first, '.' | '-');
        let length = rest.find(|c| kind(c) != kind(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(if is_single { 1 } else { length });
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_python_versions() {
        assert_order(
            "PyPI",
            "2.0.dev3 < 2.0a1
             2.0a1 < 2.0b1
             2.0b2.post1 > 2.0b2
             2.0b2.post1.dev4 < 2.0b2.post1
             2.0rc1 = 2.0-c.1
             2.0rc1 = 2.0_preview1
             2.0rc1 < 2.0
             2.0 = 2
             2.0 < 2.0.post0
             2.0-1 = 2.0.post1
             2.0.rev2 = 2.0r2
             2.0+ubuntu.2 < 2.0+ubuntu.10
             2.0+10 > 2.0+abc
             2.0 < 2.0+0
             1!0.1 > 2024.1
             V2.0 = 2.0
             2.0.99999999999999999999998 < 2.0.99999999999999999999999
             2.0-zebra < 0.0.1
             1.0-aardvark < 1.0-zebra
             0.9-final-x < 0.10-x",
        );
    }
}
