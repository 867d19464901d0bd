//! Clouds by their command-line tools.
//!
//! The large tools have thousands of commands and name them by convention: the first part of the
//! last word is a verb (`describe-instances`), or the last word is (`instances delete`). The
//! convention decides, behind a table of exceptions. Smaller tools are plain tables. A verb that
//! follows no convention is `unknown`.

use std::borrow::Cow;

use super::super::argv::Argv;
use super::client::{Client, script};
use super::line::{Line, is_unknown, listed, shown};
use super::sql::Dialect;
use super::verb::Tool;
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "aws awslocal gcloud gsutil az doctl heroku flyctl fly vercel netlify wrangler firebase oci ibmcloud linode-cli hcloud gh glab s3cmd s5cmd rclone mc mcli railway render scw exo aliyun tccli eb copilot cf ovhcloud stripe";

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let _ = input;
    match argv.program {
        "aws" | "awslocal" => aws(argv, found),
        "gcloud" => gcloud(argv, found),
        "az" => by_convention(&AZ, argv, found),
        "oci" => by_convention(&OCI, argv, found),
        "ibmcloud" => by_convention(&IBM, argv, found),
        "doctl" => by_convention(&DOCTL, argv, found),
        "linode-cli" => by_convention(&LINODE, argv, found),
        "hcloud" => by_convention(&HCLOUD, argv, found),
        "scw" | "exo" | "ovhcloud" => by_convention(&SMALL, argv, found),
        "aliyun" | "tccli" => by_convention(&ALIYUN, argv, found),
        "gh" | "glab" => forge(argv, found),
        "gsutil" | "s3cmd" | "s5cmd" | "rclone" | "mc" | "mcli" => storage(argv, found),
        "heroku" => colon_verbs(&HEROKU, argv, found),
        program @ ("firebase" | "netlify") => {
            if let Some((_, tool)) = TOOLS.iter().find(|(names, _)| listed(names, program)) {
                colon_verbs(tool, argv, found);
            }
        }
        program => {
            if let Some((_, tool)) = TOOLS.iter().find(|(names, _)| listed(names, program)) {
                let line = Line::read(argv.words, tool.valued);
                if program == "wrangler" && by_statement(&line, found) {
                    return;
                }
                if let Some(verb) = tool.verb(&line) {
                    let target = redacted(&line, verb.length);
                    if verb.operation == "secret" {
                        found.push(Effect::new(Kind::Secret, "read", target, Read));
                    } else {
                        found.push(effect(verb.operation, target, verb.severity));
                    }
                }
            }
        }
    }
}

fn effect(operation: impl Into<Cow<'static, str>>, target: impl Into<String>, severity: Severity) -> Effect {
    Effect::new(Kind::Cloud, operation, target, severity)
}

/// What the first part of a command's name says, over all clouds.
const READING: &str = "describe get list ls show head search query scan lookup validate test check verify view preview estimate detect simulate filter discover is batch-get select read inspect status info logs log tail wait diff version history find count help print current explain summarize decode evaluate compare whoami retrieve monitor analyze can ping example filter events top metrics troubleshoot display";
const WRITING: &str = "create put update add attach set modify enable start tag untag register associate import copy cp mv move deploy apply publish upload restart reboot resume resize scale assign allocate change configure request submit send issue renew run invoke execute authorize accept approve activate edit patch increase decrease promote rename subscribe unsubscribe sign sync build push connect open grant link join initiate begin provision init new use switch configure-docker login logout auth continue complete retry snapshot backup save clone migrate redeploy rollback upgrade download export generate mount record replicate signal unarchive unlock undelete cordon uncordon notify merge post upsert index bundle install refresh reload redrive recommend label annotate pause suspend hibernate admin poll receive acknowledge ack convert share unshare pull transfer bind expose define call ssh scp exec tunnel console forward lock unassign failover rotate close reopen archive synchronize swap rewind respond respond-to prepare advertise withdraw claim";
const DESTROYING: &str = "delete terminate remove rm rb deregister purge destroy detach disassociate revoke disable stop cancel reset release abort forget flush drain deprovision unregister undeploy evict expire clear empty drop kill erase wipe deallocate restore replace abandon decommission nuke prune uninstall reimage rebuild shutdown poweroff power-off del deny reject force-delete schedule-key-deletion batch-delete bulk-delete cleanup clean retire unlink unset truncate scratch leave discard deactivate ungrant dismiss exclude";

/// What a verb of a cloud's command says.
fn by_verb(word: &str) -> Option<(Cow<'static, str>, Severity)> {
    let first = word.split('-').next().unwrap_or(word);
    // `batch-delete-image`, `force-delete-x`, `bulk-publish`: the second part is the verb.
    let part = match first {
        "batch" | "bulk" | "force" | "async" | "admin" | "transact" => word.split('-').nth(1).unwrap_or(first),
        _ => first,
    };
    for candidate in [word, part] {
        if listed(DESTROYING, candidate) {
            // Stopped, switched off or detached, it is there still.
            let is_kept = matches!(
                candidate,
                "stop"
                    | "disable"
                    | "detach"
                    | "disassociate"
                    | "revoke"
                    | "cancel"
                    | "deactivate"
                    | "drain"
                    | "unlink"
                    | "shutdown"
                    | "deallocate"
                    | "unset"
                    | "leave"
            );
            return Some(if is_kept { (Cow::Borrowed("stop"), Write) } else { (Cow::Borrowed("delete"), Destructive) });
        }
        if listed(READING, candidate) {
            return Some((Cow::Borrowed("read"), Read));
        }
        if listed(WRITING, candidate) {
            return Some((Cow::Borrowed("write"), Write));
        }
    }
    None
}

const AWS_VALUED: &str = "--query-string --sql --statement --database --secret-arn --workgroup-name --work-group --query-execution-context --result-configuration --profile --region --output --query --endpoint-url --ca-bundle --cli-read-timeout --cli-connect-timeout --color --cli-binary-format --cli-input-json --cli-input-yaml --filters --filter --instance-ids --instance-id --bucket --key --name --names --group-name --group-names --group-id --user-name --role-name --policy-arn --policy-name --policy-document --stack-name --template-body --template-file --table-name --secret-id --db-instance-identifier --db-cluster-identifier --cluster --cluster-name --cluster-identifier --service --services --tasks --task-definition --desired-count --function-name --payload --log-type --queue-url --topic-arn --message --message-body --target --targets --document-name --parameters --role-arn --role-session-name --volume-id --volume-ids --image-id --image-ids --instance-type --subnet-id --vpc-id --snapshot-id --snapshot-ids --allocation-id --hosted-zone-id --change-batch --distribution-id --id --ids --max-items --page-size --starting-token --max-results --limit --start-time --end-time --metric-name --namespace --statistics --period --dimensions --log-group-name --log-stream-name --filter-pattern --repository-name --acl --exclude --include --sse --storage-class --content-type --cache-control --metadata --expires --source --destination --key-id --key-ids --pending-window-in-days --recovery-window-in-days --secret-string --secret-binary --value --type --tags --resources --resource-arn --paths --node-ids --count --protocol --port --cidr --ip-permissions --tag-specifications --user-data --key-name --iam-instance-profile --security-group-ids --block-device-mappings --access-key-id --access-key --assume-role-policy-document --capabilities --final-db-snapshot-identifier --db-snapshot-identifier --alarm-names --rule --pipeline-name --environment-name --application-name --configuration --json --certificate-arn --load-balancer-arn --target-group-arn --listener-arn --auto-scaling-group-name --desired-capacity --min-size --max-size --invocation-type --cli-pager --expression-attribute-values --key-condition-expression --projection-expression --expression-attribute-names --attributes --item --attribute-name --message-attributes --since --log-group --host --kubeconfig --alias --version-id --prefix --delimiter --body --expected-size --expires-in --grants --website-redirect --request-payer --statement-id --action --principal --source-arn --rest-api-id --stage-name --job-name --job-queue --job-definition --backup-vault-name --recovery-point-arn --user-pool-id --username --account-id --email --organizational-unit-id --state-machine-arn --execution-arn --input --stream-name --data --partition-key --domain-name --identity-pool-id --schedule-expression --desired-status --launch-type --network-configuration --overrides --command --container --task";

