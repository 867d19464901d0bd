//! What a type's values are like.
//!
//! PostgreSQL says it by the type's category and name, of the base type where it is a domain. SQLite keeps what somebody
//! wrote: the words that people use for days, instants and truth are understood first, then its own rules of affinity.

use crate::schema::Class;

/// Of a type of PostgreSQL: `pg_type.typname`, `typtype` and `typcategory`.
pub fn postgres(name: &str, kind: &str, category: &str) -> Class {
    if kind == "e" {
        return Class::Enum;
    }
    if category == "A" {
        return Class::Array;
    }
    match name {
        "int2" | "int4" | "int8" | "oid" => Class::Integer,
        "numeric" | "money" => Class::Decimal,
        "float4" | "float8" => Class::Float,
        "text" | "varchar" | "bpchar" | "name" | "citext" => Class::Text,
        "bool" => Class::Boolean,
        "date" => Class::Date,
        "timestamp" => Class::Timestamp,
        "timestamptz" => Class::TimestampTz,
        "time" | "timetz" => Class::Time,
        "interval" => Class::Interval,
        "uuid" => Class::Uuid,
        "json" | "jsonb" => Class::Json,
        "bytea" => Class::Bytes,
        _ => Class::Other,
    }
}

/// Of a declared type of SQLite.
pub fn sqlite(declared: &str) -> Class {
    let declared = declared.to_ascii_uppercase();
    let word = declared.split(['(', ' ']).next().unwrap_or_default();
    match word {
        "DATE" => return Class::Date,
        "DATETIME" | "TIMESTAMP" => return Class::Timestamp,
        "TIMESTAMPTZ" => return Class::TimestampTz,
        "TIME" => return Class::Time,
        "BOOL" | "BOOLEAN" => return Class::Boolean,
        "UUID" | "GUID" => return Class::Uuid,
        "JSON" | "JSONB" => return Class::Json,
        "DECIMAL" | "NUMERIC" | "MONEY" => return Class::Decimal,
        _ => {}
    }
    // https://www.sqlite.org/datatype3.html, 3.1, in its order.
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        Class::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Class::Text
    } else if has("BLOB") {
        Class::Bytes
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Class::Float
    } else if declared.is_empty() {
        Class::Other
    } else {
        Class::Decimal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_follow_words_then_affinity() {
        let cases = [
            ("INTEGER", Class::Integer),
            ("unsigned big int", Class::Integer),
            ("VARCHAR(40)", Class::Text),
            ("timestamp with time zone", Class::Timestamp),
            ("DATE", Class::Date),
            ("decimal(10,2)", Class::Decimal),
            ("DOUBLE PRECISION", Class::Float),
            ("blob", Class::Bytes),
            ("", Class::Other),
            ("SOMETHING", Class::Decimal),
        ];
        for (declared, class) in cases {
            assert_eq!(sqlite(declared), class, "{declared}");
        }
    }
}
