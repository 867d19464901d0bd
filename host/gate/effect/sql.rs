//! What SQL would do, statement by statement.
//!
//! Queries and changes of rows are parsed, so that a missing or empty `WHERE` and a `WITH` that
//! writes are seen; every other statement is known by its first keyword, because its grammar is the
//! server's own. Functions that act are found among the tokens, wherever they stand. What does not
//! parse is `unknown` and destructive. Limits keep the parser from endless work and the stack from
//! running out.

use sqlparser::ast::{
    BinaryOperator, Delete, Expr, FromTable, MergeAction, ObjectName, Query, Select, SetExpr, Statement, TableFactor,
    TableObject, TableWithJoins, UnaryOperator, Update, Value,
};
use sqlparser::dialect::{
    BigQueryDialect, ClickHouseDialect, Dialect as Grammar, DuckDbDialect, GenericDialect, MsSqlDialect, MySqlDialect,
    PostgreSqlDialect, SQLiteDialect, SnowflakeDialect,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::line::{is_unknown, shown};
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

/// Longest SQL that is read. Danger: a dump of gigabytes that keeps the gate busy.
const SQL_BYTES_MAX: usize = 256 * 1024;
/// Brackets within brackets. Danger: the parser tries some of them twice, and twice again within.
const NESTING_MAX: usize = 12;
/// Words and operators of a statement that may hang on one another. Danger: a chain of operators is a
/// tree that deep, and taking it down again uses the stack.
const CHAIN_MAX: usize = 1_000;
/// Each makes a tree of queries one deeper, whatever their lists of columns are.
const SET_OPERATORS: [&str; 4] = ["UNION", "EXCEPT", "INTERSECT", "MINUS"];
/// Statements of one text. Danger: a list of effects that nobody reads.
const STATEMENTS_MAX: usize = 2_000;

/// The dialects that programs speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Generic,
    Postgres,
    MySql,
    Sqlite,
    MsSql,
    DuckDb,
    ClickHouse,
    Snowflake,
    BigQuery,
}

impl Dialect {
    fn grammar(self) -> &'static dyn Grammar {
        match self {
            Self::Generic => &GenericDialect {},
            Self::Postgres => &PostgreSqlDialect {},
            Self::MySql => &MySqlDialect {},
            Self::Sqlite => &SQLiteDialect {},
            Self::MsSql => &MsSqlDialect {},
            Self::DuckDb => &DuckDbDialect {},
            Self::ClickHouse => &ClickHouseDialect {},
            Self::Snowflake => &SnowflakeDialect,
            Self::BigQuery => &BigQueryDialect {},
        }
    }
}

/// What the statements of `sql` would do, in their order, each effect once.
pub(crate) fn statements(sql: &str, dialect: Dialect) -> Vec<Effect> {
    let mut found = vec![];
    if sql.len() > SQL_BYTES_MAX {
        return vec![unknown(&format!("{} bytes of SQL", sql.len()))];
    }
    let Ok(tokens) = Tokenizer::new(dialect.grammar(), sql).tokenize_with_location() else {
        return vec![unknown(sql)];
    };
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect();
    let mut script = Script { tokens: &tokens, at: 0, dialect, found: &mut found };
    script.functions();
    let mut count = 0;
    while script.at < tokens.len() {
        count += 1;
        if count > STATEMENTS_MAX {
            script.found.push(unknown(&format!("more than {STATEMENTS_MAX} statements")));
            break;
        }
        script.statement();
    }
    let mut once: Vec<Effect> = vec![];
    for effect in found {
        if !once.contains(&effect) {
            once.push(effect);
        }
    }
    once
}

fn effect(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::Database, operation, shown(target), severity)
}

fn unknown(sql: &str) -> Effect {
    effect("unknown", sql.trim(), Destructive)
}

