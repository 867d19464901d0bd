//! SQL databases: their clients, their own tools, and the tools that change schemas.
//!
//! A client's statements are read by `sql` and its own commands by `client`; a file of statements
//! that the gate does not see, or an input that is not known, may do anything. The other tools are
//! tables of verbs.

use super::super::argv::Argv;
use super::client::{Client, script};
use super::line::{Line, is_unknown, listed, shown};
use super::sql::Dialect;
use super::verb::{Tool, Verb};
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "psql pgcli usql mysql mariadb mycli mysqlsh sqlite3 sqlite litecli duckdb clickhouse-client clickhouse-local clickhouse sqlcmd mssql-cli cockroach snowsql snow bq trino presto beeline hive impala-shell spark-sql sqlplus db2 turso bcp \
    dropdb createdb dropuser createuser pg_dump pg_dumpall pg_basebackup pg_restore pg_isready pg_config pg_controldata pg_waldump pg_amcheck pg_checksums pg_verifybackup pg_receivewal clusterdb vacuumdb reindexdb initdb pg_resetwal pg_rewind pg_upgrade pg_archivecleanup pg_repack pgbench pg_ctl pg_ctlcluster pg_dropcluster pg_createcluster pg_lsclusters pg_upgradecluster mysqladmin mariadb-admin mysqldump mariadb-dump mysqlpump mysqlimport mariadb-import mysqlcheck mariadb-check mysqlshow mysqlbinlog mysqlslap mysql_secure_installation mysql_install_db mysql_upgrade sqldiff sqlite3_analyzer pgloader xtrabackup mariabackup wal-g pgbackrest barman litestream pt-online-schema-change pt-archiver pt-kill gh-ost \
    rails rake sequelize sequelize-cli artisan console mix typeorm mikro-orm knex phinx prisma alembic flask flyway django-admin django manage.py dbmate liquibase goose migrate atlas diesel sqlx sea-orm-cli drizzle-kit supabase hasura skeema dotnet dotnet-ef db-migrate node-pg-migrate sqitch yoyo";

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    // `sqlcmd query 'select 1'`, as the newer of the two programs of that name has it.
    if argv.program == "sqlcmd" && argv.words.get(1).is_some_and(|word| word.text == "query") {
        let line = Line::read(argv.words.get(1..).unwrap_or_default(), "-d --database -t --text");
        let code = line.operand(0).or_else(|| line.value("-t --text"));
        match code.or(input) {
            Some(code) => script(code, Client::SqlCmd, Dialect::MsSql, found),
            None => found.push(effect("unknown", "standard input", Destructive)),
        }
        return;
    }
    let asks_for_help = argv.words.len() == 2 && argv.words.iter().any(|word| word.text == "-h");
    if asks_for_help && matches!(argv.program, "sqlcmd" | "mssql-cli") {
        found.push(effect("show", "", Read));
        return;
    }
    if let Some(client) = client_of(argv.program) {
        let before = found.len();
        by_client(client, argv, input, found);
        if matches!(argv.program, "sqlite3" | "sqlite" | "duckdb") && is_in_memory(argv, &found[before..]) {
            for effect in &mut found[before..] {
                if effect.kind == Kind::Database {
                    effect.severity = Read;
                }
            }
        }
        return;
    }
    if let Some((_, operation, severity, worse)) = SINGLE.iter().find(|(name, ..)| *name == argv.program) {
        single(argv, operation, *severity, worse, found);
        return;
    }
    match argv.program {
        "clickhouse" => clickhouse(argv, input, found),
        "cockroach" => cockroach(argv, input, found),
        "snow" => snow(argv, input, found),
        "bq" => bq(argv, input, found),
        "turso" => turso(argv, input, found),
        "db2" | "sqlplus" => by_words(argv, input, found),
        "bcp" => bcp(argv, found),
        "pg_restore" => pg_restore(argv, found),
        "mysqladmin" | "mariadb-admin" => mysqladmin(argv, found),
        "rails" | "rake" | "sequelize" | "sequelize-cli" | "artisan" | "console" | "mix" | "typeorm" | "mikro-orm"
        | "knex" | "phinx" => tasks(argv, found),
        "prisma" => prisma(argv, found),
        "flask" | "dotnet" => within(argv, found),
        "django-admin" | "django" | "manage.py" => django(argv, found),
        "goose" | "migrate" => anywhere(argv, found),
        program => {
            if let Some((_, tool)) = TOOLS.iter().find(|(names, _)| listed(names, program)) {
                migration(tool, argv, found);
            }
        }
    }
}

/// Whether the database is one that ends with the command, and nothing else is attached to it, run or brought in.
fn is_in_memory(argv: &Argv<'_>, found: &[Effect]) -> bool {
    const OWN: &[&str] = &["create", "insert", "update", "delete", "drop", "alter", "select", "show", "explain"];
    argv.operands.first().is_some_and(|word| word.text == ":memory:")
        && found.iter().all(|effect| effect.kind == Kind::Database && OWN.contains(&&*effect.operation))
}

fn effect(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::Database, operation, shown(target), severity)
}

/// How a client takes its statements.
#[derive(Clone, Copy)]
struct Access {
    dialect: Dialect,
    client: Client,
    valued: &'static str,
    /// Flags whose value is statements.
    code: &'static str,
    /// Flags whose value is a file of statements.
    file: &'static str,
    /// From this operand on, operands are statements.
    operands: usize,
    /// With one of these flags nothing runs but a look at the server.
    shows: &'static str,
}

const PSQL: Access = Access {
    dialect: Dialect::Postgres,
    client: Client::Psql,
    valued: "-c --command -d --dbname -f --file -v --set --variable -L --log-file -o --output -F --field-separator -P --pset -R --record-separator -T --table-attr -h --host -p --port -U --username",
    code: "-c --command",
    file: "-f --file",
    operands: usize::MAX,
    shows: "-l --list -V --version -? --help",
};

const MYSQL: Access = Access {
    dialect: Dialect::MySql,
    client: Client::MySql,
    valued: "-e --execute -h --host -u --user -P --port -D --database -S --socket -p? --protocol --defaults-file --defaults-extra-file --defaults-group-suffix --default-character-set --ssl-ca --ssl-capath --ssl-cert --ssl-cipher --ssl-key --ssl-mode --tls-version --init-command --delimiter --prompt --tee --pager --max-allowed-packet --max_allowed_packet --connect-timeout --connect_timeout --plugin-dir --login-path --bind-address --character-sets-dir --net-buffer-length",
    code: "-e --execute --init-command",
    file: "",
    operands: usize::MAX,
    shows: "-V --version -? --help",
};

