//! Stores that speak no SQL: document and key-value databases, and their own tools.
//!
//! The shells of MongoDB take JavaScript. It is read by the names of the methods it calls: what
//! calls nothing but known reading methods reads; a method or a construct that is not known makes
//! the whole `unknown`.

use super::super::argv::Argv;
use super::line::{Line, is_unknown, listed, shown};
use super::verb::Tool;
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "mongosh mongo mongodump mongorestore mongoexport mongoimport mongofiles mongostat mongotop bsondump redis-cli valkey-cli keydb-cli redis-benchmark cqlsh nodetool etcdctl etcdutl memcdump memccat memcstat memcping memcflush memcrm memccp memcset memcached-tool influx influxd arangosh cypher-shell couchbase-cli cbq";

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    match argv.program {
        "mongosh" | "mongo" => mongo(argv, input, found),
        "redis-cli" | "valkey-cli" | "keydb-cli" => redis(argv, input, found),
        "cqlsh" => cql(argv, input, found),
        "etcdctl" | "etcdutl" => etcd(argv, input, found),
        "memcdump" | "memccat" | "memcstat" | "memcping" => found.push(effect("get", "", Read)),
        "memcflush" => found.push(effect("flush", &servers(argv), Destructive)),
        "memcrm" => found.push(effect("delete", &servers(argv), Destructive)),
        "memccp" | "memcset" => found.push(effect("update", &servers(argv), Write)),
        "memcached-tool" => memcached(argv, found),
        "cypher-shell" => cypher(argv, input, found),
        "arangosh" | "cbq" => found.push(effect("unknown", argv.line(), Destructive)),
        "redis-benchmark" => found.push(effect("update", "", Write)),
        "mongorestore" | "mongoimport" => {
            let line = Line::read(argv.words, MONGO_VALUED);
            let target = line.value("-d --db --uri --nsInclude").unwrap_or_default();
            match () {
                () if line.asks_for_help() => {}
                () if line.says("--dryRun") => found.push(effect("restore", target, Read)),
                () if line.has("--drop") || line.value("--mode") == Some("delete") => {
                    found.push(effect("drop", target, Destructive));
                }
                () => found.push(effect("restore", target, Write)),
            }
        }
        "mongofiles" => table(&MONGOFILES, argv, found),
        "mongodump" | "mongoexport" => found.push(effect("dump", &servers(argv), Read)),
        "mongostat" | "mongotop" | "bsondump" => found.push(effect("show", "", Read)),
        "nodetool" => table(&NODETOOL, argv, found),
        "influx" | "influxd" => table(&INFLUX, argv, found),
        "couchbase-cli" => table(&COUCHBASE, argv, found),
        _ => {}
    }
}

fn effect(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::Database, operation, shown(target), severity)
}

fn servers(argv: &Argv<'_>) -> String {
    let line = Line::read(argv.words, MONGO_VALUED);
    line.value("--servers -d --db").map_or_else(|| line.target(0), str::to_owned)
}

fn table(tool: &Tool, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    tool.look(&Line::read(argv.words, tool.valued), found);
}

const MONGO_VALUED: &str = "--eval -f --file --host -h --port --uri -u --username -p? --password --authenticationDatabase --authenticationMechanism -d --db -c --collection --out -o --archive? --tls? --tlsCertificateKeyFile --tlsCAFile --tlsCertificateKeyFilePassword --sslPEMKeyFile --sslCAFile --apiVersion --nsInclude --nsExclude --nsFrom --nsTo --mode --type --query -q --fields --columnsHaveTypes? --retryWrites? --json? -j --servers --numInsertionWorkersPerCollection --readPreference --gssapiServiceName --awsIamSessionToken";