/// Statements that are known by their first keyword.
const KEYWORDS: &[(&str, &str, Severity)] = &[
    ("ABORT", "transaction", Read),
    ("ANALYSE", "analyze", Write),
    ("ANALYZE", "analyze", Write),
    ("ATTACH", "attach", Write),
    ("BACKUP", "backup", Write),
    ("BULK", "insert", Write),
    ("CACHE", "show", Read),
    ("CALL", "execute", Destructive),
    ("CHANGE", "replication", Write),
    ("CHECK", "check", Read),
    ("CHECKPOINT", "checkpoint", Write),
    ("CHECKSUM", "check", Read),
    ("CLOSE", "show", Read),
    ("CLUSTER", "vacuum", Write),
    ("COMMENT", "alter", Write),
    ("DEALLOCATE", "show", Read),
    ("DECLARE", "show", Read),
    ("DENY", "revoke", Write),
    ("DETACH", "detach", Write),
    ("DISCARD", "show", Read),
    ("DO", "execute", Destructive),
    ("EXCHANGE", "alter", Write),
    ("EXEC", "execute", Destructive),
    ("EXECUTE", "execute", Destructive),
    ("EXPORT", "copy", Write),
    ("FETCH", "show", Read),
    ("FLUSH", "flush", Write),
    ("GRANT", "grant", Write),
    ("HANDLER", "show", Read),
    ("HELP", "show", Read),
    ("IMPORT", "copy", Write),
    ("INSTALL", "execute", Destructive),
    ("KILL", "terminate", Destructive),
    ("LIST", "show", Read),
    ("LISTEN", "show", Read),
    ("LOCK", "lock", Write),
    ("LS", "show", Read),
    ("MOVE", "show", Read),
    ("NOTIFY", "notify", Write),
    ("OPEN", "show", Read),
    ("OPTIMIZE", "vacuum", Write),
    ("PRINT", "show", Read),
    ("PURGE", "purge", Destructive),
    ("PUT", "copy", Write),
    ("REASSIGN", "grant", Write),
    ("RECONFIGURE", "set_global", Write),
    ("REFRESH", "vacuum", Write),
    ("REINDEX", "vacuum", Write),
    ("REMOVE", "delete", Destructive),
    ("RENAME", "alter", Write),
    ("REPAIR", "vacuum", Write),
    ("RESET", "set", Read),
    ("RESTART", "shutdown", Destructive),
    ("RESTORE", "restore", Destructive),
    ("REVOKE", "revoke", Write),
    ("RM", "delete", Destructive),
    ("SECURITY", "alter", Write),
    ("SET", "set", Read),
    ("SHOW", "show", Read),
    ("SHUTDOWN", "shutdown", Destructive),
    ("STOP", "replication", Write),
    ("SUMMARIZE", "show", Read),
    ("SYSTEM", "system", Write),
    ("TABLE", "select", Read),
    ("TRUNCATE", "truncate", Destructive),
    ("UNDROP", "create", Write),
    ("UNINSTALL", "drop", Destructive),
    ("UNLISTEN", "show", Read),
    ("UNLOAD", "copy", Write),
    ("UNLOCK", "lock", Write),
    ("USE", "show", Read),
    ("VACUUM", "vacuum", Write),
    ("WAITFOR", "show", Read),
];

/// Functions that act, wherever they are called.
const FUNCTIONS: &[(&str, &str, Severity)] = &[
    ("database_to_xml", "select", Read),
    ("dblink", "execute", Destructive),
    ("dblink_connect", "connect", Write),
    ("dblink_exec", "execute", Destructive),
    ("dblink_send_query", "execute", Destructive),
    ("edit", "execute", Destructive),
    ("eval", "execute", Destructive),
    ("lastval", "select", Read),
    ("lo_create", "create", Write),
    ("lo_export", "file_write", Destructive),
    ("lo_import", "file_read", Write),
    ("lo_put", "update", Write),
    ("lo_unlink", "delete", Destructive),
    ("load_extension", "execute", Destructive),
    ("load_file", "file_read", Read),
    ("nextval", "sequence", Write),
    ("opendatasource", "execute", Destructive),
    ("openquery", "execute", Destructive),
    ("openrowset", "execute", Destructive),
    ("pg_advisory_lock", "lock", Write),
    ("pg_cancel_backend", "cancel", Write),
    ("pg_copy_logical_replication_slot", "replication", Write),
    ("pg_copy_physical_replication_slot", "replication", Write),
    ("pg_create_logical_replication_slot", "replication", Write),
    ("pg_create_physical_replication_slot", "replication", Write),
    ("pg_create_restore_point", "checkpoint", Write),
    ("pg_drop_replication_slot", "drop", Destructive),
    ("pg_file_rename", "file_write", Destructive),
    ("pg_file_unlink", "file_write", Destructive),
    ("pg_file_write", "file_write", Destructive),
    ("pg_logical_slot_get_changes", "replication", Write),
    ("pg_ls_dir", "file_read", Read),
    ("pg_promote", "replication", Destructive),
    ("pg_read_binary_file", "file_read", Read),
    ("pg_read_file", "file_read", Read),
    ("pg_reload_conf", "set_global", Write),
    ("pg_replication_slot_advance", "replication", Destructive),
    ("pg_rotate_logfile", "set_global", Write),
    ("pg_stat_reset", "reset_statistics", Destructive),
    ("pg_stat_reset_shared", "reset_statistics", Destructive),
    ("pg_stat_statements_reset", "reset_statistics", Destructive),
    ("pg_switch_wal", "checkpoint", Write),
    ("pg_terminate_backend", "terminate", Destructive),
    ("pg_wal_replay_pause", "replication", Write),
    ("pg_wal_replay_resume", "replication", Write),
    ("query_to_xml", "execute", Destructive),
    ("set_config", "set", Write),
    ("setval", "sequence", Write),
    ("sys_eval", "execute", Destructive),
    ("sys_exec", "execute", Destructive),
    ("writefile", "file_write", Destructive),
];

