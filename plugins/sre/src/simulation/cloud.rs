//! A simulated cloud for the tests: one instance, database or cluster that falls ill by a fault, shows what such a
//! target shows through AWS's own answers, and is cured, made worse, or left as it is by operations. It is a [`World`]
//! like the real one, and time passes in it: a machine is away while it boots, metrics come by the minute.

use std::collections::BTreeMap;

use pi_sdk::model::{self, Answer as ModelAnswer, Error as ModelError, Info, Message, Part, Request, Role};
use pi_sdk::{Content, Definition, Effect, Error, Outcome, Task, Value, json};

use super::START_MS;
use crate::instant::{parse, rfc3339};
use crate::world::{Answer, Call, Level, Trouble, World};

pub const GOOD: &str = "listen = 9000\npool = 8\n";
pub const BAD: &str = "listen = 9000\npool = eight\n";
/// Since when it is ill: some minutes before the alarm.
const ILL_MS: u64 = START_MS - 300_000;
const BOOT_MS: u64 = 40_000;
const STOP_MS: u64 = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service is stuck: a new start of it, or of the machine, frees it.
    AppHung,
    /// The machine is stuck: a reboot frees it.
    OsHung,
    /// The machine below is ill: another one helps.
    Hardware,
    /// Somebody has stopped the machine.
    Stopped,
    /// Rotated logs fill the disk.
    FullOfLogs,
    /// Data fills it, which nobody may remove.
    FullOfData,
    /// The configuration is bad, and read at the start.
    BadFile,
    /// Too much to do for one machine: a second one helps.
    Hot,
    /// It fails whatever one does.
    Defect,
    /// After a reboot it does not come up any more.
    Brittle,
    /// No room in the database's storage.
    StorageFull,
    /// The database takes no connection until it boots, or its standby takes over.
    DatabaseHung,
    /// The writer of a cluster is stuck.
    WriterHung,
    /// It was made too small.
    TooSmall,
    /// The database's storage runs out, and nothing fails yet.
    StorageLow,
    /// It fails every third probe.
    Unsteady,
}