fn client_of(program: &str) -> Option<Access> {
    Some(match program {
        "psql" => PSQL,
        "pgcli" => Access {
            valued: "-h --host -p --port -U --username -u --user -d --dbname -D --dsn --pgclirc --row-limit --prompt -l? --log-file --ssh-tunnel --init-command",
            code: "--init-command",
            file: "",
            shows: "-l --list -v --version --help --list-dsn",
            ..PSQL
        },
        "usql" => Access { valued: "-c --command -f --file -o --out -v --set -P --pset -F -R -T --config", ..PSQL },
        "mysql" | "mariadb" => MYSQL,
        "mycli" => Access {
            valued: "-e --execute -h --host -P --port -u --user -S --socket -p --password --pass -D --database -d --dsn -R --prompt -l --logfile --myclirc --login-path --init-command --charset --ssh-host --ssh-port --ssh-user --ssh-password",
            shows: "-V --version --help --list-dsn",
            ..MYSQL
        },
        "mysqlsh" => Access {
            valued: "-e --execute -f --file -h --host -P --port -u --user -S --socket -D --schema --database -p? --uri --dbuser --result-format",
            file: "-f --file",
            ..MYSQL
        },
        "litecli" => Access {
            dialect: Dialect::Sqlite,
            client: Client::Sqlite,
            valued: "-e --execute -R --prompt -D --database -l --logfile --liteclirc",
            code: "-e --execute",
            file: "",
            operands: 1,
            shows: "-V --version --help",
        },
        "sqlite3" | "sqlite" => Access {
            dialect: Dialect::Sqlite,
            client: Client::Sqlite,
            valued: "! -cmd --cmd -init --init -separator --separator -newline --newline -nullvalue --nullvalue -mmap --mmap -vfs --vfs -maxsize --maxsize -heap --heap -escape --escape",
            code: "-cmd --cmd",
            file: "-init --init",
            operands: 1,
            shows: "-version --version -help --help",
        },
        "duckdb" => Access {
            dialect: Dialect::DuckDb,
            client: Client::Sqlite,
            valued: "! -c -s -cmd --cmd -f -init --init -separator --separator -newline --newline -nullvalue --nullvalue -storage-version --storage-version",
            code: "-c -s -cmd --cmd",
            file: "-f -init --init",
            operands: 1,
            shows: "-version --version -help --help",
        },
        "clickhouse-client" | "clickhouse-local" => CLICKHOUSE,
        "sqlcmd" | "mssql-cli" => Access {
            dialect: Dialect::MsSql,
            client: Client::SqlCmd,
            valued: "-Q -q -i -S -d -U -P -v -o -h -s -w -W? -b? -t -l -H -a -c -K -V -m -r? -y -Y -f -z -Z -G? --query --initial-query --input-file --server --database-name --user-name --output-file",
            code: "-Q -q --query --initial-query",
            file: "-i --input-file",
            operands: usize::MAX,
            shows: "-? --version --help -L",
        },
        "snowsql" => Access {
            dialect: Dialect::Snowflake,
            client: Client::Plain,
            valued: "-q --query -f --filename -a --accountname -u --username -d --dbname -s --schemaname -r --rolename -w --warehouse -h --host -p --port -c --connection -o --option -D --variable --config --private-key-path",
            code: "-q --query",
            file: "-f --filename",
            operands: usize::MAX,
            shows: "-v --version -? --help",
        },
        "trino" | "presto" => Access {
            dialect: Dialect::Generic,
            client: Client::Plain,
            valued: "--execute -f --file --server --catalog --schema --user --session --source --output-format --timezone --client-tags --client-info --trace-token --keystore-path --keystore-password --truststore-path --truststore-password --krb5-config-path --krb5-principal --extra-credential --http-proxy --socks-proxy --log-levels-file --resource-estimate --path --access-token",
            code: "--execute",
            file: "-f --file",
            operands: usize::MAX,
            shows: "--version --help -h",
        },
        "beeline" | "hive" | "impala-shell" | "spark-sql" => Access {
            dialect: Dialect::Generic,
            client: Client::Plain,
            valued: "-e -q --query -f --query_file -u -n -p -d -w -i -o --impalad --database --hivevar --hiveconf --outputformat --master --conf --jars --var --kerberos_host_fqdn --delegation-token --property-file",
            code: "-e -q --query",
            file: "-f --query_file -i",
            operands: usize::MAX,
            shows: "--version --help",
        },
        _ => return None,
    })
}

const CLICKHOUSE: Access = Access {
    dialect: Dialect::ClickHouse,
    client: Client::Plain,
    valued: "-q --query --queries-file -h --host --port -u --user --password -d --database -c -C --config-file --format -f --input-format --output-format --time --param_id --multiquery? -S --structure -N --table --file --connection --max_threads --max_memory_usage --log-level --send_logs_level",
    code: "-q --query",
    file: "--queries-file",
    operands: usize::MAX,
    shows: "-V --version --help",
};

fn by_client(access: Access, argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, access.valued);
    by_access(access, &line, input, found);
}

fn by_access(access: Access, line: &Line<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let before = found.len();
    let mut has_code = false;
    for code in line.values(access.code) {
        has_code = true;
        script(code, access.client, access.dialect, found);
    }
    for file in line.values(access.file) {
        has_code = true;
        by_file(file, access, input, found);
    }
    for code in line.rest(access.operands) {
        has_code = true;
        script(code, access.client, access.dialect, found);
    }
    if access.client == Client::Psql
        && let Some(command) = line.values("-o --output").find(|value| value.starts_with('|'))
    {
        found.push(Effect::new(Kind::Code, "shell", shown(command), Destructive));
    }
    if let Some(command) = line.values("--pager").find(|_| access.client == Client::MySql) {
        found.push(Effect::new(Kind::Code, "shell", shown(command), Destructive));
    }
    if has_code {
        if found.len() == before {
            found.push(effect("select", "", Read));
        }
        return;
    }
    // A client without statements reads them from its input.
    match input {
        Some(text) => script(text, access.client, access.dialect, found),
        None if line.says(access.shows) => found.push(effect("show", "", Read)),
        None => found.push(effect("unknown", "standard input", Destructive)),
    }
}