/// Methods that only look.
const MONGO_READING: &str = "find findOne count countDocuments estimatedDocumentCount distinct aggregate getIndexes getIndices stats storageSize totalSize totalIndexSize dataSize latencyStats isCapped getCollection getCollectionNames getCollectionInfos getSiblingDB getMongo getName getDB adminReading hello isMaster version serverStatus serverBuildInfo hostInfo currentOp getProfilingStatus getProfilingLevel getUser getUsers getRole getRoles getReplicationInfo printReplicationInfo printSecondaryReplicationInfo printSlaveReplicationInfo printShardingStatus status conf config listDatabases getDBNames getDatabaseNames listCommands serverCmdLineOpts connectionStatus getLogComponents getLastError help pretty limit skip sort project toArray forEach map filter hint batchSize maxTimeMS explain itcount size hasNext next projection readPref collation comment allowDiskUse match group unwind lookup print printjson JSON stringify parse ObjectId ObjectID ISODate Date NumberLong NumberInt NumberDecimal UUID BinData Timestamp tojson EJSON Object keys values entries join push slice concat toString length includes startsWith endsWith indexOf reduce some every Math floor round max min Number String Array parseInt parseFloat isNaN RegExp test exec replace split trim getTime now toISOString log console getShardDistribution getShardVersion getPlanCache list validate ping use show executionStats db rs sh if for while function return const let var Intl typeof in of catch";

/// Methods that change documents or settings, and what they do.
const MONGO_METHODS: &[(&str, &str, Severity)] = &[
    ("addShard", "set_global", Write),
    ("addShardToZone", "set_global", Write),
    ("addUser", "grant", Write),
    ("bulkWrite", "update", Write),
    ("changeUserPassword", "grant", Write),
    ("clearJumboFlag", "set_global", Write),
    ("cloneDatabase", "copy", Write),
    ("convertToCapped", "alter", Destructive),
    ("copyDatabase", "copy", Write),
    ("createCollection", "create", Write),
    ("createIndex", "create", Write),
    ("createIndexes", "create", Write),
    ("createRole", "grant", Write),
    ("createUser", "grant", Write),
    ("createView", "create", Write),
    ("deleteMany", "delete", Destructive),
    ("deleteOne", "delete", Destructive),
    ("disableAutoSplit", "set_global", Write),
    ("disableBalancing", "set_global", Write),
    ("drop", "drop", Destructive),
    ("dropAllRoles", "revoke", Destructive),
    ("dropAllUsers", "revoke", Destructive),
    ("dropDatabase", "drop", Destructive),
    ("dropIndex", "drop", Destructive),
    ("dropIndexes", "drop", Destructive),
    ("dropRole", "revoke", Destructive),
    ("dropSearchIndex", "drop", Destructive),
    ("dropUser", "revoke", Destructive),
    ("enableBalancing", "set_global", Write),
    ("enableSharding", "set_global", Write),
    ("ensureIndex", "create", Write),
    ("findAndModify", "update", Write),
    ("findOneAndDelete", "delete", Destructive),
    ("findOneAndReplace", "update", Write),
    ("findOneAndUpdate", "update", Write),
    ("freeze", "replication", Write),
    ("fsyncLock", "lock", Write),
    ("fsyncUnlock", "lock", Write),
    ("grantPrivilegesToRole", "grant", Write),
    ("grantRolesToRole", "grant", Write),
    ("grantRolesToUser", "grant", Write),
    ("hideIndex", "alter", Write),
    ("initiate", "replication", Write),
    ("insert", "insert", Write),
    ("insertMany", "insert", Write),
    ("insertOne", "insert", Write),
    ("killOp", "terminate", Destructive),
    ("mapReduce", "execute", Destructive),
    ("moveChunk", "set_global", Write),
    ("movePrimary", "set_global", Write),
    ("reIndex", "vacuum", Write),
    ("reconfig", "replication", Destructive),
    ("remove", "delete", Destructive),
    ("removeShard", "drop", Destructive),
    ("removeUser", "revoke", Destructive),
    ("renameCollection", "alter", Write),
    ("replaceOne", "update", Write),
    ("revokePrivilegesFromRole", "revoke", Write),
    ("revokeRolesFromUser", "revoke", Write),
    ("save", "update", Write),
    ("setLogLevel", "set_global", Write),
    ("setProfilingLevel", "set_global", Write),
    ("shardCollection", "alter", Write),
    ("shutdownServer", "shutdown", Destructive),
    ("startBalancer", "set_global", Write),
    ("stepDown", "replication", Write),
    ("stopBalancer", "set_global", Write),
    ("unhideIndex", "alter", Write),
    ("update", "update", Write),
    ("updateMany", "update", Write),
    ("updateOne", "update", Write),
    ("updateRole", "grant", Write),
    ("updateUser", "grant", Write),
];

