//! One statement that reads: what it is, what it names, and the text that is sent.
//!
//! What the parser cannot read is refused: who decides about a statement must know what it is. The list is of what may
//! be, not of what may not: a query (SELECT, VALUES, TABLE, WITH around those), EXPLAIN of one, and SHOW for PostgreSQL.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use pi_catalog::database::Dialect;
use sqlparser::ast::{
    self, Expr, FunctionArguments, ObjectName, ObjectNamePart, Query, Select, SelectFlavor, SetExpr, TableFactor,
    Visit, Visitor,
};
use sqlparser::parser::{Parser, ParserError, ParserOptions};

use crate::error::Error;
use crate::functions;
use crate::tokens::{self, Text};

/// Levels of expressions in one another: what walks through them recurses.
const DEPTH_MAX: usize = 256;
/// The parser's own, for parentheses and subqueries.
const PARSER_DEPTH_MAX: usize = 50;
/// For a chain of as many links as there may be tokens, in a build without optimisation. Only what is used is ever mapped.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// What a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Query,
    /// The plan of a query, which is not run.
    Explain,
    /// The plan of a query that is run for it.
    ExplainAnalyze,
    /// A setting of the server.
    Show,
}

/// A statement that reads, and nothing else. Cheap to clone.
///
/// Invariant: it is made by `read` alone, so `text` is what was judged.
#[derive(Clone)]
pub struct Statement {
    inner: Arc<Inner>,
}

struct Inner {
    dialect: Dialect,
    kind: Kind,
    text: Text,
    parsed: ast::Statement,
    tables: Vec<String>,
    columns: Vec<String>,
    functions: Vec<String>,
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement").field("dialect", &self.inner.dialect).field("text", &self.inner.text.text).finish()
    }
}

impl Statement {
    /// # Errors
    /// `Refused` says what it is and why it does not run; `TooLarge` where it is longer or deeper than is looked at.
    pub fn read(dialect: Dialect, source: &str) -> Result<Self, Error> {
        let text = tokens::read(dialect, source)?;
        on_large_stack(move || Self::parse(dialect, text))
    }