/// Procedures of SQL Server that only show something.
const READING_PROCEDURES: &str = "sp_help sp_helptext sp_helpdb sp_helpindex sp_helpconstraint sp_helpfile sp_who sp_who2 sp_lock sp_columns sp_tables sp_databases sp_spaceused sp_depends sp_fkeys sp_pkeys sp_statistics sp_server_info sp_stored_procedures sp_whoisactive sp_helpuser sp_helprole sp_helprolemember sp_helplogins sp_monitor";

/// Words before the name of what a statement is about.
const NOISE: &str = "TABLE TABLES IF NOT EXISTS OR REPLACE INTO ON FROM ONLY TEMPORARY TEMP UNLOGGED EXTERNAL UNIQUE CONCURRENTLY FULL VERBOSE ANALYZE LOCAL GLOBAL TO IGNORE LOW_PRIORITY HIGH_PRIORITY DELAYED QUICK NO_WRITE_TO_BINLOG TRANSIENT VOLATILE OVERWRITE RECURSIVE FORCE ONLINE OFFLINE FREEZE";

/// Words that name a kind of thing which the target shows.
const OBJECTS: &str = "DATABASE SCHEMA ROLE USER LOGIN VIEW INDEX FUNCTION PROCEDURE TRIGGER SEQUENCE EXTENSION TABLESPACE PUBLICATION SUBSCRIPTION TYPE DOMAIN POLICY SERVER OWNED EVENT MATERIALIZED AGGREGATE CAST COLLATION RULE WAREHOUSE STAGE PIPE STREAM TASK KEYSPACE DICTIONARY SYSTEM SESSION FOREIGN DATA WRAPPER";

/// Words with which a statement begins that may change something.
const CHANGES: &str = "INSERT UPDATE DELETE MERGE REPLACE DROP TRUNCATE ALTER CREATE GRANT REVOKE DENY EXEC EXECUTE CALL KILL SHUTDOWN BACKUP RESTORE BULK";

struct Script<'t, 'f> {
    tokens: &'t [TokenWithSpan],
    at: usize,
    dialect: Dialect,
    found: &'f mut Vec<Effect>,
}

