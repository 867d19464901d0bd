//! `pi-host chat` as people and programs use it: through a pipe, as JSON lines, at a real terminal; left, cut off and
//! taken up again.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::model::server::{ModelServer, RecordedRequest, Reply};
use crate::project::{Project, Said};

/// A project without pi.toml, with a model that says what `script` says.
struct Talk {
    project: Project,
    server: ModelServer,
    _runtime: Runtime,
}

impl Talk {
    fn new(script: impl Fn(&RecordedRequest) -> Reply + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(ModelServer::start_with(script));
        Self { project: Project::new(), server, _runtime: runtime }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let model = format!("openai/m@{}", self.server.openai_url());
        let mut all = vec!["chat", "--model", &model];
        all.extend(arguments);
        let mut command = self.project.command(&all);
        command.env_remove("OPENAI_API_KEY");
        command
    }

    fn chat(&self, arguments: &[&str], input: &str) -> Said {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Said::of(child.wait_with_output().unwrap())
    }

    fn start(&self, arguments: &[&str]) -> Program {
        let mut command = self.command(&[&["--json"], arguments].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Program { input: child.stdin.take(), lines: Box::new(lines), child, told: Vec::new() }
    }
}

/// A program that talks in JSON lines.
struct Program {
    input: Option<ChildStdin>,
    lines: Box<dyn BufRead>,
    child: Child,
    told: Vec<Value>,
}

impl Program {
    fn send(&mut self, command: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
    }

    fn say(&mut self, text: &str) {
        self.send(&json!({ "command": "say", "text": text }));
    }

    /// The next event of this name. Ends with the program's output, not with a clock.
    fn until(&mut self, event: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "no `{event}` came: {:#?}", self.told);
            let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            self.told.push(told.clone());
            if told["event"] == event {
                return told["data"].clone();
            }
        }
    }

    /// Say no more, and read all that comes.
    fn end(mut self) -> (Vec<Value>, Option<i32>) {
        drop(self.input.take());
        for line in self.lines.lines() {
            self.told.push(serde_json::from_str(&line.unwrap()).unwrap());
        }
        (self.told, self.child.wait().unwrap().code())
    }
}

fn last_said(request: &RecordedRequest) -> String {
    let messages = request.json()["messages"].clone();
    let last = messages.as_array().unwrap().iter().rfind(|message| message["role"] == "user").unwrap();
    match &last["content"] {
        Value::String(text) => text.clone(),
        parts => parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect(),
    }
}

fn has_result(request: &RecordedRequest) -> bool {
    request.json()["messages"].as_array().unwrap().last().unwrap()["role"] == "tool"
}

fn echo(request: &RecordedRequest) -> Reply {
    Reply::text(&format!("heard: {}", last_said(request))).usage([100, 10, 0, 0])
}

/// A call of `bash` for each thing that is said, and then an answer.
fn shell(request: &RecordedRequest) -> Reply {
    if has_result(request) {
        return Reply::text("done");
    }
    Reply::call("c1", "bash", &json!({ "command": last_said(request) }))
}

fn names(told: &[Value]) -> Vec<&str> {
    told.iter().map(|told| told["event"].as_str().unwrap()).filter(|name| *name != "message_delta").collect()
}

#[test]
fn each_line_of_a_pipe_is_a_turn_and_only_the_answers_are_on_standard_output() {
    let talk = Talk::new(echo);
    let said = talk.chat(&[], "one\n\ntwo\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out, "heard: one\nheard: two\n");
    assert!(said.err.contains("1 answer, 0 calls") && said.err.contains("100 tokens in, 10 out"), "{}", said.err);
    assert!(said.err.contains("has ended: done"), "{}", said.err);
    assert_eq!(talk.server.requests().len(), 2);
}

#[test]
fn calls_decisions_and_refusals_are_shown_beside_the_answers() {
    let talk = Talk::new(shell);
    let said = talk.chat(&["echo hello"], "rm -rf /etc\n");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "done\ndone\n"), "{}", said.err);
    assert!(said.err.contains("▸ bash echo hello\n    │ hello"), "{}", said.err);
    assert!(said.err.contains("▸ bash rm -rf /etc\n    ✗ refused by remove_system, risk 100"), "{}", said.err);
}