    fn parse(dialect: Dialect, text: Text) -> Result<Self, Error> {
        let parsed = one(dialect, &text.text)?;
        let mut judge = Judge::new(dialect);
        if let ControlFlow::Break(refusal) = parsed.visit(&mut judge) {
            return Err(*refusal);
        }
        let kind = kind(dialect, &parsed)?;
        let names = |names: BTreeSet<String>| names.into_iter().collect();
        let Judge { tables, columns, functions, .. } = judge;
        let inner = Inner {
            dialect,
            kind,
            text,
            parsed,
            tables: names(tables),
            columns: names(columns),
            functions: names(functions),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// What is sent: without comments.
    pub fn text(&self) -> &str {
        &self.inner.text.text
    }

    /// Tables and views that it names, as written but for quotes and for the case of names without them: `shop.orders`.
    pub fn tables(&self) -> &[String] {
        &self.inner.tables
    }

    /// Last parts of the columns that it names; without what `*` stands for.
    pub fn columns(&self) -> &[String] {
        &self.inner.columns
    }

    /// Last parts of the functions that it calls, in lower case.
    pub fn functions(&self) -> &[String] {
        &self.inner.functions
    }

    /// How many parameters it takes: the highest number of `$N`.
    pub fn parameters(&self) -> usize {
        self.inner.text.parameters.iter().map(|(_, number)| *number).max().unwrap_or(0)
    }

    /// The text with something else in the place of each parameter.
    pub(crate) fn text_with(&self, parameter: impl Fn(usize) -> String) -> String {
        let (text, mut out, mut at) = (self.text(), String::new(), 0);
        for (range, number) in &self.inner.text.parameters {
            out.push_str(text.get(at..range.start).unwrap_or_default());
            out.push_str(&parameter(*number));
            at = range.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }

    /// The query, or the one that is explained; none for SHOW.
    pub(crate) fn query(&self) -> Option<&Query> {
        match &self.inner.parsed {
            ast::Statement::Query(query) => Some(query),
            ast::Statement::Explain { statement, .. } => match &**statement {
                ast::Statement::Query(query) => Some(query),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What recurses through a tree runs where the tree cannot overflow the stack.
pub(crate) fn on_large_stack<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("pi-sql".into()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let unable = |why: &str| Error::refused("the statement", format!("it could not be read: {why}"));
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(unable("the parser failed on it"))),
            Err(error) => Err(unable(&error.to_string())),
        }
    })
}

/// A view's definition, or any other text that holds one query.
pub(crate) fn one(dialect: Dialect, text: &str) -> Result<ast::Statement, Error> {
    let grammar = tokens::grammar(dialect);
    // Escapes are left as they are: nothing is read out of them, and what is sent is the text.
    let options = ParserOptions::new().with_unescape(false);
    let statements = Parser::new(&*grammar)
        .with_options(options)
        .with_recursion_limit(PARSER_DEPTH_MAX)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| match error {
            ParserError::RecursionLimitExceeded => Error::TooLarge {
                what: "levels of parentheses and subqueries".into(),
                size: PARSER_DEPTH_MAX as u64 + 1,
                max: PARSER_DEPTH_MAX as u64,
            },
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                Error::refused("a text that cannot be read as SQL", message)
            }
        })?;
    let count = statements.len();
    let mut statements = statements.into_iter();
    match (statements.next(), count) {
        (Some(statement), 1) => Ok(statement),
        (None, _) => Err(Error::refused("an empty text", "write one SELECT")),
        _ => Err(Error::refused(format!("{count} statements"), "one statement is run at a time")),
    }
}

fn kind(dialect: Dialect, statement: &ast::Statement) -> Result<Kind, Error> {
    match statement {
        ast::Statement::Query(_) => Ok(Kind::Query),
        ast::Statement::Explain { analyze, statement, options, estimate, .. } => {
            if !matches!(**statement, ast::Statement::Query(_)) {
                return Err(Error::refused(format!("EXPLAIN of {}", verb(statement)), "only queries are explained"));
            }
            if *estimate {
                return Err(Error::refused("EXPLAIN ESTIMATE", "neither database knows it"));
            }
            // `EXPLAIN (ANALYZE false)` is taken for one that runs: that is the safe side.
            let option =
                |name: &str| options.iter().flatten().any(|option| option.name.value.eq_ignore_ascii_case(name));
            Ok(if *analyze || option("analyze") { Kind::ExplainAnalyze } else { Kind::Explain })
        }
        ast::Statement::ShowVariable { .. } if dialect == Dialect::Postgres => Ok(Kind::Show),
        other => {
            Err(Error::refused(verb(other), "only SELECT, WITH ... SELECT, VALUES, TABLE, EXPLAIN and SHOW are run"))
        }
    }
}

/// What people call it: its first words.
fn verb(statement: &ast::Statement) -> String {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    match words.as_slice() {
        [first, second] if second.chars().all(|c| c.is_ascii_uppercase()) => format!("{first} {second}"),
        [first, ..] => (*first).to_owned(),
        [] => "a statement".into(),
    }
}

/// `shop.orders`; none where a part is not a name.
pub(crate) fn parts(dialect: Dialect, name: &ObjectName) -> Option<Vec<String>> {
    name.0.iter().map(|part| part.as_ident().map(|ident| fold(dialect, ident))).collect()
}

/// A name as the database sees it.
pub(crate) fn fold(dialect: Dialect, ident: &ast::Ident) -> String {
    if dialect == Dialect::Postgres && ident.quote_style.is_none() {
        ident.value.to_lowercase()
    } else {
        // The tokens are not unescaped: a quote within is still there twice.
        match ident.quote_style {
            Some(quote) if quote != '[' => ident.value.replace(&format!("{quote}{quote}"), &quote.to_string()),
            _ => ident.value.clone(),
        }
    }
}

/// The expressions of one WITH, and how many of them a query can name.
struct Frame {
    queries: Vec<(String, *const Query)>,
    is_recursive: bool,
    visible: usize,
}

/// Walks through everything, refuses what does not read, and notes what is named.
struct Judge {
    dialect: Dialect,
    depth: usize,
    statements: usize,
    frames: Vec<Option<Frame>>,
    tables: BTreeSet<String>,
    columns: BTreeSet<String>,
    functions: BTreeSet<String>,
}

type Verdict = ControlFlow<Box<Error>>;

fn refuse(what: impl Into<String>, why: impl Into<String>) -> Verdict {
    ControlFlow::Break(Box::new(Error::refused(what, why)))
}

impl Judge {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            depth: 0,
            statements: 0,
            frames: Vec::new(),
            tables: BTreeSet::new(),
            columns: BTreeSet::new(),
            functions: BTreeSet::new(),
        }
    }

    fn is_expression(&self, name: &str) -> bool {
        let is_named = |frame: &Frame| {
            frame.queries.iter().take(frame.visible).any(|(expression, _)| expression.eq_ignore_ascii_case(name))
        };
        self.frames.iter().flatten().any(is_named)
    }

    fn relation(&mut self, parts: Vec<String>) {
        if let [name] = parts.as_slice()
            && self.is_expression(name)
        {
            return;
        }
        self.tables.insert(parts.join("."));
    }

    fn call(&mut self, name: &ObjectName) -> Verdict {
        let Some(parts) = parts(self.dialect, name) else {
            return refuse(format!("the function `{name}`"), "its name is not made of names");
        };
        let mut parts = parts.iter().rev();
        let (name, schema) = (parts.next().map_or("", String::as_str), parts.next());
        if let Some(why) = functions::refusal(self.dialect, schema.map(String::as_str), name) {
            return refuse(format!("the function `{name}`"), why);
        }
        if self.dialect == Dialect::Sqlite
            && name.to_lowercase().starts_with("pragma_")
            && !functions::is_telling_pragma(name)
        {
            return refuse(format!("`{name}`"), "only pragmas that tell something are let through");
        }
        self.functions.insert(name.to_lowercase());
        ControlFlow::Continue(())
    }

    fn body(&mut self, body: &SetExpr) -> Verdict {
        let changes = "a statement that reads has no statement in it that changes something";
        match body {
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left)?;
                self.body(right)
            }
            SetExpr::Table(table) => {
                let parts: Vec<String> = table.schema_name.iter().chain(&table.table_name).cloned().collect();
                if parts.is_empty() {
                    return refuse("TABLE", "it names no table");
                }
                self.relation(parts);
                ControlFlow::Continue(())
            }
            SetExpr::Insert(_) => refuse("an INSERT within a query", changes),
            SetExpr::Update(_) => refuse("an UPDATE within a query", changes),
            SetExpr::Delete(_) => refuse("a DELETE within a query", changes),
            SetExpr::Merge(_) => refuse("a MERGE within a query", changes),
        }
    }
}

