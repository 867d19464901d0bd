//! The protocol against a server of sample tools: in order, out of order, at each limit, and by a
//! client that is hostile or gone. Over pipes in memory, line by line, as any client would write.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use pi_host::mcp::{MESSAGE_BYTES_MAX, McpServer, McpServerError, ServerOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::sample::{PICTURE, Sample, Seen};

/// So long does a test wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

struct Client {
    write: WriteHalf<DuplexStream>,
    read: Lines<BufReader<ReadHalf<DuplexStream>>>,
    server: McpServer<Sample>,
    seen: Arc<Seen>,
    serving: JoinHandle<Result<(), McpServerError>>,
    stop: CancellationToken,
}

impl Client {
    /// A connection on which nothing was said yet.
    fn new() -> Self {
        let sample = Sample::default();
        let seen = sample.0.clone();
        let server =
            McpServer::new(sample, ServerOptions { instructions: Some("Sample tools.".into()), heartbeat_ms: 20 });
        let (near, far) = tokio::io::duplex(64 << 10);
        let (read, write) = tokio::io::split(far);
        let (serving, stop) = (server.clone(), CancellationToken::new());
        let token = stop.clone();
        let serving = tokio::spawn(async move { serving.serve(read, write, token).await });
        let (read, write) = tokio::io::split(near);
        Self { write, read: BufReader::new(read).lines(), server, seen, serving, stop }
    }

    async fn initialized() -> Self {
        let mut client = Self::new();
        client.say(initialize(0)).await;
        assert_eq!(client.hear().await["id"], 0);
        client.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        client
    }

    async fn write(&mut self, text: &str) {
        self.write.write_all(format!("{text}\n").as_bytes()).await.unwrap();
    }

    async fn say(&mut self, message: Value) {
        self.write(&message.to_string()).await;
    }

    async fn ask(&mut self, id: u64, method: &str, params: Value) {
        self.say(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
    }

    async fn call(&mut self, id: u64, name: &str, arguments: Value) {
        self.ask(id, "tools/call", json!({ "name": name, "arguments": arguments })).await;
    }

    /// The next message; none, when the server has closed its end.
    async fn try_hear(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.read.next_line()).await.unwrap().unwrap()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|_| panic!("no protocol: {line}")))
    }

    async fn hear(&mut self) -> Value {
        self.try_hear().await.unwrap()
    }

    /// The connection still works.
    async fn is_well(&mut self) {
        self.ask(999, "ping", json!({})).await;
        let answer = self.hear().await;
        assert_eq!((&answer["id"], &answer["result"]), (&json!(999), &json!({})));
    }

    async fn until(&self, what: impl Fn(&Seen) -> bool) {
        let waiting = async {
            while !what(&self.seen) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    async fn running(&self, count: usize) {
        self.until(|seen| seen.running.load(Ordering::SeqCst) == count).await;
    }
}

fn initialize(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    } })
}

#[tokio::test]
async fn a_client_is_told_the_version_that_it_wants_and_what_there_is() {
    let mut client = Client::new();
    client.say(initialize(1)).await;
    let result = client.hear().await["result"].clone();
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(result["serverInfo"]["name"], "pi-host");
    assert_eq!(result["capabilities"], json!({ "tools": { "listChanged": true } }));
    assert_eq!(result["instructions"], "Sample tools.");
}

#[tokio::test]
async fn tools_are_listed_with_schemas_and_hints() {
    let mut client = Client::initialized().await;
    client.ask(1, "tools/list", json!({})).await;
    let tools = client.hear().await["result"]["tools"].clone();
    assert_eq!(
        tools[0],
        json!({
            "name": "echo",
            "description": "the sample tool echo",
            "inputSchema": { "type": "object", "properties": { "text": { "type": "string" } } },
            "annotations": {
                "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false,
            },
        })
    );
    assert_eq!(tools[1]["annotations"]["destructiveHint"], true);
}

