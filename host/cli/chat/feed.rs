//! What a host tells, in one order: its events, the journal's entries, and what models say as it arrives.
//!
//! The three come on channels of their own. An entry is sent after all that led to it, so what a model said comes
//! before the entry of its whole answer, and the entries of a turn before the event that ends it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{self, Receiver};

use super::told::{Teller, Told};
use crate::app::{Event, Host};
use crate::journal::{Body, Entry, Followed};
use crate::session::Streamed;

/// What one conversation of a host is told of.
pub(super) struct Feed {
    agent: String,
    session: Option<String>,
    pub(super) teller: Teller,
    events: Receiver<Event>,
    entries: Receiver<Arc<Followed>>,
    streamed: Receiver<Arc<Streamed>>,
    /// Pieces of messages that the entry is not there yet of.
    early: VecDeque<Arc<Streamed>>,
    missed: u64,
    /// The session could not be run to its end.
    pub(super) is_broken: bool,
}

impl Feed {
    /// From now on, of the next session of this agent.
    pub(super) fn new(host: &Host, agent: &str) -> Self {
        Self {
            agent: agent.to_owned(),
            session: None,
            teller: Teller::default(),
            events: host.events(),
            entries: host.follow(),
            streamed: host.streamed(),
            early: VecDeque::new(),
            missed: 0,
            is_broken: false,
        }
    }

    /// A conversation that is taken up: what was told of it, and how it goes on from there.
    pub(super) fn take_up(&mut self, session: &str, entries: &[Entry]) -> (Vec<Told>, Vec<Told>) {
        self.session = Some(session.to_owned());
        let told = entries.iter().flat_map(|entry| self.teller.entry(session, entry.time_ms, &entry.body)).collect();
        (told, self.teller.reopen(session, &self.agent))
    }

    /// The session that is told of, once it has begun.
    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// What has happened since; waits until something has.
    pub(super) async fn next(&mut self) -> Vec<Told> {
        loop {
            let told = tokio::select! {
                event = self.events.recv() => self.all(event.map(Some), Ok(None), Ok(None)),
                entry = self.entries.recv() => self.all(Ok(None), entry.map(Some), Ok(None)),
                piece = self.streamed.recv() => self.all(Ok(None), Ok(None), piece.map(Some)),
            };
            if !told.is_empty() {
                return told;
            }
        }
    }

    /// What is there already.
    pub(super) fn rest(&mut self) -> Vec<Told> {
        self.all(Ok(None), Ok(None), Ok(None))
    }

    /// All that waits, in its order.
    fn all(
        &mut self,
        event: Result<Option<Event>, RecvError>,
        entry: Result<Option<Arc<Followed>>, RecvError>,
        piece: Result<Option<Arc<Streamed>>, RecvError>,
    ) -> Vec<Told> {
        // Each channel is emptied after those that may only speak of what came before on it.
        let events = drain(event, &mut self.events, &mut self.missed);
        let pieces = drain(piece, &mut self.streamed, &mut self.missed);
        let entries = drain(entry, &mut self.entries, &mut self.missed);
        self.early.extend(pieces);
        if self.session.is_none() {
            self.session = events.iter().find_map(|event| match event {
                Event::Session { id, agent, .. } if *agent == self.agent => Some(id.clone()),
                _ => None,
            });
        }
        let mut told = Vec::new();
        for followed in entries {
            if self.session.as_deref() != Some(&*followed.session) {
                continue;
            }
            if let Body::ModelAnswered { key, .. } = &followed.body {
                self.early.extend(drain(Ok(None), &mut self.streamed, &mut self.missed));
                self.pieces(&mut told);
                self.early.retain(|piece| piece.key != *key);
            }
            told.extend(self.teller.entry(&followed.session, followed.time_ms, &followed.body));
        }
        self.pieces(&mut told);
        for event in &events {
            match event {
                Event::Listening { session } if self.session.as_ref() == Some(session) => {
                    told.extend(self.teller.listening());
                }
                Event::Approval(note) => told.extend(self.teller.note(note)),
                Event::Broken { session, error } if self.session.as_ref() == Some(session) => {
                    self.is_broken = true;
                    told.push(Told::Error { text: error.clone() });
                }
                Event::StoppedAll(Some(stopped)) => {
                    let text =
                        format!("{}; what changes anything is refused until `pi-host resume-all`", stopped.words());
                    told.push(Told::Note { source: "host".into(), text });
                }
                Event::Policy { error: Some(error), .. } => {
                    let text = format!("the changed policy is broken, the old one goes on: {error}");
                    told.push(Told::Note { source: "host".into(), text });
                }
                _ => {}
            }
        }
        if self.missed > 0 {
            told.push(Told::Missed { events: std::mem::take(&mut self.missed) });
        }
        told
    }

    /// Tell the pieces of the message that arrives; those of the next one wait for its entry.
    fn pieces(&mut self, told: &mut Vec<Told>) {
        let (teller, session) = (&self.teller, self.session.as_deref());
        self.early.retain(|piece| {
            if session != Some(&*piece.session) {
                return false;
            }
            let now = teller.delta(&piece.key, &piece.delta);
            let is_early = now.is_none();
            told.extend(now);
            is_early
        });
    }
}

fn drain<T: Clone>(
    first: Result<Option<T>, RecvError>,
    channel: &mut broadcast::Receiver<T>,
    missed: &mut u64,
) -> Vec<T> {
    let mut all = Vec::new();
    match first {
        Ok(first) => all.extend(first),
        Err(RecvError::Lagged(count)) => *missed += count,
        Err(RecvError::Closed) => {}
    }
    loop {
        match channel.try_recv() {
            Ok(one) => all.push(one),
            Err(TryRecvError::Lagged(count)) => *missed += count,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return all,
        }
    }
}
