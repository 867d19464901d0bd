//! The one place where alarms from outside come together: takes them from webhooks and polled sources, stores what
//! became of each before it is answered, and says whom to wake.
//!
//! One task owns the state ([`Alarms`]); all that waits is taken at once and written in one transaction, so that ten
//! thousand alarms are a few writes. What cannot be stored is not acknowledged: its sender sends it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::alarms::{Alarm, Alarms, Ending, Settings, State, Taken, Wake};
use super::seen::{Look, Seen};
use crate::clock::{self, Duration};
use crate::gate::explain::escaped;
use crate::outbound::Clock;
use crate::store::{Lease, Store, StoreError};

/// Orders that wait. Danger: callers who come faster than the store writes; further ones are told to come again.
const ORDERS_MAX: usize = 1_024;
/// Orders of one transaction.
const BATCH_MAX: usize = 512;
const TICK_MS: u64 = 500;
/// How long an answer may take: a stuck store must not hold a connection for ever.
const ANSWER_MS_MAX: u64 = 30_000;
/// How long another process may have the store.
const BUSY_MS_MAX: u64 = 10_000;
/// Lines about single alarms and refusals in a second; the others are counted. Danger: a flood that hides all else.
const LINES_MAX: usize = 20;
/// Lines that wait for a slow reader.
const TOLD_MAX: usize = 1_024;
/// Reasons of refusals that are counted apart.
const REASONS_MAX: usize = 32;
const WHY_CHARS_MAX: usize = 300;

/// Keys of the store: what came of each trigger.
pub const COUNTS: &str = "alarms/trigger/";
/// All that is kept of alarms.
pub const ROWS: &str = "alarms/";

/// What became of the alarms of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The same message was taken already: nothing is done.
    pub is_duplicate: bool,
    pub opened: u64,
    pub grouped: u64,
    /// They were known to fire.
    pub noted: u64,
    pub suppressed: u64,
    pub resolved: u64,
    /// Resolved, and not known to fire.
    pub unknown: u64,
}

/// Why alarms were not taken. Their sender has to send them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("too many requests wait; send it again")]
    Busy,
    #[error("too many alarms fire or too many messages came: there is no room; send it again")]
    Full,
    #[error("it could not be stored; send it again")]
    Unstored,
}

/// What came of a trigger, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub kind: String,
    pub agent: String,
    /// Requests that were taken, and alarms in them.
    pub requests: u64,
    pub alarms: u64,
    pub duplicates: u64,
    /// By reason.
    pub refused: BTreeMap<String, u64>,
    pub last_ms: u64,
    pub last_refused_ms: u64,
    pub last_refusal: String,
    /// Of a polled source: why it failed the last time. Empty: it did not.
    pub failure: String,
}

/// A line for those who look on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// `alarm`, `refused`, `noted`, `source` or `alarms`.
    pub kind: &'static str,
    pub is_bad: bool,
    /// Escaped.
    pub text: String,
}

/// Hands over what has come. Clones speak to the same state.
#[derive(Clone)]
pub struct Intake {
    orders: mpsc::Sender<Order>,
    told: broadcast::Sender<Told>,
    failure: watch::Receiver<Option<String>>,
}

/// A trigger, as its alarms are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub name: String,
    pub kind: &'static str,
    pub agent: String,
}

