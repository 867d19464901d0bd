//! Whether the role could do more than read, and the SQL that makes one which could not.

use sqlx::postgres::PgConnection;

use crate::health::{Health, Warning};

const ROLE: &str = "
SELECT current_setting('server_version'), current_user::text, current_database()::text, r.rolsuper,
       r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
       ARRAY(SELECT m.rolname::text FROM pg_roles m
             WHERE m.rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_read_server_files',
                                 'pg_execute_server_program', 'pg_signal_backend', 'pg_checkpoint', 'pg_maintain')
               AND pg_has_role(m.oid, 'MEMBER') ORDER BY 1)
FROM pg_roles r WHERE r.rolname = current_user";

const TABLES: &str = "
SELECT n.nspname::text || '.' || c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
  AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
ORDER BY 1 LIMIT 4";

const SCHEMAS: &str = "
SELECT nspname::text FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND has_schema_privilege(oid, 'CREATE') ORDER BY 1 LIMIT 4";

const READABLE: &str = "
SELECT nspname::text FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND has_schema_privilege(oid, 'USAGE') ORDER BY 1 LIMIT 20";

type Role = (String, String, String, bool, bool, Vec<String>);

pub(super) async fn health(connection: &mut PgConnection, latency_ms: u64) -> Result<Health, sqlx::Error> {
    let (version, role, database, is_superuser, is_mighty, memberships): Role =
        sqlx::query_as(ROLE).persistent(false).fetch_one(&mut *connection).await?;
    let tables: Vec<String> = sqlx::query_scalar(TABLES).persistent(false).fetch_all(&mut *connection).await?;
    let schemas: Vec<String> = sqlx::query_scalar(SCHEMAS).persistent(false).fetch_all(&mut *connection).await?;
    let readable: Vec<String> = sqlx::query_scalar(READABLE).persistent(false).fetch_all(&mut *connection).await?;
    let mut texts = Vec::new();
    if is_superuser {
        texts.push(format!("the role `{role}` is a superuser: only this program keeps it from writing"));
    } else {
        if is_mighty {
            texts.push(format!("the role `{role}` may create roles or databases, replicate, or pass row security"));
        }
        if !memberships.is_empty() {
            texts.push(format!("the role `{role}` is a member of {}", memberships.join(", ")));
        }
        if !tables.is_empty() {
            texts.push(format!("the role `{role}` may write, such as to {}", some(&tables)));
        }
        if !schemas.is_empty() {
            texts.push(format!("the role `{role}` may create tables in {}", some(&schemas)));
        }
    }
    let sql = reader(&database, &readable);
    let warnings = texts.into_iter().map(|text| Warning { text, sql: Some(sql.clone()) }).collect();
    Ok(Health {
        version: format!("PostgreSQL {version}"),
        identity: format!("{role}@{database}"),
        latency_ms,
        warnings,
    })
}

/// The first three.
fn some(names: &[String]) -> String {
    let more = if names.len() > 3 { " and more" } else { "" };
    let names: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    format!("{}{more}", names.join(", "))
}

/// A role that reads these schemas and nothing else.
fn reader(database: &str, schemas: &[String]) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let mut sql = format!(
        "CREATE ROLE pi_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD 'choose one';\n\
         ALTER ROLE pi_reader SET default_transaction_read_only = on;\n\
         GRANT CONNECT ON DATABASE {} TO pi_reader;\n",
        quoted(database)
    );
    for schema in schemas.iter().map(|schema| quoted(schema)) {
        sql.push_str(&format!(
            "GRANT USAGE ON SCHEMA {schema} TO pi_reader;\n\
             GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO pi_reader;\n\
             ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO pi_reader;\n"
        ));
    }
    sql
}