/// Commands of `runCommand` and `adminCommand` that only look.
const MONGO_COMMANDS: &str = "ping hello isMaster ismaster buildInfo buildinfo serverStatus dbStats dbstats collStats collstats listCollections listIndexes listDatabases count distinct find aggregate explain getParameter getLog hostInfo currentOp replSetGetStatus replSetGetConfig connPoolStats top usersInfo rolesInfo connectionStatus getCmdLineOpts validate whatsmyuri listCommands features dataSize getShardMap shardingState balancerStatus listShards lockInfo getDefaultRWConcern";

fn mongo(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, MONGO_VALUED);
    let mut has_code = false;
    for code in line.values("--eval") {
        has_code = true;
        javascript(code, found);
    }
    for file in line.values("-f --file").chain(line.operands.iter().copied().filter(|operand| is_script(operand))) {
        has_code = true;
        found.push(effect("run_file", file, Destructive));
    }
    if has_code {
        return;
    }
    match input {
        Some(code) => javascript(code, found),
        None if line.says("--version --help --build-info") => {}
        None => found.push(effect("unknown", "standard input", Destructive)),
    }
}

fn is_script(operand: &str) -> bool {
    operand.ends_with(".js") || operand.ends_with(".mongodb")
}

/// What JavaScript for MongoDB's shell would do.
fn javascript(code: &str, found: &mut Vec<Effect>) {
    let before = found.len();
    if is_unknown(&outside_quotes(code)) {
        found.push(effect("unknown", code, Destructive));
    }
    let bare = outside_quotes(code);
    let mut is_unclear = false;
    for (name, at) in called(&bare) {
        // Quotes are blanked, byte for byte, so that both texts have the same places.
        let arguments = code.get(at..).unwrap_or_default();
        if matches!(name, "runCommand" | "adminCommand") {
            command(arguments, found);
        } else if let Some((_, operation, severity)) = MONGO_METHODS.iter().find(|(own, ..)| *own == name) {
            let is_all = matches!(name, "deleteMany" | "remove" | "updateMany")
                && (is_empty_filter(arguments)
                    || (name == "remove" && arguments.trim_start_matches(['(', ' ']).starts_with(')')));
            let target = subject(&bare, at, name);
            found.push(match (is_all, *operation) {
                (true, "delete") => effect("delete_all", &target, Destructive),
                (true, _) => effect("update_all", &target, Destructive),
                (false, operation) => effect(operation, &target, *severity),
            });
        } else if matches!(name, "aggregate") && (code.contains("$out") || code.contains("$merge")) {
            found.push(effect("update", &subject(&bare, at, name), Write));
        } else if !listed(MONGO_READING, name) {
            is_unclear = true;
        }
    }
    // `db["x"]["drop"]()`: what is called is computed, or behind a quote.
    if is_unclear
        || bare.contains("](")
        || bare.contains("?.")
        || bare.contains("`")
        || bare.contains("=>") && found.len() > before
    {
        found.push(effect("unknown", code, Destructive));
    }
    if found.len() == before {
        found.push(effect("find", code.trim(), Read));
    }
}

/// `code` with the inside of quotes blanked, byte for byte.
fn outside_quotes(code: &str) -> String {
    let mut text = String::with_capacity(code.len());
    let mut quote = None;
    let mut is_escaped = false;
    for c in code.chars() {
        match quote {
            Some(_) if is_escaped => {
                is_escaped = false;
                text.extend(std::iter::repeat_n(' ', c.len_utf8()));
            }
            Some(open) if c == open => {
                quote = None;
                text.push(c);
            }
            Some(_) => {
                is_escaped = c == '\\';
                text.extend(std::iter::repeat_n(' ', c.len_utf8()));
            }
            None => {
                if matches!(c, '\'' | '"') {
                    quote = Some(c);
                }
                text.push(c);
            }
        }
    }
    text
}

