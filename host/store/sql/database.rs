//! What a database has to be able to do so that a store can be kept in it, and nothing else.
//!
//! A statement is plain SQL with a question mark for each value; values are text and 64-bit
//! integers. Both databases understand every statement of this folder, so what is stored, and when,
//! is said once. To add one: implement [`Database`] and [`Transaction`] in a folder beside `sqlite/`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::store::{Durability, StoreError};

/// A database with this program's tables in it.
#[async_trait]
pub trait Database: Send + Sync + 'static {
    type Transaction: Transaction;

    /// What it is called in errors: a path, an address without the password.
    fn place(&self) -> &Arc<str>;

    /// The rows of a statement that changes nothing. It never waits for who writes.
    async fn read(&self, statement: &Statement) -> Result<Vec<Cells>, StoreError>;

    /// A transaction beside which nobody else writes, in this process or another.
    async fn begin(&self) -> Result<Self::Transaction, StoreError>;

    /// One statement that changes something; how many rows.
    async fn execute(&self, statement: &Statement) -> Result<u64, StoreError>;

    /// All of `script`, or nothing of it, as [`Self::begin`] would. Nothing if this is no longer the
    /// `generation`.
    async fn transact(&self, script: &Script, durability: Durability, generation: u64) -> Result<(), StoreError>;

    /// Whether what is written now would be found again.
    fn check_in_place(&self) -> Result<(), StoreError>;

    /// The time by the clock that all users of this database share.
    async fn now_ms(&self) -> Result<u64, StoreError>;

    /// How often the connection that writes was lost. What was written by an earlier one is looked at
    /// again before more is linked to it.
    fn generation(&self) -> u64;

    /// What was removed shall not stay readable in what the database keeps beside its tables, as far as that is ours.
    async fn forget_removed(&self) {}

    /// Return when somebody else may have written, or after `at_most`.
    async fn wait(&self, at_most: Duration);
}

/// A transaction. Dropped before its end, it changes nothing and keeps nobody waiting.
#[async_trait]
pub trait Transaction: Send {
    /// How many rows it changed.
    async fn execute(&mut self, statement: &Statement) -> Result<u64, StoreError>;
    async fn fetch(&mut self, statement: &Statement) -> Result<Vec<Cells>, StoreError>;
    /// The time by the clock that all users of this database share.
    async fn now_ms(&mut self) -> Result<u64, StoreError>;
    /// Wake who waits for what others write, once it is committed.
    async fn nudge(&mut self) -> Result<(), StoreError>;
    async fn commit(self) -> Result<(), StoreError>;
    async fn rollback(self) -> Result<(), StoreError>;
}

/// A statement and its values.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Made of constants and of question marks: nothing of what is stored is in it.
    pub text: Cow<'static, str>,
    pub values: Vec<Cell>,
}

/// The statements of one transaction.
#[derive(Clone, Debug)]
pub struct Script {
    pub statements: Vec<Statement>,
    /// No statement touches what another has: they may be run as one, in any order.
    pub is_joinable: bool,
}

/// One value, to be stored or as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Null,
    Number(i64),
    Text(String),
    Shared(Arc<str>),
}

/// One row, read from left to right. A value of another type than was written is damage.
#[derive(Debug)]
pub struct Cells {
    place: Arc<str>,
    cells: std::vec::IntoIter<Cell>,
}

impl Statement {
    pub(in crate::store) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    pub(in crate::store) fn bind(mut self, value: impl Into<Cell>) -> Self {
        self.values.push(value.into());
        self
    }
}

impl From<u64> for Cell {
    /// SQL's integers are signed. No count and no time of ours comes near the end.
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Arc<str>> for Cell {
    fn from(text: Arc<str>) -> Self {
        Self::Shared(text)
    }
}

impl Cells {
    pub(in crate::store) fn new(place: &Arc<str>, cells: Vec<Cell>) -> Self {
        Self { place: place.clone(), cells: cells.into_iter() }
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.maybe_text()?.ok_or_else(|| self.damaged("a text"))
    }

    pub(super) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.cells.next() {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Shared(text)) => Ok(Some(text.to_string())),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.damaged("a text")),
        }
    }

    /// A negative number, which nobody wrote, reads as 0, and verification finds it.
    pub(in crate::store) fn natural(&mut self) -> Result<u64, StoreError> {
        self.maybe_natural()?.ok_or_else(|| self.damaged("a number"))
    }

    pub(super) fn maybe_natural(&mut self) -> Result<Option<u64>, StoreError> {
        match self.cells.next() {
            Some(Cell::Number(number)) => Ok(Some(u64::try_from(number).unwrap_or(0))),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.damaged("a number")),
        }
    }

    fn damaged(&self, wanted: &str) -> StoreError {
        StoreError::Corrupt { path: self.place.to_string(), detail: format!("a value is not {wanted}") }
    }
}
