//! `wasi:logging`: what a component says goes into its session's journal.

use std::time::{Duration, Instant};

use super::bindings::wasi::logging::logging::{Host, Level};
use super::state::CallState;
use crate::clock;
use crate::journal::Body;

/// Most messages of one instance: a guest that logs in a loop must not fill the journal.
const MESSAGES_MAX: u32 = 10_000;
/// Longest message and context; the rest is cut.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
const CONTEXT_BYTES_MAX: usize = 128;
/// What an instance may say in a row, and how much of that it gets back in a second. Danger: a guest that talks without
/// end takes the disk's time from everybody's journal.
const BURST: Amount = Amount { messages: 1_000, bytes: 1 << 20 };
const PER_SECOND: Amount = Amount { messages: 200, bytes: 256 << 10 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Amount {
    messages: u64,
    bytes: u64,
}

/// What one instance has said.
#[derive(Debug)]
pub struct LogState {
    messages: u32,
    /// So many are in the journal already: an agent that is started again says them again.
    known: u32,
    rate: Rate,
    /// What was not written since this was last said.
    dropped: Amount,
}

impl Default for LogState {
    fn default() -> Self {
        Self::after(0)
    }
}

/// What may still be said, as of a time: it is used up by what is said, and comes back evenly.
#[derive(Debug)]
struct Rate {
    left: Amount,
    /// Until when what comes back has been added; none before the first message.
    since: Option<Instant>,
}

impl Rate {
    /// Take so much, or say in how long it could be taken.
    fn take(&mut self, bytes: u64, now: Instant) -> Result<(), Duration> {
        let since = *self.since.get_or_insert(now);
        // Whole milliseconds: what is left of one counts the next time.
        let ms = u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX).min(60_000);
        let back = |per_second: u64| per_second.saturating_mul(ms) / 1_000;
        if back(PER_SECOND.messages) > 0 {
            self.left.messages = self.left.messages.saturating_add(back(PER_SECOND.messages)).min(BURST.messages);
            self.left.bytes = self.left.bytes.saturating_add(back(PER_SECOND.bytes)).min(BURST.bytes);
            self.since = Some(now);
        }
        if self.left.messages == 0 || self.left.bytes < bytes {
            let missing = bytes.saturating_sub(self.left.bytes);
            let for_bytes = missing.saturating_mul(1_000) / PER_SECOND.bytes;
            return Err(Duration::from_millis(for_bytes.max(1_000 / PER_SECOND.messages) + 1));
        }
        self.left.messages -= 1;
        self.left.bytes -= bytes;
        Ok(())
    }
}

impl LogState {
    /// Of an instance that repeats the first `known` messages.
    #[must_use]
    pub fn after(known: u32) -> Self {
        let dropped = Amount { messages: 0, bytes: 0 };
        Self { messages: 0, known, rate: Rate { left: BURST, since: None }, dropped }
    }
}

impl Host for CallState {
    async fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        // Before anything is cut: half a secret at the cut would not be found.
        let scan = self.scan.clone();
        let Some(log) = &mut self.log else { return Ok(()) };
        log.messages = log.messages.saturating_add(1);
        if log.messages <= log.known {
            return Ok(());
        }
        let message = match log.messages {
            said if said > MESSAGES_MAX => return Ok(()),
            MESSAGES_MAX => format!("no more messages of this call are kept: it reached the limit of {MESSAGES_MAX}"),
            _ => cut(scan.hidden(&message).into_owned(), MESSAGE_BYTES_MAX),
        };
        let context = cut(scan.hidden(&context).into_owned(), CONTEXT_BYTES_MAX);
        let bytes = u64::try_from(message.len() + context.len()).unwrap_or(u64::MAX);
        while let Err(wait) = log.rate.take(bytes, clock::monotonic()) {
            if log.messages == MESSAGES_MAX {
                break;
            }
            if self.session.is_none() {
                log.dropped.messages += 1;
                log.dropped.bytes = log.dropped.bytes.saturating_add(bytes);
                return Ok(());
            }
            // An agent waits: what it says is counted when it is started again, so nothing of it may be left out.
            tokio::time::sleep(wait).await;
        }
        self.say_dropped();
        // A guest that says more than the disk takes waits here.
        self.door.journal().ready().await;
        self.say(name(level), &context, &message);
        Ok(())
    }
}

impl CallState {
    /// Say what was dropped, if anything was.
    pub fn say_dropped(&mut self) {
        let Some(log) = &mut self.log else { return };
        let Amount { messages, bytes } = std::mem::replace(&mut log.dropped, Amount { messages: 0, bytes: 0 });
        if messages > 0 {
            let text = format!(
                "{messages} messages ({bytes} bytes) were dropped here: a plugin may say {} messages or {} bytes in a second",
                PER_SECOND.messages, PER_SECOND.bytes
            );
            self.say("warn", "", &text);
        }
    }

    fn say(&self, level: &str, context: &str, message: &str) {
        let origin = self.door.origin();
        let plugin = if origin.plugin.is_empty() { &origin.agent } else { &origin.plugin };
        self.door.journal().append(Body::Logged {
            plugin: plugin.clone(),
            level: level.to_owned(),
            context: self.scan.hidden(context).into_owned(),
            message: self.scan.hidden(message).into_owned(),
        });
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
        Level::Critical => "critical",
    }
}

fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate() -> Rate {
        Rate { left: BURST, since: None }
    }

    #[test]
    fn takes_a_burst_and_then_what_comes_back() {
        let (mut rate, begin) = (rate(), clock::monotonic());
        assert_eq!((0..2_000).filter(|_| rate.take(1, begin).is_ok()).count(), 1_000);
        let later = begin + Duration::from_secs(1);
        assert_eq!((0..2_000).filter(|_| rate.take(1, later).is_ok()).count(), 200);
        let much_later = begin + Duration::from_secs(3_600);
        assert_eq!((0..2_000).filter(|_| rate.take(1, much_later).is_ok()).count(), 1_000);
    }

    #[test]
    fn bytes_count_as_well_and_the_wait_is_long_enough() {
        let (mut rate, begin) = (rate(), clock::monotonic());
        let message = 8 << 10;
        assert_eq!((0..2_000).filter(|_| rate.take(message, begin).is_ok()).count(), 128);
        let wait = rate.take(message, begin).unwrap_err();
        assert_eq!(rate.take(message, begin + wait), Ok(()));
        assert!(rate.take(message, begin + wait).is_err());
    }

    #[test]
    fn a_look_every_millisecond_gets_no_less_than_a_look_every_second() {
        let (mut rate, begin) = (rate(), clock::monotonic());
        while rate.take(1, begin).is_ok() {}
        let taken = (1..=1_000).filter(|ms| rate.take(1, begin + Duration::from_millis(*ms)).is_ok()).count();
        assert_eq!(taken, 200);
    }
}
