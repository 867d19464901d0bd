//! The channels against a Slack and a receiver on this host, over real sockets, with a desk that keeps
//! approvals in memory and counts as the contract says.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::loopback_slack::{
    APP_TOKEN, BOT_TOKEN, CHANNEL, FOREIGN_CHANNEL, Fault, LoopbackSlack, SIGNING_SECRET, signed,
};
use super::*;
use crate::clock::Duration;

const NOW_MS: u64 = 1_700_000_000_000;
const ONCE: &str = "pi_approve_once";
const SESSION: &str = "pi_approve_session";
const DENY: &str = "pi_deny";

fn impatient() -> Patience {
    Patience {
        attempts: 3,
        first_ms: 5,
        longest_ms: 40,
        retry_after_ms_max: 2_000,
        request_ms_max: 3_000,
        silence_ms_max: 5_000,
        steady_ms: 60_000,
    }
}

fn clock() -> (Clock, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(NOW_MS));
    let read = now.clone();
    (Arc::new(move || read.load(Ordering::Relaxed)), now)
}

fn settings(slack: &LoopbackSlack) -> SlackSettings {
    SlackSettings {
        channel: CHANNEL.into(),
        bot_token: BOT_TOKEN.into(),
        app_token: Some(APP_TOKEN.into()),
        signing_secret: Some(SIGNING_SECRET.into()),
        api_url: slack.api_url(),
        patience: impatient(),
    }
}

fn channel(slack: &LoopbackSlack) -> Arc<Slack> {
    Arc::new(Slack::new(settings(slack), clock().0).unwrap())
}

fn notice(votes_needed: u32) -> Notice {
    Notice {
        id: "a-1".into(),
        host: "web-1".into(),
        agent: "sre".into(),
        session: "s-1".into(),
        summary: "run rm -rf /srv/data".into(),
        command: "rm -rf /srv/data".into(),
        risk: 80,
        reason: "it removes a folder".into(),
        action_hash: "hash-of-the-act".into(),
        expires_at_ms: 1_700_000_600_000,
        votes_needed,
        ..Notice::default()
    }
}

/// A desk with a list of approvers: one no denies, `votes_needed` people approve.
struct TestDesk {
    approvals: Mutex<BTreeMap<String, (Notice, Option<Settled>)>>,
    clicks: watch::Sender<Vec<Click>>,
    troubles: watch::Sender<Vec<Option<String>>>,
}

impl TestDesk {
    fn new(notices: &[Notice]) -> Arc<Self> {
        let approvals = notices.iter().map(|notice| (notice.id.clone(), (notice.clone(), None))).collect();
        Arc::new(Self {
            approvals: Mutex::new(approvals),
            clicks: watch::channel(Vec::new()).0,
            troubles: watch::channel(Vec::new()).0,
        })
    }

    async fn wait_clicks(&self, count: usize) -> Vec<Click> {
        wait(&self.clicks, |clicks| clicks.len() >= count).await
    }

    async fn wait_troubles(&self, count: usize) -> Vec<Option<String>> {
        wait(&self.troubles, |troubles| troubles.len() >= count).await
    }
}

async fn wait<T: Clone>(sender: &watch::Sender<T>, is_there: impl Fn(&T) -> bool) -> T {
    let mut receiver = sender.subscribe();
    let waiting = receiver.wait_for(|value| is_there(value));
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("waited in vain").unwrap().clone()
}

#[async_trait]
impl Desk for TestDesk {
    async fn click(&self, click: Click) -> Result<Taken, Refused> {
        self.clicks.send_modify(|clicks| clicks.push(click.clone()));
        let refused = |why: &str| Err(Refused(why.into()));
        let mut approvals = self.approvals.lock().unwrap();
        let Some((notice, settled)) = approvals.get_mut(&click.id) else { return refused("there is no such approval") };
        if !["slack:U1", "slack:U2", "webhook:ci"].contains(&click.by.as_str()) {
            return refused("you are not on the list of approvers <!channel>");
        }
        if let Some(settled) = settled {
            return refused(&format!("it is over: {}", settled.reason));
        }
        if click.action_hash != notice.action_hash {
            return refused("it is another act");
        }
        if notice.votes.iter().any(|vote| vote.by == click.by) {
            return refused("you have answered already");
        }
        let vote = Vote { by: click.by, is_granted: click.is_granted, at_ms: 0, comment: click.comment };
        notice.votes.push(vote);
        let votes = u32::try_from(notice.votes.len()).unwrap();
        if click.is_granted && votes < notice.votes_needed {
            return Ok(Taken::Counted { votes, needed: notice.votes_needed });
        }
        let end = Settled {
            is_granted: click.is_granted,
            by: notice.votes.iter().map(|vote| vote.by.clone()).collect(),
            reason: if click.is_granted { "granted" } else { "denied" }.into(),
        };
        *settled = Some(end.clone());
        Ok(Taken::Settled(end))
    }

    async fn notice(&self, id: &str) -> Option<(Notice, Option<Settled>)> {
        self.approvals.lock().unwrap().get(id).cloned()
    }

    fn trouble(&self, channel: &str, trouble: Option<&str>) {
        assert_eq!(channel, "slack");
        self.troubles.send_modify(|troubles| troubles.push(trouble.map(str::to_owned)));
    }
}

