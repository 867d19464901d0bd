//! Message queues and logs: Kafka, RabbitMQ, NATS, Pulsar, Celery and their kin.

use super::super::argv::Argv;
use super::line::{Line, is_unknown, listed, shown};
use super::verb::Tool;
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "kafka-topics kafka-topics.sh kafka-consumer-groups kafka-consumer-groups.sh kafka-configs kafka-configs.sh kafka-acls kafka-acls.sh kafka-delete-records kafka-delete-records.sh kafka-console-consumer kafka-console-consumer.sh kafka-console-producer kafka-console-producer.sh kafka-reassign-partitions kafka-reassign-partitions.sh kafka-leader-election kafka-leader-election.sh kafka-streams-application-reset kafka-streams-application-reset.sh kafka-log-dirs kafka-log-dirs.sh kafka-broker-api-versions kafka-broker-api-versions.sh kafka-get-offsets kafka-get-offsets.sh kafka-dump-log kafka-dump-log.sh kafka-storage kafka-storage.sh kafka-server-stop kafka-server-stop.sh kafka-server-start kafka-server-start.sh kafka-metadata-quorum kafka-metadata-quorum.sh kafka-cluster kafka-cluster.sh kafka-features kafka-features.sh kafka-transactions kafka-transactions.sh kcat kafkacat kafkactl rpk kaf rabbitmqctl rabbitmqadmin rabbitmq-plugins rabbitmq-diagnostics rabbitmq-queues rabbitmq-streams rabbitmq-upgrade nats pulsar-admin pulsar-client celery artemis mosquitto_pub mosquitto_sub zookeeper-shell zookeeper-shell.sh zkCli.sh zkcli rq beanstalkd-cli sidekiqctl";

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let program = argv.program.strip_suffix(".sh").unwrap_or(argv.program);
    match program {
        "kcat" | "kafkacat" => kcat(argv, found),
        "rabbitmqadmin" => rabbitmqadmin(argv, found),
        "celery" => celery(argv, found),
        "zookeeper-shell" | "zkCli" | "zkcli" => zookeeper(argv, input, found),
        "mosquitto_pub" => found.push(effect("send", topic(argv), Write)),
        "mosquitto_sub" => found.push(effect("consume", topic(argv), Read)),
        "rabbitmq-diagnostics" => found.push(effect("list", "", Read)),
        _ => {
            if let Some((_, tool)) = TOOLS.iter().find(|(names, _)| listed(names, program)) {
                tool.look(&Line::read(argv.words, tool.valued), found);
            } else if program.starts_with("kafka-") {
                kafka(program, argv, found);
            }
        }
    }
}

fn effect(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::Queue, operation, shown(target), severity)
}

fn topic<'a>(argv: &Argv<'a>) -> &'a str {
    Line::read(argv.words, "-t --topic -h --host -p --port -m --message -u --username -P --pw -q -f --file -i --id")
        .value("-t --topic")
        .unwrap_or_default()
}

const KAFKA_VALUED: &str = "--bootstrap-server --broker-list --zookeeper --topic --group --partitions --replication-factor --replica-assignment --config --delete-config --command-config --to-offset --to-datetime --shift-by --from-file --by-duration --add-config --add-config-file --entity-type --entity-name --offset-json-file --reassignment-json-file --topics-to-move-json-file --throttle --offset --partition --max-messages --timeout --timeout-ms --property --producer.config --consumer.config --producer-property --consumer-property --application-id --input-topics --intermediate-topics --internal-topics --election-type --path-to-json-file --principal --allow-principal --deny-principal --operation --cluster --cluster-id --allow-host --deny-host --transactional-id --resource-pattern-type --bootstrap-controller --files --time --topic-partitions --include --whitelist --formatter --authorizer --authorizer-properties --feature --metadata --upgrade --broker --broker-id --producer-id --producer-epoch --coordinator-epoch --start-offset --topic-id-type -t -c";

