//! Looking at a target: every source is asked side by side with the others, in waves, since some name what the next
//! ones ask for (a group of logs, the members of a group).
//!
//! Each call has its own end: the account's `timeout_ms` and the limits of the tool. Between the waves the time is
//! looked at as well. A source that fails, is not granted or comes too late is a gap, by name, and never health. A new
//! source is one entry in a list below, with the function that reads it.

use pi_sdk::{Value, json};

use super::aws::{self, field, list, text};
use super::evidence::{Alarm, Change, Group, Seen, State, before};
use super::inspect;
use super::metrics::{self, Query};
use super::script;
use super::target::{Kind, Target};
use crate::facts::{ProbeResult, read};
use crate::instant::rfc3339;
use crate::settings::Settings;
use crate::world::{Call, Trouble, World};

/// Groups of logs, target groups and alarms that are followed: somebody may have thousands.
const LOG_GROUPS_MAX: usize = 6;
const TARGET_GROUPS_MAX: usize = 10;
const ALARMS_MAX: usize = 10;
/// Lines of the console that are kept: the last ones say what it came to.
const CONSOLE_LINES_MAX: usize = 60;
/// What a line must say to be looked for in a group that holds more than can be read.
const LOUD: &str =
    "?ERROR ?Error ?error ?WARN ?FATAL ?Fatal ?CRITICAL ?Exception ?panic ?denied ?refused ?\"timed out\"";

/// What is looked at, and since when it counts.
pub struct Look<'a> {
    pub target: &'a Target,
    pub settings: &'a Settings,
    pub alert: &'a Value,
    pub id: &'a str,
    pub onset_ms: u64,
    /// A command may be sent to the instance.
    pub with_inspection: bool,
    /// What was healed on the way, and has to be proved well beside the target.
    pub also: &'a [String],
}

/// What one wave finds for the next.
#[derive(Default)]
struct Leads {
    agent_metrics: Vec<Query>,
    log_groups: Vec<String>,
    target_groups: Vec<String>,
    group: Option<String>,
    alarms: Vec<String>,
    /// What these alarms watch.
    alarm_metrics: Vec<Query>,
    /// Databases beside or behind the target.
    databases: Vec<String>,
}

type Reader = Box<dyn Fn(&mut Seen, &mut Leads, &Value)>;

/// One thing to ask, for people and for the host, and who reads the answer.
struct Source {
    what: String,
    call: Call,
    read: Reader,
    /// That there is no such thing means that the target is gone.
    is_identity: bool,
}

impl Source {
    fn new(what: &str, call: Call, read: impl Fn(&mut Seen, &mut Leads, &Value) + 'static) -> Self {
        Self { what: what.into(), call, read: Box::new(read), is_identity: false }
    }
}

/// Look at everything that can be seen of the target.
pub fn observe(world: &mut dyn World, look: &Look) -> Seen {
    let begin = world.now_ms();
    let mut seen = Seen::of(look.target, look.alert, look.id);
    let mut leads = Leads::default();
    let first = probes(look.target).into_iter().chain(first(look, begin)).collect();
    gather(world, &mut seen, &mut leads, first);
    seen.time_ms = world.now_ms();
    if seen.gone.is_none() {
        let found: Vec<Query> = leads.agent_metrics.iter().chain(&leads.alarm_metrics).cloned().collect();
        seen.queries = metrics::queries(look.target, &found);
        let second = second(look, &leads, &seen.queries, begin);
        let names: Vec<String> = second.iter().map(|source| source.what.clone()).collect();
        if world.now_ms().saturating_sub(begin) < u64::from(look.settings.cloud.observe_ms_max) {
            gather(world, &mut seen, &mut leads, second);
        } else {
            names.iter().for_each(|name| seen.miss(format!("{name}: not read, the time for looking was used up")));
        }
        if look.with_inspection {
            inspect_it(world, &mut seen, look);
        }
    }
    for _ in 1..look.settings.observe_probes {
        world.sleep(look.settings.observe_interval_ms);
        gather(world, &mut seen, &mut leads, vec![probe(look.target)]);
    }
    seen.time_ms = world.now_ms();
    describe_service(&mut seen, look.target);
    seen
}

