//! The limits of one call: memory and tables of all its instances together, and how often it may
//! call the host.

use wasmtime::ResourceLimiter;

/// Counts what one store uses and says no at the limit.
#[derive(Debug)]
pub struct Limits {
    /// Bytes of all linear memories together.
    memory_bytes_max: usize,
    memory_bytes: usize,
    /// Elements of all tables together: a table is host memory too.
    table_elements_max: usize,
    table_elements: usize,
    host_calls_left: u64,
    /// The limit that was reached first, for the message.
    reached: Option<String>,
}

/// A guest called the host more often than its plugin may in one call.
#[derive(Debug, thiserror::Error)]
#[error("the call made more than the {0} host calls that it may")]
pub struct TooManyHostCalls(pub u64);

impl Limits {
    #[must_use]
    pub fn new(memory_bytes_max: u64, host_calls_max: u64) -> Self {
        Self {
            memory_bytes_max: usize::try_from(memory_bytes_max).unwrap_or(usize::MAX),
            memory_bytes: 0,
            table_elements_max: 1_000_000,
            table_elements: 0,
            host_calls_left: host_calls_max,
            reached: None,
        }
    }

    /// The limit that was reached, in words.
    #[must_use]
    pub fn reached(&self) -> Option<&str> {
        self.reached.as_deref()
    }

    /// Count one call of the host. False when there are none left.
    pub fn host_call(&mut self) -> bool {
        if self.host_calls_left == 0 {
            self.reached.get_or_insert_with(|| "host calls per call".into());
            return false;
        }
        self.host_calls_left -= 1;
        true
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.memory_bytes_max {
            self.reached.get_or_insert_with(|| format!("{} bytes of memory", self.memory_bytes_max));
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > self.table_elements_max {
            self.reached.get_or_insert_with(|| format!("{} table elements", self.table_elements_max));
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }
}