/// Aborts what it holds, so that a test leaves nothing behind.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn listen(channel: &Arc<Slack>, desk: &Arc<TestDesk>) -> Running {
    let (channel, desk) = (channel.clone(), desk.clone());
    Running(tokio::spawn(async move { channel.listen(desk).await }))
}

async fn served(router: axum::Router) -> (String, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, Running(tokio::spawn(serve(listener, router))))
}

/// Where the handle says that the message is.
fn ts(handle: &str) -> String {
    serde_json::from_str::<Value>(handle).unwrap()["ts"].as_str().unwrap().to_owned()
}

fn has_buttons(message: &Value) -> bool {
    message["blocks"].as_array().unwrap().iter().any(|block| block["type"] == "actions")
}

fn post(url: &str, headers: &[(&'static str, String)], body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    let mut request = reqwest::Client::builder().no_proxy().build().unwrap().post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

// Slack, by Socket Mode.

#[tokio::test]
async fn a_click_by_socket_reaches_the_desk_and_the_message_says_who_decided() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    assert_eq!(
        channel.check().await.unwrap(),
        "Slack workspace Loopback as pi, channel C0OPS, clicks by Socket Mode and signed HTTP"
    );
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    let envelope = slack.click("U1", &ts, SESSION);
    slack.wait_acknowledged(&envelope).await;
    let message = slack.wait_message(&ts, "Approved").await;
    assert!(message.to_string().contains("by <@U1>") && !has_buttons(&message), "{message}");
    let expected = Click {
        id: "a-1".into(),
        action_hash: "hash-of-the-act".into(),
        by: "slack:U1".into(),
        name: "u1".into(),
        is_granted: true,
        scope: Scope::Session,
        comment: String::new(),
    };
    assert_eq!(desk.wait_clicks(1).await, [expected]);
    assert!(slack.told().is_empty() && desk.troubles.borrow().is_empty());
}

#[tokio::test]
async fn a_quorum_is_counted_in_the_message_until_it_is_reached() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(2)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(2)).await.unwrap());
    slack.click("U1", &ts, ONCE);
    let message = slack.wait_message(&ts, "1 of 2 approvals").await;
    assert!(has_buttons(&message) && message.to_string().contains("<@U1> approved"));
    slack.click("U2", &ts, ONCE);
    let message = slack.wait_message(&ts, "by <@U1>, <@U2>").await;
    assert!(!has_buttons(&message));
}

#[tokio::test]
async fn a_comment_goes_with_the_click() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    let mut payload = slack.payload("U1", &ts, DENY);
    payload["state"]["values"]["b1"]["pi_comment"]["value"] = json!(format!(" not today {}", "x".repeat(5_000)));
    slack.click_with(payload);
    let click = desk.wait_clicks(1).await.remove(0);
    assert!(!click.is_granted && click.comment.starts_with("not today x"));
    assert_eq!(click.comment.chars().count(), COMMENT_CHARS_MAX + 1);
    slack.wait_message(&ts, "Not approved").await;
}

#[tokio::test]
async fn a_stranger_is_told_alone_and_changes_nothing() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    slack.click("U9", &ts, ONCE);
    let told = slack.wait_told(1).await;
    assert_eq!(told[0].user, "U9");
    assert_eq!(
        told[0].text,
        ":warning: Your click did not count: you are not on the list of approvers &lt;!channel&gt;"
    );
    slack.wait_calls("chat.update", 1).await;
    assert!(has_buttons(slack.messages()[0].versions.last().unwrap()));
    assert!(desk.notice("a-1").await.unwrap().1.is_none());
}

#[tokio::test]
async fn a_second_click_is_refused_and_the_message_stays_settled() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let handle = channel.announce(&notice(1)).await.unwrap();
    let ts = ts(&handle);
    slack.click("U1", &ts, DENY);
    slack.wait_message(&ts, "Not approved").await;
    slack.click("U2", &ts, ONCE);
    assert!(slack.wait_told(1).await[0].text.ends_with("it is over: denied"));
    // A late update of what was known before does not bring the buttons back.
    slack.wait_calls("chat.update", 2).await;
    channel.update(&handle, &notice(1), None).await.unwrap();
    let message = slack.messages()[0].versions.last().unwrap().clone();
    assert!(message.to_string().contains("Not approved") && !has_buttons(&message));
}

#[tokio::test]
async fn a_person_is_told_by_an_ephemeral_message_where_the_response_url_fails_or_is_not_slacks() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    slack.fail("response_url", Fault::Status(404));
    slack.click("U9", &ts, ONCE);
    slack.wait_told(1).await;
    let mut payload = slack.payload("U8", &ts, ONCE);
    let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
    payload["response_url"] = json!(format!("http://{}/inner", inner.local_addr().unwrap()));
    slack.click_with(payload);
    let told = slack.wait_told(2).await;
    assert_eq!([&told[0].user, &told[1].user], ["U9", "U8"]);
    assert_eq!(slack.calls("chat.postEphemeral").len(), 2);
    // Nobody was sent to the address of the inner network.
    assert!(tokio::time::timeout(Duration::from_millis(1), inner.accept()).await.is_err());
}

