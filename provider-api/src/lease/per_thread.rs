//! Copies per thread: what all threads read and count, without a cache line that they all write.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// The most copies of a value. More threads than this share copies.
const MAX_COPIES: usize = 16;

/// The number of copies: twice the number of CPUs, so that two busy threads rarely share one.
static COPIES: LazyLock<usize> = LazyLock::new(|| {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    match cpus {
        1 => 1,
        cpus => cpus.saturating_mul(2).min(MAX_COPIES),
    }
});

/// The number of the next thread that asks for its copy.
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of this thread; `usize::MAX` before it has one.
    static THREAD: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Copies of one value, of which each thread uses the same one each time.
///
/// Two threads that count references to one value, such as the clones of an `Arc` or of an HTTP header, write to the same
/// cache line and slow each other down two to five times. With a copy each they do not. There are at most 16 copies; a
/// machine with one CPU has one.
///
/// # Examples
///
/// ```
/// use provider_api::PerThread;
///
/// let header = PerThread::new(|| Vec::from("Bearer x.y.z"));
/// assert_eq!(header.get(), b"Bearer x.y.z");
/// ```
pub struct PerThread<T>(Box<[T]>);

impl<T> PerThread<T> {
    /// Calls `make` once for each copy.
    pub fn new(make: impl FnMut() -> T) -> Self {
        Self(std::iter::repeat_with(make).take(*COPIES).collect())
    }

    /// Returns the copy of this thread.
    pub fn get(&self) -> &T {
        let thread = THREAD.with(|thread| match thread.get() {
            usize::MAX => {
                let new = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
                thread.set(new);
                new
            }
            known => known,
        });
        &self.0[thread % self.0.len()]
    }

    /// Returns all copies, such as counters to add up.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> fmt::Debug for PerThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the copies: they may be tokens.
        f.debug_struct("PerThread").field("copies", &self.0.len()).finish_non_exhaustive()
    }
}

/// A reference-counted value whose count belongs to one [copy](PerThread).
///
/// Dereferences to the value and keeps it alive, also in another thread and across an await.
pub struct Shared<V>(Arc<Counted<V>>);

/// A reference count with a cache line of its own. 128 bytes: CPUs fetch lines in pairs.
#[repr(align(128))]
struct Counted<V>(Arc<V>);

impl<V> Shared<V> {
    /// Puts a value behind one reference count per copy.
    pub fn per_thread(value: V) -> PerThread<Self> {
        let value = Arc::new(value);
        PerThread::new(|| Self(Arc::new(Counted(Arc::clone(&value)))))
    }
}

impl<V> Clone for Shared<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> Deref for Shared<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0.0
    }
}

impl<V: fmt::Debug> fmt::Debug for Shared<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        V::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_lives_as_long_as_a_handle() {
        let value = Arc::new("value");
        let copies = Shared::per_thread(Arc::clone(&value));
        let handle = copies.get().clone();
        let other = std::thread::spawn(move || copies.get().clone()).join().unwrap();
        assert!(
            Arc::ptr_eq(&handle, &other) && Arc::ptr_eq(&handle, &value),
            "one value, whatever the thread"
        );
        drop((handle, other));
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_thread_has_the_same_copy_each_time() {
        let copies = PerThread::new(|| 0);
        assert!(std::ptr::eq(copies.get(), copies.get()));
    }
}
