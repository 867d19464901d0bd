//! What plugins keep for themselves: one space of keys for each, with a quota.

/// One change of a plugin's values: all of it is made, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginChange {
    Set(Vec<(String, Vec<u8>)>),
    Remove(Vec<String>),
    /// The value is a decimal number; one that is not there is 0.
    Increment {
        key: String,
        by: u64,
    },
}

/// How much one plugin may keep: keys and values together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginQuota {
    pub bytes_max: u64,
    pub keys_max: u64,
}

/// What became of a change. Only the first two have changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginChanged {
    Done,
    /// Of an increment.
    Sum(u64),
    TooManyBytes,
    TooManyKeys,
    /// What is to be incremented is no number, or the sum would be none.
    NoNumber,
}
