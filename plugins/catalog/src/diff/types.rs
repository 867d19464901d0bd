//! Whether a new type holds what the old one held.
//!
//! Widened means: each old value fits, and statements that compared and added it still do. Narrowed means the same family
//! with less room. All else is a change of the type; some of those lose nothing but their form (a number as text), and
//! break readers all the same.

use crate::diff::change::ChangeKind;
use crate::schema::{Class, Column};

/// What the change of a type is; none where the types are the same.
pub(crate) fn compare(old: &Column, new: &Column) -> Option<ChangeKind> {
    if old.data_type == new.data_type || old.data_type.eq_ignore_ascii_case(&new.data_type) {
        return None;
    }
    let widened = |is: bool| Some(if is { ChangeKind::TypeWidened } else { ChangeKind::TypeNarrowed });
    let (before, after) = (Type::read(&old.data_type), Type::read(&new.data_type));
    match (old.class, new.class) {
        (Class::Integer, Class::Integer) => widened(before.integer_bytes() <= after.integer_bytes()),
        (Class::Float, Class::Float) => widened(before.float_bytes() <= after.float_bytes()),
        (Class::Text, Class::Text) => widened(before.length() <= after.length()),
        (Class::Decimal, Class::Decimal) => {
            let ((digits, scale), (digits_now, scale_now)) = (before.decimal(), after.decimal());
            widened(digits - scale <= digits_now - scale_now && scale <= scale_now)
        }
        (Class::Integer, Class::Decimal) => {
            let (digits, scale) = after.decimal();
            let needed = [5.0, 10.0, 19.0].get(before.integer_bytes().ilog2().saturating_sub(1) as usize).copied();
            widened(digits - scale >= needed.unwrap_or(19.0))
        }
        (Class::Decimal, Class::Integer) | (Class::Float, Class::Integer | Class::Decimal) => widened(false),
        // A fraction in binary has no place for each fraction in tens.
        (Class::Decimal, Class::Float) => widened(false),
        // A mantissa of 53 bits holds four bytes, one of 24 bits two.
        (Class::Integer, Class::Float) => widened(before.integer_bytes() * 2 <= after.float_bytes()),
        (Class::Date, Class::Timestamp | Class::TimestampTz) => widened(true),
        (Class::Timestamp | Class::TimestampTz, Class::Date) => widened(false),
        // The same type with other digits of a second.
        (a, b) if a == b && before.name == after.name => widened(before.digits() <= after.digits()),
        _ => Some(ChangeKind::TypeChanged),
    }
}

struct Type {
    name: String,
    arguments: Vec<f64>,
}

impl Type {
    fn read(text: &str) -> Self {
        let lower = text.to_lowercase();
        let (name, rest) = lower.split_once('(').unwrap_or((&lower, ""));
        let (inside, behind) = rest.split_once(')').unwrap_or((rest, ""));
        let arguments = inside.split(',').filter_map(|part| part.trim().parse().ok()).collect();
        Self { name: format!("{}{}", name.trim(), behind), arguments }
    }

    fn integer_bytes(&self) -> u32 {
        match self.name.as_str() {
            "smallint" | "int2" | "tinyint" => 2,
            "bigint" | "int8" | "unsigned big int" => 8,
            _ => 4,
        }
    }

    fn float_bytes(&self) -> u32 {
        if matches!(self.name.as_str(), "real" | "float4") { 4 } else { 8 }
    }

    /// Characters that fit; a `char` without a number has one, everything else without a number has no bound.
    fn length(&self) -> f64 {
        let unbounded = if matches!(self.name.as_str(), "character" | "char") { 1.0 } else { f64::INFINITY };
        self.arguments.first().copied().unwrap_or(unbounded)
    }

    /// All digits, and those behind the point. Without numbers there is no bound; the widest that PostgreSQL can.
    fn decimal(&self) -> (f64, f64) {
        match self.arguments.as_slice() {
            [] => (147_455.0, 16_383.0),
            [digits] => (*digits, 0.0),
            [digits, scale, ..] => (*digits, *scale),
        }
    }

    /// Digits of a second; 6 where none are said.
    fn digits(&self) -> f64 {
        self.arguments.first().copied().unwrap_or(6.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::class::sqlite;

    fn between(old: &str, new: &str) -> Option<ChangeKind> {
        let column = |name: &str| Column {
            data_type: name.to_owned(),
            class: match name.split('(').next().unwrap() {
                "character varying" => Class::Text,
                "timestamp" => Class::Timestamp,
                "numeric" => Class::Decimal,
                _ => sqlite(name),
            },
            ..Column::default()
        };
        compare(&column(old), &column(new))
    }

    #[test]
    fn a_type_is_widened_where_all_fits() {
        use ChangeKind::{TypeChanged, TypeNarrowed, TypeWidened};
        let cases = [
            ("integer", "bigint", TypeWidened),
            ("bigint", "integer", TypeNarrowed),
            ("character varying(10)", "character varying(20)", TypeWidened),
            ("character varying(10)", "text", TypeWidened),
            ("text", "character varying(10)", TypeNarrowed),
            ("numeric(10,2)", "numeric(12,2)", TypeWidened),
            ("numeric(10,2)", "numeric(10,4)", TypeNarrowed),
            ("numeric(10,2)", "numeric", TypeWidened),
            ("integer", "numeric(12,2)", TypeWidened),
            ("integer", "numeric(10,2)", TypeNarrowed),
            ("bigint", "numeric", TypeWidened),
            ("integer", "double precision", TypeWidened),
            ("bigint", "double precision", TypeNarrowed),
            ("smallint", "real", TypeWidened),
            ("integer", "real", TypeNarrowed),
            ("real", "double precision", TypeWidened),
            ("integer", "text", TypeChanged),
            ("text", "integer", TypeChanged),
            ("date", "timestamp", TypeWidened),
            ("timestamp(3)", "timestamp(0)", TypeNarrowed),
        ];
        for (old, new, expected) in cases {
            assert_eq!(between(old, new), Some(expected), "{old} to {new}");
        }
        assert_eq!(between("INTEGER", "integer"), None);
    }
}
