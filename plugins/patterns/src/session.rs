//! Statements for one table: each is counted against the budget, and one that fails becomes a gap.
//!
//! A table that is gone, or a database that is, ends the table or the look; anything else loses one statement.

use std::collections::BTreeMap;

use pi_catalog::database::{Database, Dialect, Query, QueryError, Rows};

/// After so many statements of one table ran out of time it is left alone: it would only be loaded further.
const TIMED_OUT_MAX: usize = 2;

/// What is asked of one table.
pub(crate) struct Session<'a> {
    database: &'a mut dyn Database,
    pub(crate) dialect: Dialect,
    left: usize,
    timed_out: usize,
    pub(crate) asked: usize,
    /// What could not be looked at, and why.
    pub(crate) gaps: Vec<String>,
    /// Set when asking on makes no sense for this table.
    pub(crate) is_over: bool,
    /// Set when the database is out of reach.
    pub(crate) is_unreachable: bool,
    kept: BTreeMap<usize, (Query, Rows)>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(database: &'a mut dyn Database, statements_max: usize) -> Self {
        let dialect = database.dialect();
        Self {
            database,
            dialect,
            left: statements_max,
            timed_out: 0,
            asked: 0,
            gaps: Vec::new(),
            is_over: false,
            is_unreachable: false,
            kept: BTreeMap::new(),
        }
    }

    /// Ask; nothing where it failed, which is a gap then. `what` says what is missing without it.
    pub(crate) fn ask(&mut self, what: &str, statement: String) -> Option<(usize, Rows)> {
        match self.try_ask(statement)? {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.give_up(what, &error);
                None
            }
        }
    }

    /// Ask where a failure is no gap yet: nothing only where the budget is spent.
    pub(crate) fn try_ask(&mut self, statement: String) -> Option<Result<(usize, Rows), QueryError>> {
        if self.is_over {
            return None;
        }
        if self.left == 0 {
            let gap = "more was to be asked than one table may be asked";
            if !self.gaps.iter().any(|known| known == gap) {
                self.gaps.push(gap.to_owned());
            }
            return None;
        }
        self.left -= 1;
        self.asked += 1;
        let query = Query::new(statement);
        Some(self.database.query(&query).map(|rows| {
            self.kept.insert(self.asked, (query, rows.clone()));
            (self.asked, rows)
        }))
    }

    /// A failure is written down.
    pub(crate) fn give_up(&mut self, what: &str, error: &QueryError) {
        let mut message = error.to_string();
        if message.len() > 300 {
            message = message.chars().take(300).collect();
        }
        self.gaps.push(format!("{what}: {message}"));
        match error {
            QueryError::NotFound(_) => self.is_over = true,
            QueryError::Unavailable(_) => (self.is_over, self.is_unreachable) = (true, true),
            QueryError::TimedOut(_) => {
                self.timed_out += 1;
                self.is_over |= self.timed_out >= TIMED_OUT_MAX;
            }
            _ => {}
        }
    }

    /// All statements that were answered, by their number.
    pub(crate) fn into_kept(self) -> BTreeMap<usize, (Query, Rows)> {
        self.kept
    }
}