/// The names in front of each `(`, and where their arguments begin.
fn called(code: &str) -> Vec<(&str, usize)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    code.match_indices('(')
        .filter_map(|(at, _)| {
            let before = code.get(..at)?.trim_end();
            let start = before.rfind(|c| !is_part(c)).map_or(0, |found| {
                found + before.get(found..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
            });
            let name = before.get(start..)?;
            (!name.is_empty()).then_some((name, at))
        })
        .collect()
}

/// `db.users` of `db.users.drop()`.
fn subject(code: &str, at: usize, name: &str) -> String {
    let before = code.get(..at).unwrap_or_default().trim_end();
    let before = before.strip_suffix(name).unwrap_or(before).trim_end_matches(['.', ' ']);
    let start = before.rfind(|c: char| c.is_whitespace() || matches!(c, ';' | '{' | '=' | '(')).map_or(0, |at| at + 1);
    before.get(start..).unwrap_or_default().trim_start_matches("db.").to_owned()
}

fn is_empty_filter(arguments: &str) -> bool {
    let inside: String = arguments.trim_start_matches('(').chars().filter(|c| !c.is_whitespace()).take(3).collect();
    inside.starts_with("{}")
}

fn command(arguments: &str, found: &mut Vec<Effect>) {
    let name = arguments
        .trim_start_matches(|c: char| matches!(c, '(' | '{' | '"' | '\'') || c.is_whitespace())
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    if listed(MONGO_COMMANDS, name) {
        found.push(effect("show", name, Read));
        return;
    }
    found.push(match name {
        "drop" | "dropDatabase" | "dropIndexes" | "dropAllUsersFromDatabase" | "dropUser" => {
            effect("drop", name, Destructive)
        }
        "insert" => effect("insert", name, Write),
        "update" | "findAndModify" => effect("update", name, Write),
        "delete" => effect("delete", name, Destructive),
        "shutdown" => effect("shutdown", name, Destructive),
        "create" | "createIndexes" => effect("create", name, Write),
        "setParameter" | "profile" | "setFeatureCompatibilityVersion" | "fsync" | "compact" | "logRotate" => {
            effect("set_global", name, Write)
        }
        "createUser" | "updateUser" | "grantRolesToUser" | "createRole" => effect("grant", name, Write),
        "replSetStepDown" | "replSetInitiate" | "replSetFreeze" => effect("replication", name, Write),
        "killOp" | "killSessions" => effect("terminate", name, Destructive),
        _ => effect("unknown", name, Destructive),
    });
}