#[test]
fn json_lines_have_each_start_and_its_end() {
    let talk = Talk::new(shell);
    let mut program = talk.start(&["echo hello"]);
    program.until("turn_end");
    program.say("cat missing");
    let (told, code) = program.end();
    assert_eq!(code, Some(0));
    let turn = [
        "turn_start",
        "message_start",
        "message_end",
        "tool_start",
        "tool_end",
        "message_start",
        "message_end",
        "turn_end",
    ];
    let expected = [&["session_start"][..], &turn, &turn, &["outcome", "session_end"]].concat();
    assert_eq!(names(&told), expected, "{told:#?}");
    let session = told[0]["data"]["session"].as_str().unwrap();
    assert!(told.iter().all(|told| told["time"].as_str().unwrap().ends_with('Z')));
    let shown = talk.project.run(&["session", "verify", session]);
    assert_eq!(shown.code, Some(0), "{}", shown.out);
    let call = told.iter().find(|told| told["event"] == "tool_start").unwrap();
    assert_eq!(call["data"]["arguments"], json!({ "command": "echo hello" }));
}

#[test]
fn what_is_said_while_it_works_is_heard_before_the_next_step() {
    let talk = Talk::new(|request| match has_result(request) || last_said(request) != "go" {
        true => echo(request),
        false => Reply::call("c1", "bash", &json!({ "command": "sleep 30" })),
    });
    let mut program = talk.start(&["go"]);
    program.until("tool_start");
    program.say("stop that");
    // It stands in the journal before the interruption, so the agent hears it next.
    program.send(&json!({ "command": "interrupt" }));
    assert_eq!(program.until("tool_end")["status"], "unknown");
    assert_eq!(program.until("steered")["text"], "stop that");
    assert!(program.until("message_end")["text"].as_str().unwrap().contains("stop that"));
    assert_eq!(program.until("turn_end")["turn"], 1);
    assert_eq!(program.end().1, Some(0));
}

#[test]
fn an_interruption_ends_the_turn_and_the_next_one_begins_as_ever() {
    let talk = Talk::new(|request| match last_said(request).as_str() {
        "go" => Reply::call("c1", "bash", &json!({ "command": "sleep 30" })),
        _ => echo(request),
    });
    let mut program = talk.start(&["go"]);
    program.until("tool_start");
    program.send(&json!({ "command": "interrupt" }));
    assert_eq!(program.until("tool_end")["status"], "unknown");
    assert_eq!(program.until("message_end")["error"], "a person has interrupted");
    program.until("turn_end");
    program.send(&json!({ "command": "interrupt" }));
    assert!(program.until("note")["text"].as_str().unwrap().starts_with("nothing goes on"));
    program.say("again");
    assert!(program.until("message_end")["text"].as_str().unwrap().ends_with("again"));
    assert_eq!(program.end().1, Some(0));
}

#[test]
fn a_program_answers_what_people_are_asked_where_it_may() {
    let talk = Talk::new(shell);
    talk.project.write("hello.py", "print('from python')\n");
    let mut program = talk.start(&["--ask", "python3 hello.py"]);
    let question = program.until("question_start");
    assert!(question["text"].as_str().unwrap().contains("python3 hello.py"), "{question}");
    let number = question["question"].as_u64().unwrap();
    program.send(&json!({ "command": "answer", "question": number + 1, "allow": true }));
    assert_eq!(program.until("error")["text"], format!("no question {} stands", number + 1));
    program.send(&json!({ "command": "answer", "question": number, "allow": true }));
    assert_eq!(program.until("question_end")["allow"], true);
    assert!(program.until("tool_end").to_string().contains("from python"));
    program.until("turn_end");
    program.say("python3 hello.py; echo more");
    let number = program.until("question_start")["question"].as_u64().unwrap();
    program.send(&json!({ "command": "answer", "question": number, "allow": false }));
    let result = program.until("tool_end").to_string();
    assert!(!result.contains("from python") && result.contains("said no"), "{result}");
    assert_eq!(program.end().1, Some(0));
    let unasked = talk.chat(&["--json"], "{\"command\":\"say\",\"text\":\"python3 hello.py\"}\n");
    assert!(
        !unasked.out.contains("question_start") && unasked.out.contains("no terminal to ask at"),
        "{}",
        unasked.out
    );
}

