//! RubyGems: numbers and words, where a word makes a pre-release.
//!
//! By `Gem::Version`: runs of digits and runs of letters are segments, `-` stands for `.pre.`, zeros at
//! the end of the numbers and at the end of the rest do not count, and a number is newer than a word.

use std::cmp::Ordering;

use super::{compare_numbers, is_number, split_digits};

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.replace('-', ".pre."), b.replace('-', ".pre."));
    let (a, b) = (segments(&a), segments(&b));
    for at in 0..a.len().max(b.len()) {
        let (a, b) = (a.get(at).copied().unwrap_or("0"), b.get(at).copied().unwrap_or("0"));
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
    Ordering::Equal
}

fn segments(version: &str) -> Vec<&str> {
    let mut numbers = runs(version);
    let first_word = numbers.iter().position(|segment| !is_number(segment)).unwrap_or(numbers.len());
    let mut rest = numbers.split_off(first_word);
    drop_zeros(&mut numbers);
    drop_zeros(&mut rest);
    numbers.append(&mut rest);
    numbers
}

/// The runs of digits and those of letters; what is neither only separates them.
fn runs(version: &str) -> Vec<&str> {
    let (mut runs, mut rest) = (vec![], version);
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() {
            split_digits(rest).0.len()
        } else if first.is_ascii_alphabetic() {
            rest.bytes().take_while(u8::is_ascii_alphabetic).count()
        } else {
            rest = rest.strip_prefix(first).unwrap_or("");
            continue;
        };
        let (run, after) = rest.split_at(length);
        runs.push(run);
        rest = after;
    }
    runs
}

fn drop_zeros(segments: &mut Vec<&str>) {
    while segments.last().is_some_and(|last| last.bytes().all(|byte| byte == b'0')) {
        segments.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_gem_versions() {
        assert_order(
            "RubyGems",
            "7.0.4.3 < 7.0.4.10
             7.0 = 7.0.0
             7.0.0.rc1 < 7.0.0
             7.0.0.rc1 < 7.0.0.rc2
             7.0.0.rc9 < 7.0.0.rc10
             7.0.0.beta3 < 7.0.0.rc1
             7.0.0.rc1 = 7.0.0.rc.1
             1.0.0.a = 1.a
             1.0-1 < 1.0
             1.0-x < 1.0.pre.y
             1.0.pre < 1.0
             2.0.0.pre.0 = 2.0.0.pre
             2.a > 2.A
             1.8.7.p1 < 1.8.7
             1.01 = 1.1",
        );
    }
}