impl<'t> Script<'t, '_> {
    /// One statement, or one semicolon; always goes on.
    fn statement(&mut self) {
        let Some(first) = self.word(self.at) else {
            match self.tokens.get(self.at).map(|token| &token.token) {
                Some(Token::SemiColon) => self.at += 1,
                _ => self.parse(),
            }
            return;
        };
        match first.as_str() {
            "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "END" | "ABORT"
                if first != "START" || self.is_word(self.at + 1, "TRANSACTION") =>
            {
                self.transaction();
            }
            "COPY" => self.copy(),
            "DROP" => self.drop_object(),
            "PRAGMA" => self.pragma(),
            "SET" => self.set(),
            "START" => self.keyword("replication", Write),
            "SELECT" | "WITH" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "REPLACE" | "VALUES" | "FROM"
            | "EXPLAIN" | "DESC" | "DESCRIBE" | "CREATE" | "ALTER" | "PREPARE" | "UPSERT" | "TABLE" => self.parse(),
            // MariaDB's `ANALYZE` in front of a statement runs it.
            "ANALYZE" | "ANALYSE" if self.word(self.at + 1).is_some_and(|word| is_runnable(&word)) => self.at += 1,
            "DECLARE" if self.dialect == Dialect::Postgres => self.declare_cursor(),
            "SYSTEM" if self.dialect != Dialect::ClickHouse => self.give_up(),
            keyword => match KEYWORDS.binary_search_by(|(own, _, _)| (*own).cmp(keyword)) {
                Ok(at) => {
                    let (_, operation, severity) = KEYWORDS.get(at).copied().unwrap_or(("", "unknown", Destructive));
                    self.by_keyword(keyword, operation, severity);
                }
                Err(_) => self.give_up(),
            },
        }
    }

    fn by_keyword(&mut self, keyword: &str, operation: &'static str, severity: Severity) {
        let end = self.end();
        match keyword {
            "EXEC" | "EXECUTE" => {
                let name = self.name_from(self.at + 1);
                let base = name.rsplit('.').next().unwrap_or_default().to_lowercase();
                let is_read = super::line::listed(READING_PROCEDURES, &base);
                self.push_until("execute", &name, if is_read { Read } else { severity });
            }
            "CHECK" if self.dialect == Dialect::Generic => self.keyword(operation, Write),
            "ATTACH" | "DETACH" | "LOCK" => self.keyword(operation, severity),
            "RESET" if self.has_word(end, "MASTER") || self.has_word(end, "REPLICA") || self.has_word(end, "SLAVE") => {
                self.keyword("purge", Destructive);
            }
            "SYSTEM" if self.has_word(end, "SHUTDOWN") || self.has_word(end, "KILL") || self.has_word(end, "DROP") => {
                self.keyword("shutdown", Destructive);
            }
            // Hidden elsewhere in a statement whose grammar is not checked, a change must not pass as a read.
            _ if severity == Read && self.dialect == Dialect::MsSql => {
                let change = (self.at + 1..end).find(|at| self.word(*at).is_some_and(|word| is_change(&word)));
                let target = self.name_from(self.at + 1);
                self.found.push(effect(operation, &target, severity));
                self.at = change.unwrap_or(end);
            }
            _ => self.keyword(operation, severity),
        }
    }

    /// The statement up to its semicolon as this operation.
    fn keyword(&mut self, operation: &'static str, severity: Severity) {
        let target = self.name_from(self.at + 1);
        self.push_until(operation, &target, severity);
    }

    fn push_until(&mut self, operation: &'static str, target: &str, severity: Severity) {
        self.found.push(effect(operation, target, severity));
        self.at = self.end();
    }

    fn give_up(&mut self) {
        let text = self.text();
        self.push_until("unknown", &text, Destructive);
    }

    fn transaction(&mut self) {
        const WORDS: &str = "TRANSACTION TRAN WORK DEFERRED IMMEDIATE EXCLUSIVE CONCURRENT ISOLATION LEVEL READ WRITE ONLY COMMITTED UNCOMMITTED REPEATABLE SERIALIZABLE NOT DEFERRABLE AND NO CHAIN TO SAVEPOINT WITH CONSISTENT SNAPSHOT PREPARED TRY CATCH RELEASE";
        self.found.push(effect("transaction", "", Read));
        self.at += 1;
        while self.word(self.at).is_some_and(|word| super::line::listed(WORDS, &word))
            || matches!(self.tokens.get(self.at).map(|token| &token.token), Some(Token::Comma))
        {
            self.at += 1;
        }
        // The name of a savepoint; in a block the next statement begins at once.
        let is_name = self.word(self.at).is_some_and(|word| !is_runnable(&word) && !is_change(&word));
        let ends = matches!(self.tokens.get(self.at + 1).map(|token| &token.token), None | Some(Token::SemiColon));
        if is_name && ends {
            self.at += 1;
        }
    }

    fn copy(&mut self) {
        let end = self.end();
        let target = if self.is_symbol(self.at + 1, &Token::LParen) {
            // The query runs, and PostgreSQL lets it write and return rows.
            let close = self.closing(self.at + 1).unwrap_or(end);
            let inner = self.tokens.get(self.at + 2..close).unwrap_or_default();
            Script { tokens: inner, at: 0, dialect: self.dialect, found: self.found }.all();
            String::new()
        } else {
            self.name_from(self.at + 1)
        };
        let has_word = |word| self.has_word(end, word);
        let (operation, severity) = if has_word("PROGRAM") {
            ("execute", Destructive)
        } else if has_word("TO") && has_word("STDOUT") {
            ("copy", Read)
        } else {
            ("copy", Write)
        };
        self.push_until(operation, &target, severity);
    }

    fn all(mut self) {
        while self.at < self.tokens.len() {
            self.statement();
        }
    }

    fn drop_object(&mut self) {
        let end = self.end();
        let is_temporary = self.is_word(self.at + 1, "TEMPORARY") || self.is_word(self.at + 1, "TEMP");
        let names = self.names_from(self.at + 1, end);
        for name in names {
            self.found.push(effect("drop", &name, if is_temporary { Write } else { Destructive }));
        }
        self.at = end;
    }

    fn pragma(&mut self) {
        const READING: &str = "TABLE_INFO TABLE_XINFO TABLE_LIST INDEX_LIST INDEX_INFO INDEX_XINFO FOREIGN_KEY_LIST FOREIGN_KEY_CHECK INTEGRITY_CHECK QUICK_CHECK DATABASE_LIST COMPILE_OPTIONS FUNCTION_LIST MODULE_LIST PRAGMA_LIST COLLATION_LIST SHOW_TABLES STORAGE_INFO VERSION";
        const ACTING: &str = "WAL_CHECKPOINT OPTIMIZE INCREMENTAL_VACUUM SHRINK_MEMORY";
        let end = self.end();
        let name = self.name_from(self.at + 1);
        let base = name.rsplit('.').next().unwrap_or_default().to_uppercase();
        let has_value = (self.at..end).any(|at| self.is_symbol(at, &Token::Eq) || self.is_symbol(at, &Token::LParen));
        let severity = match base.as_str() {
            "WRITABLE_SCHEMA" if has_value => Destructive,
            base if super::line::listed(READING, base) => Read,
            base if has_value || super::line::listed(ACTING, base) => Write,
            _ => Read,
        };
        self.push_until("pragma", &name, severity);
    }

    fn set(&mut self) {
        let end = self.end();
        let target = self.name_from(self.at + 1);
        let second = self.word(self.at + 1).unwrap_or_default();
        let is_session = self.is_word(self.at + 1, "SESSION") || self.is_word(self.at + 1, "LOCAL");
        let lower = target.to_lowercase();
        if second == "ROLE"
            || (is_session && (self.is_word(self.at + 2, "AUTHORIZATION") || self.is_word(self.at + 2, "ROLE")))
        {
            self.push_until("set_role", &target, Write);
        } else if matches!(second.as_str(), "GLOBAL" | "PERSIST" | "PERSIST_ONLY" | "CLUSTER")
            || lower.starts_with("@@global")
            || lower.starts_with("@@persist")
        {
            self.push_until("set_global", &target, Write);
        } else if second == "PASSWORD" {
            self.push_until("grant", &target, Write);
        } else if lower.contains("session_replication_role")
            || lower.contains("foreign_key_checks")
            || lower.contains("sql_log_bin")
        {
            self.push_until("set", &target, Write);
        } else if self.dialect == Dialect::MsSql {
            let change = (self.at + 1..end).find(|at| self.word(*at).is_some_and(|word| is_change(&word)));
            self.found.push(effect("set", &target, Read));
            self.at = change.unwrap_or(end);
        } else {
            self.push_until("set", &target, Read);
        }
    }

    /// `DECLARE c CURSOR FOR SELECT ...`: the query runs later, as this session.
    fn declare_cursor(&mut self) {
        let end = self.end();
        match (self.at..end).find(|at| self.is_word(*at, "FOR")) {
            Some(at) => self.at = at + 1,
            None => self.give_up(),
        }
    }

    /// Parse one statement and read its effects off the tree.
    fn parse(&mut self) {
        let end = self.end();
        let rest = self.tokens.get(self.at..end).unwrap_or_default();
        if is_too_deep(rest) {
            self.give_up();
            return;
        }
        let first = self.word(self.at).unwrap_or_default();
        // What follows the semicolon is needed only where a statement holds statements.
        let has_body = first == "CREATE" && rest.iter().any(|token| is_keyword(&token.token, "BEGIN"));
        let until = if has_body && !is_too_deep(self.tokens.get(self.at..).unwrap_or_default()) {
            self.tokens.len()
        } else {
            end
        };
        let tokens = self.tokens.get(self.at..until).unwrap_or_default();
        let parsed = parse_by(self.dialect.grammar(), tokens, first.as_str(), self.dialect)
            .or_else(|| parse_by(&GenericDialect {}, tokens, first.as_str(), self.dialect));
        let target = self.name_from(self.at + 1);
        match first.as_str() {
            "CREATE" => {
                self.create(&target, end);
                match parsed {
                    Some((statement, used)) => {
                        if let Statement::CreateTable(table) = &statement
                            && let Some(query) = &table.query
                        {
                            self.query(query);
                        }
                        self.at += used;
                    }
                    None => self.at = end,
                }
            }
            "ALTER" => {
                self.alter(&target, end);
                self.at = end;
            }
            "DESC" | "DESCRIBE" | "EXPLAIN" if parsed.is_none() => {
                let runs = (self.at..end).any(|at| self.word(at).is_some_and(|word| word.starts_with("ANALY")));
                if runs { self.give_up() } else { self.push_until("explain", &target, Read) }
            }
            "PREPARE" if parsed.is_none() => match (self.at..end).find(|at| self.is_word(*at, "AS")) {
                Some(at) => self.at = at + 1,
                None => self.give_up(),
            },
            "TABLE" => self.push_until("select", &target, Read),
            _ => match parsed {
                Some((statement, used)) => {
                    self.tree(&statement);
                    self.at += used;
                }
                None => self.give_up(),
            },
        }
    }

    fn create(&mut self, target: &str, end: usize) {
        const PRINCIPALS: &str = "ROLE USER LOGIN";
        let kind = (self.at + 1..end.min(self.at + 5))
            .filter_map(|at| self.word(at))
            .find(|word| super::line::listed(OBJECTS, word) || word == "TABLE");
        let replaces = self.is_word(self.at + 1, "OR") && kind.as_deref() == Some("TABLE");
        let (operation, severity) = match kind.as_deref() {
            Some(kind) if super::line::listed(PRINCIPALS, kind) => ("grant", Write),
            _ if replaces => ("drop", Destructive),
            _ => ("create", Write),
        };
        self.found.push(effect(operation, target, severity));
    }

    fn alter(&mut self, target: &str, end: usize) {
        const KEEPS: &str = "NOT DEFAULT CONSTRAINT INDEX KEY FOREIGN CHECK IDENTITY EXPRESSION PRIMARY";
        let second = self.word(self.at + 1).unwrap_or_default();
        let drops = (self.at..end).any(|at| {
            (self.is_word(at, "DROP") && !self.word(at + 1).is_some_and(|next| super::line::listed(KEEPS, &next)))
                || self.is_word(at, "TRUNCATE")
                || (matches!(self.dialect, Dialect::ClickHouse)
                    && (self.is_word(at, "DELETE") || self.is_word(at, "UPDATE")))
        });
        let powers =
            ["SUPERUSER", "CREATEROLE", "BYPASSRLS", "REPLICATION", "PASSWORD", "IDENTIFIED", "MEMBER", "OWNER"];
        let grants = powers.iter().any(|word| self.has_word(end, word));
        let is_principal = matches!(second.as_str(), "ROLE" | "USER" | "LOGIN" | "GROUP");
        let (operation, severity) = match second.as_str() {
            "SYSTEM" => ("set_global", Write),
            _ if is_principal || grants => ("grant", Write),
            _ if drops => ("alter", Destructive),
            _ => ("alter", Write),
        };
        self.found.push(effect(operation, target, severity));
    }

    /// The effects of a parsed statement.
    fn tree(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => {
                let name = match &insert.table {
                    TableObject::TableName(name) => named(name),
                    other => other.to_string(),
                };
                if let Some(source) = &insert.source {
                    self.writing_parts(source);
                }
                let severity = if insert.overwrite { Destructive } else { Write };
                self.found.push(effect("insert", &name, severity));
            }
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => {
                let target = table_of(&merge.table);
                let deletes = merge.clauses.iter().any(|clause| matches!(clause.action, MergeAction::Delete { .. }));
                let (operation, severity) = if deletes { ("delete", Destructive) } else { ("update", Write) };
                self.found.push(effect(operation, &target, severity));
            }
            Statement::Explain { analyze, options, statement, .. } => {
                let by_option = options.iter().flatten().any(|option| {
                    option.name.value.to_uppercase().starts_with("ANALY")
                        && !option.arg.as_ref().is_some_and(|arg| {
                            matches!(arg.to_string().trim_matches('\'').to_lowercase().as_str(), "false" | "off" | "0")
                        })
                });
                if *analyze || by_option {
                    self.tree(statement);
                } else {
                    self.found.push(effect("explain", "", Read));
                }
            }
            Statement::ExplainTable { table_name, .. } => {
                self.found.push(effect("show", &named(table_name), Read));
            }
            Statement::Prepare { statement, .. } => self.tree(statement),
            other => self.found.push(unknown(&other.to_string())),
        }
    }

    fn query(&mut self, query: &Query) {
        let before = self.found.len();
        self.writing_parts(query);
        if self.found.len() == before {
            let (tables, into) = sources_of(&query.body);
            match into {
                Some(into) => self.found.push(effect("create", &into, Write)),
                None if !query.locks.is_empty() => self.found.push(effect("lock", &tables, Write)),
                None => self.found.push(effect("select", &tables, Read)),
            }
        }
    }

    /// The parts of a query that write: `WITH x AS (DELETE ...)`.
    fn writing_parts(&mut self, query: &Query) {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.writing_parts(&table.query);
        }
        self.writing_body(&query.body);
    }

    fn writing_body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.tree(statement),
            SetExpr::Query(query) => self.writing_parts(query),
            SetExpr::SetOperation { left, right, .. } => {
                self.writing_body(left);
                self.writing_body(right);
            }
            SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Table(_) => {}
        }
    }

    fn update(&mut self, update: &Update) {
        let target = table_of(&update.table.relation);
        let is_all = update.limit.is_none() && update.selection.as_ref().is_none_or(holds_always);
        let (operation, severity) = if is_all { ("update_all", Destructive) } else { ("update", Write) };
        self.found.push(effect(operation, &target, severity));
    }

    fn delete(&mut self, delete: &Delete) {
        let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
        let target = if delete.tables.is_empty() {
            tables_of(tables)
        } else {
            delete.tables.iter().map(named).collect::<Vec<_>>().join(", ")
        };
        let is_all = delete.limit.is_none() && delete.selection.as_ref().is_none_or(holds_always);
        self.found.push(effect(if is_all { "delete_all" } else { "delete" }, &target, Destructive));
    }

    /// Functions that act, and a query's output into a file of the server.
    fn functions(&mut self) {
        let is_open = |token: &Token| match token {
            Token::Word(word) => word.quote_style.is_none() && is_unknown(&word.value),
            Token::Char(c) => is_unknown(c.encode_utf8(&mut [0; 4])),
            Token::Placeholder(text) | Token::Number(text, _) => is_unknown(text),
            _ => false,
        };
        // What is not known within a quoted text is data; anywhere else it may be any statement.
        if let Some(at) = self.tokens.iter().position(|token| is_open(&token.token)) {
            let near = self.tokens.get(at.saturating_sub(4)..=at).unwrap_or_default();
            let text: Vec<String> = near.iter().map(|token| token.token.to_string()).collect();
            self.found.push(unknown(&text.join(" ")));
        }
        for at in 0..self.tokens.len() {
            let Some(Token::Word(word)) = self.tokens.get(at).map(|token| &token.token) else { continue };
            let lower = word.value.to_lowercase();
            if self.is_symbol(at + 1, &Token::LParen)
                && let Ok(index) = FUNCTIONS.binary_search_by(|(own, _, _)| (*own).cmp(lower.as_str()))
                && let Some((name, operation, severity)) = FUNCTIONS.get(index)
            {
                self.found.push(effect(operation, name, *severity));
            }
            if lower == "into" && (self.is_word(at + 1, "OUTFILE") || self.is_word(at + 1, "DUMPFILE")) {
                let file = self.tokens.get(at + 2).map(|token| token.token.to_string()).unwrap_or_default();
                self.found.push(effect("file_write", &file, Destructive));
            }
            if lower == "xp_cmdshell" || lower == "sp_oacreate" || lower == "sp_execute_external_script" {
                self.found.push(effect("execute", &lower, Destructive));
            }
        }
    }

    /// The keyword or plain name at `at`, in capitals.
    fn word(&self, at: usize) -> Option<String> {
        match self.tokens.get(at).map(|token| &token.token) {
            Some(Token::Word(word)) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
            _ => None,
        }
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| is_keyword(&token.token, word))
    }

    fn is_symbol(&self, at: usize, symbol: &Token) -> bool {
        self.tokens.get(at).is_some_and(|token| token.token == *symbol)
    }

    fn has_word(&self, end: usize, word: &str) -> bool {
        (self.at..end).any(|at| self.is_word(at, word))
    }

    /// Where the statement ends: at its semicolon, or at the end.
    fn end(&self) -> usize {
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        rest.iter().position(|token| token.token == Token::SemiColon).map_or(self.tokens.len(), |at| self.at + at)
    }

    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn text(&self) -> String {
        const TOKENS_MAX: usize = 40;
        let tokens = self.tokens.get(self.at..self.end()).unwrap_or_default();
        tokens.iter().take(TOKENS_MAX).map(|token| token.token.to_string()).collect::<Vec<_>>().join(" ")
    }

    /// The name of what a statement is about, behind words like `TABLE IF EXISTS`.
    fn name_from(&self, at: usize) -> String {
        self.names_from(at, self.end()).into_iter().next().unwrap_or_default()
    }

    fn names_from(&self, mut at: usize, end: usize) -> Vec<String> {
        let mut kind = String::new();
        while at < end {
            let Some(word) = self.word(at) else { break };
            if super::line::listed(OBJECTS, &word) {
                if !kind.is_empty() {
                    kind.push(' ');
                }
                kind.push_str(&word.to_lowercase());
            } else if !super::line::listed(NOISE, &word) {
                break;
            }
            at += 1;
        }
        let mut names = vec![];
        let mut name = String::new();
        while at < end {
            match self.tokens.get(at).map(|token| &token.token) {
                Some(Token::Word(word)) if name.is_empty() || name.ends_with('.') => name.push_str(&word.value),
                Some(Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) if name.is_empty() => {
                    name.push_str(text);
                }
                Some(Token::Period) if !name.is_empty() => name.push('.'),
                Some(Token::Comma) if !name.is_empty() => names.push(std::mem::take(&mut name)),
                _ => break,
            }
            at += 1;
        }
        names.push(name);
        names.into_iter().map(|name| format!("{kind} {name}").trim().to_owned()).collect()
    }
}