fn by_file(file: &str, access: Access, input: Option<&str>, found: &mut Vec<Effect>) {
    match input {
        Some(text) if matches!(file, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") => {
            script(text, access.client, access.dialect, found);
        }
        _ if file == "/dev/null" => found.push(effect("show", "", Read)),
        _ => found.push(effect("run_file", file, Destructive)),
    }
}

/// `clickhouse client --query ...`: the first operand is the program's part.
fn clickhouse(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, CLICKHOUSE.valued);
    match line.operand(0) {
        None | Some("client" | "local") => by_access(CLICKHOUSE, &line, input, found),
        Some("benchmark" | "compressor" | "format" | "obfuscator" | "help" | "status") => {
            found.push(effect("show", "", Read));
        }
        Some("start" | "stop" | "restart" | "server" | "install" | "keeper" | "copier") => {
            found.push(Effect::new(Kind::Service, "restart", "clickhouse", Write));
        }
        Some(_) => found.push(effect("unknown", &line.target(0), Destructive)),
    }
}

const COCKROACH: Tool = Tool {
    kind: Kind::Database,
    valued: "--url --host -p --port -u --user -d --database --certs-dir --format -e --execute --store -f --file --locality --join --listen-addr --advertise-addr --http-addr --set --watch --ca-key --cluster-name",
    read: "node:ls=show node:status=show auth-session:list=show cert:list=show statement-diag:list=show statement-diag:download=show gen=show version debug:zip=dump workload:check=show",
    write: "start=start start-single-node=start init=create demo=start cert=create node:recommission=set import=insert userfile:upload=copy userfile:list=show userfile:get=copy auth-session:login=set nodelocal=copy workload=insert statement-diag:cancel=cancel connect=set auth-session:logout=set",
    destructive: "node:drain=drain node:decommission=drain quit=shutdown userfile:delete=delete statement-diag:delete=delete debug=unknown",
    dry: "",
};

fn cockroach(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, COCKROACH.valued);
    if line.operand(0) == Some("sql") {
        let access = Access { valued: COCKROACH.valued, code: "-e --execute", file: "-f --file", ..PSQL };
        by_access(access, &line, input, found);
    } else {
        COCKROACH.look(&line, found);
    }
}

const SNOW: Tool = Tool {
    kind: Kind::Database,
    valued: "-q --query -f --filename -c --connection --account --user --role --warehouse --database --schema --format -D --variable --authenticator --password --private-key-file",
    read: "*:list=show *:describe=show *:*:list=show *:*:describe=show connection:test=show *:status=show *:logs=show spcs:*:list=show object:list=show stage:list-files=show",
    write: "*:create=create *:deploy=create *:copy=copy *:*:create=create *:*:deploy=create connection:add=set connection:set-default=set *:execute=execute *:build=create *:init=create *:run=create *:upgrade=alter spcs:*:*=alter",
    destructive: "*:drop=drop *:*:drop=drop object:drop=drop stage:remove=delete *:teardown=drop *:purge=drop",
    dry: "",
};

fn snow(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, SNOW.valued);
    if line.operand(0) == Some("sql") {
        let access = Access {
            dialect: Dialect::Snowflake,
            client: Client::Plain,
            valued: SNOW.valued,
            code: "-q --query",
            file: "-f --filename",
            operands: usize::MAX,
            shows: "--help",
        };
        by_access(access, &line, input, found);
    } else {
        SNOW.look(&line, found);
    }
}

const BQ: Tool = Tool {
    kind: Kind::Database,
    valued: "--project_id --dataset_id --location --format --destination_table --job_id --max_rows -n --n --start_row -s --parameter --label --schema --source_format --field_delimiter --skip_leading_rows --time_partitioning_field --time_partitioning_type --clustering_fields --expiration --default_table_expiration --description --view --maximum_bytes_billed --display_name --target_dataset --data_source --params --schedule --api --credential_file --service_account --flagfile --bigqueryrc --destination_kms_key --external_table_definition --materialized_view --range_partitioning --udf_resource --filter --page_token --max_results --policy_tags",
    read: "ls=show show head=select get-iam-policy=show info=show wait=show version extract=dump partition=show",
    write: "load=insert insert mk=create cp=copy update=alter add-iam-policy-binding=grant remove-iam-policy-binding=revoke set-iam-policy=grant cancel init=set mkdef=show undelete=create",
    destructive: "rm=drop truncate",
    dry: "--dry_run",
};

fn bq(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, BQ.valued);
    match line.operand(0) {
        Some("query") if line.says("--dry_run -dry_run") => found.push(effect("explain", "", Read)),
        Some("query") => {
            let before = found.len();
            match (line.operands.len() > 1, input) {
                (true, _) => script(&line.rest(1).join(" "), Client::Plain, Dialect::BigQuery, found),
                (false, Some(text)) => script(text, Client::Plain, Dialect::BigQuery, found),
                (false, None) => found.push(effect("unknown", "standard input", Destructive)),
            }
            if found.len() > before && line.has("--replace") {
                let table = line.value("--destination_table").unwrap_or_default();
                found.push(effect("truncate", table, Destructive));
            }
        }
        Some("load") if line.says("--replace -replace") => found.push(effect("truncate", &line.target(1), Destructive)),
        Some("cp") if line.has("-f --force") => found.push(effect("copy", &line.target(1), Destructive)),
        _ => BQ.look(&line, found),
    }
}

const TURSO: Tool = Tool {
    kind: Kind::Database,
    valued: "--location --group --instance --org --proxy -o --from-db --from-file --timestamp --expiration",
    read: "db:list=show db:show=show db:inspect=show db:locations=show group:list=show org:list=show plan:show=show auth:whoami=show",
    write: "db:create=create db:replicate=create group:create=create group:unarchive=set db:tokens=grant group:tokens=grant auth=set org=set config=set db:config=set db:update=alter dev=start plan=set db:import=create db:export=dump",
    destructive: "db:destroy=drop group:destroy=drop org:destroy=drop db:unreplicate=delete db:tokens:invalidate=revoke",
    dry: "",
};

