//! A waker that counts how often it is cloned.
//!
//! bashkit gives its tools a view of the file system that polls a guard before each operation, and
//! the guard keeps a clone of the waker; the interpreter itself uses the file system without it.
//! Nothing else tells [`crate::world`] who is asking: the count does.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::task::{RawWaker, RawWakerVTable, Waker};

thread_local! {
    static CLONES: Cell<u64> = const { Cell::new(0) };
}

/// How many clones there have been on this thread.
pub(crate) fn clones() -> u64 {
    CLONES.get()
}

/// A waker that wakes `inner` and counts its clones.
pub(crate) fn counting(inner: Waker) -> Waker {
    // SAFETY: each function of the table treats the pointer as what it is, a `Box<Waker>` of its
    // own, and `Waker` is `Send` and `Sync`.
    unsafe { Waker::from_raw(raw(inner)) }
}

fn raw(inner: Waker) -> RawWaker {
    RawWaker::new(Box::into_raw(Box::new(inner)).cast::<()>().cast_const(), &TABLE)
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

unsafe fn clone(data: *const ()) -> RawWaker {
    CLONES.set(CLONES.get().wrapping_add(1));
    // SAFETY: `data` comes from `raw`, and the waker it belongs to is alive during the call.
    raw(unsafe { &*data.cast::<Waker>() }.clone())
}

unsafe fn wake(data: *const ()) {
    // SAFETY: `data` comes from `raw`, and `wake` consumes the one waker that owns it.
    unsafe { Box::from_raw(data.cast::<Waker>().cast_mut()) }.wake();
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: as for `clone`.
    unsafe { &*data.cast::<Waker>() }.wake_by_ref();
}

unsafe fn release(data: *const ()) {
    // SAFETY: as for `wake`.
    drop(unsafe { Box::from_raw(data.cast::<Waker>().cast_mut()) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Count(AtomicU32);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_what_is_inside_and_counts_clones() {
        let count = Arc::new(Count(AtomicU32::new(0)));
        let before = clones();
        let waker = counting(Waker::from(count.clone()));
        let other = waker.clone();
        assert_eq!(clones(), before + 1);
        waker.wake_by_ref();
        waker.wake();
        other.wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 3);
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