fn is_keyword(token: &Token, text: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

fn is_change(word: &str) -> bool {
    super::line::listed(CHANGES, word)
}

fn is_runnable(word: &str) -> bool {
    matches!(word, "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "REPLACE" | "WITH")
}

/// What is open while tokens are read: the outermost text, or a bracket.
#[derive(Clone, Copy, Default)]
struct Open {
    /// Links of the item of the list at hand, what is in its closed brackets included.
    item: usize,
    /// Those of the longest item before.
    longest: usize,
    /// Links that no comma ends: of queries that are put together, and of types within types.
    held: usize,
}

/// Whether a tree of these tokens could be deeper than the stack bears. Items of a list hang side by side, so that the
/// longest counts and not their sum: a report on sixty columns is long and not deep.
fn is_too_deep(tokens: &[TokenWithSpan]) -> bool {
    let mut around: Vec<Open> = vec![];
    let mut links_around = 0usize;
    let mut open = Open::default();
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                links_around += open.item + open.held;
                around.push(std::mem::take(&mut open));
                if around.len() > NESTING_MAX {
                    return true;
                }
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                if let Some(outer) = around.pop() {
                    links_around = links_around.saturating_sub(outer.item + outer.held);
                    let within = open.longest.max(open.item) + open.held;
                    open = Open { item: outer.item + within, ..outer };
                }
            }
            Token::SemiColon => open = Open::default(),
            Token::Comma => open = Open { item: 0, longest: open.longest.max(open.item), held: open.held },
            Token::Number(..) | Token::SingleQuotedString(_) => {}
            // `STRUCT<a INT, b STRUCT<...` goes on inside after the comma, `SELECT 1, 2 UNION ...` before it.
            Token::Lt => open.held += 1,
            other if SET_OPERATORS.iter().any(|operator| is_keyword(other, operator)) => open.held += 2,
            _ => open.item += 1,
        }
        if links_around + open.item.max(open.longest) + open.held > CHAIN_MAX {
            return true;
        }
    }
    false
}