#[test]
fn a_conversation_that_was_killed_goes_on_where_it_stood() {
    let talk = Talk::new(|request| match has_result(request) {
        true => echo(request),
        false if last_said(request) == "go" => {
            Reply::call("c1", "bash", &json!({ "command": "echo one | tee begun; sleep 2" }))
        }
        false => echo(request),
    });
    let mut program = talk.start(&[]);
    program.say("first");
    program.until("turn_end");
    program.say("go");
    program.until("tool_start");
    // A call begins when its intent is on disk, and so is the answer that asked for it.
    let begun = talk.project.path().join("begun");
    while !begun.exists() {
        assert!(program.child.try_wait().unwrap().is_none(), "it ended before the call began");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let session = program.told[0]["data"]["session"].as_str().unwrap().to_owned();

    // A host that watches leaves it to people.
    let listed = talk.project.run(&["session", "list"]);
    assert!(listed.out.contains(&session) && listed.out.contains("cut off"), "{}", listed.out);

    let mut again = talk.start(&["--continue"]);
    let started = again.until("session_start");
    assert_eq!((started["session"].as_str(), &started["is_resumed"]), (Some(session.as_str()), &json!(true)));
    again.until("turn_end");
    again.say("last");
    let (told, code) = again.end();
    assert_eq!(code, Some(0), "{told:#?}");
    let names = names(&told);
    assert_eq!(names[..3], ["session_start", "turn_start", "tool_start"], "{names:?}");
    assert_eq!(names[names.len() - 1], "session_end");
    let asked = talk.server.requests();
    let messages = asked.last().unwrap().json()["messages"].to_string();
    for text in ["first", "heard: first", "go", "echo one", "last"] {
        assert!(messages.contains(text), "{text}: {messages}");
    }
    assert_eq!(talk.project.run(&["session", "verify"]).code, Some(0));
    let over = talk.chat(&["--resume", &session], "");
    assert_eq!(over.code, Some(1));
    assert!(over.err.contains("has ended: done"), "{}", over.err);
}

#[test]
fn what_makes_no_sense_is_said_with_what_to_do() {
    let talk = Talk::new(echo);
    let none = talk.chat(&["--continue"], "");
    assert_eq!(none.code, Some(1), "{}", none.err);
    assert!(none.err.contains("hint:"), "{}", none.err);
    let empty = talk.chat(&[], "\n\n");
    assert_eq!(empty.code, Some(1));
    assert!(empty.err.contains("nothing was said"), "{}", empty.err);
    let none = talk.chat(&["--continue"], "");
    assert!(none.err.contains("there is no open conversation"), "{}", none.err);
    let absent = talk.chat(&["--resume", "pi-\u{1b}[2J"], "");
    assert!(absent.err.contains("there is no session `pi-\\u{1b}[2J`"), "{}", absent.err);
    let ask = talk.chat(&["--ask"], "x\n");
    assert!(ask.err.contains("--ask goes with --json"), "{}", ask.err);
    let bytes = talk.command(&[]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = bytes.unwrap();
    child.stdin.take().unwrap().write_all(b"\xff\xfe\n").unwrap();
    let broken = Said::of(child.wait_with_output().unwrap());
    assert_eq!(broken.code, Some(1));
    assert!(broken.err.contains("line 1 is not UTF-8"), "{}", broken.err);
    let garbage = talk.chat(&["--json"], "hello\n{\"command\":\"say\",\"text\":\"hi\"}\n");
    assert_eq!(garbage.code, Some(0), "{}", garbage.out);
    assert!(garbage.out.contains("a line that is no command") && garbage.out.contains("heard: hi"), "{}", garbage.out);
    assert!(!talk.project.path().join("pi.toml").exists());
}

#[test]
fn other_commands_are_served_meanwhile() {
    let talk = Talk::new(shell);
    let mut program = talk.start(&["sleep 30"]);
    program.until("tool_start");
    let session = program.told[0]["data"]["session"].as_str().unwrap().to_owned();
    let stopped = talk.project.run(&["stop", "--session", &session]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.err);
    let (told, code) = program.end();
    assert_eq!((told.last().unwrap()["data"]["status"].as_str(), code), (Some("open"), Some(0)), "{told:#?}");
}

/// What is on the screen of a real terminal, after these keys. A step waits until its text is there.
fn at_terminal(talk: &Talk, arguments: &[&str], steps: &[(&str, &str)]) -> Output {
    const DRIVER: &str = r#"
import json, os, pty, select, sys, time
steps, argv = json.loads(sys.argv[1]), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.environ["TERM"] = "xterm"
    os.execv(argv[0], argv)
import fcntl, struct, termios
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
seen, shown, end = b"", b"", time.monotonic() + 60
for text, keys in steps:
    while text.encode() not in seen:
        ready, _, _ = select.select([terminal], [], [], 1)
        if time.monotonic() > end:
            sys.exit("not on the screen: %r\n%s" % (text, shown.decode(errors="replace")))
        if not ready:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            sys.exit("ended before %r\n%s" % (text, shown.decode(errors="replace")))
        # The editor asks where the cursor is.
        for _ in range(data.count(b"\x1b[6n")):
            os.write(terminal, b"\x1b[1;1R")
        seen += data
        shown += data
    seen = seen.split(text.encode(), 1)[1]
    os.write(terminal, keys.encode())
while True:
    if time.monotonic() > end or not select.select([terminal], [], [], 10)[0]:
        os.kill(child, 9)
        sys.exit("it does not end\n%s" % shown.decode(errors="replace"))
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    for _ in range(data.count(b"\x1b[6n")):
        os.write(terminal, b"\x1b[1;1R")
    shown += data
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;
    let chat = talk.command(arguments);
    let steps: Vec<_> = steps.iter().map(|(text, keys)| json!([text, keys])).collect();
    let mut python = Command::new("python3");
    python.args(["-c", DRIVER, &json!(steps).to_string()]).arg(chat.get_program()).args(chat.get_args());
    python.current_dir(talk.project.path()).env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap()
}

#[test]
fn at_a_terminal_one_talks_answers_and_leaves() {
    let talk = Talk::new(shell);
    talk.project.write("hello.py", "print('from python')\n");
    let steps = [
        ("/help says more", "python3 hello.py\r"),
        ("allow it once?", "y\r"),
        ("from python", ""),
        ("2 answers, 1 call", "/session\r"),
        ("pi-host session show", "\u{4}"),
    ];
    let output = at_terminal(&talk, &[], &steps);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("stays open: `pi-host chat --resume pi-"), "{shown}");
    // What was typed is remembered, the answer to a question is not.
    let history = std::fs::read_to_string(talk.project.path().join(".pi/chat_history")).unwrap();
    assert_eq!(history, "python3 hello.py\n/session\n");
    let steps = [("from python", ""), ("goes on with pi-", "/end\r")];
    let output = at_terminal(&talk, &["--continue"], &steps);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("has ended: done"), "{shown}");
}

#[test]
fn a_question_takes_no_answer_that_was_typed_before_it() {
    let talk = Talk::new(shell);
    talk.project.write("hello.py", "print('from python')\n");
    // `y` stands in the line when the question comes: it is put away, and comes back after the answer.
    let steps = [
        ("/help says more", "sleep 1; python3 hello.py\r"),
        ("▸ bash sleep 1", "y"),
        ("allow it once?", "\r"),
        ("not allowed", ""),
        ("2 answers, 1 call", "\u{3}"),
        ("nothing goes on", "\u{4}"),
    ];
    let output = at_terminal(&talk, &[], &steps);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!shown.contains("from python"), "{shown}");
}
