//! The built-in tools, as components in the runtime.

mod files;