fn turso(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, TURSO.valued);
    if (line.operand(0), line.operand(1)) == (Some("db"), Some("shell")) {
        match (line.operand(3), input) {
            (Some(code), _) | (None, Some(code)) => script(code, Client::Sqlite, Dialect::Sqlite, found),
            (None, None) => found.push(effect("unknown", "standard input", Destructive)),
        }
    } else {
        TURSO.look(&line, found);
    }
}

/// Clients that take their statements as plain words or from their input.
fn by_words(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-f -d -t -z");
    if let Some(file) = line.value("-f").or_else(|| line.operands.iter().copied().find(|word| word.starts_with('@'))) {
        found.push(effect("run_file", file, Destructive));
    } else if argv.program == "db2" && !line.operands.is_empty() {
        script(&line.operands.join(" "), Client::Plain, Dialect::Generic, found);
    } else if let Some(text) = input {
        script(text, Client::Plain, Dialect::Generic, found);
    } else {
        found.push(effect("unknown", "standard input", Destructive));
    }
}

fn bcp(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-S -U -P -d -f -t -r -b -m -F -L -a -h -C -e -i -o -D");
    match line.operand(1) {
        Some("in") => found.push(effect("insert", line.operand(0).unwrap_or_default(), Write)),
        Some("out" | "format") => found.push(effect("dump", line.operand(0).unwrap_or_default(), Read)),
        Some("queryout") => {
            found.extend(super::sql::statements(line.operand(0).unwrap_or_default(), Dialect::MsSql));
        }
        Some(_) => found.push(effect("unknown", &line.target(0), Destructive)),
        None => {}
    }
}

/// Programs that do one thing: name, operation, severity, and the flags that make it destructive.
const SINGLE: &[(&str, &str, Severity, &str)] = &[
    ("dropdb", "drop", Destructive, ""),
    ("createdb", "create", Write, ""),
    ("dropuser", "drop", Destructive, ""),
    ("createuser", "grant", Write, ""),
    ("pg_dump", "dump", Read, ""),
    ("pg_dumpall", "dump", Read, ""),
    ("pg_basebackup", "dump", Read, ""),
    ("pg_isready", "show", Read, ""),
    ("pg_config", "show", Read, ""),
    ("pg_controldata", "show", Read, ""),
    ("pg_waldump", "show", Read, ""),
    ("pg_amcheck", "show", Read, ""),
    ("pg_checksums", "set_global", Write, ""),
    ("pg_verifybackup", "show", Read, ""),
    ("pg_receivewal", "dump", Read, "--drop-slot"),
    ("pg_lsclusters", "show", Read, ""),
    ("clusterdb", "vacuum", Write, ""),
    ("vacuumdb", "vacuum", Write, ""),
    ("reindexdb", "vacuum", Write, ""),
    ("pg_repack", "vacuum", Write, ""),
    ("initdb", "create", Write, ""),
    ("pg_createcluster", "create", Write, ""),
    ("pg_resetwal", "purge", Destructive, ""),
    ("pg_rewind", "restore", Destructive, ""),
    ("pg_upgrade", "alter", Destructive, ""),
    ("pg_upgradecluster", "alter", Destructive, ""),
    ("pg_archivecleanup", "purge", Destructive, ""),
    ("pg_dropcluster", "drop", Destructive, ""),
    ("pgbench", "update", Write, "-i --initialize"),
    ("mysqldump", "dump", Read, "--delete-master-logs --delete-source-logs"),
    ("mariadb-dump", "dump", Read, "--delete-master-logs --delete-source-logs"),
    ("mysqlpump", "dump", Read, ""),
    ("mysqlimport", "insert", Write, "-D --delete -r --replace"),
    ("mariadb-import", "insert", Write, "-D --delete -r --replace"),
    ("mysqlcheck", "vacuum", Write, ""),
    ("mariadb-check", "vacuum", Write, ""),
    ("mysqlshow", "show", Read, ""),
    ("mysqlbinlog", "show", Read, ""),
    ("mysqlslap", "insert", Write, "--no-drop --create"),
    ("mysql_secure_installation", "grant", Write, ""),
    ("mysql_install_db", "create", Write, ""),
    ("mysql_upgrade", "alter", Write, ""),
    ("sqldiff", "show", Read, ""),
    ("sqlite3_analyzer", "show", Read, ""),
    ("pgloader", "insert", Write, ""),
    ("xtrabackup", "dump", Read, "--copy-back --move-back --prepare"),
    ("mariabackup", "dump", Read, "--copy-back --move-back --prepare"),
    ("pt-kill", "terminate", Write, "--kill --kill-query"),
    ("pt-archiver", "delete", Destructive, ""),
    ("pt-online-schema-change", "alter", Read, "--execute"),
    ("gh-ost", "alter", Read, "--execute"),
];

fn single(argv: &Argv<'_>, operation: &'static str, severity: Severity, worse: &str, found: &mut Vec<Effect>) {
    const VALUED: &str = "-h --host -p? --port -U --username -u --user --maintenance-db -d --dbname --databases? -f --file -t --table -n --schema -F --format -j --jobs -D -E --encoding -T --tablespace -l --locale -O --owner -c --connection-limit --role -X -R -P -S --socket --defaults-file --defaults-extra-file --result-file --where -w";
    // These letters mean something else in MySQL's tools, where `-d` and `-D` are switches.
    const MYSQL_VALUED: &str = "-h --host -P --port -u --user -p? -S --socket --defaults-file --defaults-extra-file -r --result-file -w --where --ignore-table --default-character-set --protocol";
    let is_mysql = argv.program.starts_with("mysql") || argv.program.starts_with("maria");
    let line = Line::read(argv.words, if is_mysql { MYSQL_VALUED } else { VALUED });
    if line.asks_for_help() || line.says("--version -V") && line.operands.is_empty() {
        return;
    }
    // A schema without rows, onto standard output, is what `\\d` shows; a check of tables changes none.
    let shows = match argv.program {
        "pg_dump" | "pg_dumpall" => line.says("-s --schema-only") && !line.has("-f --file"),
        "mysqldump" | "mariadb-dump" => line.says("-d --no-data") && !line.has("-r --result-file -T --tab"),
        "mysqlcheck" | "mariadb-check" => {
            line.says("-c --check")
                && !line.has("-r --repair -o --optimize -a --analyze --auto-repair -g --check-upgrade")
        }
        _ => false,
    };
    if shows {
        found.push(effect("show", &line.target(0), Read));
        return;
    }
    let is_worse = !worse.is_empty() && line.has(worse);
    let by_flag = line.value("-d --dbname -t --table").unwrap_or_default();
    let target = if line.operands.is_empty() { by_flag.to_owned() } else { line.target(0) };
    found.push(effect(operation, &target, if is_worse { Destructive } else { severity }));
}