const REDIS_READING: &str = "get mget strlen getrange substr exists type ttl pttl expiretime pexpiretime keys scan dbsize info ping echo time lastsave hget hgetall hkeys hvals hlen hmget hexists hstrlen hscan hrandfield httl hpttl hexpiretime hpexpiretime lrange llen lindex lpos lcs smembers sismember smismember scard sscan srandmember sinter sinterlimit sintercard sunion sdiff zrange zrangebyscore zrangebylex zrevrange zrevrangebyscore zrevrangebylex zcard zcount zlexcount zscore zmscore zrank zrevrank zscan zrandmember zinter zintercard zunion zdiff getbit bitcount bitpos bitfield_ro geopos geodist geohash georadius_ro georadiusbymember_ro geosearch xlen xrange xrevrange xread xinfo xpending pfcount memory:usage memory:stats memory:doctor memory:help object client:list client:info client:getname client:id client:trackinginfo client:help config:get config:help command latency:latest latency:history latency:doctor latency:graph latency:histogram slowlog:get slowlog:len slowlog:help cluster:info cluster:nodes cluster:slots cluster:shards cluster:keyslot cluster:countkeysinslot cluster:getkeysinslot cluster:links cluster:myid cluster:replicas acl:list acl:users acl:whoami acl:cat acl:getuser acl:log acl:dryrun role randomkey dump touch hello auth select quit reset subscribe psubscribe ssubscribe unsubscribe punsubscribe monitor pubsub module:list function:list function:stats function:dump script:exists sort_ro debug:object lolwut readonly readwrite asking wait waitaof multi exec discard watch unwatch json.get json.mget json.type json.strlen json.objkeys json.arrlen ft.search ft.info ft.aggregate ft._list ts.get ts.range ts.info bf.exists bf.info eval_ro evalsha_ro fcall_ro";
const REDIS_WRITING: &str = "set setex setnx psetex mset msetnx getset getex append incr incrby incrbyfloat decr decrby setrange setbit bitop bitfield expire pexpire expireat pexpireat persist rename renamenx move copy hset hmset hsetnx hincrby hincrbyfloat hexpire hpexpire hexpireat hpexpireat hpersist hsetex hgetex lpush rpush lpushx rpushx linsert lset lmove blmove rpoplpush brpoplpush sadd smove sinterstore sunionstore sdiffstore zadd zincrby zinterstore zunionstore zdiffstore zrangestore geoadd georadius georadiusbymember geosearchstore xadd xgroup:create xgroup:createconsumer xgroup:setid xack xclaim xautoclaim xsetid xreadgroup pfadd pfmerge publish spublish sort restore bgsave save bgrewriteaof config:set=set_global config:rewrite=set_global config:resetstat=set_global client:setname client:setinfo client:reply client:tracking client:caching client:no-evict client:no-touch client:pause client:unpause client:unblock slowlog:reset latency:reset acl:setuser=grant acl:save=grant acl:load=grant acl:genpass cluster:meet=replication cluster:addslots=replication cluster:addslotsrange=replication cluster:replicate=replication cluster:setslot=replication cluster:bumpepoch=replication cluster:saveconfig=replication cluster:failover=replication cluster:set-config-epoch=replication memory:purge script:flush script:load script:kill function:load function:restore function:kill migrate swapdb failover=replication json.set json.numincrby json.arrappend json.strappend json.merge ts.add ts.create bf.add bf.reserve ft.create ft.alter ft.aliasadd";
const REDIS_DESTRUCTIVE: &str = "flushall=flush flushdb=flush del=delete unlink=delete getdel=delete hdel=delete hgetdel=delete lpop=delete rpop=delete lmpop=delete blpop=delete brpop=delete blmpop=delete lrem=delete ltrim=delete spop=delete srem=delete zrem=delete zremrangebyscore=delete zremrangebyrank=delete zremrangebylex=delete zpopmin=delete zpopmax=delete zmpop=delete bzpopmin=delete bzpopmax=delete bzmpop=delete xdel=delete xtrim=delete xgroup:destroy=delete xgroup:delconsumer=delete shutdown replicaof=replication slaveof=replication debug=execute eval=execute evalsha=execute fcall=execute module:load=execute module:loadex=execute module:unload=execute function:flush=delete function:delete=delete client:kill=terminate cluster:reset=flush cluster:forget=delete cluster:flushslots=delete cluster:delslots=delete cluster:delslotsrange=delete acl:deluser=revoke json.del=delete json.forget=delete json.clear=delete ft.dropindex=drop ft.drop=drop ft.aliasdel=delete ts.del=delete psync sync";

const REDIS: Tool = Tool {
    kind: Kind::Database,
    valued: "-h -p -s -a -u -n -r -i -d -D -t -e? -X --user --pass --cacert --cacertdir --cert --key --sni --tls-ciphers --tls-ciphersuites --pattern --quoted-pattern --cursor --rdb --functions-rdb --eval --intrinsic-latency --lru-test --memkeys-samples --show-pushes --cluster-yes? --count --top",
    read: REDIS_READING,
    write: REDIS_WRITING,
    destructive: REDIS_DESTRUCTIVE,
    dry: "",
};

fn redis(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, REDIS.valued);
    if line.says("--scan --bigkeys --memkeys --hotkeys --stat --latency --latency-history --latency-dist --intrinsic-latency --version -v --help --rdb --functions-rdb --keystats") {
        found.push(effect("show", "", Read));
        return;
    }
    if let Some(file) = line.value("--eval") {
        found.push(effect("execute", file, Destructive));
        return;
    }
    if line.has("--cluster") {
        match line.operand(0) {
            Some("check" | "info" | "help") => found.push(effect("show", "cluster", Read)),
            Some("create" | "fix" | "reshard" | "rebalance" | "add-node" | "set-timeout" | "import" | "backup") => {
                found.push(effect("replication", &line.target(0), Write));
            }
            _ => found.push(effect("delete", &line.target(0), Destructive)),
        }
        return;
    }
    // `-x` gives the last argument by the input; without a command the input holds commands.
    let is_lines = line.operands.is_empty();
    let database = line.value("-n -u -h").unwrap_or_default();
    if !is_lines {
        redis_command(&line.operands, database, found);
        return;
    }
    match input {
        Some(text) if !line.has("--pipe") => {
            const LINES_MAX: usize = 1_000;
            for (at, command) in text.lines().enumerate() {
                if at >= LINES_MAX {
                    found.push(effect("unknown", "more commands than are read", Destructive));
                    break;
                }
                let words: Vec<&str> = command.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
                if !words.is_empty() {
                    redis_command(&words, database, found);
                }
            }
        }
        _ => found.push(effect("unknown", "standard input", Destructive)),
    }
}