/// The state of the target alone; none where it cannot be read.
pub fn state(world: &mut dyn World, target: &Target) -> Option<State> {
    let sources = match target.kind() {
        Kind::Instance => instance_sources(target).into_iter().take(2).collect(),
        Kind::Database => database_sources(target),
        Kind::Cluster => cluster_sources(target),
    };
    let mut seen = Seen::default();
    gather(world, &mut seen, &mut Leads::default(), sources);
    Some(seen.state).filter(|state| !state.status.is_empty())
}

/// These metrics of the target alone.
pub fn measure(world: &mut dyn World, look: &Look, queries: &[Query]) -> Seen {
    let now = world.now_ms();
    let mut seen = Seen::of(look.target, look.alert, look.id);
    seen.queries = queries.to_vec();
    let queries = queries.to_vec();
    let from = look.onset_ms.saturating_sub(u64::from(look.settings.cloud.window_ms));
    let call = metrics::call(look.target, &queries, from, now);
    let source = Source::new("metrics", call, move |seen, _, answer| metrics::read(seen, &queries, answer));
    gather(world, &mut seen, &mut Leads::default(), vec![source]);
    seen
}

/// Ask all of them side by side.
fn gather(world: &mut dyn World, seen: &mut Seen, leads: &mut Leads, sources: Vec<Source>) {
    let calls: Vec<Call> = sources.iter().map(|source| source.call.clone()).collect();
    let answers = world.call(&calls);
    seen.time_ms = world.now_ms();
    for (source, answer) in sources.iter().zip(answers) {
        match answer {
            Ok(answer) => {
                (source.read)(seen, leads, &answer);
                if field(&answer, "Truncated") == &json!(true) && !source.what.starts_with("logs") {
                    seen.miss(format!("{}: cut off, there was more than is read", source.what));
                }
            }
            Err(trouble) if source.is_identity && aws::is_gone(&trouble) => seen.gone = Some(trouble.to_string()),
            Err(trouble) => seen.miss(gap(source, &trouble)),
        }
    }
}

fn gap(source: &Source, trouble: &Trouble) -> String {
    match source.call.arguments["operation"].as_str() {
        Some(operation) => format!("{} (`{operation}`): {trouble}", source.what),
        None => format!("{}: {trouble}", source.what),
    }
}

fn probe(target: &Target) -> Source {
    let call = Call::new("service_probe", json!({ "name": target.service }));
    Source::new("the probe of the target", call, |seen, _, answer| {
        match read::<ProbeResult>("service_probe", Ok(answer.clone())) {
            Ok(probe) => seen.subject.probes.push((seen.time_ms, probe)),
            Err(gap) => seen.miss(gap),
        }
    })
}

/// The target, what it needs and what needs it.
fn probes(target: &Target) -> Vec<Source> {
    let other = |name: &String, is_needed: bool| {
        let (call, name) = (Call::new("service_probe", json!({ "name": name })), name.clone());
        Source::new(&format!("the probe of `{name}`"), call, move |seen, _, answer| {
            if let Ok(probe) = read::<ProbeResult>("service_probe", Ok(answer.clone())) {
                let of = if is_needed { &mut seen.dependencies } else { &mut seen.neighbours };
                of.insert(name.clone(), probe.healthy);
            }
        })
    };
    let mut sources = vec![probe(target)];
    sources.extend(target.depends_on.iter().map(|name| other(name, true)));
    // What needs the target is ill with it: that it is not worse afterwards is all that is asked.
    sources.extend(target.dependents.iter().map(|name| other(name, false)));
    sources
}