fn pg_restore(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-d --dbname -f --file -F --format -I --index -j --jobs -L --use-list -n --schema -N --exclude-schema -P --function -S --superuser -t --table -T --trigger --section --role -h --host -p --port -U --username --filter",
    );
    let target = line.value("-d --dbname").unwrap_or_default();
    let severity = match () {
        () if line.says("-l --list -V --version --help") => Read,
        // Without a database it prints the statements.
        () if target.is_empty() => Read,
        () if line.has("-c --clean") => Destructive,
        () => Write,
    };
    found.push(effect("restore", target, severity));
}

fn mysqladmin(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    const VERBS: &[(&str, &str, Severity)] = &[
        ("drop", "drop", Destructive),
        ("create", "create", Write),
        ("kill", "terminate", Destructive),
        ("shutdown", "shutdown", Destructive),
        ("password", "grant", Write),
        ("debug", "show", Read),
        ("old-password", "grant", Write),
    ];
    const READING: &str =
        "extended-status ping processlist status variables version proc ext var ver stat pro debug-info";
    const WRITING: &str = "flush-hosts flush-logs flush-privileges flush-status flush-tables flush-threads refresh reload start-slave stop-slave start-replica stop-replica flush-all-statistics flush-all-status flush-binary-log flush-ssl flush-user-resources flush-relay-log";
    let line = Line::read(argv.words, &MYSQL.valued.replace("-e --execute", "-i --sleep -c --count -w? -O"));
    let mut rest = line.operands.iter();
    // Several commands may follow each other.
    while let Some(verb) = rest.next() {
        let is_abbreviation = |name: &str| verb.len() >= 3 && name.starts_with(verb);
        if let Some((name, operation, severity)) =
            VERBS.iter().find(|(name, ..)| *name == *verb || is_abbreviation(name))
        {
            let takes_argument = !matches!(*name, "shutdown" | "debug");
            let target = if takes_argument { rest.next().copied().unwrap_or_default() } else { "" };
            // A password is no target to show.
            let target = if *operation == "grant" { "" } else { target };
            found.push(effect(operation, target, *severity));
        } else if listed(READING, verb) {
            found.push(effect("show", verb, Read));
        } else if listed(WRITING, verb) {
            found.push(effect("set_global", verb, Write));
        } else {
            found.push(effect("unknown", verb, Destructive));
        }
    }
}

/// Tasks that frameworks name alike: task, operation, severity.
const TASKS: &[(&str, &str, Severity)] = &[
    ("db:abort_if_pending_migrations", "show", Read),
    ("db:create", "create", Write),
    ("db:create:all", "create", Write),
    ("db:drop", "drop", Destructive),
    ("db:drop:_unsafe", "drop", Destructive),
    ("db:drop:all", "drop", Destructive),
    ("db:environment:set", "set", Write),
    ("db:fixtures:load", "delete_all", Destructive),
    ("db:forward", "migrate", Write),
    ("db:migrate", "migrate", Write),
    ("db:migrate:all", "migrate", Write),
    ("db:migrate:down", "rollback", Destructive),
    ("db:migrate:redo", "rollback", Destructive),
    ("db:migrate:reset", "drop", Destructive),
    ("db:migrate:schema:timestamps:add", "migrate", Write),
    ("db:migrate:status", "show", Read),
    ("db:migrate:undo", "rollback", Destructive),
    ("db:migrate:undo:all", "rollback", Destructive),
    ("db:migrate:up", "migrate", Write),
    ("db:monitor", "show", Read),
    ("db:prepare", "migrate", Write),
    ("db:purge", "drop", Destructive),
    ("db:purge:all", "drop", Destructive),
    ("db:reset", "drop", Destructive),
    ("db:reset:all", "drop", Destructive),
    ("db:rollback", "rollback", Destructive),
    ("db:schema:cache:clear", "set", Write),
    ("db:schema:cache:dump", "show", Read),
    ("db:schema:dump", "show", Read),
    ("db:schema:load", "drop", Destructive),
    ("db:seed", "insert", Write),
    ("db:seed:all", "insert", Write),
    ("db:seed:replant", "truncate", Destructive),
    ("db:seed:undo", "delete", Destructive),
    ("db:seed:undo:all", "delete", Destructive),
    ("db:setup", "drop", Destructive),
    ("db:show", "show", Read),
    ("db:structure:dump", "show", Read),
    ("db:structure:load", "drop", Destructive),
    ("db:table", "show", Read),
    ("db:test:load", "drop", Destructive),
    ("db:test:prepare", "drop", Destructive),
    ("db:truncate_all", "truncate", Destructive),
    ("db:version", "show", Read),
    ("db:wipe", "drop", Destructive),
    ("dbal:run-sql", "execute", Destructive),
    ("debug", "create", Write),
    ("doctrine:database:create", "create", Write),
    ("doctrine:database:drop", "drop", Destructive),
    ("doctrine:fixtures:load", "delete_all", Destructive),
    ("doctrine:migrations:current", "show", Read),
    ("doctrine:migrations:diff", "show", Read),
    ("doctrine:migrations:execute", "migrate", Destructive),
    ("doctrine:migrations:generate", "show", Read),
    ("doctrine:migrations:latest", "show", Read),
    ("doctrine:migrations:list", "show", Read),
    ("doctrine:migrations:migrate", "migrate", Write),
    ("doctrine:migrations:rollup", "rollback", Destructive),
    ("doctrine:migrations:status", "show", Read),
    ("doctrine:migrations:up-to-date", "show", Read),
    ("doctrine:query:sql", "execute", Destructive),
    ("doctrine:schema:create", "create", Write),
    ("doctrine:schema:drop", "drop", Destructive),
    ("doctrine:schema:update", "migrate", Destructive),
    ("doctrine:schema:validate", "show", Read),
    ("ecto.create", "create", Write),
    ("ecto.drop", "drop", Destructive),
    ("ecto.dump", "show", Read),
    ("ecto.gen.migration", "show", Read),
    ("ecto.load", "create", Write),
    ("ecto.migrate", "migrate", Write),
    ("ecto.migrations", "show", Read),
    ("ecto.reset", "drop", Destructive),
    ("ecto.rollback", "rollback", Destructive),
    ("ecto.setup", "migrate", Write),
    ("migrate", "migrate", Write),
    ("migrate:currentVersion", "show", Read),
    ("migrate:down", "rollback", Destructive),
    ("migrate:fresh", "drop", Destructive),
    ("migrate:install", "create", Write),
    ("migrate:latest", "migrate", Write),
    ("migrate:list", "show", Read),
    ("migrate:make", "show", Read),
    ("migrate:refresh", "drop", Destructive),
    ("migrate:reset", "drop", Destructive),
    ("migrate:rollback", "rollback", Destructive),
    ("migrate:status", "show", Read),
    ("migrate:unlock", "set", Write),
    ("migrate:up", "migrate", Write),
    ("migration:create", "show", Read),
    ("migration:down", "rollback", Destructive),
    ("migration:fresh", "drop", Destructive),
    ("migration:generate", "show", Read),
    ("migration:list", "show", Read),
    ("migration:pending", "show", Read),
    ("migration:revert", "rollback", Destructive),
    ("migration:run", "migrate", Write),
    ("migration:show", "show", Read),
    ("migration:up", "migrate", Write),
    ("model:prune", "delete", Destructive),
    ("query", "execute", Destructive),
    ("queue:clear", "purge", Destructive),
    ("queue:flush", "purge", Destructive),
    ("rollback", "rollback", Destructive),
    ("schema:create", "create", Write),
    ("schema:drop", "drop", Destructive),
    ("schema:dump", "show", Read),
    ("schema:fresh", "drop", Destructive),
    ("schema:log", "show", Read),
    ("schema:sync", "migrate", Destructive),
    ("schema:update", "migrate", Destructive),
    ("seed:run", "insert", Write),
    ("status", "show", Read),
];

