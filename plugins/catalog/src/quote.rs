//! Names and texts as SQL: the one place where a name is put into a statement.
//!
//! Names come from databases and may hold anything: quotes, semicolons, spaces, line ends, keywords, emoji. Quoted they
//! are names and nothing else, in both dialects. Values belong into parameters; [`literal`] is for the few places that
//! take none, and for statements that people read.

/// A name as an identifier, always quoted.
///
/// Neither dialect can hold NUL in a name: it is dropped, so that it cannot cut a statement in two.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

/// A table with its schema.
pub fn qualified(schema: &str, table: &str) -> String {
    if schema.is_empty() { quote(table) } else { format!("{}.{}", quote(schema), quote(table)) }
}

/// Names as a list of identifiers.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// A text as a literal of SQLite, and of PostgreSQL where `standard_conforming_strings` is on, as it is by default.
///
/// With that setting off a backslash before the quote would swallow it. So statements that run take parameters.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_identifier() {
        assert_eq!(quote("orders"), "\"orders\"");
        assert_eq!(quote("\"; drop table x; --"), "\"\"\"; drop table x; --\"");
        assert_eq!(quote("select"), "\"select\"");
        assert_eq!(quote("two words\n🦀"), "\"two words\n🦀\"");
        assert_eq!(quote("a\0b"), "\"ab\"");
        assert_eq!(qualified("my.schema", "t\"\""), "\"my.schema\".\"t\"\"\"\"\"");
        assert_eq!(qualified("", "t"), "\"t\"");
        assert_eq!(list(["a", "b c"]), "\"a\", \"b c\"");
    }

    #[test]
    fn a_quote_does_not_end_a_literal() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("'; drop table x; --"), "'''; drop table x; --'");
    }
}
