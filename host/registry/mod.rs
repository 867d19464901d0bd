//! Where plugins come from: files, `https:`, and OCI registries; what was fetched, and who signed it.
//!
//! [`fetch`] brings a component's bytes, [`push`] publishes one, [`signature`] says whose it is, [`lock`]
//! pins what is installed, and [`store`] keeps the bytes by their digest. A registry is hostile: whatever
//! it sends has a limit, digests are computed here, and its words are escaped before they are shown.
//! Nothing here reads the environment, compiles, or knows what a plugin may do. To add a kind of source,
//! add it to [`source::Source`] and a way to fetch it to [`fetch`].

pub(crate) mod atomic;
pub mod credentials;
pub mod digest;
pub mod fetch;
pub mod lock;
mod oci;
pub mod push;
pub mod signature;
pub mod source;
pub mod store;
pub mod tags;
mod web;

pub use oci::ArtifactError;

/// A component larger than this is neither fetched, nor pushed, nor kept.
pub const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// Of a name or a sentence that somebody else wrote, in an error. Danger: an error of megabytes.
const QUOTED_CHARS_MAX: usize = 200;

/// Somebody else's words, made safe to show.
fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        short.push('…');
    }
    crate::gate::explain::escaped(&short)
}
