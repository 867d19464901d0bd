//! The one task that writes: it takes what has gathered and stores it in groups, in order.
//!
//! Appending never waits for the disk: it puts an item in the queue. When nobody waits, the writer
//! gathers for [`GATHER`] and lets the kernel decide when the disk has it; when somebody waits, it
//! writes at once, and to the disk where that is what is waited for. The first write that fails ends all writing: what comes after it
//! could not be linked to what is stored. Then every waiter gets the reason, and
//! [`Health`] says what was lost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use tokio::sync::{Notify, oneshot};

use super::{JournalError, Mask};
use crate::clock::{self, Duration, Instant};
use crate::store::{Batch, Blob, Durability, Head, LEASE_MS, Lease, Row, SessionMark, Store, StoreError};

/// Above this many bytes on their way, `append_durable` and `ready` wait: a guest may append faster
/// than a disk takes it.
pub const QUEUE_BYTES_HIGH: usize = 16 << 20;
/// At this many bytes on their way the journal gives up: the store stands still, and whoever appends
/// without waiting would fill the memory.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;
/// What an entry costs in memory beside its text.
const ITEM_BYTES: usize = 256;
/// How long entries gather while nobody waits for them.
const GATHER: Duration = Duration::from_millis(2);
/// What one transaction holds at most: it keeps other processes from writing meanwhile.
const GROUP_ROWS_MAX: usize = 256;
const GROUP_BYTES_MAX: usize = 8 << 20;
/// How often a group is tried again when another process keeps the store locked.
const BUSY_RETRIES: u32 = 3;
const RENEW_AFTER: Duration = Duration::from_millis(LEASE_MS / 5);

/// Something to be stored, or just somebody who waits until all before is.
#[derive(Default)]
pub(super) struct Item {
    pub row: Option<Row>,
    pub blobs: Vec<Blob>,
    pub mark: Option<SessionMark>,
    pub waiter: Option<Waiter>,
}

/// Somebody who waits until all before is stored.
pub(super) struct Waiter {
    /// What has to have it, before the answer.
    pub durability: Durability,
    pub stored: oneshot::Sender<Result<(), JournalError>>,
}

impl Item {
    fn bytes(&self) -> usize {
        let row = self.row.as_ref().map_or(0, |row| row.body.len());
        ITEM_BYTES + row + self.blobs.iter().map(|blob| blob.json.len()).sum::<usize>()
    }
}

/// How a journal is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Why it does not write any more.
    pub failure: Option<String>,
    /// Entries that were appended and will never be stored.
    pub lost: u64,
    /// Entries that were stored.
    pub stored: u64,
    /// Bytes on their way.
    pub queued_bytes: usize,
}

pub(super) struct Writer {
    store: Arc<dyn Store>,
    lease: Lease,
    /// What no entry may hold.
    mask: OnceLock<Arc<dyn Mask>>,
    queue: Mutex<Queue>,
    queued_bytes: AtomicUsize,
    has_failed: AtomicBool,
    /// Journals and chains that may still append.
    users: AtomicUsize,
    /// There is something to do.
    work: Notify,
    /// Something was stored, or nothing will be any more.
    space: Notify,
    /// The task is through.
    ended: Notify,
}

#[derive(Default)]
struct Queue {
    items: Vec<Item>,
    /// The task sleeps until `work`.
    is_idle: bool,
    /// Somebody waits for what is in the queue.
    is_urgent: bool,
    is_closing: bool,
    has_ended: bool,
    failure: Option<JournalError>,
    lost: u64,
    stored: u64,
}

enum Next {
    Sleep,
    Gather,
    Write,
    End,
}

