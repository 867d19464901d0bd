//! Reports on their way to people: by every way, late, refused, and after a kill.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::approvals::until;
use crate::ghost::{GHOST, READ, shop, sql};
use crate::loopback_slack::{BOT_TOKEN, CHANNEL, Fault, LoopbackSlack};
use crate::project::{Project, RunningHost};

const SECRET: &str = "a-secret-of-the-webhook-0123456789";
const PASSWORD: &str = "the-password-of-the-mailbox";

/// A mail server on this host that takes a login, and keeps what it was sent.
#[derive(Clone, Default)]
struct MailServer {
    mails: Arc<Mutex<Vec<String>>>,
    /// With which it refuses the next sender, once.
    refusals: Arc<Mutex<Vec<&'static str>>>,
}

impl MailServer {
    fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self::default();
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        (server, port)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let mut stream = stream;
        let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
        say("220 mail.example.com ready")?;
        let mut may_send = false;
        loop {
            let line = lines.next()?.ok()?;
            let word = line.split_whitespace().next().unwrap_or_default().to_uppercase();
            match word.as_str() {
                "EHLO" => say("250-mail.example.com\r\n250 AUTH PLAIN")?,
                "AUTH" => {
                    use base64::Engine as _;
                    let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0pi\0{PASSWORD}"));
                    may_send = line.ends_with(&plain);
                    say(if may_send { "235 welcome" } else { "535 the login is wrong" })?;
                }
                "MAIL" => match self.refusals.lock().unwrap().pop() {
                    Some(refusal) => say(refusal)?,
                    None => say(if may_send { "250 go on" } else { "530 log in first" })?,
                },
                "RCPT" => say("250 go on")?,
                "DATA" => {
                    say("354 until a single dot")?;
                    let mut mail = String::new();
                    loop {
                        match lines.next()?.ok()?.as_str() {
                            "." => break,
                            line => mail.push_str(&format!("{line}\n")),
                        }
                    }
                    self.mails.lock().unwrap().push(mail);
                    say("250 queued as 42")?;
                }
                "QUIT" => return say("221 bye"),
                _ => say("250 go on")?,
            }
        }
    }

    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

/// Headers and body of each request.
type Taken = Arc<Mutex<Vec<(String, Value)>>>;

/// A receiver of webhooks.
fn receiver() -> (Taken, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let keep = taken.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line.to_lowercase());
            }
            let mut body = vec![0; length];
            std::io::Read::read_exact(&mut reader, &mut body).unwrap();
            keep.lock().unwrap().push((head, serde_json::from_slice(&body).unwrap()));
            stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    (taken, port)
}

fn job(deliver: &str) -> String {
    format!("{READ}{GHOST}[heartbeat.daily]\nagent = \"ghost\"\ncron = \"0 7 * * *\"\ndeliver = {deliver}\n")
}

/// Run the job by hand, with the secrets in the environment.
fn run(project: &Project, arguments: &[&str]) -> crate::project::Said {
    let mut command = project.command(arguments);
    command.env("SLACK_BOT_TOKEN", BOT_TOKEN).env("PI_WEBHOOK_SECRET", SECRET).env("MAIL_PASSWORD", PASSWORD);
    crate::project::Said::of(command.output().unwrap())
}

/// A change that a report must tell.
fn change(project: &Project) {
    sql(&project.path().join("shop.db"), "ALTER TABLE orders RENAME COLUMN state TO status");
}

#[test]
fn a_report_goes_by_every_way_and_keeps_no_secret() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let slack = runtime.block_on(LoopbackSlack::start());
    let (mail, mail_port) = MailServer::start();
    let (taken, hook_port) = receiver();
    let ways = format!(
        r#"
[delivery.share]
when = "always"
files = {{ folder = "out" }}
[delivery.team]
slack = {{ channel = "{CHANNEL}", api_url = "{}" }}
[delivery.hook]
webhook = {{ url = "http://127.0.0.1:{hook_port}/reports" }}
[delivery.boss]
email = {{ server = "smtp://127.0.0.1:{mail_port}", from = "pi-host <pi@example.com>", to = ["boss@example.com"], user = "pi", password_env = "MAIL_PASSWORD" }}
"#,
        slack.api_url()
    );
    let project = shop(&format!("{}{ways}", job("[\"share\", \"team\", \"hook\", \"boss\"]")));
    let first = run(&project, &["heartbeat", "run", "daily"]);
    assert_eq!(first.code, Some(0), "{}\n{}", first.out, first.err);
    let shared = || std::fs::read_dir(project.path().join("out")).unwrap().count();
    let before = (shared(), slack.messages().len(), taken.lock().unwrap().len(), mail.mails().len());
    assert_eq!(before.0, 1, "the one that wants all of them");

    change(&project);
    let second = run(&project, &["heartbeat", "run", "daily"]);
    assert_eq!(second.code, Some(0), "{}\n{}", second.out, second.err);
    assert_eq!(shared(), 2);

    let message = slack.messages().pop().unwrap();
    assert!(message.versions[0].to_string().contains("status"), "{message:?}");
    let files = slack.files();
    assert!(files.iter().all(|file| file.thread == message.ts), "{files:?}");
    assert!(files.iter().any(|file| file.bytes.starts_with(b"\x89PNG") && !file.alternative.is_empty()), "no picture");
    assert!(files.iter().any(|file| file.name.ends_with(".html")), "no page");

    let (head, body) = taken.lock().unwrap().last().cloned().unwrap();
    assert!(head.contains("x-pi-signature: v1=") && head.contains("idempotency-key: "), "{head}");
    assert!(body["reports"][0]["markdown"].as_str().unwrap().contains("status"), "{body}");
    assert!(body["reports"][0]["findings"][0]["claim"].is_string());

    let mail = mail.mails().pop().unwrap();
    for part in ["To: boss@example.com", "Message-ID: <", "image/png", "text/html", "filename="] {
        assert!(mail.contains(part), "{part}: {}", &mail[..mail.len().min(2_000)]);
    }

    let listed = run(&project, &["report", "deliveries", "--json"]).json();
    let states: Vec<_> = listed["deliveries"].as_array().unwrap().iter().map(|letter| &letter["state"]).collect();
    assert!(states.len() >= 5 && states.iter().all(|state| *state == "delivered"), "{listed}");
    let kept = String::from_utf8_lossy(&std::fs::read(project.path().join(".pi/store.db")).unwrap()).into_owned();
    for secret in [BOT_TOKEN, SECRET, PASSWORD] {
        assert!(!kept.contains(secret) && !listed.to_string().contains(secret));
    }
}