fn first(look: &Look, now: u64) -> Vec<Source> {
    let target = look.target;
    let id = target.id();
    let mut sources = match target.kind() {
        Kind::Instance => instance_sources(target),
        Kind::Database => database_sources(target),
        Kind::Cluster => cluster_sources(target),
    };
    if target.kind() != Kind::Instance {
        let source_type = if target.kind() == Kind::Database { "db-instance" } else { "db-cluster" };
        let arguments = json!({ "SourceIdentifier": id, "SourceType": source_type,
            "StartTime": before(look.onset_ms, u64::from(look.settings.cloud.window_ms)), "EndTime": rfc3339(now) });
        sources.push(Source::new("events of the database", target.read("rds:DescribeEvents", arguments), rds_events));
    }
    let name = id.to_owned();
    sources.push(Source::new(
        "alarms",
        target.read("cloudwatch:DescribeAlarms", json!({ "StateValue": "ALARM", "AlarmTypes": ["MetricAlarm"] })),
        move |seen, leads, answer| alarms(seen, leads, answer, &name),
    ));
    let arguments = json!({
        "LookupAttributes": [{ "AttributeKey": "ResourceName", "AttributeValue": id }],
        "StartTime": before(look.onset_ms, u64::from(look.settings.cloud.window_ms)), "EndTime": rfc3339(now), "MaxResults": 50,
    });
    sources.push(Source::new("recent changes", target.read("cloudtrail:LookupEvents", arguments), trail));
    if !look.settings.cloud.log_groups.contains_key(&target.service) {
        let mut names = vec![id.to_owned()];
        if target.service != id {
            names.push(target.service.clone());
        }
        for name in names {
            let arguments = json!({ "logGroupNamePattern": name });
            sources.push(Source::new(
                "groups of logs",
                target.read("logs:DescribeLogGroups", arguments),
                move |_, leads, answer| {
                    let groups = list(answer, "LogGroups").map(|group| text(group, "LogGroupName").to_owned());
                    leads.log_groups.extend(groups.filter(|group| group.contains(&name)).take(LOG_GROUPS_MAX));
                },
            ));
        }
    }
    sources
}

fn instance_sources(target: &Target) -> Vec<Source> {
    let id = target.id().to_owned();
    let ids = json!({ "InstanceIds": [id] });
    let with_id = |read: fn(&mut Seen, &mut Leads, &Value, &str)| {
        let id = id.clone();
        move |seen: &mut Seen, leads: &mut Leads, answer: &Value| read(seen, leads, answer, &id)
    };
    vec![
        Source {
            is_identity: true,
            ..Source::new("its state", target.read("ec2:DescribeInstances", ids.clone()), with_id(instance))
        },
        Source::new(
            "its status checks",
            target.read("ec2:DescribeInstanceStatus", json!({ "InstanceIds": [id], "IncludeAllInstances": true })),
            with_id(checks),
        ),
        Source::new(
            "its console output",
            target.read("ec2:GetConsoleOutput", json!({ "InstanceId": id })),
            with_id(console),
        ),
        Source::new(
            "its volumes",
            target.read(
                "ec2:DescribeVolumes",
                json!({ "Filters": [{ "Name": "attachment.instance-id", "Values": [id] }] }),
            ),
            with_id(volumes),
        ),
        Source::new(
            "what its agent measures",
            target.read(
                "cloudwatch:ListMetrics",
                json!({ "Namespace": "CWAgent", "Dimensions": [{ "Name": "InstanceId", "Value": id }] }),
            ),
            |_, leads, answer| leads.agent_metrics = metrics::found(answer),
        ),
        Source::new(
            "whether commands reach it",
            target.read(
                "ssm:DescribeInstanceInformation",
                json!({ "Filters": [{ "Key": "InstanceIds", "Values": [id] }] }),
            ),
            with_id(|seen, _, answer, id| {
                let mut all = list(answer, "InstanceInformationList");
                seen.is_managed =
                    Some(all.any(|it| text(it, "InstanceId") == id && text(it, "PingStatus") == "Online"));
            }),
        ),
        Source::new(
            "its auto-scaling group",
            target.read("autoscaling:DescribeAutoScalingInstances", ids),
            with_id(|_, leads, answer, id| {
                let mut all = list(answer, "AutoScalingInstances").filter(|it| text(it, "InstanceId") == id);
                leads.group = all.next().map(|it| text(it, "AutoScalingGroupName").to_owned());
            }),
        ),
        Source::new(
            "its target groups",
            target.read("elasticloadbalancing:DescribeTargetGroups", json!({})),
            |_, leads, answer| {
                let all = list(answer, "TargetGroups").map(|it| text(it, "TargetGroupArn").to_owned());
                leads.target_groups = all.take(TARGET_GROUPS_MAX).collect();
            },
        ),
    ]
}