impl Writer {
    pub(super) fn start(store: Arc<dyn Store>, lease: Lease) -> Arc<Self> {
        let writer = Arc::new(Self {
            store,
            lease,
            mask: OnceLock::new(),
            queue: Mutex::default(),
            queued_bytes: AtomicUsize::new(0),
            has_failed: AtomicBool::new(false),
            users: AtomicUsize::new(1),
            work: Notify::new(),
            space: Notify::new(),
            ended: Notify::new(),
        });
        tokio::spawn(run(writer.clone()));
        writer
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn hide(&self, mask: Arc<dyn Mask>) {
        // The first stays: what was hidden once shall not come out later.
        let _ = self.mask.set(mask);
    }

    pub(super) fn mask(&self) -> Option<&dyn Mask> {
        self.mask.get().map(|mask| &**mask)
    }

    /// One more that may append.
    pub(super) fn attach(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// One less. After the last the task stores what is left, gives the lease back and ends.
    pub(super) fn detach(&self) {
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.lock().is_closing = true;
            self.work.notify_one();
        }
    }

    pub(super) fn push(&self, item: Item) {
        let bytes = item.bytes();
        let is_urgent = item.waiter.is_some();
        // Counted first: the task may have stored it before this returns.
        let queued = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let wakes = {
            let mut queue = self.lock();
            if let Some(failure) = &queue.failure {
                let failure = failure.clone();
                queue.lost += u64::from(item.row.is_some());
                self.uncount(bytes);
                answer(item.waiter, Err(failure));
                return;
            }
            queue.items.push(item);
            let wakes = queue.is_idle || (is_urgent && !queue.is_urgent);
            queue.is_idle = false;
            queue.is_urgent |= is_urgent;
            wakes
        };
        if wakes {
            self.work.notify_one();
        }
        if queued > QUEUE_BYTES_MAX {
            self.fail(JournalError(format!("the store stands still, with {queued} bytes waiting for it")), Vec::new());
        }
    }

    pub(super) async fn ready(&self) {
        while self.queued_bytes.load(Ordering::Relaxed) > QUEUE_BYTES_HIGH && !self.has_failed.load(Ordering::Relaxed) {
            let space = self.space.notified();
            if self.queued_bytes.load(Ordering::Relaxed) <= QUEUE_BYTES_HIGH || self.has_failed.load(Ordering::Relaxed)
            {
                return;
            }
            space.await;
        }
    }

    pub(super) async fn flush(&self, durability: Durability) -> Result<(), JournalError> {
        // What is counted as stored is with the kernel at least.
        if durability == Durability::Kernel && self.queued_bytes.load(Ordering::Acquire) == 0 && !self.has_failed() {
            return Ok(());
        }
        let (sender, stored) = oneshot::channel();
        self.push(Item { waiter: Some(Waiter { durability, stored: sender }), ..Item::default() });
        stored.await.unwrap_or_else(|_| Err(self.reason()))
    }

    pub(super) async fn close(&self) -> Result<(), JournalError> {
        loop {
            let ended = self.ended.notified();
            {
                let mut queue = self.lock();
                if queue.has_ended {
                    return match &queue.failure {
                        Some(failure) if failure.0 != CLOSED => Err(failure.clone()),
                        _ => Ok(()),
                    };
                }
                queue.is_closing = true;
            }
            self.work.notify_one();
            ended.await;
        }
    }

    /// Have what is in the queue written at once, without waiting for it.
    pub(super) fn hurry(&self) {
        let (stored, _) = oneshot::channel();
        self.push(Item { waiter: Some(Waiter { durability: Durability::Kernel, stored }), ..Item::default() });
    }

    fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    pub(super) fn health(&self) -> Health {
        let queued_bytes = self.queued_bytes.load(Ordering::Relaxed);
        let queue = self.lock();
        Health {
            failure: queue.failure.as_ref().map(|failure| failure.0.clone()),
            lost: queue.lost,
            stored: queue.stored,
            queued_bytes,
        }
    }

    /// Why it does not write any more.
    pub(super) fn reason(&self) -> JournalError {
        self.lock().failure.clone().unwrap_or_else(|| JournalError(CLOSED.into()))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uncount(&self, bytes: usize) {
        // A failure sets the count to zero while a group may be under way.
        let _ = self
            .queued_bytes
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |queued| Some(queued.saturating_sub(bytes)));
    }

    fn next(&self) -> Next {
        let mut queue = self.lock();
        match (queue.items.is_empty(), queue.is_closing) {
            (true, true) => Next::End,
            (true, false) => {
                queue.is_idle = true;
                Next::Sleep
            }
            (false, _) if queue.is_urgent || queue.is_closing || queue.items.len() >= GROUP_ROWS_MAX => Next::Write,
            (false, _) => Next::Gather,
        }
    }

    fn take(&self) -> Vec<Item> {
        let mut queue = self.lock();
        queue.is_urgent = false;
        std::mem::take(&mut queue.items)
    }

    async fn store_all(&self, items: Vec<Item>) {
        let mut items = items.into_iter();
        while items.len() > 0 {
            let mut group = Group::default();
            for item in items.by_ref() {
                group.add(item);
                if group.is_full() {
                    break;
                }
            }
            if let Err(error) = self.store_group(&group).await {
                let unstored =
                    group.batch.rows.len() + items.as_slice().iter().filter(|item| item.row.is_some()).count();
                self.lock().lost += unstored as u64;
                let waiters = group.waiters.into_iter().chain(items.filter_map(|item| item.waiter)).collect();
                self.fail(error.into(), waiters);
                return;
            }
            self.lock().stored += group.batch.rows.len() as u64;
            self.uncount(group.bytes);
            self.space.notify_waiters();
            for waiter in group.waiters {
                answer(Some(waiter), Ok(()));
            }
        }
    }

    async fn store_group(&self, group: &Group) -> Result<(), StoreError> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(StoreError::Failed { path: String::new(), detail: self.reason().0 });
        }
        let needs_disk = group.waiters.iter().any(|waiter| waiter.durability == Durability::Disk);
        if !needs_disk && group.batch == Batch::default() {
            return Ok(());
        }
        let durability = if needs_disk { Durability::Disk } else { Durability::Kernel };
        let mut retries = 0;
        loop {
            match self.store.write(&self.lease, &group.batch, durability).await {
                Err(StoreError::Busy { .. }) if retries < BUSY_RETRIES => retries += 1,
                result => return result,
            }
        }
    }

    /// Nothing is written any more: tell everybody who waits. The first reason stays.
    fn fail(&self, reason: JournalError, mut waiters: Vec<Waiter>) {
        let failure = {
            let mut queue = self.lock();
            let failure = queue.failure.get_or_insert(reason).clone();
            let items = std::mem::take(&mut queue.items);
            queue.lost += items.iter().filter(|item| item.row.is_some()).count() as u64;
            waiters.extend(items.into_iter().filter_map(|item| item.waiter));
            failure
        };
        // In this order: who sees that nothing is queued sees why.
        self.has_failed.store(true, Ordering::Release);
        self.queued_bytes.store(0, Ordering::Release);
        self.space.notify_waiters();
        for waiter in waiters {
            answer(Some(waiter), Err(failure.clone()));
        }
    }
}

