//! The commands that SQL clients understand besides SQL: `\!` of psql, `source` of mysql, `.shell`
//! of sqlite3, `:!!` of sqlcmd.
//!
//! A script is parted into the client's commands and the SQL between them. Quotes and comments are
//! followed, so that a backslash within a text is not taken for a command.

use super::line::{is_unknown, listed};
use super::sql::{Dialect, statements};
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

/// The clients whose commands are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Psql,
    MySql,
    Sqlite,
    SqlCmd,
    /// It understands SQL alone.
    Plain,
}

/// Commands of psql that only show, or set something for this session.
const PSQL_READING: &str = "a c C conninfo connect crosstabview d da dA dAc dAf dAo dAp db dc dconfig dC dd dD ddp des det deu dew df dF dFd dFp dFt dg di dl dL dm dn do dO dp dP dr dRp dRs drds drg ds dS dt dT du dv dx dX dy e echo ef elif else encoding endif errverbose ev f gdesc getenv gset gx g h H help html if l list p parse password pset prompt q qecho r reset s set sf sv t T timing unset warn watch x z ? bind bind_named close_prepared sendpipeline startpipeline endpipeline syncpipeline flush flushrequest getresults restrict unrestrict";

/// Commands of sqlite3 and duckdb that only show, or set something for this session.
const SQLITE_READING: &str = "auth bail binary changes check columns connection constant dbconfig dbinfo databases dump echo eqp exit expert explain filectrl fullschema headers header help highlight imposter indexes indices intck keyword large_number_rendering limit lint maxrows maxwidth mode nonce nullvalue parameter print progress prompt quit rows render schema scanstats selftest separator session sha3sum show stats system_catalog tables testcase timeout timer version vfsinfo vfslist vfsname width";

/// What a script for `client` would do.
pub(super) fn script(text: &str, client: Client, dialect: Dialect, found: &mut Vec<Effect>) {
    let mut sql = String::new();
    match client {
        Client::Plain => sql.push_str(text),
        Client::Psql => psql(text, &mut sql, found),
        Client::MySql => mysql(text, &mut sql, found),
        Client::Sqlite => by_lines(text, &mut sql, found, sqlite_command),
        Client::SqlCmd => by_lines(text, &mut sql, found, sqlcmd_command),
    }
    if !sql.trim().is_empty() {
        found.extend(statements(&sql, dialect));
    }
}

fn effect(kind: Kind, operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(kind, operation, super::line::shown(target), severity)
}

fn shell(code: &str) -> Effect {
    effect(Kind::Code, "shell", code, Destructive)
}

fn included(file: &str) -> Effect {
    effect(Kind::Database, "run_file", file, Destructive)
}

fn unknown(text: &str) -> Effect {
    effect(Kind::Database, "unknown", text, Destructive)
}

/// Where one is in a text of SQL.
enum Place {
    Plain,
    Quoted(char),
    Dollar(String),
    LineComment,
    BlockComment,
}

/// Walk over `text`; `command` gets what stands behind a backslash outside of quotes.
fn walk(text: &str, has_dollars: bool, sql: &mut String, mut command: impl FnMut(&str, &mut String)) {
    let mut place = Place::Plain;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let next = rest.get(c.len_utf8()..).unwrap_or_default();
        match &place {
            Place::Plain => match c {
                '\\' => {
                    let end = next.find('\n').unwrap_or(next.len());
                    command(next.get(..end).unwrap_or_default(), sql);
                    rest = next.get(end..).unwrap_or_default();
                    continue;
                }
                '\'' | '"' | '`' => place = Place::Quoted(c),
                '-' if next.starts_with('-') => place = Place::LineComment,
                '#' if !has_dollars => place = Place::LineComment,
                '/' if next.starts_with('*') => place = Place::BlockComment,
                '$' if has_dollars => {
                    if let Some(tag) = dollar_tag(rest) {
                        sql.push_str(tag);
                        rest = rest.get(tag.len()..).unwrap_or_default();
                        place = Place::Dollar(tag.to_owned());
                        continue;
                    }
                }
                _ => {}
            },
            Place::Quoted(quote) => {
                // In MySQL a backslash keeps the quote from ending the text.
                if c == '\\' && !has_dollars {
                    let after = next.chars().next().map_or(0, char::len_utf8);
                    let taken = c.len_utf8() + after;
                    sql.push_str(rest.get(..taken).unwrap_or_default());
                    rest = rest.get(taken..).unwrap_or_default();
                    continue;
                }
                if c == *quote {
                    place = Place::Plain;
                }
            }
            Place::Dollar(tag) => {
                if let Some(after) = rest.strip_prefix(tag.as_str()) {
                    sql.push_str(tag);
                    rest = after;
                    place = Place::Plain;
                    continue;
                }
            }
            Place::LineComment if c == '\n' => place = Place::Plain,
            Place::BlockComment if rest.starts_with("*/") => {
                sql.push_str("*/");
                rest = rest.get(2..).unwrap_or_default();
                place = Place::Plain;
                continue;
            }
            Place::LineComment | Place::BlockComment => {}
        }
        sql.push(c);
        rest = next;
    }
}