/// Commands that the convention misjudges: service and command, operation, severity.
const AWS: &[(&str, &str, &str, Severity)] = &[
    ("autoscaling", "detach-instances", "write", Write),
    ("cloudformation", "cancel-update-stack", "write", Write),
    ("cloudformation", "deploy", "apply", Write),
    ("cloudformation", "execute-change-set", "apply", Write),
    ("cloudformation", "estimate-template-cost", "read", Read),
    ("cloudtrail", "stop-logging", "disable_audit", Destructive),
    ("cloudtrail", "put-event-selectors", "disable_audit", Write),
    ("config", "stop-configuration-recorder", "disable_audit", Destructive),
    ("configservice", "stop-configuration-recorder", "disable_audit", Destructive),
    ("configure", "*", "write", Write),
    ("configure", "get", "read", Read),
    ("configure", "list", "read", Read),
    ("configure", "list-profiles", "read", Read),
    ("dynamodb", "execute-statement", "execute", Destructive),
    ("dynamodb", "batch-execute-statement", "execute", Destructive),
    ("dynamodb", "batch-write-item", "write", Destructive),
    ("dynamodb", "transact-write-items", "write", Destructive),
    ("dynamodb", "restore-table-from-backup", "write", Write),
    ("dynamodb", "restore-table-to-point-in-time", "write", Write),
    ("ec2", "associate-iam-instance-profile", "grant", Write),
    ("ec2", "authorize-security-group-ingress", "grant", Write),
    ("ec2", "authorize-security-group-egress", "grant", Write),
    ("ec2", "modify-snapshot-attribute", "grant", Write),
    ("ec2", "modify-image-attribute", "grant", Write),
    ("ec2", "run-instances", "run", Write),
    ("ec2", "terminate-instances", "delete", Destructive),
    ("ecr", "get-login", "secret", Read),
    ("ecr", "get-login-password", "secret", Read),
    ("ecs", "execute-command", "run", Destructive),
    ("ecs", "run-task", "run", Write),
    ("eks", "get-token", "secret", Read),
    ("eks", "update-kubeconfig", "write", Write),
    ("events", "remove-targets", "delete", Destructive),
    ("guardduty", "delete-detector", "disable_audit", Destructive),
    ("iam", "create-access-key", "grant", Write),
    ("iam", "generate-credential-report", "read", Read),
    ("iam", "generate-service-last-accessed-details", "read", Read),
    ("iam", "create-login-profile", "grant", Write),
    ("iam", "update-login-profile", "grant", Write),
    ("iam", "add-user-to-group", "grant", Write),
    ("iam", "add-role-to-instance-profile", "grant", Write),
    ("iam", "attach-user-policy", "grant", Write),
    ("iam", "attach-role-policy", "grant", Write),
    ("iam", "attach-group-policy", "grant", Write),
    ("iam", "put-user-policy", "grant", Write),
    ("iam", "put-role-policy", "grant", Write),
    ("iam", "put-group-policy", "grant", Write),
    ("iam", "create-policy-version", "grant", Write),
    ("iam", "set-default-policy-version", "grant", Write),
    ("iam", "update-assume-role-policy", "grant", Write),
    ("iam", "deactivate-mfa-device", "grant", Destructive),
    ("iam", "delete-account-password-policy", "grant", Destructive),
    ("kms", "create-grant", "grant", Write),
    ("kms", "decrypt", "secret", Read),
    ("kms", "disable-key", "delete", Destructive),
    ("kms", "encrypt", "read", Read),
    ("kms", "generate-data-key", "secret", Read),
    ("kms", "put-key-policy", "grant", Write),
    ("kms", "re-encrypt", "read", Read),
    ("kms", "schedule-key-deletion", "delete", Destructive),
    ("kms", "sign", "read", Read),
    ("lambda", "add-permission", "grant", Write),
    ("lambda", "invoke", "run", Write),
    ("lambda", "invoke-async", "run", Write),
    ("logs", "start-query", "read", Read),
    ("logs", "stop-query", "read", Read),
    ("organizations", "attach-policy", "grant", Write),
    ("organizations", "detach-policy", "grant", Destructive),
    ("organizations", "leave-organization", "delete_all", Destructive),
    ("organizations", "close-account", "delete_all", Destructive),
    ("organizations", "delete-organization", "delete_all", Destructive),
    ("athena", "start-query-execution", "execute", Write),
    ("rds", "restore-db-instance-from-db-snapshot", "write", Write),
    ("rds", "restore-db-instance-to-point-in-time", "write", Write),
    ("rds", "restore-db-cluster-from-snapshot", "write", Write),
    ("rds-data", "execute-statement", "execute", Destructive),
    ("rds-data", "batch-execute-statement", "execute", Destructive),
    ("redshift-data", "execute-statement", "execute", Destructive),
    ("rds", "generate-db-auth-token", "secret", Read),
    ("route53", "change-resource-record-sets", "write", Destructive),
    ("s3", "cp", "copy", Write),
    ("s3", "ls", "read", Read),
    ("s3", "mb", "write", Write),
    ("s3", "mv", "move", Write),
    ("s3", "presign", "grant", Write),
    ("s3", "rb", "delete", Destructive),
    ("s3", "rm", "delete", Destructive),
    ("s3", "sync", "sync", Write),
    ("s3", "website", "write", Write),
    ("s3api", "put-bucket-acl", "grant", Write),
    ("s3api", "put-bucket-lifecycle-configuration", "write", Destructive),
    ("s3api", "put-bucket-policy", "grant", Write),
    ("s3api", "put-bucket-versioning", "write", Destructive),
    ("s3api", "put-object-acl", "grant", Write),
    ("s3api", "put-public-access-block", "grant", Write),
    ("s3api", "delete-public-access-block", "grant", Write),
    ("s3api", "restore-object", "write", Write),
    ("s3api", "select-object-content", "read", Read),
    ("secretsmanager", "batch-get-secret-value", "secret", Read),
    ("secretsmanager", "get-secret-value", "secret", Read),
    ("secretsmanager", "put-resource-policy", "grant", Write),
    ("secretsmanager", "restore-secret", "write", Write),
    ("sns", "publish", "send", Write),
    ("sqs", "purge-queue", "purge", Destructive),
    ("sqs", "receive-message", "read", Read),
    ("ssm", "send-command", "run", Destructive),
    ("ssm", "start-automation-execution", "run", Destructive),
    ("ssm", "start-session", "run", Write),
    ("ssm", "resume-session", "run", Write),
    ("ssm", "terminate-session", "stop", Write),
    ("sso", "get-role-credentials", "secret", Read),
    ("sso", "login", "write", Write),
    ("sso", "logout", "write", Write),
    ("sts", "assume-role", "assume_role", Write),
    ("sts", "assume-role-with-saml", "assume_role", Write),
    ("sts", "assume-role-with-web-identity", "assume_role", Write),
    ("sts", "get-federation-token", "assume_role", Write),
    ("sts", "get-session-token", "assume_role", Write),
];

/// Commands that take a statement: the words, the flags that hold it, the flags with which it is in a
/// file instead, and who reads it. What it does is the statement's business, not the verb's.
const STATEMENTS: &[(&str, &str, &str, Client, Dialect)] = &[
    ("athena start-query-execution", "--query-string", "", Client::Plain, Dialect::Generic),
    ("redshift-data execute-statement", "--sql", "", Client::Plain, Dialect::Postgres),
    ("rds-data execute-statement", "--sql", "", Client::Plain, Dialect::Generic),
    ("timestream-query query", "--query-string", "", Client::Plain, Dialect::Generic),
    ("dynamodb execute-statement", "--statement", "", Client::Plain, Dialect::Generic),
    ("spanner databases execute-sql", "--sql", "", Client::Plain, Dialect::Generic),
    ("postgres flexible-server execute", "-q --querytext", "-f --file-path", Client::Psql, Dialect::Postgres),
    ("mysql flexible-server execute", "-q --querytext", "-f --file-path", Client::MySql, Dialect::MySql),
    ("d1 execute", "--command", "--file", Client::Sqlite, Dialect::Sqlite),
    ("pg:psql", "-c --command", "-f --file", Client::Psql, Dialect::Postgres),
];

/// What the statement does that this command hands to a database; `false` where it hands over none.
fn by_statement(line: &Line<'_>, found: &mut Vec<Effect>) -> bool {
    let is_this = |words: &str| words.split(' ').eq(line.operands.iter().copied().take(words.split(' ').count()));
    let Some((_, flags, files, client, dialect)) = STATEMENTS.iter().find(|(words, ..)| is_this(words)) else {
        return false;
    };
    let statements: Vec<&str> = line.values(flags).collect();
    if statements.iter().all(|statement| statement.trim().is_empty()) || (!files.is_empty() && line.has(files)) {
        return false;
    }
    let before = found.len();
    for statement in statements {
        if statement.starts_with("file://") || statement.starts_with('@') {
            found.push(Effect::new(Kind::Database, "run_file", shown(statement), Destructive));
        } else {
            script(statement, *client, *dialect, found);
        }
    }
    if found.len() == before {
        found.push(Effect::new(Kind::Database, "select", "", Read));
    }
    true
}