fn database_sources(target: &Target) -> Vec<Source> {
    let arguments = json!({ "DBInstanceIdentifier": target.id() });
    let id = target.id().to_owned();
    let read = move |seen: &mut Seen, leads: &mut Leads, answer: &Value| database(seen, leads, answer, &id);
    vec![Source {
        is_identity: true,
        ..Source::new("its state", target.read("rds:DescribeDBInstances", arguments), read)
    }]
}

fn cluster_sources(target: &Target) -> Vec<Source> {
    let arguments = json!({ "DBClusterIdentifier": target.id() });
    let id = target.id().to_owned();
    let read = move |seen: &mut Seen, leads: &mut Leads, answer: &Value| cluster(seen, leads, answer, &id);
    vec![Source {
        is_identity: true,
        ..Source::new("its state", target.read("rds:DescribeDBClusters", arguments), read)
    }]
}

/// What the first wave has led to.
fn second(look: &Look, leads: &Leads, queries: &[Query], now: u64) -> Vec<Source> {
    let (target, settings) = (look.target, look.settings);
    let mut sources = Vec::new();
    let queries = queries.to_vec();
    let from = look.onset_ms.saturating_sub(u64::from(settings.cloud.window_ms));
    let call = metrics::call(target, &queries, from, now);
    sources.push(Source::new("metrics", call, move |seen, _, answer| metrics::read(seen, &queries, answer)));
    for name in &leads.alarms {
        let arguments = json!({ "AlarmName": name, "HistoryItemType": "StateUpdate",
            "StartDate": before(look.onset_ms, u64::from(settings.cloud.window_ms)), "EndDate": rfc3339(now) });
        let call = target.read("cloudwatch:DescribeAlarmHistory", arguments);
        sources.push(Source::new("history of alarms", call, history));
    }
    let named = settings.cloud.log_groups.get(&target.service).unwrap_or(&leads.log_groups);
    let mut groups = named.clone();
    groups.sort();
    groups.dedup();
    for group in groups.iter().take(LOG_GROUPS_MAX) {
        // From the beginning of a window the first lines come first: what is loud is asked for by itself, so that a
        // talkative group cannot hide it.
        for pattern in [None, Some(LOUD)] {
            let mut arguments = json!({
                "logGroupName": group, "limit": settings.log_lines,
                "startTime": look.onset_ms.saturating_sub(u64::from(settings.cloud.log_window_ms)), "endTime": now,
            });
            if let Some(pattern) = pattern {
                arguments["filterPattern"] = json!(pattern);
            }
            let (call, group) = (target.read("logs:FilterLogEvents", arguments), group.clone());
            sources.push(Source::new(&format!("logs of `{group}`"), call, move |seen, _, answer| {
                for event in list(answer, "Events") {
                    seen.line(aws::time(event, "Timestamp"), &group, text(event, "Message"));
                }
            }));
        }
    }
    if let Some(name) = &leads.group {
        let call = target.read("autoscaling:DescribeAutoScalingGroups", json!({ "AutoScalingGroupNames": [name] }));
        let (name, id) = (name.clone(), target.id().to_owned());
        sources
            .push(Source::new("its auto-scaling group", call, move |seen, _, answer| group(seen, answer, &name, &id)));
    }
    for arn in &leads.target_groups {
        let call = target.read("elasticloadbalancing:DescribeTargetHealth", json!({ "TargetGroupArn": arn }));
        let (arn, id) = (arn.clone(), target.id().to_owned());
        sources
            .push(Source::new("its target groups", call, move |seen, _, answer| target_group(seen, answer, &arn, &id)));
    }
    for name in &leads.databases {
        let call = target.read("rds:DescribeDBInstances", json!({ "DBInstanceIdentifier": name }));
        let name = name.clone();
        sources.push(Source::new("databases beside it", call, move |seen, _, answer| {
            for it in list(answer, "DBInstances").filter(|it| text(it, "DBInstanceIdentifier") == name) {
                let status = text(it, "DBInstanceStatus");
                seen.neighbours.insert(name.clone(), status == "available");
                seen.resource("database", &name, json!({ "status": status }));
            }
        }));
    }
    sources
}

