//! Which databases one plugin may read, and which tables of them; resolved once.
//!
//! A statement is within the grant if all that it names is. What a view reads is the view's business: who grants a view
//! grants what it shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::databases::{Database, Databases};
use crate::capability::grant::GrantError;
use crate::config::SqlGrant;
use crate::gate::Glob;
use crate::gate::explain::escaped;

/// The grant of one plugin.
pub struct SqlState {
    databases: BTreeMap<String, Arc<Database>>,
    tables: Vec<Glob>,
}

impl SqlState {
    /// Resolve a grant.
    ///
    /// # Errors
    /// A database that there is not, a pattern that is none.
    pub fn new(grant: &SqlGrant, known: &Databases) -> Result<Self, GrantError> {
        let mut databases = BTreeMap::new();
        for name in &grant.databases {
            let named = known.names().filter(|own| name == "*" || own == name);
            let found: Vec<_> = named.filter_map(|own| Some((own.to_owned(), known.get(own)?.clone()))).collect();
            if found.is_empty() && name != "*" {
                let reason = format!("there is no such database; `pi.toml` has {}", in_words(known.names()));
                return Err(GrantError::new("sql", "databases", name, reason));
            }
            databases.extend(found);
        }
        let table = |text: &String| {
            if text.is_empty() {
                return Err(GrantError::new("sql", "tables", text, "it is empty, and would match nothing"));
            }
            Glob::word(text).map_err(|reason| GrantError::new("sql", "tables", text, reason))
        };
        Ok(Self { databases, tables: grant.tables.iter().map(table).collect::<Result<_, _>>()? })
    }

    pub(super) fn databases(&self) -> impl Iterator<Item = (&str, &Database)> {
        self.databases.iter().map(|(name, database)| (name.as_str(), database.as_ref()))
    }

    pub(super) fn database(&self, name: &str) -> Option<Arc<Database>> {
        self.databases.get(name).cloned()
    }

    /// That a database is not granted, with the line that would change it.
    pub(super) fn not_granted(&self, name: &str, plugin: &str) -> String {
        let (granted, name) = (in_words(self.databases.keys().map(String::as_str)), escaped(name));
        format!(
            "the database `{name}` is not granted; there are {granted}\nhint: add \"{name}\" to `databases` in [grants.{plugin}.sql] of pi.toml"
        )
    }

    /// Whether all tables that a statement names are granted.
    ///
    /// # Errors
    /// The first that is not, with the line that would grant it.
    pub(super) fn covers(&self, tables: &[String], plugin: &str) -> Result<(), String> {
        if self.tables.is_empty() {
            return Ok(());
        }
        match tables.iter().find(|table| !self.tables.iter().any(|glob| glob.matches(table))) {
            None => Ok(()),
            Some(table) => {
                let table = escaped(table);
                Err(format!(
                    "the table `{table}` is not granted\nhint: add \"{table}\" to `tables` in [grants.{plugin}.sql] of pi.toml"
                ))
            }
        }
    }
}

fn in_words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
