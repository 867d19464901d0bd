//! A single thread that runs the shell, its jobs and its native programs side by side.
//!
//! tokio's current-thread runtime drives the futures. It cannot wait for a child of `pi:process`
//! and a timer at once, so before it would go to sleep the [`Reactor`] waits in its place: on the
//! pollables of the running children, until the next deadline that it knows of. The interpreter has
//! timers of its own inside tokio (`timeout`, `read -t`), which nobody can ask for their deadline;
//! for their sake a wait is cut into slices. A slice grows with the time since the last event (a
//! twentieth of it, between [`SLICE_MIN`] and [`SLICE_MAX`]): few host calls, and timers that are
//! late by 5 % at most.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::system::{Child, System};
use crate::waker;

/// Shortest and longest wait between two looks at the interpreter's own timers.
const SLICE_MIN: Duration = Duration::from_millis(1);
const SLICE_MAX: Duration = Duration::from_millis(50);

/// What the shell waits for outside of itself.
#[derive(Default)]
pub(crate) struct Reactor {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Entry>,
    next_id: u64,
    /// Wakes the runtime itself, so that it looks at its timers.
    main: Option<Waker>,
    /// Since when nothing has happened.
    idle_since: Option<Instant>,
}

struct Entry {
    id: u64,
    event: Event,
    waker: Waker,
}

#[derive(Clone)]
enum Event {
    Child(Arc<dyn Child>),
    Time(Instant),
}

/// A future that is done when its event has come.
pub(crate) struct Wait<'a> {
    reactor: &'a Reactor,
    event: Event,
    id: Option<u64>,
}

impl Reactor {
    /// Wait until `child` has something to do.
    pub(crate) fn ready(&self, child: &Arc<dyn Child>) -> Wait<'_> {
        Wait { reactor: self, event: Event::Child(child.clone()), id: None }
    }

    /// Wait until `deadline`.
    pub(crate) fn until(&self, deadline: Instant) -> Wait<'_> {
        Wait { reactor: self, event: Event::Time(deadline), id: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait in the runtime's place, once.
    fn park(&self, system: &dyn System) {
        let now = Instant::now();
        let mut longest = {
            let mut state = self.state();
            let since = *state.idle_since.get_or_insert(now);
            (now.saturating_duration_since(since) / 20).clamp(SLICE_MIN, SLICE_MAX)
        };
        let mut children = Vec::new();
        for entry in &self.state().waiting {
            match &entry.event {
                Event::Child(child) => children.push((entry.id, child.clone())),
                Event::Time(deadline) => longest = longest.min(deadline.saturating_duration_since(now)),
            }
        }
        let polled: Vec<&dyn Child> = children.iter().map(|(_, child)| child.as_ref()).collect();
        let ready = system.wait(&polled, longest);
        let ready: Vec<u64> =
            ready.into_iter().filter_map(|position| children.get(position)).map(|(id, _)| *id).collect();
        let now = Instant::now();
        let mut state = self.state();
        let (due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut state.waiting).into_iter().partition(|entry| {
            ready.contains(&entry.id) || matches!(entry.event, Event::Time(deadline) if deadline <= now)
        });
        state.waiting = waiting;
        if !due.is_empty() {
            state.idle_since = None;
        }
        let main = state.main.clone();
        drop(state);
        due.into_iter().map(|entry| entry.waker).chain(main).for_each(Waker::wake);
    }
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.reactor.state();
        let Some(id) = self.id else {
            let id = state.next_id;
            state.next_id += 1;
            state.waiting.push(Entry { id, event: self.event.clone(), waker: context.waker().clone() });
            drop(state);
            self.id = Some(id);
            return Poll::Pending;
        };
        match state.waiting.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => {
                entry.waker.clone_from(context.waker());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.reactor.state().waiting.retain(|entry| entry.id != id);
        }
    }
}

/// Run `future` to its end.
///
/// # Errors
/// If the runtime cannot be made.
pub(crate) fn block_on<F: Future>(
    system: &Arc<dyn System>,
    reactor: &Arc<Reactor>,
    future: F,
) -> std::io::Result<F::Output> {
    let (parker, waiter) = (reactor.clone(), system.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .on_thread_park(move || parker.park(waiter.as_ref()))
        .build()?;
    let mut future = std::pin::pin!(future);
    let output = runtime.block_on(poll_fn(|context| {
        reactor.state().main = Some(context.waker().clone());
        let waker = waker::counting(context.waker().clone());
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }));
    reactor.state().main = None;
    Ok(output)
}