fn instance(seen: &mut Seen, _: &mut Leads, answer: &Value, id: &str) {
    let mut all = list(answer, "Reservations").flat_map(|it| list(it, "Instances"));
    let Some(it) = all.find(|it| text(it, "InstanceId") == id) else {
        seen.gone = Some(format!("`ec2:DescribeInstances` knows no instance `{id}`"));
        return;
    };
    let status = text(field(it, "State"), "Name").to_owned();
    if matches!(status.as_str(), "terminated" | "shutting-down") {
        seen.gone = Some(format!("its state is `{status}`"));
    }
    let reason = field(it, "StateReason");
    seen.state.why_stopped = [text(reason, "Code"), text(it, "StateTransitionReason")].join(" ").trim().to_owned();
    seen.state.class = text(it, "InstanceType").to_owned();
    seen.state.is_on_volumes = text(it, "RootDeviceType") == "ebs";
    seen.state.is_spot = text(it, "InstanceLifecycle") == "spot";
    seen.state.status = status;
}

fn checks(seen: &mut Seen, _: &mut Leads, answer: &Value, id: &str) {
    for it in list(answer, "InstanceStatuses").filter(|it| text(it, "InstanceId") == id) {
        seen.state.instance_check = text(field(it, "InstanceStatus"), "Status").to_owned();
        seen.state.system_check = text(field(it, "SystemStatus"), "Status").to_owned();
        if seen.state.status.is_empty() {
            seen.state.status = text(field(it, "InstanceState"), "Name").to_owned();
        }
        for event in list(it, "Events") {
            let message = format!("{}: {}", text(event, "Code"), text(event, "Description"));
            seen.event(aws::time(event, "NotBefore"), id, "scheduled", message);
        }
    }
}

fn console(seen: &mut Seen, _: &mut Leads, answer: &Value, id: &str) {
    let lines: Vec<&str> = text(answer, "Output").lines().filter(|line| !line.trim().is_empty()).collect();
    let source = format!("{id}/console");
    // When a line was written the console does not say, and it holds whole lives of the machine: those since the last
    // start are the ones of this life.
    let start = lines.iter().rposition(|line| line.contains("Linux version")).unwrap_or(0);
    let lines = lines.get(start..).unwrap_or_default();
    for line in lines.iter().skip(lines.len().saturating_sub(CONSOLE_LINES_MAX)) {
        seen.line(None, &source, line);
    }
}

fn volumes(seen: &mut Seen, _: &mut Leads, answer: &Value, id: &str) {
    for it in list(answer, "Volumes") {
        let state = json!({ "state": text(it, "State"), "size_gib": field(it, "Size"), "type": text(it, "VolumeType"),
            "iops": field(it, "Iops"), "instance_id": id });
        seen.resource("volume", text(it, "VolumeId"), state);
    }
}

fn database(seen: &mut Seen, leads: &mut Leads, answer: &Value, id: &str) {
    let Some(it) = list(answer, "DBInstances").find(|it| text(it, "DBInstanceIdentifier") == id) else {
        seen.gone = Some(format!("`rds:DescribeDBInstances` knows no database `{id}`"));
        return;
    };
    let state = &mut seen.state;
    state.status = text(it, "DBInstanceStatus").to_owned();
    state.class = text(it, "DBInstanceClass").to_owned();
    state.allocated_gib = field(it, "AllocatedStorage").as_u64();
    state.max_allocated_gib = field(it, "MaxAllocatedStorage").as_u64();
    state.is_multi_az = field(it, "MultiAZ") == &json!(true);
    state.cluster = Some(text(it, "DBClusterIdentifier").to_owned()).filter(|name| !name.is_empty());
    let source = text(it, "ReadReplicaSourceDBInstanceIdentifier");
    state.is_replica = !source.is_empty();
    let replicas = list(it, "ReadReplicaDBInstanceIdentifiers").filter_map(Value::as_str);
    let beside = replicas.chain(Some(source).filter(|source| !source.is_empty()));
    leads.databases.extend(beside.map(|name| name.rsplit(':').next().unwrap_or(name).to_owned()));
    if state.status == "deleting" {
        seen.gone = Some("its status is `deleting`".into());
    }
    let described = json!({
        "status": text(it, "DBInstanceStatus"), "engine": text(it, "Engine"), "class": text(it, "DBInstanceClass"),
        "allocated_storage": field(it, "AllocatedStorage"), "multi_az": field(it, "MultiAZ"),
        "pending": field(it, "PendingModifiedValues"), "replica_of": source,
    });
    seen.resource("database", id, described);
}