/// Tasks of these families are about the database, whether they are listed or not.
const TASK_FAMILIES: &[&str] = &["db:", "doctrine:", "ecto.", "migrate:", "migration:", "schema:"];

fn tasks(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-e --environment --env -f --rakefile -C --connection --database --path --url --config --knexfile -d --dataSource --options-path --migrations-path --seed --class --step -c --configuration -t --target",
    );
    if line.asks_for_help() || line.says("--dry-run -n --pretend --dump-sql") {
        return;
    }
    if matches!(line.operand(0), Some("runner" | "tinker" | "eval" | "run")) && argv.program != "knex" {
        found.push(Effect::new(Kind::Code, "run", line.target(1), Destructive));
        return;
    }
    for task in &line.operands {
        // `db:drop[x]` and `db:drop,` of other task runners.
        let name = task.split('[').next().unwrap_or(task);
        let name = if argv.program == "mix" { name } else { name.trim_start_matches("app:") };
        let entry =
            TASKS.iter().find(|(own, ..)| *own == name && (own.contains([':', '.']) || takes_bare(argv.program)));
        match entry {
            Some((_, operation, severity)) => found.push(effect(operation, &line.target(0), *severity)),
            // Multiple databases: `db:drop:primary` is `db:drop` for one of them.
            None => match longest_task(name) {
                Some((operation, severity)) => found.push(effect(operation, &line.target(0), severity)),
                None if is_unknown(name) || TASK_FAMILIES.iter().any(|family| name.starts_with(family)) => {
                    found.push(effect("unknown", task, Destructive));
                }
                None => {}
            },
        }
    }
}

fn takes_bare(program: &str) -> bool {
    matches!(program, "artisan" | "phinx" | "typeorm" | "mikro-orm")
}

fn longest_task(name: &str) -> Option<(&'static str, Severity)> {
    let of_family = TASKS
        .iter()
        .filter(|(own, ..)| own.contains(':') && name.strip_prefix(own).is_some_and(|rest| rest.starts_with(':')));
    of_family.max_by_key(|(own, ..)| own.len()).map(|(_, operation, severity)| (*operation, *severity))
}

const fn tool(valued: &'static str, read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::Database, valued, read, write, destructive, dry: "--dry-run" }
}

/// The verbs of alembic and of what wraps it.
const ALEMBIC: Tool = tool(
    "-c --config -n --name -x -r --rev-range -m --message --rev-id --tag -d --directory --depends-on --branch-label --head --splice --version-path",
    "current=show history=show heads=show show branches=show check=show list_templates=show revision=show merge=show",
    "upgrade=migrate stamp=set ensure_version=create edit=alter init=create",
    "downgrade=rollback",
);

const DOTNET: Tool = tool(
    "-p --project -s --startup-project -c --context --configuration --framework --runtime --connection -o --output",
    "migrations:list=show migrations:script=show dbcontext=show migrations:has-pending-model-changes=show migrations:add=show migrations:bundle=show",
    "database:update=migrate dbcontext:scaffold=show",
    "database:drop=drop migrations:remove=rollback",
);

