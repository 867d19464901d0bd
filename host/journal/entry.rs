//! What a journal says: the bodies of its entries, and the hash chain over them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::gate::{Act, Decision, Origin, Severity};

/// Where an answer belongs: the agent's step, the call within the step, the effect within the call.
/// `3`, `3.0`, `3.0.2`. The same in every replay of a session.
pub type Key = String;

/// How something that was begun ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Done,
    Failed,
    Refused,
    /// The call ended (deadline, cancellation) while it was under way: it may have taken effect.
    Abandoned,
    /// The host was killed between intent and outcome: it may have taken effect.
    Unknown,
}

/// What one entry says. Intent and outcome are entries of their own, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Body {
    SessionStarted {
        agent: String,
        /// SHA-256 of the agent's component.
        component: String,
        /// Prompt and input, as the agent gets them.
        task: Value,
        /// SHA-256 of the policy in force.
        policy: String,
    },
    /// The entries up to here are copied from another session, which goes on by itself: from here on this one does.
    SessionForked {
        /// The session that the entries are of.
        parent: String,
        /// The session in which the first of them were written: to its agent, this one is that one.
        root: String,
        /// The last of its entries that was copied; it has the same sequence here.
        at: u64,
        /// That entry's hash in the chain of the parent.
        hash: String,
        by: String,
    },
    /// The entries of a session that had ended were removed. Its place in the chain over the sessions stays.
    SessionPruned {
        session: String,
        /// How many there were, and the hash of the last.
        entries: u64,
        hash: String,
        /// How and when it had ended.
        status: String,
        ended_ms: u64,
    },
    /// Everything that changes anything is stopped, for every host of the store.
    AllStopped {
        by: String,
        reason: String,
        /// When: the entry may have come later.
        time_ms: u64,
    },
    /// Agents go on.
    AllResumed {
        by: String,
        time_ms: u64,
    },
    /// A host took the session up again.
    SessionResumed {
        host: String,
    },
    /// The agent waits until then.
    WaitStarted {
        key: Key,
        until_ms: u64,
    },
    WaitEnded {
        key: Key,
    },
    /// A tool call was judged and is about to begin.
    CallStarted {
        key: Key,
        tool: String,
        arguments: Value,
        effect: Severity,
        idempotent: bool,
        decision: Decision,
    },
    /// `result` is what the agent read, `{"ok": [...]}` or `{"error": {...}}`.
    CallEnded {
        key: Key,
        status: Status,
        result: Value,
    },
    /// An act inside a call was judged and is about to begin.
    EffectStarted {
        key: Key,
        act: Act,
        origin: Origin,
        decision: Decision,
    },
    EffectEnded {
        key: Key,
        status: Status,
        detail: Value,
    },
    /// An act or a call that was refused; nothing of it was done.
    Refused {
        key: Key,
        act: Act,
        origin: Origin,
        decision: Decision,
    },
    /// A person was asked and answered.
    Approved {
        key: Key,
        is_granted: bool,
        by: String,
        reason: String,
        /// The approval, where there is one that outlives the question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What the person made of the act: this is what is done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edited: Option<Act>,
    },
    /// The shadow policy would have decided otherwise.
    Shadowed {
        key: Key,
        act: Act,
        origin: Origin,
        decision: Decision,
        shadow: Decision,
    },
    /// An approval was opened: people are asked.
    ApprovalAsked {
        key: Key,
        id: String,
        act: Act,
        /// What an answer is bound to.
        action_hash: String,
        policy: String,
        expires_ms: u64,
        votes_needed: u32,
    },
    /// Somebody answered.
    ApprovalAnswered {
        id: String,
        by: String,
        is_granted: bool,
        comment: String,
        /// For what it holds beyond this one act, in words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        scope: String,
        /// What this person made of the act.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edited: Option<Act>,
        /// Why the answer does not count; none, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uncounted: Option<String>,
    },
    /// The first in line have not answered: these may by now.
    ApprovalPassedOn {
        id: String,
        approvers: Vec<String>,
    },
    /// The act was let through.
    ApprovalUsed {
        id: String,
        key: Key,
    },
    /// It is decided, expired, edited, withdrawn or revoked.
    ApprovalSettled {
        id: String,
        is_granted: bool,
        by: Vec<String>,
        reason: String,
    },
    /// The tools and models that the agent was offered when it first looked: the same for the whole session.
    Offered {
        tools: Value,
        models: Value,
    },
    /// A model is asked.
    ModelAsked {
        key: Key,
        model: String,
        /// SHA-256 over the whole question, in hex: what a replay has to ask again.
        hash: String,
        question: Question,
    },
    /// `answer` is what the agent read, `{"ok": {...}}` or `{"error": {...}}`.
    ModelAnswered {
        key: Key,
        status: Status,
        answer: Value,
    },
    /// Somebody spoke to the agent. It hears it when it looks, or when it waits for it.
    Said {
        by: String,
        text: String,
    },
    /// The agent has heard the next so many of what was said.
    Heard {
        key: Key,
        count: u32,
        /// Nothing more will be said.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_over: bool,
    },
    /// What a component said.
    Logged {
        plugin: String,
        level: String,
        context: String,
        message: String,
    },
    SessionEnded {
        status: String,
        summary: String,
        details: Value,
    },
}

/// A question to a model, as what is new in it: a conversation grows by a few messages at a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// So many messages are those of the question before, its answer counted as one of them.
    #[serde(default)]
    pub same: usize,
    /// The messages after them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Value>,
    /// All else: system prompt, tools, most tokens. None where it is as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<Value>,
}

/// One link of a session's chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub session: String,
    /// 0 for the first entry of the session, then one more each.
    pub sequence: u64,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    #[serde(flatten)]
    pub body: Body,
    /// Lower-case hex SHA-256 over the previous entry's hash and this entry.
    pub hash: String,
}
