//! Where the values of an answer come from, and the rule for columns that are marked as personal.
//!
//! A personal column may be
//! - an output, by itself or in an expression of functions that only reshape it: its values are masked. In an expression
//!   NULL is masked as well, by itself it is not: whether a value is there is no secret;
//! - counted: `count(x)`, `count(DISTINCT x)`, `x IS [NOT] NULL`, and measured: `length(x)`, with anything made of that;
//! - grouped by, made DISTINCT, partitioned by, and compared for equality with another personal column (a join).
//!
//! Everything else is refused, above all a comparison with anything else (`email LIKE 'a%'`), whether in WHERE, CASE,
//! FILTER, an ordering or a set operation: rows that come or stay away, their order, and errors, tell a value bit by bit.
//! min, max, string_agg and their like reveal values, so they are outputs like any other. Counting and measuring takes the
//! column itself and no expression of it: `count(nullif(email, 'a@b'))` would be a comparison.
//!
//! Views are followed through their definitions, whose own conditions are not the reader's. Where lineage cannot be
//! decided (a function that does not come with the database, a view that cannot be read, a table that is not known), the
//! value counts as personal.

mod expression;
mod select;

use sqlparser::ast::{Expr, Query, SetExpr, SetOperator, SetQuantifier, TableAlias, Value};

use crate::error::Error;
use crate::relation::{Catalog, View};

/// Views of views.
const VIEWS_DEPTH_MAX: usize = 32;

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Taint {
    Clear,
    /// A personal column as it is.
    Column,
    /// Made of one, or of something that may be one.
    Derived,
}

use Taint::{Clear, Column, Derived};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// None where the database makes the name.
    pub(crate) name: Option<String>,
    pub(crate) taint: Taint,
}

/// Columns in their order; where there are more whose names are not known, what those are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Output {
    pub(crate) fields: Vec<Field>,
    pub(crate) open: Option<Taint>,
}

impl Output {
    fn worst(&self) -> Taint {
        self.fields.iter().map(|field| field.taint).chain(self.open).max().unwrap_or(Clear)
    }

    /// The taint of each column that the database says there is.
    pub(crate) fn of(&self, columns: &[String]) -> Vec<Taint> {
        let is_same = |(field, column): (&Field, &String)| {
            field.name.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(column))
        };
        if self.open.is_none() && self.fields.len() == columns.len() && self.fields.iter().zip(columns).all(is_same) {
            return self.fields.iter().map(|field| field.taint).collect();
        }
        // Columns merged by USING, and those of functions, stand elsewhere than was thought: go by their names.
        let worst = self.worst();
        columns
            .iter()
            .map(|column| {
                let named = self
                    .fields
                    .iter()
                    .filter(|field| field.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(column)));
                named.map(|field| field.taint).max().unwrap_or(if worst == Clear { Clear } else { Derived })
            })
            .collect()
    }

    fn renamed(mut self, dialect: pi_catalog::database::Dialect, alias: Option<&TableAlias>) -> Self {
        let Some(alias) = alias else { return self };
        if alias.columns.len() > self.fields.len() && self.open.is_some() {
            let missing = alias.columns.len() - self.fields.len();
            let taint = self.open.unwrap_or(Derived);
            self.fields.extend(std::iter::repeat_n(Field { name: None, taint }, missing));
        }
        for (field, column) in self.fields.iter_mut().zip(&alias.columns) {
            field.name = Some(crate::statement::fold(dialect, &column.name));
        }
        self
    }
}

/// Something in FROM.
#[derive(Clone, Debug)]
struct Source {
    alias: String,
    output: Output,
}

/// What names mean in one query, and around it.
struct Scope<'a> {
    sources: Vec<Source>,
    outer: Option<&'a Scope<'a>>,
    expressions: &'a [(String, Output)],
    /// The outputs, which SQLite knows by their names in conditions too.
    outputs: Vec<Field>,
}