#[test]
fn what_cannot_be_delivered_waits_and_what_is_refused_is_laid_aside() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let slack = runtime.block_on(LoopbackSlack::start());
    let (mail, mail_port) = MailServer::start();
    let ways = format!(
        r#"
[delivery.team]
when = "always"
slack = {{ channel = "{CHANNEL}", api_url = "{}" }}
[delivery.boss]
when = "always"
email = {{ server = "smtp://127.0.0.1:{mail_port}", from = "pi@example.com", to = ["boss@example.com"], user = "pi", password_env = "MAIL_PASSWORD" }}
"#,
        slack.api_url()
    );
    let project = shop(&format!("{}{ways}", job("[\"team\", \"boss\"]")));
    slack.fail("chat.postMessage", Fault::Error("channel_not_found"));
    // 4xx: not now; the mail server asks to come again.
    mail.refusals.lock().unwrap().push("451 come again later");
    let first = run(&project, &["heartbeat", "run", "daily"]);
    assert_eq!(first.code, Some(0), "{}\n{}", first.out, first.err);
    let listed = run(&project, &["report", "deliveries", "--json"]).json();
    let state = |way: &str| {
        let letters = listed["deliveries"].as_array().unwrap();
        letters.iter().find(|letter| letter["delivery"] == way).unwrap().clone()
    };
    assert_eq!(state("team")["state"], "dead", "{listed}");
    assert!(state("team")["note"].as_str().unwrap().contains("channel_not_found"));
    assert_eq!(state("boss")["state"], "waiting", "{listed}");
    assert!(state("boss")["note"].as_str().unwrap().contains("come again later"), "{listed}");
    assert!(mail.mails().is_empty() && slack.messages().is_empty());

    // Both by hand: the report by its name, and the letter.
    let again = run(&project, &["report", "deliver", "latest", "--to", "team"]);
    assert_eq!(again.code, Some(0), "{}{}", again.out, again.err);
    assert_eq!(slack.messages().len(), 1);
    let letter = state("boss")["id"].as_str().unwrap().to_owned();
    let again = run(&project, &["report", "deliver", &letter, "--to", "boss"]);
    assert_eq!(again.code, Some(0), "{}{}", again.out, again.err);
    assert_eq!(mail.mails().len(), 1);

    let none = run(&project, &["report", "deliver", "latest", "--to", "tema"]);
    assert!(none.code == Some(1) && none.err.contains("`team`"), "{}", none.err);
}

#[test]
fn a_running_host_delivers_what_an_earlier_one_left_and_holds_a_digest_back() {
    let ways = "[delivery.share]\nfiles = { folder = \"out\" }\nwhen = \"always\"\n\
        [delivery.weekly]\nfiles = { folder = \"week\" }\nwhen = \"digest\"\ncron = \"0 8 1 1 *\"\n";
    let project = shop(&format!("{}{ways}", job("[\"share\", \"weekly\"]")));
    // Where the folder should be there is a file.
    project.write("out", "");
    assert_eq!(run(&project, &["heartbeat", "run", "daily"]).code, Some(0));
    change(&project);
    assert_eq!(run(&project, &["heartbeat", "run", "daily"]).code, Some(0));
    std::fs::remove_file(project.path().join("out")).unwrap();
    let host = RunningHost::start(&project);
    let said = run(&project, &["report", "deliver", "latest", "--to", "share"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    until("the report in the folder", || project.path().join("out").is_dir().then_some(()));
    drop(host);
    let listed = run(&project, &["report", "deliveries", "--json"]).json();
    let digest = listed["deliveries"].as_array().unwrap().iter().find(|letter| letter["delivery"] == "weekly").unwrap();
    assert_eq!(digest["state"], "waiting", "{listed}");
    assert!(digest["id"].as_str().unwrap().starts_with("weekly/digest-"));
    assert!(!project.path().join("week").exists());
}

#[test]
fn a_job_that_fails_is_told_and_a_secret_that_is_missing_is_named() {
    let ways = "[delivery.share]\nfiles = { folder = \"out\" }\n";
    let project = Project::with(&format!("{}{ways}", job("[\"share\"]")));
    let failed = project.run(&["heartbeat", "run", "daily"]);
    assert_eq!(failed.code, Some(1), "{}", failed.out);
    let told = std::fs::read_dir(project.path().join("out")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(told.join("report.md")).unwrap();
    assert!(text.contains("shop"), "{text}");

    let ways = "[delivery.team]\nslack = { channel = \"C1\", bot_token_env = \"NOT_SET_ANYWHERE\" }\n";
    let project = shop(&format!("{}{ways}", job("[\"team\"]")));
    let said = project.run(&["heartbeat", "run", "daily"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("[delivery.team]") && said.err.contains("NOT_SET_ANYWHERE"), "{}", said.err);
}
