//! Debian and Ubuntu: `[epoch:]upstream[-revision]`.
//!
//! By deb-version(7), whose order dpkg implements: runs of other characters and runs of digits take
//! turns. In the former `~` comes before the end, the end before letters, letters before the rest.

use std::cmp::Ordering;

use super::{VersionError, compare_numbers, is_number, split_digits};

pub(super) fn compare(a: &str, b: &str) -> Result<Ordering, VersionError> {
    let (a, b) = (Version::read(a)?, Version::read(b)?);
    Ok(compare_numbers(a.epoch, b.epoch)
        .then_with(|| compare_parts(a.upstream, b.upstream))
        .then_with(|| compare_parts(a.revision, b.revision)))
}

struct Version<'a> {
    epoch: &'a str,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    fn read(text: &'a str) -> Result<Self, VersionError> {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        if !is_number(epoch) {
            return Err(VersionError::Invalid { version: text.to_owned(), reason: "the epoch before `:` is a number" });
        }
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Ok(Self { epoch, upstream, revision })
    }
}

fn compare_parts(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = split_text(a);
        let (b_text, b_rest) = split_text(b);
        let (a_digits, a_after) = split_digits(a_rest);
        let (b_digits, b_after) = split_digits(b_rest);
        let order = compare_texts(a_text, b_text).then_with(|| compare_numbers(a_digits, b_digits));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_after, b_after);
    }
    Ordering::Equal
}

fn split_text(part: &str) -> (&str, &str) {
    part.split_at(part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len()))
}

fn compare_texts(a: &str, b: &str) -> Ordering {
    let weights = |text: &str| text.bytes().map(weight).chain([weight_of_end()]).collect::<Vec<_>>();
    let (mut a, mut b) = (weights(a), weights(b));
    let length = a.len().max(b.len());
    a.resize(length, weight_of_end());
    b.resize(length, weight_of_end());
    a.cmp(&b)
}

fn weight(byte: u8) -> (u8, u8) {
    match byte {
        b'~' => (0, 0),
        byte if byte.is_ascii_alphabetic() => (2, byte),
        byte => (3, byte),
    }
}

fn weight_of_end() -> (u8, u8) {
    (1, 0)
}

#[cfg(test)]
mod tests {
    use super::super::{assert_order, compare};

    #[test]
    fn orders_debian_versions() {
        assert_order(
            "Debian",
            "2.36-9 < 2.36-9+deb12u4
             2.36-9+deb12u4 < 2.36-9+deb12u10
             1.0~beta1 < 1.0
             1.0~~ < 1.0~
             1.0 < 1.0a
             1.0a < 1.0+
             1:0.1 > 9.9
             0:3.2-0 = 3.2
             3.2-00 = 3.2-0
             1.2-3-4 > 1.2-3-3
             007 = 7
             1.18.0-6ubuntu14.3 < 1.18.0-6ubuntu14.4
             5.15.0-91.101~20.04.1 < 5.15.0-91.101
             1.0-1ubuntu1 > 1.0-1
             20230311-1 > 20210119",
        );
    }

    #[test]
    fn refuses_an_epoch_that_is_no_number() {
        assert!(compare("Debian", "a:1.0", "1.0").is_err());
        assert!(compare("Debian", ":1.0", "1.0").is_err());
    }
}
