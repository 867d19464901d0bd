//! The connections that are there, and who gives up its place when all are taken.
//!
//! A connection is *busy* from the last byte of a request to the last byte of its answer, and waits
//! otherwise: for a request to begin, or for the rest of one. Who opens connections and sends half a
//! request on each would keep everybody else out until their time is over; so the one that has waited
//! longest is closed for the next that comes. One that is busy is never closed for another.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How often it is looked whether one has begun to wait, where all are busy.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// All connections.
pub(super) struct Lines {
    places: Arc<Semaphore>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Those that wait, in the order in which they began to.
#[derive(Default)]
struct Waiting {
    next: u64,
    lines: BTreeMap<u64, CancellationToken>,
}

impl Waiting {
    fn add(&mut self, end: &CancellationToken) -> u64 {
        self.next += 1;
        self.lines.insert(self.next, end.clone());
        self.next
    }
}

/// One connection; gone when its last clone is dropped.
#[derive(Clone)]
pub(super) struct Line(Arc<Held>);

struct Held {
    waiting: Arc<Mutex<Waiting>>,
    /// Its number while it waits.
    number: Mutex<Option<u64>>,
    end: CancellationToken,
    _place: OwnedSemaphorePermit,
}

/// A request that is being answered.
pub(super) struct Busy(Line);

impl Lines {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waiting: Arc::default() }
    }

    /// A place for a connection that has come, which waits for its first request. Where all are taken, that
    /// of the one that has waited longest; where all are busy, the next that is not.
    pub(super) async fn enter(&self) -> Line {
        let place = loop {
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                break place;
            }
            if let Some((_, oldest)) = lock(&self.waiting).lines.pop_first() {
                oldest.cancel();
            }
            let freed = tokio::time::timeout(LOOK_EVERY, self.places.clone().acquire_owned());
            if let Ok(Ok(place)) = freed.await {
                break place;
            }
        };
        let end = CancellationToken::new();
        let number = Mutex::new(Some(lock(&self.waiting).add(&end)));
        Line(Arc::new(Held { waiting: self.waiting.clone(), number, end, _place: place }))
    }
}

impl Line {
    /// It has sent a whole request.
    pub(super) fn busy(&self) -> Busy {
        if let Some(number) = lock(&self.0.number).take() {
            lock(&self.0.waiting).lines.remove(&number);
        }
        Busy(self.clone())
    }

    /// Returns when it has to go.
    pub(super) async fn shed(&self) {
        self.0.end.cancelled().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(number) = lock(&self.number).take() {
            lock(&self.waiting).lines.remove(&number);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let held = &self.0.0;
        *lock(&held.number) = Some(lock(&held.waiting).add(&held.end));
    }
}

impl Busy {
    /// The body of the answer, with which it is no longer busy.
    pub(super) fn until_sent(self, body: BoxBody<Bytes, Infallible>) -> BoxBody<Bytes, Infallible> {
        Sending { body, _busy: self }.boxed()
    }
}

/// An answer on its way.
struct Sending {
    body: BoxBody<Bytes, Infallible>,
    _busy: Busy,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(ctx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn is_shed(line: &Line) -> bool {
        line.shed().now_or_never().is_some()
    }

    #[tokio::test]
    async fn the_one_that_has_waited_longest_goes_and_none_that_is_busy() {
        let lines = Lines::new(3);
        let (first, second, third) = (lines.enter().await, lines.enter().await, lines.enter().await);
        let busy = first.busy();
        assert!(lines.enter().now_or_never().is_none());
        assert!((is_shed(&first), is_shed(&second), is_shed(&third)) == (false, true, false));
        drop(second);
        let fourth = lines.enter().await;
        // Its answer is sent: it waits from now on, behind those that came before.
        drop(busy);
        assert!(lines.enter().now_or_never().is_none());
        assert!((is_shed(&first), is_shed(&third), is_shed(&fourth)) == (false, true, false));
    }

    #[tokio::test]
    async fn where_all_are_busy_the_next_waits_for_one_that_is_not() {
        let lines = Lines::new(1);
        let line = lines.enter().await;
        let busy = line.busy();
        let next = tokio::time::timeout(LOOK_EVERY * 3, lines.enter()).await;
        assert!(next.is_err() && !is_shed(&line));
        drop(busy);
        let ending = async {
            line.shed().await;
            drop(line);
        };
        tokio::join!(lines.enter(), ending);
    }
}