#[tokio::test]
async fn a_call_gives_text_and_structured_content() {
    let mut client = Client::initialized().await;
    client.call(1, "echo", json!({ "text": "é\n" })).await;
    let result = client.hear().await["result"].clone();
    assert_eq!(result["structuredContent"], json!({ "text": "é\n" }));
    assert_eq!(result["content"][0]["text"], r#"{"text":"é\n"}"#);
    assert_eq!(result["isError"], false);
}

#[tokio::test]
async fn a_picture_arrives_as_an_image() {
    let mut client = Client::initialized().await;
    client.call(1, "picture", json!({})).await;
    let image = client.hear().await["result"]["content"][1].clone();
    assert_eq!((&image["type"], &image["mimeType"]), (&json!("image"), &json!("image/png")));
    let data = base64::engine::general_purpose::STANDARD.decode(image["data"].as_str().unwrap()).unwrap();
    assert_eq!(data, PICTURE);
}

#[tokio::test]
async fn a_refusal_is_a_result_that_a_model_can_read() {
    let mut client = Client::initialized().await;
    client.call(1, "refuse", json!({})).await;
    let result = client.hear().await["result"].clone();
    assert_eq!(result["isError"], true);
    assert_eq!(result["structuredContent"]["rule"], "delete.system");
    assert_eq!(result["structuredContent"]["advice"], "remove a file below the project");
}

#[tokio::test]
async fn a_tool_that_there_is_not_is_an_error_of_the_protocol() {
    let mut client = Client::initialized().await;
    client.call(1, "no\u{1b}such", json!({})).await;
    let error = client.hear().await["error"].clone();
    assert_eq!(error["code"], -32602);
    assert_eq!(error["message"], "there is no tool `no\\u{1b}such`: `tools/list` names those there are");
    client.is_well().await;
}

#[tokio::test]
async fn a_call_that_breaks_the_host_is_answered_all_the_same() {
    let mut client = Client::initialized().await;
    client.call(1, "break", json!({})).await;
    let result = client.hear().await["result"].clone();
    assert_eq!((&result["isError"], &result["structuredContent"]["kind"]), (&json!(true), &json!("unknown")));
    client.is_well().await;
}

#[tokio::test]
async fn a_waiting_call_says_why_and_its_cancellation_ends_it() {
    let mut client = Client::initialized().await;
    let params = json!({ "name": "wait", "arguments": {}, "_meta": { "progressToken": "p" } });
    client.ask(1, "tools/call", params).await;
    let note = client.hear().await;
    assert_eq!(note["method"], "notifications/progress");
    assert_eq!(note["params"]["progressToken"], "p");
    assert_eq!(note["params"]["message"], "waits for approval a-17: pi-host approvals show a-17");
    client.running(1).await;
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    client.say(cancelled).await;
    client.running(0).await;
    // A cancelled request has no answer, and its id is free again.
    client.call(1, "echo", json!({})).await;
    assert_eq!(client.hear().await["result"]["isError"], false);
}

#[tokio::test]
async fn a_call_without_a_progress_token_hears_nothing_of_it() {
    let mut client = Client::initialized().await;
    client.call(1, "wait", json!({ "ms": 1 })).await;
    assert_eq!(client.hear().await["id"], 1);
}

#[tokio::test]
async fn a_waiting_call_gives_a_sign_of_life_at_intervals() {
    let mut client = Client::initialized().await;
    let params = json!({ "name": "wait", "arguments": { "ms": 200 }, "_meta": { "progressToken": 5 } });
    client.ask(1, "tools/call", params).await;
    let mut progress = Vec::new();
    loop {
        let message = client.hear().await;
        if message["id"] == 1 {
            break;
        }
        progress.push(message["params"]["progress"].as_f64().unwrap());
    }
    assert!((3..=20).contains(&progress.len()), "{progress:?}");
    assert!(progress.is_sorted_by(|one, other| one < other), "{progress:?}");
}

#[tokio::test]
async fn each_fault_gets_its_error_and_the_connection_goes_on() {
    let mut client = Client::initialized().await;
    for (line, code) in [
        ("hello", -32700),
        ("{\"jsonrpc\":\"2.0\",", -32700),
        ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", -32600),
        ("{\"id\":1,\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no/such\"}", -32601),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":3}", -32602),
    ] {
        client.write(line).await;
        let answer = client.hear().await;
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert!(answer.as_object().unwrap().contains_key("id"), "{answer}");
    }
    client.write(&"[".repeat(1 << 20)).await;
    assert_eq!(client.hear().await["error"]["code"], -32700);
    client.is_well().await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_a_parse_error() {
    let mut client = Client::initialized().await;
    client.write.write_all(b"{\"jsonrpc\":\"\xff\xfe\"}\n\0\0\0\n").await.unwrap();
    assert_eq!(client.hear().await["error"]["code"], -32700);
    assert_eq!(client.hear().await["error"]["code"], -32700);
    client.is_well().await;
}

#[tokio::test]
async fn faults_without_end_close_the_connection() {
    let mut client = Client::initialized().await;
    client.write(&"x\n".repeat(200)).await;
    let mut answers = 0;
    while client.try_hear().await.is_some() {
        answers += 1;
    }
    assert_eq!(answers, 100);
    client.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_message_at_the_limit_is_taken_and_one_byte_more_is_answered() {
    let mut client = Client::initialized().await;
    let empty = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "a": "" } }).to_string().len();
    for (more, is_taken) in [(0, true), (1, false)] {
        let fill = "x".repeat(MESSAGE_BYTES_MAX - empty + more);
        client.ask(1, "ping", json!({ "a": fill })).await;
        let answer = client.hear().await;
        assert_eq!(answer.get("result").is_some(), is_taken, "{answer}");
        if !is_taken {
            assert_eq!(answer["error"]["code"], -32600);
        }
    }
    client.is_well().await;
}