#[tokio::test]
async fn an_envelope_that_comes_again_is_acknowledged_and_counted_once() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(2)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(2)).await.unwrap());
    let payload = slack.payload("U1", &ts, ONCE);
    let frame = json!({ "type": "interactive", "envelope_id": "e-1", "payload": payload });
    slack.send(&frame);
    slack.send(&frame);
    slack.click("U2", &ts, ONCE);
    slack.wait_message(&ts, "by <@U1>, <@U2>").await;
    assert_eq!(desk.clicks.borrow().len(), 2);
    assert_eq!(slack.acknowledged().iter().filter(|id| *id == "e-1").count(), 2);
    assert!(slack.told().is_empty());
}

#[tokio::test]
async fn an_envelope_is_acknowledged_before_it_is_worked_on() {
    struct Slow(tokio::sync::Notify);
    #[async_trait]
    impl Desk for Slow {
        async fn click(&self, _click: Click) -> Result<Taken, Refused> {
            self.0.notified().await;
            Err(Refused("slow".into()))
        }
        async fn notice(&self, _id: &str) -> Option<(Notice, Option<Settled>)> {
            None
        }
    }
    let slack = LoopbackSlack::start().await;
    let channel = channel(&slack);
    let desk = Arc::new(Slow(tokio::sync::Notify::new()));
    let (listening, listener) = (channel.clone(), desk.clone());
    let _listening = Running(tokio::spawn(async move { listening.listen(listener).await }));
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    let envelope = slack.click("U1", &ts, ONCE);
    slack.wait_acknowledged(&envelope).await;
    assert!(slack.told().is_empty());
    desk.0.notify_one();
    slack.wait_told(1).await;
}

#[tokio::test]
async fn frames_that_make_no_sense_end_nothing() {
    use tokio_tungstenite::tungstenite::Message;
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    for text in ["", "{", "[]", "7", "null", r#"{"type":7}"#, r#"{"type":"interactive"}"#] {
        slack.send_raw(Message::text(text));
    }
    slack.send_raw(Message::binary(vec![0xff, 0, 1]));
    slack.send(&json!({ "type": "events_api", "envelope_id": "e-1", "payload": { "type": "block_actions" } }));
    for payload in [json!(null), json!([]), json!({ "type": "block_actions", "actions": 7 }), json!({ "type": "x" })] {
        slack.click_with(payload);
    }
    for (at, value) in
        [("/actions/0/action_id", json!("another_app")), ("/type", json!("view_submission")), ("/actions", json!([]))]
    {
        let mut payload = slack.payload("U1", &ts, ONCE);
        *payload.pointer_mut(at).unwrap() = value;
        slack.click_with(payload);
    }
    slack.send_raw(Message::Ping("are you there".into()));
    slack.wait_pongs(1).await;
    assert!(desk.clicks.borrow().is_empty());
    slack.click("U1", &ts, ONCE);
    slack.wait_message(&ts, "Approved").await;
    assert_eq!((slack.connections(), desk.clicks.borrow().len()), (1, 1));
}

#[tokio::test]
async fn a_button_or_a_person_that_cannot_be_read_does_not_count() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    let long = "x".repeat(HASH_BYTES_MAX + 1);
    for (at, value) in [
        ("/actions/0/value", json!("a-1")),
        ("/actions/0/value", json!(null)),
        ("/actions/0/value", json!(json!({ "id": "a-1" }).to_string())),
        ("/actions/0/value", json!(json!({ "id": "a-1", "hash": long }).to_string())),
        ("/actions/0/value", json!(json!({ "id": "a-1", "hash": "h", "by": "slack:U2" }).to_string())),
        ("/user/id", json!("")),
        ("/user/id", json!("U1 U2")),
    ] {
        let mut payload = slack.payload("U1", &ts, ONCE);
        *payload.pointer_mut(at).unwrap() = value;
        slack.click_with(payload);
    }
    slack.wait_told(7).await;
    assert!(desk.clicks.borrow().is_empty());
}

#[tokio::test]
async fn a_button_of_another_act_is_refused() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    let other = Notice { action_hash: "hash-of-another-act".into(), ..notice(1) };
    let ts = ts(&channel.announce(&other).await.unwrap());
    slack.click("U1", &ts, ONCE);
    assert!(slack.wait_told(1).await[0].text.ends_with("it is another act"));
    assert!(desk.notice("a-1").await.unwrap().1.is_none());
}

// Slack, when it is not well.

#[tokio::test]
async fn a_connection_that_slack_ends_is_followed_by_another() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    for (number, reason) in [(1, "warning"), (2, "refresh_requested")] {
        slack.wait_connections(number).await;
        slack.send(&json!({ "type": "disconnect", "reason": reason, "debug_info": {} }));
    }
    slack.wait_connections(3).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    slack.click("U1", &ts, ONCE);
    slack.wait_message(&ts, "Approved").await;
    assert!(desk.troubles.borrow().is_empty());
}

#[tokio::test]
async fn slack_that_is_down_at_the_start_and_later_is_tried_again_and_told_of_once() {
    let slack = LoopbackSlack::start().await;
    slack.down();
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let _listening = listen(&channel, &desk);
    assert!(channel.announce(&notice(1)).await.unwrap_err().is_temporary());
    // Several rounds of attempts, and one telling.
    slack.wait_calls("apps.connections.open", 12).await;
    let first = desk.wait_troubles(1).await;
    assert_eq!(
        first,
        [Some("Slack's `apps.connections.open` cannot be reached, after 3 attempts: status 503".to_owned())]
    );
    slack.up();
    slack.wait_connections(1).await;
    assert_eq!(desk.wait_troubles(2).await.last().unwrap(), &None);
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    slack.down();
    let told = desk.wait_troubles(3).await;
    assert!(told[2].is_some());
    slack.up();
    slack.wait_connections(2).await;
    slack.click("U1", &ts, ONCE);
    slack.wait_message(&ts, "Approved").await;
}

