//! The laboratory of AWS (`tests/cloud/lab.py`) as tests use it: a process that makes a scenario, says where everything is,
//! and ends when its standard input closes, so also when the tests end in whatever way. `Lab::pi_toml` is the project of
//! somebody whose services are the scenario's; what the host under test then does is read from the laboratory's own files.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How much faster than at AWS things go: a reboot of 25 s takes one.
const CLOCK: &str = "30";
const PROBE_MAX: Duration = Duration::from_secs(5);
const END_MAX: Duration = Duration::from_secs(30);
/// Every operation that a cure takes, by its whole name: the operator of these projects has decided them.
const CHANGES: &[&str] = &[
    "ec2:RebootInstances",
    "ec2:StopInstances",
    "ec2:StartInstances",
    "rds:RebootDBInstance",
    "rds:FailoverDBCluster",
    "rds:ModifyDBInstance",
    "ssm:SendCommand",
    "autoscaling:SetDesiredCapacity",
];
const READS: &[&str] = &[
    "ec2:Describe*",
    "ec2:GetConsoleOutput",
    "cloudwatch:*",
    "logs:*",
    "rds:Describe*",
    "ssm:GetCommandInvocation",
    "ssm:DescribeInstanceInformation",
    "autoscaling:Describe*",
    "elasticloadbalancing:Describe*",
    "cloudtrail:LookupEvents",
];

/// A scenario under way.
pub(crate) struct Lab {
    /// What a `[cloud.NAME]` has as `endpoint_url`.
    pub(crate) endpoint: String,
    pub(crate) region: String,
    /// The service whose health is judged, and the alarm that wakes.
    pub(crate) target: String,
    pub(crate) alarm: String,
    /// `http://127.0.0.1:PORT/health` of the target.
    pub(crate) health: String,
    /// `healed`, `left_alone` or `escalated`, at the autonomy auto.
    pub(crate) expected: String,
    pub(crate) root_cause: String,
    /// All that the laboratory has said of itself.
    pub(crate) ready: Value,
    witness: PathBuf,
    input: Option<ChildStdin>,
    child: Child,
    _state: tempfile::TempDir,
}

impl Lab {
    /// Returns when everything is there and the fault has struck.
    pub(crate) fn start(scenario: &str) -> Self {
        let state = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud/lab.py"))
            .args(["--scenario", scenario, "--clock", CLOCK, "--port", "0", "--state"])
            .arg(state.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let input = child.stdin.take();
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("the laboratory does not start: {line}"));
        let text = |key: &str| ready[key].as_str().unwrap_or_else(|| panic!("{key} in {ready}")).to_owned();
        let target = text("target");
        Self {
            endpoint: text("endpoint"),
            region: text("region"),
            alarm: text("alarm"),
            health: ready["targets"][&target]["health"].as_str().expect("a health endpoint").to_owned(),
            expected: text("expected"),
            root_cause: text("root_cause"),
            witness: PathBuf::from(text("witness")),
            target,
            input,
            child,
            _state: state,
            ready,
        }
    }