#[tokio::test]
async fn before_it_is_initialized_only_the_beginning_is_served() {
    let mut client = Client::new();
    client.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    client.say(json!({ "jsonrpc": "2.0", "id": 5, "result": {} })).await;
    client.call(1, "echo", json!({})).await;
    let error = client.hear().await["error"].clone();
    assert_eq!((&error["code"], error["message"].as_str().unwrap().contains("initialize")), (&json!(-32600), true));
    client.is_well().await;
    client.say(initialize(2)).await;
    assert_eq!(client.hear().await["id"], 2);
    client.say(initialize(3)).await;
    assert_eq!(client.hear().await["error"]["code"], -32600);
    client.call(4, "echo", json!({})).await;
    assert_eq!(client.hear().await["result"]["isError"], false);
}

#[tokio::test]
async fn the_protocol_without_initialize_is_served_too() {
    let mut client = Client::new();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "new", "version": "2" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    client.ask(1, "server/discover", json!({ "_meta": meta })).await;
    let versions = client.hear().await["result"]["supportedVersions"].clone();
    assert!(versions.as_array().unwrap().contains(&json!("2026-07-28")), "{versions}");
    client.ask(2, "tools/call", json!({ "name": "echo", "arguments": { "text": "a" }, "_meta": meta })).await;
    assert_eq!(client.hear().await["result"]["structuredContent"], json!({ "text": "a" }));
}

#[tokio::test]
async fn an_id_cannot_be_used_twice_at_once() {
    let mut client = Client::initialized().await;
    client.call(1, "wait", json!({ "ms": 50 })).await;
    client.running(1).await;
    client.call(1, "echo", json!({})).await;
    let answer = client.hear().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32600)));
    assert_eq!(client.hear().await["result"]["content"][0]["text"], "waited");
}

#[tokio::test]
async fn calls_run_side_by_side_up_to_a_number_and_the_rest_wait() {
    let mut client = Client::initialized().await;
    for id in 1..=40 {
        client.call(id, "wait", json!({})).await;
    }
    client.running(32).await;
    // What is no call is answered meanwhile.
    client.is_well().await;
    assert_eq!(client.seen.running.load(Ordering::SeqCst), 32);
    for id in 1..=8 {
        let params = json!({ "requestId": id });
        client.say(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })).await;
    }
    client.until(|seen| seen.ended.load(Ordering::SeqCst) == 8).await;
    client.running(32).await;
}

#[tokio::test]
async fn calls_beyond_the_queue_are_turned_away_and_those_inside_still_run() {
    let mut client = Client::initialized().await;
    for id in 1..=32 + 256 + 1 {
        client.call(id, "wait", json!({})).await;
    }
    let answer = client.hear().await;
    assert_eq!(answer["result"]["structuredContent"]["kind"], "limit");
    client.is_well().await;
}

