//! What the value of an expression tells.

use pi_catalog::database::Dialect;
use sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Query, Subscript, UnaryOperator, WindowType,
};

use super::Taint::{self, Clear, Column, Derived};
use super::{Lineage, Scope, is_system};
use crate::error::Error;
use crate::statement::{fold, parts};

/// What may be known of a column: how often it is there, how many values it has, how long they are.
const MEASURES: &[&str] = &[
    "count",
    "length",
    "char_length",
    "character_length",
    "octet_length",
    "bit_length",
    "num_nulls",
    "num_nonnulls",
    "grouping",
    "typeof",
    "pg_typeof",
];

/// Functions whose value is made of their arguments, and that fail for none: an error would be an answer.
const RESHAPING: &[&str] = &[
    "upper",
    "lower",
    "initcap",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "substring",
    "substr",
    "left",
    "right",
    "reverse",
    "concat",
    "concat_ws",
    "coalesce",
    "ifnull",
    "split_part",
    "md5",
    "sha256",
    "sha512",
    "hex",
    "quote",
    "row",
    "to_json",
    "to_jsonb",
    "row_to_json",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "json_object",
    "json_array",
    "json_agg",
    "jsonb_agg",
    "json_group_array",
    "array_agg",
    "string_agg",
    "group_concat",
    "min",
    "max",
    "any_value",
    "first_value",
    "last_value",
    "nth_value",
    "lag",
    "lead",
    "sum",
    "avg",
    "total",
    "date_trunc",
    "date_part",
    "strftime",
    "date",
    "datetime",
    "mode",
];