impl Scope<'_> {
    /// Whether a personal value is anywhere in reach.
    fn worst(&self) -> Taint {
        let own = self.sources.iter().map(|source| source.output.worst()).max().unwrap_or(Clear);
        own.max(self.outer.map_or(Clear, Scope::worst))
    }

    fn column(&self, name: &str) -> Taint {
        let (mut scope, mut open) = (Some(self), Clear);
        while let Some(here) = scope {
            let mut found: Option<Taint> = None;
            for source in &here.sources {
                let fields = source.output.fields.iter().filter(|field| is_named(field, name)).map(|field| field.taint);
                // A table's name is its whole row.
                let row = source.alias.eq_ignore_ascii_case(name).then(|| whole(source));
                found = found.max(fields.chain(row).max());
            }
            if let Some(taint) = found {
                return taint.max(open);
            }
            open = open.max(here.sources.iter().filter_map(|source| source.output.open).max().unwrap_or(Clear));
            let outputs = here.outputs.iter().filter(|field| is_named(field, name)).map(|field| field.taint);
            if let Some(taint) = outputs.max() {
                return taint.max(open);
            }
            scope = here.outer;
        }
        if is_system(name) || self.worst() == Clear { open } else { Derived }
    }

    /// `table.column`, `schema.table.column`.
    fn qualified(&self, qualifier: &str, name: &str) -> Taint {
        let mut scope = Some(self);
        while let Some(here) = scope {
            let found =
                here.sources.iter().filter(|source| source.alias.eq_ignore_ascii_case(qualifier)).map(|source| {
                    let fields =
                        source.output.fields.iter().filter(|field| is_named(field, name)).map(|field| field.taint);
                    // `table.function` is a call with the whole row.
                    fields.max().unwrap_or_else(|| match source.output.open {
                        Some(open) => open.max(if is_system(name) { Clear } else { whole(source) }),
                        None if is_system(name) => Clear,
                        None => whole(source),
                    })
                });
            if let Some(taint) = found.max() {
                return taint;
            }
            scope = here.outer;
        }
        if self.worst() == Clear { Clear } else { Derived }
    }
}

fn is_named(field: &Field, name: &str) -> bool {
    field.name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name))
}

fn whole(source: &Source) -> Taint {
    if source.output.worst() == Clear { Clear } else { Derived }
}

/// Columns that every table has and no definition names.
fn is_system(name: &str) -> bool {
    ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "rowid", "_rowid_", "oid"]
        .contains(&name.to_lowercase().as_str())
}

/// Walks through a query.
struct Lineage<'a> {
    catalog: &'a Catalog,
    /// In a view nothing is refused: its conditions are its author's.
    is_view: bool,
    views: usize,
}

/// What the columns of a query are.
///
/// # Errors
/// `Refused` where a personal column would be told by something else than an output.
pub(crate) fn output(catalog: &Catalog, query: &Query) -> Result<Output, Error> {
    Lineage { catalog, is_view: false, views: 0 }.query(query, None, &[])
}