fn aws(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, AWS_VALUED);
    if by_statement(&line, found) {
        return;
    }
    let (Some(service), second) = (line.operand(0), line.operand(1)) else { return };
    if service == "help" || line.operands.last() == Some(&"help") || line.asks_for_help() {
        return;
    }
    let target = aws_target(&line, service);
    if is_unknown(service) || second.is_some_and(is_unknown) {
        found.push(effect("unknown", target, Destructive));
        return;
    }
    let command = match (service, second) {
        (_, Some(command)) => command,
        ("configure", None) => "*",
        (_, None) => return,
    };
    let entry = AWS
        .iter()
        .find(|(own, name, ..)| *own == service && *name == command)
        .or_else(|| AWS.iter().find(|(own, name, ..)| *own == service && *name == "*"));
    let (mut operation, mut severity) = match entry {
        Some((_, _, operation, severity)) => (Cow::Borrowed(*operation), *severity),
        None => by_verb(command).unwrap_or((Cow::Borrowed("unknown"), Destructive)),
    };
    // `--generate-cli-skeleton` prints a form; `--dry-run` checks whether it would be allowed.
    if line.says("--dry-run --dryrun --no-execute-changeset --generate-cli-skeleton") {
        found.push(effect(operation, target, Read));
        return;
    }
    match (service, command) {
        ("s3", "sync" | "cp") if line.has("--delete") => {
            operation = "sync_delete".into();
            severity = Destructive;
        }
        ("secretsmanager", "delete-secret") if line.has("--force-delete-without-recovery") => {
            operation = "delete_all".into();
        }
        ("s3", "rm" | "rb") if line.has("--recursive --force") => operation = "delete_all".into(),
        ("ssm", "get-parameter" | "get-parameters" | "get-parameters-by-path" | "get-parameter-history")
            if line.says("--with-decryption") =>
        {
            operation = "secret".into();
        }
        ("iam", command) if command.starts_with("attach-") || command.starts_with("put-") => operation = "grant".into(),
        ("rds" | "redshift", command) if command.starts_with("delete-") && line.has("--skip-final-snapshot") => {
            operation = "delete_all".into();
        }
        ("ecs", "update-service") if line.value("--desired-count") == Some("0") => operation = "scale_to_zero".into(),
        _ => {}
    }
    if operation == "secret" {
        found.push(Effect::new(Kind::Secret, "read", target.clone(), Read));
        operation = "read".into();
    }
    if operation == "grant" && command == "create-access-key" {
        found.push(Effect::new(Kind::Secret, "create", target.clone(), Write));
    }
    found.push(effect(operation, target, severity));
}

/// What a call of an operation does, which IAM names `ec2:RebootInstances`: under the names that the same command of
/// `aws` has, so that one rule is about both. One effect for each resource that it names.
pub(in super::super) fn of_call(
    operation: &str,
    arguments: &serde_json::Value,
    (account, region): (&str, &str),
    resources: &[&str],
    severity: Severity,
) -> Vec<Effect> {
    let (service, name) = operation.split_once(':').unwrap_or(("", operation));
    let command = kebab(name);
    let entry = AWS.iter().find(|(own, name, ..)| *own == service && *name == command);
    let (mut verb, by_name) = match entry {
        Some((_, _, operation, severity)) => (Cow::Borrowed(*operation), *severity),
        None => by_verb(&command).unwrap_or((Cow::Borrowed("unknown"), Destructive)),
    };
    let mut severity = severity.max(by_name);
    if name == "SetDesiredCapacity" && arguments.get("DesiredCapacity").and_then(serde_json::Value::as_i64) == Some(0) {
        verb = "scale_to_zero".into();
        severity = Destructive;
    }
    let of = |resource: &str| {
        let target = shown(&format!("aws:{service}:{resource} profile={account} region={region}"));
        effect(verb.clone(), target, severity)
    };
    match resources {
        [] => vec![of("")],
        resources => resources.iter().map(|resource| of(resource)).collect(),
    }
}

/// `DescribeDBInstances` as the command line has it: `describe-db-instances`.
fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let begins = before.is_some_and(|before| {
            before.is_lowercase()
                || letters.get(at + 1).is_some_and(|next| before.is_uppercase() && next.is_lowercase())
        });
        if letter.is_uppercase() && begins {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// `aws:service:resource`, with profile and region where they are given.
fn aws_target(line: &Line<'_>, service: &str) -> String {
    const RESOURCES: &str = "--instance-ids --instance-id --bucket --table-name --secret-id --db-instance-identifier --db-cluster-identifier --stack-name --function-name --queue-url --topic-arn --user-name --role-name --cluster-name --cluster --service --group-id --volume-id --image-id --snapshot-id --vpc-id --subnet-id --hosted-zone-id --distribution-id --key-id --log-group-name --repository-name --load-balancer-arn --target-group-arn --auto-scaling-group-name --cluster-identifier --pipeline-name --environment-name --trail-name --backup-vault-name --user-pool-id --role-arn --policy-arn --name --names --id";
    let by_flag = RESOURCES.split(' ').find_map(|flag| line.value(flag)).unwrap_or_default();
    let resource = if line.operands.len() > 2 { line.rest(2).join(" ") } else { by_flag.to_owned() };
    let mut target = format!("aws:{service}:{resource}");
    for (flag, label) in [("--profile", "profile"), ("--region", "region")] {
        if let Some(value) = line.value(flag) {
            target.push_str(&format!(" {label}={value}"));
        }
    }
    shown(&target)
}

/// A cloud whose commands follow the convention.
struct Convention {
    name: &'static str,
    valued: &'static str,
    /// Command paths of which the convention knows nothing: `:` between words, `=` operation.
    exceptions: Tool,
    /// Flags that name the account.
    account: &'static str,
}

const fn exceptions(read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::Cloud, valued: "", read, write, destructive, dry: "" }
}

const GCLOUD: Convention = Convention {
    name: "gcloud",
    valued: "--sql --timeout --query-mode --read-timestamp --project --account --format --filter --region --zone --zones --limit --sort-by --configuration --impersonate-service-account --billing-project --verbosity --flags-file --log-http? --access-token-file --page-size --cluster --instance --instances --image --image-family --image-project --machine-type --network --subnet --service-account --scopes --metadata --metadata-from-file --tags --labels --disk --disks --source --source-snapshot --size --type --member --role --members --version --secret --data-file --replication-policy --command --container --platform --memory --cpu --set-env-vars --update-env-vars --to-revisions --num-nodes --node-pool --cluster-version --database --database-version --tier --root-password --user --host --password --backup --allow --source-ranges --target-tags --direction --priority --action --rules --ttl --rrdatas --dns-suffix --keyring --location --purpose --ciphertext-file --plaintext-file --topic --subscription --message --attribute --schedule --uri --http-method --runtime --entry-point --trigger-http? --trigger-topic --source-dir --config --substitutions --timeout --query --freshness --order --bucket --storage-class --condition --iam-account --key-file --expiration-time --file --output-file --name --description --display-name --organization --folder --parent --ssh-key-file --ssh-flag --port --strategy",
    exceptions: exceptions(
        "storage:cat=read storage:ls=read storage:du=read storage:hash=read kms:encrypt=read app:browse=read app:logs=read asset:search-all-resources=read asset:search-all-iam-policies=read auth:list=read config:list=read config:get-value=read config:get=read config:configurations:list=read info=read version=read topic=read iam:roles:describe=read logging:read=read compute:instances:get-serial-port-output=read compute:instances:tail-serial-port-output=read cheat-sheet=read components:list=read builds:log=read container:images:describe=read pubsub:subscriptions:pull=read meta=read",
        "auth:print-access-token=secret auth:print-identity-token=secret auth:application-default:print-access-token=secret auth:login=write auth:revoke=write auth:activate-service-account=write auth:configure-docker=write auth:application-default=write config:set=write config:unset=write config:configurations=write secrets:versions:access=secret container:clusters:get-credentials=write container:clusters:resize=write compute:ssh=run compute:scp=copy compute:start-iap-tunnel=run compute:reset-windows-password=secret compute:instances:create=run compute:config-ssh=write components=write storage:cp=copy storage:mv=move storage:rsync=sync storage:sign-url=grant functions:call=run run:jobs:execute=run sql:connect=run iam:service-accounts:keys:create=grant iam:service-accounts:sign-jwt=secret iam:service-accounts:sign-blob=secret cloud-shell=run app:deploy=apply run:deploy=apply functions:deploy=apply deployment-manager:deployments:create=apply builds:submit=run pubsub:topics:publish=send sql:import=write sql:export=write sql:backups:restore=restore kms:decrypt=secret init=write projects:undelete=write compute:instances:attach-disk=write compute:instances:detach-disk=write workflows:run=run workflows:execute=run scheduler:jobs:run=run ai:models:upload=write services:enable=write feedback=send survey=send",
        "services:disable=delete compute:instances:reset=stop projects:delete=delete_all storage:rm=delete storage:buckets:delete=delete pubsub:subscriptions:seek=purge logging:sinks:delete=disable_audit compute:instances:remove-metadata=delete kms:keys:versions:destroy=delete redis:instances:failover=write",
    ),
    account: "--project --account --configuration",
};