/// `$$` or `$tag$` at the beginning of `text`.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let end = inner.find('$')?;
    let is_tag = inner.get(..end)?.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_tag.then(|| text.get(..end + 2)).flatten()
}

fn psql(text: &str, sql: &mut String, found: &mut Vec<Effect>) {
    walk(&without_copied_rows(text), true, sql, |line, sql| {
        // `\d\! x` is two commands on one line.
        for part in psql_parts(line) {
            let (name, argument) = split_word(part);
            sql.push(';');
            found.extend(psql_command(name, argument));
        }
    });
}

/// The rows behind `COPY ... FROM stdin;` are data up to `\.`, not SQL.
fn without_copied_rows(text: &str) -> String {
    let mut kept = String::new();
    let mut is_data = false;
    let mut statement = String::new();
    for line in text.split_inclusive('\n') {
        if is_data {
            is_data = line.trim_end() != "\\.";
            continue;
        }
        kept.push_str(line);
        statement.push_str(line);
        if line.trim_end().ends_with(';') {
            let upper = statement.trim_start().to_uppercase();
            let words: Vec<&str> = upper.split(|c: char| c.is_whitespace() || c == ';').collect();
            is_data = upper.starts_with("COPY ")
                && upper.matches(';').count() == 1
                && words.windows(2).any(|pair| pair == ["FROM", "STDIN"]);
            statement.clear();
        }
    }
    kept
}

