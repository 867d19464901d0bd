//! AWS on this machine, for tests: moto's server, started once and ended with the test's process.
//!
//! It is Python: where it is missing it is installed into a folder of its own. What stands in AWS before a test begins is
//! put there over its own wire protocol, since the host has no operation that makes anything.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) const VERSION: &str = "5.2.1";
pub(crate) const REGION: &str = "eu-central-1";

/// Ends with whoever holds the other end of its standard input, however that ends.
const PROGRAM: &str = "
import os, sys, threading
def watch():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

pub(crate) struct Moto {
    pub(crate) url: String,
    port: u16,
    /// Closed when this process ends, whatever ends it.
    _held: std::process::ChildStdin,
}

impl Moto {
    /// The one that all tests share. What a test needs in it, it makes for itself.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of its own: for a test that changes how it answers everybody.
    pub(crate) fn start() -> Self {
        // Another process may take the port before moto does: then the next one is tried.
        (0..5).find_map(|_| Self::try_start()).expect("moto starts")
    }

    fn try_start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(python())
            .args(["-c", PROGRAM, &port.to_string()])
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let held = child.stdin.take().unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "moto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { url: format!("http://127.0.0.1:{port}"), port, _held: held })
    }

    /// Ask a service in its query protocol, as nobody in particular: without an account of IAM's nothing is checked.
    pub(crate) fn ask(&self, service: &str, region: &str, parameters: &[(&str, &str)]) -> String {
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let signed =
            format!("Credential=test/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0");
        self.send(
            "/",
            &[
                ("Authorization", &format!("AWS4-HMAC-SHA256 {signed}")),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ],
            &encoded,
        )
    }

    /// One request over a connection of its own.
    pub(crate) fn send(&self, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n{headers}Content-Length: {length}\r\n\r\n{body}",
            self.port
        )
        .unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        assert!(answer.lines().next().unwrap().contains(" 200 "), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// A machine with these tags.
    pub(crate) fn instance(&self, region: &str, tags: &[(&str, &str)]) -> String {
        let mut parameters: Vec<(String, String)> = [
            ("Action", "RunInstances"),
            ("Version", "2016-11-15"),
            ("ImageId", "ami-12c6146b"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("TagSpecification.1.ResourceType", "instance"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if tags.is_empty() {
            parameters.pop();
        }
        for (at, (key, value)) in tags.iter().enumerate() {
            let at = at + 1;
            parameters.push((format!("TagSpecification.1.Tag.{at}.Key"), (*key).to_owned()));
            parameters.push((format!("TagSpecification.1.Tag.{at}.Value"), (*value).to_owned()));
        }
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.ask("ec2", region, &parameters);
        between(&answer, "<instanceId>", "</instanceId>").to_owned()
    }

    /// `running`, `stopped`, ...
    pub(crate) fn state(&self, region: &str, instance: &str) -> String {
        let parameters = [("Action", "DescribeInstances"), ("Version", "2016-11-15"), ("InstanceId.1", instance)];
        let answer = self.ask("ec2", region, &parameters);
        between(between(&answer, "<instanceState>", "</instanceState>"), "<name>", "</name>").to_owned()
    }
}

pub(crate) fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).unwrap_or_else(|| panic!("no {begin} in {text}")).1;
    rest.split_once(end).unwrap().0
}

/// A Python that has moto: the one at hand, or one of its own.
fn python() -> PathBuf {
    let has = |python: &Path| {
        let asked = Command::new(python).args(["-c", "import moto, flask; print(moto.__version__)"]).output();
        asked.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == VERSION)
    };
    if has(Path::new("python3")) {
        return "python3".into();
    }
    let folder = std::env::var_os("PI_HOST_TOOLCHAINS").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/pi-host/toolchains"),
        PathBuf::from,
    );
    let folder = folder.join(format!("moto-{VERSION}"));
    let own = folder.join("bin/python");
    if !has(&own) {
        let run = |program: &Path, arguments: &[&str]| {
            let done = Command::new(program).args(arguments).stdout(Stdio::null()).status().unwrap();
            assert!(done.success(), "{} {arguments:?}", program.display());
        };
        run(Path::new("python3"), &["-m", "venv", folder.to_str().unwrap()]);
        run(&own, &["-m", "pip", "install", "--quiet", &format!("moto[server]=={VERSION}")]);
    }
    own
}
