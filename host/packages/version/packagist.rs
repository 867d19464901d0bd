//! Packagist: PHP's `version_compare`, which Composer uses.
//!
//! `-`, `_` and `+` are dots, and there is one wherever a digit meets something else. Words count by how
//! they begin: any other < `dev` < `alpha` < `beta` < `RC` < a number (`#`) < `pl`. As in OSV a `v` in
//! front is left out, and `#` is a word of its own instead of a separator.

use std::cmp::Ordering;

use super::{compare_numbers, is_number};

/// How words begin, and their ranks. The longer spellings are listed for the reader: prefixes decide.
const FORMS: [(&str, i8); 10] = [
    ("dev", 0),
    ("alpha", 1),
    ("a", 1),
    ("beta", 2),
    ("b", 2),
    ("RC", 3),
    ("rc", 3),
    ("#", NUMBER),
    ("pl", 5),
    ("p", 5),
];
/// The rank of a number among words.
const NUMBER: i8 = 4;
/// The rank of a word that is not in the list.
const OTHER: i8 = -1;

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (canonical(a), canonical(b));
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (Some(a_part), Some(b_part)) => compare_parts(a_part, b_part),
            (Some(part), None) => return compare_rest(part, a),
            (None, Some(part)) => return compare_rest(part, b).reverse(),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_parts(a: &str, b: &str) -> Ordering {
    if is_number(a) && is_number(b) { compare_numbers(a, b) } else { rank(a).cmp(&rank(b)) }
}

/// What the longer version has beyond the shorter one: a number makes it newer, and a word by its rank.
fn compare_rest<'a>(first: &'a str, rest: impl Iterator<Item = &'a str>) -> Ordering {
    for part in [first].into_iter().chain(rest) {
        if is_number(part) {
            return Ordering::Greater;
        }
        let order = rank(part).cmp(&NUMBER);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn rank(part: &str) -> i8 {
    if is_number(part) {
        return NUMBER;
    }
    FORMS.iter().find(|(form, _)| part.starts_with(form)).map_or(OTHER, |(_, rank)| *rank)
}

fn canonical(version: &str) -> String {
    let version = version.strip_prefix(['v', 'V']).unwrap_or(version);
    let mut canonical = String::with_capacity(version.len() * 2);
    let mut previous = None;
    for character in version.chars() {
        let is_separator = !character.is_alphanumeric() && character != '#';
        let is_border = previous.is_some_and(|previous: char| {
            previous != '.' && !is_separator && previous.is_ascii_digit() != character.is_ascii_digit()
        });
        if (is_separator || is_border) && !canonical.is_empty() && !canonical.ends_with('.') {
            canonical.push('.');
        }
        if !is_separator {
            canonical.push(character);
        }
        previous = Some(character);
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_php_versions() {
        assert_order(
            "Packagist",
            "5.4.9 < 5.4.10
             v5.4.0 = 5.4.0
             5.4 < 5.4.0
             5.4.0-dev < 5.4.0-alpha1
             5.4.0-alpha1 < 5.4.0-beta1
             5.4.0-beta2 < 5.4.0-RC1
             5.4.0-RC1 < 5.4.0
             5.4.0 < 5.4.0-pl1
             5.4.0-p1 = 5.4.0-patch1
             5.4.0RC1 = 5.4.0-rc.1
             5.4.0_1 = 5.4.0+1
             5.4.0--1 = 5.4.0.1
             5.4.0-foo < 5.4.0-dev
             dev-main < 0.0.1
             2.0.0-beta10 > 2.0.0-beta9",
        );
    }
}