#[tokio::test]
async fn a_web_socket_that_says_nothing_is_given_up() {
    let slack = LoopbackSlack::start().await;
    slack.mute();
    let patience = Patience { request_ms_max: 500, ..impatient() };
    let channel = Arc::new(Slack::new(SlackSettings { patience, ..settings(&slack) }, clock().0).unwrap());
    let desk = TestDesk::new(&[]);
    let _listening = listen(&channel, &desk);
    let told = desk.wait_troubles(1).await;
    assert_eq!(told[0].as_deref(), Some("Slack's web socket cannot be reached, after 1 attempts: it is silent"));
}

#[tokio::test]
async fn a_web_socket_that_answers_no_ping_is_given_up_and_one_that_does_is_kept() {
    let slack = LoopbackSlack::start().await;
    let patience = Patience { silence_ms_max: 200, ..impatient() };
    let channel = Arc::new(Slack::new(SlackSettings { patience, ..settings(&slack) }, clock().0).unwrap());
    let desk = TestDesk::new(&[]);
    let listening = listen(&channel, &desk);
    slack.wait_pings(3).await;
    assert!(slack.connections() == 1 && desk.troubles.borrow().is_empty());
    drop(listening);
    slack.deafen();
    let _listening = listen(&channel, &desk);
    let told = desk.wait_troubles(1).await;
    assert!(told[0].as_deref().unwrap().ends_with("it is silent"), "{told:?}");
}

#[tokio::test]
async fn listening_ends_when_it_is_dropped_and_can_begin_again() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    let first = listen(&channel, &desk);
    slack.wait_connections(1).await;
    drop(first);
    let _second = listen(&channel, &desk);
    slack.wait_connections(2).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    slack.click("U1", &ts, ONCE);
    slack.wait_message(&ts, "Approved").await;
    assert_eq!(slack.calls("apps.connections.open").len(), 2);
}

#[tokio::test]
async fn socket_mode_that_is_switched_off_is_told_with_a_hint() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[]));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    slack.send(&json!({ "type": "disconnect", "reason": "link_disabled" }));
    let told = desk.wait_troubles(1).await;
    assert!(told[0].as_deref().unwrap().contains("hint: switch on `Socket Mode`"), "{told:?}");
}