/// The actions are flags here, not verbs. The first that stands there counts, the worst first.
const KAFKA: &[(&str, &str, &str, Severity)] = &[
    ("kafka-topics", "--delete", "delete", Destructive),
    ("kafka-topics", "--alter", "alter", Write),
    ("kafka-topics", "--create", "create", Write),
    ("kafka-topics", "--list --describe --version", "list", Read),
    ("kafka-consumer-groups", "--delete --delete-offsets", "delete", Destructive),
    ("kafka-consumer-groups", "--reset-offsets", "reset_offsets", Destructive),
    ("kafka-consumer-groups", "--list --describe --validate-regex --version", "list", Read),
    ("kafka-configs", "--alter", "alter", Write),
    ("kafka-configs", "--describe --version", "list", Read),
    ("kafka-acls", "--remove", "revoke", Write),
    ("kafka-acls", "--add", "grant", Write),
    ("kafka-acls", "--list --version", "list", Read),
    ("kafka-reassign-partitions", "--execute --cancel", "alter", Write),
    ("kafka-reassign-partitions", "--verify --generate --list --version", "list", Read),
    ("kafka-metadata-quorum", "--status --replication describe", "list", Read),
    ("kafka-storage", "--ignore-formatted", "reset", Destructive),
    ("kafka-storage", "--version", "list", Read),
];

fn kafka(program: &str, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, KAFKA_VALUED);
    if line.asks_for_help() {
        return;
    }
    let target = line.value("--topic --group --application-id --entity-name").unwrap_or_default();
    let single = match program {
        "kafka-delete-records" => Some(("purge", Destructive)),
        "kafka-console-consumer" => Some(("consume", Read)),
        "kafka-console-producer" => Some(("send", Write)),
        "kafka-leader-election" => Some(("alter", Write)),
        "kafka-streams-application-reset" if line.says("--dry-run") => Some(("list", Read)),
        "kafka-streams-application-reset" => Some(("reset", Destructive)),
        "kafka-server-stop" => Some(("stop", Destructive)),
        "kafka-server-start" => Some(("start", Write)),
        "kafka-log-dirs" | "kafka-broker-api-versions" | "kafka-get-offsets" | "kafka-dump-log" => Some(("list", Read)),
        "kafka-storage" => match line.operand(0) {
            Some("info" | "random-uuid" | "version-mapping" | "feature-dependencies") => Some(("list", Read)),
            Some("format") => Some(("reset", Destructive)),
            _ => None,
        },
        "kafka-cluster" => match line.operand(0) {
            Some("cluster-id" | "list-endpoints") => Some(("list", Read)),
            Some("unregister") => Some(("delete", Destructive)),
            _ => None,
        },
        "kafka-features" | "kafka-transactions" | "kafka-metadata-quorum" => match line.operand(0) {
            Some(
                "describe"
                | "list"
                | "describe-producers"
                | "find-hanging"
                | "version-mapping"
                | "feature-dependencies",
            ) => Some(("list", Read)),
            Some("upgrade" | "add-controller") => Some(("alter", Write)),
            Some("downgrade" | "disable" | "abort" | "forceTerminateTransaction" | "remove-controller") => {
                Some(("delete", Destructive))
            }
            _ => None,
        },
        _ => None,
    };
    if let Some((operation, severity)) = single {
        found.push(effect(operation, target, severity));
        return;
    }
    let action = KAFKA.iter().find(|(name, flags, ..)| *name == program && line.has(flags));
    let Some((_, _, operation, severity)) = action else {
        if line.texts().next().is_some() {
            found.push(effect("unknown", &line.texts().collect::<Vec<_>>().join(" "), Destructive));
        }
        return;
    };
    // Without `--execute` the new offsets are only shown.
    let severity = if *operation == "reset_offsets" && (!line.has("--execute") || line.says("--dry-run")) {
        Read
    } else {
        *severity
    };
    found.push(effect(operation, target, severity));
}

fn kcat(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-b -t -G -p -o -c -D -K -k -X -F -f -m -z -H -s -r -d -x");
    let target = line.value("-t -G").unwrap_or_default();
    if line.has("-P") {
        found.push(effect("send", target, Write));
    } else if line.has("-C -L -Q -G -M -V -h") {
        found.push(effect("consume", target, Read));
    } else {
        // Its mode follows its input: a terminal consumes, a pipe produces.
        found.push(effect("send", target, Write));
    }
}

