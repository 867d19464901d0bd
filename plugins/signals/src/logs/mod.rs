//! What a log says: templates, what is new in them, what became more frequent, and which known faults they name.
//!
//! `entry` makes entries of lines (`header`, `stamp`, `structured`, `severity`), `miner` finds their templates (`token`, `vocabulary`), `signature` finds known faults in them, `rate` compares before and after,
//! and `finding` puts it together: `summarise`. `group` is the miner for a log that is there as a whole. Lines are hostile: every table and every span has a named limit. A new fault is a rule in
//! `signatures.toml`; a new form of header is a line in the tests of `header`; a new style of log is a section in `styles.txt`, with its templates, by which accuracy is measured.

mod entry;
mod finding;
#[cfg(test)]
mod generator;
mod group;
mod header;
#[cfg(test)]
mod hostile;
mod miner;
mod rate;
mod severity;
mod signature;
mod stamp;
mod structured;
mod token;
mod vocabulary;

pub use entry::{Entry, LogLine, entries, text_of};
pub use finding::{LogFinding, SignatureFinding, TemplateFinding, summarise, summarise_with};
pub use group::group;
pub use miner::{Limits, Miner, OTHER, Template, TemplateId};
pub use severity::Severity;
pub use signature::{Match, Side, Signature, SignatureError, Signatures};
pub use stamp::parse_time;