    pub(crate) fn id(&self, name: &str) -> &str {
        self.ready["targets"][name]["id"].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.ready))
    }

    /// What the host needs in its environment: who it is there.
    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        let variables = self.ready["environment"].as_object().expect("variables");
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("a text"))).collect()
    }

    /// The target's own answer, asked by the test itself.
    pub(crate) fn is_healthy(&self) -> bool {
        get(&self.health).is_ok_and(|answer| answer.starts_with("HTTP/1.") && answer[8..].starts_with(" 200"))
    }

    /// How everything is: `{"targets": {NAME: {state, phase, phases, ...}}, "alarms": {NAME: state}}`.
    pub(crate) fn state(&self) -> Value {
        let answer = get(&format!("{}/_lab/state", self.endpoint)).expect("the laboratory answers");
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    }

    pub(crate) fn alarm_state(&self) -> String {
        self.state()["alarms"][&self.alarm].as_str().expect("an alarm").to_owned()
    }

    /// The changing calls that were made, in their order: `{time, call, outcome, targets, arguments, phases}`.
    pub(crate) fn changes(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.witness).expect("the witness file");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// A call in AWS's query protocol, as anybody may make it: moto checks no signature.
    pub(crate) fn ask(&self, service: &str, parameters: &str) -> String {
        let address = self.endpoint.strip_prefix("http://").expect("an endpoint");
        let mut stream = TcpStream::connect(address).expect("the laboratory listens");
        let scope = format!("Credential=AKIATESTTESTTESTTEST/20260101/{}/{service}/aws4_request", self.region);
        write!(
            stream,
            "POST / HTTP/1.0\r\nHost: {address}\r\nAuthorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{parameters}",
            parameters.len()
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// The project of somebody whose services are this scenario's. `autonomy` is that of every service.
    pub(crate) fn pi_toml(&self, autonomy: &str) -> String {
        let mut text = "[approvals]\napprovers = [\"cli:*\"]\nwait_minutes = 5\n\n".to_owned();
        let _ = writeln!(text, "[cloud.lab]\nregion = \"{}\"\nendpoint_url = \"{}\"", self.region, self.endpoint);
        for (name, target) in self.ready["targets"].as_object().expect("targets") {
            let _ = service(&mut text, name, target, autonomy);
            let depends: Vec<&str> = match target["depends_on"].as_str() {
                Some(other) => vec![other],
                None => Vec::new(),
            };
            let _ = writeln!(text, "depends_on = {depends:?}");
        }
        let operations: Vec<&str> = READS.iter().chain(CHANGES).copied().collect();
        let _ = write!(
            text,
            "\n[agents.sre]\nwatch = [\"*\"]\n\
             \n[agents.sre.config]\nverify_interval_ms = 300\nobserve_interval_ms = 200\ncooldown_ms = 500\npersist_ms = 1500\n\
             \n[agents.sre.config.cloud]\nverify_interval_ms = 300\nsettle_ms_max = 30000\nmetric_ms_max = 30000\ncooldown_ms = 500\n\
             observe_ms_max = 30000\nunits = {{ web = \"web.service\" }}\n\
             \n[grants.sre.tools]\nnames = [\"service_*\", \"cloud_read\", \"cloud_change\"]\n[grants.sre.log]\n\
             \n[grants.service.services]\nnames = [\"*\"]\nactions = [\"read\"]\n\
             \n[grants.cloud.cloud]\naccounts = [\"lab\"]\noperations = {operations:?}\nresources = [\"*\"]\n"
        );
        text
    }
}

/// A group is watched by the first of its members: there is no service that is a group.
fn service(text: &mut String, name: &str, target: &Value, autonomy: &str) -> std::fmt::Result {
    let (kind, id) = match target["kind"].as_str() {
        Some("group") => ("instance", &target["members"][0]),
        Some(kind) => (kind, &target["id"]),
        None => panic!("no kind: {target}"),
    };
    let files = match kind {
        "instance" => ", config = [\"/etc/web/web.conf\", \"/opt/web/current/release.py\"], logs = [\"/var/log/web\"]",
        _ => "",
    };
    writeln!(
        text,
        "\n[services.{name}]\ncloud = {{ account = \"lab\", {kind} = {id}{files} }}\nautonomy = \"{autonomy}\""
    )?;
    let health = &target["health"];
    writeln!(text, "probe = {{ http = {health}, interval_ms = 300, timeout_ms = 1000, failures = 3 }}")
}

/// The whole answer to a GET.
fn get(url: &str) -> std::io::Result<String> {
    let (address, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL with a path");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PROBE_MAX))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

impl Drop for Lab {
    /// It is told by the end of its input, and has the instances' processes to end.
    fn drop(&mut self) {
        drop(self.input.take());
        let deadline = Instant::now() + END_MAX;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