enum Order {
    Take { trigger: Arc<Trigger>, alarms: Vec<Alarm>, message: Option<(String, u64)>, answer: Answer },
    Refused { trigger: Arc<Trigger>, reason: &'static str, why: String },
    Noted { trigger: Arc<Trigger>, text: String },
    Polled { trigger: Arc<Trigger>, failure: Option<String> },
    Firing { trigger: Arc<Trigger>, answer: oneshot::Sender<Vec<Alarm>> },
    Running { incident: u64, session: String },
    Closed { incident: u64, ending: Ending },
    InSession { answer: oneshot::Sender<Vec<(u64, Option<String>)>> },
}

type Answer = oneshot::Sender<Result<Tally, NotTaken>>;

/// The task that owns the state.
pub struct Desk {
    store: Arc<dyn Store>,
    lease: Lease,
    clock: Clock,
    alarms: Alarms,
    seen: Seen,
    counts: BTreeMap<String, Counts>,
    /// Triggers whose counts are not stored yet.
    changed: BTreeSet<String>,
    orders: mpsc::Receiver<Order>,
    wakes: mpsc::UnboundedSender<Wake>,
    told: broadcast::Sender<Told>,
    lines: Lines,
    failure: watch::Sender<Option<String>>,
}

/// Lines of this second, and those that were left out.
#[derive(Default)]
struct Lines {
    second: u64,
    count: usize,
    left_out: u64,
}

/// Read what an earlier host has stored, and make ready. Nothing happens before [`Desk::run`].
///
/// # Errors
/// The store cannot be read.
pub async fn intake(
    store: Arc<dyn Store>,
    lease: Lease,
    settings: Settings,
    clock: Clock,
) -> Result<(Intake, Desk, mpsc::UnboundedReceiver<Wake>), StoreError> {
    let rows = store.values(ROWS).await?;
    let seen = Seen::load(&rows);
    let mut counts = BTreeMap::new();
    for (row, value) in &rows {
        if let (Some(name), Ok(count)) = (row.strip_prefix(COUNTS), serde_json::from_value(value.clone())) {
            counts.insert(name.to_owned(), count);
        }
    }
    let (orders, waiting) = mpsc::channel(ORDERS_MAX);
    // As many as sessions may run wait here at most.
    let (wakes, woken) = mpsc::unbounded_channel();
    let (told, _) = broadcast::channel(TOLD_MAX);
    let (failed, failure) = watch::channel(None);
    let desk = Desk {
        store,
        lease,
        clock,
        alarms: Alarms::load(settings, rows),
        seen,
        counts,
        changed: BTreeSet::new(),
        orders: waiting,
        wakes,
        told: told.clone(),
        lines: Lines::default(),
        failure: failed,
    };
    Ok((Intake { orders, told, failure }, desk, woken))
}

impl Intake {
    /// Take alarms, and say what became of them once it is stored. A `message` is taken once until its time.
    ///
    /// # Errors
    /// They were not taken.
    pub async fn take(
        &self,
        trigger: &Arc<Trigger>,
        alarms: Vec<Alarm>,
        message: Option<(String, u64)>,
    ) -> Result<Tally, NotTaken> {
        let (answer, answered) = oneshot::channel();
        let order = Order::Take { trigger: trigger.clone(), alarms, message, answer };
        self.orders.try_send(order).map_err(|_| NotTaken::Busy)?;
        match tokio::time::timeout(Duration::from_millis(ANSWER_MS_MAX), answered).await {
            Ok(Ok(taken)) => taken,
            _ => Err(NotTaken::Unstored),
        }
    }

    /// Something was refused. Counted and told as long as there is room.
    pub fn refused(&self, trigger: &Arc<Trigger>, reason: &'static str, why: &str) {
        let why = escaped(why).chars().take(WHY_CHARS_MAX).collect();
        let _ = self.orders.try_send(Order::Refused { trigger: trigger.clone(), reason, why });
    }

    /// Something came that is no alarm, and that people should hear of.
    pub fn noted(&self, trigger: &Arc<Trigger>, text: &str) {
        let text = escaped(text).chars().take(WHY_CHARS_MAX).collect();
        let _ = self.orders.try_send(Order::Noted { trigger: trigger.clone(), text });
    }

    /// A source was asked.
    pub async fn polled(&self, trigger: &Arc<Trigger>, failure: Option<&str>) {
        let failure = failure.map(|why| escaped(why).chars().take(WHY_CHARS_MAX).collect());
        let _ = self.orders.send(Order::Polled { trigger: trigger.clone(), failure }).await;
    }

    /// The alarms of a trigger that fire.
    pub async fn firing(&self, trigger: &Arc<Trigger>) -> Vec<Alarm> {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Firing { trigger: trigger.clone(), answer }).await;
        answered.await.unwrap_or_default()
    }

    /// The session of an incident has begun.
    pub async fn running(&self, incident: u64, session: &str) {
        let _ = self.orders.send(Order::Running { incident, session: session.to_owned() }).await;
    }

    /// The session of an incident is over.
    pub async fn closed(&self, incident: u64, ending: Ending) {
        let _ = self.orders.send(Order::Closed { incident, ending }).await;
    }