pub struct Cloud {
    pub now: u64,
    pub kind: &'static str,
    pub autonomy: &'static str,
    pub faults: Vec<Fault>,
    pub is_gone: bool,
    pub is_managed: bool,
    pub is_multi_az: bool,
    pub has_group: bool,
    /// An operation that harms those beside it.
    pub harms: Option<&'static str>,
    /// It is well by itself from then on.
    pub mends_at_ms: Option<u64>,
    /// Operations that changed something, and scripts by what they do.
    pub effects: Vec<String>,
    /// By operation: these answers come first, instead of anything being done.
    pub refused: BTreeMap<&'static str, Trouble>,
    /// By operation: take effect or not, and answer "unknown", once.
    pub unknown: BTreeMap<&'static str, bool>,
    pub trail: Vec<Value>,
    pub depends_on: Vec<String>,
    pub is_dependency_well: bool,
    /// What it needs is a database in the cloud that a reboot heals.
    pub has_cloud_dependency: bool,
    /// From then on what it needs is well, by other hands.
    pub dependency_mends_at_ms: Option<u64>,
    /// Its group of logs holds these as well.
    pub written: Vec<(u64, &'static str)>,
    /// The processor is shown as busy up to then.
    pub is_busy_until_ms: u64,
    /// The reader of the cluster is a service of the host too.
    pub has_reader_service: bool,
    /// The gate lets no script write a file.
    pub refuses_patches: bool,
    /// The host knows the files of its configuration.
    pub names_files: bool,
    pub model: Option<Vec<(&'static str, Value)>>,
    /// Every read, for what was asked.
    pub asked: Vec<String>,
    /// Scripts that were to be sent.
    pub commands_asked: u32,
    /// No metric has a value once something was done.
    pub is_unmeasured_after: bool,
    pub file: String,
    pub class: String,
    /// What people have written: names and texts.
    pub runbooks: Vec<(&'static str, String)>,
    pub storage_gib: u64,
    pub desired: u64,
    writer: &'static str,
    stopped_at: Option<u64>,
    started_at: Option<u64>,
    booted_at: u64,
    loaded: String,
    healed_at: Option<u64>,
    is_harmed: bool,
    is_down_for_good: bool,
    commands: Vec<(u64, Result<String, String>)>,
    questions: usize,
    probes: u32,
}

impl Cloud {
    pub fn new(kind: &'static str, faults: &[Fault]) -> Self {
        let has = |fault: Fault| faults.contains(&fault);
        let text = if has(Fault::BadFile) { BAD } else { GOOD };
        Self {
            now: START_MS,
            kind,
            autonomy: "auto",
            faults: faults.to_vec(),
            is_gone: false,
            is_managed: true,
            is_multi_az: false,
            has_group: has(Fault::Hot),
            harms: None,
            mends_at_ms: None,
            effects: Vec::new(),
            refused: BTreeMap::new(),
            unknown: BTreeMap::new(),
            trail: Vec::new(),
            depends_on: Vec::new(),
            is_dependency_well: true,
            has_cloud_dependency: false,
            dependency_mends_at_ms: None,
            written: Vec::new(),
            is_busy_until_ms: 0,
            has_reader_service: false,
            refuses_patches: false,
            names_files: true,
            model: None,
            asked: Vec::new(),
            commands_asked: 0,
            is_unmeasured_after: false,
            file: text.into(),
            class: if has(Fault::TooSmall) { "db.t3.micro" } else { "db.t3.large" }.into(),
            runbooks: Vec::new(),
            storage_gib: 20,
            desired: 2,
            writer: "orders-1",
            stopped_at: has(Fault::Stopped).then_some(ILL_MS),
            started_at: None,
            booted_at: START_MS - 86_400_000,
            loaded: text.into(),
            healed_at: None,
            is_harmed: false,
            is_down_for_good: false,
            commands: Vec::new(),
            questions: 0,
            probes: 0,
        }
    }

    pub fn instance(faults: &[Fault]) -> Self {
        Self::new("instance", faults)
    }

    pub fn with(mut self, autonomy: &'static str) -> Self {
        self.autonomy = autonomy;
        self
    }

    pub fn id(&self) -> &'static str {
        match self.kind {
            "instance" => "i-0abc",
            "database" => "orders-db",
            _ => "orders-cluster",
        }
    }

    /// Run the agent on an alarm of the service `orders`.
    pub fn wake(&mut self) -> (Outcome, Value) {
        self.wake_with(json!({ "cloud": { "units": { "orders": "orders.service" } } }), json!({ "service": "orders" }))
    }

    pub fn wake_with(&mut self, config: Value, about: Value) -> (Outcome, Value) {
        let mut alert = json!({
            "title": "orders fails its probe", "source": "services", "state": "raised",
            "since": rfc3339(START_MS - 240_000), "time": rfc3339(START_MS), "detail": "3 probes in a row failed",
        });
        for (key, value) in about.as_object().unwrap() {
            alert[key] = value.clone();
        }
        let input = super::with_runbooks(json!({ "alert": alert }), &self.runbooks).to_string();
        let task = Task { id: "s1".into(), prompt: String::new(), input, config: config.to_string() };
        let outcome = crate::wake::wake(self, &task).unwrap();
        let details = pi_sdk::serde_json::from_str(&outcome.details).unwrap();
        (outcome, details)
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn cure(&mut self, cured: &[Fault]) {
        let before = self.faults.len();
        self.faults.retain(|fault| !cured.contains(fault));
        if self.faults.len() < before && self.faults.is_empty() {
            self.healed_at = Some(self.now);
        }
    }

    /// What passes by itself, and a process that has read its file.
    fn pass(&mut self) {
        if self.mends_at_ms.is_some_and(|at| self.now >= at) {
            self.faults.clear();
            self.healed_at.get_or_insert(self.now);
        }
        self.is_dependency_well |= self.dependency_mends_at_ms.is_some_and(|at| self.now >= at);
        if self.has(Fault::BadFile) && self.loaded == GOOD {
            self.cure(&[Fault::BadFile]);
        }
    }

    fn boot(&mut self) {
        self.booted_at = self.now;
        self.loaded = self.file.clone();
        if self.has(Fault::Brittle) {
            self.is_down_for_good = true;
        }
        self.cure(&[Fault::AppHung, Fault::OsHung]);
    }

    fn status(&self) -> &'static str {
        if self.kind != "instance" {
            let is_booting = self.now < self.booted_at + BOOT_MS;
            return match () {
                () if is_booting => "rebooting",
                () if self.has(Fault::StorageFull) => "storage-full",
                () => "available",
            };
        }
        match (self.stopped_at, self.started_at) {
            (Some(at), None) if self.now < at + STOP_MS => "stopping",
            (Some(_), None) => "stopped",
            (_, Some(at)) if self.now < at + 15_000 => "pending",
            _ => "running",
        }
    }

    fn is_up(&self) -> bool {
        self.status() == "running" || self.status() == "available"
    }

    fn checks(&self) -> (&'static str, &'static str) {
        match () {
            () if self.status() != "running" => ("not-applicable", "not-applicable"),
            () if self.has(Fault::Hardware) => ("impaired", "impaired"),
            () if self.has(Fault::OsHung) || self.is_down_for_good => ("impaired", "ok"),
            () if self.now < self.booted_at + BOOT_MS => ("initializing", "initializing"),
            () => ("ok", "ok"),
        }
    }

    fn probe(&mut self) -> Value {
        self.probes += 1;
        let answer = |healthy: bool, status: Option<u16>, detail: &str| json!({ "healthy": healthy, "latency_ms": 5, "detail": detail, "status_code": status, "exit_code": null });
        let is_away = !self.is_up() || self.now < self.booted_at + BOOT_MS || self.is_down_for_good;
        if is_away || self.has(Fault::OsHung) || self.has(Fault::Hardware) {
            return answer(false, None, "timed out after 2000 ms");
        }
        let failing = [
            (Fault::AppHung, None, "timed out after 2000 ms"),
            (Fault::DatabaseHung, None, "timed out after 2000 ms"),
            (Fault::WriterHung, None, "timed out after 2000 ms"),
            (Fault::FullOfLogs, Some(500), "500: write: No space left on device"),
            (Fault::FullOfData, Some(500), "500: write: No space left on device"),
            (Fault::StorageFull, Some(500), "500: could not extend file: No space left on device"),
            (Fault::Defect, Some(500), "500: index out of bounds"),
            (Fault::TooSmall, Some(503), "503: overloaded"),
            (Fault::Hot, Some(503), "503: overloaded"),
        ];
        if let Some((_, status, detail)) = failing.into_iter().find(|(fault, ..)| self.has(*fault)) {
            return answer(false, status, detail);
        }
        if self.loaded == BAD {
            return answer(false, Some(500), "500: invalid configuration: pool: invalid digit");
        }
        if self.has(Fault::Unsteady) && self.probes.is_multiple_of(3) {
            return answer(false, Some(502), "502 Bad Gateway");
        }
        if !self.is_dependency_well {
            return answer(false, Some(503), "503: upstream stock: connection refused");
        }
        answer(true, Some(200), "200 OK")
    }

    fn call_one(&mut self, call: &Call) -> Answer {
        self.pass();
        let arguments = &call.arguments;
        match &*call.tool {
            "service_list" => {
                let place = json!({ "account": "prod", "region": "eu-west-1", "kind": self.kind, "id": self.id() });
                let mut services = json!([
                    { "name": "orders", "supervised": false, "depends_on": self.depends_on, "log_files": [], "ports": [],
                      "config_files": if self.names_files { vec!["/etc/orders.conf"] } else { vec![] }, "probe": "http https://orders.example/health", "cloud": place, "autonomy": self.autonomy },
                    { "name": "stock", "supervised": false, "depends_on": [], "log_files": [], "ports": [], "config_files": [],
                      "probe": "tcp stock:80", "autonomy": "auto",
                      "cloud": self.has_cloud_dependency.then(|| json!({ "account": "prod", "region": "eu-west-1", "kind": "database", "id": "stock-db" })) },
                ]);
                if self.has_reader_service {
                    let reader = json!({ "name": "reader", "supervised": false, "depends_on": [], "log_files": [], "ports": [], "config_files": [],
                        "probe": "tcp reader:5432", "autonomy": "auto",
                        "cloud": { "account": "prod", "region": "eu-west-1", "kind": "database", "id": "orders-2" } });
                    services.as_array_mut().unwrap().push(reader);
                }
                Ok(services)
            }
            "service_status" => Ok(
                json!({ "name": arguments["name"], "state": "external", "starts": 0, "exits": [], "process_states": "", "disks": [] }),
            ),
            "service_probe" if arguments["name"] == "orders" => Ok(self.probe()),
            "service_probe" => Ok(
                json!({ "healthy": self.is_dependency_well, "latency_ms": 2, "detail": if self.is_dependency_well { "" } else { "timed out after 2000 ms" }, "status_code": null, "exit_code": null }),
            ),
            "cloud_read" | "cloud_change" => {
                assert_eq!((&arguments["account"], &arguments["region"]), (&json!("prod"), &json!("eu-west-1")));
                let operation = arguments["operation"].as_str().unwrap().to_owned();
                let is_read = call.tool == "cloud_read";
                if is_read {
                    self.asked.push(operation.clone());
                }
                self.commands_asked += u32::from(operation == "ssm:SendCommand");
                if let Some(trouble) = self.refused.get(&*operation) {
                    return Err(trouble.clone());
                }
                if self.refuses_patches && arguments.to_string().contains("cat > '/etc/orders.conf'") {
                    return Err(Trouble::Refused {
                        action: "the script".into(),
                        rule: "write_system".into(),
                        reason: "it writes into the system's own folders".into(),
                        advice: "ask".into(),
                    });
                }
                let unknown = self.unknown.remove(&*operation);
                if unknown == Some(false) {
                    return Err(Trouble::Unknown("the host was killed".into()));
                }
                let answer = if is_read {
                    self.read(&operation, &arguments["arguments"])
                } else {
                    self.change(&operation, &arguments["arguments"])
                };
                if unknown == Some(true) { Err(Trouble::Unknown("the host was killed".into())) } else { answer }
            }
            other => Err(Trouble::NotGranted(format!("the tool `{other}`"))),
        }
    }

    fn read(&self, operation: &str, arguments: &Value) -> Answer {
        let id = self.id();
        if self.is_gone
            && ["ec2:DescribeInstances", "rds:DescribeDBInstances", "rds:DescribeDBClusters"].contains(&operation)
        {
            return Err(Trouble::Failed(format!("not found: The instance ID '{id}' does not exist")));
        }
        let (instance_check, system_check) = self.checks();
        Ok(match operation {
            "ec2:DescribeInstances" => json!({ "Reservations": [{ "Instances": [{
                "InstanceId": id, "State": { "Name": self.status() }, "InstanceType": "t3.medium", "RootDeviceType": "ebs",
                "StateReason": { "Code": "", "Message": "" }, "StateTransitionReason": "" }] }] }),
            "ec2:DescribeInstanceStatus" => json!({ "InstanceStatuses": [{
                "InstanceId": id, "InstanceState": { "Name": self.status() },
                "InstanceStatus": { "Status": instance_check }, "SystemStatus": { "Status": system_check }, "Events": [] }] }),
            "ec2:GetConsoleOutput" => {
                json!({ "InstanceId": id, "Output": "[    0.000000] Linux version 6.1\n[   12.0] cloud-init finished\n" })
            }
            "ec2:DescribeVolumes" => {
                json!({ "Volumes": [{ "VolumeId": "vol-1", "Size": 8, "State": "in-use", "VolumeType": "gp3" }] })
            }
            "cloudwatch:ListMetrics" => json!({ "Metrics": [] }),
            "cloudwatch:GetMetricData" => self.metrics(arguments),
            "cloudwatch:DescribeAlarms" => self.alarms(),
            "cloudwatch:DescribeAlarmHistory" => json!({ "AlarmHistoryItems": [] }),
            "logs:DescribeLogGroups" => json!({ "logGroups": [{ "logGroupName": "/app/orders" }] }),
            "logs:FilterLogEvents" => self.logs(),
            "cloudtrail:LookupEvents" => json!({ "Events": self.trail }),
            "ssm:DescribeInstanceInformation" => {
                let is_reached = self.is_managed && self.is_up() && instance_check == "ok";
                let status = if is_reached { "Online" } else { "ConnectionLost" };
                json!({ "InstanceInformationList": [{ "InstanceId": id, "PingStatus": status }] })
            }
            "ssm:GetCommandInvocation" => return self.command(arguments),
            "autoscaling:DescribeAutoScalingInstances" if self.has_group => {
                json!({ "AutoScalingInstances": [{ "InstanceId": id, "AutoScalingGroupName": "orders-group" }] })
            }
            "autoscaling:DescribeAutoScalingInstances" => json!({ "AutoScalingInstances": [] }),
            "autoscaling:DescribeAutoScalingGroups" => json!({ "AutoScalingGroups": [{
                "AutoScalingGroupName": "orders-group", "MinSize": 1, "MaxSize": 3, "DesiredCapacity": self.desired,
                "Instances": [{ "InstanceId": id, "HealthStatus": "Healthy" }, { "InstanceId": "i-0def", "HealthStatus": "Healthy" }] }] }),
            "elasticloadbalancing:DescribeTargetGroups" => {
                json!({ "TargetGroups": [{ "TargetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/orders/1" }] })
            }
            "elasticloadbalancing:DescribeTargetHealth" => {
                let beside = if self.is_harmed { "unhealthy" } else { "healthy" };
                json!({ "TargetHealthDescriptions": [
                    { "Target": { "Id": id }, "TargetHealth": { "State": if self.faults.is_empty() { "healthy" } else { "unhealthy" } } },
                    { "Target": { "Id": "i-0def" }, "TargetHealth": { "State": beside } } ] })
            }
            "rds:DescribeDBInstances" if arguments["DBInstanceIdentifier"] == "stock-db" => {
                json!({ "DBInstances": [{ "DBInstanceIdentifier": "stock-db", "DBInstanceStatus": "available", "DBInstanceClass": "db.t3.large", "AllocatedStorage": 20 }] })
            }
            "rds:DescribeDBInstances" if arguments["DBInstanceIdentifier"] != id => {
                let name = &arguments["DBInstanceIdentifier"];
                json!({ "DBInstances": [{ "DBInstanceIdentifier": name, "DBInstanceStatus": "available" }] })
            }
            "rds:DescribeDBInstances" => json!({ "DBInstances": [{
                "DBInstanceIdentifier": id, "DBInstanceStatus": self.status(), "DBInstanceClass": self.class, "Engine": "postgres",
                "AllocatedStorage": self.storage_gib, "MultiAZ": self.is_multi_az, "PendingModifiedValues": {}, "ReadReplicaDBInstanceIdentifiers": [] }] }),
            "rds:DescribeDBClusters" => json!({ "DBClusters": [{
                "DBClusterIdentifier": id, "Status": "available", "Engine": "aurora-postgresql", "DBClusterMembers": [
                    { "DBInstanceIdentifier": "orders-1", "IsClusterWriter": self.writer == "orders-1" },
                    { "DBInstanceIdentifier": "orders-2", "IsClusterWriter": self.writer == "orders-2" } ] }] }),
            "rds:DescribeEvents" => {
                let booted = self.booted_at > START_MS;
                let event = json!({ "SourceIdentifier": id, "Date": rfc3339(self.booted_at), "EventCategories": ["availability"], "Message": "DB instance restarted" });
                json!({ "Events": if booted { vec![event] } else { vec![] } })
            }
            other => return Err(Trouble::Failed(format!("`{other}` is no operation that reads"))),
        })
    }

    fn change(&mut self, operation: &str, arguments: &Value) -> Answer {
        let id = self.id();
        if arguments["DBInstanceIdentifier"] == "stock-db" {
            self.is_dependency_well = true;
            self.effects.push(format!("{operation} of stock-db"));
            return Ok(json!({}));
        }
        let is_about_it =
            [&arguments["InstanceIds"][0], &arguments["DBInstanceIdentifier"], &arguments["DBClusterIdentifier"]]
                .contains(&&json!(id));
        assert!(is_about_it || arguments["AutoScalingGroupName"] == "orders-group", "{operation} {arguments}");
        if self.harms == Some(operation) {
            self.is_harmed = !self.is_harmed;
        }
        match operation {
            "ssm:SendCommand" => return self.send(arguments),
            "ec2:RebootInstances" => self.boot(),
            "ec2:StopInstances" => {
                (self.stopped_at, self.started_at) = (Some(self.now), None);
                self.cure(&[Fault::Hardware]);
                if self.has(Fault::Brittle) {
                    self.cure(&[Fault::Brittle]);
                    self.is_down_for_good = false;
                }
            }
            "ec2:StartInstances" => {
                if self.status() != "stopped" {
                    return Err(Trouble::Failed("IncorrectInstanceState: it is not stopped".into()));
                }
                (self.stopped_at, self.started_at) = (None, Some(self.now));
                self.boot();
                self.cure(&[Fault::Stopped]);
            }
            "rds:RebootDBInstance" => {
                self.booted_at = self.now;
                self.cure(&[Fault::DatabaseHung]);
            }
            "rds:FailoverDBCluster" => {
                self.writer =
                    if arguments["TargetDBInstanceIdentifier"] == "orders-2" { "orders-2" } else { "orders-1" };
                self.cure(&[Fault::WriterHung]);
            }
            "rds:ModifyDBInstance" => {
                if let Some(gib) = arguments["AllocatedStorage"].as_u64() {
                    self.storage_gib = gib;
                    self.cure(&[Fault::StorageFull, Fault::StorageLow]);
                }
                if let Some(class) = arguments["DBInstanceClass"].as_str() {
                    self.class = class.to_owned();
                    if class == "db.t3.large" {
                        self.cure(&[Fault::TooSmall]);
                    }
                }
            }
            "autoscaling:SetDesiredCapacity" => {
                self.desired = arguments["DesiredCapacity"].as_u64().unwrap();
                if self.desired > 2 && self.harms.is_none() {
                    self.cure(&[Fault::Hot]);
                }
            }
            other => return Err(Trouble::Failed(format!("`{other}` is no operation that changes"))),
        }
        self.effects.push(operation.to_owned());
        Ok(json!({}))
    }

    /// The SSM agent on the instance, as far as scripts of this agent go.
    fn send(&mut self, arguments: &Value) -> Answer {
        let lines = arguments["Parameters"]["commands"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        let script = lines.collect::<Vec<_>>().join(
            "
",
        );
        let restart = |cloud: &mut Self| {
            cloud.loaded = cloud.file.clone();
            cloud.cure(&[Fault::AppHung]);
        };
        let out = if script.contains("=== disks") {
            Ok(self.shown())
        } else if script.contains("rm -f -- ") {
            let removed = "rm -f -- '/var/log/orders/orders.log.1'";
            assert!(script.contains(removed) && script.matches("rm -f").count() == 1, "{script}");
            self.effects.push("clear logs".into());
            self.cure(&[Fault::FullOfLogs]);
            Ok(self.disks())
        } else if script.contains("cat > '/etc/orders.conf' <<") {
            assert!(script.contains(&digest(&self.file)), "{script}");
            self.file = GOOD.into();
            self.effects.push("patch".into());
            Ok(String::new())
        } else if script.contains("cat -- '/etc/orders.conf.pi-host-") {
            self.file = BAD.into();
            self.effects.push("restore".into());
            Ok(String::new())
        } else if script.contains("cat /proc/uptime") {
            Ok(format!("{}.0 1.0\n", (self.now - self.booted_at) / 1_000))
        } else if script.starts_with("sha256sum") {
            Ok(format!("{}  -\n", digest(&self.file)))
        } else if script.contains("ActiveEnterTimestamp") {
            Ok(String::from("Thu 2026-01-01 00:00:00 UTC\n"))
        } else if script.starts_with("systemctl restart") {
            Ok("active\n".into())
        } else {
            Err(format!("unknown script: {script}"))
        };
        if script.contains("systemctl restart -- 'orders.service'") {
            if script.starts_with("systemctl") {
                self.effects.push("restart unit".into());
            }
            restart(self);
        }
        self.commands.push((self.now + 2_000, out));
        Ok(json!({ "Command": { "CommandId": format!("c{}", self.commands.len()), "Status": "Pending" } }))
    }

    fn command(&self, arguments: &Value) -> Answer {
        let number: usize = arguments["CommandId"].as_str().unwrap().trim_start_matches('c').parse().unwrap();
        let (ready, result) = &self.commands[number - 1];
        Ok(match result {
            _ if self.now + 1_900 < *ready => return Err(Trouble::Failed("InvocationDoesNotExist".into())),
            _ if self.now < *ready => json!({ "Status": "InProgress" }),
            Ok(out) => {
                json!({ "Status": "Success", "ResponseCode": 0, "StandardOutputContent": out, "StandardErrorContent": "" })
            }
            Err(text) => {
                json!({ "Status": "Failed", "ResponseCode": 1, "StandardOutputContent": "", "StandardErrorContent": text })
            }
        })
    }

    fn disks(&self) -> String {
        let is_full = self.has(Fault::FullOfLogs) || self.has(Fault::FullOfData);
        let used = if is_full { 100 } else { 41 };
        format!("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/nvme0n1p1 8000 7950 50 {used}% /\n")
    }

    fn shown(&self) -> String {
        let barred = |text: &str| text.lines().map(|line| format!("|{line}\n")).collect::<String>();
        let former =
            if self.file == BAD { format!("=== former\n|{}\n{}\n", GOOD.len(), barred(GOOD)) } else { String::new() };
        format!(
            "=== uptime\n|{} 1\n=== disks\n{}=== memory\n|MemTotal: 1000 kB\n|MemAvailable: 600 kB\n=== processes\n|  PID STAT %CPU COMMAND\n|  812 S 1.5 orders\n=== failed\n=== unit\n|Id=orders.service\n|ActiveState=active\n|SubState=running\n|NRestarts=0\n|Result=success\n|ActiveEnterTimestamp=Thu 2026-01-01 00:00:00 UTC\n=== file\n|/etc/orders.conf\n|{}  -\n|{}\n=== text\n|{}\n{}\n{former}=== rotated\n|2048000 1767000000 /var/log/orders/orders.log.1\n|1024000 1767100000 /var/log/orders/orders.log.2\n=== journal\n=== end",
            (self.now - self.booted_at) / 1_000,
            barred(&self.disks()),
            digest(&self.file),
            (START_MS - 400_000) / 1_000,
            self.file.len(),
            barred(&self.file),
        )
    }

    fn alarms(&self) -> Value {
        let dimension = json!([{ "Name": "InstanceId", "Value": self.id() }]);
        let alarm = |name: &str, metric: &str, threshold: f64, comparison: &str| {
            json!({
            "AlarmName": name, "StateValue": "ALARM", "MetricName": metric, "Threshold": threshold, "ComparisonOperator": comparison, "Dimensions": dimension })
        };
        let mut alarms =
            vec![json!({ "AlarmName": "somebody else's", "StateValue": "ALARM", "MetricName": "CPUUtilization",
            "Dimensions": [{ "Name": "InstanceId", "Value": "i-other" }] })];
        if self.has(Fault::StorageLow) {
            alarms.push(alarm("storage low", "FreeStorageSpace", 1e9, "LessThanThreshold"));
        }
        if self.has(Fault::Hot) || self.has(Fault::TooSmall) {
            alarms.push(alarm("cpu high", "CPUUtilization", 80.0, "GreaterThanThreshold"));
        }
        json!({ "MetricAlarms": alarms })
    }

    fn logs(&self) -> Value {
        let line = |message: &str| json!({ "timestamp": self.now - 1_000, "message": message });
        let lines: Vec<Value> = self
            .faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::FullOfLogs | Fault::FullOfData => {
                    Some(line("ERROR write /var/lib/orders/wal: No space left on device"))
                }
                Fault::BadFile => {
                    Some(line("FATAL invalid configuration /etc/orders.conf: pool: invalid value `eight`"))
                }
                Fault::StorageFull => Some(line("ERROR: could not extend file: No space left on device")),
                _ => None,
            })
            .chain(self.written.iter().map(|(time, message)| json!({ "timestamp": time, "message": message })))
            .collect();
        json!({ "events": lines })
    }

    fn metrics(&self, arguments: &Value) -> Value {
        let from = parse(arguments["StartTime"].as_str().unwrap()).unwrap() / 60_000 * 60_000;
        // What is of the minute that is under way comes later.
        let to = parse(arguments["EndTime"].as_str().unwrap()).unwrap().min(self.now.saturating_sub(60_000));
        let times: Vec<u64> = (from..=to).step_by(60_000).collect();
        let results: Vec<Value> = arguments["MetricDataQueries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|query| {
                let name = query["MetricStat"]["Metric"]["MetricName"].as_str().unwrap();
                let points: Vec<(u64, f64)> =
                    times.iter().filter_map(|time| Some((*time, self.value(name, *time)?))).collect();
                let (times, values): (Vec<String>, Vec<f64>) =
                    points.into_iter().map(|(time, value)| (rfc3339(time), value)).unzip();
                json!({ "Id": query["Id"], "Timestamps": times, "Values": values, "StatusCode": "Complete" })
            })
            .collect();
        json!({ "MetricDataResults": results })
    }

