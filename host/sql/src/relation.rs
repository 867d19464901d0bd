//! What a statement names, as the database has it: the columns of tables, and what views are made of.
//!
//! It is loaded before a statement runs, and only where columns are marked as personal.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use pi_catalog::database::Dialect;
use sqlparser::ast::{self, ObjectName, Query, SetExpr, Visit, Visitor};

use crate::statement::{one, parts};

/// More than a statement of people reaches, through views as well.
pub(crate) const RELATIONS_MAX: usize = 500;

/// A table or a view.
#[derive(Clone)]
pub(crate) struct Relation {
    pub(crate) name: String,
    pub(crate) columns: Vec<RelationColumn>,
    pub(crate) view: Option<View>,
}

#[derive(Clone)]
pub(crate) struct RelationColumn {
    pub(crate) name: String,
    pub(crate) is_personal: bool,
}

/// What a view is made of.
#[derive(Clone)]
pub(crate) enum View {
    Known(Box<Query>),
    /// Its definition cannot be read: all of it is treated as personal.
    Unknown,
}

/// All that a statement names.
pub(crate) struct Catalog {
    pub(crate) dialect: Dialect,
    /// By the name in the statement, in lower case. What is not there is not in the database.
    pub(crate) relations: BTreeMap<Vec<String>, Relation>,
    /// Functions that do not come with the database: what they give is not known.
    pub(crate) own_functions: BTreeSet<String>,
}

impl Catalog {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, relations: BTreeMap::new(), own_functions: BTreeSet::new() }
    }

    pub(crate) fn relation(&self, parts: &[String]) -> Option<&Relation> {
        let key: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
        self.relations.get(&key)
    }

    pub(crate) fn insert(&mut self, parts: &[String], relation: Relation) {
        self.relations.insert(parts.iter().map(|part| part.to_lowercase()).collect(), relation);
    }
}

/// The query of a view: of `CREATE VIEW ... AS` (SQLite) or alone (PostgreSQL).
pub(crate) fn definition(dialect: Dialect, text: &str) -> View {
    match one(dialect, text) {
        Ok(ast::Statement::Query(query)) => View::Known(query),
        Ok(ast::Statement::CreateView(view)) => View::Known(view.query),
        _ => View::Unknown,
    }
}

/// The relations that a query names, those of its WITH among them.
pub(crate) fn names(dialect: Dialect, query: &Query) -> BTreeSet<Vec<String>> {
    struct Names(Dialect, BTreeSet<Vec<String>>);
    impl Names {
        fn body(&mut self, body: &SetExpr) {
            match body {
                SetExpr::SetOperation { left, right, .. } => {
                    self.body(left);
                    self.body(right);
                }
                SetExpr::Table(table) => {
                    self.1.insert(table.schema_name.iter().chain(&table.table_name).cloned().collect());
                }
                _ => {}
            }
        }
    }
    impl Visitor for Names {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            self.body(&query.body);
            ControlFlow::Continue(())
        }
        fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
            self.1.extend(parts(self.0, name));
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(dialect, BTreeSet::new());
    let _ = query.visit(&mut names);
    names.1
}

/// Columns of the system's own tables in which values of the users' tables stand.
pub(crate) fn holds_samples(table: &str, column: &str) -> bool {
    let samples: &[&str] = match table {
        "pg_stats" | "pg_stats_ext_exprs" => &["most_common_vals", "most_common_elems", "histogram_bounds"],
        "pg_stats_ext" => &["most_common_vals"],
        "pg_statistic" => &["stavalues1", "stavalues2", "stavalues3", "stavalues4", "stavalues5"],
        "pg_statistic_ext_data" => &["stxdmcv", "stxdexpr"],
        "pg_stat_activity" => &["query"],
        "pg_largeobject" => &["data"],
        "pg_prepared_statements" | "pg_cursors" => &["statement"],
        "sqlite_stat4" | "sqlite_stat3" => &["sample"],
        _ => &[],
    };
    samples.contains(&column)
}