const CLOSED: &str = "the journal is closed";

async fn run(writer: Arc<Writer>) {
    // When the runtime ends before the journal was closed, nobody may wait for ever.
    let last = LastWord(writer.clone());
    let mut renewed = clock::monotonic();
    loop {
        if renewed.elapsed() >= RENEW_AFTER {
            renew(&writer).await;
            renewed = clock::monotonic();
        }
        match writer.next() {
            Next::End => break,
            Next::Sleep => sleep(&writer, renewed).await,
            Next::Gather => {
                // Ends early when somebody begins to wait.
                let _ = tokio::time::timeout(GATHER, writer.work.notified()).await;
                writer.store_all(writer.take()).await;
            }
            Next::Write => writer.store_all(writer.take()).await,
        }
    }
    // Whoever comes next sees by the process or by the time that the lease is over, if this fails.
    let _ = writer.store.release(&writer.lease).await;
    drop(last);
}

async fn sleep(writer: &Writer, renewed: Instant) {
    let left = RENEW_AFTER.saturating_sub(renewed.elapsed());
    let _ = tokio::time::timeout(left, writer.work.notified()).await;
}

async fn renew(writer: &Writer) {
    // Any other failure may pass, and if it does not the lease runs out by itself.
    if let Err(error @ StoreError::Fenced { .. }) = writer.store.renew(&writer.lease).await {
        writer.fail(error.into(), Vec::new());
    }
}

/// Says that the task has ended, however it ended.
struct LastWord(Arc<Writer>);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.fail(JournalError(CLOSED.into()), Vec::new());
        self.0.lock().has_ended = true;
        self.0.ended.notify_waiters();
    }
}

fn answer(waiter: Option<Waiter>, result: Result<(), JournalError>) {
    if let Some(waiter) = waiter {
        // Who waited may have gone away.
        let _ = waiter.stored.send(result);
    }
}

/// What goes into one transaction.
#[derive(Default)]
struct Group {
    batch: Batch,
    waiters: Vec<Waiter>,
    bytes: usize,
}

impl Group {
    fn add(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.batch.blobs.extend(item.blobs);
        self.batch.marks.extend(item.mark);
        self.waiters.extend(item.waiter);
        if let Some(row) = item.row {
            let head = Head { entries: row.sequence + 1, hash: row.hash.clone() };
            match self.batch.heads.iter_mut().find(|(session, _)| *session == row.session) {
                Some((_, old)) => *old = head,
                None => self.batch.heads.push((row.session.clone(), head)),
            }
            self.batch.rows.push(row);
        }
    }

    fn is_full(&self) -> bool {
        self.batch.rows.len() >= GROUP_ROWS_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}
