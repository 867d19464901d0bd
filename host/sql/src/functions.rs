//! Functions that a statement must not call: they write, reach files, hosts or other sessions, run SQL from text, or
//! wait.
//!
//! A read-only transaction stops most writes and none of the rest. Names are compared by their last part, in lower case,
//! so that neither a schema before them nor quotes around them make a difference.

use pi_catalog::database::Dialect;

/// Why a function is refused, where it is.
pub(crate) fn refusal(dialect: Dialect, schema: Option<&str>, name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let is_in = |table: &[(&[&str], &'static str)]| {
        table.iter().find(|(names, _)| names.iter().any(|pattern| is_named(pattern, &name))).map(|(_, why)| *why)
    };
    match dialect {
        Dialect::Postgres => {
            let schema = schema.map(str::to_lowercase);
            if schema.is_some_and(|schema| SCHEMAS.contains(&schema.as_str())) {
                return Some("that extension reaches out of the database");
            }
            if ALLOWED.contains(&name.as_str()) {
                return None;
            }
            is_in(POSTGRES)
        }
        Dialect::Sqlite => is_in(SQLITE),
    }
}

fn is_named(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

const FILES: &str = "it reads or writes files of the server";
const OTHERS: &str = "it acts on other sessions, locks or the server";
const WRITES: &str = "it writes";
const TEXT: &str = "it runs SQL from text, which nobody has looked at";
const REACH: &str = "it reaches other hosts or databases";
const WAITS: &str = "it only waits";
const SETTING: &str = "it changes settings, on which the read-only transaction rests";
const PAGES: &str = "it reads past rights and masking";

/// Schemas of extensions that go out to the network or schedule work.
const SCHEMAS: &[&str] =
    &["net", "http", "cron", "dblink", "aws_s3", "aws_lambda", "aws_commons", "pgq", "pgagent", "pldbgapi"];

/// Names that a prefix below would catch, and that only read.
const ALLOWED: &[&str] = &["pg_wal_lsn_diff"];

const POSTGRES: &[(&[&str], &str)] = &[
    (
        &[
            "pg_read_*",
            "pg_ls_*",
            "pg_stat_file",
            "pg_file_*",
            "pg_logdir_ls",
            "pg_current_logfile",
            "lo_*",
            "loread",
            "lowrite",
            "pg_hba_file_rules",
            "pg_ident_file_mappings",
            "pg_show_all_file_settings",
            "pg_extension_config_dump",
        ],
        FILES,
    ),
    (
        &[
            "pg_terminate_*",
            "pg_cancel_*",
            "pg_reload_*",
            "pg_rotate_*",
            "pg_promote",
            "pg_switch_*",
            "pg_advisory_*",
            "pg_try_advisory_*",
            "pg_notify",
            "pg_create_*",
            "pg_drop_*",
            "pg_copy_*",
            "pg_replication_*",
            "pg_logical_*",
            "pg_backup_*",
            "pg_start_backup",
            "pg_stop_backup",
            "pg_wal_replay_*",
            "pg_stat_reset*",
            "pg_stat_statements_reset",
            "pg_stat_clear_*",
            "pg_restore_*",
            "pg_clear_*",
            "pg_log_*",
            "pg_export_snapshot",
            "pg_import_*",
            "pg_sync_*",
            "pg_prewarm",
            "autoprewarm_*",
            "pg_buffercache_evict*",
            "pg_truncate_*",
            "pg_wal_*",
            "pg_isolation_test_*",
            "binary_upgrade_*",
            "pg_stat_force_next_flush",
            "pg_nextoid",
            "pg_collation_actual_version_update",
            "hypopg*",
            "pg_hint_plan*",
            "pldbg_*",
            "plpgsql_check*",
            "pg_background_*",
            "pg_partman*",
            "pg_repack*",
        ],
        OTHERS,
    ),
    (
        &[
            "nextval",
            "setval",
            "txid_current",
            "pg_current_xact_id",
            "brin_summarize_*",
            "brin_desummarize_*",
            "gin_clean_pending_list",
            "pg_stat_statements_aggregate",
            "run_maintenance*",
            "create_hypertable",
            "drop_chunks",
            "create_distributed_table",
            "dblink_exec",
        ],
        WRITES,
    ),
    (
        &[
            "query_to_xml*",
            "table_to_xml*",
            "schema_to_xml*",
            "database_to_xml*",
            "cursor_to_xml*",
            "ts_stat",
            "ts_rewrite",
            "crosstab*",
            "connectby",
            "xpath_table",
            "run_command_on_*",
            "master_run_*",
            "exec",
            "execute_sql",
        ],
        TEXT,
    ),
    (&["dblink*", "postgres_fdw_*", "http_*", "http", "aws_*", "pg_net*", "curl*", "plproxy*"], REACH),
    (&["pg_sleep*"], WAITS),
    (&["set_config", "set_limit", "setseed"], SETTING),
    (
        &[
            "get_raw_page",
            "heap_page_*",
            "bt_page_*",
            "bt_multi_page_stats",
            "gin_page_*",
            "gin_leafpage_items",
            "gist_page_*",
            "brin_page_*",
            "hash_page_*",
            "tuple_data_split",
            "heap_force_*",
            "pg_get_wal_*",
            "page_header",
            "fsm_page_contents",
            // The view `pg_stat_activity` has the same, and is masked.
            "pg_stat_get_activity",
            "pg_stat_get_backend_activity",
        ],
        PAGES,
    ),
];

const SQLITE: &[(&[&str], &str)] = &[
    (&["load_extension", "fts3_tokenizer"], "it loads code"),
    (&["readfile", "writefile", "edit", "lsdir", "fsdir", "zipfile", "sqlar_*"], FILES),
    (&["sqlite_dbpage", "sqlite_dbdata", "sqlite_dbptr"], PAGES),
    (&["sqlite_rename_*", "sqlite_drop_column", "sqlite_add_constraint", "sqlite_fail"], WRITES),
    (&["eval"], TEXT),
    (&["csv", "generate_csv", "sqlite_stmt", "stmt"], REACH),
];

/// `PRAGMA`s that are there as tables too, and only tell.
pub(crate) const PRAGMAS: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "database_list",
    "collation_list",
    "function_list",
    "module_list",
    "pragma_list",
    "compile_options",
    "data_version",
    "schema_version",
    "user_version",
    "page_count",
    "page_size",
    "freelist_count",
    "encoding",
    "application_id",
    "integrity_check",
    "quick_check",
    "foreign_key_check",
];

/// Whether a table function `pragma_NAME` only tells.
pub(crate) fn is_telling_pragma(name: &str) -> bool {
    let name = name.to_lowercase();
    PRAGMAS.contains(&name.strip_prefix("pragma_").unwrap_or(&name))
}
