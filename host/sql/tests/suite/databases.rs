//! The same small shop in both dialects, and a way to ask it.

use std::path::PathBuf;

use pi_sql::{Answer, Connection, Dialect, Error, Limits, Settings, Statement};
use serde_json::Value;

use super::server;

pub(crate) const SHOP: &str = "
CREATE TABLE customers (id integer PRIMARY KEY, name text, email text, country text NOT NULL, age integer);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total numeric, placed_at text, contact_email text);
INSERT INTO customers VALUES (1, 'Ann', 'ann@x.org', 'DE', 30), (2, 'Bob', 'bob@x.org', 'FR', 40), (3, 'Cid', NULL, 'FR', 50),
  (4, 'Dan', 'bob@x.org', 'US', 60);
INSERT INTO orders VALUES (10, 1, 5.5, '2026-01-01', 'ann@x.org'), (11, 2, 7, '2026-01-02', 'else@x.org');
CREATE VIEW people AS SELECT id AS number, upper(email) AS mail, name, country FROM customers WHERE email <> '';
CREATE VIEW plain AS SELECT id, country FROM customers WHERE email LIKE '%@%';
";

pub(crate) const PERSONAL: &[&str] = &["*.email", "contact_email", "customers.name"];

/// A connection with what it stands on.
pub(crate) struct Shop {
    pub(crate) connection: Connection,
    pub(crate) file: Option<PathBuf>,
    pub(crate) database: String,
    _folder: Option<tempfile::TempDir>,
}

impl Shop {
    pub(crate) fn sqlite(sql: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.db");
        rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        let mut settings = Settings::new(format!("sqlite:{}", file.display()));
        change(&mut settings);
        let connection = Connection::new(settings).unwrap();
        Self { connection, file: Some(file), database: String::new(), _folder: Some(folder) }
    }

    pub(crate) async fn postgres(sql: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let database = server::shared().database(sql).await;
        let mut settings = Settings::new(server::shared().url(&format!("reader_{database}"), &database));
        change(&mut settings);
        let connection = Connection::new(settings).unwrap();
        Self { connection, file: None, database, _folder: None }
    }

    pub(crate) async fn both(sql: &str, change: impl Fn(&mut Settings)) -> [Self; 2] {
        [Self::sqlite(sql, &change), Self::postgres(sql, &change).await]
    }

    pub(crate) async fn ask(&self, sql: &str) -> Result<Answer, Error> {
        self.ask_with(sql, &[], &Limits::default()).await
    }

    pub(crate) async fn ask_with(&self, sql: &str, parameters: &[Value], limits: &Limits) -> Result<Answer, Error> {
        let statement = Statement::read(self.connection.dialect(), sql)?;
        self.connection.query(&statement, parameters, limits).await
    }

    /// The rows as one line of JSON.
    pub(crate) async fn rows(&self, sql: &str) -> String {
        match self.ask(sql).await {
            Ok(answer) => serde_json::to_string(&answer.rows).unwrap(),
            Err(error) => panic!("{:?}: {sql}: {error}", self.connection.dialect()),
        }
    }

    pub(crate) async fn kind(&self, sql: &str) -> &'static str {
        match self.ask(sql).await {
            Ok(answer) => panic!("{:?}: {sql} gave {:?}", self.connection.dialect(), answer.rows),
            Err(error) => error.kind(),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.connection.dialect() == Dialect::Postgres
    }
}

pub(crate) fn personal(settings: &mut Settings) {
    settings.personal = PERSONAL.iter().map(|text| (*text).to_owned()).collect();
}