fn redis_command(words: &[&str], database: &str, found: &mut Vec<Effect>) {
    // A number in front repeats the command.
    let words = match words.split_first() {
        Some((first, rest)) if !rest.is_empty() && first.parse::<u32>().is_ok() => rest,
        _ => words,
    };
    let lower: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(at, word)| if at < 2 { word.to_lowercase() } else { (*word).to_owned() })
        .collect();
    let operands: Vec<&str> = lower.iter().map(String::as_str).collect();
    // A group such as `CONFIG` alone is an error of usage; `HELP` is the client's own.
    let Some(verb) = REDIS.verb(&Line::of(operands)) else { return };
    let target = words.get(verb.length..).unwrap_or_default().join(" ");
    let target = if target.is_empty() { database.to_owned() } else { target };
    let severity = match words.first() {
        Some(first)
            if first.eq_ignore_ascii_case("sort") && !words.iter().any(|word| word.eq_ignore_ascii_case("store")) =>
        {
            Read
        }
        _ => verb.severity,
    };
    found.push(Effect::new(Kind::Database, verb.operation, shown(&target), severity));
}

fn cql(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-e --execute -f --file -k --keyspace -u --username -p --password --request-timeout --connect-timeout --encoding --cqlshrc --cqlversion --protocol-version -b --browser --secure-connect-bundle --credentials",
    );
    if let Some(file) = line.value("-f --file") {
        found.push(effect("run_file", file, Destructive));
        return;
    }
    let code = line.value("-e --execute").or(input);
    let Some(code) = code else {
        if !line.says("--version --help -h") {
            found.push(effect("unknown", "standard input", Destructive));
        }
        return;
    };
    for statement in code.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        cql_statement(statement, found);
    }
}

/// CQL has no joins, no subqueries and few verbs, so its first words tell what it does. A semicolon
/// within a text splits it in two, which shows more and never less.
fn cql_statement(statement: &str, found: &mut Vec<Effect>) {
    let upper = statement.to_uppercase();
    let mut words = upper.split_whitespace();
    let first = words.next().unwrap_or_default();
    let has_where = words.clone().any(|word| word == "WHERE");
    let target = statement.split_whitespace().skip(1).take(4).collect::<Vec<_>>().join(" ");
    let (operation, severity) = match first {
        "SELECT" => ("select", Read),
        "DESCRIBE" | "DESC" | "SHOW" | "USE" | "LIST" | "CONSISTENCY" | "TRACING" | "EXPAND" | "PAGING" | "HELP"
        | "LOGIN" | "SERIAL" | "CLEAR" | "EXIT" | "QUIT" => ("show", Read),
        "INSERT" => ("insert", Write),
        "UPDATE" if has_where => ("update", Write),
        "DELETE" if has_where => ("delete", Destructive),
        "DROP" => ("drop", Destructive),
        "TRUNCATE" => ("truncate", Destructive),
        "ALTER" if upper.contains(" DROP ") => ("alter", Destructive),
        "ALTER" => ("alter", Write),
        "CREATE" if upper.starts_with("CREATE ROLE") || upper.starts_with("CREATE USER") => ("grant", Write),
        "CREATE" => ("create", Write),
        "GRANT" => ("grant", Write),
        "REVOKE" => ("revoke", Write),
        "COPY" => ("copy", Write),
        "CAPTURE" => ("file_write", Write),
        "SOURCE" => ("run_file", Destructive),
        "BEGIN" | "APPLY" => ("update", Write),
        _ => ("unknown", Destructive),
    };
    found.push(effect(operation, &target, severity));
    // In a batch the first statement stands on the line of `BEGIN BATCH`.
    if first == "BEGIN" && (upper.contains("DELETE") || upper.contains("DROP")) {
        found.push(effect("delete", &target, Destructive));
    }
}

