//! A database as the tool `sql_query` lends it.

use pi_catalog::database::{Database, Dialect, Query, QueryError, Rows};
use pi_sdk::{Error, Value, json};

use crate::world::{Answer, Call, World, json_of};

/// A database of the host's, by its name.
pub struct Lent<'w> {
    pub world: &'w mut dyn World,
    pub name: String,
    pub dialect: Dialect,
    /// Statements that were asked.
    pub asked: u64,
}

impl Lent<'_> {
    fn call_of(&self, query: &Query) -> Call {
        let arguments = json!({
            "database": self.name, "statement": query.statement, "parameters": query.parameters,
        });
        Call { tool: "sql_query", arguments }
    }
}

impl Database for Lent<'_> {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn query(&mut self, query: &Query) -> Result<Rows, QueryError> {
        self.query_all(std::slice::from_ref(query)).pop().unwrap_or_else(|| Err(QueryError::Failed("no answer".into())))
    }

    fn query_all(&mut self, queries: &[Query]) -> Vec<Result<Rows, QueryError>> {
        let calls: Vec<Call> = queries.iter().map(|query| self.call_of(query)).collect();
        self.asked += calls.len() as u64;
        self.world.call(&calls).into_iter().map(rows_of).collect()
    }
}

fn rows_of(answer: Answer) -> Result<Rows, QueryError> {
    let mut value = json_of(answer).map_err(|error| error_of(&error))?;
    // The tool tells the columns' types as well; here their names are enough.
    if let Some(columns) = value.get_mut("columns").and_then(Value::as_array_mut) {
        for column in columns {
            if let Some(name) = column.get("name").cloned() {
                *column = name;
            }
        }
    }
    pi_sdk::serde_json::from_value(value)
        .map_err(|error| QueryError::Failed(format!("the rows cannot be read: {error}")))
}

/// What the tool says by the first words of its error.
fn error_of(error: &Error) -> QueryError {
    let text = crate::world::text_of(error);
    let rest = |prefix: &str| text.strip_prefix(prefix).map(str::to_owned);
    if let Error::Refused(_) | Error::NotFound(_) | Error::InvalidArguments(_) = error {
        return QueryError::Refused(text);
    }
    if let Some(rest) = rest("not granted: ").or_else(|| rest("too costly: ")) {
        return QueryError::Refused(rest);
    }
    if let Some(rest) = rest("denied: ") {
        return QueryError::Denied(rest);
    }
    if let Some(rest) = rest("timed out: ") {
        return QueryError::TimedOut(rest);
    }
    if let Some(rest) = rest("not found: ") {
        return QueryError::NotFound(rest);
    }
    if let Some(rest) = rest("unavailable: ") {
        return QueryError::Unavailable(rest);
    }
    match error {
        Error::Limit(_) => QueryError::TimedOut(text),
        _ => QueryError::Failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pi_sdk::Content;

    #[test]
    fn rows_come_with_names_alone() {
        let text =
            r#"{"columns":[{"name":"n","type":"bigint"}],"rows":[[1]],"is_cut":false,"masked":[],"elapsed_ms":3}"#;
        let rows = rows_of(Ok(vec![Content::Json(text.into())])).unwrap();
        assert_eq!((rows.columns, rows.rows), (vec!["n".to_owned()], vec![vec![json!(1)]]));
    }

    #[test]
    fn an_error_is_known_by_its_first_words() {
        let of = |text: &str| error_of(&Error::Failed(text.into()));
        assert_eq!(of("denied: no right on t"), QueryError::Denied("no right on t".into()));
        assert_eq!(of("timed out: 3 s"), QueryError::TimedOut("3 s".into()));
        assert_eq!(of("not found: t"), QueryError::NotFound("t".into()));
        assert_eq!(of("unavailable: gone"), QueryError::Unavailable("gone".into()));
        assert_eq!(of("too costly: 1e9"), QueryError::Refused("1e9".into()));
        assert_eq!(of("odd"), QueryError::Failed("odd".into()));
    }
}