    /// The incidents that a session works on, as far as is known.
    pub async fn in_session(&self) -> Vec<(u64, Option<String>)> {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::InSession { answer }).await;
        answered.await.unwrap_or_default()
    }

    /// Hear of what comes.
    #[must_use]
    pub fn told(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    /// Why nothing can be stored any more. The host stops then.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }
}

impl Desk {
    /// Work until the last [`Intake`] is gone, or nothing can be stored any more.
    pub async fn run(mut self) {
        let mut every = tokio::time::interval(Duration::from_millis(TICK_MS));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut orders = Vec::new();
            let is_tick = tokio::select! {
                count = self.orders.recv_many(&mut orders, BATCH_MAX) => if count == 0 { return } else { false },
                _ = every.tick() => true,
            };
            let now_ms = (self.clock)();
            let answers: Vec<_> = orders.into_iter().filter_map(|order| self.work(order, now_ms)).collect();
            if is_tick {
                self.seen.tick(now_ms);
                self.alarms.tick(now_ms);
            }
            let stored = self.store_changes().await;
            for (answer, taken) in answers {
                // Who has gone away hears nothing.
                let _ = answer.send(if stored.is_ok() { taken } else { Err(NotTaken::Unstored) });
            }
            if let Err(error) = stored {
                self.failure.send_replace(Some(error.to_string()));
                return;
            }
            for note in self.alarms.take_notes() {
                self.tell("alarms", note.is_bad, escaped(&note.text));
            }
            for wake in self.alarms.take_wakes() {
                let _ = self.wakes.send(wake);
            }
            self.tell_left_out(now_ms);
        }
    }

    fn work(&mut self, order: Order, now_ms: u64) -> Option<(Answer, Result<Tally, NotTaken>)> {
        match order {
            Order::Take { trigger, alarms, message, answer } => {
                let taken = self.take(&trigger, alarms, message, now_ms);
                return Some((answer, taken));
            }
            Order::Refused { trigger, reason, why } => self.refuse(&trigger, reason, why, now_ms),
            Order::Noted { trigger, text } => self.line("noted", false, format!("{}: {text}", trigger.name), now_ms),
            Order::Polled { trigger, failure } => {
                let counts = self.counts_of(&trigger);
                counts.last_ms = now_ms;
                let failure = failure.unwrap_or_default();
                if counts.failure != failure {
                    counts.failure.clone_from(&failure);
                    let (is_bad, text) = match failure.is_empty() {
                        true => (false, format!("{}: it answers again", trigger.name)),
                        false => (
                            true,
                            format!(
                                "{}: it cannot be asked, which says nothing of its alarms: {failure}",
                                trigger.name
                            ),
                        ),
                    };
                    self.tell("source", is_bad, text);
                }
            }
            Order::Firing { trigger, answer } => _ = answer.send(self.alarms.firing_of(&trigger.name)),
            Order::Running { incident, session } => self.alarms.running(incident, &session),
            Order::Closed { incident, ending } => self.alarms.closed(incident, ending, now_ms),
            Order::InSession { answer } => _ = answer.send(self.alarms.in_session()),
        }
        None
    }

    fn take(
        &mut self,
        trigger: &Trigger,
        alarms: Vec<Alarm>,
        message: Option<(String, u64)>,
        now_ms: u64,
    ) -> Result<Tally, NotTaken> {
        let message = message.map(|(id, until_ms)| (format!("{}/{id}", trigger.name), until_ms));
        if let Some((key, until_ms)) = &message {
            match self.seen.look(key, *until_ms) {
                Look::New => {}
                Look::Seen => {
                    self.counts_of(trigger).duplicates += 1;
                    return Ok(Tally { is_duplicate: true, ..Tally::default() });
                }
                Look::Full => {
                    self.refuse(trigger, "full", NotTaken::Full.to_string(), now_ms);
                    return Err(NotTaken::Full);
                }
            }
        }
        let mut tally = Tally::default();
        let mut not_taken = 0_u64;
        for alarm in alarms {
            let (title, target, state) = (alarm.title.clone(), alarm.target.clone(), alarm.state);
            let taken = self.alarms.observe(&trigger.name, &trigger.agent, alarm, now_ms);
            let became = match taken {
                Taken::Opened(incident) => (&mut tally.opened, format!("opens incident {incident}")),
                Taken::Grouped(incident) => (&mut tally.grouped, format!("belongs to incident {incident}")),
                Taken::Noted => (&mut tally.noted, "is known".to_owned()),
                Taken::Suppressed => (&mut tally.suppressed, "is held back".to_owned()),
                Taken::Resolved => (&mut tally.resolved, "is resolved".to_owned()),
                Taken::Unknown => (&mut tally.unknown, "is resolved, and was not known".to_owned()),
                Taken::Full => (&mut not_taken, "has no room".to_owned()),
            };
            *became.0 += 1;
            if !matches!(taken, Taken::Noted | Taken::Unknown | Taken::Full) {
                let text = format!("{}: `{target}`: {title}: {}", trigger.name, became.1);
                self.line("alarm", state == State::Firing, escaped(&text), now_ms);
            }
        }
        if not_taken > 0 {
            if let Some((key, _)) = &message {
                self.seen.forget(key);
            }
            self.refuse(trigger, "full", format!("{not_taken} alarms: {}", NotTaken::Full), now_ms);
            return Err(NotTaken::Full);
        }
        let count = tally.opened + tally.grouped + tally.noted + tally.suppressed + tally.resolved + tally.unknown;
        let counts = self.counts_of(trigger);
        counts.requests += 1;
        counts.alarms += count;
        counts.last_ms = now_ms;
        Ok(tally)
    }

    fn refuse(&mut self, trigger: &Trigger, reason: &'static str, why: String, now_ms: u64) {
        let counts = self.counts_of(trigger);
        if counts.refused.len() < REASONS_MAX || counts.refused.contains_key(reason) {
            *counts.refused.entry(reason.to_owned()).or_default() += 1;
        }
        counts.last_refused_ms = now_ms;
        counts.last_refusal.clone_from(&why);
        self.line("refused", true, format!("{}: {why}", trigger.name), now_ms);
    }

    fn counts_of(&mut self, trigger: &Trigger) -> &mut Counts {
        self.changed.insert(trigger.name.clone());
        let counts = self.counts.entry(trigger.name.clone()).or_default();
        trigger.kind.clone_into(&mut counts.kind);
        trigger.agent.clone_into(&mut counts.agent);
        counts
    }

    async fn store_changes(&mut self) -> Result<(), StoreError> {
        let mut changes = self.alarms.take_changes();
        changes.extend(self.seen.take_changes());
        let counts = std::mem::take(&mut self.changed).into_iter();
        changes.extend(counts.map(|name| {
            let value = self.counts.get(&name).and_then(|counts| serde_json::to_value(counts).ok());
            (format!("{COUNTS}{name}"), value)
        }));
        if changes.is_empty() {
            return Ok(());
        }
        let begun = clock::monotonic();
        loop {
            match self.store.change_values(&self.lease, &changes).await {
                Err(StoreError::Busy { .. }) if begun.elapsed() < Duration::from_millis(BUSY_MS_MAX) => {
                    tokio::time::sleep(Duration::from_millis(TICK_MS)).await;
                }
                result => return result,
            }
        }
    }

    /// A line of which there may be thousands.
    fn line(&mut self, kind: &'static str, is_bad: bool, text: String, now_ms: u64) {
        if self.lines.second != now_ms / 1_000 {
            self.lines.second = now_ms / 1_000;
            self.lines.count = 0;
        }
        if self.lines.count >= LINES_MAX {
            self.lines.left_out += 1;
            return;
        }
        self.lines.count += 1;
        self.tell(kind, is_bad, text);
    }

    fn tell_left_out(&mut self, now_ms: u64) {
        if self.lines.left_out > 0 && self.lines.second != now_ms / 1_000 {
            let count = std::mem::take(&mut self.lines.left_out);
            self.tell("alarms", false, format!("{count} more came; `pi-host alarms` has all of them"));
        }
    }

    fn tell(&self, kind: &'static str, is_bad: bool, text: String) {
        // Without anybody who looks on nobody hears it; the store has it.
        let _ = self.told.send(Told { kind, is_bad, text });
    }
}