/// The statement at the beginning of `tokens`, and how many of them it took. All of them must be
/// taken, up to a semicolon, except where the dialect parts statements by nothing.
fn parse_by(
    grammar: &dyn Grammar,
    tokens: &[TokenWithSpan],
    first: &str,
    dialect: Dialect,
) -> Option<(Statement, usize)> {
    let mut parser = Parser::new(grammar).with_tokens_with_locations(tokens.to_vec());
    let statement = parser.parse_statement().ok()?;
    let used = parser.index().min(tokens.len());
    let next = tokens.get(used).map(|token| &token.token);
    let may_follow = dialect == Dialect::MsSql
        && matches!(next, Some(Token::Word(word)) if is_change(&word.value.to_uppercase()) || is_runnable(&word.value.to_uppercase()) || word.value.eq_ignore_ascii_case("GO"));
    let ends = matches!(next, None | Some(Token::SemiColon | Token::EOF)) || may_follow;
    // A statement that took nothing would be read for ever.
    (ends && (used > 0 || first.is_empty())).then_some((statement, used.max(1)))
}

/// Whether a condition keeps every row, as far as its text tells.
fn holds_always(condition: &Expr) -> bool {
    match condition {
        Expr::Nested(inner) => holds_always(inner),
        Expr::Value(value) => match &value.value {
            Value::Boolean(is_true) => *is_true,
            Value::Number(number, _) => number.parse::<f64>().is_ok_and(|number| number != 0.0),
            Value::SingleQuotedString(text) => {
                matches!(text.to_lowercase().as_str(), "t" | "true" | "y" | "yes" | "on" | "1")
            }
            _ => false,
        },
        Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => holds_always(inner),
        Expr::IsNotNull(_) => true,
        Expr::IsNull(inner) => matches!(inner.as_ref(), Expr::Value(value) if value.value == Value::Null),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => holds_never(expr),
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::Or => holds_always(left) || holds_always(right),
            BinaryOperator::And => holds_always(left) && holds_always(right),
            BinaryOperator::Eq | BinaryOperator::GtEq | BinaryOperator::LtEq | BinaryOperator::Spaceship => {
                left == right || (are_constant(left, right) && *op != BinaryOperator::Eq)
            }
            BinaryOperator::NotEq | BinaryOperator::Gt | BinaryOperator::Lt => {
                are_constant(left, right) && left != right
            }
            _ => false,
        },
        Expr::Like { negated: false, pattern, .. } | Expr::ILike { negated: false, pattern, .. } => {
            matches!(pattern.as_ref(), Expr::Value(value)
                if matches!(&value.value, Value::SingleQuotedString(text) if !text.is_empty() && text.chars().all(|c| c == '%')))
        }
        Expr::Exists { subquery, negated: false } | Expr::InSubquery { subquery, negated: false, .. } => {
            matches!(subquery.body.as_ref(), SetExpr::Select(select)
                if select.selection.is_none() && select.having.is_none() && select.top.is_none()
                    && subquery.limit_clause.is_none() && subquery.fetch.is_none())
        }
        _ => false,
    }
}