fn psql_parts(line: &str) -> Vec<&str> {
    // These take the rest of the line as it stands.
    let (name, _) = split_word(line);
    if matches!(name, "!" | "copy" | "sf" | "ef" | "ev" | "sv" | "help" | "h" | "warn" | "echo" | "qecho")
        || name.starts_with('!')
    {
        return vec![line];
    }
    line.split('\\').map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn psql_command(name: &str, argument: &str) -> Vec<Effect> {
    if let Some(code) = name.strip_prefix('!') {
        return vec![shell(format!("{code} {argument}").trim())];
    }
    let mut found = vec![];
    // A backquoted argument is run by the shell.
    if let Some((_, code)) = argument.split_once('`') {
        found.push(shell(code.trim_end_matches('`')));
    }
    let base = name.trim_end_matches(['+', 'S']);
    match name {
        "copy" => {
            let upper = argument.to_uppercase();
            let runs = upper.split_whitespace().any(|word| word == "PROGRAM");
            if runs {
                found.push(shell(argument));
            } else if let Some(query) = argument.trim_start().strip_prefix('(') {
                let inner = query.rsplit_once(')').map_or(query, |(inner, _)| inner);
                found.extend(statements(inner, Dialect::Postgres));
            }
            let target = argument.split_whitespace().next().unwrap_or_default();
            found.push(effect(Kind::Database, "copy", target, Write));
        }
        "i" | "include" | "ir" | "include_relative" => found.push(included(argument)),
        "o" | "out" | "w" | "write" | "g" | "gx" if argument.trim_start().starts_with('|') => {
            found.push(shell(argument))
        }
        "o" | "out" | "w" | "write" if !argument.is_empty() => {
            found.push(effect(Kind::File, "write", argument, Write));
        }
        "o" | "out" => {}
        "setenv" | "cd" => found.push(effect(Kind::Database, "set", argument, Read)),
        "gexec" => found.push(effect(Kind::Database, "execute", "the rows of a query", Destructive)),
        "lo_import" => found.push(effect(Kind::Database, "create", argument, Write)),
        "lo_export" => {
            let file = argument.split_whitespace().last().unwrap_or_default();
            found.push(effect(Kind::File, "write", file, Write));
        }
        "lo_unlink" => found.push(effect(Kind::Database, "delete", argument, Destructive)),
        "lo_list" => found.push(effect(Kind::Database, "show", "", Read)),
        "password" => found.push(effect(Kind::Database, "grant", argument, Write)),
        "." => {}
        _ if listed(PSQL_READING, name) || listed(PSQL_READING, base) => {
            found.push(effect(Kind::Database, "show", argument, Read));
        }
        _ => found.push(unknown(name)),
    }
    found
}

fn mysql(text: &str, sql: &mut String, found: &mut Vec<Effect>) {
    let mut plain = String::new();
    let mut delimiter = ";".to_owned();
    for line in text.split_inclusive('\n') {
        let (name, argument) = split_word(line.trim());
        let argument = argument.trim_end_matches(';').trim();
        match name.to_lowercase().trim_end_matches(';') {
            "source" => found.push(included(argument)),
            "system" => found.push(shell(argument)),
            "pager" => found.push(shell(argument)),
            "tee" => found.push(effect(Kind::File, "write", argument, Write)),
            "delimiter" => argument.clone_into(&mut delimiter),
            "notee" | "nopager" | "rehash" | "status" | "clear" | "ego" | "go" | "edit" | "print" | "prompt"
            | "connect" | "exit" | "quit" | "charset" | "warnings" | "nowarning" | "resetconnection" => {}
            _ if delimiter != ";" && !delimiter.is_empty() => plain.push_str(&line.replace(delimiter.as_str(), ";")),
            _ => plain.push_str(line),
        }
    }
    walk(&plain, false, sql, |line, sql| {
        let name = line.chars().next();
        let argument = line.get(name.map_or(0, char::len_utf8)..).unwrap_or_default().trim();
        sql.push(';');
        match name {
            Some('!') => found.push(shell(argument)),
            Some('.') => found.push(included(argument)),
            Some('P') if !argument.is_empty() => found.push(shell(argument)),
            Some('T') => found.push(effect(Kind::File, "write", argument, Write)),
            // `\G` and `\g` end a statement; what follows on the line is SQL again.
            Some('g' | 'G' | 'c' | 'p' | 'W' | 'w' | 'x') => sql.push_str(argument),
            Some('h' | '?' | 'q' | 's' | 't' | 'n' | 'r' | 'u' | 'R' | '#' | 'C' | 'e' | 'd' | 'N') => {}
            _ => found.push(unknown(line)),
        }
    });
}

fn by_lines(text: &str, sql: &mut String, found: &mut Vec<Effect>, command: fn(&str) -> Option<Vec<Effect>>) {
    for line in text.split_inclusive('\n') {
        // Within a statement a line is SQL; as a text of several lines it may begin like a command,
        // and is read as one then, which shows more and never less.
        match command(line.trim()) {
            Some(effects) => {
                sql.push_str(";\n");
                found.extend(effects);
            }
            None => sql.push_str(line),
        }
    }
}

fn sqlite_command(line: &str) -> Option<Vec<Effect>> {
    let (name, argument) = split_word(line.strip_prefix('.')?);
    let is_piped = argument.trim_start_matches(['\'', '"']).starts_with('|');
    Some(match name {
        "shell" | "system" | "sh" => vec![shell(argument)],
        "read" if is_piped => vec![shell(argument)],
        "read" => vec![included(argument)],
        "load" => vec![effect(Kind::Database, "execute", argument, Destructive)],
        "import" if argument.contains('|') => vec![shell(argument)],
        "import" => vec![effect(Kind::Database, "insert", argument, Write)],
        "output" | "once" | "excel" if is_piped => vec![shell(argument)],
        "output" | "once" if argument.is_empty() => vec![],
        "output" | "once" | "backup" | "save" | "clone" | "excel" | "log" | "trace"
            if !matches!(argument, "off" | "on" | "stdout" | "stderr" | "") =>
        {
            vec![effect(Kind::File, "write", argument, Write)]
        }
        "restore" => vec![effect(Kind::Database, "restore", argument, Destructive)],
        "recover" => vec![effect(Kind::Database, "select", argument, Read)],
        "open" if argument.contains("--new") => vec![effect(Kind::Database, "drop", argument, Destructive)],
        "open" => vec![effect(Kind::Database, "attach", argument, Write)],
        "ar" | "archive" | "unmodule" => vec![effect(Kind::File, "write", argument, Write)],
        _ => {
            // The shell takes any beginning of a command that is one of its own.
            let is_reading = SQLITE_READING.split(' ').any(|own| own.starts_with(name)) && !name.is_empty();
            let is_acting = [
                "shell", "system", "read", "load", "import", "restore", "backup", "save", "clone", "open", "output",
                "once", "excel",
            ]
            .iter()
            .any(|own| own.starts_with(name));
            if is_reading && (!is_acting || listed(SQLITE_READING, name)) {
                vec![effect(Kind::Database, "show", argument, Read)]
            } else {
                vec![unknown(line)]
            }
        }
    })
}

fn sqlcmd_command(line: &str) -> Option<Vec<Effect>> {
    if line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("go")) {
        return Some(vec![]);
    }
    if let Some(code) = line.strip_prefix(":!!").or_else(|| line.strip_prefix("!!")) {
        return Some(vec![shell(code.trim())]);
    }
    let (name, argument) = split_word(line.strip_prefix(':')?);
    Some(match name.to_lowercase().as_str() {
        "r" => vec![included(argument)],
        "out" | "error" | "perftrace" => vec![effect(Kind::File, "write", argument, Write)],
        "connect" | "setvar" | "list" | "listvar" | "reset" | "serverlist" | "help" | "on" | "quit" | "exit"
        | "xml" | "ed" => {
            vec![]
        }
        _ => vec![unknown(line)],
    })
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| c.is_whitespace() || is_unknown(&c.to_string())).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (name, rest.trim())
}
