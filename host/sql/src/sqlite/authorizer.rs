//! What a statement may do, as SQLite asks it while it compiles one: below the parser, so that what that has misread
//! does not run either.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use pi_catalog::database::Dialect;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::functions::{self, PRAGMAS};
use crate::relation::holds_samples;
use pi_catalog::pattern::ColumnPattern;

/// Pragmas whose argument is the name of what they tell about. For the others it is a new value.
const NAMING: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "integrity_check",
    "quick_check",
];

/// Why the last statement was not let through.
#[derive(Clone, Default)]
pub(super) struct Reason(Arc<Mutex<Option<String>>>);

impl Reason {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn deny(&self, why: String) -> Authorization {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        Authorization::Deny
    }
}

/// `followed` are the tables whose columns the lineage has followed: a personal column of another one is read in a way
/// that was not understood.
pub(super) fn install(
    connection: &Connection,
    patterns: Vec<ColumnPattern>,
    followed: BTreeSet<String>,
) -> Result<Reason, rusqlite::Error> {
    let reason = Reason::default();
    let told = reason.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| judge(&context, &patterns, &followed, &told)))?;
    Ok(reason)
}

pub(super) fn remove(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
}

fn judge(
    context: &AuthContext<'_>,
    patterns: &[ColumnPattern],
    followed: &BTreeSet<String>,
    reason: &Reason,
) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Read { table_name, column_name } => {
            let schema = context.database_name.unwrap_or("main");
            let is_personal = patterns.iter().any(|pattern| pattern.matches(schema, table_name, column_name))
                || (!patterns.is_empty() && holds_samples(table_name, column_name));
            if is_personal && !followed.contains(&table_name.to_lowercase()) {
                return reason.deny(format!(
                    "it reads the personal column `{table_name}.{column_name}` in a way that is not followed"
                ));
            }
            Authorization::Allow
        }
        AuthAction::Function { function_name } => match functions::refusal(Dialect::Sqlite, None, function_name) {
            Some(why) => reason.deny(format!("the function `{function_name}`: {why}")),
            None => Authorization::Allow,
        },
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let name = pragma_name.to_lowercase();
            let is_telling =
                PRAGMAS.contains(&name.as_str()) && (pragma_value.is_none() || NAMING.contains(&name.as_str()));
            if is_telling { Authorization::Allow } else { reason.deny(format!("PRAGMA {pragma_name}")) }
        }
        // An R-tree prepares what it would write with when it is opened. It is not run: the file is read-only.
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
            if ["_node", "_rowid", "_parent"].iter().any(|end| table_name.ends_with(end)) =>
        {
            Authorization::Allow
        }
        other => reason.deny(format!("{other:?}")),
    }
}
