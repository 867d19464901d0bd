//! Which columns are personal: patterns over `schema.table.column`.
//!
//! `email` is every column of that name, `customers.email` that of every table of that name in whatever schema,
//! `shop.customers.*` all columns of one table. `*` stands for any characters but a dot, `?` for one. Case does not
//! matter: a pattern that misses by its case would let the data out.

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pattern of personal columns cannot be read: `{0}`")]
pub struct PatternError(String);

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPattern {
    schema: String,
    table: String,
    column: String,
}

impl ColumnPattern {
    /// # Errors
    /// It has more than three parts, or an empty one.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let lower = text.to_lowercase();
        let parts: Vec<&str> = lower.split('.').collect();
        if parts.iter().any(|part| part.trim().is_empty()) {
            return Err(PatternError(text.to_owned()));
        }
        let own = |part: &str| part.to_owned();
        match parts.as_slice() {
            [column] => Ok(Self { schema: own("*"), table: own("*"), column: own(column) }),
            [table, column] => Ok(Self { schema: own("*"), table: own(table), column: own(column) }),
            [schema, table, column] => Ok(Self { schema: own(schema), table: own(table), column: own(column) }),
            _ => Err(PatternError(text.to_owned())),
        }
    }

    /// Whether it means this column.
    pub fn matches(&self, schema: &str, table: &str, column: &str) -> bool {
        is_like(&self.column, column) && is_like(&self.table, table) && is_like(&self.schema, schema)
    }
}

/// Two pointers and the last star: linear for one star, and never exponential.
fn is_like(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.to_lowercase().chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(c) if *c == '?' || Some(c) == name.get(from) => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star_at, star_from)) = star else { return false };
                star = Some((star_at, star_from + 1));
                at = star_at + 1;
                from = star_from + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(pattern: &str, schema: &str, table: &str, column: &str) -> bool {
        ColumnPattern::parse(pattern).unwrap().matches(schema, table, column)
    }

    #[test]
    fn a_pattern_means_columns_by_their_last_parts() {
        assert!(is("email", "public", "customers", "Email"));
        assert!(is("*.email", "public", "customers", "email"));
        assert!(is("customers.*mail*", "shop", "customers", "work_email_2"));
        assert!(is("shop.customers.*", "shop", "customers", "anything"));
        assert!(is("phon?", "a", "b", "phone"));
        assert!(!is("shop.customers.*", "public", "customers", "anything"));
        assert!(!is("customers.email", "public", "orders", "email"));
        assert!(!is("email", "public", "customers", "email_sent"));
        assert!(is("NAME", "public", "t", "name"));
    }

    #[test]
    fn a_pattern_that_cannot_be_one_is_an_error() {
        for text in ["", "a.", ".a", "a..b", "a.b.c.d", " . "] {
            assert!(ColumnPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        assert!(!is(&"*a".repeat(60), "s", "t", &"b".repeat(200)));
    }
}