const TOOLS: &[(&str, Tool)] = &[
    ("alembic", ALEMBIC),
    ("dotnet-ef", DOTNET),
    (
        "flyway",
        tool(
            "",
            "info=show validate=show check=show snapshot=show",
            "migrate baseline=set repair=set",
            "clean=drop undo=rollback",
        ),
    ),
    (
        "dbmate",
        tool(
            "-u --url -e --env -d --migrations-dir -s --schema-file --migrations-table --env-file --wait-timeout",
            "status=show dump=show wait=show new=show n=show",
            "up=migrate create migrate",
            "drop down=rollback rollback load=drop",
        ),
    ),
    (
        "liquibase",
        tool(
            "--changelog-file --changeLogFile --url --username --password --defaults-file --defaultsFile --contexts --labels --driver --classpath --log-level --count --tag --date --reference-url --output-file --schemas",
            "status=show history=show diff=show validate=show snapshot=show list-locks=show listLocks=show update-sql=show updateSQL=show rollback-sql=show rollbackSQL=show diff-changelog=show diffChangeLog=show generate-changelog=show generateChangeLog=show db-doc=show checks=show tag-exists=show unexpected-change-sets=show future-rollback-sql=show snapshot-reference=show",
            "update=migrate update-count=migrate updateCount=migrate update-to-tag=migrate updateToTag=migrate tag=set changelog-sync=set changelogSync=set clear-checksums=set clearCheckSums=set mark-next-changeset-ran=set markNextChangeSetRan=set calculate-checksum=set release-locks=lock releaseLocks=lock changelog-sync-to-tag=set connect init=create",
            "drop-all=drop dropAll=drop rollback rollback-count=rollback rollbackCount=rollback rollback-to-date=rollback rollbackToDate=rollback rollback-one-changeset=rollback rollback-one-update=rollback execute-sql=execute executeSql=execute update-testing-rollback=rollback updateTestingRollback=rollback",
        ),
    ),
    (
        "atlas",
        tool(
            "-u --url --to --dev-url -c --config --env --dir --var --format --from --schema -s --baseline --amount",
            "schema:inspect=show schema:diff=show schema:plan=show migrate:diff=show migrate:lint=show migrate:status=show migrate:validate=show migrate:hash=show migrate:new=show migrate:ls=show license=show whoami=show completion=show",
            "schema:apply=migrate migrate:apply=migrate migrate:set=set migrate:push=set schema:push=set migrate:import=set migrate:rebase=set migrate:edit=set schema:fmt=alter schema:test=execute migrate:test=execute login=set logout=set",
            "schema:clean=drop migrate:down=rollback migrate:rm=rollback",
        ),
    ),
    (
        "diesel",
        tool(
            "--database-url --config-file --migration-dir --schema-key -n --number --version --error-mode",
            "migration:list=show migration:pending=show print-schema=show migration:generate=show completions=show bash-completion=show",
            "setup=create database:setup=create migration:run=migrate",
            "database:drop=drop database:reset=drop migration:revert=rollback migration:redo=rollback",
        ),
    ),
    (
        "sqlx",
        tool(
            "-D --database-url --source --target-version --connect-timeout",
            "migrate:info=show prepare=show migrate:add=show migrate:build-script=show completions=show",
            "database:create=create database:setup=create db:create=create db:setup=create migrate:run=migrate mig:run=migrate",
            "database:drop=drop database:reset=drop db:drop=drop db:reset=drop migrate:revert=rollback mig:revert=rollback",
        ),
    ),
    (
        "sea-orm-cli",
        tool(
            "-d --migration-dir -u --database-url -s --database-schema -n --num -o --output-dir -t --tables",
            "migrate:status=show migrate:generate=show generate=show",
            "migrate:up=migrate migrate=migrate migrate:init=create",
            "migrate:fresh=drop migrate:reset=drop migrate:refresh=drop migrate:down=rollback",
        ),
    ),
    (
        "drizzle-kit",
        tool(
            "--config --dialect --schema --out --url --name",
            "generate=show check=show introspect=show up=show",
            "migrate studio=update pull=copy export=copy",
            "push=migrate drop=rollback",
        ),
    ),
    (
        "supabase",
        tool(
            "--db-url -p --password --project-ref --workdir --profile -f --file -s --schema -x --exclude --version --experimental?",
            "status=show *:list=show db:diff=show db:dump=dump db:lint=show inspect=show migration:list=show gen=show migration:new=show *:get=show logs=show",
            "start stop init=set link=set unlink=set login=set logout=set db:push=migrate db:start=start migration:up=migrate migration:repair=set migration:fetch=set functions:deploy=create functions:serve=start functions:new=set functions:download=set secrets:set=set *:create=create seed=insert services=show *:update=alter config:push=set db:pull=copy",
            "db:reset=drop migration:down=rollback migration:squash=rollback *:delete=drop secrets:unset=delete projects:delete=drop",
        ),
    ),
    (
        "hasura",
        tool(
            "--endpoint --admin-secret --database-name --envfile --project --version --up --down --goto --skip-update-check? --log-level",
            "migrate:status=show metadata:diff=show metadata:inconsistency:list=show metadata:ic:list=show version=show",
            "migrate:apply=migrate metadata:apply=set metadata:reload=set console=update seed=insert deploy=migrate migrate:squash=set actions=set scripts=set plugins=set metadata:export=copy migrate:create=create init=create",
            "migrate:delete=rollback metadata:clear=drop metadata:inconsistency:drop=drop metadata:ic:drop=drop",
        ),
    ),
    (
        "skeema",
        tool(
            "-p? -h --host -P --port -u --user -d --dir --schema --connect-options --temp-schema --alter-wrapper",
            "diff=show lint=show",
            "push=migrate add-environment=set format=alter pull=copy init=create",
            "",
        ),
    ),
    (
        "db-migrate",
        tool(
            "-e --env -m --migrations-dir --config -c --count --sql-file",
            "check=show",
            "up=migrate db:create=create seed=insert create",
            "down=rollback reset=rollback db:drop=drop",
        ),
    ),
    (
        "node-pg-migrate",
        tool(
            "-d --database-url-var -m --migrations-dir -t --migrations-table -s --schema -f --config-file",
            "",
            "up=migrate create",
            "down=rollback redo=rollback",
        ),
    ),
    (
        "sqitch",
        tool(
            "-t --target -h --db-host -p --db-port -u --db-user -d --db-name --engine --registry -C --chdir -f --plan-file --to --change -n --note",
            "status=show log=show plan=show verify=show show add=show config=show engine=show target=show check=show tag=show bundle=show rework=show",
            "deploy=migrate upgrade=migrate checkout=migrate init=create",
            "revert=rollback rebase=rollback",
        ),
    ),
    (
        "yoyo",
        tool(
            "-d --database -c --config -m --match -r --revision",
            "list=show new=show showmigrations=show develop=show",
            "apply=migrate mark=set unmark=set break-lock=lock init=create",
            "rollback reapply=rollback",
        ),
    ),
    (
        "pg_ctl pg_ctlcluster",
        tool(
            "-D --pgdata -l --log -m --mode -o -p -t --timeout -U -P -N -s",
            "status=show *:*:status=show",
            "start restart reload initdb=create init=create logrotate=set *:*:start=start *:*:restart=restart *:*:reload=reload promote=replication *:*:promote=replication",
            "stop=shutdown kill=terminate *:*:stop=shutdown",
        ),
    ),
    (
        "wal-g",
        tool(
            "--config",
            "backup-list=show wal-show=show st=show backup-show=show wal-verify=show",
            "backup-push=dump wal-push=dump backup-mark=set copy=dump",
            "delete=purge backup-fetch=restore wal-fetch=restore binlog-replay=restore",
        ),
    ),
    (
        "pgbackrest",
        tool(
            "--stanza --config --repo --type --set --target --log-level-console --pg1-path --db-include",
            "info=show check=show verify=show version=show repo-ls=show repo-get=show",
            "backup=dump stanza-create=create stanza-upgrade=alter archive-push=dump start stop server=start annotate=set",
            "restore stanza-delete=drop expire=purge archive-get=restore",
        ),
    ),
    (
        "barman",
        tool(
            "-c --config",
            "list-backup=show list-backups=show list-server=show list-servers=show check=show status=show show-backup=show show-server=show diagnose=show list-files=show check-backup=show verify-backup=show replication-status=show show-servers=show",
            "backup=dump cron=dump receive-wal=dump switch-wal=checkpoint switch-xlog=checkpoint keep=set sync-backup=dump lock-directory-cleanup=lock generate-manifest=set",
            "recover=restore restore delete=purge archive-wal=dump",
        ),
    ),
    (
        "litestream",
        tool(
            "! -config -replica -o -timestamp -parallelism",
            "databases=show generations=show snapshots=show wal=show ltx=show status=show",
            "replicate=dump",
            "restore reset=purge",
        ),
    ),
];