impl Lineage<'_> {
    pub(super) fn value(&mut self, expression: &Expr, scope: &Scope) -> Result<Taint, Error> {
        match expression {
            Expr::Value(_) | Expr::TypedString(_) | Expr::Wildcard(_) => Ok(Clear),
            Expr::Prefixed { value, .. } => self.value(value, scope),
            Expr::Identifier(ident) => Ok(scope.column(&fold(self.catalog.dialect, ident))),
            Expr::CompoundIdentifier(idents) => {
                let mut names = idents.iter().rev().map(|ident| fold(self.catalog.dialect, ident));
                let (name, qualifier) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
                Ok(scope.qualified(&qualifier, &name))
            }
            Expr::QualifiedWildcard(..) => Ok(if scope.worst() == Clear { Clear } else { Derived }),
            Expr::Nested(inner) => self.value(inner, scope),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => match self.value(inner, scope)? {
                Derived => self.refuse("a test for NULL of an expression of a personal column"),
                _ => Ok(Clear),
            },
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.equality(left, right, scope)
            }
            Expr::BinaryOp { left, op, right } => self.operator(left, op, right, scope),
            Expr::InSubquery { expr, subquery, .. } => {
                let (value, list) = (self.value(expr, scope)?, self.subquery(subquery, scope)?);
                self.compared(value, list)
            }
            Expr::Exists { subquery, .. } => {
                self.query(subquery, Some(scope), scope.expressions)?;
                Ok(Clear)
            }
            Expr::Subquery(query) => self.subquery(query, scope),
            Expr::Cast { expr, data_type, .. } => match self.value(expr, scope)? {
                Clear => Ok(Clear),
                Column if is_text(data_type) => Ok(Column),
                Derived if is_text(data_type) => Ok(Derived),
                // A cast that fails quotes the value, and one that does not tells what it is not.
                _ => self.refuse(format!("a cast of a personal column to {data_type}")),
            },
            Expr::Case { operand, conditions, else_result, .. } => {
                let what = "a CASE that decides by a personal column";
                if let Some(operand) = operand {
                    self.clear(operand, scope, what)?;
                }
                let mut worst = Clear;
                for when in conditions {
                    self.clear(&when.condition, scope, what)?;
                    worst = worst.max(self.value(&when.result, scope)?);
                }
                if let Some(result) = else_result {
                    worst = worst.max(self.value(result, scope)?);
                }
                Ok(reshaped(worst))
            }
            Expr::Function(function) => self.call(function, scope),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let rest = substring_from.iter().chain(substring_for).map(|part| &**part);
                self.reshaping(expr, rest, scope)
            }
            Expr::Trim { expr, trim_what, trim_characters, .. } => {
                let rest = trim_what.iter().map(|part| &**part).chain(trim_characters.iter().flatten());
                self.reshaping(expr, rest, scope)
            }
            Expr::Collate { expr, .. } | Expr::Extract { expr, .. } => self.reshaping(expr, std::iter::empty(), scope),
            Expr::AtTimeZone { timestamp, time_zone } => {
                self.reshaping(timestamp, std::iter::once(&**time_zone), scope)
            }
            Expr::Array(array) => self.together(&array.elem, scope),
            Expr::Tuple(values) => self.together(values, scope),
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain, scope),
            _ => self.anything_else(expression, scope),
        }
    }

    /// Expressions in which a personal column has no place.
    fn anything_else(&mut self, expression: &Expr, scope: &Scope) -> Result<Taint, Error> {
        let parts: Vec<&Expr> = match expression {
            Expr::IsFalse(a)
            | Expr::IsNotFalse(a)
            | Expr::IsTrue(a)
            | Expr::IsNotTrue(a)
            | Expr::IsUnknown(a)
            | Expr::IsNotUnknown(a) => {
                vec![a]
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } | Expr::UnaryOp { expr, .. } => vec![expr],
            Expr::IsJson { expr, .. } | Expr::IsNormalized { expr, .. } => vec![expr],
            Expr::InList { expr, list, .. } => std::iter::once(&**expr).chain(list).collect(),
            Expr::InUnnest { expr, array_expr, .. } => vec![expr, array_expr],
            Expr::Between { expr, low, high, .. } => vec![expr, low, high],
            Expr::Like { expr, pattern, escape_char, .. }
            | Expr::ILike { expr, pattern, escape_char, .. }
            | Expr::SimilarTo { expr, pattern, escape_char, .. } => {
                [expr, pattern].into_iter().chain(escape_char).map(|part| &**part).collect()
            }
            Expr::RLike { expr, pattern, .. } => vec![expr, pattern],
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => vec![left, right],
            Expr::Position { expr, r#in } => vec![expr, r#in],
            Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => vec![expr],
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                [expr, overlay_what, overlay_from].into_iter().chain(overlay_for).map(|part| &**part).collect()
            }
            Expr::Interval(interval) => vec![&interval.value],
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => sets.iter().flatten().collect(),
            other => return self.refuse(format!("an expression that is not known beside personal columns: {other}")),
        };
        for part in parts {
            if self.value(part, scope)? != Clear {
                return self.refuse("a comparison of, or arithmetic with, a personal column");
            }
        }
        Ok(Clear)
    }

    fn operator(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, scope: &Scope) -> Result<Taint, Error> {
        match op {
            BinaryOperator::Eq | BinaryOperator::NotEq => self.equality(left, right, scope),
            BinaryOperator::StringConcat => {
                let (left, right) = (self.value(left, scope)?, self.value(right, scope)?);
                Ok(reshaped(left.max(right)))
            }
            BinaryOperator::Arrow
            | BinaryOperator::LongArrow
            | BinaryOperator::HashArrow
            | BinaryOperator::HashLongArrow => self.reshaping(left, std::iter::once(right), scope),
            _ => {
                let (left, right) = (self.value(left, scope)?, self.value(right, scope)?);
                if left.max(right) == Clear {
                    Ok(Clear)
                } else {
                    self.refuse("a comparison of, or arithmetic with, a personal column")
                }
            }
        }
    }

    fn equality(&mut self, left: &Expr, right: &Expr, scope: &Scope) -> Result<Taint, Error> {
        let (left, right) = (self.value(left, scope)?, self.value(right, scope)?);
        self.compared(left, right)
    }

    fn compared(&self, left: Taint, right: Taint) -> Result<Taint, Error> {
        match (left, right) {
            (Clear, Clear) | (Column, Column) => Ok(Clear),
            _ => self.refuse("a comparison of a personal column with something else than another personal column"),
        }
    }

    fn subquery(&mut self, query: &Query, scope: &Scope) -> Result<Taint, Error> {
        let output = self.query(query, Some(scope), scope.expressions)?;
        match (output.fields.as_slice(), output.open) {
            ([field], None) => Ok(field.taint),
            _ => Ok(reshaped(output.worst())),
        }
    }

    /// A value of `expression`, in a form that nothing personal decides.
    fn reshaping<'e>(
        &mut self,
        expression: &Expr,
        rest: impl Iterator<Item = &'e Expr>,
        scope: &Scope,
    ) -> Result<Taint, Error> {
        for part in rest {
            self.clear(part, scope, "a personal column that decides over the form of another value")?;
        }
        Ok(reshaped(self.value(expression, scope)?))
    }

    fn together(&mut self, values: &[Expr], scope: &Scope) -> Result<Taint, Error> {
        let mut worst = Clear;
        for value in values {
            worst = worst.max(self.value(value, scope)?);
        }
        Ok(reshaped(worst))
    }

    fn access(&mut self, root: &Expr, chain: &[AccessExpr], scope: &Scope) -> Result<Taint, Error> {
        let what = "a personal column that decides which part of a value is taken";
        for step in chain {
            match step {
                AccessExpr::Dot(Expr::Identifier(_)) => {}
                AccessExpr::Dot(other) => self.clear(other, scope, what)?,
                AccessExpr::Subscript(Subscript::Index { index }) => self.clear(index, scope, what)?,
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    for bound in lower_bound.iter().chain(upper_bound).chain(stride) {
                        self.clear(bound, scope, what)?;
                    }
                }
            }
        }
        // `table.column[1]` may be read as an access to the table.
        let first = match (root, chain.first()) {
            (Expr::Identifier(table), Some(AccessExpr::Dot(Expr::Identifier(column)))) => {
                let dialect = self.catalog.dialect;
                Some(scope.qualified(&fold(dialect, table), &fold(dialect, column)))
            }
            _ => None,
        };
        match first {
            Some(taint) => Ok(reshaped(taint)),
            None => Ok(reshaped(self.value(root, scope)?)),
        }
    }

    fn call(&mut self, function: &Function, scope: &Scope) -> Result<Taint, Error> {
        let name =
            parts(self.catalog.dialect, &function.name).and_then(|parts| parts.last().cloned()).unwrap_or_default();
        let name = name.to_lowercase();
        self.surroundings(function, scope)?;
        let (mut worst, mut count) = (Clear, 0_usize);
        match &function.args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => worst = self.subquery(query, scope)?,
            FunctionArguments::List(list) => {
                for arg in &list.args {
                    let (FunctionArg::Unnamed(arg)
                    | FunctionArg::Named { arg, .. }
                    | FunctionArg::ExprNamed { arg, .. }) = arg;
                    count += 1;
                    worst = worst.max(match arg {
                        FunctionArgExpr::Expr(expression) => self.value(expression, scope)?,
                        FunctionArgExpr::Wildcard => Clear,
                        FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::WildcardWithOptions(_) => {
                            reshaped(scope.worst())
                        }
                    });
                }
            }
        }
        let is_own = self.catalog.own_functions.contains(&name);
        // `name(row)` is the column `name` of the row, and a row is its columns.
        let is_known = !is_own && !is_system(&name);
        match worst {
            Clear if is_own => Ok(Derived),
            Clear => Ok(Clear),
            Column if is_known && MEASURES.contains(&name.as_str()) => Ok(Clear),
            _ if !MEASURES.contains(&name.as_str()) && RESHAPING.contains(&name.as_str()) => {
                // SQLite's min and max of several values compare them with each other.
                if self.catalog.dialect == Dialect::Sqlite && count > 1 && ["min", "max"].contains(&name.as_str()) {
                    return self.refuse("a comparison of a personal column with something else");
                }
                Ok(Derived)
            }
            _ => self.refuse(format!("the function `{name}` over a personal column or an expression of one")),
        }
    }

    /// FILTER, OVER and the orderings of a call.
    fn surroundings(&mut self, function: &Function, scope: &Scope) -> Result<(), Error> {
        if let Some(filter) = &function.filter {
            self.clear(filter, scope, "a FILTER by a personal column")?;
        }
        if let Some(WindowType::WindowSpec(spec)) = &function.over {
            self.window(spec, scope)?;
        }
        let ordered = "an aggregate ordered by a personal column";
        for key in &function.within_group {
            self.clear(&key.expr, scope, ordered)?;
        }
        let FunctionArguments::List(list) = &function.args else { return Ok(()) };
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(keys) => {
                    for key in keys {
                        self.clear(&key.expr, scope, ordered)?;
                    }
                }
                FunctionArgumentClause::Where(condition) | FunctionArgumentClause::Limit(condition) => {
                    self.clear(condition, scope, "a condition on a personal column")?;
                }
                FunctionArgumentClause::Having(_) => {
                    self.refuse("HAVING within a call")?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn reshaped(taint: Taint) -> Taint {
    if taint == Clear { Clear } else { Derived }
}

/// Any value can be written as text, and no two values in the same way.
fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Text | DataType::Varchar(None) | DataType::CharacterVarying(None))
}
