//! Sentences whose every number is kept beside them.

use std::collections::BTreeMap;

/// A sentence that is being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    text: String,
    numbers: BTreeMap<String, f64>,
}

impl Words {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), numbers: BTreeMap::new() }
    }

    /// More of the sentence.
    pub(crate) fn then(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// A number as it is shown: what is kept is what is read.
    pub(crate) fn number(mut self, name: &str, value: f64) -> Self {
        let value = rounded(value);
        self.numbers.insert(name.to_owned(), value);
        self.text.push_str(&shown(value));
        self
    }

    /// A share between 0 and 1, shown in percent.
    pub(crate) fn percent(self, name: &str, share: f64) -> Self {
        self.number(name, 100.0 * share).then(" %")
    }

    /// A number that the sentence does not show.
    pub(crate) fn beside(mut self, name: &str, value: f64) -> Self {
        if value.is_finite() {
            self.numbers.insert(name.to_owned(), value);
        }
        self
    }

    pub(crate) fn into_parts(self) -> (String, BTreeMap<String, f64>) {
        (self.text, self.numbers)
    }
}

/// Three digits that matter; whole numbers below ten million as they are.
fn rounded(value: f64) -> f64 {
    if !value.is_finite() {
        return 0.0;
    }
    if value.abs() >= 100.0 && value.abs() < 1e7 {
        return value.round();
    }
    format!("{value:.2e}").parse().unwrap_or(value)
}

fn shown(value: f64) -> String {
    if value != 0.0 && (value.abs() < 1e-4 || value.abs() >= 1e12) { format!("{value:e}") } else { format!("{value}") }
}

/// A value inside of a sentence: short, on one line.
pub(crate) fn quoted(value: &str) -> String {
    let short: String = value.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(40).collect();
    let more = if value.chars().count() > 40 { "…" } else { "" };
    format!("'{short}{more}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_sentence_are_those_beside_it() {
        let (text, numbers) =
            Words::new("").number("rows", 1234.4).then(" rows, ").percent("share", 0.012_345).into_parts();
        assert_eq!(text, "1234 rows, 1.23 %");
        assert_eq!((numbers["rows"], numbers["share"]), (1234.0, 1.23));
    }
}