    fn value(&self, name: &str, time: u64) -> Option<f64> {
        let was_ill = time >= ILL_MS && self.healed_at.is_none_or(|healed| time < healed);
        // What it was ill with before it was cured is in the past of its metrics.
        let ill = |fault: &[Fault]| was_ill && (self.healed_at.is_some() || fault.iter().any(|it| self.has(*it)));
        if self.is_unmeasured_after && self.healed_at.is_some_and(|healed| time >= healed) {
            return None;
        }
        let wobble = (time / 60_000 % 3) as f64;
        let is_database = self.kind != "instance";
        match name {
            "CPUUtilization" if (ILL_MS..self.is_busy_until_ms).contains(&time) => Some(97.0 + wobble),
            "CPUUtilization" if ill(&[Fault::Hot, Fault::TooSmall]) && self.ill_with_cpu() => Some(97.0 + wobble),
            "CPUUtilization" => Some(22.0 + wobble),
            "StatusCheckFailed" if !is_database => {
                Some(f64::from(u8::from(ill(&[Fault::OsHung, Fault::Hardware]) && self.ill_with_checks())))
            }
            "FreeStorageSpace" if is_database => {
                let room = (self.storage_gib - 20) as f64 * 1_073_741_824.0;
                Some(if time < ILL_MS {
                    9e9 - wobble
                } else if self.has(Fault::StorageFull) || self.has(Fault::StorageLow) {
                    1e7
                } else if self.storage_gib > 20 {
                    1e7 + room
                } else {
                    9e9 - wobble
                })
            }
            "DatabaseConnections" if is_database => Some(40.0 + wobble),
            "FreeableMemory" if is_database => Some(2e9 + wobble),
            _ => None,
        }
    }

