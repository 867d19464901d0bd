//! Expressions and texts of views in a form in which equal ones are equal, renames included.
//!
//! When a column is renamed the database writes the texts that name it anew. A text of before is brought to today's names
//! and both are compared by their words, so that a rename is told once and not again for each view and check.

use std::collections::HashMap;

use crate::text::{Word, words};

/// From old names to new ones, of tables and columns alike.
pub(crate) type Names = HashMap<String, String>;

/// Whether two texts say the same, the first with today's names.
pub(crate) fn is_same(old: Option<&str>, new: Option<&str>, names: &Names) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => old == new || normal(old, names, false) == normal(new, &Names::new(), false),
        _ => false,
    }
}

/// Whether two views say the same. PostgreSQL keeps the columns of a view whose source was renamed by writing `new AS old`,
/// so what follows AS is left out; the names of a view's columns are compared as its columns.
pub(crate) fn is_same_view(old: &str, new: &str, names: &Names) -> bool {
    old == new || normal(old, names, true) == normal(new, &Names::new(), true)
}

fn normal(text: &str, names: &Names, is_view: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = words(text).into_iter().peekable();
    while let Some(word) = words.next() {
        match word {
            // `x AS y` of a select list, but not `WITH y AS (` and not `CAST(x AS int)`, whose type is no name of ours.
            Word::Name { ref text, is_quoted: false } if is_view && text == "as" => {
                if words.peek().is_some_and(|next| next.name().is_some()) {
                    words.next();
                }
            }
            Word::Name { text, .. } => found.push(names.get(&text).cloned().unwrap_or(text)),
            Word::Literal(text) => found.push(text),
            // A trailing semicolon says nothing.
            Word::Sign(';') => {}
            Word::Sign(sign) => found.push(sign.to_string()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_is_not_a_change_of_what_names_it() {
        let names = Names::from([("total".to_owned(), "grand total".to_owned())]);
        assert!(is_same(Some("(total > 0)"), Some("(\"grand total\"  > 0)"), &names));
        assert!(!is_same(Some("(total > 0)"), Some("(\"grand total\" > 1)"), &names));
        assert!(!is_same(Some("(name = 'total')"), Some("(name = 'grand total')"), &names));
        assert!(is_same_view("SELECT t.total FROM t;", "SELECT t.\"grand total\" AS total\n FROM t;", &names));
        assert!(!is_same_view("SELECT t.total FROM t", "SELECT t.\"grand total\" FROM t WHERE x > 1", &names));
    }
}