fn holds_never(condition: &Expr) -> bool {
    match condition {
        Expr::Nested(inner) => holds_never(inner),
        Expr::Value(value) => match &value.value {
            Value::Boolean(is_true) => !is_true,
            Value::Number(number, _) => number.parse::<f64>().is_ok_and(|number| number == 0.0),
            _ => false,
        },
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => are_constant(left, right) && left != right,
        _ => false,
    }
}

fn are_constant(left: &Expr, right: &Expr) -> bool {
    matches!((left, right), (Expr::Value(_), Expr::Value(_)))
}

/// The tables of a query, and where `SELECT ... INTO` puts its rows.
fn sources_of(body: &SetExpr) -> (String, Option<String>) {
    match body {
        SetExpr::Select(select) => (tables_of(&select.from), into_of(select)),
        SetExpr::Query(query) => sources_of(&query.body),
        SetExpr::SetOperation { left, right, .. } => {
            let (left, right) = (sources_of(left), sources_of(right));
            (format!("{}, {}", left.0, right.0).trim_matches([',', ' ']).to_owned(), left.1.or(right.1))
        }
        _ => (String::new(), None),
    }
}

fn into_of(select: &Select) -> Option<String> {
    let into = select.into.as_ref()?;
    let target = into.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    // MySQL's variables hold the row for this session only.
    (!target.starts_with('@')).then_some(target)
}

fn tables_of(tables: &[TableWithJoins]) -> String {
    let names: Vec<String> = tables
        .iter()
        .flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)))
        .map(table_of)
        .filter(|name| !name.is_empty())
        .collect();
    names.join(", ")
}

fn table_of(table: &TableFactor) -> String {
    match table {
        TableFactor::Table { name, .. } => named(name),
        TableFactor::NestedJoin { table_with_joins, .. } => tables_of(std::slice::from_ref(table_with_joins)),
        _ => String::new(),
    }
}

fn named(name: &ObjectName) -> String {
    name.to_string().replace(['"', '`', '[', ']'], "")
}

/// The tables that are searched by halves must be sorted.
#[cfg(test)]
pub(super) fn assert_sorted() {
    assert!(KEYWORDS.is_sorted_by_key(|(name, ..)| *name));
    assert!(FUNCTIONS.is_sorted_by_key(|(name, ..)| *name));
}