    fn ill_with_cpu(&self) -> bool {
        self.has_group
            || self.class == "db.t3.micro"
            || (self.storage_gib == 20 && self.effects.iter().any(|it| it == "rds:ModifyDBInstance"))
    }

    fn ill_with_checks(&self) -> bool {
        self.has(Fault::OsHung) || self.has(Fault::Hardware) || self.effects.iter().any(|it| it.starts_with("ec2:"))
    }
}

/// 64 hexadecimal digits that differ where the texts do.
fn digest(text: &str) -> String {
    let sum = text.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("{sum:064x}")
}

impl World for Cloud {
    fn call(&mut self, calls: &[Call]) -> Vec<Answer> {
        assert!(calls.len() <= 100, "{}", calls.len());
        self.now += 100;
        calls.iter().map(|call| self.call_one(call)).collect()
    }

    fn models(&mut self) -> Vec<Info> {
        let info = Info { name: "m".into(), context_tokens: 100_000, output_tokens: 4_000 };
        if self.model.is_some() { vec![info] } else { Vec::new() }
    }

    fn tools(&mut self) -> Vec<Definition> {
        let tool = |name: &str, effect: Effect| Definition {
            name: name.into(),
            description: String::new(),
            input_schema: "{}".into(),
            effect,
            idempotent: false,
        };
        vec![tool("cloud_read", Effect::Read), tool("cloud_change", Effect::Write)]
    }

