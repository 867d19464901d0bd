//! One connection: how it is set up, how long it is waited for, and how values go over it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row, TypeInfo, ValueRef};

use super::address::Address;
use super::failure::Failures;
use crate::store::StoreError;
use crate::store::sql::{Cell, Cells, Statement};

/// Longer than this, nobody is there who answers.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A server answers its longest statement, or that it took too long, before this. Danger: a machine
/// that vanished from the network never says so.
const ANSWER_MAX: Duration = Duration::from_secs(35);

/// Connections whose answer to a commit is lost, locks that are never given back, statements without
/// an end: each has its limit at the server. An intent is on the disk when its commit is answered, so
/// a server whose default is to answer earlier is told not to.
const SETTINGS: &str = "
    SET lock_timeout = 5000; SET statement_timeout = 30000; SET idle_in_transaction_session_timeout = 30000;
    SET client_min_messages = warning;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

pub(super) async fn connect(address: &Address, failures: &Failures) -> Result<PgConnection, StoreError> {
    let options = address.options.clone().disable_statement_logging();
    let made = tokio::time::timeout(CONNECT_MAX, options.connect());
    let mut connection = made.await.map_err(|_| failures.silent())?.map_err(|error| failures.of(error))?;
    within(failures, set_up(&mut connection, &address.schema)).await?;
    Ok(connection)
}

pub(super) async fn set_up(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    // The name is made of letters, digits and `_`.
    let text = format!("{SETTINGS}; SET search_path = \"{schema}\"");
    connection.execute(AssertSqlSafe(text)).await.map(|_| ())
}

/// Wait for an answer, and not for ever.
pub(super) async fn within<T>(
    failures: &Failures,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(ANSWER_MAX, answer).await {
        Ok(result) => result.map_err(|error| failures.of(error)),
        Err(_) => Err(failures.silent()),
    }
}

pub(super) fn query(statement: &Statement) -> Query<'static, Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(numbered(&statement.text)));
    statement.values.iter().fold(query, |query, value| match value {
        Cell::Null => query.bind(None::<i64>),
        Cell::Number(number) => query.bind(*number),
        Cell::Text(text) => query.bind(written(text).into_owned()),
        Cell::Shared(text) => match written(text) {
            Cow::Borrowed(_) => query.bind(text.clone()),
            Cow::Owned(text) => query.bind(text),
        },
    })
}

/// The statements as one, which is answered once: what it changes is changed all or not.
pub(super) fn joined(statements: &[Statement]) -> Statement {
    let values = statements.iter().flat_map(|statement| statement.values.iter().cloned()).collect();
    let Some((last, others)) = statements.split_last() else { return Statement { text: "SELECT 1".into(), values } };
    let parts: Vec<String> =
        others.iter().enumerate().map(|(index, other)| format!("part{index} AS ({})", other.text)).collect();
    let text =
        if parts.is_empty() { last.text.to_string() } else { format!("WITH {} {}", parts.join(", "), last.text) };
    Statement { text: text.into(), values }
}

/// PostgreSQL's values have numbers. No statement has a question mark of its own.
fn numbered(text: &str) -> String {
    let mut numbered = String::with_capacity(text.len() + 16);
    for (index, part) in text.split('?').enumerate() {
        if index > 0 {
            numbered.push('$');
            numbered.push_str(&index.to_string());
        }
        numbered.push_str(part);
    }
    numbered
}

/// PostgreSQL has no text with U+0000, and a component may say one: it is written as U+0001 and a digit.
/// JSON, which is hashed, never has either character.
fn written(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', '\u{1}']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\u{1}', "\u{1}1").replace('\0', "\u{1}0"))
}

fn read(text: String) -> String {
    if !text.contains('\u{1}') {
        return text;
    }
    text.replace("\u{1}0", "\0").replace("\u{1}1", "\u{1}")
}

pub(super) fn cells(rows: &[PgRow], place: &Arc<str>) -> Result<Vec<Cells>, sqlx::Error> {
    rows.iter().map(|row| cells_of(row).map(|cells| Cells::new(place, cells))).collect()
}

fn cells_of(row: &PgRow) -> Result<Vec<Cell>, sqlx::Error> {
    (0..row.len())
        .map(|index| {
            let value = row.try_get_raw(index)?;
            match (value.is_null(), value.type_info().name()) {
                (true, _) => Ok(Cell::Null),
                (false, "INT8") => row.try_get(index).map(Cell::Number),
                (false, _) => row.try_get(index).map(|text| Cell::Text(read(text))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_reads_back_as_it_was_and_has_no_zero_byte_on_its_way() {
        for text in ["", "plain", "a\0b", "\u{1}", "\u{1}0", "\u{1}\0\u{1}1\0", "0\u{1}"] {
            let on_its_way = written(text).into_owned();
            assert!(!on_its_way.contains('\0'));
            assert_eq!(read(on_its_way), text);
        }
    }

    #[test]
    fn values_are_numbered_through_all_statements() {
        let statement = |text: &'static str| Statement { text: text.into(), values: vec![Cell::Number(1)] };
        let joined = joined(&[statement("A ?"), statement("B ?"), statement("C ?")]);
        assert_eq!(numbered(&joined.text), "WITH part0 AS (A $1), part1 AS (B $2) C $3");
        assert_eq!(joined.values.len(), 3);
    }
}
