//! One SELECT: what its sources are, what its clauses may do, and what comes out.

use sqlparser::ast::{
    Distinct, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Join, JoinConstraint, JoinOperator, NamedWindowExpr,
    ObjectName, OrderBy, OrderByKind, Select, SelectItem, SelectItemQualifiedWildcardKind, TableAlias, TableFactor,
    TableWithJoins, WildcardAdditionalOptions, WindowFrameBound, WindowSpec,
};

use super::Taint::{Clear, Derived};
use super::{Field, Lineage, Output, Scope, Source, mixed};
use crate::error::Error;
use crate::statement::{fold, parts};

impl Lineage<'_> {
    pub(super) fn select(
        &mut self,
        select: &Select,
        outer: Option<&Scope>,
        expressions: &[(String, Output)],
    ) -> Result<(Output, Vec<Source>), Error> {
        let mut scope = Scope { sources: Vec::new(), outer, expressions, outputs: Vec::new() };
        for table in &select.from {
            self.joined(table, &mut scope)?;
        }
        let output = self.projection(&select.projection, &scope)?;
        scope.outputs.clone_from(&output.fields);
        if let Some(condition) = &select.selection {
            self.clear(condition, &scope, "a condition on a personal column")?;
        }
        for window in &select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = &window.1 {
                self.window(spec, &scope)?;
            }
        }
        if let GroupByExpr::Expressions(keys, _) = &select.group_by {
            for key in keys {
                self.key(key, &output, &scope, "GROUP BY an expression of a personal column")?;
            }
        } else if output.worst() == Derived {
            self.refuse("GROUP BY ALL with an expression of a personal column")?;
        }
        if let Some(condition) = &select.having {
            self.clear(condition, &scope, "a condition on a personal column")?;
        }
        match &select.distinct {
            Some(Distinct::Distinct) if output.worst() == Derived => {
                self.refuse("DISTINCT over an expression of a personal column")?;
            }
            Some(Distinct::On(keys)) => {
                for key in keys {
                    self.key(key, &output, &scope, "DISTINCT ON an expression of a personal column")?;
                }
            }
            _ => {}
        }
        Ok((output, scope.sources))
    }

    pub(super) fn ordering(&mut self, order_by: &OrderBy, output: &Output, scope: &Scope) -> Result<(), Error> {
        let what = "ORDER BY a personal column";
        match &order_by.kind {
            OrderByKind::Expressions(keys) => {
                for key in keys {
                    if self.named(&key.expr, output, scope)? != Clear {
                        self.refuse(what)?;
                    }
                }
            }
            OrderByKind::All(_) if output.worst() != Clear => {
                self.refuse(what)?;
            }
            OrderByKind::All(_) => {}
        }
        Ok(())
    }

    pub(super) fn window(&mut self, spec: &WindowSpec, scope: &Scope) -> Result<(), Error> {
        let none = Output::default();
        for key in &spec.partition_by {
            self.key(key, &none, scope, "PARTITION BY an expression of a personal column")?;
        }
        for key in &spec.order_by {
            self.clear(&key.expr, scope, "a window ordered by a personal column")?;
        }
        let bounds =
            spec.window_frame.iter().flat_map(|frame| std::iter::once(&frame.start_bound).chain(&frame.end_bound));
        for bound in bounds {
            if let WindowFrameBound::Preceding(Some(size)) | WindowFrameBound::Following(Some(size)) = bound {
                self.clear(size, scope, "a window made of a personal column")?;
            }
        }
        Ok(())
    }

    fn projection(&mut self, items: &[SelectItem], scope: &Scope) -> Result<Output, Error> {
        let dialect = self.catalog.dialect;
        let mut output = Output::default();
        let all = |output: &mut Output, source: &Source| {
            output.fields.extend(source.output.fields.iter().cloned());
            output.open = output.open.max(source.output.open);
        };
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expression) => {
                    let name = match expression {
                        Expr::Identifier(ident) => Some(fold(dialect, ident)),
                        Expr::CompoundIdentifier(idents) => idents.last().map(|ident| fold(dialect, ident)),
                        _ => None,
                    };
                    output.fields.push(Field { name, taint: self.value(expression, scope)? });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    output.fields.push(Field { name: Some(fold(dialect, alias)), taint: self.value(expr, scope)? });
                }
                SelectItem::Wildcard(options) if is_plain(options) => {
                    scope.sources.iter().for_each(|source| all(&mut output, source));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
                    if is_plain(options) =>
                {
                    let alias = parts(dialect, name).and_then(|parts| parts.last().cloned()).unwrap_or_default();
                    let (mut from, mut found) = (Some(scope), false);
                    while let (Some(here), false) = (from, found) {
                        for source in here.sources.iter().filter(|source| source.alias.eq_ignore_ascii_case(&alias)) {
                            all(&mut output, source);
                            found = true;
                        }
                        from = here.outer;
                    }
                    if !found {
                        output.open = output.open.max(Some(Derived));
                    }
                }
                // `(composite).*`, and what other databases have.
                _ => output.open = Some(if scope.worst() == Clear { output.open.unwrap_or(Clear) } else { Derived }),
            }
        }
        Ok(output)
    }

    fn joined(&mut self, table: &TableWithJoins, scope: &mut Scope) -> Result<(), Error> {
        self.factor(&table.relation, scope)?;
        for join in &table.joins {
            let before = scope.sources.len();
            self.factor(&join.relation, scope)?;
            self.join(join, before, scope)?;
        }
        Ok(())
    }

    fn join(&mut self, join: &Join, before: usize, scope: &Scope) -> Result<(), Error> {
        let what = "a join of a personal column with something else";
        let constraint = match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => constraint,
            _ => {
                return Err(Error::refused(
                    "a join that is not known here",
                    "write it as PostgreSQL or SQLite know it",
                ));
            }
        };
        let (left, right) = scope.sources.split_at(before.min(scope.sources.len()));
        let side = |sources: &[Source], name: &str| {
            let fields = sources.iter().flat_map(|source| {
                let named =
                    source.output.fields.iter().filter(|field| super::is_named(field, name)).map(|field| field.taint);
                named.chain(source.output.open)
            });
            fields.max()
        };
        let same = |name: &str| match (side(left, name), side(right, name)) {
            (Some(left), Some(right)) => mixed(left, right) != Derived,
            (left, right) => left.max(right).is_none_or(|taint| taint == Clear),
        };
        match constraint {
            JoinConstraint::On(condition) => self.clear(condition, scope, what)?,
            JoinConstraint::Using(columns) => {
                for column in columns {
                    let name =
                        parts(self.catalog.dialect, column).and_then(|parts| parts.last().cloned()).unwrap_or_default();
                    if !same(&name) {
                        self.refuse(what)?;
                    }
                }
            }
            JoinConstraint::Natural => {
                if scope.sources.iter().any(|source| source.output.open.is_some_and(|open| open != Clear)) {
                    self.refuse("a NATURAL JOIN with a table whose columns are not known")?;
                }
                let names = left.iter().flat_map(|source| &source.output.fields).filter_map(|field| field.name.clone());
                let common: Vec<String> = names.filter(|name| side(right, name).is_some()).collect();
                if !common.iter().all(|name| same(name)) {
                    self.refuse(what)?;
                }
            }
            JoinConstraint::None => {}
        }
        Ok(())
    }

    fn factor(&mut self, factor: &TableFactor, scope: &mut Scope) -> Result<(), Error> {
        let dialect = self.catalog.dialect;
        match factor {
            TableFactor::Table { name, alias, args: None, sample, .. } => {
                if sample.is_some() && self.catalog.dialect != pi_catalog::database::Dialect::Postgres {
                    return Err(Error::refused("TABLESAMPLE", "SQLite does not know it"));
                }
                let parts = parts(dialect, name).unwrap_or_default();
                let output = self.relation(&parts, scope.expressions)?;
                let own = parts.last().cloned().unwrap_or_default();
                push(scope, dialect, own, alias.as_ref(), output);
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                self.function(name, &args.args, alias.as_ref(), scope)?;
            }
            TableFactor::Function { name, args, alias, .. } => self.function(name, args, alias.as_ref(), scope)?,
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                let output = if *lateral {
                    self.query(subquery, Some(scope), scope.expressions)?
                } else {
                    self.query(subquery, scope.outer, scope.expressions)?
                };
                push(scope, dialect, String::new(), alias.as_ref(), output);
            }
            TableFactor::UNNEST { alias, array_exprs, .. } => {
                for expression in array_exprs {
                    self.clear(expression, scope, "unnest() of a personal column")?;
                }
                push(scope, dialect, "unnest".into(), alias.as_ref(), Output { fields: Vec::new(), open: Some(Clear) });
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let before = scope.sources.len();
                self.joined(table_with_joins, scope)?;
                if alias.is_some() {
                    let mut output = Output::default();
                    for source in scope.sources.split_off(before) {
                        output.fields.extend(source.output.fields);
                        output.open = output.open.max(source.output.open);
                    }
                    push(scope, dialect, String::new(), alias.as_ref(), output);
                }
            }
            _ => {
                return Err(Error::refused(
                    "a source of rows that is not known here",
                    "read tables, views and subqueries",
                ));
            }
        }
        Ok(())
    }

    /// A function in FROM: how many rows it gives would tell its argument.
    fn function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        scope: &mut Scope,
    ) -> Result<(), Error> {
        for arg in args {
            let (FunctionArg::Unnamed(arg) | FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. }) = arg;
            match arg {
                FunctionArgExpr::Expr(expression) => {
                    self.clear(expression, scope, "rows made of a personal column by a function")?;
                }
                _ if scope.worst() != Clear => {
                    self.refuse("rows made of a personal column by a function")?;
                }
                _ => {}
            }
        }
        let names = parts(self.catalog.dialect, name).unwrap_or_default();
        // A full-text table is searched by calling it.
        if self.relation(&names, &[])?.fields.iter().any(|field| field.taint != Clear) {
            self.refuse("a search in a table with personal columns")?;
        }
        let name = names.last().cloned().unwrap_or_default();
        let open = if self.catalog.own_functions.contains(&name.to_lowercase()) { Derived } else { Clear };
        push(scope, self.catalog.dialect, name, alias, Output { fields: Vec::new(), open: Some(open) });
        Ok(())
    }
}

fn push(
    scope: &mut Scope,
    dialect: pi_catalog::database::Dialect,
    own: String,
    alias: Option<&TableAlias>,
    output: Output,
) {
    let name = alias.map_or(own, |alias| fold(dialect, &alias.name));
    scope.sources.push(Source { alias: name, output: output.renamed(dialect, alias) });
}

/// Without EXCLUDE, REPLACE and their like.
fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none()
}
