//! One moto server for all tests: found or installed, on a free port, gone when the tests are.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pi_cloud::{Account, Call, Settings};
use serde_json::Value;

const PACKAGE: &str = "moto[server]==5.2.1";
const IS_THERE: &str = "import moto.server, moto; raise SystemExit(moto.__version__ != '5.2.1')";
/// It ends with its standard input: when the tests do, however they do.
const SERVER: &str = "
import os, sys, threading
def wait():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=wait, daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";
pub(super) const REGION: &str = "eu-west-1";

struct Moto {
    port: u16,
    _process: Child,
}

fn server() -> &'static Moto {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(|| {
        let python = python();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(python)
            .args(["-c", SERVER, &port.to_string()])
            .env_remove("http_proxy")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(120), "moto does not answer on port {port}");
            std::thread::sleep(Duration::from_millis(100));
        }
        Moto { port, _process: process }
    })
}

/// A Python that has moto: the system's, or that of an environment which is kept between runs.
fn python() -> PathBuf {
    let has_moto = |python: &Path| {
        let tried = Command::new(python).args(["-c", IS_THERE]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto-5.2.1");
    let own = folder.join("bin/python3");
    if let Some(found) = [PathBuf::from("python3"), own.clone()].into_iter().find(|python| has_moto(python)) {
        return found;
    }
    let run = |program: &Path, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run(Path::new("python3"), &["-m", "venv", folder.to_str().unwrap()]);
    run(&own, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    own
}

/// An account whose AWS is moto.
pub(super) fn account() -> Account {
    account_at(&format!("http://127.0.0.1:{}", server().port))
}

pub(super) fn account_at(endpoint: &str) -> Account {
    Account::new(settings(endpoint)).unwrap()
}

pub(super) fn settings(endpoint: &str) -> Settings {
    let environment =
        [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_EC2_METADATA_DISABLED", "true")];
    Settings {
        region: Some(REGION.into()),
        endpoint_url: Some(endpoint.into()),
        environment: environment.map(|(name, value)| (name.into(), value.into())).into(),
        ..Settings::default()
    }
}

pub(super) fn endpoint() -> String {
    format!("http://127.0.0.1:{}", server().port)
}

pub(super) fn call(operation: &str, arguments: Value) -> Call {
    Call::read(operation, None, &arguments).unwrap_or_else(|error| panic!("{error}"))
}

/// Make the call to moto.
pub(super) async fn done(operation: &str, arguments: Value) -> Value {
    account().call(&call(operation, arguments)).await.unwrap_or_else(|error| panic!("{error}"))
}

/// What the crate cannot do, because no agent should: create. Moto does not look at signatures, only at the service.
pub(super) fn create(service: &str, form: &str) -> String {
    post(service, "Content-Type: application/x-www-form-urlencoded", form)
}

pub(super) fn create_json(service: &str, target: &str, body: &Value) -> String {
    let head = format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: {target}");
    post(service, &head, &body.to_string())
}

fn post(service: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server().port)).unwrap();
    let credential = format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request");
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\r\nContent-Length: {}\r\n\
         Authorization: {credential}, SignedHeaders=host, Signature=0\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    answer
}

/// The text of the first element of this name.
pub(super) fn element(answer: &str, name: &str) -> String {
    let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

/// An instance with a tag.
pub(super) fn instance(value: &str) -> String {
    let answer = create(
        "ec2",
        &format!(
            "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount=1&MaxCount=1\
             &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=env\
             &TagSpecification.1.Tag.1.Value={value}"
        ),
    );
    element(&answer, "instanceId")
}

pub(super) fn database(name: &str) {
    create(
        "rds",
        &format!(
            "Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier={name}&AllocatedStorage=20\
             &DBInstanceClass=db.t3.micro&Engine=postgres&MasterUsername=root&MasterUserPassword=secret99\
             &Tags.Tag.1.Key=env&Tags.Tag.1.Value=staging"
        ),
    );
}