impl Visitor for Judge {
    type Break = Box<Error>;

    fn pre_visit_statement(&mut self, statement: &ast::Statement) -> Verdict {
        self.statements += 1;
        let is_explained = self.statements == 2 && matches!(statement, ast::Statement::Query(_));
        match statement {
            _ if self.statements == 1 => match kind(self.dialect, statement) {
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Box::new(error)),
            },
            _ if is_explained => ControlFlow::Continue(()),
            other => refuse(format!("{} within a statement", verb(other)), "one statement is run at a time"),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Verdict {
        if !query.locks.is_empty() {
            return refuse("SELECT ... FOR UPDATE or FOR SHARE", "it locks rows");
        }
        let foreign = query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty();
        if foreign {
            return refuse("a clause of another database", "FOR XML, SETTINGS, FORMAT and |> are not known here");
        }
        // Within an expression of a WITH only those before it can be named, unless it is recursive.
        if let Some(Some(frame)) = self.frames.last_mut()
            && let Some(at) = frame.queries.iter().position(|(_, own)| std::ptr::eq(*own, query))
            && !frame.is_recursive
        {
            frame.visible = at;
        }
        self.frames.push(query.with.as_ref().map(|with| {
            let queries: Vec<(String, *const Query)> = with
                .cte_tables
                .iter()
                .map(|cte| (fold(self.dialect, &cte.alias.name), std::ptr::from_ref::<Query>(&cte.query)))
                .collect();
            Frame { visible: queries.len(), queries, is_recursive: with.recursive }
        }));
        self.body(&query.body)
    }

    fn post_visit_query(&mut self, _: &Query) -> Verdict {
        self.frames.pop();
        if let Some(Some(frame)) = self.frames.last_mut() {
            frame.visible = frame.queries.len();
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Verdict {
        if select.into.is_some() {
            return refuse("SELECT INTO", "it makes a table");
        }
        let foreign = select.top.is_some()
            || !select.optimizer_hints.is_empty()
            || select.select_modifiers.is_some()
            || select.exclude.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || select.flavor != SelectFlavor::Standard;
        if foreign {
            return refuse("a clause of another database", "write the query as PostgreSQL or SQLite know it");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Verdict {
        match factor {
            TableFactor::Table { name, args, version, partitions, json_path, .. } => {
                if version.is_some() || !partitions.is_empty() || json_path.is_some() {
                    return refuse(
                        format!("the table `{name}` with a clause of another database"),
                        "write the name alone",
                    );
                }
                if name.0.iter().any(|part| matches!(part, ObjectNamePart::Function(_))) {
                    return refuse(format!("the table `{name}`"), "its name is made by a function");
                }
                if args.is_some() {
                    return self.call(name);
                }
                if let Some(parts) = parts(self.dialect, name)
                    && let Some(last) = parts.last()
                {
                    // SQLite has table functions that are read as tables too.
                    if self.dialect == Dialect::Sqlite
                        && (functions::refusal(self.dialect, None, last).is_some()
                            || (last.to_lowercase().starts_with("pragma_") && !functions::is_telling_pragma(last)))
                    {
                        return self.call(name);
                    }
                }
                ControlFlow::Continue(())
            }
            TableFactor::Function { name, .. } => self.call(name),
            TableFactor::Derived { .. } | TableFactor::UNNEST { .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            _ => refuse(
                "a source of rows that is not known here",
                "read tables, views, subqueries, functions and unnest()",
            ),
        }
    }

    fn pre_visit_value(&mut self, value: &ast::ValueWithSpan) -> Verdict {
        match &value.value {
            ast::Value::Placeholder(name) if !name.starts_with('$') => {
                refuse(format!("the parameter `{name}`"), "parameters are `$1`, `$2`, ... in both dialects")
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> Verdict {
        match parts(self.dialect, name) {
            Some(parts) => {
                self.relation(parts);
                ControlFlow::Continue(())
            }
            None => refuse(format!("the table `{name}`"), "its name is not made of names"),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> Verdict {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let (size, max) = (self.depth as u64, DEPTH_MAX as u64);
            return ControlFlow::Break(Box::new(Error::TooLarge {
                what: "levels of expressions in one another".into(),
                size,
                max,
            }));
        }
        match expression {
            Expr::Function(function) => {
                if !matches!(function.parameters, FunctionArguments::None) || function.uses_odbc_syntax {
                    return refuse(format!("the call `{function}`"), "neither database knows this form");
                }
                self.call(&function.name)
            }
            Expr::Identifier(ident) => {
                self.columns.insert(fold(self.dialect, ident));
                ControlFlow::Continue(())
            }
            Expr::CompoundIdentifier(idents) => {
                if let Some(last) = idents.last() {
                    self.columns.insert(fold(self.dialect, last));
                }
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> Verdict {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }
}