impl Lineage<'_> {
    fn query(
        &mut self,
        query: &Query,
        outer: Option<&Scope>,
        expressions: &[(String, Output)],
    ) -> Result<Output, Error> {
        let mut expressions = expressions.to_vec();
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let name = crate::statement::fold(self.catalog.dialect, &cte.alias.name);
                let output = if with.recursive {
                    self.recursive(&name, &cte.alias, &cte.query, outer, &expressions)?
                } else {
                    self.query(&cte.query, outer, &expressions)?.renamed(self.catalog.dialect, Some(&cte.alias))
                };
                expressions.push((name, output));
            }
        }
        let (output, sources) = self.body(&query.body, outer, &expressions)?;
        let scope = Scope { sources, outer, expressions: &expressions, outputs: Vec::new() };
        self.endings(query, &output, &scope)?;
        Ok(output)
    }

    /// What it reads of itself is what it has given: until that no longer changes. Taints only grow.
    fn recursive(
        &mut self,
        name: &str,
        alias: &TableAlias,
        query: &Query,
        outer: Option<&Scope>,
        expressions: &[(String, Output)],
    ) -> Result<Output, Error> {
        let dialect = self.catalog.dialect;
        let mut output = match &*query.body {
            SetExpr::SetOperation { left, .. } if query.with.is_none() => self.body(left, outer, expressions)?.0,
            _ => self.query(query, outer, expressions)?,
        }
        .renamed(dialect, Some(alias));
        loop {
            let mut known = expressions.to_vec();
            known.push((name.to_owned(), output.clone()));
            let next = self.query(query, outer, &known)?.renamed(dialect, Some(alias));
            let mut joined = output.clone();
            for (field, other) in joined.fields.iter_mut().zip(&next.fields) {
                field.taint = field.taint.max(other.taint);
            }
            joined.open = joined.open.max(next.open);
            if joined == output {
                return Ok(output);
            }
            output = joined;
        }
    }

    fn body(
        &mut self,
        body: &SetExpr,
        outer: Option<&Scope>,
        expressions: &[(String, Output)],
    ) -> Result<(Output, Vec<Source>), Error> {
        match body {
            SetExpr::Select(select) => self.select(select, outer, expressions),
            SetExpr::Query(query) => Ok((self.query(query, outer, expressions)?, Vec::new())),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let left = self.body(left, outer, expressions)?.0;
                let right = self.body(right, outer, expressions)?.0;
                let keeps_all = *op == SetOperator::Union
                    && matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
                Ok((self.united(left, &right, keeps_all)?, Vec::new()))
            }
            SetExpr::Values(values) => {
                let scope = Scope { sources: Vec::new(), outer, expressions, outputs: Vec::new() };
                let mut fields: Vec<Field> = Vec::new();
                for row in &values.rows {
                    for (at, value) in row.content.iter().enumerate() {
                        let taint = self.value(value, &scope)?;
                        match fields.get_mut(at) {
                            Some(field) => field.taint = mixed(field.taint, taint),
                            None => fields.push(Field { name: Some(format!("column{}", at + 1)), taint }),
                        }
                    }
                }
                Ok((Output { fields, open: None }, Vec::new()))
            }
            SetExpr::Table(table) => {
                let parts: Vec<String> = table.schema_name.iter().chain(&table.table_name).cloned().collect();
                Ok((self.relation(&parts, expressions)?, Vec::new()))
            }
            _ => Err(Error::refused("a statement that changes something", "only queries are run")),
        }
    }

    fn united(&self, mut left: Output, right: &Output, keeps_all: bool) -> Result<Output, Error> {
        let is_known = left.open.is_none() && right.open.is_none() && left.fields.len() == right.fields.len();
        if !is_known {
            let worst = left.worst().max(right.worst());
            if worst != Clear && !keeps_all {
                self.refuse("a set operation over personal columns and columns that are not known")?;
            }
            let taint = if worst == Clear { Clear } else { Derived };
            left.fields.iter_mut().for_each(|field| field.taint = taint);
            left.open = Some(taint);
            return Ok(left);
        }
        for (field, other) in left.fields.iter_mut().zip(&right.fields) {
            let taint = mixed(field.taint, other.taint);
            // Rows that fall together, or away, tell which values are the same.
            if taint == Derived && !keeps_all {
                self.refuse("UNION, INTERSECT or EXCEPT of a personal column with something else")?;
            }
            field.taint = taint;
        }
        Ok(left)
    }

    /// A table, view or expression of WITH, by its name.
    fn relation(&mut self, parts: &[String], expressions: &[(String, Output)]) -> Result<Output, Error> {
        if let [name] = parts
            && let Some((_, output)) = expressions.iter().rev().find(|(own, _)| own.eq_ignore_ascii_case(name))
        {
            return Ok(output.clone());
        }
        let catalog = self.catalog;
        let Some(relation) = catalog.relation(parts) else {
            return Ok(Output { fields: Vec::new(), open: Some(Derived) });
        };
        let inner = match &relation.view {
            None => None,
            Some(View::Unknown) => Some(None),
            Some(View::Known(query)) => Some(self.view(query)),
        };
        let fields = relation.columns.iter().enumerate().map(|(at, column)| {
            let own = if column.is_personal { Column } else { Clear };
            let taint = match &inner {
                None => own,
                Some(None) => Derived,
                // A view's columns are those of its query, in their order, under names of its own.
                Some(Some(output)) if output.open.is_none() && output.fields.len() == relation.columns.len() => {
                    own.max(output.fields.get(at).map_or(Derived, |field| field.taint))
                }
                Some(Some(output)) => own.max(if output.worst() == Clear { Clear } else { Derived }),
            };
            Field { name: Some(column.name.clone()), taint }
        });
        Ok(Output { fields: fields.collect(), open: None })
    }

    fn view(&mut self, query: &Query) -> Option<Output> {
        if self.views >= VIEWS_DEPTH_MAX {
            return None;
        }
        let was_view = std::mem::replace(&mut self.is_view, true);
        self.views += 1;
        let output = self.query(query, None, &[]).ok();
        self.views -= 1;
        self.is_view = was_view;
        output
    }

    fn endings(&mut self, query: &Query, output: &Output, scope: &Scope) -> Result<(), Error> {
        if let Some(order_by) = &query.order_by {
            self.ordering(order_by, output, scope)?;
        }
        let mut counts: Vec<&Expr> = Vec::new();
        match &query.limit_clause {
            Some(sqlparser::ast::LimitClause::LimitOffset { limit, offset, limit_by }) => {
                counts.extend(limit.iter().chain(offset.iter().map(|offset| &offset.value)).chain(limit_by));
            }
            Some(sqlparser::ast::LimitClause::OffsetCommaLimit { offset, limit }) => counts.extend([offset, limit]),
            None => {}
        }
        counts.extend(query.fetch.iter().filter_map(|fetch| fetch.quantity.as_ref()));
        for count in counts {
            self.clear(count, scope, "a limit made of a personal column")?;
        }
        Ok(())
    }

    /// It is refused, but in a view.
    fn refuse(&self, what: impl Into<String>) -> Result<Taint, Error> {
        if self.is_view {
            return Ok(Derived);
        }
        Err(Error::refused(
            what,
            "columns marked as personal are shown masked, counted, measured by length(), tested for NULL, grouped by and \
             joined with each other; anything else would tell their values bit by bit",
        ))
    }

    /// An expression that tells nothing personal.
    fn clear(&mut self, expression: &Expr, scope: &Scope, what: &str) -> Result<(), Error> {
        if self.value(expression, scope)? != Clear {
            self.refuse(what)?;
        }
        Ok(())
    }

    /// What is grouped by: a personal column by itself falls into its own groups.
    fn key(&mut self, expression: &Expr, output: &Output, scope: &Scope, what: &str) -> Result<(), Error> {
        let taint = match expression {
            Expr::Nested(inner) => return self.key(inner, output, scope, what),
            Expr::Tuple(parts) => {
                return parts.iter().try_for_each(|part| self.key(part, output, scope, what));
            }
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                return sets.iter().flatten().try_for_each(|part| self.key(part, output, scope, what));
            }
            _ => self.named(expression, output, scope)?,
        };
        if taint == Derived {
            self.refuse(what)?;
        }
        Ok(())
    }

    /// An expression that may be the number or the name of an output.
    fn named(&mut self, expression: &Expr, output: &Output, scope: &Scope) -> Result<Taint, Error> {
        match expression {
            Expr::Value(value) => match &value.value {
                Value::Number(number, _) => {
                    let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                    let field = at.and_then(|at| output.fields.get(at));
                    Ok(field.map_or_else(|| output.worst(), |field| field.taint))
                }
                _ => Ok(Clear),
            },
            Expr::Identifier(ident) => {
                let name = crate::statement::fold(self.catalog.dialect, ident);
                let field = output.fields.iter().filter(|field| is_named(field, &name)).map(|field| field.taint).max();
                // The name of an output that is no column is not looked for in the tables.
                let is_output = field.is_some() && scope.sources.is_empty();
                let column = if is_output { Clear } else { self.output_or_column(field, scope, &name) };
                Ok(field.unwrap_or(Clear).max(column))
            }
            _ => self.value(expression, scope),
        }
    }

    fn output_or_column(&self, field: Option<Taint>, scope: &Scope, name: &str) -> Taint {
        let is_column = scope.sources.iter().any(|source| source.output.fields.iter().any(|own| is_named(own, name)));
        if field.is_some() && !is_column { Clear } else { scope.column(name) }
    }
}

/// Two values that may stand in one place.
fn mixed(one: Taint, other: Taint) -> Taint {
    if one == other { one } else { Derived }
}