const RABBIT_READING: &str = "list show export get help version *:list";

fn rabbitmqadmin(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-c --config -N --node -H --host -P --port --path-prefix -V --vhost -u --username -p --password -U --base-uri --ssl-cert-file --ssl-key-file --ssl-ca-cert-file -f --format -S --sort -d --depth --name --queue --count --timeout",
    );
    let (first, second) = (line.operand(0).unwrap_or_default(), line.operand(1).unwrap_or_default());
    // The older form is `delete queue name=x`, the newer `queues delete --name x`.
    let (operation, severity) = match (first, second) {
        ("", _) => return,
        ("delete" | "close", _) | (_, "delete" | "close") => ("delete", Destructive),
        ("purge", _) | (_, "purge") => ("purge", Destructive),
        ("import", _) | (_, "import") => ("alter", Write),
        ("declare", "permission" | "user") | (_, "declare_permission") => ("grant", Write),
        ("declare" | "rebalance", _) | (_, "declare" | "rebalance" | "bind" | "unbind") => ("create", Write),
        ("publish", _) | (_, "publish") => ("send", Write),
        ("get", _) | ("messages", "get") if line.texts().any(|word| word.contains("ack_requeue_false")) => {
            ("consume", Destructive)
        }
        ("get", _) | (_, "get") => ("consume", Read),
        (first, second) if listed(RABBIT_READING, first) || listed(RABBIT_READING, second) || second == "show" => {
            ("list", Read)
        }
        ("nodes" | "health_check" | "overview" | "definitions", _) => ("list", Read),
        _ => ("unknown", Destructive),
    };
    found.push(effect(operation, &line.target(1), severity));
}

fn celery(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-A --app -b --broker --result-backend --loader --config --workdir -Q --queues -X --exclude-queues -n --hostname -c --concurrency -P --pool -l --loglevel -d --destination -t --timeout -f --logfile --pidfile -s --schedule -S --scheduler --args -a --kwargs -k --countdown --eta -j?",
    );
    let Some(first) = line.operand(0) else { return };
    let second = line.operand(1).unwrap_or_default();
    let (operation, severity) = match first {
        "purge" => ("purge", Destructive),
        "amqp" => match second {
            "queue.purge" => ("purge", Destructive),
            "queue.delete" | "exchange.delete" => ("delete", Destructive),
            "basic.publish" => ("send", Write),
            "basic.get" => ("consume", Destructive),
            "queue.declare" | "exchange.declare" | "queue.bind" | "basic.ack" => ("create", Write),
            "" | "repl" => ("list", Read),
            _ => ("unknown", Destructive),
        },
        "control" => match second {
            "shutdown" => ("stop", Destructive),
            "revoke" | "terminate" | "revoke_by_stamped_headers" | "terminate_by_stamped_headers" => {
                ("cancel", Destructive)
            }
            second if is_unknown(second) => ("unknown", Destructive),
            _ => ("alter", Write),
        },
        "inspect" | "status" | "list" | "report" | "result" | "events" | "graph" | "logtool" | "shell" | "help" => {
            ("list", Read)
        }
        "call" => ("send", Write),
        "worker" | "beat" | "multi" | "upgrade" | "migrate" | "flower" => ("start", Write),
        _ => ("unknown", Destructive),
    };
    if first == "shell" {
        found.push(Effect::new(Kind::Code, "shell", "celery shell", Destructive));
    } else {
        found.push(effect(operation, &line.target(1), severity));
    }
}