const AZ: Convention = Convention {
    name: "az",
    valued: "-q --querytext --file-path --database-name --subscription -g --resource-group -n --name -o --output --query -l --location --ids --id --tags --vault-name --account-name --account-key --container-name -c -f --file -d --destination -s --source --pattern --resource-type --namespace --parent --scope --assignee --role --sku --image --size --admin-username --admin-password --vnet-name --nsg-name --server-name --server --database --connection-string --sas-token --expiry --permissions --template-file --template-uri --parameters -p --mode --value --cluster-name --node-count --command-id --scripts --version --secret --password --username -u --tenant -t --registry --repository --plan --runtime --settings --slot --src --type --workspace --start-time --end-time --interval --metric --resource --address-prefix --priority --access --protocol --organization --project --org --pipeline-id --branch --method --uri --url --body --headers -b",
    exceptions: exceptions(
        "group:wait=read bicep:list-versions=read bicep:version=read account:show=read account:list=read account:list-locations=read group:exists=read storage:blob:exists=read find=read version=read keyvault:list=read interactive=unknown storage:blob:url=read what-if=read deployment:group:what-if=read deployment:sub:what-if=read monitor:metrics:list=read webapp:log:tail=read aks:check-acr=read vm:list-ip-addresses=read graph:query=read monitor:log-analytics:query=read aks:browse=read advisor:recommendation:list=read consumption:usage:list=read",
        "keyvault:secret:show=secret keyvault:secret:download=secret keyvault:key:download=read keyvault:certificate:download=read keyvault:secret:backup=secret storage:account:keys:list=secret storage:account:show-connection-string=secret cosmosdb:keys:list=secret acr:credential:show=secret redis:list-keys=secret servicebus:namespace:authorization-rule:keys:list=secret webapp:deployment:list-publishing-profiles=secret webapp:deployment:list-publishing-credentials=secret functionapp:keys:list=secret account:get-access-token=secret ad:sp:create-for-rbac=grant ad:sp:credential:reset=grant ad:app:credential:reset=grant ad:user:create=grant role:assignment:create=grant keyvault:set-policy=grant storage:blob:generate-sas=grant storage:account:generate-sas=grant storage:container:generate-sas=grant vm:run-command:invoke=run vm:extension:set=run vm:create=run vm:start=write vm:restart=write vm:user:update=grant aks:get-credentials=secret aks:command:invoke=run vmss:run-command:invoke=run login=write logout=write configure=write account:set=write account:clear=write deployment:group:create=apply deployment:sub:create=apply webapp:ssh=run ssh=run container:exec=run containerapp:exec=run storage:blob:upload=copy storage:blob:download=copy storage:blob:upload-batch=copy storage:copy=copy acr:build=run acr:run=run acr:login=write pipelines:run=run functionapp:deployment:list-publishing-profiles=secret functionapp:deployment:list-publishing-credentials=secret functionapp:deployment=apply webapp:up=apply webapp:deploy=apply extension=write upgrade=write cloud=write config=write bicep=write keyvault:recover=write keyvault:secret:recover=write sql:db:restore=write aks:scale=write network:nsg:rule:create=grant sql:server:firewall-rule:create=grant feedback=send",
        "group:delete=delete_all storage:blob:sync=sync_delete storage:blob:delete-batch=delete_all vm:redeploy=write keyvault:purge=delete rest=unknown resource:invoke-action=unknown monitor:diagnostic-settings:delete=disable_audit lock:delete=delete vm:deallocate=stop",
    ),
    account: "--subscription",
};

const OCI: Convention = Convention {
    name: "oci",
    valued: "--profile --region --config-file --compartment-id -c --output --query --instance-id --bucket-name -bn --namespace -ns --name --display-name --action --id --file --object-name --auth --endpoint --from-json --wait-for-state --max-wait-seconds --limit --page --sort-by --sort-order --lifecycle-state --availability-domain --shape --image-id --subnet-id --vcn-id --autonomous-database-id --secret-id --cluster-id",
    exceptions: exceptions(
        "",
        "setup=write session=write secrets:secret-bundle:get=secret iam:policy:create=grant compute:instance:launch=run compute:instance:action=stop raw-request=unknown os:object:bulk-upload=copy os:object:bulk-download=copy",
        "os:object:bulk-delete=delete_all os:object:sync=sync",
    ),
    account: "--profile",
};

const IBM: Convention = Convention {
    name: "ibmcloud",
    valued: "-r --region -g --resource-group -c --account --output -q? --cluster --worker --name -n --key --bucket --instance-id --service --json-file -a --api-endpoint -u -p --apikey",
    exceptions: exceptions(
        "target=read regions=read plugin:list=read resource:service-instances=read resource:groups=read is:instances=read ks:clusters=read ks:workers=read api=read catalog=read account:list=read iam:users=read",
        "login=write logout=write plugin=write config=write iam:api-key-create=grant iam:service-api-key-create=grant ks:cluster:config=secret resource:service-instance-create=write is:instance-create=run",
        "resource:service-instance-delete=delete is:instance-delete=delete iam:api-key-delete=delete resource:reclamation-delete=delete ks:cluster:rm=delete ks:worker:rm=delete",
    ),
    account: "-c --account",
};

const DOCTL: Convention = Convention {
    name: "doctl",
    valued: "-t --access-token -u --api-url -c --config --context -o --output --format --region --size --image --ssh-keys --tag-name --tag-names --user-data --user-data-file --vpc-uuid --version --node-pool --count --name --spec --record-type --record-name --record-data --record-ttl --engine --num-nodes --droplet-ids --command --ssh-user --type",
    exceptions: exceptions(
        "auth:list=read account:get=read balance=read invoice=read apps:logs=read serverless:activations=read compute:region:list=read projects:resources=read apps:spec:get=read",
        "auth=write kubernetes:cluster:kubeconfig=secret k8s:cluster:kubeconfig=secret databases:connection=secret dbs:connection=secret compute:ssh=run registry:login=write registry:kubernetes-manifest=secret registry:docker-config=secret compute:droplet-action:power-on=write compute:droplet-action:reboot=write compute:droplet-action:snapshot=write compute:droplet-action:resize=write apps:create-deployment=apply serverless:functions:invoke=run compute:droplet:create=run databases:user:reset=grant registry:garbage-collection=write",
        "compute:droplet-action:power-off=stop compute:droplet-action:shutdown=stop compute:droplet-action:rebuild=delete compute:droplet-action:restore=restore compute:droplet-action:power-cycle=stop compute:droplet-action:password-reset=grant registry:delete=delete",
    ),
    account: "--context",
};

const LINODE: Convention = Convention {
    name: "linode",
    valued: "--label --region --type --image --root_pass --format --as-user --page --page-size --order-by --tags --authorized_keys --node_pools.type --node_pools.count --k8s_version --engine",
    exceptions: exceptions(
        "show-users=read obj:ls=read obj:la=read obj:du=read regions=read events=read account:view=read networking:ips-list=read",
        "configure=write lke:kubeconfig-view=secret databases:mysql-creds-view=secret databases:postgresql-creds-view=secret linodes:boot=write obj:put=copy obj:get=copy set-user=write linodes:reboot=write linodes:create=run obj:setacl=grant obj:mb=write",
        "linodes:shutdown=stop linodes:rebuild=delete obj:rb=delete obj:del=delete lke:kubeconfig-delete=delete",
    ),
    account: "--as-user",
};

const HCLOUD: Convention = Convention {
    name: "hcloud",
    valued: "--context --config --endpoint -o --output --name --type --image --location --datacenter --ssh-key --user-data-from-file --network --volume --firewall --label -l --selector --server --size --poll-interval --zone --reverse --ip",
    exceptions: exceptions(
        "server:metrics=read context:list=read context:active=read",
        "context=write server:poweron=write server:ssh=run server:create=run server:reboot=write server:create-image=write server:enable-rescue=write server:request-console=secret server:reset-password=grant server:change-type=write",
        "server:poweroff=stop server:rebuild=delete server:reset=stop server:shutdown=stop",
    ),
    account: "--context",
};

const SMALL: Convention = Convention {
    name: "cloud",
    valued: "-p --profile -c --config -o --output -z --zone -A --use-account -Q? --project-id --organization-id --region",
    exceptions: exceptions(
        "info=read config:get=read config:dump=secret config:list=read account:list=read",
        "init=write config=write k8s:kubeconfig:get=secret k8s:kubeconfig:install=secret instance:server:ssh=run login=write iam:api-key:create=grant sks:kubeconfig=secret feedback=read shell=unknown alias=write instance:server:create=run",
        "instance:server:terminate=delete",
    ),
    account: "-p --profile -A",
};

const ALIYUN: Convention = Convention {
    name: "aliyun",
    valued: "-p --profile --region --RegionId --InstanceId --output --endpoint --secretId --secretKey",
    exceptions: exceptions(
        "oss:ls=read oss:stat=read oss:cat=read",
        "configure=write oss:cp=copy oss:sync=sync oss:mb=write oss:sign=grant sts:AssumeRole=assume_role",
        "oss:rm=delete",
    ),
    account: "-p --profile",
};