const ETCD: Tool = Tool {
    kind: Kind::Database,
    valued: "--endpoints --cacert --cert --key --user --password --lease --limit --order --sort-by --rev --command-timeout --dial-timeout --keepalive-time --keepalive-timeout -w --write-out --consistency --name --data-dir --initial-cluster --initial-advertise-peer-urls --initial-cluster-token --ttl --discovery-srv --wal-dir",
    read: "get watch member:list=show endpoint:health=show endpoint:status=show endpoint:hashkv=show alarm:list=show lease:list=show lease:timetolive=show role:list=show role:get=show user:list=show user:get=show auth:status=show snapshot:status=show version check=show ls=show hashkv=show",
    write: "put set mk update updatedir mkdir lease:grant=create lease:keep-alive=set member:update=set member:promote=replication member:add=replication role:add=grant role:grant-permission=grant role:revoke-permission=revoke user:add=grant user:passwd=grant user:grant-role=grant user:revoke-role=revoke auth:enable=set_global snapshot:save=dump move-leader=replication defrag=vacuum elect=lock lock make-mirror=copy alarm:disarm=set_global downgrade:enable=set_global downgrade:cancel=set_global downgrade:validate=show",
    destructive: "del=delete rm=delete rmdir=delete compaction=purge compact=purge member:remove=delete role:delete=revoke user:delete=revoke auth:disable=set_global lease:revoke=delete snapshot:restore=restore txn=unknown migrate",
    dry: "",
};

fn etcd(argv: &Argv<'_>, _input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, ETCD.valued);
    if line.operand(0) == Some("del") && (line.has("--prefix --from-key --range") || line.operand(1) == Some("")) {
        found.push(effect("delete_all", &line.target(1), Destructive));
    } else {
        ETCD.look(&line, found);
    }
}

fn memcached(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "");
    match line.operand(1) {
        None | Some("display" | "stats" | "settings" | "sizes" | "dump" | "keys" | "privacy") => {
            found.push(effect("show", &line.target(0), Read));
        }
        Some("move") => found.push(effect("set_global", &line.target(0), Write)),
        Some(_) => found.push(effect("unknown", &line.target(0), Destructive)),
    }
}

/// Cypher's writing words may stand anywhere in a statement.
fn cypher(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-a --address --uri -u --username -p --password -d --database -f --file -P --param --format --encryption --impersonate --access-mode",
    );
    if let Some(file) = line.value("-f --file") {
        found.push(effect("run_file", file, Destructive));
        return;
    }
    let joined = line.operands.join(" ");
    let code = if joined.is_empty() { input.unwrap_or_default() } else { joined.as_str() };
    let upper = code.to_uppercase();
    let has = |word: &str| upper.split(|c: char| !c.is_alphanumeric()).any(|own| own == word);
    let (operation, severity) = match () {
        () if upper.trim().is_empty() => ("unknown", Destructive),
        () if is_unknown(&upper) || has("CALL") || has("LOAD") => ("unknown", Destructive),
        () if has("DELETE") && !has("WHERE") => ("delete_all", Destructive),
        () if has("DELETE") => ("delete", Destructive),
        () if has("DROP") => ("drop", Destructive),
        () if has("REMOVE") || has("SET") || has("MERGE") => ("update", Write),
        () if has("CREATE") => ("create", Write),
        () if has("GRANT") || has("ALTER") => ("grant", Write),
        () if has("MATCH") || has("RETURN") || has("SHOW") => ("select", Read),
        () => ("unknown", Destructive),
    };
    found.push(effect(operation, code.trim(), severity));
}

const MONGOFILES: Tool = Tool {
    kind: Kind::Database,
    valued: MONGO_VALUED,
    read: "list search get get_id get_regex",
    write: "put put_id",
    destructive: "delete delete_id",
    dry: "",
};