fn zookeeper(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-server -timeout -waitforconnection? -client-configuration");
    let skipped = usize::from(argv.program.starts_with("zookeeper"));
    let words: Vec<String> = line.rest(skipped).iter().map(|word| (*word).to_owned()).collect();
    let commands: Vec<String> = match (words.is_empty(), input) {
        (false, _) => vec![words.join(" ")],
        (true, Some(text)) => text.lines().map(str::to_owned).collect(),
        (true, None) => {
            found.push(effect("unknown", "standard input", Destructive));
            return;
        }
    };
    for command in commands.iter().map(|command| command.trim()).filter(|command| !command.is_empty()) {
        let verb = command.split_whitespace().next().unwrap_or_default();
        let (operation, severity) = match verb {
            "ls"
            | "ls2"
            | "get"
            | "stat"
            | "getAcl"
            | "history"
            | "version"
            | "config"
            | "getEphemerals"
            | "getAllChildrenNumber"
            | "quit"
            | "connect"
            | "printwatches"
            | "listquota"
            | "sync"
            | "whoami" => ("list", Read),
            "create" | "set" | "setquota" | "delquota" | "addauth" | "reconfig" | "addWatch" | "removewatches"
            | "close" => ("alter", Write),
            "setAcl" => ("grant", Write),
            "delete" | "deleteall" | "rmr" => ("delete", Destructive),
            _ => ("unknown", Destructive),
        };
        found.push(effect(operation, command, severity));
    }
}

const fn tool(valued: &'static str, read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::Queue, valued, read, write, destructive, dry: "--dry-run" }
}