fn by_convention(cloud: &Convention, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, cloud.valued);
    conventional(cloud, &line, found);
}

fn conventional(cloud: &Convention, line: &Line<'_>, found: &mut Vec<Effect>) {
    if line.operands.is_empty() || line.asks_for_help() || line.operands.contains(&"help") {
        return;
    }
    if by_statement(line, found) {
        return;
    }
    let mut target = format!("{}:{}", cloud.name, line.operands.join(" "));
    if let Some(account) = line.value(cloud.account) {
        target.push_str(&format!(" account={account}"));
    }
    if let Some(group) = line.value("-g --resource-group -n --name").filter(|_| cloud.name == "az") {
        target.push_str(&format!(" {group}"));
    }
    let target = shown(&target);
    let listed_verb = cloud.exceptions.verb(line).filter(|verb| verb.operation != "unknown");
    let is_refused = cloud.exceptions.verb(line).is_some_and(|verb| verb.operation == "unknown" && verb.length > 0);
    let (mut operation, mut severity) = match listed_verb {
        Some(verb) => (verb.operation, verb.severity),
        None if is_refused => (Cow::Borrowed("unknown"), Destructive),
        None => match verb_among(&line.operands) {
            Verbed::Known(operation, severity) => (operation, severity),
            // A group of commands without its command prints its usage.
            Verbed::Group => return,
            Verbed::Unknown => (Cow::Borrowed("unknown"), Destructive),
        },
    };
    if line.says("--dry-run --dryrun --validate-only --what-if") {
        severity = Read;
    }
    if operation == "secret" {
        found.push(Effect::new(Kind::Secret, "read", target.clone(), Read));
        operation = "read".into();
        severity = Read;
    }
    if operation == "write"
        && line.operands.iter().any(|word| word.contains("iam-policy") || word.contains("role-assignment"))
    {
        operation = "grant".into();
    }
    if operation == "sync" && line.has("--delete --delete-unmatched-destination-objects") {
        operation = "sync_delete".into();
        severity = Destructive;
    }
    if operation == "delete" && line.has("-r --recursive -R --all") {
        operation = "delete_all".into();
    }
    found.push(effect(operation, target, severity));
}

enum Verbed {
    Known(Cow<'static, str>, Severity),
    Group,
    Unknown,
}

/// The verb among the words of a command: the first, behind its group, that is one. `x:y` parts a
/// word for clouds that write it so, and words of capitals as in `DescribeInstances` are parted.
fn verb_among(operands: &[&str]) -> Verbed {
    const DEPTH_MAX: usize = 6;
    const NOUNS: &str = "snapshot backup image tag label log logs metrics access alert events status version test config filter lock release clone restore connect share query search export record monitor index bundle grant info key policy connection content history link mount notification preview example top diff batch run call build deploy command console transfer archive register exec set audit test display print trace";
    if operands.iter().take(2).any(|word| is_unknown(word)) {
        return Verbed::Unknown;
    }
    // The first word is a group's name, `log` and `test` too.
    let words: Vec<String> =
        operands.iter().take(DEPTH_MAX).skip(usize::from(operands.len() > 1)).map(|word| dashed(word)).collect();
    let is_noun = |word: &str| listed(NOUNS, word.split('-').next().unwrap_or(word));
    let is_exact = |word: &&String| by_verb(word).is_some() && !word.contains('-');
    // `logs delete`, `snapshot list`: a whole word that is a verb and nothing else decides before
    // one that is a noun as well, and both before the first part of a word.
    let verb = words
        .iter()
        .filter(is_exact)
        .find(|word| !is_noun(word))
        .or_else(|| words.iter().find(|word| word.contains('-') && by_verb(word).is_some() && !is_noun(word)))
        .or_else(|| words.iter().find(is_exact));
    // `ips-list`, `service-instance-delete`: noun first.
    let by_tail = || words.iter().filter(|word| word.contains('-')).find_map(|word| by_verb(word.rsplit('-').next()?));
    if let Some((operation, severity)) = verb.and_then(|word| by_verb(word)).or_else(by_tail) {
        let before = words.iter().position(|word| Some(word) == verb).unwrap_or(words.len());
        // What stands before the verb must be known, or it may be the verb.
        if words.iter().take(before).any(|word| is_unknown(word)) {
            return Verbed::Unknown;
        }
        return Verbed::Known(operation, severity);
    }
    if words.iter().any(|word| is_unknown(word)) {
        return Verbed::Unknown;
    }
    if operands.len() == 1 { Verbed::Group } else { Verbed::Unknown }
}

fn dashed(word: &str) -> String {
    if !word.chars().next().is_some_and(char::is_uppercase) {
        return word.to_owned();
    }
    let mut text = String::new();
    for c in word.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(c.to_lowercase());
    }
    text
}

fn gcloud(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let mut line = Line::read(argv.words, GCLOUD.valued);
    if matches!(line.operand(0), Some("beta" | "alpha" | "preview")) {
        line.operands.remove(0);
    }
    conventional(&GCLOUD, &line, found);
}

const fn tool(valued: &'static str, read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::Cloud, valued, read, write, destructive, dry: "--dry-run -n" }
}

const FORGE: Tool = Tool {
    kind: Kind::Cloud,
    valued: "-R --repo -H --head -B --base -t --title -b --body -F --body-file -l --label -a --assignee -m --milestone -r --reviewer -p --project -L --limit -s --state -S --search -q --jq -T --template --json --hostname -X --method -f --raw-field --field --input --ref -w --workflow -e --env -o --org -u --user --target --notes -n --notes-file --commit --branch --job --log-level -c --clone? --description --visibility --gitignore --license --remote --add-label --remove-label --comment -k --key --app -d --subject --match-head-commit --cache --preview -g --group --source-branch --target-branch",
    read: "auth:status=read pr:list=read pr:view=read pr:status=read pr:diff=read pr:checks=read issue:list=read issue:view=read issue:status=read repo:list=read repo:view=read release:list=read release:view=read run:list=read run:view=read run:watch=read workflow:list=read workflow:view=read gist:list=read gist:view=read label:list=read search=read browse=read status=read secret:list=read variable:list=read variable:get=read cache:list=read ssh-key:list=read gpg-key:list=read config:get=read config:list=read alias:list=read extension:list=read extension:search=read ruleset=read project:list=read project:view=read project:item-list=read project:field-list=read org=read completion=read codespace:list=read codespace:logs=read codespace:view=read release:download=download run:download=download attestation=read mr:list=read mr:view=read mr:diff=read mr:issues=read ci:list=read ci:view=read ci:status=read ci:trace=read ci:lint=read ci:get=read pipeline:list=read repo:search=read repo:contributors=read incident:list=read incident:view=read schedule:list=read token:list=read check-update=read user=read version=read repo:deploy-key:list=read variable:export=secret changelog=read cluster=read iteration=read milestone:list=read label:get=read preview=read agent-task:list=read agent-task:view=read release:verify=read licenses=read repo:gitignore=read repo:license=read auth:docker-helper=read",
    write: "auth:login=write auth:logout=write auth:refresh=write auth:setup-git=write auth:switch=write auth:token=secret pr:create=write pr:edit=write pr:comment=write pr:review=write pr:merge=merge pr:close=write pr:reopen=write pr:checkout=write pr:co=write pr:ready=write pr:lock=write pr:unlock=write pr:update-branch=write pr:revert=write issue:create=write issue:edit=write issue:comment=write issue:close=write issue:reopen=write issue:pin=write issue:unpin=write issue:lock=write issue:unlock=write issue:transfer=write issue:develop=write repo:create=write repo:clone=copy repo:fork=write repo:edit=write repo:rename=write repo:sync=sync repo:set-default=write repo:deploy-key=grant repo:unarchive=write repo:autolink=write release:create=publish release:edit=write release:upload=copy run:rerun=run run:cancel=stop workflow:run=run workflow:enable=write workflow:disable=stop gist:create=publish gist:edit=write gist:clone=copy gist:rename=write label:create=write label:edit=write label:clone=write secret:set=secret_set variable:set=write ssh-key:add=grant gpg-key:add=grant config:set=write config:clear-cache=write alias=write extension=write project=write codespace:create=run codespace:ssh=run codespace:code=run codespace:cp=copy codespace:stop=stop codespace:edit=write codespace:rebuild=write codespace:ports=run codespace:jupyter=run copilot=write mr:create=write mr:update=write mr:merge=merge mr:close=write mr:reopen=write mr:note=write mr:approve=write mr:revoke=write mr:rebase=write mr:checkout=write mr:for=write mr:subscribe=write mr:unsubscribe=write mr:todo=write issue:update=write issue:note=write issue:board=write issue:subscribe=write ci:run=run ci:retry=run ci:cancel=stop ci:trigger=run ci:run-trig=run pipeline:run=run repo:transfer=grant repo:mirror=write repo:members=grant repo:publish=publish incident=write schedule=write token:create=grant token:rotate=grant variable:update=write duo=write stack=write milestone:create=write milestone:edit=write repo:update=write deploy-key=grant preview=read agent-task:create=run repo:archive=stop ci:artifact=copy snippet=write",
    destructive: "repo:delete=delete release:delete=delete release:delete-asset=delete issue:delete=delete run:delete=delete gist:delete=delete label:delete=delete secret:delete=delete variable:delete=delete cache:delete=delete ssh-key:delete=delete gpg-key:delete=delete codespace:delete=delete repo:deploy-key:delete=delete project:delete=delete project:item-delete=delete project:field-delete=delete mr:delete=delete ci:delete=delete pipeline:delete=delete schedule:delete=delete token:revoke=delete milestone:delete=delete securefile:remove=delete deploy-key:delete=delete",
    dry: "",
};