fn cluster(seen: &mut Seen, leads: &mut Leads, answer: &Value, id: &str) {
    let Some(it) = list(answer, "DBClusters").find(|it| text(it, "DBClusterIdentifier") == id) else {
        seen.gone = Some(format!("`rds:DescribeDBClusters` knows no cluster `{id}`"));
        return;
    };
    let member =
        |it: &Value| (text(it, "DBInstanceIdentifier").to_owned(), field(it, "IsClusterWriter") == &json!(true));
    seen.state.status = text(it, "Status").to_owned();
    seen.state.members = list(it, "DBClusterMembers").map(member).collect();
    leads.databases.extend(seen.state.members.iter().map(|(name, _)| name.clone()));
    let described = json!({ "status": seen.state.status, "engine": text(it, "Engine"), "writer": seen.state.writer(),
        "members": seen.state.members.len() });
    seen.resource("cluster", id, described);
}

fn rds_events(seen: &mut Seen, _: &mut Leads, answer: &Value) {
    for event in list(answer, "Events") {
        let kinds: Vec<&str> = list(event, "EventCategories").filter_map(Value::as_str).collect();
        let source = text(event, "SourceIdentifier").to_owned();
        seen.event(aws::time(event, "Date"), &source, &kinds.join(", "), text(event, "Message"));
    }
}

fn alarms(seen: &mut Seen, leads: &mut Leads, answer: &Value, id: &str) {
    let is_own = |it: &&Value| list(it, "Dimensions").any(|dimension| text(dimension, "Value") == id);
    for it in list(answer, "MetricAlarms").filter(is_own).take(ALARMS_MAX) {
        let name = text(it, "AlarmName").to_owned();
        let is_on = text(it, "StateValue") == "ALARM";
        seen.resource(
            "monitor",
            &name,
            json!({ "state": text(it, "StateValue"), "metric": text(it, "MetricName"), "target": id }),
        );
        seen.alarms.push(Alarm {
            is_on,
            metric: text(it, "MetricName").to_owned(),
            threshold: field(it, "Threshold").as_f64(),
            comparison: text(it, "ComparisonOperator").to_owned(),
            name: name.clone(),
        });
        leads.alarm_metrics.extend(metrics::of_alarm(it));
        leads.alarms.push(name);
    }
}

fn history(seen: &mut Seen, _: &mut Leads, answer: &Value) {
    for it in list(answer, "AlarmHistoryItems") {
        let source = text(it, "AlarmName").to_owned();
        seen.event(aws::time(it, "Timestamp"), &source, "alarm history", text(it, "HistorySummary"));
    }
}

fn trail(seen: &mut Seen, _: &mut Leads, answer: &Value) {
    for it in list(answer, "Events") {
        // Whoever only reads has changed nothing.
        let name = text(it, "EventName");
        let is_read = text(it, "ReadOnly") == "true"
            || ["Describe", "Get", "List", "Lookup"].iter().any(|it| name.starts_with(it));
        let Some(time_ms) = aws::time(it, "EventTime").filter(|_| !is_read) else { continue };
        let whole: Value = pi_sdk::serde_json::from_str(text(it, "CloudTrailEvent")).unwrap_or_default();
        // Nor has whoever was refused, and a dry run is: the trail keeps the error.
        if !text(&whole, "errorCode").is_empty() {
            continue;
        }
        let change = Change {
            time_ms,
            name: name.to_owned(),
            who: text(it, "Username").to_owned(),
            request: whole["requestParameters"].clone(),
            response: whole["responseElements"].clone(),
        };
        let request: String = change.request.to_string().chars().take(300).collect();
        seen.event(Some(time_ms), "cloudtrail", "change", format!("{name} by {}: {request}", change.who));
        seen.changes.push(change);
    }
}