#[tokio::test]
async fn a_message_is_posted_in_spite_of_429_500_and_slacks_own_faults() {
    for fault in [Fault::Limited(0), Fault::Status(500), Fault::Error("internal_error"), Fault::Error("ratelimited")] {
        let slack = LoopbackSlack::start().await;
        slack.fail("chat.postMessage", fault.clone());
        slack.fail("chat.postMessage", fault);
        channel(&slack).announce(&notice(1)).await.unwrap();
        assert_eq!((slack.calls("chat.postMessage").len(), slack.messages().len()), (3, 1));
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let slack = LoopbackSlack::start().await;
    slack.fail("chat.postMessage", Fault::Limited(1));
    let begin = crate::clock::monotonic();
    channel(&slack).announce(&notice(1)).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_retry_after_beyond_the_limit_is_not_waited_for() {
    let slack = LoopbackSlack::start().await;
    slack.fail("chat.postMessage", Fault::Limited(86_400));
    let error = channel(&slack).announce(&notice(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "Slack's `chat.postMessage` asks to be left alone for 86400 s");
    assert!(error.is_temporary());
}

#[tokio::test]
async fn attempts_end_at_the_limit() {
    for fault in [Fault::Limited(0), Fault::Status(500), Fault::Error("internal_error"), Fault::Silence] {
        let slack = LoopbackSlack::start().await;
        for _ in 0..10 {
            slack.fail("chat.postMessage", fault.clone());
        }
        let patience = Patience { request_ms_max: 1_000, ..impatient() };
        let channel = Slack::new(SlackSettings { patience, ..settings(&slack) }, clock().0).unwrap();
        assert!(channel.announce(&notice(1)).await.unwrap_err().is_temporary());
        assert_eq!(slack.calls("chat.postMessage").len(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn an_error_of_slacks_says_what_mends_it_and_is_not_tried_again() {
    for (code, hint) in [
        ("channel_not_found", "write the channel's id"),
        ("not_in_channel", "/invite @BOT"),
        ("missing_scope", "`chat:write`"),
        ("invalid_auth", "copy it again"),
        ("something_new", "https://docs.slack.dev"),
    ] {
        let slack = LoopbackSlack::start().await;
        slack.fail("chat.postMessage", Fault::Error(code));
        let error = channel(&slack).announce(&notice(1)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("Slack's `chat.postMessage` refused: `{code}`\nhint: ")), "{text}");
        assert!(text.contains(hint) && !error.is_temporary(), "{text}");
        assert_eq!(slack.calls("chat.postMessage").len(), 1);
    }
}

#[tokio::test]
async fn the_check_finds_wrong_tokens_and_a_slack_that_is_not_there() {
    let slack = LoopbackSlack::start().await;
    let check =
        async |settings: SlackSettings| Slack::new(settings, clock().0).unwrap().check().await.unwrap_err().to_string();
    let text = check(SlackSettings { bot_token: "xoxb-of-another-workspace".into(), ..settings(&slack) }).await;
    assert!(text.starts_with("Slack's `auth.test` refused: `invalid_auth`\nhint: "), "{text}");
    let text = check(SlackSettings { app_token: Some("xapp-of-another-app".into()), ..settings(&slack) }).await;
    assert!(text.starts_with("Slack's `apps.connections.open` refused: `invalid_auth`\nhint: "), "{text}");
    slack.grant("users:read");
    let text = check(settings(&slack)).await;
    assert!(
        text.starts_with("Slack's `auth.test` refused: `missing_scope`\nhint: add the scope `chat:write`"),
        "{text}"
    );
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let text = check(SlackSettings { api_url: format!("http://127.0.0.1:{port}/api"), ..settings(&slack) }).await;
    assert!(text.starts_with("Slack's `auth.test` cannot be reached, after 3 attempts: "), "{text}");
}

#[tokio::test]
async fn a_channel_that_the_bot_is_not_in_is_an_error_of_the_announcement() {
    let slack = LoopbackSlack::start().await;
    let channel = Slack::new(SlackSettings { channel: FOREIGN_CHANNEL.into(), ..settings(&slack) }, clock().0).unwrap();
    assert!(channel.announce(&notice(1)).await.unwrap_err().to_string().contains("`not_in_channel`"));
}

#[tokio::test]
async fn no_error_tells_a_secret() {
    let slack = LoopbackSlack::start().await;
    let patience = Patience { attempts: 1, request_ms_max: 1_000, ..impatient() };
    let channel = Slack::new(SlackSettings { patience, ..settings(&slack) }, clock().0).unwrap();
    let faults = [
        Fault::Error("xoxb-loopback-bot-token"),
        Fault::Status(500),
        Fault::Redirect(format!("http://127.0.0.1:1/{BOT_TOKEN}")),
        Fault::Garbage,
        Fault::Silence,
        Fault::Limited(9),
    ];
    for fault in faults {
        slack.fail("chat.postMessage", fault.clone());
        let error = channel.announce(&notice(1)).await.unwrap_err();
        let text = format!("{error} {error:?}");
        for secret in [BOT_TOKEN, APP_TOKEN, SIGNING_SECRET, "ticket"] {
            assert!(!text.contains(secret), "{fault:?}: {text}");
        }
    }
    // The redirect was not followed: a token goes nowhere else.
    assert_eq!(slack.calls("chat.postMessage").len(), 6);
    // Of the web socket's address, which holds a ticket, too.
    let desk = TestDesk::new(&[]);
    let channel = Arc::new(channel);
    slack.mute();
    let _listening = listen(&channel, &desk);
    assert!(!desk.wait_troubles(1).await[0].as_deref().unwrap().contains("ticket"));
}

#[tokio::test]
async fn a_handle_outlives_the_channel_and_a_wrong_one_is_an_error() {
    let slack = LoopbackSlack::start().await;
    let handle = channel(&slack).announce(&notice(1)).await.unwrap();
    let end = Settled { is_granted: false, by: Vec::new(), reason: "nobody answered".into() };
    channel(&slack).update(&handle, &notice(1), Some(&end)).await.unwrap();
    slack.wait_message(&ts(&handle), "nobody answered").await;
    let gone = handle.replace("1700000000", "1600000000");
    let error = channel(&slack).update(&gone, &notice(1), None).await.unwrap_err();
    assert!(error.to_string().contains("`message_not_found`"), "{error}");
    for handle in ["", "{}", "[1]", &"x".repeat(10_000)] {
        let error = channel(&slack).update(handle, &notice(1), None).await.unwrap_err();
        assert!(matches!(error, ChannelError::Handle { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_command_of_a_megabyte_is_posted_within_slacks_limits() {
    let slack = LoopbackSlack::start().await;
    for command in ["<&>\n".repeat(1 << 18), "\u{202e}".repeat(1 << 18), "```".repeat(1 << 18)] {
        channel(&slack).announce(&Notice { command, ..notice(1) }).await.unwrap();
    }
}

#[tokio::test]
async fn a_message_that_slack_finds_too_long_is_posted_in_brief_and_cannot_be_approved_there() {
    let slack = LoopbackSlack::start().await;
    let (channel, desk) = (channel(&slack), TestDesk::new(&[notice(1)]));
    slack.fail("chat.postMessage", Fault::Error("msg_blocks_too_long"));
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    let message = slack.messages()[0].versions[0].to_string();
    assert!(message.contains("pi-host approvals approve a-1") && !message.contains(ONCE) && message.contains(DENY));
    let _listening = listen(&channel, &desk);
    slack.wait_connections(1).await;
    slack.fail("chat.update", Fault::Error("invalid_blocks"));
    slack.click("U1", &ts, DENY);
    slack.wait_message(&ts, "by <@U1>").await;
}

#[test]
fn settings_that_leave_something_out_or_mix_something_up_are_refused() {
    let good = SlackSettings {
        channel: CHANNEL.into(),
        bot_token: BOT_TOKEN.into(),
        app_token: Some(APP_TOKEN.into()),
        signing_secret: None,
        api_url: slack::API_URL.into(),
        patience: Patience::default(),
    };
    assert!(Slack::new(good.clone(), clock().0).is_ok());
    for settings in [
        SlackSettings { channel: " ".into(), ..good.clone() },
        SlackSettings { bot_token: APP_TOKEN.into(), ..good.clone() },
        SlackSettings { app_token: Some(BOT_TOKEN.into()), ..good.clone() },
        SlackSettings { app_token: None, ..good.clone() },
        SlackSettings { signing_secret: Some("".into()), ..good.clone() },
        SlackSettings { api_url: "http://slack.example/api".into(), ..good.clone() },
    ] {
        let Err(error) = Slack::new(settings, clock().0) else { panic!("it was taken") };
        assert!(matches!(error, ChannelError::Config { .. }) && error.to_string().contains("\nhint: "), "{error}");
        assert!(!error.to_string().contains("loopback"), "{error}");
    }
}

// Slack, by signed HTTP.

struct Http {
    slack: LoopbackSlack,
    desk: Arc<TestDesk>,
    now: Arc<AtomicU64>,
    url: String,
    ts: String,
    _serving: Running,
}

async fn http() -> Http {
    let slack = LoopbackSlack::start().await;
    let (clock, now) = clock();
    let channel = Slack::new(SlackSettings { app_token: None, ..settings(&slack) }, clock).unwrap();
    let desk = TestDesk::new(&[notice(1)]);
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    let (url, _serving) = served(channel.router(desk.clone())).await;
    Http { slack, desk, now, url: format!("{url}/slack/interactions"), ts, _serving }
}

#[tokio::test]
async fn a_signed_click_is_answered_at_once_and_decides() {
    let it = http().await;
    let (headers, body) = signed(SIGNING_SECRET, NOW_MS / 1_000, &it.slack.payload("U1", &it.ts, ONCE));
    assert_eq!(status(post(&it.url, &headers, body)).await, 200);
    it.slack.wait_message(&it.ts, "Approved").await;
    assert_eq!(it.desk.clicks.borrow()[0].by, "slack:U1");
}

#[tokio::test]
async fn a_stranger_and_a_second_click_by_http_are_told() {
    let it = http().await;
    for (count, user) in [(0, "U1"), (1, "U9"), (2, "U1")] {
        let (headers, body) = signed(SIGNING_SECRET, NOW_MS / 1_000, &it.slack.payload(user, &it.ts, ONCE));
        assert_eq!(status(post(&it.url, &headers, body)).await, 200);
        it.slack.wait_told(count).await;
        it.desk.wait_clicks(count + 1).await;
        it.slack.wait_calls("chat.update", count + 1).await;
    }
    let told: Vec<_> = it.slack.told().into_iter().map(|told| told.user).collect();
    assert_eq!(told, ["U9", "U1"]);
}

#[tokio::test]
async fn a_click_that_is_signed_wrongly_too_late_or_again_does_not_reach_the_desk() {
    let it = http().await;
    let payload = it.slack.payload("U1", &it.ts, ONCE);
    let now_s = NOW_MS / 1_000;
    let (headers, body) = signed("another-secret-of-another-app", now_s, &payload);
    assert_eq!(status(post(&it.url, &headers, body.clone())).await, 401);
    for at in [now_s - 301, now_s + 301] {
        let (headers, body) = signed(SIGNING_SECRET, at, &payload);
        assert_eq!(status(post(&it.url, &headers, body)).await, 401);
    }
    let (headers, body) = signed(SIGNING_SECRET, now_s, &payload);
    assert_eq!(status(post(&it.url, &headers, format!("{body}&x=y"))).await, 401);
    assert_eq!(status(post(&it.url, &headers[..1], body.clone())).await, 401);
    assert!(it.desk.clicks.borrow().is_empty());
    assert_eq!(status(post(&it.url, &headers, body.clone())).await, 200);
    it.desk.wait_clicks(1).await;
    let again = post(&it.url, &headers, body.clone()).send().await.unwrap();
    assert_eq!(again.status().as_u16(), 401);
    assert_eq!(again.text().await.unwrap(), "the same request was taken already");
    it.now.fetch_add(301_000, Ordering::Relaxed);
    assert_eq!(status(post(&it.url, &headers, body)).await, 401);
    assert_eq!(it.desk.clicks.borrow().len(), 1);
}

#[tokio::test]
async fn a_request_of_another_form_is_refused() {
    let it = http().await;
    let now_s = NOW_MS / 1_000;
    let (mut headers, body) = signed(SIGNING_SECRET, now_s, &it.slack.payload("U1", &it.ts, ONCE));
    headers[0].1 = "application/json".into();
    assert_eq!(status(post(&it.url, &headers, body)).await, 415);
    let (headers, body) = signed(SIGNING_SECRET, now_s, &json!("x".repeat(256 << 10)));
    assert_eq!(status(post(&it.url, &headers, body)).await, 413);
    for payload in [json!(7), json!([]), json!({ "actions": [] })] {
        let (headers, body) = signed(SIGNING_SECRET, now_s, &payload);
        assert_eq!(status(post(&it.url, &headers, body)).await, 400, "{payload}");
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(status(client.get(&it.url)).await, 405);
    assert!(it.desk.clicks.borrow().is_empty());
}

#[tokio::test]
async fn without_a_signing_secret_there_is_nothing_to_post_to() {
    let slack = LoopbackSlack::start().await;
    let channel = Slack::new(SlackSettings { signing_secret: None, ..settings(&slack) }, clock().0).unwrap();
    let (url, _serving) = served(channel.router(TestDesk::new(&[notice(1)]))).await;
    let ts = ts(&channel.announce(&notice(1)).await.unwrap());
    let (headers, body) = signed("", NOW_MS / 1_000, &slack.payload("U1", &ts, ONCE));
    assert_eq!(status(post(&format!("{url}/slack/interactions"), &headers, body)).await, 404);
}

// The webhook.

const SECRET: &str = "a-secret-of-the-webhook";

/// A receiver that records what it is sent, and answers as it is told.
#[derive(Clone)]
struct Receiver {
    got: Arc<watch::Sender<Vec<(axum::http::HeaderMap, String)>>>,
    statuses: Arc<Mutex<Vec<u16>>>,
}

async fn receiver(statuses: &[u16]) -> (Receiver, String, Running) {
    let receiver =
        Receiver { got: Arc::new(watch::channel(Vec::new()).0), statuses: Arc::new(Mutex::new(statuses.to_vec())) };
    let received = receiver.clone();
    let handler = move |headers: axum::http::HeaderMap, body: String| {
        received.got.send_modify(|got| got.push((headers, body)));
        let mut statuses = received.statuses.lock().unwrap();
        let status = if statuses.is_empty() { 200 } else { statuses.remove(0) };
        let answer = (
            axum::http::StatusCode::from_u16(status).unwrap(),
            [("location", "http://127.0.0.1:1/"), ("retry-after", "0")],
        );
        async move { answer }
    };
    let (url, serving) = served(axum::Router::new().route("/hook/secret-path", axum::routing::post(handler))).await;
    (receiver, format!("{url}/hook/secret-path"), serving)
}

fn webhook(url: &str) -> Webhook {
    let settings = WebhookSettings { url: url.into(), secret: SECRET.into(), patience: impatient() };
    Webhook::new(settings, clock().0).unwrap()
}

fn signature(secret: &str, timestamp_s: u64, body: &str) -> Vec<(&'static str, String)> {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v1:{timestamp_s}:{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("content-type", "application/json".into()),
        ("x-pi-timestamp", timestamp_s.to_string()),
        ("x-pi-signature", format!("v1={hex}")),
    ]
}

#[tokio::test]
async fn a_webhook_posts_signed_events() {
    let (receiver, url, _serving) = receiver(&[]).await;
    let webhook = webhook(&url);
    let connected = webhook.check().await.unwrap();
    assert!(connected.starts_with("the webhook at http://127.0.0.1:") && !connected.contains("secret-path"));
    let handle = webhook.announce(&notice(1)).await.unwrap();
    let end = Settled { is_granted: true, by: vec!["webhook:ci".into()], reason: "granted".into() };
    webhook.update(&handle, &notice(1), None).await.unwrap();
    webhook.update(&handle, &notice(1), Some(&end)).await.unwrap();
    let got = receiver.got.borrow().clone();
    let events: Vec<Value> = got.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(events[0], json!({ "event": "check" }));
    assert_eq!(events[1], json!({ "event": "pending", "notice": notice(1), "settled": null }));
    assert_eq!(events[2]["event"], "pending");
    assert_eq!(events[3]["event"], "settled");
    // A late update does not open it again.
    webhook.update(&handle, &notice(1), None).await.unwrap();
    assert_eq!(receiver.got.borrow().len(), 4);
    assert_eq!(events[3]["settled"], json!({ "is_granted": true, "by": ["webhook:ci"], "reason": "granted" }));
    for (headers, body) in &got {
        for (name, value) in signature(SECRET, NOW_MS / 1_000, body) {
            assert_eq!(headers[name], value.as_str());
        }
    }
}

#[tokio::test]
async fn a_webhook_is_tried_again_until_the_limit() {
    let (receiver, url, _serving) = receiver(&[500, 429, 200]).await;
    webhook(&url).announce(&notice(1)).await.unwrap();
    assert_eq!(receiver.got.borrow().len(), 3);
    receiver.statuses.lock().unwrap().extend([503, 503, 503, 200]);
    let error = webhook(&url).announce(&notice(1)).await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().ends_with("after 3 attempts: status 503"), "{error}");
    assert_eq!(receiver.got.borrow().len(), 6);
}

#[tokio::test]
async fn a_webhook_that_redirects_or_refuses_is_an_error_without_its_path() {
    let (receiver, url, _serving) = receiver(&[302, 403, 404]).await;
    for text in ["a redirect (status 302), which is not followed", "`status 403`\nhint: ", "`status 404`\nhint: "] {
        let error = webhook(&url).announce(&notice(1)).await.unwrap_err().to_string();
        assert!(error.contains(text) && !error.contains("secret-path"), "{error}");
    }
    assert_eq!(receiver.got.borrow().len(), 3);
}

#[test]
fn a_webhook_without_encryption_or_with_a_short_secret_is_refused() {
    for (url, secret) in [
        ("http://example.com/hook", SECRET),
        ("https://example.com/hook", "short"),
        ("https://a:b@example.com/hook", SECRET),
    ] {
        let settings = WebhookSettings { url: url.into(), secret: secret.into(), patience: Patience::default() };
        let Err(error) = Webhook::new(settings, clock().0) else { panic!("{url} was taken") };
        assert!(error.to_string().contains("\nhint: ") && !error.to_string().contains("short\""), "{error}");
    }
}

fn said(fields: &[(&str, Value)]) -> String {
    let mut said = json!({ "id": "a-1", "decision": "approve", "by": "ci", "action_hash": "hash-of-the-act" });
    for (name, value) in fields {
        said[*name] = value.clone();
    }
    said.to_string()
}

#[tokio::test]
async fn a_signed_answer_decides_and_a_second_is_refused() {
    let desk = TestDesk::new(&[notice(2)]);
    let (url, _serving) = served(webhook("https://example.com").router(desk.clone())).await;
    let url = format!("{url}/approvals/a-1");
    let answer = async |body: String| {
        let response = post(&url, &signature(SECRET, NOW_MS / 1_000, &body), body).send().await.unwrap();
        (response.status().as_u16(), serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap())
    };
    let body = said(&[("scope", json!({ "rule": { "minutes": 30 } })), ("comment", json!("go"))]);
    assert_eq!(answer(body).await, (200, json!({ "status": "counted", "votes": 1, "needed": 2 })));
    let click = desk.clicks.borrow()[0].clone();
    assert_eq!(
        (click.by.as_str(), click.scope, click.comment.as_str()),
        ("webhook:ci", Scope::Rule { minutes: 30 }, "go")
    );
    assert_eq!(answer(said(&[])).await, (403, json!({ "error": "you have answered already" })));
    let (status, error) = answer(said(&[("by", json!("U1"))])).await;
    assert_eq!((status, error["error"].as_str().unwrap().contains("not on the list")), (403, true));
    assert_eq!(answer(said(&[("action_hash", json!("other"))])).await.0, 403);
    desk.approvals.lock().unwrap().get_mut("a-1").unwrap().0.votes.clear();
    let (status, settled) = answer(said(&[("decision", json!("deny"))])).await;
    assert_eq!(
        (status, settled),
        (200, json!({ "status": "settled", "is_granted": false, "by": ["webhook:ci"], "reason": "denied" }))
    );
}

#[tokio::test]
async fn an_answer_that_is_signed_wrongly_too_late_or_again_does_not_reach_the_desk() {
    let desk = TestDesk::new(&[notice(2)]);
    let (url, _serving) = served(webhook("https://example.com").router(desk.clone())).await;
    let url = format!("{url}/approvals/a-1");
    let (now_s, body) = (NOW_MS / 1_000, said(&[]));
    assert_eq!(status(post(&url, &signature("another-secret-entirely", now_s, &body), body.clone())).await, 401);
    assert_eq!(status(post(&url, &signature(SECRET, now_s - 301, &body), body.clone())).await, 401);
    assert_eq!(status(post(&url, &signature(SECRET, now_s + 301, &body), body.clone())).await, 401);
    assert_eq!(status(post(&url, &signature(SECRET, now_s, &body), said(&[("by", json!("cj"))]))).await, 401);
    assert_eq!(status(post(&url, &signature(SECRET, now_s, &body)[..1], body.clone())).await, 401);
    let elsewhere = url.replace("a-1", "a-2");
    assert_eq!(status(post(&elsewhere, &signature(SECRET, now_s, &body), body.clone())).await, 400);
    assert!(desk.clicks.borrow().is_empty());
    let body = said(&[("comment", json!("fresh"))]);
    assert_eq!(status(post(&url, &signature(SECRET, now_s, &body), body.clone())).await, 200);
    assert_eq!(status(post(&url, &signature(SECRET, now_s, &body), body)).await, 401);
    assert_eq!(desk.clicks.borrow().len(), 1);
}

#[tokio::test]
async fn an_answer_that_says_something_else_is_refused() {
    let desk = TestDesk::new(&[notice(1)]);
    let (url, _serving) = served(webhook("https://example.com").router(desk.clone())).await;
    let url = format!("{url}/approvals/a-1");
    let event = json!({ "event": "pending", "notice": notice(1), "settled": null }).to_string();
    for body in [
        event,
        "approve".into(),
        said(&[("decision", json!("maybe"))]),
        said(&[("by", json!(""))]),
        said(&[("by", json!("ci, slack:U1"))]),
        said(&[("by", json!("c\u{200b}i"))]),
        said(&[("by", json!("x".repeat(81)))]),
        said(&[("action_hash", json!(""))]),
        said(&[("scope", json!("forever"))]),
        said(&[("scope", json!({ "rule": { "minutes": 0 } }))]),
        said(&[("more", json!(1))]),
    ] {
        assert_eq!(status(post(&url, &signature(SECRET, NOW_MS / 1_000, &body), body.clone())).await, 400, "{body}");
    }
    let body = said(&[("comment", json!("x".repeat(16 << 10)))]);
    assert_eq!(status(post(&url, &signature(SECRET, NOW_MS / 1_000, &body), body)).await, 413);
    let mut headers = signature(SECRET, NOW_MS / 1_000, &said(&[]));
    headers[0].1 = "text/plain".into();
    assert_eq!(status(post(&url, &headers, said(&[]))).await, 415);
    assert!(desk.clicks.borrow().is_empty());
}