fn forge(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, FORGE.valued);
    if line.operand(0) == Some("api") {
        api(&line, found);
        return;
    }
    let mut line = line;
    if let Some(first) = line.operands.first_mut().filter(|first| **first == "cs") {
        *first = "codespace";
    }
    let Some(mut verb) = FORGE.verb(&line) else { return };
    let target = match line.value("-R --repo") {
        Some(repository) => shown(format!("{repository} {}", line.target(verb.length)).trim()),
        None => line.target(verb.length),
    };
    if verb.operation == "merge" && line.has("--admin") {
        verb.severity = Destructive;
    }
    match verb.operation.as_ref() {
        "secret" => {
            found.push(Effect::new(Kind::Secret, "read", target, Read));
            return;
        }
        "secret_set" => {
            found.push(Effect::new(Kind::Secret, "write", target, Write));
            return;
        }
        "write" if line.operand(0) == Some("repo") && line.value("--visibility").is_some() => {
            verb.operation = "grant".into()
        }
        _ => {}
    }
    found.push(effect(verb.operation, target, verb.severity));
}

/// `gh api`: the method decides; fields make it a POST.
fn api(line: &Line<'_>, found: &mut Vec<Effect>) {
    let target = line.target(1);
    let has_fields = line.has("-f --raw-field -F --field --input");
    let method = line.value("-X --method").unwrap_or(if has_fields { "POST" } else { "GET" }).to_uppercase();
    let is_query = line.operand(1) == Some("graphql")
        && !line.has("--input")
        && !line.texts().any(|text| text.contains("mutation") || is_unknown(text) || text.contains("=@"));
    let (operation, severity) = match method.as_str() {
        "GET" | "HEAD" => ("read", Read),
        "POST" if is_query => ("read", Read),
        "DELETE" => ("delete", Destructive),
        "POST" | "PUT" | "PATCH" => ("write", Write),
        _ => ("unknown", Destructive),
    };
    found.push(effect(operation, target, severity));
}

const STORAGE_READ: &str = "ls lsd lsl lsf lsjson tree cat head size stat du check md5sum sha1sum hashsum about version listremotes config:show=secret info la diff find ping hash status ncdu cryptcheck checksum backend:features=read obscure config:file=read config:providers=read config:paths=read getlifecycle getpolicy cors:get=read iam:get=read acl:get=read versioning:get=read lifecycle:get=read defacl:get=read anonymous:get=read anonymous:list=read policy:list=read admin:info=read alias:list=read alias:ls=read event:list=read retention:info=read tag:list=read replicate:ls=read replicate:status=read watch sql support=read admin:*:list=read admin:*:info=read admin:*:ls=read admin:trace=read admin:logs=read";
const STORAGE_WRITE: &str = "cp=copy copy copyto copyurl=copy put=copy get=copy upload=copy download=copy mv=move move moveto=move rename=move mb=write mkdir=write sync=sync rsync=sync mirror=sync bisync=sync mount=write serve=listen rcat=copy pipe=copy touch=write settier=write setmeta=write rewrite=write compose=write setacl=grant setpolicy=grant acl=grant defacl=grant iam=grant policy=grant anonymous=grant signurl=grant presign=grant share=grant link=grant config=write alias=write cors=write web=write website=write logging=write label=write notification=write event=write defstorageclass=write kms=write hmac=grant requesterpays=write rpo=write ubla=write pap=grant versioning=write lifecycle=write retention=write encrypt=write tag=write admin=write admin:user=grant admin:policy=grant admin:accesskey=grant admin:service=write admin:config=write replicate=write ilm=write quota=write setlifecycle=write modify=write sign=grant ws-create=write fixbucket=write perfdiag=write autoclass=write legalhold=write undo=restore od=write ready=read update=write selfupdate=write rc=unknown restore=write setversioning=write setcors=write accesslog=write multipart=read rcd=listen gitannex=write archive=write test=read";
const STORAGE_DESTRUCTIVE: &str = "rm=delete del=delete delete=delete deletefile=delete rmdir=delete rmdirs=delete rb=delete remove=delete purge=delete_all cleanup=delete dedupe=delete expire=delete dellifecycle=delete delpolicy=delete delcors=delete abortmp=delete cryptdecode=secret config:delete=delete admin:user:remove=delete admin:user:rm=delete admin:policy:remove=delete admin:service:stop=stop retention:clear=delete versioning:suspend=delete backend=unknown hmac:delete=delete tag:remove=delete event:remove=delete batch=unknown admin:*:rm=delete admin:*:remove=delete reconnect=write run=unknown admin:decommission=delete_all";

fn storage(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    const STORAGE: Tool = Tool {
        kind: Kind::Cloud,
        valued: "",
        read: STORAGE_READ,
        write: STORAGE_WRITE,
        destructive: STORAGE_DESTRUCTIVE,
        dry: "",
    };
    let valued = match argv.program {
        "gsutil" => "-o -h -u -i -x -y -s -c -l -b? -j -J? -p",
        "s3cmd" => {
            "-c --config --region --host --host-bucket --access_key --secret_key --exclude --include --rexclude --rinclude --exclude-from --include-from --add-header --mime-type --storage-class --acl-grant --acl-revoke --profile --expiry-days --days --limit --limit-rate"
        }
        "s5cmd" => {
            "--endpoint-url --profile --credentials-file --numworkers --log --retry-count --exclude --include --storage-class --concurrency --acl -c -p"
        }
        "rclone" => {
            "--config --transfers --checkers --include --exclude --filter --filter-from --include-from --exclude-from --files-from --max-age --min-age --max-size --min-size --bwlimit --log-file --log-level --backup-dir --suffix --max-delete --stats --drive-root-folder-id --s3-region --addr --user --pass --rc-addr --contimeout --timeout --retries --tpslimit --order-by --compare-dest --copy-dest -o"
        }
        _ => {
            "-C --config-dir --older-than --newer-than --exclude --limit-upload --limit-download --attr --tags --storage-class --encrypt-key --enc-c --enc-s3 --version-id --vid --rewind --name --expire --resolve --region -a --path"
        }
    };
    let mut line = Line::read(argv.words, valued);
    if argv.program == "gsutil" && line.operand(0) == Some("-m") {
        line.operands.remove(0);
    }
    let Some(mut verb) = STORAGE.verb(&line) else { return };
    let target = line.target(verb.length);
    let removes = match argv.program {
        "rclone" => {
            verb.operation == "sync" && line.operand(0) != Some("bisync")
                || line.has("--delete-before --delete-after --delete-during --delete-excluded")
        }
        "gsutil" => verb.operation == "sync" && line.has("-d"),
        "mc" | "mcli" => verb.operation == "sync" && line.has("--remove"),
        _ => line.has("--delete-removed --delete"),
    };
    if verb.operation == "sync" && removes {
        verb.operation = "sync_delete".into();
        verb.severity = Destructive;
    }
    if verb.operation == "delete" && line.has("-r -R --recursive --force --all") {
        verb.operation = "delete_all".into();
    }
    let is_dry = match argv.program {
        "gsutil" => line.operand(0) == Some("rsync") && line.says("-n"),
        "mc" | "mcli" => line.says("--dry-run --fake"),
        _ => line.says("-n --dry-run"),
    };
    if is_dry {
        verb.severity = Read;
    }
    if verb.operation == "secret" {
        found.push(Effect::new(Kind::Secret, "read", target, Read));
        return;
    }
    if verb.severity == Read && !is_dry {
        verb.operation = "read".into();
    }
    if verb.operation == "listen" {
        found.push(Effect::new(Kind::Network, "listen", line.value("--addr --rc-addr").unwrap_or("localhost"), Write));
    }
    found.push(effect(verb.operation, target, verb.severity));
}