const NODETOOL: Tool = Tool {
    kind: Kind::Database,
    valued: "-h --host -p --port -u --username -pw --password -pwf --password-file -pp?",
    read: "status=show info=show ring=show describecluster=show describering=show tpstats=show tablestats=show cfstats=show tablehistograms=show cfhistograms=show proxyhistograms=show netstats=show compactionstats=show compactionhistory=show gcstats=show gossipinfo=show version=show statusbinary=show statusgossip=show statushandoff=show statusbackup=show statusautocompaction=show getcompactionthreshold=show getcompactionthroughput=show getendpoints=show getlogginglevels=show getsstables=show getstreamthroughput=show gettimeout=show gettraceprobability=show listsnapshots=show toppartitions=show viewbuildstatus=show rangekeysample=show repair_admin=show getseeds=show getauditlog=show datapaths=show clientstats=show failuredetector=show",
    write: "flush=vacuum repair=vacuum cleanup=vacuum compact=vacuum upgradesstables=vacuum scrub=vacuum garbagecollect=vacuum rebuild=vacuum rebuild_index=vacuum snapshot=dump enablebinary=set_global disablebinary=set_global enablegossip=set_global disablegossip=set_global enablehandoff=set_global disablehandoff=set_global enableautocompaction=set_global disableautocompaction=set_global enablebackup=set_global disablebackup=set_global refresh=insert import=insert reloadschema=set_global reloadseeds=set_global reloadtriggers=set_global reloadssl=set_global reloadlocalschema=set_global resume=set_global pausehandoff=set_global resumehandoff=set_global setcachecapacity=set_global setcompactionthreshold=set_global setcompactionthroughput=set_global setlogginglevel=set_global setstreamthroughput=set_global settimeout=set_global settraceprobability=set_global setconcurrentcompactors=set_global relocatesstables=vacuum verify=vacuum invalidatekeycache=flush invalidaterowcache=flush invalidatecountercache=flush bootstrap=replication join=replication stop=set_global replaybatchlog=set_global refreshsizeestimates=set_global enableauditlog=set_global disableauditlog=set_global",
    destructive: "decommission=drain drain=drain removenode=delete assassinate=delete move=replication clearsnapshot=purge stopdaemon=shutdown truncatehints=truncate resetlocalschema=drop",
    dry: "",
};

const INFLUX: Tool = Tool {
    kind: Kind::Database,
    valued: "-host -port -database -username -password -execute -precision --host --token -t --org -o --bucket -b --file -f --name -n --retention -r --id -i --predicate -p --start --stop --org-id --bucket-id --configs-path -c --active-config --format",
    read: "query=select q=select bucket:list=show *:list=show ping=show version=show export=dump backup=dump inspect=show print-config=show",
    write: "write=insert bucket:create=create org:create=create user:create=grant auth:create=grant user:password=grant setup=create config=set task:create=create v1=set apply=migrate bucket:update=alter org:update=alter org:members=grant task:update=alter template=show auth:active=grant auth:inactive=revoke run=start upgrade=alter replication:create=replication remote:create=replication",
    destructive: "delete bucket:delete=drop org:delete=drop user:delete=revoke auth:delete=revoke restore *:delete=delete recovery=unknown",
    dry: "",
};

const COUCHBASE: Tool = Tool {
    kind: Kind::Database,
    valued: "-c --cluster -u --username -p --password --bucket --bucket-type --bucket-ramsize --server-add --server-remove --server-failover --user",
    read: "bucket-list=show server-list=show host-list=show server-info=show rebalance-status=show server-eshell=show group-manage=show",
    write: "bucket-create=create bucket-edit=alter bucket-compact=vacuum cluster-init=create cluster-edit=set_global server-add=replication rebalance=replication node-init=set_global user-manage=grant setting-cluster=set_global setting-audit=set_global setting-autofailover=set_global setting-security=set_global collection-manage=alter xdcr-setup=replication xdcr-replicate=replication rebalance-stop=replication node-reset=set_global recovery=restore",
    destructive: "bucket-delete=drop bucket-flush=flush failover=replication reset-admin-password=grant reset-cipher-suites=set_global",
    dry: "",
};