const TOOLS: &[(&str, Tool)] = &[
    (
        "rabbitmqctl rabbitmq-queues rabbitmq-streams rabbitmq-upgrade",
        tool(
            "-n --node -t --timeout -p --vhost --erlang-cookie --formatter --apply-to --priority --seed-user",
            "status=list list_queues=list list_exchanges=list list_bindings=list list_connections=list list_channels=list list_consumers=list list_users=list list_vhosts=list list_permissions=list list_user_permissions=list list_topic_permissions=list list_user_topic_permissions=list list_policies=list list_operator_policies=list list_parameters=list list_global_parameters=list list_unresponsive_queues=list list_ciphers=list list_hashes=list list_feature_flags=list list_user_limits=list list_vhost_limits=list list_deprecated_features=list cluster_status=list environment=list report=list ping=list node_health_check=list authenticate_user=list list_node_auth_attempt_stats=list eval_file=unknown await_startup=list await_online_nodes=list await_online_quorum_plus_one=list export_definitions=list version=list wait=list help=list schema_info=list quorum_status=list check_if_node_is_quorum_critical=list check_if_node_is_mirror_sync_critical=list check_if_cluster_has_classic_queue_mirroring_policy=list stream_status=list list_stream_connections=list list_stream_consumers=list list_stream_publishers=list list_stream_tracking=list peek=consume trace_on=alter log_location=list log_tail=list",
            "add_user=grant set_permissions=grant set_topic_permissions=grant set_user_tags=grant change_password=grant clear_password=revoke clear_permissions=revoke clear_topic_permissions=revoke set_user_limits=alter clear_user_limits=alter set_vhost_limits=alter clear_vhost_limits=alter add_vhost=create update_vhost_metadata=alter set_vhost_tags=alter restart_vhost=alter set_policy=alter clear_policy=alter set_operator_policy=alter clear_operator_policy=alter set_parameter=alter clear_parameter=alter set_global_parameter=alter clear_global_parameter=alter set_cluster_name=alter set_log_level=alter set_vm_memory_high_watermark=alter set_disk_free_limit=alter start_app=start join_cluster=alter rename_cluster_node=alter change_cluster_node_type=alter sync_queue=alter cancel_sync_queue=alter rotate_logs=alter trace_off=alter enable_feature_flag=alter enable_all_feature_flags=alter import_definitions=alter encode=list decode=list activate_free_disk_space_monitoring=alter deactivate_free_disk_space_monitoring=alter suspend_listener=alter resume_listener=alter suspend_all_listeners=alter resume_all_listeners=alter force_gc=alter grow=alter rebalance=alter add_member=alter reclaim_quorum_memory=alter update_cluster_nodes=alter set_permissions_globally=grant post_upgrade=alter drain=alter revive=alter await_online_quorum_plus_one=list add_replica=alter restart_stream=alter add_super_stream=create",
            "delete_queue=delete purge_queue=purge reset=reset force_reset=reset stop_app=stop stop=stop shutdown=stop delete_user=delete delete_vhost=delete forget_cluster_node=delete close_connection=delete close_all_connections=delete close_all_user_connections=delete force_boot=reset hipe_compile=unknown eval=unknown exec=unknown eval_file=unknown delete_member=delete shrink=delete delete_replica=delete delete_super_stream=delete force_checkpoint=alter",
        ),
    ),
    (
        "rabbitmq-plugins",
        tool("-n --node -t", "list directories=list is_enabled=list", "enable=alter disable=alter set=alter", ""),
    ),
    (
        "nats",
        tool(
            "-s --server --user --password --connection-name --creds --nkey --tlscert --tlskey --tlsca --timeout --context --js-api-prefix --js-domain --inbox-prefix --domain --count --seq --subject --keep --ack --retries --config --replicas --max-bytes --max-age --storage --retention --history --ttl",
            "sub=consume stream:ls=list stream:list=list stream:info=list stream:report=list stream:find=list stream:view=consume stream:get=consume stream:state=list stream:subjects=list stream:graph=list stream:backup=list stream:gaps=list str:ls=list s:ls=list consumer:ls=list consumer:list=list consumer:info=list consumer:report=list consumer:sub=consume consumer:find=list con:ls=list server:*=list account:*=list rtt=list latency=list kv:get=consume kv:ls=list kv:list=list kv:history=list kv:status=list kv:watch=consume kv:info=list object:get=consume object:ls=list object:list=list object:info=list object:watch=consume events=list top=list context:ls=list context:list=list context:show=list context:info=list schema=list errors=list cheat=list audit=list micro=list service=list trace=list server:report:*=list server:check:*=list server:list=list server:info=list",
            "pub=send publish=send request=send req=send reply=start stream:add=create stream:create=create stream:edit=alter stream:copy=create stream:restore=create stream:seal=alter stream:cluster=alter stream:import=create consumer:add=create consumer:create=create consumer:edit=alter consumer:copy=create consumer:next=consume consumer:pause=alter consumer:resume=alter consumer:cluster=alter kv:add=create kv:create=create kv:put=send kv:update=send kv:revert=send object:add=create object:put=send object:seal=alter context:*=alter auth:*=grant server:raft:*=alter server:config:*=alter server:passwd=grant server:mkpasswd=grant server:request:*=list server:run=start server:cluster:step-down=alter server:raft:step-down=alter bench=send",
            "stream:rm=delete stream:del=delete stream:delete=delete stream:rmm=delete stream:purge=purge str:rm=delete str:purge=purge s:rm=delete s:purge=purge consumer:rm=delete consumer:del=delete consumer:delete=delete con:rm=delete kv:del=delete kv:rm=delete kv:delete=delete kv:purge=purge kv:compact=purge object:del=delete object:rm=delete object:delete=delete server:cluster:peer-remove=delete server:raft:peer-remove=delete account:purge=purge auth:*:rm=delete context:rm=delete",
        ),
    ),
    (
        "pulsar-admin pulsar-client",
        tool(
            "--admin-url --auth-plugin --auth-params --url -s --subscription --tenant --namespace --name -r --subscription-name -t --topic -c --cluster -n --num-messages -m --messages",
            "*:list=list *:get=list *:stats=list *:stats-internal=list *:info=list *:status=list *:permissions=list *:get-*=list *:list-*=list *:partitioned-stats=list *:lookup=list *:subscriptions=list *:peek-messages=consume *:healthcheck=list topics:last-message-id=list topics:bundle-range=list topics:internal-info=list consume read=consume brokers:version=list *:topics=list *:policies=list *:destination=list",
            "produce=send *:create=create *:create-*=create *:set-*=alter *:update=alter *:update-*=alter *:grant-*=grant *:revoke-*=revoke *:unload=alter *:compact=alter *:offload=alter *:start=start *:restart=start *:trigger=send *:split-bundle=alter *:enable-*=alter *:disable-*=alter *:upload=alter *:localrun=start topics:reset-cursor=reset_offsets",
            "*:delete=delete *:delete-*=delete *:remove-*=delete *:clear-*=purge *:skip=purge *:skip-all=purge *:skip-messages=purge *:expire-messages=purge *:expire-messages-all-subscriptions=purge *:unsubscribe=delete *:terminate=delete *:stop=stop *:truncate=purge *:reset-cursor=reset_offsets *:shutdown=stop *:analyze-backlog=list",
        ),
    ),
    (
        "rpk",
        tool(
            "-X --brokers --user --password --config --profile -f --format -p --partitions -r --replicas -c --topic-config -n --num -o --offset -g --group --print-commits?",
            "topic:list=list topic:describe=list topic:consume=consume topic:analyze=list topic:describe-storage=list group:list=list group:describe=list cluster:info=list cluster:health=list cluster:status=list cluster:metadata=list cluster:logdirs=list cluster:config:get=list cluster:config:status=list cluster:config:export=list cluster:license:info=list version=list acl:list=list security:acl:list=list security:user:list=list security:secret:list=list registry:*:list=list registry:*:get=list profile=list debug=list help=list transform:list=list transform:logs=list cluster:txn:list=list cluster:txn:describe=list cluster:quotas:describe=list cluster:storage=list cluster:partitions:list=list generate=list shadow:list=list shadow:describe=list",
            "topic:create=create topic:produce=send topic:alter-config=alter topic:add-partitions=alter acl:create=grant acl:user:create=grant security:acl:create=grant security:user:create=grant security:user:update=grant security:role:*=grant cluster:config:set=alter cluster:config:edit=alter cluster:config:import=alter cluster:maintenance:*=alter cluster:partitions:*=alter cluster:license:set=alter redpanda:start=start redpanda:config=alter redpanda:tune=alter container:start=start cloud=alter transform:deploy=create transform:build=create transform:init=create transform:pause=alter transform:resume=alter registry:*:create=create registry:*:set=alter iotune=alter cluster:quotas:alter=alter cluster:quotas:import=alter connect=start plugin=alter container:status=list",
            "topic:delete=delete topic:trim-prefix=purge group:delete=delete group:seek=reset_offsets group:offset-delete=delete acl:delete=revoke acl:user:delete=revoke security:acl:delete=revoke security:user:delete=revoke security:secret:delete=revoke redpanda:stop=stop container:purge=delete container:stop=stop cluster:txn:abort=delete cluster:self-test=alter transform:delete=delete registry:*:delete=delete cluster:config:force-reset=reset cluster:unsafe=unknown redpanda:admin:*=unknown shadow:delete=delete shadow:failover=alter",
        ),
    ),
    (
        "kafkactl kaf",
        tool(
            "-b --brokers -c --config -C --context --cluster -t --topic -g --group -o --output --offset --partitions -p --partition --replication-factor --config-file --verbose? --key --value -n --replicas -r --brokers",
            "get=list describe=list list=list consume config=list topics=list topic:ls=list topic:list=list topic:describe=list topic:lag=list group:ls=list group:list=list group:describe=list groups=list nodes=list node:ls=list query=consume completion=list version=list",
            "create alter produce=send attach=start clone=create config:use-context=alter config:use-cluster=alter config:select-cluster=alter config:add-cluster=alter topic:create=create topic:set-config=alter topic:add-config=alter topic:update=alter",
            "delete reset=reset_offsets topic:delete=delete group:delete=delete group:commit=reset_offsets config:remove-cluster=delete topic:remove-config=alter",
        ),
    ),
    (
        "artemis",
        tool(
            "--url --user --password --name --destination --address --message-count --queue",
            "queue:stat=list address:show=list check=list browser=consume data:print=list data:exp=list data:stat=list version=list help=list activation:list=list",
            "create queue:create=create queue:update=alter address:create=create address:update=alter producer=send start=start run=start user:add=grant user:reset=grant data:compact=alter mask=list upgrade=alter data:imp=alter transfer=send",
            "queue:delete=delete queue:purge=purge address:delete=delete consumer=consume stop=stop kill=stop user:rm=revoke data:recovery=reset data:decode=reset perf=send",
        ),
    ),
    (
        "rq",
        tool(
            "-u --url -c --config -P --path -n --name",
            "info=list",
            "worker=start enqueue=send requeue=send suspend=alter resume=alter worker-pool=start cron=start",
            "empty=purge",
        ),
    ),
    ("sidekiqctl", tool("", "status=list", "quiet=alter", "stop=stop")),
];