const HEROKU: Tool = tool(
    "-f --file -a --app -r --remote -t --team --size -n --num -s --source -d --dyno --region --stack --buildpack --as --name --confirm -c --command",
    "apps apps/info=read info=read ps=read logs=read config/get=secret config=secret releases=read releases/info=read addons=read addons/info=read addons/plans=read addons/services=read pg=read pg/info=read pg/ps=read pg/diagnose=read pg/outliers=read pg/locks=read pg/backups=read pg/backups/info=read pg/wait=read domains=read certs=read access=read auth/whoami=read pipelines=read pipelines/info=read status=read regions=read stack=read buildpacks=read drains=read labs=read maintenance=read orgs=read teams=read members=read webhooks=read redis=read redis/info=read spaces=read keys=read auth/token=secret pg/credentials/url=secret redis/credentials=secret ps/type=read features=read notifications=read reviewapps=read ci=read version=read pg/upgrade/status=read",
    "create=write apps/create=write apps/rename=write apps/stacks/set=write config/set=write config/edit=write ps/scale=write ps/resize=write ps/type=write ps/restart=restart restart=restart dyno/restart=restart ps/exec=run run=run run/detached=run ps/copy=copy ps/forward=run releases/rollback=rollback rollback=rollback addons/create=write addons/attach=write addons/upgrade=write addons/open=read pg/backups/capture=backup pg/backups/schedule=write pg/backups/url=grant pg/backups/download=copy pg/copy=copy pg/push=copy pg/pull=copy pg/promote=write pg/psql=run pg/killall=stop pg/kill=stop pg/maintenance=write pg/credentials/create=grant pg/credentials/rotate=grant pg/upgrade=write domains/add=write certs/add=write certs/auto=write access/add=grant access/update=grant members/add=grant members/set=grant auth/login=write login=write logout=write container/push=copy container/release=apply container/login=write pipelines/promote=apply pipelines/add=write pipelines/create=write pipelines/diff=read maintenance/on=stop maintenance/off=write buildpacks/set=write buildpacks/add=write drains/add=write labs/enable=write features/enable=write keys/add=grant redis/cli=run redis/maxmemory=write redis/promote=write local=run git/clone=copy authorizations/create=grant webhooks/add=write plugins=write update=write open=read ps/wait=read ps/autoscale/enable=write ps/autoscale/disable=write spaces/create=write apps/transfer=grant apps/lock=write apps/unlock=write apps/join=grant git/remote=write",
    "apps/destroy=delete_all destroy=delete_all config/unset=delete addons/destroy=delete addons/detach=delete addons/downgrade=delete pg/reset=delete_all pg/backups/restore=restore pg/backups/delete=delete pg/backups/unschedule=delete pg/backups/cancel=stop pg/unfollow=delete pg/credentials/destroy=delete pg/credentials/repair_default=grant domains/remove=delete domains/clear=delete certs/remove=delete access/remove=delete members/remove=delete pipelines/destroy=delete pipelines/remove=delete ps/stop=stop ps/kill=stop dyno/stop=stop dyno/kill=stop drains/remove=delete container/rm=delete keys/remove=delete keys/clear=delete spaces/destroy=delete_all authorizations/revoke=delete buildpacks/remove=delete buildpacks/clear=delete labs/disable=stop webhooks/remove=delete redis/timeout=write container/rm=delete apps/leave=delete",
);

/// The operands as a target, without what `NAME=value` sets: these tools set secrets that way.
fn redacted(line: &Line<'_>, at: usize) -> String {
    let names: Vec<String> = line
        .rest(at)
        .iter()
        .map(|word| word.split_once('=').map_or_else(|| (*word).to_owned(), |(name, _)| format!("{name}=[redacted]")))
        .collect();
    shown(&names.join(" "))
}

/// Tools that write their verbs as one word with `:` in it, by which the tables part words: there it
/// stands as `/`.
fn colon_verbs(tool: &Tool, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, tool.valued);
    let verb = line.operand(0).unwrap_or_default().replace(':', "/");
    if line.asks_for_help() || verb.is_empty() {
        return;
    }
    if argv.program == "heroku" && by_statement(&line, found) {
        return;
    }
    let app = line.value("-a --app -P --project -s --site").unwrap_or_default();
    let Some(known) = tool.verb(&Line::of(vec![verb.as_str()])) else { return };
    let target = shown(format!("{}:{app} {}", argv.program, redacted(&line, 1)).trim());
    if known.operation == "secret" {
        found.push(Effect::new(Kind::Secret, "read", target, Read));
        return;
    }
    found.push(effect(known.operation, target, known.severity));
}