fn migration(tool: &Tool, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, tool.valued);
    // In its offline mode alembic prints the statements.
    if argv.program == "alembic" && line.says("--sql") {
        found.push(effect("show", &line.target(0), Read));
        return;
    }
    // Flyway takes its options and its verbs in any order, several of each.
    if argv.program == "flyway" {
        for operand in &line.operands {
            push_verb(tool, &[operand], found);
        }
        return;
    }
    if let Some(mut verb) = tool.verb(&line) {
        let worse = match argv.program {
            "skeema" => line.has("--allow-unsafe"),
            "supabase" => line.has("--include-all"),
            "atlas" => line.has("--auto-approve") && verb.operation == "migrate" && line.operand(0) == Some("schema"),
            _ => false,
        };
        if worse {
            verb.severity = Destructive;
        }
        found.push(Effect::new(Kind::Database, verb.operation, line.target(verb.length), verb.severity));
    }
}

fn push_verb(tool: &Tool, operands: &[&str], found: &mut Vec<Effect>) {
    if let Some(Verb { operation, severity, length }) = tool.verb(&Line::of(operands.to_vec())) {
        let target = operands.get(length..).unwrap_or_default().join(" ");
        found.push(Effect::new(Kind::Database, operation, shown(&target), severity));
    }
}

/// `flask db downgrade`, `dotnet ef database drop`: the tool's verbs stand within another's.
fn within(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let (word, tool) = if argv.program == "flask" { ("db", &ALEMBIC) } else { ("ef", &DOTNET) };
    let line = Line::read(argv.words, &format!("-A --app -e --env-file {}", tool.valued));
    if line.operand(0) == Some(word) && !line.asks_for_help() {
        push_verb(tool, line.rest(1), found);
    } else if argv.program == "flask" && matches!(line.operand(0), Some("shell")) {
        found.push(Effect::new(Kind::Code, "run", "flask shell", Destructive));
    }
}

const PRISMA: Tool = tool(
    "--schema --config --name -n --from-url --to-url --file --url --stdin? --applied --rolled-back",
    "migrate:status=show migrate:diff=show validate=show generate=show version=show debug=show",
    "migrate:deploy=migrate migrate:dev=migrate migrate:resolve=set db:push=migrate db:seed=insert studio=update db:pull=copy format=alter init=create",
    "migrate:reset=drop db:execute=execute",
);

fn prisma(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, PRISMA.valued);
    if let Some(mut verb) = PRISMA.verb(&line) {
        if line.has("--force-reset --accept-data-loss") {
            verb.severity = Destructive;
        }
        found.push(Effect::new(Kind::Database, verb.operation, line.target(verb.length), verb.severity));
    }
}

const DJANGO: Tool = tool(
    "--settings --pythonpath --database -v --verbosity --app --format --indent -o --output -e --exclude",
    "showmigrations=show sqlmigrate=show sqlflush=show sqlsequencereset=show inspectdb=show dumpdata=dump check=show diffsettings=show makemigrations=show makemessages=show compilemessages=show startapp=show startproject=show findstatic=show runserver=show testserver=show squashmigrations=show optimizemigration=show sendtestemail=show show_urls=show",
    "migrate loaddata=insert createcachetable=create createsuperuser=grant changepassword=grant collectstatic=copy test=execute",
    "flush=delete_all reset_db=drop clearsessions=delete remove_stale_contenttypes=delete",
);

fn django(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, DJANGO.valued);
    match line.operand(0) {
        Some("shell" | "shell_plus" | "dbshell" | "runscript") => {
            found.push(Effect::new(Kind::Code, "run", line.target(0), Destructive));
        }
        Some("migrate") if line.says("--plan --check") => found.push(effect("show", &line.target(1), Read)),
        Some("migrate") if line.operands.contains(&"zero") => {
            found.push(effect("rollback", &line.target(1), Destructive));
        }
        _ => DJANGO.look(&line, found),
    }
}

/// The verb stands behind a driver and an address, or in front.
fn anywhere(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    const VERBS: &[(&str, &str, Severity)] = &[
        ("create", "show", Read),
        ("down", "rollback", Destructive),
        ("down-to", "rollback", Destructive),
        ("drop", "drop", Destructive),
        ("env", "show", Read),
        ("fix", "show", Read),
        ("force", "set", Write),
        ("goto", "migrate", Write),
        ("redo", "rollback", Destructive),
        ("reset", "rollback", Destructive),
        ("status", "show", Read),
        ("up", "migrate", Write),
        ("up-by-one", "migrate", Write),
        ("up-to", "migrate", Write),
        ("validate", "show", Read),
        ("version", "show", Read),
    ];
    let line = Line::read(
        argv.words,
        "! -dir --dir -path --path -database --database -source --source -table --table -prefetch -lock-timeout -ext -digits -timeout -certfile -env",
    );
    if line.operands.is_empty() || line.asks_for_help() {
        return;
    }
    let verb = line.operands.iter().find_map(|word| VERBS.iter().find(|(name, ..)| name == word));
    match verb {
        Some((_, operation, severity)) => found.push(effect(operation, "", *severity)),
        None => found.push(effect("unknown", &line.target(0), Destructive)),
    }
}