    fn complete(&mut self, _model: &str, _request: &Request) -> Result<ModelAnswer, ModelError> {
        self.questions += 1;
        let script = self.model.as_mut().unwrap();
        let (tool, arguments) = if script.is_empty() { super::DONE } else { script.remove(0) };
        let parts = if tool.is_empty() {
            vec![Part::Text("that is all".into())]
        } else {
            let id = format!("q{}", self.questions);
            vec![Part::Call(model::Call { id, tool: tool.into(), arguments: arguments.to_string() })]
        };
        let usage = model::Usage { input: 1, output: 1, cache_read: 0, cache_write: 0 };
        Ok(ModelAnswer { message: Message { role: Role::Assistant, parts }, stop: model::Stop::End, usage })
    }

    fn call_named(&mut self, calls: &[(String, String)]) -> Vec<Result<Vec<Content>, Error>> {
        let one = |(tool, arguments): &(String, String)| {
            let call = Call::new(tool.clone(), pi_sdk::serde_json::from_str(arguments).unwrap());
            let answer = self.call_one(&call);
            answer
                .map(|value| vec![Content::Json(value.to_string())])
                .map_err(|trouble| Error::Failed(trouble.to_string()))
        };
        calls.iter().map(one).collect()
    }

    fn now_ms(&mut self) -> u64 {
        self.now
    }

    fn sleep(&mut self, ms: u32) {
        self.now += u64::from(ms);
    }

    fn say(&mut self, _level: Level, _message: &str) {}
}