#[tokio::test]
async fn requests_without_an_answer_are_bounded() {
    let mut client = Client::initialized().await;
    let arguments = json!({ "fill": "x".repeat(3 << 20) });
    for id in 1..=5 {
        client.call(id, "wait", arguments.clone()).await;
    }
    client.call(6, "wait", arguments).await;
    assert_eq!(client.hear().await["error"]["code"], -32000);
    client.is_well().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_itself_and_nothing_is_lost() {
    let mut client = Client::initialized().await;
    let (mut write, mut read) = (client.write, client.read);
    let writing = tokio::spawn(async move {
        for id in 0..5_000 {
            let ping = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" });
            write.write_all(format!("{ping}\n").as_bytes()).await.unwrap();
        }
        write
    });
    // Answers are many times longer than their questions: the server has to stop reading.
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
    assert!(!writing.is_finished());
    let mut answers = 0;
    while answers < 5_000 {
        let line = tokio::time::timeout(PATIENCE, read.next_line()).await.unwrap().unwrap().unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get("result").is_some() || answer["error"]["code"] == -32000, "{answer}");
        answers += 1;
    }
    client.write = writing.await.unwrap();
    client.read = read;
    client.is_well().await;
}

#[tokio::test]
async fn the_end_of_the_input_ends_what_runs() {
    let mut client = Client::initialized().await;
    client.call(1, "wait", json!({})).await;
    client.call(2, "wait", json!({ "ms": 20 })).await;
    client.running(2).await;
    client.write.shutdown().await.unwrap();
    // What is done within the grace is answered, what is not is ended.
    assert_eq!(client.hear().await["id"], 2);
    let answer = client.hear().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32603)));
    assert_eq!(client.try_hear().await, None);
    tokio::time::timeout(PATIENCE, client.serving).await.unwrap().unwrap().unwrap();
    assert_eq!(client.seen.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_is_gone_ends_what_runs() {
    let mut client = Client::initialized().await;
    client.call(1, "wait", json!({})).await;
    client.running(1).await;
    let Client { write, read, serving, seen, .. } = client;
    drop((write, read));
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap().unwrap();
    assert_eq!(seen.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_host_that_stops_ends_what_runs() {
    let mut client = Client::initialized().await;
    client.call(1, "wait", json!({})).await;
    client.running(1).await;
    client.stop.cancel();
    assert_eq!(client.hear().await["error"]["code"], -32603);
    assert_eq!(client.try_hear().await, None);
    tokio::time::timeout(PATIENCE, client.serving).await.unwrap().unwrap().unwrap();
    assert_eq!(client.seen.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_input_that_ends_before_it_begins_is_no_error() {
    let mut client = Client::new();
    client.write.shutdown().await.unwrap();
    tokio::time::timeout(PATIENCE, client.serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_line_that_is_cut_off_at_the_end_is_not_obeyed() {
    let mut client = Client::initialized().await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "echo" } }).to_string();
    client.write.write_all(call.as_bytes()).await.unwrap();
    client.write.shutdown().await.unwrap();
    assert_eq!(client.try_hear().await, None);
    assert_eq!(client.seen.ended.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn clients_are_told_that_there_are_other_tools() {
    let mut client = Client::initialized().await;
    client.is_well().await;
    client.seen.has_more.store(true, Ordering::SeqCst);
    // The notification `initialized` is handled beside the requests.
    let told = loop {
        client.server.tools_changed();
        if let Ok(line) = tokio::time::timeout(Duration::from_millis(50), client.read.next_line()).await {
            break serde_json::from_str::<Value>(&line.unwrap().unwrap()).unwrap();
        }
    };
    assert_eq!(told["method"], "notifications/tools/list_changed");
    client.ask(1, "tools/list", json!({})).await;
    let answer = loop {
        let message = client.hear().await;
        if message["id"] == 1 {
            break message;
        }
    };
    assert!(answer["result"]["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "more"));
}

#[tokio::test]
async fn a_cursor_of_another_list_is_an_error() {
    let mut client = Client::initialized().await;
    client.ask(1, "tools/list", json!({ "cursor": "9.9" })).await;
    assert_eq!(client.hear().await["error"]["code"], -32602);
    client.is_well().await;
}

#[tokio::test]
async fn the_output_is_protocol_and_nothing_else() {
    let mut client = Client::initialized().await;
    for (id, name) in ["echo", "refuse", "picture", "break", "none"].iter().enumerate() {
        client.call(id as u64 + 1, name, json!({})).await;
    }
    client.write.shutdown().await.unwrap();
    let mut text = String::new();
    client.read.into_inner().read_to_string(&mut text).await.unwrap();
    assert_eq!(text.lines().count(), 5);
    for line in text.lines() {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["jsonrpc"], "2.0", "{line}");
    }
}