fn group(seen: &mut Seen, answer: &Value, name: &str, id: &str) {
    let Some(it) = list(answer, "AutoScalingGroups").find(|it| text(it, "AutoScalingGroupName") == name) else {
        return;
    };
    let number = |key: &str| field(it, key).as_u64().unwrap_or(0);
    let members: Vec<&Value> = list(it, "Instances").collect();
    seen.group = Some(Group {
        name: name.to_owned(),
        min: number("MinSize"),
        max: number("MaxSize"),
        desired: number("DesiredCapacity"),
        members: members.len(),
    });
    for member in members.iter().filter(|member| text(member, "InstanceId") != id) {
        let is_well = text(member, "HealthStatus").eq_ignore_ascii_case("healthy");
        seen.neighbours.insert(text(member, "InstanceId").to_owned(), is_well);
    }
    let described = json!({ "desired": number("DesiredCapacity"), "min": number("MinSize"), "max": number("MaxSize"), "members": members.len() });
    seen.resource("auto_scaling_group", name, described);
}

fn target_group(seen: &mut Seen, answer: &Value, arn: &str, id: &str) {
    let all: Vec<&Value> = list(answer, "TargetHealthDescriptions").collect();
    let name_of = |it: &Value| text(field(it, "Target"), "Id").to_owned();
    // A group that the target is in.
    if !all.iter().any(|it| name_of(it) == id) {
        return;
    }
    let group = arn.split('/').nth(1).unwrap_or(arn).to_owned();
    for it in all {
        let (name, health) = (name_of(it), field(it, "TargetHealth"));
        let state = text(health, "State");
        if name == id {
            let described = json!({ "health": state, "reason": text(health, "Reason"), "detail": text(health, "Description"), "instance_id": id });
            seen.resource("target", &format!("{id}/{group}"), described);
        } else {
            // By both accounts, where there are two: whom one of them has for sick is not well.
            let is_well = state == "healthy" && seen.neighbours.get(&name) != Some(&false);
            seen.neighbours.insert(name, is_well);
        }
    }
}

fn inspect_it(world: &mut dyn World, seen: &mut Seen, look: &Look) {
    let target = look.target;
    match seen.is_managed {
        Some(true) => {}
        Some(false) => return seen.miss("the instance itself: it is not managed by SSM, or its agent is silent"),
        None => return,
    }
    let unit = look.settings.cloud.units.get(&target.service);
    let text = inspect::script(unit.map(String::as_str), &target.config_files, &target.log_files);
    let wait_ms = look.settings.cloud.command_ms_max;
    let call = script::send(
        target,
        &text,
        "pi-host: look at disks, memory, processes, units, files and the journal",
        wait_ms / 1_000,
    );
    match script::run(world, target, &call, wait_ms) {
        Ok(printed) => {
            seen.time_ms = world.now_ms();
            let inspection = inspect::read(printed["out"].as_str().unwrap_or_default());
            inspect::tell(seen, target, &inspection);
            seen.inspection = Some(inspection);
        }
        Err(trouble) => seen.miss(format!("the instance itself (`ssm:SendCommand`): {trouble}")),
    }
}

/// The service and the machine in the form of incident.json, from all that was found.
fn describe_service(seen: &mut Seen, target: &Target) {
    let id = target.id();
    if target.kind() == Kind::Instance && !seen.state.status.is_empty() {
        let state = &seen.state;
        let described = json!({
            "status": state.status, "instance_status": state.instance_check, "system_status": state.system_check,
            "instance_type": state.class, "is_spot": state.is_spot, "why_stopped": state.why_stopped,
        });
        seen.resource("instance", id, described);
    }
    if target.kind() != Kind::Instance && seen.state.is_up() && seen.is_silent() {
        // It runs by the cloud's account, and answers nothing.
        seen.resource("process", &format!("{id}/server"), json!({ "responding": false }));
    }
    if let Some((_, probe)) = seen.subject.probes.last().cloned() {
        let status = if seen.is_failing() { "unhealthy" } else { "healthy" };
        // Without an answer the words are the host's, and say nothing of the service's own.
        let detail = if probe.status_code.is_some() { probe.detail.clone() } else { String::new() };
        seen.resource("service", &target.service, json!({ "status": status, "detail": detail }));
    }
    for (name, is_well) in seen.dependencies.clone() {
        seen.resource("service", &name, json!({ "status": if is_well { "healthy" } else { "unhealthy" } }));
    }
}