const TOOLS: &[(&str, Tool)] = &[
    (
        "flyctl fly",
        tool(
            "-a --app -c --config -t --access-token -o --org -r --region -i --image --vm-size -n --count --strategy -e --env -s --size --machine -C --command -u --user -q?",
            "status=read logs=read info=read apps:list=read list=read machine:list=read machines:list=read m:list=read machine:status=read volumes:list=read volume:list=read vol:list=read volumes:show=read secrets:list=read ips:list=read certs:list=read certs:show=read certs:check=read config:show=read config:validate=read config:env=read releases=read history=read checks=read regions:list=read platform=read orgs:list=read orgs:show=read auth:whoami=read postgres:list=read pg:list=read redis:list=read redis:status=read doctor=read version=read services=read image:show=read scale:show=read auth:token=secret docs=read dashboard=read ping=read dig=read metrics=read mpg:list=read mpg:status=read tokens:list=read settings=read volumes:snapshots:list=read",
            "deploy=apply launch=apply apps:create=write apps:restart=restart apps:open=read apps:move=write apps:suspend=stop apps:resume=write machine:start=write machine:stop=stop machine:restart=restart machine:run=run machine:create=run machine:update=write machine:clone=write machine:exec=run machine:cordon=write machine:uncordon=write machine:suspend=stop machine:leases=write scale=write scale:count=write scale:vm=write secrets:set=write secrets:import=write secrets:deploy=apply secrets:sync=write volumes:create=write volumes:extend=write volumes:fork=write volumes:update=write volumes:snapshots:create=backup ips:allocate-v4=write ips:allocate-v6=write ips:private=read certs:add=write certs:create=write ssh=run console=run sftp=copy proxy=run postgres:create=write postgres:connect=run postgres:attach=write postgres:restart=restart postgres:failover=write postgres:config=write pg:connect=run pg:create=write redis:create=write redis:connect=run redis:update=write orgs:create=write orgs:invite=grant tokens:create=grant tokens:attenuate=grant auth:login=write auth:logout=write auth:signup=write config:save=write image:update=apply wireguard=grant extensions=write ext=write storage:create=write storage:update=write storage:list=read agent=write mpg=write migrate=apply mysql=write auth:docker=write consul=write",
            "apps:destroy=delete_all destroy=delete_all machine:destroy=delete machine:remove=delete machine:kill=stop machines:destroy=delete m:destroy=delete volumes:destroy=delete volumes:delete=delete volume:destroy=delete vol:destroy=delete secrets:unset=delete ips:release=delete certs:remove=delete certs:delete=delete orgs:delete=delete_all orgs:remove=delete tokens:revoke=delete postgres:detach=delete redis:destroy=delete redis:reset=delete_all storage:destroy=delete_all mpg:destroy=delete_all",
        ),
    ),
    (
        "vercel",
        tool(
            "-t --token -S --scope --cwd -A --local-config -Q --global-config -b --build-env -e --env -m --meta --target --regions --name -n?",
            "ls=read list=read inspect=read logs=read whoami=read domains:ls=read dns:ls=read certs:ls=read env:ls=read project:ls=read project:inspect=read projects:ls=read alias:ls=read teams:ls=read bisect=read help=read target=read blob:list=read httpstat=read integration:list=read edge-config:ls=read curl=read crons=read",
            "deploy=apply build=run dev=run link=write pull=secret env:pull=secret env:add=write env:update=write promote=apply redeploy=apply rollback=rollback alias=write alias:set=write domains:add=write domains:buy=write domains:move=write domains:transfer-in=write dns:add=write dns:import=write certs:issue=write project:add=write projects:add=write login=write logout=write switch=write init=write git=write teams=write blob:put=copy blob:copy=copy open=read cache=write telemetry=write install=write integration=write target:add=write",
            "rm=delete remove=delete env:rm=delete domains:rm=delete dns:rm=delete certs:rm=delete project:rm=delete_all projects:rm=delete_all alias:rm=delete blob:del=delete cache:purge=delete integration:remove=delete target:remove=delete blob:store:remove=delete_all",
        ),
    ),
    (
        "netlify",
        tool(
            "-d --dir -f --functions -s --site -m --message -a --auth --alias -c --context --filter -p --port",
            "status=read sites/list=read env/list=secret env/get=secret functions/list=read watch=read addons/list=read logs=read api=unknown teams/list=read blobs/list=read blobs/get=read recipes/list=read open=read help=read completion=read",
            "deploy=apply build=run dev=run serve=run init=write link=write unlink=write login=write logout=write sites/create=write env/set=write env/import=write env/clone=write functions/create=write functions/invoke=run functions/build=run functions/serve=run addons/create=write addons/config=write addons/auth=write blobs/set=write switch=write recipes=write clone=copy integration=write db=write",
            "sites/delete=delete_all env/unset=delete addons/delete=delete blobs/delete=delete unlink-all=delete",
        ),
    ),
    (
        "wrangler",
        tool(
            "-c --config -e --env --name --account-id --namespace-id --binding --file --command --local-protocol --port --var --project-name --branch --commit-hash -f --format --tag --message --jurisdiction --location",
            "whoami=read tail=read deployments:list=read deployments:status=read versions:list=read versions:view=read kv:namespace:list=read kv:key:list=read kv:key:get=read kv=read r2:bucket:list=read r2:bucket:info=read d1:list=read d1:info=read d1:insights=read d1:migrations:list=read secret:list=read queues:list=read queues:info=read pages:project:list=read pages:deployment:list=read pages:deployment:tail=read types=read docs=read check=read hyperdrive:list=read hyperdrive:get=read vectorize:list=read vectorize:get=read workflows:list=read workflows:describe=read pipelines:list=read cert:list=read d1:time-travel:info=read",
            "deploy=apply publish=apply dev=run init=write generate=write login=write logout=write secret:put=write secret:bulk=write versions:upload=write versions:deploy=apply rollback=rollback triggers=write kv:namespace:create=write kv:key:put=write kv:bulk:put=write kv:bulk:get=read r2:bucket:create=write r2:object:put=copy r2:bucket:cors=write r2:bucket:lifecycle=write r2:bucket:domain=write d1:create=write d1:migrations:create=write d1:migrations:apply=write queues:create=write queues:update=write queues:consumer:add=write queues:pause-delivery=stop queues:resume-delivery=write pages:deploy=apply pages:publish=apply pages:dev=run pages:project:create=write pages:secret:put=write hyperdrive:create=write hyperdrive:update=write vectorize:create=write vectorize:insert=write dispatch-namespace=write workflows:trigger=run workflows:instances=write pipelines:create=write telemetry=write cert:upload=write containers=write r2:object:get=copy d1:export=copy",
            "delete=delete_all secret:delete=delete kv:namespace:delete=delete_all kv:key:delete=delete kv:bulk:delete=delete_all r2:bucket:delete=delete r2:object:delete=delete d1:delete=delete_all d1:execute=execute d1:time-travel:restore=restore queues:delete=delete queues:purge=purge queues:consumer:remove=delete pages:project:delete=delete_all pages:deployment:delete=delete pages:secret:delete=delete hyperdrive:delete=delete vectorize:delete=delete workflows:delete=delete pipelines:delete=delete",
        ),
    ),
    (
        "firebase",
        tool(
            "-P --project -m --message --only --except --account --token --config -p --port --region --data --shallow? --location",
            "projects/list=read apps/list=read apps/sdkconfig=read functions/list=read functions/log=read functions/config/get=secret functions/secrets/access=secret functions/secrets/get=read hosting/channel/list=read hosting/sites/list=read hosting/sites/get=read firestore/indexes=read firestore/databases/list=read firestore/databases/get=read database/get=read database/profile=read database/instances/list=read ext/list=read remoteconfig/get=read remoteconfig/versions/list=read login/list=read target=read help=read appdistribution/testers/list=read auth/export=secret apphosting/backends/list=read apphosting/backends/get=read open=read emulators/export=read",
            "deploy=apply serve=run emulators/start=run emulators/exec=run use=write init=write login=write logout=write login/ci=grant login/add=write login/use=write projects/create=write projects/addfirebase=write apps/create=write functions/config/set=write functions/config/clone=write functions/secrets/set=write functions/shell=run functions/config/export=secret hosting/channel/create=write hosting/channel/deploy=apply hosting/channel/open=read hosting/clone=write hosting/sites/create=write database/push=write database/update=write database/settings/set=write database/instances/create=write database/settings/get=read ext/install=write ext/update=write ext/configure=write ext/export=read remoteconfig/rollback=rollback target/apply=write auth/import=write firestore/databases/create=write firestore/databases/update=write firestore/backups/list=read appdistribution/distribute=publish experiments/enable=write setup/emulators=write apphosting=write dataconnect=write experiments=write",
            "firestore/delete=delete firestore/databases/delete=delete_all firestore/databases/restore=restore firestore/backups/delete=delete database/remove=delete database/set=delete functions/delete=delete functions/config/unset=delete functions/secrets/destroy=delete functions/secrets/prune=delete hosting/disable=stop hosting/channel/delete=delete hosting/sites/delete=delete ext/uninstall=delete target/clear=delete target/remove=delete projects/delete=delete_all apphosting/backends/delete=delete database/import=write",
        ),
    ),
    (
        "railway",
        tool(
            "-s --service -e --environment -p --project",
            "status=read logs=read list=read whoami=read variables=secret docs=read open=read version=read deployment:list=read",
            "up=apply deploy=apply redeploy=apply restart=restart init=write link=write unlink=write login=write logout=write run=run ssh=run connect=run shell=run add=write environment=write service=write volume=write scale=write dev=run functions=write variables:set=write starship=read domain=write",
            "down=delete delete=delete_all environment:delete=delete_all volume:delete=delete volume:detach=delete",
        ),
    ),
    (
        "render",
        tool(
            "-o --output --confirm? -s --service",
            "services=read deploys:list=read logs=read workspace:current=read workspace:list=read workspaces=read whoami=read projects=read environments=read jobs:list=read",
            "deploys:create=apply restart=restart jobs:create=run ssh=run login=write workspace:set=write services:create=write blueprints=apply psql=run",
            "deploys:cancel=stop jobs:cancel=stop services:delete=delete_all",
        ),
    ),
    (
        "eb",
        tool(
            "-e --environment -r --region --profile -p --platform -t --timeout -l --label --cname --scale",
            "status=read health=read list=read events=read logs=read printenv=secret console=read platform:list=read platform:show=read config:list=read config:get=read",
            "deploy=apply create=write init=write use=write setenv=write scale=write upgrade=write swap=write clone=write ssh=run open=read config=write config:save=write config:put=write codesource=write labs=write local=run appversion=write restore=restore migrate=write platform=write tags=write",
            "terminate=delete_all abort=stop config:delete=delete appversion:delete=delete platform:delete=delete",
        ),
    ),
    (
        "copilot",
        tool(
            "-a --app -e --env -n --name -t --type --tag --region --profile",
            "app:ls=read app:show=read env:ls=read env:show=read svc:ls=read svc:show=read svc:status=read svc:logs=read job:ls=read job:logs=read pipeline:ls=read pipeline:show=read pipeline:status=read version=read docs=read svc:package=read job:package=read env:package=read",
            "init=apply deploy=apply app:init=write app:upgrade=write env:init=write env:deploy=apply env:upgrade=write svc:init=write svc:deploy=apply svc:exec=run svc:pause=stop svc:resume=write job:init=write job:deploy=apply job:run=run task:run=run task:exec=run secret:init=write pipeline:init=write pipeline:deploy=apply storage:init=write run=run svc:override=write",
            "app:delete=delete_all env:delete=delete_all svc:delete=delete job:delete=delete task:delete=delete pipeline:delete=delete",
        ),
    ),
    (
        "cf",
        tool(
            "-a -o -s -u -p -i -k -m -f -b -t --strategy -n --hostname -c",
            "apps=read app=read a=read services=read service=read s=read orgs=read org=read spaces=read space=read target=read t=read routes=read domains=read logs=read events=read marketplace=read m=read buildpacks=read env=secret e=secret service-key=secret service-keys=read security-groups=read quotas=read version=read oauth-token=secret org-users=read space-users=read tasks=read plugins=read stacks=read feature-flags=read",
            "push=apply p=apply start=write st=write restart=restart rs=restart restage=restart rg=restart scale=write set-env=write se=write create-*=write bind-*=write unbind-*=stop map-route=write unmap-route=stop update-*=write enable-*=write disable-*=stop login=write l=write logout=write lo=write auth=write api=write set-*=grant unset-*=stop share-*=write ssh=run run-task=run rt=run rollback=rollback copy-source=write rename*=write install-plugin=write cancel-deployment=stop allow-space-ssh=grant config=write",
            "delete=delete d=delete delete-*=delete ds=delete sp=stop stop=stop purge-*=delete_all terminate-task=stop curl=unknown restart-app-instance=restart uninstall-plugin=delete",
        ),
    ),
    (
        "stripe",
        tool(
            "--api-key --project-name -p --profile --color --config --log-level -d --data -e --expand -i --idempotency -l --limit --forward-to --events",
            "get=read logs=read status=read listen=read open=read samples=read version=read *:list=read *:retrieve=read *:search=read resources=read help=read",
            "post=write trigger=write login=write logout=write *:create=write *:update=write *:confirm=write *:capture=write *:finalize_invoice=write *:send_invoice=write *:pay=write fixtures=write serve=run *:attach=write *:resume=write config=write",
            "delete=delete *:delete=delete *:cancel=stop *:void_invoice=delete *:refund=delete *:expire=stop *:detach=delete *:mark_uncollectible=write",
        ),
    ),
];
